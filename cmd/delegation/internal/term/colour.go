package term

import "fmt"

// Colour is a colour of terminals (ECMA-48, SGR).
type Colour int

// The colours of states: refused or failed, allowed, and needs attention.
const (
	Red    Colour = 31
	Green  Colour = 32
	Yellow Colour = 33
)

// Painter colours a text, or returns it as it is.
type Painter func(Colour, string) string

// NewPainter returns the painter for what is written to stream. It leaves texts as they are if that
// is no terminal, or if the environment turns colours off (NO_COLOR, TERM=dumb). variable returns
// an environment variable, "" if it is not set.
func NewPainter(stream any, variable func(name string) string) Painter {
	if !IsTerminal(stream) || variable("NO_COLOR") != "" || variable("TERM") == "dumb" {
		return Unpainted
	}
	return func(c Colour, text string) string {
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
	}
}

// Unpainted is the painter without colours.
func Unpainted(_ Colour, text string) string { return text }
