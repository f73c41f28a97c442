package oidctest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/seed055b7978/delegation/oidctest"
)

const issuer = "https://tenant.example.com/"

var secret = []byte("a shared secret of thirty-two bytes")

// newProvider returns a provider with an issuer and, unless told, with Ed25519,
// whose keys cost nothing to make.
func newProvider(t *testing.T, config oidctest.Config) *oidctest.Provider {
	t.Helper()
	if config.Algorithm == "" && config.Key == nil {
		config.Algorithm = "EdDSA"
	}
	p, err := oidctest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	p.SetIssuer(issuer)
	return p
}

func sign(t *testing.T, p *oidctest.Provider, header map[string]any, payload string) string {
	t.Helper()
	token, err := p.Sign(header, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func signClaims(t *testing.T, p *oidctest.Provider, claims map[string]any) map[string]any {
	t.Helper()
	token, err := p.SignIDToken(claims)
	if err != nil {
		t.Fatal(err)
	}
	return part(t, token, 1)
}

// part decodes the header (0) or the payload (1) of a token.
func part(t *testing.T, token string, i int) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func parseSet(t *testing.T, data []byte) jwk.Set {
	t.Helper()
	set, err := jwk.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func verifies(set jwk.Set, token string) bool {
	_, err := jws.Verify([]byte(token), jws.WithKeySet(set))
	return err == nil
}

func TestEveryAlgorithmVerifies(t *testing.T) {
	for _, algorithm := range []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t, oidctest.Config{Algorithm: algorithm})
			set := parseSet(t, p.KeySet())
			for range 20 { // r and s of ECDSA are sometimes short
				token := sign(t, p, nil, "payload")
				payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
				if err != nil || string(payload) != "payload" {
					t.Fatalf("payload %q, error %v", payload, err)
				}
			}
			header := part(t, sign(t, p, nil, ""), 0)
			if header["alg"] != algorithm || header["kid"] != p.KeyID() || header["typ"] != "JWT" ||
				len(header) != 3 {
				t.Errorf("header %v", header)
			}
			published, _ := set.Key(0)
			if published.Algorithm().String() != algorithm || published.KeyUsage() != "sig" ||
				set.Len() != 1 {
				t.Errorf("published: alg %v, use %q, of %d keys", published.Algorithm(),
					published.KeyUsage(), set.Len())
			}
			thumbprint, err := published.Thumbprint(crypto.SHA256)
			if err != nil || base64.RawURLEncoding.EncodeToString(thumbprint) != p.KeyID() {
				t.Errorf("kid %q is not the thumbprint %x, error %v", p.KeyID(), thumbprint, err)
			}
			public, err := jwk.ParseKey(p.PublicKeyPEM(), jwk.WithPEM(true))
			if err != nil {
				t.Fatalf("PEM: %v", err)
			}
			again, _ := public.Thumbprint(crypto.SHA256)
			if string(again) != string(thumbprint) {
				t.Error("the PEM is of another key")
			}
		})
	}
}

// RFC 7518, section 3.5 fixes the salt's length, which jwx does not check.
func TestSaltIsAsLongAsTheHash(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, oidctest.Config{Key: key})
	for alg, hash := range map[string]crypto.Hash{
		"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
	} {
		input, encoded := cutSignature(sign(t, p, map[string]any{"alg": alg}, "payload"))
		signature, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		digest := hash.New()
		digest.Write([]byte(input))
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		err = rsa.VerifyPSS(&key.PublicKey, hash, digest.Sum(nil), signature, options)
		if err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestSecretSignsAndIsNotPublished(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		p := newProvider(t, oidctest.Config{Algorithm: algorithm, Secret: secret})
		token := sign(t, p, nil, "payload")
		_, err := jws.Verify([]byte(token), jws.WithKey(jwa.SignatureAlgorithm(algorithm), secret))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		if _, ok := part(t, token, 0)["kid"]; ok || p.KeyID() != "" || p.PublicKeyPEM() != nil {
			t.Errorf("%s: a secret has a key ID or a public half", algorithm)
		}
		if got := string(p.KeySet()); got != `{"keys":[]}` {
			t.Errorf("%s: key set %s", algorithm, got)
		}
		if _, err := p.Rotate(); err == nil {
			t.Errorf("%s: a secret was rotated", algorithm)
		}
	}
}

// The key, thumbprint and signature of RFC 8037, appendices A.2 to A.4.
func TestPublishedVector(t *testing.T) {
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, oidctest.Config{Key: ed25519.NewKeyFromSeed(seed)})
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; p.KeyID() != want {
		t.Errorf("kid %q, want %q", p.KeyID(), want)
	}
	const want = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	got := sign(t, p, map[string]any{"kid": nil, "typ": nil}, "Example of Ed25519 signing")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type foreignKey struct {
	crypto.Signer
	public crypto.PublicKey
}

func (k foreignKey) Public() crypto.PublicKey { return k.public }

func TestNewRefuses(t *testing.T) {
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		config oidctest.Config
		names  []string // what the error must name
	}{
		"unknown algorithm": {oidctest.Config{Algorithm: "ES256K"},
			[]string{"Config.Algorithm", `"ES256K"`}},
		"none": {oidctest.Config{Algorithm: "none"}, []string{"Config.Algorithm", `"none"`}},
		"lower case": {oidctest.Config{Algorithm: "rs256"},
			[]string{"Config.Algorithm", `"rs256"`}},
		"algorithm of another key": {oidctest.Config{Algorithm: "RS256", Key: p256},
			[]string{"Config.Algorithm", "ES256"}},
		"curve without algorithm": {oidctest.Config{Key: p224}, []string{"Config.Key"}},
		"key of unknown type": {oidctest.Config{Key: foreignKey{p256, "text"}},
			[]string{"Config.Key", "string"}},
		"key without public half": {oidctest.Config{Key: foreignKey{p256, nil}},
			[]string{"Config.Key"}},
		"secret algorithm, key": {oidctest.Config{Algorithm: "HS256", Key: p256},
			[]string{"Config.Secret", "Config.Key"}},
	} {
		p, err := oidctest.New(test.config)
		if err == nil || p != nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, word := range test.names {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not name %s", name, err, word)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	p, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.SignIDToken(map[string]any{"sub": "alice"})
	if err == nil || !strings.Contains(err.Error(), "SetIssuer") {
		t.Errorf("a token without an issuer: %v", err)
	}
	p.SetIssuer(issuer)
	if p.Issuer() != issuer {
		t.Errorf("issuer %q", p.Issuer())
	}
	published, _ := parseSet(t, p.KeySet()).Key(0)
	var public rsa.PublicKey
	err = published.Raw(&public)
	if err != nil || public.N.BitLen() != 2048 || published.Algorithm() != jwa.RS256 {
		t.Errorf("alg %v, %v", published.Algorithm(), err)
	}
	claims := signClaims(t, p, nil)
	age := time.Since(time.Unix(int64(claims["iat"].(float64)), 0))
	if age < 0 || age > time.Minute {
		t.Errorf("iat is %s old", age)
	}
}

func TestClaims(t *testing.T) {
	now := time.Unix(1_700_000_000, 999)
	p := newProvider(t, oidctest.Config{Now: func() time.Time { return now }})

	for name, test := range map[string]struct{ claims, want map[string]any }{
		"added": {
			map[string]any{"sub": "alice"},
			map[string]any{
				"sub": "alice", "iss": issuer, "iat": 1_700_000_000.0, "exp": 1_700_003_600.0,
			},
		},
		"none given": {nil,
			map[string]any{"iss": issuer, "iat": 1_700_000_000.0, "exp": 1_700_003_600.0}},
		"given ones win": {
			map[string]any{"iss": "https://evil.example", "iat": "soon", "exp": 1},
			map[string]any{"iss": "https://evil.example", "iat": "soon", "exp": 1.0},
		},
		"nil removes": {map[string]any{"iss": nil, "iat": nil, "exp": nil, "sub": nil},
			map[string]any{}},
		"raw null stays": {
			map[string]any{"iss": nil, "iat": nil, "exp": json.RawMessage("null")},
			map[string]any{"exp": nil},
		},
	} {
		before := maps.Clone(test.claims)
		got := signClaims(t, p, test.claims)
		if !maps.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
		if !reflect.DeepEqual(test.claims, before) {
			t.Errorf("%s: the caller's map was changed: %v", name, test.claims)
		}
	}
	if _, err := p.SignIDToken(map[string]any{"f": func() {}}); err == nil {
		t.Error("a claim that is a function was signed")
	}
}

func TestSignKeepsPayloadBytes(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	set := parseSet(t, p.KeySet())
	for _, payload := range []string{"", "\x00\xff", `{"aud":"a","aud":"b"}`, ` {"exp":"never"} `} {
		got, err := jws.Verify([]byte(sign(t, p, nil, payload)), jws.WithKeySet(set))
		if err != nil || string(got) != payload {
			t.Errorf("%q became %q, error %v", payload, got, err)
		}
	}
}

func TestSignHeader(t *testing.T) {
	p := newProvider(t, oidctest.Config{})
	header := map[string]any{"kid": nil, "typ": "at+jwt", "crit": []string{"b64"}}
	got := part(t, sign(t, p, header, ""), 0)
	_, ok := got["kid"]
	if ok || got["typ"] != "at+jwt" || got["crit"] == nil || got["alg"] != "EdDSA" {
		t.Errorf("header %v", got)
	}
	want := map[string]any{"kid": nil, "typ": "at+jwt", "crit": []string{"b64"}}
	if !reflect.DeepEqual(header, want) {
		t.Errorf("the caller's map was changed: %v", header)
	}
	if _, ok := part(t, sign(t, p, map[string]any{"alg": nil}, ""), 0)["alg"]; ok {
		t.Error("alg was not removed")
	}
	if _, err := p.Sign(map[string]any{"f": func() {}}, nil); err == nil {
		t.Error("a header that is a function was signed")
	}
}

func TestSignAlgorithmOverride(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t, oidctest.Config{Key: key})
	for alg, made := range map[any]jwa.SignatureAlgorithm{
		"PS512": jwa.PS512, "RS384": jwa.RS384, // what the key can do is done
		// the rest is only said
		"HS256": jwa.RS256, "ES256": jwa.RS256, "rs256": jwa.RS256, "": jwa.RS256, 7: jwa.RS256,
	} {
		token := sign(t, p, map[string]any{"alg": alg}, "payload")
		if got := part(t, token, 0)["alg"]; got != alg && got != 7.0 {
			t.Errorf("alg %v became %v", alg, got)
		}
		input, encoded := cutSignature(token)
		signature, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := jws.NewVerifier(made)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte(input), signature, key.Public()); err != nil {
			t.Errorf("alg %v: not signed with %s: %v", alg, made, err)
		}
	}
	for _, none := range []string{"none", "None", "nOnE"} {
		token := sign(t, p, map[string]any{"alg": none}, "payload")
		if !strings.HasSuffix(token, ".") || part(t, token, 0)["alg"] != none {
			t.Errorf("%s: %s", none, token)
		}
	}
}

// cutSignature splits a token into what is signed and the signature.
func cutSignature(token string) (input, signature string) {
	i := strings.LastIndex(token, ".")
	return token[:i], token[i+1:]
}

// brokenKey is a key whose device is out of order.
type brokenKey struct{ crypto.Signer }

var errDevice = errors.New("the device is out of order")

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errDevice
}

// derlessKey is an ECDSA key that gives r and s where ASN.1 is due.
type derlessKey struct{ crypto.Signer }

func (derlessKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 64), nil
}

func TestSignReportsTheKeysError(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = newProvider(t, oidctest.Config{Key: brokenKey{key}}).SignIDToken(nil)
	if !errors.Is(err, errDevice) {
		t.Errorf("broken key: %v", err)
	}
	_, err = newProvider(t, oidctest.Config{Key: derlessKey{key}}).SignIDToken(nil)
	if err == nil {
		t.Error("a signature that is not ASN.1 was taken")
	}
}

func TestRotateAndWithdraw(t *testing.T) {
	for _, algorithm := range []string{"ES256", "PS256"} {
		p := newProvider(t, oidctest.Config{Algorithm: algorithm})
		oldID, oldToken := p.KeyID(), sign(t, p, nil, "old")
		oldSet := parseSet(t, p.KeySet())

		newID, err := p.Rotate()
		if err != nil || newID == oldID || newID != p.KeyID() {
			t.Fatalf("kid %q after %q, KeyID %q, error %v", newID, oldID, p.KeyID(), err)
		}
		newToken := sign(t, p, nil, "new")
		if alg := part(t, newToken, 0)["alg"]; alg != algorithm {
			t.Errorf("alg %v after a rotation of %s", alg, algorithm)
		}
		set := parseSet(t, p.KeySet())
		if verifies(oldSet, newToken) || !verifies(set, newToken) || !verifies(set, oldToken) {
			t.Error("after a rotation: the new key is in the old set, or the new set lacks one")
		}

		p.Withdraw("no such key")
		p.Withdraw(oldID)
		set = parseSet(t, p.KeySet())
		if verifies(set, oldToken) || !verifies(set, newToken) {
			t.Error("after a withdrawal: the old key is there, or the new one is not")
		}

		p.Withdraw(newID)
		if got := string(p.KeySet()); got != `{"keys":[]}` {
			t.Errorf("after the last withdrawal: %s", got)
		}
		token := sign(t, p, nil, "leaked")
		if part(t, token, 0)["kid"] != newID || !verifies(set, token) {
			t.Error("a withdrawn key does not go on signing")
		}
	}
}

func TestSameKeySameID(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first := newProvider(t, oidctest.Config{Key: key})
	second := newProvider(t, oidctest.Config{Key: key})
	if first.KeyID() != second.KeyID() {
		t.Error("one key has two IDs")
	}
}

func TestSecretIsCopied(t *testing.T) {
	mine := []byte("changed after New")
	p := newProvider(t, oidctest.Config{Algorithm: "HS256", Secret: mine})
	before := sign(t, p, nil, "payload")
	mine[0] ^= 1
	if sign(t, p, nil, "payload") != before {
		t.Error("the provider signs with the caller's slice")
	}
}

func TestConcurrentUse(t *testing.T) {
	p := newProvider(t, oidctest.Config{Algorithm: "ES256"})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 20 {
				kid, err := p.Rotate()
				if err != nil {
					t.Error(err)
				}
				token, err := p.SignIDToken(map[string]any{"sub": "alice"})
				if err != nil || strings.Count(token, ".") != 2 {
					t.Errorf("%q, %v", token, err)
				}
				p.SetFaults(oidctest.Faults{DuplicateKeyID: i%2 == 0, OmitAlg: i%3 == 0})
				get(p, oidctest.KeySetPath)
				get(p, oidctest.DiscoveryPath)
				p.SetIssuer(p.Issuer())
				p.KeySet()
				p.PublicKeyPEM()
				p.Withdraw(kid)
				p.Fetches()
			}
		})
	}
	group.Wait()
	if discovery, keySet := p.Fetches(); discovery != 160 || keySet != 160 {
		t.Errorf("%d and %d fetches", discovery, keySet)
	}
	p.SetFaults(oidctest.Faults{})
	if set := parseSet(t, p.KeySet()); set.Len() != 1 { // every goroutine withdrew what it made
		t.Errorf("%d keys are left", set.Len())
	}
}
