// Package node has the modules of Node.js and npm that need no network: crypto, buffer, url and
// others that rules load with require, and the globals that are part of them. They are written in
// JavaScript, in the folder js, around functions in Go. A module is compiled once in a process, and
// made in a runtime when it is first loaded there. Nothing that a module makes is shared by two
// runtimes. A feature of Node.js that this package lacks throws an error that says so.
package node

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// Host is the run of a rule that loads modules.
type Host struct {
	Runtime *goja.Runtime
	// Halt panics with an error of JavaScript if the run was interrupted. Functions in Go call it
	// before and during their work, because no interrupt stops them.
	Halt func()
	// SetImmediate is the global function of that name.
	SetImmediate func(goja.FunctionCall) goja.Value
	// GuardArrays limits the size of typed arrays. It is called before the first Buffer is made, as
	// often as a module needs it.
	GuardArrays func()
}

// Modules are the modules of one runtime.
type Modules struct {
	Host
	made   map[string]*goja.Object // module objects by the file's name
	native *goja.Object
}

// New returns the modules of a runtime. It makes none.
func New(h Host) *Modules { return &Modules{Host: h, made: map[string]*goja.Object{}} }

// place is where a module or a global is made: a file in the folder js, and a property of its
// exports. Without a property it is all of the exports.
type place struct{ file, property string }

// modules are the modules by the names that rules know.
var modules = map[string]place{
	"@auth0/rule-utilities": {file: "rule-utilities"},
	"buffer":                {file: "buffer"},
	"crypto":                {file: "crypto"},
	"extend":                {file: "extend"},
	"jsonwebtoken":          {file: "jsonwebtoken"},
	"node-uuid":             {file: "uuid"},
	"process":               {file: "process"},
	"querystring":           {file: "querystring"},
	"url":                   {file: "url"},
	"util":                  {file: "util"},
	"uuid":                  {file: "uuid"},
	"uuid/v1":               {"uuid", "v1"},
	"uuid/v3":               {"uuid", "v3"},
	"uuid/v4":               {"uuid", "v4"},
	"uuid/v5":               {"uuid", "v5"},
}

// globals are the globals by name.
var globals = map[string]place{
	"Buffer":          {"buffer", "Buffer"},
	"TextDecoder":     {"text", "TextDecoder"},
	"TextEncoder":     {"text", "TextEncoder"},
	"URL":             {"url", "URL"},
	"URLSearchParams": {"url", "URLSearchParams"},
	"atob":            {"text", "atob"},
	"btoa":            {"text", "btoa"},
	"crypto":          {file: "crypto"},
	"jwt":             {file: "jsonwebtoken"},
	"process":         {file: "process"},
}

// Has reports whether a module exists. The name may begin with node:, as for Node.js's own modules.
func Has(name string) bool {
	_, ok := modules[strings.TrimPrefix(name, "node:")]
	return ok
}

// HasGlobal reports whether a global exists.
func HasGlobal(name string) bool {
	_, ok := globals[name]
	return ok
}

// Names returns the names of all modules, in order.
func Names() []string { return sortedNames(modules) }

// Globals returns the names of all globals, in order.
func Globals() []string { return sortedNames(globals) }

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Require returns the module of a name for which [Has] is true.
func (m *Modules) Require(name string) goja.Value {
	return m.at(modules[strings.TrimPrefix(name, "node:")])
}

// Global returns one of [Globals].
func (m *Modules) Global(name string) goja.Value { return m.at(globals[name]) }

func (m *Modules) at(p place) goja.Value {
	exports := m.load(p.file)
	if p.property == "" {
		return exports
	}
	return exports.(*goja.Object).Get(p.property)
}

// load makes the module of a file, once in a runtime.
func (m *Modules) load(file string) goja.Value {
	if module, ok := m.made[file]; ok {
		return module.Get("exports")
	}
	if file == "buffer" {
		m.GuardArrays()
	}
	module := m.Runtime.NewObject()
	exports := m.Runtime.NewObject()
	_ = module.Set("exports", exports)
	m.made[file] = module
	define, _ := goja.AssertFunction(m.must(m.Runtime.RunProgram(program(file))))
	require := func(call goja.FunctionCall) goja.Value {
		return m.load(call.Argument(0).String())
	}
	m.must(define(goja.Undefined(),
		exports, m.Runtime.ToValue(require), module, m.natives()))
	return module.Get("exports")
}

//go:embed js
var sources embed.FS

// programs are the compiled files, by name.
var programs sync.Map

// program compiles a file, once in the process.
func program(file string) *goja.Program {
	compile, _ := programs.LoadOrStore(file, sync.OnceValue(func() *goja.Program {
		source, err := sources.ReadFile("js/" + file + ".js")
		if err != nil { // a mistake in files, globals or a module
			panic(fmt.Errorf("there is no module %s: %w", file, err))
		}
		const before = "(function (exports, require, module, native) {"
		return goja.MustCompile("node:"+file, before+string(source)+"\n})", true)
	}))
	return compile.(func() *goja.Program)()
}

// natives returns the functions in Go, made once in a runtime.
func (m *Modules) natives() *goja.Object {
	if m.native != nil {
		return m.native
	}
	m.native = m.Runtime.NewObject()
	for name, function := range map[string]func(goja.FunctionCall) goja.Value{
		"decode":       m.decode,
		"encode":       m.encode,
		"byteLength":   m.byteLength,
		"isUTF8":       m.isUTF8,
		"indexOf":      m.indexOf,
		"compare":      m.compare,
		"fill":         m.fill,
		"readFloat":    m.readFloat,
		"writeFloat":   m.writeFloat,
		"hash":         m.hash,
		"hashes":       m.hashNames,
		"random":       m.random,
		"pbkdf2":       m.pbkdf2,
		"hkdf":         m.hkdf,
		"equal":        m.timingSafeEqual,
		"key":          m.key,
		"exportKey":    m.exportKey,
		"sign":         m.sign,
		"verify":       m.verify,
		"cipher":       m.cipher,
		"cipherInfo":   m.cipherInfo,
		"ciphers":      m.cipherNames,
		"unescape":     m.unescape,
		"wellFormed":   m.wellFormed,
		"parseForm":    m.parseForm,
		"parseURL":     m.parseURL,
		"changeURL":    m.changeURL,
		"isDomain":     m.isDomain,
		"setImmediate": m.SetImmediate,
	} {
		_ = m.native.Set(name, m.halting(function))
	}
	return m.native
}

// halting ends an interrupted run before a function in Go begins.
func (m *Modules) halting(f func(goja.FunctionCall) goja.Value) func(goja.FunctionCall) goja.Value {
	return func(call goja.FunctionCall) goja.Value {
		m.Halt()
		return f(call)
	}
}

// must throws an error of JavaScript.
func (m *Modules) must(value goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return value
}

// throw throws an error of one of JavaScript's classes, with a code as Node.js gives it. The text
// must hold nothing that a rule gave, which may be a secret.
func (m *Modules) throw(class, code, text string) {
	made, err := m.Runtime.New(m.Runtime.GlobalObject().Get(class), m.Runtime.ToValue(text))
	if err != nil { // the rule has deleted the class
		panic(m.Runtime.NewTypeError("%s", text))
	}
	if code != "" {
		_ = made.Set("code", code)
	}
	panic(made)
}

// unavailable throws the error for a feature of Node.js that this package lacks.
func (m *Modules) unavailable(what string) {
	m.throw("Error", "ERR_NOT_AVAILABLE", what+" is not available here")
}

// maxBytes limits the bytes that one function reads or makes. It is the largest size of a typed
// array.
const maxBytes = 1 << 20

// atMost refuses more than [maxBytes].
func (m *Modules) atMost(size int64) {
	if size > maxBytes {
		m.throw("RangeError", "ERR_OUT_OF_RANGE",
			"a Buffer of more than 1 MiB is not available here")
	}
}

// bytes returns the memory of a Uint8Array, which is shared with JavaScript. Without an argument it
// returns nil.
func (m *Modules) bytes(value goja.Value) []byte {
	if value == nil || goja.IsUndefined(value) {
		return nil
	}
	if memory, ok := value.Export().([]byte); ok {
		return memory
	}
	m.throw("TypeError", "ERR_INVALID_ARG_TYPE", "the argument is no Buffer")
	return nil
}

// buffer returns bytes as an ArrayBuffer, of which JavaScript makes a Buffer.
func (m *Modules) buffer(memory []byte) goja.Value {
	m.atMost(int64(len(memory)))
	return m.Runtime.ToValue(m.Runtime.NewArrayBuffer(memory))
}

// text returns a primitive string of JavaScript.
func (m *Modules) text(value goja.Value) goja.String {
	if text, ok := value.(goja.String); ok {
		return text
	}
	m.throw("TypeError", "ERR_INVALID_ARG_TYPE", "the argument is not a string")
	return nil
}

// list returns a list of texts to JavaScript.
func (m *Modules) list(texts []string) goja.Value {
	values := make([]any, len(texts))
	for i, text := range texts {
		values[i] = text
	}
	return m.Runtime.NewArray(values...)
}
