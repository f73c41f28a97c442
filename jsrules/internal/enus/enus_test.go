package enus_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/jsrules/internal/enus"
)

// TestNumber_Digits: a number with enough digits is written with the digits that it has.
func TestNumber_Digits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		f := math.Float64frombits(random.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e40 || math.Abs(f) < 1e-40 {
			continue
		}
		text := enus.Number(f, enus.NumberOptions{MaxFraction: 60, MinInteger: 1})
		whole, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
		for i, group := range strings.Split(whole, ",") {
			if len(group) > 3 || i > 0 && len(group) != 3 {
				t.Fatalf("%v: got %s", f, text)
			}
		}
		if got, _ := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64); got != f {
			t.Fatalf("%v: got %s", f, text)
		}
	}
}

// TestNumber: rounding, padding, and numbers that have no digits.
func TestNumber(t *testing.T) {
	cents := enus.NumberOptions{Symbol: "$", MinFraction: 2, MaxFraction: 2, MinInteger: 1}
	for _, c := range []struct {
		number  float64
		options enus.NumberOptions
		want    string
	}{
		{1.005, cents, "$1.01"},
		{-0.001, cents, "-$0.00"},
		{999.995, cents, "$1,000.00"},
		{math.Inf(-1), cents, "-$∞"},
		{math.NaN(), cents, "$NaN"},
		{0, enus.NumberOptions{Percent: true, MinInteger: 1}, "0%"},
		{0.005, enus.NumberOptions{Percent: true, MinInteger: 1}, "1%"},
		{0, enus.NumberOptions{MinSignificant: 3, MaxSignificant: 3}, "0.00"},
		{12345, enus.NumberOptions{MinSignificant: 1, MaxSignificant: 2}, "12,000"},
		{1234, enus.NumberOptions{Ungrouped: true, MinInteger: 6}, "001234"},
	} {
		if got := enus.Number(c.number, c.options); got != c.want {
			t.Errorf("%v with %+v: got %s, want %s", c.number, c.options, got, c.want)
		}
	}
}

// TestDate_Refused: combinations that it does not write are errors, and so is the name of a zone
// other than UTC.
func TestDate_Refused(t *testing.T) {
	for _, o := range []enus.DateOptions{
		{Weekday: "long", Year: "numeric"},
		{Weekday: "long", Month: "long"},
		{Year: "numeric", Day: "numeric"},
		{Minute: "numeric"},
		{Hour: "numeric", Second: "numeric"},
		{Weekday: "long", Hour: "numeric"},
		{Hour: "numeric", Zone: "short"},
	} {
		o.Location = time.UTC
		if text, err := enus.Date(time.Unix(0, 0), o); !errors.Is(err, enus.ErrCombination) {
			t.Errorf("%+v: got %q, %v", o, text, err)
		}
	}
	o := enus.DateOptions{Year: "numeric", Zone: "short", Location: time.FixedZone("X", 3600)}
	if text, err := enus.Date(time.Unix(0, 0), o); err == nil {
		t.Errorf("got %q", text)
	}
}
