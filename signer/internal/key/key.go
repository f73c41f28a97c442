// Package key defines what a key in a key store is to this program: a public key, a way to sign,
// and errors that say what to do. The packages google, azure and token implement it for their kinds
// of store. This package does not depend on them.
package key

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Key is an RSA private key that never leaves its store.
type Key interface {
	// Public returns the public key, which does not change.
	Public() *rsa.PublicKey
	// Sign returns the PKCS #1 v1.5 signature of a digest. Several calls may run at the same time,
	// and each ends with its context. Errors are *Failure where the cause is known.
	Sign(ctx context.Context, hash crypto.Hash, digest []byte) ([]byte, error)
	// Close releases the key's resources. Sign must not be called after it.
	Close()
}

// Failure is an error that says what to do about it. Neither text has a secret.
type Failure struct {
	Text   string // what is wrong
	Remedy string // what the operator can do
	// Temporary says that the same call may succeed later without a change.
	Temporary bool
	// Throttled says that the key's store limits the calls.
	Throttled bool
	// Final says that no later call can succeed, and that the program has to end.
	Final bool
}

func (f *Failure) Error() string { return f.Text }

// Permanent returns a Failure that lasts until something is changed. The text is a format.
func Permanent(remedy, format string, args ...any) *Failure {
	return &Failure{Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Temporary returns a Failure that may pass without a change. The text is a format.
func Temporary(remedy, format string, args ...any) *Failure {
	return &Failure{Text: fmt.Sprintf(format, args...), Remedy: remedy, Temporary: true}
}

// Throttled returns a Temporary of a store that limits the calls.
func Throttled(remedy, format string, args ...any) *Failure {
	f := Temporary(remedy, format, args...)
	f.Throttled = true
	return f
}

// FailureOf returns the Failure of an error. An error without one gets a general remedy.
func FailureOf(err error) *Failure {
	var known *Failure
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Temporary("check the key's store, and the network to it",
			"the key's store gave no answer in time")
	}
	return Permanent("run delegation-signer with this URI in a shell, and read its log",
		"%s", Short(err.Error()))
}

// ParsePublic parses a DER SubjectPublicKeyInfo, which must contain an RSA key of at least 2048
// bits.
func ParsePublic(der []byte) (*rsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, Permanent(rsaRemedy, "the public key cannot be read: %v", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, Permanent(rsaRemedy, "the key is not an RSA key")
	}
	return public, CheckPublic(public)
}

const rsaRemedy = "use an RSA key of at least 2048 bits"

// CheckPublic refuses keys that are too weak, or that cannot be RSA keys.
func CheckPublic(public *rsa.PublicKey) error {
	switch {
	case public.N.BitLen() < 2048:
		return Permanent(rsaRemedy, "the RSA key has only %d bits", public.N.BitLen())
	case public.N.BitLen() > 8192:
		return Permanent(rsaRemedy, "the RSA key has %d bits, and at most 8192 are accepted",
			public.N.BitLen())
	case public.E < 3 || public.E%2 == 0:
		return Permanent(rsaRemedy, "the RSA key has the exponent %d", public.E)
	}
	return nil
}

// Short returns a foreign text as one line of at most 300 bytes, for an error.
func Short(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	const most = 300
	if len(text) <= most {
		return text
	}
	cut := most
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
