package setup

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// provider is an OpenID provider that init knows: what its issuers look like, and which claims of
// its ID tokens identify the users to accept. For the sources see docs/strangers.md and the pages
// of the providers.
type provider struct {
	name string // for --provider

	// issuer is the issuer that all of its customers share; "" if each has another.
	issuer string

	// form is a sample of a customer's own issuer, for people.
	form string

	// is recognises an issuer; nil if its URL does not identify the provider.
	is func(issuer *url.URL) bool

	// gate distinguishes the operator's own users from others. The zero gate means that none is
	// needed, because the issuer is the operator's own.
	gate gate

	// requires are claims that all of its ID tokens have, and other tokens of the issuer do not.
	requires []requirement

	// verifiedEmail tells that its ID tokens say whether the email address is verified. For other
	// providers, require_verified_email would refuse everybody.
	verifiedEmail bool

	// verifiedText tells that some of them have the value as text.
	verifiedText bool

	// discovery returns the address of the discovery document; nil if it is below the issuer.
	// answer is the answer to the gate's question.
	discovery func(issuer *url.URL, answer string) string

	// algorithms are the algorithms for the configuration; nil if it signs with RS256.
	algorithms []string

	// manyAudiences tells that tokens can have several audiences and no azp.
	manyAudiences bool

	// slashes tells that subjects may contain slashes, so that folders named after them need an
	// encoding.
	slashes bool

	// aliases are further iss claims.
	aliases []string
}

// gate is a question whose answer becomes a required claim.
type gate struct {
	flag string // one of gateFlags
	asks string

	// claim is the required claim. numeric is the claim for an answer of digits only, if that is
	// another.
	claim, numeric string

	// prefix and suffix are patterns around the answer.
	prefix, suffix string
}

// requirement is a claim that has to match a pattern.
type requirement struct{ claim, pattern string }

// providers are in the order of the help. If several recognise an issuer, the first is the default.
var providers = slices.Concat(people, workloads)

// people are providers at which users sign in.
var people = []provider{
	{
		name:      entra,
		form:      "https://login.microsoftonline.com/TENANT_ID/v2.0",
		is:        isEntra,
		gate:      groupGate("groups"),
		discovery: entraDiscovery,
	},
	{
		name:          "google-workspace",
		issuer:        "https://accounts.google.com",
		aliases:       []string{"accounts.google.com"},
		verifiedEmail: true,
		gate: gate{
			flag:  "domain",
			asks:  "Domain of the Google Workspace, the hd claim",
			claim: "hd",
		},
	},
	{
		name:          "google",
		issuer:        "https://accounts.google.com",
		aliases:       []string{"accounts.google.com"},
		verifiedEmail: true,
		gate:          subjectGate("User who gets access, the sub claim: a number"),
	},
	{
		name:          "okta",
		form:          "https://DOMAIN.okta.com or https://DOMAIN.okta.com/oauth2/default",
		is:            isHost(".okta.com", ".oktapreview.com", ".okta-emea.com"),
		verifiedEmail: true,
		gate:          groupGate("groups"),
	},
	{
		name:          "auth0",
		form:          "https://TENANT.auth0.com/",
		is:            isHost(".auth0.com"),
		verifiedEmail: true,
		verifiedText:  true, // for Apple's users
		gate:          ownerGate("Organisation of Auth0 that gets access: its ID, org_…", "org_id"),
	},
	{
		name:          "keycloak",
		form:          "https://HOST/realms/REALM",
		is:            isPath(`(/auth)?/realms/[^/]+`),
		verifiedEmail: true,
		gate:          groupGate("groups"),
	},
	{
		name:          "cognito",
		form:          "https://cognito-idp.REGION.amazonaws.com/POOL_ID",
		is:            isCognito,
		verifiedEmail: true,
		verifiedText:  true, // for some federated users
		gate:          groupGate("cognito:groups"),
	},
	{
		name: "entra-external-id",
		form: "https://TENANT_ID.ciamlogin.com/TENANT_ID/v2.0",
		is:   isHost(".ciamlogin.com"),
		gate: groupGate("groups"),
	},
	{
		name: "azure-ad-b2c",
		form: "https://TENANT.b2clogin.com/TENANT_ID/v2.0/",
		is:   isHost(".b2clogin.com"),
		gate: gate{
			flag:  "policy",
			asks:  "Policy of Azure AD B2C, the tfp claim, such as B2C_1_sign_in",
			claim: "tfp",
		},
		discovery: b2cDiscovery,
	},
	{
		name: "pingone",
		form: "https://auth.pingone.com/ENVIRONMENT_ID/as",
		is:   isHostPattern(`auth\.pingone\.(com|eu|ca|asia|com\.au|sg)`),
		gate: groupGate("groups"),
	},
	{
		name: "onelogin",
		form: "https://SUBDOMAIN.onelogin.com/oidc/2",
		is:   isHost(".onelogin.com"),
		gate: groupGate("groups"),
	},
	{
		name:    "adfs",
		slashes: true,
		form:    "https://HOST/adfs",
		is:      isPath(`/adfs`),
		gate:    groupGate("group"),
	},
	{
		name:   "apple",
		issuer: "https://appleid.apple.com",
		gate:   subjectGate("User who gets access, the sub claim"),
	},
	{
		name:    "salesforce",
		slashes: true,
		issuer:  "https://login.salesforce.com",
		gate: gate{
			flag:   "owner",
			asks:   "Organisation ID of Salesforce, 18 characters that begin with 00D",
			claim:  "sub",
			prefix: `https://login\.salesforce\.com/id/`,
			suffix: `/[^/]+`,
		},
	},
	{
		name:    "salesforce-my-domain",
		slashes: true,
		form:    "https://NAME.my.salesforce.com",
		is:      isHost(".my.salesforce.com"),
	},
	{
		name:          "gitlab",
		issuer:        "https://gitlab.com",
		form:          "https://HOST",
		verifiedEmail: true,
		gate: gate{
			flag:  "group",
			asks:  "Group of GitLab whose members get access, its path, as in groups_direct",
			claim: "groups_direct",
		},
		// A job's token has the groups of the user who runs it, and any audience.
		requires: []requirement{{"sub", "[0-9]+"}},
	},
	{
		name: "zitadel",
		form: "https://NAME.REGION.zitadel.cloud",
		is:   isHost(".zitadel.cloud"),
		gate: gate{
			flag:  "owner",
			asks:  "Organisation ID of Zitadel",
			claim: "urn:zitadel:iam:user:resourceowner:id",
		},
		// JWT access tokens have no at_hash.
		requires: []requirement{{"at_hash", ".+"}},
	},
	{
		name: "authentik",
		form: "https://HOST/application/o/SLUG/",
		is:   isPath(`/application/o/[^/]+/`),
		gate: groupGate("groups"),
	},
	{
		name: "authelia",
		form: "https://HOST",
		gate: groupGate("groups"),
	},
	{
		name: "dex",
		form: "https://HOST/dex",
		is:   isPath(`/dex`),
		gate: groupGate("groups"),
		// Access tokens have the form of ID tokens, but no c_hash.
		requires: []requirement{{"c_hash", ".+"}},
	},
	{
		name: "vault",
		form: "https://HOST:8200/v1/identity/oidc/provider/NAME",
		is:   isPath(`/v1/(.+/)?identity/oidc(/provider/[^/]+)?`),
		gate: groupGate("groups"),
	},
	{
		name: "forgerock",
		form: "https://HOST/am/oauth2/realms/root/realms/REALM",
		is:   isPath(`/(am|openam|sso)/oauth2(/realms/.+)?`),
		gate: groupGate("groups"),
		// Access tokens have the form of ID tokens, and the client as their audience.
		requires: []requirement{{"tokenName", "id_token"}},
	},
	{
		name: "wso2",
		form: "https://HOST/oauth2/token",
		is:   isPath(`(/t/[^/]+)?/oauth2/token`),
		gate: groupGate("groups"),
	},
	{
		name:      "nextcloud",
		form:      "https://HOST",
		gate:      groupGate("groups"),
		discovery: nextcloudDiscovery,
	},
}

// workloads are providers of jobs, pods and machines. No token of theirs has email_verified.
var workloads = []provider{
	{
		name:    "github-actions",
		slashes: true,
		issuer:  "https://token.actions.githubusercontent.com",
		form:    "https://token.actions.SUBDOMAIN.ghe.com or https://HOST/_services/token",
		is:      isGitHub,
		gate: gate{
			flag:    "owner",
			asks:    "Owner of the repositories on GitHub, or better its ID, a number",
			claim:   "repository_owner",
			numeric: "repository_owner_id",
		},
	},
	{
		name:          "gitlab-ci",
		slashes:       true,
		issuer:        "https://gitlab.com",
		form:          "https://HOST",
		manyAudiences: true,
		gate: gate{
			flag:    "group",
			asks:    "Group of the projects on GitLab, its path, or better its ID, a number",
			claim:   "namespace_path",
			numeric: "namespace_id",
		},
	},
	{
		name: "bitbucket",
		form: "https://api.bitbucket.org/2.0/workspaces/WORKSPACE/pipelines-config/identity/oidc",
		is:   isHostPattern(`api\.bitbucket\.org`),
		gate: gate{
			flag:  "project",
			asks:  "UUID of the repository on Bitbucket, with its braces",
			claim: "repositoryUuid",
		},
	},
	{
		name:    "circleci",
		slashes: true,
		form:    "https://oidc.circleci.com/org/ORGANIZATION_ID",
		is:      isHostPattern(`oidc\.circleci\.com`),
		gate: gate{
			flag:  "project",
			asks:  "Project ID of CircleCI",
			claim: "oidc.circleci.com/project-id",
		},
	},
	{
		name:          "kubernetes",
		form:          "https://oidc.eks.REGION.amazonaws.com/id/CLUSTER_ID",
		is:            isKubernetes,
		manyAudiences: true,
		gate: subjectGate("Service account that gets access, such as " +
			"system:serviceaccount:NAMESPACE:NAME"),
	},
	{
		name:          "spiffe",
		slashes:       true,
		form:          "https://HOST, the jwt_issuer of SPIRE",
		algorithms:    []string{"ES256", "RS256"},
		manyAudiences: true,
		gate: subjectGate("SPIFFE ID that gets access, such as " +
			"spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME"),
	},
	{
		name:   "hcp-terraform",
		issuer: "https://app.terraform.io",
		gate:   ownerGate("Organisation on HCP Terraform", "terraform_organization_name"),
	},
	{
		name:    "buildkite",
		slashes: true,
		issuer:  "https://agent.buildkite.com",
		gate:    ownerGate("Organisation on Buildkite, its slug", "organization_slug"),
	},
	{
		name:    "codefresh",
		slashes: true,
		issuer:  "https://oidc.codefresh.io",
		gate:    ownerGate("Account ID on Codefresh", "account_id"),
	},
	{
		name:   "pulumi",
		issuer: "https://api.pulumi.com/oidc",
		gate:   ownerGate("Organisation on Pulumi Cloud", "org"),
	},
	{
		name:   "vercel",
		issuer: "https://oidc.vercel.com",
		gate:   ownerGate("Team ID on Vercel, such as team_…", "owner_id"),
	},
}

// groupGate is a gate on a claim that lists the user's groups.
func groupGate(claim string) gate {
	return gate{
		flag:  "group",
		asks:  "Group whose members get access, as in the claim " + claim,
		claim: claim,
	}
}

// subjectGate is a gate on one subject. A * at the end of the answer matches any rest.
func subjectGate(asks string) gate { return gate{flag: "subject", asks: asks, claim: "sub"} }

func ownerGate(asks, claim string) gate { return gate{flag: "owner", asks: asks, claim: claim} }

// isHost recognises host names that end with one of these suffixes.
func isHost(ends ...string) func(*url.URL) bool {
	return func(issuer *url.URL) bool {
		return slices.ContainsFunc(ends, func(end string) bool {
			return strings.HasSuffix(issuer.Hostname(), end)
		})
	}
}

// isHostPattern recognises host names by a pattern for the whole name.
func isHostPattern(pattern string) func(*url.URL) bool {
	whole := wholePattern(pattern)
	return func(issuer *url.URL) bool { return whole().MatchString(issuer.Hostname()) }
}

// isPath recognises paths by a pattern for the whole path, for programs that can run on any host.
func isPath(pattern string) func(*url.URL) bool {
	whole := wholePattern(pattern)
	return func(issuer *url.URL) bool { return whole().MatchString(issuer.Path) }
}

// wholePattern compiles a pattern for a whole text when it is first used. The list of providers is
// made at every start of the program, so compiling all patterns then would take too long.
func wholePattern(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	})
}

func isCognito(issuer *url.URL) bool {
	return strings.HasPrefix(issuer.Hostname(), "cognito-idp.") &&
		isHost(".amazonaws.com", ".amazonaws.com.cn")(issuer)
}

// isGitHub also recognises the issuers of enterprises: by their name after the shared issuer, with
// data residency, and on their own servers.
func isGitHub(issuer *url.URL) bool {
	host := issuer.Hostname()
	return host == "token.actions.githubusercontent.com" ||
		strings.HasPrefix(host, "token.actions.") && strings.HasSuffix(host, ".ghe.com") ||
		issuer.Path == "/_services/token"
}

// isKubernetes recognises the clusters of EKS, GKE and AKS, and all other clusters by the default
// name of kubeadm.
func isKubernetes(issuer *url.URL) bool {
	host := issuer.Hostname()
	return strings.HasPrefix(host, "oidc.eks.") ||
		host == "container.googleapis.com" ||
		strings.HasSuffix(host, ".oic.prod-aks.azure.com") || host == "oidc.prod-aks.azure.com" ||
		host == "kubernetes.default.svc" || strings.HasPrefix(host, "kubernetes.default.svc.")
}

// b2cDiscovery returns the address of the discovery document for a policy of Azure AD B2C.
func b2cDiscovery(issuer *url.URL, policy string) string {
	name, _, _ := strings.Cut(issuer.Hostname(), ".")
	return "https://" + issuer.Host + "/" + name + ".onmicrosoft.com/" + url.PathEscape(policy) +
		"/v2.0" + wellKnown
}

// nextcloudDiscovery returns the address at which Nextcloud's OpenID Connect app has the document.
func nextcloudDiscovery(issuer *url.URL, _ string) string {
	return strings.TrimSuffix(issuer.String(), "/") + "/index.php/apps/oidc/openid-configuration"
}

// providerNamed returns the provider of a name; nil if there is none.
func providerNamed(name string) *provider {
	n := slices.IndexFunc(providers, func(p provider) bool { return p.name == name })
	if n < 0 {
		return nil
	}
	return &providers[n]
}

// ProviderNames are the names that init takes for --provider.
func ProviderNames() (names []string) {
	for _, p := range providers {
		names = append(names, p.name)
	}
	return names
}

// recognised returns the providers to which an issuer may belong.
func recognised(issuer string) (found []*provider) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	for n := range providers {
		p := &providers[n]
		if p.issuer == issuer && issuer != "" || p.is != nil && p.is(u) {
			found = append(found, p)
		}
	}
	return found
}

// requirement turns the answer to the gate's question into a required claim.
func (g gate) requirement(answer string) requirement {
	claim := g.claim
	if g.numeric != "" && digits().MatchString(answer) {
		claim = g.numeric
	}
	return requirement{claim, g.prefix + orRest(answer) + g.suffix}
}

var digits = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[0-9]+\z`)
})
