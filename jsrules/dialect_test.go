package jsrules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// TestDialect: a source that goja reads in another way than Node, or cannot read, has an error with
// its place and what to write instead. What only looks like it compiles.
func TestDialect(t *testing.T) {
	for source, want := range map[string]string{
		"if (1 < 2 < 3) {}":                                  "2:9 a < b && b < c",
		"if (18 <= user.age <= 65) {}":                       "2:11 (a < b) < c",
		"return 'a' in user in context;":                     "2:15 a < b && b < c",
		"return 1 < (2) < 3;":                                "2:13 a < b && b < c",
		"return 1 < f(')') < (3);":                           "2:12 a < b && b < c",
		"return user <!--context":                            "2:13 write //",
		"return 1;\n--> a comment":                           "3:3 write //",
		"<!-- a comment\nreturn 1;":                          "2:1 write //",
		"{ function f() {} } f();":                           "2:21 var f = function",
		"if (user) function f() {}\nreturn f;":               "3:8 var f = function",
		"for (const x of []) { function g() {} } () => g();": "2:47 var g = function",
		"switch (1) { case 1: function h() {} } typeof h;":   "2:47 var h = function",
		"for await (const x of []) {}":                       "2:5 inside a for loop",
		"async function* g() {}":                             "2:1 a promise of a list",
		"const o = {async *g() {}};":                         "2:19 a promise of a list",
		"import('fs');":                                      "2:1 use require",
		"return /a/dg;":                                      "2:8 use index",
		"const {a: [b = 1] = []} = user;":                    "2:12 statement of its own",

		"return (1 < 2) < 3;":                                              "",
		"return 1 < (2 < 3);":                                              "",
		"return 1 < ((f(')') + '(') < 3);":                                 "",
		"return 1 < 2 === 2 > 1 && 3 < 4;":                                 "",
		"return user < !--context.a;":                                      "",
		"while (user.n --> 0) {}":                                          "",
		"var s = '<!-- -->'; /* <!-- */ return `<!--${s}`;":                "",
		"{ function f() {} f(); }":                                         "",
		"'use strict'; { function f() {} } typeof f;":                      "",
		"{ function f() {} } return [1].map((f) => f);":                    "",
		"{ function f() {} } return {f: user.f, f() {}}.f;":                "",
		"{ function f() {} } function g() { var f = 1; return f; }":        "",
		"{ async function f() {} }":                                        "",
		"if (user) { function f() {} f(); } else { function f() {} f(); }": "",
		"class A { m() { { function f() {} } return 1; } }":                "",
		"f: for (;;) { { function f() {} } break f; }":                     "",
	} {
		_, err := jsrules.Compile("rule", body(source), jsrules.Options{})
		var wrong *jsrules.Error
		if !errors.As(err, &wrong) {
			if err != nil || want != "" {
				t.Errorf("%s: got %v, want %q", source, err, want)
			}
			continue
		}
		place, remedy, _ := strings.Cut(want, " ")
		got := fmt.Sprintf("%d:%d", wrong.Line, wrong.Column)
		if want == "" || got != place || !strings.Contains(err.Error(), remedy) {
			t.Errorf("%s: got %v, want %q", source, err, want)
		}
	}
}

// TestDialect_Modules: a module is read as a rule is.
func TestDialect_Modules(t *testing.T) {
	_, err := jsrules.Compile("rule", classic, jsrules.Options{Modules: map[string]jsrules.Module{
		"m": {Source: "var a;\nmodule.exports = 1 < a < 3;"},
	}})
	if err == nil || !strings.Contains(err.Error(), `module "m"`) ||
		!strings.Contains(err.Error(), "line 2, column 22") {
		t.Errorf("got %v", err)
	}
}
