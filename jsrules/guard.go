package jsrules

import (
	"reflect"
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// builtinFunction is a built-in function of JavaScript that is written in Go.
type builtinFunction = func(goja.FunctionCall) goja.Value

// bigNumbers are the globals that make a BigInt.
var bigNumbers = []string{"BigInt", "BigInt64Array", "BigUint64Array", "DataView"}

// deleted are the globals of the language that no rule finds.
var deleted = append([]string{"eval"}, bigNumbers...)

// installGuards replaces built-in functions whose work can grow out of proportion by functions that
// check its size first. Built-in functions are written in Go and run to their end: no interrupt
// stops them.
//
// A function is replaced only if the rule mentions it. Two functions run without being mentioned:
// join, when a list becomes text, and the iterator of lists.
func (r *run) installGuards() {
	if !r.uses.busy {
		return
	}
	r.guardLists()
	r.guardText()
	r.guardArguments()
	if r.uses.mentionsGlobal("JSON") {
		r.guardJSON()
	}
	if r.firstRegExp() {
		r.guardRegExp()
	}
	if r.first("compile") { // also after another rule's regular expressions
		r.guard(r.prototype("RegExp"), "compile", func(goja.FunctionCall) {
			r.recent = recentPattern{}
		})
	}
	r.completeLanguage()
	if r.firstGlobal(typedArrays...) {
		r.guardTypedArrays()
	}
	// One power of a BigInt can take all memory.
	if r.firstGlobal(bigNumbers...) {
		for _, name := range bigNumbers {
			_ = r.rt.GlobalObject().Delete(name)
		}
	}
	// Source that is made at run time is neither limited nor read for the names that it mentions.
	if r.firstGlobal("eval", "Function") || r.first("constructor") {
		_ = r.rt.GlobalObject().Delete("eval")
		r.forbidCode()
	}
}

// first reports whether the rule mentions one of the names and no earlier rule of this runtime
// does. So each guard is installed once.
func (r *run) first(names ...string) bool {
	mentions := func(v *vocabulary) bool { return v.busy && v.mentions(names...) }
	return mentions(&r.uses) && !slices.ContainsFunc(r.earlier, mentions)
}

// once reports whether something that the rule needs has to be installed, which is once in a
// runtime. It is for what depends on two names: first and firstGlobal would each miss it if an
// earlier rule mentions one of them only.
func (r *run) once(what string, needed bool) bool {
	if !needed || slices.Contains(r.installed, what) {
		return false
	}
	r.installed = append(r.installed, what)
	return true
}

// firstGlobal is first for the names of globals.
func (r *run) firstGlobal(names ...string) bool {
	mentions := func(v *vocabulary) bool { return v.busy && v.mentionsGlobal(names...) }
	return mentions(&r.uses) && !slices.ContainsFunc(r.earlier, mentions)
}

// firstRegExp reports whether the rule is the first of this runtime with a regular expression.
func (r *run) firstRegExp() bool {
	matches := func(v *vocabulary) bool {
		return v.busy && (v.regexp || v.mentions("RegExp", "match", "matchAll", "search"))
	}
	return matches(&r.uses) && !slices.ContainsFunc(r.earlier, matches)
}

// firstBusy reports whether the rule is the first of this runtime that needs any guard.
func (r *run) firstBusy() bool {
	busy := func(v *vocabulary) bool { return v.busy }
	return r.uses.busy && !slices.ContainsFunc(r.earlier, busy)
}

var noFunctionProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("Function", `(function () {
	var global = this;
	function root() { return global; }
	function Function(body) {
		// Libraries find the global object that way.
		if (arguments.length === 1 && /^\s*return this;?\s*$/.test(body)) return root;
		throw new EvalError('a rule makes no code at run time');
	}
	return [Function, async function () {}, function* () {}];
}).call(this)`, true)
})

// forbidCode replaces the classes of functions, which make code from text. The global Function is
// one of them, and each kind of function finds its own as the constructor of its prototype.
func (r *run) forbidCode() {
	made := r.must(r.rt.RunProgram(noFunctionProgram())).(*goja.Object)
	class := made.Get("0").(*goja.Object)
	for _, index := range []string{"0", "1", "2"} {
		_ = made.Get(index).(*goja.Object).Prototype().DefineDataProperty("constructor", class,
			goja.FLAG_NOT_SET, goja.FLAG_NOT_SET, goja.FLAG_NOT_SET)
	}
	_ = class.DefineDataProperty("prototype", class.Prototype(),
		goja.FLAG_NOT_SET, goja.FLAG_NOT_SET, goja.FLAG_NOT_SET)
	_ = r.rt.Set("Function", class)
}

// prototype returns the prototype of a global class.
func (r *run) prototype(class string) *goja.Object {
	return r.rt.GlobalObject().Get(class).(*goja.Object).Get("prototype").(*goja.Object)
}

// guard puts a check before a built-in function, if the rule mentions its name.
func (r *run) guard(object *goja.Object, name string, check func(goja.FunctionCall)) {
	if !r.first(name) {
		return
	}
	original := builtinOf(object.Get(name))
	if original == nil {
		return
	}
	r.install(object, name, func(call goja.FunctionCall) goja.Value {
		r.enter()
		defer r.leave()
		check(call)
		result := original(call)
		if result == nil { // goja's find returns nil for a hole
			return goja.Undefined()
		}
		return result
	})
}

// builtinOf returns the function in Go that a function of JavaScript is, or one that calls it. It
// returns nil for a value that is no function. A direct call needs no preparation by goja.
func builtinOf(value goja.Value) builtinFunction {
	object, isObject := value.(*goja.Object)
	if isObject && object.ExportType() == reflect.TypeFor[builtinFunction]() {
		return object.Export().(builtinFunction)
	}
	function, ok := goja.AssertFunction(value)
	if !ok {
		return nil
	}
	return func(call goja.FunctionCall) goja.Value {
		result, err := function(call.This, call.Arguments...)
		if err != nil {
			panic(err)
		}
		return result
	}
}

// replace replaces a built-in function.
func (r *run) replace(object *goja.Object, name string, by builtinFunction) {
	r.install(object, name, r.bounded(by))
}

// install defines a method, which must be bounded.
func (r *run) install(object *goja.Object, name string, method builtinFunction) {
	value := r.rt.ToValue(method).(*goja.Object)
	text, ok := builtinNames()[name]
	if !ok {
		text = r.rt.ToValue(name)
	}
	_ = value.DefineDataProperty("name", text, goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = object.DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// builtinNames are the names of the methods of the language's own objects, as values of JavaScript,
// which all runtimes share. So no run has to make them.
var builtinNames = sync.OnceValue(func() map[string]goja.Value {
	rt := goja.New()
	names := map[string]goja.Value{}
	for _, class := range []string{
		"Array", "String", "Number", "Date", "RegExp", "Function", "Math", "Reflect", "JSON",
	} {
		object := rt.GlobalObject().Get(class).(*goja.Object)
		for _, name := range object.GetOwnPropertyNames() {
			names[name] = rt.ToValue(name)
		}
		prototype, ok := object.Get("prototype").(*goja.Object)
		if !ok {
			continue
		}
		for _, name := range prototype.GetOwnPropertyNames() {
			names[name] = rt.ToValue(name)
		}
	}
	return names
})

func (r *run) replaceSymbol(object *goja.Object, name *goja.Symbol, by builtinFunction) {
	value := r.rt.ToValue(r.bounded(by))
	_ = object.DefineDataPropertySymbol(
		name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE,
	)
}

// bounded limits the depth of nested guarded functions, which otherwise only the stack of the
// process would limit. A run that was interrupted calls none.
func (r *run) bounded(function builtinFunction) builtinFunction {
	return func(call goja.FunctionCall) goja.Value {
		r.enter()
		defer r.leave()
		return function(call)
	}
}

// enter begins a guarded function, and leave ends it.
func (r *run) enter() {
	r.halt()
	if r.nested >= maxNested {
		panic(r.rangeError("built-in functions are nested too deep"))
	}
	r.nested++
}

func (r *run) leave() { r.nested-- }

// halt ends a built-in function of an interrupted run. A rule that catches the error is interrupted
// at its next instruction.
func (r *run) halt() {
	if reason := r.stopped(); reason != nil {
		panic(r.rangeError(reason.Error()))
	}
}

func (r *run) rangeError(message string) *goja.Object { return r.newError("RangeError", message) }

// newError makes an error of one of JavaScript's classes.
func (r *run) newError(class, message string) *goja.Object {
	made, err := r.rt.New(r.rt.GlobalObject().Get(class), r.rt.ToValue(message))
	if err != nil { // the rule has taken the class away
		return r.rt.NewTypeError("%s", message)
	}
	return made
}

// atMost refuses a size above a limit.
func (r *run) atMost(size, limit int64, what string) {
	if size > limit || size < 0 {
		panic(r.rangeError(what + " would be too large"))
	}
}

// lengthOf returns the length of a string, or the property length of an object. It is 0 for any
// other value.
func lengthOf(value goja.Value) int64 {
	switch v := value.(type) {
	case goja.String:
		return int64(v.Length())
	case *goja.Object:
		if length := v.Get("length"); length != nil {
			return length.ToInteger()
		}
	}
	return 0
}

// stringOf converts a value to text as JavaScript does.
func (r *run) stringOf(value goja.Value) goja.String {
	if object, ok := value.(*goja.Object); ok {
		value = object.ToString()
	}
	if text, ok := value.(goja.String); ok {
		return text
	}
	if _, ok := value.(*goja.Symbol); ok {
		panic(r.rt.NewTypeError("Cannot convert a Symbol value to a string"))
	}
	return r.rt.ToValue(value.String()).(goja.String)
}
