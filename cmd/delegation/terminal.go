package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const (
	verboseFlag   = "verbose"
	progressDelay = time.Second // what takes no longer needs no word
)

// isTerminal tells whether a person sees what is written to w, or types what is read from it.
func (s surroundings) isTerminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress says on standard error what the command is waiting for, if it takes longer than a second and a person is there to read it. The line
// is gone after done, which may be called more than once. Nothing is said after the command's context has ended.
func (s surroundings) progress(c *cobra.Command, what string) (done func()) {
	if !s.isTerminal(s.stderr) {
		return func() {}
	}
	after := s.after
	if after == nil {
		after = time.After
	}
	return progressLine(c, s.stderr, what, after(progressDelay))
}

func progressLine(c *cobra.Command, to io.Writer, what string, late <-chan time.Time) (done func()) {
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-ended:
			return
		case <-c.Context().Done():
			return
		case <-late:
		}
		fmt.Fprintf(to, "%s ...", what)
		<-ended
		fmt.Fprint(to, "\r\x1b[K") // to the start of the line, and erase it (ECMA-48)
	}()
	return sync.OnceFunc(func() { close(ended); <-gone })
}

// complain says what went wrong: a line for each problem, and behind it, if verbose, a line for each error that it wraps. What a rule says may hold
// what a stranger chose, so no terminal obeys it; line ends are kept only between problems of a configuration.
func (s surroundings) complain(err error, verbose bool) {
	problems := []string{err.Error()}
	if errors.As(err, new(usageError)) {
		problems = strings.Split(err.Error(), "\n")
	}
	for i, problem := range problems {
		problems[i] = escaped(problem)
	}
	fmt.Fprintf(s.stderr, "delegation: %s\n", strings.Join(problems, "\n"))
	if verbose {
		chain(s.stderr, err, "  ")
	}
}

// chain writes the errors behind an error, each with its type, deeper ones further to the right.
func chain(to io.Writer, err error, indent string) {
	var behind []error
	switch e := err.(type) {
	case usageError: // which only chooses the exit code
		chain(to, e.error, indent)
		return
	case interface{ Unwrap() []error }:
		behind = e.Unwrap()
	default:
		if inner := errors.Unwrap(err); inner != nil {
			behind = []error{inner}
		}
	}
	for _, e := range behind {
		fmt.Fprintf(to, "%s%T: %s\n", indent, e, escaped(strings.ReplaceAll(e.Error(), "\n", "; ")))
		chain(to, e, indent+"  ")
	}
}
