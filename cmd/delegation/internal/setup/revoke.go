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

	"github.com/aws/aws-sdk-go-v2/aws/arn"
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

	// Principal is the ARN of the SAML provider at which Subject is known; empty: those that the
	// configuration names for the roles.
	Principal string

	// EntityID is the entity ID of the SAML identity that vouches for Subject; empty: the
	// configuration's.
	EntityID string

	// Now is the clock.
	Now func() time.Time
}

// Revoked is what ends the sessions, and notes about it.
type Revoked struct {
	// Revocations are the policies, each with the roles that need it. There are several if the
	// sessions of a user are of several SAML providers.
	Revocations []Revocation

	// Notes are for the operator.
	Notes []string
}

// Revocation is a policy that ends sessions.
type Revocation struct {
	// Policy is the document, JSON.
	Policy string

	// Name is that of the inline policy.
	Name string

	// Roles are the names of the roles, without their paths.
	Roles []string

	// qualifier is the name qualifier of the sessions; empty: the policy has none.
	qualifier string
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
	r := revocation{RevokeOptions: o, made: &Revoked{}}
	if o.Target != "" {
		settings, _, err := LoadTarget(o.ConfigFile, o.Target, environment)
		if err != nil {
			return nil, err
		}
		r.settings = settings
		r.target = settings.Targets[o.Target]
		r.uses = UseOf(settings, o.Target)
	}
	sessions := delegation.SessionRevocation{
		Subject:        o.Subject,
		SourceIdentity: o.SourceIdentity,
		Encoding:       delegation.NameIDEncoding(r.target.NameIDEncoding),
	}
	problems := errors.Join(
		r.noteSubject(),
		o.fillTime(&sessions),
		r.checkIssuer(),
		r.group(),
	)
	if problems != nil {
		return nil, config.Usage(problems)
	}
	for i := range r.made.Revocations {
		if err := r.made.Revocations[i].write(sessions); err != nil {
			return nil, config.Usage(Plain(err))
		}
	}
	return r.made, nil
}

// write writes the policy for the sessions with the revocation's name qualifier.
func (r *Revocation) write(sessions delegation.SessionRevocation) error {
	sessions.NameQualifier = r.qualifier
	policy, err := sessions.Policy()
	if err != nil {
		return err
	}
	if err := CheckCharacters(policy); err != nil {
		return err
	}
	r.Policy = policy
	r.Name = policyName(sessions)
	return nil
}

// revocation is the work of Revoke: the options, and what the configuration says about the target.
type revocation struct {
	*RevokeOptions

	settings *config.Settings // nil without a target
	target   config.TargetSettings
	uses     Use
	made     *Revoked
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

// note adds a note.
func (r *revocation) note(format string, args ...any) {
	r.made.Notes = append(r.made.Notes, fmt.Sprintf(format, args...))
}

// noteSubject notes how AWS knows the subject, if that differs from the subject itself.
func (r *revocation) noteSubject() error {
	if r.Subject == "" || r.settings == nil {
		return nil
	}
	nameID, err := delegation.NameIDEncoding(r.target.NameIDEncoding).Encode(r.Subject)
	if err != nil {
		return fmt.Errorf("--subject: %w", Plain(err))
	}
	if nameID != r.Subject {
		r.note("name_id_encoding of the target is %s: AWS knows %.80q as %s, which the policy "+
			"names", r.target.NameIDEncoding, r.Subject, nameID)
	}
	chosen := r.uses.NameID
	if r.target.NameIDTellsIssuersApart {
		chosen = append(chosen, "name_id_tells_issuers_apart of the target says that the NameID is "+
			"not the sub")
	}
	if len(chosen) == 0 {
		return nil
	}
	note := strings.Join(chosen, ", and ") + ": --subject must be the NameID. delegation explain " +
		"and CloudTrail (userIdentity.userName of AssumeRoleWithSAML) show the NameID"
	if r.target.NameIDEncoding != "" {
		note += ", but encoded. To use the encoded NameID, set --role, --principal and " +
			"--entity-id instead of --target"
	}
	r.note("%s", note)
	return nil
}

// insteadOfTarget is how to end sessions that the settings no longer allow.
const insteadOfTarget = "or, for older sessions, name the role with --role, --principal and " +
	"--entity-id instead of --target"

// checkIssuer checks the entity ID that vouches for a subject. One that differs from the
// configuration's is refused, because the policy would end no session of the target.
func (r *revocation) checkIssuer() error {
	if r.Subject == "" {
		return nil
	}
	configured := r.entityID()
	switch {
	case configured == "" && r.EntityID == "":
		return errors.New("--entity-id: is missing: name the entity ID with --entity-id, or a " +
			"target with --target")
	case configured != "" && r.EntityID != "" && r.EntityID != configured:
		return fmt.Errorf("--entity-id: the target's entity ID is %.200q: leave out --entity-id, %s",
			configured, insteadOfTarget)
	}
	return nil
}

// entityID returns the entity ID of the configuration; empty: there is none.
func (r *revocation) entityID() string {
	if r.settings == nil {
		return ""
	}
	_, identity := r.settings.IdentityOf(r.Target)
	return identity.EntityID
}

// group sets the roles, grouped by the name qualifier of their sessions.
func (r *revocation) group() error {
	if len(r.Roles) == 0 && len(r.target.Chain) > 0 {
		return r.lastRole()
	}
	roles, err := r.chosenRoles()
	if err != nil {
		return errors.Join(r.checkPrincipalGiven(), err)
	}
	for _, role := range roles {
		qualifiers, err := r.qualifiersOf(role)
		if err != nil {
			return err
		}
		for _, qualifier := range qualifiers {
			r.made.add(qualifier, role)
		}
	}
	return nil
}

// add adds a role to the revocation with this name qualifier.
func (r *Revoked) add(qualifier string, role arn.ARN) {
	at := slices.IndexFunc(r.Revocations, func(one Revocation) bool {
		return one.qualifier == qualifier
	})
	if at < 0 {
		at = len(r.Revocations)
		r.Revocations = append(r.Revocations, Revocation{qualifier: qualifier})
	}
	one := &r.Revocations[at]
	if name := roleName(role); !slices.Contains(one.Roles, name) {
		one.Roles = append(one.Roles, name)
	}
}

// roleName is the name of a role without its path.
func roleName(role arn.ARN) string {
	return role.Resource[strings.LastIndexByte(role.Resource, '/')+1:]
}

// chosenRoles returns the roles of --role, or those that the target and its rules name. It notes
// which other roles users may have.
func (r *revocation) chosenRoles() (roles []arn.ARN, err error) {
	list := r.Roles
	if len(list) == 0 && r.settings != nil {
		list = slices.Concat(r.target.RoleARNs(), r.uses.Roles, r.target.AllowedRoles)
		list = slices.DeleteFunc(list, iam.IsRolePattern)
		r.noteOtherRoles()
	}
	accounts := map[string]bool{}
	for _, text := range list {
		if text == "" {
			continue
		}
		role, err := iam.Role.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--role: %w", err)
		}
		accounts[role.AccountID] = true
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		return nil, errors.New("--role: is missing: name the role's ARN with --role, or a target " +
			"that has one with --target")
	}
	if len(accounts) > 1 {
		return nil, errors.New("the roles are in several accounts, and a command changes one: " +
			"name those of one account with --role")
	}
	if r.Subject != "" && r.Principal == "" && r.mayHaveOtherProviders() {
		r.note("%s may name another SAML provider, which cannot be seen from here. The policy "+
			"does not end the sessions of that one: for these, name the role and the SAML "+
			"provider with --role and --principal", r.unseen())
	}
	return roles, nil
}

// noteOtherRoles notes which roles users may have that the settings do not name.
func (r *revocation) noteOtherRoles() {
	if text := r.target.OpenRoles(); text != "" {
		r.note("%s, so that users may have other roles, which cannot be seen from here: name "+
			"these with --role", text)
	}
	if r.uses.JavaScript != "" {
		r.note("JavaScript rules may choose other roles, which cannot be seen from here: name " +
			"these with --role")
	}
}

// mayHaveOtherProviders tells whether something that cannot be seen from here names the SAML
// provider of a role.
func (r *revocation) mayHaveOtherProviders() bool {
	return r.uses.JavaScript != "" || takesFromTokens(r.target)
}

// unseen names what mayHaveOtherProviders is about.
func (r *revocation) unseen() string {
	if takesFromTokens(r.target) {
		return "tokens"
	}
	return "JavaScript rules"
}

// qualifiersOf returns the name qualifiers of a role's sessions: one for each of its SAML
// providers. Without a subject, the sessions of all are meant, and the only one is empty.
func (r *revocation) qualifiersOf(role arn.ARN) (list []string, err error) {
	if r.Subject == "" {
		return []string{""}, nil
	}
	providers, err := r.providersOf(role)
	if err != nil {
		return nil, err
	}
	for _, text := range providers {
		qualifier, err := delegation.NameQualifier(cmp.Or(r.EntityID, r.entityID()), text)
		if err != nil {
			return nil, fmt.Errorf("the SAML provider of the role %s: %w", role, Plain(err))
		}
		provider, _ := iam.Provider.Parse(text) // NameQualifier has checked it
		if provider.AccountID != role.AccountID {
			// AWS gives no session of the role for it, so the policy would end none.
			return nil, fmt.Errorf("--principal: the role %s is in another account than the SAML "+
				"provider %s: name the SAML provider of its account with --principal", role, text)
		}
		list = append(list, qualifier)
	}
	return list, nil
}

// providersOf returns the SAML providers of a role's sessions: that of --principal, or those that
// the settings name for the role.
func (r *revocation) providersOf(role arn.ARN) ([]string, error) {
	if r.settings == nil {
		return []string{r.Principal}, r.checkPrincipalGiven()
	}
	if r.isChained(role) {
		return nil, r.chainedError()
	}
	known := providersOf(r.uses.Choices, role.String())
	if r.Principal != "" {
		return []string{r.Principal}, r.checkPrincipal(role, known)
	}
	if len(known) == 0 {
		if own := providerFor(r.target, role.String()); own != "" {
			known = []string{own}
		}
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("--principal: the configuration names no SAML provider of the "+
			"account %s for the role %s: name it with --principal", role.AccountID, role)
	}
	return known, nil
}

// checkPrincipalGiven requires --principal, or a target with a SAML provider, for a subject.
func (r *revocation) checkPrincipalGiven() error {
	if r.Subject == "" || r.settings != nil || r.Principal != "" {
		return nil
	}
	return errors.New("--principal: is missing: name the SAML provider's ARN with --principal, " +
		"or a target with --target")
}

// checkPrincipal refuses a SAML provider other than those that the settings name for a role. Its
// policy would end no session. Where something else may name one, any is accepted.
func (r *revocation) checkPrincipal(role arn.ARN, known []string) error {
	if _, err := iam.Provider.Parse(r.Principal); err != nil {
		return fmt.Errorf("--principal: %w", err)
	}
	if len(known) == 0 || slices.Contains(known, r.Principal) || r.mayHaveOtherProviders() {
		return nil
	}
	return fmt.Errorf("--principal: sessions of the role %s are of the SAML provider %s: leave "+
		"out --principal, %s", role, strings.Join(known, " or "), insteadOfTarget)
}

// isChained tells whether a role of the target's chain is meant, whose sessions do not know the
// NameID.
func (r *revocation) isChained(role arn.ARN) bool {
	return slices.ContainsFunc(r.target.Chain, func(next config.ChainedRoleSettings) bool {
		return next.RoleARN == role.String()
	})
}

func (r *revocation) chainedError() error {
	return fmt.Errorf("--subject: the target %.80q has a chain, whose last role does not know "+
		"the NameID: name the user with --source-identity", r.Target)
}

// lastRole sets the last role of a chain. Its sessions do not end with those of the other roles.
func (r *revocation) lastRole() error {
	if r.Subject != "" {
		return r.chainedError()
	}
	last, err := iam.Role.Parse(LastRole(r.target))
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	r.made.add("", last)
	r.note("run it in the account %s, where the last role of the target's chain is", last.AccountID)
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

// Policy returns the policy, if one is enough. The error is a config.UsageError.
func (r *Revoked) Policy() (string, error) {
	if len(r.Revocations) > 1 {
		return "", config.Usage(errors.New("the sessions are of several SAML providers, and each " +
			"needs a policy of its own: print the commands that attach them with --commands"))
	}
	return r.Revocations[0].Policy, nil
}

// Commands returns the commands of the AWS CLI that attach the policies, one line for each role of
// a policy.
func (r *Revoked) Commands() (lines []string) {
	for _, one := range r.Revocations {
		for _, role := range one.Roles {
			lines = append(lines, one.command(role))
		}
	}
	return lines
}

func (r *Revocation) command(role string) string {
	return fmt.Sprintf("aws iam put-role-policy --role-name %s --policy-name %s "+
		"--policy-document %s", term.ShellWord(role), r.Name, term.QuoteForShell(compact(r.Policy)))
}

// compact removes white space from a document, which IAM does not count.
func compact(policy string) string {
	var text bytes.Buffer
	_ = json.Compact(&text, []byte(policy)) // cannot fail: this program made it
	return text.String()
}
