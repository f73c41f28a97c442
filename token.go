package delegation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/idtoken"
)

// Limits of a token. The size is Config.MaxTokenSize's default and leaves room for large group
// claims.
const (
	defaultMaxTokenSize = 16 << 10
	minSharedSecret     = 32 // bytes: RFC 7518 §3.2, a key as long as HS256's output
)

// Issuer is an OpenID provider whose ID tokens are accepted, with the source of its keys. Exactly
// one source is used: SharedSecret, JWKS, JWKSURL, or, if none is set, OpenID Connect discovery
// below URL or at DiscoveryURL.
//
// If a published key has the member issuer, as Entra's keys do, it verifies only tokens whose iss
// equals it, after its placeholder is filled with the token's tid or TenantClaim.
//
// Some issuers are shared by strangers. Anyone can get a token with your audience from the CI of
// github.com or gitlab.com, from Google, or from Entra's common endpoint. Such an issuer needs a
// gate: RequiredClaims here or in each target that accepts it, or one of the ready-made rules
// [AllowEmailDomains], [AllowConnections] and [RoleByClaim]. Without a gate, [New] logs a warning,
// and Check and Explain report it. With UnsafeAnyTenant, fewer of these are gates.
type Issuer struct {
	// URL is the exact iss claim, trailing slash included. It is https unless AllowLoopbackHTTP or
	// InsecureHTTPHosts allow its host. For a provider that has an issuer for each of its tenants
	// it can have one placeholder, in braces, which is a whole segment of the path or the first
	// label of the host. Entra's is https://login.microsoftonline.com/{tenantid}/v2.0. Tenants then
	// lists the accepted tenants.
	URL string
	// Aliases are further values of iss of the same issuer, for a provider that uses more than one.
	// Subjects must be the same under each. Rules and events get URL. An alias is compared exactly.
	// It is an https URL, or URL without https://: Google's tokens can have accounts.google.com.
	// The discovery document may name an alias as well. Empty: none.
	Aliases []string
	// Tenants are the accepted tenants, if URL has a placeholder. iss must be URL with one of them
	// filled in, and TenantClaim must name the same one. A tenant in a path has up to 128 letters,
	// digits, - and _. A tenant in a host is one lowercase label. For the claim tid, tenants are
	// lowercase GUIDs; Entra shows the GUID of a tenant that has a domain name. Rules, events and
	// Target.Issuers treat each tenant as a separate issuer. Target.Issuers may also list URL for
	// all of them; see there for targets of several issuers. Each tenant has its own keys below its
	// URL, unless DiscoveryURL, JWKSURL or JWKS have the keys of all.
	Tenants []string
	// UnsafeAnyTenant accepts the tokens of every tenant, in place of a list. Anyone can open a
	// tenant, and its administrator chooses the content of its tokens. RequiredClaims or rules must
	// restrict who is let in; until they do, New, Check and Explain warn. Of the claims, only
	// TenantClaim is a gate: others, such as groups, are what the administrator writes. It requires
	// DiscoveryURL, JWKSURL or JWKS.
	UnsafeAnyTenant bool
	// TenantClaim is the claim that names the tenant in a token, compared exactly. Empty: tid, as
	// in Entra's tokens. With any other claim, tenants need not be GUIDs.
	TenantClaim string

	// Algorithms are the accepted signature algorithms: RS, PS and ES with 256, 384 or 512, and
	// EdDSA, of which only Ed25519 (RFC 9864). HS256 is for secrets: ClientSecrets enable it in
	// addition to these, whether it is listed or not. Empty: RS256, or HS256 with SharedSecret.
	Algorithms []string

	// JWKS is a static key set (RFC 7517) as JSON. Nothing is fetched.
	JWKS []byte
	// JWKSURL is the URL of the key set. There is no discovery.
	JWKSURL string
	// DiscoveryURL is the URL of the discovery document, if it is not URL followed by
	// /.well-known/openid-configuration. Examples are an Azure AD B2C policy, and an Entra
	// application with its own keys (…?appid=CLIENT_ID). The issuer that the document names must be
	// URL, placeholder included, or one of Aliases. Empty: below URL.
	DiscoveryURL string

	// SharedSecret is the secret of an issuer that signs only with HS256 and has one client. It has
	// at least 32 bytes. Anyone who can verify such tokens can also make them, so prefer RS256. For
	// several clients, or in addition to published keys, use ClientSecrets.
	SharedSecret Secret
	// SharedSecretBase64URL says that SharedSecret is in base64url, and that the decoded bytes are
	// the secret. See [ClientSecret].
	SharedSecretBase64URL bool
	// ClientSecrets are the secrets of clients whose ID tokens the issuer signs with HS256, by
	// client ID. Examples are legacy clients of Auth0 and web channels of LINE. Tokens of a listed
	// client must be signed with its secret and be for this client alone: aud is its ID, and azp is
	// the same or absent. Otherwise they are refused with [CodeClaimSecretAudience]. Tokens of all
	// other clients must be signed with published keys and one of Algorithms. If Algorithms is only
	// HS256, there are no other clients, and no keys are fetched. Empty: no client has a secret.
	ClientSecrets map[string]ClientSecret

	// AllowLoopbackHTTP allows plain http to 127.0.0.0/8, ::1 and localhost, for tests.
	AllowLoopbackHTTP bool
	// InsecureHTTPHosts are hosts to which plain http is allowed, for URL, DiscoveryURL, JWKSURL
	// and the jwks_uri of the discovery document. Write them in lower case, with the port unless it
	// is 80, such as keycloak:8080. Anyone on the network path to such a host can replace the keys
	// and then sign in as any user: list only hosts in your own network. Empty: none.
	InsecureHTTPHosts []string
	// DocumentOrigins are further https origins of this issuer's documents, in addition to those of
	// URL, DiscoveryURL and JWKSURL. Write them without a path, in lower case, with the port unless
	// it is 443, such as https://10.0.0.10:6443. The discovery document may then use a bare IP
	// address, as those of kubeadm and OpenShift do, and BearerTokenFile is sent there. Empty:
	// none.
	DocumentOrigins []string
	// CAFile is a PEM file of CA certificates. Only these are trusted for the TLS servers of this
	// issuer's documents, in place of the system's. New reads it. Empty: the system's CAs, which
	// SSL_CERT_FILE and SSL_CERT_DIR change.
	CAFile string
	// BearerTokenFile is a file with a bearer token for documents that require authentication, such
	// as those of Kubernetes: one line of at most 16 KiB. It is read for each request, so it may be
	// replaced. The token is sent only over https, and only to DocumentOrigins and the origins of
	// URL, DiscoveryURL and JWKSURL. It is not sent to other URLs that a document names, or to
	// redirects. Empty: none.
	BearerTokenFile string
	// HTTPClient fetches this issuer's documents. It never follows redirects, whatever its
	// CheckRedirect says. It excludes CAFile. nil: Config.HTTPClient.
	HTTPClient *http.Client

	// ClientAudiences are audiences that identify the client, for an issuer whose ID tokens can
	// have several audiences and no azp, such as GitLab and Kubernetes. Exactly one audience of the
	// token must be listed. Tokens with one audience, or with an azp, do not need it. Empty: tokens
	// with several audiences and no azp are refused.
	ClientAudiences []string
	// AllowTokenMarks are claims that this issuer's ID tokens have, although for other issuers they
	// mark other kinds of tokens: typ, token_use, idtyp, appidacr, azpacr, scp, cnf, events. A
	// token with such a claim is refused unless it is listed, so that an access token does not pass
	// for an ID token. A listed claim is not checked. Empty: none.
	AllowTokenMarks []string

	// EmailVerifiedText reads the strings "true" and "false" in email_verified as booleans. Apple's
	// tokens have strings, also through Auth0 and Amazon Cognito. Rules and mappings then get the
	// boolean. Without it, a string means that the address is not verified.
	EmailVerifiedText bool
	// EntraVerifiedEmail treats email as verified if xms_edov is true, 1 or "1", and email_verified
	// is absent. xms_edov is an optional claim of Microsoft Entra, which has no email_verified:
	// Entra sets it if the owner of the address's domain has verified the domain. Rules and
	// mappings then get email_verified as true.
	EntraVerifiedEmail bool
	// VerifiedEmailDomains are domains whose addresses in email count as verified if email_verified
	// is absent, such as the domains that an Entra tenant has verified. Case does not matter, and a
	// subdomain must be listed itself. Rules and mappings then get email_verified as true. New
	// refuses it for several tenants, and for issuers that strangers share. Empty: none.
	VerifiedEmailDomains []string

	// RequiredClaims are claims that every token of this issuer must have. The key is a claim, or a
	// dotted path as in [User.Value]. The values are regular expressions (RE2), of which one must
	// match the whole value. Only the token's own claims are checked, before the profile loader and
	// the rules run. Numbers and booleans are compared as text, and of a list one entry must match.
	// A token whose claim is absent, null, of another type or does not match is refused with
	// [CodeRequiredClaim]. Examples: hd of Google, repository_owner of GitHub, namespace_path of
	// GitLab, tid of Entra, groups. Empty: nothing is required.
	RequiredClaims map[string][]string
	// AccessTokens accepts access tokens of this issuer in addition to its ID tokens. nil: access
	// tokens are refused.
	AccessTokens *AccessTokens

	// GatedByRules says that your own rules decide which users of this issuer are let in, or that
	// all users are meant to be let in. It only turns off the warning of New, Check and Explain
	// about an issuer that strangers share.
	GatedByRules bool
}

// compile checks an issuer, and returns it as the verifier takes it and what it requires of tokens,
// or everything that New refuses in it.
//
// shared is the HTTP client of all issuers; nil: a new one.
func (i Issuer) compile(shared *http.Client) (idtoken.Issuer, []requiredClaim, error) {
	var problems problems
	i.checkNames(&problems)
	i.checkOneSource(&problems)
	i.checkSecrets(&problems)
	required, err := compileClaims(i.RequiredClaims, "issuer")
	if err != nil {
		problems.add("%w", err)
	}
	i.checkLists(&problems)
	i.checkVerifiedEmail(&problems)
	algorithms := i.algorithms(&problems)
	compiled := idtoken.Issuer{
		URL:          i.URL,
		Aliases:      slices.Clone(i.Aliases),
		Template:     i.template(),
		Tenants:      slices.Clone(i.Tenants),
		TenantClaim:  i.tenantClaim(),
		DiscoveryURL: i.DiscoveryURL,
		Algorithms:   algorithms,
		KeySetURL:    i.JWKSURL,
		Marks:        slices.Clone(i.AllowTokenMarks),
		Clients:      slices.Clone(i.ClientAudiences),
		AccessTokens: i.AccessTokens.compile(&i, &problems),
	}
	i.setKeys(&compiled, &problems)
	i.setDocuments(&compiled, shared, &problems)
	return compiled, required, errors.Join(problems...)
}

// checkOneSource checks that at most one source of keys is set.
func (i Issuer) checkOneSource(problems *problems) {
	sources := 0
	for _, set := range []bool{i.SharedSecret.Reveal() != "", len(i.JWKS) > 0, i.JWKSURL != ""} {
		if set {
			sources++
		}
	}
	if sources > 1 {
		problems.add("set only one of JWKS, JWKSURL and SharedSecret")
	}
	if sources > 0 && i.DiscoveryURL != "" {
		problems.add("DiscoveryURL has no effect with Issuer.JWKS, Issuer.JWKSURL or " +
			"Issuer.SharedSecret")
	}
}

func (i Issuer) checkLists(problems *problems) {
	if slices.Contains(i.ClientAudiences, "") {
		problems.add("ClientAudiences has an empty entry")
	}
	known := idtoken.TokenMarks()
	for _, name := range i.AllowTokenMarks {
		if !slices.Contains(known, name) {
			problems.add("AllowTokenMarks: %.40q is none of %s", name, strings.Join(known, ", "))
		}
	}
}

// algorithms are those that the issuer may sign with, the default if it names none.
func (i Issuer) algorithms(problems *problems) []string {
	allowed := idtoken.Algorithms()
	if i.SharedSecret.Reveal() != "" {
		allowed = []string{hs256}
	}
	if len(i.ClientSecrets) > 0 {
		allowed = append(allowed, hs256)
	}
	if len(i.Algorithms) == 0 {
		return i.withSecrets(allowed[:1])
	}
	for _, name := range i.Algorithms {
		if !slices.Contains(allowed, idtoken.CanonicalAlgorithm(name)) {
			problems.add("Algorithms: %.40q is none of %s "+
				"(SharedSecret takes only HS256; ClientSecrets add HS256 to the others)",
				name, strings.Join(allowed, ", "))
		}
	}
	return i.withSecrets(i.Algorithms)
}

// setKeys checks the source of the keys, and sets those that are known without a request.
func (i Issuer) setKeys(compiled *idtoken.Issuer, problems *problems) {
	i.setSecrets(compiled, problems)
	switch {
	case i.SharedSecret.Reveal() != "":
		shared := ClientSecret{i.SharedSecret, i.SharedSecretBase64URL}
		key := shared.key("SharedSecret", problems)
		compiled.SharedSecret = func() string { return key }
	case len(i.JWKS) > 0:
		keys, err := idtoken.ParseKeySet(i.JWKS)
		if err != nil {
			problems.add("JWKS: %w", tokenError(err))
		}
		compiled.KeySet = keys
	case i.JWKSURL != "":
		if err := i.allowed().Check(i.JWKSURL); err != nil {
			problems.add("JWKSURL: %w", err)
		}
	case i.DiscoveryURL != "":
		if err := i.allowed().Check(i.DiscoveryURL); err != nil {
			problems.add("DiscoveryURL: %w", err)
		}
	}
}

// verifier makes the verifier of the issuers' tokens. It makes no request.
func (c *Config) verifier(issuers []idtoken.Issuer) *idtoken.Verifier {
	logger := c.Logger
	refreshFailed := func(issuer string, err error) {
		refusal, _ := tokenError(err).(*Error) // it always is one
		logger.LogAttrs(context.Background(), refusal.level(), "issuer's keys not refreshed",
			slog.String("issuer", issuer),
			slog.String("error", refusal.Error()),
		)
	}
	return idtoken.New(idtoken.Config{
		MaxSize:       c.MaxTokenSize,
		Memory:        c.TokenMemory,
		Leeway:        c.Leeway,
		Now:           c.Now,
		Client:        c.HTTPClient,
		RefreshFailed: refreshFailed,
	}, issuers)
}

// tokenError makes the Error of what the verifier returned. It is the one place where the
// verifier's codes become ours.
func tokenError(err error) error {
	if err == nil {
		return nil
	}
	var refusal *idtoken.Error
	if !errors.As(err, &refusal) {
		return canceledAt(StageToken, err) // all other errors are the context's
	}
	e := newError(Code(refusal.Code), "%w", refusal.Err)
	if refusal.Refresh != nil {
		e.Err = fmt.Errorf("%w, and its last refresh failed: %w",
			refusal.Err, tokenError(refusal.Refresh))
	}
	e.RetryAfter = refusal.RetryAfter
	e.mistaken = refusal.Mistaken
	e.Issuer = refusal.Of.Issuer
	e.KeyID = refusal.Of.KeyID
	e.Algorithm = refusal.Of.Algorithm
	return e
}
