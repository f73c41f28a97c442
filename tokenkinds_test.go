package delegation_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// kindChoices are values of what tells kinds of tokens apart, of clients and of audiences. A nil
// leaves the claim out.
var kindChoices = map[string][]any{
	"typ":                {nil, nil, "ID", "Bearer", "Refresh", "DPoP"},
	"token_use":          {nil, nil, "id", "access"},
	"idtyp":              {nil, nil, "app", "user"},
	"appidacr":           {nil, nil, "1"},
	"azpacr":             {nil, nil, "1"},
	"scp":                {nil, nil, "photos.read", []string{"photos.read"}, ""},
	"scope":              {nil, "photos.read", api + "/photos.read", "openid"},
	"ver":                {nil, "1.0", "2.0", 1},
	"cnf":                {nil, nil, nil, map[string]any{"jkt": "x"}},
	"events":             {nil, nil, nil, map[string]any{}},
	"at_hash":            {nil, nil, nil, "x"},
	"aud":                {app, api, []string{api, "x"}, []string{app, api}, "x", nil},
	"azp":                {nil, app, app, "x"},
	"appid":              {nil, nil, app, "x"},
	"cid":                {nil, nil, app, "x"},
	"client_id":          {nil, app, app, "x"},
	"sub":                {alice, alice, alice, app},
	"uid":                {nil, "00u1"},
	"username":           {nil, "alice"},
	"sid":                {nil, "s1"},
	"jti":                {nil, "j1", "j1"},
	"gty":                {nil, nil, nil, "client-credentials"},
	"preferred_username": {nil, "alice", "service-account-" + app},
}

// kindHeaders are values of typ in the header.
var kindHeaders = []any{
	nil, "JWT", "JWT", "at+jwt", "at+jwt", "application/at+jwt", "application/okta-internal-at+jwt",
	"logout+jwt",
}

// generatedToken makes a token: half of them from one of the shapes or an ID token with two claims
// changed, the others of any claims.
func generatedToken(random *rand.Rand) (typ any, claims map[string]any) {
	names := slices.Sorted(maps.Keys(kindChoices))
	choose := func(name string) any {
		choices := kindChoices[name]
		return choices[random.IntN(len(choices))]
	}
	claims = map[string]any{"sub": alice, "aud": app}
	if random.IntN(2) == 0 {
		shapes := tokenShapes()
		which := slices.Sorted(maps.Keys(shapes))
		if n := random.IntN(len(which) + 1); n < len(which) {
			typ = shapes[which[n]].typ
			maps.Copy(claims, shapes[which[n]].claims)
			if claims["token_use"] == "access" && shapes[which[n]].claims["aud"] == nil {
				delete(claims, "aud")
			}
		}
		for range random.IntN(3) {
			name := names[random.IntN(len(names))]
			claims[name] = choose(name)
		}
		if random.IntN(6) == 0 {
			typ = kindHeaders[random.IntN(len(kindHeaders))]
		}
	} else {
		typ = kindHeaders[random.IntN(len(kindHeaders))]
		for _, name := range names {
			claims[name] = choose(name)
		}
	}
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return typ, claims
}

// kindWorld has a Delegator for each profile, and one without access tokens, of one issuer.
type kindWorld struct {
	provider *oidctest.Provider
	now      time.Time
	plain    *delegation.Delegator
	profiles map[delegation.AccessTokenProfile]*delegation.Delegator
}

func newKindWorld(t testing.TB) *kindWorld {
	w := newWorld(t)
	k := &kindWorld{
		provider: must(oidctest.New(oidctest.Config{Algorithm: "ES256", Now: w.clock.Now})),
		now:      w.clock.Now(),
		profiles: map[delegation.AccessTokenProfile]*delegation.Delegator{},
	}
	k.provider.SetIssuer(issuerURL)
	w.config.Issuers = []delegation.Issuer{{
		URL:        issuerURL,
		JWKS:       k.provider.KeySet(),
		Algorithms: []string{"ES256"},
	}}
	k.plain = w.delegator(t)
	for _, s := range tokenShapes() {
		w.config.Issuers[0].AccessTokens = &delegation.AccessTokens{
			Profile:   s.profile,
			Audiences: []string{api},
		}
		k.profiles[s.profile] = w.delegator(t)
	}
	return k
}

// isIDToken is what an ID token may be, said once more: no mark of another kind, for the target.
func isIDToken(typ any, claims map[string]any) bool {
	for _, name := range []string{"scp", "appidacr", "azpacr", "cnf", "events"} {
		if claims[name] != nil {
			return false
		}
	}
	plain := typ == nil || typ == "JWT"
	kind := claims["typ"] == nil || claims["typ"] == "ID"
	use := claims["token_use"] == nil || claims["token_use"] == "id"
	return plain && kind && use && claims["idtyp"] != "app" && hasAudience(claims, app)
}

func hasAudience(claims map[string]any, audience string) bool {
	list, _ := claims["aud"].([]string)
	return claims["aud"] == audience || slices.Contains(list, audience)
}

// isAccessToken is what an access token of a profile must be, said once more.
func isAccessToken(profile delegation.AccessTokenProfile, typ any, claims map[string]any) bool {
	header := strings.TrimPrefix(fmt.Sprint(typ), "application/")
	says := map[delegation.AccessTokenProfile]bool{
		delegation.AccessTokenRFC9068: header == "at+jwt" && claims["client_id"] == app,
		delegation.AccessTokenEntra:   claims["scp"] != nil && claims["idtyp"] != "app",
		delegation.AccessTokenCognito: claims["token_use"] == "access" &&
			claims["username"] != nil,
		delegation.AccessTokenKeycloak: claims["typ"] == "Bearer" && claims["sid"] != nil,
		delegation.AccessTokenOkta: claims["scp"] != nil && claims["cid"] == app &&
			claims["uid"] != nil,
	}[profile]
	forUs := hasAudience(claims, api) || profile == delegation.AccessTokenCognito &&
		claims["aud"] == nil && strings.Contains(fmt.Sprint(claims["scope"]), api+"/")
	return says && forUs && claims["at_hash"] == nil && claims["cnf"] == nil &&
		claims["events"] == nil && claims["sub"] != app
}

// check holds one generated token against every Delegator. It returns how it was accepted.
func (k *kindWorld) check(t testing.TB, random *rand.Rand) (asID, asAccess int) {
	t.Helper()
	typ, claims := generatedToken(random)
	all := map[string]any{
		"iss": issuerURL, "iat": k.now.Unix(), "exp": k.now.Add(time.Hour).Unix(),
	}
	maps.Copy(all, claims)
	raw := must(k.provider.Sign(map[string]any{"typ": typ}, must(json.Marshal(all))))
	_, plainErr := k.plain.Explain(t.Context(), raw, app)
	for _, profile := range slices.Sorted(maps.Keys(k.profiles)) {
		e, err := k.profiles[profile].Explain(t.Context(), raw, app)
		kind := e.TokenKind
		switch {
		case err != nil && plainErr == nil:
			// Only Okta's tokens can have cid, so there it tells an access token.
			if profile != delegation.AccessTokenOkta || claims["cid"] == nil {
				t.Errorf("%s: an ID token is refused: %v, %v %v", profile, err, typ, claims)
			}
		case err != nil:
		case kind == delegation.TokenKindID:
			asID++
			if plainErr != nil || !isIDToken(typ, claims) {
				t.Errorf("%s: passes as an ID token: %v %v", profile, typ, claims)
			}
		case kind == delegation.TokenKindAccess:
			asAccess++
			if plainErr == nil || !isAccessToken(profile, typ, claims) {
				t.Errorf("%s: passes as an access token: %v %v", profile, typ, claims)
			}
		default:
			t.Errorf("%s: the kind is %q", profile, kind)
		}
	}
	return asID, asAccess
}

// TestTokenKinds_NeverSwapped: of generated tokens, none that is an ID token is taken for an access
// token, and the other way round. What is accepted without the setting is accepted with it.
func TestTokenKinds_NeverSwapped(t *testing.T) {
	k := newKindWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	asID, asAccess := 0, 0
	for range 1200 {
		id, access := k.check(t, random)
		asID += id
		asAccess += access
	}
	t.Logf("%d times accepted as ID tokens, %d times as access tokens", asID, asAccess)
	if asID < 100 || asAccess < 300 {
		t.Error("too few tokens are accepted to show anything")
	}
}

// FuzzTokenKinds is TestTokenKinds_NeverSwapped with other seeds.
func FuzzTokenKinds(f *testing.F) {
	k := newKindWorld(f)
	f.Add(uint64(1), uint64(1))
	f.Add(uint64(7), uint64(99))
	f.Fuzz(func(t *testing.T, one, two uint64) {
		k.check(t, rand.New(rand.NewPCG(one, two)))
	})
}
