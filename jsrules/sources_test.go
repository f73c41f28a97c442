package jsrules_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestModules_Errors: a mistake in the source of a module has its place there, also in the first
// line, and the error says what to write instead.
func TestModules_Errors(t *testing.T) {
	for source, want := range map[string]struct {
		line, column int
		text         string
	}{
		"exports.a = = 1;":        {1, 13, "SyntaxError: "},
		"\n\nexports.a = = 1;":    {3, 13, "SyntaxError: "},
		"exports.x = 5n;":         {1, 13, "BigInt is not supported"},
		"var x = 1;\nx = x * 3n;": {2, 9, "BigInt is not supported"},
		"exports.a = 1 < 2 < 3;":  {1, 17, "chain of comparisons"},
		"exports.a = /a(?<b)/;":   {1, 13, "SyntaxError: "},
		"exports.f = function* () {}; const a = 1; const a = 2;": {1, 49, "SyntaxError: "},
		"exports.f = async (l) => { for await (const x of l) x(); };": {
			1, 32, "for await is not supported: await each element",
		},
		"var f;\nf = async function* () {};": {2, 5, "async generators are not supported"},
	} {
		_, err := jsrules.Compile("rule", body(passes), jsrules.Options{
			Modules: map[string]jsrules.Module{"teams": {Source: source}},
		})
		var failure *jsrules.Error
		if !errors.As(err, &failure) || failure.Line != want.line ||
			failure.Column != want.column || !strings.Contains(err.Error(), want.text) ||
			!strings.Contains(err.Error(), `module "teams"`) {
			t.Errorf("%s: got %v, want line %d, column %d, %s", source, err, want.line,
				want.column, want.text)
		}
	}
}

// TestBigInt_Out: a BigInt that a rule leaves is an error, and no claim that disappears.
func TestBigInt_Out(t *testing.T) {
	err := jsrules.OutBigInt()
	if !errors.Is(err, jsrules.ErrValue) || !strings.Contains(err.Error(), "is a BigInt") {
		t.Errorf("got %v", err)
	}
}

// TestNames_RuleAndModule: an error in a rule has the line of the rule, also if the error is made
// in a module of the same name.
func TestNames_RuleAndModule(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{
		"roles": {Source: "\n\n\n\n\n\nexports.of = (user) => user.none.of;"},
	}}.WithClock(standing())
	for name, source := range map[string]string{
		"roles":       body("var a;\nrequire('roles').of(user);\n" + passes),
		"rule:roles":  body("var a;\nrequire('roles').of(user);\n" + passes),
		"lodash":      body("var a;\nrequire('lodash').map([1], () => { throw new Error('x'); });"),
		"fetch.js":    body("var a;\nthrow new Error('x');"),
		"node:crypto": body("var a;\nrequire('crypto').createHash('none');"),
	} {
		rule, err := jsrules.Compile(name, source, options)
		if err != nil {
			t.Fatal(err)
		}
		got := exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{})
		var failure *jsrules.Error
		if !errors.As(got.err, &failure) || failure.Line != 3 || failure.Rule != name {
			t.Errorf("%s: got %v", name, got.err)
		}
	}
	action, err := jsrules.CompileAction("roles", "const roles = require('roles');\n"+
		"exports.onExecutePostLogin = async (event) => {\n\troles.of(event.user);\n};", options)
	if err != nil {
		t.Fatal(err)
	}
	got := exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{}, delegation.Request{})
	var failure *jsrules.Error
	if !errors.As(got.err, &failure) || failure.Line != 3 {
		t.Errorf("the Action: got %v", got.err)
	}
}

// TestLocaleCompare_Accents: where goja makes another letter of a Cyrillic one and an accent, and
// Node does not, the order is refused. The answers are those of Node 20.
func TestLocaleCompare_Accents(t *testing.T) {
	const refused = "throws RangeError"
	for pair, want := range map[string]any{
		`'\u0413\u0431', '\u0413\u0301'`: refused,
		`'\u043a\u0301', '\u043a\u0431'`: refused,
		`'\u0413\u0300', '\u0413'`:       refused,
		`'\u0410\u0431', '\u0410\u0308'`: refused,
		`'\u0418\u0308', '\u0418'`:       refused,
		`'\u0418\u044f', '\u0418\u0306'`: -1,
		`'\u0413\u0431', '\u0413'`:       1,
		`'e\u0301', 'e'`:                 1,
	} {
		got := run(t, body("try { user.got = ((a, b) => a.localeCompare(b))("+pair+"); } "+
			"catch (e) { user.got = 'throws ' + e.name; }"+passes), jsrules.Options{})
		if !got.passed || !sameJSON(got.user.Properties["got"], want) {
			t.Errorf("%s: got %v, %v, want %v", pair, got.user, got.err, want)
		}
	}
}
