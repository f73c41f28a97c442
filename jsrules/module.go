package jsrules

import (
	"slices"
	"sync"

	"github.com/dop251/goja"
)

// globalsOfLibraries are the globals that the published libraries get, if they mention them.
var globalsOfLibraries = []string{
	"console", "setTimeout", "setImmediate", "setInterval", "clearTimeout", "clearImmediate",
	"clearInterval",
}

// globalsOf returns which of [globalNames] a module needs as globals. It gets global, require and
// process as parameters.
func (m Module) globalsOf(uses vocabulary) []string {
	var needed []string
	for _, name := range globalNames {
		isParameter := name == "global" || name == "require" || name == "process"
		if !uses.names[name] || isParameter {
			continue
		}
		if !m.published || slices.Contains(globalsOfLibraries, name) {
			needed = append(needed, name)
		}
	}
	return needed
}

// evaluate runs the source of a module. As in Node, this is its exports.
func (r *run) evaluate(m Module, module, native *goja.Object) {
	exports := r.rt.NewObject()
	_ = module.Set("exports", exports)
	if len(m.literals) > 0 {
		r.literalsOfModules = append(r.literalsOfModules, m.literals)
	}
	for _, name := range m.globals {
		if r.rt.GlobalObject().Get(name) == nil {
			r.installGlobal(name)
		}
	}
	require := r.require
	global := goja.Undefined()
	switch {
	case m.published:
		require = r.requireOfBundle
		global = r.globalOfLibraries()
		r.starting++
		defer func() { r.starting-- }()
	case m.mentions["global"]:
		global = r.sharedGlobal()
		_ = r.rt.Set("global", global)
	}
	process := goja.Undefined()
	if m.mentions["process"] {
		process = r.process()
	}
	outer, _ := goja.AssertFunction(r.must(r.rt.RunProgram(m.program)))
	inner := r.must(outer(goja.Undefined(), native, global, r.rt.GlobalObject(), process))
	define, _ := goja.AssertFunction(inner)
	r.must(define(exports, exports, r.rt.ToValue(require), module))
}

// globalOfLibraries is the global object of published libraries. It ends with the run, unlike the
// global that rules share. Some libraries take an object for Node's only if its property global is
// the object itself.
func (r *run) globalOfLibraries() goja.Value {
	object := r.rt.CreateObject(r.rt.GlobalObject())
	_ = object.Set("global", object)
	return object
}

// process is what libraries ask of Node's process, once in a run. It has no environment.
func (r *run) process() goja.Value {
	if r.processMade == nil {
		define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(processProgram())))
		r.processMade = r.must(define(goja.Undefined(), r.rt.ToValue(r.noteRejection)))
	}
	return r.processMade
}

// noteRejection remembers the reason of a rejected promise of a library that nothing handles.
func (r *run) noteRejection(call goja.FunctionCall) goja.Value {
	r.rejected = call.Argument(0)
	return goja.Undefined()
}

// processProgram makes process. Libraries recognise Node by its class, [object process]. What
// nextTick is given runs when no function is running, in one line with promises.
var processProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("process", `(function (reject) {
	var settled = Promise.resolve();
	var then = settled.then;
	var process = {
		env: {}, argv: [], execArgv: [], platform: 'linux', arch: 'x64', pid: 1,
		version: 'v18.20.8', versions: {node: '18.20.8'},
		stdout: {isTTY: false}, stderr: {isTTY: false},
		cwd: function () { return '/'; },
		nextTick: function (f) {
			if (typeof f !== 'function') throw new TypeError('nextTick needs a function');
			var rest = Array.prototype.slice.call(arguments, 1);
			then.call(settled, function () { f.apply(undefined, rest); });
		},
		on: function () { return process; },
		emit: function (name, reason) {
			if (name === 'unhandledRejection') reject(reason);
			return false;
		}
	};
	Object.defineProperty(process, Symbol.toStringTag, {value: 'process'});
	return process;
})`, true)
})
