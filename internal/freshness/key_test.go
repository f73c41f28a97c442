package freshness_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// TestKeyOf_NoTwoAlike: every sequence of up to three lists of up to two odd texts has a key of its
// own.
func TestKeyOf_NoTwoAlike(t *testing.T) {
	texts := []string{"", "a", "aa", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x01",
		"a\x00\x00\x00\x00\x00\x00\x00\x01a"}
	lists := [][]string{{}}
	for _, a := range texts {
		lists = append(lists, []string{a})
		for _, b := range texts {
			lists = append(lists, []string{a, b})
		}
	}
	sequences := [][][]string{{}}
	for _, a := range lists {
		sequences = append(sequences, [][]string{a})
		for _, b := range lists {
			sequences = append(sequences, [][]string{a, b})
			for _, c := range lists {
				sequences = append(sequences, [][]string{a, b, c})
			}
		}
	}
	seen := map[freshness.Key]string{}
	for _, s := range sequences {
		key, text := freshness.KeyOf(s...), fmt.Sprintf("%q", s)
		if other, ok := seen[key]; ok {
			t.Fatalf("%s and %s have the same key", other, text)
		}
		seen[key] = text
	}
	if len(seen) < 80_000 {
		t.Errorf("only %d sequences", len(seen))
	}
}

func FuzzKeyOf(f *testing.F) {
	f.Add("a", "b", "c", "d", "e", "f")
	f.Add("", "ab", "", "a", "b", "")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		for _, other := range [][][]string{{{d, e, g}}, {{d, e}, {g}}, {{d}, {e, g}},
			{{d}, {e}, {g}}, {{d}, {}, {e, g}}, {{d + e, g}}} {
			same := len(other) == 2 && slices.Equal(other[0], []string{a}) &&
				slices.Equal(other[1], []string{b, c})
			if (freshness.KeyOf([]string{a}, []string{b, c}) == freshness.KeyOf(other...)) != same {
				t.Errorf("%q, %q and %q", a, []string{b, c}, other)
			}
		}
	})
}

func TestKey_String(t *testing.T) {
	// SHA-256 of eight zero bytes: no list.
	const want = "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc"
	if got := freshness.KeyOf().String(); got != want {
		t.Errorf("got %s", got)
	}
}
