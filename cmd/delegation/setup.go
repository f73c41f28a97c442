package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/spf13/cobra"
)

// The shortest and the longest maximum session duration that a role can have (IAM API Reference,
// CreateRole).
const (
	minRoleSession = time.Hour
	maxRoleSession = 12 * time.Hour
)

// setup is what one target needs in AWS: a SAML provider and a role.
type setup struct {
	target      string
	principal   arn.ARN
	role        arn.ARN
	region      delegation.Region
	maxSession  time.Duration // of the role
	metadata    string
	trust       string // JSON
	permissions string // JSON; empty: the role may do nothing
	uuid        bool   // the target is addressed by the provider's UUID
	notes       []string
}

// providerName returns the name of the SAML provider.
func (s *setup) providerName() string {
	return strings.TrimPrefix(s.principal.Resource, "saml-provider/")
}

// rolePath returns the path and the name of the role.
func (s *setup) rolePath() (folder, name string) {
	folder, name = path.Split(strings.TrimPrefix(s.role.Resource, "role"))
	return folder, name
}

// trust is a trust policy, what it is made of, and what to know about it.
type trust struct {
	policy      string
	explanation delegation.Explanation
	region      delegation.Region
	notes       []string
	settings    *config.Settings // nil without --target
	from        *config.Source
}

// trustOptions are the flags that say whom a role trusts.
type trustOptions struct {
	config, target                         string
	principal, region, recipient, entityID string
	tags, sourceIdentity                   bool
	said                                   func(flag string) bool // whether a flag is given
}

func (o *trustOptions) flags(s surroundings, c *cobra.Command) {
	s.configFlag(c, &o.config, defaultConfig)
	f := c.Flags()
	s.targetFlag(c, &o.target, &o.config, "`name` of the target in the configuration")
	f.StringVar(&o.principal, "principal", "", "`ARN` of the SAML provider; by default the "+
		"target's")
	f.StringVar(&o.region, "region", "", "AWS `region` whose sign-in address is the recipient; "+
		"by default the target's")
	f.StringVar(&o.recipient, "recipient", "", "`URL` that assertions are addressed to, "+
		"SAML:aud; by default the target's, or the region's sign-in address")
	f.BoolVar(&o.tags, "tags", false, "allow session tags or not, whatever the configuration says")
	f.BoolVar(&o.sourceIdentity, "source-identity", false, "allow a source identity or not, "+
		"whatever the configuration says")
	o.said = f.Changed
}

// targetSettingsOf loads a configuration that has the target.
func targetSettingsOf(file, target string, environment []string) (*config.Settings, *config.Source, error) {
	loaded, from, err := config.Load(file, environment)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := loaded.Targets[target]; !ok {
		return nil, nil, config.Usagef("%s: %.80q is not "+
			"a target", from.At("targets"), target)
	}
	return loaded, from, nil
}

// trusted writes the trust policy that the flags, and the target if there is one, ask for.
func (o *trustOptions) trusted(s surroundings) (*trust, error) {
	t := &trust{}
	var target config.TargetSettings
	var uses use
	place := func(flag string) string { return "--" + flag }
	if o.target != "" {
		var err error
		if t.settings, t.from, err = targetSettingsOf(o.config, o.target, s.environment); err != nil {
			return nil, err
		}
		target = t.settings.Targets[o.target]
		uses = useOf(t.settings, o.target)
		place = func(flag string) string {
			if o.said(flag) {
				return "--" + flag
			}
			return t.from.At(config.Key("targets").Child(o.target).Child(flag))
		}
	}
	e := &t.explanation
	e.Principal, e.EntityID = cmp.Or(o.principal, target.Principal), o.entityID
	if e.EntityID == "" && t.settings != nil {
		_, identity := t.settings.IdentityOf(o.target)
		e.EntityID = identity.EntityID
	}
	regionName := cmp.Or(o.region, target.Region)
	e.Recipient = cmp.Or(o.recipient, target.SAMLRecipient)

	var problems []error
	wrong := func(flag string, err error) { problems = append(problems, fmt.Errorf("%s: %w", place(flag), err)) }
	if e.Principal == "" {
		wrong("principal", errors.New("is missing: name the SAML provider's ARN with "+
			"--principal, or a target with --target"))
	} else if _, err := iam.Provider.Parse(e.Principal); err != nil {
		wrong("principal", err)
	}
	var err error
	if regionName == "" && e.Recipient == "" {
		wrong("region", errors.New("is missing: name one with --region, or the recipient with "+
			"--recipient"))
	} else if t.region, err = delegation.ParseRegion(regionName); err != nil && regionName != "" {
		wrong("region", plain(err))
	}
	if len(problems) > 0 {
		return nil, config.Usage(errors.Join(problems...))
	}
	if e.Recipient == "" {
		e.Recipient = t.region.SAMLRecipient()
		if target.SAMLProviderUUID != "" {
			e.Recipient += "/acs/" + target.SAMLProviderUUID
		}
	}
	e.Actions = o.actions(uses)
	if uses.javaScript != "" && !(o.said("tags") && o.said("source-identity")) {
		t.notes = append(t.notes, fmt.Sprintf("%s: what JavaScript rules set cannot be seen from "+
			"here: say --tags or --source-identity if they set session tags or a source "+
			"identity, and --tags=false "+
			"--source-identity=false if not", t.from.At(uses.javaScript)))
	}
	for _, at := range uses.elsewhere {
		t.notes = append(t.notes, fmt.Sprintf("%s: the rule may choose another provider or "+
			"region: such a role needs a trust policy with --principal or --region", t.from.At(at)))
	}
	if t.policy, err = e.TrustPolicy(); err == nil {
		err = errors.Join(checkCharacters(e.Recipient), checkCharacters(e.EntityID))
	}
	if err != nil {
		return nil, config.Usage(plain(err))
	}
	if n := policySize(t.policy); n > maxTrustPolicy {
		t.notes = append(t.notes, fmt.Sprintf("the trust policy has %d characters, and IAM takes "+
			"%d until AWS raises the quota: a shorter entity ID or recipient "+
			"would do too", n, maxTrustPolicy))
	}
	return t, nil
}

// actions are what the trust policy has to allow, as a flag says or else as the target uses it.
func (o *trustOptions) actions(u use) []string {
	tags, sourceIdentity := u.tags, u.sourceIdentity
	if o.said("tags") {
		tags = o.tags
	}
	if o.said("source-identity") {
		sourceIdentity = o.sourceIdentity
	}
	return iam.TrustActions(tags, sourceIdentity)
}

// use is what a target and the rules for it make of a session.
type use struct {
	tags, sourceIdentity bool
	javaScript           config.Key // of a JavaScript rule, which may do anything; empty: none
	// rows that choose another provider or region than the target's
	elsewhere []config.Key
	roles     []string // that rules may choose
	duration  bool     // a mapping chooses how long sessions are
}

func useOf(s *config.Settings, name string) (u use) {
	target := s.Targets[name]
	u.tags = len(target.Tags) > 0
	for attribute := range target.Mappings {
		u.tags = u.tags || strings.HasPrefix(attribute, delegation.AttributePrincipalTag)
		u.sourceIdentity = u.sourceIdentity || attribute == delegation.AttributeSourceIdentity
		u.duration = u.duration || attribute == delegation.AttributeSessionDuration
	}
	for i, rule := range s.Rules {
		if len(rule.Targets) > 0 && !slices.Contains(rule.Targets, name) {
			continue
		}
		at := config.Key("rules").Index(i)
		u.tags = u.tags || len(rule.TagsFromClaims) > 0
		u.sourceIdentity = u.sourceIdentity || rule.SourceIdentityFromClaim != nil
		if rule.JavaScript != nil {
			u.javaScript = at.Child("javascript")
		}
		if rule.RoleByClaim == nil {
			continue
		}
		for n, row := range rule.RoleByClaim.Roles {
			u.roles = append(u.roles, row.Role)
			if row.Principal != "" && row.Principal != target.Principal || row.Region != "" && row.Region != target.Region {
				u.elsewhere = append(u.elsewhere, at.Child("role_by_claim").Child("roles").Index(n))
			}
		}
	}
	return u
}

// setupOptions are the flags of the commands that write a whole set-up.
type setupOptions struct {
	trustOptions
	permissionOptions
	role, out string
}

// setupCommand is a command that writes the set-up of a target in some language.
func setupCommand(s surroundings, name, short, long, example string, write func(*setup) (string, error)) *cobra.Command {
	var o setupOptions
	command := &cobra.Command{
		Use: name, Short: short, Example: example, Args: noArguments,
		Long: long + "\n\n" +
			"The role's maximum session duration fits the target's, and its permission policy is " +
			"that of --bucket or --template. What the file cannot hold,\n" +
			"such as private keys for encrypted assertions, is said on standard error.\n\n" +
			"It reads the configuration, the target's signing keys and the template. It writes " +
			"to standard output, or to the file of --out, with the file mode\n" +
			"0600, and replaces none. Exit code 2 if something is missing or wrong.",
		RunE: func(*cobra.Command, []string) error {
			made, err := o.setup(s)
			if err != nil {
				return err
			}
			text, err := write(made)
			if err != nil {
				return config.Usage(err)
			}
			s.say(made.notes)
			if o.out == "" {
				return s.print([]byte(text))
			}
			return writeNew(o.out, []byte(text))
		},
	}
	o.trustOptions.flags(s, command)
	o.permissionOptions.flags(command)
	command.Flags().StringVar(&o.role, "role", "", "`ARN` of the role; by default the target's")
	command.Flags().StringVarP(&o.out, "out", "o", "", "`file` to write, instead of "+
		"standard output")
	return command
}

// setup finds all that the target needs.
func (o *setupOptions) setup(s surroundings) (*setup, error) {
	if o.target == "" {
		return nil, config.Usage(errors.New("name a target of the configuration with --target"))
	}
	trusted, err := o.trusted(s)
	if err != nil {
		return nil, err
	}
	settings, from := trusted.settings, trusted.from
	target, at, uses := settings.Targets[o.target], config.Key("targets").Child(o.target), useOf(settings, o.target)
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	made := &setup{target: o.target, region: trusted.region, trust: trusted.policy, notes: trusted.notes, uuid: target.SAMLProviderUUID != ""}
	made.principal, _ = iam.Provider.Parse(trusted.explanation.Principal) // which is checked
	roleAt := from.At(at.Child("role"))
	if o.role != "" {
		roleAt = "--role"
	}
	roleARN := cmp.Or(o.role, target.Role)
	made.role, err = iam.Role.Parse(roleARN)
	switch {
	case roleARN == "":
		b.Problem(fmt.Errorf("%s: is missing: name the role's ARN with "+
			"--role%s", roleAt, choices(uses.roles)))
	case err != nil:
		b.Problem(fmt.Errorf("%s: %w", roleAt, err))
	case made.role.AccountID != made.principal.AccountID || made.role.Partition != made.principal.Partition:
		b.Problem(fmt.Errorf("%s: the role and the SAML provider have to "+
			"be in the same account", roleAt))
	case made.region.String() != "" && made.region.Partition() != made.role.Partition:
		b.Problem(fmt.Errorf("%s: is in the partition %s, and the region "+
			"%s in %s", roleAt, made.role.Partition, made.region, made.region.Partition()))
	case made.region.String() == "":
		b.Problem(fmt.Errorf("%s: is missing: name one with "+
			"--region", from.At(at.Child("region"))))
	}
	duration := b.Duration(at.Child("session_duration"), target.SessionDuration)
	if duration > maxRoleSession {
		b.Wrong(at.Child("session_duration"), fmt.Errorf("is longer than %s, the longest that a "+
			"role can allow", maxRoleSession))
	}
	made.maxSession = max(minRoleSession, duration.Truncate(time.Second))
	identityAt, own := settings.IdentityOf(o.target)
	identity := b.Identity(identityAt, own)
	if b.Err() == nil { // otherwise the same would be said twice
		metadata, err := identity.Metadata()
		b.Add(identityAt, err)
		made.metadata = string(metadata)
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	var notes []string
	if made.permissions, notes, err = o.policy(made.region); err != nil {
		return nil, err
	}
	made.notes = append(made.notes, notes...)
	made.remark(target, uses)
	return made, nil
}

func choices(roles []string) string {
	if len(roles) == 0 {
		return ""
	}
	return ", such as " + roles[0] + ", which a rule may choose"
}

// remark notes what the set-up cannot hold.
func (s *setup) remark(target config.TargetSettings, uses use) {
	note := func(format string, args ...any) { s.notes = append(s.notes, fmt.Sprintf(format, args...)) }
	if s.permissions == "" {
		note("the role may do nothing yet: add a permission policy with --bucket or " +
			"--template")
	}
	others := slices.DeleteFunc(slices.Concat(target.AllowedRoles, uses.roles), func(role string) bool { return role == s.role.String() })
	slices.Sort(others)
	if others = slices.Compact(others); len(others) > 0 {
		note("this is the set-up of %s. Rules may choose other roles too, which need "+
			"the same "+
			"trust policy: %s", s.role, strings.Join(others, ", "))
	}
	if uses.duration {
		note("a mapping chooses how long sessions are: raise the role's maximum session "+
			"duration "+
			"from %s if it chooses more", s.maxSession)
	}
	if s.uuid {
		note("a new SAML provider has a new UUID: put it into saml_provider_uuid, and " +
			"into the " +
			"trust policy by writing this file again")
	}
	if target.EncryptionKeyFile != "" {
		note("the private key for encrypted assertions is not in here: add it with aws iam "+
			"update-saml-provider --saml-provider-arn %s --add-private-key file://reader.key "+
			"--assertion-encryption-mode Allowed", s.principal)
	}
}
