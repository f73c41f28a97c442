package idtoken

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
)

// Limits of key sets.
const (
	maxKeys    = 200
	minRSABits = 2048 // RFC 7518 §3.3
	maxRSABits = 8192 // larger keys cost a verifier too much time

	maxExponentBits = 31 // of crypto/rsa
	maxTried        = 4  // keys for one token, because each costs the verifier time
	maxNamed        = 5  // keys that were left out, in one text
)

// key is one key of a set, with what its JWK says about its use.
type key struct {
	kid, algorithm string // algorithm: empty if the JWK has none
	// issuer is the only one whose tokens the key may verify, perhaps with a placeholder for the
	// token's tenant. Empty: any that the set is for. Microsoft Entra publishes it, see "Validate
	// the issuer" of its documentation of access tokens.
	issuer string
	// *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or []byte of a shared secret
	material    any
	id          keyID             // of the material
	refused     *Error            // why the key may never be used
	certificate *x509.Certificate // of the JWK, which nothing depends on; nil: none
}

// suits tells whether the key may verify the token's signature.
func (k key) suits(t *compactJWS) error {
	if k.refused != nil {
		return k.refused
	}
	if !k.fits(t.algorithm) {
		return newError(keyUnsuitable, "the issuer's key %.80q is not for %s", k.kid, t.algorithm)
	}
	return k.isFor(t)
}

// curves are those of the elliptic curve algorithms (RFC 7518 §3.4).
var curves = map[string]string{"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

// fits tells whether the key is of the kind that the algorithm needs, and not for another one.
func (k key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch m := k.material.(type) {
	case []byte:
		return algorithm == "HS256"
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return curves[algorithm] == m.Curve.Params().Name
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// isFor tells whether the key may verify tokens of the token's issuer.
func (k key) isFor(t *compactJWS) error {
	if k.issuer == "" {
		return nil
	}
	issuer, err := fillPublished(k.issuer, t.tenant)
	if err != nil {
		return newError(keyOtherIssuer,
			"the key %.80q is for tokens of %.200q, and %w", k.kid, k.issuer, err)
	}
	if issuer != t.iss {
		return newError(keyOtherIssuer,
			"the key %.80q is for tokens of %.200q only", k.kid, issuer)
	}
	return nil
}

// search is one token's search for the key that verifies it.
type search struct {
	kid     string            // empty: the token names no key
	token   [sha256.Size]byte // of the whole token: another one with the same kid is another search
	verdict error             // why the last keys found do not fit; nil: none found yet

	// For the keyFinder: the number of fetches that had begun before the search, and the fetch that
	// brought the set that was tried last.
	since, tried uint64
}

// keyFinder finds the keys that may have signed a token.
type keyFinder interface {
	// find returns the keys that are known for the search. If it is called with a verdict on these,
	// it returns newer ones. last says that there are no newer keys, so that the verdict on the
	// returned keys is final. If find then returns no keys, the verdict so far is final.
	find(ctx context.Context, s *search) (keys []key, last bool, err error)
}

// sharedSecret reveals the one key of an HS256 issuer. It is never mixed with published keys.
type sharedSecret func() string

func (s sharedSecret) find(context.Context, *search) ([]key, bool, error) {
	secret := []byte(s())
	return []key{{material: secret, id: materialID(secret)}}, true, nil
}

// isSame tells whether two keys are the same one for an algorithm.
func (k key) isSame(other key) bool {
	switch m := k.material.(type) {
	case []byte:
		o, ok := other.material.([]byte)
		return ok && bytes.Equal(m, o)
	case interface{ Equal(crypto.PublicKey) bool }:
		return m.Equal(other.material)
	}
	return false
}

// choose returns those of the keys that fit the token, each once, the ones that name its algorithm
// first. If none fits, the error says why.
//
// An issuer may publish a key several times, and several keys under one kid: RFC 7517 §4.5
// discourages that and does not forbid it. Whichever verifies is the issuer's own.
func choose(keys []key, t *compactJWS) (chosen []key, err error) {
	if len(keys) == 1 && keys[0].suits(t) == nil {
		return keys, nil
	}
	for _, k := range keys {
		if e := k.suits(t); e != nil {
			err = cmp.Or(err, e)
			continue
		}
		i := slices.IndexFunc(chosen, k.isSame)
		switch {
		case i < 0:
			chosen = append(chosen, k)
		case chosen[i].algorithm == "":
			chosen[i] = k
		}
	}
	slices.SortStableFunc(chosen, func(a, b key) int {
		return strings.Compare(b.algorithm, a.algorithm) // each has the algorithm, or none
	})
	if len(chosen) > 0 {
		return chosen, nil
	}
	return nil, err
}

// KeySet is an immutable set of keys. Only [ParseKeySet] makes one.
type KeySet struct {
	keys    []key // at least one
	leftOut []omission
	servers []Certificate // of those that it was fetched from
	// clockAhead is how far the clock of the set's server is ahead; negative: behind. Zero also
	// means not known.
	clockAhead time.Duration
}

// find implements keyFinder for a static set, which has no newer version.
func (s *KeySet) find(_ context.Context, by *search) ([]key, bool, error) {
	keys := s.lookUp(by.kid)
	if len(keys) == 0 {
		return nil, true, newError(keyUnknown, "%w", s.lacks(by.kid))
	}
	return keys, true, nil
}

// lookUp returns the keys with the kid, or every key for a token without one.
func (s *KeySet) lookUp(kid string) (found []key) {
	if kid == "" {
		return s.keys
	}
	for i, k := range s.keys {
		switch {
		case k.kid != kid:
		case found == nil:
			found = s.keys[i : i+1 : i+1] // mostly the only one
		default:
			found = append(found, k)
		}
	}
	return found
}

// lacks says that the set has no usable key with the kid, and what became of one that it has.
func (s *KeySet) lacks(kid string) error {
	for _, o := range s.leftOut {
		if o.kid == kid {
			return fmt.Errorf("the issuer's key set has the kid %.80q, "+
				"but the key was left out: %w", kid, o.why)
		}
	}
	return fmt.Errorf("the issuer's key set has no key %.80q", kid)
}

// ParseKeySet reads a JWK set (RFC 7517 §5). A byte order mark in front is skipped. Keys that
// cannot be used are left out and remembered with the reason, as that section asks; a symmetric or
// private key makes the whole set invalid, because it can no longer be trusted. The error is an
// [*Error].
func ParseKeySet(text []byte) (*KeySet, error) {
	object, err := document.Object(document.WithoutBOM(text))
	if err != nil {
		return nil, newError(keySetInvalid,
			"the key set is not one JSON object: %w", unusable(text, err))
	}
	if found, _ := object["jwks_uri"].(string); found != "" && object["keys"] == nil {
		return nil, newError(keySetDiscovery,
			"it is a discovery document, and its jwks_uri is %.200q", found)
	}
	list, ok := object["keys"].([]any)
	if !ok || len(list) > maxKeys {
		return nil, newError(keySetInvalid,
			"the key set has no array \"keys\" of at most %d entries", maxKeys)
	}
	set := &KeySet{}
	for _, entry := range list {
		if err := set.add(entry); err != nil {
			return nil, err
		}
	}
	if len(set.keys) == 0 {
		return nil, newError(keySetInvalid,
			"the key set has no signing key of a known kind%s", set.why())
	}
	return set, nil
}

// addServer notes the certificate of a server that answered. A nil answer is none.
func (s *KeySet) addServer(address string, answer *document.Answer) {
	if answer == nil || answer.Certificate == nil {
		return
	}
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	server := Certificate{
		Of:     u.Host,
		Begins: answer.Certificate.NotBefore,
		Ends:   answer.Certificate.NotAfter,
	}
	if !slices.Contains(s.servers, server) {
		s.servers = append(s.servers, server)
	}
}

// add adds an entry of the array "keys", or notes why it was left out. An error makes the whole set
// invalid.
func (s *KeySet) add(entry any) error {
	member, ok := entry.(map[string]any)
	if !ok {
		s.leftOut = append(s.leftOut, omission{"", errors.New("it is not an object")})
		return nil
	}
	if member["kty"] == "oct" {
		return newError(keySetSymmetric, "the key set holds a symmetric key")
	}
	if hasPrivatePart(member) {
		kid, _ := member["kid"].(string)
		return newError(keySetPrivate, "the key set holds the private part of the key %.80q", kid)
	}
	k, err := readJWK(member)
	if err != nil {
		s.leftOut = append(s.leftOut, omission{k.kid, err})
		return nil
	}
	s.keys = append(s.keys, k)
	return nil
}

// why says what was left out of a set that has nothing else.
func (s *KeySet) why() string {
	var list []string
	for _, o := range s.leftOut[:min(len(s.leftOut), maxNamed)] {
		list = append(list, o.String())
	}
	if more := len(s.leftOut) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, "; ")
}
