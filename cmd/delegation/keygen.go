package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/spf13/cobra"
)

const keygenNext = "%s and %s are written. Name them in the configuration, under " +
	`identity_provider.keys, and register the metadata in AWS:
  delegation metadata --entity-id urn:example.com --certificate %s --out metadata.xml
  aws iam create-saml-provider --name delegation --saml-metadata-document file://metadata.xml
`

const keygenSignerNext = `%s is written. Name it in the configuration, under
identity_provider.keys, with the key:
  - certificate_file: %q
    signer: %q
and register the metadata in AWS:
  delegation metadata --entity-id urn:example.com --certificate %s --out metadata.xml
  aws iam create-saml-provider --name delegation --saml-metadata-document file://metadata.xml
`

// keygenFlags are the flags of keygen.
type keygenFlags struct {
	folder  string
	name    string
	bits    int
	valid   setup.Validity
	signer  string
	program string
}

func keygenCommand(s surroundings) *cobra.Command {
	f := keygenFlags{valid: setup.Validity(setup.DefaultValid)}
	command := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key and a certificate to sign assertions",
		Long: `Make an RSA key and a self-signed certificate to sign SAML assertions.

AWS trusts the key because the metadata contains the certificate. Keep the key
where only the service can read it. A service that runs as another user reads it
by its group: chgrp GROUP signing.key && chmod 640 signing.key.

It writes signing.key (PKCS #8, PEM) and signing.crt (PEM) with file mode 0600.
It writes both or none, and replaces no file. Exit code 2 if one of them exists.

With --signer it makes the certificate of a key that stays in a KMS or an HSM.
The key signs its certificate once. It writes signing.crt alone. docs/signers.md
has the URIs.`,
		Example: `  delegation keygen --name example.com --out /etc/delegation
  delegation keygen --signer awskms:///alias/delegation --out /etc/delegation`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if f.signer == "" && f.program != "" {
				return config.Usage(errors.New("--signer-program needs --signer URI"))
			}
			if f.signer != "" && c.Flags().Changed("bits") {
				return config.Usage(errors.New("--bits is for a new key, and the key of " +
					"--signer exists: remove one of the two"))
			}
			if f.signer != "" {
				return f.certify(c, s)
			}
			return f.run(c, s)
		},
	}
	command.Flags().StringVarP(&f.folder, "out", "o", ".", "`folder` for the files, which must "+
		"exist")
	command.Flags().StringVar(&f.name, "name", "delegation", "common `name` of the certificate; "+
		"AWS does not read it")
	command.Flags().IntVar(&f.bits, "bits", setup.DefaultKeyBits, fmt.Sprintf("size of the key, "+
		"%d to %d", setup.MinKeyBits, setup.MaxKeyBits))
	command.Flags().Var(&f.valid, "valid", "how long the certificate is valid, in years, days or "+
		"hours, such as 10y, 90d or 12h; AWS does not read the dates")
	command.Flags().StringVar(&f.signer, "signer", "", "`URI` of a key in a KMS or an HSM, such "+
		"as awskms:///alias/delegation, instead of a new key")
	command.Flags().StringVar(&f.program, "signer-program", "", "`path` of the program that is "+
		"asked for the key of --signer; by default delegation-signer, next to this program or "+
		"in PATH")
	return command
}

// run makes a key and its certificate.
func (f *keygenFlags) run(c *cobra.Command, s surroundings) error {
	keyFile := filepath.Join(f.folder, "signing.key")
	certificateFile := filepath.Join(f.folder, "signing.crt")
	// Checked before the person waits for a key.
	if err := f.checkFiles(keyFile, certificateFile); err != nil {
		return err
	}
	certificate, key, err := s.makeKey(c, f.name, f.bits, time.Duration(f.valid))
	if err != nil {
		return err
	}
	files := []setup.File{
		{Path: keyFile, Text: string(key)},
		{Path: certificateFile, Text: string(certificate)},
	}
	if _, err := setup.WriteFiles(c.Context(), files); err != nil {
		return err
	}
	return s.print(fmt.Appendf(nil, keygenNext,
		keyFile, certificateFile, term.ShellWord(certificateFile)))
}

// checkFiles refuses files that are there, and a folder that is not.
func (f *keygenFlags) checkFiles(files ...string) error {
	if err := setup.RefuseExisting(files...); err != nil {
		return err
	}
	if _, err := os.Stat(f.folder); err != nil {
		return config.Usagef("--out: %w: it must be a folder", err)
	}
	return nil
}

// certify makes the certificate of a key that stays in its key service.
func (f *keygenFlags) certify(c *cobra.Command, s surroundings) error {
	file := filepath.Join(f.folder, "signing.crt")
	if err := f.checkFiles(file); err != nil {
		return err
	}
	done := s.progress(c, "Asking for the key")
	certificate, err := f.certificate(c, s)
	done()
	if err != nil {
		return err
	}
	_, err = setup.WriteFiles(c.Context(), []setup.File{{Path: file, Text: string(certificate)}})
	if err != nil {
		return err
	}
	return s.print(fmt.Appendf(nil, keygenSignerNext,
		file, file, f.signer, term.ShellWord(file)))
}

// certificate has the key sign its own certificate.
func (f *keygenFlags) certificate(c *cobra.Command, s surroundings) ([]byte, error) {
	key, err := signer.Open(c.Context(), signer.Key{
		URI:     f.signer,
		Program: f.program,
		Logger:  slog.New(slog.NewTextHandler(s.stderr, nil)),
	})
	if err != nil {
		return nil, ofSigner(err)
	}
	defer key.Close()
	certificate, err := setup.NewCertificate(
		f.name, signer.WithContext(c.Context(), key), time.Now(), time.Duration(f.valid))
	return certificate, ofSigner(err)
}

// ofSigner turns an error of a signer into a usage error, unless it is temporary.
func ofSigner(err error) error {
	var known *signer.Error
	if !errors.As(err, &known) {
		return err
	}
	err = fmt.Errorf("--signer: %w", err)
	if known.Temporary {
		return err
	}
	return config.Usage(err)
}

// makeKey calls setup.NewKey for a person at a terminal. A large key takes long, so makeKey shows
// progress, and a signal ends it.
func (s surroundings) makeKey(
	c *cobra.Command, name string, bits int, valid time.Duration,
) (certificatePEM, keyPEM []byte, err error) {
	defer s.progress(c, "Making a key")()
	made := make(chan struct{})
	var certificate, key []byte
	var failed error
	go func() {
		defer close(made)
		newKey := s.newKey
		if newKey == nil {
			newKey = setup.NewKey
		}
		certificate, key, failed = newKey(name, bits, time.Now(), valid)
	}()
	select {
	case <-made:
		return certificate, key, failed
	case <-c.Context().Done():
		return nil, nil, fmt.Errorf("nothing is written: %w", c.Context().Err())
	}
}
