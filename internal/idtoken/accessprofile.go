package idtoken

import (
	"slices"
	"strings"
)

// accessProfile is how an issuer writes its access tokens.
type accessProfile struct {
	name string
	// types are those of the header besides that of a JWT, as typeName writes them.
	types []string
	// marks are claims by which access tokens are told from ID tokens.
	marks []string
	// is recognizes an access token by its claims.
	is func(all map[string]any) bool
	// clients are the claims that can name the application. One must be there.
	clients []string
	// required are further claims that must be there, as texts.
	required []string
	// scopes is the claim of the scopes.
	scopes string
	// audience returns the audiences of a token without aud. nil: aud must be there.
	audience func(scopes []string) ([]string, error)
	// checkKind refuses an access token that is not as the issuer writes them.
	checkKind func(all map[string]any) error
	// noUser says why no user has asked for the token. Empty: one has.
	noUser func(c *Claims) (why string, err error)
	// setSubject sets the subject of a user's token, where it is another claim than sub.
	setSubject func(c *Claims) error
}

// accessProfiles are those that can be chosen.
var accessProfiles = []accessProfile{
	{
		// RFC 9068 §2.1: only the header's typ marks an access token. §2.2: iss, exp, aud, sub,
		// client_id, iat and jti are required. §2.2.3: scope.
		name:       "rfc9068",
		types:      []string{"at+jwt"},
		is:         func(map[string]any) bool { return false },
		clients:    []string{"client_id"},
		required:   []string{"jti"},
		scopes:     "scope",
		checkKind:  anyKind,
		noUser:     noUserRFC9068,
		setSubject: subIsSubject,
	},
	{
		// learn.microsoft.com/entra/identity-platform/access-token-claims-reference: typ in the
		// header is always JWT. v1.0 has appid and appidacr, v2.0 azp and azpacr; ver says which.
		// scp is in users' tokens only.
		name:       "entra",
		marks:      []string{"scp", "appidacr", "azpacr", "idtyp"},
		is:         isEntraAccess,
		clients:    []string{"azp", "appid"}, // see checkEntra
		scopes:     "scp",
		checkKind:  checkEntra,
		noUser:     noUserEntra,
		setSubject: subIsSubject,
	},
	{
		// docs.aws.amazon.com/cognito/latest/developerguide/
		// amazon-cognito-user-pools-using-the-access-token.html: token_use is access, client_id
		// names the application, and there is an aud only with resource binding (RFC 8707).
		name:       "cognito",
		marks:      []string{"token_use"},
		is:         func(all map[string]any) bool { return all["token_use"] == "access" },
		clients:    []string{"client_id"},
		scopes:     "scope",
		audience:   resourceServers,
		checkKind:  requireMark("token_use", "access"),
		noUser:     noUserCognito,
		setSubject: subIsSubject,
	},
	{
		// The payload's typ is Bearer. The header's is JWT, or at+jwt by a setting of the client
		// ("Use at+jwt as access token header type").
		name:       "keycloak",
		types:      []string{"at+jwt"},
		marks:      []string{"typ"},
		is:         func(all map[string]any) bool { return all["typ"] == "Bearer" },
		clients:    []string{"azp"},
		scopes:     "scope",
		checkKind:  requireMark("typ", "Bearer"),
		noUser:     noUserKeycloak,
		setSubject: subIsSubject,
	},
	{
		// developer.okta.com/docs/api/openapi/okta-oauth: cid names the application, scp is a list,
		// and uid the user. Custom authorization servers write no typ into the header, and the org
		// server writes application/okta-internal-at+jwt.
		name:       "okta",
		types:      []string{"okta-internal-at+jwt"},
		marks:      []string{"scp"},
		is:         func(all map[string]any) bool { return all["scp"] != nil || all["cid"] != nil },
		clients:    []string{"cid"},
		scopes:     "scp",
		checkKind:  requireClaim("scp"),
		noUser:     noUserOkta,
		setSubject: uidIsSubject,
	},
}

// AccessProfiles returns the names of the profiles of access tokens.
func AccessProfiles() []string {
	names := make([]string, len(accessProfiles))
	for i, profile := range accessProfiles {
		names[i] = profile.name
	}
	return names
}

// AccessMarks returns the claims by which access tokens of a profile are told from ID tokens: they
// cannot be among [Issuer.Marks].
func AccessMarks(profile string) []string {
	if found := profileOf(profile); found != nil {
		return slices.Clone(found.marks)
	}
	return nil
}

// profileOf finds a profile. nil: there is none.
func profileOf(name string) *accessProfile {
	for i := range accessProfiles {
		if accessProfiles[i].name == name {
			return &accessProfiles[i]
		}
	}
	return nil
}

func anyKind(map[string]any) error { return nil }

func subIsSubject(*Claims) error { return nil }

// requireMark refuses a token that is an access token by its header but not by its claim.
func requireMark(claim, value string) func(map[string]any) error {
	return func(all map[string]any) error {
		if all[claim] == value {
			return nil
		}
		return contradicts(claim)
	}
}

// requireClaim refuses a token without a claim.
func requireClaim(claim string) func(map[string]any) error {
	return func(all map[string]any) error {
		if all[claim] == nil {
			return newError(claimMissing, "the token has no %s", claim)
		}
		return nil
	}
}

// noUserRFC9068 recognizes the tokens of Auth0's client credentials grant, whose sub is the client
// with @clients after it. checkUser covers tokens whose sub is the client.
func noUserRFC9068(c *Claims) (why string, err error) {
	if c.All["gty"] == "client-credentials" {
		return "gty is client-credentials", nil
	}
	if c.Subject == c.Client+"@clients" {
		return "sub is the client, with @clients after it", nil
	}
	return "", nil
}

// isEntraAccess recognizes an access token by claims that no ID token of Entra has.
func isEntraAccess(all map[string]any) bool {
	return all["scp"] != nil || all["appidacr"] != nil || all["azpacr"] != nil ||
		all["idtyp"] == "app"
}

// checkEntra checks that the claims are those of the version that the token names.
func checkEntra(all map[string]any) error {
	version, err := stringClaim(all, "ver")
	if err != nil {
		return err
	}
	client, other := "azp", "appidacr"
	switch version {
	case "1.0":
		client, other = "appid", "azpacr"
	case "2.0":
	default:
		return newError(accessKind, "ver is %.20q, and Entra's versions are 1.0 and 2.0", version)
	}
	if _, err := stringClaim(all, client); err != nil {
		return err
	}
	if all[other] != nil {
		return contradicts(other)
	}
	return nil
}

// noUserEntra decides by idtyp, which is an optional claim, and by scp: a token without scp has the
// application's roles.
func noUserEntra(c *Claims) (why string, err error) {
	kind, err := optionalClaim(c.All, "idtyp")
	switch {
	case err != nil:
		return "", err
	case kind == "app":
		return "idtyp is app", nil
	case len(c.Scopes) == 0:
		return "there is no scp", nil
	}
	return "", nil
}

// noUserCognito decides by username, which tokens of users have.
func noUserCognito(c *Claims) (why string, err error) {
	user, err := optionalClaim(c.All, "username")
	if err != nil || user != "" {
		return "", err
	}
	return "there is no username", nil
}

// resourceServers returns the audiences of a token without aud: the resource servers that its
// scopes belong to. Cognito writes a scope as IDENTIFIER/NAME, and a NAME has no slash (Amazon
// Cognito user pools API Reference, ResourceServerScopeType).
func resourceServers(scopes []string) ([]string, error) {
	var audience []string
	for _, scope := range scopes {
		at := strings.LastIndexByte(scope, '/')
		if at > 0 && !slices.Contains(audience, scope[:at]) {
			audience = append(audience, scope[:at])
		}
	}
	if len(audience) == 0 {
		return nil, newError(claimMissing,
			"the token has no aud, and no scope of a resource server")
	}
	return audience, nil
}

// noUserKeycloak decides by the session: only a user's token has one (ClientCredentialsGrantType,
// which takes sid away, unless the client uses refresh tokens for that grant). The user of a
// service account is called service-account-CLIENT.
func noUserKeycloak(c *Claims) (why string, err error) {
	session, err := optionalClaim(c.All, "sid")
	if err != nil {
		return "", err
	}
	name, _ := c.All["preferred_username"].(string)
	switch {
	case strings.EqualFold(name, "service-account-"+c.Client):
		return "preferred_username is that of a service account", nil
	case session == "":
		return "there is no sid", nil
	}
	return "", nil
}

// noUserOkta decides by uid, which "isn't included in the access token if there is no user bound to
// it".
func noUserOkta(c *Claims) (why string, err error) {
	user, err := optionalClaim(c.All, "uid")
	if err != nil || user != "" {
		return "", err
	}
	return "there is no uid", nil
}

// uidIsSubject makes uid the subject, because it is the sub of the user's ID tokens. An access
// token's sub is the sign-in name, which can later belong to another user.
func uidIsSubject(c *Claims) (err error) {
	c.Subject, err = stringClaim(c.All, "uid")
	return err
}
