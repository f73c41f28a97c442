package delegation_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

const slowKeyWarning = "the *rsa.PrivateKey has no precomputed values, so a signature takes up " +
	"to twice as long: call its method Precompute before New"

// byHand is the signing key put together field by field.
func byHand() *rsa.PrivateKey {
	key := signingKey().Signer.(*rsa.PrivateKey)
	return &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: key.Primes}
}

// ofThreePrimes is a key of a kind that crypto/rsa takes and does not make any more.
func ofThreePrimes() *rsa.PrivateKey {
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{E: 65537}}
	for key.D == nil { // not every product has a private exponent
		key.N = big.NewInt(1)
		key.Primes = nil
		totient := big.NewInt(1)
		for range 3 {
			prime := must(rand.Prime(rand.Reader, 684))
			key.Primes = append(key.Primes, prime)
			key.N.Mul(key.N, prime)
			totient.Mul(totient, new(big.Int).Sub(prime, big.NewInt(1)))
		}
		key.D = new(big.Int).ModInverse(big.NewInt(int64(key.E)), totient)
	}
	return key
}

// TestSlowKeys: New and Check warn of a key in memory without precomputed values, and of no other.
// What the warning says to do ends it.
func TestSlowKeys(t *testing.T) {
	remedied := byHand()
	remedied.Precompute()
	without := func(remove func(*rsa.PrecomputedValues)) *rsa.PrivateKey {
		key := byHand()
		key.Precomputed = remedied.Precomputed
		remove(&key.Precomputed)
		return key
	}
	noDp := func(values *rsa.PrecomputedValues) { values.Dp = nil }
	noDq := func(values *rsa.PrecomputedValues) { values.Dq = nil }
	noQinv := func(values *rsa.PrecomputedValues) { values.Qinv = nil }
	threePrimes := ofThreePrimes()
	for name, row := range map[string]struct {
		signer crypto.Signer
		slow   bool
	}{
		"as crypto/rsa makes it":            {signingKey().Signer, false},
		"by hand":                           {byHand(), true},
		"by hand, and Precompute called":    {remedied, false},
		"without Dp":                        {without(noDp), true},
		"without Dq":                        {without(noDq), true},
		"without Qinv":                      {without(noQinv), true},
		"three primes, which need none":     {threePrimes, false},
		"a signer that is no key in memory": {struct{ crypto.Signer }{byHand()}, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := delegation.SigningKey{Signer: row.signer, Certificate: signingKey().Certificate}
			if row.signer == threePrimes {
				key.Certificate = selfSigned(threePrimes)
			}
			w := newWorld(t)
			w.config.IdentityProvider.Keys = []delegation.SigningKey{nextKey(), key}
			wantSlowKey(t, w, keyName(key, entityID), row.slow)
		})
	}
	t.Run("of a target's own identity", func(t *testing.T) {
		key := delegation.SigningKey{Signer: byHand(), Certificate: signingKey().Certificate}
		w := newWorld(t)
		w.config.IdentityProvider.Keys = []delegation.SigningKey{nextKey()}
		w.target(func(target *delegation.Target) {
			target.Identity = &delegation.IdentityProvider{
				EntityID: "urn:other",
				Keys:     []delegation.SigningKey{key},
			}
		})
		wantSlowKey(t, w, keyName(key, "urn:other"), true)
	})
}

// wantSlowKey holds what New logs and Check says of a key. An exchange works either way.
func wantSlowKey(t *testing.T, w *world, name string, slow bool) {
	t.Helper()
	var log bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	d := w.delegator(t)
	logged := strings.Count(log.String(), "slow signing key")
	if logged > 1 || (logged == 1) != slow {
		t.Errorf("the log has\n%s", log.String())
	}
	if slow && (!strings.Contains(log.String(), name) ||
		!strings.Contains(log.String(), slowKeyWarning)) {
		t.Errorf("the log does not name %s:\n%s", name, log.String())
	}
	want := ""
	if slow {
		want = slowKeyWarning
	}
	if r := result(t, d.Check(t.Context()), name); r.Err != nil || r.Warning != want {
		t.Errorf("Check: %v, %q", r.Err, r.Warning)
	}
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Error(err)
	}
}

// TestSlowKeys_AndDates: one warning does not hide the other.
func TestSlowKeys_AndDates(t *testing.T) {
	w := newWorld(t)
	key := delegation.SigningKey{Signer: byHand(), Certificate: signingKey().Certificate}
	w.config.IdentityProvider.Keys = []delegation.SigningKey{key}
	d := w.delegator(t)
	w.clock.Set(key.Certificate.NotAfter.AddDate(1, 0, 0))
	got := result(t, d.Check(t.Context()), keyName(key, entityID)).Warning
	dates, slow, both := strings.Cut(got, "; AWS ignores the dates; ")
	if !both || !strings.HasPrefix(dates, "the certificate expired on ") || slow != slowKeyWarning {
		t.Errorf("got %q", got)
	}
}
