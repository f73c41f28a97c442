package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// passes is the outcome of a token that is exchanged. Other outcomes are codes.
const passes = ""

// A recipe is the test of a section of docs/provider-NAME.md: an imitation of the provider, and
// what becomes of its tokens.
type recipe struct {
	section    string
	profile    string
	parameters map[string]string
	// others are further imitations that the section's issuers need, by their parameters.
	others []map[string]string
	// secret is that of tokens signed with HS256.
	secret string
	// files are next to the configuration. The key set of the imitation is keySetFile.
	files  map[string]string
	tokens []verdict
	// custom is in place of a profile of oidctest.
	custom *oidctest.Profile
}

// A verdict is what becomes of a token. Claims change the profile's.
type verdict struct {
	kind   string
	claims map[string]any
	want   string
}

const (
	right    = oidctest.IDToken
	access   = oidctest.AccessToken
	ci       = oidctest.CIToken
	stranger = oidctest.StrangerToken
)

// keySetFile is the name of a file that has the imitation's key set.
const keySetFile = "cluster-keys.json"

const (
	legacySecret = "a secret of more than thirty-two bytes"
	otherTenant  = "99999999-2222-3333-4444-555555555555"
)

var recipes = []recipe{
	{section: "Google", profile: "google", tokens: []verdict{
		{kind: "personal", claims: sub("110169484474386276334")},
		{kind: "legacy", claims: sub("110169484474386276334")},
		{kind: stranger, want: "required_claim"},
		{kind: "service", want: "audience_not_allowed"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "Google Workspace", profile: "google", tokens: []verdict{
		{kind: right},
		{kind: "legacy"},
		{kind: stranger, want: "required_claim"},
		{kind: right, claims: claims("hd", "strangers.example"), want: "required_claim"},
		{kind: "service", want: "audience_not_allowed"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "Entra ID, one tenant", profile: "entra", tokens: []verdict{
		{kind: right},
		{kind: right, claims: claims("roles", nil), want: "required_claim"},
		{kind: stranger, want: "issuer_unknown"},
		{kind: access, want: "token_kind_entra_v2_access"},
		{kind: "app", want: "token_kind_app_only"},
	}},
	{section: "Entra ID, several tenants", profile: "entra-common", tokens: []verdict{
		{kind: right},
		{kind: right, claims: tenant("22222222-2222-3333-4444-555555555555")},
		{kind: stranger, want: "issuer_unknown"},
		{kind: right, claims: claims("tid", otherTenant), want: "key_other_issuer"},
		{kind: access, want: "token_kind_entra_v2_access"},
	}},
	{section: "Entra ID, keys of an application", profile: "entra-appid", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "issuer_unknown"},
		{kind: access, want: "token_kind_entra_v2_access"},
	}},
	{section: "Entra ID, version 1", profile: "entra-v1", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "issuer_unknown"},
		{kind: access, want: "token_kind_entra_v1_access"},
	}},
	{section: "Entra External ID", profile: "entra-external-id", tokens: []verdict{
		{kind: right},
		{kind: "msal"},
		{kind: "self-registered", want: "required_claim"},
		{kind: stranger, want: "issuer_unknown"},
		{kind: access, want: "token_kind_entra_v2_access"},
	}},
	{section: "Azure AD B2C", profile: "azure-ad-b2c", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: "policy", want: "required_claim"},
		{kind: access, want: "token_kind_scoped"},
	}},
	{section: "Okta, org server", profile: "okta", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_type"},
	}},
	{section: "Okta, custom server", profile: "okta-custom", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_kind_scoped"},
	}},
	{section: "Auth0", profile: "auth0", tokens: []verdict{
		{kind: right},
		{kind: right, claims: claims("iss", "https://login.example.com/")},
		{kind: "apple"},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "audience_not_allowed"},
	}},
	{
		section:    "Auth0, HS256",
		profile:    "auth0",
		parameters: map[string]string{"algorithm": "HS256"},
		others:     []map[string]string{{}}, // which publishes the keys of other clients
		secret:     legacySecret,
		// The text is that of the secret in base64url.
		files: map[string]string{
			"client-secret.txt": "YSBzZWNyZXQgb2YgbW9yZSB0aGFuIHRoaXJ0eS10d28gYnl0ZXM\n",
		},
		tokens: []verdict{
			{kind: right},
			{kind: stranger, want: "required_claim"},
			{kind: right, claims: claims("aud", "another-client"), want: "algorithm_shared_secret"},
			{kind: access, want: "claim_secret_audience"},
		},
	},
	{section: "Keycloak", profile: "keycloak", tokens: []verdict{
		{kind: right},
		{kind: right, claims: claims("aud", []string{"photo-app", "account"})},
		{kind: stranger, want: "required_claim"},
		{kind: right, claims: claims("iss", "https://sso.example.com/realms/strangers"),
			want: "issuer_unknown"},
		{kind: access, want: "token_kind_access"},
		{kind: "refresh", want: "algorithm_unsupported"},
		{kind: "logout", want: "token_kind_logout"},
	}},
	{
		section:    "Keycloak behind a proxy",
		profile:    "keycloak",
		parameters: map[string]string{"backchannel": "http://keycloak.internal:8080"},
		others:     []map[string]string{{}}, // what the proxy answers
		tokens: []verdict{
			{kind: right},
			{kind: stranger, want: "required_claim"},
			{kind: access, want: "token_kind_access"},
		},
	},
	{section: "Amazon Cognito", profile: "cognito", tokens: []verdict{
		{kind: right},
		{kind: "federated"},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_kind_use"},
	}},
	{section: "PingOne", profile: "pingone", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_type"},
		{kind: "old-access", want: "audience_not_allowed"},
	}},
	{section: "OneLogin", profile: "onelogin", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "AD FS", profile: "adfs", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "issuer_unknown"},
		{kind: "own-access", want: "token_kind_scoped"},
	}},
	{section: "Apple", profile: "apple", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "Salesforce", profile: "salesforce", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "GitLab users", profile: "gitlab", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
		// A job chooses its audience, and this one runs for a member of the group.
		{kind: ci, claims: claims("aud", "photo-app"), want: "required_claim"},
	}},
	{section: "GitLab CI", profile: "gitlab", tokens: []verdict{
		{kind: ci},
		{kind: "ci-two-audiences"},
		{kind: "ci-stranger", want: "required_claim"},
		{kind: "ci-branch", want: "required_claim"},
		{kind: right, want: "audience_not_allowed"},
		{kind: right, claims: claims("aud", "https://photos.example.com"), want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "GitHub Actions", profile: "github-actions", tokens: []verdict{
		{kind: ci},
		{kind: "immutable"},
		{kind: stranger, want: "required_claim"},
		{kind: "pull-request", want: "required_claim"},
		{kind: ci, claims: claims("aud", "https://github.com/octo-org"), want: "audience_not_allowed"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "Bitbucket Pipelines", profile: "bitbucket", tokens: []verdict{
		{kind: ci},
		{kind: "branch", want: "required_claim"},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "CircleCI", profile: "circleci", tokens: []verdict{
		{kind: ci},
		{kind: "fork", want: "required_claim"},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
	}},
	cluster("Kubernetes: EKS", map[string]string{
		"issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
		"keys": "https://oidc.eks.eu-central-1.amazonaws.com/id/" +
			"0123456789ABCDEF0123456789ABCDEF/keys",
	}),
	cluster("Kubernetes: GKE", map[string]string{
		"issuer": "https://container.googleapis.com/v1/projects/photos/locations/" +
			"europe-west3/clusters/main",
		"keys": "https://container.googleapis.com/v1/projects/photos/locations/" +
			"europe-west3/clusters/main/jwks",
	}),
	cluster("Kubernetes: AKS", map[string]string{
		"issuer": "https://westeurope.oic.prod-aks.azure.com/" +
			"11111111-2222-3333-4444-555555555555/77777777-2222-3333-4444-555555555555/",
		"keys": "https://westeurope.oic.prod-aks.azure.com/" +
			"11111111-2222-3333-4444-555555555555/77777777-2222-3333-4444-555555555555/" +
			"openid/v1/jwks",
	}),
	cluster("Kubernetes: kubeadm, OpenShift, k3s", map[string]string{"bearer": "a service account"}),
	{section: "SPIFFE", profile: "spire", tokens: []verdict{
		{kind: right},
		{kind: right, claims: claims("aud", []string{"photo-app", "vault"})},
		{kind: stranger, want: "required_claim"},
		{kind: "other-audience", want: "audience_not_allowed"},
		{kind: "without-issuer", want: "claim_missing"},
	}},
	{section: "Zitadel", profile: "zitadel", tokens: []verdict{
		{kind: right},
		{kind: "neighbour", want: "audience_not_allowed"},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_malformed"},
		{kind: "jwt-access", want: "required_claim"},
		{kind: "jwt-access", claims: claims("aud", "170086824411201793"), want: "required_claim"},
	}},
	{section: "authentik", profile: "authentik", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: "encrypted", want: "token_encrypted"},
		{kind: access, want: passes}, // the page says so
	}},
	{section: "Authelia", profile: "authelia", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "token_type"},
		{kind: "opaque", want: "token_malformed"},
	}},
	{section: "Dex", profile: "dex", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: "other-client", want: "audience_not_allowed"},
		{kind: "refresh", want: "token_malformed"},
		{kind: "refreshed", want: "required_claim"}, // the page says so
		{kind: access, want: "required_claim"},
	}},
	{section: "Vault", profile: "vault", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: "identity", want: "issuer_unknown"},
		{kind: access, want: "token_malformed"},
	}},
	{section: "PingAM, ForgeRock, OpenAM", profile: "pingam", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: access, want: "required_claim"},
	}},
	{section: "WSO2 Identity Server, Asgardeo", profile: "wso2", tokens: []verdict{
		{kind: right},
		{kind: stranger, want: "required_claim"},
		{kind: "logout", want: "token_kind_event"},
		{kind: access, want: "token_type"},
	}},
}

// cluster is the recipe of a cluster of Kubernetes.
func cluster(section string, parameters map[string]string) recipe {
	return recipe{
		section:    section,
		profile:    "kubernetes",
		parameters: parameters,
		tokens: []verdict{
			{kind: right},
			{kind: "two-audiences"},
			{kind: stranger, want: "required_claim"},
			{kind: right, claims: sub("system:serviceaccount:photos:other"), want: "required_claim"},
			{kind: access, want: "audience_not_allowed"},
			{kind: access, claims: claims("aud", []string{"https://kubernetes.default.svc", "k3s"}),
				want: "claim_authorized_party"},
		},
	}
}

func claims(name string, value any) map[string]any { return map[string]any{name: value} }

func sub(subject string) map[string]any { return claims("sub", subject) }

// tenant are the claims of a token of another tenant of Entra.
func tenant(id string) map[string]any {
	return map[string]any{"tid": id, "iss": "https://login.microsoftonline.com/" + id + "/v2.0"}
}

// TestProviders: the YAML of each page docs/provider-NAME.md accepts the right token of the
// provider that the section is about, at the provider's own addresses, and refuses a stranger's and
// the wrong kinds, with the codes that are expected. No section needs a gate that it lacks. The
// table of docs/providers.md says what has happened.
func TestProviders(t *testing.T) {
	page := sectionsOf(t)
	table := tableOf(t)
	for _, r := range recipes {
		t.Run(r.section, func(t *testing.T) {
			p := r.imitation(t, r.parameters)
			providers := []*oidctest.Provider{p}
			for _, parameters := range r.others {
				providers = append(providers, r.imitation(t, parameters))
			}
			if r.secret != "" { // it publishes nothing, so the other one answers
				slices.Reverse(providers)
			}
			d := r.delegator(t, page[r.section], providers)
			wantNoStrangers(t, d)
			outcomes := wantVerdicts(t, d, p, r.tokens)
			wantNoSlashes(t, d)
			table.want(t, r.section, outcomes)
		})
	}
	table.write(t)
}

// wantNoStrangers checks that the issuers are there, and that no gate is missing.
func wantNoStrangers(t *testing.T, d *delegation.Delegator) {
	t.Helper()
	for _, result := range d.Check(t.Context()) {
		if strings.HasPrefix(result.Name, "issuer ") && result.Err != nil {
			t.Errorf("%s: %v", result.Name, result.Err)
		}
		if strings.Contains(result.Warning, "strangers") {
			t.Errorf("%s: %s", result.Name, result.Warning)
		}
	}
}

// wantNoSlashes wants no warning that a user's folder may lie in another's, after exchanges.
func wantNoSlashes(t *testing.T, d *delegation.Delegator) {
	t.Helper()
	for _, result := range d.Check(t.Context()) {
		for _, w := range result.Warnings {
			if w.Code == delegation.WarningNameIDSlash {
				t.Errorf("%s: %s", result.Name, w)
			}
		}
	}
}

// wantVerdicts exchanges tokens of the provider, and returns what has become of each.
func wantVerdicts(
	t *testing.T, d *delegation.Delegator, p *oidctest.Provider, verdicts []verdict,
) (outcomes []happened) {
	t.Helper()
	for _, v := range verdicts {
		token := must(p.SignAs(v.kind, v.claims))
		_, err := d.Exchange(t.Context(), token, delegationtest.Target)
		if got := codeOf(err); got != v.want {
			t.Errorf("%s %v: got %q, want %q: %v", v.kind, v.claims, got, v.want, err)
		}
		outcomes = append(outcomes, happened{v, err})
	}
	return outcomes
}

// TestProviders_Backchannel: without the setting that the section has for it, Keycloak's discovery
// document leads to keys by plain http, and no token is accepted.
func TestProviders_Backchannel(t *testing.T) {
	const section = "Keycloak behind a proxy"
	i := slices.IndexFunc(recipes, func(r recipe) bool { return r.section == section })
	r := recipes[i]
	p := r.imitation(t, r.parameters)
	text := regexp.MustCompile(` +jwks_url: .*\n`).ReplaceAllString(sectionsOf(t)[section], "")
	d := r.delegator(t, text, []*oidctest.Provider{p})
	_, err := d.Exchange(t.Context(), must(p.SignAs(right, nil)), delegationtest.Target)
	if got := codeOf(err); got != "key_set_url" {
		t.Errorf("got %q: %v", got, err)
	}
}

// TestProviders_Complete: each section of the pages has a recipe here, each recipe accepts
// a token and refuses a stranger's and another kind, and the page is long enough to be of use.
func TestProviders_Complete(t *testing.T) {
	var tested []string
	for _, r := range recipes {
		tested = append(tested, r.section)
		var accepted, refused int
		for _, v := range r.tokens {
			if v.want == passes {
				accepted++
			} else {
				refused++
			}
		}
		if accepted == 0 || refused < 2 {
			t.Errorf("%s: %d accepted, %d refused", r.section, accepted, refused)
		}
	}
	slices.Sort(tested)
	written := slices.Sorted(maps.Keys(sectionsOf(t)))
	if !slices.Equal(tested, written) {
		t.Errorf("the page has\n%q\nand the recipes are\n%q", written, tested)
	}
	if len(tested) < 30 {
		t.Errorf("only %d recipes", len(tested))
	}
	table := tableOf(t)
	for _, section := range table.sections {
		if table.row(section) == "" {
			t.Errorf("the table has no row for %s", section)
		}
	}
	if rows := strings.Count(table.text, "\n") - 2; rows != len(tested) {
		t.Errorf("the table has %d rows for %d recipes", rows, len(tested))
	}
}

// A providerSection is a part of one of the pages docs/provider-NAME.md that has YAML: the whole
// page, or what is under one of its headings.
type providerSection struct {
	page, heading string
	wholePage     bool
	yaml          string
	body          string // without the YAML
}

// providerSections returns the sections of all pages, in the order of the recipes. Sections without
// a recipe come last.
func providerSections(t *testing.T) (sections []providerSection) {
	t.Helper()
	fence := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, file := range must(filepath.Glob("../../docs/provider-*.md")) {
		title, text, _ := strings.Cut(string(must(os.ReadFile(file))), "\n")
		title, found := strings.CutPrefix(title, "# Accept tokens from ")
		if !found {
			t.Fatalf("%s has another title", file)
		}
		for i, part := range strings.Split(text, "\n## ") {
			heading, body := title, part
			if i > 0 {
				heading, body, _ = strings.Cut(part, "\n")
			}
			blocks := fence.FindAllStringSubmatch(body, -1)
			if len(blocks) > 1 {
				t.Errorf("%s has %d blocks of YAML", heading, len(blocks))
			}
			if len(blocks) == 0 {
				continue
			}
			sections = append(sections, providerSection{
				page:      filepath.Base(file),
				heading:   heading,
				wholePage: i == 0,
				yaml:      blocks[0][1],
				body:      fence.ReplaceAllString(body, ""),
			})
		}
	}
	place := func(s providerSection) int {
		i := slices.IndexFunc(recipes, func(r recipe) bool { return r.section == s.heading })
		if i < 0 {
			return len(recipes)
		}
		return i
	}
	slices.SortStableFunc(sections, func(a, b providerSection) int { return place(a) - place(b) })
	return sections
}

// sectionsOf returns the YAML of each section.
func sectionsOf(t *testing.T) map[string]string {
	t.Helper()
	yaml := map[string]string{}
	for _, section := range providerSections(t) {
		yaml[section.heading] = section.yaml
	}
	return yaml
}

// clock stands still at the time at which that of a [delegationtest.World] does.
var clock = delegationtest.NewClock(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC))

// imitation returns an imitation of the recipe's provider.
func (r recipe) imitation(t *testing.T, parameters map[string]string) *oidctest.Provider {
	t.Helper()
	profile := r.custom
	if profile == nil {
		profile = must(oidctest.LoadProfile(r.profile, parameters))
	}
	c := oidctest.Config{Profile: profile, Now: clock.Now, Secret: []byte(r.secret)}
	if profile.Algorithm == "" || profile.Algorithm == "RS256" {
		c.Key = delegationtest.IssuerKey()
	}
	return must(oidctest.New(c))
}

// delegator loads the section's YAML, adds what all sections leave out, and returns what it
// configures, with a network that has the imitations only.
func (r recipe) delegator(
	t *testing.T, text string, providers []*oidctest.Provider,
) *delegation.Delegator {
	t.Helper()
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write(keySetFile, providers[0].KeySet())
	for name, content := range r.files {
		write(name, []byte(content))
	}
	settings, from, err := config.Load(write("delegation.yaml", []byte(text)), nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := delegationtest.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	w.Config.Issuers = nil
	for i, issuer := range settings.Issuers {
		at := config.KeyPath("issuers").Index(i)
		w.Config.Issuers = append(w.Config.Issuers, b.Issuer(at, issuer))
	}
	target := settings.Targets[delegationtest.Target]
	target.Principal = delegationtest.Principal
	target.Role = delegationtest.Role
	target.Region = delegationtest.Region
	built := b.Target(config.KeyPath("targets").Child(delegationtest.Target), target)
	w.Config.Targets = delegation.Targets{delegationtest.Target: built}
	w.Config.Rules = b.Rules(settings.Rules, settings.Targets)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	w.Config.HTTPClient = r.throughProxy(t, write, providers)
	d, err := w.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// throughProxy returns a client as the environment makes one: it knows the address of a proxy on
// loopback, and a file with a certificate authority.
func (r recipe) throughProxy(
	t *testing.T, write func(string, []byte) string, providers []*oidctest.Provider,
) *http.Client {
	t.Helper()
	network := must(oidctest.NewNetwork(providers...))
	proxy := httptest.NewServer(network)
	t.Cleanup(proxy.Close)
	roots := x509.NewCertPool()
	file := write("ca.pem", network.CertificatePEM())
	if !roots.AppendCertsFromPEM(must(os.ReadFile(file))) {
		t.Fatal("no certificate authority")
	}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(must(url.Parse(proxy.URL))),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// codeOf returns the code of an error, and passes for none.
func codeOf(err error) string {
	var e *delegation.Error
	switch {
	case err == nil:
		return passes
	case errors.As(err, &e):
		return string(e.Code)
	}
	return fmt.Sprintf("no Error: %v", err)
}
