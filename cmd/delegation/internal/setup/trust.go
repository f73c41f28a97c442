package setup

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/internal/iam"
)

// TrustOptions say whom a role trusts. Empty fields are taken from the target, if one is named.
type TrustOptions struct {
	// ConfigFile is the file of the configuration, which is read only if Target is named.
	ConfigFile string

	// Target is a key under targets of the configuration; empty: the other fields are complete.
	Target string

	// Principal is the ARN of the SAML provider.
	Principal string

	// Region is the region whose sign-in address is the recipient.
	Region string

	// Recipient is SAML:aud; empty: the target's, or the region's sign-in address.
	Recipient string

	// EntityID is SAML:iss; empty: the configuration's.
	EntityID string

	// Tags and SourceIdentity allow these or not. They are used only if Said reports their flags.
	Tags, SourceIdentity bool

	// Said tells whether a flag was given: principal, region, tags and so on.
	Said func(flag string) bool

	// hasRole tells that the command has the flag --role.
	hasRole bool

	// role is the role of --role; empty: the target's.
	role string

	// choice is what the configuration says about the role that the policy is for. Its role is
	// empty if that is not known.
	choice Choice
}

// Trust is a trust policy, its sources, and notes about it.
type Trust struct {
	// Policy is the document, JSON.
	Policy string

	// Explanation is the decision that the policy is for.
	Explanation delegation.Explanation

	// Region is zero if only a recipient was named.
	Region delegation.Region

	// Notes are for the operator.
	Notes []string

	// Settings and From are the configuration; nil without a target.
	Settings *config.Settings
	From     *config.Source

	uses Use
}

// LoadTarget loads a configuration that has the target.
func LoadTarget(
	file, target string, environment []string,
) (*config.Settings, *config.Source, error) {
	loaded, from, err := config.Load(file, environment)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := loaded.Targets[target]; !ok {
		return nil, nil, config.Usagef("%s: %.80q is not a target", from.At("targets"), target)
	}
	return loaded, from, nil
}

// Trust writes the trust policy for the options and the target, if there is one. An error is a
// config.UsageError.
func (o *TrustOptions) Trust(environment []string) (*Trust, error) {
	t := &Trust{}
	var target config.TargetSettings
	if o.Target != "" {
		var err error
		t.Settings, t.From, err = LoadTarget(o.ConfigFile, o.Target, environment)
		if err != nil {
			return nil, err
		}
		target = t.Settings.Targets[o.Target]
		t.uses = UseOf(t.Settings, o.Target)
		if o.hasRole || o.Principal+o.Region == "" {
			o.choice = o.choiceFor(target, t.uses, cmp.Or(o.role, target.Role))
		}
	}
	if err := o.fill(t, target); err != nil {
		return nil, err
	}
	t.Notes = slices.Concat(o.unseen(t), o.otherTrust(t, target), chainNotes(target))
	policy, err := t.Explanation.TrustPolicy()
	if err == nil {
		err = errors.Join(
			CheckCharacters(t.Explanation.Recipient), CheckCharacters(t.Explanation.EntityID))
	}
	if err != nil {
		return nil, config.Usage(Plain(err))
	}
	t.Policy = policy
	if n := PolicySize(policy); n > maxTrustPolicy {
		t.Notes = append(t.Notes, fmt.Sprintf("the trust policy has %d characters, and IAM takes "+
			"%d by default: use a shorter entity ID or recipient, or ask AWS to raise the quota",
			n, maxTrustPolicy))
	}
	return t, nil
}

// fill collects what the policy is made of. It reports every problem with its flag or key.
func (o *TrustOptions) fill(t *Trust, target config.TargetSettings) error {
	e := &t.Explanation
	e.Principal = cmp.Or(o.Principal, o.choice.Principal, target.Principal)
	e.Recipient = cmp.Or(o.Recipient, target.SAMLRecipient)
	e.EntityID = o.EntityID
	if e.EntityID == "" && t.Settings != nil {
		_, identity := t.Settings.IdentityOf(o.Target)
		e.EntityID = identity.EntityID
	}
	e.Actions = o.actions(t.uses)

	var problems []error
	wrong := func(flag string, err error) {
		problems = append(problems, fmt.Errorf("%s: %w", o.place(flag, t.From), err))
	}
	if e.Principal == "" {
		wrong("principal", errors.New("is missing: name the SAML provider's ARN with "+
			"--principal, or a target with --target"))
	} else if _, err := iam.Provider.Parse(e.Principal); err != nil {
		wrong("principal", err)
	}
	if name := cmp.Or(o.Region, o.choice.Region, target.Region); name != "" {
		region, err := delegation.ParseRegion(name)
		if err != nil {
			wrong("region", Plain(err))
		}
		t.Region = region
	} else if e.Recipient == "" {
		wrong("region", errors.New("is missing: name one with --region, or the recipient with "+
			"--recipient"))
	}
	if len(problems) == 0 {
		o.checkPartitions(t, target, wrong)
	}
	if len(problems) > 0 {
		return config.Usage(errors.Join(problems...))
	}
	if e.Recipient == "" {
		e.Recipient = t.Region.SAMLRecipient()
		if target.SAMLProviderUUID != "" {
			e.Recipient += "/acs/" + target.SAMLProviderUUID
		}
	}
	return nil
}

// checkPartitions refuses a SAML provider in another partition than the role, the region or the
// recipient. AWS accepts no assertion from another partition. The provider of another role is not
// compared with the target's role.
func (o *TrustOptions) checkPartitions(
	t *Trust, target config.TargetSettings, wrong func(flag string, err error),
) {
	provider, err := iam.Provider.Parse(t.Explanation.Principal)
	if err != nil {
		return // this has been reported already
	}
	differs := func(what, partition string) {
		if partition != "" && partition != provider.Partition {
			wrong("principal", fmt.Errorf("the SAML provider is in the partition %s, and %s in %s",
				provider.Partition, what, partition))
		}
	}
	if role, err := iam.Role.Parse(target.Role); err == nil && o.isOwn(target) {
		differs("the role "+target.Role, role.Partition)
	}
	if t.Region.Partition() != "" {
		differs("the region "+t.Region.String(), t.Region.Partition())
	}
	if recipient, err := url.Parse(t.Explanation.Recipient); err == nil {
		partition, _ := iam.PartitionOfSignIn(recipient.Host)
		differs("the recipient "+t.Explanation.Recipient, partition)
	}
}

// isOwn tells whether the SAML provider is that of the target's role.
func (o *TrustOptions) isOwn(target config.TargetSettings) bool {
	return o.Principal == "" && cmp.Or(o.role, target.Role) == target.Role
}

// place says where to correct a value: at its flag, at the flag of the role with which the
// configuration names it, or at the target's key of the same name.
func (o *TrustOptions) place(flag string, from *config.Source) string {
	if from == nil || o.Said(flag) {
		return "--" + flag
	}
	if flag == "principal" && o.role != "" || flag == "region" && o.choice.Region != "" {
		return "--role"
	}
	return from.At(config.KeyPath("targets").Child(o.Target).Child(flag))
}

// unseen asks what JavaScript rules set, except for what the policy allows for another reason.
func (o *TrustOptions) unseen(t *Trust) []string {
	if t.uses.JavaScript == "" {
		return nil
	}
	var flags []string
	ask := func(flag, what string, allowed bool) {
		if !allowed && !o.Said(flag) {
			flags = append(flags,
				fmt.Sprintf("add --%s if they set %s, and --%[1]s=false if not", flag, what))
		}
	}
	ask("tags", "session tags", t.uses.Tags)
	ask("source-identity", "a source identity", t.uses.SourceIdentity)
	if len(flags) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: what JavaScript rules set cannot be seen from here: %s",
		t.From.At(t.uses.JavaScript), strings.Join(flags, "; "))}
}

// actions are the actions that the trust policy has to allow. Flags take precedence over what the
// target uses.
func (o *TrustOptions) actions(u Use) []string {
	tags := u.Tags
	if o.Said("tags") {
		tags = o.Tags
	}
	sourceIdentity := u.SourceIdentity
	if o.Said("source-identity") {
		sourceIdentity = o.SourceIdentity
	}
	return iam.TrustActions(tags, sourceIdentity)
}

// Use is what a target and the rules for it do with a session.
type Use struct {
	// Tags and SourceIdentity tell whether sessions can have these.
	Tags, SourceIdentity bool

	// JavaScript is the key of a JavaScript rule, which may do anything; empty: none.
	JavaScript config.KeyPath

	// Choices are the roles that the settings name.
	Choices []Choice

	// Roles are those of them that rules choose.
	Roles []string

	// NameID are the settings that choose the NameID, or may do so, as texts for people.
	NameID []string

	// Duration tells whether a mapping chooses the session duration.
	Duration bool
}

// UseOf finds what the target of that name, and the rules for it, use.
func UseOf(s *config.Settings, name string) (u Use) {
	target := s.Targets[name]
	u.Tags = len(target.Tags) > 0
	u.SourceIdentity = target.SourceIdentity != ""
	if target.Actors != nil {
		place := delegation.ActorPlace(target.Actors.Place)
		u.Tags = u.Tags || place == delegation.ActorInTag
		u.SourceIdentity = u.SourceIdentity || place == delegation.ActorInSourceIdentity
	}
	for attribute := range target.Mappings {
		u.Tags = u.Tags || strings.HasPrefix(attribute, delegation.AttributePrincipalTag)
		u.SourceIdentity = u.SourceIdentity || attribute == delegation.AttributeSourceIdentity
		u.Duration = u.Duration || attribute == delegation.AttributeSessionDuration
	}
	if target.NameID != "" {
		u.NameID = append(u.NameID, "name_id of the target chooses the NameID")
	}
	if target.NameIDFromMapping {
		u.NameID = append(u.NameID, "name_id_from_mapping of the target chooses the NameID")
	}
	var rows []config.RoleMatch
	for i, rule := range s.Rules {
		if len(rule.Targets) > 0 && !slices.Contains(rule.Targets, name) {
			continue
		}
		at := config.KeyPath("rules").Index(i)
		u.Tags = u.Tags || len(rule.TagsFromClaims) > 0
		u.SourceIdentity = u.SourceIdentity || rule.SourceIdentityFromClaim != nil ||
			rule.SourceIdentity != nil
		if rule.NameID != nil {
			u.NameID = append(u.NameID, fmt.Sprintf("%s chooses the NameID", at.Child("name_id")))
		}
		if rule.JavaScript != nil {
			u.JavaScript = at.Child("javascript")
			u.NameID = append(u.NameID, fmt.Sprintf("%s may choose the NameID", u.JavaScript))
		}
		if rule.RoleByClaim != nil {
			rows = append(rows, rule.RoleByClaim.Roles...)
		}
	}
	for _, row := range rows {
		u.Roles = append(u.Roles, row.Role)
	}
	u.Choices = choicesOf(target, rows)
	return u
}
