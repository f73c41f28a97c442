package jsrules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// auth0 makes the global of that name: the part of Auth0's management client that is here. Reading
// another member throws an error that names it, so that a rule does not go on with undefined.
func (r *run) auth0() goja.Value {
	users := &auth0Object{run: r, path: "users."}
	return r.rt.NewDynamicObject(&auth0Object{run: r, members: map[string]goja.Value{
		"domain": r.rt.ToValue(r.options.Domain),
		"users":  r.rt.NewDynamicObject(users),
	}})
}

// auth0Object is auth0 or auth0.users. It implements [goja.DynamicObject].
type auth0Object struct {
	run  *run
	path string // of its members, such as "users."
	// members are those that are here, or that the rule has set.
	members map[string]goja.Value
}

// Get implements [goja.DynamicObject].
func (a *auth0Object) Get(name string) goja.Value {
	if value, has := a.members[name]; has || ofEveryObject(name) {
		return value
	}
	const absent = "auth0.%s%s is not available here: %s"
	panic(a.run.newError("Error", fmt.Sprintf(absent, a.path, short(name), auth0Remedy)))
}

// Set implements [goja.DynamicObject].
func (a *auth0Object) Set(name string, value goja.Value) bool {
	if a.members == nil {
		a.members = map[string]goja.Value{}
	}
	a.members[name] = value
	return true
}

// Has implements [goja.DynamicObject].
func (a *auth0Object) Has(name string) bool {
	_, has := a.members[name]
	return has
}

// Delete implements [goja.DynamicObject].
func (a *auth0Object) Delete(name string) bool {
	delete(a.members, name)
	return true
}

// Keys implements [goja.DynamicObject].
func (a *auth0Object) Keys() []string { return slices.Sorted(maps.Keys(a.members)) }
