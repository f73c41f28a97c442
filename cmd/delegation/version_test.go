package main

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestVersionOf: version and commit are said as far as the build recorded them.
func TestVersionOf(t *testing.T) {
	built := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	commit := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	platform := runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	for name, row := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"go install": {built("v1.2.3"), "delegation v1.2.3 (" + platform + ")"},
		"a checkout": {built("v1.2.4-0.2026", commit, clean),
			"delegation v1.2.4-0.2026 (commit 0123456789abcdef, " + platform + ")"},
		"changes": {built("(devel)", dirty, commit),
			"delegation (devel) (commit 0123456789abcdef with changes, " + platform + ")"},
		"go test":    {built(""), "delegation (devel) (" + platform + ")"},
		"no modules": {nil, "delegation, version unknown (" + platform + ")"},
	} {
		if got := versionOf(row.info); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}
