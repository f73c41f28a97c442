package main

import (
	"errors"
	"fmt"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

func cloudFormationCommand(s surroundings) *cobra.Command {
	return s.setupCommand(setupLanguage{
		name:  "cloudformation",
		short: "Write the set-up in AWS as CloudFormation templates",
		long: `Write the set-up of a target in AWS as a CloudFormation template.

With --part provider it writes the SAML provider with its metadata. Deploy it
once for all targets that have the same principal, and for each step of a key
rollover. Otherwise it writes the role of the target, with a trust policy and a
permission policy. The role's template imports the provider's ARN from the
provider's stack. With --existing-provider the ARN is a parameter. With --cors a
note has the command for the bucket's CORS configuration.`,
		example: `  delegation cloudformation --target photo-app --part provider \
    --out provider.yaml
  delegation cloudformation --target photo-app --bucket example-photos \
    --out role-photo-app.yaml`,
		reads: `It reads the configuration and the template. With --part provider it reads the
target's signing keys.`,
		keys:  func(part setup.Part) bool { return part == setup.ProviderPart },
		write: (*setup.Resources).CloudFormation,
	})
}

func terraformCommand(s surroundings) *cobra.Command {
	return s.setupCommand(setupLanguage{
		name:  "terraform",
		short: "Write the set-up in AWS as Terraform files",
		long: `Write the set-up of a target in AWS as a Terraform file.

With --part provider it writes the SAML provider, once for all targets that have
the same principal. The provider reads its metadata from metadata.xml in the
same folder. Otherwise it writes the role of the target, with a trust policy and
a permission policy. Put this file in the provider's folder, or with
--existing-provider in a folder of its own. It works in the target's account
only. With --cors it also writes the CORS configuration of the bucket.`,
		example: `  delegation terraform --target photo-app --part provider --out provider.tf
  delegation metadata --out metadata.xml
  delegation terraform --target photo-app --bucket example-photos \
    --out role-photo-app.tf`,
		reads: "It reads the configuration and the template, and no key.",
		keys:  func(setup.Part) bool { return false },
		write: (*setup.Resources).Terraform,
	})
}

// setupLanguage is a language in which a set-up is written.
type setupLanguage struct {
	name, short, long, example string
	reads                      string // part of the help
	keys                       func(setup.Part) bool
	write                      func(*setup.Resources, setup.Part) (string, error)
}

// setupCommand is a command that writes the set-up of a target.
func (s surroundings) setupCommand(language setupLanguage) *cobra.Command {
	var out outFlags
	var o setup.Options
	command := &cobra.Command{
		Use: language.name, Short: language.short, Example: language.example, Args: noArguments,
		Long: language.long + "\n\n" +
			`The role's maximum session duration fits the target's. Its permission policy is
that of --bucket, --for or --template. Notes on standard error name what the
file cannot contain, such as private keys for encrypted assertions.

` + language.reads + `

It writes to standard output, or with --out to a new file with mode 0600. Exit
code 2 if something is missing or wrong.`,
		RunE: func(*cobra.Command, []string) error {
			if err := setup.CheckPart(string(o.Part)); err != nil {
				return config.Usagef("--part: %w", err)
			}
			o.NeedsKeys = language.keys(o.Part)
			made, err := o.Resources(s.environment)
			if err != nil {
				return err
			}
			text, err := language.write(made, o.Part)
			if err != nil {
				return config.Usage(err)
			}
			s.say(made.Notes)
			return out.write(s, []byte(text))
		},
	}
	s.trustFlags(command, &o.TrustOptions)
	permissionFlags(command, &o.PermissionOptions)
	f := command.Flags()
	f.StringVar((*string)(&o.Part), "part", string(setup.RolePart), "`part` to write: role, or "+
		"provider (once for all targets)")
	f.BoolVar(&o.ExistingProvider, "existing-provider", false, "write a role that does not "+
		"need the provider's file, for a SAML provider that is created elsewhere")
	f.BoolVar(&o.CORS, "cors", false, "let the pages of http.allowed_origins use the bucket of "+
		"--bucket (CORS)")
	f.StringVar(&o.Role, "role", "", "`ARN` of the role; by default the target's")
	out.add(command)
	return command
}

// outFlags say where a command writes its files.
type outFlags struct {
	file    string
	replace bool
}

func (o *outFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&o.file, "out", "o", "", "new `file` to write to, instead of "+
		"standard output")
	c.Flags().BoolVar(&o.replace, "replace", false, "replace the file of --out, if there is one")
}

// write writes the output of the command.
func (o *outFlags) write(s surroundings, text []byte) error {
	switch {
	case o.file == "" && o.replace:
		return config.Usage(errors.New("--replace needs --out FILE"))
	case o.file == "":
		return s.print(text)
	case o.replace:
		return setup.Replace(o.file, text)
	}
	return setup.WriteNew(o.file, text)
}

// say prints notes for the operator on standard error.
func (s surroundings) say(notes []string) {
	for _, note := range notes {
		fmt.Fprintf(s.stderr, "delegation: note: %s\n", note)
	}
}
