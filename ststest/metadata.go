package ststest

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Limits of a SAML provider: IAM API Reference, CreateSAMLProvider, and AWS
// General Reference, IAM quotas.
const (
	minMetadata = 1_000
	maxMetadata = 10_000_000
	maxEntities = 10
	maxKeys     = 10
	minRSABits  = 1024
)

// parseMetadata returns the signing keys of each issuer of a metadata document.
// As IAM does it ignores validUntil, cacheDuration and the dates of the
// certificates (IAM User Guide, Create a SAML identity provider in IAM).
func parseMetadata(doc []byte) (map[string][]*rsa.PublicKey, error) {
	if !utf8.Valid(doc) || bytes.HasPrefix(doc, []byte("\xEF\xBB\xBF")) {
		return nil, errors.New("metadata must be UTF-8 without a byte order mark")
	}
	if n := utf8.RuneCount(doc); n < minMetadata || n > maxMetadata {
		const size = "metadata has %d characters, want %d to %d"
		return nil, fmt.Errorf(size, n, minMetadata, maxMetadata)
	}
	root, err := parseXML(doc)
	if err != nil {
		return nil, fmt.Errorf("unable to parse metadata: %w", err)
	}
	entities := []*node{root}
	if root.is(nsMetadata, "EntitiesDescriptor") {
		entities = root.all(nsMetadata, "EntityDescriptor")
	}
	if len(entities) == 0 || len(entities) > maxEntities {
		const count = "metadata has %d EntityDescriptors, want 1 to %d"
		return nil, fmt.Errorf(count, len(entities), maxEntities)
	}
	issuers := map[string][]*rsa.PublicKey{}
	total := 0
	for _, entity := range entities {
		id, _ := entity.attr("entityID")
		if !entity.is(nsMetadata, "EntityDescriptor") || id == "" {
			return nil, errors.New("metadata must be an EntityDescriptor with an entityID")
		}
		if _, ok := issuers[id]; ok {
			return nil, fmt.Errorf("metadata has the entityID %q twice", id)
		}
		keys, err := signingKeys(entity)
		if err != nil {
			return nil, fmt.Errorf("entity %q: %w", id, err)
		}
		issuers[id] = keys
		total += len(keys)
	}
	if total > maxKeys {
		return nil, fmt.Errorf("metadata has %d signing keys, want at most %d", total, maxKeys)
	}
	return issuers, nil
}

// signingKeys reads the keys of the IDPSSODescriptor that may sign.
func signingKeys(entity *node) ([]*rsa.PublicKey, error) {
	descriptor := entity.only(nsMetadata, "IDPSSODescriptor")
	if descriptor == nil {
		return nil, errors.New("want one IDPSSODescriptor")
	}
	var keys []*rsa.PublicKey
	for _, k := range descriptor.all(nsMetadata, "KeyDescriptor") {
		// SAML metadata, section 2.4.1.1: no use means both uses.
		if use, ok := k.attr("use"); ok && use != "signing" {
			continue
		}
		n := k
		for _, name := range []string{"KeyInfo", "X509Data", "X509Certificate"} {
			if n = n.only(nsSignature, name); n == nil {
				return nil, fmt.Errorf("want one %s in a KeyDescriptor", name)
			}
		}
		der, err := base64Of(n)
		if err != nil {
			return nil, fmt.Errorf("X509Certificate: %w", err)
		}
		// ParseCertificate also refuses repeated extensions, as IAM does.
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("X509Certificate: %w", err)
		}
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		if !ok || key.N.BitLen() < minRSABits {
			const weak = "X509Certificate: the key must be RSA of at least %d bits"
			return nil, fmt.Errorf(weak, minRSABits)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("no signing key; add a KeyDescriptor with an X509Certificate")
	}
	return keys, nil
}
