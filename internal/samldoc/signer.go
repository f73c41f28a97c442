package samldoc

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
)

// contextSigner is a crypto.Signer that can be called with a context.
type contextSigner interface {
	SignContext(
		ctx context.Context, random io.Reader, digest []byte, opts crypto.SignerOpts,
	) ([]byte, error)
}

// CheckedSigner is a crypto.Signer whose PKCS #1 v1.5 signatures are verified before anybody sees
// them. A faulty signer must not show up as a "signature invalid" of the receiver, and a faulty RSA
// signature can give the private key away.
type CheckedSigner struct {
	crypto.Signer
	public crypto.PublicKey
}

// NewCheckedSigner wraps a signer. The public key is the one that others verify with, such as the
// certificate's: the signer's own may have been replaced since.
func NewCheckedSigner(signer crypto.Signer, public crypto.PublicKey) CheckedSigner {
	return CheckedSigner{signer, public}
}

// Sign signs and verifies. It fails for public keys that are not RSA.
func (s CheckedSigner) Sign(
	random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	return s.SignContext(context.Background(), random, digest, opts)
}

// SignContext is Sign, with a context for a signer that takes one.
func (s CheckedSigner) SignContext(
	ctx context.Context, random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	signature, err := s.sign(ctx, random, digest, opts)
	if err != nil {
		return nil, err
	}
	if _, blank := s.Signer.(BlankSigner); blank {
		return signature, nil
	}
	public, ok := s.public.(*rsa.PublicKey)
	if !ok || rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, signature) != nil {
		return nil, errors.New("the signer's signature does not verify with its certificate")
	}
	return signature, nil
}

func (s CheckedSigner) sign(
	ctx context.Context, random io.Reader, digest []byte, opts crypto.SignerOpts,
) ([]byte, error) {
	if signer, ok := s.Signer.(contextSigner); ok {
		return signer.SignContext(ctx, random, digest, opts)
	}
	return s.Signer.Sign(random, digest, opts)
}

// Try makes a real signature of a random digest and verifies it.
func (s CheckedSigner) Try(ctx context.Context) error {
	digest := make([]byte, crypto.SHA256.Size())
	_, _ = rand.Read(digest) // never fails
	_, err := s.SignContext(ctx, rand.Reader, digest, crypto.SHA256)
	return err
}

// BlankSigner replaces a signer if a document is built only for its size. It has no private key.
// Its signatures are zeros of a signature's length, which nobody accepts. A [CheckedSigner] does
// not verify them.
type BlankSigner struct{ Key crypto.PublicKey }

// Public returns the key.
func (b BlankSigner) Public() crypto.PublicKey { return b.Key }

// Sign signs nothing. It fails for public keys that are not RSA.
func (b BlankSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	public, ok := b.Key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the key is not RSA")
	}
	return make([]byte, public.Size()), nil
}
