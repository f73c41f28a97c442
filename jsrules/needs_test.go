package jsrules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// needsOf lists the needs of a rule, one a line: place, kind, name, and "missing" if it is not
// available.
func needsOf(t testing.TB, source string, o jsrules.Options) string {
	t.Helper()
	rule, err := jsrules.Parse("rule", source, o)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range rule.Needs() {
		line := fmt.Sprintf("%d:%d %s %s", n.Line, n.Column, n.Kind, n.Name)
		if !n.Available {
			line += " missing"
			if n.Remedy == "" {
				t.Errorf("%s has no remedy", line)
			}
		}
		list = append(list, line)
	}
	return strings.Join(list, "\n")
}

// TestNeeds_Names: identifiers are needs if they are free, and only then.
func TestNeeds_Names(t *testing.T) {
	for source, want := range map[string]string{
		// names of the source
		"function (user, context, callback) { callback(null, user, context); }": "",
		"(u, c, cb) => cb(null, u, c)":                                          "",
		"function rule(u, c, cb) { rule; arguments; this.x; }":                  "",
		"function (u) { var a = 1; let b = a; const d = b; return d; }":         "",
		"function (u) { return later(); function later() {} }":                  "",
		"function (u) { hoisted; if (u) { var hoisted = 1; } }":                 "",
		"function (u) { for (var i = 0; i < 1; i++) { i; } i; }":                "",
		"function (u) { for (const x of []) { x; } for (let y in {}) { y; } }":  "",
		"function (u) { try { u(); } catch (e) { e.message; } }":                "",
		"function (u) { try { u(); } catch ({ message }) { message; } }":        "",
		"function (u) { class A { m() { return A; } } return new A(); }":        "",
		"function (u) { return class B { static { B; } }; }":                    "",
		"function (u) { label: for (;;) { continue label; } }":                  "",
		"function (u) { var { a, b: { d }, ...rest } = u; a + d + rest; }":      "",
		"function (u) { const [a, , b = a, ...rest] = u; b + rest; }":           "",
		"function (u, { x }, [y], z = y, ...more) { x + z + more; }":            "",
		"function (u) { return ({ name: 1, m() {}, get g() { return 1; } }); }": "",
		"function (u) { u.request.lodash.name; u?.moment?.(); }":                "",
		"function (u) { if (typeof request !== 'undefined') request(u); }":      "",
		"function (u) { return typeof fetch === 'function' && fetch(u); }":      "",
		"function (u) { return typeof a === 'undefined' ? 1 : a; }":             "",
		"function (u) { if (typeof a === 'undefined') { return; } a(); }":       "",
		"function (u) { if (!(typeof a == 'undefined') && u) { a(); } }":        "",
		"function (u) { leaked = 1; leaked += 1; }":                             "",
		"function (u) { [one, { two }] = u; one + two; }":                       "",
		"function (u) { JSON.parse(Math.max(parseInt, undefined, NaN)); }":      "",
		"function (u) { u instanceof Function; }":                               "",
		"function (u) { with (u) { anything; } }":                               "",
		// names from outside
		"function (u) { request(u); }":                    "1:16 global request missing",
		"function (u) { return { lodash }; }":             "1:25 global lodash missing",
		"function (u) { return { [key]: 1 }; }":           "1:26 global key missing",
		"function (u) { return `a ${who}`; }":             "1:28 global who missing",
		"function (u) { u[index]; }":                      "1:18 global index missing",
		"function (u, c = outer) { var outer; }":          "1:18 global outer missing",
		"function (u) { class A extends Base {} }":        "1:32 global Base missing",
		"function (u) { var { a = other } = u; }":         "1:26 global other missing",
		"function (u) { for (x of list) { x; } }":         "1:26 global list missing",
		"function (u) { ({ a: u.b } = given); }":          "1:30 global given missing",
		"function (u) { 'use strict'; leaked = 1; }":      "1:30 global leaked missing",
		"function (u) { if (typeof a != 'undefined') b }": "1:45 global b missing",
		"function (u) { if (typeof a == 'undefined') a }": "1:45 global a missing",
		"function (u) { 'use strict'; { function inner() {} } inner; }": "1:54 global " +
			"inner missing",
		"function (u) { eval('1'); }":                      "1:16 global eval missing",
		"function (u) { new Function('1'); }":              "1:20 global Function missing",
		"(u) => arguments":                                 "1:8 global arguments missing",
		"function (u) { async () => { await fetch(u); } }": "1:36 global fetch missing",
		"function (u) { console.log(Buffer); }": "1:16 global console\n" +
			"1:28 global Buffer",
		"function (u) {\n  setTimeout(u);\n  setTimeout(u);\n}": "2:3 global setTimeout",
	} {
		if got := needsOf(t, source, jsrules.Options{}); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", source, got, want)
		}
	}
}
