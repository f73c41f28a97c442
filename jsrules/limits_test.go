package jsrules_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/jsrules"
)

// limitRow is a rule that does something without end, or much of it.
type limitRow struct {
	statements string
	want       error  // nil: an error of JavaScript
	text       string // in it
}

// TestLimits: what a rule can do wrong ends as that rule's failure, by work or looks that are
// counted, and the process lives on.
func TestLimits(t *testing.T) {
	const end = "; callback(null, user, context);"
	for name, row := range map[string]limitRow{
		"a loop without end": {"while (true) {}", jsrules.ErrTimeout, ""},
		"a loop that catches": {
			"while (true) { try { while (true) {} } catch (e) {} finally { continue } }",
			jsrules.ErrTimeout, "",
		},
		"a loop after callback": {"callback(null, user, context); for (;;) {}",
			jsrules.ErrTimeout, ""},
		"promises without end": {
			"(function again() { Promise.resolve().then(again) })()", jsrules.ErrTimeout, "",
		},
		"timers without end": {"setInterval(function () {}, 1)", jsrules.ErrTimeout, ""},
		"a timer beyond the limit": {
			"setTimeout(function () { callback(null, user, context) }, 3000)",
			jsrules.ErrTimeout, "",
		},
		"too many timers": {"for (;;) setTimeout(callback, 1)", nil, "RangeError: too many timers"},
		"await without end": {"(async function () { for (;;) await null })()",
			jsrules.ErrTimeout, ""},
		"recursion": {"(function again() { again() })()", jsrules.ErrDepth, ""},
		"recursion through toString": {
			"var o = {toString: function () { return '' + o }}; '' + o", jsrules.ErrDepth, "",
		},
		"recursion through a getter": {"var o = {get x() { return o.x }}; o.x",
			jsrules.ErrDepth, ""},
		"recursion through a proxy": {
			"var p = new Proxy({}, {get: function (t, n) { return p[n] }}); p.x",
			jsrules.ErrDepth, "",
		},
		"recursion through map": {"(function again() { [1].map(again) })()", nil, "RangeError"},
		"recursion through sort": {"(function again() { [2, 1].sort(again) })()",
			nil, "RangeError"},
		"recursion through JSON": {
			"var o = {toJSON: function () { return JSON.stringify(o) }}; JSON.stringify(o)",
			nil, "RangeError",
		},
		"recursion through replace": {"(function again() { 'a'.replace(/a/, again) })()",
			nil, "RangeError"},
		"bound a hundred thousand times": {
			"var f = function () {}; for (var i = 0; i < 1e5; i++) f = f.bind(); f()" + end,
			errAny, "",
		},
		"a proxy of a proxy of": {
			"var p = {}; for (var i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x" + end, errAny, "",
		},
		"a prototype of a prototype of": {
			"var p = {}; for (var i = 0; i < 1e5; i++) p = Object.create(p); p.x" + end, errAny, "",
		},
		"a list that grows":     {"var a = []; for (;;) a.push({})", jsrules.ErrMemory, ""},
		"a list that doubles":   {"var a = [1]; for (;;) a = a.concat(a)", nil, "RangeError"},
		"a spread that doubles": {"var a = [1]; for (;;) a = [...a, ...a]", errAny, ""},
		"a map that grows": {
			"var m = new Map(); for (var i = 0; ; i++) m.set(i, {})", jsrules.ErrMemory, "",
		},
		"closures that grow": {
			"var f = null; for (;;) f = (function (g) { return function () { return g } })(f)",
			jsrules.ErrMemory, "",
		},
		"repeat":                            {"'x'.repeat(2e9)", nil, "RangeError"},
		"repeat of repeat":                  {"'x'.repeat(1e7).repeat(1e7)", nil, "RangeError"},
		"repeat by a name made at run time": {"'x'['rep' + 'eat'](2e9)", nil, "RangeError"},
		"repeat by a name, called": {"var f = 'x'['rep' + 'eat']; f.call('x', 2e9)",
			nil, "RangeError"},
		"repeat by a name, perhaps": {"'x'?.['rep' + 'eat']?.(2e9)", nil, "RangeError"},
		"repeat by a name, as a tag": {"''[`padStart`]``; 'x'['rep' + 'eat']`3000000000`",
			nil, "RangeError"},
		"repeat by Reflect": {"Reflect.get('', 'repeat').call('x', 2e9)", errAny, ""},
		"repeat by a computed key": {"var {['rep' + 'eat']: f} = ''; f.call('x', 2e9)",
			nil, "RangeError"},
		"repeat by a descriptor": {
			"Object.getOwnPropertyDescriptor(String.prototype, 'repeat').value.call('x', 2e9)",
			nil, "RangeError",
		},
		"join of itself": {"for (var a = [], i = 0; i < 24; i++) a = [a, a]; a + ''", errAny, ""},
		"repeat by destructuring": {"var {repeat} = ''; repeat.call('x', 2e9)",
			nil, "RangeError"},
		"repeat without end": {"'x'.repeat(Infinity)", nil, "RangeError"},
		"padStart":           {"'x'.padStart(2e9)", nil, "RangeError"},
		"padEnd":             {"'x'.padEnd(2e9, 'yz')", nil, "RangeError"},
		"concat of texts":    {"var s = 'x'; for (;;) s = s.concat(s, s, s)", nil, "RangeError"},
		"replace":            {"var s = 'x'.repeat(1e6); s.replace(/x/g, s)", nil, "RangeError"},
		"replace by what stands around": {"'x'.repeat(1e5).replace(/x/g, \"$'\")",
			nil, "RangeError"},
		"replaceAll": {"var s = 'x'.repeat(1e6); s.replaceAll('x', s)", nil, "RangeError"},
		"replace by a function": {
			"var s = 'x'.repeat(1e6); s.replace(/x/g, function () { return s })", errAny, "",
		},
		"split":         {"'x'.repeat(2e6).split('')", nil, "RangeError"},
		"fill":          {"new Array(4294967295).fill(0)", nil, "RangeError"},
		"sort of holes": {"var a = []; a.length = 4294967295; a.sort()", nil, "RangeError"},
		"sort of many": {
			"var a = []; for (var i = 0; i < 2e5; i++) a.push(i); a.sort()", nil, "RangeError",
		},
		"join of holes": {"var a = []; a.length = 4294967295; a.join()", nil, "RangeError"},
		"holes as text": {"var a = []; a.length = 4294967295; '' + a", nil, "RangeError"},
		"an index as length, as text": {"var a = []; a[4294967290] = 1; '' + a",
			nil, "RangeError"},
		"join of long texts": {
			"var s = 'x'.repeat(1e6); new Array(1000).fill(s).join('')", nil, "RangeError",
		},
		"join by a long text": {"new Array(1e6).join('x'.repeat(1e6))", nil, "RangeError"},
		"join of lists of lists": {
			"var a = 'x'; for (var i = 0; i < 40; i++) a = [a, a]; a.join()", errAny, "",
		},
		"a list in a list in, as text": {
			"var a = []; for (var i = 0; i < 1e5; i++) a = [a]; '' + a", nil, "RangeError",
		},
		"forEach over holes": {
			"var a = []; a.length = 4294967295; a.forEach(function () {})", nil, "RangeError",
		},
		"map over holes":                 {"new Array(4294967295).map(String)", nil, "RangeError"},
		"indexOf in holes":               {"new Array(4294967295).indexOf(1)", nil, "RangeError"},
		"reverse of holes":               {"new Array(4294967295).reverse()", nil, "RangeError"},
		"concat of holes":                {"[].concat(new Array(4294967295))", nil, "RangeError"},
		"a method of lists on an object": {"[].map.call({length: 4e9}, String)", nil, "RangeError"},
		"spread of holes":                {"[...new Array(4294967295)]", nil, "RangeError"},
		"spread into a call":             {"Math.max(...new Array(4294967295))", nil, "RangeError"},
		"the rest of holes": {"var [first, ...rest] = new Array(4294967295)",
			nil, "RangeError"},
		"a set of holes":   {"new Set(new Array(4294967295))", nil, "RangeError"},
		"apply":            {"Math.max.apply(null, {length: 4e9})", nil, "RangeError"},
		"Reflect.apply":    {"Reflect.apply(Math.max, null, {length: 4e9})", nil, "RangeError"},
		"Array.from":       {"Array.from({length: 4e9})", nil, "RangeError"},
		"String.raw":       {"String.raw({raw: {length: 4e9}})", nil, "RangeError"},
		"flat in a circle": {"var a = []; a.push(a, a); a.flat(Infinity)", nil, "RangeError"},
		"flat of lists of lists": {
			"var a = [1]; for (var i = 0; i < 40; i++) a = [a, a]; a.flat(Infinity)",
			nil, "RangeError",
		},
		"flat of a list in a list in": {
			"var a = []; for (var i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)", nil,
			"RangeError: lists are nested too deep",
		},
		"flatMap": {
			"[1].flatMap(function () { return new Array(4294967295) })", nil, "RangeError",
		},
		"a typed array":        {"new Uint8Array(4e9)", nil, "RangeError"},
		"a typed array of one": {"new Float64Array({length: 4e9})", nil, "RangeError"},
		"a typed array of an instance": {"new (new Uint8Array(1).constructor)(4e9)",
			nil, "RangeError"},
		"a buffer":     {"new ArrayBuffer(4e9)", nil, "RangeError"},
		"Buffer.alloc": {"Buffer.alloc(4e9)", nil, "RangeError"},
		"JSON of lists of lists": {
			"var a = 'x'; for (var i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)",
			nil, "RangeError",
		},
		"JSON of a list in a list in": {
			"var a = []; for (var i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)",
			nil, "RangeError",
		},
		"JSON of holes": {"JSON.stringify(new Array(4294967295))", nil, "RangeError"},
		"JSON of chosen names": {
			"var a = {b: 'x'}; for (var i = 0; i < 40; i++) a = {b: a, c: a}; " +
				"JSON.stringify(a, ['b', 'c'])", nil, "RangeError",
		},
		"JSON with holes of names": {"JSON.stringify({}, new Array(4294967295))",
			nil, "RangeError"},
		"JSON nested deep":  {"JSON.parse('['.repeat(1e6))", nil, "RangeError"},
		"JSON that is long": {"JSON.parse('[' + '[],'.repeat(1e6) + '1]')", nil, "RangeError"},
		"a slow regular expression": {"/^(a+)+$(?!b)/.test('a'.repeat(40) + 'b')",
			jsrules.ErrTimeout, ""},
		"one that is caught": {
			"for (;;) try { /^(?=(a+)+$)/.test('a'.repeat(40) + 'b') } catch (e) {}",
			jsrules.ErrTimeout, "",
		},
		"one that goes on from a place": {
			"var r = /(a+)+$/g; r.lastIndex = 1; r.exec('a'.repeat(40) + 'b')",
			jsrules.ErrTimeout, "",
		},
		"one with a backreference": {"/^(a+)+\\1$/.test('a'.repeat(40) + 'b')",
			jsrules.ErrTimeout, ""},
		"one in match": {"('a'.repeat(40) + 'b').match(/^(?=(a+)+$)/)", jsrules.ErrTimeout, ""},
		"one in matchAll": {"[...('a'.repeat(40) + 'b').matchAll(/(?=(a+)+$)/g)]",
			jsrules.ErrTimeout, ""},
		"one in replace": {"('a'.repeat(40) + 'b').replace(/(?=(a+)+$)/g, '')",
			jsrules.ErrTimeout, ""},
		"one in search": {"('a'.repeat(40) + 'b').search(/^(?=(a+)+$)/)", jsrules.ErrTimeout, ""},
		"one in split":  {"('a'.repeat(40) + 'b').split(/(?=(a+)+$)/)", jsrules.ErrTimeout, ""},
		"one from a text": {
			"new RegExp('^(?=(a+)+$)').test('a'.repeat(40) + 'b')", jsrules.ErrTimeout, "",
		},
		"one from a text, by match": {"('a'.repeat(40) + 'b').match('^(?=(a+)+$)')",
			jsrules.ErrTimeout, ""},
		"a regular expression on much": {"/x/.test('a'.repeat(2e6))", nil, "RangeError"},
		"a BigInt by its function":     {"BigInt(2)", nil, "ReferenceError"},
		"eval":                         {"eval('1')", nil, "ReferenceError"},
		"Function":                     {"new Function('return 1')()", nil, "EvalError"},
		"Function by a constructor": {"(function () {}).constructor('return 1')()",
			nil, "EvalError"},
		"an async one":     {"(async function () {}).constructor('return 1')()", nil, "EvalError"},
		"a generator":      {"(function* () {}).constructor('return 1')()", nil, "EvalError"},
		"global in a loop": {"global.x = []; for (;;) global.x.push(1)", errAny, ""},
		"a list for the user": {"user.x = []; user.x.length = 4294967295" + end,
			jsrules.ErrValue, "user.x has 4294967295 elements"},
		"lists of lists for the user": {
			"var a = 'x'; for (var i = 0; i < 40; i++) a = [a, a]; user.x = a" + end,
			jsrules.ErrValue, "more than 100000 values",
		},
		"a list in a list in for the user": {
			"var a = []; for (var i = 0; i < 1e5; i++) a = [a]; user.x = a" + end, jsrules.ErrValue,
			"nested deeper",
		},
		"half characters": {
			"'\\ud800'.normalize('NFD').localeCompare('\\udfff\\u0300')" + end, errAny, "",
		},
		"a message without end": {
			"throw {get name() { for (;;); }, get message() { for (;;); }}", jsrules.ErrTimeout, "",
		},
		"a getter without end": {
			"Object.defineProperty(user.y = {}, 'x', " +
				"{enumerable: true, get: function () { for (;;); }})" + end,
			jsrules.ErrTimeout, "",
		},
		"toJSON without end": {"user.x = {toJSON: function () { for (;;); }}" + end,
			jsrules.ErrTimeout, ""},
	} {
		t.Run(name, row.run)
	}
}

// run runs the rule, and checks how it ends.
func (row limitRow) run(t *testing.T) {
	// What ends by the time has so many looks. All else ends by the size of its work, and
	// has all the time that a machine takes for that.
	clock := standing()
	switch row.want {
	case jsrules.ErrTimeout:
		clock = ticking(50 * time.Millisecond)
	case errAny:
		clock = ticking(5 * time.Millisecond)
	}
	options := jsrules.Options{RuleTimeout: 300 * time.Millisecond}
	rule := compileOn(t, clock, body(row.statements), options)
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience,
		errors.New("it has no end"))
	defer cancel()
	before := settledMemory()
	var after runtime.MemStats
	err := rule(ctx, benchmarkUser(), benchmarkContext())
	runtime.ReadMemStats(&after)
	grown := (usedMemory(&after) - usedMemory(before)) >> 20
	t.Logf("%v; the process grew by %d MB", err, grown)
	// A text that doubles makes the process grow by 0.5, 1, 2 or 4 GB, and a little more: a
	// copy that is under way cannot be interrupted, and the collector holds up the watch
	// while it waits for the copy. 4 GB would be a watch that does not work.
	if ctx.Err() != nil || grown > 3<<10 {
		t.Errorf("%v, and %d MB more", context.Cause(ctx), grown)
	}
	switch {
	case row.want == errAny:
	case row.want == nil && row.text == "":
		t.Error("nothing is wanted")
	case err == nil || row.want != nil && !errors.Is(err, row.want) ||
		!strings.Contains(err.Error(), row.text):
		t.Errorf("got %v, want %v with %q", err, row.want, row.text)
	}
}

// settledMemory is what the process uses. If that is much, it is given back first, so that it does
// not hide how much more the next rule makes the process use.
func settledMemory() *runtime.MemStats {
	m := new(runtime.MemStats)
	runtime.ReadMemStats(m)
	if usedMemory(m) > 256<<20 {
		debug.FreeOSMemory()
		runtime.ReadMemStats(m)
	}
	return m
}

func usedMemory(m *runtime.MemStats) int64 { return int64(m.Sys - m.HeapReleased) }

// errAny stands for an end by whichever limit is reached first, or none: the process lives on.
var errAny = errors.New("any")
