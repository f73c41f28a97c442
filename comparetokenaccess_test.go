package delegation_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// withAccess is an access token of a shape, in a world that takes those for the API with the scope
// photos.read, after changes of its claims and of the world.
func withAccess(
	name string, claims map[string]any, change func(*world),
) func(*testing.T) (*world, string) {
	return func(t *testing.T) (*world, string) {
		s := tokenShapes()[name]
		w := accessWorld(t, s.profile)
		w.config.Issuers[0].JWKS = w.provider.KeySet()
		w.config.Issuers[0].AccessTokens.Scopes = []string{"photos.read"}
		if change != nil {
			change(w)
		}
		return w, w.accessToken(s, claims)
	}
}

// comparedAccessCases are refused access tokens.
func comparedAccessCases() []comparedCase {
	lists := func(audiences ...string) func(*world) {
		return func(w *world) {
			w.config.Issuers[0].AccessTokens.Audiences = []string{api, "https://other.example.com"}
			w.target(func(target *delegation.Target) { target.AccessAudiences = audiences })
		}
	}
	return []comparedCase{
		{delegation.CodeAccessTokenKind, "kind", differs, "at_hash marks another kind",
			withAccess("rfc9068", map[string]any{"at_hash": "x"}, nil)},
		{delegation.CodeAccessTokenKind, "kind", differs, "an access token of the profile keycloak",
			withAccess("keycloak, at+jwt", map[string]any{"typ": "ID"}, nil)},
		{delegation.CodeAccessTokenAudience, "aud", differs, `"` + api + `"`,
			withAccess("rfc9068", map[string]any{"aud": "x"}, nil)},
		{delegation.CodeAccessTokenScope, "scope", differs, `lacks the scope "photos.read"`,
			withAccess("rfc9068", map[string]any{"scope": "x"}, nil)},
		{delegation.CodeAccessTokenScope, "scp", differs, `all of "photos.read"`,
			withAccess("okta", map[string]any{"scp": []string{"x"}}, nil)},
		{delegation.CodeAccessTokenUser, "user", differs, "sub is the client",
			withAccess("rfc9068", map[string]any{"sub": app}, nil)},
		{delegation.CodeAccessTokenUser, "user", differs, "there is no sid",
			withAccess("keycloak", map[string]any{"sid": nil}, nil)},
		{delegation.CodeClaimMissing, "jti", missing, "absent",
			withAccess("rfc9068", map[string]any{"jti": nil}, nil)},
		{delegation.CodeClaimMissing, "client", missing, "client_id",
			withAccess("rfc9068", map[string]any{"client_id": nil}, nil)},
		{delegation.CodeClaimType, "scope", differs, "is not a scope",
			withAccess("rfc9068", map[string]any{"scope": "a  b"}, nil)},
		{delegation.CodeTokenFoldedName, "payload", differs, "SCOPE",
			withAccess("rfc9068", map[string]any{"SCOPE": "x"}, nil)},
		{delegation.CodeTokenType, "header typ", differs, `"JWT", "at+jwt" or absent`,
			func(t *testing.T) (*world, string) {
				s := tokenShapes()["rfc9068"]
				w := accessWorld(t, s.profile)
				s.typ = "logout+jwt"
				return w, w.accessToken(s)
			}},
		{delegation.CodeAudienceNotAllowed, "client", differs, "Target.AuthorizedParties",
			withAccess("rfc9068", map[string]any{"client_id": "x"}, nil)},
		{delegation.CodeAudienceNotAllowed, "aud", differs, "Target.AccessAudiences",
			withAccess("rfc9068", nil, lists("https://other.example.com"))},
		{delegation.CodeAudienceNotAllowed, "aud", differs, "the target lists none",
			withAccess("rfc9068", nil, lists())},
	}
}

// TestCompareToken_Access: an access token that is accepted differs in no field, and no value is
// shown but those that decide.
func TestCompareToken_Access(t *testing.T) {
	for name, s := range tokenShapes() {
		w := accessWorld(t, s.profile)
		d := w.delegator(t)
		raw := w.accessToken(s, map[string]any{"email": "canary@example.com"})
		_, err := d.Explain(t.Context(), raw, app)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fields := d.CompareToken(t.Context(), raw, app)
		if problem := comparisonProblem(fields, raw, nil); problem != "" {
			t.Errorf("%s: %s", name, problem)
		}
		kind := fieldOf(fields, "kind")
		if kind.Token != "an access token" ||
			!strings.HasSuffix(kind.Configuration, string(s.profile)) {
			t.Errorf("%s: the kind is %+v", name, kind)
		}
		for _, f := range fields {
			if strings.Contains(f.Token, "canary") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}
