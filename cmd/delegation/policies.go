package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/spf13/cobra"
)

const (
	// characters that are no white space, of all inline policies of a role (IAM User Guide, "IAM
	// and AWS STS quotas")
	maxRolePolicy   = 10_240
	maxTrustPolicy  = 2_048   // characters, counted likewise; AWS raises it on request
	maxTemplateFile = 1 << 17 // bytes
)

func trustPolicyCommand(s surroundings) *cobra.Command {
	var o trustOptions
	command := &cobra.Command{
		Use:   "trust-policy",
		Short: "Print the trust policy that a role needs",
		Long: "Print the trust policy of the role of a target, as JSON: the SAML provider may " +
			"assume it, for assertions to this recipient and of this entity\n" +
			"ID. sts:TagSession and sts:SetSourceIdentity are allowed only if the target's " +
			"settings or the rules for it use session tags or a source\n" +
			"identity; what JavaScript rules do cannot be seen, so say it with --tags and " +
			"--source-identity.\n\n" +
			"It reads the configuration if --target is given, and no key. Flags win over the " +
			"target's settings; without --target they say all.\n" +
			"Exit code 2 if something is missing or wrong.",
		Example: "  delegation trust-policy --config delegation.yaml --target photo-app > " +
			"trust.json\n" +
			"  delegation trust-policy --principal " +
			"arn:aws:iam::123456789012:saml-provider/delegation --region eu-central-1 " +
			"--entity-id urn:example.com",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			t, err := o.trusted(s)
			if err != nil {
				return err
			}
			s.say(t.notes)
			return s.print([]byte(t.policy))
		},
	}
	o.flags(s, command)
	command.Flags().StringVar(&o.entityID, "entity-id", "", "entity `ID` of the SAML identity; "+
		"by default the configuration's")
	return command
}

func permissionPolicyCommand(s surroundings) *cobra.Command {
	var file, target, region string
	var p permissionOptions
	command := &cobra.Command{
		Use: "permission-policy",
		Short: "Print a permission policy for a role: an S3 folder for each user, or your own, " +
			"checked",
		Long: "Print a policy that says what a role may do, as JSON. With --bucket each user has " +
			"the folder ${saml:sub} of an S3 bucket, in the partition of\n" +
			"--region or of the target's region. With --template it is the policy of a file, in " +
			"which IAM's own variables such as ${saml:sub} stay; it is\n" +
			"checked for what IAM would refuse: JSON, version, statements, characters and size " +
			"(10,240 characters without white space).\n\n" +
			"It reads the template, and the configuration if --target is given. Exit code 2 if " +
			"something is missing or wrong.",
		Example: "  delegation permission-policy --bucket example-photos --region eu-central-1\n" +
			"  delegation permission-policy --template policy.json",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if p.bucket != "" && region == "" {
				if target == "" {
					return config.Usage(errors.New("--bucket needs --region, or --config and " +
						"--target: buckets have other ARNs in other partitions"))
				}
				loaded, from, err := targetSettingsOf(file, target, s.environment)
				if err != nil {
					return err
				}
				if region = loaded.Targets[target].Region; region == "" {
					return config.Usagef("%s: is missing: name one with "+
						"--region", from.At(config.Key("targets").Child(target).Child("region")))
				}
			}
			parsed, err := parseRegion(region)
			if err != nil {
				return err
			}
			policy, notes, err := p.policy(parsed)
			if err != nil {
				return err
			}
			if policy == "" {
				return config.Usage(errors.New("permission-policy needs --bucket NAME or " +
					"--template FILE"))
			}
			s.say(notes)
			return s.print([]byte(policy))
		},
	}
	s.configFlag(command, &file, defaultConfig)
	s.targetFlag(command, &target, &file, "`name` of the target whose region counts")
	command.Flags().StringVar(&region, "region", "", "AWS `region`, such as eu-central-1")
	p.flags(command)
	return command
}

// parseRegion parses the value of --region; empty is no region.
func parseRegion(name string) (delegation.Region, error) {
	if name == "" {
		return delegation.Region{}, nil
	}
	region, err := delegation.ParseRegion(name)
	if err != nil {
		return region, config.Usagef("--region: %w", plain(err))
	}
	return region, nil
}

// plain takes stage, code and remedy off an error of the library: on a command line the flag or the
// key is the remedy.
func plain(err error) error {
	if e, ok := err.(*delegation.Error); ok {
		return e.Err
	}
	return err
}

// permissionOptions say what a role may do.
type permissionOptions struct{ bucket, template string }

func (p *permissionOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.bucket, "bucket", "", "`name` of an S3 bucket in which each user has "+
		"the folder ${saml:sub}")
	c.Flags().StringVar(&p.template, "template", "", "`file` with a permission policy, as JSON")
}

// policy returns the permission policy, or "" if there is none, and what to know about it.
func (p *permissionOptions) policy(region delegation.Region) (policy string, notes []string, err error) {
	switch {
	case p.bucket != "" && p.template != "":
		return "", nil, config.Usage(errors.New("--bucket and --template are two permission " +
			"policies: choose one"))
	case p.bucket != "":
		policy, err = delegation.PermissionPolicy(region, p.bucket)
		if err != nil {
			err = config.Usagef("--bucket: %w", plain(err))
		}
	case p.template != "":
		var text []byte
		if text, err = config.ReadBounded(p.template, maxTemplateFile); err == nil {
			policy, notes, err = permissionTemplate(string(text))
		}
		if inside := (*fs.PathError)(nil); errors.As(err, &inside) {
			err = inside.Err // the file is named in front
		}
		if err != nil {
			err = config.Usagef("--template: %s: %w", p.template, err)
		}
	}
	return policy, notes, err
}

// permissionTemplate checks a permission policy for what IAM would refuse, and indents it.
func permissionTemplate(text string) (policy string, notes []string, err error) {
	document, err := parseObject(text)
	if err != nil {
		return "", nil, err
	}
	if document.get("Version") != "2012-10-17" {
		return "", nil, errors.New(`it needs "Version": "2012-10-17": without it IAM takes ${saml:sub} for plain text`)
	}
	statements, isList := document.get("Statement").([]any)
	if one, ok := document.get("Statement").(object); ok {
		statements, isList = []any{one}, true
	}
	if !isList || len(statements) == 0 {
		return "", nil, errors.New("it needs a Statement")
	}
	for i, one := range statements {
		if err := checkStatement(one); err != nil {
			return "", nil, fmt.Errorf("statement %d %w", i+1, err)
		}
	}
	if err := walk(document, checkTemplateText); err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
		return "", nil, err
	}
	policy = b.String() + "\n"
	if n := policySize(policy); n > maxRolePolicy {
		return "", nil, fmt.Errorf("it has %d characters without white space, and IAM takes %d "+
			"in a role's inline policies", n, maxRolePolicy)
	}
	lower := strings.ToLower(policy)
	for _, gone := range []string{"saml:aud", "saml:iss", "saml:doc"} {
		if strings.Contains(lower, gone) {
			notes = append(notes, fmt.Sprintf("the policy uses %s, which is there for the trust "+
				"policy only: afterwards it never matches", gone))
		}
	}
	return policy, notes, nil
}

// checkStatement checks a statement of an identity-based policy.
func checkStatement(value any) error {
	statement, ok := value.(object)
	if !ok {
		return errors.New("is not an object")
	}
	if effect := statement.get("Effect"); effect != "Allow" && effect != "Deny" {
		return errors.New("needs the Effect Allow or Deny")
	}
	if (statement.get("Action") == nil) == (statement.get("NotAction") == nil) {
		return errors.New("needs Action or NotAction")
	}
	if (statement.get("Resource") == nil) == (statement.get("NotResource") == nil) {
		return errors.New("needs Resource or NotResource")
	}
	for _, m := range statement {
		switch m.name {
		case "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition":
		case "Principal", "NotPrincipal":
			return fmt.Errorf("has a %s: that is for trust policies", m.name)
		default:
			return fmt.Errorf("has %.80q, which IAM does not know", m.name)
		}
	}
	return nil
}

// checkTemplateText checks a name or a text of a template.
func checkTemplateText(text string, _ bool) error {
	if strings.Contains(text, "{{") {
		return fmt.Errorf("%.80q has a placeholder of session policies, which IAM does not fill "+
			"in: it knows ${saml:sub} and ${aws:PrincipalTag/…}", text)
	}
	return checkCharacters(text)
}

// checkCharacters allows those that a policy can have (IAM API Reference, PutRolePolicy).
func checkCharacters(text string) error {
	for _, r := range text {
		if r > 0xff || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return fmt.Errorf("%.80q has the character %U: IAM's policies end at U+00FF", text, r)
		}
	}
	return nil
}

// policySize counts as IAM does.
func policySize(policy string) (n int) {
	for _, r := range policy {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// say tells the operator on standard error what does not stop the command.
func (s surroundings) say(notes []string) {
	for _, note := range notes {
		fmt.Fprintf(s.stderr, "delegation: note: %s\n", note)
	}
}
