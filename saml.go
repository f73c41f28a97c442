package delegation

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/seed055b7978/delegation/internal/checkedsigner"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/xmlenc"
	"github.com/seed055b7978/delegation/internal/xmltext"
)

// Limits and names of the SAML side.
const (
	assertionLife    = 5 * time.Minute // AWS redeems an assertion within five minutes of its issuance
	clockAllowance   = time.Minute     // NotBefore lies this much in the past
	maxSAMLResponse  = 100_000         // base64 characters: STS API Reference, SAMLAssertion
	maxMetadata      = 10_000_000      // characters: IAM API Reference, CreateSAMLProvider
	maxSigningKeys   = 10              // keys that IAM keeps for one provider
	minSigningKey    = 2048            // bits of RSA: NIST SP 800-131A allows no signature with fewer
	maxEntityID      = 1024            // SAML Core §8.3.6
	persistentNameID = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	unspecifiedAuthn = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	// The schema wants a sign-in address in metadata, and this identity provider has none: users never visit it.
	noSignInAddress = "https://delegation.invalid/saml"
)

// metadataEnd is RFC 5280's way to say "no end" (§4.1.2.5); IAM does not read it.
var metadataEnd = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// IdentityProvider is the SAML identity that AWS trusts.
type IdentityProvider struct {
	// EntityID is the assertion's Issuer, SAML:iss in trust policies. It must equal the entityID of the metadata in IAM,
	// byte for byte; after a move from Auth0 keep urn:TENANT.auth0.com, so that trust policies need no change.
	EntityID string
	// Keys: the first signs, all are published in the metadata. Publish the next key before it signs. 1 to 10.
	Keys []SigningKey
}

// SigningKey is an RSA key of at least 2048 bits, in memory, an HSM or a KMS, and its certificate, which may be self-signed.
// AWS trusts the key and reads neither names nor dates of the certificate. Signer must be safe for concurrent use.
type SigningKey struct {
	Signer      crypto.Signer     // signs SHA-256 digests with PKCS #1 v1.5
	Certificate *x509.Certificate // of Signer's public key, as x509.ParseCertificate returns it
}

// MarshalText keeps a key in memory out of JSON and logs.
func (SigningKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ParseSigningKey reads a certificate and its private key (PKCS #1 or #8) from PEM. The error is a [CodeConfigInvalid].
func ParseSigningKey(certificatePEM, keyPEM []byte) (SigningKey, error) {
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return SigningKey{}, newError(CodeConfigInvalid, "the signing key: %w", err)
	}
	signer, _ := pair.PrivateKey.(crypto.Signer) // check refuses nil
	key := SigningKey{signer, pair.Leaf}
	if err := key.check(); err != nil {
		return SigningKey{}, newError(CodeConfigInvalid, "the signing key: %w", err)
	}
	return key, nil
}

// check reports what is wrong with the key. A signer may panic, for example as a nil pointer in the interface.
func (k SigningKey) check() error {
	return guard.Call(func() error {
		if k.Signer == nil || k.Certificate == nil || len(k.Certificate.Raw) == 0 {
			return errors.New("it needs Signer and a parsed Certificate")
		}
		public, ok := k.Signer.Public().(*rsa.PublicKey)
		if !ok || public.N.BitLen() < minSigningKey {
			return fmt.Errorf("it is not RSA of at least %d bits, the only kind AWS is known to accept", minSigningKey)
		}
		if !public.Equal(k.Certificate.PublicKey) {
			return errors.New("the certificate does not belong to it")
		}
		return nil
	})
}

func (p IdentityProvider) clone() IdentityProvider {
	p.Keys = slices.Clone(p.Keys)
	return p
}

// check returns every problem of the identity.
func (p IdentityProvider) check() error {
	var problems problems
	if p.EntityID == "" || strings.TrimSpace(p.EntityID) != p.EntityID || utf8.RuneCountInString(p.EntityID) > maxEntityID || xmltext.Check(p.EntityID) != nil {
		problems.add("EntityID must have 1 to %d characters and no blanks around it, such as urn:example.com", maxEntityID)
	}
	if len(p.Keys) < 1 || len(p.Keys) > maxSigningKeys {
		problems.add("Keys must hold 1 to %d keys, has %d", maxSigningKeys, len(p.Keys))
	}
	for i, key := range p.Keys {
		if err := key.check(); err != nil {
			problems.add("Keys[%d]: %w", i, err)
		}
	}
	return errors.Join(problems...)
}

// Metadata returns the SAML metadata for IAM's CreateSAMLProvider and UpdateSAMLProvider: the entity ID and the certificates
// of all keys, without an end of validity. One certificate alone has more than the 1,000 characters that IAM wants; more than its 10,000,000
// are an error. The error is a [CodeConfigInvalid] that names every wrong field.
func (p IdentityProvider) Metadata() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, newError(CodeConfigInvalid, "IdentityProvider: %w", err)
	}
	descriptor := saml.IDPSSODescriptor{SingleSignOnServices: []saml.Endpoint{{Binding: saml.HTTPPostBinding, Location: noSignInAddress}}}
	descriptor.ProtocolSupportEnumeration = "urn:oasis:names:tc:SAML:2.0:protocol"
	descriptor.NameIDFormats = []saml.NameIDFormat{persistentNameID}
	for _, key := range p.Keys {
		certificate := saml.X509Certificate{Data: base64.StdEncoding.EncodeToString(key.Certificate.Raw)}
		descriptor.KeyDescriptors = append(descriptor.KeyDescriptors, saml.KeyDescriptor{
			Use: "signing", KeyInfo: saml.KeyInfo{X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{certificate}}},
		})
	}
	entity := saml.EntityDescriptor{EntityID: p.EntityID, ValidUntil: metadataEnd, IDPSSODescriptors: []saml.IDPSSODescriptor{descriptor}}
	text, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, newError(CodeConfigInvalid, "the metadata cannot be written: %w", err)
	}
	if n := utf8.RuneCount(text) + 1; n > maxMetadata {
		return nil, newError(CodeConfigInvalid, "the metadata has %d characters, more than %d", n, maxMetadata)
	}
	return append(text, '\n'), nil
}

// signedResponse is the base64 text that STS takes, and the assertion's ID.
type signedResponse struct {
	assertionID string
	encoded     Secret // whoever holds it can redeem it for five minutes
}

// respond builds, signs and encodes the response for a decision.
func (p IdentityProvider) respond(ctx context.Context, d *decision, now time.Time, random io.Reader) (*signedResponse, error) {
	if err := d.checkTexts(); err != nil {
		return nil, err
	}
	var id [40]byte // SAML Core §1.3.4 asks for 128 bits or more; 160 for each of the two
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, newError(CodeSigningFailed, "no random numbers: %w", err)
	}
	responseID, assertionID := "_"+hex.EncodeToString(id[:20]), "_"+hex.EncodeToString(id[20:])
	now = now.UTC()
	assertion := p.assertion(d, assertionID, now).Element()
	for _, value := range assertion.FindElements("//saml:AttributeValue") {
		// Without a type the values are plain text. crewjam/saml writes xs:string, a prefix that the assertion alone does not declare.
		value.RemoveAttr("xsi:type")
		value.RemoveAttr("xmlns:xsi")
	}
	signature, err := p.sign(ctx, assertion)
	if err != nil {
		return nil, err
	}
	assertion.InsertChildAt(assertion.SelectElement("saml:Issuer").Index()+1, signature) // where the schema wants it

	response := (&saml.Response{
		ID: responseID, Version: "2.0", IssueInstant: now, Destination: d.recipient, Issuer: &saml.Issuer{Value: p.EntityID},
		Status: saml.Status{StatusCode: saml.StatusCode{Value: saml.StatusSuccess}},
	}).Element()
	response.RemoveAttr("xmlns:xs")
	if d.encryptionKey != "" {
		if assertion, err = encrypt(assertion, d.encryptionKey, random); err != nil {
			return nil, newError(CodeEncryptionFailed, "the assertion: %w", err)
		}
	}
	response.AddChild(assertion)
	document := etree.NewDocumentWithRoot(response)
	// Canonical text: a bare CR would be read back as LF, and the signature would not verify.
	document.WriteSettings = etree.WriteSettings{CanonicalText: true, CanonicalAttrVal: true, CanonicalEndTags: true}
	text, err := document.WriteToBytes()
	if err != nil {
		return nil, newError(CodeSigningFailed, "the response cannot be written: %w", err)
	}
	encoded := base64.StdEncoding.EncodeToString(text)
	if len(encoded) > maxSAMLResponse {
		return nil, newError(CodeResponseTooLarge, "the response has %d characters, more than %d", len(encoded), maxSAMLResponse)
	}
	return &signedResponse{assertionID, NewSecret(encoded)}, nil
}

// assertion says what AWS wants to hear (IAM User Guide, "Configure SAML assertions for the authentication response").
func (p IdentityProvider) assertion(d *decision, id string, now time.Time) *saml.Assertion {
	end := now.Add(assertionLife)
	authn := saml.AuthnStatement{AuthnInstant: now, SessionIndex: id, AuthnContext: saml.AuthnContext{
		AuthnContextClassRef: &saml.AuthnContextClassRef{Value: unspecifiedAuthn}}}
	if !d.sessionNotOnOrAfter.IsZero() {
		session := d.sessionNotOnOrAfter.UTC().Truncate(time.Second)
		authn.SessionNotOnOrAfter = &session
	}
	statement := saml.AttributeStatement{}
	for _, a := range d.attributes() {
		attribute := saml.Attribute{Name: a.name, NameFormat: "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"}
		for _, v := range a.values {
			attribute.Values = append(attribute.Values, saml.AttributeValue{Value: v})
		}
		statement.Attributes = append(statement.Attributes, attribute)
	}
	return &saml.Assertion{
		ID: id, IssueInstant: now, Version: "2.0", Issuer: saml.Issuer{Value: p.EntityID},
		Subject: &saml.Subject{
			NameID: &saml.NameID{Format: persistentNameID, Value: d.nameID},
			SubjectConfirmations: []saml.SubjectConfirmation{{
				Method:                  "urn:oasis:names:tc:SAML:2.0:cm:bearer",
				SubjectConfirmationData: &saml.SubjectConfirmationData{Recipient: d.recipient, NotOnOrAfter: end},
			}},
		},
		Conditions: &saml.Conditions{
			NotBefore: now.Add(-clockAllowance), NotOnOrAfter: end,
			AudienceRestrictions: []saml.AudienceRestriction{{Audience: saml.Audience{Value: d.audience}}},
		},
		AuthnStatements:     []saml.AuthnStatement{authn},
		AttributeStatements: []saml.AttributeStatement{statement},
	}
}

// sign returns the enveloped signature of the assertion: RSA-SHA256, exclusive canonicalisation. An HSM or KMS takes its time
// and crypto.Signer has no context, so the caller can leave while the signer finishes behind it.
func (p IdentityProvider) sign(ctx context.Context, assertion *etree.Element) (*etree.Element, error) {
	key := p.Keys[0]
	var signature *etree.Element
	copied := assertion.Copy() // goxmldsig changes what it canonicalises
	err := guard.CallWithin(ctx, func() error {
		signing, err := dsig.NewSigningContext(checkedsigner.New(key.Signer, key.Certificate.PublicKey), [][]byte{key.Certificate.Raw})
		if err != nil {
			return err
		}
		signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
		if err := signing.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
			return err
		}
		signature, err = signing.ConstructSignature(copied, true)
		return err
	})
	switch {
	case err == nil:
		return signature, nil
	case ctx.Err() != nil:
		return nil, canceledAt(StageSAML, ctx.Err())
	}
	return nil, newError(CodeSigningFailed, "the signer: %w", err)
}

// encrypt puts a signed assertion out of sight. Its text inside is canonical and declares every namespace that it uses, so that the
// signature verifies wherever it is taken out.
func encrypt(assertion *etree.Element, key string, random io.Reader) (*etree.Element, error) {
	text, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(assertion)
	if err == nil {
		text, err = xmlenc.Encrypt(text, key, random)
	}
	document := etree.NewDocument()
	if err == nil {
		err = document.ReadFromString("<saml:EncryptedAssertion>" + string(text) + "</saml:EncryptedAssertion>")
	}
	return document.Root(), err
}

// checkTexts refuses values that XML or the libraries would alter on the way: two different users must never look alike.
func (d *decision) checkTexts() error {
	named := append([]attribute{{"NameID", []string{d.nameID}}, {"recipient", []string{d.recipient}}, {"audience", []string{d.audience}}}, d.attributes()...)
	for _, a := range named {
		if strings.TrimSpace(a.name) == "" || strings.ContainsAny(a.name, "\t\r\n") {
			return newError(CodeTextInvalid, "the attribute name %.150q is empty or has a line end or tab", a.name)
		}
		for _, text := range append([]string{a.name}, a.values...) {
			if err := xmltext.Check(text); err != nil {
				return newError(CodeTextInvalid, "%.150q: %w", a.name, err)
			}
		}
	}
	return nil
}
