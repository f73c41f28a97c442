package jsrules

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// auth0Values are members of auth0 that are values. Their functions are called when a rule reads
// them for the first time.
var auth0Values = []string{"accessToken", "baseUrl"}

// auth0Member is the form of a name in Options.Auth0.
var auth0Member = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(users\.)?[A-Za-z][A-Za-z0-9]{0,99}\z`)
})

// checkAuth0 refuses names that no rule can use, and functions that are nil.
func checkAuth0(functions map[string]Function) error {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		switch {
		case name == "domain":
			wrong = append(wrong, errors.New("Auth0: domain is Options.Domain"))
		case name == "users" || !auth0Member().MatchString(name):
			wrong = append(wrong, fmt.Errorf("Auth0: %.80q is not a member of auth0, such as "+
				"users.updateAppMetadata or accessToken", name))
		case functions[name] == nil:
			wrong = append(wrong, fmt.Errorf("Auth0: the function %q is nil", name))
		}
	}
	return errors.Join(wrong...)
}

// hasAuth0 reports whether a run finds a member of auth0.
func (o *Options) hasAuth0(name string) bool {
	_, given := o.Auth0[name]
	return given || name == "domain" || name == "baseUrl" && o.Domain != ""
}

// auth0Remedy is what to do about a member of auth0 that is not available.
func auth0Remedy(name string) string {
	return "give the function " + short(name) + " in Options.Auth0"
}

// auth0 makes the global of that name: the part of Auth0's management client that is here. Reading
// another member throws an error that names it, so that a rule does not go on with undefined.
func (r *run) auth0() goja.Value {
	users := &auth0Object{run: r, prefix: "users.", values: map[string]goja.Value{}}
	top := &auth0Object{run: r, values: map[string]goja.Value{
		"domain": r.rt.ToValue(r.options.Domain),
		"users":  r.rt.NewDynamicObject(users),
	}}
	return r.rt.NewDynamicObject(top)
}

// auth0Object is auth0 or auth0.users. It implements [goja.DynamicObject].
type auth0Object struct {
	run    *run
	prefix string
	// values are the members that have been read or set, and nil for those that were deleted.
	values map[string]goja.Value
}

// Get implements [goja.DynamicObject].
func (a *auth0Object) Get(name string) goja.Value {
	if value, ok := a.values[name]; ok || ofEveryObject(name) {
		return value
	}
	full := a.prefix + name
	function, given := a.run.options.Auth0[full]
	var value goja.Value
	switch {
	case given && slices.Contains(auth0Values, full):
		value = a.run.native(function)(goja.FunctionCall{})
	case given:
		value = a.run.asynchronous(a.run.native(function))
	case full == "baseUrl" && a.run.options.Domain != "":
		value = a.run.rt.ToValue("https://" + a.run.options.Domain + "/api/v2")
	default:
		const absent = "auth0.%s is not available here: %s"
		panic(a.run.newError("Error", fmt.Sprintf(absent, short(full), auth0Remedy(full))))
	}
	a.values[name] = value
	return value
}

// Set implements [goja.DynamicObject].
func (a *auth0Object) Set(name string, value goja.Value) bool {
	a.values[name] = value
	return true
}

// Has implements [goja.DynamicObject].
func (a *auth0Object) Has(name string) bool {
	if value, ok := a.values[name]; ok {
		return value != nil
	}
	return a.run.options.hasAuth0(a.prefix + name)
}

// Delete implements [goja.DynamicObject].
func (a *auth0Object) Delete(name string) bool {
	a.values[name] = nil
	return true
}

// Keys implements [goja.DynamicObject]. Tokens are not listed, so that a rule that prints auth0
// does not write one into the log.
func (a *auth0Object) Keys() []string {
	var names []string
	for name, value := range a.values {
		if value != nil && name != "accessToken" {
			names = append(names, name)
		}
	}
	for full := range a.run.options.Auth0 {
		name, ours := strings.CutPrefix(full, a.prefix)
		_, seen := a.values[name]
		if ours && !seen && !strings.Contains(name, ".") && name != "accessToken" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// asynchronous makes a function of Go one that returns a promise, or calls the function that is its
// last argument. The function of Go runs before it returns.
func (r *run) asynchronous(function builtinFunction) goja.Value {
	wrap, _ := goja.AssertFunction(r.must(r.rt.RunProgram(asynchronousProgram())))
	return r.must(wrap(goja.Undefined(), r.rt.ToValue(function), r.rt.ToValue(r.setImmediate)))
}

var asynchronousProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("auth0", `(function (call, later) {
	return function (...given) {
		const callback = typeof given[given.length - 1] === 'function' ? given.pop() : undefined;
		const result = new Promise((resolve) => resolve(call(...given)));
		if (!callback) return result;
		result.then((value) => later(() => callback(null, value)),
			(error) => later(() => callback(error)));
	};
})`, true)
})
