package awslive

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const (
	samlNS      = "urn:oasis:names:tc:SAML:2.0:assertion"
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	attributeNS = "https://aws.amazon.com/SAML/Attributes/"
	persistent  = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
)

// keyPair signs, with a certificate of its own.
type keyPair struct {
	signer      crypto.Signer
	certificate []byte
}

// newKeyPair makes a certificate for a key.
func newKeyPair(signer crypto.Signer, now time.Time) (keyPair, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	return keyPair{signer, der}, err
}

// attribute is a SAML attribute. Its name is after AWS's prefix, unless it is a URI.
type attribute struct {
	name   string
	values []string
}

// response is a SAML response to be. A probe changes one thing in one that AWS accepts.
type response struct {
	issuer, recipient string
	audiences         []string // none: there is no AudienceRestriction
	nameID, format    string

	responseIssued, assertionIssued time.Time
	notBefore, end                  time.Time

	attributes     []attribute
	key            keyPair
	method         string // of the signature
	signsAssertion bool
	signsResponse  bool
	spoilt         bool // the NameID is changed after it was signed
}

// set gives an attribute other values.
func (r *response) set(name string, values ...string) {
	for i := range r.attributes {
		if r.attributes[i].name == name {
			r.attributes[i].values = values
			return
		}
	}
	r.attributes = append(r.attributes, attribute{name, values})
}

// encoded builds and signs the response, and encodes it as STS takes it.
func (r *response) encoded() (string, error) {
	document := etree.NewDocument()
	document.WriteSettings = etree.WriteSettings{
		CanonicalEndTags: true,
		CanonicalText:    true,
		CanonicalAttrVal: true,
	}
	root := document.CreateElement("samlp:Response")
	with(root, "xmlns:samlp", protocolNS, "ID", newID(), "Version", "2.0",
		"IssueInstant", stamp(r.responseIssued))
	with(root.CreateElement("saml:Issuer"), "xmlns:saml", samlNS).SetText(r.issuer)
	status := root.CreateElement("samlp:Status").CreateElement("samlp:StatusCode")
	with(status, "Value", "urn:oasis:names:tc:SAML:2.0:status:Success")
	assertion := r.assertion(root)
	if r.signsAssertion {
		if err := r.sign(assertion); err != nil {
			return "", err
		}
	}
	if r.signsResponse {
		if err := r.sign(root); err != nil {
			return "", err
		}
	}
	if r.spoilt {
		assertion.FindElement("./saml:Subject/saml:NameID").SetText(r.nameID + "x")
	}
	text, err := document.WriteToBytes()
	return base64.StdEncoding.EncodeToString(text), err
}

// assertion adds the assertion to the response.
func (r *response) assertion(root *etree.Element) *etree.Element {
	a := with(root.CreateElement("saml:Assertion"), "xmlns:saml", samlNS, "ID", newID(),
		"Version", "2.0", "IssueInstant", stamp(r.assertionIssued))
	a.CreateElement("saml:Issuer").SetText(r.issuer)
	subject := a.CreateElement("saml:Subject")
	with(subject.CreateElement("saml:NameID"), "Format", r.format).SetText(r.nameID)
	confirmation := with(subject.CreateElement("saml:SubjectConfirmation"),
		"Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
	with(confirmation.CreateElement("saml:SubjectConfirmationData"),
		"Recipient", r.recipient, "NotOnOrAfter", stamp(r.end))
	conditions := with(a.CreateElement("saml:Conditions"),
		"NotBefore", stamp(r.notBefore), "NotOnOrAfter", stamp(r.end))
	for _, audience := range r.audiences {
		conditions.CreateElement("saml:AudienceRestriction").CreateElement("saml:Audience").
			SetText(audience)
	}
	with(a.CreateElement("saml:AuthnStatement"), "AuthnInstant", stamp(r.assertionIssued))
	statement := a.CreateElement("saml:AttributeStatement")
	for _, one := range r.attributes {
		name := one.name
		if !strings.Contains(name, ":") || strings.HasPrefix(name, "PrincipalTag:") {
			name = attributeNS + name
		}
		element := with(statement.CreateElement("saml:Attribute"), "Name", name)
		for _, value := range one.values {
			element.CreateElement("saml:AttributeValue").SetText(value)
		}
	}
	return a
}

// sign puts an enveloped signature after the issuer of an element.
func (r *response) sign(element *etree.Element) error {
	context, err := dsig.NewSigningContext(r.key.signer, [][]byte{r.key.certificate})
	if err != nil {
		return err
	}
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := context.SetSignatureMethod(r.method); err != nil {
		return err
	}
	signature, err := context.ConstructSignature(element, true)
	if err != nil {
		return err
	}
	element.InsertChildAt(1, signature)
	return nil
}

func with(element *etree.Element, pairs ...string) *etree.Element {
	for i := 0; i < len(pairs); i += 2 {
		element.CreateAttr(pairs[i], pairs[i+1])
	}
	return element
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func newID() string {
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails
	return "_" + hex.EncodeToString(random[:])
}

// metadata is the SAML metadata of an entity ID with certificates. IAM wants 1,000 characters.
func metadata(entityID string, certificates ...[]byte) string {
	var keys strings.Builder
	for _, certificate := range certificates {
		fmt.Fprintf(&keys, `<KeyDescriptor use="signing">`+
			`<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s`+
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(certificate))
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
		`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="%s">`+
		`<IDPSSODescriptor WantAuthnRequestsSigned="false" protocolSupportEnumeration="%s">%s`+
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" `+
		`Location="https://example.com/sso"/></IDPSSODescriptor></EntityDescriptor>%s`+"\n",
		entityID, protocolNS, keys.String(), strings.Repeat(" ", 1000))
}
