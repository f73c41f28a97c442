package setup

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
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

// startAllowance allows for clocks that are behind.
const startAllowance = time.Hour

// NewKey makes an RSA key and its self-signed certificate, both as PEM; the key in PKCS #8. An
// unsuitable size or time is a config.UsageError.
func NewKey(
	commonName string, bits int, now time.Time, valid time.Duration,
) (certificatePEM, keyPEM []byte, err error) {
	if err := checkKey(bits, valid); err != nil {
		return nil, nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, err
	}
	certificatePEM, err = selfSigned(commonName, key, now, valid)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return certificatePEM, keyPEM, nil
}

// NewCertificate makes a self-signed certificate, as PEM, for a key that stays where it is. An
// unsuitable key or time is a config.UsageError.
func NewCertificate(
	commonName string, key crypto.Signer, now time.Time, valid time.Duration,
) (certificatePEM []byte, err error) {
	public, isRSA := key.Public().(*rsa.PublicKey)
	if !isRSA {
		return nil, config.Usage(errors.New(
			"the key is not RSA, the only kind AWS is known to accept"))
	}
	if err := checkKey(public.N.BitLen(), valid); err != nil {
		return nil, err
	}
	return selfSigned(commonName, key, now, valid)
}

// checkKey refuses an unsuitable key size or validity.
func checkKey(bits int, valid time.Duration) error {
	switch {
	case bits < MinKeyBits || bits > MaxKeyBits:
		return config.Usagef("the key must have %d to %d bits, not %d",
			MinKeyBits, MaxKeyBits, bits)
	case valid <= 0:
		return config.Usagef("--valid is %s: set a time above 0, such as 10y",
			Validity(valid))
	}
	return nil
}

// selfSigned makes a certificate that the key itself signs.
func selfSigned(
	commonName string, key crypto.Signer, now time.Time, valid time.Duration,
) (certificatePEM []byte, err error) {
	template := &x509.Certificate{ // with a random serial number
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-startAllowance),
		NotAfter:              now.Add(valid),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
