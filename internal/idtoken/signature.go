package idtoken

import (
	"context"
	"crypto"
	"crypto/rsa"
	"slices"
	"strings"
)

// Algorithms returns those that published keys can sign with. HS256 is for a shared secret, and
// nothing else is.
func Algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512",
		"EdDSA",
	}
}

var pssHashes = map[string]crypto.Hash{
	"PS256": crypto.SHA256,
	"PS384": crypto.SHA384,
	"PS512": crypto.SHA512,
}

// verifySignature finds the issuer's key for the token and verifies its signature with it.
func (t *compactJWS) verifySignature(ctx context.Context, by issuer) error {
	if !slices.Contains(by.algorithms, t.algorithm) {
		return newError(algorithmNotAllowed,
			"the token's algorithm is %.80q, the issuer may use %s",
			t.algorithm, strings.Join(by.algorithms, ", "))
	}
	s := &search{kid: t.kid, token: t.digest}
	for {
		keys, last, err := by.keys.find(ctx, s)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			s.verdict = t.tryKeys(keys)
		}
		// Only such a verdict tells that an issuer has changed its key and kept the kid, or uses
		// none.
		changed := hasCode(s.verdict, signatureInvalid, keyUnsuitable)
		if last || !changed {
			return s.verdict
		}
	}
}

// tryKeys verifies with any of the keys. There is at least one.
func (t *compactJWS) tryKeys(keys []key) (err error) {
	for _, k := range keys {
		e := t.verifyWith(k)
		if e == nil {
			return nil
		}
		if err == nil || hasCode(e, signatureInvalid) { // the most telling of several
			err = e
		}
	}
	return err
}

func (t *compactJWS) verifyWith(k key) error {
	if err := k.suits(t.algorithm); err != nil {
		return err
	}
	if !verifySigned(t.signed, t.signature, t.algorithm, k.material) {
		return newError(signatureInvalid,
			"the signature does not verify with the issuer's key %.80q", k.kid)
	}
	if hash, ok := pssHashes[t.algorithm]; ok && !t.hasSaltOf(hash, k) {
		return newError(signatureSaltLength, "the signature's salt is not as long as its hash")
	}
	return nil
}

// hasSaltOf tells whether an RSA-PSS signature verifies with a salt that is as long as its hash, as
// RFC 7518 §3.5 wants. jwx takes a salt of any length.
func (t *compactJWS) hasSaltOf(hash crypto.Hash, k key) bool {
	public, ok := k.material.(*rsa.PublicKey)
	if !ok {
		return false
	}
	digest := hash.New()
	digest.Write(t.signed)
	strict := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(public, hash, digest.Sum(nil), t.signature, strict) == nil
}
