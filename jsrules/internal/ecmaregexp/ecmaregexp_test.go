package ecmaregexp_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
)

// node is what Node says of patterns, of letter case and of properties: testdata/generate.js has
// written it.
type node struct {
	Rows []struct {
		Pattern string `json:"p"`
		Flags   string `json:"f"`
		Bad     bool   `json:"bad"`
		Results [][]any
		Raw     []json.RawMessage `json:"r"`
	}
	Units, Points [][2]rune
	Properties    map[string]*[2]uint32
}

func readNode(t *testing.T) (n node) {
	t.Helper()
	text, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// decode reads a text that is written as its code units.
func decode(t *testing.T, text string) []uint16 {
	t.Helper()
	units := []uint16{}
	for _, unit := range strings.Fields(text) {
		value, err := strconv.ParseUint(unit, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, uint16(value))
	}
	return units
}

func encode(units []uint16) string {
	words := make([]string, len(units))
	for i, unit := range units {
		words[i] = strconv.FormatUint(uint64(unit), 16)
	}
	return strings.Join(words, " ")
}

// TestAsNode compares thousands of matches with Node's: which patterns are refused, where each
// match is, and what its captures are.
func TestAsNode(t *testing.T) {
	rows := readNode(t).Rows
	if len(rows) < 2000 {
		t.Fatalf("only %d patterns", len(rows))
	}
	matches, refused := 0, 0
	for _, row := range rows {
		pattern := decode(t, row.Pattern)
		re, err := ecmaregexp.Compile(pattern, row.Flags)
		name := "/" + string(utf16.Decode(pattern)) + "/" + row.Flags
		var wrong *ecmaregexp.SyntaxError
		if (err != nil) != row.Bad || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, Node refuses it: %t", name, err, row.Bad)
			continue
		}
		if err != nil {
			refused++
			continue
		}
		for _, raw := range row.Raw {
			var text string
			var from int
			var want []any
			if err := json.Unmarshal(raw, &[]any{&text, &from, &want}); err != nil {
				t.Fatal(err)
			}
			units := decode(t, text)
			found, err := re.Find(units, from, strings.Contains(row.Flags, "y"), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := captures(units, found)
			if strings.Contains(row.Flags, "u") && withinPair(units, want) {
				continue // V8 looks there, against the standard
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s on %q from %d: got %v, want %v", name, string(utf16.Decode(units)),
					from, got, want)
			}
			if got != nil {
				matches++
			}
		}
	}
	if matches < 2000 || refused < 100 {
		t.Errorf("only %d matches and %d refusals are compared", matches, refused)
	}
}

// withinPair reports whether a match begins in the middle of a character.
func withinPair(text []uint16, match []any) bool {
	if match == nil {
		return false
	}
	at := int(match[0].(float64))
	return at > 0 && at < len(text) && utf16.IsSurrogate(rune(text[at])) && text[at] >= 0xdc00 &&
		utf16.IsSurrogate(rune(text[at-1])) && text[at-1] < 0xdc00
}

// captures gives a match the form that testdata has.
func captures(text []uint16, found []int) []any {
	if found == nil {
		return nil
	}
	list := []any{float64(found[0])}
	for i := 0; i < len(found); i += 2 {
		if found[i] < 0 || found[i+1] < 0 {
			list = append(list, nil)
			continue
		}
		list = append(list, encode(text[found[i]:found[i+1]]))
	}
	return list
}

// TestFoldingAsNode compares which characters are the same without regard to case, for all of
// Unicode 15.0: with the flag i, where the sign of Kelvin is no k, and with i and u.
func TestFoldingAsNode(t *testing.T) {
	n := readNode(t)
	for _, row := range []struct {
		unicode bool
		pairs   [][2]rune
		limit   rune
		atLeast int
	}{{false, n.Units, 0x10000, 1000}, {true, n.Points, 0x1f000, 1100}} {
		want := map[rune]rune{}
		for _, pair := range row.pairs {
			want[pair[0]] = pair[1]
		}
		if len(want) < row.atLeast {
			t.Fatalf("only %d pairs", len(want))
		}
		for c := rune(0); c < row.limit; c++ {
			if unicode.Is(unicode.Cn, c) || utf16.IsSurrogate(c) {
				continue
			}
			least, has := want[c]
			if !has {
				least = c
			}
			if got := ecmaregexp.Least(c, row.unicode); got != least {
				t.Errorf("with u %t, %U is the same as %U, want %U", row.unicode, c, got, least)
			}
		}
	}
}

// TestPropertiesAsNode compares what is in each property, by number and by a hash over all
// characters of Unicode 15.0. Those that a later Unicode has changed are listed.
func TestPropertiesAsNode(t *testing.T) {
	properties := readNode(t).Properties
	if len(properties) < 300 {
		t.Fatalf("only %d properties", len(properties))
	}
	for name, want := range properties {
		var count uint32
		hash := uint32(2166136261)
		err := ecmaregexp.Property(name, func(c rune) {
			if c > 0xeffff || unicode.Is(unicode.Cn, c) {
				return
			}
			count++
			hash = (hash ^ uint32(c)) * 16777619
		})
		if (err != nil) != (want == nil) {
			t.Errorf("%s: got %v, Node refuses it: %t", name, err, want == nil)
			continue
		}
		if want == nil {
			continue
		}
		_, long, found := strings.Cut(name, "=")
		if !found {
			long = name
		}
		if slices.Contains(changedSince, long) {
			if diff := int(count) - int(want[0]); diff > 60 || diff < -60 {
				t.Errorf("%s has %d characters, in Node %d", name, count, want[0])
			}
			continue
		}
		if got := [2]uint32{count, hash}; got != *want {
			t.Errorf("%s has %d characters, in Node %d", name, count, want[0])
		}
	}
}

// changedSince are properties in which Unicode 15.1 to 17.0 have moved characters that 15.0 had.
var changedSince = []string{
	"Terminal_Punctuation", "Term", "Sentence_Terminal", "STerm", "Extender", "Ext", "Diacritic",
	"Dia", "Cased", "Lowercase", "Lower", "Alphabetic", "Alpha", "Grapheme_Extend", "Gr_Ext",
	"ID_Continue", "IDC", "Ll", "LC", "Lo", "Mn", "Mc",
}
