package idtoken

import (
	"crypto/ecdsa"
	"encoding/json"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/seed055b7978/delegation/internal/guard"
)

// This file is all that knows jwx. Its panics are errors: on the goroutine of a fetch one would end
// the process.

// verifySigned tells whether the signature over the bytes is good. jws.Verify would not do: it
// takes the token apart on its own, and verifies a text that it puts together again from what it
// has read. Blanks around the header's object get lost in that. Why jwx refuses a signature would
// help nobody.
func verifySigned(signed, signature []byte, algorithm string, material any) bool {
	return guard.Call(func() error {
		verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(algorithm))
		if err != nil {
			return err
		}
		return verifier.Verify(signed, signature, material)
	}) == nil
}

// decodeJWK reads one member of a key set. The material is that of the public key, even if the
// private one is published. False: it is no key that jwx knows, or a point that is not on its curve
// (RFC 7518 §6.2.1), for which jwx does not look.
func decodeJWK(member map[string]any) (k key, ok bool) {
	text, _ := json.Marshal(member) // it has just been decoded
	err := guard.Call(func() error {
		parsed, err := jwk.ParseKey(text)
		if err != nil {
			return err
		}
		k.kid = parsed.KeyID()
		k.algorithm = parsed.Algorithm().String()
		k.material, err = jwk.PublicRawKeyOf(parsed)
		if err != nil {
			return err
		}
		if public, ok := k.material.(*ecdsa.PublicKey); ok {
			_, err = public.ECDH() // which is possible with points of the curve only
		}
		return err
	})
	return k, err == nil
}
