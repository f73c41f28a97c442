package jsrules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestLibraries: rules find the published libraries under the names that they have on npm, and the
// globals that Auth0 gave to rules.
func TestLibraries(t *testing.T) {
	for source, want := range map[string]any{
		"require('lodash').VERSION":                                            "4.18.1",
		"require('lodash@4.17.21').VERSION":                                    "4.18.1",
		"require('lodash@2.4.1').VERSION":                                      "2.4.2",
		"_.VERSION":                                                            "2.4.2",
		"_.contains(['a'], 'a')":                                               true,
		"_ === require('lodash@2.4.1')":                                        true,
		"require('lodash/get')({a: {b: 1}}, 'a.b')":                            1,
		"require('lodash/get.js')({a: {b: 1}}, 'a.b')":                         1,
		"require('lodash@4.17.21/get')({a: {b: 1}}, 'a.b')":                    1,
		"require('lodash.isequal')([1], [1])":                                  true,
		"require('lodash.isequal@4.5.0')([1], [1])":                            true,
		"require('lodash/get') === require('lodash').get":                      true,
		"require('lodash/lodash.min') === require('lodash')":                   true,
		"require('moment').version":                                            "2.31.0",
		"require('moment/min/moment-with-locales') === require('moment')":      true,
		"require('moment').utc('2026-11-29').locale('de').format('dddd')":      "Sonntag",
		"(require('moment/locale/fr'), require('moment').locale())":            "fr",
		"require('moment').utc('2026-11-29').locale('nowhere').format('dddd')": "Sunday",
		"require('moment-timezone') === require('moment')":                     true,
		"require('moment-timezone').tz.version":                                "0.6.6",
		"typeof require('bluebird').promisify":                                 "function",
		"typeof require('async/waterfall')":                                    "function",
		"typeof async.waterfall":                                               "function",
		"async === require('async@0.9.0')":                                     true,
		"async === require('async')":                                           false,
		"typeof require('async').reflect":                                      "function",
		"typeof async.reflect":                                                 "undefined",
	} {
		got := run(t, body("user.got = "+source+";"+passes), jsrules.Options{})
		if !got.passed || !sameJSON(got.user.Properties["got"], want) {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
}

// TestLibrariesNotThere: what a library does not have is not found, with Node's code.
func TestLibrariesNotThere(t *testing.T) {
	for _, name := range []string{
		"lodash/fp", "lodash/fp/get", "lodash/nothing", "lodash.nothing", "lodash/",
		"lodash/get/set", "Lodash", "lodash.", "moment/locale", "moment/locale/nowhere",
		"moment/locale/../de", "moment/src/moment", "bluebird/get", "./locale/de", "../moment", "",
		"underscore",
	} {
		source := fmt.Sprintf("try { require(%q); } catch (e) { user.got = e.code; }", name)
		got := run(t, body(source+passes), jsrules.Options{})
		if !got.passed || got.user.Properties["got"] != "MODULE_NOT_FOUND" {
			t.Errorf("%q: got %v, %v", name, got.err, got.user)
		}
	}
}

// TestLibrariesOfTheOperator: a module that the operator registers replaces the published library
// of its name, with all its paths.
func TestLibrariesOfTheOperator(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{
		"lodash": {Source: "exports.VERSION = 'own'"},
		"moment": {Source: "module.exports = {version: '2.9.0', fn: {}, momentProperties: []}"},
	}}
	for source, want := range map[string]string{
		"require('lodash').VERSION":     "own",
		"require('lodash@4').VERSION":   "own",
		"_.VERSION":                     "2.4.2",
		"require('moment').version":     "2.9.0",
		"String(require('lodash/get'))": "not found",
	} {
		got := run(t, body("try { user.got = "+source+"; } catch (e) { user.got = 'not found'; }"+
			passes), options)
		if !got.passed || got.user.Properties["got"] != want {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
}

// TestGlobalLibraries: the globals _ and async can be replaced, hidden and asked for like any other
// global.
func TestGlobalLibraries(t *testing.T) {
	for source, want := range map[string]any{
		"(function (_) { return _; })(1)":    1,
		"[3].map(_ => _)[0]":                 3,
		"(_ = 5, _)":                         5,
		"(global._ = 6, global._)":           6,
		"typeof _":                           "function",
		"typeof global._":                    "function",
		"'_' in global":                      true,
		"(_.mixin({two: () => 2}), _.two())": 2,
		"(function () { var _ = require('lodash'); return _.VERSION; })()": "4.18.1",
	} {
		got := run(t, body("user.got = "+source+";"+passes), jsrules.Options{})
		if !got.passed || !sameJSON(got.user.Properties["got"], want) {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
}

// TestLibrariesAreGuarded: what guards a rule guards the libraries that it calls.
func TestLibrariesAreGuarded(t *testing.T) {
	for source, want := range map[string]string{
		"_.template('<%= 1 %>')()":                           "EvalError",
		"require('lodash').template('<%= 1 %>')()":           "EvalError",
		"require('lodash').constant.constructor('return 1')": "EvalError",
		"require('lodash').range(1e9)":                       "",
		"require('lodash').times(1e12, function () {})":      "",
	} {
		o := jsrules.Options{}
		if want == "" { // it has to be stopped
			o = o.WithClock(ticking(time.Second))
		}
		got := exchange(t, []delegation.RuleFunc{must(jsrules.Compile("rule",
			body("user.got = "+source+";"+passes), o))}, nil, delegation.AWS{}, delegation.Request{})
		got.expect(t, delegation.CodeRuleFailed, want)
	}
}

// TestRootsOfModules: libraries find the global object in every way that they have, without code
// made from text, and what Node gives to a CommonJS module.
func TestRootsOfModules(t *testing.T) {
	options := func(source string) jsrules.Options {
		return jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: source}}}
	}
	for source, want := range map[string]any{
		"exports.got = typeof (typeof global == 'object' && global && global.Object === Object && global)":                                         "object",
		"exports.got = global.global === global":                                                                                                   "true",
		"exports.got = typeof self == 'object' && self && self.Object === Object":                                                                  "true",
		"exports.got = Function('return this')().Object === Object":                                                                                "true",
		"exports.got = new Function(' return this; ')().Object === Object":                                                                         "true",
		"exports.got = globalThis.Object === Object":                                                                                               "true",
		"exports.got = this === exports && this === module.exports":                                                                                "true",
		"(function (r, f) { if (typeof exports === 'object') module.exports = f(); else r.m = f(); })(this, function () { return {got: 'umd'}; })": "umd",
		"(function (r, f) { typeof define === 'function' && define.amd ? define([], f) : (r.got = f()); })(this, function () { return 'this'; })":  "this",
		"const self = this, global = 1, process = 2, native = 3; exports.got = global + process + native":                                          6,
		"let global = typeof window; exports.got = global":                                                                                         "undefined",
		"exports.got = typeof process.nextTick + Object.prototype.toString.call(process)":                                                          "function[object process]",
		"process.env.A = 1; exports.got = Object.keys(process.env).length + require('process').env.A":                                              2,
		"exports.got = Object.keys(process.env).length":                                                                                            0,
		"exports.got = [typeof setTimeout, typeof setImmediate, typeof console.log, typeof Buffer.from].join()":                                    "function,function,function,function",
		"exports.got = typeof require('lodash').get + typeof _.contains":                                                                           "functionfunction",
	} {
		got := run(t, body("user.got = require('m').got;"+passes), options(source))
		value := got.user
		if !got.passed || fmt.Sprint(decoded(value.Properties["got"])) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
	for _, source := range []string{
		"Function('return 1')()", "new Function('a', 'return this')", "Function('return this.x')()",
		"(0, eval)('this')", "Function()",
	} {
		run(t, body("require('m');"+passes), options("exports.got = "+source)).
			expect(t, delegation.CodeRuleFailed, "Error")
	}
}

// TestGlobalOfModules: the global of a module is that of the rules.
func TestGlobalOfModules(t *testing.T) {
	options := jsrules.Options{Set: &jsrules.Set{}, Modules: map[string]jsrules.Module{
		"m": {Source: "exports.add = function () { global.n = (global.n || 0) + 1; return global.n; }"},
	}}
	for want := 1; want <= 3; want++ {
		got := run(t, body("user.got = require('m').add();"+passes), options)
		if !got.passed || !sameJSON(got.user.Properties["got"], want) {
			t.Errorf("got %v, %v, want %d", got.err, got.user, want)
		}
	}
}

// TestUnusedLibraries: a rule that uses no library allocates no more than the same rule on goja
// alone, and one that only mentions a name of a global does not load its library. One that uses
// lodash allocates at most 15 % more than lodash on goja alone, for the guards.
func TestUnusedLibraries(t *testing.T) {
	ours := testing.AllocsPerRun(50, ours(t))
	bare := testing.AllocsPerRun(50, bareGoja(t))
	if ours > bare {
		t.Errorf("%.0f allocations, and %.0f on goja alone", ours, bare)
	}
	mentions := delegation.Must(jsrules.Compile("mentions",
		body("var kinds = {async: '_'}; if (user.never) kinds = _.omit(kinds, 'async');"+passes),
		jsrules.Options{}))
	allocations := testing.AllocsPerRun(50, func() {
		if err := mentions(t.Context(), benchmarkUser(), benchmarkContext()); err != nil {
			t.Fatal(err)
		}
	})
	lodash := testing.AllocsPerRun(5, oursWithLodash(t))
	if alone := testing.AllocsPerRun(5, bareGojaWithLodash(t)); lodash > 1.15*alone {
		t.Errorf("lodash: %.0f allocations, and %.0f on goja alone", lodash, alone)
	}
	if allocations > lodash/5 {
		t.Errorf("%.0f allocations without a library, %.0f with lodash", allocations, lodash)
	}
}

// TestNextTick: what nextTick, promises and timers of libraries are given runs in Node's order,
// with its arguments.
func TestNextTick(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: `
		module.exports = function (done) {
			var said = [];
			function say(a, b) { said.push(a + (b || '')); }
			setTimeout(say, 1, 'timer');
			setImmediate(say, 'immediate');
			process.nextTick(say, 'tick', '!');
			Promise.resolve('promise').then(say);
			say('now');
			setTimeout(function () { done(said.join()); }, 5);
		};`}}}
	got := run(t, body("require('m')(function (said) { user.got = said;"+passes+" });"), options)
	want := "now,tick!,promise,immediate,timer"
	if !got.passed || got.user.Properties["got"] != want {
		t.Errorf("got %v, %v, want %s", got.err, got.user, want)
	}
	for source, text := range map[string]string{
		"process.nextTick(1)": "nextTick needs a function",
		"process.nextTick(function () { throw new Error('late'); })": "late",
	} {
		run(t, body("require('m'); setTimeout(function () {}, 1);"),
			jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: source}}}).
			expect(t, delegation.CodeRuleFailed, text)
	}
	bluebird := run(t, body("require('bluebird').reject(new Error('lost'));"), jsrules.Options{})
	bluebird.expect(t, delegation.CodeRuleFailed, "")
	if !strings.Contains(bluebird.err.Error(), "lost") {
		t.Errorf("the error does not say what was rejected: %v", bluebird.err)
	}
}

// TestPrototypesStayClean: what a user writes into metadata does not become a property of other
// objects, whichever function of lodash copies it.
func TestPrototypesStayClean(t *testing.T) {
	metadata := `JSON.parse('{"__proto__": {"admin": true}, "constructor": {"prototype": {"admin": true}}}')`
	for _, library := range []string{"_", "require('lodash')"} {
		for _, copies := range []string{
			"merge({}, %s)", "defaults({}, %s)", "extend({}, %s)", "cloneDeep(%s)",
			"merge({a: {}}, {a: %s})", "merge([{}], [%s])",
		} {
			call := library + "." + fmt.Sprintf(copies, metadata)
			got := run(t, body(call+"; user.got = [({}).admin, [].admin, user.admin].join();"+
				passes), jsrules.Options{})
			if !got.passed || got.user.Properties["got"] != ",," {
				t.Errorf("%s: got %v, %v", call, got.err, got.user)
			}
		}
	}
}

// TestLibrariesBesideOthers: a rule that also loads a module of another kind, or reaches the global
// object, has all that such code can ask for.
func TestLibrariesBesideOthers(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: `
		exports.kinds = [typeof Buffer, typeof URL === typeof globalThis.URL, typeof setTimeout,
			typeof _, typeof BigInt].join();`}}}
	for source, want := range map[string]string{
		"(require('lodash'), require('m').kinds)":                                               "function,true,function,function,undefined",
		"(require('lodash'), require('m' + '').kinds)":                                          "function,true,function,function,undefined",
		"(require('lodash'), globalThis['Buf' + 'fer'].from('a') + '')":                         "a",
		"[require('lodash')].map(typeof require === 'function' ? (l) => l.VERSION : String)[0]": "4.18.1",
		"(require('lodash'), require('crypto').createHash('md5').update('a').digest('hex'))":    "0cc175b9c0f1b6a831c399e269772661",
	} {
		got := run(t, body("user.got = "+source+";"+passes), options)
		if !got.passed || got.user.Properties["got"] != want {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
	for _, source := range []string{
		"require('lodash').times(1, function () { new Uint8Array(4e9); })",
		"require('lodash').map([1], 'x'.repeat.bind('x', 1e9))",
		"_.map([1], function () { return new Array(4294967295).join('x'); })",
		"require('moment')(JSON.stringify(new Array(4294967295)))",
		"(require('lodash'), (function () {}).constructor('return 1')())",
	} {
		run(t, body(source+";"+passes), jsrules.Options{}).
			expect(t, delegation.CodeRuleFailed, "Error")
	}
}
