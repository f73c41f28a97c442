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
	"sync"

	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/samldoc"
)

// Target is something that delegation is enabled for: usually one application, named by its client
// ID. Rules start from its settings. Delegation is off for targets that the TargetSource does not
// return.
type Target struct {
	// ID identifies the target in replay marks, and in rules as RuleContext.Target. Empty: the
	// requested name. A TargetSource that finds one target under several spellings of a name must
	// set the same ID for all of them. Otherwise a token could be used once for each spelling, and
	// a rule for one spelling would not run for the others.
	ID string

	// Audiences are the client IDs whose tokens are accepted for the target. Empty: the target's
	// ID. Both the application that the token was issued to and an audience of the token must be
	// listed. The application is the value of azp, appid, cid and client_id, if they are present
	// and agree; otherwise the only audience; otherwise the audience that is in
	// Issuer.ClientAudiences. This is stricter than OpenID Connect Core, in which the check of azp
	// is optional.
	Audiences []string
	// AuthorizedParties are further client IDs that may use tokens issued for one of Audiences. Set
	// it for Google's cross-client tokens, in which aud is the backend and azp is the mobile
	// application. A token whose only aud is one of these is refused. Empty: none.
	AuthorizedParties []string
	// AccessAudiences are the accepted audiences of access tokens, a subset of the issuer's
	// AccessTokens.Audiences. The application that the access token was issued to must be one of
	// Audiences or AuthorizedParties. Empty: the issuer's audience, if it has only one. If it has
	// several, the target then accepts only ID tokens of the issuer.
	AccessAudiences []string
	// Actors says who may act for users of the target, such as agents. nil: no one may, and a token
	// with the claim act is refused with [CodeActorNotAllowed].
	Actors *Actors

	// Issuers are the issuers whose tokens are accepted for the target, by Issuer.URL. Empty: the
	// only issuer of Config. It is required if Config has several, because client IDs and subjects
	// are unique only within one issuer. For the same reason, a target with several issuers must
	// set SubjectsAreOne or NameIDTellsIssuersApart. Otherwise give each issuer its own target,
	// with its own role or its own Identity and Principal. Each of Issuer.Tenants is a separate
	// issuer: list Issuer.URL for all of them, or the URL of one tenant.
	Issuers []string
	// SubjectsAreOne says that a sub means the same user for all of Issuers, so that ${saml:sub}
	// may be the same. An example is an issuer that moves to another URL.
	SubjectsAreOne bool
	// NameIDTellsIssuersApart says that a rule, or a mapping with NameIDFromMapping, sets a NameID
	// that differs between issuers. An exchange without such a NameID is refused with
	// [CodeNameIDInvalid]. RuleContext.Issuer has the issuer.
	NameIDTellsIssuersApart bool

	// SubjectAsFolder says that a policy of the role names a folder, a prefix or a key after
	// ${saml:sub}, such as that of [PermissionPolicy]. An exchange is refused with
	// [CodeNameIDNotFolder] if its NameID has a slash, is "." or "..", holds "${", or is not
	// printable ASCII: the user could reach another's folder. NameIDEncoding admits such users.
	SubjectAsFolder bool
	// SubjectNamesNothing says that no policy of the role uses ${saml:sub} as part of a name. It
	// turns off the warnings about slashes in events and checks. It excludes SubjectAsFolder.
	SubjectNamesNothing bool
	// NameIDEncoding encodes each NameID, whether it is the token's sub or set by a rule or a
	// mapping, so that it can be the name of a folder. Empty: NameIDs are not encoded. A change
	// gives every user another ${saml:sub}, and so another folder. Policies, trust policies and
	// CloudTrail have the encoded NameID, which [NameIDEncoding.Encode] computes.
	NameIDEncoding NameIDEncoding

	// RequiredClaims are claims that a token must have for this target, in addition to those of its
	// issuer; see Issuer.RequiredClaims. Empty: nothing is required.
	RequiredClaims map[string][]string

	// AWS is the initial value of RuleContext.AWS.
	AWS
	// Chain are roles that are assumed after AWS.Role, each with the credentials of the previous
	// role, at most 5. Only the credentials of the last role are returned. The accounts of these
	// roles need no SAML provider, so one provider can serve an organisation. Empty: the
	// credentials of AWS.Role are returned.
	//
	// AWS limits the session of a chained role to one hour: a longer SessionDuration is refused. A
	// chain requires a source identity, because only the first role knows ${saml:sub}, and
	// Config.STS must be a [ChainingSTS]. All Tags are transitive unless TransitiveTagKeys is set.
	// Policy and PolicyARNs apply to the last role. With Config.CapSessionToToken, a token that
	// ends within 15 minutes plus Config.STSTimeout gets no new credentials.
	Chain []ChainedRole

	// Scopes are prepared session policies by name. Callers request them with [WithScope] to get a
	// session that can do less. A name has 1 to 128 printable ASCII characters without spaces,
	// quotation marks and backslashes. Empty: there are none.
	Scopes map[string]Scope

	// Roles are the roles that users of the target can choose from, at most 500; see [WithRole] and
	// [Delegator.Roles]. Role is then the default and must be one of them. They exclude a Chain.
	// Empty: users can choose only with RolesFromClaim.
	Roles []RoleChoice
	// RolesFromClaim offers each user the roles that a claim of the token lists. Role is then the
	// default of users to whom it is offered. It requires AllowedRoles or AllowedAccounts, and
	// excludes a Chain. nil: no claim is read.
	RolesFromClaim *RolesFromClaim

	// AllowedRoles are the ARNs of the only roles that users, rules and mappings can choose. Empty:
	// all roles in the account of their SAML provider.
	//
	// The character * makes a pattern, such as arn:aws:iam::123456789012:role/team/*. At the end,
	// after a slash, it matches every role in the path and in the paths below it. Elsewhere it
	// matches any characters of the name or of one path segment, but never a slash or a colon. In
	// place of the account it matches each of AllowedAccounts, which are then required.
	AllowedRoles []string
	// AllowedAccounts are the IDs of the only accounts whose roles users, rules and mappings can
	// choose. With AllowedRoles, both must allow a role. Roles of a Chain are not limited by them.
	// Empty: all accounts.
	AllowedAccounts []string
	// SAMLRecipient is the recipient of the assertion, which trust policies read as SAML:aud.
	// Empty: Region.SAMLRecipient.
	SAMLRecipient string
	// SAMLAudience is the audience of the assertion. Empty: Region.SAMLAudience.
	SAMLAudience string
	// Identity is the SAML identity that signs for the target. nil: Config.IdentityProvider.
	Identity *IdentityProvider

	// EncryptionKey is the public key with which the assertion is encrypted: an RSA key of 2048 to
	// 8192 bits in PEM, whose private key IAM holds for Principal (AddPrivateKey). Rules and
	// mappings then cannot choose another principal, and the recipient must be Principal's own: set
	// SAMLProviderUUID or SAMLRecipient. Empty: the assertion is not encrypted.
	EncryptionKey string
	// SAMLProviderUUID appends /acs/UUID to Region.SAMLRecipient. IAM's GetSAMLProvider returns it.
	// It cannot be set together with SAMLRecipient.
	SAMLProviderUUID string
}

// TargetSource finds targets by name. It must be safe for concurrent use and honour the context. A
// nil Target without an error means that there is no such target. The returned Target is not
// changed.
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
	c.own()
	return &c
}

// own replaces what the target shares with the one that it was assigned from.
func (t *Target) own() {
	t.Audiences = slices.Clone(t.Audiences)
	t.AuthorizedParties = slices.Clone(t.AuthorizedParties)
	t.AccessAudiences = slices.Clone(t.AccessAudiences)
	t.Actors = t.Actors.clone()
	t.Issuers = slices.Clone(t.Issuers)
	t.RequiredClaims = cloneLists(t.RequiredClaims)
	t.Roles = slices.Clone(t.Roles)
	t.RolesFromClaim = t.RolesFromClaim.clone()
	t.AllowedRoles = slices.Clone(t.AllowedRoles)
	t.AllowedAccounts = slices.Clone(t.AllowedAccounts)
	t.AWS = t.AWS.clone()
	t.Chain = slices.Clone(t.Chain)
	t.Scopes = cloneScopes(t.Scopes)
	if t.Identity != nil {
		own := t.Identity.clone()
		t.Identity = &own
	}
}

func cloneLists(lists map[string][]string) map[string][]string {
	copied := maps.Clone(lists)
	for name, list := range copied {
		copied[name] = slices.Clone(list)
	}
	return copied
}

// providerUUID is of the IAM API Reference, GetSAMLProvider.
var providerUUID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Z0-9]{22,64}\z`)
})

// compile checks a target, and returns what it requires of tokens or everything that New refuses in
// it. Role, principal and region may still be missing: rules can choose them.
func (t *Target) compile(name string, c *Config) ([]requiredClaim, error) {
	var problems problems
	if name == "" {
		problems.add("the name is empty")
	}
	t.checkIssuers(c, &problems)
	t.checkAccessAudiences(c, &problems)
	t.checkActors(&problems)
	required, err := compileClaims(t.RequiredClaims, "target")
	if err != nil {
		problems.add("%w", err)
	}
	t.checkARNs(&problems)
	t.checkAllowed(&problems)
	t.checkRoles(&problems)
	t.checkChain(c, &problems)
	t.checkEncryption(&problems)
	t.checkRegions(c, &problems)
	t.checkNameID(&problems)
	t.checkScopes(&problems)
	if t.Identity != nil {
		if err := t.Identity.validate(); err != nil {
			problems.add("Identity: %w", err)
		}
	}
	return required, errors.Join(problems...)
}

// checkIssuers checks that the target's issuers are configured, and that users of several are told
// apart.
func (t *Target) checkIssuers(c *Config, problems *problems) {
	if len(t.Issuers) == 0 && len(c.Issuers) > 1 {
		problems.add("Issuers is empty, and there are several issuers")
	}
	for _, issuer := range t.Issuers {
		if !slices.ContainsFunc(c.Issuers, func(i Issuer) bool { return i.is(issuer) }) {
			problems.add("Issuers: %q is not a configured issuer", issuer)
		}
	}
	several := t.severalIssuers(c)
	if several != "" && t.SubjectsAreOne == t.NameIDTellsIssuersApart {
		problems.add("Issuers has %s, whose subjects would share one name space in "+
			"${saml:sub}: make a target for each, or set one of Target.SubjectsAreOne and "+
			"Target.NameIDTellsIssuersApart",
			several)
	}
}

// severalIssuers says of how many issuers the target takes tokens, each tenant being one. It is
// empty if it takes those of one only.
func (t *Target) severalIssuers(c *Config) string {
	if len(t.Issuers) == 0 && len(c.Issuers) == 1 && !c.Issuers[0].hasTenants() {
		return "" // as for most targets, of which there can be many
	}
	names := map[string]bool{}
	for i := range c.Issuers {
		for _, name := range t.nameSpaces(&c.Issuers[i], len(c.Issuers) == 1) {
			if idtoken.IsTemplate(name) {
				return "the issuers of any tenant"
			}
			names[name] = true
		}
	}
	for _, url := range t.Issuers { // those that are not configured, too
		if !idtoken.IsTemplate(url) {
			names[url] = true
		}
	}
	if len(names) < 2 {
		return ""
	}
	return fmt.Sprintf("%d issuers", len(names))
}

// nameSpaces are those of the issuer's subjects, see [Issuer.nameSpaces], that may call the target.
func (t *Target) nameSpaces(issuer *Issuer, onlyIssuer bool) []string {
	all := issuer.nameSpaces()
	if len(t.Issuers) == 0 && onlyIssuer || slices.Contains(t.Issuers, issuer.URL) {
		return all
	}
	var listed []string
	for _, url := range t.Issuers {
		if issuer.is(url) {
			listed = append(listed, url)
		}
	}
	return listed
}

// checkARNs parses the ARNs that are set.
func (t *Target) checkARNs(problems *problems) {
	if t.Principal != "" {
		if _, err := iam.Provider.Parse(t.Principal); err != nil {
			problems.add("Principal: %w", err)
		}
	}
	if t.Role != "" {
		if _, err := iam.Role.Parse(t.Role); err != nil {
			problems.add("Role: %w", err)
		}
	}
}

// checkEncryption checks the encryption key and the provider that can decrypt it.
func (t *Target) checkEncryption(problems *problems) {
	if uuid := t.SAMLProviderUUID; uuid != "" {
		if t.SAMLRecipient != "" || !providerUUID().MatchString(uuid) {
			problems.add("SAMLProviderUUID %.80q is not 22 to 64 capital letters and digits, "+
				"or SAMLRecipient is set too", uuid)
		}
	}
	if t.EncryptionKey == "" {
		return
	}
	if err := samldoc.CheckEncryptionKey(t.EncryptionKey); err != nil {
		problems.add("EncryptionKey: %w", err)
	}
	if t.Principal == "" || t.SAMLProviderUUID == "" && t.SAMLRecipient == "" {
		problems.add("EncryptionKey is that of one SAML provider: " +
			"set Principal, and SAMLProviderUUID or SAMLRecipient")
	}
}

// checkRegions checks the regions by themselves, and that the target can fail over between them.
func (t *Target) checkRegions(c *Config, problems *problems) {
	var first []string
	if t.Region != "" {
		if _, err := c.parseRegion(t.Region); err != nil {
			problems.add("Region: %w", errors.Unwrap(err))
		} else if len(t.FailoverRegions) > 0 {
			first = []string{t.Region}
		}
	}
	if len(t.FailoverRegions) == 0 {
		return
	}
	if _, err := c.parseRegions(append(first, t.FailoverRegions...)); err != nil {
		problems.add("FailoverRegions: %w", errors.Unwrap(err))
	}
}

// checkNameID checks what the target says of its NameIDs.
func (t *Target) checkNameID(problems *problems) {
	if err := t.NameIDEncoding.validate(); err != nil {
		problems.add("NameIDEncoding: %w", err)
	}
	if t.SubjectAsFolder && t.SubjectNamesNothing {
		problems.add("SubjectAsFolder and SubjectNamesNothing are both set: unset the one that " +
			"does not apply")
	}
}

// idFor returns the target's ID, which is the name that was asked for unless it has one.
func (t *Target) idFor(name string) string { return cmp.Or(t.ID, name) }

// takes tells whether tokens of the issuer, or of one of its tenants, may call the target.
func (t *Target) takes(issuer *Issuer, onlyIssuer bool) bool {
	return len(t.nameSpaces(issuer, onlyIssuer)) > 0
}

// takesTokensOf tells whether tokens of the issuer of these claims may call the target.
func (t *Target) takesTokensOf(c *idtoken.Claims, onlyIssuer bool) bool {
	return len(t.Issuers) == 0 && onlyIssuer ||
		slices.Contains(t.Issuers, c.Entry) || slices.Contains(t.Issuers, c.Issuer)
}

// audiencesFor returns the client IDs whose tokens may call the target.
func (t *Target) audiencesFor(name string) []string {
	if len(t.Audiences) == 0 {
		return []string{t.idFor(name)}
	}
	return t.Audiences
}

// mayCall checks that the token's issuer and application may use the target. issuer is that of the
// token.
func (t *Target) mayCall(
	name string, c *idtoken.Claims, onlyIssuer bool, issuer *Issuer,
) error {
	if !t.takesTokensOf(c, onlyIssuer) {
		return newError(CodeIssuerNotAllowed,
			"the target %.80q does not accept tokens of the issuer %.200q: its issuers are %s",
			name, c.Issuer, named(t.Issuers))
	}
	audiences := t.audiencesFor(name)
	if !slices.Contains(audiences, c.Client) && !slices.Contains(t.AuthorizedParties, c.Client) {
		return newError(CodeAudienceNotAllowed,
			"the token of the issuer %.200q was issued to the application %.80q, "+
				"which may not call the target %.80q: it accepts tokens of the applications %s",
			c.Issuer, c.Client, name, named(slices.Concat(audiences, t.AuthorizedParties)))
	}
	// A token that a known application requested for somebody else's API is refused too.
	if c.Kind == idtoken.AccessToken {
		return t.mayCallWithAccess(name, c, issuer)
	}
	ours := func(audience string) bool { return slices.Contains(audiences, audience) }
	if !slices.ContainsFunc(c.Audience, ours) {
		return newError(CodeAudienceNotAllowed,
			"the audience of the token of the issuer %.200q is %.80q, which is none of the "+
				"target %.80q: its audiences are %s",
			c.Issuer, c.Audience[0], name, named(audiences))
	}
	return nil
}

// maxNamed is how many configured values an error repeats.
const maxNamed = 5

// named lists configured values for an error.
func named(values []string) string {
	if len(values) == 0 {
		return "not set"
	}
	var list []string
	for _, value := range values[:min(len(values), maxNamed)] {
		list = append(list, fmt.Sprintf("%.200q", value))
	}
	if more := len(values) - maxNamed; more > 0 {
		list = append(list, fmt.Sprintf("%d more", more))
	}
	return strings.Join(list, ", ")
}
