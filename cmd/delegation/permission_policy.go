package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/spf13/cobra"
)

// permissionPolicyFlags are the flags of permission-policy.
type permissionPolicyFlags struct {
	setup.PermissionOptions
	configFile string
	target     string
	region     string
	account    string
	hop        int
}

func permissionPolicyCommand(s surroundings) *cobra.Command {
	var f permissionPolicyFlags
	command := &cobra.Command{
		Use:   "permission-policy",
		Short: "Print a permission policy for a role, such as S3 folders",
		Long: `Print a permission policy for a role, as JSON.

With --bucket the policy gives each user the folder ${saml:sub} of an S3 bucket.
It is for the partition of --region, or of the target's region.

With --for it gives each user what is theirs in another service, by --resource
or --by-tag:

` + servicesHelp() + `
With --template it prints the policy in a file, with IAM's own variables such as
${saml:sub}. It refuses what IAM would refuse: JSON, version, statements,
characters, and size (10,240 characters without white space).

For a target with a chain, the policy is for the last role. There it names users
by ${aws:SourceIdentity}. With --target and --hop, the policy is what a role of
the chain needs to assume the next one.

It reads the template, and with --target the configuration. Exit code 2 if
something is missing or wrong.`,
		Example: "  delegation permission-policy --bucket example-photos --region eu-central-1\n" +
			"  delegation permission-policy --for dynamodb --resource photos -t photo-app\n" +
			"  delegation permission-policy --template policy.json",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return f.run(s) },
	}
	s.configFlag(command, &f.configFile, defaultConfig)
	s.targetFlag(command, &f.target, &f.configFile,
		"`name` of the target whose region and account are used")
	command.Flags().StringVar(&f.region, "region", "", "AWS `region`, such as eu-central-1")
	command.Flags().StringVar(&f.account, "account", "", "`ID` of the role's AWS account, 12 "+
		"digits")
	command.Flags().IntVar(&f.hop, "hop", 0, setup.HopFlag)
	permissionFlags(command, &f.PermissionOptions)
	return command
}

// servicesHelp lists the templates of --for.
func servicesHelp() string {
	var b strings.Builder
	for _, service := range iam.Services() {
		fmt.Fprintf(&b, "  %-16s %s\n", service.Name, service.Confines)
	}
	return b.String()
}

// run prints the policy, and its notes on standard error.
func (f *permissionPolicyFlags) run(s surroundings) error {
	if f.hop != 0 {
		return f.printHop(s)
	}
	where, err := f.where(s)
	if err != nil {
		return err
	}
	region, err := setup.ParseRegion(where.region)
	if err != nil {
		return err
	}
	policy, notes, err := f.Policy(region, where.account)
	if err != nil {
		return err
	}
	if policy == "" {
		return config.Usage(errors.New(
			"permission-policy needs --bucket NAME, --for SERVICE or --template FILE"))
	}
	s.say(notes)
	return s.print([]byte(setup.AtEndOf(where.target, policy)))
}

// printHop prints the policy that a role of the target's chain needs to assume the next one.
func (f *permissionPolicyFlags) printHop(s surroundings) error {
	if f.Bucket+f.For+f.Template != "" {
		return config.Usage(errors.New("--hop prints a policy of its own: leave out --bucket, " +
			"--for and --template"))
	}
	chained := setup.Hop{ConfigFile: f.configFile, Target: f.target, Number: f.hop}
	return s.printPolicy(chained.PermissionPolicy(s.environment))
}

// where is the place of the role, from the flags or from the target. A template needs none.
func (f *permissionPolicyFlags) where(s surroundings) (place, error) {
	given := place{region: f.region, account: f.account}
	if f.account != "" {
		if err := setup.CheckAccount(f.account); err != nil {
			return place{}, config.Usagef("--account: %w", err)
		}
	}
	needs := ""
	switch {
	case f.Bucket != "":
		needs = "--bucket"
	case f.For != "":
		needs = "--for"
	default:
		return given, nil
	}
	if f.target == "" && f.region == "" {
		return place{}, config.Usagef("%s needs --region, or --config and --target: buckets and "+
			"other resources have other ARNs in other partitions", needs)
	}
	if f.target == "" {
		return given, nil
	}
	found, err := s.placeOf(f.configFile, f.target, f.region)
	if err != nil {
		return place{}, err
	}
	found.account = cmp.Or(f.account, found.account)
	return found, nil
}

// place is the region and the account of the role that users of a target get.
type place struct {
	region, account string
	target          config.TargetSettings
}

// placeOf returns the region and the account of a target. A region that was named replaces the
// target's.
func (s surroundings) placeOf(file, target, region string) (place, error) {
	loaded, from, err := setup.LoadTarget(file, target, s.environment)
	if err != nil {
		return place{}, err
	}
	settings := loaded.Targets[target]
	found := place{region: cmp.Or(region, settings.Region), target: settings}
	if found.region == "" {
		at := config.KeyPath("targets").Child(target).Child("region")
		return place{}, config.Usagef("%s: is missing: name one with --region", from.At(at))
	}
	if principal, err := iam.Provider.Parse(settings.Principal); err == nil {
		found.account = principal.AccountID
	}
	if len(settings.Chain) > 0 {
		last, err := iam.Role.Parse(setup.LastRole(settings))
		if err != nil {
			at := config.KeyPath("targets").Child(target).Child("chain")
			return place{}, config.Usagef("%s: %w", from.At(at), err)
		}
		found.account = last.AccountID
	}
	return found, nil
}

// permissionFlags adds the flags that say what a role may do.
func permissionFlags(c *cobra.Command, p *setup.PermissionOptions) {
	f := c.Flags()
	f.StringVar(&p.Bucket, "bucket", "", "`name` of an S3 bucket in which each user has "+
		"the folder ${saml:sub}")
	f.StringVar(&p.BucketAccount, "bucket-account", "", "`ID` of the AWS account that owns the "+
		"bucket, 12 digits (default the role's, if it is known)")
	f.StringVar(&p.KMSKey, "sse-kms", "", "`ARN` of the KMS key that encrypts the bucket's objects")
	f.StringVar(&p.For, "for", "", "`service` in which each user gets access to their own "+
		"resources: "+strings.Join(setup.ServiceNames(), ", "))
	f.StringVar(&p.Resource, "resource", "", "`name` of the table or event bus of --for, or the "+
		"prefix of its queues")
	f.StringVar(&p.ByTag, "by-tag", "", "`key` of the tag that sessions and resources of --for "+
		"have")
	f.StringVar(&p.Template, "template", "", "`file` with a permission policy, as JSON")
}
