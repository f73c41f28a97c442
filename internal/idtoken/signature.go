package idtoken

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"slices"
	"strings"
)

// Algorithms returns those that published keys can sign with. HS256 is for a shared secret, and nothing else is.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

var pssHashes = map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}

// verifySignature finds the issuer's key for the token and verifies its signature with it.
func (t *compactJWS) verifySignature(ctx context.Context, by issuer) error {
	if !slices.Contains(by.algorithms, t.algorithm) {
		return newError(algorithmNotAllowed, "the token's algorithm is %.80q, the issuer may use %s", t.algorithm, strings.Join(by.algorithms, ", "))
	}
	err := t.tryKeys(ctx, by.keys, false)
	if t.kid == "" && hasCode(err, signatureInvalid, keyUnsuitable) {
		// Without a kid only this tells that the issuer has rotated its key.
		return t.tryKeys(ctx, by.keys, true)
	}
	return err
}

// tryKeys verifies with the key that the token names, or with any key of the set if it names none.
func (t *compactJWS) tryKeys(ctx context.Context, from keyFinder, newer bool) error {
	keys, err := from.find(ctx, t.kid, newer)
	if err != nil {
		return err
	}
	for _, k := range keys {
		e := t.verifyWith(k)
		if e == nil {
			return nil
		}
		if err == nil || hasCode(e, signatureInvalid) { // the most telling of several
			err = e
		}
	}
	return cmp.Or(err, error(newError(keyUnknown, "the issuer has no key for this token")))
}

func (t *compactJWS) verifyWith(k key) error {
	if err := k.suits(t.algorithm); err != nil {
		return err
	}
	if !verifyJWS(t.raw, t.algorithm, k.material) {
		return newError(signatureInvalid, "the signature does not verify with the issuer's key %.80q", k.kid)
	}
	// jwx takes RSA-PSS signatures with a salt of any length; RFC 7518 §3.5 wants the hash's.
	if hash, ok := pssHashes[t.algorithm]; ok {
		digest := hash.New()
		digest.Write([]byte(t.raw[:strings.LastIndexByte(t.raw, '.')]))
		public, _ := k.material.(*rsa.PublicKey)
		strict := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		if public == nil || rsa.VerifyPSS(public, hash, digest.Sum(nil), t.signature, strict) != nil {
			return newError(signatureSaltLength, "the signature's salt is not as long as its hash")
		}
	}
	return nil
}
