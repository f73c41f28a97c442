//go:build unix

package auth0export_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/auth0export"
)

// TestRead_Links: a symbolic link works within the export, and leads nowhere else.
func TestRead_Links(t *testing.T) {
	folder := directory().with(files{"rules/two.js": "", "scripts/two.js": passing}).write(t)
	if err := os.Symlink("../scripts/two.js", filepath.Join(folder, "rules/two.js")); err != nil {
		t.Fatal(err)
	}
	if _, err := auth0export.Read(folder, nil); err != nil {
		t.Errorf("within the export: %v", err)
	}
	outside := files{"two.js": passing}.write(t)
	folder = directory().with(files{"rules/two.js": ""}).write(t)
	err := os.Symlink(filepath.Join(outside, "two.js"), filepath.Join(folder, "rules/two.js"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = auth0export.Read(folder, nil)
	expectUsage(t, "out of the export", err, "rules/two.js: path escapes from parent")

	folder = directory().write(t)
	outside = document().write(t)
	err = os.Symlink(filepath.Join(outside, "tenant.yaml"), filepath.Join(folder, "tenant.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = auth0export.Read(folder, nil)
	expectUsage(t, "another form", err, "tenant.yaml: path escapes from parent")
}

// TestRead_Pipe: a script that is a pipe is refused. Reading it would wait without end.
func TestRead_Pipe(t *testing.T) {
	folder := directory().with(files{"rules/two.js": ""}).write(t)
	if err := syscall.Mkfifo(filepath.Join(folder, "rules/two.js"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := auth0export.Read(folder, nil)
	expectUsage(t, "a pipe", err, "rules/two.js: is not a regular file")
}
