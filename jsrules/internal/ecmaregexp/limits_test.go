package ecmaregexp_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
)

func compile(t *testing.T, pattern, flags string) *ecmaregexp.Regexp {
	t.Helper()
	re, err := ecmaregexp.CompileText(pattern, flags)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

// TestHalts: a pattern that tries more ways than there is time for asks whether to go on, and ends
// with the answer.
func TestHalts(t *testing.T) {
	enough := errors.New("enough")
	text := utf16.Encode([]rune(strings.Repeat("a", 40) + "b"))
	for _, pattern := range []string{`^(a+)+$`, `^(?=(a+)+$)`, `^(a|aa)+$`, `(?<=x(a+)+)b`,
		`^(a*?)*$`, `^(?!(a+)+$)c`} {
		looks := 0
		found, err := compile(t, pattern, "").Find(text, 0, false, func() error {
			if looks++; looks == 10 {
				return enough
			}
			return nil
		})
		if found != nil || err != enough || looks != 10 {
			t.Errorf("%s: got %v, %v after %d looks", pattern, found, err, looks)
		}
	}
}

// TestHaltsInRuns: also what never goes back asks, in proportion to its work.
func TestHaltsInRuns(t *testing.T) {
	text := make([]uint16, 1<<20)
	looks := 0
	found, err := compile(t, "[^x]*", "").Find(text, 0, false, func() error {
		looks++
		return nil
	})
	if err != nil || len(found) != 2 || found[1] != len(text) || looks < 100 {
		t.Errorf("got %v, %v after %d looks", found, err, looks)
	}
}

// TestStackIsBounded: a match that has to remember too many places ends with an error.
func TestStackIsBounded(t *testing.T) {
	text := make([]uint16, 2<<20)
	_, err := compile(t, "(?:[^x]|y)*z", "").Find(text, 0, false, nil)
	if !errors.Is(err, ecmaregexp.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// TestSyntaxErrors: an error says where it is, and what is beyond the limits is an error too.
func TestSyntaxErrors(t *testing.T) {
	for pattern, at := range map[string]int{
		"ab(": 3, "a)": 1, "ab**": 3, "[z-a]": 2, `\p{Nope}`: 2, "x{2,1}": 1, "[a": 0,
	} {
		_, err := ecmaregexp.CompileText(pattern, "u")
		var wrong *ecmaregexp.SyntaxError
		if !errors.As(err, &wrong) || wrong.Offset != at {
			t.Errorf("%s: got %v at %+v, want at %d", pattern, err, wrong, at)
		}
	}
	for _, pattern := range []string{
		strings.Repeat("(", 300) + strings.Repeat(")", 300),
		strings.Repeat("(?:", 1e5),
		strings.Repeat("()", 10_001),
	} {
		if _, err := ecmaregexp.CompileText(pattern, ""); err == nil {
			t.Errorf("%.10s… compiles", pattern)
		}
	}
	for _, flags := range []string{"v", "gg", "x", "iui"} {
		if _, err := ecmaregexp.CompileText("a", flags); err == nil {
			t.Errorf("the flags %q are taken", flags)
		}
	}
}

// FuzzFind: any pattern on any text ends, with captures that lie within the text.
func FuzzFind(f *testing.F) {
	for _, seed := range []string{`(a)|b`, `(?<=a(b)*)\1`, `[^\W\d]{2,}?`, `\p{L}+?(?!x)`,
		`(?<n>a*)*\k<n>`} {
		f.Add(seed, "iu", "aAb\U0001f600k")
		f.Add(seed, "", "aAb\U0001f600k")
	}
	enough := errors.New("enough")
	f.Fuzz(func(t *testing.T, pattern, flags, text string) {
		re, err := ecmaregexp.CompileText(pattern, flags)
		if err != nil {
			return
		}
		looks := 0
		units := utf16.Encode([]rune(text))
		found, err := re.Find(units, 0, false, func() error {
			if looks++; looks > 20 {
				return enough
			}
			return nil
		})
		if err != nil {
			return
		}
		if found != nil && len(found) != 2*len(re.Groups()) {
			t.Fatalf("%d places for %d groups", len(found), len(re.Groups()))
		}
		for i := 0; i < len(found); i += 2 {
			begin, end := found[i], found[i+1]
			if begin < -1 || (begin < 0) != (end < 0) || end > len(units) || begin > end {
				t.Fatalf("capture %d is from %d to %d of %d", i/2, begin, end, len(units))
			}
		}
	})
}
