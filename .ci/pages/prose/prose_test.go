package prose_test

import (
	"math"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/.ci/pages/prose"
)

func TestMeasure_Sentences(t *testing.T) {
	for markdown, want := range map[string]string{
		"One two. Three four five.":                             "One two.|Three four five.",
		"One\ntwo.\n\nThree":                                    "One two.|Three",
		"# A heading\n\nText.":                                  "Text.",
		"- one two\n- three. Four\n  five":                      "one two|three.|Four five",
		"1. one\n2. two":                                        "one|two",
		"One:\n\n```sh\nrun this. And this.\n```":               "One:",
		"- ```sh\n  run this\n  ```\n- one":                     "one",
		"    indented code\n    more\n\nText.":                  "Text.",
		"- item\n\n    more of the item":                        "item|more of the item",
		"Use `a. B c` and `d`.":                                 "Use a. B c and d.",
		"See [the page](x.md#y). It says":                       "See the page.|It says",
		"![A picture. With words](x.svg)":                       "",
		"<picture>\n  <img src=\"x\" alt=\"A. B\">\n</picture>": "",
		"Read https://example.com/a.b?c. Then":                  "Read URL.|Then",
		"Some keys, e.g. `x`, are. Not etc. ones":               "Some keys, e.g. x, are.|Not etc. ones",
		"**Bold.** *Not* bold_face.":                            "Bold.|Not bold_face.",
		"> Quoted one.\n> Two":                                  "Quoted one.|Two",
		"[x]: https://example.com/\nOne":                        "One",
		"<!-- not\nread -->\nOne":                               "One",
		"Version 1.2 is new. 3 are old":                         "Version 1.2 is new.|3 are old",
		"It is pinned. staticcheck is strict":                   "It is pinned.|staticcheck is strict",
		"What? `a` is. One … two":                               "What?|a is.|One … two",
	} {
		var got []string
		for _, sentence := range prose.Measure(markdown).Sentences {
			got = append(got, sentence.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: got %q, want %q", markdown, strings.Join(got, "|"), want)
		}
	}
}

func TestMeasure_Figures(t *testing.T) {
	page := prose.Measure("# Title\n\nOne `two` three –\nfour. Five\nsix.\n\n" +
		"| A | B |\n|---|---|\n| a [long](https://example.com/) | `x \\| y` |\n")
	if page.Words != 6 || page.CellWords != 5 || page.Lines != 9 || page.LongestLine != 45 {
		t.Errorf("got %d words, %d in cells, %d lines, the longest of %d",
			page.Words, page.CellWords, page.Lines, page.LongestLine)
	}
	sentence := prose.Longest(page.Sentences)
	if sentence.Size != 4 || sentence.Line != 3 || sentence.Text != "One two three – four." {
		t.Errorf("the longest sentence is %+v", sentence)
	}
	if last := page.Sentences[1]; last.Line != 4 || last.Size != 2 {
		t.Errorf("the last sentence is %+v", last)
	}
	if cell := prose.Longest(page.Cells); cell.Size != 6 || cell.Line != 9 || cell.Text != "a long" {
		t.Errorf("the longest cell is %+v", cell)
	}
}

// TestMeasure_Readability compares with both formulas, worked by hand: 10 words and 12 syllables
// in two sentences.
func TestMeasure_Readability(t *testing.T) {
	page := prose.Measure("The token is read once. AWS checks each `key` twice again.\n")
	if page.Words != 11 || len(page.Sentences) != 2 {
		t.Fatalf("%d words in %d sentences", page.Words, len(page.Sentences))
	}
	const syllables = 5 + 1 + 7 + 0 // "token" and "again" have two
	words := 11.0 / 2
	perWord := float64(syllables) / 11
	if want := 206.835 - 1.015*words - 84.6*perWord; math.Abs(page.Ease()-want) > 1e-9 {
		t.Errorf("ease is %f, want %f", page.Ease(), want)
	}
	if want := 0.39*words + 11.8*perWord - 15.59; math.Abs(page.Grade()-want) > 1e-9 {
		t.Errorf("grade is %f, want %f", page.Grade(), want)
	}
	if empty := prose.Measure("# Only a heading\n"); empty.Ease() != 0 || empty.Grade() != 0 {
		t.Errorf("a page without prose: %f, %f", empty.Ease(), empty.Grade())
	}
}

func TestSyllables(t *testing.T) {
	for word, want := range map[string]int{
		"a": 1, "the": 1, "role": 1, "table": 2, "rules": 1, "caches": 2, "file": 1, "files": 1,
		"signed": 1, "expected": 3, "added": 2, "session": 2, "sessions": 2, "credential": 3,
		"policy": 3, "key": 1, "keys": 1, "AWS": 1, "XML": 1, "read-only": 3, "verify": 3,
		"once,": 1, "role’s": 1, "types": 1, "names": 1, "uses": 2, "changes": 2, "pages": 2,
		"42": 1, "\x00": 1, "renewed": 2, "assume": 2, "hashes": 2,
	} {
		if got := prose.Syllables(word); got != want {
			t.Errorf("%q: got %d, want %d", word, got, want)
		}
	}
}
