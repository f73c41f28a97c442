package delegation_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/oidctest"
)

// issuerURL is the issuer of the tests that need no server.
const issuerURL = "https://issuer.example.com"

// algorithms are all that can be allowed; HS256 comes with a shared secret only.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

const accepted = "accepted"

// refused is the outcome of a token that is refused with the code.
func refused(code delegation.Code) string {
	return string(delegation.StageToken) + " " + string(code)
}

// outcome says in one line what became of an exchange: "accepted", or the stage and the code.
func outcome(err error) string {
	var e *delegation.Error
	switch {
	case err == nil:
		return accepted
	case errors.As(err, &e):
		return string(e.Stage) + " " + string(e.Code)
	}
	return fmt.Sprintf("%T instead of an *Error: %v", err, err)
}

// wantOutcome runs an exchange and checks what became of it, and that AWS is asked after an
// acceptance only.
func (w *world) wantOutcome(t testing.TB, d *delegation.Delegator, token, want string) error {
	t.Helper()
	w.mu.Lock()
	before := len(w.sent)
	w.mu.Unlock()
	err := wantAnswer(t, d, token, want)
	w.mu.Lock()
	asked := len(w.sent) > before
	w.mu.Unlock()
	if asked != (want == accepted) {
		t.Errorf("%s, but STS was asked: %v", want, asked)
	}
	wantCompared(t, d, token, err)
	return err
}

// wantAnswer checks the outcome of an exchange and nothing else: other exchanges may be under way.
func wantAnswer(t testing.TB, d *delegation.Delegator, token, want string) error {
	t.Helper()
	_, err := d.Exchange(t.Context(), token, app)
	if got := outcome(err); got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	return err
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// noNetwork is a client whose every request fails the test.
func noNetwork(t testing.TB) *http.Client {
	return &http.Client{Transport: transportFunc(func(r *http.Request) (*http.Response, error) {
		t.Errorf("%s %s was requested", r.Method, r.URL)
		return nil, errors.New("no network in this test")
	})}
}

// offline is a world whose issuer has a static key set, and in which nothing may be requested.
func offline(t testing.TB, algorithms ...string) *world {
	t.Helper()
	w := newWorld(t)
	w.provider.SetIssuer(issuerURL)
	w.config.HTTPClient = noNetwork(t)
	w.config.Issuers = []delegation.Issuer{{
		URL:        issuerURL,
		JWKS:       w.provider.KeySet(),
		Algorithms: algorithms,
	}}
	return w
}

// providers have one key for each algorithm. They keep their keys for all tests, so nobody may
// rotate them.
var providers = sync.OnceValue(func() map[string]*oidctest.Provider {
	all := map[string]*oidctest.Provider{}
	for _, algorithm := range algorithms {
		config := oidctest.Config{Algorithm: algorithm, Now: func() time.Time { return start }}
		if algorithm[1] == 'S' && algorithm[0] != 'E' { // RSA keys take their time
			config.Key = issuerKey()
		}
		all[algorithm] = must(oidctest.New(config))
		all[algorithm].SetIssuer(issuerURL)
	}
	return all
})

func encoded(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// signed is a token with header and payload exactly as they are given, signed with RS256 and the
// issuer's key.
func signed(header, payload string) string {
	input := encoded([]byte(header)) + "." + encoded([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	return input + "." + encoded(must(rsa.SignPKCS1v15(nil, issuerKey(), crypto.SHA256, digest[:])))
}

// maced is a token with an HMAC of any key behind it.
func maced(header map[string]any, payload string, key []byte) string {
	hashes := map[string]func() hash.Hash{"HS384": sha512.New384, "HS512": sha512.New}
	newHash, ok := hashes[fmt.Sprint(header["alg"])]
	if !ok {
		newHash = sha256.New
	}
	input := encoded(must(json.Marshal(header))) + "." + encoded([]byte(payload))
	mac := hmac.New(newHash, key)
	mac.Write([]byte(input))
	return input + "." + encoded(mac.Sum(nil))
}

// payload is what a good token of alice says, with claims changed, added or (nil) removed.
func payload(changes map[string]any) string {
	claims := map[string]any{
		"iss": issuerURL, "sub": alice, "aud": app, "iat": start.Unix(),
		"exp": start.Add(time.Hour).Unix(),
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return string(must(json.Marshal(claims)))
}

// vector is a file of testdata/vectors. The issuer is issuerURL with a static set of one RS256 key,
// its clock stands at 2026-11-23T09:00:00Z (1795424400), and the leeway is the default of 60 s.
type vector struct {
	Name string `json:"name"` // what the token looks like
	Why  string `json:"why"`  // where the rule comes from, if that is not plain

	// changes to the usual header; null removes
	Header map[string]json.RawMessage `json:"header"`
	// or the header itself; $kid is the key's ID
	HeaderText string `json:"header_text"`
	// changes to the usual claims; null removes
	Claims  map[string]json.RawMessage `json:"claims"`
	Payload *string                    `json:"payload"` // or the payload itself
	// how the signed parts are put together, if not as usual
	Token *string `json:"token"`

	Outcome string `json:"outcome"` // "accepted", or stage and code
}

func (v *vector) build(kid string) string {
	header := strings.ReplaceAll(v.HeaderText, "$kid", kid)
	if header == "" {
		header = changed(map[string]any{"alg": "RS256", "kid": kid, "typ": "JWT"}, v.Header)
	}
	text := payload(nil)
	if v.Payload != nil {
		text = *v.Payload
	} else if v.Claims != nil {
		var usual map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&usual); err != nil {
			panic(err)
		}
		text = changed(usual, v.Claims)
	}
	token := signed(header, text)
	if v.Token == nil {
		return token
	}
	parts := strings.Split(token, ".")
	return strings.NewReplacer("$header", parts[0], "$payload", parts[1], "$signature", parts[2]).
		Replace(*v.Token)
}

func changed(object map[string]any, changes map[string]json.RawMessage) string {
	for name, value := range changes {
		if object[name] = value; string(value) == "null" {
			delete(object, name)
		}
	}
	return string(must(json.Marshal(object)))
}

func TestVectors(t *testing.T) {
	files := must(filepath.Glob("testdata/vectors/*.json"))
	if len(files) < 150 {
		t.Fatalf("only %d vectors: testdata/vectors is not complete", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var v vector
			d := json.NewDecoder(bytes.NewReader(must(os.ReadFile(file))))
			d.DisallowUnknownFields()
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			if v.Name == "" || v.Outcome == "" {
				t.Fatal("the vector lacks a name or an outcome")
			}
			w := offline(t)
			err := w.wantOutcome(t, w.delegator(t), v.build(w.provider.KeyID()), v.Outcome)
			if err != nil && len(w.events) != 1 {
				t.Errorf("%d events", len(w.events))
			}
		})
	}
}

// Text that is not UTF-8 cannot be written in a vector.
func TestInvalidUTF8(t *testing.T) {
	w := offline(t)
	d := w.delegator(t)
	header := `{"alg":"RS256","kid":"` + w.provider.KeyID() + `"}`
	w.wantOutcome(t, d, signed(header, payload(nil)), accepted)
	w.wantOutcome(t, d, signed("{\"alg\":\"RS256\",\"x\":\"\xff\"}", payload(nil)),
		refused(delegation.CodeTokenMalformed))
	w.wantOutcome(t, d, signed(header, strings.Replace(payload(nil), "alice", "ali\xffce", 1)),
		refused(delegation.CodeTokenMalformed))
}

// Each of the three parts ends in a character with unused bits; a lax decoder reads the same bytes
// whatever they are.
func TestStrayBits(t *testing.T) {
	w := offline(t)
	d := w.delegator(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	header := `{"alg":"RS256","kid":"` + w.provider.KeyID() + `"}`
	text := payload(nil)
	for len(header)%3 == 0 {
		header += " "
	}
	for len(text)%3 == 0 {
		text += " "
	}
	parts := strings.Split(signed(header, text), ".")
	w.wantOutcome(t, d, strings.Join(parts, "."), accepted)
	for i, part := range parts {
		last := len(part) - 1
		stray := slices.Clone(parts)
		stray[i] = part[:last] + string(alphabet[strings.IndexByte(alphabet, part[last])+1])
		if !bytes.Equal(must(base64.RawURLEncoding.DecodeString(stray[i])),
			must(base64.RawURLEncoding.DecodeString(part))) {
			t.Fatalf("part %d has no unused bits", i)
		}
		w.wantOutcome(t, d, strings.Join(stray, "."), refused(delegation.CodeTokenEncoding))
	}
}

func TestTokenSize(t *testing.T) {
	for _, test := range []struct {
		name        string
		limit, size int
		want        string
	}{
		{"default, just fits", 0, 16 << 10, accepted},
		{"default, one too many", 0, 16<<10 + 1, refused(delegation.CodeTokenTooLarge)},
		{"configured, just fits", 2000, 2000, accepted},
		{"configured, one too many", 2000, 2001, refused(delegation.CodeTokenTooLarge)},
		{"configured above the default", 64 << 10, 64 << 10, accepted},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := offline(t)
			w.config.MaxTokenSize = test.limit
			w.wantOutcome(t, w.delegator(t), tokenOfSize(t, test.size), test.want)
		})
	}
}

// tokenOfSize is a good token with exactly so many characters. Some lengths need another length of
// header, because base64 has no strings of 4n+1 characters.
func tokenOfSize(t *testing.T, size int) string {
	t.Helper()
	for pad := range 3 {
		header := `{"alg":"RS256"` + strings.Repeat(" ", pad) + `}`
		fill := (size - len(signed(header, payload(nil)))) * 3 / 4
		for fill -= 20; fill < size; fill++ {
			token := signed(header, payload(map[string]any{"x": strings.Repeat("x", max(fill, 0))}))
			if len(token) == size {
				return token
			}
			if len(token) > size {
				break
			}
		}
	}
	t.Fatalf("no token of %d bytes", size)
	return ""
}

func TestAlgorithms(t *testing.T) {
	for _, algorithm := range algorithms {
		t.Run(algorithm, func(t *testing.T) {
			provider := providers()[algorithm]
			token := must(provider.Sign(nil, []byte(payload(nil))))
			others := slices.DeleteFunc(slices.Clone(algorithms),
				func(other string) bool { return other == algorithm })
			for _, test := range []struct {
				name    string
				allowed []string
				want    string
			}{
				{"allowed alone", []string{algorithm}, accepted},
				{"allowed among all", algorithms, accepted},
				{"all others allowed", others, refused(delegation.CodeAlgorithmNotAllowed)},
			} {
				w := offline(t)
				w.config.Issuers = []delegation.Issuer{{
					URL:        issuerURL,
					JWKS:       provider.KeySet(),
					Algorithms: test.allowed,
				}}
				t.Run(test.name,
					func(t *testing.T) { w.wantOutcome(t, w.delegator(t), token, test.want) })
			}
			t.Run("by default", func(t *testing.T) {
				w := offline(t)
				w.config.Issuers = []delegation.Issuer{{URL: issuerURL, JWKS: provider.KeySet()}}
				want := refused(delegation.CodeAlgorithmNotAllowed)
				if algorithm == "RS256" {
					want = accepted
				}
				w.wantOutcome(t, w.delegator(t), token, want)
			})
			t.Run("forged", func(t *testing.T) {
				w := offline(t)
				w.config.Issuers = []delegation.Issuer{{
					URL:        issuerURL,
					JWKS:       provider.KeySet(),
					Algorithms: algorithms,
				}}
				d := w.delegator(t)
				parts := strings.Split(token, ".")
				signature := must(base64.RawURLEncoding.DecodeString(parts[2]))
				for name, bad := range map[string][]byte{
					"a flipped bit": slices.Concat(signature[:9], []byte{signature[9] ^ 1},
						signature[10:]),
					"cut short":   signature[:len(signature)-1],
					"a byte more": append(slices.Clone(signature), 0),
					"zeros":       make([]byte, len(signature)),
					"empty":       nil,
				} {
					t.Run(name, func(t *testing.T) {
						w.wantOutcome(t, d, parts[0]+"."+parts[1]+"."+encoded(bad),
							refused(delegation.CodeSignatureInvalid))
					})
				}
				bob := encoded([]byte(payload(map[string]any{"sub": "auth0|bob"})))
				w.wantOutcome(t, d, parts[0]+"."+bob+"."+parts[2],
					refused(delegation.CodeSignatureInvalid))
			})
		})
	}
}

// The key decides too, not only the allowlist: a key is not used for an algorithm of another kind
// or curve, nor for any but its alg if it has one.
func TestAlgorithmMustSuitTheKey(t *testing.T) {
	unsuitable := refused(delegation.CodeKeyUnsuitable)
	for _, test := range []struct{ key, algorithm, with, without string }{ // alg in the JWK
		{"RS256", "RS256", accepted, accepted},
		{"RS256", "PS256", unsuitable, accepted},
		{"RS256", "RS512", unsuitable, accepted},
		{"PS384", "RS384", unsuitable, accepted},
		{"RS256", "ES256", unsuitable, unsuitable},
		{"RS256", "EdDSA", unsuitable, unsuitable},
		{"ES256", "RS256", unsuitable, unsuitable},
		{"ES256", "PS256", unsuitable, unsuitable},
		{"ES256", "ES256", accepted, accepted},
		{"ES256", "ES384", unsuitable, unsuitable},
		{"ES256", "ES512", unsuitable, unsuitable},
		{"ES384", "ES256", unsuitable, unsuitable},
		{"ES512", "ES256", unsuitable, unsuitable},
		{"ES256", "EdDSA", unsuitable, unsuitable},
		{"EdDSA", "EdDSA", accepted, accepted},
		{"EdDSA", "ES256", unsuitable, unsuitable},
		{"EdDSA", "PS256", unsuitable, unsuitable},
		{"EdDSA", "RS256", unsuitable, unsuitable},
	} {
		provider := providers()[test.key]
		token := must(provider.Sign(map[string]any{"alg": test.algorithm}, []byte(payload(nil))))
		withAlg := provider.KeySet()
		withoutAlg := bytes.Replace(withAlg, []byte(`"alg":"`+test.key+`",`), nil, 1)
		for want, set := range map[*string][]byte{&test.with: withAlg, &test.without: withoutAlg} {
			title := fmt.Sprint(test.algorithm, " with a key for ", test.key, ", alg ",
				bytes.Contains(set, []byte(`"alg"`)))
			t.Run(title, func(t *testing.T) {
				w := offline(t)
				w.config.Issuers = []delegation.Issuer{{
					URL:        issuerURL,
					JWKS:       set,
					Algorithms: algorithms,
				}}
				w.wantOutcome(t, w.delegator(t), token, *want)
			})
		}
	}
}

// RFC 7518 §3.5: the salt of RSA-PSS is as long as the hash. crypto/rsa and jwx take any.
func TestSaltLength(t *testing.T) {
	for algorithm, hash := range map[string]crypto.Hash{
		"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
	} {
		w := offline(t, algorithm)
		w.config.Issuers[0].JWKS = providers()[algorithm].KeySet()
		d := w.delegator(t)
		for salt, want := range map[int]string{
			hash.Size():     accepted,
			hash.Size() - 1: refused(delegation.CodeSignatureSaltLength),
			hash.Size() + 1: refused(delegation.CodeSignatureSaltLength),
			20:              refused(delegation.CodeSignatureSaltLength),
			// 256 bytes of key, less the hash and two more: the longest that fits
			254 - hash.Size(): refused(delegation.CodeSignatureSaltLength),
			1:                 refused(delegation.CodeSignatureSaltLength),
		} {
			for _, kid := range []string{`,"kid":"` + w.provider.KeyID() + `"`, ""} {
				t.Run(fmt.Sprint(algorithm, " with ", salt, " bytes", kid), func(t *testing.T) {
					input := encoded([]byte(`{"alg":"`+algorithm+`"`+kid+`}`)) + "." +
						encoded([]byte(payload(nil)))
					digest := hash.New()
					digest.Write([]byte(input))
					options := &rsa.PSSOptions{SaltLength: salt}
					signature := must(rsa.SignPSS(rand.Reader, issuerKey(), hash,
						digest.Sum(nil), options))
					w.wantOutcome(t, d, input+"."+encoded(signature), want)
				})
			}
		}
	}
}

func TestSharedSecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	w := offline(t)
	w.config.Issuers = []delegation.Issuer{{
		URL:          issuerURL,
		SharedSecret: delegation.NewSecret(secret),
	}}
	d := w.delegator(t)
	for _, test := range []struct {
		name   string
		header map[string]any
		key    string
		want   string
	}{
		{"HS256", map[string]any{"alg": "HS256"}, secret, accepted},
		{"HS256 with any kid", map[string]any{"alg": "HS256", "kid": "k"}, secret, accepted},
		{"another secret", map[string]any{"alg": "HS256"},
			strings.Repeat("t", 32), refused(delegation.CodeSignatureInvalid)},
		{"the secret and a byte", map[string]any{"alg": "HS256"},
			secret + "s", refused(delegation.CodeSignatureInvalid)},
		{"the empty secret", map[string]any{"alg": "HS256"},
			"", refused(delegation.CodeSignatureInvalid)},
		{"HS384", map[string]any{"alg": "HS384"},
			secret, refused(delegation.CodeAlgorithmUnsupported)},
		{"HS512", map[string]any{"alg": "HS512"},
			secret, refused(delegation.CodeAlgorithmUnsupported)},
		{"wrong case", map[string]any{"alg": "hs256"},
			secret, refused(delegation.CodeAlgorithmCase)},
		{"RS256", map[string]any{"alg": "RS256"},
			secret, refused(delegation.CodeAlgorithmPublishedKey)},
		{"none", map[string]any{"alg": "none"}, secret, refused(delegation.CodeTokenUnsigned)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.wantOutcome(t, d, maced(test.header, payload(nil), []byte(test.key)), test.want)
		})
	}
}

// MinIO CVE-2026-33322: a public key is no secret, so whoever lets the token choose HMAC lets
// everybody sign.
func TestIncident_AlgorithmConfusion(t *testing.T) {
	public := issuerKey().Public().(*rsa.PublicKey)
	pkix := must(x509.MarshalPKIXPublicKey(public))
	pkcs1 := x509.MarshalPKCS1PublicKey(public)
	pkixPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	w := newWorld(t)
	w.provider.SetIssuer(issuerURL)
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(w.provider.KeySet(), &set); err != nil {
		t.Fatal(err)
	}
	secrets := map[string][]byte{
		"PEM":              pkixPEM,
		"PEM without end":  bytes.TrimSpace(pkixPEM),
		"PKCS #1 PEM":      pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1}),
		"DER":              pkix,
		"PKCS #1 DER":      pkcs1,
		"JWK":              set.Keys[0],
		"JWK set":          w.provider.KeySet(),
		"modulus":          public.N.Bytes(),
		"modulus as text":  []byte(encoded(public.N.Bytes())),
		"key ID":           []byte(w.provider.KeyID()),
		"nothing":          nil,
		"32 bytes of zero": make([]byte, 32),
	}
	mixed := bytes.Replace(w.provider.KeySet(), []byte(`"keys":[`),
		[]byte(`"keys":[{"kty":"OIDCTEST"},`), 1)
	issuers := map[string]delegation.Issuer{
		"discovery":       {},
		"JWKS URL":        {JWKSURL: issuerURL + oidctest.KeySetPath},
		"static":          {JWKS: w.provider.KeySet()},
		"static, all":     {JWKS: w.provider.KeySet(), Algorithms: algorithms},
		"static, unknown": {JWKS: mixed},
		"shared secret": {
			SharedSecret: delegation.NewSecret("an entirely different secret of this issuer"),
		},
	}
	for kind, issuer := range issuers {
		issuer.URL = issuerURL
		w.config.Issuers = []delegation.Issuer{issuer}
		w.config.HTTPClient = &http.Client{Transport: direct(w.provider)}
		d := w.delegator(t)
		for form, secret := range secrets {
			for _, kid := range []any{w.provider.KeyID(), nil} {
				for _, algorithm := range []string{
					"HS256", "HS384", "HS512", "hs256", "Hs512", "none", "NONE", "nOnE",
				} {
					header := map[string]any{"alg": algorithm, "kid": kid}
					if kid == nil {
						delete(header, "kid")
					}
					want := refused(delegation.CodeAlgorithmUnsupported)
					switch {
					case strings.EqualFold(algorithm, "none"):
						want = refused(delegation.CodeTokenUnsigned)
					case algorithm != strings.ToUpper(algorithm):
						want = refused(delegation.CodeAlgorithmCase)
					case algorithm == "HS256" && kind == "shared secret":
						want = refused(delegation.CodeSignatureInvalid)
					case algorithm == "HS256":
						want = refused(delegation.CodeAlgorithmSharedSecret)
					}
					t.Run(kind+"/"+form+"/"+algorithm, func(t *testing.T) {
						w.wantOutcome(t, d, maced(header, payload(nil), secret), want)
					})
				}
			}
		}
	}

	t.Run("a symmetric key in a published set", func(t *testing.T) {
		secret := bytes.Repeat([]byte("s"), 32)
		provider := must(oidctest.New(oidctest.Config{
			Key:    issuerKey(),
			Secret: secret,
			Now:    w.clock.Now,
		}))
		provider.SetIssuer(issuerURL)
		provider.SetFaults(oidctest.Faults{SymmetricKey: true})
		w.config.Issuers = []delegation.Issuer{{URL: issuerURL, Algorithms: algorithms}}
		w.config.HTTPClient = &http.Client{Transport: direct(provider)}
		d := w.delegator(t)
		forged := maced(map[string]any{"alg": "HS256", "kid": oidctest.SymmetricKeyID},
			payload(nil), secret)
		w.wantOutcome(t, d, forged, refused(delegation.CodeAlgorithmSharedSecret))
		named := must(provider.Sign(map[string]any{"kid": oidctest.SymmetricKeyID},
			[]byte(payload(nil))))
		w.wantOutcome(t, d, named, refused(delegation.CodeKeySetSymmetric))
		w.wantOutcome(t, d, must(provider.SignIDToken(map[string]any{"sub": alice, "aud": app})),
			refused(delegation.CodeKeySetSymmetric))

		w.config.Issuers = []delegation.Issuer{{URL: issuerURL, JWKS: provider.KeySet()}}
		_, err := delegation.New(t.Context(), w.config)
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !errors.Is(errors.Unwrap(err), delegation.CodeKeySetSymmetric) {
			t.Errorf("got %v, want the cause %s", err, delegation.CodeKeySetSymmetric)
		}
	})
}

// octo-sts CVE-2025-52477: an iss that was fetched before it was checked let strangers choose the
// addresses to call.
func TestIncident_UnknownIssuerOpensNoSocket(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			t.Errorf("%s was called", c.LocalAddr())
			c.Close()
		}
	}()
	here := "http://" + listener.Addr().String()
	good := issuerURL
	for _, client := range []*http.Client{noNetwork(t), nil} {
		w := newWorld(t)
		w.config.HTTPClient = client
		w.config.Issuers = []delegation.Issuer{
			{URL: good},
			{URL: "https://other.example.com", JWKSURL: here + "/keys", AllowLoopbackHTTP: true},
		}
		w.target(func(target *delegation.Target) { target.Issuers = []string{good} })
		d := w.delegator(t)
		header := map[string]any{"jku": here, "x5u": here}
		for _, iss := range []string{
			here, here + "/", "http://169.254.169.254/latest/meta-data", good + "/", good + "/x",
			good + "?", good + "#", "HTTPS://issuer.example.com",
			"https://issuer.example.com.evil.example",
			"https://issuer.example.com@" + listener.Addr().String(),
			"//" + listener.Addr().String(),
			"https://other.example.com/", "file:///etc/passwd", "photo-app", " " + good,
			good + "\n", strings.Repeat("https://", 500),
		} {
			token := must(w.provider.Sign(header, []byte(payload(map[string]any{"iss": iss}))))
			w.wantOutcome(t, d, token, refused(delegation.CodeIssuerUnknown))
		}
		// Nor does a token that a known issuer cannot have signed.
		for _, test := range []struct{ token, want string }{
			{must(w.provider.Sign(map[string]any{"alg": "HS256"}, []byte(payload(nil)))),
				refused(delegation.CodeAlgorithmSharedSecret)},
			{must(w.provider.Sign(map[string]any{"alg": "none"}, []byte(payload(nil)))),
				refused(delegation.CodeTokenUnsigned)},
			{must(w.provider.Sign(header, []byte(payload(map[string]any{"iss": nil})))),
				refused(delegation.CodeClaimMissing)},
			{must(w.provider.Sign(header, []byte(payload(map[string]any{"SUB": "x"})))),
				refused(delegation.CodeTokenFoldedName)},
		} {
			w.wantOutcome(t, d, test.token, test.want)
		}
	}
}

// The same incident: redirects led elsewhere, and the answer's body stood in the log.
func TestIncident_RedirectsAndBodies(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect to %s was followed", r.URL)
	}))
	defer elsewhere.Close()
	for _, document := range []string{oidctest.DiscoveryPath, oidctest.KeySetPath} {
		redirect := refused(delegation.CodeKeySetRedirect)
		missing := refused(delegation.CodeKeySetMissing)
		if document == oidctest.DiscoveryPath {
			redirect = refused(delegation.CodeDiscoveryRedirect)
			missing = refused(delegation.CodeDiscoveryMissing)
		}
		for _, test := range []struct {
			name   string
			faults oidctest.Faults
			want   string
		}{
			{"redirect", oidctest.Faults{Redirect: elsewhere.URL}, redirect},
			{"redirect to itself", oidctest.Faults{Redirect: document + "?again"}, redirect},
			{"404", oidctest.Faults{Status: 404}, missing},
			{"410", oidctest.Faults{Status: 410}, missing},
			{"401", oidctest.Faults{Status: 401}, refused(delegation.CodeKeySetUnauthorized)},
			{"500", oidctest.Faults{Status: 500}, refused(delegation.CodeKeySetUnavailable)},
			{"203", oidctest.Faults{Status: 203}, refused(delegation.CodeKeySetUnavailable)},
			{"200 with garbage", oidctest.Faults{Status: 200},
				refused(delegation.CodeKeySetInvalid)},
			{"malformed", oidctest.Faults{Malformed: true}, refused(delegation.CodeKeySetInvalid)},
		} {
			t.Run(test.name+" for "+document, func(t *testing.T) {
				w := newWorld(t)
				log := &bytes.Buffer{}
				w.config.Logger = slog.New(slog.NewTextHandler(log, nil))
				followed := false
				own := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
					followed = true
					return nil
				}}
				w.config.HTTPClient = own
				test.faults.Only = document
				w.provider.SetFaults(test.faults)
				err := w.wantOutcome(t, w.delegator(t), w.token(nil), test.want)
				said := fmt.Sprintf("%v %+v %s %v", err, w.events, log,
					err.(*delegation.Error).Public())
				if strings.Contains(said, oidctest.Garbage) {
					t.Errorf("the answer's body is repeated: %s", said)
				}
				if !strings.Contains(log.String(), test.want[len("token "):]) {
					t.Errorf("the failure is not in the log: %s", log)
				}
				if followed || own.CheckRedirect(nil, nil) != nil {
					t.Error("the caller's client was asked about redirects, or changed")
				}
			})
		}
	}
}

// Vault CVE-2024-5798: the check of aud looked at arrays only, so a string passed.
func TestIncident_AudienceMatrix(t *testing.T) {
	foreign := "target " + string(delegation.CodeAudienceNotAllowed)
	for _, test := range []struct{ aud, want string }{
		{`"photo-app"`, accepted},
		{`["photo-app"]`, accepted},
		{`"other-app"`, foreign},
		{`["other-app"]`, foreign},
		{`"Photo-App"`, foreign},
		{`"photo-app "`, foreign},
		{`"photo-app,other-app"`, foreign},
		{`"*"`, foreign},
		{`"photo-app","azp":"other-app"`, foreign},
		{`"other-app","azp":"photo-app"`, foreign},
		{`["other-app","third-app"],"azp":"photo-app"`, foreign},
		{`["photo-app","other-app"],"azp":"photo-app"`, accepted},
		{`["photo-app","other-app"],"azp":"other-app"`, foreign},
		{`["photo-app","other-app"]`, refused(delegation.CodeClaimParty)},
		{`["photo-app","other-app"],"azp":"third-app"`, foreign},
		{``, refused(delegation.CodeClaimMissing)},
		{`null`, refused(delegation.CodeClaimMissing)},
		{`""`, refused(delegation.CodeClaimMissing)},
		{`[]`, refused(delegation.CodeClaimMissing)},
		{`[""]`, refused(delegation.CodeClaimMissing)},
		{`["photo-app",""],"azp":"photo-app"`, refused(delegation.CodeClaimMissing)},
		{`[null]`, refused(delegation.CodeClaimType)},
		{`["photo-app",null],"azp":"photo-app"`, refused(delegation.CodeClaimType)},
		{`0`, refused(delegation.CodeClaimType)},
		{`true`, refused(delegation.CodeClaimType)},
		{`{}`, refused(delegation.CodeClaimType)},
		{`{"photo-app":true}`, refused(delegation.CodeClaimType)},
		{`[1]`, refused(delegation.CodeClaimType)},
		{`[["photo-app"]]`, refused(delegation.CodeClaimType)},
		{`["photo-app","photo-app"],"azp":"photo-app"`, accepted},
		{`"photo-app","aud":"photo-app"`, refused(delegation.CodeTokenDuplicateMember)},
		{`"other-app","aud":"photo-app"`, refused(delegation.CodeTokenDuplicateMember)},
		{`"other-app","\u0061ud":["photo-app"]`, refused(delegation.CodeTokenDuplicateMember)},
		{`"other-app","Aud":"photo-app"`, refused(delegation.CodeTokenFoldedName)},
	} {
		t.Run(test.aud, func(t *testing.T) {
			w := offline(t)
			text := payload(map[string]any{"aud": nil})
			if test.aud != "" {
				text = strings.TrimSuffix(text, "}") + `,"aud":` + test.aud + "}"
			}
			w.wantOutcome(t, w.delegator(t), must(w.provider.Sign(nil, []byte(text))), test.want)
		})
	}
}

// hashicorp/cap #191: a decoder that folds case reads sub from "ſub", and an issuer lets users name
// such a claim.
func TestIncident_FoldedClaims(t *testing.T) {
	for name, want := range map[string]string{
		"SUB": "", "Sub": "", "ſub": "", "ſUB": "", `\u017fub`: "", "Aud": "", "AUD": "", "ISS": "",
		"iſs": "", "iſſ": "", "EXP": "", "Iat": "", "NBF": "",
		"JTI": "", "AZP": "", "AppId": "", "CID": "", "Client_ID": "", "Typ": "", "Token_Use": "",
		"token_uſe": "", "IDTyp": "", "AppIDacr": "", "AzPacr": "", "ſcp": "", "Act": "", "TID": "",
		"CNF": "", "Events": "", "eventſ": "",

		// These decide nothing, so they may have any name: AD FS's operators choose them.
		"Email": accepted, "EMAIL": accepted, "Name": accepted, "nickName": accepted,
		"nic\u212aname": accepted, `nic\u212aname`: accepted, "Nonce": accepted,
		"Email_Verified": accepted, "At_Hash": accepted, "Identities": accepted,
		"User_ID": accepted, "AMR": accepted, "acR": accepted, "ſid": accepted,
		"Updated_At": accepted, "Hd": accepted, "Groups": accepted,

		// These only look similar: no decoder takes them for the registered name.
		"sub ": accepted, " sub": accepted, "sub_": accepted, "süb": accepted, "ѕub": accepted,
		`sub\u0000`: accepted, "ıss": accepted, "": accepted,
	} {
		if want == "" {
			want = refused(delegation.CodeTokenFoldedName)
		}
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			d := w.delegator(t)
			for _, text := range []string{
				strings.TrimSuffix(payload(nil), "}") + `,"` + name + `":"auth0|bob"}`,
				`{"` + name + `":"auth0|bob",` + payload(nil)[1:],
			} {
				w.wantOutcome(t, d, must(w.provider.Sign(nil, []byte(text))), want)
			}
		})
	}
	for _, name := range []string{
		"ALG", "Alg", "KID", "\u212aid", "Kid", "TYP", "CRIT", "crIt", "B64", "Enc", "ZIP", "JWK",
		"j\u212au", "X5C", "x5t#s256",
	} {
		t.Run("header "+name, func(t *testing.T) {
			w := offline(t)
			w.wantOutcome(t, w.delegator(t),
				must(w.provider.Sign(map[string]any{name: "x"}, []byte(payload(nil)))),
				refused(delegation.CodeTokenFoldedName))
		})
	}
}

// litellm #34637: a cache replayed expired tokens for 59 minutes. Nothing here is older than exp
// and the leeway.
func TestIncident_ExpiredTokens(t *testing.T) {
	for _, test := range []struct{ configured, leeway time.Duration }{
		{0, time.Minute}, // the default
		{time.Second, time.Second},
		{5 * time.Minute, 5 * time.Minute},
		{-1, 0}, // none
	} {
		t.Run(test.leeway.String(), func(t *testing.T) {
			w := remote(t)
			w.config.Leeway = test.configured
			synctest.Test(t, func(t *testing.T) {
				d := w.delegator(t)
				token := w.token(map[string]any{"exp": start.Add(10 * time.Minute).Unix()})
				w.wantOutcome(t, d, token, accepted)
				w.clock.Advance(10*time.Minute + test.leeway - time.Nanosecond)
				w.wantOutcome(t, d, token, accepted)
				for _, step := range []time.Duration{
					time.Nanosecond, time.Second, time.Minute, time.Hour, 24 * time.Hour,
					20 * 365 * 24 * time.Hour,
				} {
					w.clock.Advance(step)
					w.wantOutcome(t, d, token, refused(delegation.CodeTokenExpired))
					synctest.Wait() // for a refresh of the keys
				}
			})
		})
	}
}

// iat and nbf use the same leeway, and their last good moment is leeway before.
func TestTokensOfTheFuture(t *testing.T) {
	for _, test := range []struct{ configured, leeway time.Duration }{
		{0, time.Minute}, {5 * time.Minute, 5 * time.Minute}, {-1, 0},
	} {
		for claim, code := range map[string]delegation.Code{
			"iat": delegation.CodeTokenFromFuture, "nbf": delegation.CodeTokenNotYetValid,
		} {
			t.Run(claim+" "+test.leeway.String(), func(t *testing.T) {
				w := offline(t)
				w.config.Leeway = test.configured
				d := w.delegator(t)
				token := must(w.provider.Sign(nil,
					[]byte(payload(map[string]any{claim: start.Add(10 * time.Minute).Unix()}))))
				w.clock.Advance(10*time.Minute - test.leeway - time.Nanosecond)
				err := w.wantOutcome(t, d, token, refused(code))
				if e := (*delegation.Error)(nil); !errors.As(err, &e) || !e.Retryable {
					t.Errorf("not retryable: %v", err)
				}
				w.clock.Advance(time.Nanosecond)
				w.wantOutcome(t, d, token, accepted)
			})
		}
	}
}

// What a stranger writes stands in errors for the operator's log: short, escaped, and never the
// token itself.
func TestErrorsQuoteLittle(t *testing.T) {
	w := offline(t)
	d := w.delegator(t)
	long := "\x1b[31m\n" + strings.Repeat("long", 1000)
	for name, token := range map[string]string{
		"iss": must(w.provider.Sign(nil, []byte(payload(map[string]any{"iss": long})))),
		"claim": must(w.provider.Sign(nil,
			[]byte(`{"`+strings.Repeat("long", 500)+`":1,"`+strings.Repeat("long", 500)+`":2}`))),
		"alg":     must(w.provider.Sign(map[string]any{"alg": long}, nil)),
		"alg too": must(w.provider.Sign(map[string]any{"alg": long}, []byte(payload(nil)))),
		"kid":     must(w.provider.Sign(map[string]any{"kid": long[:512]}, []byte(payload(nil)))),
		"typ":     must(w.provider.Sign(map[string]any{"typ": long}, []byte(payload(nil)))),
		"folded":  must(w.provider.Sign(nil, []byte(payload(map[string]any{"SUB": long})))),
		"date":    must(w.provider.Sign(nil, []byte(payload(map[string]any{"exp": long})))),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.Exchange(t.Context(), token, app)
			if outcome(err) == accepted {
				t.Fatal("accepted")
			}
			wantShortError(t, err, token)
		})
	}
}

// wantShortError checks that an error quotes little of what a stranger sent, and none of it raw.
func wantShortError(t testing.TB, err error, token string) {
	t.Helper()
	text := err.Error()
	if len(text) > 1500 { // 200 characters may become 2,000 bytes when they are escaped
		t.Errorf("the error has %d bytes: %.300s…", len(text), text)
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			t.Errorf("the error holds the control character %q: %q", r, text)
		}
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) >= 100 && strings.Contains(text, part) {
			t.Errorf("the error repeats a part of the token: %s", text)
		}
	}
}

// FuzzToken tries what strangers can send: without the issuer's key nothing is accepted, and
// everything has its code.
func FuzzToken(f *testing.F) {
	w := offline(f)
	good := must(w.provider.Sign(nil, []byte(payload(nil))))
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		"", ".", "..", "...", "....", good, good + "=", parts[0] + "." + parts[1] + ".", "{}.{}.{}",
		"e30.e30.e30", "eyJhbGciOiJub25lIn0.e30.",
		maced(map[string]any{"alg": "HS256"}, payload(nil), nil),
		maced(map[string]any{"alg": "RS256", "kid": w.provider.KeyID()}, payload(nil), nil),
		encoded([]byte(`{"alg":"RS256","crit":["exp"]}`)) + ".e30.AA",
		encoded([]byte(`{"alg":"RS256","alg":"none"}`)) + ".e30.AA",
		encoded([]byte(`{"alg":"ES256"}`)) + "." + parts[1] + "." + encoded(make([]byte, 64)),
	} {
		f.Add(seed)
	}
	// The fuzzer knows tokens that the key above has signed; the issuer in the test has other keys.
	stranger := must(rsa.GenerateKey(rand.Reader, 2048))
	provider := must(oidctest.New(oidctest.Config{Key: stranger, Now: w.clock.Now}))
	w.config.Issuers = []delegation.Issuer{{
		URL: issuerURL,
		JWKS: bytes.ReplaceAll(provider.KeySet(), []byte(provider.KeyID()),
			[]byte(w.provider.KeyID())),
		Algorithms: algorithms,
	}}
	w.config.OnEvent = nil
	d := w.delegator(f)
	f.Fuzz(func(t *testing.T, token string) {
		credentials, err := d.Exchange(t.Context(), token, app)
		var e *delegation.Error
		if credentials != nil || !errors.As(err, &e) || e.Stage != delegation.StageToken ||
			e.Code == "" || e.Remedy == "" {
			t.Fatalf("%v, %#v", credentials, err)
		}
		wantShortError(t, err, token)
		wantCompared(t, d, token, err)
	})
}

// FuzzClaims lets the issuer sign any payload: it is accepted exactly if the rules, written down
// once more, are met.
func FuzzClaims(f *testing.F) {
	provider := providers()["EdDSA"]
	w := offline(f, "EdDSA")
	w.config.Issuers[0].JWKS = provider.KeySet()
	d := w.delegator(f)
	for _, file := range must(filepath.Glob("testdata/vectors/*.json")) {
		var v vector
		if err := json.Unmarshal(must(os.ReadFile(file)), &v); err != nil {
			f.Fatal(err)
		}
		parts := strings.Split(v.build("kid"), ".")
		if len(parts) == 3 {
			text, _ := base64.RawURLEncoding.DecodeString(parts[1])
			f.Add(text)
		}
	}
	f.Add([]byte(payload(map[string]any{"aud": []string{app, app}})))
	f.Add([]byte(payload(map[string]any{"aud": []string{app, "other-app"}, "azp": app})))
	f.Add([]byte(payload(map[string]any{"ſub": alice})))
	f.Add([]byte(payload(map[string]any{"azp": app, "client_id": "other-app"})))
	f.Add([]byte(payload(map[string]any{"typ": "Bearer", "token_use": "id", "idtyp": "user"})))
	f.Add([]byte(payload(map[string]any{"scp": []string{"x"}, "Scp": nil, "events": nil})))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 8<<10 {
			t.Skip("the token would be too large")
		}
		claims, err := delegation.Verify(t.Context(), d, must(provider.Sign(nil, text)))
		if err != nil {
			var e *delegation.Error
			if !errors.As(err, &e) || e.Stage != delegation.StageToken || claims != nil {
				t.Fatalf("%v, %#v", claims, err)
			}
			wantShortError(t, err, string(text))
		}
		if reason := wrongWith(text); (reason == "") != (err == nil) {
			t.Fatalf("got %v, but its fault is %q", err, reason)
		}
	})
}

// wrongWith says which rule for claims a payload of FuzzClaims breaks, or "" if it meets all.
func wrongWith(text []byte) string {
	all, err := document.Object(text)
	if err != nil {
		return err.Error()
	}
	for name := range all {
		for _, known := range decidingNames {
			if name != known && strings.EqualFold(name, known) {
				return name + " folds"
			}
		}
	}
	if all["iss"] != issuerURL {
		return "iss"
	}
	if sub, ok := all["sub"].(string); !ok || sub == "" {
		return "sub"
	}
	audiences, ok := all["aud"].([]any)
	if !ok {
		audiences = []any{all["aud"]}
	}
	seen := map[any]bool{}
	for _, audience := range audiences {
		if text, ok := audience.(string); !ok || text == "" {
			return "aud"
		}
		seen[audience] = true
	}
	if len(audiences) == 0 {
		return "aud"
	}
	clients := map[any]bool{}
	for _, name := range []string{"azp", "appid", "cid", "client_id"} {
		if all[name] == nil {
			continue
		}
		if text, ok := all[name].(string); !ok || text == "" {
			return name
		}
		clients[all[name]] = true
	}
	if len(clients) > 1 || len(clients) == 0 && len(seen) > 1 {
		return "the client"
	}
	for _, name := range []string{"appidacr", "azpacr", "scp", "cnf", "events"} {
		if all[name] != nil {
			return name
		}
	}
	if typ := all["typ"]; typ != nil && typ != "ID" {
		return "typ"
	}
	if use := all["token_use"]; use != nil && use != "id" {
		return "token_use"
	}
	if _, isText := all["idtyp"].(string); all["idtyp"] == "app" || all["idtyp"] != nil && !isText {
		return "idtyp"
	}
	dates := map[string][]float64{} // whole seconds and nanoseconds
	for _, name := range []string{"exp", "iat", "nbf"} {
		value := all[name]
		if value == nil && name == "nbf" {
			continue
		}
		number, ok := value.(json.Number)
		seconds, err := strconv.ParseFloat(number.String(), 64)
		if !ok || err != nil || seconds < 0 || seconds > 253402300799 {
			return name
		}
		whole, fraction := math.Modf(seconds)
		dates[name] = []float64{whole, math.Floor(fraction * 1e9)}
		ahead := whole - float64(start.Unix()) + math.Floor(fraction*1e9)/1e9
		if name == "exp" && ahead <= -60 || name != "exp" && ahead > 60 {
			return name + " is out of time"
		}
	}
	for _, name := range []string{"iat", "nbf"} {
		if slices.Compare(dates[name], dates["exp"]) > 0 {
			return name + " is after exp"
		}
	}
	return ""
}

// decidingNames are the claims that decide: those of RFC 7519 §4.1, and those that tell the client,
// the tenant and the kind of a token.
var decidingNames = strings.Fields(`iss sub aud exp nbf iat jti azp
	appid cid client_id typ token_use idtyp appidacr azpacr scp cnf events act tid`)

func BenchmarkVerify(b *testing.B) {
	for _, algorithm := range []string{"RS256", "ES256"} {
		b.Run(algorithm, func(b *testing.B) {
			provider := providers()[algorithm]
			w := newWorld(b)
			w.config.Issuers = []delegation.Issuer{{
				URL:        issuerURL,
				Algorithms: []string{algorithm},
			}}
			w.config.HTTPClient = &http.Client{Transport: direct(provider)}
			d := w.delegator(b)
			token := must(provider.Sign(nil, []byte(payload(nil))))
			if _, err := delegation.Verify(b.Context(), d, token); err != nil { // fetches the keys
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := delegation.Verify(b.Context(), d, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
