package idtoken

import (
	"fmt"
	"strings"
)

// compareType compares the header's typ with those that the issuer's tokens can have.
func (c *comparison) compareType(header map[string]any) {
	field := c.add("header typ", shown(header, "typ"), `"JWT" or absent`)
	var types []string
	if c.by.access != nil {
		types = c.by.access.profile.types
	}
	if len(types) > 0 {
		field.Want = fmt.Sprintf(`"JWT", %s or absent`, QuoteList(types, maxShown))
	}
	field.judge(c.token.readType(header, types))
}

// compareAccess compares the claims of an access token, except iss, sub and the dates.
func (c *comparison) compareAccess() {
	a := c.by.access
	if err := accessClaims.refuseLookalikes(c.Claims, "claim"); err != nil {
		c.add("payload", "a name in the wrong case", "the registered names").judge(err)
	}
	claims := &Claims{All: c.Claims}
	kind := c.add("kind", "an access token", "an access token of the profile "+a.Profile)
	kind.judge(a.checkKind(c.Claims))
	client := c.add("client", c.clientClaims(), strings.Join(a.profile.clients, " or "))
	client.judge(a.readClient(claims))
	for _, name := range a.profile.required {
		_, err := stringClaim(c.Claims, name)
		c.add(name, presence(c.Claims, name), "a text").judge(err)
	}
	scopes := c.add(a.profile.scopes, shown(c.Claims, a.profile.scopes), "nothing in particular")
	if len(a.Scopes) > 0 {
		scopes.Want = "all of " + QuoteList(a.Scopes, maxShown)
	}
	err := a.readScopes(claims)
	if err == nil {
		err = a.checkScopes(claims)
	}
	scopes.judge(err)
	aud := c.add("aud", shown(c.Claims, "aud"), OneOf(a.Audiences, maxShown))
	if err = a.readAudience(claims); err == nil {
		err = a.checkAudience(claims)
	}
	aud.judge(err)
	if client.Verdict == Same {
		c.compareUser(claims)
	}
	c.Audience = claims.Audience
	c.Client = claims.Client
}

// compareUser compares whether a user has asked for the token.
func (c *comparison) compareUser(claims *Claims) {
	field := c.add("user", "not shown", "a user who has asked for the token")
	if readSubject(claims) != nil {
		field.skip("the token has no sub")
		return
	}
	field.judge(c.by.access.checkUser(claims, false))
}
