// Package term is what a person at a terminal sees: colours, progress, trees, tables and quotes.
// Values from strangers are escaped, so that no terminal interprets them and no shell expands them.
// It knows nothing of ID tokens, of AWS or of the configuration.
package term

import (
	"io"

	"golang.org/x/term"
)

// descriptor is implemented by *os.File.
type descriptor interface{ Fd() uintptr }

// IsTerminal tells whether a stream is a terminal, at which a person reads or types.
func IsTerminal(stream any) bool {
	f, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// KeepState returns a function that restores the present state of a terminal, after a read that was
// abandoned. For a stream that is no terminal, it does nothing.
func KeepState(stream any) (restore func()) {
	f, ok := stream.(descriptor)
	if !ok {
		return func() {}
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(f.Fd()), before) }
}

// ReadHidden reads a line without showing it, and returns it without its end. If the stream is no
// terminal, it reads nothing and returns io.ErrUnexpectedEOF.
func ReadHidden(stream any) ([]byte, error) {
	f, ok := stream.(descriptor)
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return term.ReadPassword(int(f.Fd()))
}
