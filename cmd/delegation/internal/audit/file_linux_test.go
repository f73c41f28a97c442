package audit_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

// TestFile_DeviceFull: the system's own full disk.
func TestFile_DeviceFull(t *testing.T) {
	f, record := newFile(t, "/dev/full")
	if err := f.Open(); err != nil {
		t.Fatal(err)
	}
	if err := record(t.Context(), exchange("alice")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

// TestFile_Sync: a record counts once the system says that it is on the disk, and /dev/null is no
// disk.
func TestFile_Sync(t *testing.T) {
	for _, sync := range []bool{false, true} {
		record := audit.Record(audit.NewFile("/dev/null", sync), same)
		err := record(t.Context(), exchange("alice"))
		if errors.Is(err, syscall.EINVAL) != sync || err != nil && !sync {
			t.Errorf("sync %v: %v", sync, err)
		}
	}
}
