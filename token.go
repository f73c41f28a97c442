package delegation

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/strictjson"
)

// Limits of a token. The size is Config.MaxTokenSize's default and leaves room for large group claims.
const (
	defaultMaxTokenSize = 16 << 10
	maxKeyID            = 512
	minSharedSecret     = 32 // bytes: RFC 7518 §3.2, a key as long as HS256's output
)

// Issuer is an OpenID provider whose ID tokens are accepted, and how its keys are found. Exactly one source is used:
// SharedSecret, JWKS, JWKSURL, or, if none is set, OpenID Connect discovery below URL.
type Issuer struct {
	URL string // the exact iss claim, trailing slash included; https unless AllowLoopbackHTTP

	// Algorithms are those that the issuer may sign with: RS, PS and ES with 256, 384 or 512, and EdDSA. Empty: RS256.
	Algorithms []string

	JWKS    []byte // a static key set (RFC 7517) as JSON; nothing is fetched
	JWKSURL string // where the key set is; discovery is skipped

	// SharedSecret, of at least 32 bytes, makes this an issuer that signs with HS256 and nothing else, such as a
	// legacy Auth0 client. Whoever can verify such tokens can also make them: prefer RS256.
	SharedSecret Secret

	AllowLoopbackHTTP bool // for tests: plain http to 127.0.0.0/8, ::1 and localhost
}

// keyFinder returns the keys that may have signed a token with the given kid, which is empty if the token has none.
// newer asks for keys published since the last call, because those did not fit.
type keyFinder interface {
	find(ctx context.Context, kid string, newer bool) ([]verificationKey, error)
}

// sharedSecret is the one key of an HS256 issuer. It never meets published keys.
type sharedSecret struct{ Secret }

func (s sharedSecret) find(context.Context, string, bool) ([]verificationKey, error) {
	return []verificationKey{{material: []byte(s.Reveal())}}, nil
}

// trustedIssuer is an Issuer that New has checked.
type trustedIssuer struct {
	algorithms []string
	keys       keyFinder
}

// claims are those of a token that passed every check. Each exchange owns its own copy.
type claims struct {
	issuer, subject, party string // party: azp
	audience               []string
	expiry                 time.Time
	all                    map[string]any
}

// client is the application that the token was issued to: azp if there are several audiences (OpenID Connect Core
// §3.1.3.7), the only audience otherwise.
func (c *claims) client() string {
	if len(c.audience) > 1 {
		return c.party
	}
	return c.audience[0]
}

var signatureAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Names whose look-alikes are refused: a verifier that folds case would read sub from "SUB" or "ſub".
var (
	registeredHeaders = []string{"alg", "kid", "typ", "cty", "crit", "b64", "enc", "zip", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"}
	registeredClaims  = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "nonce", "auth_time", "acr", "amr", "sid",
		"at_hash", "c_hash", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
		"website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified",
		"address", "updated_at", "user_id", "identities"}
)

// verify checks one raw ID token. It makes no request before it has found the issuer among the configured ones.
func (d *Delegator) verify(ctx context.Context, raw string) (*claims, error) {
	token, err := parseCompact(raw, d.config.MaxTokenSize)
	if err != nil {
		return nil, err
	}
	all, err := strictjson.Object(token.payload)
	if err != nil {
		return nil, jsonError("payload", err)
	}
	if err := refuseFolded("claim", all, registeredClaims); err != nil {
		return nil, err
	}
	iss, err := stringClaim(all, "iss")
	if err != nil {
		return nil, err
	}
	issuer, ok := d.issuers[iss]
	if !ok {
		return nil, newError(CodeIssuerUnknown, "%.200q is not a configured issuer", iss)
	}
	if err := token.verifySignature(ctx, issuer); err != nil {
		return nil, err
	}
	return checkClaims(iss, all, d.config.Now(), d.config.Leeway)
}

// compactJWS is a token that is well-formed, and neither trusted nor verified.
type compactJWS struct {
	raw, algorithm, kid string
	payload, signature  []byte
}

// parseCompact takes a compact JWS apart more strictly than RFC 7515 parsers usually do.
func parseCompact(raw string, maxSize int) (*compactJWS, error) {
	if raw == "" {
		return nil, newError(CodeTokenMissing, "there is no ID token")
	}
	if len(raw) > maxSize {
		return nil, newError(CodeTokenTooLarge, "the token has %d bytes, more than %d", len(raw), maxSize)
	}
	parts := strings.Split(raw, ".")
	if len(parts) == 5 {
		return nil, newError(CodeTokenEncrypted, "the token has five parts: it is encrypted (JWE)")
	}
	if len(parts) != 3 {
		return nil, newError(CodeTokenMalformed, "the token has %d parts instead of 3", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		// Strict refuses stray bits in the last character, and the decoder would skip line ends.
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, newError(CodeTokenEncoding, "part %d of the token is not base64url without padding", i+1)
		}
		decoded[i] = b
	}
	header, err := strictjson.Object(decoded[0])
	if err != nil {
		return nil, jsonError("header", err)
	}
	if err := refuseFolded("header", header, registeredHeaders); err != nil {
		return nil, err
	}
	t := &compactJWS{raw: raw, payload: decoded[1], signature: decoded[2]}
	for _, refused := range []struct {
		name string
		code Code
	}{{"b64", CodeTokenB64}, {"crit", CodeTokenCritical}, {"enc", CodeTokenEncrypted}} {
		if _, ok := header[refused.name]; ok {
			return nil, newError(refused.code, "the header has %q", refused.name)
		}
	}
	var ok bool
	if t.algorithm, ok = header["alg"].(string); !ok || t.algorithm == "" {
		return nil, newError(CodeTokenMalformed, "the header has no alg")
	}
	if kid, present := header["kid"]; present {
		if t.kid, ok = kid.(string); !ok || t.kid == "" || len(t.kid) > maxKeyID {
			return nil, newError(CodeTokenMalformed, "the header's kid is not a string of 1 to %d bytes", maxKeyID)
		}
	}
	if typ, ok := header["typ"]; ok {
		s, _ := typ.(string)
		if !strings.EqualFold(strings.TrimPrefix(strings.ToLower(s), "application/"), "jwt") {
			return nil, newError(CodeTokenType, "the header's typ is %.80q", fmt.Sprint(typ))
		}
	}
	return t, checkAlgorithmName(t.algorithm)
}

func checkAlgorithmName(alg string) error {
	if strings.EqualFold(alg, "none") {
		return newError(CodeTokenUnsigned, "the algorithm is %q", alg)
	}
	for _, known := range append([]string{"HS256", "HS384", "HS512"}, signatureAlgorithms...) {
		if alg != known && strings.EqualFold(alg, known) {
			return newError(CodeAlgorithmCase, "the algorithm is written %q instead of %q", alg, known)
		}
	}
	return nil
}

// verifySignature finds the issuer's key for the token and verifies its signature with it.
func (t *compactJWS) verifySignature(ctx context.Context, issuer trustedIssuer) error {
	if !slices.Contains(issuer.algorithms, t.algorithm) {
		return newError(CodeAlgorithmNotAllowed, "the token's algorithm is %.80q, the issuer may use %s", t.algorithm, strings.Join(issuer.algorithms, ", "))
	}
	err := t.tryKeys(ctx, issuer, false)
	if t.kid == "" && (errors.Is(err, CodeSignatureInvalid) || errors.Is(err, CodeKeyUnsuitable)) {
		// Without a kid only this tells that the issuer has rotated its key.
		return t.tryKeys(ctx, issuer, true)
	}
	return err
}

// tryKeys verifies with the key that the token names, or with any key of the set if it names none.
func (t *compactJWS) tryKeys(ctx context.Context, issuer trustedIssuer, newer bool) error {
	keys, err := issuer.keys.find(ctx, t.kid, newer)
	if err != nil {
		return err
	}
	for _, key := range keys {
		e := key.verify(t)
		if e == nil {
			return nil
		}
		if err == nil || errors.Is(e, CodeSignatureInvalid) { // the most telling of several
			err = e
		}
	}
	return cmp.Or(err, error(newError(CodeKeyUnknown, "the issuer has no key for this token")))
}

// verify checks the token's signature with this key.
func (k verificationKey) verify(t *compactJWS) error {
	if err := k.suits(t.algorithm); err != nil {
		return err
	}
	if err := guard.Call(func() error {
		_, err := jws.Verify([]byte(t.raw), jws.WithKey(jwa.SignatureAlgorithm(t.algorithm), k.material))
		return err
	}); err != nil {
		return newError(CodeSignatureInvalid, "the signature does not verify with the issuer's key %.80q", k.kid)
	}
	// jwx takes RSA-PSS signatures with a salt of any length; RFC 7518 §3.5 wants the hash's.
	if hash, ok := pssHashes[t.algorithm]; ok {
		digest := hash.New()
		digest.Write([]byte(t.raw[:strings.LastIndexByte(t.raw, '.')]))
		public, _ := k.material.(*rsa.PublicKey)
		strict := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		if public == nil || rsa.VerifyPSS(public, hash, digest.Sum(nil), t.signature, strict) != nil {
			return newError(CodeSignatureSaltLength, "the signature's salt is not as long as its hash")
		}
	}
	return nil
}

var pssHashes = map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}

// checkClaims checks the registered claims (OpenID Connect Core §2 and §3.1.3.7) of a token with a good signature.
func checkClaims(iss string, all map[string]any, now time.Time, leeway time.Duration) (*claims, error) {
	c := &claims{issuer: iss, all: all}
	var err error
	if c.subject, err = stringClaim(all, "sub"); err != nil {
		return nil, err
	}
	if c.audience, err = audienceClaim(all["aud"]); err != nil {
		return nil, err
	}
	if _, ok := all["azp"]; ok {
		if c.party, err = stringClaim(all, "azp"); err != nil {
			return nil, err
		}
	}
	if len(c.audience) > 1 && !slices.Contains(c.audience, c.party) {
		return nil, newError(CodeClaimParty, "the token has %d audiences, and azp names none of them", len(c.audience))
	}
	dates := map[string]time.Time{}
	for _, name := range []string{"exp", "iat", "nbf"} {
		if dates[name], err = numericDate(all, name); err != nil {
			return nil, err
		}
	}
	c.expiry = dates["exp"]
	if !now.Before(c.expiry.Add(leeway)) {
		return nil, newError(CodeTokenExpired, "the token expired at %s, %s ago", stamp(c.expiry), now.Sub(c.expiry).Round(time.Second))
	}
	if iat := dates["iat"]; iat.After(now.Add(leeway)) {
		return nil, newError(CodeTokenFromFuture, "the token was issued at %s, which is %s ahead", stamp(iat), iat.Sub(now).Round(time.Second))
	}
	if nbf := dates["nbf"]; nbf.After(now.Add(leeway)) {
		return nil, newError(CodeTokenNotYetValid, "the token is valid from %s, which is %s ahead", stamp(nbf), nbf.Sub(now).Round(time.Second))
	}
	return c, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func stringClaim(all map[string]any, name string) (string, error) {
	value, ok := all[name]
	if !ok || value == "" || value == nil {
		return "", newError(CodeClaimMissing, "the token has no %s", name)
	}
	s, ok := value.(string)
	if !ok {
		return "", newError(CodeClaimType, "%s is not a string", name)
	}
	return s, nil
}

// audienceClaim reads aud: a string or an array of distinct strings, none empty (RFC 7519 §4.1.3).
func audienceClaim(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		list = []any{value}
	}
	if len(list) == 0 {
		return nil, newError(CodeClaimMissing, "the token has no aud")
	}
	var audience []string
	for _, entry := range list {
		s, ok := entry.(string)
		if !ok {
			return nil, newError(CodeClaimType, "aud is neither a string nor an array of strings")
		}
		if s == "" {
			return nil, newError(CodeClaimMissing, "aud has an empty entry")
		}
		if slices.Contains(audience, s) {
			return nil, newError(CodeClaimType, "aud names an audience twice")
		}
		audience = append(audience, s)
	}
	return audience, nil
}

// numericDate reads a NumericDate (RFC 7519 §2): seconds since 1970 as a JSON number, perhaps with a fraction. Only nbf may be absent.
func numericDate(all map[string]any, name string) (time.Time, error) {
	value, ok := all[name]
	if !ok && name == "nbf" {
		return time.Time{}, nil
	}
	if !ok {
		return time.Time{}, newError(CodeClaimMissing, "the token has no %s", name)
	}
	n, ok := value.(json.Number)
	seconds, err := n.Float64()
	if !ok || err != nil || seconds < 0 || seconds > 253402300799 { // the year 9999, the last that RFC 3339 can write
		return time.Time{}, newError(CodeClaimDate, "%s is not a number of seconds since 1970", name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// refuseFolded refuses names that become a registered name by Unicode case folding.
func refuseFolded(what string, object map[string]any, registered []string) error {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		for _, r := range registered {
			if name != r && strings.EqualFold(name, r) {
				return newError(CodeTokenFoldedName, "the %s %.80q differs from %q only by case", what, name, r)
			}
		}
	}
	return nil
}

func jsonError(part string, err error) error {
	if errors.Is(err, strictjson.ErrDuplicate) {
		return newError(CodeTokenDuplicateMember, "the token's %s: %w", part, err)
	}
	return newError(CodeTokenMalformed, "the token's %s is not one JSON object: %w", part, err)
}
