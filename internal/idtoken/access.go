package idtoken

import (
	"slices"
	"strings"
	"time"
)

// Kind is the kind of a token that was accepted.
type Kind string

// The kinds.
const (
	IDToken     Kind = "id_token"
	AccessToken Kind = "access_token"
)

// AccessTokens says which access tokens of an issuer are accepted. The caller has checked it.
type AccessTokens struct {
	// Profile is one of [AccessProfiles].
	Profile string
	// Audiences are those of which a token must have one.
	Audiences []string
	// Scopes are those that a token must have, all of them.
	Scopes []string
}

// access is AccessTokens with the profile that was found.
type access struct {
	*AccessTokens
	profile *accessProfile
}

// newAccess returns which access tokens an issuer accepts. It returns nil, for none, if tokens is
// nil or the profile is unknown.
func newAccess(tokens *AccessTokens) *access {
	if tokens == nil {
		return nil
	}
	profile := profileOf(tokens.Profile)
	if profile == nil {
		return nil
	}
	return &access{tokens, profile}
}

// accept notes the types of headers that an issuer's access tokens can have.
func (h *headers) accept(a *access) {
	if a == nil {
		return
	}
	for _, name := range a.profile.types {
		if !slices.Contains(h.types, name) {
			h.types = append(h.types, name)
		}
	}
}

// checkType refuses a type of access tokens that this issuer does not accept.
func (a *access) checkType(typ string) error {
	if typ == "" || a != nil && slices.Contains(a.profile.types, typ) {
		return nil
	}
	return newError(tokenType, "the header's typ is %.80q", typ)
}

// isOne tells whether a token is an access token, by its header or by its claims. Every other one
// is taken for an ID token, and is refused if it bears a mark of another kind.
func (a *access) isOne(typ string, all map[string]any) bool {
	return a != nil && (typ != "" || a.profile.is(all))
}

// accessClaims decide about an access token, besides decidingClaims. Look-alikes of them are
// refused for the same reason, and in access tokens alone: ID tokens may have claims such as
// Username.
var accessClaims = namesOf(
	"scope", "at_hash", "c_hash", "may_act",
	"ver", "uid", "username", "sid", "preferred_username", "gty", // see accessProfiles
)

// checkAccess checks the claims of an access token with a good signature. actor says that it is
// the token of somebody who acts for a user.
func (i *issuer) checkAccess(
	all map[string]any, actor bool, now time.Time, leeway time.Duration,
) (*Claims, error) {
	a := i.access
	if err := accessClaims.refuseLookalikes(all, "claim"); err != nil {
		return nil, err
	}
	if err := a.checkKind(all); err != nil {
		return nil, err
	}
	c := &Claims{Issuer: i.name, Kind: AccessToken, All: all}
	for _, read := range []func(*Claims) error{
		readSubject, a.readClient, a.checkRequired, a.readScopes, a.readAudience,
	} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	if err := a.checkUser(c, actor); err != nil {
		return nil, err
	}
	if err := a.checkAudience(c); err != nil {
		return nil, err
	}
	if err := c.readDates(now, leeway); err != nil {
		return nil, err
	}
	if actor {
		return c, nil
	}
	if err := a.checkScopes(c); err != nil {
		return nil, err
	}
	return c, nil
}

// checkKind refuses a token that one mark makes an access token, and another mark a token of
// another kind.
func (a *access) checkKind(all map[string]any) error {
	if kind := all["typ"]; kind != nil && kind != "Bearer" { // as Keycloak writes it
		return contradicts("typ")
	}
	if use := all["token_use"]; use != nil && use != "access" { // as Cognito writes it
		return contradicts("token_use")
	}
	// OpenID Connect Core §3.1.3.6 and §3.3.2.11: only an ID token has them.
	for _, name := range []string{"at_hash", "c_hash"} {
		if all[name] != nil {
			return contradicts(name)
		}
	}
	// A token that is bound to a key counts only with a proof of possession, and a token about an
	// event is not a user's. No setting lets these pass.
	for _, m := range marks {
		if m.claim != "cnf" && m.claim != "events" {
			continue
		}
		if err := m.check(all); err != nil {
			return err
		}
	}
	return a.profile.checkKind(all)
}

// contradicts refuses a token if a claim names another kind of token than its other marks do.
func contradicts(claim string) *Error {
	return newError(accessKind,
		"the token is an access token, and its %s marks another kind of token", claim)
}

func readSubject(c *Claims) (err error) {
	c.Subject, err = stringClaim(c.All, "sub")
	return err
}

// readClient reads the application that the token was issued to.
func (a *access) readClient(c *Claims) (err error) {
	given := func(name string) bool { return c.All[name] != nil }
	if !slices.ContainsFunc(a.profile.clients, given) {
		return newError(claimMissing,
			"the token has no %s", strings.Join(a.profile.clients, " and no "))
	}
	// All claims that name the client must agree. The audience is never taken for it.
	c.Client, err = clientOf(c.All, nil, nil)
	return err
}

// checkRequired checks that the other claims that the profile requires are present.
func (a *access) checkRequired(c *Claims) error {
	for _, name := range a.profile.required {
		if _, err := stringClaim(c.All, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *access) readScopes(c *Claims) (err error) {
	c.Scopes, err = scopesOf(c.All, a.profile.scopes)
	return err
}

// readAudience reads the APIs that the token is for. The scopes have been read.
func (a *access) readAudience(c *Claims) (err error) {
	if c.All["aud"] == nil && a.profile.audience != nil {
		c.Audience, err = a.profile.audience(c.Scopes)
		return err
	}
	c.Audience, err = audienceClaim(c.All["aud"])
	return err
}

// checkUser refuses a token that an application has asked for in its own name. Only an actor may
// be an application.
func (a *access) checkUser(c *Claims, actor bool) error {
	why, err := a.profile.noUser(c)
	if err != nil {
		return err
	}
	if why == "" && c.Subject == c.Client { // RFC 9068 §2.2, of a grant without a resource owner
		why = "sub is the client"
	}
	if why == "" {
		return a.profile.setSubject(c)
	}
	if !actor {
		return newError(accessUser, "the access token is an application's own: %s", why)
	}
	c.AppOnly = true
	return nil
}

// checkAudience refuses a token for another API.
func (a *access) checkAudience(c *Claims) error {
	ours := func(audience string) bool { return slices.Contains(a.Audiences, audience) }
	if slices.ContainsFunc(c.Audience, ours) {
		return nil
	}
	return newError(accessAudience,
		"the access token is for %.200q, which is none of the accepted audiences",
		strings.Join(c.Audience, " "))
}

// checkScopes refuses a token that lacks a scope.
func (a *access) checkScopes(c *Claims) error {
	for _, scope := range a.Scopes {
		if !slices.Contains(c.Scopes, scope) {
			return newError(accessScope, "the access token lacks the scope %.80q", scope)
		}
	}
	return nil
}

// scopesOf reads a claim of scopes: one text with a single space between scopes (RFC 6749 §3.3),
// or a list of texts. Duplicates are left out.
func scopesOf(all map[string]any, claim string) ([]string, error) {
	var named []string
	switch value := all[claim].(type) {
	case nil:
		return nil, nil
	case string:
		if value == "" {
			return nil, nil
		}
		named = strings.Split(value, " ")
	case []any:
		for _, entry := range value {
			text, _ := entry.(string)
			named = append(named, text) // an entry that is not text is refused below
		}
	default:
		return nil, newError(claimType, "%s is neither a string nor an array of strings", claim)
	}
	var scopes []string
	for _, scope := range named {
		if !IsScope(scope) {
			return nil, newError(claimType, "%s has an entry that is not a scope", claim)
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// IsScope tells whether a text is a scope-token of RFC 6749 §3.3: printable ASCII without space,
// quote and backslash.
func IsScope(text string) bool {
	odd := func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }
	return text != "" && !strings.ContainsFunc(text, odd)
}
