package jsrules

import (
	"fmt"
	"slices"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// detour is a property of context by which a rule asks for a further step of the sign-in. An
// exchange has no such step, and must not continue as if the rule had not asked.
type detour struct {
	name   string
	code   delegation.Code
	option string // the field that ignores it
	ignore func(*Options) bool
}

var (
	redirect = &detour{
		name:   "redirect",
		code:   delegation.CodeRuleRedirect,
		option: "IgnoreRedirect",
		ignore: func(o *Options) bool { return o.IgnoreRedirect },
	}
	multifactor = &detour{
		name:   "multifactor",
		code:   delegation.CodeRuleMultifactor,
		option: "IgnoreMultifactor",
		ignore: func(o *Options) bool { return o.IgnoreMultifactor },
	}
	detours = []*detour{redirect, multifactor}
)

// detoursOf reads which detours a rule has left in the context that it gave. A detour is set if its
// value is truthy. One that was not touched is not in the result.
func (r *run) detoursOf(given *goja.Object) map[*detour]bool {
	var left map[*detour]bool
	note := func(d *detour, set bool) {
		if left == nil {
			left = map[*detour]bool{}
		}
		left[d] = set
	}
	for _, d := range detours {
		if given.SameAs(r.context.js) {
			if _, touched := r.context.values.get(d.name); !touched {
				continue
			}
		}
		if value := given.Get(d.name); value != nil {
			note(d, value.ToBoolean())
		} else if given.SameAs(r.context.js) {
			note(d, false) // it was deleted
		}
	}
	return left
}

// noteDetours keeps the detours that a rule has left until the last rule has run, because a later
// rule may take them back.
func (r *run) noteDetours(left map[*detour]bool, rc *delegation.RuleContext) {
	s := r.shared
	for d, set := range left {
		if !set {
			delete(s.detours, d)
			continue
		}
		if d.ignore(r.options) {
			continue
		}
		if s.detours == nil {
			s.detours = map[*detour]string{}
		}
		if s.detours[d] == "" {
			s.detours[d] = r.name
		}
	}
	if len(s.detours) == 0 || s.registered {
		return
	}
	s.registered = true
	rc.AfterRules(func() error {
		if err := s.checkDetours(); err != nil {
			return err
		}
		return nil
	})
}

// checkDetours refuses an exchange whose rules have left a detour.
func (s *shared) checkDetours() *Error {
	for _, d := range detours {
		if rule := s.detours[d]; rule != "" {
			why := &refusal{d.code, fmt.Sprintf("context.%s is set after the last rule", d.name)}
			return &Error{Rule: rule, Err: why}
		}
	}
	return nil
}

// last notes that a rule has permitted the exchange. It reports whether every rule of the Set has,
// so that none can take a detour back.
func (r *run) last() bool {
	s := r.shared
	if !slices.Contains(s.ran, r.rule) {
		s.ran = append(s.ran, r.rule)
	}
	return len(s.ran) == r.options.Set.size()
}
