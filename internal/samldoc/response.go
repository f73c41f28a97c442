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

// AssertionLife is how long a response can be redeemed.
// AWS redeems an assertion within five minutes of its issuance
const AssertionLife = 5 * time.Minute

const (
	clockAllowance   = time.Minute // NotBefore lies this much in the past
	maxResponse      = 100_000     // base64 characters: STS API Reference, SAMLAssertion
	persistentNameID = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	unspecifiedAuthn = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
)

// Attribute is a SAML attribute.
type Attribute struct {
	Name   string
	Values []string
}

// Response is what a response says, and who signs it.
type Response struct {
	EntityID            string // the issuer
	Recipient           string
	Audience            string
	NameID              string
	Attributes          []Attribute // in the order they are sent
	SessionNotOnOrAfter time.Time   // zero: none
	// PEM of an RSA public key that the assertion is encrypted for; empty: it is not
	EncryptionKey string
	Signer        crypto.Signer
	Certificate   *x509.Certificate // the signature must verify with it
	// call the signer, under the certificate's text; nil: it cannot hang
	Callees *guard.Callees
}

// Write builds, signs and, if asked, encrypts, and returns the base64 text that STS takes and the
// assertion's ID. Whoever holds the text can redeem it for five minutes. The error is an [*Error],
// or the context's if that ended first.
func (r *Response) Write(ctx context.Context, now time.Time, random io.Reader) (encoded, assertionID string, err error) {
	if err := r.checkTexts(); err != nil {
		return "", "", failed(textInvalid, "%w", err)
	}
	var id [40]byte // SAML Core §1.3.4 asks for 128 bits or more; 160 for each of the two
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", "", failed(signingFailed, "no random numbers: %w", err)
	}
	responseID, assertionID := "_"+hex.EncodeToString(id[:20]), "_"+hex.EncodeToString(id[20:])
	now = now.UTC()
	assertion := r.assertion(assertionID, now).Element()
	for _, value := range assertion.FindElements("//saml:AttributeValue") {
		// Without a type the values are plain text. crewjam/saml writes xs:string, a prefix that
		// the assertion alone does not declare.
		value.RemoveAttr("xsi:type")
		value.RemoveAttr("xmlns:xsi")
	}
	signature, err := r.sign(ctx, assertion)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil:
		return "", "", failed(signingFailed, "the signer: %w", err)
	}
	// where the schema wants it
	assertion.InsertChildAt(assertion.SelectElement("saml:Issuer").Index()+1, signature)

	response := (&saml.Response{
		ID: responseID, Version: "2.0", IssueInstant: now, Destination: r.Recipient, Issuer: &saml.Issuer{Value: r.EntityID},
		Status: saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}).Element()
	response.RemoveAttr("xmlns:xs")
	if r.EncryptionKey != "" {
		if assertion, err = encrypt(assertion, r.EncryptionKey, random); err != nil {
			return "", "", failed(encryptionFailed, "the assertion: %w", err)
		}
	}
	response.AddChild(assertion)
	document := etree.NewDocumentWithRoot(response)
	// Canonical text: a bare CR would be read back as LF, and the signature would not verify.
	document.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true}
	text, err := document.WriteToBytes()
	if err != nil {
		return "", "", failed(signingFailed, "the response cannot be written: %w", err)
	}
	if encoded = base64.StdEncoding.EncodeToString(text); len(encoded) > maxResponse {
		return "", "", failed(tooLarge, "the response has %d characters, more than %d", len(encoded), maxResponse)
	}
	return encoded, assertionID, nil
}

// assertion says what AWS wants to hear (IAM User Guide, "Configure SAML assertions for the
// authentication response").
func (r *Response) assertion(id string, now time.Time) *saml.Assertion {
	end := now.Add(AssertionLife)
	authn := saml.AuthnStatement{AuthnInstant: now, SessionIndex: id, AuthnContext: saml.AuthnContext{
		AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecifiedAuthn}}}
	if !r.SessionNotOnOrAfter.IsZero() {
		session := r.SessionNotOnOrAfter.UTC().Truncate(time.Second)
		authn.SessionNotOnOrAfter = &session
	}
	statement := saml.AttributeStatement{}
	for _, a := range r.Attributes {
		attribute := saml.Attribute{Name: a.Name, NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}
		for _, v := range a.Values {
			attribute.Values = append(attribute.Values, saml.AttributeValue{Value: v})
		}
		statement.Attributes = append(statement.Attributes, attribute)
	}
	return &saml.Assertion{
		ID: id, IssueInstant: now, Version: "2.0", Issuer: saml.Issuer{Value: r.EntityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: persistentNameID, Value: r.NameID},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method:                  "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{Recipient: r.Recipient, NotOnOrAfter: end},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore: now.Add(-clockAllowance), NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{{Audience: saml.Audience{Value: r.Audience}}},
		},
		AuthnStatements:     []saml.AuthnStatement{authn},
		AttributeStatements: []saml.AttributeStatement{statement},
	}
}

// sign returns the enveloped signature of the assertion: RSA-SHA256, exclusive canonicalisation. An
// HSM or KMS takes its time and crypto.Signer has no context, so the caller can leave while the
// signer finishes without it.
func (r *Response) sign(ctx context.Context, assertion *etree.Element) (*etree.Element, error) {
	copied := assertion.Copy() // goxmldsig changes what it canonicalises
	var signature *etree.Element
	call := func() error {
		signing, err := dsig.NewSigningContext(NewCheckedSigner(r.Signer, r.Certificate.PublicKey), [][]byte{r.Certificate.Raw})
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

// encrypt puts a signed assertion out of sight. Its text inside is canonical and declares every
// namespace that it uses, so that the signature verifies wherever it is taken out.
func encrypt(assertion *etree.Element, key string, random io.Reader) (*etree.Element, error) {
	text, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(assertion)
	if err == nil {
		text, err = Encrypt(text, key, random)
	}
	document := etree.NewDocument()
	if err == nil {
		err = document.ReadFromString("<saml:EncryptedAssertion>" + string(text) + "</saml:EncryptedAssertion>")
	}
	return document.Root(), err
}

// checkTexts refuses values that XML or the libraries would alter on the way: two different users
// must never look alike.
func (r *Response) checkTexts() error {
	named := append([]Attribute{{"NameID", []string{r.NameID}}, {"recipient", []string{r.Recipient}}, {"audience", []string{r.Audience}}}, r.Attributes...)
	for _, a := range named {
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
