package jsrules_test

import (
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestGlobalFunctions: functions that a rule leaves in global are there for the next rules of the
// same exchange, with all that JSON does not carry; the next exchange begins without them.
func TestGlobalFunctions(t *testing.T) {
	define := body(`
		var secret = 'kept';
		global.refuse = function (reason) { return new UnauthorizedError(reason); };
		global.tools = {upper: s => s.toUpperCase(), count: 0, secret: () => secret};
		global.map = new Map([['a', 1]]);
		global.pattern = /^a+$/i;
		global.plain = {n: 1};
		global.Team = class { constructor(name) { this.name = name; } hello() { return 'hello ' + this.name; } };
		global.team = new global.Team('press');` + passes)
	use := body(`
		global.tools.count++;
		global.plain.n++;
		user.saw = [global.tools.upper('x'), global.tools.count, global.tools.secret(), global.map.get('a'),
			global.pattern.test('AA'), global.plain.n, global.team.hello(), new global.Team('x') instanceof global.Team];` + passes)
	again := body("user.again = [global.tools.count, global.plain.n, typeof global.refuse];" +
		passes)
	refuses := body("return callback(global.refuse('not you'));")
	golang := func(t *testing.T, rules []delegation.RuleFunc) outcome {
		return exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	}

	rules := folder(t, jsrules.Options{}, define, use, again)
	got := golang(t, rules)
	want := []any{"X", 1, "kept", 1, true, 2, "hello press", true}
	if !got.passed || !sameJSON(got.user.Properties["saw"], want) {
		t.Errorf("got %v, %v, want %v", got.err, got.user, want)
	}
	if want := []any{1, 2, "function"}; !sameJSON(got.user.Properties["again"], want) {
		t.Errorf("the third rule saw %v, want %v", got.user.Properties["again"], want)
	}
	golang(t, folder(t, jsrules.Options{}, define, refuses)).
		expect(t, delegation.CodeDenied, "not you")

	remembers := body(
		"var E = UnauthorizedError; global.make = function (r) { return new E(r); };" + passes)
	own := body(
		"if (user.never) return callback(new UnauthorizedError('x')); callback(global.make('not you'));")
	golang(t, folder(t, jsrules.Options{}, remembers, own)).
		expect(t, delegation.CodeDenied, "not you")
	for value, read := range map[string]string{
		"new Map([['a', 1]])":           "global.x.get('a')",
		"new Set([1])":                  "+global.x.has(1)",
		"/^a$/i":                        "+global.x.test('A')",
		"NaN":                           "+isNaN(global.x)",
		"new Date(1)":                   "global.x.getTime()",
		"{deep: [new Map([['a', 1]])]}": "global.x.deep[0].get('a')",
		"Object.create({inherited: 1})": "global.x.inherited",
		"Symbol.iterator":               "+(global.x === Symbol.iterator)",
		"(class { static get one() { return 1; } })": "global.x.one",
		"new Uint8Array([1])":                        "+(global.x instanceof Uint8Array)",
		"Promise.resolve(1)":                         "+(typeof global.x.then === 'function')",
	} {
		rules := folder(t, jsrules.Options{}, body("global.x = "+value+";"+passes),
			body("user.x = "+read+";"+passes))
		if got := golang(t, rules); got.user == nil || !sameJSON(got.user.Properties["x"], 1) {
			t.Errorf("%s: got %v, %v", value, got.err, got.user)
		}
	}

	// The next exchange has what JSON carries, and no function.
	next := golang(t, []delegation.RuleFunc{
		folder(t, jsrules.Options{Set: &jsrules.Set{}}, define)[0],
	})
	if !next.passed {
		t.Fatal(next.err)
	}
	set := &jsrules.Set{}
	first := compile(t, define, jsrules.Options{Set: set})
	second := compile(t, body("user.saw = [typeof global.refuse, global.plain.n];"+passes),
		jsrules.Options{Set: set})
	golang(t, []delegation.RuleFunc{first})
	got = golang(t, []delegation.RuleFunc{second})
	if !sameJSON(got.user.Properties["saw"], []any{"undefined", 1}) {
		t.Errorf("another exchange saw %v", got.user.Properties["saw"])
	}
}

// TestGlobalFunctionsOfEachRule: a function that rules define only if it is not there yet is the
// first rule's, and calling the callback of an earlier rule is the later rule's answer.
func TestGlobalFunctionsOfEachRule(t *testing.T) {
	source := func(name string) string {
		return body("global.who = global.who || function () { return '" + name + "'; };\n" +
			"user." + name + " = global.who();" + passes)
	}
	rules := folder(t, jsrules.Options{}, source("a"), source("b"))
	got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	if !got.passed || got.user.Text("a") != "a" || got.user.Text("b") != "a" {
		t.Errorf("got %v, %v", got.err, got.user)
	}
	leaves := body("global.end = function (e) { return callback(e); };" + passes)
	for call, want := range map[string]delegation.Code{
		"global.end(new UnauthorizedError('no'));":             delegation.CodeDenied,
		"global.end(new Error('no'));":                         delegation.CodeRuleFailed,
		"global.end(null); callback(null);":                    delegation.CodeRuleFailed,
		"global.end(new UnauthorizedError('no')); callback();": delegation.CodeRuleFailed,
	} {
		rules := folder(t, jsrules.Options{}, leaves, body(call))
		exchange(t, rules, nil, delegation.AWS{}, delegation.Request{}).expect(t, want, "")
	}
}

// TestGlobalFunctionsAreGuarded: what guards a rule guards those that go on in its runtime, also if
// the first rule had nothing to guard, and limits count anew.
func TestGlobalFunctionsAreGuarded(t *testing.T) {
	plain := "function (user, context, callback) { global.f = function () {}; " +
		"callback(null, user, context); }"
	lists := body(
		"global.g = function () { return [1, [2]].flat(); }; JSON.stringify([]); /a/.test('a');" +
			passes)
	for name, statement := range map[string]string{
		"repeat":      "'x'.repeat(1e9)",
		"flat":        "var a = []; a.push(a, a); a.flat(Infinity)",
		"join":        "new Array(4294967295).join('x')",
		"JSON":        "JSON.stringify(new Array(4294967295))",
		"typed array": "new Uint8Array(4e9)",
		"eval":        "eval('1')",
		"Function":    "new Function('return 1')()",
		"constructor": "(function () {}).constructor('return 1')()",
		"spread":      "[...new Array(4294967295)]",
	} {
		for _, first := range []string{plain, lists} {
			rules := folder(t, jsrules.Options{}, first, body(statement+passes), body(passes))
			got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
			got.expect(t, delegation.CodeRuleFailed, "Error")
			if got.event.Rule != "02-rule" {
				t.Errorf("%s: the event names %q", name, got.event.Rule)
			}
		}
	}
}

// TestKeptArguments: what timers and promises are given stays what it was, whatever is called
// meanwhile.
func TestKeptArguments(t *testing.T) {
	noise := "(function (a, b, c, d, e, f) { return [a, b, c, d, e, f]; })(" +
		"'o1', 'o2', 'o3', 'o4', 'o5', 'o6');"
	for schedule, want := range map[string]any{
		"setTimeout(done, 1, 'mine', 'too');": "mine,too",
		"setImmediate(done, 'mine', 'too');":  "mine,too",
		"var id = setInterval(function (a, b) { clearInterval(id); done(a, b); }, 1, 'mine', 'too');": "mine,too",
		"var n = 0; setInterval(function (a, b) { " + noise +
			" if (++n == 3) done(a, b); }, 1, 'mine', 'too');": "mine,too",
		"Promise.resolve('mine').then(function (a) { done(a, 'too'); });":       "mine,too",
		"new Promise(function (r) { r('mine'); }).then(a => done(a, 'too'));":   "mine,too",
		"new Promise(r => setTimeout(r, 5, 'mine')).then(a => done(a, 'too'));": "mine,too",
		"setTimeout(done.bind(null, 'mine', 'too'), 1);":                        "mine,too",
		"(function () { var kept = arguments; setTimeout(() => done(kept[0], kept[1]), 1); " +
			"})('mine', 'too');": "mine,too",
		"((...kept) => setTimeout(() => done(...kept), 1))('mine', 'too');": "mine,too",
		"setTimeout.apply(null, [done, 1, 'mine', 'too']);":                 "mine,too",
		"setTimeout(setTimeout, 1, done, 1, 'mine', 'too');":                "mine,too",
		"setTimeout(done, 1);": ",",
	} {
		got := run(t,
			body(
				"function done(a, b) { user.got = [a, b].join(); callback(null, user, context); }\n"+
					schedule+noise+noise), jsrules.Options{})
		if !got.passed || got.user.Properties["got"] != want {
			t.Errorf("%s: got %v, %v, want %v", schedule, got.err, got.user, want)
		}
	}
	late := run(t, body("setTimeout(callback, 1, new UnauthorizedError('late'));"+noise),
		jsrules.Options{})
	late.expect(t, delegation.CodeDenied, "late")
}

// TestKeptLanguage: a rule that runs in the runtime of an earlier one has the same language as one
// that runs alone, whatever the earlier one mentions of it.
func TestKeptLanguage(t *testing.T) {
	for use, want := range map[string]any{
		"new Date(0).getHours()":                      0,
		"new Date(0).setHours(1)":                     3600000,
		"String(JSON.parse('1e400'))":                 "Infinity",
		"Math.sign([])":                               0,
		"/(a)/.exec('a') && RegExp.$1":                "a",
		"typeof Symbol.asyncIterator":                 "symbol",
		"new Date(0).toLocaleTimeString()":            "12:00:00 AM",
		"[3, undefined, 1].toSorted((a, b) => a < b)": []any{3, 1, nil},
		"String([, 1].find(Number))":                  "1",
		"Number.parseInt('123456789012345678901234')": 123456789012345680000000.0,
		"global.since.getHours()":                     0,
	} {
		for _, earlier := range []string{
			"Date; JSON; Math; RegExp; Symbol; Number;",
			"user.sign + user.parse + user.getHours + user.setHours + user.$1;",
			"Date.now(); JSON.stringify({}); Math.max(1, 2); RegExp('a').test('a');",
		} {
			rules := folder(t, jsrules.Options{},
				body("global.f = function () {}; global.since = new Date(0); "+earlier+passes),
				body(earlier+passes),
				body("user.got = "+use+";"+passes))
			got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
			if !got.passed || !sameJSON(got.user.Properties["got"], want) {
				t.Errorf("%s after %s: got %v, %v", use, earlier, got.err, got.user)
			}
		}
	}
}
