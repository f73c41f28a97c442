package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

const (
	defaultKeyBits = 3072 // 128 bits of security (NIST SP 800-57 part 1, table 2)
	minKeyBits     = 2048 // what the library signs with
	maxKeyBits     = 8192
	// ten years: AWS does not read the date, whoever looks at the certificate does
	defaultValid   = 10 * 8766 * time.Hour
	startAllowance = time.Hour // for clocks that are behind
)

const keygenNext = `%s and %s are written. Name them in the configuration, under identity_provider.keys, and register the metadata in AWS:
  delegation metadata --entity-id urn:example.com --certificate %s --out metadata.xml
  aws iam create-saml-provider --name delegation --saml-metadata-document file://metadata.xml
`

func keygenCommand(s surroundings) *cobra.Command {
	var folder, name string
	var bits int
	var valid time.Duration
	command := &cobra.Command{
		Use:   "keygen",
		Short: "Make an RSA key and a self-signed certificate for signing SAML assertions",
		Long: "Make an RSA key and a self-signed certificate with which SAML assertions are " +
			"signed. AWS learns the certificate from the metadata; the key\n" +
			"is what AWS trusts, so keep it where only the service can read it.\n\n" +
			"It writes signing.key (PKCS #8, PEM) and signing.crt (PEM) into the folder of " +
			"--out, with the file mode 0600, and replaces no file: it writes\n" +
			"both or none. Exit code 2 if one is there already.",
		Example: "  delegation keygen --name example.com --out /etc/delegation",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.keygen(c, folder, name, bits, valid)
		},
	}
	command.Flags().StringVarP(&folder, "out", "o", ".", "`folder` for the files, which must exist")
	command.Flags().StringVar(&name, "name", "delegation", "common `name` of the certificate, "+
		"for people: AWS does not read it")
	command.Flags().IntVar(&bits, "bits", defaultKeyBits, fmt.Sprintf("size of the key, "+
		"%d to %d", minKeyBits, maxKeyBits))
	command.Flags().DurationVar(&valid, "valid", defaultValid, "how long the certificate is "+
		"valid, ten years if not said; AWS does not read the date")
	return command
}

func (s surroundings) keygen(c *cobra.Command, folder, name string, bits int, valid time.Duration) error {
	keyFile, certificateFile := filepath.Join(folder, "signing.key"), filepath.Join(folder, "signing.crt")
	// before anybody waits for a key
	if err := refuseExisting(keyFile, certificateFile); err != nil {
		return err
	}
	if _, err := os.Stat(folder); err != nil {
		return config.Usagef("--out: %w: it has to be a folder", err)
	}
	certificate, key, err := s.makeKey(c, name, bits, valid)
	if err != nil {
		return err
	}
	if _, err := writeFiles(c.Context(), []newFile{{keyFile, string(key)}, {certificateFile, string(certificate)}}); err != nil {
		return err
	}
	return s.print(fmt.Appendf(nil, keygenNext, keyFile, certificateFile, certificateFile))
}

// makeKey is newKey for a person, whom a large key keeps waiting: it says so, and a signal ends it.
func (s surroundings) makeKey(c *cobra.Command, name string, bits int, valid time.Duration) (certificatePEM, keyPEM []byte, err error) {
	defer s.progress(c, "Making a key")()
	made := make(chan struct{})
	var certificate, key []byte
	var failed error
	go func() {
		defer close(made)
		certificate, key, failed = newKey(name, bits, time.Now(), valid)
	}()
	select {
	case <-made:
		return certificate, key, failed
	case <-c.Context().Done():
		return nil, nil, fmt.Errorf("nothing is written: %w", c.Context().Err())
	}
}

// newKey makes an RSA key and its self-signed certificate, both as PEM; the key in PKCS #8.
func newKey(commonName string, bits int, now time.Time, valid time.Duration) (certificatePEM, keyPEM []byte, err error) {
	switch {
	case bits < minKeyBits || bits > maxKeyBits:
		return nil, nil, config.Usagef("the key has to have %d to %d "+
			"bits, not %d", minKeyBits, maxKeyBits, bits)
	case valid <= 0:
		return nil, nil, config.Usagef("the certificate has to be valid for a while, "+
			"not for %s", valid)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{ // with a random serial number
		Subject: pkix.Name{CommonName: commonName}, NotBefore: now.Add(-startAllowance), NotAfter: now.Add(valid),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), nil
}
