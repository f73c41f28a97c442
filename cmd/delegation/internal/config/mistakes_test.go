package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// parserWords are words that an operator need not know.
var parserWords = regexp.MustCompile(`(?i)yaml:|unmarshal|!!|\bmapping\b|\bsequence\b|\bscalar\b|` +
	`\btokens?\b|\bnode\b|go value|delimiter|context|\bstring\b|\bint\b|\bbool\b|\[\d+:\d+\]`)

// errorOf is what is said of a file in the folder with the text, without the file's name; "" if it
// is taken.
func errorOf(t *testing.T, folder, text string) string {
	t.Helper()
	file := filepath.Join(folder, "delegation.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Load(file, nil)
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), file, "")
}

// TestMistakes: each mistake is named with its line, and its column or key, and with what to write
// instead. No word is of a parser.
func TestMistakes(t *testing.T) {
	const (
		keys = "must be keys with values (KEY: VALUE, each on a line of its own)"
		list = "must be a list ([ITEM, ITEM], or a line for each that begins with -)"
		name = "expected a key, a colon and a space, and not text alone: add what is missing, or " +
			"align the line with what it belongs to"
		align = "this line does not belong to the lines above it: align it with those that it " +
			"belongs to, and do not mix lines that begin with - and others"
		noAnchor = "no value above has the name that follows *: write & and that name in front " +
			"of the value, or quote a text that begins with *"
		percent = "a line with % in front belongs above a line ---: remove it, or quote a text " +
			"that begins with %"
		block = "after | or > the text begins in the next line: begin a line, or put the text in " +
			"quotes"
		tab    = "a tab in front of a key: indent with spaces"
		letter = "a text cannot begin with this character: put it in quotes"
	)
	for _, row := range []struct{ name, text, want string }{
		{"tab", "listen: a\n\tdebug_listen: b\n", ":2: column 1: " + tab},
		{"tab below a key", "tls:\n\tkey_file: b\n", ":2: column 1: " + tab},

		{"indented too far", "tls:\n  certificate_file: a\n   key_file: b\n",
			":3: column 4: this line is indented further than the line above it, which has a " +
				"value: begin it in column 3, or remove that value"},
		{"indented too little", "tls:\n  certificate_file: a\n key_file: b\n",
			":3: column 2: " + align},
		{"first line indented", "  listen: a\nlog: {}\n", ":2: column 1: " + align},
		{"list item indented too little", "issuers:\n  - url: a\n - url: b\n",
			":3: column 2: " + align},
		{"key of a list item indented too little", "issuers:\n  - url: a\n   aliases: b\n",
			":3: column 4: " + align},
		{"list item indented too far", "issuers:\n- url: a\n  - url: b\n", ":3: column 3: " + name},
		{"list and keys", "- a\nb: c\n", ":2: column 1: " + align},
		{"text at the margin", "listen: |\nb\n", ":2: column 1: " + name},

		{"key twice", "listen: a\nlisten: b\n",
			`:2: column 1: the key "listen" appears twice, first in line 1: remove one of them`},
		{"key twice on a line", "tls: {key_file: a, key_file: b}\n",
			`:1: column 20: the key "key_file" appears twice, first in line 1: remove one of them`},

		{"double quote", "listen: \"a\nlog: {}\n",
			`:1: column 9: the quote " that begins here has no end: add "`},
		{"single quote", "listen: 'a\nlog: {}\n",
			`:1: column 9: the quote ' that begins here has no end: add '`},
		{"text after a quote", "listen: 'a'b\n",
			":1: column 12: text follows the end of the quote: put all of it in quotes"},
		{"backslash", `listen: "\q"`,
			`:1: column 11: \ and this character mean nothing within "": ` +
				`write \\ for one \, or use '`},
		{"bracket", "listen: [a\n", ":1: column 9: the [ that begins here has no end: add ]"},
		{"brace", "tls: {key_file: a\n", ":1: column 6: the { that begins here has no end: add }"},
		{"bracket that ends nothing", "listen: ]\n",
			":1: column 9: this ] ends nothing: remove it, or put the text in quotes"},
		{"at", "listen: @a\n", ":1: column 9: " + letter},
		{"backtick", "listen: `a\n", ":1: column 9: " + letter},
		{"percent", "listen: %a\n", ":1: column 9: " + percent},
		{"directive", "%YAML 1.1\nlisten: a\n", ":1: column 1: " + percent},
		{"version", "%YAML 3.0\n---\nlisten: a\n",
			":1: column 7: remove the line with %YAML: the version is 1.2"},
		{"colon in a value", "listen: a: b\n",
			":1: column 9: a value with a colon and a space: put it in quotes"},
		{"no space after a colon", "listen:a\n",
			":1: column 7: a space is missing after the colon of listen"},
		{"no colon", "listen\n", ":1: column 1: " + name},
		{"no colon, and more", "listen a\nlog: {}\n", ":1: column 1: " + name},
		{"no colon below", "listen: a\nlog\n", ":2: column 1: " + name},
		{"no space after a dash", "issuers:\n-url: a\n",
			":2: -url: unknown key: a list has a space after -"},
		{"dash on the line of its key", "listen: - a\n",
			":1: column 9: a list begins on a line of its own: write - in the next line, or [ ]"},
		{"question mark", "? listen\n: a\n",
			":1: listen: unknown key: write KEY: VALUE, without ?"},
		{"text on the line of its mark", "listen: > a\n", ":1: column 9: " + block},
		{"unknown mark of a text", "listen: |x\n b\n", ":1: column 9: " + block},
		{"list as a key", "targets: {[a]: {role: x}}\n",
			":1: column 14: a key is a text: put it in quotes"},
		{"key alone", "tls: {key_fil}\n", ":1: tls.key_fil: unknown key: did you mean key_file?"},

		{"list for text", "listen: [a]\n", ":1: listen: must be text, and not a list"},
		{"keys for text", "listen: {a: b}\n", ":1: listen: must be text, and not keys with values"},
		{"list for a text within", "targets: {a: {tags: {x: [y]}}}\n",
			":1: targets.a.tags.x: must be text, and not a list"},
		{"text for a number", "max_token_size: many\n", ":1: max_token_size: must be a whole number"},
		{"number with a unit", "max_token_size: 1k\n", ":1: max_token_size: must be a whole number"},
		{"fraction", "max_token_size: 1.5\n",
			":1: max_token_size: must be a whole number, and not a number with a fraction"},
		{"list for a number", "max_token_size: [1]\n",
			":1: max_token_size: must be a whole number, and not a list"},
		{"boolean for a number", "max_token_size: true\n",
			":1: max_token_size: must be a whole number, and not true or false"},
		{"number too large", "max_token_size: 99999999999999999999\n",
			":1: max_token_size: must be a whole number of at most 9223372036854775807"},
		{"text for a boolean", "strict_session_names: maybe\n",
			":1: strict_session_names: must be true or false"},
		{"yes", "strict_session_names: yes\n", ":1: strict_session_names: must be true or false"},
		{"number for a boolean", "strict_session_names: 1\n",
			":1: strict_session_names: must be true or false, and not a whole number"},
		{"text for a list", "issuers: https://x\n", ":1: issuers: " + list + ", and not text"},
		{"keys for a list", "issuers:\n  url: x\n",
			":2: issuers: " + list + ", and not keys with values"},
		{"text for keys", "tls: a\n", ":1: tls: " + keys + ", and not text"},
		{"number for keys", "tls: 1\n", ":1: tls: " + keys + ", and not a whole number"},
		{"list for keys", "targets: [a]\n", ":1: targets: " + keys + ", and not a list"},
		{"text for keys of a name", "targets: {a: b}\n",
			":1: targets.a: " + keys + ", and not text"},
		{"text for an item with keys", "issuers: [x]\n",
			":1: issuers[0]: " + keys + ", and not text"},
		{"two at once", "listen: [a]\nlog: b\n",
			":1: listen: must be text, and not a list\n:2: log: " + keys + ", and not text"},
		{"list for all", "- a\n", ":1: " + keys + ", and not a list"},
		{"number for all", "1\n", ":1: " + keys + ", and not a whole number"},

		{"no anchor", "listen: *nope\n", ":1: column 10: listen: " + noAnchor},
		{"no anchor to merge", "log: {<<: *x}\n", ":1: column 11: " + noAnchor},
		{"anchor in itself", "log: &a {<<: *a}\n", ":1: column 14: " + noAnchor},
		{"anchor of nothing", "listen: &a\n",
			":1: column 9: & and a name stand in front of a value, " +
				"which is missing: add it, or quote a text that begins with &"},
		{"anchor of another kind", "listen: &a x\nlog: *a\n",
			":2: log: " + keys + ", and not text"},
		{"merge of no keys", "log: {<<: a}\n", ":1: log.<<: " + keys + ", and not text"},

		{"two documents", "listen: a\n---\nlisten: b\n",
			":3: a second document begins here: a file can have only one"},
		{"UTF-16", "\xff\xfel\x00", ": is UTF-16: save it as UTF-8"},
		{"Latin-1", "log: {}\nlisten: é\xe9\n",
			":2: column 10: this is not UTF-8: save the file as UTF-8"},
		{"control character", "listen: a\x00b\n",
			":1: column 10: the control character U+0000: remove it"},
		{"escape character of a terminal", "log: {}\nlisten: \x1b[31m\n",
			":2: column 9: the control character U+001B: remove it"},
		{"carriage returns", "listen: a\r\nlog: [x]\r\n", ":2: log: " + keys + ", and not a list"},
		{"byte order mark, then a mistake", "\ufefflisten: [a]\n",
			":1: listen: must be text, and not a list"},
		{"huge", "listen: a\n" + strings.Repeat("# comment\n", 110_000),
			" is larger than 1048576 bytes"},

		// These are none.
		{"empty", "", ""},
		{"comment alone", "# nothing\n", ""},
		{"begin alone", "---\n", ""},
		{"byte order mark", "\ufefflisten: a\n", ""},
		{"byte order mark alone", "\ufeff", ""},
		{"carriage returns in order", "listen: a\r\nlog: {format: text}\r\n", ""},
		{"anchor and merge", "targets: {a: &a {role: x}, b: {<<: *a, region: y}}\n", ""},
		{"number for text", "targets: {a: {tags: {x: 1}}}\n", ""},
		{"nothing for all kinds", "listen:\nmax_token_size:\nissuers:\ntls:\n", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := errorOf(t, t.TempDir(), row.text); got != row.want {
				t.Errorf("got  %q\nwant %q", got, row.want)
			}
		})
	}
}

// TestMistakes_NoParserWords: whatever is in the file, what is said of it has no word of a parser,
// no line of the file, and a place.
func TestMistakes_NoParserWords(t *testing.T) {
	const good = `listen: 127.0.0.1:0
issuers:
  - url: "https://canary.example.com/"
targets: &t
  photo-app: {role: 'x', tags: {a: b}}
rules:
  - require_verified_email: true
`
	folder := t.TempDir()
	if got := errorOf(t, folder, good); got != "" {
		t.Fatal(got)
	}
	place := regexp.MustCompile(`\A(:\d+)?: `)
	changed, wrong := 0, 0
	for i := 0; i < len(good); i += 3 * sampling.Divisor {
		for _, text := range []string{
			"", "\t", "\n", " ", ":", "- ", "\"", "'", "[", "]", "{", "}", ",", "*", "&", "%", "@",
			"!", "|", "? ", "<<: ", "\n---\n", "#", "\x00", "\xff", "!t ", "*t", "\n...\n",
		} {
			changed++
			got := errorOf(t, folder, good[:i]+text+good[i+1:])
			if got == "" {
				continue
			}
			wrong++
			for line := range strings.Lines(got) {
				if word := parserWords.FindString(line); word != "" || !place.MatchString(line) ||
					strings.Contains(line, "canary") {
					t.Errorf("%q at %d: %q is in %q", text, i, word, line)
				}
			}
		}
	}
	if wrong < sampling.Of(500) || wrong == changed {
		t.Errorf("%d of %d files are wrong", wrong, changed)
	}
}
