package idtoken

import (
	"encoding/json"
	"errors"
	"sync"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/seed055b7978/delegation/internal/guard"
)

// Only this file uses jwx. A panic of jwx becomes an error: on the goroutine of a fetch it would
// end the process.

// buffers have a []byte each for a text that jwx takes as bytes. A text is a token without its
// signature, so it is cleared before its buffer is kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxBuffer is how many bytes a buffer may have that is kept.
const maxBuffer = 64 << 10

// verifySigned tells whether the signature over the text is good. jws.Verify cannot be used: it
// parses the token itself, and verifies a text that it reassembles from the parts. White space
// around the header's object gets lost in that. The reason why jwx refuses a signature is dropped,
// because it would help nobody.
func verifySigned(signed string, signature []byte, algorithm string, material any) bool {
	buffer := buffers.Get().(*[]byte)
	text := append((*buffer)[:0], signed...)
	defer func() {
		clear(text)
		if cap(text) <= maxBuffer {
			*buffer = text
			buffers.Put(buffer)
		}
	}()
	return guard.Call(func() error {
		verifier, err := jws.NewVerifier(jwa.SignatureAlgorithm(algorithm))
		if err != nil {
			return err
		}
		return verifier.Verify(text, signature, material)
	}) == nil
}

// decodeJWK makes the public key of the members that it consists of, each a text.
func decodeJWK(public map[string]any) (material any, err error) {
	text, _ := json.Marshal(public) // texts cannot fail
	err = guard.Call(func() error {
		parsed, err := jwk.ParseKey(text)
		if err != nil {
			return err
		}
		return parsed.Raw(&material)
	})
	if err != nil {
		return nil, errors.New("its members are not a public key") // jwx's error may quote them
	}
	return material, nil
}
