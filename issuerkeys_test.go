package delegation_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// issuerWarning is what Check warns of at the only issuer, which works.
func (w *world) issuerWarning(t testing.TB, d *delegation.Delegator) string {
	t.Helper()
	r := result(t, d.Check(context.Background()), "issuer "+w.config.Issuers[0].URL)
	if r.Err != nil {
		t.Errorf("the issuer's result is %v", r.Err)
	}
	return r.Warning
}

// TestCheck_RefreshesFail: from the first refresh that fails, Check and IssuerKeys say since when,
// and when exchanges will fail. At that time they do.
func TestCheck_RefreshesFail(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		d := w.delegator(t)
		late := w.token(map[string]any{"exp": start.Add(48 * time.Hour).Unix()})
		use := func(want string) {
			t.Helper()
			w.wantOutcome(t, d, late, want)
			synctest.Wait()
		}
		keys := func() delegation.IssuerKeys {
			list := d.IssuerKeys()
			if len(list) != 1 || list[0].Issuer != issuerURL {
				t.Fatalf("got %+v", list)
			}
			return list[0]
		}
		if got := keys(); got != (delegation.IssuerKeys{Issuer: issuerURL}) {
			t.Errorf("before the first use: %+v", got)
		}
		use(accepted)
		if warning := w.issuerWarning(t, d); warning != "" {
			t.Errorf("a good issuer is warned of: %s", warning)
		}
		if got := keys(); !got.FailingSince.IsZero() || got.Err != nil ||
			!got.UsableUntil.Equal(start.Add(25*time.Hour)) || !got.FetchedAt.Equal(start) {
			t.Errorf("got %+v", got)
		}

		w.provider.SetFaults(oidctest.Faults{Status: 403, Only: oidctest.KeySetPath})
		for _, hour := range []int{2, 22, 24} {
			w.clock.Advance(start.Add(time.Duration(hour) * time.Hour).Sub(w.clock.Now()))
			use(accepted)
			warning := w.issuerWarning(t, d)
			for _, words := range []string{
				"refreshes of its keys have failed since 2026-11-23T11:00:00Z",
				"exchanges fail from 2026-11-24T10:00:00Z on", "it answered 403",
			} {
				if !strings.Contains(warning, words) {
					t.Errorf("at %d h: %q is not in %q", hour, words, warning)
				}
			}
			if got := keys(); !got.FailingSince.Equal(start.Add(2*time.Hour)) ||
				!errors.Is(got.Err, delegation.CodeKeySetUnavailable) ||
				!got.UsableUntil.Equal(start.Add(25*time.Hour)) || !got.FetchedAt.Equal(start) {
				t.Errorf("at %d h: %+v", hour, got)
			}
		}
		w.clock.Advance(time.Hour - time.Nanosecond)
		use(accepted)
		w.clock.Advance(time.Nanosecond)
		use(refused(delegation.CodeKeySetUnavailable))
		if got := keys(); !got.UsableUntil.IsZero() || !got.FetchedAt.IsZero() ||
			got.FailingSince.IsZero() {
			t.Errorf("at the end: %+v", got)
		}
		r := result(t, d.Check(t.Context()), "issuer "+issuerURL)
		if !errors.Is(r.Err, delegation.CodeKeySetUnavailable) || r.Warning != "" {
			t.Errorf("at the end: %+v", r)
		}

		w.provider.SetFaults(oidctest.Faults{})
		w.clock.Advance(time.Minute)
		use(accepted)
		if warning := w.issuerWarning(t, d); warning != "" || !keys().FailingSince.IsZero() {
			t.Errorf("after the outage: %q, %+v", warning, keys())
		}
		if now := w.clock.Now(); !keys().FetchedAt.Equal(now) {
			t.Errorf("after the outage: fetched at %s, and it is %s", keys().FetchedAt, now)
		}
	})
	if list := (*delegation.Delegator)(nil).IssuerKeys(); list != nil {
		t.Errorf("nobody has keys: %+v", list)
	}
}

// TestCheck_Keys: keys that cannot be used, and an issuer none of whose keys fits what it may sign
// with, are warned of. What is for another use is nobody's mistake.
func TestCheck_Keys(t *testing.T) {
	keys := choiceKeys()
	good := jwk(keys.rsa[0].Public(), nil)
	odd := func(kid string, changes map[string]any) any {
		changes["kid"] = kid
		return jwk(keys.rsa[1].Public(), changes)
	}
	for name, test := range map[string]struct {
		set    []any
		says   []string // none: nothing is warned of
		silent []string
	}{
		"a good key": {set: []any{good}},
		"for other uses": {set: []any{
			good, odd("enc", map[string]any{"use": "enc"}), odd("pq", map[string]any{"kty": "AKP"}),
			jwk(keys.p256.Public(), map[string]any{"crv": "secp256k1"}),
		}},
		"malformed": {
			set: []any{
				odd("bad", map[string]any{"e": "!"}), good,
				odd("enc", map[string]any{"use": "enc"}),
			},
			says:   []string{`the key "bad": its e is not base64url`},
			silent: []string{"enc"},
		},
		"weak": {
			set:  []any{odd("weak", map[string]any{"e": "AQ"}), good},
			says: []string{`the issuer's key "weak" has 2048 bits and exponent 1`},
		},
		"only a weak key": {
			set:  []any{odd("weak", map[string]any{"e": "AQ"})},
			says: []string{`"weak"`, "no key of its set fits any algorithm"},
		},
		"no object": {set: []any{1, good}, says: []string{"it is not an object"}},
		"many": {
			set: []any{
				odd("1", map[string]any{"n": nil}), odd("2", map[string]any{"n": nil}),
				odd("3", map[string]any{"n": nil}), odd("4", map[string]any{"n": nil}),
				odd("5", map[string]any{"n": nil}), odd("6", map[string]any{"n": nil}), good,
			},
			says: []string{`the key "5"`, "; 1 more"}, silent: []string{`"6"`},
		},
		"for another algorithm": {
			set:  []any{jwk(keys.p256.Public(), nil)},
			says: []string{"the keys are for ES256", "Issuer.Algorithms"},
		},
		"for other algorithms": {
			set: []any{
				jwk(keys.p256.Public(), nil), jwk(keys.edwards.Public(), nil),
				jwk(keys.rsa[0].Public(), map[string]any{"alg": "PS384"}),
			},
			says: []string{"the keys are for PS384, ES256, EdDSA;"},
		},
		"for no algorithm": {
			set:  []any{jwk(keys.rsa[0].Public(), map[string]any{"alg": "RSA-OAEP"})},
			says: []string{"no key of its set fits any algorithm"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, static := range []bool{true, false} {
				w := offline(t)
				w.config.Issuers[0].JWKS = keySet(test.set...)
				if !static {
					w = remote(t)
					w.config.HTTPClient = &http.Client{
						Transport: direct(withKeySet(w.provider, keySet(test.set...))),
					}
				}
				warning := w.issuerWarning(t, w.delegator(t))
				if len(test.says) == 0 && warning != "" {
					t.Errorf("got %q", warning)
				}
				for _, words := range test.says {
					if !strings.Contains(warning, words) {
						t.Errorf("%q is not in %q", words, warning)
					}
				}
				for _, words := range test.silent {
					if strings.Contains(warning, words) {
						t.Errorf("%q is in %q", words, warning)
					}
				}
			}
		})
	}
}

// TestIssuerCases_Algorithms: an issuer that signs with another algorithm than it may use is warned
// of before its first token comes, and the remedy works.
func TestIssuerCases_Algorithms(t *testing.T) {
	c := readPublishedCase(t, "16-es256-default-algorithms")
	w := c.world(t)
	warning := w.issuerWarning(t, w.delegator(t))
	if !strings.Contains(warning, "the keys are for ES256; list what it signs with in "+
		"Issuer.Algorithms") {
		t.Errorf("got %q", warning)
	}
	w.config.Issuers[0].Algorithms = []string{"ES256"}
	d := w.delegator(t)
	w.wantOutcome(t, d, c.token, accepted)
	if warning := w.issuerWarning(t, d); warning != "" {
		t.Errorf("got %q", warning)
	}
}

// withServerCertificate answers as if over TLS, with a certificate.
func withServerCertificate(next http.RoundTripper, begins, ends time.Time) transportFunc {
	certificate := &x509.Certificate{NotBefore: begins, NotAfter: ends}
	return func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err == nil {
			response.TLS = &tls.ConnectionState{
				PeerCertificates: []*x509.Certificate{certificate},
			}
		}
		return response, err
	}
}

// TestCheck_IssuerCertificates: a certificate of an issuer's server or key is warned of in its last
// 30 days, or in the last quarter of a shorter life.
func TestCheck_IssuerCertificates(t *testing.T) {
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		before, after time.Duration // the certificate's life, from now
		warned        bool
	}{
		"a year, 31 days left":     {335 * day, 31 * day, false},
		"a year, 29 days left":     {335 * day, 29 * day, true},
		"90 days, 23 left":         {67 * day, 23 * day, false},
		"90 days, 22 left":         {68 * day, 22 * day, true},
		"six days, two left":       {4 * day, 2 * day, false},
		"six days, one left":       {5 * day, day, true},
		"a certificate that ended": {365 * day, -day, true},
	} {
		t.Run(name, func(t *testing.T) {
			begins := start.Add(-test.before)
			ends := start.Add(test.after)
			w := remote(t)
			w.config.HTTPClient.Transport = withServerCertificate(direct(w.provider), begins, ends)
			warning := w.issuerWarning(t, w.delegator(t))
			says := "the certificate of the server issuer.example.com expires at " +
				ends.Format(time.RFC3339)
			if got := strings.Contains(warning, says); got != test.warned {
				t.Errorf("got %q", warning)
			}
			if strings.Count(warning, "certificate") > 1 {
				t.Errorf("the one server is named twice: %q", warning)
			}

			key := choiceKeys().rsa[0]
			w = withSet(t, jwk(key.Public(), map[string]any{
				"x5c": []string{certificateFor(key, begins, ends)},
			}))
			warning = w.issuerWarning(t, w.delegator(t))
			want := test.warned && test.after > 0 // one that ended does no harm: nobody checks it
			says = `the certificate of the key "k" expires at `
			if got := strings.Contains(warning, says); got != want {
				t.Errorf("got %q", warning)
			}
		})
	}
}
