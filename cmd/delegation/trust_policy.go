package main

import (
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

func trustPolicyCommand(s surroundings) *cobra.Command {
	var o setup.TrustOptions
	var hop int
	command := &cobra.Command{
		Use:   "trust-policy",
		Short: "Print the trust policy that a role needs",
		Long: `Print the trust policy of a role, as JSON. It allows the SAML provider to assume
the role, for assertions to this recipient and from this entity ID.

It allows sts:TagSession and sts:SetSourceIdentity only if the target's settings
or its rules use session tags or a source identity. It cannot see what
JavaScript rules do: use --tags and --source-identity for them.

With --target it reads the configuration, but no key. Flags override the
target's settings. Exit code 2 if something is missing or wrong.

With --target and --hop 2 or more it prints the trust policy of a role of the
target's chain, which the role before it assumes.`,
		Example: `  delegation trust-policy --target photo-app > trust.json
  delegation trust-policy --region eu-central-1 --entity-id urn:example.com \
    --principal arn:aws:iam::123456789012:saml-provider/delegation`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if hop != 1 {
				chained := setup.Hop{ConfigFile: o.ConfigFile, Target: o.Target, Number: hop}
				return s.printPolicy(chained.TrustPolicy(s.environment))
			}
			t, err := o.Trust(s.environment)
			if err != nil {
				return err
			}
			s.say(t.Notes)
			return s.print([]byte(t.Policy))
		},
	}
	s.trustFlags(command, &o)
	command.Flags().StringVar(&o.EntityID, "entity-id", "", "entity `ID` of the SAML identity; "+
		"by default the configuration's")
	command.Flags().IntVar(&hop, "hop", 1, setup.HopFlag)
	return command
}

// printPolicy prints a policy, and its notes on standard error.
func (s surroundings) printPolicy(policy string, notes []string, err error) error {
	if err != nil {
		return err
	}
	s.say(notes)
	return s.print([]byte(policy))
}

// trustFlags adds the flags that say whom a role trusts.
func (s surroundings) trustFlags(c *cobra.Command, o *setup.TrustOptions) {
	s.configFlag(c, &o.ConfigFile, defaultConfig)
	f := c.Flags()
	s.targetFlag(c, &o.Target, &o.ConfigFile, "`name` of the target in the configuration")
	f.StringVar(&o.Principal, "principal", "", "`ARN` of the SAML provider; by default the "+
		"configuration's")
	f.StringVar(&o.Region, "region", "", "AWS `region` whose sign-in address is the recipient; "+
		"by default the configuration's")
	f.StringVar(&o.Recipient, "recipient", "", "`URL` that assertions are addressed to "+
		"(SAML:aud); by default the target's, or the region's sign-in address")
	f.BoolVar(&o.Tags, "tags", false, "allow session tags, or with =false do not; "+
		"by default as configured")
	f.BoolVar(&o.SourceIdentity, "source-identity", false, "allow a source identity, or with "+
		"=false do not; by default as configured")
	o.Said = f.Changed
}
