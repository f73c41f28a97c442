//go:build !pkcs11

package token

import (
	"context"

	"github.com/seed055b7978/delegation/signer/internal/key"
	"github.com/seed055b7978/delegation/signer/internal/pkcs11uri"
)

// Open fails, and says how to build a program that supports PKCS#11.
func Open(_ context.Context, uri string, _ Options) (key.Key, error) {
	if _, err := pkcs11uri.Parse(uri); err != nil {
		return nil, err
	}
	return nil, key.Permanent("build delegation-signer with C libraries, where a C compiler is: "+
		"CGO_ENABLED=1 go install -tags pkcs11 "+
		"github.com/seed055b7978/delegation/signer/cmd/delegation-signer@latest",
		"this delegation-signer was built without PKCS#11")
}
