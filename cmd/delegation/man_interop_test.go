//go:build interop

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterop_Man: groff formats each page without a warning, and man shows it.
func TestInterop_Man(t *testing.T) {
	if _, err := exec.LookPath("man"); err != nil {
		needs(t, "man", "man-db") // which is not there
	}
	folder := t.TempDir()
	if out, errors := said(t, "man", "--out", folder); out != "" || errors != "" {
		t.Errorf("it says %q, %q", out, errors)
	}
	pages := must(filepath.Glob(filepath.Join(folder, "*.1")))
	if len(pages) < 18 {
		t.Errorf("only %q", pages)
	}
	for _, page := range pages {
		man := exec.Command("man", "--warnings", "--local-file", page)
		man.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING=")
		var warnings strings.Builder
		man.Stderr = &warnings
		shown := string(must(man.Output()))
		if warnings.Len() > 0 || !strings.Contains(shown, "SEE ALSO") {
			t.Errorf("%s: %s%s", filepath.Base(page), warnings.String(), shown)
		}
	}
}
