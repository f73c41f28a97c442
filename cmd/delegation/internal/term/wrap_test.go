package term_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

const wrapText = `Write all that a first target needs, and
nothing else:

  - delegation.yaml, the configuration for serve,
    exchange and check;
  - metadata.xml.

  process      what a process prints
  console-url  a URL that signs a browser in to the console

    code that stays as it is, however long the line may be

0  done is no item without an indent.`

// TestWrap: paragraphs and items are filled again, and nothing else is changed.
func TestWrap(t *testing.T) {
	const narrow = `Write all that a first target needs, and
nothing else:

  - delegation.yaml, the configuration
    for serve, exchange and check;
  - metadata.xml.

  process      what a process prints
  console-url  a URL that signs a
               browser in to the console

    code that stays as it is, however long the line may be

0 done is no item without an indent.`
	if got := term.Wrap(wrapText, 40); got != narrow {
		t.Errorf("got\n%s\nwant\n%s", got, narrow)
	}
	const wide = `Write all that a first target needs, and nothing else:

  - delegation.yaml, the configuration for serve, exchange and check;
  - metadata.xml.
`
	if got := term.Wrap(wrapText, 120); !strings.HasPrefix(got, wide) {
		t.Errorf("got\n%s\nwant\n%s", got, wide)
	}
	for text, want := range map[string]string{
		"":              "",
		"a":             "a",
		"a\n":           "a\n",
		"a\n\nb":        "a\n\nb",
		"  - ":          "  - ",
		"ä ö ü":         "ä ö\nü",
		"longer than a": "longer\nthan\na",
	} {
		if got := term.Wrap(text, 3); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// FuzzWrap: words come out as they went in, and no line is longer than the width but for a word
// that is.
func FuzzWrap(f *testing.F) {
	f.Add(wrapText, 40)
	f.Add("  - a b\n    c\n  d", 5)
	f.Add("  - an item that a paragraph follows\nwithout an empty line between the two of them", 5)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = 40 + width%80&127
		got := term.Wrap(text, width)
		if words := strings.Fields(got); strings.Join(words, " ") != strings.Join(
			strings.Fields(text), " ") {
			t.Errorf("other words: %q", got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if utf8.RuneCountInString(line) > width && strings.Contains(line, " ") &&
				!strings.HasPrefix(line, " ") {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	})
}

// TestWrapItem: a name stands in front of the first line.
func TestWrapItem(t *testing.T) {
	const want = "  check Check the issuers,\n        the keys and STS"
	if got := term.WrapItem("  check ", "Check the issuers, the keys and STS", 26); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestWidth_NoTerminal: files, pipes and buffers have 80 columns, whatever COLUMNS says.
func TestWidth_NoTerminal(t *testing.T) {
	for _, stream := range []any{nil, &strings.Builder{}} {
		if got := term.Width(stream, func(string) string { return "50" }); got != 80 {
			t.Errorf("%T: %d", stream, got)
		}
	}
}
