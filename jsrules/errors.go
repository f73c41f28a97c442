package jsrules

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

// Reasons why a rule was stopped or failed, for errors.Is. Errors that a rule makes itself have no
// such reason.
var (
	// ErrSource is a source that is not one rule, or is too large. The error says what the source
	// is instead.
	ErrSource = errors.New(
		"a rule is one function (user, context, callback), at most 100 kB in UTF-8",
	)
	// ErrTimeout is a rule that ran longer than Options.RuleTimeout or Options.ChainTimeout permit.
	ErrTimeout = errors.New("the time is up")
	// ErrMemory is a rule during which the process's memory grew by more than 64 MiB, and 8 MiB for
	// each other rule that ran at the same time.
	ErrMemory = errors.New("the process's memory grew too much while the rule ran")
	// ErrDepth is a rule with more than 1,000 nested calls.
	ErrDepth = errors.New("calls are nested too deep")
	// ErrCallback is a rule that ended without a call of callback.
	ErrCallback = errors.New("callback was never called")
	// ErrCallbackAgain is a rule that called callback more than once.
	ErrCallbackAgain = errors.New("callback was called again")
	// ErrValue is a value that the rule left in user or context where it does not belong. The error
	// names the property.
	ErrValue = errors.New("a value is not what it should be")
)

// Error says what is wrong with a rule, in its source or in a run.
type Error struct {
	// Rule is the rule's name.
	Rule string
	// Line and Column are the place in the source, from 1. They are 0 if there is no single place.
	Line, Column int
	// Err is the reason. For an error in JavaScript it is the text of that error, cut short. Values
	// of Options.Configuration and Options.Secrets are replaced by their names.
	Err error
}

// Error names rule, line and column.
func (e *Error) Error() string {
	where := ""
	if e.Line > 0 {
		where = fmt.Sprintf(", line %d, column %d", e.Line, e.Column)
	}
	return fmt.Sprintf("JavaScript rule %q%s: %v", e.Rule, where, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// refusal is an error of a rule that has a code of its own.
type refusal struct {
	code delegation.Code
	text string
}

func (r *refusal) Error() string { return r.text }

// Unwrap returns the code, which the exchange's error takes over.
func (r *refusal) Unwrap() error { return r.code }

// short cuts a text of a rule, which may hold anything, to a length that suits a log.
func short(text string) string {
	if len(text) <= maxError {
		return text
	}
	cut := maxError
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strings.ToValidUTF8(text[:cut], "\ufffd") + cutMark
}
