package sharedissuer_test

import (
	"testing"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

func TestFind(t *testing.T) {
	const (
		github     = "any workflow on GitHub"
		gitlab     = "any user or pipeline on GitLab.com"
		google     = "anyone with a Google account"
		microsoft  = "anyone with an account of any organisation, or of Microsoft"
		pulumi     = "any organisation on Pulumi Cloud"
		salesforce = "anyone with an account of any organisation on Salesforce"
		vercel     = "any project on Vercel"
		notShared  = ""
	)
	for issuer, want := range map[string]string{
		"https://token.actions.githubusercontent.com":                                 github,
		"https://token.actions.githubusercontent.com/":                                github,
		"https://token.actions.githubusercontent.com/octo-corp":                       github,
		"HTTPS://Token.Actions.GitHubUserContent.com":                                 github,
		"https://token.actions.githubusercontent.com.example.com":                     notShared,
		"https://token.actions.githubusercontent.com.example.com/x":                   notShared,
		"https://token.actions.octo-corp.ghe.com":                                     notShared,
		"http://token.actions.githubusercontent.com":                                  notShared,
		"https://gitlab.com":                                                          gitlab,
		"https://gitlab.com/group":                                                    notShared,
		"https://gitlab.example.com":                                                  notShared,
		"https://accounts.google.com":                                                 google,
		"accounts.google.com":                                                         google,
		"https://login.microsoftonline.com/common/v2.0":                               microsoft,
		"https://login.microsoftonline.com/{tenantid}/v2.0":                           microsoft,
		"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0": microsoft,
		"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0": notShared,
		"https://oidc.circleci.com/org/11111111-2222-3333-4444-555555555555":          notShared,
		"https://oidc.vercel.com":                                                     vercel,
		"https://oidc.vercel.com/our-team":                                            notShared,
		"https://api.pulumi.com/oidc":                                                 pulumi,
		"https://api.pulumi.com/oidc/v2":                                              pulumi,
		"https://test.salesforce.com/":                                                salesforce,
		"https://our.my.salesforce.com":                                               notShared,
		"https://tenant.example.com/":                                                 notShared,
		"":                                                                            notShared,
		"://":                                                                         notShared,
	} {
		got, ok := sharedissuer.Find(issuer)
		if got.Who != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v", issuer, got.Who, ok)
		}
	}
}

// A claim that everybody has, or chooses, or that is unverified there, tells nobody apart.
func TestTells(t *testing.T) {
	for issuer, claims := range map[string]map[string]bool{
		"https://token.actions.githubusercontent.com": {"repository_owner": true, "sub": true,
			"repository": true, "repository_owner_id": true, "enterprise": true,
			"aud": false, "iss": false, "": false, "ref": false, "environment": false,
			"actor": false, "workflow": false, "job_workflow_ref": false},
		"https://gitlab.com": {"namespace_path": true, "email": true, "project_path": true,
			"azp": false, "ref": false, "ref_protected": false, "environment": false,
			"user_login": false, "ci_config_ref_uri": false},
		"https://app.terraform.io": {"terraform_organization_name": true, "sub": true,
			"terraform_organization_id": true, "terraform_workspace_name": false},
		"https://agent.buildkite.com": {"organization_slug": true, "organization_id": true,
			"sub": true, "pipeline_slug": false, "build_branch": false},
		"https://oidc.codefresh.io": {"account_id": true, "sub": true, "pipeline_id": true,
			"scm_repo_url": false, "scm_ref": false},
		"https://studio.datachain.ai/api": {"sub": true},
		"https://scalr.io":                {"sub": true},
		"https://tokens.cloud.shisho.dev": {"sub": true},
		"https://proidc.upbound.io":       {"sub": true},
		"https://api.pulumi.com/oidc": {"org": true, "sub": true, "project": false,
			"stack": false},
		"https://api.pulumi.com/oidc/v2": {"https://pulumi.com/org_id": true,
			"https://pulumi.com/org": true, "https://pulumi.com/current_env": false},
		"https://oidc.vercel.com": {"owner_id": true, "owner": true, "sub": true,
			"project_id": true, "project": false, "environment": false},
		"https://appleid.apple.com": {"sub": true, "email": false},
		"https://login.salesforce.com": {"sub": true, "organization_id": true, "email": false,
			"preferred_username": false},
		"https://www.facebook.com": {"sub": true, "email": false},
		"https://accounts.google.com": {"hd": true, "sub": true, "email": false,
			"email_verified": false, "name": false},
		"https://login.microsoftonline.com/common/v2.0": {"tid": true, "oid": true, "email": false,
			"preferred_username": false, "upn": false},
	} {
		shared, ok := sharedissuer.Find(issuer)
		if !ok || !shared.Tells(shared.Claim) {
			t.Errorf("%s: its own claim %q tells nobody", issuer, shared.Claim)
		}
		for claim, want := range claims {
			if got := shared.Tells(claim); got != want {
				t.Errorf("%s: %q: got %v", issuer, claim, got)
			}
		}
	}
}

// Of all tenants of a provider, only the claim tells that names the tenant: a tenant's
// administrator, who may be a stranger, chooses the others. Entra itself marks verified addresses.
func TestOfAnyTenant(t *testing.T) {
	const entra = "https://login.microsoftonline.com/{tenantid}/v2.0"
	for _, test := range []struct {
		template, claim string
		email           bool
	}{
		{entra, "tid", true},
		{"https://login.microsoftonline.us/{tenantid}/v2.0", "tid", true},
		{"https://sts.windows.net/{tenantid}/", "tid", true},
		{"https://{tenant}.ciamlogin.com/x/v2.0", "tid", false},
		{"https://{tenant}.idp.example.com", "org", false},
		{"https://login.microsoftonline.com.example.com/{tenantid}", "tid", false},
		{"https://token.actions.githubusercontent.com/{enterprise}", "enterprise", false},
		{"https://idp.example.com/{tenant}", "client_id", false},
	} {
		shared := sharedissuer.OfAnyTenant(test.template, test.claim)
		if shared.Claim != test.claim || !shared.AnyTenant || !shared.Tells(test.claim) {
			t.Errorf("%s: its own claim %q tells nobody", test.template, shared.Claim)
		}
		for _, claim := range []string{
			"", "aud", "iss", "sub", "oid", "roles", "groups", "email", "email_verified", "hd",
			"repository_owner", "ORG", test.claim + ".x",
		} {
			if shared.Tells(claim) {
				t.Errorf("%s: %q tells", test.template, claim)
			}
		}
		if got := shared.TellsEmailDomain(); got != test.email {
			t.Errorf("%s: the domain of an address: got %v", test.template, got)
		}
		if shared.TellsConnection() {
			t.Errorf("%s: a connection tells", test.template)
		}
	}
	google, _ := sharedissuer.Find("https://accounts.google.com")
	if google.AnyTenant || !google.TellsEmailDomain() || !google.TellsConnection() {
		t.Errorf("Google: got %+v", google)
	}
}

// What the warning recommends is the claim that docs/strangers.md has with its source.
func TestClaim(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://token.actions.githubusercontent.com":                "repository_owner",
		"https://vstoken.actions.githubusercontent.com":              "repository_owner",
		"https://oidc-configuration.audit-log.githubusercontent.com": "sub",
		"https://gitlab.com":                            "namespace_path",
		"https://app.terraform.io":                      "terraform_organization_name",
		"https://agent.buildkite.com":                   "organization_slug",
		"https://oidc.codefresh.io":                     "account_id",
		"https://studio.datachain.ai/api":               "sub",
		"https://scalr.io":                              "sub",
		"https://tokens.cloud.shisho.dev":               "sub",
		"https://proidc.upbound.io":                     "sub",
		"https://api.pulumi.com/oidc":                   "org",
		"https://api.pulumi.com/oidc/v2":                "https://pulumi.com/org_id",
		"https://oidc.vercel.com":                       "owner_id",
		"https://accounts.google.com":                   "hd",
		"https://appleid.apple.com":                     "sub",
		"https://www.facebook.com":                      "sub",
		"https://login.microsoftonline.com/common/v2.0": "tid",
	} {
		if got, ok := sharedissuer.Find(issuer); !ok || got.Claim != want {
			t.Errorf("%s: got %q, known: %v", issuer, got.Claim, ok)
		}
	}
}

func TestIsGoogle(t *testing.T) {
	for issuer, want := range map[string]bool{
		"https://accounts.google.com": true, "accounts.google.com": true,
		"https://accounts.google.com/": false, "https://accounts.google.com.example.com": false,
		"": false,
	} {
		if got := sharedissuer.IsGoogle(issuer); got != want {
			t.Errorf("%q: got %v", issuer, got)
		}
	}
}
