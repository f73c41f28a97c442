package jsrules

import (
	"maps"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// changes are what a rule has decided, converted and checked before any of it takes effect.
type changes struct {
	// user holds the properties that were set, and the objects that were read and may have changed.
	user map[string]any
	// replaced says that user holds every property the user has now.
	replaced bool
	context  map[string]any
	addon    map[string]any // nil: not read
	aws      delegation.AWS
	detours  map[*detour]bool // true: set, false: taken back
	global   map[string]any   // nil: not read
	// saml is what the rule left in context.samlConfiguration, and samlOfAction what an Action said
	// by api.samlResponse. Nil: nothing new.
	saml         *samlConfiguration
	samlOfAction *samlConfiguration
	// values are those of the SAML attributes that an Action has set, by attribute.
	values map[string]any
	// samlUnused says that the rule set context.samlConfiguration and that nothing reads it.
	samlUnused bool
	// globalFull says that global cannot be kept, and is dropped.
	globalFull bool
	// keep says that the next rule runs in the same runtime.
	keep bool
}

// collect reads what the rule has left in user, context and global.
func (r *run) collect(rc *delegation.RuleContext) *changes {
	o := &r.out
	c := &r.changed
	if o.run != nil { // an earlier rule has used both
		*o = outgoing{}
		*c = changes{}
	}
	o.run = r
	c.aws = rc.AWS
	o.collectUser(c)
	o.collectContext(c)
	if r.global != nil && r.global.values.size() > 0 {
		r.collectGlobal(c)
	}
	return c
}

// collectUser reads the user that the rule gave to callback. Without one it reads the user that the
// rule got.
func (o *outgoing) collectUser(c *changes) {
	r := o.run
	given := o.objectOrNil("user", r.reply.user)
	if given == nil || given.SameAs(r.user.js) {
		c.user = o.touched("user", r.user)
		return
	}
	o.at("user")
	c.replaced = true
	c.user = o.properties(given, given.Keys(), r.user.was)
	o.path = nil
}

// collectContext reads the context that the rule gave to callback. Without one it reads the context
// that the rule got.
func (o *outgoing) collectContext(c *changes) {
	r := o.run
	given := o.objectOrNil("context", r.reply.context)
	if given == nil {
		given = r.context.js
	}
	same := given.SameAs(r.context.js)
	// addon stays nil if the rule has not read it, or has deleted it.
	var addon goja.Value
	if same {
		addon, _ = r.context.values.get("addonConfiguration")
		c.context = o.touched("context", r.context)
	} else {
		addon = given.Get("addonConfiguration")
		o.at("context")
		c.context = o.properties(given, without(given.Keys(), "addonConfiguration"), r.context.was)
	}
	c.detours = r.detoursOf(given)
	r.noteWhole(given)
	o.at("context")
	o.checkContext(c.context)
	o.collectSAML(given, c)
	if addon != nil {
		o.collectAddon(addon, c)
		return
	}
	if _, deleted := r.context.values.get("addonConfiguration"); deleted && same {
		c.aws = delegation.AWS{}
	}
}

// touched converts the properties of an object that a rule has read or set. A deleted property is
// [gone]. Without such properties there is no map.
func (o *outgoing) touched(label string, from *object) map[string]any {
	o.at(label)
	var made map[string]any
	for name, value := range from.values.all {
		if label == "context" && name == "addonConfiguration" {
			continue
		}
		converted := o.out(name, value, from.was(name))
		if converted == (absent{}) {
			converted = gone{}
		}
		if made == nil {
			made = make(map[string]any, from.values.size())
		}
		made[name] = converted
	}
	o.path = nil
	return made
}

// change notes properties of context that a rule has changed.
func (s *shared) change(context map[string]any) {
	if s.context == nil {
		s.context = context
		return
	}
	maps.Copy(s.context, context)
}

// apply puts the changes into effect.
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
	for attribute, value := range c.values {
		user.Properties[literal(attribute)] = value
	}
	rc.AWS = c.aws
	r.shared.change(c.context)
	if c.addon != nil {
		r.shared.addon = c.addon
	}
	if r.global != nil && c.globalFull {
		r.options.Set.clear()
	} else if c.global != nil {
		r.options.Set.merge(r.before, c.global)
	}
	if c.keep {
		r.before = c.global
		r.shared.kept = r
	}
}
