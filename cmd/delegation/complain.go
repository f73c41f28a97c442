package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// complain says what went wrong: a line for each problem, and after it, if verbose, a line for
// each error that it wraps. A token that was given where none belongs, and so was taken for a name,
// is not repeated.
func (s surroundings) complain(err error, verbose bool) {
	text := oneLine(err)
	if errors.As(err, new(config.UsageError)) {
		text = err.Error() // a configuration may have several problems, each on a line
	}
	var b strings.Builder
	fmt.Fprintf(&b, "delegation: %s\n", text)
	if verbose {
		chain(&b, err, "  ")
	}
	// If that fails, nobody can be told.
	_, _ = io.WriteString(s.stderr, jwt().ReplaceAllString(b.String(), "[token]"))
}

// chain writes the errors behind an error, each with its type, deeper ones further to the right.
func chain(to io.Writer, err error, indent string) {
	var behind []error
	switch e := err.(type) {
	case config.UsageError: // which only chooses the exit code
		chain(to, e.Unwrap(), indent)
		return
	case interface{ Unwrap() []error }:
		behind = e.Unwrap()
	default:
		if inner := errors.Unwrap(err); inner != nil {
			behind = []error{inner}
		}
	}
	for _, e := range behind {
		fmt.Fprintf(to, "%s%T: %s\n", indent, e, oneLine(e))
		chain(to, e, indent+"  ")
	}
}

// oneLine is an error's text on one line that no terminal obeys: a rule's refusal may hold what a
// stranger chose.
func oneLine(err error) string { return term.OneLine(config.ByKeys(err.Error())) }
