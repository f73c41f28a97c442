package delegation_test

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// api is the audience of access tokens for the service under test.
const api = "https://photos.example.com"

// tokenShape is how a profile writes an access token: what is in the header and in the payload
// besides sub, iss, iat and exp.
type tokenShape struct {
	profile delegation.AccessTokenProfile
	typ     any // of the header
	claims  map[string]any
	// subject is the claim that names the user.
	subject string
	// appOnly changes the token to one that no user has asked for.
	appOnly map[string]any
}

// tokenShapes are those that docs/access-tokens.md describes, with its sources.
func tokenShapes() map[string]tokenShape {
	return map[string]tokenShape{
		"rfc9068": {
			profile: delegation.AccessTokenRFC9068,
			typ:     "at+jwt",
			claims: map[string]any{
				"aud": api, "client_id": app, "jti": "j1", "scope": "photos.read photos.write",
			},
			subject: "sub",
			appOnly: map[string]any{"sub": app},
		},
		"entra v1": {
			profile: delegation.AccessTokenEntra,
			typ:     "JWT",
			claims: map[string]any{
				"aud": api, "appid": app, "appidacr": "1", "ver": "1.0",
				"scp": "photos.read photos.write", "uti": "u1",
			},
			subject: "sub",
			appOnly: map[string]any{"scp": nil, "roles": []string{"photos.read"}},
		},
		"entra v2": {
			profile: delegation.AccessTokenEntra,
			typ:     "JWT",
			claims: map[string]any{
				"aud": api, "azp": app, "azpacr": "1", "ver": "2.0",
				"scp": "photos.read photos.write", "uti": "u1",
			},
			subject: "sub",
			appOnly: map[string]any{"idtyp": "app"},
		},
		"cognito": {
			profile: delegation.AccessTokenCognito,
			claims: map[string]any{
				"token_use": "access", "client_id": app, "username": "alice", "jti": "j1",
				"version": 2, "scope": api + "/photos.read " + api + "/photos.write",
			},
			subject: "sub",
			appOnly: map[string]any{"sub": app, "username": nil},
		},
		"cognito with an audience": {
			profile: delegation.AccessTokenCognito,
			claims: map[string]any{
				"token_use": "access", "client_id": app, "username": "alice", "jti": "j1",
				"aud": api, "scope": "photos.read photos.write",
			},
			subject: "sub",
			appOnly: map[string]any{"username": nil},
		},
		"keycloak": {
			profile: delegation.AccessTokenKeycloak,
			typ:     "JWT",
			claims: map[string]any{
				"typ": "Bearer", "aud": []string{api, "account"}, "azp": app, "jti": "j1",
				"sid": "s1", "scope": "photos.read photos.write",
			},
			subject: "sub",
			appOnly: map[string]any{"sid": nil},
		},
		"keycloak, at+jwt": {
			profile: delegation.AccessTokenKeycloak,
			typ:     "at+jwt",
			claims: map[string]any{
				"typ": "Bearer", "aud": api, "azp": app, "jti": "j1", "sid": "s1",
				"scope": "photos.read photos.write",
			},
			subject: "sub",
			appOnly: map[string]any{"preferred_username": "service-account-" + app},
		},
		"okta": {
			profile: delegation.AccessTokenOkta,
			claims: map[string]any{
				"aud": api, "cid": app, "uid": "00u1", "ver": 1, "jti": "AT.1",
				"scp": []string{"photos.read", "photos.write"},
			},
			subject: "uid",
			appOnly: map[string]any{"uid": nil},
		},
		"okta, its own header": {
			profile: delegation.AccessTokenOkta,
			typ:     "application/okta-internal-at+jwt",
			claims: map[string]any{
				"aud": api, "cid": app, "uid": "00u1", "ver": 1, "jti": "AT.1",
				"scp": []string{"photos.read", "photos.write"},
			},
			subject: "uid",
			appOnly: map[string]any{"sub": app, "uid": nil},
		},
	}
}

// accessToken signs an access token of a shape, with changes of its claims.
func (w *world) accessToken(s tokenShape, changes ...map[string]any) string {
	now := w.clock.Now()
	claims := map[string]any{
		"iss": w.url, "sub": alice, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, s.claims)
	for _, change := range changes {
		maps.Copy(claims, change)
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	payload := must(json.Marshal(claims))
	return must(w.provider.Sign(map[string]any{"typ": s.typ}, payload))
}

// accessWorld is a world whose issuer has access tokens of a profile.
func accessWorld(t testing.TB, profile delegation.AccessTokenProfile) *world {
	w := newWorld(t)
	w.config.Issuers[0].AccessTokens = &delegation.AccessTokens{
		Profile:   profile,
		Audiences: []string{api},
	}
	return w
}

// TestAccessTokens_OffByDefault: without the setting every access token is refused as one.
func TestAccessTokens_OffByDefault(t *testing.T) {
	for name, s := range tokenShapes() {
		w := newWorld(t)
		// As permissive as can be: also the API is listed as a client.
		w.target(func(target *delegation.Target) { target.Audiences = []string{app, api} })
		_, err := w.delegator(t).Exchange(t.Context(), w.accessToken(s), app)
		if err == nil {
			t.Errorf("%s: it was accepted", name)
			continue
		}
		e := wantError(t, err, delegation.StageToken, err.(*delegation.Error).Code)
		if !strings.HasPrefix(string(e.Code), "token_") && e.Code != delegation.CodeClaimMissing {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAccessTokens_Accepted: with the setting an access token of each shape gets credentials, its
// kind, scopes and client reach the rules and the event, and ID tokens still work.
func TestAccessTokens_Accepted(t *testing.T) {
	for name, s := range tokenShapes() {
		w := accessWorld(t, s.profile)
		var seen delegation.RuleContext
		w.config.Rules = append(w.config.Rules, func(
			_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
		) error {
			seen = *rc
			return nil
		})
		d := w.delegator(t)
		raw := w.accessToken(s)
		for range 2 { // the second time the token is a remembered one
			if _, err := d.Exchange(t.Context(), raw, app); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		scopes := []string{"photos.read", "photos.write"}
		if name == "cognito" {
			scopes = []string{api + "/photos.read", api + "/photos.write"}
		}
		subject := alice
		if s.subject == "uid" {
			subject = "00u1"
		}
		e := w.events[len(w.events)-1]
		if seen.TokenKind != delegation.TokenKindAccess || seen.ClientID != app ||
			!reflect.DeepEqual(seen.Scopes, scopes) || seen.Actor != nil {
			t.Errorf("%s: the rule saw %+v", name, seen)
		}
		if e.TokenKind != delegation.TokenKindAccess || !reflect.DeepEqual(e.TokenScopes, scopes) ||
			e.ClientID != app || e.Subject != subject {
			t.Errorf("%s: the event is %+v", name, e)
		}
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Errorf("%s: an ID token: %v", name, err)
		}
		e = w.events[len(w.events)-1]
		if e.TokenKind != "" || e.TokenScopes != nil || seen.TokenKind != delegation.TokenKindID ||
			seen.Scopes != nil {
			t.Errorf("%s: an ID token's event is %+v, the rule saw %+v", name, e, seen)
		}
	}
}

// TestAccessTokens_Refused: what is not a user's token for this service is refused, each for its
// own reason.
func TestAccessTokens_Refused(t *testing.T) {
	for name, s := range tokenShapes() {
		scope := "photos.read"
		other := map[string]any{"aud": "https://other.example.com"}
		if name == "cognito" {
			scope = api + "/photos.read"
			other = map[string]any{"scope": "https://other.example.com/photos.read"}
		}
		w := accessWorld(t, s.profile)
		w.config.Issuers[0].AccessTokens.Scopes = []string{scope}
		d := w.delegator(t)
		lacks := map[string]any{"scope": "openid", "scp": "openid"}
		if name == "cognito" {
			lacks = map[string]any{"scope": api + "/photos.write"}
		}
		for claim := range map[string]bool{"scope": true, "scp": true} {
			if s.claims[claim] == nil {
				delete(lacks, claim)
			}
		}
		for what, c := range map[string]struct {
			change map[string]any
			code   delegation.Code
		}{
			"another API":   {other, delegation.CodeAccessTokenAudience},
			"a scope less":  {lacks, delegation.CodeAccessTokenScope},
			"an app's own":  {s.appOnly, delegation.CodeAccessTokenUser},
			"sub is client": {map[string]any{"sub": app}, delegation.CodeAccessTokenUser},
			"at_hash":       {map[string]any{"at_hash": "x"}, delegation.CodeAccessTokenKind},
			"c_hash":        {map[string]any{"c_hash": "x"}, delegation.CodeAccessTokenKind},
			"cnf": {
				map[string]any{"cnf": map[string]any{}},
				delegation.CodeTokenKindBound,
			},
			"events": {map[string]any{"events": map[string]any{}},
				delegation.CodeTokenKindEvent},
			"no sub":  {map[string]any{"sub": nil}, delegation.CodeClaimMissing},
			"no exp":  {map[string]any{"exp": nil}, delegation.CodeClaimMissing},
			"no iat":  {map[string]any{"iat": nil}, delegation.CodeClaimMissing},
			"expired": {map[string]any{"exp": 1, "iat": 1}, delegation.CodeTokenExpired},
			"two clients": {map[string]any{"azp": "a", "cid": "b"},
				delegation.CodeClaimClientConflict},
			"no client": {
				map[string]any{"azp": nil, "appid": nil, "client_id": nil, "cid": nil},
				delegation.CodeClaimMissing,
			},
			"a look-alike": {map[string]any{"SCOPE": "x"}, delegation.CodeTokenFoldedName},
		} {
			token := w.accessToken(s, c.change)
			_, err := d.Exchange(t.Context(), token, app)
			if err == nil {
				t.Errorf("%s, %s: it was accepted", name, what)
				continue
			}
			if e := err.(*delegation.Error); e.Code != c.code || e.Stage != delegation.StageToken {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// TestAccessTokens_ByTarget: the target must list the client, and the audience if there are
// several.
func TestAccessTokens_ByTarget(t *testing.T) {
	const second = "https://albums.example.com"
	s := tokenShapes()["rfc9068"]
	w := accessWorld(t, s.profile)
	refused := func(what string, change map[string]any, remedy string) {
		t.Helper()
		_, err := w.delegator(t).Exchange(t.Context(), w.accessToken(s, change), app)
		e := wantError(t, err, delegation.StageTarget, delegation.CodeAudienceNotAllowed)
		if !strings.Contains(e.Remedy, remedy) {
			t.Errorf("%s: the remedy is %s", what, e.Remedy)
		}
	}
	granted := func(what string, change map[string]any) {
		t.Helper()
		_, err := w.delegator(t).Exchange(t.Context(), w.accessToken(s, change), app)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	other := map[string]any{"client_id": "other-app"}
	refused("another client", other, "Target.AuthorizedParties")
	refused("the API itself as client", map[string]any{"client_id": api}, "Target.Audiences")
	w.target(func(target *delegation.Target) {
		target.AuthorizedParties = []string{"other-app"}
	})
	granted("an authorized party", other)

	w.config.Issuers[0].AccessTokens.Audiences = []string{api, second}
	refused("two APIs, none listed", nil, "Target.AccessAudiences")
	w.target(func(target *delegation.Target) { target.AccessAudiences = []string{second} })
	refused("another API of the issuer", nil, "Target.AccessAudiences")
	granted("the listed API", map[string]any{"aud": second})
	granted("both", map[string]any{"aud": []string{api, second}})
	w.target(func(target *delegation.Target) { target.AccessAudiences = []string{second, "x"} })
	wantOfNew(t, w.config, []string{
		`AccessAudiences[1]: no issuer of the target accepts access tokens for "x"`})
}

// TestAccessTokens_New: New refuses settings that cannot work or would let ID tokens and access
// tokens be taken for each other.
func TestAccessTokens_New(t *testing.T) {
	good := delegation.AccessTokens{
		Profile:   delegation.AccessTokenKeycloak,
		Audiences: []string{api},
		Scopes:    []string{"photos.read"},
	}
	for words, change := range map[string]func(*delegation.Issuer){
		`Profile "saml" is none of rfc9068, entra, cognito, keycloak, okta`: func(
			i *delegation.Issuer,
		) {
			i.AccessTokens.Profile = "saml"
		},
		`Profile "" is none of`: func(i *delegation.Issuer) { i.AccessTokens.Profile = "" },
		"Audiences is empty":    func(i *delegation.Issuer) { i.AccessTokens.Audiences = nil },
		"Audiences has an empty entry": func(i *delegation.Issuer) {
			i.AccessTokens.Audiences[0] = ""
		},
		`Scopes[0]: "a b" is not a scope`: func(i *delegation.Issuer) {
			i.AccessTokens.Scopes[0] = "a b"
		},
		`Scopes[0]: "" is not a scope`: func(i *delegation.Issuer) { i.AccessTokens.Scopes[0] = "" },
		"AllowTokenMarks has typ, by": func(i *delegation.Issuer) {
			i.AllowTokenMarks = []string{"typ"}
		},
		"AccessTokens: they need an issuer th": secretIssuer,
		"AccessTokens: they need an issuer":    clientSecretIssuer,
	} {
		w := newWorld(t)
		tokens := good
		tokens.Audiences = []string{api}
		tokens.Scopes = []string{"photos.read"}
		w.config.Issuers[0].AccessTokens = &tokens
		wantOfNew(t, w.config, nil)
		change(&w.config.Issuers[0])
		wantOfNew(t, w.config, []string{words})
	}
	w := newWorld(t)
	w.target(func(target *delegation.Target) { target.AccessAudiences = []string{api} })
	wantOfNew(t, w.config, []string{"AccessAudiences[0]"})
}

func secretIssuer(i *delegation.Issuer) {
	i.SharedSecret = delegation.NewSecret(strings.Repeat("s", 32))
}

func clientSecretIssuer(i *delegation.Issuer) {
	secret := delegation.NewSecret(strings.Repeat("s", 32))
	i.ClientSecrets = map[string]delegation.ClientSecret{"legacy": {Secret: secret}}
}

// TestAccessTokens_Copied: what is changed after New has no effect.
func TestAccessTokens_Copied(t *testing.T) {
	s := tokenShapes()["rfc9068"]
	w := accessWorld(t, s.profile)
	d := w.delegator(t)
	w.config.Issuers[0].AccessTokens.Audiences[0] = "x"
	w.config.Issuers[0].AccessTokens.Profile = "x"
	if _, err := d.Exchange(t.Context(), w.accessToken(s), app); err != nil {
		t.Error(err)
	}
}

// TestAccessTokens_OfOneIssuerAlone: the setting of one issuer changes nothing for another, whose
// tokens with a header of access tokens are refused by their type.
func TestAccessTokens_OfOneIssuerAlone(t *testing.T) {
	for name, tokens := range map[string]*delegation.AccessTokens{
		"without the setting": nil,
		"of another profile":  {Profile: delegation.AccessTokenEntra, Audiences: []string{api}},
	} {
		w := newActorWorld(t)
		w.config.Issuers[0].AccessTokens = tokens
		w.config.Issuers[1].AccessTokens = &delegation.AccessTokens{
			Profile:   delegation.AccessTokenRFC9068,
			Audiences: []string{api},
		}
		d := w.delegator(t)
		for _, audience := range []string{app, api} {
			raw := w.accessToken(tokenShapes()["rfc9068"], map[string]any{"aud": audience})
			_, err := d.Exchange(t.Context(), raw, app)
			wantError(t, err, delegation.StageToken, delegation.CodeTokenType)
			fields := d.CompareToken(t.Context(), raw, app)
			if f := fieldOf(fields, "header typ"); f.Verdict != delegation.TokenFieldDiffers {
				t.Errorf("%s: the comparison has %+v", name, f)
			}
		}
	}
}
