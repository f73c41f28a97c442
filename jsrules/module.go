package jsrules

import (
	"sync"

	"github.com/dop251/goja"
)

// globalsOfLibraries are the globals that the published libraries read when they start. A rule that
// can load one has all globals, but those that it does not name are made when they are first read,
// and none is made for a library that starts.
var globalsOfLibraries = []string{
	"console", "setTimeout", "setImmediate", "setInterval", "clearTimeout", "clearImmediate",
	"clearInterval",
}

// evaluate runs the source of a module. As in Node, this is its exports.
func (r *run) evaluate(m Module, module, native *goja.Object) {
	exports := r.rt.NewObject()
	_ = module.Set("exports", exports)
	if len(m.literals) > 0 {
		r.literalsOfModules = append(r.literalsOfModules, m.literals)
	}
	require := r.require
	global := goja.Undefined()
	switch {
	case m.published:
		require = r.requireOfBundle
		global = r.globalOfLibraries(m)
		r.starting++
		defer func() { r.starting-- }()
	case m.mentions["global"]:
		global = r.sharedGlobal()
		_ = r.rt.Set("global", global)
	}
	navigator := goja.Undefined()
	if m.published {
		// Without navigator, bluebird makes code from text.
		navigator = r.rt.NewObject()
	}
	process := goja.Undefined()
	if m.process {
		process = r.process()
	}
	outer, _ := goja.AssertFunction(r.must(r.rt.RunProgram(m.program)))
	inner := r.must(outer(goja.Undefined(),
		native, global, r.rt.GlobalObject(), process, navigator))
	define, _ := goja.AssertFunction(inner)
	r.must(define(exports, exports, r.rt.ToValue(require), module))
}

// globalOfLibraries is the global object of published libraries. It ends with the run, unlike the
// global that rules share. Some libraries take an object for Node's only if its property global is
// the object itself.
func (r *run) globalOfLibraries(m Module) goja.Value {
	object := r.rt.CreateObject(r.rt.GlobalObject())
	_ = object.Set("global", object)
	for _, name := range globalsOfLibraries {
		if m.mentions[name] && !r.uses.names[name] {
			_ = r.rt.Set(name, r.globalValue(name))
		}
	}
	return object
}

// seal protects Object.prototype from new properties. lodash 2.4 merges a property __proto__ into
// it. Without seal, metadata that users can write would add properties to every object of the rule.
func (r *run) seal() {
	object := r.rt.GlobalObject().Get("Object").ToObject(r.rt)
	prevent, ok := goja.AssertFunction(object.Get("preventExtensions"))
	if ok {
		r.must(prevent(object, r.prototype("Object")))
	}
}

// process is what libraries ask of Node's process, once in a run. Its environment is that of the
// global process of rules, which has less.
func (r *run) process() goja.Value {
	if r.processMade == nil {
		define, _ := goja.AssertFunction(r.must(r.rt.RunProgram(processProgram())))
		env := func(goja.FunctionCall) goja.Value {
			return r.nodeModules().Global("process").ToObject(r.rt).Get("env")
		}
		r.processMade = r.must(define(goja.Undefined(),
			r.rt.ToValue(r.noteRejection), r.rt.ToValue(env)))
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
	return goja.MustCompile("process", `(function (reject, env) {
	var settled = Promise.resolve();
	var then = settled.then;
	var process = {
		get env() { return env(); },
		argv: [], execArgv: [], platform: 'linux', arch: 'x64', pid: 1,
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
