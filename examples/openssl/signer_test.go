//go:build openssl

package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/delegationtest"
)

func newTestSigner(t *testing.T) (*signer, *rsa.PrivateKey) {
	t.Helper()
	private, err := privateKey(delegationtest.SigningKey())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, private
}

// TestSigner_SignsAsGoDoes: PKCS #1 v1.5 has one signature for each digest, so both make the same
// one, also when many are made at the same time.
func TestSigner_SignsAsGoDoes(t *testing.T) {
	s, private := newTestSigner(t)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			digest := sha256.Sum256([]byte{byte(i)})
			got, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				t.Error(err)
				return
			}
			want, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("another signature of digest %d: %v", i, err)
			}
		})
	}
	all.Wait()
}

// TestSigner_OutlivesGarbageCollection: the key is freed with the signer, and not before.
func TestSigner_OutlivesGarbageCollection(t *testing.T) {
	s, _ := newTestSigner(t)
	newTestSigner(t) // garbage at once
	runtime.GC()
	runtime.GC()
	digest := sha256.Sum256(nil)
	if _, err := s.Sign(nil, digest[:], crypto.SHA256); err != nil {
		t.Error(err)
	}
}

// TestSigner_RefusesOtherWork: it makes no signature of a form that it was not asked for.
func TestSigner_RefusesOtherWork(t *testing.T) {
	s, _ := newTestSigner(t)
	digest := make([]byte, 64)
	for name, ask := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
	}{
		"PSS":           {digest[:32], &rsa.PSSOptions{Hash: crypto.SHA256}},
		"SHA-512":       {digest, crypto.SHA512},
		"a wrong size":  {digest[:31], crypto.SHA256},
		"an empty one":  {nil, crypto.SHA256},
		"without hash":  {digest[:32], crypto.Hash(0)},
		"SHA-1, padded": {digest[:32], crypto.SHA1},
	} {
		if signature, err := s.Sign(nil, ask.digest, ask.opts); err == nil || signature != nil {
			t.Errorf("%s: it signs", name)
		}
	}
}

// TestOpenSSL_Run: STS takes the assertion that OpenSSL signed.
func TestOpenSSL_Run(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "STS took the signature of OpenSSL") {
		t.Errorf("it says %q", out.String())
	}
}
