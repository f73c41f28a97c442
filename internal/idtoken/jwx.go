package idtoken

import (
	"encoding/json"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/seed055b7978/delegation/internal/guard"
)

// This file is all that knows jwx. Its panics are errors: on the goroutine of a fetch one would end the process.

// verifyJWS tells whether the signature of a compact JWS is good. Why jwx thinks otherwise would help nobody.
func verifyJWS(raw, algorithm string, material any) bool {
	return guard.Call(func() error {
		_, err := jws.Verify([]byte(raw), jws.WithKey(jwa.SignatureAlgorithm(algorithm), material))
		return err
	}) == nil
}

// decodeJWK reads one member of a key set. The material is that of the public key, even if the private one is published; jwx
// refuses points off the curve. False: it is no key that jwx knows.
func decodeJWK(member map[string]any) (k key, ok bool) {
	text, _ := json.Marshal(member) // it has just been decoded
	err := guard.Call(func() error {
		parsed, err := jwk.ParseKey(text)
		if err == nil {
			k.kid, k.algorithm = parsed.KeyID(), parsed.Algorithm().String()
			k.material, err = jwk.PublicRawKeyOf(parsed)
		}
		return err
	})
	return k, err == nil
}
