package delegation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// choiceKeys are keys of each kind: seven of RSA, one of each other kind.
var choiceKeys = sync.OnceValue(func() (keys struct {
	rsa     [7]*rsa.PrivateKey
	p256    *ecdsa.PrivateKey
	edwards ed25519.PrivateKey
}) {
	for i := range keys.rsa {
		keys.rsa[i] = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	keys.p256 = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, keys.edwards, _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

// signedWith is a good token with a header and the key's signature.
func signedWith(key crypto.Signer, header map[string]any) string {
	provider := must(oidctest.New(oidctest.Config{
		Key: key,
		Now: func() time.Time { return start },
	}))
	return must(provider.Sign(header, []byte(payload(nil))))
}

// withSet is a world whose issuer has a static key set and may sign with any algorithm.
func withSet(t testing.TB, keys ...any) *world {
	w := offline(t, algorithms...)
	w.config.Issuers[0].JWKS = keySet(keys...)
	return w
}

// TestKeyChoice: of the keys with a token's kid, those of its kind and algorithm are tried, each
// once, at most four, and the ones that name the algorithm first.
func TestKeyChoice(t *testing.T) {
	keys := choiceKeys()
	of := func(key crypto.Signer, changes map[string]any) any { return jwk(key.Public(), changes) }
	plain := func(n int) any { return of(keys.rsa[n], nil) }
	named := func(n int, alg string) any { return of(keys.rsa[n], map[string]any{"alg": alg}) }
	bare := func(n int) any { return of(keys.rsa[n], map[string]any{"kid": nil}) }
	bad := refused(delegation.CodeSignatureInvalid)
	ambiguous := refused(delegation.CodeKeyAmbiguous)
	unsuitable := refused(delegation.CodeKeyUnsuitable)
	unknown := refused(delegation.CodeKeyUnknown)
	six := []any{plain(0), plain(1), plain(2), plain(3), plain(4), plain(5)}
	two := []any{plain(0), plain(1)}
	kinds := []any{plain(0), of(keys.p256, nil), of(keys.edwards, nil)}
	second := of(keys.rsa[1], map[string]any{"kid": "2"})
	often := []any{plain(0), plain(0), plain(0), named(0, "RS256"), plain(0), plain(1)}
	twiceNamed := append(six[:5:5], named(4, "RS256"))
	null := of(keys.rsa[0], map[string]any{"kid": json.RawMessage("null")})
	empty := of(keys.rsa[0], map[string]any{"kid": ""})
	others := []any{named(0, "RS512"), named(1, "PS256")}
	fifthNamed := append(six[:4:4], named(4, "RS256"))
	fifthOther := append(six[:4:4], named(4, "RS512"))
	for name, test := range map[string]struct {
		set  []any
		by   crypto.Signer
		kid  any
		want string
	}{
		"one kid for three kinds: RSA":    {kinds, keys.rsa[0], "k", accepted},
		"one kid for three kinds: EC":     {kinds, keys.p256, "k", accepted},
		"one kid for three kinds: OKP":    {kinds, keys.edwards, "k", accepted},
		"one kid for two keys: the first": {two, keys.rsa[0], "k", accepted},
		"one kid for two keys: the other": {two, keys.rsa[1], "k", accepted},
		"one kid for two keys: neither":   {two, keys.rsa[2], "k", bad},
		"a key of another kid":            {[]any{plain(0), second}, keys.rsa[1], "k", bad},
		"the fourth of six":               {six, keys.rsa[3], "k", accepted},
		"the fifth of six":                {six, keys.rsa[4], "k", ambiguous},
		"the fourth of six, no kid":       {six, keys.rsa[3], nil, accepted},
		"the fifth of six, no kid":        {six, keys.rsa[4], nil, ambiguous},
		"none of six":                     {six, keys.rsa[6], "k", ambiguous},
		"none of four":                    {six[:4], keys.rsa[6], "k", bad},
		"the fifth names the algorithm":   {fifthNamed, keys.rsa[4], "k", accepted},
		"the fifth is named later":        {twiceNamed, keys.rsa[4], "k", accepted},
		"the fifth names another":         {fifthOther, keys.rsa[3], "k", accepted},
		"only others are named":           {others, keys.rsa[0], "k", unsuitable},
		"the same six times":              {often, keys.rsa[1], "k", accepted},
		"keys without kid, kid empty":     {[]any{bare(0), bare(1)}, keys.rsa[1], "", accepted},
		"keys without kid, no kid":        {[]any{bare(0), bare(1)}, keys.rsa[1], nil, accepted},
		"keys without kid, another kid":   {[]any{bare(0)}, keys.rsa[0], "k", unknown},
		"a kid that is empty":             {[]any{empty}, keys.rsa[0], nil, accepted},
		"a kid that is null":              {[]any{null}, keys.rsa[0], nil, accepted},
	} {
		t.Run(name, func(t *testing.T) {
			w := withSet(t, test.set...)
			header := map[string]any{"kid": test.kid}
			err := w.wantOutcome(t, w.delegator(t), signedWith(test.by, header), test.want)
			if errors.Is(err, delegation.CodeKeyAmbiguous) &&
				!strings.Contains(err.Error(), "6 keys of the issuer fit RS256") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSaltLengthAmongSeveralKeys: a signature that a key verifies, with a salt of another length,
// is told apart from a forged one, whatever other keys there are.
func TestSaltLengthAmongSeveralKeys(t *testing.T) {
	keys := choiceKeys()
	w := withSet(t, jwk(keys.rsa[0].Public(), nil), jwk(keys.rsa[1].Public(), nil),
		jwk(keys.rsa[2].Public(), nil))
	input := encoded([]byte(`{"alg":"PS256","kid":"k"}`)) + "." + encoded([]byte(payload(nil)))
	digest := sha256.Sum256([]byte(input))
	signature := must(rsa.SignPSS(rand.Reader, keys.rsa[1], crypto.SHA256, digest[:],
		&rsa.PSSOptions{SaltLength: 20}))
	token := input + "." + encoded(signature)
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeSignatureSaltLength))
}

// TestHarmlessMembers: members that decide nothing may have any form.
func TestHarmlessMembers(t *testing.T) {
	key := choiceKeys().rsa[0]
	null := json.RawMessage("null")
	for name, value := range map[string][]any{
		"use":      {"", null},
		"key_ops":  {[]string{}, null, "verify", 1},
		"alg":      {"", null},
		"x5t":      {1, null, []int{1}, "!"},
		"x5t#S256": {1, null},
		"x5u":      {1, "::"},
		"x5c":      {1, null, []int{1}, []string{}, []string{"AAAA"}},
		"crv":      {"none"},
		"nbf":      {1493763266},
		"issuer":   {"", null},
	} {
		for _, value := range value {
			t.Run(fmt.Sprintf("%s %v", name, value), func(t *testing.T) {
				w := withSet(t, jwk(key.Public(), map[string]any{name: value}))
				token := signedWith(key, map[string]any{"kid": "k"})
				w.wantOutcome(t, w.delegator(t), token, accepted)
			})
		}
	}
}

// TestKeysLeftOut: a key that cannot be used does no harm to the others, and who comes with its
// kid is told what is wrong with it.
func TestKeysLeftOut(t *testing.T) {
	keys := choiceKeys()
	good := jwk(keys.rsa[1].Public(), map[string]any{"kid": "good"})
	with := func(public crypto.PublicKey) func(name string, value any) any {
		return func(name string, value any) any {
			return jwk(public, map[string]any{name: value})
		}
	}
	rsaKey := with(keys.rsa[0].Public())
	curve := with(keys.p256.Public())
	edwards := with(keys.edwards.Public())
	for _, test := range []struct {
		member any
		says   string
	}{
		{rsaKey("e", "?!"), "its e is not base64url"},
		{rsaKey("n", "a b"), "its n is not base64url"},
		{rsaKey("e", 65537), "its e is not a string"},
		{rsaKey("e", nil), "it has no e"},
		{rsaKey("n", ""), "it has no n"},
		{rsaKey("n", "AA"), "its n is zero"},
		{rsaKey("e", encoded([]byte{1, 0, 0, 0, 1})), "its e has more than 31 bits"},
		{rsaKey("use", "enc"), `its use is "enc"`},
		{rsaKey("use", 1), "its use is not a string"},
		{rsaKey("alg", 1), "its alg is not a string"},
		{rsaKey("key_ops", []string{"sign"}), "its key_ops lack verify"},
		{rsaKey("kty", nil), "it has no kty"},
		{rsaKey("kty", 1), "its kty is not a string"},
		{rsaKey("kty", "AKP"), `its kty is "AKP"`},
		{curve("crv", "secp256k1"), `its crv is "secp256k1"`},
		{curve("crv", nil), "it has no crv"},
		{curve("y", nil), "it has no y"},
		{curve("y", "!"), "its y is not base64url"},
		{curve("x", encoded(make([]byte, 32))), "it is not a point of its curve"},
		{edwards("crv", "Ed448"), `its crv is "Ed448"`},
		{edwards("x", "AAAA"), "its x has 3 bytes instead of 32"},
		{map[string]any{"kid": "k", "kty": "RSA"}, "it has no n and no e"},
		{
			map[string]any{"kid": "k", "kty": "RSA", "x5c": []string{"AAAA"}},
			"it has no n and no e, and its x5c is not a certificate",
		},
	} {
		t.Run(test.says, func(t *testing.T) {
			w := withSet(t, test.member, good)
			d := w.delegator(t)
			token := signedWith(keys.rsa[0], map[string]any{"kid": "k"})
			err := w.wantOutcome(t, d, token, refused(delegation.CodeKeyUnknown))
			says := `has the kid "k", but the key was left out: `
			for _, says := range []string{says, test.says} {
				if err != nil && !strings.Contains(err.Error(), says) {
					t.Errorf("%q is not in %v", says, err)
				}
			}
			w.wantOutcome(t, d, signedWith(keys.rsa[1], map[string]any{"kid": "good"}), accepted)

			// A set of nothing else says it too.
			w.config.Issuers[0].JWKS = keySet(test.member)
			_, err = delegation.New(t.Context(), w.config)
			if !errors.Is(errors.Unwrap(err), delegation.CodeKeySetInvalid) ||
				!strings.Contains(err.Error(), `the key "k": `) ||
				!strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		w := withSet(t, good)
		var members []any
		for i := range 200 {
			members = append(members, map[string]any{"kid": strings.Repeat("k", i), "kty": "RSA"})
		}
		w.config.Issuers[0].JWKS = keySet(members...)
		_, err := delegation.New(t.Context(), w.config)
		if err == nil || !strings.Contains(err.Error(), "; 195 more") || len(err.Error()) > 1500 {
			t.Errorf("got %v", err)
		}
	})
}

// certificateFor is a certificate of the key, as x5c has it.
func certificateFor(key crypto.Signer, begins, ends time.Time) string {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    begins,
		NotAfter:     ends,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return base64.StdEncoding.EncodeToString(der)
}

// TestKeyOfACertificate: a JWK with x5c alone has the certificate's key, of the kind that it says.
// Next to n and e the certificate decides nothing.
func TestKeyOfACertificate(t *testing.T) {
	keys := choiceKeys()
	ends := start.Add(365 * 24 * time.Hour)
	member := func(kty string, of crypto.Signer, more map[string]any) any {
		chain := []string{certificateFor(of, start, ends), "AAAA"}
		all := map[string]any{"kid": "k", "kty": kty, "x5c": chain}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	other := jwk(keys.rsa[0].Public(), map[string]any{
		"x5c": []string{certificateFor(keys.rsa[1], start, ends)},
	})
	curve := func(name string) map[string]any { return map[string]any{"crv": name} }
	bad := refused(delegation.CodeSignatureInvalid)
	unknown := refused(delegation.CodeKeyUnknown)
	withN := map[string]any{"n": "AQAB"}
	for name, test := range map[string]struct {
		member any
		by     crypto.Signer
		want   string
	}{
		"RSA":                 {member("RSA", keys.rsa[0], nil), keys.rsa[0], accepted},
		"EC":                  {member("EC", keys.p256, curve("P-256")), keys.p256, accepted},
		"EC without crv":      {member("EC", keys.p256, nil), keys.p256, accepted},
		"EC of another curve": {member("EC", keys.p256, curve("P-384")), keys.p256, unknown},
		"OKP":                 {member("OKP", keys.edwards, nil), keys.edwards, accepted},
		"of another kind":     {member("EC", keys.rsa[0], nil), keys.rsa[0], unknown},
		"with n alone":        {member("RSA", keys.rsa[0], withN), keys.rsa[0], unknown},
		"next to n and e":     {other, keys.rsa[0], accepted},
		"of n and e's other":  {other, keys.rsa[1], bad},
		"of nobody":           {member("RSA", keys.rsa[0], nil), keys.rsa[1], bad},
	} {
		t.Run(name, func(t *testing.T) {
			w := withSet(t, test.member, jwk(keys.rsa[2].Public(), map[string]any{"kid": "2"}))
			token := signedWith(test.by, map[string]any{"kid": "k"})
			w.wantOutcome(t, w.delegator(t), token, test.want)
		})
	}
	t.Run("weak", func(t *testing.T) {
		t.Setenv("GODEBUG", "rsa1024min=0")
		weak := must(rsa.GenerateKey(rand.Reader, 1024))
		w := withSet(t, member("RSA", weak, nil))
		token := signedWith(weak, map[string]any{"kid": "k"})
		w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeKeyWeak))
	})
}

// TestEd25519 holds that RFC 9864's name and EdDSA are one algorithm, in headers, keys and
// settings, for the curve Ed25519 and nothing else.
func TestEd25519(t *testing.T) {
	keys := choiceKeys()
	names := []any{"Ed25519", "EdDSA", nil} // nil: the key has no alg
	for _, setting := range []string{"Ed25519", "EdDSA"} {
		for _, inKey := range names {
			for _, inHeader := range names[:2] {
				t.Run(fmt.Sprint(setting, inKey, inHeader), func(t *testing.T) {
					w := withSet(t, jwk(keys.edwards.Public(), map[string]any{"alg": inKey}))
					w.config.Issuers[0].Algorithms = []string{setting}
					token := signedWith(keys.edwards, map[string]any{"kid": "k", "alg": inHeader})
					w.wantOutcome(t, w.delegator(t), token, accepted)
				})
			}
		}
	}
	w := withSet(t, jwk(keys.rsa[0].Public(), nil), jwk(keys.p256.Public(), nil))
	header := func(alg string) map[string]any { return map[string]any{"kid": "k", "alg": alg} }
	token := signedWith(keys.edwards, header("Ed25519"))
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeKeyUnsuitable))
	w = withSet(t, jwk(keys.edwards.Public(), map[string]any{"alg": "Ed448"}))
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeKeyUnsuitable))
	w = withSet(t, jwk(keys.edwards.Public(), nil))
	token = signedWith(keys.edwards, header("ed25519"))
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeAlgorithmCase))
	w.config.Issuers[0].Algorithms = []string{"RS256"}
	token = signedWith(keys.edwards, header("Ed25519"))
	w.wantOutcome(t, w.delegator(t), token, refused(delegation.CodeAlgorithmNotAllowed))
}

// TestAmbiguousKeysAreFetchedAgain: an issuer that changes its keys and keeps a kid that many of
// them have is found out at once, as one whose only key has changed.
func TestAmbiguousKeysAreFetchedAgain(t *testing.T) {
	keys := choiceKeys()
	var old []any
	for _, key := range keys.rsa[:6] {
		old = append(old, jwk(key.Public(), nil))
	}
	w := remote(t)
	published := &switched{withKeySet(w.provider, keySet(old...))}
	w.config.HTTPClient = &http.Client{Transport: published}
	d := w.delegator(t)
	header := map[string]any{"kid": "k"}
	w.wantOutcome(t, d, signedWith(keys.rsa[0], header), accepted)
	published.to = withKeySet(w.provider, keySet(jwk(keys.rsa[6].Public(), nil)))
	w.wantOutcome(t, d, signedWith(keys.rsa[6], header), accepted)
}
