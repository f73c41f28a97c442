package jsrules

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/dop251/goja"
)

// Module is what require returns for a name, beside the built-in modules. A version behind the name, as in require('lodash@4.17.21'), is ignored
// unless a module is registered under the whole.
type Module struct {
	// Source is a CommonJS module: what it assigns to exports or module.exports. It may require others. It is the operator's choice and may be
	// longer than a rule.
	Source string
	// Functions are written in Go. They are properties of the module, and with a Source they are its global native.
	Functions map[string]Function

	program *goja.Program
}

// Function is a function in Go that JavaScript calls. Arguments are strings, booleans, json.Number, nil, []any and map[string]any, and so is the
// result; it may be awaited. An error is thrown. The context ends with the rule's time, which is not looked at until Function returns.
type Function func(ctx context.Context, arguments []any) (any, error)

func (m Module) compile(name string) (Module, error) {
	if m.Source == "" {
		return m, nil
	}
	parsed, err := parse(name, "(function (exports, require, module, native) {"+m.Source+"\n})")
	if err != nil {
		return m, err
	}
	uses := vocabulary{names: map[string]bool{}}
	uses.read(reflect.ValueOf(parsed.Body))
	if _, err := compileLiterals(name, parsed, uses.patterns); err != nil {
		return m, err
	}
	m.program, err = compileAST(parsed)
	return m, err
}

func (r *run) require(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	base := name
	if at := strings.LastIndexByte(name, '@'); at > 0 {
		base = name[:at]
	}
	for _, known := range []string{name, base} {
		if module, ok := r.options.Modules[known]; ok {
			return r.load(known, module)
		}
	}
	if _, ok := builtins[base]; ok {
		return r.builtin(base)
	}
	missing := r.newError("Error", fmt.Sprintf("Cannot find module '%s': register it in Options.Modules", short(base)))
	_ = missing.Set("code", "MODULE_NOT_FOUND")
	panic(missing)
}

// load makes a module once in a run. One that requires itself in a circle gets what there is so far, as in Node.
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
	if m.program != nil {
		_ = module.Set("exports", r.rt.NewObject())
		define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(m.program)))
		r.must(define(goja.Undefined(), module.Get("exports"), r.rt.ToValue(r.require), module, native))
	}
	return module.Get("exports")
}

// native makes a function in Go callable.
func (r *run) native(function Function) func(goja.FunctionCall) goja.Value {
	return func(call goja.FunctionCall) goja.Value {
		arguments := make([]any, len(call.Arguments))
		for i, value := range call.Arguments {
			o := &outgoing{run: r}
			if arguments[i] = o.out("an argument", value, nil); arguments[i] == (absent{}) {
				arguments[i] = nil
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

// jsonText writes a converted value for people.
func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}
