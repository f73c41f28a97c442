package signer

import (
	"crypto"
	"errors"
	"io"
)

// Absent returns the signer of a certificate's key that is elsewhere: it has the public key, and
// signs nothing.
func Absent(public crypto.PublicKey) crypto.Signer { return absent{public} }

type absent struct{ key crypto.PublicKey }

func (a absent) Public() crypto.PublicKey { return a.key }

func (absent) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the private key is not here")
}
