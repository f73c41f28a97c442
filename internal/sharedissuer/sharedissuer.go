// Package sharedissuer knows OpenID providers that issue tokens to strangers under one issuer URL.
// A valid token of such an issuer says that somebody has an account there, and not that they belong
// to the operator's organisation: a claim has to say that. The list has those of AWS
// ("Identity-provider controls for shared OIDC providers", IAM User Guide), and other providers
// where anybody can sign in.
package sharedissuer

import (
	"net/url"
	"slices"
	"strings"
)

// Issuer is one that strangers share.
type Issuer struct {
	Who   string // who gets tokens of it, as the subject of a sentence
	Claim string // one that tells organisations apart
	// AnyTenant says that it is all tenants of a provider. A tenant's administrator can be a
	// stranger and chooses the claims of its tokens, so no other claim than Claim tells.
	AnyTenant bool
	// ownedEmail says that the provider, and not a tenant's administrator, says which addresses
	// count as verified.
	ownedEmail bool
	// weak are claims that may look as if they do, but do not: strangers can choose them, or they
	// are the same for many.
	weak []string
}

// alwaysWeak are claims that identify no organisation at any issuer: the requester of a token
// chooses its audience, and dates and kinds say nothing about an owner.
var alwaysWeak = []string{
	"iss", "aud", "azp", "appid", "cid", "client_id", "exp", "iat", "nbf", "jti", "typ", "nonce",
	"at_hash", "c_hash", "auth_time", "acr", "amr", "ver", "locale", "name", "given_name",
	"family_name", "nickname", "picture", "email_verified",
}

// google issues tokens to everybody. An account that no organisation manages can have an email
// address of any domain. Only hd says which organisation manages an account.
var google = Issuer{Who: "anyone with a Google account", Claim: "hd", weak: []string{"email"}}

var apple = Issuer{Who: "anyone with an Apple account", Claim: "sub", weak: []string{"email"}}

var facebook = Issuer{Who: "anyone with a Facebook account", Claim: "sub", weak: []string{"email"}}

// entra serves every organisation below these addresses. Its email and user names are what the
// tenant's administrator writes there, unverified.
var entra = Issuer{
	Who:   "anyone with an account of any organisation, or of Microsoft",
	Claim: "tid",
	weak:  []string{"email", "preferred_username", "upn", "unique_name"},
}

// salesforce serves every organisation whose users do not sign in at the organisation's own
// address. Its email and user names are what the organisation's administrator writes there.
var salesforce = Issuer{
	Who:   "anyone with an account of any organisation on Salesforce",
	Claim: "sub",
	weak:  []string{"email", "preferred_username", "profile", "zoneinfo", "address"},
}

// github is the issuer of workflows. A pull request or a run in a stranger's repository has the
// stranger's branch, environment and workflow names, and job_workflow_ref names the operator's
// workflow if a stranger calls a reusable workflow of the operator's.
var github = Issuer{
	Who:   "any workflow on GitHub",
	Claim: "repository_owner",
	weak: []string{
		"actor", "actor_id", "base_ref", "check_run_id", "environment", "event_name", "head_ref",
		"job_workflow_ref", "job_workflow_sha", "ref", "ref_protected", "ref_type",
		"repository_visibility", "run_attempt", "run_id", "run_number", "runner_environment",
		"sha", "workflow", "workflow_sha",
	},
}

// gitlab is the issuer of people who sign in and of CI jobs. A job's user may work in a stranger's
// project, and the stranger chooses where its pipeline is defined.
var gitlab = Issuer{
	Who:   "any user or pipeline on GitLab.com",
	Claim: "namespace_path",
	weak: []string{
		"ci_config_ref_uri", "ci_config_sha", "deployment_tier", "environment",
		"environment_action", "environment_protected", "job_id", "pipeline_id", "pipeline_source",
		"project_visibility", "ref", "ref_path", "ref_protected", "ref_type", "runner_environment",
		"runner_id", "sha", "user_access_level", "user_email", "user_id", "user_identities",
		"user_login",
	},
}

// codefresh is the issuer of pipelines. A stranger can build a repository of the operator's.
var codefresh = Issuer{
	Who:   "any pipeline on Codefresh",
	Claim: "account_id",
	weak: []string{
		"initiator", "pipeline_name", "platform_url", "runner_environment",
		"scm_pull_request_target_branch", "scm_ref", "scm_repo_url", "scm_user_name",
		"workflow_id",
	},
}

// buildkite is the issuer of jobs. Slugs other than the organization's are of any organization.
var buildkite = Issuer{
	Who:   "any pipeline on Buildkite",
	Claim: "organization_slug",
	weak: []string{
		"agent_id", "build_branch", "build_commit", "build_number", "build_source", "build_tag",
		"job_id", "pipeline_slug", "runner_environment", "step_key",
	},
}

// docs/strangers.md has the form of each claim, and where the provider documents it.
var byURL = map[string]Issuer{
	"https://token.actions.githubusercontent.com":   github,
	"https://vstoken.actions.githubusercontent.com": github,

	"https://oidc-configuration.audit-log.githubusercontent.com": {
		Who:   "any enterprise on GitHub",
		Claim: "sub",
	},
	"https://gitlab.com": gitlab,
	"https://app.terraform.io": {
		Who:   "any workspace on HCP Terraform",
		Claim: "terraform_organization_name",
		weak: []string{
			"terraform_project_name", "terraform_run_id", "terraform_run_phase",
			"terraform_workspace_name",
		},
	},
	"https://agent.buildkite.com":     buildkite,
	"https://oidc.codefresh.io":       codefresh,
	"https://studio.datachain.ai/api": {Who: "any team on DVC Studio", Claim: "sub"},
	"https://scalr.io":                {Who: "any workspace on Scalr", Claim: "sub"},
	"https://tokens.cloud.shisho.dev": {Who: "any organisation on Shisho Cloud", Claim: "sub"},
	"https://proidc.upbound.io":       {Who: "any control plane on Upbound", Claim: "sub"},
	"https://api.pulumi.com/oidc": {
		Who:   "any organisation on Pulumi Cloud",
		Claim: "org",
		weak:  []string{"deployment", "env", "operation", "project", "scope", "stack"},
	},
	// The tokens that an environment of Pulumi ESC asks for with an audience of its choice.
	"https://api.pulumi.com/oidc/v2": {
		Who:   "any organisation on Pulumi Cloud",
		Claim: "https://pulumi.com/org_id",
		weak:  []string{"https://pulumi.com/current_env", "https://pulumi.com/root_env"},
	},
	// A team that has its own issuer has its name as the path, and shares it with nobody.
	"https://oidc.vercel.com": {
		Who:   "any project on Vercel",
		Claim: "owner_id",
		weak:  []string{"environment", "project"},
	},

	"https://accounts.google.com":  google,
	"accounts.google.com":          google, // as old tokens have it
	"https://appleid.apple.com":    apple,
	"https://login.salesforce.com": salesforce,
	"https://test.salesforce.com":  salesforce,
	"https://www.facebook.com":     facebook,

	"https://login.microsoftonline.com/common/v2.0":                   entra,
	"https://login.microsoftonline.com/organizations/v2.0":            entra,
	"https://login.microsoftonline.com/consumers/v2.0":                entra,
	"https://login.microsoftonline.com/" + personalAccounts + "/v2.0": entra,
	// As the discovery documents have it.
	"https://login.microsoftonline.com/{tenantid}/v2.0": entra,
}

// OfAnyTenant returns what is known of all tenants of a provider, by the template of their URLs and
// the claim that names the tenant in a token. The token's issuer is compared with that claim.
//
// Entra's tokens have no email_verified. Only xms_edov marks an address as verified, and Entra sets
// it if the domain belongs to the user's tenant, which has proved that by DNS, or if the user has
// signed in with the address itself (Microsoft, "Optional claims reference").
func OfAnyTenant(template, claim string) Issuer {
	return Issuer{
		Who:        "anyone with an account of any tenant of " + template,
		Claim:      claim,
		AnyTenant:  true,
		ownedEmail: IsEntra(template),
	}
}

// personalAccounts is the tenant of all personal Microsoft accounts.
const personalAccounts = "9188040d-6c67-4c5b-b112-36a304b66dad"

// githubEnterprise has the enterprise's name after it, if an enterprise has asked for that.
const githubEnterprise = "https://token.actions.githubusercontent.com/"

// Find returns what is known of an issuer that strangers share. Scheme and host are compared
// without regard to case, and a slash at the end does not count: a needless warning is safer than a
// missing one.
func Find(issuer string) (Issuer, bool) {
	issuer = strings.TrimSuffix(issuer, "/")
	if u, err := url.Parse(issuer); err == nil && u.Host != "" {
		issuer = strings.ToLower(u.Scheme+"://"+u.Host) + u.Path
	}
	if found, ok := byURL[issuer]; ok {
		return found, true
	}
	if strings.HasPrefix(issuer, githubEnterprise) {
		return github, true
	}
	return Issuer{}, false
}

// IsGoogle tells whether an issuer is Google, in either spelling of its tokens.
func IsGoogle(issuer string) bool {
	return issuer == "https://accounts.google.com" || issuer == "accounts.google.com"
}

// entraHosts are those of Microsoft Entra's issuers: the global and the national clouds.
var entraHosts = []string{
	"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn",
	"sts.windows.net",
}

// IsEntra tells whether an issuer is a tenant of Microsoft Entra, External ID included.
func IsEntra(issuer string) bool {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "https" {
		return false
	}
	return slices.Contains(entraHosts, u.Host) || strings.HasSuffix(u.Host, ".ciamlogin.com")
}

// Tells reports whether a claim can tell the operator's people from strangers at this issuer.
func (i Issuer) Tells(claim string) bool {
	if i.AnyTenant {
		return claim != "" && claim == i.Claim
	}
	return claim != "" && !slices.Contains(alwaysWeak, claim) && !slices.Contains(i.weak, claim)
}

// TellsEmailDomain reports whether the domain of a verified address can tell the operator's people
// from strangers at this issuer, with the claims that AllowEmailDomains checks.
func (i Issuer) TellsEmailDomain() bool { return !i.AnyTenant || i.ownedEmail }

// TellsConnection reports whether the connection of a token can tell the operator's people from
// strangers at this issuer. Tokens of issuers that one provider has for everybody name none, and a
// tenant's administrator names its connections.
func (i Issuer) TellsConnection() bool { return !i.AnyTenant }
