package delegation_test

import (
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// TestAccessTokens_OfProviders: the imitated providers' access tokens are accepted by their
// profiles, their ID tokens still are, and each other kind is refused.
func TestAccessTokens_OfProviders(t *testing.T) {
	for _, c := range []struct {
		provider string
		profile  delegation.AccessTokenProfile
		audience string
		changes  map[string]any // of the access token
		refused  map[string]delegation.Code
	}{
		{
			"entra", delegation.AccessTokenEntra, app, nil,
			map[string]delegation.Code{"app": delegation.CodeAccessTokenUser},
		},
		{
			"entra-v1", delegation.AccessTokenEntra, app, nil,
			map[string]delegation.Code{"app": delegation.CodeAccessTokenUser},
		},
		{
			"cognito", delegation.AccessTokenCognito, "photos",
			map[string]any{"scope": "openid photos/read"},
			map[string]delegation.Code{"access": delegation.CodeClaimMissing},
		},
		{
			"keycloak", delegation.AccessTokenKeycloak, app, nil,
			map[string]delegation.Code{
				"refresh": delegation.CodeAlgorithmUnsupported,
				"logout":  delegation.CodeTokenKindLogout,
			},
		},
		{"okta-custom", delegation.AccessTokenOkta, app, nil, nil},
	} {
		profile := must(oidctest.LoadProfile(c.provider, map[string]string{"client_id": app}))
		w := newWorld(t)
		provider := must(oidctest.New(oidctest.Config{
			Profile: profile,
			Key:     delegationtest.IssuerKey(),
			Now:     w.clock.Now,
		}))
		w.config.HTTPClient = must(oidctest.NewNetwork(provider)).Client()
		w.config.Issuers = []delegation.Issuer{{
			URL:          profile.Issuer,
			DiscoveryURL: profile.DiscoveryURL,
			AccessTokens: &delegation.AccessTokens{
				Profile:   c.profile,
				Audiences: []string{c.audience},
			},
		}}
		d := w.delegator(t)
		explain := func(kind string, changes map[string]any) (*delegation.Explanation, error) {
			return d.Explain(t.Context(), must(provider.SignAs(kind, changes)), app)
		}
		for kind, want := range map[string]delegation.TokenKind{
			oidctest.IDToken:     delegation.TokenKindID,
			oidctest.AccessToken: delegation.TokenKindAccess,
		} {
			changes := c.changes
			if kind == oidctest.IDToken {
				changes = nil
			}
			e, err := explain(kind, changes)
			if err != nil || e.TokenKind != want {
				t.Errorf("%s, %s: %v, the kind is %q", c.provider, kind, err, e.TokenKind)
			}
		}
		for kind, code := range c.refused {
			_, err := explain(kind, nil)
			if err == nil || err.(*delegation.Error).Code != code {
				t.Errorf("%s, %s: %v", c.provider, kind, err)
			}
		}
	}
}
