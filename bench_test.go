package delegation_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// BenchmarkBareRSA2048Signature is what BenchmarkBuildAndSign cannot be faster than.
func BenchmarkBareRSA2048Signature(b *testing.B) {
	key := signingKey().Signer.(*rsa.PrivateKey)
	digest := sha256.Sum256([]byte("the digest of a SignedInfo"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuildAndSign makes the response for a user with a role and two session tags: XML,
// signature, the check of the signature, base64.
func BenchmarkBuildAndSign(b *testing.B) {
	target := delegation.Target{AWS: delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		Tags: map[string]string{"team": "press", "cost-center": "42"},
	}}
	respond := must(delegation.Responder(identity(), target, alice, time.Time{}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := respond(b.Context(), start, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

// exchanger returns a whole exchange, from ID token to credentials: ststest is asked over loopback
// HTTP by the SDK's client, and the issuer's keys are known already.
func exchanger(b *testing.B) func() error {
	w, _ := strictWorld(b)
	w.config.OnEvent = nil
	d, token := w.delegator(b), w.token(nil)
	exchange := func() error {
		_, err := d.Exchange(b.Context(), token, app)
		return err
	}
	if err := exchange(); err != nil {
		b.Fatal(err)
	}
	return exchange
}

// BenchmarkExchangeCached is an exchange whose decision is remembered: the token's signature is
// verified, the rules run, AWS is not called.
func BenchmarkExchangeCached(b *testing.B) {
	w := cachedWorld(b)
	w.config.OnEvent = nil
	d, token := w.delegator(b), w.token(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Exchange(b.Context(), token, app); err != nil {
			b.Fatal(err)
		}
	}
	if len(w.sent) != 1 {
		b.Errorf("%d calls to STS", len(w.sent))
	}
}

func BenchmarkExchange(b *testing.B) {
	exchange := exchanger(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := exchange(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExchangeParallel(b *testing.B) {
	exchange := exchanger(b)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := exchange(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
