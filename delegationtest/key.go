package delegationtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// The keys are made once for each process, because an RSA key takes longer than most tests.
var (
	signingKey     = sync.OnceValue(newSigningKey)
	nextSigningKey = sync.OnceValue(newSigningKey)
	issuerKey      = sync.OnceValue(newKey)
)

// SigningKey returns an RSA key of 2048 bits with a certificate, as an identity signs with it. It
// is made on first use, and is the same in every call of one process.
func SigningKey() delegation.SigningKey { return signingKey() }

// NextSigningKey returns a second key like [SigningKey], for tests that roll a key over.
func NextSigningKey() delegation.SigningKey { return nextSigningKey() }

// IssuerKey returns the RSA key of 2048 bits that every [World.Issuer] of this process begins
// with. It is made on first use.
func IssuerKey() *rsa.PrivateKey { return issuerKey() }

// Identity returns the SAML identity of [EntityID] that signs with [SigningKey].
func Identity() delegation.IdentityProvider {
	return delegation.IdentityProvider{
		EntityID: EntityID,
		Keys:     []delegation.SigningKey{SigningKey()},
	}
}

// NewSigningKey makes a key like [SigningKey] that nothing else in the process has. It takes a
// fraction of a second.
func NewSigningKey() delegation.SigningKey { return newSigningKey() }

// SigningKeyPEM returns [SigningKey] as [delegation.ParseSigningKey] reads it: the certificate, and
// the private key in PKCS #8. It is for tests of programs that have their key in files.
func SigningKeyPEM() (certificate, privateKey []byte) {
	key := SigningKey()
	der, err := x509.MarshalPKCS8PrivateKey(key.Signer)
	if err != nil {
		panic(err) // an RSA key always has this form
	}
	certificate = pem.EncodeToMemory(&pem.Block{
		Type:  "CERTIFICATE",
		Bytes: key.Certificate.Raw,
	})
	privateKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return certificate, privateKey
}

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return key
}

func newSigningKey() delegation.SigningKey {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "delegation test"},
		NotBefore:    time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err) // a template that does not change
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err) // it was made a moment ago
	}
	return delegation.SigningKey{Signer: key, Certificate: certificate}
}
