package jsrules

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/node"
)

// globalNames are the globals that Auth0 gave to rules.
var globalNames = append([]string{
	"configuration", "auth0", "console", "global", "UnauthorizedError", "require",
	"setTimeout", "setImmediate", "setInterval", "clearTimeout", "clearImmediate", "clearInterval",
	"_", "async",
	"queueMicrotask", "structuredClone", "WeakRef", "FinalizationRegistry",
}, node.Globals()...)

// globalValue makes the global of one of [globalNames].
func (r *run) globalValue(name string) goja.Value {
	switch name {
	case "configuration":
		return r.configuration()
	case "auth0":
		return r.auth0()
	case "console":
		return r.console()
	case "global":
		return r.sharedGlobal()
	case "UnauthorizedError":
		return r.unauthorizedError()
	case "require":
		return r.rt.ToValue(r.require)
	case "setTimeout":
		return r.rt.ToValue(r.setTimeout)
	case "setImmediate":
		return r.rt.ToValue(r.setImmediate)
	case "setInterval":
		return r.rt.ToValue(r.setInterval)
	case "_", "async":
		return r.globalLibrary(name)
	case "clearTimeout", "clearImmediate", "clearInterval":
		return r.rt.ToValue(r.clearTimer)
	case "queueMicrotask", "structuredClone", "WeakRef", "FinalizationRegistry":
		return r.languageGlobal(name)
	}
	return r.nodeModules().Global(name)
}

// installGlobals gives the runtime the globals that the rule mentions.
func (r *run) installGlobals() {
	for _, name := range r.globals {
		r.installGlobal(name)
	}
	for _, name := range r.web {
		r.installLater(name, func() goja.Value { return r.webExport(webGlobals[name]) })
	}
	r.installGiven()
	if r.uses.busy {
		r.rt.SetPromiseRejectionTracker(r.trackRejection)
	}
}

// installGlobal gives the runtime one of [globalNames]. A library, and what the rule does not name
// itself, is made when it is first read.
func (r *run) installGlobal(name string) {
	if globalLibraries[name] != "" || node.HasGlobal(name) || !r.uses.names[name] {
		r.installLater(name, func() goja.Value { return r.globalValue(name) })
		return
	}
	_ = r.rt.Set(name, r.globalValue(name))
}

// configuration is read-only, as it was at Auth0.
func (r *run) configuration() goja.Value {
	object := r.rt.NewObject()
	for _, name := range slices.Sorted(maps.Keys(r.options.Configuration)) {
		value := r.rt.ToValue(r.options.Configuration[name])
		_ = object.DefineDataProperty(name, value, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	return object
}

// console writes to the logger what the rule writes to console, and nothing else.
func (r *run) console() goja.Value {
	object := r.rt.NewObject()
	for name, level := range map[string]slog.Level{
		"log":   slog.LevelInfo,
		"info":  slog.LevelInfo,
		"dir":   slog.LevelInfo,
		"debug": slog.LevelDebug,
		"trace": slog.LevelDebug,
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
	} {
		_ = object.Set(name, func(call goja.FunctionCall) goja.Value {
			r.log(level, call.Arguments)
			return goja.Undefined()
		})
	}
	return object
}

func (r *run) log(level slog.Level, values []goja.Value) {
	if !r.options.Logger.Enabled(r.ctx, level) {
		return
	}
	ctx := context.WithoutCancel(r.ctx)
	r.options.Logger.LogAttrs(ctx, level, r.format(values), slog.String("rule", r.name))
}

// format joins values in one log line. A text stays as it is, an error is its name and message, and
// anything else is JSON. Values of the configuration are hidden.
func (r *run) format(values []goja.Value) string {
	var line strings.Builder
	for i, value := range values {
		if i > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(r.inspect(value))
		if line.Len() > maxError {
			break
		}
	}
	return r.options.hidden(line.String())
}

// inspect returns a value as text for people. A value that is not JSON is its kind in brackets.
func (r *run) inspect(value goja.Value) string {
	object, isObject := value.(*goja.Object)
	if !isObject {
		return short(value.String())
	}
	if object.ClassName() == "Error" {
		return r.describe(object)
	}
	_, class, _ := strings.Cut(kind(value), " ") // without the article
	text := "[" + class + "]"
	o := &outgoing{run: r, rounds: true}
	_ = r.try(func() {
		if converted := o.out("a value", value, nil); converted != (absent{}) {
			text = short(jsonText(converted))
		}
	})
	return text
}

// unauthorizedError makes the class whose errors are denials, once in a run.
func (r *run) unauthorizedError() goja.Value {
	if r.denial == nil {
		r.denial = r.must(r.rt.RunProgram(unauthorizedErrorProgram())).(*goja.Object)
	}
	return r.denial
}

// unauthorizedErrorProgram makes UnauthorizedError. Like JavaScript's own errors, it can be called
// without new.
var unauthorizedErrorProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("UnauthorizedError", `(function () {
	function UnauthorizedError(message) {
		var ours = this instanceof UnauthorizedError;
		var self = ours ? this : Object.create(UnauthorizedError.prototype);
		var text = message === undefined ? '' : String(message);
		define(self, 'message', text);
		define(self, 'stack', new Error(message).stack);
		return self;
	}
	function define(error, name, value) {
		Object.defineProperty(error, name, {value: value, writable: true, configurable: true});
	}
	UnauthorizedError.prototype = Object.create(Error.prototype, {
		constructor: {value: UnauthorizedError, writable: true, configurable: true},
		name: {value: 'UnauthorizedError', writable: true, configurable: true}
	});
	return UnauthorizedError;
})()`, true)
})

// sharedGlobal makes this run's copy of the global that the rules of the Set share.
func (r *run) sharedGlobal() goja.Value {
	if r.global != nil {
		return r.global.js
	}
	r.before = r.options.Set.snapshot()
	r.global = r.object(properties(r.before))
	// Libraries look for global.Object, and rules for global.setTimeout.
	_ = r.global.js.SetPrototype(r.rt.GlobalObject())
	return r.global.js
}

// collectGlobal converts the copy back. A global that has grown too large, or holds a value that
// cannot be kept, is dropped as a whole, so that it does not fail every exchange. If the conversion
// loses anything, the next rules of the exchange continue in this run, where nothing is lost.
func (r *run) collectGlobal(c *changes) {
	o := &outgoing{run: r, exact: true}
	o.at("global")
	problem := r.valueProblem(func() {
		c.global = o.properties(r.global.js, r.global.Keys(), r.global.was)
	})
	c.globalFull = problem != nil
	c.keep = o.lossy || c.globalFull
	if c.globalFull {
		c.global = map[string]any{}
		message := r.options.hidden("global is dropped: " + problem.path + " " + problem.what)
		r.options.Logger.LogAttrs(r.ctx, slog.LevelWarn, message, slog.String("rule", r.name))
	}
}

// valueProblem returns the error of a conversion that fails because of a value, or nil.
func (r *run) valueProblem(convert func()) (problem *valueError) {
	defer func() {
		if thrown := recover(); thrown != nil {
			var ok bool
			if problem, ok = thrown.(*valueError); !ok {
				panic(thrown)
			}
		}
	}()
	convert()
	return nil
}

// trackRejection remembers the last rejected promise that nothing handles. It is named if callback
// is never called.
func (r *run) trackRejection(promise *goja.Promise, operation goja.PromiseRejectionOperation) {
	if operation == goja.PromiseRejectionReject {
		r.rejected = promise.Result()
	} else {
		r.rejected = nil
	}
}
