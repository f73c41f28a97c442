package idtoken

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/document"
)

// Limits of key sets.
const (
	maxKeys    = 200
	minRSABits = 2048 // RFC 7518 §3.3
	maxRSABits = 8192 // larger keys cost a verifier too much time
)

// key is one key of a set, with what its JWK says about its use.
type key struct {
	kid, algorithm string // algorithm: empty if the JWK has none
	// *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or []byte of a shared secret
	material any
	refused  *Error // why the key may never be used
}

// suits tells whether the key may verify signatures of the algorithm.
func (k key) suits(algorithm string) error {
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
		// RFC 7518 §3.4
		curves := map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
		fits = curves[algorithm] == m.Curve.Params().Name
	case ed25519.PublicKey:
		fits = algorithm == "EdDSA"
	}
	if !fits || k.algorithm != "" && k.algorithm != algorithm {
		return newError(keyUnsuitable, "the issuer's key %.80q is not for %s", k.kid, algorithm)
	}
	return nil
}

// search is one token's search for the key that verifies it.
type search struct {
	kid     string            // empty: the token names no key
	token   [sha256.Size]byte // of the whole token: another one with the same kid is another search
	verdict error             // why the keys found last do not do; nil: none were found yet

	// For the keyFinder: how many fetches had begun before the search, and which one brought the
	// set that it has tried last.
	since, tried uint64
}

// keyFinder finds the keys that may have signed a token.
type keyFinder interface {
	// find returns the keys that are known for the search, and newer ones each time that it is
	// called with a verdict on these. If they are the last, there are none newer, and the verdict
	// on them is final; without any of them it is the verdict so far.
	find(ctx context.Context, s *search) (keys []key, last bool, err error)
}

// sharedSecret reveals the one key of an HS256 issuer. It never meets published keys.
type sharedSecret func() string

func (s sharedSecret) find(context.Context, *search) ([]key, bool, error) {
	return []key{{material: []byte(s())}}, true, nil
}

// KeySet is an immutable set of keys. Only [ParseKeySet] makes one.
type KeySet []key

// find implements keyFinder for a static set, which has no newer version.
func (s KeySet) find(_ context.Context, by *search) ([]key, bool, error) {
	keys := s.lookUp(by.kid)
	if len(keys) == 0 {
		return nil, true, newError(keyUnknown, "the issuer's key set has no key %.80q", by.kid)
	}
	return keys, true, nil
}

// lookUp returns the key with the kid, or every key for a token without one.
func (s KeySet) lookUp(kid string) []key {
	if kid == "" {
		return s
	}
	i := slices.IndexFunc(s, func(k key) bool { return k.kid == kid })
	if i < 0 {
		return nil
	}
	return s[i : i+1]
}

// ParseKeySet reads a JWK set (RFC 7517 §5). Keys for encryption and of unknown kinds are passed
// over, as that section asks; a symmetric key or a kid that two keys share condemns the set,
// because it can no longer be trusted. The error is an [*Error].
func ParseKeySet(text []byte) (KeySet, error) {
	object, err := document.Object(text)
	if err != nil {
		return nil, newError(keySetInvalid,
			"the key set is not one JSON object: %w", unusable(text, err))
	}
	list, ok := object["keys"].([]any)
	if !ok || len(list) > maxKeys {
		return nil, newError(keySetInvalid,
			"the key set has no array \"keys\" of at most %d entries", maxKeys)
	}
	set := KeySet{}
	for _, entry := range list {
		member, _ := entry.(map[string]any)
		if member["kty"] == "oct" {
			return nil, newError(keySetSymmetric, "the key set holds a symmetric key")
		}
		if !verifies(member) {
			continue
		}
		k, ok := parseKey(member)
		if !ok {
			continue
		}
		if k.kid != "" && len(set.lookUp(k.kid)) > 0 {
			return nil, newError(keySetDuplicateID, "the key set has two keys %.80q", k.kid)
		}
		set = append(set, k)
	}
	if len(set) == 0 {
		return nil, newError(keySetInvalid, "the key set has no signing key of a known kind")
	}
	return set, nil
}

// verifies tells whether a JWK leaves it open that its key verifies signatures (RFC 7517 §4.2,
// §4.3).
func verifies(member map[string]any) bool {
	if use, ok := member["use"]; ok && use != "sig" {
		return false
	}
	operations, limited := member["key_ops"].([]any)
	return !limited || slices.Contains(operations, any("verify"))
}

// parseKey reads one JWK; false for a kind of key that is not known here.
func parseKey(member map[string]any) (key, bool) {
	k, ok := decodeJWK(member)
	if !ok {
		return key{}, false
	}
	switch m := k.material.(type) {
	case *rsa.PublicKey:
		if bits := m.N.BitLen(); bits < minRSABits || bits > maxRSABits || m.E < 3 || m.E%2 == 0 {
			k.refused = newError(keyWeak,
				"the issuer's key %.80q has %d bits and exponent %d", k.kid, bits, m.E)
		} else if HasROCAFingerprint(m.N) {
			k.refused = newError(keyWeak,
				"the issuer's key %.80q was made by a broken generator (ROCA, CVE-2017-15361)",
				k.kid)
		}
	case *ecdsa.PublicKey: // decodeJWK has refused points off the curve
	case ed25519.PublicKey:
		if len(m) != ed25519.PublicKeySize { // crypto/ed25519 panics on it
			k.refused = newError(keyWeak, "the issuer's key %.80q has %d bytes", k.kid, len(m))
		}
	default:
		return key{}, false
	}
	if _, private := member["d"]; private {
		k.refused = newError(keyWeak,
			"the issuer's key %.80q is published with its private part", k.kid)
	}
	return k, true
}
