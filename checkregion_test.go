package delegation_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestCheck_UnknownRegions: each region that AWS did not have when this version was made is a
// warning of its own, at the first field that names it, and New logs it once. STS is called there
// all the same.
func TestCheck_UnknownRegions(t *testing.T) {
	w := newWorld(t)
	w.config.STS = w.strict
	w.config.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
	w.target(func(target *delegation.Target) {
		target.Region = "eu-centrl-1"
		target.FailoverRegions = []string{"eu-west-1", "eu-wset-1"}
	})
	targets := w.config.Targets.(delegation.Targets)
	targets["video-app"] = targets[app]
	want := map[string]string{
		"sts eu-centrl-1": `Targets["photo-app"]: Region`,
		"sts eu-west-1":   "",
		"sts eu-wset-1":   `Targets["photo-app"]: FailoverRegions`,
	}
	d := w.delegator(t)
	for _, r := range d.Check(t.Context()) {
		field, ofRegion := want[r.Name]
		if !ofRegion {
			continue
		}
		delete(want, r.Name)
		if field == "" {
			if len(r.Warnings) > 0 {
				t.Errorf("%s: %v", r.Name, r.Warnings)
			}
			continue
		}
		if len(r.Warnings) != 1 || r.Warnings[0].Code != delegation.WarningRegionUnknown ||
			r.Warnings[0].Field != field || !r.Warnings[0].Configured || r.Err != nil {
			t.Errorf("%s: %+v", r.Name, r)
		}
	}
	if len(want) > 0 {
		t.Errorf("no result about %v", want)
	}
	log := w.logs.String()
	for _, region := range []string{"eu-centrl-1", "eu-wset-1"} {
		text := region + `\" is not one of the regions of aws that this version knows`
		if n := strings.Count(log, text); n != 1 {
			t.Errorf("the log names %s %d times: %s", region, n, log)
		}
	}
}
