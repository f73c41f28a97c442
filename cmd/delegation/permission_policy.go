package main

import (
	"errors"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/spf13/cobra"
)

// permissionPolicyFlags are the flags of permission-policy.
type permissionPolicyFlags struct {
	setup.PermissionOptions
	configFile string
	target     string
	region     string
}

func permissionPolicyCommand(s surroundings) *cobra.Command {
	var f permissionPolicyFlags
	command := &cobra.Command{
		Use:   "permission-policy",
		Short: "Print a permission policy for a role, such as S3 folders",
		Long: `Print a permission policy for a role, as JSON.

With --bucket the policy gives each user the folder ${saml:sub} of an S3 bucket.
It is for the partition of --region, or of the target's region.

With --template it is the policy of a file. IAM's own variables stay, such as
${saml:sub}. It is checked for what IAM would refuse: JSON, version, statements,
characters, and size (10,240 characters without white space).

It reads the template, and with --target the configuration. Exit code 2 if
something is missing or wrong.`,
		Example: "  delegation permission-policy --bucket example-photos --region eu-central-1\n" +
			"  delegation permission-policy --template policy.json",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return f.run(s) },
	}
	s.configFlag(command, &f.configFile, defaultConfig)
	s.targetFlag(command, &f.target, &f.configFile, "`name` of the target whose region is used")
	command.Flags().StringVar(&f.region, "region", "", "AWS `region`, such as eu-central-1")
	permissionFlags(command, &f.PermissionOptions)
	return command
}

// run prints the policy, and says on standard error what there is to know about it.
func (f *permissionPolicyFlags) run(s surroundings) error {
	region := f.region
	if f.Bucket != "" && region == "" {
		var err error
		if region, err = s.regionOf(f.configFile, f.target); err != nil {
			return err
		}
	}
	parsed, err := setup.ParseRegion(region)
	if err != nil {
		return err
	}
	policy, notes, err := f.Policy(parsed)
	if err != nil {
		return err
	}
	if policy == "" {
		return config.Usage(errors.New(
			"permission-policy needs --bucket NAME or --template FILE"))
	}
	s.say(notes)
	return s.print([]byte(policy))
}

// regionOf is the region of a target, in whose partition the bucket is.
func (s surroundings) regionOf(file, target string) (string, error) {
	if target == "" {
		return "", config.Usage(errors.New("--bucket needs --region, or --config and --target: " +
			"buckets have other ARNs in other partitions"))
	}
	loaded, from, err := setup.LoadTarget(file, target, s.environment)
	if err != nil {
		return "", err
	}
	region := loaded.Targets[target].Region
	if region == "" {
		at := config.KeyPath("targets").Child(target).Child("region")
		return "", config.Usagef("%s: is missing: name one with --region", from.At(at))
	}
	return region, nil
}

// permissionFlags adds the flags of what a role may do.
func permissionFlags(c *cobra.Command, p *setup.PermissionOptions) {
	c.Flags().StringVar(&p.Bucket, "bucket", "", "`name` of an S3 bucket in which each user has "+
		"the folder ${saml:sub}")
	c.Flags().StringVar(&p.Template, "template", "", "`file` with a permission policy, as JSON")
}
