//go:build pkcs11

package token

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/seed055b7978/delegation/signer/internal/key"
)

// isLost tells whether the session, the login or the token is gone, or the device failed. A new
// connection may cure all of these.
func isLost(err error) bool {
	return hasCode(err,
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED,
		pkcs11.CKR_DEVICE_ERROR,
		pkcs11.CKR_DEVICE_REMOVED,
		pkcs11.CKR_FUNCTION_FAILED,
		pkcs11.CKR_GENERAL_ERROR,
		pkcs11.CKR_KEY_HANDLE_INVALID,
		pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_SESSION_CLOSED,
		pkcs11.CKR_SESSION_HANDLE_INVALID,
		pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
		pkcs11.CKR_USER_NOT_LOGGED_IN,
	)
}

// isPIN tells whether another attempt with the same PIN would also fail, and might lock the token.
func isPIN(err error) bool {
	return hasCode(err,
		pkcs11.CKR_PIN_EXPIRED,
		pkcs11.CKR_PIN_INCORRECT,
		pkcs11.CKR_PIN_INVALID,
		pkcs11.CKR_PIN_LEN_RANGE,
		pkcs11.CKR_PIN_LOCKED,
	)
}

func hasCode(err error, codes ...pkcs11.Error) bool {
	var code pkcs11.Error
	return errors.As(err, &code) && slices.Contains(codes, code)
}

// advice is what to do about an error of the library.
type advice struct {
	text      string
	remedy    string
	temporary bool
}

// failureOf turns an error of the library into one that says what to do.
func (k *tokenKey) failureOf(err error) error {
	var code pkcs11.Error
	if !errors.As(err, &code) {
		return err
	}
	a, known := k.adviceOn(code)
	if !known {
		a = advice{"the token refused", "look the code up in the manual of the token's library",
			false}
	}
	where, _, _ := strings.Cut(err.Error(), ": ")
	text := fmt.Sprintf("%s: %s", a.text, nameOf(code))
	if strings.HasPrefix(where, "C_") {
		text += " from " + where
	}
	return &key.Failure{
		Text:      text,
		Remedy:    a.remedy,
		Temporary: a.temporary,
		// The PIN is never tried again, so only another program can sign.
		Final: k.pinRefused.Load() != nil && isPIN(err),
	}
}

// nameOf returns the name in the specification, or the number of a vendor's own code.
func nameOf(code pkcs11.Error) string {
	text := code.Error()
	if name := text[strings.LastIndex(text, ":")+1:]; strings.TrimSpace(name) != "" {
		return strings.TrimSpace(name)
	}
	return fmt.Sprintf("0x%X", uint(code))
}

func (k *tokenKey) adviceOn(code pkcs11.Error) (advice, bool) {
	const (
		look  = "check the token, its connection, and the log of its library"
		apply = "; then reload or restart the service"
	)
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
		return advice{"the token refused the PIN, which is not tried again", "correct the PIN, " +
			"and log in with it once, which clears the token's count: " + k.loginCommand() + apply,
			false}, true
	case pkcs11.CKR_PIN_LOCKED:
		return advice{"the token has locked the PIN after too many wrong ones",
			"have the token's security officer set a new PIN, and configure it" + apply, false}, true
	case pkcs11.CKR_PIN_EXPIRED:
		return advice{"the PIN has expired", "set a new PIN: " + k.toolCommand() +
			" --login --change-pin; configure it" + apply, false}, true
	case pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
		return advice{"the token has no PIN for users", "have the token's security officer set " +
			"one: " + k.toolCommand() + " --login --login-type so --init-pin", false}, true
	case pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_KEY_TYPE_INCONSISTENT,
		pkcs11.CKR_ACTION_PROHIBITED:
		return advice{"the key is not for signing",
			"make a key for signing: pkcs11-tool --keypairgen --usage-sign", false}, true
	case pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID,
		pkcs11.CKR_FUNCTION_NOT_SUPPORTED:
		return advice{"the token does not sign with CKM_RSA_PKCS",
			"allow the mechanism CKM_RSA_PKCS in the token's policy, or use another token",
			false}, true
	case pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_MEMORY,
		pkcs11.CKR_FUNCTION_CANCELED, pkcs11.CKR_FUNCTION_FAILED, pkcs11.CKR_GENERAL_ERROR,
		pkcs11.CKR_HOST_MEMORY, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_SESSION_HANDLE_INVALID,
		pkcs11.CKR_USER_NOT_LOGGED_IN:
		return advice{"the token failed", look, true}, true
	case pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED:
		return advice{"the token is gone", "connect the token; " + look, true}, true
	case pkcs11.CKR_SESSION_COUNT:
		return advice{"the token has no free session",
			"end other programs that use it, or allow more sessions in its settings", true}, true
	}
	return advice{}, false
}
