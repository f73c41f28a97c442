package delegation_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

const (
	github      = "https://token.actions.githubusercontent.com"
	google      = "https://accounts.google.com"
	entraCommon = "https://login.microsoftonline.com/common/v2.0"
)

// strangersWarnings returns what New and Check say of an issuer that strangers share. They must
// agree.
func strangersWarnings(t *testing.T, w *world, url string) string {
	t.Helper()
	var log bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	d := w.delegator(t)
	warned := strings.Contains(log.String(), "issuer shared by strangers")
	said := ""
	for _, result := range d.Check(t.Context()) {
		if result.Name == "issuer "+url {
			said = result.Warning
		}
	}
	if warned != (said != "") {
		t.Errorf("the log says %q, and Check %q", log.String(), said)
	}
	return said
}

// sharedWorld has the one issuer, with a static key set, so that nobody is asked.
func sharedWorld(t *testing.T, url string) *world {
	t.Helper()
	w := offline(t)
	w.provider.SetIssuer(url)
	w.config.Issuers = []delegation.Issuer{{URL: url, JWKS: w.provider.KeySet()}}
	return w
}

// TestSharedIssuers: an issuer whose tokens strangers get is warned of until something keeps them
// out.
func TestSharedIssuers(t *testing.T) {
	type claims = map[string][]string
	ready := func(rules ...delegation.RuleFunc) func(*world) {
		return func(w *world) { w.config.Rules = rules }
	}
	row := func(pattern string) delegation.RoleMatch {
		return delegation.RoleMatch{Pattern: pattern, Role: role}
	}
	byClaim := func(path string, rows ...delegation.RoleMatch) delegation.RuleFunc {
		return delegation.Must(delegation.RoleByClaim(path, rows...))
	}
	ofIssuer := func(required claims) func(*world) {
		return func(w *world) { w.config.Issuers[0].RequiredClaims = required }
	}
	ofTarget := func(required claims) func(*world) {
		return func(w *world) {
			w.target(func(target *delegation.Target) { target.RequiredClaims = required })
		}
	}
	own := func(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }
	nothing := func(*world) {}
	for name, test := range map[string]struct {
		url    string
		change func(*world)
		warns  bool
	}{
		"GitHub":                {github, nothing, true},
		"GitHub, an enterprise": {github + "/octo-corp", nothing, true},
		"GitLab":                {"https://gitlab.com", nothing, true},
		"a GitLab of our own":   {"https://gitlab.example.com", nothing, false},
		"Google":                {google, nothing, true},
		"Entra common":          {entraCommon, nothing, true},
		"Entra organizations": {"https://login.microsoftonline.com/organizations/v2.0",
			nothing, true},
		"Entra consumers": {"https://login.microsoftonline.com/consumers/v2.0",
			nothing, true},
		"Entra personal accounts": {
			"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
			nothing, true,
		},
		"an Entra tenant": {
			"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
			nothing, false,
		},
		"HCP Terraform": {"https://app.terraform.io", nothing, true},
		"Buildkite":     {"https://agent.buildkite.com", nothing, true},
		"CircleCI, per org": {
			"https://oidc.circleci.com/org/11111111-2222-3333-4444-555555555555", nothing, false,
		},
		"a tenant of our own": {"https://tenant.example.com/", nothing, false},
		"in another case":     {"https://GitLab.com", nothing, true},
		"GitHub's name as another": {"https://token.actions.githubusercontent.com.example.com",
			nothing, false},

		"a claim of the issuer": {github, ofIssuer(claims{"repository_owner": {"our-org"}}), false},
		"a claim of the target": {github, ofTarget(claims{"repository": {"our-org/.*"}}), false},
		"a claim that anything matches": {github,
			ofIssuer(claims{"repository_owner": {"our-org", ".*"}}), true},
		"a claim that strangers choose": {github, ofIssuer(claims{"aud": {app}}), true},
		"a claim that strangers have": {github,
			ofIssuer(claims{"ref": {"refs/heads/main"}}), true},
		"both": {github,
			ofIssuer(claims{"ref": {"refs/heads/main"}, "repository_owner": {"our-org"}}), false},
		"Pulumi's claim with a URL": {"https://api.pulumi.com/oidc/v2",
			ofIssuer(claims{"https://pulumi.com/org_id": {"x"}}), false},
		"a nested claim": {github, ofTarget(claims{"a.b": {"x"}}), false},
		"Google's hd":    {google, ofIssuer(claims{"hd": {"example.com"}}), false},
		"Google's email": {google,
			ofIssuer(claims{"email": {`.*@example\.com`}}), true},
		"Entra's tid":   {entraCommon, ofIssuer(claims{"tid": {"11111111-.*"}}), false},
		"Entra's email": {entraCommon, ofIssuer(claims{"email": {`.*@example\.com`}}), true},
		"it is said": {github,
			func(w *world) { w.config.Issuers[0].GatedByRules = true }, false},

		"RequireVerifiedEmail": {google, ready(delegation.RequireVerifiedEmail()), true},
		"AllowEmailDomains":    {google, ready(delegation.AllowEmailDomains("example.com")), false},
		"AllowConnections":     {google, ready(delegation.AllowConnections("x")), false},
		"TagsFromClaims": {google,
			ready(delegation.TagsFromClaims(map[string]string{"a": "b"})), true},
		"SourceIdentityFromClaim": {google,
			ready(delegation.SourceIdentityFromClaim("email")), true},
		"SessionPolicyFromTemplate": {google,
			ready(delegation.Must(delegation.SessionPolicyFromTemplate("{}"))), true},
		"RoleByClaim": {github, ready(byClaim("repository_owner", row("our-org"))), false},
		"RoleByClaim, anything": {github,
			ready(byClaim("repository_owner", row("our-org"), row(".*"))), true},
		"RoleByClaim, email at Google": {google,
			ready(byClaim("email", row(`.*@example\.com`))), true},
		"RoleByClaim, email elsewhere": {"https://gitlab.com",
			ready(byClaim("email", row(`.*@example\.com`))), false},
		"a rule of our own": {github, ready(own), true},
		"the second rule": {google,
			ready(own, delegation.AllowEmailDomains("example.com")), false},
		"a rule with a name": {google,
			ready(delegation.Named("x", delegation.AllowEmailDomains("example.com"))), false},
		"our own with a name": {google, ready(delegation.Named("x", own)), true},
		"a rule for this target": {google,
			ready(delegation.ForTargets(delegation.AllowConnections("x"), "other", app)), false},
		"a rule for another target": {google,
			ready(delegation.ForTargets(delegation.AllowConnections("x"), "other")), true},
		"our own for this target": {google, ready(delegation.ForTargets(own, app)), true},
		"RequireVerifiedEmail for it": {google,
			ready(delegation.ForTargets(delegation.RequireVerifiedEmail(), app)), true},
		"a rule for it with a name": {google,
			ready(delegation.Named("x",
				delegation.ForTargets(delegation.AllowConnections("x"), app))),
			false},
		"a rule for another with a name": {google,
			ready(delegation.Named("x",
				delegation.ForTargets(delegation.AllowConnections("x"), "other"))),
			true},
	} {
		t.Run(name, func(t *testing.T) {
			w := sharedWorld(t, test.url)
			test.change(w)
			said := strangersWarnings(t, w, test.url)
			if (said != "") != test.warns {
				t.Errorf("warned: %q", said)
			}
			if test.warns && !(strings.Contains(said, test.url) && strings.Contains(said,
				`the target "photo-app"`) &&
				strings.Contains(said, "Issuer.RequiredClaims") &&
				strings.Contains(said, "Issuer.GatedByRules")) {
				t.Errorf("it does not say enough: %s", said)
			}
			e, _ := w.delegator(t).Explain(t.Context(), w.token(nil), app)
			explained := slices.ContainsFunc(e.Warnings,
				func(text string) bool { return strings.Contains(text, "strangers") })
			if explained != test.warns {
				t.Errorf("explained with %q", e.Warnings)
			}
		})
	}
}

// TestSharedIssuers_EachTarget: a gate at one target says nothing of another, and a target that
// does not take the issuer needs none.
func TestSharedIssuers_EachTarget(t *testing.T) {
	w := sharedWorld(t, github)
	w.config.Issuers = append(w.config.Issuers,
		delegation.Issuer{URL: issuerURL, JWKS: w.provider.KeySet()})
	gated, open, elsewhere := *sharedTarget(), *sharedTarget(), *sharedTarget()
	gated.Issuers = []string{github}
	open.Issuers = []string{github}
	elsewhere.Issuers = []string{issuerURL}
	gated.RequiredClaims = map[string][]string{"repository_owner": {"our-org"}}
	w.config.Targets = delegation.Targets{"gated": gated, "open": open, "elsewhere": elsewhere}
	said := strangersWarnings(t, w, github)
	if !strings.Contains(said, `out of the target "open":`) {
		t.Errorf("got %q", said)
	}
	w.config.Targets = delegation.Targets{"gated": gated, "open": open, "wide": open}
	said = strangersWarnings(t, w, github)
	if !strings.Contains(said, `the targets "open", "wide":`) {
		t.Errorf("got %q", said)
	}
	w.config.Targets = delegation.Targets{"gated": gated, "elsewhere": elsewhere}
	if said := strangersWarnings(t, w, github); said != "" {
		t.Errorf("got %q", said)
	}
}

// TestSharedIssuers_OfADatabase: targets that nobody can list are gated by what holds for all.
func TestSharedIssuers_OfADatabase(t *testing.T) {
	w := sharedWorld(t, github)
	target := w.config.Targets.(delegation.Targets)[app]
	w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
		return &target, nil
	})
	if said := strangersWarnings(t, w, github); !strings.Contains(said, "out of all targets") {
		t.Errorf("got %q", said)
	}
	target.RequiredClaims = map[string][]string{"repository_owner": {"our-org"}}
	token := w.token(map[string]any{"repository_owner": "our-org"})
	e, err := w.delegator(t).Explain(t.Context(), token, app)
	if err != nil || strings.Contains(strings.Join(e.Warnings, "\n"), "strangers") {
		t.Errorf("explained with %q, %v", e.Warnings, err)
	}
	w.config.Rules = []delegation.RuleFunc{
		delegation.ForTargets(delegation.AllowConnections("x"), app),
	}
	if said := strangersWarnings(t, w, github); said == "" {
		t.Error("a rule for one target is no gate for all")
	}
	w.config.Rules = []delegation.RuleFunc{delegation.AllowConnections("x")}
	if said := strangersWarnings(t, w, github); said != "" {
		t.Errorf("got %q", said)
	}
}

// TestSharedIssuers_AreCopied: a configuration that changes after New changes no warning.
func TestSharedIssuers_AreCopied(t *testing.T) {
	for _, of := range []string{"issuer", "target"} {
		w := sharedWorld(t, github)
		required := map[string][]string{"repository_owner": {"our-org"}}
		if of == "issuer" {
			w.config.Issuers[0].RequiredClaims = required
		} else {
			w.target(func(target *delegation.Target) { target.RequiredClaims = required })
		}
		d := w.delegator(t)
		required["repository_owner"][0] = ".*"
		for _, result := range d.Check(t.Context()) {
			if result.Warning != "" && strings.HasPrefix(result.Name, "issuer ") {
				t.Errorf("%s: %s", of, result.Warning)
			}
		}
	}
}

// TestIssuerCases_Strangers: what people of others presented, and which gate stops it.
func TestIssuerCases_Strangers(t *testing.T) {
	const denied = "rules denied"
	t.Run("GitHub", func(t *testing.T) {
		c := readIssuerCase(t,
			"03-github-another-organisations-repository-audience-copied-no-rules")
		w := c.world(t)
		said := strangersWarnings(t, w, c.issuer)
		if !strings.Contains(said, "any workflow on GitHub") {
			t.Errorf("got %q", said)
		}
		w.config.Issuers[0].RequiredClaims = map[string][]string{"repository": {"our-org/.*"}}
		w.wantOutcome(t, w.delegator(t), c.token, lacksClaim)
		w.config.Issuers[0].RequiredClaims = nil
		w.target(func(target *delegation.Target) {
			target.RequiredClaims = map[string][]string{"repository_owner": {"our-org"}}
		})
		w.wantOutcome(t, w.delegator(t), c.token, lacksClaim)
	})
	t.Run("Google", func(t *testing.T) {
		c := readIssuerCase(t, "03-google-personal-account-with-an-address-of-the-domain-no-hd")
		w := c.world(t)
		w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
		said := strangersWarnings(t, w, c.issuer)
		if !strings.Contains(said, "anyone with a Google account") {
			t.Errorf("got %q", said)
		}
		w.config.Rules = []delegation.RuleFunc{delegation.AllowEmailDomains("example.com")}
		w.wantOutcome(t, w.delegator(t), c.token, denied)
		w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
			return map[string]any{"hd": "example.com"}, nil
		}
		w.wantOutcome(t, w.delegator(t), c.token, denied)
		w.config.Rules, w.config.Profile = nil, nil
		w.config.Issuers[0].RequiredClaims = map[string][]string{"hd": {"example.com"}}
		w.wantOutcome(t, w.delegator(t), c.token, lacksClaim)
	})
}

// TestAllowEmailDomains_Google: an address of the domain is not enough at Google, where hd says
// which organisation manages the account.
func TestAllowEmailDomains_Google(t *testing.T) {
	const denied = "rules denied"
	for name, test := range map[string]struct {
		issuer string
		hd     any
		want   string
	}{
		"hd is the domain":       {google, "example.com", accepted},
		"in another case":        {google, "EXAMPLE.com", accepted},
		"no hd":                  {google, nil, denied},
		"an empty hd":            {google, "", denied},
		"of another allowed one": {google, "example.net", denied},
		"of another domain":      {google, "evil.example", denied},
		"a list":                 {google, []string{"example.com"}, denied},
		"with the Kelvin sign":   {google, "example.\u212aom", denied},
		"another issuer, no hd":  {issuerURL, nil, accepted},
	} {
		t.Run(name, func(t *testing.T) {
			w := sharedWorld(t, test.issuer)
			w.config.Rules = []delegation.RuleFunc{delegation.AllowEmailDomains("example.net",
				"example.com")}
			token := w.token(map[string]any{
				"email": "alice@example.com", "email_verified": true, "hd": test.hd,
			})
			w.wantOutcome(t, w.delegator(t), token, test.want)
		})
	}
	t.Run("a profile's address and hd", func(t *testing.T) {
		w := sharedWorld(t, google)
		w.config.Rules = []delegation.RuleFunc{delegation.AllowEmailDomains("example.com")}
		w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
			return map[string]any{
				"hd": "example.com", "email": "a@example.com", "email_verified": true, "iss": "x",
			}, nil
		}
		w.wantOutcome(t, w.delegator(t), w.token(nil), denied)
	})
}

// TestForTargets: a rule runs for its targets and for no other, under its own name.
func TestForTargets(t *testing.T) {
	deny := func(context.Context, *delegation.User, *delegation.RuleContext) error {
		return delegation.Deny("no")
	}
	for name, test := range map[string]struct {
		rule    delegation.RuleFunc
		decides string // the rule that refuses; empty: none
	}{
		"this target": {delegation.ForTargets(deny, app), "delegation_test.TestForTargets"},
		"one of two": {delegation.ForTargets(deny, "other", app),
			"delegation_test.TestForTargets"},
		"another target":   {delegation.ForTargets(deny, "other"), ""},
		"no target is all": {delegation.ForTargets(deny), "delegation_test.TestForTargets"},
		"a ready-made one": {delegation.ForTargets(delegation.RequireVerifiedEmail(), app),
			"delegation.RequireVerifiedEmail"},
		"with a name": {delegation.Named("rules[0]", delegation.ForTargets(deny, app)), "rules[0]"},
		"with a name, for others": {
			delegation.Named("rules[0]", delegation.ForTargets(deny, "other")), "",
		},
		"a name for a ready-made": {delegation.Named("rules[0]", delegation.AllowConnections()),
			"rules[0]"},
		"for it, with a name in it": {
			delegation.ForTargets(delegation.Named("rules[0]", deny), app), "rules[0]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Rules = []delegation.RuleFunc{test.rule}
			want := accepted
			if test.decides != "" {
				want = "rules denied"
			}
			w.wantOutcome(t, w.delegator(t), w.token(nil), want)
			if got := w.events[0].Rule; got != test.decides {
				t.Errorf("the event has the rule %q, want %q", got, test.decides)
			}
		})
	}
	if delegation.ForTargets(nil, app) != nil || delegation.Named("x", nil) != nil {
		t.Error("a nil rule is something now, and New would not refuse it")
	}
}

// TestNew_CallsNoRules: New asks ready-made rules what they do, and calls none of the operator's.
func TestNew_CallsNoRules(t *testing.T) {
	w := sharedWorld(t, github)
	own := func(context.Context, *delegation.User, *delegation.RuleContext) error {
		t.Error("the rule was called")
		return nil
	}
	w.config.Rules = []delegation.RuleFunc{
		own, delegation.Named("x", own), delegation.ForTargets(own, app),
	}
	w.delegator(t).Check(t.Context())
}

// TestRolesOfSeveralIssuers: two targets, each with an issuer of its own, that lead to one role
// merge their users there.
func TestRolesOfSeveralIssuers(t *testing.T) {
	const other = "https://other.example.com"
	for name, test := range map[string]struct {
		change func(a, b *delegation.Target)
		warns  bool
	}{
		"one role":      {func(_, _ *delegation.Target) {}, true},
		"two roles":     {func(_, b *delegation.Target) { b.Role += "-b" }, false},
		"one issuer":    {func(_, b *delegation.Target) { b.Issuers = []string{issuerURL} }, false},
		"a rule's role": {func(_, b *delegation.Target) { b.Role = "" }, false},
		"they are one": {
			func(a, b *delegation.Target) { a.SubjectsAreOne, b.SubjectsAreOne = true, true },
			false,
		},
		"by the NameID": {func(_, b *delegation.Target) { b.NameIDTellsIssuersApart = true },
			false},
		"an identity": {func(_, b *delegation.Target) {
			own := identity()
			own.EntityID += "b"
			b.Identity = &own
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Issuers = append(w.config.Issuers,
				delegation.Issuer{URL: other, JWKS: w.provider.KeySet()})
			a, b := *sharedTarget(), *sharedTarget()
			a.Issuers, b.Issuers = []string{issuerURL}, []string{other}
			test.change(&a, &b)
			w.config.Targets = delegation.Targets{"a": a, "b": b}
			var log bytes.Buffer
			w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
			said := ""
			for _, result := range w.delegator(t).Check(t.Context()) {
				if result.Name == "subjects in "+a.Role {
					said = result.Warning
				}
			}
			if (said != "") != test.warns ||
				strings.Contains(log.String(), "role shared by issuers") != test.warns {
				t.Errorf("Check says %q, the log %q", said, log.String())
			}
			if test.warns &&
				!strings.Contains(said, `the targets "a", "b" let users of 2 issuers`) {
				t.Errorf("got %q", said)
			}
		})
	}
}
