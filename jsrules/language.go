package jsrules

import (
	_ "embed"
	"reflect"
	"strconv"
	"sync"

	"github.com/dop251/goja"
)

// goja lacks some parts of the language, and does some in another way than Node. What a rule
// mentions of them is added to its runtime.

//go:embed language.js
var languageSource string

var languageProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("language.js", languageSource, true)
})

// languageGlobal makes one of the globals in language.js.
func (r *run) languageGlobal(name string) goja.Value {
	if r.language == nil {
		native := r.rt.NewObject()
		_ = native.Set("kind", r.kindOf)
		_ = native.Set("later", r.setTimeout)
		define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(languageProgram())))
		r.language = r.must(define(goja.Undefined(), native)).(*goja.Object)
	}
	return r.language.Get(name)
}

// kindOf(object) returns the class that goja gives an object.
func (r *run) kindOf(call goja.FunctionCall) goja.Value {
	object := call.Argument(0).ToObject(r.rt)
	if _, callable := goja.AssertFunction(object); callable {
		return r.rt.ToValue("Function")
	}
	if object.ExportType() == reflect.TypeFor[*goja.Promise]() {
		return r.rt.ToValue("Promise")
	}
	return r.rt.ToValue(object.ClassName())
}

// completeLanguage adds what the rule mentions and goja lacks, or does in another way.
func (r *run) completeLanguage() {
	global := r.rt.GlobalObject()
	if r.first("asyncIterator") {
		symbol := r.rt.ToValue(goja.NewSymbol("Symbol.asyncIterator"))
		_ = global.Get("Symbol").(*goja.Object).DefineDataProperty(
			"asyncIterator", symbol, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE,
		)
	}
	if r.first("captureStackTrace", "stackTraceLimit") {
		constructor := global.Get("Error").(*goja.Object)
		r.replace(constructor, "captureStackTrace", r.captureStackTrace)
		_ = constructor.Set("stackTraceLimit", 10)
	}
	if r.first("isWellFormed") {
		r.replace(r.prototype("String"), "isWellFormed", r.isWellFormed)
	}
	if r.first("toWellFormed") {
		r.replace(r.prototype("String"), "toWellFormed", r.toWellFormed)
	}
	r.completeNumbers()
	r.installLocales()
	if r.firstGlobal("Date") {
		r.installDate()
	}
	if r.dates != nil {
		r.dates.defineMethods()
	}
	statics := r.uses.mentionsGlobal("RegExp") && r.uses.mentions(regExpStatics()...)
	if r.once("RegExp.$1", statics) {
		r.defineRegExpStatics()
	}
}

// captureStackTrace is V8's Error.captureStackTrace. The second argument, which leaves out frames,
// is ignored.
func (r *run) captureStackTrace(call goja.FunctionCall) goja.Value {
	object, ok := call.Argument(0).(*goja.Object)
	if !ok {
		panic(r.rt.NewTypeError("Error.captureStackTrace was called on no object"))
	}
	stack := r.rt.ToValue(r.describe(object))
	_ = object.DefineDataProperty("stack", stack, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	return goja.Undefined()
}

func (r *run) isWellFormed(call goja.FunctionCall) goja.Value {
	text := r.stringOf(call.This)
	for i := range text.Length() {
		if half(text, i) {
			return r.rt.ToValue(false)
		}
	}
	return r.rt.ToValue(true)
}

func (r *run) toWellFormed(call goja.FunctionCall) goja.Value {
	text := r.stringOf(call.This)
	units := make([]uint16, text.Length())
	for i := range units {
		units[i] = text.CharAt(i)
		if half(text, i) {
			units[i] = 0xfffd
		}
	}
	return goja.StringFromUTF16(units)
}

// lastMatch is a match of a regular expression.
type lastMatch struct {
	text  goja.String // nil before the first match
	found []int       // where the match and its groups begin and end
}

// group returns the text of a group, or "" if it has not matched.
func (m *lastMatch) group(i int) string {
	if 2*i+1 >= len(m.found) || m.found[2*i] < 0 {
		return ""
	}
	return m.text.Substring(m.found[2*i], m.found[2*i+1]).String()
}

// regExpStatic are the properties of RegExp that tell about the last match. V8 has them, and old
// rules use them.
var regExpStatic = map[string]func(*lastMatch) string{
	"lastMatch":    func(m *lastMatch) string { return m.group(0) },
	"lastParen":    (*lastMatch).lastParen,
	"leftContext":  (*lastMatch).leftContext,
	"rightContext": (*lastMatch).rightContext,
	"input":        (*lastMatch).input,
	"$&":           func(m *lastMatch) string { return m.group(0) },
	"$+":           (*lastMatch).lastParen,
	"$`":           (*lastMatch).leftContext,
	"$'":           (*lastMatch).rightContext,
	"$_":           (*lastMatch).input,
}

func (m *lastMatch) lastParen() string {
	if len(m.found) <= 2 {
		return ""
	}
	return m.group(len(m.found)/2 - 1)
}

func (m *lastMatch) leftContext() string {
	if m.text == nil {
		return ""
	}
	return m.text.Substring(0, m.found[0]).String()
}

func (m *lastMatch) rightContext() string {
	if m.text == nil {
		return ""
	}
	return m.text.Substring(m.found[1], m.text.Length()).String()
}

func (m *lastMatch) input() string {
	if m.text == nil {
		return ""
	}
	return m.text.String()
}

// regExpStatics returns the names of the properties.
var regExpStatics = sync.OnceValue(func() []string {
	var names []string
	for name := range regExpStatic {
		names = append(names, name)
	}
	for i := 1; i <= 9; i++ {
		names = append(names, "$"+strconv.Itoa(i))
	}
	return names
})

// defineRegExpStatics defines the properties of RegExp.
func (r *run) defineRegExpStatics() {
	constructor := r.rt.GlobalObject().Get("RegExp").(*goja.Object)
	for _, name := range regExpStatics() {
		tell := regExpStatic[name]
		if tell == nil {
			i := int(name[1] - '0')
			tell = func(m *lastMatch) string { return m.group(i) }
		}
		get := func(goja.FunctionCall) goja.Value { return r.rt.ToValue(tell(&r.matching)) }
		_ = constructor.DefineAccessorProperty(
			name, r.rt.ToValue(get), nil, goja.FLAG_TRUE, goja.FLAG_FALSE,
		)
	}
}
