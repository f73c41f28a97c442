package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

const (
	entraTenant = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"
	otherTenant = "99999999-2222-3333-4444-555555555555"
)

// TestIssuerCases_VerifiedEmail: tokens of providers that write email_verified in their own way, or
// not at all, are denied with a remedy, and what it says lets them in.
func TestIssuerCases_VerifiedEmail(t *testing.T) {
	for _, test := range []struct {
		file     string
		says     []string
		followed func(i *delegation.Issuer)
	}{
		{
			"10-apple-email_verified-text",
			[]string{`email_verified is the text "true"`, "Issuer.EmailVerifiedText"},
			func(i *delegation.Issuer) { i.EmailVerifiedText = true },
		},
		{
			"04-entra-v2-tenant-guid-with-require_verified_email",
			[]string{
				"Entra's tokens have no email_verified", "xms_edov",
				"Issuer.EntraVerifiedEmail", "Issuer.VerifiedEmailDomains", "Issuer.RequiredClaims",
			},
			func(i *delegation.Issuer) { i.VerifiedEmailDomains = []string{"contoso.com"} },
		},
	} {
		t.Run(test.file, func(t *testing.T) {
			c := readPublishedCase(t, test.file)
			w := c.world(t)
			w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
			err := w.wantOutcome(t, w.delegator(t), c.token, "rules denied")
			e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
			for _, words := range test.says {
				if !strings.Contains(e.Remedy, words) || !strings.Contains(e.Error(), words) {
					t.Errorf("%q is not in the remedy %q", words, e.Remedy)
				}
			}
			if got := e.Public(); got != "a verified email address is required" {
				t.Errorf("the user sees %q", got)
			}
			test.followed(&w.config.Issuers[0])
			w.wantOutcome(t, w.delegator(t), c.token, accepted)
		})
	}
}

// TestVerifiedEmail: an address counts as verified by what the issuer's settings say, and by
// nothing else, and every rule sees the same boolean.
func TestVerifiedEmail(t *testing.T) {
	type claims map[string]any
	text := delegation.Issuer{EmailVerifiedText: true}
	entra := delegation.Issuer{EntraVerifiedEmail: true}
	domains := delegation.Issuer{VerifiedEmailDomains: []string{"Contoso.com"}}
	all := delegation.Issuer{
		EmailVerifiedText:    true,
		EntraVerifiedEmail:   true,
		VerifiedEmailDomains: []string{"contoso.com"},
	}
	null := json.RawMessage("null")
	for name, test := range map[string]struct {
		issuer delegation.Issuer
		claims claims
		want   any // email_verified as rules see it
	}{
		"the boolean":             {all, claims{"email_verified": true}, true},
		"false":                   {all, claims{"email_verified": false, "xms_edov": true}, false},
		"text":                    {text, claims{"email_verified": "true"}, true},
		"the text false":          {text, claims{"email_verified": "false"}, false},
		"the text false, and all": {all, claims{"email_verified": "false", "xms_edov": 1}, false},
		"the text True":           {text, claims{"email_verified": "True"}, "True"},
		"the text 1":              {all, claims{"email_verified": "1"}, "1"},
		"a list of the text":      {text, claims{"email_verified": []string{"true"}}, []any{"true"}},
		"text without the setting": {
			delegation.Issuer{EntraVerifiedEmail: true, VerifiedEmailDomains: []string{"contoso.com"}},
			claims{"email_verified": "true", "xms_edov": true}, "true",
		},
		"nothing for text": {text, claims{}, nil},

		"xms_edov true":            {entra, claims{"xms_edov": true}, true},
		"xms_edov 1":               {entra, claims{"xms_edov": 1}, true},
		"xms_edov as the text 1":   {entra, claims{"xms_edov": "1"}, true},
		"null, and xms_edov":       {entra, claims{"email_verified": null, "xms_edov": true}, true},
		"xms_edov false":           {entra, claims{"xms_edov": false}, nil},
		"xms_edov 0":               {entra, claims{"xms_edov": 0}, nil},
		"xms_edov 2":               {entra, claims{"xms_edov": 2}, nil},
		"xms_edov as another text": {entra, claims{"xms_edov": "yes"}, nil},
		"xms_edov in a list":       {entra, claims{"xms_edov": []bool{true}}, nil},
		"xms_edov null":            {entra, claims{"xms_edov": null}, nil},
		"xms_edov without an email": {
			entra, claims{"xms_edov": true, "email": nil}, nil,
		},
		"xms_edov without the setting": {domains, claims{"xms_edov": true, "email": "a@b.c"}, nil},

		"a listed domain": {domains, claims{}, true},
		"another case":    {domains, claims{"email": "alice@CONTOSO.COM"}, true},
		"another domain":  {domains, claims{"email": "alice@evil.com"}, nil},
		"a subdomain":     {domains, claims{"email": "alice@mail.contoso.com"}, nil},
		"a longer domain": {domains, claims{"email": "alice@evilcontoso.com"}, nil},
		"two at signs":    {domains, claims{"email": "alice@contoso.com@evil.com"}, nil},
		"no local part":   {domains, claims{"email": "@contoso.com"}, nil},
		"the domain alone": {
			domains, claims{"email": "contoso.com"}, nil,
		},
		"a long s, which folds": {domains, claims{"email": "alice@conto\u017Fo.com"}, nil},
		"a list of addresses":   {domains, claims{"email": []string{"alice@contoso.com"}}, nil},
		"a listed domain, and false": {
			domains, claims{"email_verified": false}, false,
		},
		"another claim has the address": {
			domains, claims{"email": nil, "preferred_username": "alice@contoso.com"}, nil,
		},
		"no setting": {delegation.Issuer{}, claims{"xms_edov": true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			issuer := &w.config.Issuers[0]
			issuer.EmailVerifiedText = test.issuer.EmailVerifiedText
			issuer.EntraVerifiedEmail = test.issuer.EntraVerifiedEmail
			issuer.VerifiedEmailDomains = test.issuer.VerifiedEmailDomains
			var seen any
			look := func(_ context.Context, u *delegation.User, _ *delegation.RuleContext) error {
				seen, _ = u.Value("email_verified")
				return nil
			}
			w.config.Rules = []delegation.RuleFunc{look, delegation.RequireVerifiedEmail()}
			said := map[string]any{"email": "alice@contoso.com"}
			for name, value := range test.claims {
				said[name] = value
			}
			want := "rules denied"
			if test.want == true {
				want = accepted
			}
			w.wantOutcome(t, w.delegator(t), w.token(said), want)
			if got, want := must(json.Marshal(seen)), must(json.Marshal(test.want)); string(got) !=
				string(want) {
				t.Errorf("rules saw %s, want %s", got, want)
			}
		})
	}
}

// TestVerifiedEmail_Profile: what the issuer says of its token's address says nothing about one
// that the profile loader supplies.
func TestVerifiedEmail_Profile(t *testing.T) {
	w := offline(t)
	w.config.Issuers[0].EntraVerifiedEmail = true
	w.config.Issuers[0].VerifiedEmailDomains = []string{"contoso.com"}
	w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		return map[string]any{"email": "alice@contoso.com"}, nil
	}
	w.wantOutcome(t, w.delegator(t), w.token(map[string]any{"xms_edov": true}), "rules denied")
}

// TestVerifiedEmail_Remedies: what the operator of an Entra issuer reads fits the token.
func TestVerifiedEmail_Remedies(t *testing.T) {
	general := "a rule refused this user"
	for name, test := range map[string]struct {
		issuer     string
		properties map[string]any
		want       string
	}{
		"no email": {entraTenant, nil, "this one has no email"},
		"no xms_edov": {entraTenant, map[string]any{"email": "a@b.c"},
			"to send the optional claim xms_edov"},
		"xms_edov that is not counted": {
			entraTenant, map[string]any{"email": "a@b.c", "xms_edov": "1"},
			"set Issuer.EntraVerifiedEmail to count it",
		},
		"xms_edov that is false": {
			entraTenant, map[string]any{"email": "a@b.c", "xms_edov": false},
			"does not say that this address is verified",
		},
		"false at Entra":          {entraTenant, map[string]any{"email_verified": false}, general},
		"an older token of Entra": {"https://sts.windows.net/x/", nil, "Entra's tokens"},
		"Entra External ID":       {"https://x.ciamlogin.com/x/v2.0", nil, "Entra's tokens"},
		"a look-alike of Entra":   {"https://login.microsoftonline.com.evil.example", nil, general},
		"elsewhere":               {issuerURL, map[string]any{"email": "a@b.c"}, general},
		"a text elsewhere": {issuerURL, map[string]any{"email_verified": "true"},
			"set Issuer.EmailVerifiedText"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rule := range []delegation.RuleFunc{
				delegation.RequireVerifiedEmail(), delegation.AllowEmailDomains("b.c"),
			} {
				w := offline(t)
				pretend := func(
					ctx context.Context, u *delegation.User, rc *delegation.RuleContext,
				) error {
					rc.Issuer = test.issuer
					return rule(ctx, u, rc)
				}
				w.config.Rules = []delegation.RuleFunc{pretend}
				_, err := w.delegator(t).Exchange(t.Context(), w.token(test.properties), app)
				e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
				if !strings.Contains(e.Remedy, test.want) {
					t.Errorf("the remedy is %q", e.Remedy)
				}
			}
		})
	}
}

// TestVerifiedEmailDomains_Config: no issuer may vouch for domains whose addresses others of its
// users could have.
func TestVerifiedEmailDomains_Config(t *testing.T) {
	const template = "https://login.microsoftonline.com/{tenantid}/v2.0"
	for name, test := range map[string]struct {
		issuer delegation.Issuer
		want   string // empty: it is fine
	}{
		"a tenant": {delegation.Issuer{URL: entraTenant}, ""},
		"a template of one tenant": {
			delegation.Issuer{URL: template, Tenants: []string{otherTenant}}, "",
		},
		"two tenants": {
			delegation.Issuer{URL: template, Tenants: []string{
				otherTenant, "11111111-2222-3333-4444-555555555555",
			}}, "VerifiedEmailDomains is for one tenant",
		},
		"any tenant": {
			delegation.Issuer{URL: template, UnsafeAnyTenant: true, JWKSURL: issuerURL},
			"VerifiedEmailDomains is for one tenant",
		},
		"Google": {
			delegation.Issuer{URL: "https://accounts.google.com"}, "anyone with a Google account",
		},
		"no domain": {
			delegation.Issuer{URL: issuerURL, VerifiedEmailDomains: []string{""}},
			`VerifiedEmailDomains[0]: "" is not a domain`,
		},
		"an address": {
			delegation.Issuer{URL: issuerURL, VerifiedEmailDomains: []string{"x.y", "@x.y"}},
			`VerifiedEmailDomains[1]: "@x.y" is not a domain`,
		},
		"a letter that folds": {
			delegation.Issuer{URL: issuerURL, VerifiedEmailDomains: []string{"\u212A.com"}},
			"VerifiedEmailDomains[0]: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.HTTPClient = noNetwork(t)
			w.config.Issuers = []delegation.Issuer{test.issuer}
			if test.issuer.VerifiedEmailDomains == nil {
				w.config.Issuers[0].VerifiedEmailDomains = []string{"contoso.com"}
			}
			_, err := delegation.New(t.Context(), w.config)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, delegation.CodeConfigInvalid) ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
