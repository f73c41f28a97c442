//go:build unix

package service_test

import (
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// TestContentOf_Pipe: a pipe is not read, neither by itself nor in a folder: without a writer that
// would wait for ever.
func TestContentOf_Pipe(t *testing.T) {
	f := files{t, t.TempDir()}
	f.done(syscall.Mkfifo(f.path("pipe"), 0o600))
	if service.ContentOf(f.path("pipe")) == service.ContentOf(f.path("none")) {
		t.Error("a pipe is as no file")
	}
	before := service.ContentOf(f.folder)
	f.write("a", "text")
	if service.ContentOf(f.folder) == before {
		t.Error("a file next to a pipe does not count")
	}
}
