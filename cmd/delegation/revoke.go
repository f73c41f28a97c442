package main

import (
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

func revokeCommand(s surroundings) *cobra.Command {
	var o setup.RevokeOptions
	var commands bool
	command := &cobra.Command{
		Use:   "revoke",
		Short: "Print a policy that ends sessions in AWS, with its command",
		Long: `Print the policy that denies everything to sessions that AWS has issued before
now, or before --before, and the command of the AWS CLI that attaches it to the
role. It makes no network calls: run the command yourself.

--subject ends the sessions of one user, --source-identity those with one source
identity, and --everybody those of all users of the role. The roles are those of
--target that the configuration names, or those of --role.

A subject is known at one SAML provider. If the target's roles have several,
each needs a policy of its own: use --commands.

The policy does not prevent new sessions. Block the user at the identity
provider, and refuse their ID tokens here. docs/incident.md has all steps.

It reads the configuration only with --target. Exit code 2 if something is
missing or wrong.`,
		Example: `  delegation revoke --target photo-app --subject alice
  delegation revoke --role arn:aws:iam::123456789012:role/photo-user --everybody
  delegation revoke --target photo-app --subject alice --commands | sh`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Now = s.clockFunc()
			made, err := o.Revoke(s.environment)
			if err != nil {
				return err
			}
			if commands {
				s.say(made.Notes)
				return s.print([]byte(strings.Join(made.Commands(), "\n") + "\n"))
			}
			policy, err := made.Policy()
			if err != nil {
				return err
			}
			for _, line := range made.Commands() {
				made.Notes = append(made.Notes, "to attach it, run: "+line)
			}
			s.say(made.Notes)
			return s.print([]byte(policy))
		},
	}
	s.configFlag(command, &o.ConfigFile, defaultConfig)
	s.targetFlag(command, &o.Target, &o.ConfigFile, "`name` of the target to "+
		"whose roles the policy is attached")
	f := command.Flags()
	f.StringArrayVar(&o.Roles, "role", nil, "`ARN` of the role, instead of the target's roles; "+
		"repeat it for several")
	f.StringVar(&o.Subject, "subject", "", "`NameID` of the user: the sub of the ID token, unless "+
		"another is set. The target's name_id_encoding is applied to it")
	f.StringVar(&o.SourceIdentity, "source-identity", "", "source `identity` of the sessions")
	f.BoolVar(&o.Everybody, "everybody", false, "end all sessions of the role")
	f.StringVar(&o.Before, "before", "", "end the sessions issued before this `time`, such as "+
		"2026-11-23T09:00:00Z; by default now")
	f.StringVar(&o.Principal, "principal", "", "`ARN` of the SAML provider; by default that "+
		"of each role in the configuration")
	f.StringVar(&o.EntityID, "entity-id", "", "entity `ID` of the SAML identity; by default the "+
		"configuration's")
	f.BoolVar(&commands, "commands", false, "print the commands instead of the policy, for a shell")
	return command
}
