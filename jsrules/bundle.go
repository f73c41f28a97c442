package jsrules

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/seed055b7978/delegation/jsrules/internal/bundles"
)

// globalLibraries are the globals that are libraries. Auth0 gave rules these versions: see
// [bundles.All].
var globalLibraries = map[string]string{"_": "lodash@2", "async": "async@0"}

// bundled is what a call of require means.
type bundled struct {
	bundle string // a name of package bundles
	// member is the function of the library that is required, as in lodash/get, or "".
	member string
	// locale is the language of moment that is required, or "".
	locale string
}

// bundledAs returns what a name that is given to require means, and false if it is no library of
// package bundles. Versions are ignored, except that lodash@2 and async@0 are what the globals are.
func bundledAs(name string) (bundled, bool) {
	request, path, hasPath := strings.Cut(name, "/")
	library, version, _ := strings.Cut(request, "@")
	if hasPath && path == "" {
		return bundled{}, false
	}
	if member, ok := strings.CutPrefix(library, "lodash."); ok && !hasPath && isIdentifier(member) {
		return bundled{bundle: "lodash", member: member}, true
	}
	major, _, _ := strings.Cut(strings.TrimLeft(version, "^~"), ".")
	if older := library + "@" + major; older == "lodash@2" || older == "async@0" {
		library = older
	}
	if _, ok := libraries()[library]; !ok {
		return bundled{}, false
	}
	return bundledPath(library, strings.TrimSuffix(path, ".js"))
}

// wholeLibraries are the paths of builds that have all of a library.
var wholeLibraries = map[string]string{
	"lodash":   "lodash lodash.min",
	"lodash@2": "lodash dist/lodash dist/lodash.min",
	"async":    "index dist/async dist/async.min",
	"async@0":  "lib/async",
	"moment":   "moment min/moment.min min/moment-with-locales min/moment-with-locales.min",
	"moment-timezone": "index moment-timezone builds/moment-timezone-with-data " +
		"builds/moment-timezone-with-data.min",
	"bluebird": "js/release/bluebird js/browser/bluebird js/browser/bluebird.min",
}

// bundledPath returns what a path inside a library is. Those that are whole builds of the library
// are the library.
func bundledPath(library, path string) (bundled, bool) {
	if slices.Contains(strings.Fields(wholeLibraries[library]), path) {
		path = ""
	}
	locale, isLocale := strings.CutPrefix(path, "locale/")
	switch {
	case path == "":
		return bundled{bundle: library}, true
	case library == "moment" && isLocale:
		return bundled{bundle: library, locale: locale}, true
	case (library == "lodash" || library == "async") && isIdentifier(path):
		return bundled{bundle: library, member: path}, true
	}
	return bundled{}, false
}

func isIdentifier(name string) bool { return identifier().MatchString(name) }

// libraries are the compiled bundles, by name. Each one is compiled once in a process, when a rule
// that uses it is compiled. Programs are shared by runs, runtimes never.
var libraries = sync.OnceValue(func() map[string]func() (Module, error) {
	all := map[string]func() (Module, error){}
	for _, bundle := range bundles.All() {
		if bundle.IsFolder() {
			continue
		}
		all[bundle.Name] = sync.OnceValues(func() (Module, error) {
			source, err := bundle.Source()
			if err != nil {
				return Module{}, err
			}
			return Module{Source: source, published: true}.compile(bundle.Name)
		})
	}
	return all
})

// locales are the compiled languages of moment, by name.
var locales sync.Map

// compileLocale compiles a language of moment, once in a process.
func compileLocale(name string) (Module, error) {
	if made, ok := locales.Load(name); ok {
		return made.(Module), nil
	}
	sources, err := bundles.Locales()
	if err != nil {
		return Module{}, err
	}
	source, ok := sources[name]
	if !ok {
		return Module{}, fmt.Errorf("moment has no locale %s", short(name))
	}
	made, err := Module{Source: source, published: true}.compile("moment/locale/" + name)
	if err == nil {
		locales.Store(name, made)
	}
	return made, err
}

// compileLibraries compiles the libraries that a rule names, so that no exchange waits for it.
func (c *rule) compileLibraries() error {
	for name := range c.uses.names {
		library := globalLibraries[name]
		if asked, ok := bundledAs(name); library == "" && ok && c.uses.names["require"] {
			library = asked.bundle
		}
		if library == "" || c.options.replaces(library) {
			continue
		}
		if _, err := libraries()[library](); err != nil {
			return err
		}
	}
	return nil
}

// noteRequire notes a call of require with a text.
func (v *vocabulary) noteRequire(call *ast.CallExpression) {
	callee, ok := call.Callee.(*ast.Identifier)
	if !ok || callee.Name != "require" || len(call.ArgumentList) != 1 {
		return
	}
	if text, ok := call.ArgumentList[0].(*ast.StringLiteral); ok {
		v.required = append(v.required, text.Value.String())
	}
}

// limit treats a rule that loads only published libraries as one that does not reach every global,
// so that less has to be prepared for it. lodash and async use none of the globals that are
// completed or guarded. The other libraries use Date and JSON.
func (v *vocabulary) limit(o *Options) {
	if v.reaches || len(v.required) != v.requires {
		return
	}
	others := false
	for _, name := range v.required {
		asked, ok := bundledAs(name)
		if _, own := o.moduleName(name); !ok || !own || o.replaces(asked.bundle) ||
			o.replaces(name) {
			return
		}
		library, _, _ := strings.Cut(asked.bundle, "@")
		others = others || library != "lodash" && library != "async"
	}
	v.global = false
	if others {
		v.names["Date"] = true
		v.names["JSON"] = true
	}
}

// replaces reports whether the operator has registered a library of the same name.
func (o *Options) replaces(library string) bool {
	_, registered := o.Modules[library]
	return registered
}

// requireBundled loads a library, or a part of one.
func (r *run) requireBundled(asked bundled) (goja.Value, error) {
	if asked.locale != "" {
		return r.requireLocale(asked.locale)
	}
	compiled, err := libraries()[asked.bundle]()
	if err != nil {
		return nil, err
	}
	library := r.load(asked.bundle, compiled)
	if asked.bundle == "lodash@2" {
		r.seal()
	}
	if asked.member == "" {
		return library, nil
	}
	object := library.ToObject(r.rt)
	for _, name := range object.GetOwnPropertyNames() {
		if strings.EqualFold(name, asked.member) {
			return object.Get(name), nil
		}
	}
	return nil, fmt.Errorf("%s has no %s", asked.bundle, short(asked.member))
}

// requireLocale makes moment know a language.
func (r *run) requireLocale(name string) (goja.Value, error) {
	compiled, err := compileLocale(name)
	if err != nil {
		return nil, err
	}
	return r.load("moment/locale/"+name, compiled), nil
}

// requireOfBundle is require for the bundles themselves, whose names can begin with a dot: moment
// requires ./locale/de, which requires ../moment.
func (r *run) requireOfBundle(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	if locale, ok := strings.CutPrefix(name, "./locale/"); ok {
		loaded, err := r.requireLocale(locale)
		if err != nil {
			panic(r.newError("Error", err.Error()))
		}
		return loaded
	}
	if name == "../moment" {
		name = "moment"
	}
	return r.require(goja.FunctionCall{Arguments: []goja.Value{r.rt.ToValue(name)}})
}

// globalLibrary loads the library that a global is.
func (r *run) globalLibrary(name string) goja.Value {
	value, err := r.requireBundled(bundled{bundle: globalLibraries[name]})
	if err != nil {
		panic(r.newError("Error", err.Error()))
	}
	return value
}
