package delegation

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/seed055b7978/delegation/internal/fetch"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/roca"
	"github.com/seed055b7978/delegation/internal/strictjson"
	"golang.org/x/sync/singleflight"
)

// Limits of key sets.
const (
	fetchTimeout    = 10 * time.Second // for both documents together
	refreshCooldown = 30 * time.Second // between two refreshes of an issuer for unknown kids
	emptyPause      = time.Second      // between two attempts while there are no keys at all
	defaultKeyLife  = time.Hour        // without Cache-Control
	minKeyLife      = 5 * time.Minute
	maxKeyLife      = 24 * time.Hour
	outageGrace     = 24 * time.Hour // known keys serve this much longer while the issuer is down
	maxKeys         = 200
	minRSABits      = 2048 // RFC 7518 §3.3
	maxRSABits      = 8192 // larger keys cost a verifier too much time
)

// verificationKey is one key of a set, with what its JWK says about its use.
type verificationKey struct {
	kid, algorithm string // algorithm: empty if the JWK has none
	material       any    // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or []byte of a shared secret
	refused        *Error // why the key may never be used
}

// suits tells whether the key may verify signatures of the algorithm.
func (k verificationKey) suits(algorithm string) error {
	if k.refused != nil {
		return k.refused
	}
	fits := false
	switch m := k.material.(type) {
	case []byte:
		fits = algorithm == "HS256"
	case *rsa.PublicKey:
		fits = strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		curves := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"} // RFC 7518 §3.4
		fits = curves[algorithm] == m.Curve.Params().Name
	case ed25519.PublicKey:
		fits = algorithm == "EdDSA"
	}
	if !fits || k.algorithm != "" && k.algorithm != algorithm {
		return newError(CodeKeyUnsuitable, "the issuer's key %.80q is not for %s", k.kid, algorithm)
	}
	return nil
}

// keySet is an immutable set of keys. As a keyFinder it is the static set of Issuer.JWKS.
type keySet []verificationKey

// find returns the key with the kid, or every key for a token without one. A static set has no newer version.
func (s keySet) find(_ context.Context, kid string, _ bool) ([]verificationKey, error) {
	keys := s.lookUp(kid)
	if len(keys) == 0 {
		return nil, newError(CodeKeyUnknown, "the issuer's key set has no key %.80q", kid)
	}
	return keys, nil
}

func (s keySet) lookUp(kid string) []verificationKey {
	if kid == "" {
		return s
	}
	i := slices.IndexFunc(s, func(k verificationKey) bool { return k.kid == kid })
	if i < 0 {
		return nil
	}
	return s[i : i+1]
}

// parseKeySet reads a JWK set (RFC 7517 §5). Keys for encryption and of unknown kinds are passed over, as that
// section asks; a symmetric key or a kid that two keys share condemns the set, because it can no longer be trusted.
func parseKeySet(document []byte) (keySet, error) {
	object, err := strictjson.Object(document)
	if err != nil {
		return nil, newError(CodeKeySetInvalid, "the key set is not one JSON object: %w", err)
	}
	list, ok := object["keys"].([]any)
	if !ok || len(list) > maxKeys {
		return nil, newError(CodeKeySetInvalid, "the key set has no array \"keys\" of at most %d entries", maxKeys)
	}
	set := keySet{}
	for _, entry := range list {
		member, _ := entry.(map[string]any)
		if member["kty"] == "oct" {
			return nil, newError(CodeKeySetSymmetric, "the key set holds a symmetric key")
		}
		operations, limited := member["key_ops"].([]any)
		if use, ok := member["use"]; ok && use != "sig" || limited && !slices.Contains(operations, any("verify")) {
			continue
		}
		key, ok := parseKey(member)
		if !ok {
			continue
		}
		if key.kid != "" && len(set.lookUp(key.kid)) > 0 {
			return nil, newError(CodeKeySetDuplicateID, "the key set has two keys %.80q", key.kid)
		}
		set = append(set, key)
	}
	if len(set) == 0 {
		return nil, newError(CodeKeySetInvalid, "the key set has no signing key of a known kind")
	}
	return set, nil
}

// parseKey reads one JWK; false for a kind of key that is not known here.
func parseKey(member map[string]any) (verificationKey, bool) {
	text, _ := json.Marshal(member) // it has just been decoded
	var key verificationKey
	if err := guard.Call(func() error { // on a fetch's goroutine a panic would end the process
		parsed, err := jwk.ParseKey(text)
		if err == nil {
			key.kid, key.algorithm = parsed.KeyID(), parsed.Algorithm().String()
			key.material, err = jwk.PublicRawKeyOf(parsed)
		}
		return err
	}); err != nil {
		return verificationKey{}, false
	}
	switch m := key.material.(type) {
	case *rsa.PublicKey:
		if bits := m.N.BitLen(); bits < minRSABits || bits > maxRSABits || m.E < 3 || m.E%2 == 0 {
			key.refused = newError(CodeKeyWeak, "the issuer's key %.80q has %d bits and exponent %d", key.kid, bits, m.E)
		} else if roca.Fingerprint(m.N) {
			key.refused = newError(CodeKeyWeak, "the issuer's key %.80q was made by a broken generator (ROCA, CVE-2017-15361)", key.kid)
		}
	case *ecdsa.PublicKey: // jwx has refused points off the curve
	case ed25519.PublicKey:
		if len(m) != ed25519.PublicKeySize { // crypto/ed25519 panics on it
			key.refused = newError(CodeKeyWeak, "the issuer's key %.80q has %d bytes", key.kid, len(m))
		}
	default:
		return verificationKey{}, false
	}
	if _, private := member["d"]; private {
		key.refused = newError(CodeKeyWeak, "the issuer's key %.80q is published with its private part", key.kid)
	}
	return key, true
}

// remoteKeys is a key set that the issuer publishes. It is refreshed when it is used: ahead of time and off the
// caller's path when it grows old, at once but not often for an unknown kid. So there is no idle goroutine.
type remoteKeys struct {
	issuer, jwksURL string // jwksURL: empty means discovery
	loopbackHTTP    bool
	client          *http.Client
	now             func() time.Time
	logger          *slog.Logger

	flight singleflight.Group
	mu     sync.Mutex
	set    keySet // nil: none yet
	// refreshAt is when the set wants a refresh, staleAt when it may not be used any more.
	refreshAt, staleAt time.Time
	attempted          time.Time // when the last fetch began
	failure            error     // of the last fetch
}

// find implements keyFinder. A refresh that fails leaves the keys as they were.
func (r *remoteKeys) find(ctx context.Context, kid string, newer bool) ([]verificationKey, error) {
	r.mu.Lock()
	set, usable, now := r.set, r.usable(), r.now()
	due := !now.Before(r.refreshAt) && now.Sub(r.attempted) >= refreshCooldown
	r.mu.Unlock()
	if keys := set.lookUp(kid); usable && !newer && len(keys) > 0 {
		if due {
			go func() { _ = r.refresh(context.WithoutCancel(ctx)) }() // off the caller's path: this one is served as things stand
		}
		return keys, nil
	}
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.usable() { // without a failure if the clock leapt during the fetch
		return nil, cmp.Or(r.failure, error(newError(CodeKeySetUnavailable, "the issuer's keys came too late to be used")))
	}
	keys, err := r.set.find(ctx, kid, newer)
	if err != nil && r.failure != nil {
		return nil, newError(CodeKeyUnknown, "the issuer's key set has no key %.80q, and its last refresh failed: %w", kid, r.failure)
	}
	return keys, err
}

// usable tells, under the lock, whether there are keys that may still be used.
func (r *remoteKeys) usable() bool { return r.set != nil && r.now().Before(r.staleAt) }

// refresh fetches the set unless that was tried a moment ago. All callers share one fetch, which none of them can
// cancel; each stops waiting when its own context ends, and that is the only error.
func (r *remoteKeys) refresh(ctx context.Context) error {
	done := r.flight.DoChan("", func() (any, error) {
		// Whoever asks late, after another's fetch has ended, finds it within the pause.
		r.mu.Lock()
		now, pause := r.now(), refreshCooldown
		if !r.usable() {
			pause = emptyPause
		}
		wait := !r.attempted.IsZero() && now.Sub(r.attempted) < pause
		if !wait {
			r.attempted = now
		}
		r.mu.Unlock()
		if !wait {
			r.fetch(now)
		}
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return canceledAt(StageToken, ctx)
	}
	return nil
}

// fetch gets the set and keeps it, or keeps the failure beside the keys known so far.
func (r *remoteKeys) fetch(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, life, err := r.load(ctx)
	r.mu.Lock()
	if r.failure = err; err == nil {
		r.set, r.refreshAt, r.staleAt = set, now.Add(life), now.Add(life+outageGrace)
	}
	r.mu.Unlock()
	if err != nil {
		r.logger.LogAttrs(ctx, slog.LevelWarn, "issuer's keys not refreshed", slog.String("issuer", r.issuer), slog.String("error", err.Error()))
	}
}

// load reads the discovery document, unless the key set's URL is configured, and the key set.
func (r *remoteKeys) load(ctx context.Context) (keySet, time.Duration, error) {
	from := r.jwksURL
	if from == "" {
		body, _, err := r.get(ctx, strings.TrimSuffix(r.issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, 0, err
		}
		document, err := strictjson.Object(body)
		if err != nil {
			return nil, 0, newError(CodeKeySetInvalid, "the discovery document is not one JSON object: %w", err)
		}
		if document["issuer"] != r.issuer {
			return nil, 0, newError(CodeDiscoveryIssuer, "the discovery document of %q names the issuer %.200q", r.issuer, fmt.Sprint(document["issuer"]))
		}
		from, _ = document["jwks_uri"].(string)
		if err := fetch.CheckFound(from, r.issuer, r.loopbackHTTP); err != nil {
			return nil, 0, newError(CodeKeySetURL, "the discovery document's jwks_uri: %w", err)
		}
	}
	body, header, err := r.get(ctx, from)
	if err != nil {
		return nil, 0, err
	}
	set, err := parseKeySet(body)
	return set, fetch.Life(header, defaultKeyLife, minKeyLife, maxKeyLife), err
}

// get reads one document.
func (r *remoteKeys) get(ctx context.Context, from string) ([]byte, http.Header, error) {
	body, header, err := fetch.Get(ctx, r.client, from)
	code := CodeKeySetUnavailable
	switch {
	case err == nil:
		return body, header, nil
	case errors.Is(err, fetch.ErrRedirect):
		code = CodeKeySetRedirect
	case errors.Is(err, fetch.ErrTooLarge):
		code = CodeKeySetTooLarge
	}
	return nil, nil, newError(code, "%.200q: %w", from, err)
}

// trust checks an Issuer and prepares its keys. It makes no request.
func (i Issuer) trust(c *Config) (trustedIssuer, error) {
	var problems problems
	if err := fetch.CheckURL(i.URL, i.AllowLoopbackHTTP); err != nil {
		problems.add("URL: %w", err)
	} else if strings.Contains(i.URL, "?") { // OpenID Connect Discovery §2
		problems.add("URL: %.200q has a query", i.URL)
	}
	secret := i.SharedSecret.Reveal()
	if len(i.JWKS) > 0 && i.JWKSURL != "" || secret != "" && (len(i.JWKS) > 0 || i.JWKSURL != "") {
		problems.add("set only one of JWKS, JWKSURL and SharedSecret")
	}
	t := trustedIssuer{algorithms: slices.Clone(i.Algorithms)}
	allowed := signatureAlgorithms
	if secret != "" {
		allowed = []string{"HS256"}
	}
	if len(t.algorithms) == 0 {
		t.algorithms = allowed[:1]
	}
	for _, a := range t.algorithms {
		if !slices.Contains(allowed, a) {
			problems.add("Algorithms: %.40q is none of %s (HS256 is for SharedSecret, and nothing else is)", a, strings.Join(allowed, ", "))
		}
	}
	switch {
	case secret != "":
		if len(secret) < minSharedSecret {
			problems.add("SharedSecret has %d bytes, fewer than %d", len(secret), minSharedSecret)
		}
		t.keys = sharedSecret{i.SharedSecret}
	case len(i.JWKS) > 0:
		set, err := parseKeySet(i.JWKS)
		if err != nil {
			problems.add("JWKS: %w", err)
		}
		t.keys = set
	default:
		if err := fetch.CheckURL(i.JWKSURL, i.AllowLoopbackHTTP); err != nil && i.JWKSURL != "" {
			problems.add("JWKSURL: %w", err)
		}
		t.keys = &remoteKeys{issuer: i.URL, jwksURL: i.JWKSURL, loopbackHTTP: i.AllowLoopbackHTTP, client: fetch.Client(c.HTTPClient), now: c.Now, logger: c.Logger}
	}
	return t, errors.Join(problems...)
}
