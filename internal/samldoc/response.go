package samldoc

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation/internal/guard"
)

// AssertionLife is how long a response can be redeemed: AWS takes an assertion within five minutes
// of its issuance.
const AssertionLife = 5 * time.Minute

// MaxResponse is how many base64 characters a response may have (STS API Reference,
// AssumeRoleWithSAML, SAMLAssertion).
const MaxResponse = 100_000

const (
	clockAllowance   = time.Minute // NotBefore lies this much in the past
	persistentNameID = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	unspecifiedAuthn = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	attributeURI     = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
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
	// Callees call the signer, under the certificate's text; nil: it cannot hang.
	Callees *guard.Callees
}

// Write builds, signs and, if asked, encrypts, and returns the base64 text that STS takes and the
// assertion's ID. Whoever holds the text can redeem it for five minutes. The error is an [*Error],
// or the context's if that ended first.
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
	responseID := "_" + hex.EncodeToString(id[:20])
	assertionID = "_" + hex.EncodeToString(id[20:])
	now = now.UTC()
	assertion, err := r.signed(ctx, assertionID, now)
	if err != nil {
		return "", "", err
	}
	if r.EncryptionKey != "" {
		assertion, err = encryptAssertion(assertion, r.EncryptionKey, random)
		if err != nil {
			return "", "", failed(encryptionFailed, "the assertion: %w", err)
		}
	}
	text, err := textOf(r.around(assertion, responseID, now))
	if err != nil {
		return "", "", failed(signingFailed, "the response cannot be written: %w", err)
	}
	encoded = base64.StdEncoding.EncodeToString(text)
	if len(encoded) > MaxResponse {
		return "", "", failed(tooLarge,
			"the response has %d characters, more than %d", len(encoded), MaxResponse)
	}
	return encoded, assertionID, nil
}

// signed returns the assertion with its signature. The error is as Write's.
func (r *Response) signed(ctx context.Context, id string, now time.Time) (*etree.Element, error) {
	assertion := r.assertion(id, now).Element()
	for _, value := range assertion.FindElements("//saml:AttributeValue") {
		// Without a type the values are plain text. crewjam/saml writes xs:string, a prefix that
		// the assertion alone does not declare.
		value.RemoveAttr("xsi:type")
		value.RemoveAttr("xmlns:xsi")
	}
	signature, err := r.sign(ctx, assertion)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, failed(signingFailed, "the signer: %w", err)
	}
	// The schema wants it behind the issuer.
	behind := assertion.SelectElement("saml:Issuer").Index() + 1
	assertion.InsertChildAt(behind, signature)
	return assertion, nil
}

// assertion says what AWS wants to hear (IAM User Guide, "Configure SAML assertions for the
// authentication response").
func (r *Response) assertion(id string, now time.Time) *saml.Assertion {
	end := now.Add(AssertionLife)
	return &saml.Assertion{
		ID:           id,
		IssueInstant: now,
		Version:      "2.0",
		Issuer:       saml.Issuer{Value: r.EntityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: persistentNameID, Value: r.NameID},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{
					Recipient:    r.Recipient,
					NotOnOrAfter: end,
				},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore:    now.Add(-clockAllowance),
			NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{
				{Audience: saml.Audience{Value: r.Audience}},
			},
		},
		AuthnStatements:     []saml.AuthnStatement{r.authentication(id, now)},
		AttributeStatements: []saml.AttributeStatement{r.attributes()},
	}
}

func (r *Response) authentication(index string, now time.Time) saml.AuthnStatement {
	statement := saml.AuthnStatement{
		AuthnInstant: now,
		SessionIndex: index,
		AuthnContext: saml.AuthnContext{
			AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecifiedAuthn},
		},
	}
	if !r.SessionNotOnOrAfter.IsZero() {
		end := r.SessionNotOnOrAfter.UTC().Truncate(time.Second)
		statement.SessionNotOnOrAfter = &end
	}
	return statement
}

func (r *Response) attributes() (statement saml.AttributeStatement) {
	for _, a := range r.Attributes {
		attribute := saml.Attribute{Name: a.Name, NameFormat: attributeURI}
		for _, v := range a.Values {
			attribute.Values = append(attribute.Values, saml.AttributeValue{Value: v})
		}
		statement.Attributes = append(statement.Attributes, attribute)
	}
	return statement
}

// sign returns the enveloped signature of the assertion: RSA-SHA256, exclusive canonicalisation. An
// HSM or KMS takes its time and crypto.Signer has no context, so the caller can leave while the
// signer finishes without it.
func (r *Response) sign(ctx context.Context, assertion *etree.Element) (*etree.Element, error) {
	copied := assertion.Copy() // goxmldsig changes what it canonicalises
	var signature *etree.Element
	call := func() error {
		signer := NewCheckedSigner(r.Signer, r.Certificate.PublicKey)
		signing, err := dsig.NewSigningContext(signer, [][]byte{r.Certificate.Raw})
		if err != nil {
			return err
		}
		signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		if err := signing.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
			return err
		}
		signature, err = signing.ConstructSignature(copied, true)
		return err
	}
	var err error
	if r.Callees == nil {
		err = guard.Call(call)
	} else {
		err = r.Callees.CallWithin(ctx, string(r.Certificate.Raw), call)
	}
	if err != nil { // the signer may be at work still
		return nil, err
	}
	return signature, nil
}

// around returns a response around an assertion.
func (r *Response) around(assertion *etree.Element, id string, now time.Time) *etree.Element {
	response := (&saml.Response{
		ID:           id,
		Version:      "2.0",
		IssueInstant: now,
		Destination:  r.Recipient,
		Issuer:       &saml.Issuer{Value: r.EntityID},
		Status:       saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}).Element()
	response.RemoveAttr("xmlns:xs")
	response.AddChild(assertion)
	return response
}

// textOf returns the canonical text of an element: a bare CR would be read back as LF, and the
// signature would not verify.
func textOf(element *etree.Element) ([]byte, error) {
	document := etree.NewDocumentWithRoot(element)
	document.WriteSettings = etree.WriteSettings{
		CanonicalText:    true,
		CanonicalAttrVal: true,
		CanonicalEndTags: true,
	}
	return document.WriteToBytes()
}

// encryptAssertion puts a signed assertion out of sight. Its text inside is canonical and declares
// every namespace that it uses, so that the signature verifies wherever it is taken out.
func encryptAssertion(
	assertion *etree.Element, key string, random io.Reader,
) (*etree.Element, error) {
	canonical := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	text, err := canonical.Canonicalize(assertion)
	if err != nil {
		return nil, err
	}
	encrypted, err := Encrypt(text, key, random)
	if err != nil {
		return nil, err
	}
	document := etree.NewDocument()
	err = document.ReadFromString(
		"<saml:EncryptedAssertion>" + string(encrypted) + "</saml:EncryptedAssertion>")
	return document.Root(), err
}

// checkTexts refuses values that XML or the libraries would alter on the way: two different users
// must never look alike.
func (r *Response) checkTexts() error {
	named := []Attribute{
		{"NameID", []string{r.NameID}},
		{"recipient", []string{r.Recipient}},
		{"audience", []string{r.Audience}},
	}
	for _, a := range append(named, r.Attributes...) {
		if strings.TrimSpace(a.Name) == "" || strings.ContainsAny(a.Name, "\t\r\n") {
			return fmt.Errorf("the attribute name %.150q is empty or has a line end or tab", a.Name)
		}
		for _, text := range append([]string{a.Name}, a.Values...) {
			if err := CheckText(text); err != nil {
				return fmt.Errorf("%.150q: %w", a.Name, err)
			}
		}
	}
	return nil
}
