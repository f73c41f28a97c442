package signer

import (
	"crypto"
	"errors"
	"io"
)

// Absent returns a signer for a certificate whose key is elsewhere. It has the public key, but
// cannot sign.
func Absent(public crypto.PublicKey) crypto.Signer { return absent{public} }

type absent struct{ key crypto.PublicKey }

func (a absent) Public() crypto.PublicKey { return a.key }

func (absent) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key is not here")
}
