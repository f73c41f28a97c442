package idtoken

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
)

// hs256 is the algorithm of shared secrets.
const hs256 = "HS256"

// clientSecrets are the secrets, by client ID, with which an issuer signs the tokens of some of its
// clients. An issuer without published keys has them as its keys.
type clientSecrets map[string]sharedSecret

// find implements keyFinder for a search that does not belong to one client: it finds nothing.
func (c clientSecrets) find(context.Context, *search) ([]key, bool, error) {
	return nil, true, newError(algorithmSecret, "the issuer signs with its clients' secrets only")
}

// keysFor returns the source of the keys that may have signed the token: its client's secret, or
// the keys that the issuer publishes.
//
// The client is read from claims that nobody has verified. That is safe: anyone who has one
// client's secret can sign for this client alone, which checkBound makes sure of for ID tokens. For
// logout tokens, [Logout].Client makes sure of it too.
func (t *compactJWS) keysFor(by *issuer) (keyFinder, error) {
	if t.algorithm != hs256 || by.secrets == nil {
		return by.keys, nil
	}
	if t.audience == "" {
		return nil, newError(claimSecretAudience,
			"the token is signed with a client's secret, and has not exactly one audience")
	}
	secret, ok := by.secrets[t.audience]
	if !ok {
		return nil, newError(algorithmSecret,
			"the token is signed with HS256, and the client %.80q has no secret at this issuer",
			t.audience)
	}
	return secret, nil
}

// checkBound checks that a verified token was signed in the way that its client's tokens are. A
// client knows its secret and could sign any claims with it, so they count for this client alone.
func (i *issuer) checkBound(algorithm string, c *Claims) error {
	if i.secrets == nil {
		return nil
	}
	if algorithm == hs256 {
		if len(c.Audience) != 1 || c.Client != c.Audience[0] {
			return newError(claimSecretAudience,
				"the token is signed with the secret of %.80q, and was issued to %.80q",
				c.Audience[0], c.Client)
		}
		return nil
	}
	if _, bound := i.secrets[c.Client]; bound {
		return newError(algorithmPublished,
			"the token's algorithm is %.80q, and those of the client %.80q are signed with its "+
				"secret", algorithm, c.Client)
	}
	return nil
}

// DecodeSecret decodes a secret that is shown as base64url, with or without padding.
func DecodeSecret(text string) (string, error) {
	encoding := base64.RawURLEncoding
	if strings.HasSuffix(text, "=") {
		encoding = base64.URLEncoding
	}
	decoded, err := encoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder would skip
		return "", errors.New("is not base64url")
	}
	return string(decoded), nil
}

// refuseSecret refuses a signature that does not verify with a shared secret. It says so if it
// verifies with the secret in its other form, which only a holder of the secret can cause.
func (t *compactJWS) refuseSecret(secret []byte) error {
	verifies := func(other string) bool {
		return other != "" && verifySigned(t.signed, t.signature, t.algorithm, []byte(other))
	}
	if decoded, err := DecodeSecret(string(secret)); err == nil && verifies(decoded) {
		return newError(signatureInvalid, "the signature verifies only with the shared secret "+
			"decoded from base64url: set Issuer.SharedSecretBase64URL, or Base64URL of the "+
			"client's secret")
	}
	encodings := []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding}
	for _, encoding := range encodings {
		if verifies(encoding.EncodeToString(secret)) {
			return newError(signatureInvalid, "the signature verifies only with the text of the "+
				"shared secret, without decoding: leave Issuer.SharedSecretBase64URL, or "+
				"Base64URL of the client's secret, unset")
		}
	}
	return newError(signatureInvalid, "the signature does not verify with the shared secret")
}
