package config_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// Issuers of the tests of profiles.
const (
	entra    = "https://login.microsoftonline.com/{tenantid}/v2.0"
	tenantA  = "11111111-2222-3333-4444-555555555555"
	tenantB  = "99999999-2222-3333-4444-555555555555"
	entraA   = "https://login.microsoftonline.com/" + tenantA + "/v2.0"
	entraB   = "https://login.microsoftonline.com/" + tenantB + "/v2.0"
	bare     = "accounts.google.com"
	anywhere = "https://issuer.example.com/"
)

// profilesFor returns the library's configuration with these issuers and this profile, whose
// endpoint is p if it has none.
func profilesFor(
	t *testing.T, p *httptest.Server, issuers []config.IssuerSettings, s config.ProfileSettings,
) (delegation.Config, error) {
	t.Helper()
	rules := t.TempDir()
	rule := filepath.Join(rules, "1.js")
	text := "function (user, context, callback) { callback(null, user, context); }"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Auth0 == nil {
		s.URL = p.URL + s.URL
		s.AllowLoopbackHTTP = true
	}
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	c := config.Delegation(b, &config.Settings{
		Issuers: issuers,
		Rules: []config.RuleSettings{
			{JavaScript: &config.JavaScriptSettings{Folder: rules, Profile: &s}},
		},
	})
	return c, b.Err()
}

// TestProfile_Issuers: the endpoint is asked for users of every name that an issuer of profiles
// has: its URL, its aliases, the URL of a tenant. No other token gets in without a profile, also
// with allow_missing, unless the configuration says that its issuer has none.
func TestProfile_Issuers(t *testing.T) {
	var asked atomic.Int32
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = io.WriteString(w, `{"app_metadata": {"blocked": true}}`)
	}))
	t.Cleanup(p.Close)
	templated := func(tenants ...string) config.IssuerSettings {
		return config.IssuerSettings{URL: entra, Tenants: tenants}
	}
	ofGoogle := config.IssuerSettings{URL: google, Aliases: []string{bare}}
	ofAny := config.IssuerSettings{URL: entra, UnsafeAnyTenant: true}
	const one, each = "/users?id={subject}", "/users?issuer={issuer}&id={subject}"
	type list = []string
	for name, row := range map[string]struct {
		issuers []config.IssuerSettings
		url     string
		listed  list
		without list
		asks    list
		refuses list
		admits  list
	}{
		"the only tenant": {
			issuers: []config.IssuerSettings{templated(tenantA)},
			url:     one,
			asks:    list{entraA},
			refuses: list{entraB},
		},
		"each tenant": {
			issuers: []config.IssuerSettings{templated(tenantA, tenantB)},
			url:     each,
			asks:    list{entraA, entraB},
		},
		"one tenant has none": {
			issuers: []config.IssuerSettings{templated(tenantA, tenantB)},
			url:     one,
			listed:  list{entraA},
			without: list{entraB},
			asks:    list{entraA},
			admits:  list{entraB},
		},
		"one of any tenant": {
			issuers: []config.IssuerSettings{ofAny},
			url:     one,
			listed:  list{entraA},
			asks:    list{entraA},
			refuses: list{entraB},
		},
		"by URL": {
			issuers: []config.IssuerSettings{ofGoogle},
			url:     one,
			listed:  list{google},
			asks:    list{google, bare},
		},
		"by alias": {
			issuers: []config.IssuerSettings{ofGoogle},
			url:     one,
			listed:  list{bare},
			asks:    list{google, bare},
		},
		"by default": {
			issuers: []config.IssuerSettings{ofGoogle},
			url:     one,
			asks:    list{google, bare},
		},
		"an issuer with aliases has none": {
			issuers: []config.IssuerSettings{{URL: anywhere}, ofGoogle},
			url:     one,
			listed:  list{anywhere},
			without: list{google},
			asks:    list{anywhere},
			refuses: list{entraA},
			admits:  list{google, bare},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := profilesFor(t, p, row.issuers, config.ProfileSettings{
				URL:                   row.url,
				Issuers:               row.listed,
				IssuersWithoutProfile: row.without,
				AllowMissing:          true,
			})
			if err != nil {
				t.Fatal(err)
			}
			load := func(issuer string) (profile map[string]any, requests int32, err error) {
				asked.Store(0)
				profile, err = c.Profile(t.Context(), &delegation.User{
					Properties: map[string]any{"iss": issuer, "sub": "alice"},
				})
				return profile, asked.Load(), err
			}
			for _, issuer := range row.asks {
				profile, requests, err := load(issuer)
				if err != nil || requests != 1 || profile["app_metadata"] == nil {
					t.Errorf("%s: %v, %d requests, %v", issuer, profile, requests, err)
				}
			}
			for _, issuer := range row.refuses {
				_, requests, err := load(issuer)
				if !errors.Is(err, delegation.CodeProfileMissing) || requests != 0 ||
					!strings.Contains(err.Error(), "is not listed") {
					t.Errorf("%s: %d requests, %v", issuer, requests, err)
				}
			}
			for _, issuer := range row.admits {
				profile, requests, err := load(issuer)
				if err != nil || requests != 0 || len(profile) > 0 {
					t.Errorf("%s: %v, %d requests, %v", issuer, profile, requests, err)
				}
			}
		})
	}
}

// TestProfile_IssuersRefused: an accepted issuer that the profile does not mention, and a name that
// no token has, are refused at the start.
func TestProfile_IssuersRefused(t *testing.T) {
	p := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(p.Close)
	const one = "/users?id={subject}"
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	auth0 := &config.Auth0Settings{
		Domain: "tenant.eu.auth0.com", ClientID: "c", ClientSecretFile: secret,
	}
	const login = "https://login.example.com/"
	twoTenants := []config.IssuerSettings{{URL: entra, Tenants: []string{tenantA, tenantB}}}
	anyTenant := []config.IssuerSettings{{URL: entra, UnsafeAnyTenant: true}}
	both := []config.IssuerSettings{{URL: anywhere}, {URL: google, Aliases: []string{bare}}}
	unmentioned := func(issuer string) string {
		return fmt.Sprintf("tokens of %q are accepted, but its users would be refused", issuer)
	}
	for name, row := range map[string]struct {
		issuers []config.IssuerSettings
		profile config.ProfileSettings
		want    string
	}{
		"a template": {
			twoTenants, config.ProfileSettings{URL: one, Issuers: []string{entra, entraA, entraB}},
			"issuers[0]: \"" + entra + "\" has a placeholder",
		},
		"a template without profiles": {
			twoTenants, config.ProfileSettings{
				URL: one, Issuers: []string{entraA, entraB}, IssuersWithoutProfile: []string{entra},
			},
			"issuers_without_profile",
		},
		"two tenants, whose subjects are two name spaces": {
			twoTenants, config.ProfileSettings{URL: one}, "lacks {issuer}",
		},
		"any tenant": {
			anyTenant, config.ProfileSettings{URL: one}, "lacks {issuer}",
		},
		"any tenant, and none is listed": {
			anyTenant, config.ProfileSettings{URL: one, Issuers: []string{anywhere}},
			unmentioned(entra),
		},
		"one of two tenants": {
			twoTenants, config.ProfileSettings{URL: one, Issuers: []string{entraA}},
			unmentioned(entraB),
		},
		"one of two issuers": {
			both, config.ProfileSettings{URL: one, Issuers: []string{anywhere}, AllowMissing: true},
			unmentioned(google),
		},
		"a custom domain": {
			[]config.IssuerSettings{{URL: "https://tenant.eu.auth0.com/"}, {URL: login}},
			config.ProfileSettings{Auth0: auth0}, unmentioned(login),
		},
		"with and without": {
			both, config.ProfileSettings{
				URL: one, Issuers: []string{anywhere, google}, IssuersWithoutProfile: []string{bare},
			},
			"issuers_without_profile[0]: \"" + bare + "\" is another name of \"" + google +
				"\", which is in issuers: keep the issuer in one of the two lists",
		},
		"a wrong domain": {
			both, config.ProfileSettings{Auth0: &config.Auth0Settings{
				Domain: "https://tenant.eu.auth0.com", ClientID: "c", ClientSecretFile: secret,
			}},
			"profile.auth0.domain: \"https://tenant.eu.auth0.com\" is not the domain of a tenant",
		},
		"the same name with and without": {
			both, config.ProfileSettings{
				URL: one, Issuers: []string{anywhere, bare},
				IssuersWithoutProfile: []string{anywhere},
			},
			"issuers_without_profile[0]: \"" + anywhere + "\" is in issuers too: keep it in one",
		},
		"with by default, and without": {
			both[1:], config.ProfileSettings{URL: one, IssuersWithoutProfile: []string{bare}},
			"issuers_without_profile[0]: \"" + bare + "\" has profiles by default: remove it here",
		},
		"a tenant with by default, and without": {
			twoTenants[:1:1], config.ProfileSettings{
				Auth0: auth0, IssuersWithoutProfile: []string{entraA, "https://tenant.eu.auth0.com/"},
			},
			"issuers_without_profile[1]: \"https://tenant.eu.auth0.com/\" has profiles by default",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := profilesFor(t, p, row.issuers, row.profile)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if strings.Contains(row.want, "issuers_without_profile[") &&
				strings.Count(err.Error(), "issuers_without_profile[") != 1 {
				t.Errorf("an entry that the configuration does not have: %v", err)
			}
		})
	}
	alias := []config.IssuerSettings{
		{URL: "https://tenant.eu.auth0.com/", Aliases: []string{login}},
	}
	if _, err := profilesFor(t, p, alias, config.ProfileSettings{Auth0: auth0}); err != nil {
		t.Errorf("a custom domain that is an alias: %v", err)
	}
}

// TestProfile_WrongIssuers: if names of an issuer are wrong, the profile has no problems of its own
// because of them, and nothing can be loaded.
func TestProfile_WrongIssuers(t *testing.T) {
	p := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(p.Close)
	for _, issuer := range []config.IssuerSettings{
		{URL: ""},
		{URL: google, Aliases: []string{""}},
		{URL: google, Aliases: []string{"https://{a}.example.com/"}},
		{URL: entra},
		{URL: entra, Tenants: []string{"{a}"}},
		{URL: "https://{a}.example.com/{b}", Tenants: []string{tenantA}},
	} {
		settings := config.ProfileSettings{URL: "/users?id={subject}", AllowMissing: true}
		c, err := profilesFor(t, p, []config.IssuerSettings{issuer}, settings)
		if err != nil {
			t.Errorf("%+v: the profile has a problem: %v", issuer, err)
		}
		_, err = c.Profile(t.Context(), &delegation.User{
			Properties: map[string]any{"iss": google, "sub": "alice"},
		})
		if err == nil {
			t.Errorf("%+v: the user gets in without a profile", issuer)
		}
	}
}
