package signer

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
)

// maxText is how many characters of a foreign text an error keeps.
const maxText = 500

// Error says why there is no signer or no signature. It holds no secret. It wraps
// [delegation.CodeSignerThrottled] or [delegation.CodeSignerRefused], or neither if it is
// temporary.
type Error struct {
	// Text says what is wrong. Foreign texts in it are truncated and escaped.
	Text string
	// Remedy says what to do.
	Remedy string
	// Temporary says that the same call may succeed later without a change.
	Temporary bool
	// Throttled says that the key service limits the calls.
	Throttled bool
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Text
	}
	return e.Text + ": " + e.Remedy
}

// Is tells which of a signer's codes the error has.
func (e *Error) Is(target error) bool {
	switch {
	case e.Throttled:
		return target == delegation.CodeSignerThrottled
	case !e.Temporary:
		return target == delegation.CodeSignerRefused
	}
	return false
}

func refused(text, remedy string) *Error { return &Error{Text: text, Remedy: remedy} }

func temporary(text, remedy string) *Error {
	return &Error{Text: text, Remedy: remedy, Temporary: true}
}

// named puts the URI of the key in front of an [*Error]. Other errors stay as they are.
func named(uri string, err error) error {
	var known *Error
	if !errors.As(err, &known) {
		return err
	}
	own := *known
	own.Text = printable(uri) + ": " + own.Text
	return &own
}

// printable truncates a foreign text, and escapes what is not printable in it.
func printable(text string) string {
	var shown strings.Builder
	length := 0
	for _, r := range text {
		if length == maxText {
			shown.WriteString("…")
			break
		}
		length++
		if unicode.IsPrint(r) && r != utf8.RuneError {
			shown.WriteRune(r)
			continue
		}
		shown.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return shown.String()
}
