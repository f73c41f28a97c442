package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

const keygenNext = "%s and %s are written. Name them in the configuration, under " +
	`identity_provider.keys, and register the metadata in AWS:
  delegation metadata --entity-id urn:example.com --certificate %s --out metadata.xml
  aws iam create-saml-provider --name delegation --saml-metadata-document file://metadata.xml
`

func keygenCommand(s surroundings) *cobra.Command {
	var folder, name string
	var bits int
	valid := setup.Validity(setup.DefaultValid)
	command := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key and a certificate to sign assertions",
		Long: `Make an RSA key and a self-signed certificate to sign SAML assertions.

AWS gets the certificate in the metadata, and trusts the key. Keep the key where
only the service can read it. A service that runs as another user reads it by
its group: chgrp GROUP signing.key && chmod 640 signing.key.

It writes signing.key (PKCS #8, PEM) and signing.crt (PEM) with file mode 0600.
It writes both or none, and replaces no file. Exit code 2 if one of them exists.`,
		Example: "  delegation keygen --name example.com --out /etc/delegation",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.keygen(c, folder, name, bits, time.Duration(valid))
		},
	}
	command.Flags().StringVarP(&folder, "out", "o", ".", "`folder` for the files, which must exist")
	command.Flags().StringVar(&name, "name", "delegation", "common `name` of the certificate; "+
		"AWS does not read it")
	command.Flags().IntVar(&bits, "bits", setup.DefaultKeyBits, fmt.Sprintf("size of the key, "+
		"%d to %d", setup.MinKeyBits, setup.MaxKeyBits))
	command.Flags().Var(&valid, "valid", "how long the certificate is valid, in years, days or "+
		"hours, such as 10y, 90d or 12h; AWS does not read the dates")
	return command
}

func (s surroundings) keygen(
	c *cobra.Command, folder, name string, bits int, valid time.Duration,
) error {
	keyFile := filepath.Join(folder, "signing.key")
	certificateFile := filepath.Join(folder, "signing.crt")
	// Before anybody waits for a key.
	if err := setup.RefuseExisting(keyFile, certificateFile); err != nil {
		return err
	}
	if _, err := os.Stat(folder); err != nil {
		return config.Usagef("--out: %w: it has to be a folder", err)
	}
	certificate, key, err := s.makeKey(c, name, bits, valid)
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
	return s.print(fmt.Appendf(nil, keygenNext, keyFile, certificateFile, certificateFile))
}

// makeKey is setup.NewKey for a person, whom a large key keeps waiting: it says so, and a signal
// ends it.
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
