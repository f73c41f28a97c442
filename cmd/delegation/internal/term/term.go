// Package term is what a person at a terminal sees: colours, progress, trees, tables and quotes.
// Values that strangers chose are written so that no terminal obeys them and no shell expands
// them. It knows nothing of ID tokens, of AWS or of the configuration.
package term

import (
	"io"

	"golang.org/x/term"
)

// descriptor is what an *os.File has.
type descriptor interface{ Fd() uintptr }

// IsTerminal tells whether a person sees what is written to stream, or types what is read from it.
func IsTerminal(stream any) bool {
	f, ok := stream.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// KeepState returns what puts a terminal back into the state that it has now, after a read that
// was abandoned. For a stream that is no terminal it does nothing.
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

// ReadHidden reads a line that is not shown while it is typed, without its end. From what is no
// terminal it reads nothing, and returns io.ErrUnexpectedEOF.
func ReadHidden(stream any) ([]byte, error) {
	f, ok := stream.(descriptor)
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return term.ReadPassword(int(f.Fd()))
}
