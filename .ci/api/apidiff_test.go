package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJudge: only incompatible changes fail, and every change is printed.
func TestJudge(t *testing.T) {
	commit := strings.Repeat("a", 40)
	for name, row := range map[string]struct {
		report, printed string
		fails           bool
	}{
		"nothing":    {"", "no change since aaaaaaaaaaaa\n", false},
		"compatible": {"Compatible changes:\n- F: added\n", "- F: added", false},
		"both": {
			"Incompatible changes:\n- G: removed\nCompatible changes:\n- F: added\n",
			"- G: removed", true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := judge(row.report, commit, &out)
			if (err != nil) != row.fails || !strings.Contains(out.String(), row.printed) {
				t.Errorf("got %v and %q", err, out.String())
			}
		})
	}
}

// TestFindCommit: the errors say what the file takes, and what to do in a shallow clone.
func TestFindCommit(t *testing.T) {
	absent := strings.Repeat("0", 39) + "1"
	for commit, want := range map[string]string{
		"main": "40 hexadecimal digits",
		"":     "40 hexadecimal digits",
		absent: "git fetch --depth 1 origin " + absent,
	} {
		if err := findCommit(commit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", commit, err, want)
		}
	}
}

// TestBaselineFile: the baseline is a whole hash. Whether the clone has it, -apidiff says.
func TestBaselineFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", baselineFile))
	if err != nil {
		t.Fatal(err)
	}
	if !wholeHash.MatchString(strings.TrimSpace(string(text))) {
		t.Errorf("%s has %q", baselineFile, text)
	}
}
