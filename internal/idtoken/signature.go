package idtoken

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"io"
	"slices"
	"strings"
)

// Algorithms returns the algorithms of published keys. HS256 is not among them: it is the only
// algorithm for a shared secret.
func Algorithms() []string {
	return []string{
		"RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512",
		"EdDSA",
	}
}

// CanonicalAlgorithm is the name under which an algorithm is known here. RFC 9864 calls EdDSA with
// the curve Ed25519 by the name of the curve, and no other curve of EdDSA is known here.
func CanonicalAlgorithm(name string) string {
	if name == "Ed25519" {
		return "EdDSA"
	}
	return name
}

var pssHashes = map[string]crypto.Hash{
	"PS256": crypto.SHA256,
	"PS384": crypto.SHA384,
	"PS512": crypto.SHA512,
}

// verifySignature finds the issuer's key for the token and verifies its signature with it.
func (t *compactJWS) verifySignature(ctx context.Context, by *issuer) error {
	if err := by.checkAlgorithm(t.algorithm); err != nil {
		return err
	}
	finder, err := t.keysFor(by)
	if err != nil {
		return err
	}
	s := &search{kid: t.kid, token: t.digest}
	for {
		keys, last, err := finder.find(ctx, s)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			s.verdict = t.tryKeys(keys)
		}
		// Only such a verdict can mean that the issuer has a new key under the same kid, or without
		// one.
		if last || !hasCode(s.verdict, signatureInvalid, keyUnsuitable, keyAmbiguous) {
			return s.verdict
		}
	}
}

// checkAlgorithm checks that the issuer may use the algorithm.
func (i *issuer) checkAlgorithm(algorithm string) error {
	if slices.Contains(i.algorithms, algorithm) {
		return nil
	}
	return newError(i.refusalOf(algorithm),
		"the token's algorithm is %.80q, the issuer may use %s",
		algorithm, strings.Join(i.algorithms, ", "))
}

// refusalOf is the code for an algorithm that the issuer may not use. The codes differ in what
// would allow the algorithm, if anything does.
func (i *issuer) refusalOf(algorithm string) string {
	_, secret := i.keys.(sharedSecret)
	_, secrets := i.keys.(clientSecrets)
	switch {
	case algorithm == "HS256":
		return algorithmSecret
	case !slices.Contains(Algorithms(), algorithm):
		return algorithmUnsupported
	case secret || secrets:
		return algorithmPublished
	}
	return algorithmNotAllowed
}

// tryKeys verifies the signature with the first maxTried of the keys that fit. There is at least
// one key.
func (t *compactJWS) tryKeys(keys []key) error {
	chosen, err := choose(keys, t)
	if err != nil {
		return err
	}
	for _, k := range chosen[:min(len(chosen), maxTried)] {
		e := t.verifyWith(k)
		if e == nil || hasCode(e, signatureSaltLength) { // this very key made such a signature
			return e
		}
		err = cmp.Or(err, e)
	}
	if len(chosen) > maxTried {
		return newError(keyAmbiguous, "%d keys of the issuer fit %s and the kid %.80q, and the "+
			"signature does not verify with the first %d of them",
			len(chosen), t.algorithm, t.kid, maxTried)
	}
	return err
}

// verifyWith verifies the signature with a key. It relies on the memo only for the same
// key that has verified this token before.
func (t *compactJWS) verifyWith(k key) error {
	if t.verifiedBy == k.id && k.id != (keyID{}) {
		return nil
	}
	t.cutSignature()
	if err := t.computeWith(k); err != nil {
		return err
	}
	t.verifiedBy = k.id
	return nil
}

// computeWith computes whether the signature is the key's.
func (t *compactJWS) computeWith(k key) error {
	if !verifySigned(t.signed, t.signature, t.algorithm, k.material) {
		if secret, shared := k.material.([]byte); shared {
			return t.refuseSecret(secret)
		}
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
	_, _ = io.WriteString(digest, t.signed) // never fails
	strict := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(public, hash, digest.Sum(nil), t.signature, strict) == nil
}
