package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/freshness"
)

// Duration parses a duration; 0 if the text is empty.
func (b *Builder) Duration(at KeyPath, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		b.Wrong(at, fmt.Errorf("%.80q is not a duration such as 90s or 1h", text))
	}
	return d
}

// file reads a file that the configuration names.
func (b *Builder) file(at KeyPath, name string) []byte {
	if name == "" {
		b.Wrong(at, errors.New("is missing: name a file"))
		return nil
	}
	b.from.reads(b.from.resolve(name))
	b.noteSecret(at, name)
	text, err := os.ReadFile(b.from.resolve(name))
	if err != nil {
		b.Wrong(at, explainMissing(err, name))
	}
	b.read[at] = freshness.KeyOf([]string{string(text)})
	return text
}

// mayRead reports a file that this process may not read. The library reads it later, and reports
// all other problems.
func (b *Builder) mayRead(at KeyPath, name string) {
	f, err := os.Open(b.from.resolve(name))
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			b.Wrong(at, err)
		}
		return
	}
	_ = f.Close()
}

// Issuer reads the files of an issuer, and leaves all else to the library.
func (b *Builder) Issuer(at KeyPath, s IssuerSettings) delegation.Issuer {
	i := delegation.Issuer{
		URL:               s.URL,
		Algorithms:        s.Algorithms,
		JWKSURL:           s.JWKSURL,
		DiscoveryURL:      s.DiscoveryURL,
		DocumentOrigins:   s.DocumentOrigins,
		InsecureHTTPHosts: s.InsecureHTTPHosts,
		Aliases:           s.Aliases,
		Tenants:           s.Tenants,
		TenantClaim:       s.TenantClaim,
		UnsafeAnyTenant:   s.UnsafeAnyTenant,
		AllowLoopbackHTTP: s.AllowLoopbackHTTP,
		ClientAudiences:   s.ClientAudiences,
		AllowTokenMarks:   s.AllowTokenMarks,
		AccessTokens:      s.AccessTokens.accessTokens(),
		RequiredClaims:    s.RequiredClaims,
		GatedByRules:      s.GatedByRules,

		SharedSecretBase64URL: s.SharedSecretBase64URL,

		EmailVerifiedText:    s.EmailVerifiedText,
		EntraVerifiedEmail:   s.EntraVerifiedEmail,
		VerifiedEmailDomains: s.VerifiedEmailDomains,
	}
	if s.JWKSFile != "" {
		i.JWKS = b.file(at.Child("jwks_file"), s.JWKSFile)
	}
	if s.CAFile != "" {
		b.mayRead(at.Child("ca_file"), s.CAFile)
		i.CAFile = b.from.resolve(s.CAFile)
		b.from.reads(i.CAFile)
	}
	if s.BearerTokenFile != "" {
		b.mayRead(at.Child("bearer_token_file"), s.BearerTokenFile)
		i.BearerTokenFile = b.from.resolve(s.BearerTokenFile)
		b.noteSecret(at.Child("bearer_token_file"), s.BearerTokenFile)
	}
	if s.SharedSecretFile != "" {
		i.SharedSecret = b.sharedSecret(at.Child("shared_secret_file"), s.SharedSecretFile)
	}
	for client, settings := range s.ClientSecrets {
		if i.ClientSecrets == nil {
			i.ClientSecrets = map[string]delegation.ClientSecret{}
		}
		at := at.Child("client_secrets").Child(client).Child("file")
		i.ClientSecrets[client] = delegation.ClientSecret{
			Secret:    b.sharedSecret(at, settings.File),
			Base64URL: settings.Base64URL,
		}
	}
	return i
}

// sharedSecret reads a secret of text or of arbitrary bytes. It removes the line end that editors
// add to a text. In other files, every byte counts.
func (b *Builder) sharedSecret(at KeyPath, name string) delegation.Secret {
	content := string(b.file(at, name))
	if isText(content) {
		content = strings.TrimRight(content, "\r\n")
	}
	return delegation.NewSecret(content)
}

// isText tells whether the content of a file is a text: UTF-8, without control characters.
func isText(content string) bool {
	odd := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }
	return utf8.ValidString(content) && !strings.ContainsFunc(content, odd)
}

// line reads a file, without the line end at its end.
func (b *Builder) line(at KeyPath, name string) string {
	return strings.TrimRight(string(b.file(at, name)), "\r\n")
}

// Identity reads certificates and keys, and parses them.
func (b *Builder) Identity(at KeyPath, s IdentitySettings) delegation.IdentityProvider {
	p := delegation.IdentityProvider{EntityID: s.EntityID}
	for i, k := range s.Keys {
		at := at.Child("keys").Index(i)
		if k.Signer != "" {
			if signing, ok := b.signerKey(at, k); ok {
				p.Keys = append(p.Keys, signing)
			}
			continue
		}
		if k.SignerProgram != "" {
			b.Wrong(at.Child("signer_program"), errors.New("needs signer, the URI of a key"))
		}
		before := len(b.problems)
		certificate := b.file(at.Child("certificate_file"), k.CertificateFile)
		private := b.file(at.Child("key_file"), k.KeyFile)
		if len(b.problems) > before {
			continue
		}
		signing, err := delegation.ParseSigningKey(certificate, private)
		if err != nil {
			b.Wrong(at, fmt.Errorf("%w; certificate_file and key_file must be a pair, such as "+
				"delegation keygen makes", errors.Unwrap(err))) // without stage, code and remedy
			continue
		}
		p.Keys = append(p.Keys, signing)
	}
	for i, name := range s.AlsoCertificates {
		at := at.Child("also_certificates").Index(i)
		text := b.file(at, name)
		if text == nil {
			continue
		}
		certificate, err := ParseCertificate(text)
		if err != nil {
			b.Wrong(at, err)
			continue
		}
		p.AlsoCertificates = append(p.AlsoCertificates, certificate)
	}
	return p
}

// ParseCertificate parses a PEM text that contains one certificate and nothing else.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(text)
	another, _ := pem.Decode(rest)
	if block == nil || block.Type != "CERTIFICATE" || another != nil {
		return nil, errors.New("must contain exactly one PEM block, a CERTIFICATE")
	}
	return x509.ParseCertificate(block.Bytes)
}

// Target reads the files of a target, and leaves all else to the library.
func (b *Builder) Target(at KeyPath, s TargetSettings) delegation.Target {
	t := delegation.Target{
		ID:                      s.ID,
		Audiences:               s.Audiences,
		AuthorizedParties:       s.AuthorizedParties,
		AccessAudiences:         s.AccessAudiences,
		Actors:                  b.actors(at.Child("actors"), s.Actors),
		RequiredClaims:          s.RequiredClaims,
		SubjectsAreOne:          s.SubjectsAreOne,
		NameIDTellsIssuersApart: s.NameIDTellsIssuersApart,
		NameIDEncoding:          delegation.NameIDEncoding(s.NameIDEncoding),
		Issuers:                 s.Issuers,
		RolesFromClaim:          s.RolesFromClaim.library(),
		AllowedRoles:            s.AllowedRoles,
		AllowedAccounts:         s.AllowedAccounts,
		SAMLRecipient:           s.SAMLRecipient,
		SAMLAudience:            s.SAMLAudience,
		SAMLProviderUUID:        s.SAMLProviderUUID,
		AWS: delegation.AWS{
			Principal:         s.Principal,
			Role:              s.Role,
			Region:            s.Region,
			FailoverRegions:   s.FailoverRegions,
			Mappings:          s.Mappings,
			NameIDFromMapping: s.NameIDFromMapping,
			SessionDuration:   b.Duration(at.Child("session_duration"), s.SessionDuration),
			Policy:            s.Policy,
			PolicyARNs:        s.PolicyARNs,
			Tags:              s.Tags,
			TransitiveTagKeys: s.TransitiveTagKeys,
			DroppableTags:     s.DroppableTags,
			SourceIdentity:    unlessTemplate(s.SourceIdentity),
			SessionName:       unlessTemplate(s.SessionName),
			NameID:            unlessTemplate(s.NameID),
		},
	}
	if says := s.SubjectAsFolder; says != nil {
		t.SubjectAsFolder = *says
		t.SubjectNamesNothing = !*says
	}
	b.checkNames(at.Child("roles_from_claim").Child("names"), s.RolesFromClaim)
	for _, choice := range s.Roles {
		t.Roles = append(t.Roles, choice.library())
	}
	for _, next := range s.Chain {
		t.Chain = append(t.Chain, delegation.ChainedRole(next))
	}
	for name, scope := range s.Scopes {
		if t.Scopes == nil {
			t.Scopes = map[string]delegation.Scope{}
		}
		t.Scopes[name] = delegation.Scope(scope)
	}
	if s.EncryptionKeyFile != "" {
		t.EncryptionKey = string(b.file(at.Child("encryption_key_file"), s.EncryptionKeyFile))
	}
	if s.Identity != nil {
		own := b.Identity(at.Child("identity"), *s.Identity)
		t.Identity = &own
	}
	return t
}
