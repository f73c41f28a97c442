package samldoc_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

// oracle writes a response with crewjam/saml's own writer, etree and goxmldsig, as this package did
// before it had a writer. All that the two have in common is CheckText, the checked signer and
// Encrypt, which have tests of their own.
type oracle struct{ *samldoc.Response }

var (
	errText  = errors.New("a text is refused")
	errLarge = errors.New("the response is too large")
)

// Write is Response.Write.
func (r oracle) Write(
	_ context.Context, now time.Time, random io.Reader,
) (encoded, assertionID string, err error) {
	if err := r.checkTexts(); err != nil {
		return "", "", err
	}
	var id [40]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", "", err
	}
	responseID := "_" + hex.EncodeToString(id[:20])
	assertionID = "_" + hex.EncodeToString(id[20:])
	now = now.UTC().Add(-time.Minute) // when it is issued
	assertion, err := r.signed(assertionID, now)
	if err != nil {
		return "", "", err
	}
	if r.EncryptionKey != "" {
		assertion, err = encryptAssertion(assertion, r.EncryptionKey, random)
		if err != nil {
			return "", "", err
		}
	}
	text, err := textOf(r.around(assertion, responseID, now))
	if err != nil {
		return "", "", err
	}
	encoded = base64.StdEncoding.EncodeToString(text)
	if len(encoded) > samldoc.MaxResponse {
		return "", "", errLarge
	}
	return encoded, assertionID, nil
}

func (r oracle) checkTexts() error {
	named := []samldoc.Attribute{
		{Name: "NameID", Values: []string{r.NameID}},
		{Name: "recipient", Values: []string{r.Recipient}},
		{Name: "audience", Values: []string{r.Audience}},
	}
	for _, a := range append(named, r.Attributes...) {
		if strings.TrimSpace(a.Name) == "" || strings.ContainsAny(a.Name, "\t\r\n") {
			return fmt.Errorf("%w: the name %q", errText, a.Name)
		}
		for _, text := range append([]string{a.Name}, a.Values...) {
			if err := samldoc.CheckText(text); err != nil {
				return fmt.Errorf("%w: %w", errText, err)
			}
		}
	}
	return nil
}

func (r oracle) signed(id string, now time.Time) (*etree.Element, error) {
	assertion := r.assertion(id, now).Element()
	removeTypes(assertion)
	signature, err := r.sign(assertion)
	if err != nil {
		return nil, err
	}
	after := assertion.SelectElement("saml:Issuer").Index() + 1
	assertion.InsertChildAt(after, signature)
	return assertion, nil
}

// removeTypes takes xs:string from the values, a prefix that the assertion does not declare.
func removeTypes(document *etree.Element) {
	for _, value := range document.FindElements("//saml:AttributeValue") {
		value.RemoveAttr("xsi:type")
		value.RemoveAttr("xmlns:xsi")
	}
}

func (r oracle) assertion(id string, now time.Time) *saml.Assertion {
	end := now.Add(5 * time.Minute)
	return &saml.Assertion{
		ID:           id,
		IssueInstant: now,
		Version:      "2.0",
		Issuer:       saml.Issuer{Value: r.EntityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{
				Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
				Value:  r.NameID,
			},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{
					Recipient:    r.Recipient,
					NotOnOrAfter: end,
				},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore:    now,
			NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{
				{Audience: saml.Audience{Value: r.Audience}},
			},
		},
		AuthnStatements:     []saml.AuthnStatement{r.authentication(id, now)},
		AttributeStatements: []saml.AttributeStatement{r.attributes()},
	}
}

func (r oracle) authentication(index string, now time.Time) saml.AuthnStatement {
	statement := saml.AuthnStatement{
		AuthnInstant: now,
		SessionIndex: index,
		AuthnContext: saml.AuthnContext{
			AuthnContextClassRef: &saml.AuthnContextClassRef{
				Value: "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
			},
		},
	}
	if !r.SessionNotOnOrAfter.IsZero() {
		end := r.SessionNotOnOrAfter.UTC().Truncate(time.Second)
		statement.SessionNotOnOrAfter = &end
	}
	return statement
}

func (r oracle) attributes() (statement saml.AttributeStatement) {
	for _, a := range r.Attributes {
		attribute := saml.Attribute{
			Name:       a.Name,
			NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
		}
		for _, v := range a.Values {
			attribute.Values = append(attribute.Values, saml.AttributeValue{Value: v})
		}
		statement.Attributes = append(statement.Attributes, attribute)
	}
	return statement
}

func (r oracle) sign(assertion *etree.Element) (*etree.Element, error) {
	copied := assertion.Copy() // goxmldsig changes what it canonicalises
	signer := samldoc.NewCheckedSigner(r.Signer, r.Certificate.PublicKey)
	signing, err := dsig.NewSigningContext(signer, [][]byte{r.Certificate.Raw})
	if err != nil {
		return nil, err
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := signing.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		return nil, err
	}
	return signing.ConstructSignature(copied, true)
}

func (r oracle) around(assertion *etree.Element, id string, now time.Time) *etree.Element {
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

func encryptAssertion(
	assertion *etree.Element, key string, random io.Reader,
) (*etree.Element, error) {
	canonical := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	text, err := canonical.Canonicalize(assertion)
	if err != nil {
		return nil, err
	}
	encrypted, err := samldoc.Encrypt(text, key, random)
	if err != nil {
		return nil, err
	}
	document := etree.NewDocument()
	err = document.ReadFromString(
		"<saml:EncryptedAssertion>" + string(encrypted) + "</saml:EncryptedAssertion>")
	return document.Root(), err
}

// unsigned writes crewjam/saml's types without a signature.
func unsigned(r *saml.Response) ([]byte, error) {
	response := r.Element()
	response.RemoveAttr("xmlns:xs")
	removeTypes(response)
	return textOf(response)
}
