package delegation_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// direct is a transport that asks a handler without a socket, so that tests can use https and any
// host.
func direct(h http.Handler) transportFunc {
	return func(r *http.Request) (*http.Response, error) {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		response := recorder.Result()
		response.Request = r
		return response, nil
	}
}

// switched is a transport that asks one handler and later another.
type switched struct{ to http.Handler }

func (s *switched) RoundTrip(r *http.Request) (*http.Response, error) { return direct(s.to)(r) }

// remote is a world whose issuer is found by discovery, without sockets, so that it also lives in a
// synctest bubble.
func remote(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.provider.SetIssuer(issuerURL)
	w.config.Issuers = []delegation.Issuer{{URL: issuerURL}}
	w.config.HTTPClient = &http.Client{Transport: direct(w.provider)}
	return w
}

// withCacheControl replaces the world's provider by one whose key set has the header.
func (w *world) withCacheControl(value string) {
	w.provider = must(oidctest.New(oidctest.Config{
		Key:          issuerKey(),
		Now:          w.clock.Now,
		CacheControl: value,
	}))
	w.provider.SetIssuer(issuerURL)
	w.config.HTTPClient = &http.Client{Transport: direct(w.provider)}
}

// wantFetches checks how often the key set has been fetched so far.
func (w *world) wantFetches(t testing.TB, want int) {
	t.Helper()
	if _, got := w.provider.Fetches(); got != want {
		t.Errorf("the key set was fetched %d times, want %d", got, want)
	}
}

// gate is a transport that holds every request until the gate is opened or the request is given up.
type gate struct {
	next     http.RoundTripper
	arrived  chan *http.Request
	open     chan struct{}
	finished atomic.Int32
}

func (w *world) gate() *gate {
	g := &gate{
		next:    direct(w.provider),
		arrived: make(chan *http.Request, 100),
		open:    make(chan struct{}),
	}
	w.config.HTTPClient = &http.Client{Transport: g}
	return g
}

// warmGate returns a closed gate, and a Delegator whose first exchange it has let through.
func (w *world) warmGate(t *testing.T) (*gate, *delegation.Delegator) {
	t.Helper()
	g := w.gate()
	close(g.open)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	g.open = make(chan struct{})
	return g, d
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	defer g.finished.Add(1)
	g.arrived <- r
	select {
	case <-g.open:
		return g.next.RoundTrip(r)
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// goroutines counts those that run the library, and are not a test calling it.
func goroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	count := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		ours := strings.Contains(stack, "seed055b7978/delegation.") ||
			strings.Contains(stack, "/idtoken.")
		if ours && !strings.Contains(stack, "delegation_test.goroutines") {
			count++
		}
	}
	return count
}

// jwk is the public key as a JWK, with members changed, added or (nil) removed.
func jwk(public crypto.PublicKey, changes map[string]any) map[string]any {
	member := map[string]any{"kid": "k", "use": "sig"}
	switch k := public.(type) {
	case *rsa.PublicKey:
		member["kty"] = "RSA"
		member["n"] = encoded(k.N.Bytes())
		member["e"] = encoded(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point := must(k.Bytes())[1:]
		member["kty"] = "EC"
		member["crv"] = k.Curve.Params().Name
		member["x"] = encoded(point[:len(point)/2])
		member["y"] = encoded(point[len(point)/2:])
	case ed25519.PublicKey:
		member["kty"], member["crv"], member["x"] = "OKP", "Ed25519", encoded(k)
	}
	for name, value := range changes {
		if member[name] = value; value == nil {
			delete(member, name)
		}
	}
	return member
}

func keySet(keys ...any) []byte { return must(json.Marshal(map[string]any{"keys": keys})) }

// roca is an RSA key with the flaw of CVE-2017-15361: modulo small primes, its primes are powers of
// 65537.
var roca = sync.OnceValue(func() *rsa.PrivateKey {
	m := big.NewInt(1)
	for p := int64(2); p <= 167; p++ {
		if big.NewInt(p).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(p))
		}
	}
	prime := func(power int64) *big.Int {
		p := new(big.Int).Exp(big.NewInt(65537), big.NewInt(power), m)
		k := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1021)))
		// two such primes have a product of 2048 bits
		k.Add(k, new(big.Int).Lsh(big.NewInt(3), 1022))
		for p.Add(p, k.Sub(k, new(big.Int).Mod(k, m))); !p.ProbablyPrime(10); {
			p.Add(p, m)
		}
		return p
	}
	p, q := prime(3), prime(5)
	one, e := big.NewInt(1), big.NewInt(65537)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	key.Precompute()
	return key
})

// Keys that must not verify anything. Each token has a signature that the key does verify, as far
// as Go lets one make it.
func TestWeakKeys(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	modulus := func(bits int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits)-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	for _, test := range []struct {
		name string
		key  crypto.Signer // signs; nil: nobody can
		jwk  map[string]any
		want string
	}{
		{"RSA of 2048 bits", issuerKey(), jwk(issuerKey().Public(), nil), accepted},
		{"RSA of 1024 bits", must(rsa.GenerateKey(rand.Reader, 1024)), nil,
			refused(delegation.CodeKeyWeak)},
		{"RSA of 2047 bits", nil, jwk(modulus(2047), nil), refused(delegation.CodeKeyWeak)},
		{"RSA of 8192 bits", nil, jwk(modulus(8192), nil),
			refused(delegation.CodeSignatureInvalid)},
		{"RSA of 8193 bits", nil, jwk(modulus(8193), nil), refused(delegation.CodeKeyWeak)},
		{"RSA with exponent 1", nil, jwk(issuerKey().Public(), map[string]any{"e": "AQ"}),
			refused(delegation.CodeKeyWeak)},
		{"RSA with exponent 2", nil, jwk(issuerKey().Public(), map[string]any{"e": "Ag"}),
			refused(delegation.CodeKeyWeak)},
		{"RSA with exponent 3", nil, jwk(issuerKey().Public(), map[string]any{"e": "Aw"}),
			refused(delegation.CodeSignatureInvalid)},
		{"RSA with exponent 65536", nil, jwk(issuerKey().Public(), map[string]any{"e": "AQAA"}),
			refused(delegation.CodeKeyWeak)},
		{"RSA by a broken generator", roca(), nil, refused(delegation.CodeKeyWeak)},
	} {
		t.Run(test.name, func(t *testing.T) {
			signer := test.key
			if signer == nil {
				signer = issuerKey()
			}
			if test.jwk == nil {
				test.jwk = jwk(signer.Public(), nil)
			}
			provider := must(oidctest.New(oidctest.Config{
				Key: signer,
				Now: func() time.Time { return start },
			}))
			token := must(provider.Sign(map[string]any{"kid": "k"}, []byte(payload(nil))))
			w := offline(t)
			w.config.Issuers[0].JWKS = keySet(test.jwk)
			w.wantOutcome(t, w.delegator(t), token, test.want)
		})
	}
}

// What a published set may hold beside or instead of a good key. In a set that is fit for use, the
// good key works.
func TestKeySets(t *testing.T) {
	good := jwk(issuerKey().Public(), nil)
	other := must(rsa.GenerateKey(rand.Reader, 2048)).Public()
	with := func(name string, value any) map[string]any {
		return jwk(issuerKey().Public(), map[string]any{name: value})
	}
	many := func(n int) []byte {
		keys := []any{good}
		for len(keys) < n {
			keys = append(keys, map[string]any{"kty": "unknown"})
		}
		return keySet(keys...)
	}
	curve := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).Public()
	offCurve := jwk(curve, map[string]any{"crv": "P-384", "kid": "off"})
	for _, test := range []struct {
		name string
		set  []byte
		want string
	}{
		{"one key", keySet(good), accepted},
		{"without alg", keySet(with("alg", nil)), accepted},
		{"with alg", keySet(with("alg", "RS256")), accepted},
		{"without use", keySet(with("use", nil)), accepted},
		{"as Auth0 writes it",
			keySet(jwk(issuerKey().Public(),
				map[string]any{"alg": "RS256", "x5t": "c29tZSB0aHVtYnByaW50",
					"x5c": []string{encodedCertificate()}})),
			accepted},
		{"with key_ops", keySet(with("key_ops", []string{"verify"})), accepted},
		{"with a member that nobody knows", keySet(with("issuedAt", 1)), accepted},
		{"beside an unknown kty",
			keySet(
				map[string]any{"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA"}, good),
			accepted},
		{"beside an unknown curve",
			keySet(map[string]any{"kty": "EC", "crv": "P-257", "x": "AA", "y": "AA"}, good),
			accepted},
		{"beside a point off its curve", keySet(offCurve, good), accepted},
		{"beside X25519",
			keySet(
				map[string]any{"kty": "OKP", "crv": "X25519", "x": encoded(make([]byte, 32))},
				good),
			accepted},
		{"beside a key without kty", keySet(map[string]any{}, good), accepted},
		{"beside what is no object", keySet(nil, 1, "k", []any{}, good), accepted},
		{"beside a broken key",
			keySet(map[string]any{"kty": "RSA", "n": "!", "e": 1}, good), accepted},
		{"beside a key for encryption", keySet(with("use", "enc"), good), accepted},
		{"beside a weak key",
			keySet(jwk(other, map[string]any{"kid": "w", "e": "AQ"}), good), accepted},
		{"200 keys", many(200), accepted},

		{"for another algorithm", keySet(with("alg", "PS256")),
			refused(delegation.CodeKeyUnsuitable)},
		{"for key transport", keySet(with("alg", "RSA-OAEP")),
			refused(delegation.CodeKeyUnsuitable)},
		{"for an algorithm that nobody knows", keySet(with("alg", "RS257")),
			refused(delegation.CodeKeyUnsuitable)},
		{"of another kind", keySet(jwk(curve, nil)), refused(delegation.CodeKeyUnsuitable)},
		{"another kid", keySet(with("kid", "K")), refused(delegation.CodeKeyUnknown)},
		{"no kid", keySet(with("kid", nil)), refused(delegation.CodeKeyUnknown)},
		{"another key", keySet(jwk(other, nil)), refused(delegation.CodeSignatureInvalid)},

		{"a kid twice", keySet(good, good), accepted},
		{"a kid of two keys", keySet(jwk(other, nil), good), accepted},
		{"another kid twice",
			keySet(good, jwk(other, map[string]any{"kid": "2"}),
				jwk(curve, map[string]any{"kid": "2"})),
			accepted},
		{"a private key", keySet(with("d", encoded(issuerKey().D.Bytes()))),
			refused(delegation.CodeKeySetPrivate)},
		{"a private key after a good one", keySet(good, with("p", "AAAA")),
			refused(delegation.CodeKeySetPrivate)},
		{"a private key for encryption",
			keySet(good, map[string]any{"kty": "RSA", "d": "AAAA", "use": "enc"}),
			refused(delegation.CodeKeySetPrivate)},
		{"a private key of an unknown kind",
			keySet(good, map[string]any{"kty": "AKP", "priv": "AAAA"}),
			refused(delegation.CodeKeySetPrivate)},
		{"private members that are empty",
			keySet(jwk(issuerKey().Public(), map[string]any{
				"d": "", "p": json.RawMessage("null"),
			})), accepted},
		{"a symmetric key",
			keySet(map[string]any{"kty": "oct", "kid": "k", "k": encoded(make([]byte, 32))}),
			refused(delegation.CodeKeySetSymmetric)},
		{"a symmetric key behind a good one",
			keySet(good, map[string]any{"kty": "oct", "k": "AAAA"}),
			refused(delegation.CodeKeySetSymmetric)},
		{"a symmetric key for encryption",
			keySet(good, map[string]any{"kty": "oct", "k": "AAAA", "use": "enc"}),
			refused(delegation.CodeKeySetSymmetric)},
		{"a broken symmetric key", keySet(good, map[string]any{"kty": "oct"}),
			refused(delegation.CodeKeySetSymmetric)},

		{"no key", keySet(), refused(delegation.CodeKeySetInvalid)},
		{"only a key for encryption", keySet(with("use", "enc")),
			refused(delegation.CodeKeySetInvalid)},
		{"use null", keySet(with("use", json.RawMessage("null"))), accepted},
		{"use empty", keySet(with("use", "")), accepted},
		{"use of another type", keySet(with("use", 1)), refused(delegation.CodeKeySetInvalid)},
		{"key_ops without verify", keySet(with("key_ops", []string{"encrypt", "wrapKey"})),
			refused(delegation.CodeKeySetInvalid)},
		{"key_ops empty", keySet(with("key_ops", []string{})), accepted},
		{"only X25519",
			keySet(map[string]any{
				"kty": "OKP", "crv": "X25519", "kid": "k", "x": encoded(make([]byte, 32)),
			}), refused(delegation.CodeKeySetInvalid)},
		{"only a point off its curve", keySet(offCurve), refused(delegation.CodeKeySetInvalid)},
		{"only an unknown kty", keySet(with("kty", "rsa")), refused(delegation.CodeKeySetInvalid)},
		{"kid is a number", keySet(with("kid", 1)), refused(delegation.CodeKeySetInvalid)},
		{"201 keys", many(201), refused(delegation.CodeKeySetInvalid)},
		{"no keys member", []byte(`{}`), refused(delegation.CodeKeySetInvalid)},
		{"keys is null", []byte(`{"keys":null}`), refused(delegation.CodeKeySetInvalid)},
		{"keys is an object", []byte(`{"keys":{}}`), refused(delegation.CodeKeySetInvalid)},
		{"a bare key", must(json.Marshal(good)), refused(delegation.CodeKeySetInvalid)},
		{"an array", []byte(`[]`), refused(delegation.CodeKeySetInvalid)},
		{"empty", []byte{' '}, refused(delegation.CodeKeySetInvalid)},
		{"an HTML page", []byte(`<html>`), refused(delegation.CodeKeySetInvalid)},
		{"a duplicate member", []byte(`{"keys":[],` + string(keySet(good)[1:])),
			refused(delegation.CodeKeySetInvalid)},
		{"a duplicate member in a key",
			bytes.Replace(
				keySet(good), []byte(`"use":"sig"`), []byte(`"use":"sig","use":"sig"`), 1),
			refused(delegation.CodeKeySetInvalid)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := offline(t)
			token := must(w.provider.Sign(map[string]any{"kid": "k"}, []byte(payload(nil))))
			w.config.Issuers[0] = delegation.Issuer{
				URL:     issuerURL,
				JWKSURL: "https://keys.example.com/",
			}
			w.config.HTTPClient = &http.Client{
				Transport: direct(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					_, _ = rw.Write(test.set)
				})),
			}
			w.wantOutcome(t, w.delegator(t), token, test.want)

			// A static set is judged by the same rules, but New refuses it if no token can ever
			// pass.
			w.config.Issuers[0] = delegation.Issuer{URL: issuerURL, JWKS: test.set}
			w.config.HTTPClient = noNetwork(t)
			d, err := delegation.New(t.Context(), w.config)
			code := test.want[strings.IndexByte(test.want, ' ')+1:]
			if strings.HasPrefix(code, "key_set_") {
				wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
				if !errors.Is(errors.Unwrap(err), delegation.Code(code)) {
					t.Errorf("got %v, want the cause %s", err, code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.wantOutcome(t, d, token, test.want)
		})
	}
}

func encodedCertificate() string {
	return strings.NewReplacer("-", "+", "_", "/").Replace(encoded(signingKey().Certificate.Raw)) +
		strings.Repeat("=", (3-len(signingKey().Certificate.Raw)%3)%3)
}

// A key set must not be able to bring the process down, whatever its keys look like.
func TestBrokenKeysOfEveryKind(t *testing.T) {
	for _, test := range []struct {
		algorithm, member string
		value             any
	}{
		{"EdDSA", "x", ""}, {"EdDSA", "x", "AA"}, {"EdDSA", "x", encoded(make([]byte, 31))},
		{"EdDSA", "x", encoded(make([]byte, 33))}, {"EdDSA", "x", nil},
		{"ES256", "x", ""}, {"ES256", "x", "AA"}, {"ES256", "y", encoded(make([]byte, 32))},
		{"ES256", "y", encoded(make([]byte, 64))}, {"ES256", "crv", "P-384"},
		{"ES256", "crv", "secp256k1"}, {"ES256", "kty", "RSA"}, {"ES256", "kty", "OKP"},
		{"ES512", "y", nil},
		{"RS256", "n", ""}, {"RS256", "n", "AA"}, {"RS256", "e", ""}, {"RS256", "e", "AA"},
		{"RS256", "e", encoded(bytes.Repeat([]byte{255}, 300))}, {"RS256", "n", nil},
		{"PS256", "n", encoded(bytes.Repeat([]byte{255}, 255)) + "A"},
	} {
		title := fmt.Sprintf("%s with %s %.50v", test.algorithm, test.member, test.value)
		t.Run(title, func(t *testing.T) {
			provider := providers()[test.algorithm]
			var set struct{ Keys []map[string]any }
			if err := json.Unmarshal(provider.KeySet(), &set); err != nil {
				t.Fatal(err)
			}
			set.Keys[0][test.member] = test.value
			if test.value == nil {
				delete(set.Keys[0], test.member)
			}
			w := offline(t)
			w.config.Issuers = []delegation.Issuer{{URL: issuerURL, Algorithms: algorithms}}
			w.config.HTTPClient = &http.Client{
				Transport: direct(withKeySet(provider, keySet(set.Keys[0]))),
			}
			d := w.delegator(t)
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			_, err := d.Exchange(t.Context(),
				must(provider.Sign(nil, []byte(payload(nil)))), app)
			switch got := outcome(err); got {
			case refused(delegation.CodeKeySetInvalid), refused(delegation.CodeKeyWeak),
				refused(delegation.CodeKeyUnsuitable), refused(delegation.CodeSignatureInvalid):
			default:
				t.Errorf("got %s", got)
			}
		})
	}
}

// withKeySet is the provider with another key set.
func withKeySet(provider http.Handler, set []byte) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == oidctest.KeySetPath {
			_, _ = rw.Write(set)
			return
		}
		provider.ServeHTTP(rw, r)
	})
}

func TestKeySources(t *testing.T) {
	w := newWorld(t)
	own := delegation.Issuer{URL: w.url, AllowLoopbackHTTP: true}
	byURL, static, slash := own, own, own
	byURL.JWKSURL = w.url + oidctest.KeySetPath
	static.JWKS = w.provider.KeySet()
	slash.URL += "/"
	for _, test := range []struct {
		name               string
		issuer             delegation.Issuer
		discoveries, fetch int
	}{
		{"discovery", own, 1, 1},
		{"discovery of an issuer with a slash", slash, 1, 1},
		{"JWKS URL", byURL, 0, 1},
		{"static set", static, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.provider.SetIssuer(test.issuer.URL)
			w.config.Issuers = []delegation.Issuer{test.issuer}
			discoveriesBefore, before := w.provider.Fetches()
			d := w.delegator(t)
			if discoveries, fetches := w.provider.Fetches(); discoveries != discoveriesBefore ||
				fetches != before {
				t.Error("New has asked the issuer")
			}
			for range 3 {
				w.wantOutcome(t, d, w.token(nil), accepted)
			}
			discoveries, fetches := w.provider.Fetches()
			if discoveries -= discoveriesBefore; discoveries != test.discoveries {
				t.Errorf("%d discoveries, want %d", discoveries, test.discoveries)
			}
			if fetches -= before; fetches != test.fetch {
				t.Errorf("%d fetches, want %d", fetches, test.fetch)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	for _, test := range []struct{ document, want string }{
		{`{"issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			accepted},
		// Google has another host
		{`{"issuer":"https://issuer.example.com","jwks_uri":"https://keys.example.net/jwks.json"}`,
			accepted},
		{`{"issuer":"https://issuer.example.com/","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{"issuer":"https://ISSUER.example.com","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{"issuer":"https://evil.example","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{"issuer":["https://issuer.example.com"],"jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{"Issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{"jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeDiscoveryIssuer)},
		{`{}`, refused(delegation.CodeDiscoveryIssuer)},
		{`{"issuer":"https://issuer.example.com","issuer":"https://issuer.example.com","jwks_uri":"https://issuer.example.com/jwks.json"}`,
			refused(delegation.CodeKeySetInvalid)},
		{`[]`, refused(delegation.CodeKeySetInvalid)},
		{``, refused(delegation.CodeKeySetInvalid)},
		{`{"issuer":"https://issuer.example.com"}`, refused(delegation.CodeKeySetURL)},
		{`{"issuer":"https://issuer.example.com","jwks_uri":["https://issuer.example.com/jwks.json"]}`,
			refused(delegation.CodeKeySetURL)},
	} {
		t.Run(test.document, func(t *testing.T) {
			w := remote(t)
			w.config.HTTPClient = &http.Client{
				Transport: direct(withDiscovery(w.provider, test.document)),
			}
			w.wantOutcome(t, w.delegator(t), w.token(nil), test.want)
		})
	}
}

func withDiscovery(provider http.Handler, document string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == oidctest.DiscoveryPath {
			_, _ = io.WriteString(rw, document)
			return
		}
		provider.ServeHTTP(rw, r)
	})
}

// The operator may configure a private issuer; where the issuer's document leads is the issuer's
// word only, so it may not name this machine or a bare address such as a cloud's metadata service.
func TestDiscoveredURL(t *testing.T) {
	const private, loopback = "https://10.0.0.7:8443", "http://127.0.0.1:8080"
	bad := refused(delegation.CodeKeySetURL)
	for _, test := range []struct{ issuer, found, want string }{
		{issuerURL, "https://keys.example.net/jwks.json", accepted},
		{issuerURL, issuerURL + ":8443/jwks.json", accepted},
		{private, private + "/jwks.json", accepted},
		{private, "https://10.0.0.7/jwks.json", accepted}, // another port of the same host
		{private, "https://issuer.example.com/jwks.json", accepted},
		{private, "https://10.0.0.8:8443/jwks.json", bad},
		{"https://[fd00::a]:8443", "https://[FD00::A]:8443/jwks.json", accepted},
		{"https://[fd00::a]:8443", "https://[fd00::b]:8443/jwks.json", bad},
		{loopback, loopback + "/jwks.json", accepted},
		{loopback, "http://127.0.0.1:9090/jwks.json", accepted},
		{loopback, "http://127.0.0.2:8080/jwks.json", bad},
		{loopback, "http://localhost:8080/jwks.json", bad},
		{loopback, "http://[::1]:8080/jwks.json", bad},
		{loopback, "http://issuer.example.com/jwks.json", bad},
		{issuerURL, "http://issuer.example.com/jwks.json", bad},
		{"https://127.0.0.1:8443", "https://127.0.0.1/jwks.json", accepted},
		// plain http was not asked for
		{"https://127.0.0.1:8443", "http://127.0.0.1:8443/jwks.json", bad},
		{issuerURL, "http://127.0.0.1/jwks.json", bad},
		{issuerURL, "https://127.0.0.1/jwks.json", bad},
		{issuerURL, "https://localhost/jwks.json", bad},
		{issuerURL, "https://localhost:8443/jwks.json", bad},
		{issuerURL, "https://169.254.169.254/latest/meta-data", bad},
		{issuerURL, "https://10.0.0.7/jwks.json", bad},
		{issuerURL, "https://8.8.8.8/jwks.json", bad},
		{issuerURL, "https://[::1]/jwks.json", bad},
		{issuerURL, "https://[fd00:ec2::254]/jwks.json", bad},
		{issuerURL, "https://[::ffff:169.254.169.254]/jwks.json", bad},
		{issuerURL, "https://[fe80::1%25eth0]/jwks.json", bad},
		{issuerURL, "https://LOCALHOST/jwks.json", bad},
		{issuerURL, "https://localhost./jwks.json", bad},
		{issuerURL, "https://api.localhost/jwks.json", bad},
		// The C library's resolver takes these for 127.0.0.1 and 169.254.169.254.
		{issuerURL, "https://127.1/jwks.json", bad},
		{issuerURL, "https://2130706433/jwks.json", bad},
		{issuerURL, "https://0x7f000001/jwks.json", bad},
		{issuerURL, "https://0251.0376.0251.0376/jwks.json", bad},
		{issuerURL, "https://127.0.0.08/jwks.json", bad},
		{issuerURL, "https://127.0.0.0x/jwks.json", bad},
		{issuerURL, "https://169.254.169.254./jwks.json", bad},
		{issuerURL, "https://localhost../jwks.json", bad},
		// net/http maps these to ASCII before it connects: 169.254.169.254, 127.0.0.1 and
		// localhost.
		{issuerURL, "https://１６９.254.169.254/jwks.json", bad},
		{issuerURL, "https://127。0。0。1/jwks.json", bad},
		{issuerURL, "https://%EF%BC%9127.0.0.1/jwks.json", bad},
		{issuerURL, "https://ⓛocalhost/jwks.json", bad},
		{issuerURL, "https://user:password@issuer.example.com/jwks.json", bad},
		{issuerURL, "https://issuer.example.com/jwks.json#fragment", bad},
		{issuerURL, "https:///jwks.json", bad},
		{issuerURL, "https:jwks.json", bad},
		{issuerURL, "//issuer.example.com/jwks.json", bad},
		{issuerURL, "/jwks.json", bad},
		{issuerURL, "ftp://issuer.example.com/jwks.json", bad},
		{issuerURL, "file:///etc/passwd", bad},
		{issuerURL, "https://issuer.example.com:port/jwks.json", bad},
		{issuerURL, "https://issuer.example.com/\x7f", bad},
		{issuerURL, "", bad},
	} {
		t.Run(test.issuer+" to "+test.found, func(t *testing.T) {
			w := newWorld(t)
			w.provider.SetIssuer(test.issuer)
			w.config.Issuers = []delegation.Issuer{{
				URL:               test.issuer,
				AllowLoopbackHTTP: test.issuer == loopback,
			}}
			document := string(must(json.Marshal(map[string]any{
				"issuer": test.issuer, "jwks_uri": test.found,
			})))
			requests := 0
			transport := direct(withDiscovery(w.provider, document))
			w.config.HTTPClient = &http.Client{Transport: transportFunc(func(
				r *http.Request,
			) (*http.Response, error) {
				requests++
				return transport(r)
			})}
			w.wantOutcome(t, w.delegator(t), w.token(nil), test.want)
			if test.want == bad && requests != 1 {
				t.Errorf("%d requests, want the discovery alone", requests)
			}
		})
	}
}

func TestDocumentSize(t *testing.T) {
	fill := func(handler http.Handler, path string, size int) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, r)
			body := recorder.Body.Bytes()
			if r.URL.Path == path {
				body = append(body, bytes.Repeat([]byte(" "), size-len(body))...)
			}
			_, _ = rw.Write(body)
		})
	}
	for _, path := range []string{oidctest.DiscoveryPath, oidctest.KeySetPath} {
		for size, want := range map[int]string{
			1 << 20: accepted, 1<<20 + 1: refused(delegation.CodeKeySetTooLarge),
			3 << 20: refused(delegation.CodeKeySetTooLarge),
		} {
			t.Run(fmt.Sprint(path, " of ", size), func(t *testing.T) {
				w := remote(t)
				w.config.HTTPClient = &http.Client{Transport: direct(fill(w.provider, path, size))}
				w.wantOutcome(t, w.delegator(t), w.token(nil), want)
			})
		}
	}
	t.Run("compressed", func(t *testing.T) {
		w := newWorld(t)
		bomb := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(rw)
			defer z.Close()
			_, _ = io.Copy(z, io.LimitReader(spaces{}, 4<<20))
		}))
		defer bomb.Close()
		w.config.Issuers[0].JWKSURL = bomb.URL
		w.wantOutcome(t, w.delegator(t), w.token(nil), refused(delegation.CodeKeySetTooLarge))
	})
	t.Run("broken off", func(t *testing.T) {
		w := remote(t)
		w.config.HTTPClient = &http.Client{Transport: transportFunc(func(
			*http.Request,
		) (*http.Response, error) {
			body := io.MultiReader(strings.NewReader(oidctest.Garbage), brokenReader{})
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body)},
				nil
		})}
		err := w.wantOutcome(t, w.delegator(t), w.token(nil),
			refused(delegation.CodeKeySetUnavailable))
		if strings.Contains(err.Error(), oidctest.Garbage) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
	})
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// withKeyID is a token that says it was signed with the key; its signature is none.
func withKeyID(kid string) string {
	header := string(must(json.Marshal(map[string]any{"alg": "RS256", "kid": kid})))
	return encoded([]byte(header)) + "." + encoded([]byte(payload(nil))) + ".AAAA"
}

// wantUnknown runs exchanges of tokens whose kid nobody knows, and returns how many of these were
// refused for good. The others can be tried again.
func (w *world) wantUnknown(
	t testing.TB, d *delegation.Delegator, tokens []string, concurrent bool,
) int {
	t.Helper()
	var definite atomic.Int32
	try := func(token string) {
		_, err := d.Exchange(t.Context(), token, app)
		switch got := outcome(err); got {
		case refused(delegation.CodeKeyUnknown):
			definite.Add(1)
		case refused(delegation.CodeKeyPending):
		default:
			t.Errorf("got %s (%v)", got, err)
		}
	}
	var all sync.WaitGroup
	for _, token := range tokens {
		if !concurrent {
			try(token)
			continue
		}
		all.Go(func() { try(token) })
	}
	all.Wait()
	return int(definite.Load())
}

// go-oidc fetched the keys once for each unknown kid, and a cache that never does turns a rotation
// into an outage. A flood of bogus kids costs two fetches, and delays a rotation by ten seconds.
func TestIncident_BogusKeyIDs(t *testing.T) {
	var tokens []string
	for i := range 1000 {
		tokens = append(tokens, withKeyID(fmt.Sprint("bogus-", i)))
	}
	for _, warm := range []bool{false, true} {
		for _, concurrent := range []bool{false, true} {
			t.Run(fmt.Sprint("warm ", warm, ", concurrent ", concurrent), func(t *testing.T) {
				w := remote(t)
				w.config.OnEvent = nil
				d := w.delegator(t)
				fetches := 2
				if warm {
					w.wantOutcome(t, d, w.token(nil), accepted)
					w.clock.Advance(10 * time.Second) // the first fetch was one of the two
					fetches++
				}
				definite := w.wantUnknown(t, d, tokens, concurrent)
				if !concurrent && definite != 2 {
					t.Errorf("%d tokens were refused for good after two fetches", definite)
				}
				w.wantFetches(t, fetches)
				w.clock.Advance(10*time.Second - time.Nanosecond)
				w.wantUnknown(t, d, tokens, concurrent)
				w.wantFetches(t, fetches)
				w.wantOutcome(t, d, w.token(nil), accepted) // while the flood is refused

				must(w.provider.Rotate())
				rotated := w.token(nil)
				err := w.wantOutcome(t, d, rotated, refused(delegation.CodeKeyPending))
				if e := (*delegation.Error)(nil); !errors.As(err, &e) || !e.Retryable {
					t.Errorf("not retryable: %v", err)
				}
				w.wantFetches(t, fetches)
				w.clock.Advance(time.Nanosecond)
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() { w.wantOutcome(t, d, rotated, accepted) })
				}
				wg.Wait()
				w.wantFetches(t, fetches+1)
				w.wantUnknown(t, d, tokens, concurrent)
				w.wantFetches(t, fetches+1)
			})
		}
	}
}

// However long a flood lasts, an issuer is asked once in ten seconds.
func TestRefreshesOverTime(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	for second := range 600 {
		pair := []string{withKeyID(fmt.Sprint("a", second)), withKeyID(fmt.Sprint("b", second))}
		w.wantUnknown(t, d, pair, false)
		w.clock.Advance(time.Second)
	}
	w.wantFetches(t, 2+59)
	w.clock.Advance(time.Hour) // what was not used is not saved up
	w.wantUnknown(t, d, []string{withKeyID("c"), withKeyID("d"), withKeyID("e")}, false)
	w.wantFetches(t, 2+59+2)
	w.clock.Advance(-24 * time.Hour) // nor is a clock waited for that was set back
	w.wantUnknown(t, d, []string{withKeyID("f")}, false)
	w.wantFetches(t, 2+59+2)
	w.clock.Advance(10 * time.Second)
	w.wantUnknown(t, d, []string{withKeyID("f")}, false)
	w.wantFetches(t, 2+59+3)
}

// TestKeyPending_RetryAfter: who comes while the keys may not be fetched is told how long that will
// be: never less than a second, and never more than the ten within which a fetch is permitted.
func TestKeyPending_RetryAfter(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.clock.Advance(time.Minute)
	w.provider.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
	for _, step := range []struct{ after, want time.Duration }{
		{0, time.Second}, // a fetch has failed, and one more is permitted
		{0, 10 * time.Second},
		{3500 * time.Millisecond, 6500 * time.Millisecond},
		{6 * time.Second, time.Second},
		{-24 * time.Hour, 10 * time.Second}, // a clock that was set back
	} {
		w.clock.Advance(step.after)
		err := w.wantOutcome(t, d, withKeyID("bogus"), refused(delegation.CodeKeyPending))
		e := wantError(t, err, delegation.StageToken, delegation.CodeKeyPending)
		if e.RetryAfter != step.want {
			t.Errorf("after %s more: RetryAfter is %s, want %s: %v",
				step.after, e.RetryAfter, step.want, err)
		}
	}
	w.clock.Advance(10 * time.Second)
	w.provider.SetFaults(oidctest.Faults{})
	err := w.wantOutcome(t, d, withKeyID("bogus"), refused(delegation.CodeKeyUnknown))
	e := wantError(t, err, delegation.StageToken, delegation.CodeKeyUnknown)
	if e.RetryAfter != 0 {
		t.Errorf("a definite refusal has RetryAfter %s", e.RetryAfter)
	}
}

// A kid that a fetch has not found is remembered, so that a client which goes on sending one leaves
// the others' refreshes alone: until the next good fetch, and for ten seconds.
func TestUnknownKeyIDIsRemembered(t *testing.T) {
	w := remote(t)
	w.config.HTTPClient = &http.Client{Transport: &switched{to: w.provider}}
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.clock.Advance(time.Minute)
	unknown := refused(delegation.CodeKeyUnknown)
	for range 100 {
		w.wantOutcome(t, d, withKeyID("stubborn"), unknown)
	}
	w.wantFetches(t, 2)
	w.clock.Advance(10*time.Second - time.Nanosecond)
	w.wantOutcome(t, d, withKeyID("stubborn"), unknown)
	w.wantFetches(t, 2)
	// A refresh that fails refutes nothing, and forgets nothing.
	w.provider.SetFaults(oidctest.Faults{Status: 500})
	w.wantOutcome(t, d, withKeyID("other"), refused(delegation.CodeKeyPending))
	w.wantOutcome(t, d, withKeyID("stubborn"), unknown)
	w.provider.SetFaults(oidctest.Faults{})
	w.clock.Advance(time.Nanosecond)
	w.wantOutcome(t, d, withKeyID("stubborn"), unknown)
	w.wantFetches(t, 3)

	// Whoever guesses an issuer's next kid delays its rotation no longer than any other stranger.
	next := must(oidctest.New(oidctest.Config{Now: w.clock.Now}))
	next.SetIssuer(issuerURL)
	w.clock.Advance(time.Minute)
	w.wantOutcome(t, d, withKeyID(next.KeyID()), unknown)
	w.config.HTTPClient.Transport.(*switched).to = next
	rotated := must(next.SignIDToken(map[string]any{"sub": alice, "aud": app}))
	w.clock.Advance(10*time.Second - time.Nanosecond)
	w.wantOutcome(t, d, rotated, unknown)
	w.clock.Advance(time.Nanosecond)
	w.wantOutcome(t, d, rotated, accepted)

	// A good fetch for anybody is one for all.
	w.config.HTTPClient.Transport.(*switched).to = w.provider
	w.clock.Advance(time.Minute)
	w.wantOutcome(t, d, withKeyID("somebody's"), unknown)
	w.wantOutcome(t, d, rotated, unknown)
	w.config.HTTPClient.Transport.(*switched).to = next
	w.wantOutcome(t, d, withKeyID("somebody else's"), refused(delegation.CodeKeyPending))
	w.clock.Advance(5 * time.Second)
	w.wantOutcome(t, d, rotated, unknown)
	w.clock.Advance(5 * time.Second)
	w.wantOutcome(t, d, withKeyID("somebody else's"), unknown)
	w.wantOutcome(t, d, rotated, accepted)
}

// What is remembered of strangers is bounded: the kids that find no room are asked for again.
func TestUnknownKeyIDsAreRememberedInBoundedNumber(t *testing.T) {
	const room, more = 1000, 50
	w := remote(t)
	w.config.OnEvent = nil
	synctest.Test(t, func(t *testing.T) {
		g := w.gate()
		d := w.delegator(t)
		var tokens []string
		for i := range room + more {
			tokens = append(tokens, withKeyID(fmt.Sprint("bogus-", i)))
		}
		var definite int
		var all sync.WaitGroup
		all.Go(func() { definite = w.wantUnknown(t, d, tokens, true) })
		synctest.Wait() // until all are there
		close(g.open)
		all.Wait()
		w.wantFetches(t, 2) // one that was under way when most of them came, and one that was not
		if definite != len(tokens) {
			t.Errorf("%d tokens were refused for good", definite)
		}
		if definite := w.wantUnknown(t, d, tokens, false); definite != room {
			t.Errorf("%d kids are remembered", definite)
		}
		w.wantFetches(t, 2)
	})
}

// A fetch that was under way when a token came may have read what the issuer published before: its
// word on the token is not the last one.
func TestFetchUnderWayIsNotTheLastWord(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		g, d := w.warmGate(t)
		w.clock.Advance(time.Minute)
		old := w.provider.KeySet()
		next := g.next
		g.next = transportFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != oidctest.KeySetPath {
				return next.RoundTrip(r)
			}
			g.next = next
			return direct(withKeySet(w.provider, old))(r)
		})
		var all sync.WaitGroup
		unknown := refused(delegation.CodeKeyUnknown)
		all.Go(func() { wantAnswer(t, d, withKeyID("bogus"), unknown) })
		synctest.Wait()
		must(w.provider.Rotate())
		all.Go(func() { wantAnswer(t, d, w.token(nil), accepted) })
		synctest.Wait()
		close(g.open)
		all.Wait()
	})
}

// Each issuer has its own allowance: a flood at one does not delay a rotation at another.
func TestAllowanceIsPerIssuer(t *testing.T) {
	w := remote(t)
	other := must(oidctest.New(oidctest.Config{Now: w.clock.Now}))
	other.SetIssuer("https://other.example.com")
	w.config.Issuers = append(w.config.Issuers, delegation.Issuer{URL: other.Issuer()})
	w.target(func(target *delegation.Target) {
		target.Issuers = []string{issuerURL, other.Issuer()}
		target.SubjectsAreOne = true
	})
	w.config.HTTPClient = &http.Client{Transport: transportFunc(func(
		r *http.Request,
	) (*http.Response, error) {
		if r.URL.Host == "other.example.com" {
			return direct(other)(r)
		}
		return direct(w.provider)(r)
	})}
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.wantOutcome(t, d, must(other.SignIDToken(map[string]any{"sub": alice, "aud": app})), accepted)
	w.clock.Advance(time.Minute)
	w.wantOutcome(t, d, must(w.provider.Sign(map[string]any{"kid": "bogus"}, []byte(payload(nil)))),
		refused(delegation.CodeKeyUnknown))
	must(other.Rotate())
	w.wantOutcome(t, d, must(other.SignIDToken(map[string]any{"sub": alice, "aud": app})), accepted)

	// Nor does a key of one issuer count for another.
	forged := must(other.Sign(map[string]any{"kid": w.provider.KeyID()}, []byte(payload(nil))))
	w.wantOutcome(t, d, forged, refused(delegation.CodeSignatureInvalid))
}

func TestKeyLife(t *testing.T) {
	for _, test := range []struct {
		header string
		life   time.Duration
	}{
		{"", time.Hour},
		{"public", time.Hour},
		{"max-age=600", 10 * time.Minute},
		{"public, max-age=7200, must-revalidate", 2 * time.Hour},
		{"Max-Age=600", 10 * time.Minute},
		{`max-age="600"`, 10 * time.Minute},
		{"public,max-age=600", 10 * time.Minute},
		{"max-age=300", 5 * time.Minute},
		{"max-age=299", 5 * time.Minute},
		{"max-age=0", 5 * time.Minute},
		{"max-age=-1", 5 * time.Minute},
		{"no-store", 5 * time.Minute},
		{"no-cache", 5 * time.Minute},
		{"max-age=7200, no-cache", 5 * time.Minute},
		{"no-store, max-age=7200", 5 * time.Minute},
		{"max-age=86400", 24 * time.Hour},
		{"max-age=86401", 24 * time.Hour},
		{"max-age=2147483647", 24 * time.Hour},
		// RFC 9111 §1.2.2: what is too large counts as 2^31
		{"max-age=99999999999999999999", 24 * time.Hour},
		{"max-age=soon", time.Hour},
		{"max-age", time.Hour},
		{"max-age=", time.Hour},
		{"s-maxage=600", time.Hour}, // for shared caches
		{"x-max-age=600", time.Hour},
	} {
		t.Run(test.header, func(t *testing.T) {
			w := remote(t)
			w.withCacheControl(test.header)
			synctest.Test(t, func(t *testing.T) {
				d := w.delegator(t)
				w.wantOutcome(t, d, w.token(nil), accepted)
				w.clock.Advance(test.life - time.Nanosecond)
				w.wantOutcome(t, d, w.token(nil), accepted)
				synctest.Wait()
				w.wantFetches(t, 1)
				w.clock.Advance(time.Nanosecond)
				w.wantOutcome(t, d, w.token(nil), accepted)
				synctest.Wait()
				w.wantFetches(t, 2)
			})
		})
	}
	// RFC 9110 §5.3: the same as one line with a comma
	t.Run("in two header lines", func(t *testing.T) {
		w := remote(t)
		w.config.HTTPClient.Transport = direct(http.HandlerFunc(func(
			rw http.ResponseWriter, r *http.Request,
		) {
			rw.Header().Add("Cache-Control", "public")
			rw.Header().Add("Cache-Control", "max-age=600")
			w.provider.ServeHTTP(rw, r)
		}))
		synctest.Test(t, func(t *testing.T) {
			d := w.delegator(t)
			w.wantOutcome(t, d, w.token(nil), accepted)
			w.clock.Advance(10 * time.Minute)
			w.wantOutcome(t, d, w.token(nil), accepted)
			synctest.Wait()
			w.wantFetches(t, 2)
		})
	})
}

// A refresh that is due happens beside the caller, who never waits for it, and once only.
func TestRefreshAhead(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		d := w.delegator(t)
		old := w.token(map[string]any{"exp": start.Add(4 * time.Hour).Unix()})
		w.wantOutcome(t, d, old, accepted)
		w.provider.Withdraw(w.provider.KeyID())
		must(w.provider.Rotate())

		w.clock.Advance(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := d.Exchange(ctx, old, app); err != nil { // the last one that the old set serves
			t.Fatal(err)
		}
		cancel() // the refresh is nobody's in particular
		synctest.Wait()
		w.wantFetches(t, 2)
		w.wantOutcome(t, d, w.token(nil), accepted)
		synctest.Wait()
		w.wantFetches(t, 2)
		w.wantOutcome(t, d, old, refused(delegation.CodeKeyUnknown))
		w.wantFetches(t, 3)
	})
}

func TestRefreshDoesNotDelayCallers(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		g, d := w.warmGate(t)
		finished := g.finished.Load()
		w.clock.Advance(time.Hour)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { w.wantOutcome(t, d, w.token(nil), accepted) })
		}
		wg.Wait()
		synctest.Wait()
		if g.finished.Load() != finished {
			t.Error("the callers have waited for the refresh")
		}
		if len(g.arrived) != 3 { // the first two, and this discovery
			t.Errorf("%d requests, want one refresh for all callers", len(g.arrived))
		}
		close(g.open)
		synctest.Wait()
		w.wantFetches(t, 2)
	})
}

// A key set is refreshed when it is used and at no other time: there is no idle goroutine, and
// nothing to close.
func TestNoGoroutineIsLeft(t *testing.T) {
	if n := goroutines(); n != 0 {
		t.Fatalf("%d goroutines of other tests", n)
	}
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		d := w.delegator(t)
		w.wantOutcome(t, d, w.token(nil), accepted)
		for range 3 {
			w.clock.Advance(time.Hour)
			w.wantOutcome(t, d, w.token(nil), accepted)
			synctest.Wait()
			w.wantOutcome(t, d,
				must(w.provider.Sign(map[string]any{"kid": "bogus"}, []byte(payload(nil)))),
				refused(delegation.CodeKeyUnknown))
		}
		w.provider.SetFaults(oidctest.Faults{Status: 500})
		w.clock.Advance(time.Hour)
		w.wantOutcome(t, d, w.token(nil), accepted)
		synctest.Wait()
		if n := goroutines(); n != 0 {
			t.Errorf("%d goroutines are left", n)
		}
		_, before := w.provider.Fetches()
		time.Sleep(30 * 24 * time.Hour) // in the bubble, a moment: nothing wakes up
		w.clock.Advance(time.Hour)
		synctest.Wait()
		w.wantFetches(t, before)
	})
}

// Known keys serve until 24 h after their life, and not a moment longer. The way back is one good
// answer.
func TestOutage(t *testing.T) {
	for _, life := range []time.Duration{5 * time.Minute, time.Hour, 24 * time.Hour} {
		t.Run(life.String(), func(t *testing.T) {
			w := remote(t)
			w.withCacheControl(fmt.Sprintf("max-age=%d", life/time.Second))
			log := &lockedBuffer{}
			w.config.Logger = slog.New(slog.NewTextHandler(log, nil))
			synctest.Test(t, func(t *testing.T) {
				d := w.delegator(t)
				w.wantOutcome(t, d, w.token(nil), accepted)
				w.provider.SetFaults(oidctest.Faults{Status: 503})
				use := func(want string) {
					t.Helper()
					w.wantOutcome(t, d, w.token(nil), want)
					synctest.Wait()
				}

				w.clock.Advance(life)
				use(accepted)
				attempts, _ := w.provider.Fetches()
				if attempts != 2 ||
					!strings.Contains(log.String(), string(delegation.CodeKeySetUnavailable)) {
					t.Errorf("%d attempts, log: %s", attempts, log)
				}
				if strings.Contains(log.String(), oidctest.Garbage) {
					t.Error("the log repeats the answer")
				}
				if !strings.Contains(log.String(), "issuer="+issuerURL) ||
					!strings.Contains(log.String(), "check that the issuer can be reached") {
					t.Errorf("the log lacks the issuer or the remedy: %s", log)
				}
				w.clock.Advance(30*time.Second - time.Nanosecond)
				use(accepted)
				if again, _ := w.provider.Fetches(); again != attempts {
					t.Error("tried again within the cooldown")
				}
				w.clock.Advance(time.Nanosecond)
				use(accepted)
				if again, _ := w.provider.Fetches(); again != attempts+1 {
					t.Error("not tried again after the cooldown")
				}

				w.clock.Advance(24*time.Hour - 30*time.Second - time.Nanosecond)
				use(accepted)
				w.clock.Advance(time.Nanosecond)
				err := w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
				if e := (*delegation.Error)(nil); !errors.As(err, &e) || !e.Retryable {
					t.Errorf("not retryable: %v", err)
				}
				w.provider.SetFaults(oidctest.Faults{})
				w.clock.Advance(time.Second)
				use(accepted)
			})
		})
	}
}

// A client of the operator's that panics, or ends its goroutine, is one that has brought no keys:
// it runs on no caller's goroutine, so its panic would end the process.
func TestClientThatPanics(t *testing.T) {
	for name, fault := range map[string]func(){
		"panic":  func() { panic("canary") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			w := remote(t)
			good := w.config.HTTPClient.Transport
			broken := true
			w.config.HTTPClient.Transport = transportFunc(func(
				r *http.Request,
			) (*http.Response, error) {
				if broken {
					fault()
				}
				return good.RoundTrip(r)
			})
			d := w.delegator(t)
			w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
			broken = false
			w.clock.Advance(time.Second)
			w.wantOutcome(t, d, w.token(nil), accepted)
		})
	}
}

// A machine may sleep for days with a refresh on its way: what comes back then is as old as its
// beginning, and whoever waits for it asks again.
func TestAnswerOfAnotherDay(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		g, d := w.warmGate(t)
		w.clock.Advance(time.Hour)
		w.wantOutcome(t, d, w.token(nil), accepted) // and a refresh sets out
		synctest.Wait()
		w.clock.Advance(30 * 24 * time.Hour)
		var wg sync.WaitGroup
		wg.Go(func() { w.wantOutcome(t, d, w.token(nil), accepted) })
		synctest.Wait()
		close(g.open)
		wg.Wait()
		w.wantFetches(t, 3)

		g.open = make(chan struct{})
		w.clock.Advance(30 * 24 * time.Hour)
		wg.Go(func() {
			w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
		})
		synctest.Wait()
		w.clock.Advance(30 * 24 * time.Hour) // with that one's own fetch on its way
		close(g.open)
		wg.Wait()
		w.wantOutcome(t, d, w.token(nil), accepted)
	})
}

// lockedBuffer may be written by a refresh beside the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Whatever goes wrong with a refresh, the keys known so far go on serving. Who comes with an
// unknown kid is told to try again, and the operator is told why.
func TestFailedRefreshKeepsTheKeys(t *testing.T) {
	for code, faults := range map[delegation.Code]oidctest.Faults{
		delegation.CodeKeySetUnavailable: {Status: 500},
		delegation.CodeKeySetInvalid:     {Malformed: true},
		delegation.CodeKeySetTooLarge:    {Oversize: true},
		delegation.CodeDiscoveryRedirect: {Redirect: "https://elsewhere.example"},
		delegation.CodeKeySetRedirect: {
			Redirect: "https://elsewhere.example", Only: oidctest.KeySetPath,
		},
		delegation.CodeDiscoveryMissing: {Status: 404},
		delegation.CodeKeySetMissing:    {Status: 404, Only: oidctest.KeySetPath},
		delegation.CodeKeySetURL:        {JWKSURL: "https://169.254.169.254/"},
		delegation.CodeDiscoveryIssuer:  {Issuer: "https://evil.example"},
		delegation.CodeKeySetSymmetric:  {SymmetricKey: true},
	} {
		t.Run(string(code), func(t *testing.T) {
			w := remote(t)
			d := w.delegator(t)
			w.wantOutcome(t, d, w.token(nil), accepted)
			w.provider.SetFaults(faults)
			w.clock.Advance(time.Minute)
			for range 3 { // one more than may be asked
				err := w.wantOutcome(t, d, withKeyID("bogus"), refused(delegation.CodeKeyPending))
				if !errors.Is(errors.Unwrap(err), code) {
					t.Errorf("got %v, want the cause %s", err, code)
				}
				wantShortError(t, err, withKeyID("bogus"))
			}
			w.wantOutcome(t, d, w.token(nil), accepted)
			w.provider.SetFaults(oidctest.Faults{})
			w.clock.Advance(time.Minute)
			bogus := withKeyID("bogus")
			err := w.wantOutcome(t, d, bogus, refused(delegation.CodeKeyUnknown))
			if errors.Is(errors.Unwrap(err), code) {
				t.Errorf("a refresh went well, and yet: %v", err)
			}
		})
	}
}

// Without any keys there is nothing to protect but the issuer: it is asked again after a second.
func TestFirstFetchFails(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.provider.SetFaults(oidctest.Faults{Status: 500})
	for range 3 {
		w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
	}
	w.provider.SetFaults(oidctest.Faults{})
	w.clock.Advance(time.Second - time.Nanosecond)
	w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
	if discoveries, _ := w.provider.Fetches(); discoveries != 1 {
		t.Errorf("%d attempts within a second", discoveries)
	}
	w.clock.Advance(time.Nanosecond)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.wantFetches(t, 1)

	// A clock that was set back is not waited for.
	w = remote(t)
	d = w.delegator(t)
	w.provider.SetFaults(oidctest.Faults{Status: 500})
	w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
	w.provider.SetFaults(oidctest.Faults{})
	w.clock.Advance(-24 * time.Hour)
	w.wantOutcome(t, d, w.token(nil), accepted)
}

func TestTimeout(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		g := w.gate()
		d := w.delegator(t)
		began := time.Now()
		err := w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("gave up after %s, want 10s", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline as its cause", err)
		}
		// The URL that was called is there once, next to the issuer that the error names.
		called := issuerURL + "/.well-known/openid-configuration"
		if strings.Count(err.Error(), called) != 1 || strings.Count(err.Error(), issuerURL) != 2 {
			t.Errorf("the URL is not there once: %v", err)
		}

		// A slow discovery leaves less time for the key set.
		w.clock.Advance(time.Second)
		began = time.Now()
		go func() {
			time.Sleep(9 * time.Second)
			g.open <- struct{}{}
		}()
		w.wantOutcome(t, d, w.token(nil), refused(delegation.CodeKeySetUnavailable))
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("both documents took %s, want 10s", took)
		}
		if len(g.arrived) != 3 {
			t.Errorf("%d requests", len(g.arrived))
		}
	})
}

// The one who waits may give up. The fetch goes on for the others, even if the one who gives up was
// the first.
func TestWaiterGivesUp(t *testing.T) {
	for _, warm := range []bool{false, true} {
		t.Run(fmt.Sprint("warm ", warm), func(t *testing.T) {
			w := remote(t)
			synctest.Test(t, func(t *testing.T) {
				g := w.gate()
				d := w.delegator(t)
				if warm {
					close(g.open)
					w.wantOutcome(t, d, w.token(nil), accepted)
					<-g.arrived
					<-g.arrived
					g.open = make(chan struct{})
					must(w.provider.Rotate())
					w.clock.Advance(time.Minute)
				}
				first, cancel := context.WithCancel(t.Context())
				gone := make(chan error, 2)
				go func() {
					_, err := d.Exchange(first, w.token(nil), app)
					gone <- err
				}()
				request := <-g.arrived
				second, cancelSecond := context.WithTimeout(t.Context(), time.Second)
				defer cancelSecond()
				go func() {
					_, err := d.Exchange(second, w.token(nil), app)
					gone <- err
				}()
				var wg sync.WaitGroup
				for range 50 {
					wg.Go(func() { w.wantOutcome(t, d, w.token(nil), accepted) })
				}
				synctest.Wait()

				cancel()
				err := <-gone
				wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the context's error is not visible in %v", err)
				}
				err = <-gone // after its second
				wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the context's error is not visible in %v", err)
				}
				if request.Context().Err() != nil {
					t.Error("one caller has canceled the fetch of all")
				}
				close(g.open)
				wg.Wait()
			})
		})
	}
}

// lateContext ends at the worst moment: after the wait that watches Done, and before Err is asked.
type lateContext struct{ context.Context }

func (lateContext) Err() error { return context.Canceled }

// A caller who is gone before the keys are there gets no answer that could pass for a verified
// token.
func TestCanceledCallerIsNotVerified(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	mallory := encoded([]byte(payload(map[string]any{"sub": "auth0|mallory"})))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ctx := range map[string]context.Context{
		"before": gone, "late": lateContext{t.Context()},
	} {
		for _, header := range []string{`{"alg":"RS256","kid":"bogus"}`, `{"alg":"RS256"}`} {
			t.Run(name+" "+header, func(t *testing.T) {
				forged := encoded([]byte(header)) + "." + mallory + ".AAAA"
				if claims, err := delegation.Verify(ctx, d, forged); err == nil {
					t.Errorf("a forged token was verified: %v", claims)
				}
				_, err := d.Exchange(ctx, forged, app)
				wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
			})
		}
	}
	for _, e := range w.events {
		if e.Subject == "auth0|mallory" {
			t.Error("the audit names the subject of a token that nobody has verified")
		}
	}
}

func TestRotation(t *testing.T) {
	w := remote(t)
	synctest.Test(t, func(t *testing.T) {
		d := w.delegator(t)
		late := map[string]any{"exp": start.Add(24 * time.Hour).Unix()}
		old, oldID := w.token(late), w.provider.KeyID()
		w.wantOutcome(t, d, old, accepted)
		must(w.provider.Rotate())
		w.clock.Advance(time.Minute)
		w.wantOutcome(t, d, w.token(late), accepted)
		w.wantOutcome(t, d, old, accepted) // still published
		w.wantFetches(t, 2)

		w.provider.Withdraw(oldID)
		w.clock.Advance(time.Hour)
		w.wantOutcome(t, d, w.token(late), accepted) // refreshes
		synctest.Wait()
		w.wantFetches(t, 3)
		w.wantOutcome(t, d, old, refused(delegation.CodeKeyUnknown))
		w.wantOutcome(t, d, w.token(late), accepted)
	})
}

// Without a kid every key of the set is tried, and only a signature that fits none of them tells of
// a rotation.
func TestTokensWithoutKeyID(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	anonymous := func() string {
		return must(w.provider.Sign(map[string]any{"kid": nil}, []byte(payload(nil))))
	}
	old := anonymous()
	w.wantOutcome(t, d, old, accepted)
	w.wantFetches(t, 1)
	must(w.provider.Rotate())
	rotated := anonymous()
	w.wantOutcome(t, d, rotated, accepted)
	w.wantOutcome(t, d, old, accepted)
	w.wantFetches(t, 2)
	must(w.provider.Rotate())
	w.wantOutcome(t, d, anonymous(), refused(delegation.CodeKeyPending))
	w.wantFetches(t, 2)
	w.clock.Advance(10 * time.Second)
	w.wantOutcome(t, d, anonymous(), accepted)
	w.wantFetches(t, 3)
}

// A bad signature may be a forgery, or the issuer has changed the key and kept its kid. So it has
// its refresh, once for each token and within the allowance of its issuer.
func TestForgeriesShareTheAllowance(t *testing.T) {
	for _, kid := range []bool{true, false} {
		t.Run(fmt.Sprint("with a kid: ", kid), func(t *testing.T) {
			w := remote(t)
			d := w.delegator(t)
			w.wantOutcome(t, d, w.token(nil), accepted)
			w.clock.Advance(time.Minute)
			header := map[string]any{}
			if !kid {
				header["kid"] = nil
			}
			input := must(w.provider.Sign(header, []byte(payload(nil))))
			input = input[:strings.LastIndexByte(input, '.')+1]
			forged := func(i int) string { return input + encoded([]byte(fmt.Sprintf("%256d", i))) }
			invalid := refused(delegation.CodeSignatureInvalid)
			pending := refused(delegation.CodeKeyPending)
			for range 100 {
				w.wantOutcome(t, d, forged(0), invalid)
			}
			w.wantFetches(t, 2)
			w.wantOutcome(t, d, forged(1), invalid)
			w.wantFetches(t, 3)
			for i := range 100 {
				err := w.wantOutcome(t, d, forged(2+i), pending)
				wantShortError(t, err, forged(2+i))
				if !strings.Contains(err.Error(), "signature does not verify") {
					t.Fatalf("the error does not say what is wrong with the token: %v", err)
				}
			}
			w.wantUnknown(t, d, []string{withKeyID("bogus")}, false)
			w.wantFetches(t, 3)
			w.wantOutcome(t, d, w.token(nil), accepted)
			w.clock.Advance(10 * time.Second)
			for range 100 {
				w.wantOutcome(t, d, forged(2), invalid)
			}
			w.wantFetches(t, 4)
		})
	}
}

// A set that has grown old is fetched when it is used. If that use is a forgery, the fetch that it
// has set off is the one that has the last word on it.
func TestForgeryAtADueRefresh(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.clock.Advance(time.Hour)
	w.wantOutcome(t, d, withKeyID(w.provider.KeyID()), refused(delegation.CodeSignatureInvalid))
	w.wantFetches(t, 2)
}

// What a good key says of a token is final where it is not about the signature, and where no newer
// key can be had: that is no reason to ask the issuer.
func TestFinalVerdictsAskNobody(t *testing.T) {
	w := remote(t)
	d := w.delegator(t)
	w.wantOutcome(t, d, w.token(nil), accepted)
	w.clock.Advance(time.Minute)
	expired := w.token(map[string]any{"exp": start.Unix() - 1000})
	w.wantOutcome(t, d, expired, refused(delegation.CodeTokenExpired))
	w.wantOutcome(t, d, w.token(map[string]any{"sub": nil}), refused(delegation.CodeClaimMissing))
	w.wantFetches(t, 1)

	w.config.Issuers[0].JWKS = w.provider.KeySet()
	w.config.HTTPClient = noNetwork(t)
	d = w.delegator(t)
	w.wantOutcome(t, d, withKeyID(w.provider.KeyID()), refused(delegation.CodeSignatureInvalid))
	w.wantOutcome(t, d, withKeyID("bogus"), refused(delegation.CodeKeyUnknown))
}

// An issuer that keeps the kid when it changes the key is found out by the first token of the new
// key, however long the old one was to be kept.
func TestSameKeyIDNewKey(t *testing.T) {
	for _, header := range []string{"", "max-age=86400", "no-cache"} {
		for _, kind := range []string{"RS256", "ES256"} {
			t.Run(header+" to "+kind, func(t *testing.T) {
				w := newWorld(t)
				published := jwk(issuerKey().Public(), map[string]any{"kid": "sig-1"})
				fetches := 0
				w.config.Issuers = []delegation.Issuer{{
					URL: issuerURL, JWKSURL: issuerURL, Algorithms: algorithms,
				}}
				publish := func(rw http.ResponseWriter, _ *http.Request) {
					fetches++
					rw.Header().Set("Cache-Control", header)
					_, _ = rw.Write(keySet(published))
				}
				w.config.HTTPClient = &http.Client{Transport: direct(http.HandlerFunc(publish))}
				token := func(key crypto.Signer, algorithm string) string {
					provider := must(oidctest.New(oidctest.Config{Key: key, Algorithm: algorithm}))
					return must(provider.Sign(map[string]any{"kid": "sig-1"}, []byte(payload(nil))))
				}
				d := w.delegator(t)
				old := token(issuerKey(), "RS256")
				w.wantOutcome(t, d, old, accepted)
				next := crypto.Signer(must(rsa.GenerateKey(rand.Reader, 2048)))
				if kind == "ES256" {
					next = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
				}
				published = jwk(next.Public(), map[string]any{"kid": "sig-1"})
				w.wantOutcome(t, d, token(next, kind), accepted)
				if fetches != 2 {
					t.Errorf("%d fetches", fetches)
				}
				err := w.wantOutcome(t, d, old, refused(delegation.CodeKeyPending))
				if e := (*delegation.Error)(nil); !errors.As(err, &e) || !e.Retryable {
					t.Errorf("not retryable: %v", err)
				}
				w.clock.Advance(10 * time.Second)
				want := delegation.CodeSignatureInvalid
				if kind != "RS256" {
					want = delegation.CodeKeyUnsuitable
				}
				w.wantOutcome(t, d, old, refused(want))
			})
		}
	}
}

// An issuer that changes to another kind of key is not different from one that rotates.
func TestRotationToAnotherKindOfKey(t *testing.T) {
	for _, kid := range []string{"key", ""} {
		t.Run("kid "+kid, func(t *testing.T) {
			before, after := providers()["RS256"], providers()["ES256"]
			handler := http.Handler(before)
			w := newWorld(t)
			w.config.Issuers = []delegation.Issuer{{
				URL:        issuerURL,
				Algorithms: []string{"RS256", "ES256"},
			}}
			w.config.HTTPClient = &http.Client{
				Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
					return direct(handler)(r)
				}),
			}
			d := w.delegator(t)
			token := func(p *oidctest.Provider) string {
				header := map[string]any{}
				if kid == "" {
					header["kid"] = nil
				}
				return must(p.Sign(header, []byte(payload(nil))))
			}
			w.wantOutcome(t, d, token(before), accepted)
			handler = after
			w.clock.Advance(time.Minute)
			w.wantOutcome(t, d, token(after), accepted)
		})
	}
}

// A set in which keys of several kinds have no kid serves tokens of each.
func TestSetsWithoutKeyIDs(t *testing.T) {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsaKey := issuerKey()
	weak := jwk(rsaKey.Public(), map[string]any{"kid": nil, "e": "AQ"})
	w := offline(t)
	w.config.Issuers[0] = delegation.Issuer{
		URL:        issuerURL,
		Algorithms: []string{"RS256", "ES256", "EdDSA"},
		JWKS: keySet(weak, jwk(ec.Public(), map[string]any{"kid": nil}),
			jwk(rsaKey.Public(), map[string]any{"kid": nil})),
	}
	d := w.delegator(t)
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	for _, test := range []struct {
		name string
		key  crypto.Signer
		kid  any
		want string
	}{
		{"the RSA key", rsaKey, nil, accepted},
		{"the ECDSA key", ec, nil, accepted},
		{"a stranger's ECDSA key", stranger, nil, refused(delegation.CodeSignatureInvalid)},
		// the first key's fault
		{"a kind that is not in the set", edwards, nil, refused(delegation.CodeKeyWeak)},
		{"a kid that nobody has", ec, "k", refused(delegation.CodeKeyUnknown)},
	} {
		t.Run(test.name, func(t *testing.T) {
			provider := must(oidctest.New(oidctest.Config{Key: test.key}))
			w.wantOutcome(t, d,
				must(provider.Sign(map[string]any{"kid": test.kid}, []byte(payload(nil)))),
				test.want)
		})
	}
}

// Everything at once: many callers, good and bad tokens, some callers gone, outages, and hours that
// pass.
func TestKeysUnderLoad(t *testing.T) {
	w := remote(t)
	w.config.OnEvent = nil
	d := w.delegator(t)
	late := map[string]any{"exp": start.AddDate(1, 0, 0).Unix()}
	good := w.token(late)
	bogus := encoded([]byte(`{"alg":"RS256","kid":"bogus"}`)) + "." +
		encoded([]byte(payload(late))) + ".AAAA"
	if _, err := delegation.Verify(t.Context(), d, good); err != nil {
		t.Fatal(err)
	}
	const callers, rounds = 20, 10
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for round := range rounds {
				ctx, cancel := context.WithCancel(t.Context())
				if i%4 == 3 {
					cancel()
				}
				if _, err := delegation.Verify(ctx, d, good); err != nil {
					t.Errorf("the good key failed: %v", err)
				}
				_, err := delegation.Verify(ctx, d, bogus)
				switch got := outcome(err); got {
				case refused(delegation.CodeKeyUnknown), refused(delegation.CodeKeyPending):
				case refused(delegation.CodeCanceled):
				default:
					t.Errorf("got %s", got)
				}
				cancel()
				w.provider.SetFaults(oidctest.Faults{Status: 500 * (round % 2)})
				// in all, less than known keys serve in an outage
				w.clock.Advance(24 * time.Hour / callers / rounds)
			}
		})
	}
	wg.Wait()
}

// What New refuses in an Issuer: each field by its name, and all of them at once.
func TestIssuerConfig(t *testing.T) {
	secret := delegation.NewSecret(strings.Repeat("s", 32))
	set := keySet(jwk(issuerKey().Public(), nil))
	for _, test := range []struct {
		name   string
		issuer delegation.Issuer
		want   []string // words of each complaint; none: it is fine
	}{
		{"discovery", delegation.Issuer{URL: issuerURL}, nil},
		{"with a path", delegation.Issuer{URL: issuerURL + "/tenant/v2.0"}, nil},
		{"private", delegation.Issuer{URL: "https://10.0.0.7:8443"}, nil},
		{"loopback by https", delegation.Issuer{URL: "https://localhost:8443"}, nil},
		{"loopback by http",
			delegation.Issuer{URL: "http://127.0.0.1:8080", AllowLoopbackHTTP: true}, nil},
		{"localhost by http",
			delegation.Issuer{URL: "http://localhost:8080", AllowLoopbackHTTP: true}, nil},
		{"IPv6 loopback by http",
			delegation.Issuer{URL: "http://[::1]:8080", AllowLoopbackHTTP: true}, nil},
		{"JWKS URL of another host",
			delegation.Issuer{URL: issuerURL, JWKSURL: "https://10.0.0.7/keys"}, nil},
		{"static", delegation.Issuer{URL: issuerURL, JWKS: set}, nil},
		{"all algorithms", delegation.Issuer{URL: issuerURL, Algorithms: algorithms}, nil},
		{"shared secret", delegation.Issuer{URL: issuerURL, SharedSecret: secret}, nil},
		{"shared secret and HS256",
			delegation.Issuer{URL: issuerURL, SharedSecret: secret, Algorithms: []string{"HS256"}},
			nil},

		{"nothing", delegation.Issuer{}, []string{"URL: "}},
		{"http", delegation.Issuer{URL: "http://issuer.example.com"}, []string{"URL: ", "https"}},
		{"http, allowed for loopback",
			delegation.Issuer{URL: "http://issuer.example.com", AllowLoopbackHTTP: true},
			[]string{"URL: ", "https"}},
		{"http to a private address",
			delegation.Issuer{URL: "http://10.0.0.7", AllowLoopbackHTTP: true},
			[]string{"URL: ", "https"}},
		{"http to every address", delegation.Issuer{URL: "http://0.0.0.0", AllowLoopbackHTTP: true},
			[]string{"URL: ", "https"}},
		{"http to a name like localhost",
			delegation.Issuer{URL: "http://localhost.example.com", AllowLoopbackHTTP: true},
			[]string{"URL: ", "https"}},
		{"http to loopback, not asked for", delegation.Issuer{URL: "http://127.0.0.1:8080"},
			[]string{"URL: ", "https"}},
		{"no scheme", delegation.Issuer{URL: "issuer.example.com"}, []string{"URL: "}},
		{"another scheme", delegation.Issuer{URL: "ftp://issuer.example.com"},
			[]string{"URL: ", "https"}},
		{"another scheme to loopback",
			delegation.Issuer{URL: "ftp://127.0.0.1", AllowLoopbackHTTP: true},
			[]string{"URL: ", "https"}},
		{"no host", delegation.Issuer{URL: "https:///tenant"}, []string{"URL: "}},
		{"only a port", delegation.Issuer{URL: "https://:8443"}, []string{"URL: "}},
		{"user", delegation.Issuer{URL: "https://user@issuer.example.com"}, []string{"URL: "}},
		{"fragment", delegation.Issuer{URL: issuerURL + "#top"}, []string{"URL: "}},
		// discovery could not append its path
		{"query", delegation.Issuer{URL: issuerURL + "?tenant=1"}, []string{"URL: "}},
		{"no URL at all", delegation.Issuer{URL: "https://%zz"}, []string{"URL: "}},
		{"JWKS URL by http",
			delegation.Issuer{URL: issuerURL, JWKSURL: "http://issuer.example.com/keys"},
			[]string{"JWKSURL: ", "https"}},
		{"JWKS URL by http to loopback",
			delegation.Issuer{URL: issuerURL, JWKSURL: "http://127.0.0.1/keys"},
			[]string{"JWKSURL: ", "https"}},
		{"JWKS URL without host", delegation.Issuer{URL: issuerURL, JWKSURL: "/keys"},
			[]string{"JWKSURL: "}},
		{"static set is no set", delegation.Issuer{URL: issuerURL, JWKS: []byte("{}")},
			[]string{"JWKS: "}},
		{"unknown algorithm",
			delegation.Issuer{URL: issuerURL, Algorithms: []string{"RS256", "XS256"}},
			[]string{"Algorithms: ", `"XS256"`}},
		{"algorithm in the wrong case",
			delegation.Issuer{URL: issuerURL, Algorithms: []string{"rs256"}},
			[]string{"Algorithms: ", `"rs256"`}},
		{"none", delegation.Issuer{URL: issuerURL, Algorithms: []string{"none"}},
			[]string{"Algorithms: ", `"none"`}},
		{"empty algorithm", delegation.Issuer{URL: issuerURL, Algorithms: []string{""}},
			[]string{"Algorithms: ", `""`}},
		{"HS256 without a secret", delegation.Issuer{URL: issuerURL, Algorithms: []string{"HS256"}},
			[]string{"Algorithms: ", `"HS256"`}},
		{"HS256 with a static set",
			delegation.Issuer{URL: issuerURL, JWKS: set, Algorithms: []string{"RS256", "HS256"}},
			[]string{"Algorithms: ", `"HS256"`}},
		{"short secret",
			delegation.Issuer{
				URL:          issuerURL,
				SharedSecret: delegation.NewSecret(strings.Repeat("s", 31)),
			}, []string{"SharedSecret ", "31", "32"}},
		{"secret and RS256",
			delegation.Issuer{URL: issuerURL, SharedSecret: secret, Algorithms: []string{"RS256"}},
			[]string{"Algorithms: ", "HS256"}},
		{"secret and both",
			delegation.Issuer{
				URL:          issuerURL,
				SharedSecret: secret,
				Algorithms:   []string{"HS256", "RS256"},
			}, []string{"Algorithms: ", "HS256"}},
		{"secret and HS512",
			delegation.Issuer{URL: issuerURL, SharedSecret: secret, Algorithms: []string{"HS512"}},
			[]string{"Algorithms: ", "HS256"}},
		{"secret and JWKS", delegation.Issuer{URL: issuerURL, SharedSecret: secret, JWKS: set},
			[]string{"only one of JWKS, JWKSURL and SharedSecret"}},
		{"secret and JWKS URL",
			delegation.Issuer{URL: issuerURL, SharedSecret: secret, JWKSURL: issuerURL},
			[]string{"only one of JWKS, JWKSURL and SharedSecret"}},
		{"JWKS and JWKS URL", delegation.Issuer{URL: issuerURL, JWKS: set, JWKSURL: issuerURL},
			[]string{"only one of JWKS, JWKSURL and SharedSecret"}},

		{"wrong in every field",
			delegation.Issuer{
				URL:        "http://issuer.example.com",
				Algorithms: []string{"none", "HS256"},
				JWKS:       []byte("[]"),
				JWKSURL:    "ftp://x",
			},
			[]string{"URL: ", `"none"`, `"HS256"`, "only one of", "JWKS: "}},
		{"wrong in every field, with a secret",
			delegation.Issuer{
				Algorithms:   []string{"RS256"},
				SharedSecret: delegation.NewSecret("short"),
				JWKS:         []byte("[]"),
				JWKSURL:      "ftp://x",
			},
			[]string{"URL: ", "SharedSecret ", "Algorithms: ", "only one of"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Issuers = []delegation.Issuer{test.issuer}
			w.config.HTTPClient = noNetwork(t)
			wanted := test.want
			if wanted != nil {
				wanted = append(wanted, "Issuers[0]: ")
			}
			err := wantOfNew(t, w.config, wanted)
			secret := test.issuer.SharedSecret.Reveal()
			if err != nil && len(secret) > 10 && strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in %v", err)
			}
		})
	}
}

func TestIssuersConfig(t *testing.T) {
	w := newWorld(t)
	w.config.Issuers = []delegation.Issuer{
		{URL: "ftp://x"}, {URL: issuerURL}, {URL: issuerURL}, {URL: issuerURL + "/"},
	}
	w.target(func(target *delegation.Target) { target.Issuers = []string{issuerURL} })
	_, err := delegation.New(t.Context(), w.config)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	for _, words := range []string{"Issuers[0]: URL: ", "Issuers[2]: URL ", "twice"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q is not in %v", words, err)
		}
	}
	if strings.Contains(err.Error(), "Issuers[3]") {
		t.Errorf("another slash is another issuer: %v", err)
	}
	w.config.Issuers = nil
	_, err = delegation.New(t.Context(), w.config)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	if !strings.Contains(err.Error(), "Issuers is empty") {
		t.Errorf("got %v", err)
	}
	w = newWorld(t)
	w.config.MaxTokenSize, w.config.Leeway = -1, 5*time.Minute+1
	_, err = delegation.New(t.Context(), w.config)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	for _, field := range []string{"MaxTokenSize", "Leeway"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}

// New copies what it is given.
func TestIssuerIsCopied(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].Algorithms = []string{"RS256"}
	d := w.delegator(t)
	token := w.token(nil)
	w.config.Issuers[0].Algorithms[0] = "ES256"
	clear(w.config.Issuers[0].JWKS)
	w.config.Issuers[0] = delegation.Issuer{}
	w.wantOutcome(t, d, token, accepted)
}
