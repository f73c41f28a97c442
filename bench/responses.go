package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/seed055b7978/delegation"
)

// responseTags is how many session tags the measured response has.
const responseTags = 2

type tag struct{ name, value string }

func tagsOf(n int) []tag {
	tags := make([]tag, n)
	for i := range tags {
		tags[i] = tag{fmt.Sprintf("tag-%02d", i), fmt.Sprintf("value-%02d", i)}
	}
	return tags
}

// bareSign only signs a digest with the key. No response can be made faster.
func bareSign(key *rsa.PrivateKey) func() error {
	digest := sha256.Sum256([]byte("the digest of a SignedInfo"))
	return func() error {
		_, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		return err
	}
}

// crewjamResponse makes the same response from crewjam/saml's types, with one signature of
// goxmldsig. It follows crewjam's identity provider.
func crewjamResponse(signer crypto.Signer, certificate *x509.Certificate, tags int) func() error {
	return func() error {
		_, err := writeCrewjam(signer, certificate, subject, email, tags)
		return err
	}
}

func writeCrewjam(
	signer crypto.Signer, certificate *x509.Certificate, nameID, sessionName string, tags int,
) (string, error) {
	now := time.Now().UTC()
	var random [40]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	id := "_" + hex.EncodeToString(random[:20])
	assertion := crewjamAssertion(id, nameID, sessionName, now, tags)
	signing, err := dsig.NewSigningContext(signer, [][]byte{certificate.Raw})
	if err != nil {
		return "", err
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := signing.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		return "", err
	}
	signed, err := signing.SignEnveloped(assertion.Element())
	if err != nil {
		return "", err
	}
	signature, _ := signed.Child[len(signed.Child)-1].(*etree.Element) // SignEnveloped adds it last
	assertion.Signature = signature
	response := (&saml.Response{
		ID:           "_" + hex.EncodeToString(random[20:]),
		Version:      "2.0",
		IssueInstant: now,
		Destination:  recipient,
		Issuer:       &saml.Issuer{Value: entityID},
		Status:       saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}).Element()
	response.AddChild(assertion.Element())
	text, err := etree.NewDocumentWithRoot(response).WriteToBytes()
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(text), nil
}

func crewjamAssertion(
	id, nameID, sessionName string, now time.Time, tags int,
) *saml.Assertion {
	end := now.Add(5 * time.Minute)
	statement := saml.AttributeStatement{}
	add := func(name, value string) {
		statement.Attributes = append(statement.Attributes, saml.Attribute{
			Name:       name,
			NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
			Values:     []saml.AttributeValue{{Type: "xs:string", Value: value}},
		})
	}
	add(delegation.AttributeRole, role+","+principal)
	add(delegation.AttributeRoleSessionName, sessionName)
	add(delegation.AttributeSessionDuration, "3600")
	for _, tag := range tagsOf(tags) {
		add(delegation.AttributePrincipalTag+tag.name, tag.value)
	}
	unspecified := "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	return &saml.Assertion{
		ID:           id,
		IssueInstant: now,
		Version:      "2.0",
		Issuer:       saml.Issuer{Value: entityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: string(saml.PersistentNameIDFormat), Value: nameID},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method: "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{
					Recipient:    recipient,
					NotOnOrAfter: end,
				},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore:    now.Add(-time.Minute),
			NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{
				{Audience: saml.Audience{Value: audience}},
			},
		},
		AuthnStatements: []saml.AuthnStatement{{
			AuthnInstant: now,
			SessionIndex: id,
			AuthnContext: saml.AuthnContext{
				AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecified},
			},
		}},
		AttributeStatements: []saml.AttributeStatement{statement},
	}
}
