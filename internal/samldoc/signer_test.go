package samldoc_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

var (
	own   = sync.OnceValue(newKey)
	other = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

var digest = sha256.Sum256([]byte("what is signed"))

// signer is an HSM of one function: nobody sees its private key.
type signer func(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)

func (signer) Public() crypto.PublicKey { return own().Public() }

func (s signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s(random, digest, opts)
}

func TestSign_HandsEverythingOn(t *testing.T) {
	random, options := strings.NewReader("random"), struct{ crypto.SignerOpts }{crypto.SHA256}
	checked := samldoc.NewCheckedSigner(
		signer(func(r io.Reader, d []byte, opts crypto.SignerOpts) ([]byte, error) {
			if r != random || !bytes.Equal(d, digest[:]) || opts != options {
				t.Errorf("the signer got %v, %x, %v", r, d, opts)
			}
			return own().Sign(r, d, opts)
		}), own().Public())
	signature, err := checked.Sign(random, digest[:], options)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(&own().PublicKey, crypto.SHA256, digest[:],
		signature); err != nil {
		t.Error(err)
	}
}

func TestSign_PassesTheSignersErrorOn(t *testing.T) {
	broken := errors.New("the HSM is locked")
	checked := samldoc.NewCheckedSigner(
		signer(func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return []byte("half a signature"), broken
		}), own().Public())
	signature, err := checked.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != broken || signature != nil {
		t.Errorf("got %q, %v", signature, err)
	}
}

func TestSign_LetsNoBadSignatureOut(t *testing.T) {
	const refusal = "the signer's signature does not verify with its certificate"
	genuine := func() []byte {
		signature, err := rsa.SignPKCS1v15(rand.Reader, own(), crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	returns := func(signature []byte) signer {
		return func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return signature, nil }
	}
	flipped := genuine()
	flipped[len(flipped)-1] ^= 1
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		signer crypto.Signer
		public crypto.PublicKey
	}{
		{"nothing", returns(nil), own().Public()},
		{"garbage", returns(bytes.Repeat([]byte{0x5A}, 256)), own().Public()},
		{"one bit flipped, as by a fault", returns(flipped), own().Public()},
		{"a byte too many", returns(append(genuine(), 0)), own().Public()},
		{"the first byte missing", returns(genuine()[1:]), own().Public()},
		{"of another key", other(), own().Public()},
		{"the certificate's key replaced", own(), other().Public()},
		{"of another digest", signer(func(r io.Reader, d []byte, opts crypto.SignerOpts) (
			[]byte, error) {
			changed := slices.Clone(d)
			changed[0] ^= 1
			return own().Sign(r, changed, opts)
		}), own().Public()},
		{"RSA-PSS", signer(func(r io.Reader, d []byte, opts crypto.SignerOpts) ([]byte, error) {
			return own().Sign(r, d, &rsa.PSSOptions{Hash: opts.HashFunc()})
		}), own().Public()},
		{"an ECDSA key", ec, ec.Public()},
		{"no public key", own(), nil},
		{"an RSA key by value", own(), own().PublicKey},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signature, err := samldoc.NewCheckedSigner(tt.signer, tt.public).Sign(rand.Reader,
				digest[:], crypto.SHA256)
			if err == nil || err.Error() != refusal {
				t.Errorf("got %v, want %s", err, refusal)
			}
			if signature != nil {
				t.Error("the signature came out all the same")
			}
		})
	}
}

func TestTry(t *testing.T) {
	if err := samldoc.NewCheckedSigner(own(), own().Public()).Try(t.Context()); err != nil {
		t.Error(err)
	}
	if err := samldoc.NewCheckedSigner(own(), other().Public()).Try(t.Context()); err == nil {
		t.Error("the certificate of another key passes")
	}
	var digests [][]byte
	remember := samldoc.NewCheckedSigner(
		signer(func(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
			digests = append(digests, bytes.Clone(digest))
			return own().Sign(r, digest, o)
		}), own().Public())
	err := errors.Join(remember.Try(t.Context()), remember.Try(t.Context()))
	if err != nil || len(digests) != 2 ||
		len(digests[0]) != 32 || bytes.Equal(digests[0], digests[1]) {
		t.Errorf("got %v, digests %x", err, digests)
	}
}

// TestBlank: zeros of the right length, which verify with no key.
func TestBlank(t *testing.T) {
	blank := samldoc.BlankSigner{Key: own().Public()}
	signature, err := samldoc.NewCheckedSigner(blank, blank.Public()).Sign(nil, digest[:],
		crypto.SHA256)
	public := own().Public().(*rsa.PublicKey)
	if err != nil || len(signature) != public.Size() || len(bytes.Trim(signature, "\x00")) != 0 {
		t.Errorf("got %x, %v", signature, err)
	}
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil {
		t.Error("a blank verifies")
	}
	if signature, err := (samldoc.BlankSigner{}).Sign(nil, digest[:], crypto.SHA256); err == nil ||
		signature != nil {
		t.Errorf("without a key: %x, %v", signature, err)
	}
}
