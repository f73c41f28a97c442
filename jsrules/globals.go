package jsrules

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// globalNames are what Auth0's rules found around them.
var globalNames = []string{
	"configuration", "auth0", "console", "global", "UnauthorizedError", "Buffer", "require",
	"setTimeout", "setImmediate", "setInterval", "clearTimeout", "clearImmediate", "clearInterval",
}

// globalValue makes one of them.
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
	case "Buffer":
		return r.builtin("buffer").(*goja.Object).Get("Buffer")
	case "require":
		return r.rt.ToValue(r.require)
	case "setTimeout":
		return r.rt.ToValue(r.setTimeout)
	case "setImmediate":
		return r.rt.ToValue(r.setImmediate)
	case "setInterval":
		return r.rt.ToValue(r.setInterval)
	}
	return r.rt.ToValue(r.clearTimer)
}

// installGlobals gives the runtime those that the rule mentions.
func (r *run) installGlobals() {
	for _, name := range r.globals {
		_ = r.rt.Set(name, r.globalValue(name))
	}
	if r.uses.busy {
		r.rt.SetPromiseRejectionTracker(r.trackRejection)
	}
}

// configuration is read-only, as it was at Auth0.
func (r *run) configuration() goja.Value {
	object := r.rt.NewObject()
	for _, name := range slices.Sorted(maps.Keys(r.options.Configuration)) {
		_ = object.DefineDataProperty(name, r.rt.ToValue(r.options.Configuration[name]), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_TRUE)
	}
	return object
}

// auth0 is the part of Auth0's management client that needs no network.
func (r *run) auth0() goja.Value {
	object := r.rt.NewObject()
	_ = object.Set("domain", r.options.Domain)
	return object
}

// console writes what the rule says, and nothing else, to the logger.
func (r *run) console() goja.Value {
	object := r.rt.NewObject()
	for name, level := range map[string]slog.Level{
		"log": slog.LevelInfo, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError, "dir": slog.LevelInfo,
	} {
		_ = object.Set(name, func(call goja.FunctionCall) goja.Value {
			if r.options.Logger.Enabled(r.ctx, level) {
				r.options.Logger.LogAttrs(context.WithoutCancel(r.ctx), level, r.format(call.Arguments), slog.String("rule", r.name))
			}
			return goja.Undefined()
		})
	}
	return object
}

// format joins values for a log line: text as it is, an error by name and message, anything else as JSON.
func (r *run) format(values []goja.Value) string {
	var line strings.Builder
	for i, value := range values {
		if i > 0 {
			line.WriteByte(' ')
		}
		if line.WriteString(r.inspect(value)); line.Len() > maxError {
			break
		}
	}
	return short(line.String())
}

// inspect says what a value is, for people.
func (r *run) inspect(value goja.Value) string {
	object, isObject := value.(*goja.Object)
	if !isObject {
		return short(value.String())
	}
	if object.ClassName() == "Error" {
		return r.describe(object)
	}
	text := "[" + kind(value)[strings.IndexByte(kind(value), ' ')+1:] + "]" // of what is no JSON
	_ = r.try(func() {
		if converted := (&outgoing{run: r}).out("a value", value, nil); converted != (absent{}) {
			text = short(jsonText(converted))
		}
	})
	return text
}

// unauthorizedError makes the class whose errors are denials.
func (r *run) unauthorizedError() goja.Value {
	if r.denial == nil {
		r.denial = r.must(r.rt.RunProgram(unauthorizedErrorProgram())).(*goja.Object)
	}
	return r.denial
}

// It can be called without new, as JavaScript's own errors can.
var unauthorizedErrorProgram = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("UnauthorizedError", `(function () {
	function UnauthorizedError(message) {
		var self = this instanceof UnauthorizedError ? this : Object.create(UnauthorizedError.prototype);
		Object.defineProperty(self, 'message', {value: message === undefined ? '' : String(message), writable: true, configurable: true});
		Object.defineProperty(self, 'stack', {value: new Error(message).stack, writable: true, configurable: true});
		return self;
	}
	UnauthorizedError.prototype = Object.create(Error.prototype, {
		constructor: {value: UnauthorizedError, writable: true, configurable: true},
		name: {value: 'UnauthorizedError', writable: true, configurable: true}
	});
	return UnauthorizedError;
})()`, true)
})

// sharedGlobal is this run's copy of what the rules of the Set share.
func (r *run) sharedGlobal() goja.Value {
	if r.global != nil {
		return r.global.js
	}
	r.before = r.options.Set.snapshot()
	r.global = r.object(properties(r.before))
	return r.global.js
}

// collectGlobal converts the copy back. What has grown too large is dropped as a whole, so that a
// rule that collects without end does not end all exchanges. If anything is lost on the way, the
// next rules of the exchange go on with the run and lose nothing.
func (r *run) collectGlobal(c *changes) {
	o := &outgoing{run: r, exact: true}
	c.globalFull = r.overflows(func() {
		c.global = o.properties(r.global.js, r.global.Keys(), r.global.was)
	})
	c.keep = o.lossy || c.globalFull
	if c.globalFull {
		c.global = map[string]any{}
		r.options.Logger.LogAttrs(r.ctx, slog.LevelWarn, "global is dropped: it has become too large",
			slog.String("rule", r.name))
	}
}

// overflows reports whether a conversion met a value that is not what it should be.
func (r *run) overflows(convert func()) (tooMuch bool) {
	defer func() {
		if thrown := recover(); thrown != nil {
			if _, tooMuch = thrown.(*valueError); !tooMuch {
				panic(thrown)
			}
		}
	}()
	convert()
	return false
}

// trackRejection remembers the last rejected promise that nobody handles, to name it if callback is never called.
func (r *run) trackRejection(promise *goja.Promise, operation goja.PromiseRejectionOperation) {
	if operation == goja.PromiseRejectionReject {
		r.rejected = promise.Result()
	} else {
		r.rejected = nil
	}
}
