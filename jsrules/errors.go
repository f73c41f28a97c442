package jsrules

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

// Reasons why a rule was stopped or failed, for errors.Is. Errors that a rule itself makes have none.
var (
	ErrSource        = errors.New("a rule is one function (user, context, callback), at most 100 kB in UTF-8")
	ErrTimeout       = errors.New("the time is up")
	ErrMemory        = errors.New("the process's memory grew too much while the rule ran")
	ErrDepth         = errors.New("calls are nested too deep")
	ErrCallback      = errors.New("callback was never called")
	ErrCallbackAgain = errors.New("callback was called again")
	ErrValue         = errors.New("a value is not what it should be") // that the rule left in user or context; the error names the property
)

// Error is what is wrong with a rule: in its source, or in a run.
type Error struct {
	Rule         string // its name
	Line, Column int    // where, from 1; 0: not at one place
	Err          error  // what; a JavaScript error is its text, cut short
}

// Error names rule, line and column.
func (e *Error) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf(", line %d, column %d", e.Line, e.Column)
	}
	return fmt.Sprintf("JavaScript rule %q%s: %v", e.Rule, where, e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// refusal is an error of a rule that has a code of its own.
type refusal struct {
	code delegation.Code
	text string
}

func (r *refusal) Error() string { return r.text }

// Unwrap returns the code, which the exchange's error takes over.
func (r *refusal) Unwrap() error { return r.code }

// short cuts a rule's text, which may hold anything, to a length that a log can take.
func short(text string) string {
	if len(text) <= maxError {
		return text
	}
	cut := maxError
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.ToValidUTF8(text[:cut], "\ufffd") + "…"
}
