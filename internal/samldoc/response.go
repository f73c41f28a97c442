package samldoc

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/seed055b7978/delegation/internal/guard"
)

// AssertionLife is how long a response can be redeemed if this machine's clock is right: AWS takes
// an assertion within five minutes of its issuance, and it is issued in the past.
const AssertionLife = redeemWithin - clockAllowance

// MaxResponse is how many base64 characters a response may have (STS API Reference,
// AssumeRoleWithSAML, SAMLAssertion).
const MaxResponse = 100_000

const (
	// redeemWithin is AWS's limit, counted from IssueInstant ("Token must be redeemed within 5
	// minutes of issuance").
	redeemWithin = 5 * time.Minute
	// clockAllowance is how far in the past a response is issued, and begins to be valid. This
	// machine's clock may be ahead of AWS's by as much. AWS does not say what difference it
	// tolerates.
	clockAllowance = time.Minute

	idLength           = 1 + 2*20
	samlVersion        = "2.0"
	persistentNameID   = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	unspecifiedAuthn   = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	bearerConfirmation = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	attributeURI       = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
)

// Attribute is a SAML attribute.
type Attribute struct {
	Name   string
	Values []string
}

// Response is what a response says, and who signs it.
type Response struct {
	EntityID  string // the issuer
	Recipient string
	Audience  string
	NameID    string
	// Attributes are sent in this order.
	Attributes []Attribute
	// SessionNotOnOrAfter is when the session at AWS ends at the latest; zero: not said.
	SessionNotOnOrAfter time.Time

	// EncryptionKey is the PEM of an RSA public key that the assertion is encrypted for; empty: it
	// is not.
	EncryptionKey string

	Signer crypto.Signer
	// Certificate is the one that the signature must verify with.
	Certificate *x509.Certificate
	// Callees call the signer, under the certificate's text, because it may hang; nil: it is called
	// directly. A key in memory does not need them.
	Callees *guard.Callees
}

// Write builds and signs the response, and encrypts the assertion if asked. It returns the base64
// text that STS takes, and the assertion's ID. A holder of the text can redeem it for up to five
// minutes. The error is an [*Error], or the context's if that ended first.
func (r *Response) Write(
	ctx context.Context, now time.Time, random io.Reader,
) (encoded, assertionID string, err error) {
	if err := r.checkTexts(); err != nil {
		return "", "", failed(textInvalid, "%w", err)
	}
	var id [40]byte // SAML Core §1.3.4 asks for 128 bits or more; 160 for each of the two
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", "", failed(signingFailed, "no random numbers: %w", err)
	}
	responseID := elementID(id[:20])
	assertionID = elementID(id[20:])
	issued := now.UTC().Add(-clockAllowance)
	text, err := r.text(ctx, responseID, assertionID, issued, random)
	if err != nil {
		return "", "", err
	}
	size := base64.StdEncoding.EncodedLen(len(text))
	if size > MaxResponse {
		return "", "", failed(tooLarge,
			"the response has %d characters, more than %d", size, MaxResponse)
	}
	return encode(text), assertionID, nil
}

// text returns the response with its signed assertion, which is encrypted if asked. The assertion
// is written once: these bytes are hashed, and the signature is inserted into them. The error is as
// Write's.
func (r *Response) text(
	ctx context.Context, responseID, assertionID string, issued time.Time, random io.Reader,
) ([]byte, error) {
	w := &writer{text: make([]byte, 0, r.size())}
	r.writeStart(w, responseID, issued)
	start := len(w.text)
	signatureAt := r.writeAssertion(w, assertionID, issued)
	if w.err != nil {
		return nil, failed(signingFailed, "the response cannot be written: %w", w.err)
	}
	signed, err := r.sign(ctx, w.text, start, signatureAt, assertionID)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, failed(signingFailed, "the signer: %w", err)
	}
	w.text = signed
	if r.EncryptionKey != "" {
		encrypted, err := Encrypt(w.text[start:], r.EncryptionKey, random)
		if err != nil {
			return nil, failed(encryptionFailed, "the assertion: %w", err)
		}
		w.text = w.text[:start]
		w.encryptedAssertion(encrypted)
	}
	w.responseEnd()
	return w.text, nil
}

// writeStart writes the response up to its assertion.
func (r *Response) writeStart(w *writer, id string, issued time.Time) {
	w.responseStart(&saml.Response{
		ID:           id,
		Version:      samlVersion,
		IssueInstant: issued,
		Destination:  r.Recipient,
		Issuer:       &saml.Issuer{Value: r.EntityID},
		Status:       saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	})
}

// writeAssertion writes what AWS wants to hear (IAM User Guide, "Configure SAML assertions for the
// authentication response"), and returns where in the text the signature belongs.
func (r *Response) writeAssertion(w *writer, id string, issued time.Time) (signatureAt int) {
	end := issued.Add(redeemWithin)
	var sessionEnd *time.Time
	if !r.SessionNotOnOrAfter.IsZero() {
		seconds := r.SessionNotOnOrAfter.UTC().Truncate(time.Second)
		sessionEnd = &seconds
	}
	return w.assertion(&saml.Assertion{
		ID:           id,
		IssueInstant: issued,
		Version:      samlVersion,
		Issuer:       saml.Issuer{Value: r.EntityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: persistentNameID, Value: r.NameID},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method: bearerConfirmation,
				SubjectConfirmationData: &saml.SubjectConfirmationData{
					Recipient:    r.Recipient,
					NotOnOrAfter: end,
				},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore:    issued,
			NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{
				{Audience: saml.Audience{Value: r.Audience}},
			},
		},
		AuthnStatements: []saml.AuthnStatement{{
			AuthnInstant:        issued,
			SessionIndex:        id,
			SessionNotOnOrAfter: sessionEnd,
			AuthnContext: saml.AuthnContext{
				AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecifiedAuthn},
			},
		}},
		AttributeStatements: []saml.AttributeStatement{{Attributes: r.attributes()}},
	})
}

// attributes are crewjam/saml's, with all their values in one array.
func (r *Response) attributes() []saml.Attribute {
	total := 0
	for _, a := range r.Attributes {
		total += len(a.Values)
	}
	values := make([]saml.AttributeValue, 0, total)
	attributes := make([]saml.Attribute, len(r.Attributes))
	for i, a := range r.Attributes {
		first := len(values)
		for _, v := range a.Values {
			values = append(values, saml.AttributeValue{Value: v})
		}
		attributes[i] = saml.Attribute{
			Name:       a.Name,
			NameFormat: attributeURI,
			Values:     values[first:],
		}
	}
	return attributes
}

// size is how many bytes the response takes without encryption, and up to 30 more. References such
// as &amp; are not counted: with many of them the text grows.
func (r *Response) size() int {
	const (
		markup       = 1536 // of response and assertion, with IDs and times
		perAttribute = len(`<saml:Attribute Name="" NameFormat="` + attributeURI +
			`"></saml:Attribute>`)
		perValue = len(`<saml:AttributeValue></saml:AttributeValue>`)
	)
	size := markup + r.signatureSize(r.valueSize())
	size += 2*len(r.EntityID) + 2*len(r.Recipient) + len(r.Audience) + len(r.NameID)
	for _, a := range r.Attributes {
		size += perAttribute + len(a.Name)
		for _, value := range a.Values {
			size += perValue + len(value)
		}
	}
	return size
}

// elementID makes an ID of 20 random bytes. An ID does not begin with a digit (XML 1.0 §2.3, Name).
func elementID(random []byte) string {
	var id [idLength]byte
	id[0] = '_'
	hex.Encode(id[1:], random)
	return string(id[:])
}

// encode is base64's EncodeToString without its second copy of the text.
func encode(text []byte) string {
	const piece = 768 // a multiple of three needs no padding
	var encoded strings.Builder
	encoded.Grow(base64.StdEncoding.EncodedLen(len(text)))
	var buffer [piece / 3 * 4]byte
	for part := range slices.Chunk(text, piece) {
		encoded.Write(base64.StdEncoding.AppendEncode(buffer[:0], part))
	}
	return encoded.String()
}

// checkTexts refuses values that XML would alter on the way, and names them: two different users
// must never look alike.
func (r *Response) checkTexts() error {
	for _, text := range []struct{ name, value string }{
		{"NameID", r.NameID},
		{"recipient", r.Recipient},
		{"audience", r.Audience},
		{"entity ID", r.EntityID},
	} {
		if err := checkText(text.name, text.value); err != nil {
			return err
		}
	}
	for _, a := range r.Attributes {
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a name or a value that would not arrive as it is.
func (a *Attribute) check() error {
	if strings.TrimSpace(a.Name) == "" || strings.ContainsAny(a.Name, "\t\r\n") {
		return fmt.Errorf("the attribute name %.150q is empty or has a line end or tab", a.Name)
	}
	if err := checkText(a.Name, a.Name); err != nil {
		return err
	}
	for _, value := range a.Values {
		if err := checkText(a.Name, value); err != nil {
			return err
		}
	}
	return nil
}

// checkText is CheckText, with the text's name in its error.
func checkText(name, text string) error {
	if err := CheckText(text); err != nil {
		return fmt.Errorf("%.150q: %w", name, err)
	}
	return nil
}
