package narrow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxOverlapping is how many Allow statements with overlapping actions are written down as denials.
// Each doubles their number, and a policy of 2,048 characters has no room for more.
const maxOverlapping = 5

// allow is the actions and resources of one Allow statement or of several.
type allow struct {
	actions, resources     []string
	notAction, notResource bool
}

// denials returns statements that deny exactly what the policy does not allow. Its own Deny
// statements are among them.
//
// An Allow with a Condition is refused. Its opposite would need operators that are wrong for a key
// that is absent or has several values.
func (p *Policy) denials(known Known) ([]statement, error) {
	var denied []statement
	var allows []allow
	for i, s := range p.statements {
		if s.deny {
			denied = append(denied, s.withoutSid())
			continue
		}
		if s.conditional {
			return nil, fmt.Errorf("statement %d: it is an Allow with a Condition", i+1)
		}
		a := allow{actions: s.actions, notAction: s.notAction, notResource: s.notResource}
		for _, pattern := range s.resources {
			text := pattern
			if p.variables {
				var err error
				if text, err = expanded(pattern, known); err != nil {
					return nil, fmt.Errorf("statement %d: %w", i+1, err)
				}
			}
			a.resources = append(a.resources, text)
		}
		allows = append(allows, a)
	}
	rest, err := complement(merged(allows))
	if err != nil {
		return nil, err
	}
	return slices.Concat(denied, rest), nil
}

// merged joins statements with the same resources, and then those with the same actions, until none
// is left to join.
func merged(allows []allow) []allow {
	for {
		before := len(allows)
		allows = joined(allows, func(a, b allow) (allow, bool) {
			if a.notAction || b.notAction || a.notResource != b.notResource ||
				!sameTexts(a.resources, b.resources) {
				return a, false
			}
			a.actions = distinct(a.actions, b.actions)
			return a, true
		})
		allows = joined(allows, func(a, b allow) (allow, bool) {
			if a.notResource || b.notResource || a.notAction != b.notAction ||
				!sameTexts(folded(a.actions), folded(b.actions)) {
				return a, false
			}
			a.resources = distinct(a.resources, b.resources)
			return a, true
		})
		if len(allows) == before {
			return allows
		}
	}
}

// joined joins each statement with the first one before it that takes it.
func joined(allows []allow, join func(a, b allow) (allow, bool)) []allow {
	var kept []allow
next:
	for _, a := range allows {
		for i, before := range kept {
			if both, ok := join(before, a); ok {
				kept[i] = both
				continue next
			}
		}
		kept = append(kept, a)
	}
	return kept
}

// sameTexts tells whether two lists have the same values, in whatever order.
func sameTexts(a, b []string) bool {
	return slices.Equal(slices.Compact(sorted(a)), slices.Compact(sorted(b)))
}

// distinct returns the values of all lists, each once, in their order.
func distinct(lists ...[]string) (values []string) {
	for _, value := range slices.Concat(lists...) {
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
}

// folded returns actions in the case in which they are compared.
func folded(actions []string) []string {
	lower := make([]string, len(actions))
	for i, action := range actions {
		lower[i] = strings.ToLower(action)
	}
	return lower
}

// complement returns the shortest statements that deny exactly what no Allow allows.
func complement(allows []allow) ([]statement, error) {
	if len(allows) == 0 {
		return []statement{deny("Action", []string{anything}, "Resource", []string{anything})}, nil
	}
	if len(allows) == 1 {
		return opposite(allows[0]), nil
	}
	for _, a := range allows {
		if a.notAction || a.notResource {
			return nil, errors.New("it has NotAction or NotResource next to another Allow")
		}
	}
	byAction, disjoint := complementByAction(allows)
	if len(allows) > maxOverlapping {
		if !disjoint {
			return nil, fmt.Errorf("%d statements have actions that overlap, and at most %d may",
				len(allows), maxOverlapping)
		}
		return byAction, nil
	}
	byChoice := complementByChoice(allows)
	if disjoint && len(encode(byAction)) <= len(encode(byChoice)) {
		return byAction, nil
	}
	return byChoice, nil
}

// opposite denies what one Allow does not allow: all other actions, and all other resources.
func opposite(a allow) (denied []statement) {
	switch {
	case a.notAction:
		denied = append(denied, deny("Action", a.actions, "Resource", []string{anything}))
	case !slices.Contains(a.actions, anything):
		denied = append(denied, deny("NotAction", a.actions, "Resource", []string{anything}))
	}
	switch {
	case a.notResource:
		denied = append(denied, deny("Action", []string{anything}, "Resource", a.resources))
	case !slices.Contains(a.resources, anything):
		denied = append(denied, deny("Action", []string{anything}, "NotResource", a.resources))
	}
	return denied
}

// complementByChoice denies what no Allow allows. A request is not allowed if each of the n
// statements lacks its action or its resource. So there is one denial for each of the 2^n ways to
// choose, for every statement, which of the two is lacking.
func complementByChoice(allows []allow) (denied []statement) {
	for choice := range 1 << len(allows) {
		var actions, resources []string
		for i, a := range allows {
			if choice&(1<<i) != 0 {
				actions = distinct(actions, a.actions)
			} else {
				resources = distinct(resources, a.resources)
			}
		}
		if slices.Contains(actions, anything) || slices.Contains(resources, anything) {
			continue // nothing is lacking
		}
		action, resource := "NotAction", "NotResource"
		if len(actions) == 0 {
			action = "Action"
			actions = []string{anything}
		}
		if len(resources) == 0 {
			resource = "Resource"
			resources = []string{anything}
		}
		denied = append(denied, deny(action, actions, resource, resources))
	}
	return denied
}

// complementByAction is complementByChoice for statements in which no two patterns of actions match
// the same action, unless they are the same. Each of its resources is then known, so there is one
// denial for all other actions, and one for each set of resources. False: the patterns overlap.
func complementByAction(allows []allow) (denied []statement, disjoint bool) {
	type granted struct{ actions, resources []string }
	var byPattern []granted
	for _, a := range allows {
		for _, action := range a.actions {
			i := slices.IndexFunc(byPattern, func(g granted) bool {
				return strings.EqualFold(g.actions[0], action)
			})
			if i < 0 {
				byPattern = append(byPattern, granted{actions: []string{action}})
				i = len(byPattern) - 1
			}
			byPattern[i].resources = distinct(byPattern[i].resources, a.resources)
		}
	}
	var all []string
	var byResources []granted
	for i, g := range byPattern {
		for _, other := range byPattern[:i] {
			if overlap(strings.ToLower(g.actions[0]), strings.ToLower(other.actions[0])) {
				return nil, false
			}
		}
		all = append(all, g.actions...)
		same := slices.IndexFunc(byResources, func(other granted) bool {
			return sameTexts(other.resources, g.resources)
		})
		if same < 0 {
			byResources = append(byResources, g)
			continue
		}
		byResources[same].actions = distinct(byResources[same].actions, g.actions)
	}
	if !slices.Contains(all, anything) {
		denied = append(denied, deny("NotAction", all, "Resource", []string{anything}))
	}
	for _, g := range byResources {
		if !slices.Contains(g.resources, anything) {
			denied = append(denied, deny("Action", g.actions, "NotResource", g.resources))
		}
	}
	return denied, true
}

// overlap tells whether there is a text that matches both of two patterns with * and ?.
func overlap(a, b string) bool {
	// reached[j] says that a from i on and b from j on have a text in common, for the i of the
	// loop. next[j] says so for i+1.
	next := make([]bool, len(b)+1)
	reached := make([]bool, len(b)+1)
	for i := len(a); i >= 0; i-- {
		for j := len(b); j >= 0; j-- {
			switch {
			case i == len(a) && j == len(b):
				reached[j] = true
			case i < len(a) && a[i] == '*':
				reached[j] = next[j] || j < len(b) && reached[j+1]
			case j < len(b) && b[j] == '*':
				reached[j] = reached[j+1] || i < len(a) && next[j]
			case i == len(a) || j == len(b):
				reached[j] = false
			default:
				same := a[i] == b[j] || a[i] == '?' || b[j] == '?'
				reached[j] = same && next[j+1]
			}
		}
		reached, next = next, reached
	}
	return next[0]
}

// deny is a Deny statement of the elements.
func deny(action string, actions []string, resource string, resources []string) statement {
	return statement{
		members: map[string]any{
			"Effect": "Deny",
			action:   oneOrList(actions),
			resource: oneOrList(resources),
		},
		deny:        true,
		actions:     actions,
		notAction:   action == "NotAction",
		resources:   resources,
		notResource: resource == "NotResource",
	}
}

// oneOrList is a list as short as a policy may have it.
func oneOrList(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}
