package main

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/auth0export"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

// importFlags are the flags of import-auth0.
type importFlags struct {
	auth0export.Options
	folder   string
	secrets  string
	keywords string
	check    bool
	json     bool
}

func importAuth0Command(s surroundings) *cobra.Command {
	var f importFlags
	command := &cobra.Command{
		Use:   "import-auth0 EXPORT",
		Short: "Write configuration and rules from an Auth0 export",
		Long: `Write configuration and rules from the export of an Auth0 tenant.

EXPORT is what Auth0's Deploy CLI writes, a folder or a tenant.yaml, or a list
of rules as JSON from the Management API. A report says which rules run as they
are, what the others need, and what to fill in. --check prints the report and
writes nothing.

It writes these files with mode 0600, all or none, and replaces no file:

  - delegation.yaml: a target for each client with an AWS add-on, and the
    tenant and its custom domains as the issuer;
  - rules: the enabled rules, numbered in their order; disabled has the others,
    which never run;
  - configuration.yaml: what rules find in configuration. Exports lack the
    values: name a file that has them with --secrets, or fill them in;
  - signing.key, signing.crt and metadata.xml, for AWS;
  - report.txt.

A rule whose script is missing, or that cannot run, prevents the import. If the
rule has nothing to do with AWS, leave it out with --disable.

Exit code 2 if the export or a flag is wrong, or if something is missing.`,
		Example: `  delegation import-auth0 export --domain tenant.eu.auth0.com \
    --region eu-central-1 --secrets secrets.yaml --out photos`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return config.Usagef("%s takes one argument, the export: see %s --help",
				c.CommandPath(), c.CommandPath())
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, s, args[0]) },
	}
	flags := command.Flags()
	flags.BoolVar(&f.check, "check", false, "print the report, and write nothing")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON, see docs/import-auth0.md")
	flags.StringVarP(&f.folder, "out", "o", ".", "`folder` for the files; it is created")
	flags.StringVar(&f.Domain, "domain", "", "`domain` of the tenant, such as "+
		"tenant.eu.auth0.com, if the export does not contain it")
	flags.StringVar(&f.Region, "region", "", "AWS `region` whose STS is called, if no rule sets "+
		"one; by default AWS_REGION")
	flags.StringVar(&f.secrets, "secrets", "", "`file` with the values of configuration, as YAML "+
		"or JSON")
	flags.StringVar(&f.keywords, "keywords", "", "`file` with the values of ##NAME## and "+
		"@@NAME@@, such as the Deploy CLI's config.json")
	flags.StringArrayVar(&f.Clients, "client", nil, "`ID` or NAME=ID of a client that gets "+
		"credentials; repeat it for more")
	flags.StringArrayVar(&f.Disable, "disable", nil, "`name` of a rule to leave out; repeat it "+
		"for more")
	return command
}

// run imports an export, or reports on it.
func (f *importFlags) run(c *cobra.Command, s surroundings, export string) error {
	f.folder = filepath.Clean(f.folder)
	plan, err := f.plan(s, export)
	if err != nil {
		return err
	}
	report, err := f.report(s, plan)
	if err != nil {
		return err
	}
	if f.check {
		return errors.Join(s.print(report), plan.Refused())
	}
	if err := plan.Err(); err != nil {
		return errors.Join(s.print(report), err)
	}
	if err := plan.CheckFolder(f.folder); err != nil {
		return err
	}
	certificate, private, err := s.makeKey(
		c, "delegation", setup.DefaultKeyBits, setup.DefaultValid)
	if err != nil {
		return err
	}
	files, err := plan.Write(c.Context(), f.folder, certificate, private)
	if err != nil {
		return err
	}
	if !f.json {
		report = append(report, plan.Rest(f.folder, files)...)
	}
	return s.print(report)
}

// plan reads all files that the flags name.
func (f *importFlags) plan(s surroundings, name string) (*auth0export.Plan, error) {
	keywords := &auth0export.Keywords{}
	var err error
	if f.keywords != "" {
		if keywords, err = auth0export.ReadKeywords(f.keywords); err != nil {
			return nil, fmt.Errorf("--keywords: %w", err)
		}
	}
	if f.secrets != "" {
		if f.Secrets, err = auth0export.ReadSecrets(f.secrets); err != nil {
			return nil, fmt.Errorf("--secrets: %w", err)
		}
	}
	export, err := auth0export.Read(name, keywords)
	if err != nil {
		return nil, err
	}
	f.Domain = cmp.Or(f.Domain, keywords.Domain)
	f.Region = cmp.Or(f.Region, s.usualRegion())
	return auth0export.NewPlan(export, f.Options)
}

// report is the report in the requested format.
func (f *importFlags) report(s surroundings, plan *auth0export.Plan) ([]byte, error) {
	if f.json {
		return plan.Report().JSON()
	}
	return []byte(plan.Report().Text(s.painter())), nil
}
