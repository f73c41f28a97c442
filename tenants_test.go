package delegation_test

import (
	"context"
	"crypto"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// The tenants of the tests, and Entra's template of which they are tenants.
const (
	entraURL   = "https://login.microsoftonline.com/{tenantid}/v2.0"
	contoso    = "11111111-2222-3333-4444-555555555555"
	fabrikam   = "99999999-2222-3333-4444-555555555555"
	contosoURL = "https://login.microsoftonline.com/" + contoso + "/v2.0"
)

func tenantURL(tenant string) string { return strings.Replace(entraURL, "{tenantid}", tenant, 1) }

// tenants is a world whose only issuer is Entra's template with a static key set.
func tenants(t testing.TB, member map[string]any, list ...string) *world {
	t.Helper()
	w := offline(t)
	w.config.Issuers[0] = delegation.Issuer{
		URL:             entraURL,
		Tenants:         list,
		UnsafeAnyTenant: len(list) == 0,
		JWKS:            keySet(jwk(issuerKey().Public(), member)),
	}
	w.target(func(target *delegation.Target) { target.SubjectsAreOne = len(list) != 1 })
	return w
}

// tenantToken signs a token of a tenant, with claims changed or removed.
func (w *world) tenantToken(iss, tid string, claims map[string]any) string {
	all := map[string]any{"iss": iss, "tid": tid}
	maps.Copy(all, claims)
	return tokenBy(issuerKey(), all)
}

// tokenBy signs a token with claims changed or removed. Its kid is k.
func tokenBy(key crypto.Signer, claims map[string]any) string {
	provider := must(oidctest.New(oidctest.Config{
		Key: key,
		Now: func() time.Time { return start },
	}))
	return must(provider.Sign(map[string]any{"kid": "k"}, []byte(payload(claims))))
}

// TestTenants: of an issuer with tenants a token counts if its iss is that of a listed tenant, to
// the letter, and its tid says the same.
func TestTenants(t *testing.T) {
	unknown := refused(delegation.CodeIssuerUnknown)
	w := tenants(t, nil, contoso)
	d := w.delegator(t)
	for _, test := range []struct {
		name, iss, tid string
		claims         map[string]any
		want           string
	}{
		{"the tenant", contosoURL, contoso, nil, accepted},
		{"another tenant", tenantURL(fabrikam), fabrikam, nil, unknown},
		{"another tenant's tid", contosoURL, fabrikam, nil,
			refused(delegation.CodeIssuerTenant)},
		{"another tenant's iss", tenantURL(fabrikam), contoso, nil, unknown},
		{"tid in capitals", contosoURL, strings.ToUpper("abcdefab" + contoso[8:]), nil,
			refused(delegation.CodeIssuerTenant)},
		{"no tid", contosoURL, "", map[string]any{"tid": nil},
			refused(delegation.CodeClaimMissing)},
		{"an empty tid", contosoURL, "", nil, refused(delegation.CodeClaimMissing)},
		{"a list of tids", contosoURL, "", map[string]any{"tid": []string{contoso}},
			refused(delegation.CodeClaimType)},
		{"two spellings of tid", contosoURL, contoso, map[string]any{"TID": contoso},
			refused(delegation.CodeTokenFoldedName)},
		{"the template itself", entraURL, "{tenantid}", nil, unknown},
		{"a path of two segments", tenantURL(contoso + "/x"), contoso + "/x", nil, unknown},
		{"a segment more", contosoURL + "/", contoso, nil, unknown},
		{"the tenant by its domain", tenantURL("contoso.onmicrosoft.com"),
			"contoso.onmicrosoft.com", nil, unknown},
		{"an empty tenant", tenantURL(""), "", nil, unknown},
		{"dots", tenantURL(".."), "..", nil, unknown},
		{"an escaped tenant", tenantURL("%31" + contoso[1:]), contoso, nil, unknown},
		{"a tenant and a query", tenantURL(contoso + "?x="), contoso, nil, unknown},
		{"plain http", strings.Replace(contosoURL, "https", "http", 1), contoso, nil, unknown},
		{"a host of another case", strings.Replace(contosoURL, "login", "Login", 1), contoso, nil,
			unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.wantOutcome(t, d, w.tenantToken(test.iss, test.tid, test.claims), test.want)
		})
	}
}

// TestAnyTenant: with UnsafeAnyTenant the tenant may be any, and nothing else of iss.
func TestAnyTenant(t *testing.T) {
	unknown := refused(delegation.CodeIssuerUnknown)
	w := tenants(t, nil)
	d := w.delegator(t)
	for _, tenant := range []string{contoso, fabrikam} {
		w.wantOutcome(t, d, w.tenantToken(tenantURL(tenant), tenant, nil), accepted)
		if got := w.events[len(w.events)-1].Issuer; got != tenantURL(tenant) {
			t.Errorf("the event's issuer is %q", got)
		}
	}
	w.wantOutcome(t, d, w.tenantToken(contosoURL, fabrikam, nil),
		refused(delegation.CodeIssuerTenant))
	for _, tenant := range []string{
		"", "x", "..", "{tenantid}", "contoso.onmicrosoft.com", contoso + "/v2.0/" + contoso,
		strings.ToUpper("abcdefab" + contoso[8:]), contoso + "\n", contoso[1:], "+" + contoso[1:],
	} {
		w.wantOutcome(t, d, w.tenantToken(tenantURL(tenant), tenant, nil), unknown)
	}
}

// TestAnyTenant_IsWarnedOf: an issuer whose tenants are not listed is one that strangers share,
// until something keeps them out. Listed tenants do, unless anybody can join one.
func TestAnyTenant_IsWarnedOf(t *testing.T) {
	const personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
	for _, test := range []struct {
		name   string
		change func(*delegation.Issuer)
		warned bool
	}{
		{"any", func(*delegation.Issuer) {}, true},
		{"any of another provider", func(i *delegation.Issuer) {
			i.URL = "https://{org}.idp.example.com"
			i.TenantClaim = "org_id"
		}, true},
		{"any, with a gate", func(i *delegation.Issuer) {
			i.RequiredClaims = map[string][]string{"tid": {contoso}}
		}, false},
		{"any, and rules choose", func(i *delegation.Issuer) { i.GatedByRules = true }, false},
		{"a list", func(i *delegation.Issuer) {
			i.UnsafeAnyTenant = false
			i.Tenants = []string{contoso, fabrikam}
		}, false},
		{"a list with that of personal accounts", func(i *delegation.Issuer) {
			i.UnsafeAnyTenant = false
			i.Tenants = []string{contoso, personal}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := tenants(t, nil)
			test.change(&w.config.Issuers[0])
			d := w.delegator(t)
			text := ""
			for _, result := range d.Check(t.Context()) {
				text += result.Warning
			}
			if got := strings.Contains(text, "nothing keeps strangers out"); got != test.warned {
				t.Errorf("got %q", text)
			}
		})
	}
	// An explanation warns at the tenant of the token.
	w := tenants(t, nil, contoso, personal)
	d := w.delegator(t)
	for tenant, warned := range map[string]bool{contoso: false, personal: true} {
		e, err := d.Explain(t.Context(), w.tenantToken(tenantURL(tenant), tenant, nil), app)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(fmt.Sprint(e.Warnings), "strangers"); got != warned {
			t.Errorf("%s: got %q", tenant, e.Warnings)
		}
	}
}

// TestTenants_RequiredClaims: what an issuer requires, it requires of each of its tenants.
func TestTenants_RequiredClaims(t *testing.T) {
	for name, w := range map[string]*world{
		"listed": tenants(t, nil, contoso, fabrikam),
		"any":    tenants(t, nil),
	} {
		t.Run(name, func(t *testing.T) {
			w.config.Issuers[0].RequiredClaims = map[string][]string{"groups": {"editors"}}
			d := w.delegator(t)
			for _, tenant := range []string{contoso, fabrikam} {
				url := tenantURL(tenant)
				w.wantOutcome(t, d, w.tenantToken(url, tenant, nil), "target required_claim")
				editor := map[string]any{"groups": []string{"editors"}}
				w.wantOutcome(t, d, w.tenantToken(url, tenant, editor), accepted)
			}
		})
	}
}

// TestTenants_OfRefusals: a refusal names the tenant's issuer if it is listed, and the template
// otherwise: a stranger may not choose what logs and metrics are named after.
func TestTenants_OfRefusals(t *testing.T) {
	for _, test := range []struct {
		world *world
		want  string
	}{
		{tenants(t, nil, contoso), contosoURL},
		{tenants(t, nil), entraURL},
	} {
		w := test.world
		err := w.wantOutcome(t, w.delegator(t), w.tenantToken(contosoURL, fabrikam, nil),
			refused(delegation.CodeIssuerTenant))
		e := wantError(t, err, delegation.StageToken, delegation.CodeIssuerTenant)
		if e.Issuer != test.want {
			t.Errorf("the issuer is %q, want %q", e.Issuer, test.want)
		}
	}
}

// TestAnyTenant_Gates: a stranger who is a tenant's administrator chooses what a gate at another
// issuer compares. Only the tenant itself tells, and at Entra a verified address. What the
// warning recommends is a gate.
func TestAnyTenant_Gates(t *testing.T) {
	const (
		other    = "https://{tenant}.idp.example.com"
		personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
	)
	requires := func(claim, pattern string) func(*world) {
		return func(w *world) {
			w.config.Issuers[0].RequiredClaims = map[string][]string{claim: {pattern}}
		}
	}
	targetRequires := func(claim, pattern string) func(*world) {
		return func(w *world) {
			w.target(func(target *delegation.Target) {
				target.RequiredClaims = map[string][]string{claim: {pattern}}
			})
		}
	}
	rule := func(rule delegation.RuleFunc) func(*world) {
		return func(w *world) { w.config.Rules = []delegation.RuleFunc{rule} }
	}
	byClaim := func(claim string) func(*world) {
		row := delegation.RoleMatch{Pattern: "corp", Role: role}
		return rule(delegation.Must(delegation.RoleByClaim(claim, row)))
	}
	list := func(tenants ...string) func(*world) {
		return func(w *world) {
			w.config.Issuers[0].UnsafeAnyTenant = false
			w.config.Issuers[0].Tenants = tenants
		}
	}
	all := func(changes ...func(*world)) func(*world) {
		return func(w *world) {
			for _, change := range changes {
				change(w)
			}
		}
	}
	verified := func(w *world) { w.config.Issuers[0].EntraVerifiedEmail = true }
	gated := func(w *world) { w.config.Issuers[0].GatedByRules = true }
	allowDomain := delegation.AllowEmailDomains("corp.example")
	allowConnection := delegation.AllowConnections("corp")
	domain := rule(allowDomain)
	connection := rule(allowConnection)
	mixed := list(contoso, personal)
	for name, test := range map[string]struct {
		url    string
		change func(*world)
		warns  bool
	}{
		"nothing":                   {entraURL, func(*world) {}, true},
		"roles":                     {entraURL, requires("roles", "admin"), true},
		"groups":                    {entraURL, requires("groups", "admins"), true},
		"groups at the target":      {entraURL, targetRequires("groups", "admins"), true},
		"a role by groups":          {entraURL, byClaim("groups"), true},
		"the tenant":                {entraURL, requires("tid", contoso), false},
		"the tenant at the target":  {entraURL, targetRequires("tid", contoso), false},
		"the tenant, any":           {entraURL, requires("tid", ".*"), true},
		"a role by the tenant":      {entraURL, byClaim("tid"), false},
		"a verified address":        {entraURL, all(domain, verified), false},
		"a domain, never verified":  {entraURL, domain, false},
		"a connection":              {entraURL, connection, true},
		"it is said":                {entraURL, gated, false},
		"elsewhere, nothing":        {other, func(*world) {}, true},
		"elsewhere, email":          {other, requires("email", `.*@corp\.example`), true},
		"elsewhere, a domain":       {other, domain, true},
		"elsewhere, a connection":   {other, connection, true},
		"elsewhere, a rule's name":  {other, rule(delegation.Named("x", allowConnection)), true},
		"elsewhere, one target's":   {other, rule(delegation.ForTargets(allowDomain, app)), true},
		"elsewhere, Entra's claim":  {other, requires("tid", contoso), true},
		"elsewhere, the tenant":     {other, requires("org", "corp"), false},
		"listed":                    {entraURL, list(contoso), false},
		"listed, personal accounts": {entraURL, mixed, true},
		"listed, and roles":         {entraURL, all(mixed, requires("roles", "x")), false},
		"listed, and a domain":      {entraURL, all(mixed, domain), false},
		"listed, and a connection":  {entraURL, all(mixed, connection), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := tenants(t, nil)
			w.config.Issuers[0].URL = test.url
			tenant := contoso
			if test.url == other {
				w.config.Issuers[0].TenantClaim = "org"
				tenant = "corp"
			}
			test.change(w)
			said := strangersWarnings(t, w, test.url)
			if (said != "") != test.warns {
				t.Errorf("warned: %q", said)
			}
			iss := test.url[:strings.Index(test.url, "{")] + tenant +
				test.url[strings.Index(test.url, "}")+1:]
			if len(w.config.Issuers[0].Tenants) > 1 {
				iss = tenantURL(personal)
				tenant = personal
			}
			token := w.tenantToken(iss, tenant, map[string]any{"org": tenant})
			e, err := w.delegator(t).Explain(t.Context(), token, app)
			if e == nil {
				t.Fatal(err)
			}
			if strings.Contains(fmt.Sprint(e.Warnings), "strangers") != test.warns {
				t.Errorf("explained with %q", e.Warnings)
			}
		})
	}
	w := tenants(t, nil)
	said := strangersWarnings(t, w, entraURL)
	for _, words := range []string{
		"anyone with an account of any tenant of " + entraURL,
		"require the claim tid to name a tenant of yours", "Issuer.GatedByRules",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("%q is not in %q", words, said)
		}
	}
}

// TestTenantClaim: providers other than Entra name the tenant in a claim of their own, and in the
// path or as the first label of the host.
func TestTenantClaim(t *testing.T) {
	for _, test := range []struct {
		url, tenant, other string
		bad                []string
	}{
		{"https://idp.example.com/t/{org}/oauth2", "Acme_1-x", "acme_1-x",
			[]string{"a/b", "a.b", "", "-a", "é", "a%20b", strings.Repeat("a", 129)}},
		{"https://{org}.idp.example.com/", "acme", "other",
			[]string{"Acme", "a.b", "", "a-", "a_b", strings.Repeat("a", 64), "acme.idp"}},
	} {
		w := tenants(t, nil)
		w.config.Issuers[0].URL = test.url
		w.config.Issuers[0].TenantClaim = "org_id"
		anyTenant := w.delegator(t)
		w.config.Issuers[0].UnsafeAnyTenant = false
		w.config.Issuers[0].Tenants = []string{test.tenant}
		listed := w.delegator(t)
		token := func(tenant, claim string) string {
			iss := strings.Replace(test.url, "{org}", tenant, 1)
			return w.tenantToken(iss, contoso, map[string]any{"org_id": claim})
		}
		w.wantOutcome(t, anyTenant, token(test.tenant, test.tenant), accepted)
		w.wantOutcome(t, anyTenant, token(test.other, test.other), accepted)
		w.wantOutcome(t, listed, token(test.tenant, test.tenant), accepted)
		w.wantOutcome(t, listed, token(test.tenant, test.other),
			refused(delegation.CodeIssuerTenant))
		w.wantOutcome(t, listed, token(test.other, test.other),
			refused(delegation.CodeIssuerUnknown))
		folded := w.tenantToken(strings.Replace(test.url, "{org}", test.tenant, 1), contoso,
			map[string]any{"org_id": test.tenant, "ORG_ID": test.other})
		w.wantOutcome(t, listed, folded, refused(delegation.CodeTokenFoldedName))
		for _, bad := range test.bad {
			w.wantOutcome(t, anyTenant, token(bad, bad), refused(delegation.CodeIssuerUnknown))
			w.config.Issuers[0].Tenants = []string{bad}
			_, err := delegation.New(t.Context(), w.config)
			wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(err.Error(), "Issuers[0]: Tenants[0]: ") {
				t.Errorf("%q: got %v", bad, err)
			}
		}
	}
}

// TestKeysOfOneIssuer: a key that is published with an issuer verifies tokens of that issuer only.
func TestKeysOfOneIssuer(t *testing.T) {
	other := refused(delegation.CodeKeyOtherIssuer)
	for _, test := range []struct {
		name, published string
		outcomes        map[string]string // by tenant
	}{
		{"of every tenant", entraURL,
			map[string]string{contoso: accepted, fabrikam: accepted}},
		{"of every tenant, in Microsoft's other spelling",
			strings.Replace(entraURL, "{tenantid}", "{tenantId}", 1),
			map[string]string{contoso: accepted, fabrikam: accepted}},
		{"of one tenant", contosoURL,
			map[string]string{contoso: accepted, fabrikam: other}},
		{"of another version", "https://sts.windows.net/{tenantid}/",
			map[string]string{contoso: other, fabrikam: other}},
		{"of a longer URL", contosoURL + "/",
			map[string]string{contoso: other, fabrikam: other}},
		{"of none", "", map[string]string{contoso: accepted, fabrikam: accepted}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := tenants(t, map[string]any{"issuer": test.published}, contoso, fabrikam)
			d := w.delegator(t)
			for tenant, want := range test.outcomes {
				w.wantOutcome(t, d, w.tenantToken(tenantURL(tenant), tenant, nil), want)
			}
		})
	}
	t.Run("an issuer without tenants", func(t *testing.T) {
		w := tenants(t, map[string]any{"issuer": entraURL}, contoso)
		w.config.Issuers[0].URL = contosoURL
		w.config.Issuers[0].Tenants = nil
		d := w.delegator(t)
		w.wantOutcome(t, d, w.tenantToken(contosoURL, contoso, nil), accepted)
		w.wantOutcome(t, d, w.tenantToken(contosoURL, fabrikam, nil), other)
		w.wantOutcome(t, d, w.tenantToken(contosoURL, "", map[string]any{"tid": nil}), other)
		w.wantOutcome(t, d, w.tenantToken(contosoURL, contoso+"/v2.0", nil), other)
	})
	t.Run("of two keys with one kid the token's own is taken", func(t *testing.T) {
		w := tenants(t, nil, contoso, fabrikam)
		keys := choiceKeys().rsa
		w.config.Issuers[0].JWKS = keySet(
			jwk(keys[0].Public(), map[string]any{"issuer": contosoURL}),
			jwk(keys[1].Public(), map[string]any{"issuer": tenantURL(fabrikam)}),
		)
		d := w.delegator(t)
		for n, want := range []string{accepted, refused(delegation.CodeSignatureInvalid)} {
			token := tokenBy(keys[n], map[string]any{"iss": contosoURL, "tid": contoso})
			w.wantOutcome(t, d, token, want)
		}
	})
	t.Run("an issuer that is not text", func(t *testing.T) {
		w := tenants(t, nil, contoso)
		w.config.Issuers[0].JWKS = keySet(
			jwk(issuerKey().Public(), map[string]any{"issuer": 1}),
			jwk(choiceKeys().rsa[0].Public(), map[string]any{"kid": "good"}))
		err := w.wantOutcome(t, w.delegator(t), w.tenantToken(contosoURL, contoso, nil),
			refused(delegation.CodeKeyUnknown))
		if err == nil || !strings.Contains(err.Error(), "its issuer is not a string") {
			t.Errorf("got %v", err)
		}
	})
}

// TestTenantsAreIssuers: tenants count as several issuers, for ${saml:sub}, for rules and for the
// issuers that a target lists.
func TestTenantsAreIssuers(t *testing.T) {
	w := tenants(t, nil, contoso, fabrikam)
	var seen string
	w.config.Rules = append(w.config.Rules, func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		seen = rc.Issuer
		return nil
	})
	tokens := map[string]string{}
	for _, tenant := range []string{contoso, fabrikam} {
		tokens[tenant] = w.tenantToken(tenantURL(tenant), tenant, nil)
	}
	d := w.delegator(t)
	for tenant, token := range tokens {
		w.wantOutcome(t, d, token, accepted)
		if seen != tenantURL(tenant) {
			t.Errorf("rules see the issuer %q", seen)
		}
	}
	const notOne = "subjects would share one name space"
	for name, test := range map[string]struct {
		issuers []string
		any     bool
		refused bool
	}{
		"all, by default":     {nil, false, true},
		"all, by the entry":   {[]string{entraURL}, false, true},
		"all, one by one":     {[]string{contosoURL, tenantURL(fabrikam)}, false, true},
		"one":                 {[]string{contosoURL}, false, false},
		"any, by default":     {nil, true, true},
		"any, by the entry":   {[]string{entraURL}, true, true},
		"one of any":          {[]string{contosoURL}, true, false},
		"two of any":          {[]string{contosoURL, tenantURL(fabrikam)}, true, true},
		"one, and all of any": {[]string{contosoURL, entraURL}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := tenants(t, nil, contoso, fabrikam)
			if test.any {
				w = tenants(t, nil)
			}
			w.target(func(target *delegation.Target) {
				target.Issuers = test.issuers
				target.SubjectsAreOne = false
			})
			d, err := delegation.New(t.Context(), w.config)
			if got := err != nil && strings.Contains(err.Error(), notOne); got != test.refused {
				t.Fatalf("got %v", err)
			}
			if test.refused {
				return
			}
			w.wantOutcome(t, d, tokens[contoso], accepted)
			w.wantOutcome(t, d, tokens[fabrikam], "target issuer_not_allowed")
		})
	}
	t.Run("a tenant that is not configured", func(t *testing.T) {
		w := tenants(t, nil, contoso)
		w.target(func(target *delegation.Target) { target.Issuers = []string{tenantURL(fabrikam)} })
		_, err := delegation.New(t.Context(), w.config)
		wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(err.Error(), "is not a configured issuer") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("two targets and one role", func(t *testing.T) {
		w := tenants(t, nil, contoso, fabrikam)
		one := w.config.Targets.(delegation.Targets)[app]
		one.SubjectsAreOne = false
		two := one
		one.Issuers = []string{contosoURL}
		two.Issuers = []string{tenantURL(fabrikam)}
		w.config.Targets = delegation.Targets{app: one, "two": two}
		found := fmt.Sprint(w.delegator(t).Check(t.Context()))
		if !strings.Contains(found, "let users of 2 issuers assume this role") {
			t.Errorf("got %s", found)
		}
	})
	t.Run("a NameID tells them apart", func(t *testing.T) {
		w := tenants(t, nil, contoso, fabrikam)
		w.target(func(target *delegation.Target) {
			target.SubjectsAreOne = false
			target.NameIDTellsIssuersApart = true
		})
		w.wantOutcome(t, w.delegator(t), tokens[contoso], "decision name_id_invalid")
	})
}

// TestAliases: a token may have any name of its issuer, to the letter. Its subject is the same.
func TestAliases(t *testing.T) {
	const google = "https://accounts.google.com"
	w := offline(t)
	w.config.Issuers[0].URL = google
	w.config.Issuers[0].GatedByRules = true
	w.config.Issuers[0].RequiredClaims = map[string][]string{"hd": {"example.com"}}
	hd := map[string]any{"hd": "example.com"}
	token := func(iss string) string {
		return w.token(map[string]any{"iss": iss, "hd": hd["hd"]})
	}
	w.wantOutcome(t, w.delegator(t), token("accounts.google.com"),
		refused(delegation.CodeIssuerUnknown))
	w.config.Issuers[0].Aliases = []string{"accounts.google.com", "https://google.example.com/"}
	d := w.delegator(t)
	for iss, want := range map[string]string{
		google:                        accepted,
		"accounts.google.com":         accepted,
		"https://google.example.com/": accepted,
		"https://google.example.com":  refused(delegation.CodeIssuerUnknown),
		"accounts.google.com/":        refused(delegation.CodeIssuerUnknown),
		"Accounts.google.com":         refused(delegation.CodeIssuerUnknown),
		"http://accounts.google.com":  refused(delegation.CodeIssuerUnknown),
		" accounts.google.com":        refused(delegation.CodeIssuerUnknown),
	} {
		w.wantOutcome(t, d, token(iss), want)
		if want != accepted {
			continue
		}
		if got := w.events[len(w.events)-1].Issuer; got != google {
			t.Errorf("%q: the event's issuer is %q", iss, got)
		}
	}
	// What the issuer requires, it requires under each name.
	w.wantOutcome(t, d, w.token(map[string]any{"iss": "accounts.google.com"}),
		"target required_claim")
	// And a target lists the issuer by its URL.
	w.target(func(target *delegation.Target) { target.Issuers = []string{google} })
	w.wantOutcome(t, w.delegator(t), token("accounts.google.com"), accepted)
	w.target(func(target *delegation.Target) { target.Issuers = []string{"accounts.google.com"} })
	_, err := delegation.New(t.Context(), w.config)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
}

// TestIssuerNamesConfig: what cannot be a name of an issuer is refused by New, all of it at once.
func TestIssuerNamesConfig(t *testing.T) {
	set := keySet(jwk(issuerKey().Public(), nil))
	secret := delegation.NewSecret(strings.Repeat("s", 32))
	for _, test := range []struct {
		name    string
		issuers []delegation.Issuer
		want    []string // words of each complaint; none: it is fine
	}{
		{"tenants, keys of each", []delegation.Issuer{
			{URL: entraURL, Tenants: []string{contoso, fabrikam}}}, nil},
		{"any tenant, discovery of all", []delegation.Issuer{
			{URL: entraURL, UnsafeAnyTenant: true, DiscoveryURL: issuerURL}}, nil},
		{"any tenant, keys of all", []delegation.Issuer{
			{URL: entraURL, UnsafeAnyTenant: true, JWKSURL: issuerURL}}, nil},
		{"tenants of two clouds", []delegation.Issuer{
			{URL: entraURL, UnsafeAnyTenant: true, JWKS: set},
			{URL: "https://login.microsoftonline.us/{tenantid}/v2.0", UnsafeAnyTenant: true,
				JWKS: set}}, nil},
		{"aliases", []delegation.Issuer{{URL: issuerURL, Aliases: []string{
			strings.TrimPrefix(issuerURL, "https://"), "https://other.example.com"}}}, nil},
		{"a path and a port", []delegation.Issuer{{URL: "https://a.example.com:8443/{t}",
			TenantClaim: "t", Tenants: []string{"x"}}}, nil},

		{"no tenants", []delegation.Issuer{{URL: entraURL}}, []string{"Tenants is empty"}},
		{"both", []delegation.Issuer{{URL: entraURL, Tenants: []string{contoso},
			UnsafeAnyTenant: true, JWKS: set}},
			[]string{"only one of Issuer.Tenants and Issuer.Unsafe"}},
		{"any tenant, keys below each", []delegation.Issuer{{URL: entraURL, UnsafeAnyTenant: true}},
			[]string{"UnsafeAnyTenant needs one place"}},
		{"no placeholder", []delegation.Issuer{{URL: contosoURL, Tenants: []string{contoso},
			TenantClaim: "tid", UnsafeAnyTenant: true}},
			[]string{"Tenants is for", "UnsafeAnyTenant is for", "TenantClaim is for"}},
		{"a secret", []delegation.Issuer{{URL: entraURL, Tenants: []string{contoso},
			SharedSecret: secret}}, []string{"SharedSecret is for an issuer without tenants"}},
		{"an alias", []delegation.Issuer{{URL: entraURL, Tenants: []string{contoso},
			Aliases: []string{issuerURL}}}, []string{"Aliases are for an issuer without tenants"}},
		{"wrong in every field", []delegation.Issuer{{URL: "http://" + entraURL[8:],
			Tenants: []string{contoso, "contoso.onmicrosoft.com", contoso, strings.ToUpper("a" +
				contoso[1:])}, SharedSecret: secret, Aliases: []string{"x"}, UnsafeAnyTenant: true,
			DiscoveryURL: "ftp://x"}},
			[]string{"URL: ", "https", "Tenants[1]: ", "Tenants[2]: ", "twice", "Tenants[3]: ",
				"SharedSecret", "Aliases", "only one of Issuer.Tenants",
				"DiscoveryURL has no effect"}},
		{"discovery by http", []delegation.Issuer{{URL: issuerURL,
			DiscoveryURL: "http://x.example"}},
			[]string{"DiscoveryURL: ", "https"}},
		{"discovery and keys", []delegation.Issuer{{URL: issuerURL, DiscoveryURL: issuerURL,
			JWKSURL: issuerURL}}, []string{"DiscoveryURL has no effect with Issuer.JWKS"}},

		{"an alias of another scheme", []delegation.Issuer{{URL: issuerURL,
			Aliases: []string{"http://issuer.example.com", "issuer", "", issuerURL + "#x",
				entraURL}}},
			[]string{"Aliases[0]: ", "Aliases[1]: ", "Aliases[2]: ", "Aliases[3]: ",
				"Aliases[4]: ", "placeholder"}},
		{"the URL as an alias", []delegation.Issuer{{URL: issuerURL,
			Aliases: []string{issuerURL}}}, []string{"configured twice"}},
		{"another issuer's URL as an alias", []delegation.Issuer{{URL: issuerURL}, {URL: contosoURL,
			Aliases: []string{issuerURL}}}, []string{"Issuers[1]: ", "configured twice"}},
		{"a tenant and its URL", []delegation.Issuer{{URL: contosoURL}, {URL: entraURL,
			Tenants: []string{contoso}}}, []string{"Issuers[1]: ", "configured twice"}},
		{"a tenant's URL as an alias", []delegation.Issuer{{URL: entraURL,
			Tenants: []string{contoso}}, {URL: issuerURL, Aliases: []string{contosoURL}}},
			[]string{"Issuers[1]: ", "configured twice"}},
		{"any tenant, and one", []delegation.Issuer{{URL: contosoURL}, {URL: entraURL,
			UnsafeAnyTenant: true, JWKS: set}},
			[]string{"Issuers[1]: UnsafeAnyTenant accepts tokens of Issuers[0]"}},
		{"any tenant, and an alias", []delegation.Issuer{{URL: issuerURL,
			Aliases: []string{contosoURL}}, {URL: entraURL, UnsafeAnyTenant: true, JWKS: set}},
			[]string{"UnsafeAnyTenant accepts tokens of Issuers[0]"}},
		{"two templates of one URL", []delegation.Issuer{
			{URL: "https://x.example.com/{a}/b", TenantClaim: "a", UnsafeAnyTenant: true,
				JWKS: set},
			{URL: "https://x.example.com/a/{b}", TenantClaim: "b", UnsafeAnyTenant: true,
				JWKS: set},
		}, []string{"Issuers[0]: UnsafeAnyTenant accepts tokens of Issuers[1]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Issuers = test.issuers
			w.config.HTTPClient = noNetwork(t)
			w.target(func(target *delegation.Target) {
				target.Issuers = []string{test.issuers[0].URL}
				target.SubjectsAreOne = true
			})
			wantOfNew(t, w.config, test.want)
		})
	}
	for _, url := range []string{
		"https://{tenantid}", "https://{tenantid}/v2.0", "https://{tenantid}.com/v2.0",
		"https://login.{tenantid}.com", "https://login.example.com/x{tenantid}",
		"https://login.example.com/{tenantid}x", "https://login.example.com/{tenantid}?x",
		"https://login.example.com/v2?t={tenantid}", "https://login.example.com/{}",
		"https://login.example.com/{tenantid", "https://login.example.com/tenantid}",
		"https://login.example.com/{tenantid}/{tenantid}", "https://login.example.com/{{tenantid}}",
		"https://login.example.com:{tenantid}/", "https://x@{tenantid}.example.com/",
		"{tenantid}", "http://login.example.com/{tenantid}", "https://login.example.com{tenantid}/",
		"https://login.example.com/{tenant id}", "https://a{tenantid}.login.example.com",
		"https://{tenantid}.example.com#x", "https://login.example.com/#/{tenantid}",
	} {
		w := tenants(t, nil, contoso)
		w.config.Issuers[0].URL = url
		_, err := delegation.New(t.Context(), w.config)
		if err == nil || !strings.Contains(err.Error(), "Issuers[0]: URL: ") {
			t.Errorf("%s: got %v", url, err)
		}
	}
}

// TestTenantKeys: each listed tenant has keys of its own, below its URL, unless one address has the
// keys of all; then its discovery document must name the template. Check names each source.
func TestTenantKeys(t *testing.T) {
	c := readPublishedCase(t, "04-entra-common")
	fabrikamToken := func(w *world) string {
		return w.tenantToken(tenantURL(fabrikam), fabrikam, nil)
	}
	names := func(d *delegation.Delegator) (list []string) {
		for _, result := range d.Check(t.Context()) {
			if name, ok := strings.CutPrefix(result.Name, "issuer "); ok {
				list = append(list, name)
			}
		}
		return list
	}

	w := c.world(t)
	w.target(func(target *delegation.Target) { target.SubjectsAreOne = true })
	w.config.Issuers = []delegation.Issuer{{URL: entraURL, Tenants: []string{contoso, fabrikam}}}
	d := w.delegator(t)
	w.wantOutcome(t, d, c.token, accepted)
	w.wantOutcome(t, d, fabrikamToken(w), refused(delegation.CodeDiscoveryMissing))
	if got := names(d); !slices.Equal(got, []string{contosoURL, tenantURL(fabrikam)}) {
		t.Errorf("Check names %q", got)
	}

	const common = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
	w.config.Issuers[0].DiscoveryURL = common
	d = w.delegator(t)
	w.wantOutcome(t, d, c.token, accepted)
	w.wantOutcome(t, d, fabrikamToken(w), refused(delegation.CodeKeyUnknown))
	if got := names(d); !slices.Equal(got, []string{entraURL}) {
		t.Errorf("Check names %q", got)
	}

	// The document of one tenant is none of all.
	w.config.Issuers[0].DiscoveryURL = contosoURL + "/.well-known/openid-configuration"
	w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeDiscoveryIssuer))
}

// TestIssuerCases_Entra: the common endpoint works with the template and a list of tenants, as the
// remedy of the refusal says, and so does one tenant alone.
func TestIssuerCases_Entra(t *testing.T) {
	c := readPublishedCase(t, "04-entra-common")
	w := c.world(t)
	w.config.Issuers[0].GatedByRules = true
	w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeIssuerUnknown))
	result := issuerResult(t, w.delegator(t))
	e := wantError(t, result.Err, delegation.StageToken, delegation.CodeDiscoveryIssuer)
	for _, words := range []string{"Issuer.Tenants", "{tenantid}"} {
		if !strings.Contains(e.Remedy, words) {
			t.Errorf("%q is not in %q", words, e.Remedy)
		}
	}

	template := readPublishedCase(t, "04-entra-template")
	w = template.world(t)
	_, err := delegation.New(t.Context(), w.config)
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	if !strings.Contains(err.Error(), "Issuers[0]: Tenants is empty") {
		t.Errorf("got %v", err)
	}
	w.config.Issuers[0].Tenants = []string{contoso}
	d := w.delegator(t)
	w.wantOutcome(t, d, template.token, accepted)
	w.wantOutcome(t, d, template.forged(), refused(delegation.CodeSignatureInvalid))
	w.config.Issuers[0].Tenants = []string{fabrikam}
	w.wantOutcome(t, w.delegator(t), template.token, refused(delegation.CodeIssuerUnknown))
}

// issuerResult is what Check says of the only issuer.
func issuerResult(t *testing.T, d *delegation.Delegator) delegation.CheckResult {
	t.Helper()
	results := d.Check(t.Context())
	i := slices.IndexFunc(results, func(r delegation.CheckResult) bool {
		return strings.HasPrefix(r.Name, "issuer ")
	})
	return results[i]
}

// TestIssuerCases_DiscoveryElsewhere: discovery documents and keys of one application or policy are
// not below the issuer, and no key but theirs counts.
func TestIssuerCases_DiscoveryElsewhere(t *testing.T) {
	t.Run("an application with keys of its own", func(t *testing.T) {
		const below = "https://login.microsoftonline.com/t/"
		c := readPublishedCase(t, "04-entra-app-specific-signing-key")
		w := c.world(t)
		w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeKeyUnknown))
		keys := below + "discovery/v2.0/keys?appid=client"
		w.config.Issuers[0].JWKSURL = keys
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
		w.wantOutcome(t, w.delegator(t), c.forged(), refused(delegation.CodeSignatureInvalid))

		w.config.Issuers[0].JWKSURL = ""
		w.config.Issuers[0].DiscoveryURL = below + ".well-known/openid-configuration?appid=client"
		c.documents[w.config.Issuers[0].DiscoveryURL] = publishedAnswer{
			status: http.StatusOK,
			body:   fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, below+"v2.0", keys),
		}
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
	})
	t.Run("a policy", func(t *testing.T) {
		byPolicy := readPublishedCase(t, "05-b2c-by-policy-url")
		w := byPolicy.world(t)
		policy := byPolicy.issuers[0].URL
		result := issuerResult(t, w.delegator(t))
		e := wantError(t, result.Err, delegation.StageToken, delegation.CodeDiscoveryIssuer)
		if !strings.Contains(e.Remedy, "Issuer.DiscoveryURL") {
			t.Errorf("the remedy is %q", e.Remedy)
		}

		// As the remedy says: the issuer that the document names, and the document's address.
		c := readPublishedCase(t, "05-b2c-by-issuer")
		w = c.world(t)
		if !strings.Contains(e.Error(), fmt.Sprintf("%q", c.issuers[0].URL)) {
			t.Errorf("the issuer is not in %v", e)
		}
		w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeDiscoveryMissing))
		w.config.Issuers[0].DiscoveryURL = policy + "/.well-known/openid-configuration"
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
		w.wantOutcome(t, w.delegator(t), c.forged(), refused(delegation.CodeSignatureInvalid))
	})
	t.Run("an alias of the issuer", func(t *testing.T) {
		c := readPublishedCase(t, "05-b2c-by-issuer")
		w := c.world(t)
		named := c.issuers[0].URL
		w.config.Issuers[0] = delegation.Issuer{
			URL: "https://login.example.com/", Aliases: []string{named},
			DiscoveryURL: readPublishedCase(t, "05-b2c-by-policy-url").issuers[0].URL +
				"/.well-known/openid-configuration",
		}
		w.wantOutcome(t, w.delegator(t), c.token, accepted)
	})
}

// TestIssuerCases_GoogleWithoutScheme: Google's tokens may have its name without a scheme.
func TestIssuerCases_GoogleWithoutScheme(t *testing.T) {
	c := readPublishedCase(t, "06-google-schemeless-iss")
	w := c.world(t)
	err := w.wantOutcome(t, w.delegator(t), c.token, refused(delegation.CodeIssuerUnknown))
	e := wantError(t, err, delegation.StageToken, delegation.CodeIssuerUnknown)
	if !strings.Contains(e.Remedy, "Issuer.Aliases") {
		t.Errorf("the remedy is %q", e.Remedy)
	}
	w.config.Issuers[0].Aliases = []string{"accounts.google.com"}
	w.wantOutcome(t, w.delegator(t), c.token, accepted)
	w.wantOutcome(t, w.delegator(t), c.forged(), refused(delegation.CodeSignatureInvalid))
}
