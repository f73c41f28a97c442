package delegation

import (
	"errors"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// TokenKind is the kind of a token that was accepted.
type TokenKind string

// The kinds of tokens.
const (
	// TokenKindID is an ID token (OpenID Connect Core §2).
	TokenKindID = TokenKind(idtoken.IDToken)
	// TokenKindAccess is an access token, which needs [Issuer.AccessTokens].
	TokenKindAccess = TokenKind(idtoken.AccessToken)
)

// AccessTokenProfile is the format of an issuer's access tokens. docs/access-tokens.md lists the
// claims that each profile requires.
type AccessTokenProfile string

// The profiles of access tokens.
const (
	// AccessTokenRFC9068 is the format of RFC 9068, whose header has the typ at+jwt. Auth0 issues
	// it if the API is configured so. Authelia, PingOne, WSO2 and others issue it too.
	AccessTokenRFC9068 AccessTokenProfile = "rfc9068"
	// AccessTokenEntra is the format of Microsoft Entra, versions 1.0 and 2.0, for an API of your
	// own. The subject is sub, which Entra derives for each API: it differs from the sub in an
	// application's ID tokens.
	AccessTokenEntra AccessTokenProfile = "entra"
	// AccessTokenCognito is the format of Amazon Cognito. Without resource binding these tokens
	// have no aud. Their audiences are then the resource servers of their scopes.
	AccessTokenCognito AccessTokenProfile = "cognito"
	// AccessTokenKeycloak is the format of Keycloak, with typ Bearer in the payload.
	AccessTokenKeycloak AccessTokenProfile = "keycloak"
	// AccessTokenOkta is the format of a custom authorization server of Okta. The subject is uid,
	// which equals the sub of ID tokens. The token's own sub is the user's sign-in name.
	AccessTokenOkta AccessTokenProfile = "okta"
)

// AccessTokens says which access tokens of an issuer are accepted next to its ID tokens.
//
// What the issuer signed decides whether a token is an access token, never what the sender says. An
// access token names the API that it is for in aud, and the application that may use it in
// client_id, azp, appid or cid. It is accepted if it is for one of Audiences, has all of Scopes,
// and belongs to a user. Tokens that an application gets for itself are refused with
// [CodeAccessTokenUser]. For a target, it must be for the target's AccessAudiences, and its
// application must be one of Target.Audiences or Target.AuthorizedParties, as for ID tokens.
type AccessTokens struct {
	// Profile is the format of the tokens. It is required.
	Profile AccessTokenProfile
	// Audiences are the values of aud that identify this service, such as the identifier of the API
	// at the issuer. At least one is required. A token for another API is refused with
	// [CodeAccessTokenAudience]. For Cognito they can also be identifiers of resource servers.
	//
	// Give this service its own audience. An API that shares the audience could use the tokens it
	// receives to call this service.
	Audiences []string
	// Scopes are the scopes that a token must have. A token that lacks one of them is refused with
	// [CodeAccessTokenScope]. Empty: none is required. Rules read the token's scopes in
	// RuleContext.Scopes.
	Scopes []string
}

// clone returns a copy that shares nothing that could be changed. nil: nil.
func (a *AccessTokens) clone() *AccessTokens {
	if a == nil {
		return nil
	}
	return &AccessTokens{
		Profile:   a.Profile,
		Audiences: slices.Clone(a.Audiences),
		Scopes:    slices.Clone(a.Scopes),
	}
}

// compile checks the setting, and returns it as the verifier takes it. nil: no access token is
// accepted.
func (a *AccessTokens) compile(i *Issuer, problems *problems) *idtoken.AccessTokens {
	if a == nil {
		return nil
	}
	if err := a.check(i); err != nil {
		problems.add("AccessTokens: %w", err)
	}
	for _, mark := range idtoken.AccessMarks(string(a.Profile)) {
		if slices.Contains(i.AllowTokenMarks, mark) {
			problems.add("AllowTokenMarks has %s, by which access tokens are told from ID "+
				"tokens: remove it there", mark)
		}
	}
	return &idtoken.AccessTokens{
		Profile:   string(a.Profile),
		Audiences: slices.Clone(a.Audiences),
		Scopes:    slices.Clone(a.Scopes),
	}
}

// check checks the fields.
func (a *AccessTokens) check(i *Issuer) error {
	var problems problems
	known := idtoken.AccessProfiles()
	if !slices.Contains(known, string(a.Profile)) {
		problems.add("Profile %.40q is none of %s", a.Profile, strings.Join(known, ", "))
	}
	if len(a.Audiences) == 0 {
		problems.add("Audiences is empty: list the identifier of this service's API")
	}
	if slices.Contains(a.Audiences, "") {
		problems.add("Audiences has an empty entry")
	}
	for n, scope := range a.Scopes {
		if !idtoken.IsScope(scope) {
			problems.add("Scopes[%d]: %.80q is not a scope: list each one by itself, without "+
				"white space, quotes and backslashes", n, scope)
		}
	}
	// A secret is shared with a client, which could write a token for any user and scope.
	if i.SharedSecret.Reveal() != "" || len(i.ClientSecrets) > 0 {
		problems.add("they need an issuer that signs with keys that it publishes: remove " +
			"SharedSecret and ClientSecrets, or configure no access tokens")
	}
	return errors.Join(problems...)
}

// checkAccessAudiences checks that an issuer of the target accepts tokens for its AccessAudiences.
func (t *Target) checkAccessAudiences(c *Config, problems *problems) {
	for n, audience := range t.AccessAudiences {
		accepts := func(i Issuer) bool {
			return i.AccessTokens != nil && slices.Contains(i.AccessTokens.Audiences, audience) &&
				t.takes(&i, len(c.Issuers) == 1)
		}
		if !slices.ContainsFunc(c.Issuers, accepts) {
			problems.add("AccessAudiences[%d]: no issuer of the target accepts access tokens for "+
				"%.200q: add it to the audiences of Issuer.AccessTokens, or remove it", n, audience)
		}
	}
}

// accessAudiencesFor returns the audiences of access tokens that may call the target: its own, or
// the issuer's if that has one only.
func (t *Target) accessAudiencesFor(issuer *Issuer) []string {
	if len(t.AccessAudiences) > 0 || issuer == nil || issuer.AccessTokens == nil {
		return t.AccessAudiences
	}
	if len(issuer.AccessTokens.Audiences) == 1 {
		return issuer.AccessTokens.Audiences
	}
	return nil
}

// mayCallWithAccess checks that an access token is for an API of the target. Its issuer and its
// client have been checked.
func (t *Target) mayCallWithAccess(name string, c *idtoken.Claims, issuer *Issuer) error {
	audiences := t.accessAudiencesFor(issuer)
	ours := func(audience string) bool { return slices.Contains(audiences, audience) }
	if slices.ContainsFunc(c.Audience, ours) {
		return nil
	}
	e := newError(CodeAudienceNotAllowed,
		"the access token of the issuer %.200q is for %.200q, which is none of the target %.80q: "+
			"its audiences of access tokens are %s",
		c.Issuer, strings.Join(c.Audience, " "), name, named(audiences))
	e.Remedy = "list the audience in Target.AccessAudiences, if the target is for this API"
	return e
}

// describeKind notes the kind of a verified token, if it is an access token.
func (n *eventNotes) describeKind(c *idtoken.Claims) {
	if c.Kind != idtoken.AccessToken {
		return
	}
	n.TokenKind = TokenKindAccess
	n.note().TokenScopes = c.Scopes
}
