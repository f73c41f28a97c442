package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// complain prints what went wrong, one line for each problem. If verbose, it adds a line for each
// wrapped error. It does not repeat a token that was passed by mistake in place of a name.
func (s surroundings) complain(err error, verbose bool) {
	text := oneLine(err)
	if errors.As(err, new(config.UsageError)) {
		text = err.Error() // a configuration may have several problems, one on each line
	}
	var b strings.Builder
	fmt.Fprintf(&b, "delegation: %s\n", text)
	if verbose {
		chain(&b, err, "  ")
	}
	// If this write fails, there is nobody left to tell.
	_, _ = io.WriteString(s.stderr, jwt().ReplaceAllString(b.String(), "[token]"))
}

// chain writes the errors that an error wraps, each with its type, indented by depth.
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

// oneLine returns an error's text on one line, without characters that a terminal interprets: a
// rule's refusal may contain text that an attacker chose.
func oneLine(err error) string { return term.OneLine(config.ByKeys(err.Error())) }
