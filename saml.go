package delegation

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/explain"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

const (
	maxSigningKeys = 10   // keys that IAM keeps for one provider
	minSigningKey  = 2048 // bits of RSA: NIST SP 800-131A allows no signature with fewer
	maxEntityID    = 1024 // SAML Core §8.3.6
)

// IdentityProvider is the SAML identity that AWS trusts.
type IdentityProvider struct {
	// EntityID is the assertion's Issuer, which trust policies read as SAML:iss. It must equal the
	// entityID of the metadata in IAM, byte for byte. After a move from Auth0, keep
	// urn:TENANT.auth0.com, so that trust policies need no change. It has 1 to 1024 characters,
	// without leading or trailing blanks.
	EntityID string
	// Keys are 1 to 10 keys. The first one signs, and the metadata has all of them. Publish the
	// next key before you sign with it.
	Keys []SigningKey

	// AlsoCertificates are certificates of keys that others sign with, such as those of the vendor
	// that you are moving from. The metadata lists them after those of Keys, so AWS accepts
	// signatures of both. The holder of such a key can sign in as any user: remove the certificate
	// after the cut-over. They are RSA certificates, at most 10 together with those of Keys. Empty:
	// none.
	AlsoCertificates []*x509.Certificate
}

// SigningKey is an RSA key of at least 2048 bits, in memory, in an HSM or in a KMS, with its
// certificate, which may be self-signed. AWS trusts the key and ignores the names and dates in the
// certificate.
type SigningKey struct {
	// Signer signs SHA-256 digests with PKCS #1 v1.5. It must be safe for concurrent use: up to 64
	// calls run at the same time. This limit does not apply to an *rsa.PrivateKey, which cannot
	// hang.
	//
	// If you build an *rsa.PrivateKey field by field, call its method Precompute. Without it a
	// signature takes up to twice as long, and [New] and [Delegator.Check] warn. Keys from the
	// functions of crypto/rsa, crypto/tls and crypto/x509 do not need it.
	//
	// A crypto.Signer takes no context, so a call that hangs is abandoned after
	// Config.SigningTimeout. After 16 abandoned calls, exchanges and checks fail at once with
	// [CodeSigningFailed] until one returns, or until [Delegator.SetIdentityProvider] replaces the
	// Signer. A [ContextSigner] gets the context and can return when it ends.
	//
	// Its errors get the code [CodeSigningFailed], unless they wrap [CodeSignerThrottled] or
	// [CodeSignerRefused].
	Signer crypto.Signer
	// Certificate is the certificate of Signer's public key, as x509.ParseCertificate returns it.
	Certificate *x509.Certificate
}

// ContextSigner is a crypto.Signer that takes a context, such as one that calls a KMS. If a
// [SigningKey] has one, SignContext is called instead of Sign. In an exchange the context ends
// after Config.SigningTimeout at the latest, and in [Delegator.Check] after Config.STSTimeout.
type ContextSigner interface {
	crypto.Signer

	// SignContext is like Sign, with the same arguments, but returns an error soon after the
	// context ends.
	SignContext(
		ctx context.Context, random io.Reader, digest []byte, opts crypto.SignerOpts,
	) ([]byte, error)
}

// MarshalText keeps a key in memory out of JSON and logs.
func (SigningKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ParseSigningKey reads a certificate and its private key (PKCS #1 or #8) from PEM. The error has
// [CodeConfigInvalid].
func ParseSigningKey(certificatePEM, keyPEM []byte) (SigningKey, error) {
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return SigningKey{}, newError(CodeConfigInvalid, "the signing key: %w", err)
	}
	signer, _ := pair.PrivateKey.(crypto.Signer) // validate refuses nil
	key := SigningKey{signer, pair.Leaf}
	if err := key.validate(); err != nil {
		return SigningKey{}, newError(CodeConfigInvalid, "the signing key: %w", err)
	}
	return key, nil
}

// validate reports what is wrong with the key. A signer may panic, for example as a nil pointer in
// the interface.
func (k SigningKey) validate() error {
	return guard.Call(func() error {
		if k.Signer == nil || k.Certificate == nil || len(k.Certificate.Raw) == 0 {
			return errors.New("it needs Signer and a parsed Certificate")
		}
		public, ok := k.Signer.Public().(*rsa.PublicKey)
		if !ok || public.N.BitLen() < minSigningKey {
			return fmt.Errorf("it is not RSA of at least %d bits, "+
				"the only kind AWS is known to accept", minSigningKey)
		}
		if !public.Equal(k.Certificate.PublicKey) {
			return errors.New("the certificate does not belong to it")
		}
		return nil
	})
}

// name is what Check and the log call the key of an entity.
func (k SigningKey) name(entityID string) string {
	return fmt.Sprintf("signing key %s of %s", fingerprint(k), entityID)
}

// isSlow tells whether the key signs slower than it could. For a key in memory with two primes
// crypto/rsa works these values out anew for each signature; with more primes it has no use for
// them.
func (k SigningKey) isSlow() bool {
	key, inMemory := k.Signer.(*rsa.PrivateKey)
	if !inMemory || len(key.Primes) != 2 {
		return false
	}
	values := key.Precomputed
	return values.Dp == nil || values.Dq == nil || values.Qinv == nil
}

// keyWarnings are what deserves a look in a key, though it can sign.
func (p IdentityProvider) keyWarnings(i int, now time.Time) []CheckWarning {
	key := p.Keys[i]
	var warnings []CheckWarning
	if w, found := dateWarning(key.Certificate, now); found {
		warnings = append(warnings, w)
	}
	if key.isSlow() {
		warnings = append(warnings, CheckWarning{
			Code: WarningKeySlow,
			Text: "the *rsa.PrivateKey has no precomputed values, so a signature takes " +
				"up to twice as long",
			Remedy: "call its method Precompute before New",
		})
	}
	if brokenHash(key.Certificate) {
		warnings = append(warnings, CheckWarning{
			Code: WarningCertificateHash,
			Text: fmt.Sprintf("the certificate is signed with %s, which others may refuse",
				key.Certificate.SignatureAlgorithm),
			Remedy: "make a certificate that is signed with SHA-256",
		})
	}
	if another := slices.IndexFunc(p.Keys[i+1:], key.isSameAs); another >= 0 {
		warnings = append(warnings, CheckWarning{
			Code:   WarningKeyTwice,
			Text:   fmt.Sprintf("it is also key %d of the same identity", i+1+another+1),
			Remedy: "remove one of them from IdentityProvider.Keys",
		})
	}
	return asConfigured(warnings)
}

// dateWarning is a warning of the certificate's dates.
func dateWarning(c *x509.Certificate, now time.Time) (CheckWarning, bool) {
	text := explain.CertificateDates(c, now)
	code := WarningCertificateExpires
	switch {
	case text == "":
		return CheckWarning{}, false
	case now.Before(c.NotBefore):
		code = WarningCertificateNotYetValid
	case now.After(c.NotAfter):
		code = WarningCertificateExpired
	}
	return CheckWarning{
		Code:   code,
		Text:   text,
		Remedy: "for others, publish a key with a new certificate, and remove this one later",
		brief:  true,
	}, true
}

// brokenHash tells whether a certificate is signed with a hash that is not safe any more.
func brokenHash(c *x509.Certificate) bool {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1,
		x509.DSAWithSHA1:
		return true
	}
	return false
}

// isSameAs tells whether both have one certificate, and so one key. A new certificate for the same
// key is of use.
func (k SigningKey) isSameAs(other SigningKey) bool {
	return k.Certificate.Equal(other.Certificate)
}

func (p IdentityProvider) clone() IdentityProvider {
	p.Keys = slices.Clone(p.Keys)
	p.AlsoCertificates = slices.Clone(p.AlsoCertificates)
	return p
}

// validate returns every problem of the identity.
func (p IdentityProvider) validate() error {
	var problems problems
	if !validEntityID(p.EntityID) {
		problems.add("EntityID must have 1 to %d characters and no blanks around it, "+
			"such as urn:example.com", maxEntityID)
	}
	if len(p.Keys) < 1 || len(p.Keys) > maxSigningKeys {
		problems.add("Keys must hold 1 to %d keys, has %d", maxSigningKeys, len(p.Keys))
	}
	for i, key := range p.Keys {
		if err := key.validate(); err != nil {
			problems.add("Keys[%d]: %w", i, err)
		}
	}
	if all := len(p.Keys) + len(p.AlsoCertificates); all > maxSigningKeys &&
		len(p.Keys) <= maxSigningKeys {
		problems.add("AlsoCertificates: the metadata must have at most %d certificates, and has "+
			"%d with those of the keys", maxSigningKeys, all)
	}
	for i, certificate := range p.AlsoCertificates {
		if err := p.validateAlso(i, certificate); err != nil {
			problems.add("AlsoCertificates[%d]: %w", i, err)
		}
	}
	return errors.Join(problems...)
}

// validateAlso reports what is wrong with a certificate of a key that others sign with.
func (p IdentityProvider) validateAlso(i int, certificate *x509.Certificate) error {
	if certificate == nil || len(certificate.Raw) == 0 {
		return errors.New("it must be a parsed Certificate")
	}
	public, isRSA := certificate.PublicKey.(*rsa.PublicKey)
	if !isRSA || public.N.BitLen() < minSigningKey {
		return fmt.Errorf("its key is not RSA of at least %d bits, "+
			"the only kind AWS is known to accept", minSigningKey)
	}
	same := func(key SigningKey) bool { return certificate.Equal(key.Certificate) }
	if slices.ContainsFunc(p.Keys, same) ||
		slices.ContainsFunc(p.AlsoCertificates[:i], certificate.Equal) {
		return errors.New("it appears twice: remove it")
	}
	return nil
}

func validEntityID(id string) bool {
	if id == "" || utf8.RuneCountInString(id) > maxEntityID {
		return false
	}
	return strings.TrimSpace(id) == id && samldoc.CheckText(id) == nil
}

// Metadata returns the SAML metadata for IAM's CreateSAMLProvider and UpdateSAMLProvider. It has
// the entity ID and all certificates, and does not expire. The error has [CodeConfigInvalid]. It
// names every invalid field, or says that the metadata exceeds IAM's limit of 10,000,000
// characters.
func (p IdentityProvider) Metadata() ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, newError(CodeConfigInvalid, "IdentityProvider: %w", err)
	}
	certificates := make([]*x509.Certificate, len(p.Keys))
	for i, key := range p.Keys {
		certificates[i] = key.Certificate
	}
	certificates = append(certificates, p.AlsoCertificates...)
	text, err := samldoc.Metadata(p.EntityID, certificates)
	if err != nil {
		return nil, newError(CodeConfigInvalid, "IdentityProvider: %w", err)
	}
	return text, nil
}

// signedResponse is a response that STS takes.
type signedResponse struct {
	encoded     Secret // base64; a holder can redeem it for up to five minutes
	assertionID string
}

// respond builds, signs and encodes the response for a decision. signers call the signer; nil says
// that it cannot hang.
func (p IdentityProvider) respond(
	ctx context.Context, d *decision, now time.Time, random io.Reader, signers *guard.Callees,
) (*signedResponse, error) {
	response := &samldoc.Response{
		EntityID:            p.EntityID,
		Recipient:           d.recipient,
		Audience:            d.audience,
		NameID:              d.nameID,
		Attributes:          d.attributes(),
		SessionNotOnOrAfter: d.sessionNotOnOrAfter,
		EncryptionKey:       d.encryptionKey,
		Signer:              p.Keys[0].Signer,
		Certificate:         p.Keys[0].Certificate,
		Callees:             signers,
	}
	encoded, id, err := response.Write(ctx, now, random)
	if err != nil {
		return nil, responseError(err)
	}
	return &signedResponse{NewSecret(encoded), id}, nil
}

// responseError makes the Error of what samldoc returned.
func responseError(err error) error {
	var failure *samldoc.Error
	switch {
	case !errors.As(err, &failure):
		return canceledAt(StageSAML, err) // all other errors are the context's
	case Code(failure.Code) == CodeSigningFailed:
		return newError(signerCode(failure.Err), "%w", failure.Err)
	}
	return newError(Code(failure.Code), "%w", failure.Err)
}

// signerCode is the code of a signer's error.
func signerCode(err error) Code {
	for _, code := range []Code{CodeSignerThrottled, CodeSignerRefused} {
		if errors.Is(err, code) {
			return code
		}
	}
	return CodeSigningFailed
}
