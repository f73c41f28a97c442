// Package oidctest is an in-memory OpenID provider for tests and examples.
//
// A [Provider] is an [http.Handler] that serves a discovery document and a key
// set, and it signs ID tokens, good ones and forged ones. Its signatures are a
// few lines over the standard library's cryptography, so that a verifier is
// checked against code that is not its own. [Faults] make it misbehave.
// [LoadProfile] makes it look like a real provider, and a [Network] leads to it
// by the real provider's addresses.
//
//	provider, err := oidctest.New(oidctest.Config{})
//	server := httptest.NewServer(provider)
//	provider.SetIssuer(server.URL)
//	token, err := provider.SignIDToken(map[string]any{"sub": "alice", "aud": "photo-app"})
//
// It is for tests only. It signs whatever it is asked to, keeps its keys in
// memory, and authenticates nobody: there are no users, no clients, no
// authorization or token endpoint, no userinfo, no logout. It does not check
// the claims it signs, and it does not verify tokens.
package oidctest

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// tokenLifetime is what [Provider.SignIDToken] gives a token without exp.
const tokenLifetime = time.Hour

// Config says how a [Provider] signs. The zero value is a provider with a new
// 2048-bit RSA key that signs with RS256.
type Config struct {
	// Algorithm is the JWS algorithm of every key of the provider: RS256,
	// RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (Ed25519),
	// HS256, HS384 or HS512. Empty means the one that goes with Key, which is
	// RS256 for an RSA key, and RS256 when Key is nil too.
	Algorithm string

	// Key is the first signing key: RSA of any size, ECDSA on P-256, P-384 or
	// P-521, or Ed25519. Give a fixed key for a fixed key ID. Nil means a new
	// key, RSA with 2048 bits. It must be nil for the HS algorithms.
	Key crypto.Signer

	// Secret is the key of the HS algorithms, which require it; its length is
	// not checked. Under every algorithm it is what [Faults.SymmetricKey]
	// publishes, and empty then means 32 random bytes.
	Secret []byte

	// Now is the clock for iat and exp. Nil means [time.Now]. It may be called
	// from several goroutines at once.
	Now func() time.Time

	// CacheControl is the Cache-Control header of the key set's answer. Empty
	// means no such header.
	CacheControl string

	// Profile makes the provider imitate a real one: its documents are served
	// under the paths that they have there, its issuer is set, and
	// [Provider.SignAs] signs its tokens. The profile must not be changed
	// afterwards. Nil means a provider that imitates no other.
	Profile *Profile
}

// A Provider is an OpenID provider in memory. It comes from [New] and is safe
// for concurrent use.
type Provider struct {
	config Config // with its defaults filled in

	mu        sync.Mutex
	issuer    string
	current   *key   // signs
	published []*key // oldest first; never holds a symmetric key
	decoy     *key   // made when Faults.DuplicateKeyID first needs it
	faults    Faults
	changed   chan struct{} // closed and replaced when faults change
	fetches   map[string]int
}

// New returns a provider without an issuer, unless it has a profile: call
// [Provider.SetIssuer] once its address is known. It fails, and says which field is wrong, if Algorithm is
// unknown or does not fit Key, or if an HS algorithm has no Secret or has a Key.
func New(config Config) (*Provider, error) {
	config.Secret = slices.Clone(config.Secret)
	if config.Profile != nil && config.Key == nil {
		config.Algorithm = cmp.Or(config.Algorithm, config.Profile.Algorithm)
	}
	current, err := firstKey(config)
	if err != nil {
		return nil, err
	}
	config.Algorithm = current.algorithm
	if len(config.Secret) == 0 {
		config.Secret = make([]byte, 32)
		rand.Read(config.Secret) // never fails: see its documentation
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	p := &Provider{
		config:  config,
		current: current,
		changed: make(chan struct{}),
		fetches: make(map[string]int),
	}
	if current.signer != nil {
		p.published = []*key{current}
	}
	if config.Profile != nil {
		p.issuer = config.Profile.Issuer
	}
	return p, nil
}

// secretAlgorithms are the algorithms that sign with [Config.Secret].
var secretAlgorithms = []string{"HS256", "HS384", "HS512"}

// firstKey returns the key that the configuration gives or asks for.
func firstKey(config Config) (*key, error) {
	switch {
	case slices.Contains(secretAlgorithms, config.Algorithm):
		return secretKey(config)
	case config.Key != nil:
		return newKey(config.Algorithm, config.Key)
	default:
		return generateKey(cmp.Or(config.Algorithm, "RS256"))
	}
}

func secretKey(config Config) (*key, error) {
	algorithm := config.Algorithm
	var errs []error
	if len(config.Secret) == 0 {
		errs = append(errs, fmt.Errorf("oidctest: Config.Secret: %s needs one", algorithm))
	}
	if config.Key != nil {
		const secretOnly = "oidctest: Config.Key: %s signs with Config.Secret only"
		errs = append(errs, fmt.Errorf(secretOnly, algorithm))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &key{algorithm: algorithm, fits: secretAlgorithms, secret: config.Secret}, nil
}

// SetIssuer sets the issuer: the iss of tokens, the issuer of the discovery
// document, and the base of the addresses in it. It is kept as given, with or
// without a trailing slash. For an issuer with a path, mount the provider
// behind [http.StripPrefix], or use a [Network]. The documents of a [Profile] stay
// as they are.
func (p *Provider) SetIssuer(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issuer = url
}

// Issuer returns what [Provider.SetIssuer] was given, or "".
func (p *Provider) Issuer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issuer
}

// SignIDToken signs the claims as a compact JWS. It adds iss, iat (now) and exp
// (an hour from now) where the claims do not have them; a nil value leaves the
// claim out, and json.RawMessage("null") writes a null. Nothing else is added
// or checked: a token for a strict verifier also needs sub and aud. The map is
// not changed.
//
// It fails if claims cannot be marshalled to JSON, if there is neither an iss
// nor an issuer, or if the key refuses to sign.
func (p *Provider) SignIDToken(claims map[string]any) (string, error) {
	return p.signClaims(nil, claims)
}

func (p *Provider) signClaims(header, claims map[string]any) (string, error) {
	issuer := p.Issuer()
	if _, ok := claims["iss"]; !ok && issuer == "" {
		return "", errors.New("oidctest: no issuer: call SetIssuer first or give the claim iss")
	}
	now := p.config.Now()
	payload, err := json.Marshal(merge(map[string]any{
		"iss": issuer,
		"iat": now.Unix(),
		"exp": now.Add(tokenLifetime).Unix(),
	}, claims))
	if err != nil {
		return "", fmt.Errorf("oidctest: claims: %w", err)
	}
	return p.Sign(header, payload)
}

// Sign signs any payload as a compact JWS with the current key. The payload is
// not looked at: it may have duplicate members, or not be JSON at all.
//
// The header starts as alg, kid and typ ("JWT"); HS algorithms have no kid. The
// members of header replace or join these, and a nil value removes one. The map
// is not changed. The alg that results does not choose another key:
//   - one that the current key can do (PS256 for an RSA key) is done;
//   - "none", in any case of letters, leaves the signature empty;
//   - any other is written down only, and the signature is that of the
//     provider's own algorithm.
//
// It fails if header cannot be marshalled to JSON or the key refuses to sign.
func (p *Provider) Sign(header map[string]any, payload []byte) (string, error) {
	k := p.signingKey()
	defaults := map[string]any{"alg": k.algorithm, "typ": "JWT"}
	if k.id != "" {
		defaults["kid"] = k.id
	}
	header = merge(defaults, header)
	encoded, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("oidctest: header: %w", err)
	}
	input := base64url(encoded) + "." + base64url(payload)
	algorithm, _ := header["alg"].(string)
	if strings.EqualFold(algorithm, "none") {
		return input + ".", nil
	}
	signature, err := k.sign(algorithm, []byte(input))
	if err != nil {
		return "", fmt.Errorf("oidctest: signing: %w", err)
	}
	return input + "." + base64url(signature), nil
}

// Rotate makes a new key of the provider's algorithm (RSA: 2048 bits), which is
// published at once and signs from now on. The keys before it stay published
// until they are withdrawn. It returns the new key's ID. It fails under the HS
// algorithms, whose one key is [Config.Secret].
func (p *Provider) Rotate() (kid string, err error) {
	if p.signingKey().signer == nil {
		const notRotated = "oidctest: a secret (%s) cannot be rotated: use a second provider"
		return "", fmt.Errorf(notRotated, p.config.Algorithm)
	}
	k, err := generateKey(p.config.Algorithm)
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = k
	p.published = append(p.published, k)
	return k.id, nil
}

// Withdraw removes a key from the key set; an ID that is not there changes
// nothing. The current key may be withdrawn too, and goes on signing.
func (p *Provider) Withdraw(kid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published = slices.DeleteFunc(p.published, func(k *key) bool { return k.id == kid })
}

// KeyID returns the ID of the key that signs now: its RFC 7638 thumbprint with
// SHA-256. It is "" under the HS algorithms, where a thumbprint would be a hash
// of the secret.
func (p *Provider) KeyID() string { return p.signingKey().id }

// PublicKeyPEM returns the public half of the key that signs now as a PEM block
// "PUBLIC KEY", or nil under the HS algorithms. As the [Config.Secret] of a
// second provider it makes the algorithm confusion forgery.
func (p *Provider) PublicKeyPEM() []byte {
	k := p.signingKey()
	if k.signer == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(k.signer.Public())
	if err != nil {
		panic(err) // newKey accepts only keys that can be marshalled
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (p *Provider) signingKey() *key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// merge changes the defaults by the overrides and returns them. A nil override
// removes a member.
func merge(defaults, overrides map[string]any) map[string]any {
	for name, value := range overrides {
		if value == nil {
			delete(defaults, name)
		} else {
			defaults[name] = value
		}
	}
	return defaults
}

func base64url(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
