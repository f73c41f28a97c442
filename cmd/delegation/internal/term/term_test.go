package term_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// TestLeaf: every kind of value that a rule can set, and none of it.
func TestLeaf(t *testing.T) {
	var b strings.Builder
	for _, value := range []any{
		"", "a b", []string{}, []string{"one"}, []string{"one", "t w"},
		map[string]string(nil), map[string]string{"b": "2", "a": ""},
		delegation.Mappings{"a": "x"}, map[string][]string{"a": {"x", "y"}},
		false, true, time.Duration(0),
	} {
		b.WriteString(term.Leaf("v", value).String())
	}
	b.WriteString(term.JSONLeaf("p", `{"a":["b"]}`).String())
	b.WriteString(term.JSONLeaf("p", `{"a`).String())
	b.WriteString(term.JSONLeaf("p", "").String())
	const want = `v: (none)
v: "a b"
v: (none)
v: one
v:
|- one
` + "`" + `- "t w"
v: (none)
v:
|- a: (none)
` + "`" + `- b: 2
v:
` + "`" + `- a: x
v:
` + "`" + `- a:
   |- x
   ` + "`" + `- y
v: false
v: true
v: 0s
p:
   {
     "a": [
       "b"
     ]
   }
p: "{\"a"
p: (none)
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

// TestShown: a value is as it is only if it has no character that a terminal or a reader may take
// for something else.
func TestShown(t *testing.T) {
	for value, want := range map[string]string{
		"":                         `""`,
		"auth0|alice":              "auth0|alice",
		"alice+x@example.com":      "alice+x@example.com",
		"arn:aws:iam::1:role/a/b":  "arn:aws:iam::1:role/a/b",
		"rules[0].javascript":      "rules[0].javascript",
		"a b":                      `"a b"`,
		"(none)":                   `"(none)"`,
		`a"b`:                      `"a\"b"`,
		"Müller":                   `"Müller"`,
		"\xff\x1b":                 `"\xff\x1b"`,
		"a\n":                      `"a\n"`,
		strings.Repeat("x", 5_000): strings.Repeat("x", 5_000),
	} {
		if got := term.Shown(value); got != want {
			t.Errorf("%q is shown as %s", value, got)
		}
	}
	got, want := term.Escaped("it's \"so\"\x1b[0m\n\u202e"), `it's "so"\x1b[0m\n`+`\u202e`
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestQuoteForShell: a shell gets back what was quoted, whatever it is.
func TestQuoteForShell(t *testing.T) {
	for _, text := range []string{
		"", "a b", "it's", `$(touch x) "$HOME" \ ` + "`id`", "two\nlines", "'''", "-n", "!x",
	} {
		out, err := exec.Command("sh", "-c", "printf %s "+term.QuoteForShell(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q became %q, %v", text, out, err)
		}
	}
}

// TestShellWord: only what a shell would change is in quotes.
func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{
		"a/b.yaml": "a/b.yaml",
		"":         "''",
		"a b":      "'a b'",
		"it's":     `'it'\''s'`,
		"$a":       "'$a'",
		"-chdir=a": "-chdir=a",
		"a\n":      "'a\n'",
	} {
		if got := term.ShellWord(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestTable: names have one width in characters, and no line ends in blanks.
func TestTable(t *testing.T) {
	got := term.Table([]term.Row{{"é", "ok", ""}, {"longer", "ok", "what"}})
	if want := "é       ok\nlonger  ok  what\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// TestColumns: columns are as wide as their widest cell that is not too wide, counted in
// characters, and no line ends in blanks.
func TestColumns(t *testing.T) {
	got := term.Columns([][]string{
		{"é", "b", ""}, {"long", "much longer", "c"}, {"x", "d", "e"}, {},
	}, 4)
	if want := "é     b\nlong  much longer  c\nx     d  e\n\n"; got != want {
		t.Errorf("got %q", got)
	}
}
