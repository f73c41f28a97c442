package token

import (
	"log/slog"
	"time"
)

// Options are what the program gives. All fields are required.
type Options struct {
	Log *slog.Logger
	// Getenv is os.Getenv: the PIN may be in the variable DELEGATION_SIGNER_PIN.
	Getenv func(string) string
	Now    func() time.Time
	// Later is time.AfterFunc. The result stops the timer.
	Later func(time.Duration, func()) (stop func())
	// Stuck ends the program. It is called if a call of the library does not return.
	Stuck func()
}
