package delegation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/samldoc"
	"github.com/seed055b7978/delegation/internal/session"
)

// AWS's limits: IAM User Guide "IAM and AWS STS quotas" and "Pass session tags in AWS STS", STS API Reference.
const (
	minSession     = 15 * time.Minute
	maxSession     = 12 * time.Hour
	defaultSession = time.Hour
	minRoleMaximum = time.Hour // IAM API Reference, CreateRole, MaxSessionDuration: 1 to 12 hours
	maxNameID      = 256
)

// Target is what delegation is enabled for: usually one application, named by its client ID. Its settings are where rules
// start from. A Target that a map or database does not return is a target for which delegation is off.
type Target struct {
	// ID identifies the target: in replay marks, and to rules as RuleContext.Target. Empty: the
	// name that was asked for. A TargetSource that finds one target under several spellings of a
	// name sets the same ID for all of them; without it, a token would count once for each
	// spelling, and a rule for one spelling would pass over the others.
	ID string

	// Audiences are the client IDs whose tokens may call it. Empty: the target's ID. The
	// application that the token was issued to must be one of them, and so must an audience of the
	// token. That application is what azp, appid, cid and client_id say, as far as they are
	// present and agree, or else the only audience, or else the one that Issuer.ClientAudiences
	// names. This is stricter than OpenID Connect Core, which makes the check of azp optional.
	Audiences []string
	// AuthorizedParties are further client IDs that may use tokens made for one of Audiences. Set
	// it for Google's tokens across clients, in which aud is the backend and azp the mobile
	// application. They need not be Audiences: a token whose aud is one of them is refused.
	AuthorizedParties []string

	// Issuers are those whose tokens may call it. Empty: the only one of Config. With several in
	// Config it is required, because client IDs and subjects are unique for one issuer only. For the
	// same reason a target with several issuers must set SubjectsAreOne or NameIDTellsIssuersApart;
	// otherwise give each issuer a target, with a role or an Identity and Principal of its own.
	Issuers []string
	// SubjectsAreOne says that a sub names the same user whichever of Issuers the token is from, so
	// that ${saml:sub} may be the same, for example while an issuer moves to another URL.
	SubjectsAreOne bool
	// NameIDTellsIssuersApart says that a rule, or a mapping with NameIDFromMapping, sets a NameID
	// that is another one for each issuer. An exchange in which none does is refused with
	// [CodeNameIDInvalid]. RuleContext.Issuer has the issuer.
	NameIDTellsIssuersApart bool

	// RequiredClaims are what a token must say for this target, besides those of its issuer; see
	// Issuer.RequiredClaims. Empty: nothing is required.
	RequiredClaims map[string][]string

	AWS // what rules find in RuleContext.AWS

	AllowedRoles  []string          // if set, role ARNs besides which rules and mappings can choose none
	SAMLRecipient string            // empty: Region.SAMLRecipient
	SAMLAudience  string            // empty: Region.SAMLAudience
	Identity      *IdentityProvider // nil: Config.IdentityProvider

	// EncryptionKey encrypts the assertion: the public half, in PEM, of an RSA key of 2048 to 8192 bits whose private half IAM holds for Principal
	// (AddPrivateKey). Rules and mappings can then choose no other principal, and the recipient must be Principal's own: set SAMLProviderUUID.
	EncryptionKey    string
	SAMLProviderUUID string // of IAM's GetSAMLProvider: puts /acs/UUID behind Region.SAMLRecipient
}

// TargetSource finds targets. A nil Target without an error means that delegation is off. The Target is not changed. It
// must be safe for concurrent use and honour the context.
type TargetSource interface {
	Target(ctx context.Context, name string) (*Target, error)
}

// Targets is a TargetSource for a fixed set.
type Targets map[string]Target

// Target implements [TargetSource].
func (t Targets) Target(_ context.Context, name string) (*Target, error) {
	target, ok := t[name]
	if !ok {
		return nil, nil
	}
	return &target, nil
}

// clone returns a copy that shares nothing that could be changed.
func (t *Target) clone() *Target {
	c := *t
	c.Audiences = slices.Clone(t.Audiences)
	c.AuthorizedParties = slices.Clone(t.AuthorizedParties)
	c.Issuers = slices.Clone(t.Issuers)
	c.RequiredClaims = cloneLists(t.RequiredClaims)
	c.AllowedRoles = slices.Clone(t.AllowedRoles)
	c.Mappings, c.Tags = maps.Clone(t.Mappings), maps.Clone(t.Tags)
	c.PolicyARNs, c.TransitiveTagKeys = slices.Clone(t.PolicyARNs), slices.Clone(t.TransitiveTagKeys)
	c.FailoverRegions, c.DroppableTags = slices.Clone(t.FailoverRegions), slices.Clone(t.DroppableTags)
	if t.Identity != nil {
		own := t.Identity.clone()
		c.Identity = &own
	}
	return &c
}

func cloneLists(lists map[string][]string) map[string][]string {
	copied := maps.Clone(lists)
	for name, list := range copied {
		copied[name] = slices.Clone(list)
	}
	return copied
}

// check reports what New refuses in a target. Role, principal and region may still be missing: rules can choose them.
func (t *Target) check(name string, c *Config) error {
	var problems problems
	if name == "" {
		problems.add("the name is empty")
	}
	if len(t.Issuers) == 0 && len(c.Issuers) > 1 {
		problems.add("Issuers is empty, and there are several issuers")
	}
	for _, issuer := range t.Issuers {
		if !slices.ContainsFunc(c.Issuers, func(i Issuer) bool { return i.URL == issuer }) {
			problems.add("Issuers: %q is not a configured issuer", issuer)
		}
	}
	issuers := slices.Compact(slices.Sorted(slices.Values(t.Issuers)))
	if len(issuers) > 1 && t.SubjectsAreOne == t.NameIDTellsIssuersApart {
		problems.add("Issuers has %d issuers, whose subjects would be one name space in ${saml:sub}: "+
			"make a target for each, or set one of Target.SubjectsAreOne and "+
			"Target.NameIDTellsIssuersApart",
			len(issuers))
	}
	if _, err := compileClaims(t.RequiredClaims, "target"); err != nil {
		problems.add("%w", err)
	}
	if _, err := iam.Provider.Parse(t.Principal); err != nil && t.Principal != "" {
		problems.add("Principal: %w", err)
	}
	if _, err := iam.Role.Parse(t.Role); err != nil && t.Role != "" {
		problems.add("Role: %w", err)
	}
	for i, role := range t.AllowedRoles {
		if _, err := iam.Role.Parse(role); err != nil {
			problems.add("AllowedRoles[%d]: %w", i, err)
		}
	}
	if t.SAMLProviderUUID != "" && (t.SAMLRecipient != "" || !providerUUID.MatchString(t.SAMLProviderUUID)) {
		problems.add("SAMLProviderUUID %.80q is not 22 to 64 capital letters and digits, or SAMLRecipient is set too", t.SAMLProviderUUID)
	}
	if err := samldoc.CheckEncryptionKey(t.EncryptionKey); err != nil && t.EncryptionKey != "" {
		problems.add("EncryptionKey: %w", err)
	}
	if t.EncryptionKey != "" && (t.Principal == "" || t.SAMLProviderUUID == "" && t.SAMLRecipient == "") {
		problems.add("EncryptionKey is that of one SAML provider: set Principal, and SAMLProviderUUID or SAMLRecipient")
	}
	var first []string
	if t.Region != "" {
		first = []string{t.Region}
	}
	if _, err := c.parseRegions(first); err != nil {
		problems.add("Region: %w", errors.Unwrap(err))
		first = nil
	}
	if _, err := c.parseRegions(append(first, t.FailoverRegions...)); err != nil {
		problems.add("FailoverRegions: %w", errors.Unwrap(err))
	}
	if t.Identity != nil {
		if err := t.Identity.check(); err != nil {
			problems.add("Identity: %w", err)
		}
	}
	return errors.Join(problems...)
}

// idFor returns the target's ID, which is the name that was asked for unless it has one.
func (t *Target) idFor(name string) string { return cmp.Or(t.ID, name) }

// takes tells whether tokens of the issuer may call the target.
func (t *Target) takes(issuer string, onlyIssuer bool) bool {
	return slices.Contains(t.Issuers, issuer) || len(t.Issuers) == 0 && onlyIssuer
}

// mayCall checks that the token's issuer and application may use the target.
func (t *Target) mayCall(name string, c *idtoken.Claims, onlyIssuer bool) error {
	if !t.takes(c.Issuer, onlyIssuer) {
		return newError(CodeIssuerNotAllowed, "the target %.80q does not take tokens of the issuer %.200q", name, c.Issuer)
	}
	audiences := t.Audiences
	if len(audiences) == 0 {
		audiences = []string{t.idFor(name)}
	}
	if !slices.Contains(audiences, c.Client) && !slices.Contains(t.AuthorizedParties, c.Client) {
		return newError(CodeAudienceNotAllowed,
			"the token was issued to the application %.80q, which may not call the target %.80q",
			c.Client, name)
	}
	// A token that a known application asked for, for an API of somebody else, is not ours either.
	ours := func(audience string) bool { return slices.Contains(audiences, audience) }
	if !slices.ContainsFunc(c.Audience, ours) {
		return newError(CodeAudienceNotAllowed,
			"the token's audience is %.80q, which is none of the target %.80q", c.Audience[0], name)
	}
	return nil
}

// decision is what was decided, checked: everything that AWS will learn.
type decision struct {
	role, principal        arn.ARN
	regions                []Region // the decided one, then those to fail over to
	nameID, sessionName    string
	sessionNotOnOrAfter    time.Time // zero: none
	duration               time.Duration
	policy, sourceIdentity string
	policyARNs             []string
	recipient, audience    string
	encryptionKey          string // empty: none
	mapped                 []samldoc.Attribute
	tags                   map[string]string
	transitive, droppable  []string // keys of tags
}

var providerUUID = regexp.MustCompile(`\A[A-Z0-9]{22,64}\z`) // IAM API Reference, GetSAMLProvider

// decide is the one choke point behind the rules: whatever they and the mappings did is checked here, on every path.
func decide(user *User, subject string, a AWS, target *Target, c *Config) (*decision, error) {
	mapped, err := a.applyMappings(user)
	if err != nil {
		return nil, err
	}
	d := &decision{policy: a.Policy, policyARNs: slices.Clone(a.PolicyARNs), sourceIdentity: a.SourceIdentity, mapped: mapped,
		tags: a.Tags, transitive: slices.Clone(a.TransitiveTagKeys), droppable: slices.Clone(a.DroppableTags), encryptionKey: target.EncryptionKey} // the mappings have copied Tags
	if err := d.checkRole(&a, target.AllowedRoles); err != nil {
		return nil, err
	}
	if d.encryptionKey != "" && d.principal.String() != target.Principal {
		return nil, newError(CodeProviderMismatch, "the target encrypts for %s, and %s was chosen", target.Principal, d.principal).
			overTexts(append(a.pairs(), a.Principal)...)
	}
	names := append([]string{a.Region}, a.FailoverRegions...)
	if d.regions, err = c.parseRegions(names); err != nil {
		return nil, issueError(err).overTexts(c.oddRegions(names)...)
	}
	region := d.regions[0] // the trust policy may have conditions on the recipient, so it stays the same wherever the response is redeemed
	if region.Partition() != d.role.Partition {
		return nil, newError(CodeRegionInvalid, "the region %s is in the partition %s, the role %s in %s", region, region.Partition(), d.role, d.role.Partition).
			overTexts(append(a.pairs(), a.Region, a.Role)...)
	}
	d.recipient = cmp.Or(target.SAMLRecipient, region.SAMLRecipient())
	if target.SAMLProviderUUID != "" {
		d.recipient += "/acs/" + target.SAMLProviderUUID
	}
	d.audience = cmp.Or(target.SAMLAudience, region.SAMLAudience())
	if a.NameID == "" && target.NameIDTellsIssuersApart {
		return nil, newError(CodeNameIDInvalid,
			"the target's issuers are told apart by the NameID, and no rule or mapping has set one")
	}
	d.nameID = cmp.Or(a.NameID, subject)
	if n := utf8.RuneCountInString(d.nameID); n > maxNameID || strings.ContainsAny(d.nameID, "*?") || strings.TrimSpace(d.nameID) != d.nameID {
		return nil, newError(CodeNameIDInvalid, "the NameID %.80q has %d characters, a wildcard, or blanks around it", d.nameID, n).
			overTexts(d.nameID)
	}
	d.duration = cmp.Or(a.SessionDuration, defaultSession)
	if d.duration < minSession || d.duration > maxSession || d.duration%time.Second != 0 {
		return nil, newError(CodeDurationInvalid, "the session duration is %s", d.duration).
			over(d.duration.String(), d.duration.Seconds())
	}
	name := cmp.Or(a.SessionName, verifiedEmail(user), subject)
	if d.sessionName = name; !c.StrictSessionNames {
		d.sessionName = session.SafeName(name)
	} else if !session.ValidName(name) {
		return nil, newError(CodeSessionNameInvalid, "the session name %.80q is not one for AWS", name).overTexts(name)
	}
	if s := d.sourceIdentity; s != "" && !session.ValidName(s) { // which takes no colon, and so no aws: in front
		return nil, newError(CodeSourceIDInvalid, "the source identity is %.80q", s).overTexts(s)
	}
	if err := session.CheckTags(d.tags, d.transitive, d.droppable); err != nil {
		return nil, newError(CodeTagsInvalid, "%w", err).overTexts(d.oddTags()...)
	}
	if err := session.CheckPolicies(d.policy, d.policyARNs, d.role); err != nil {
		return nil, newError(CodePolicyInvalid, "%w", err).overTexts(d.oddPolicies()...)
	}
	return d, nil
}

// attributes are the assertion's, in the order they are sent.
func (d *decision) attributes() []samldoc.Attribute {
	list := append([]samldoc.Attribute{
		{Name: AttributeRole, Values: []string{d.role.String() + "," + d.principal.String()}},
		{Name: AttributeRoleSessionName, Values: []string{d.sessionName}},
		// The console reads it; a session of the API has DurationSeconds.
		{Name: AttributeSessionDuration, Values: []string{fmt.Sprint(int(d.duration.Seconds()))}},
	}, d.mapped...)
	for _, key := range slices.Sorted(maps.Keys(d.tags)) {
		list = append(list, samldoc.Attribute{Name: AttributePrincipalTag + key, Values: []string{d.tags[key]}})
	}
	if len(d.transitive) > 0 {
		list = append(list, samldoc.Attribute{Name: AttributeTransitiveTagKeys, Values: d.transitive})
	}
	if d.sourceIdentity != "" {
		list = append(list, samldoc.Attribute{Name: AttributeSourceIdentity, Values: []string{d.sourceIdentity}})
	}
	return list
}

// clone returns a copy of which tags can be dropped without harm to the other.
func (d *decision) clone() *decision {
	c := *d
	c.tags, c.transitive = maps.Clone(d.tags), slices.Clone(d.transitive)
	return &c
}

// sessionARN is what AWS calls the session that is asked for. It has the role's name without its path
// (IAM User Guide, "IAM identifiers").
func (d *decision) sessionARN() string {
	name := d.role.Resource[strings.LastIndexByte(d.role.Resource, '/')+1:]
	return arn.ARN{
		Partition: d.role.Partition,
		Service:   "sts",
		AccountID: d.role.AccountID,
		Resource:  "assumed-role/" + name + "/" + d.sessionName,
	}.String()
}

// session names what a role may or may not allow.
func (d *decision) session() string { return d.role.String() + " for " + d.duration.String() }

// dropTags takes droppable tags away, as many as AWS's message asks for, and returns their keys. It does so once: what then is left stays.
func (d *decision) dropTags(message string) []string {
	size := len(d.policy)
	for _, p := range d.policyARNs {
		size += len(p)
	}
	dropped := session.DropTags(message, d.tags, d.droppable, size)
	for _, key := range dropped {
		delete(d.tags, key)
	}
	d.transitive = slices.DeleteFunc(d.transitive, func(key string) bool { return slices.Contains(dropped, key) })
	d.droppable = nil
	return dropped
}

// checkRole parses role and principal, and checks that they belong together and are allowed.
func (d *decision) checkRole(a *AWS, allowed []string) (err error) {
	if d.principal, err = iam.Provider.Parse(a.Principal); err != nil {
		return newError(CodeRoleInvalid, "%w", err).overTexts(append(a.pairs(), a.Principal)...)
	}
	if d.role, err = iam.Role.Parse(a.Role); err != nil {
		return newError(CodeRoleInvalid, "%w", err).overTexts(append(a.pairs(), a.Role)...)
	}
	if d.role.AccountID != d.principal.AccountID || d.role.Partition != d.principal.Partition {
		return newError(CodeAccountMismatch, "the role %s and the SAML provider %s are of different accounts or partitions", d.role, d.principal).
			overTexts(append(a.pairs(), a.Role, a.Principal)...)
	}
	if len(allowed) > 0 && !slices.Contains(allowed, d.role.String()) {
		return newError(CodeRoleNotAllowed, "the role %s is not allowed for this target", d.role)
	}
	return nil
}

// pairs are role and principal as a mapping of Role may have had them.
func (a *AWS) pairs() []string {
	return []string{a.Role + "," + a.Principal, a.Principal + "," + a.Role}
}
