package samldoc

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/crewjam/saml"
)

const (
	maxMetadata = 10_000_000 // characters: IAM API Reference, CreateSAMLProvider
	// The schema wants a sign-in address in metadata, and this identity provider has none: users
	// never visit it.
	noSignInAddress = "https://delegation.invalid/saml"
)

// metadataEnd is RFC 5280's way to say "no end" (§4.1.2.5); IAM does not read it.
var metadataEnd = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Metadata returns the metadata of an identity provider with these certificates. It fails if it has
// more characters than IAM takes; one certificate alone has more than the 1,000 that IAM wants.
func Metadata(entityID string, certificates []*x509.Certificate) ([]byte, error) {
	var descriptor saml.IDPSSODescriptor
	descriptor.ProtocolSupportEnumeration = "urn:oasis:names:tc:SAML:2.0:protocol"
	descriptor.NameIDFormats = []saml.NameIDFormat{persistentNameID}
	descriptor.SingleSignOnServices = []saml.Endpoint{
		{Binding: saml.HTTPPostBinding, Location: noSignInAddress},
	}
	for _, certificate := range certificates {
		descriptor.KeyDescriptors = append(descriptor.KeyDescriptors, signingKey(certificate))
	}
	entity := saml.EntityDescriptor{
		EntityID:          entityID,
		ValidUntil:        metadataEnd,
		IDPSSODescriptors: []saml.IDPSSODescriptor{descriptor},
	}
	text, err := xml.MarshalIndent(entity, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the metadata cannot be written: %w", err)
	}
	if n := utf8.RuneCount(text) + 1; n > maxMetadata {
		return nil, fmt.Errorf("the metadata has %d characters, more than %d", n, maxMetadata)
	}
	return append(text, '\n'), nil
}

func signingKey(certificate *x509.Certificate) saml.KeyDescriptor {
	data := saml.X509Certificate{Data: base64.StdEncoding.EncodeToString(certificate.Raw)}
	return saml.KeyDescriptor{
		Use: "signing",
		KeyInfo: saml.KeyInfo{
			X509Data: saml.X509Data{X509Certificates: []saml.X509Certificate{data}},
		},
	}
}
