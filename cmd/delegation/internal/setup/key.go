package setup

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// Sizes of a key, in bits.
const (
	DefaultKeyBits = 3072 // 128 bits of security (NIST SP 800-57 part 1, table 2)
	MinKeyBits     = 2048 // what the library signs with
	MaxKeyBits     = 8192
)

// DefaultValid is ten years: AWS does not read the date, but people and scanners do.
const DefaultValid = 10 * year

// startAllowance is for clocks that are behind.
const startAllowance = time.Hour

// NewKey makes an RSA key and its self-signed certificate, both as PEM; the key in PKCS #8. A size
// or a time that will not do is a config.UsageError.
func NewKey(
	commonName string, bits int, now time.Time, valid time.Duration,
) (certificatePEM, keyPEM []byte, err error) {
	switch {
	case bits < MinKeyBits || bits > MaxKeyBits:
		return nil, nil, config.Usagef("the key has to have %d to %d "+
			"bits, not %d", MinKeyBits, MaxKeyBits, bits)
	case valid <= 0:
		return nil, nil, config.Usagef("the certificate has to be valid for a while, "+
			"not for %s", Validity(valid))
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{ // with a random serial number
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-startAllowance),
		NotAfter:              now.Add(valid),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	certificatePEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return certificatePEM, keyPEM, nil
}
