package ecmadate_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"unicode/utf16"

	"github.com/seed055b7978/delegation/jsrules/internal/ecmadate"
)

func parse(text string) float64 { return ecmadate.Parse(utf16.Encode([]rune(text))) }

// TestRoundTrip: what is written in any form is read as the same time, to the precision of the
// form.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		ms := float64(random.Int64N(2*8.64e15+1) - 8.64e15)
		if got := parse(ecmadate.ISO(ms)); got != ms {
			t.Fatalf("%s: got %v, want %v", ecmadate.ISO(ms), got, ms)
		}
		d := ecmadate.Of(ms)
		made := ecmadate.Make(float64(d.Year()), float64(d.Month()-1), float64(d.Day()),
			float64(d.Hour()), float64(d.Minute()), float64(d.Second()),
			float64(d.Nanosecond()/1_000_000))
		if made != ms {
			t.Fatalf("%s: got %v, want %v", d, made, ms)
		}
		if d.Year() < 1000 || d.Year() > 9999 {
			continue
		}
		second := math.Floor(ms/1000) * 1000
		for _, text := range []string{ecmadate.Text(ms), ecmadate.UTC(ms)} {
			if got := parse(text); got != second {
				t.Fatalf("%s: got %v, want %v", text, got, second)
			}
		}
	}
}

// TestLimits: times beyond 100,000,000 days are none, and parts that are no numbers make none.
func TestLimits(t *testing.T) {
	if got := ecmadate.Clip(8.64e15); got != 8.64e15 {
		t.Errorf("got %v", got)
	}
	none := []float64{
		ecmadate.Clip(8.64e15 + 1),
		ecmadate.Clip(math.Inf(-1)),
		ecmadate.Clip(math.NaN()),
		ecmadate.Make(math.NaN(), 0, 1, 0, 0, 0, 0),
		ecmadate.Make(2020, math.Inf(1), 1, 0, 0, 0, 0),
		ecmadate.Make(1e300, 0, 1, 0, 0, 0, 0),
		ecmadate.Make(2020, 0, 1, math.Inf(1), 0, 0, 0),
		ecmadate.Clip(ecmadate.Make(2020, 0, 1, 1e300, 0, 0, 0)),
		parse(""), parse("x"), parse("+275760-09-13T00:00:00.001Z"), parse("2020-01-01\x00junk9"),
	}
	for i, got := range none[:len(none)-1] {
		if !math.IsNaN(got) {
			t.Errorf("%d: got %v", i, got)
		}
	}
	if got := none[len(none)-1]; math.IsNaN(got) { // as in V8, U+0000 ends the text
		t.Errorf("got %v", got)
	}
}

// FuzzParse: any text is a time or none, and never a panic. What is a time is read back.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"2020-01-01T00:00:00Z", "Jan 1, 2020 3:04 PM", "1/2/20", "(x", "12:", "+1", "1:2:3.4567",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms := parse(text)
		if math.IsNaN(ms) {
			return
		}
		if ms != ecmadate.Clip(ms) || parse(ecmadate.ISO(ms)) != ms {
			t.Errorf("%q: got %v", text, ms)
		}
	})
}
