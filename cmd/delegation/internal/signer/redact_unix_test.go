//go:build unix

package signer_test

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestProgram_PINFromPipe: a PIN that comes from a pipe is the program's to read. Opening the key
// does not wait for it.
func TestProgram_PINFromPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pin")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, "works?pin-source=file:"+pipe)
	s := p.open(t)
	wantSignature(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
