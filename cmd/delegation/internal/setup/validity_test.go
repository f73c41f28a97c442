package setup_test

import (
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
)

// TestValidity: years and days have exact lengths, and String returns what Set takes.
func TestValidity(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10y":   setup.DefaultValid,
		"1y":    365*24*time.Hour + 6*time.Hour,
		"292y":  292 * 8766 * time.Hour,
		"90d":   90 * 24 * time.Hour,
		"-1d":   -24 * time.Hour,
		"12h":   12 * time.Hour,
		"90m":   90 * time.Minute,
		"0":     0,
		"0y":    0,
		"1h30s": time.Hour + 30*time.Second,
	} {
		var got, back setup.Validity
		if err := got.Set(text); err != nil || time.Duration(got) != want {
			t.Errorf("%s: got %v, %v, want %v", text, time.Duration(got), err, want)
		}
		if err := back.Set(got.String()); err != nil || back != got {
			t.Errorf("%s: String %q is read as %v, %v", text, got, time.Duration(back), err)
		}
	}
	if got := setup.Validity(setup.DefaultValid).String(); got != "10y" {
		t.Errorf("the help shows the default as %q", got)
	}
}

// TestValidity_Refused: what is no time, or more than a time.Duration holds, changes nothing.
func TestValidity_Refused(t *testing.T) {
	unit := "give years, days or hours, such as 10y, 90d or 12h"
	for text, want := range map[string]string{
		"":         unit,
		"y":        unit,
		"tomorrow": unit,
		"1.5y":     unit,
		"1y6d":     unit,
		"10":       unit,
		"10 y":     unit,
		"10Y":      unit,
		"293y":     "293y is longer than 292 years",
		"-293y":    "-293y is longer than 292 years",
		"106752d":  "106752d is longer than 292 years",
	} {
		got := setup.Validity(time.Hour)
		err := got.Set(text)
		if err == nil || err.Error() != want || time.Duration(got) != time.Hour {
			t.Errorf("%q: got %v, %v, want %q", text, time.Duration(got), err, want)
		}
	}
}
