package jsrules_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestRegExpAsNode: what rules do with regular expressions, by literals, by constructors and by the
// functions of strings, has the result that it has in Node. testdata/regexp/generate.js has written
// Node's.
func TestRegExpAsNode(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(string(must(os.ReadFile("testdata/regexp/node.txt")))),
		"\n")
	if len(lines) < 120 {
		t.Fatalf("only %d expressions", len(lines))
	}
	for _, line := range lines {
		expression, text, _ := strings.Cut(line, "\t")
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		rule := compile(t,
			body("var got; try { got = "+expression+"; } catch (e) { got = 'throws ' + e.name; }\n"+
				"user.got = got === undefined ? null : got;"+passes), jsrules.Options{})
		user := benchmarkUser()
		if err := rule(t.Context(), user, benchmarkContext()); err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		if got := user.Properties["got"]; !sameJSON(got, want) {
			t.Errorf("%s: got %s, want %s", expression, must(json.Marshal(got)), text)
		}
	}
}

// TestRegExpLiterals: a literal that is no regular expression, or none that is supported, does not
// compile, and the error says where it is; made at run time it is a SyntaxError.
func TestRegExpLiterals(t *testing.T) {
	for _, literal := range []string{
		`/\p{Nope}/u`, `/\p{Emoji}/u`, `/\p{Script_Extensions=Greek}/u`, `/\pL/u`, `/\p/u`,
		`/(?<n>a)(?<n>b)/`,
		`/a/v`, `/a/gg`, `/[b-a]/`, `/a**/`, `/\k<n>/u`, `/(?<=a)*/`, `/{1}/u`, `/[\d-x]/u`,
	} {
		_, err := jsrules.Compile("rule",
			"function (user, context, callback) {\n  var re = "+literal+";\n callback(null) }",
			jsrules.Options{})
		var wrong *jsrules.Error
		if !errors.As(err, &wrong) || wrong.Line != 2 || wrong.Column != 12 ||
			!strings.Contains(err.Error(), "SyntaxError") {
			t.Errorf("%s: got %v", literal, err)
		}
		at := strings.LastIndexByte(literal, '/')
		pattern, flags := must(json.Marshal(literal[1:at])), literal[at+1:]
		for _, use := range []string{
			"new RegExp(" + string(pattern) + ", '" + flags + "').test('p{Nope}')",
			"'p{Nope}'.replace(RegExp(" + string(pattern) + ", '" + flags + "'), '')",
		} {
			run(t, body(use+passes), jsrules.Options{}).
				expect(t, delegation.CodeRuleFailed, "SyntaxError")
		}
	}
	_, err := jsrules.Compile("rule", classic, jsrules.Options{Modules: map[string]jsrules.Module{
		"m": {Source: "var a;\nmodule.exports = /\\p{Nope}/u;"},
	}})
	if err == nil || !strings.Contains(err.Error(), `module "m"`) ||
		!strings.Contains(err.Error(), "line 2, column 18") {
		t.Errorf("a module: got %v", err)
	}
}

// TestRegExpOfModules: patterns of a module, and of what it makes at run time, match as a rule's
// do.
func TestRegExpOfModules(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{
		"check": {
			Source: "exports.literal = s => /^staff$/i.test(s); " +
				"exports.made = (p, s) => new RegExp(p, 'i').test(s); " +
				"exports.search = s => s.search(/k/i);",
		},
	}}
	got := run(t, body(`var check = require('check');
		user.got = [check.literal('\u017ftaff'), check.literal('STAFF'), check.made('k', '\u212a'), check.search('\u212ak')];`+passes), options)
	if !got.passed || !sameJSON(got.user.Properties["got"], []any{false, true, false, 1}) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}

// TestBufferEncodings: the names of encodings are ASCII, whatever folds to it.
func TestBufferEncodings(t *testing.T) {
	got := run(t,
		body(
			`user.got = ['UTF8', 'utf-8', 'base64', 'BASE64URL', 'hex', 'latin1', 'binary', 'ascii', 'ba\u017fe64', 'utf', 'hex\n', 8]
		.map(Buffer.isEncoding);`+passes), jsrules.Options{})
	want := []any{true, true, true, true, true, true, true, true, false, false, false, false}
	if !got.passed || !sameJSON(got.user.Properties["got"], want) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
}

// TestRegExpCompile_AfterAnotherRule: a rule that compiles anew what it has matched gets the new
// pattern, also if a rule before it had regular expressions and did not mention compile.
func TestRegExpCompile_AfterAnotherRule(t *testing.T) {
	rules := folder(t, jsrules.Options{},
		body(`user.first = [/a/.test('a')].map(String).join();`+passes),
		body(`var re = /a/; re.test('a'); re.compile('b'); user.got = re.test('b');`+passes))
	user, rc := benchmarkUser(), benchmarkContext()
	for _, rule := range rules {
		if err := rule(t.Context(), user, rc); err != nil {
			t.Fatal(err)
		}
	}
	if user.Properties["got"] != true {
		t.Errorf("the rule matched with its former pattern")
	}
}
