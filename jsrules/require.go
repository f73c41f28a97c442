package jsrules

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
)

// Module is a module that rules load with require, in addition to the built-in ones. A version in
// the call, as in require('lodash@4.17.21'), is ignored unless a module is registered under the
// whole name.
type Module struct {
	// Source is a CommonJS module. The module is what it assigns to exports or module.exports. It
	// may require other modules. It is the operator's code and may be longer than a rule.
	Source string
	// Functions are functions in Go. Without a Source they are the properties of the module. With a
	// Source they are the properties of the module's variable native.
	Functions map[string]Function

	// published says that the source is one of package bundles.
	published bool
	program   *goja.Program
	// mentions are the names in the source.
	mentions map[string]bool
	// process says that the source has a variable of that name, its own or Node's.
	process bool
	// literals are its regular expressions, by [patternKey].
	literals map[string]*ecmaregexp.Regexp
}

// A module is a function in a function. The inner one has what Node gives to a module. The names of
// the outer one are globals in Node or in browsers, so a module may declare variables of these
// names.
const (
	beforeModule = "(function (native, global, self, process, navigator) {" +
		"return function (exports, require, module) {"
	afterModule = "\n};})"
)

// Function is a function in Go that JavaScript calls. Arguments and result are strings, booleans,
// json.Number, nil, []any and map[string]any. A rule may await the result. An error is thrown. The
// context ends with the rule's time; the rule itself is stopped only after Function returns.
type Function func(ctx context.Context, arguments []any) (any, error)

// compile checks the module's source and prepares it for runs.
func (m Module) compile(name string) (Module, error) {
	m.Functions = maps.Clone(m.Functions)
	if m.Source == "" {
		return m, nil
	}
	source := beforeModule + m.Source + afterModule
	parsed, err := parse(moduleSource+name, source)
	if err != nil {
		return m, m.wrong(name, err)
	}
	if err := checkDialect(name, source, parsed); err != nil {
		return m, m.wrong(name, err)
	}
	uses := newVocabulary()
	uses.read(ownSource(parsed))
	if err := checkBigInt(name, parsed, &uses); err != nil {
		return m, m.wrong(name, err)
	}
	m.mentions = uses.names
	m.process = uses.variables["process"]
	m.literals, err = compileLiterals(name, parsed, uses.patterns)
	if err != nil {
		return m, m.wrong(name, err)
	}
	exactBits(uses.bits)
	m.program, err = compileAST(parsed)
	if err != nil {
		return m, m.wrong(name, err)
	}
	return m, nil
}

// wrong returns the error of a module's source as that of a rule: with its place in the source, and
// what to write instead. err is one of goja, or an [*Error] whose place is that of a rule.
func (m Module) wrong(name string, err error) *Error {
	failure, located := err.(*Error)
	if !located {
		failure = syntaxError(name, err)
	}
	if failure.Line == 1 {
		// The place is one after [before].
		failure.Column = max(failure.Column+len(before)-len(beforeModule), 1)
	}
	if located {
		return failure
	}
	return unsupported(m.Source, failure)
}

// ownSource returns the part of a syntax tree that is the module itself. The parameters of the
// functions around it do not count as mentions: otherwise global and process would be made for each
// module. A source that closes the functions around it is read as a whole.
func ownSource(parsed *ast.Program) reflect.Value {
	whole := reflect.ValueOf(parsed.Body)
	if len(parsed.Body) != 1 {
		return whole
	}
	statement, _ := parsed.Body[0].(*ast.ExpressionStatement)
	if statement == nil {
		return whole
	}
	outer, _ := statement.Expression.(*ast.FunctionLiteral)
	if outer == nil || len(outer.Body.List) == 0 {
		return whole
	}
	// An empty statement follows the inner function.
	result, _ := outer.Body.List[0].(*ast.ReturnStatement)
	if result == nil || len(outer.Body.List) > 2 {
		return whole
	}
	inner, _ := result.Argument.(*ast.FunctionLiteral)
	if inner == nil {
		return whole
	}
	return reflect.ValueOf(inner.Body)
}

// moduleName returns the name under which a module is registered or built in: as it is, or without
// its version.
func (o *Options) moduleName(name string) (known string, found bool) {
	base := name
	if at := strings.LastIndexByte(name, '@'); at > 0 {
		base = name[:at]
		if file := strings.IndexByte(name[at:], '/'); file > 0 { // uuid@3.3.2/v4
			base += name[at+file:]
		}
	}
	for _, known := range []string{name, base} {
		if _, ok := o.Modules[known]; ok {
			return known, true
		}
	}
	if asked, ok := bundledAs(name); ok && !o.replaces(asked.bundle) {
		return name, asked.exists()
	}
	_, web := webModules[base]
	return base, builtin(base) || web && o.web != nil
}

// moduleRemedy is what to do about a module that is not available.
func moduleRemedy(name string) string {
	if _, web := webModules[name]; web {
		return "list the hosts that rules may call in Options.HTTP.Allow"
	}
	return "register it in Options.Modules"
}

// require implements the global function of that name.
func (r *run) require(call goja.FunctionCall) goja.Value {
	name, found := r.options.moduleName(call.Argument(0).String())
	if module, ok := r.options.Modules[name]; ok {
		return r.load(name, module)
	}
	if module, ok := webModules[name]; ok && found {
		return r.webExport(module)
	}
	if asked, ok := bundledAs(name); ok && found {
		if value, err := r.requireBundled(asked); err == nil {
			return value
		}
	} else if found {
		return r.nodeModules().Require(name)
	}
	const notFound = "Cannot find module '%s': it is not available here: %s"
	text := fmt.Sprintf(notFound, short(name), moduleRemedy(name))
	missing := r.newError("Error", text)
	_ = missing.Set("code", "MODULE_NOT_FOUND")
	panic(missing)
}

// load makes a module, once in a run. A module that requires itself in a cycle gets the exports
// that it has made so far, as in Node.
func (r *run) load(name string, m Module) goja.Value {
	if module, ok := r.modules[name]; ok {
		return module.(*goja.Object).Get("exports")
	}
	native := r.rt.NewObject()
	for name, function := range m.Functions {
		_ = native.Set(name, r.native(function))
	}
	module := r.rt.NewObject()
	_ = module.Set("exports", native)
	if r.modules == nil {
		r.modules = map[string]goja.Value{}
	}
	r.modules[name] = module
	if m.program == nil {
		return native
	}
	r.evaluate(m, module, native)
	return module.Get("exports")
}

// native makes a function in Go callable from JavaScript.
func (r *run) native(function Function) func(goja.FunctionCall) goja.Value {
	return func(call goja.FunctionCall) goja.Value {
		arguments := make([]any, len(call.Arguments))
		for i, value := range call.Arguments {
			converted := (&outgoing{run: r}).out("an argument", value, nil)
			if converted != (absent{}) {
				arguments[i] = converted
			}
		}
		ctx, cancel := context.WithTimeoutCause(r.ctx, r.limit-r.spent(), ErrTimeout)
		defer cancel()
		result, err := function(ctx, arguments)
		if err != nil {
			panic(r.newError("Error", short(err.Error())))
		}
		return r.in(result, "the result of a function in Go", 0)
	}
}

// jsonText returns a converted value as text for people.
func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}
