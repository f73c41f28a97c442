package main

import (
	"encoding/json"
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
		if got := versionOf(row.info).String(); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

// TestVersion_JSON: what a build recorded is in the object, and what it did not is absent.
func TestVersion_JSON(t *testing.T) {
	ours := `"go":"` + runtime.Version() + `","platform":"` +
		runtime.GOOS + "/" + runtime.GOARCH + `"}`
	main := debug.Module{Path: "example.com/delegation", Version: "v1.2.3"}
	settings := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "-trimpath", Value: "true"},
			{Key: "vcs", Value: "git"},
			{Key: "vcs.revision", Value: "0123456789abcdef"},
			{Key: "vcs.time", Value: "2026-11-29T09:00:00Z"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	module := `{"module":"example.com/delegation","version":"v1.2.3",`
	commit := `"commit":"0123456789abcdef","commit_time":"2026-11-29T09:00:00Z",`
	for name, row := range map[string]struct {
		info *debug.BuildInfo
		want string
	}{
		"go install": {&debug.BuildInfo{Main: main}, module + ours},
		"a checkout": {&debug.BuildInfo{Main: main, Settings: settings("false")},
			module + commit + `"modified":false,` + ours},
		"changes": {&debug.BuildInfo{Main: main, Settings: settings("true")},
			module + commit + `"modified":true,` + ours},
		"no modules": {nil, `{"version":"unknown",` + ours},
	} {
		got, err := json.Marshal(versionOf(row.info))
		if err != nil || string(got) != row.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, row.want)
		}
	}
}
