package main

import (
	"fmt"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

func cloudFormationCommand(s surroundings) *cobra.Command {
	return setupCommand(s, "cloudformation", "Write the set-up in AWS as a CloudFormation template",
		`Write the set-up of one target in AWS as a CloudFormation template: a SAML
provider with its metadata, and a role with a trust policy and a permission
policy. Its outputs are the two ARNs that the configuration needs.`,
		`  delegation cloudformation --target photo-app --bucket example-photos \
    --out cloudformation.yaml`,
		(*setup.Resources).CloudFormation)
}

func terraformCommand(s surroundings) *cobra.Command {
	return setupCommand(s, "terraform", "Write the set-up in AWS as a Terraform file",
		`Write the set-up of one target in AWS as a Terraform file: a SAML provider with
its metadata, and a role with a trust policy and a permission policy. The file
needs no other file, and works in the target's account only. Its outputs are the
two ARNs that the configuration needs.`,
		"  delegation terraform --target photo-app --bucket example-photos --out main.tf",
		(*setup.Resources).Terraform)
}

// setupCommand is a command that writes the set-up of a target in some language.
func setupCommand(
	s surroundings, name, short, long, example string, write func(*setup.Resources) (string, error),
) *cobra.Command {
	var out string
	var o setup.Options
	command := &cobra.Command{
		Use: name, Short: short, Example: example, Args: noArguments,
		Long: long + "\n\n" +
			`The role's maximum session duration fits the target's. Its permission policy is
that of --bucket or --template. Notes on standard error name what the file
cannot contain, such as private keys for encrypted assertions.

It reads the configuration, the target's signing keys and the template. It
writes to standard output, or with --out to a new file with mode 0600. Exit code
2 if something is missing or wrong.`,
		RunE: func(*cobra.Command, []string) error {
			made, err := o.Resources(s.environment)
			if err != nil {
				return err
			}
			text, err := write(made)
			if err != nil {
				return config.Usage(err)
			}
			s.say(made.Notes)
			if out == "" {
				return s.print([]byte(text))
			}
			return setup.WriteNew(out, []byte(text))
		},
	}
	s.trustFlags(command, &o.TrustOptions)
	permissionFlags(command, &o.PermissionOptions)
	command.Flags().StringVar(&o.Role, "role", "", "`ARN` of the role; by default the target's")
	command.Flags().StringVarP(&out, "out", "o", "", "new `file` to write to, instead of "+
		"standard output")
	return command
}

// say tells the operator on standard error what does not stop the command.
func (s surroundings) say(notes []string) {
	for _, note := range notes {
		fmt.Fprintf(s.stderr, "delegation: note: %s\n", note)
	}
}
