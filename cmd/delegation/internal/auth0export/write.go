package auth0export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// Err says what prevents the import: missing flags, and rules that cannot run. It is a
// config.UsageError, or nil.
func (p *Plan) Err() error {
	if len(p.lacks) == 0 {
		return nil
	}
	return config.Usage(errors.Join(p.lacks...))
}

// Refused says which rules cannot run. It is nil if all can.
func (p *Plan) Refused() error {
	count := p.Report().Summary.Refused
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%s cannot run", counted(count, "rule"))
}

// CheckFolder refuses a folder that already has something where the import writes. In an existing
// folder of rules, old rules would run together with those of the import.
func (p *Plan) CheckFolder(folder string) error {
	var paths []string
	for _, name := range []string{
		rulesFolder, disabledFolder, valuesFile, reportFile, setup.ConfigurationFile,
		keyFile, certificateFile, setup.MetadataFile,
	} {
		paths = append(paths, filepath.Join(folder, name))
	}
	return setup.RefuseExisting(paths...)
}

// Write writes all files or none: the configuration, the values, the rules, the key and its
// certificate, the metadata and the report. It replaces no file, and refuses the same folders as
// CheckFolder. It checks that the configuration works.
func (p *Plan) Write(
	ctx context.Context, folder string, certificate, private []byte,
) (files []setup.File, err error) {
	if err := errors.Join(p.Err(), p.CheckFolder(folder)); err != nil {
		return nil, err
	}
	if files, err = p.files(certificate, private); err != nil {
		return nil, err
	}
	for n := range files {
		files[n].Path = filepath.Join(folder, files[n].Path)
	}
	return files, setup.WriteAll(ctx, files, func() error { return tryOut(ctx, folder) })
}

// tryOut builds the service that a configuration describes, to check that it works. Values that
// have to be filled in may be missing.
func tryOut(ctx context.Context, folder string) error {
	// Without the environment, so that only the file itself is checked.
	loaded, from, err := config.Load(filepath.Join(folder, setup.ConfigurationFile), nil)
	if err != nil {
		return wouldNotDo(err)
	}
	built, err := config.Build(ctx, loaded, from, slog.New(slog.DiscardHandler),
		config.WithoutValues())
	if err != nil {
		return wouldNotDo(err)
	}
	built.Close()
	return nil
}

func wouldNotDo(err error) error {
	return fmt.Errorf("the files are removed, because the configuration does not work: %w",
		err)
}

// files are all files, with paths within the folder.
func (p *Plan) files(certificate, private []byte) ([]setup.File, error) {
	signing, err := delegation.ParseSigningKey(certificate, private)
	if err != nil {
		return nil, err
	}
	identity := delegation.IdentityProvider{
		EntityID: p.EntityID(),
		Keys:     []delegation.SigningKey{signing},
	}
	metadata, err := identity.Metadata()
	if err != nil {
		return nil, config.Usage(setup.Plain(err))
	}
	files := []setup.File{
		{Path: keyFile, Text: string(private)},
		{Path: certificateFile, Text: string(certificate)},
		{Path: setup.MetadataFile, Text: string(metadata)},
		{Path: reportFile, Text: p.Report().Text(term.Unpainted)},
	}
	for _, r := range p.rules {
		files = append(files, setup.File{Path: filepath.FromSlash(r.file), Text: r.Source})
	}
	if p.hasValues() {
		files = append(files, setup.File{
			Path: valuesFile,
			Text: configurationFile(p.values, p.missing),
		})
	}
	return append(files, setup.File{Path: setup.ConfigurationFile, Text: p.configuration()}), nil
}

// Rest lists, as commands, what is left to do after the files are written.
func (p *Plan) Rest(folder string, files []setup.File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d files are written to %s.\n\nNext, ", len(files), term.ShellWord(folder))
	if len(p.missing) > 0 {
		fmt.Fprintf(&b, "fill in %s: nothing runs before that. Then ",
			term.ShellWord(filepath.Join(folder, valuesFile)))
	}
	b.WriteString("have AWS trust the new key, check, serve, and exchange the ID token in the " +
		"file token:\n\n")
	metadata := term.ShellWord("file://" + filepath.Join(folder, setup.MetadataFile))
	for _, principal := range p.principals() {
		fmt.Fprintf(&b, "  aws iam update-saml-provider --saml-provider-arn %s "+
			"--saml-metadata-document %s\n", term.ShellWord(principal), metadata)
	}
	file := term.ShellWord(filepath.Join(folder, setup.ConfigurationFile))
	fmt.Fprintf(&b, "  delegation check --config %s\n", file)
	fmt.Fprintf(&b, "  delegation serve --config %s\n", file)
	fmt.Fprintf(&b, "  curl -fsS http://127.0.0.1:8080/delegation -d %s -d api_type=aws "+
		"-d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d \"id_token=$(cat token)\"\n",
		term.ShellWord("client_id="+p.targets[0].ID))
	if p.principals()[0] == unknownProvider {
		b.WriteString("\n" + unknownProvider + " is the one that your rules set.\n")
	}
	b.WriteString("\nThe first command ends AWS's trust in Auth0. To keep both for a while, see " +
		"docs/migrating-from-auth0.md.\n")
	return b.String()
}

// unknownProvider is a placeholder in commands, for the ARN of a SAML provider that no add-on
// names.
const unknownProvider = "SAML-PROVIDER-ARN"

// principals are the SAML providers that have to trust the new key. Providers that rules set are
// not known.
func (p *Plan) principals() (list []string) {
	seen := map[string]bool{}
	for _, c := range p.targets {
		if c.AWS != nil && c.AWS.Principal != "" && !seen[c.AWS.Principal] {
			seen[c.AWS.Principal] = true
			list = append(list, c.AWS.Principal)
		}
	}
	if len(list) == 0 {
		return []string{unknownProvider}
	}
	return list
}
