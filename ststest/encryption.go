package ststest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Limits of encrypted assertions: IAM API Reference, UpdateSAMLProvider and
// GetSAMLProvider. That a key has at least 2048 bits is ours.
const (
	maxPrivateKeys    = 2
	maxPrivateKey     = 16_384
	minPrivateKeyBits = 2048
)

var uuidForm = newPattern(`\A[A-Z0-9]{22,64}\z`)

// A SAMLEncryption holds a SAML provider's settings for encrypted assertions.
// The zero value has no private key: assertions are not encrypted.
type SAMLEncryption struct {
	// PrivateKeys are up to two RSA keys of at least 2048 bits in PEM (PKCS #1
	// or #8, not encrypted), newest first. They are tried in this order. In
	// IAM, AddPrivateKey adds them.
	PrivateKeys [][]byte

	// Required is the AssertionEncryptionMode Required: assertions that are not
	// encrypted are refused, and so is a Recipient other than
	// https://{sign-in host}/saml/acs/{UUID}. Otherwise the mode is Allowed. It
	// needs PrivateKeys and UUID.
	Required bool

	// UUID is the SAMLProviderUUID, 22 to 64 capital letters and digits such as
	// SAMLSPEXAMPLE000000001. IAM generates it; here the test chooses it.
	UUID string
}

// PutSAMLEncryption replaces the encryption settings of the SAML provider with
// the ARN, which must exist. Errors have IAM's words where IAM publishes them,
// and never hold a key. On an error nothing has changed.
func (s *Server) PutSAMLEncryption(arn string, e SAMLEncryption) error {
	keys, err := e.parse()
	if err != nil {
		return fmt.Errorf("ststest: SAML provider %s: %w", arn, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.providers[arn]
	if old == nil {
		return fmt.Errorf("ststest: there is no SAML provider %q: call PutSAMLProvider first", arn)
	}
	next := *old
	next.privateKeys = keys
	next.required = e.Required
	next.uuid = strings.Clone(e.UUID)
	s.providers[arn] = &next
	return nil
}

func (e SAMLEncryption) parse() ([]*rsa.PrivateKey, error) {
	switch {
	case len(e.PrivateKeys) > maxPrivateKeys:
		return nil, iamSays("Private key limit of 2 is reached.")
	case e.Required && len(e.PrivateKeys) == 0:
		return nil, iamSays("Unable to set assertion encryption mode to Required " +
			"because no private key is provided.")
	case e.UUID != "" && !uuidForm.MatchString(e.UUID), e.Required && e.UUID == "":
		return nil, errors.New(
			"UUID must be 22 to 64 capital letters and digits, and Required needs it")
	}
	var keys []*rsa.PrivateKey
	for _, text := range e.PrivateKeys {
		key := parsePrivateKey(text)
		if key == nil {
			return nil, iamSays("Invalid private key.")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// iamSays makes an error of IAM's own words, with its capital letter and full
// stop (IAM User Guide, Troubleshoot SAML federation with IAM).
func iamSays(words string) error { return errors.New(words) }

// parsePrivateKey returns nil for everything but one usable RSA key in PEM.
func parsePrivateKey(text []byte) *rsa.PrivateKey {
	block, rest := pem.Decode(text)
	if len(text) > maxPrivateKey || block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil
	}
	var parsed any
	switch block.Type { // an error leaves nothing that is a key
	case "PRIVATE KEY":
		parsed, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, _ = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, _ := parsed.(*rsa.PrivateKey)
	if key == nil || key.N.BitLen() < minPrivateKeyBits {
		return nil
	}
	return key
}

// ownRecipient reports whether a Recipient is a sign-in URL of this very
// provider, in any region of its partition (IAM User Guide, Create a SAML
// identity provider in IAM).
func (p *provider) ownRecipient(recipient string) bool {
	address, https := strings.CutPrefix(recipient, "https://")
	host, here := strings.CutSuffix(address, "/saml/acs/"+p.uuid)
	region := regionOfSignIn(host)
	if !https || !here || host != hostName(host) || region == "" {
		return false
	}
	return partitionOf(region).name == p.arn.partition
}

// openAssertion puts the decrypted assertion into a copy of the response, which
// is read like any other from there on. A private key that is missing or wrong,
// a bad ciphertext, and a bad assertion or signature inside get the same
// refusal, so that the answers do not tell what a changed ciphertext decrypts
// to (Jager and Somorovsky, How to Break XML Encryption). A response that has
// an Assertion next to the EncryptedAssertion is refused before anything is
// decrypted: otherwise the plain one is accepted whenever the hidden text is
// XML.
func (s *Server) openAssertion(r *request, response *node, p *provider) (
	opened *node, encrypted bool, refusal *apiError,
) {
	plain, hidden := 0, 0
	response.walk(func(n, _ *node) {
		switch {
		case n.is(nsAssertion, "Assertion"):
			plain++
		case n.is(nsAssertion, "EncryptedAssertion"):
			hidden++
		}
	})
	if hidden == 0 {
		if p.required {
			return nil, false, invalidToken("Response must contain an encrypted assertion")
		}
		return response, false, nil
	}
	// The Issuer of the response stands for that of the assertion until this can be trusted.
	outer := response.all(nsAssertion, "Issuer")
	if len(outer) > 1 || len(outer) == 1 && p.issuers[textOf(outer[0])] == nil {
		return nil, true, s.unknownIssuer()
	}
	element := response.only(nsAssertion, "EncryptedAssertion")
	if plain > 0 || hidden > 1 || element == nil {
		return nil, true, s.badSignature(r, errors.New(
			"want exactly one Assertion or EncryptedAssertion, directly in the Response"))
	}
	assertion, err := decryptAssertion(element, p.privateKeys)
	if err != nil {
		return nil, true, s.badSignature(r, err)
	}
	replaced := *response
	replaced.children = nil
	for _, c := range response.children {
		if c.el != nil && c.el.is(nsAssertion, "EncryptedAssertion") {
			c.el = assertion
		}
		replaced.children = append(replaced.children, c)
	}
	return &replaced, true, nil
}
