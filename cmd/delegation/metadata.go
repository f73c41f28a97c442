package main

import (
	"errors"
	"log/slog"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
	"github.com/spf13/cobra"
)

// metadataFlags are the flags of metadata.
type metadataFlags struct {
	configFile   string
	target       string
	entityID     string
	certificates []string
	also         []string
	out          outFlags
}

func metadataCommand(s surroundings) *cobra.Command {
	var f metadataFlags
	command := &cobra.Command{
		Use:   "metadata",
		Short: "Print the SAML metadata for IAM's CreateSAMLProvider",
		Long: `Print the SAML metadata that IAM's CreateSAMLProvider and UpdateSAMLProvider
accept: the entity ID, the certificates of all keys, and those of
also_certificates. A running service serves the same at /metadata.

--also-certificate adds the certificate of a key that another service signs
with, such as Auth0's until the cut-over. AWS then accepts what either signs.

It reads only identity_provider of the configuration, with its certificates and
keys. For a key with "signer" it reads the certificate alone. With --target it
reads the identity of that target, if it has its own. With --entity-id and
--certificate it needs no configuration and no private key.

It writes to standard output, or with --out to a new file. Exit code 2 if the
identity, the certificates or the keys are wrong.`,
		Example: `  delegation metadata --entity-id urn:example.com \
    --certificate signing.crt --out metadata.xml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c, s) },
	}
	s.configFlag(command, &f.configFile, defaultConfig)
	s.targetFlag(command, &f.target, &f.configFile, "`target` with an identity of its own, "+
		"instead of the one that all share")
	command.Flags().StringVar(&f.entityID, "entity-id", "", "the entity `ID`, such as "+
		"urn:example.com")
	command.Flags().StringArrayVar(&f.certificates, "certificate", nil, "PEM `file` with the "+
		"certificate of a signing key; repeat it for several keys")
	command.Flags().StringArrayVar(&f.also, "also-certificate", nil, "PEM `file` with the "+
		"certificate of a key with which another service signs, during a migration; "+
		"repeat it for several")
	f.out.add(command)
	return command
}

// run prints the metadata, or writes it to a new file.
func (f *metadataFlags) run(c *cobra.Command, s surroundings) error {
	identity, err := f.identity(c, s)
	if err != nil {
		return err
	}
	for _, file := range f.also {
		text, err := config.ReadBounded(file, config.MaxFile)
		if err != nil {
			return config.Usagef("--also-certificate: %w", err)
		}
		certificate, err := config.ParseCertificate(text)
		if err != nil {
			return config.Usagef("--also-certificate: %s: %w", file, err)
		}
		identity.AlsoCertificates = append(identity.AlsoCertificates, certificate)
	}
	text, err := identity.Metadata()
	if err != nil {
		return config.Usage(err)
	}
	return f.out.write(s, text)
}

// identity is the identity of the configuration, or the one that the flags describe.
func (f *metadataFlags) identity(
	c *cobra.Command, s surroundings,
) (delegation.IdentityProvider, error) {
	if f.entityID == "" && len(f.certificates) == 0 {
		return s.configuredIdentity(f.configFile, f.target)
	}
	if c.Flags().Changed("config") || f.target != "" {
		return delegation.IdentityProvider{}, config.Usage(errors.New("--entity-id and " +
			"--certificate replace --config and --target: use either"))
	}
	return certifiedIdentity(f.entityID, f.certificates)
}

// configuredIdentity is the identity of a configuration, even if the rest is incomplete.
func (s surroundings) configuredIdentity(file, target string) (delegation.IdentityProvider, error) {
	loaded, from, err := config.Load(file, s.environment)
	if err != nil {
		return delegation.IdentityProvider{}, err
	}
	at, identity := loaded.IdentityOf(target)
	if target != "" && loaded.Targets[target].Identity == nil {
		return delegation.IdentityProvider{}, config.Usagef("%s: there is no target of this "+
			"name with an identity of its own", from.At(config.KeyPath("targets").Child(target)))
	}
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	built := b.Identity(at, identity)
	if err := b.Err(); err != nil {
		return delegation.IdentityProvider{}, err
	}
	return built, nil
}

// certifiedIdentity is an identity for publishing only: it cannot sign.
func certifiedIdentity(entityID string, files []string) (delegation.IdentityProvider, error) {
	p := delegation.IdentityProvider{EntityID: entityID}
	if entityID == "" || len(files) == 0 {
		return p, config.Usage(errors.New("--entity-id ID and --certificate FILE are needed " +
			"together"))
	}
	for _, file := range files {
		text, err := config.ReadBounded(file, config.MaxFile)
		if err != nil {
			return p, config.Usagef("--certificate: %w", err)
		}
		certificate, err := config.ParseCertificate(text)
		if err != nil {
			return p, config.Usagef("--certificate: %s: %w", file, err)
		}
		p.Keys = append(p.Keys, delegation.SigningKey{
			Signer:      signer.Absent(certificate.PublicKey),
			Certificate: certificate,
		})
	}
	return p, nil
}
