package jsrules

import (
	"maps"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// changes are what a rule has decided, converted and checked before any of it counts.
type changes struct {
	user       map[string]any // properties that were set, or looked at and perhaps changed within
	replaced   bool           // they are all that the user has now
	context    map[string]any
	addon      map[string]any // nil: not looked at
	aws        delegation.AWS
	detours    map[*detour]bool // that were set or taken back
	global     map[string]any   // nil: not looked at
	globalFull bool
	keep       bool // the next rule goes on in this runtime
}

// collect reads user and context as the rule gave them to callback, or as it got them if it gave none.
func (r *run) collect(user *delegation.User, rc *delegation.RuleContext) *changes {
	o, c := &outgoing{run: r}, &changes{aws: rc.AWS}
	if given := o.objectOr("user", r.answer.user); given == nil || given.SameAs(r.user.js) {
		c.user = o.touched("user", r.user)
	} else {
		o.path = []string{"user"}
		c.replaced, c.user = true, o.properties(given, given.Keys(), r.user.was)
		o.path = nil
	}
	given := o.objectOr("context", r.answer.context)
	if given == nil {
		given = r.context.js
	}
	var addon goja.Value
	if given.SameAs(r.context.js) {
		addon = r.context.values["addonConfiguration"] // nil if the rule has not looked at it
		c.context = o.touched("context", r.context)
	} else {
		addon = given.Get("addonConfiguration")
		o.path = []string{"context"}
		c.context = o.properties(given, without(given.Keys(), "addonConfiguration"), r.context.was)
	}
	c.detours = r.detoursOf(given)
	r.noteWhole(given)
	o.path = []string{"context"}
	o.checkContext(c.context)
	if _, deleted := r.context.values["addonConfiguration"]; addon != nil {
		o.collectAddon(addon, c)
	} else if deleted && given.SameAs(r.context.js) {
		c.aws = delegation.AWS{}
	}
	if r.global != nil && r.global.values != nil {
		r.collectGlobal(c)
	}
	return c
}

// touched converts those properties of an object that a rule has looked at or set. A name that was deleted is [gone].
func (o *outgoing) touched(label string, from *object) map[string]any {
	o.path = []string{label}
	made := map[string]any{}
	for name, value := range from.values {
		if label == "context" && name == "addonConfiguration" {
			continue
		}
		if converted := o.out(name, value, from.was(name)); converted == (absent{}) {
			made[name] = gone{}
		} else {
			made[name] = converted
		}
	}
	o.path = nil
	return made
}

// apply lets the changes count.
func (c *changes) apply(user *delegation.User, rc *delegation.RuleContext, r *run) {
	if c.replaced || user.Properties == nil {
		user.Properties = map[string]any{}
	}
	for name, value := range c.user {
		if value == (gone{}) {
			delete(user.Properties, name)
		} else {
			user.Properties[name] = value
		}
	}
	rc.AWS = c.aws
	maps.Copy(r.exchange.context, c.context)
	if c.addon != nil {
		r.exchange.addon = c.addon
	}
	if r.global != nil && c.globalFull {
		r.options.Set.clear()
	} else if c.global != nil {
		r.options.Set.merge(r.before, c.global)
	}
	if c.keep {
		r.before = c.global
		r.exchange.kept = r
	}
}
