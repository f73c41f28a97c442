package config_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

var (
	newIssuer = config.Insertion{
		Under: []string{"issuers"},
		Entry: []string{`- url: "https://b.example/"`, `  aliases: ["b"]`},
	}
	newTarget = config.Insertion{
		Under: []string{"targets"},
		Entry: []string{`"b":`, `  audiences: ["b"]`},
	}
	itsIssuer = config.Insertion{
		Under: []string{"targets", "a"},
		Entry: []string{`issuers: ["https://a.example/"]`},
	}
	newRule = config.Insertion{
		Under: []string{"rules"},
		Entry: []string{`- require_verified_email: true`, `  targets: ["b"]`},
	}
)

// TestInsert: entries go after the last one, in the file's own form, and all else stays.
func TestInsert(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"in the middle", `# top
issuers:
  # first
  - url: https://a.example/ # why
    aliases: [a]

  # still of the issuers
# of the targets
targets:
  a:
    audiences: [a]
    # of a

# of the rules
rules:
  - require_verified_email: true
# the end
`, `# top
issuers:
  # first
  - url: https://a.example/ # why
    aliases: [a]

  # still of the issuers
  - url: "https://b.example/"
    aliases: ["b"]
# of the targets
targets:
  a:
    audiences: [a]
    # of a
    issuers: ["https://a.example/"]
  "b":
    audiences: ["b"]

# of the rules
rules:
  - require_verified_email: true
  - require_verified_email: true
    targets: ["b"]
# the end
`},
		{"other indents, no rules, no line end", `targets:
      a: 
          audiences:
          - a
issuers:
- url: https://a.example/`, `targets:
      a: 
          audiences:
          - a
          issuers: ["https://a.example/"]
      "b":
        audiences: ["b"]
issuers:
- url: https://a.example/
- url: "https://b.example/"
  aliases: ["b"]

rules:
  - require_verified_email: true
    targets: ["b"]
`},
		{"lists without entries", `issuers: # none yet
targets:
  a: {audiences: [a]}

rules:
`, ""},
		{"a text of several lines at the end", `issuers:
  - url: https://a.example/
    ca_file: "a
# no comment
 b"
targets:
  'a':
    policy: |
      {"a":
        # no comment
      "b"}

  # c:
  #   audiences: [c]
`, `issuers:
  - url: https://a.example/
    ca_file: "a
# no comment
 b"
  - url: "https://b.example/"
    aliases: ["b"]
targets:
  'a':
    policy: |
      {"a":
        # no comment
      "b"}
    issuers: ["https://a.example/"]

  # c:
  #   audiences: [c]
  "b":
    audiences: ["b"]

rules:
  - require_verified_email: true
    targets: ["b"]
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, newline := range []string{"\n", "\r\n"} {
				for _, mark := range []string{"", "\ufeff"} {
					text := mark + strings.ReplaceAll(row.text, "\n", newline)
					want := mark + strings.ReplaceAll(row.want, "\n", newline)
					got, err := config.Insert([]byte(text), []config.Insertion{
						newIssuer, itsIssuer, newTarget, newRule,
					})
					if row.want == "" {
						if err == nil || got != nil {
							t.Errorf("got %v, %s", err, got)
						}
						continue
					}
					if err != nil || string(got) != want {
						t.Errorf("%q, %q: got %v\n%s\nwant\n%s", newline, mark, err, got, want)
					}
				}
			}
		})
	}
}

// TestInsert_Empty: a key without entries gets the first one.
func TestInsert_Empty(t *testing.T) {
	const text = "issuers: # none\ntargets:\n\nlisten: a\n"
	const want = "issuers: # none\n  - url: \"https://b.example/\"\n    aliases: [\"b\"]\n" +
		"targets:\n  \"b\":\n    audiences: [\"b\"]\n\nlisten: a\n"
	got, err := config.Insert([]byte(text), []config.Insertion{newIssuer, newTarget})
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
}

// TestInsert_Refuses what it cannot do and keep every byte.
func TestInsert_Refuses(t *testing.T) {
	for _, text := range []string{
		"", "a", "[]", "{targets: {a: {}}}", "targets: {a: {}}\n", "targets: {}\n",
		"targets: []\n", "targets: a\n", "targets: ~\n", "targets: null\n", "targets:\n  - a\n",
		"a: &a\n  b: {}\ntargets: *a\n", "targets: &a\n  a: {}\nb: *a\n",
		"targets: !!map\n  a: {}\n", "targets:\n  a: {}\n...\n", "targets:\n  a: {}\n---\nb: 1\n",
		"targets:\n  a: {}\n---\n", "targets:\n  b: {}\n", "targets:\n\ta: {}\n",
		"? targets\n: a: {}\n", "targets:\n  a:\n    policy: |+\n      a\n\n",
	} {
		got, err := config.Insert([]byte(text), []config.Insertion{newTarget})
		if err == nil || got != nil || len(err.Error()) < 20 {
			t.Errorf("%q: got %v, %q", text, err, got)
		}
	}
	for _, under := range [][]string{nil, {"targets", "c"}, {"targets", "a", "b"}} {
		entry := config.Insertion{Under: under, Entry: []string{"b: 1"}}
		text := "targets:\n  a:\n    audiences: [a]\n"
		got, err := config.Insert([]byte(text), []config.Insertion{entry})
		if err == nil || got != nil {
			t.Errorf("%q: got %v, %q", under, err, got)
		}
	}
}

// FuzzInsert: whatever the text is, an insertion that is made leaves every line, in its order.
func FuzzInsert(f *testing.F) {
	for _, text := range []string{
		"issuers:\n- url: a\ntargets:\n  a:\n    role: b\n# c\n", "targets:\r\n  a: {}\r\n",
		"targets:\n  a: 'b\n\n  c'\nrules:\n", "a: |\n  targets:\n    b\ntargets: # c\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := config.Insert([]byte(text), []config.Insertion{newIssuer, newTarget})
		if err != nil {
			return
		}
		rest := string(got)
		for line := range strings.Lines(text) {
			at := strings.Index(rest, strings.TrimSuffix(line, "\n"))
			if at < 0 {
				t.Fatalf("%q is gone: %q became %q", line, text, got)
			}
			rest = rest[at+len(strings.TrimSuffix(line, "\n")):]
		}
	})
}
