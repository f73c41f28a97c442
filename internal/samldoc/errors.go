package samldoc

import "fmt"

// The codes of an [Error].
const (
	textInvalid      = "text_invalid"
	tooLarge         = "saml_response_too_large"
	signingFailed    = "signing_failed"
	encryptionFailed = "encryption_failed"
)

// Error says why there is no response. It holds no key and no assertion, and what it quotes is cut
// short and escaped.
type Error struct {
	Code string // one of the codes above
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%v (%s)", e.Err, e.Code) }

// Unwrap returns what happened.
func (e *Error) Unwrap() error { return e.Err }

func failed(code, format string, args ...any) *Error {
	return &Error{code, fmt.Errorf(format, args...)}
}
