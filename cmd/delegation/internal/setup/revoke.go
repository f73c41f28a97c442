package setup

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
)

// RevokeOptions say whose sessions of which roles are to end.
type RevokeOptions struct {
	// ConfigFile is the file of the configuration, which is read only if Target is named.
	ConfigFile string

	// Target is a key under targets of the configuration; empty: the other fields are complete.
	Target string

	// Roles are the ARNs of roles; empty: all roles that the target and its rules name.
	Roles []string

	// Subject is a NameID, SourceIdentity a source identity, and Everybody means all sessions.
	// Exactly one of them is set.
	Subject        string
	SourceIdentity string
	Everybody      bool

	// Before is a time in the format of RFC 3339; empty: now.
	Before string

	// Principal is the ARN of the SAML provider at which Subject is known; empty: the target's.
	Principal string

	// EntityID is the entity ID of the SAML identity that vouches for Subject; empty: the
	// configuration's.
	EntityID string

	// Now is the clock.
	Now func() time.Time
}

// Revoked is a policy that ends sessions, and notes about it.
type Revoked struct {
	// Policy is the document, JSON.
	Policy string

	// Name is that of the inline policy.
	Name string

	// Roles are the names of the roles, without their paths.
	Roles []string

	// Notes are for the operator.
	Notes []string
}

// everybodysPolicy is the name that IAM's console gives to the policy that ends all sessions (IAM
// User Guide, "Revoke IAM role temporary security credentials"). A later revocation replaces that
// policy.
const everybodysPolicy = "AWSRevokeOlderSessions"

// Revoke writes the requested policy. An error is a config.UsageError.
func (o *RevokeOptions) Revoke(environment []string) (*Revoked, error) {
	if err := o.checkWhose(); err != nil {
		return nil, config.Usage(err)
	}
	var settings *config.Settings
	var target config.TargetSettings
	if o.Target != "" {
		loaded, _, err := LoadTarget(o.ConfigFile, o.Target, environment)
		if err != nil {
			return nil, err
		}
		settings = loaded
		target = loaded.Targets[o.Target]
	}
	made := &Revoked{}
	sessions := delegation.SessionRevocation{
		Subject:        o.Subject,
		SourceIdentity: o.SourceIdentity,
		Encoding:       delegation.NameIDEncoding(target.NameIDEncoding),
	}
	problems := errors.Join(
		o.noteSubject(made, settings, target),
		o.fillTime(&sessions),
		o.fillQualifier(&sessions, settings, target),
		o.fillRoles(made, settings, target),
	)
	if problems != nil {
		return nil, config.Usage(problems)
	}
	policy, err := sessions.Policy()
	if err == nil {
		err = CheckCharacters(policy)
	}
	if err != nil {
		return nil, config.Usage(Plain(err))
	}
	made.Policy = policy
	made.Name = policyName(sessions)
	return made, nil
}

// checkWhose checks that exactly one option says whose sessions to end.
func (o *RevokeOptions) checkWhose() error {
	said := 0
	for _, set := range []bool{o.Subject != "", o.SourceIdentity != "", o.Everybody} {
		if set {
			said++
		}
	}
	if said != 1 {
		return errors.New("say whose sessions end, with one of --subject NAMEID, " +
			"--source-identity IDENTITY and --everybody")
	}
	return nil
}

// fillTime sets the time before which sessions end.
func (o *RevokeOptions) fillTime(sessions *delegation.SessionRevocation) error {
	sessions.IssuedBefore = o.Now()
	if o.Before == "" {
		return nil
	}
	at, err := time.Parse(time.RFC3339, o.Before)
	if err != nil {
		return fmt.Errorf("--before: %.40q is not a time such as %s",
			o.Before, o.Now().UTC().Format(time.RFC3339))
	}
	if at.After(o.Now()) {
		return fmt.Errorf("--before: %s is in the future: sessions that are issued until then "+
			"would be denied too", at.UTC().Format(time.RFC3339))
	}
	sessions.IssuedBefore = at
	return nil
}

// noteSubject notes how AWS knows the subject, if that differs from the subject itself.
func (o *RevokeOptions) noteSubject(
	made *Revoked, settings *config.Settings, target config.TargetSettings,
) error {
	if o.Subject == "" || settings == nil {
		return nil
	}
	nameID, err := delegation.NameIDEncoding(target.NameIDEncoding).Encode(o.Subject)
	if err != nil {
		return fmt.Errorf("--subject: %w", Plain(err))
	}
	if nameID != o.Subject {
		made.Notes = append(made.Notes, fmt.Sprintf("name_id_encoding of the target is %s: AWS "+
			"knows %.80q as %s, which the policy names", target.NameIDEncoding, o.Subject, nameID))
	}
	chosen := UseOf(settings, o.Target).NameID
	if target.NameIDTellsIssuersApart {
		chosen = append(chosen, "name_id_tells_issuers_apart of the target says that the NameID is "+
			"not the sub")
	}
	if len(chosen) == 0 {
		return nil
	}
	note := strings.Join(chosen, ", and ") + ": --subject must be the NameID. delegation explain " +
		"and CloudTrail (userIdentity.userName of AssumeRoleWithSAML) show it"
	if target.NameIDEncoding != "" {
		note += " encoded. To name it as they do, name the role with --role, --principal and " +
			"--entity-id instead of --target"
	}
	made.Notes = append(made.Notes, note)
	return nil
}

// fillQualifier sets the name qualifier of a subject.
func (o *RevokeOptions) fillQualifier(
	sessions *delegation.SessionRevocation, settings *config.Settings, target config.TargetSettings,
) error {
	if o.Subject == "" {
		return nil
	}
	entityID := o.EntityID
	if entityID == "" && settings != nil {
		_, identity := settings.IdentityOf(o.Target)
		entityID = identity.EntityID
	}
	principal := cmp.Or(o.Principal, target.Principal)
	var problems []error
	if entityID == "" {
		problems = append(problems, errors.New("--entity-id: is missing: name the entity ID with "+
			"--entity-id, or a target with --target"))
	}
	if principal == "" {
		problems = append(problems, errors.New("--principal: is missing: name the SAML "+
			"provider's ARN with --principal, or a target with --target"))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	qualifier, err := delegation.NameQualifier(entityID, principal)
	if err != nil {
		return fmt.Errorf("--principal: %w", Plain(err))
	}
	sessions.NameQualifier = qualifier
	return nil
}

// fillRoles sets the roles, and notes which other roles users may have.
func (o *RevokeOptions) fillRoles(
	made *Revoked, settings *config.Settings, target config.TargetSettings,
) error {
	roles := o.Roles
	if len(roles) == 0 && settings != nil {
		uses := UseOf(settings, o.Target)
		if len(target.Chain) > 0 {
			return o.fillLastRole(made, target)
		}
		roles = slices.Concat(target.RoleARNs(), uses.Roles, target.AllowedRoles)
		roles = slices.DeleteFunc(roles, iam.IsRolePattern)
		if text := target.OpenRoles(); text != "" {
			made.Notes = append(made.Notes, text+", so that users may have other roles, which "+
				"cannot be seen from here: name these with --role")
		}
		if uses.JavaScript != "" {
			made.Notes = append(made.Notes, "JavaScript rules may choose other roles, which "+
				"cannot be seen from here: name these with --role")
		}
		if o.Subject != "" && o.hasElsewhere(target, uses) {
			made.Notes = append(made.Notes, whoChooses(target)+" may choose roles with another "+
				"SAML provider, whose sessions have another name qualifier: name these with "+
				"--role and --principal")
		}
	}
	accounts := map[string]bool{}
	for _, role := range roles {
		if role == "" {
			continue
		}
		parsed, err := iam.Role.Parse(role)
		if err != nil {
			return fmt.Errorf("--role: %w", err)
		}
		accounts[parsed.AccountID] = true
		name := parsed.Resource[strings.LastIndexByte(parsed.Resource, '/')+1:]
		if !slices.Contains(made.Roles, name) {
			made.Roles = append(made.Roles, name)
		}
	}
	if len(made.Roles) == 0 {
		return errors.New("--role: is missing: name the role's ARN with --role, or a target " +
			"that has one with --target")
	}
	if len(accounts) > 1 {
		return errors.New("the roles are in several accounts, and a command changes one: name " +
			"those of one account with --role")
	}
	return o.checkProvider(accounts, target)
}

// checkProvider refuses a SAML provider of another account than the roles'. AWS gives no session of
// these roles for it, so a policy with its name qualifier would end none.
func (o *RevokeOptions) checkProvider(
	accounts map[string]bool, target config.TargetSettings,
) error {
	provider, err := iam.Provider.Parse(cmp.Or(o.Principal, target.Principal))
	if o.Subject == "" || err != nil || accounts[provider.AccountID] {
		return nil // fillQualifier reports the error
	}
	return fmt.Errorf("--principal: the roles are in another account than the SAML provider %s: "+
		"name the SAML provider of their account with --principal", provider)
}

// hasElsewhere tells whether users can have a role whose SAML provider is not the one of Subject.
func (o *RevokeOptions) hasElsewhere(target config.TargetSettings, uses Use) bool {
	principal := cmp.Or(o.Principal, target.Principal)
	other := func(c Choice) bool { return c.Principal != principal }
	return takesFromTokens(target) || slices.ContainsFunc(uses.Choices, other)
}

// fillLastRole sets the last role of a chain. Its sessions do not end with those of the other
// roles.
func (o *RevokeOptions) fillLastRole(made *Revoked, target config.TargetSettings) error {
	if o.Subject != "" {
		return fmt.Errorf("--subject: the target %.80q has a chain, whose last role does not know "+
			"the NameID: name the user with --source-identity", o.Target)
	}
	last, err := iam.Role.Parse(LastRole(target))
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	made.Roles = []string{last.Resource[strings.LastIndexByte(last.Resource, '/')+1:]}
	made.Notes = append(made.Notes, fmt.Sprintf("run it in the account %s, where the last role of "+
		"the target's chain is", last.AccountID))
	return nil
}

// policyName is the name of the inline policy. Each subject of a SAML provider has its own, which a
// later revocation of the same subject replaces.
func policyName(s delegation.SessionRevocation) string {
	if s.Subject == "" && s.SourceIdentity == "" {
		return everybodysPolicy
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", s.Subject, s.NameQualifier, s.SourceIdentity))
	return fmt.Sprintf("DelegationRevoke-%x", sum[:8])
}

// Commands returns the commands of the AWS CLI that attach the policy, one line for each role.
func (r *Revoked) Commands() string {
	var text strings.Builder
	for _, role := range r.Roles {
		fmt.Fprintf(&text, "%s\n", r.command(role))
	}
	return text.String()
}

// CommandNotes returns the commands as notes, for an operator who reads them.
func (r *Revoked) CommandNotes() (notes []string) {
	for _, role := range r.Roles {
		notes = append(notes, "to attach it, run: "+r.command(role))
	}
	return notes
}

func (r *Revoked) command(role string) string {
	return fmt.Sprintf("aws iam put-role-policy --role-name %s --policy-name %s "+
		"--policy-document %s", term.ShellWord(role), r.Name, term.QuoteForShell(compact(r.Policy)))
}

// compact removes white space from a document, which IAM does not count.
func compact(policy string) string {
	var text bytes.Buffer
	_ = json.Compact(&text, []byte(policy)) // cannot fail: this program made it
	return text.String()
}
