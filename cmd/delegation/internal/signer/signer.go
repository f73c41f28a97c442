// Package signer opens signing keys that never leave their key service. It calls AWS KMS over its
// JSON interface, and any other key service through a program, delegation-signer. A URI names the
// key, and holds no secret. Errors say what to do, in terms of the configuration's keys and the key
// service's permissions.
package signer

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
)

// openTimeout limits opening a key, which starts a program or calls AWS.
const openTimeout = 10 * time.Second

// DefaultTimeout limits a signature that is requested without a context.
const DefaultTimeout = 30 * time.Second

// Key says which key to open.
type Key struct {
	// URI names the key, such as awskms:///alias/delegation.
	URI string
	// Program is the program to run if the scheme is not awskms. Empty: the program
	// delegation-signer next to the running one, or in PATH.
	Program string
	// Timeout is how long a signature may take. A program that answers nothing for that long, and
	// for at least 30 seconds, is restarted. Zero: 30 seconds.
	Timeout time.Duration
	// Logger logs what the program writes to standard error. It is required.
	Logger *slog.Logger

	// limit bounds an attempt; nil: attemptTimeout.
	limit func(context.Context) (context.Context, context.CancelFunc)
	after func(time.Duration) <-chan time.Time       // nil: time.After
	pause func(context.Context, time.Duration) error // nil: it takes its time
}

// Signer is an open key. It is safe for concurrent use.
type Signer interface {
	delegation.ContextSigner
	io.Closer

	// Ended tells whether it will never sign again, and has to be opened again.
	Ended() bool
}

// schemes are the schemes that delegation-signer supports, with the names of the products.
var schemes = map[string]string{
	"gcpkms":   "Google Cloud KMS",
	"azurekms": "Azure Key Vault",
	"pkcs11":   "PKCS #11",

	"azurekeyvault": "Azure Key Vault",
}

const knownSchemes = "awskms:, gcpkms:, azurekms: and pkcs11:"

// Open connects to the key and reads its public key. It takes at most 10 seconds. The error is an
// [*Error].
func Open(ctx context.Context, key Key) (Signer, error) {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	scheme, _, found := strings.Cut(key.URI, ":")
	switch {
	case !found:
		return nil, refused("the URI has no scheme", "begin it with one of "+knownSchemes)
	case secretInURI(key.URI):
		return nil, refused("the URI has a PIN in it, and everyone who lists processes can read it",
			"write the PIN to a file and name it with pin-source=file:/PATH instead of pin-value")
	case scheme == "awskms":
		if key.Program != "" {
			return nil, refused("awskms needs no program", "remove signer_program")
		}
		return openAWS(limited, key)
	case key.Program == "" && schemes[scheme] == "":
		return nil, refused(fmt.Sprintf("%.40q is not a scheme of a key service", scheme),
			"use one of "+knownSchemes+", or name a program with signer_program")
	}
	return openProgram(limited, key)
}

// secretInURI tells whether a PKCS #11 URI holds a PIN (RFC 7512 §2.4).
func secretInURI(uri string) bool {
	fields := strings.FieldsFunc(uri, func(r rune) bool { return strings.ContainsRune("?&;:", r) })
	return slices.ContainsFunc(fields, func(field string) bool {
		return strings.HasPrefix(strings.ToLower(field), "pin-value=")
	})
}

// WithContext returns a crypto.Signer whose Sign ends with the context, or after 30 seconds. It is
// for callers that cannot pass a context.
func WithContext(ctx context.Context, s Signer) crypto.Signer { return withContext{s, ctx} }

type withContext struct {
	Signer
	ctx context.Context
}

func (s withContext) Sign(
	random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	return signWithin(s.ctx, s, random, digest, opts)
}

// signPlain implements Sign for a signer that takes a context.
func signPlain(
	s Signer, random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	return signWithin(context.Background(), s, random, digest, opts)
}

// signWithin signs within 30 seconds.
func signWithin(
	ctx context.Context, s Signer, random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	return s.SignContext(limited, random, digest, opts)
}

// hashName returns the name of the hash of a PKCS #1 v1.5 signature, such as SHA-256.
func hashName(digest []byte, opts crypto.SignerOpts) (string, error) {
	hash := opts.HashFunc()
	if opts != crypto.SignerOpts(hash) {
		return "", refused("only PKCS #1 v1.5 signatures are supported",
			"pass a crypto.Hash as the options, such as crypto.SHA256")
	}
	switch hash {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return "", refused(fmt.Sprintf("%v is not a hash for a signature here", hash),
			"use SHA-256, SHA-384 or SHA-512")
	}
	if len(digest) != hash.Size() {
		return "", refused(fmt.Sprintf("a digest of %d bytes is not one of %v", len(digest), hash),
			"report this as a bug")
	}
	return hash.String(), nil
}
