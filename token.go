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

// Issuer is an OpenID provider whose ID tokens are accepted, and how its keys are found. Exactly
// one source is used: SharedSecret, JWKS, JWKSURL, or, if none is set, OpenID Connect discovery
// below URL or at DiscoveryURL.
//
// A key that the issuer publishes with a member issuer, as Entra does, verifies only tokens whose
// iss equals it, its placeholder filled with the token's tid or TenantClaim.
//
// Some issuers are shared by strangers: anybody gets tokens of github.com's or gitlab.com's CI, of
// Google, or of Entra's common endpoint, with an audience that is yours. Such an issuer needs a
// gate: RequiredClaims here or in each target that takes it, or one of the ready-made rules
// [AllowEmailDomains], [AllowConnections] and [RoleByClaim]. Without one [New] warns in the log,
// and so do Check and Explain.
type Issuer struct {
	// URL is the exact iss claim, trailing slash included. It is https unless AllowLoopbackHTTP or
	// InsecureHTTPHosts allow its host.
	// For a provider that has an issuer for each of its tenants it can have one placeholder, in
	// braces, which is a whole segment of the path or the first label of the host. Entra's is
	// https://login.microsoftonline.com/{tenantid}/v2.0. Tenants then says whose tokens count.
	URL string
	// Aliases are further iss claims of the same issuer, for a provider whose tokens have one or
	// the other. Subjects are the same under each, and rules and events get URL. An alias is
	// compared exactly. It is an https URL, or URL without https://: Google's tokens can have
	// accounts.google.com. The discovery document may name one, too. Empty: none.
	Aliases []string
	// Tenants are those whose tokens count, where URL has a placeholder. iss must be URL with one
	// of them, and TenantClaim must name the same one. Tenants of a path are up to 128 letters,
	// digits, - and _, those of a host one label in lower case, and those of the claim tid GUIDs in
	// lower case: a tenant that is a domain at Entra has such an ID too. Each tenant is an issuer
	// of its own to rules, events and Target.Issuers, which may also name URL for all of them; see
	// there for the subjects of several. Each has keys of its own below its URL, unless
	// DiscoveryURL, JWKSURL or JWKS have the keys of all.
	Tenants []string
	// UnsafeAnyTenant accepts the tokens of every tenant in place of a list: anybody can open a
	// tenant, and all that its administrator writes into a token is accepted. RequiredClaims or
	// rules must say who may come in; until they do, New, Check and Explain warn. It needs
	// DiscoveryURL, JWKSURL or JWKS.
	UnsafeAnyTenant bool
	// TenantClaim is the claim that names the tenant in a token, compared exactly. Empty: tid, as
	// Entra has it. A name other than tid takes tenants that are no GUIDs.
	TenantClaim string

	// Algorithms are those that the issuer may sign with: RS, PS and ES with 256, 384 or 512, and
	// EdDSA, which is Ed25519 (RFC 9864) and no other curve. HS256 is for secrets: ClientSecrets
	// allow it next to these, whether it is listed or not. Empty: RS256, or HS256 with
	// SharedSecret.
	Algorithms []string

	// JWKS is a static key set (RFC 7517) as JSON. Nothing is fetched.
	JWKS []byte
	// JWKSURL is where the key set is. Discovery is skipped.
	JWKSURL string
	// DiscoveryURL is where the discovery document is, if that is not URL with
	// /.well-known/openid-configuration after it: one of an Azure AD B2C policy, or of an Entra
	// application with keys of its own (…?appid=CLIENT_ID). The issuer that the document names
	// must be URL, placeholder included, or one of Aliases. Empty: below URL.
	DiscoveryURL string

	// SharedSecret makes this an issuer that signs with HS256 and nothing else, for an issuer of
	// one client. It has at least 32 bytes. Anyone who can verify such tokens can also make them,
	// so prefer RS256. For several clients, and next to published keys, use ClientSecrets.
	SharedSecret Secret
	// SharedSecretBase64URL says that SharedSecret is written as base64url, and that the decoded
	// bytes are the secret. See [ClientSecret].
	SharedSecretBase64URL bool
	// ClientSecrets are the secrets of clients whose ID tokens the issuer signs with HS256, by
	// client ID: legacy clients of Auth0, web channels of LINE. Each client is bound to one kind of
	// key. Tokens of a client that is listed are signed with its secret, and are for this client
	// alone: aud is its ID, and azp is that or absent. Otherwise they are refused with
	// [CodeClaimSecretAudience]. Tokens of all other clients are signed with keys that the issuer
	// publishes, and with one of Algorithms. If Algorithms is HS256 alone, there are no such
	// clients, and nothing is fetched. Empty: no client has a secret.
	ClientSecrets map[string]ClientSecret

	// AllowLoopbackHTTP allows plain http to 127.0.0.0/8, ::1 and localhost. It is for tests.
	AllowLoopbackHTTP bool
	// InsecureHTTPHosts are hosts to which plain http is allowed, for URL, DiscoveryURL, JWKSURL
	// and the jwks_uri of the discovery document: in lower case, with the port unless that is 80,
	// such as keycloak:8080. Anyone between here and such a host can replace the keys, and so sign
	// in as anybody: name hosts inside your own network only. Empty: none.
	InsecureHTTPHosts []string
	// DocumentOrigins are https origins of this issuer's documents besides those of URL,
	// DiscoveryURL and JWKSURL, such as https://10.0.0.10:6443: without a path, in lower case, with
	// the port unless that is 443. The discovery document may then lead to one by bare IP address,
	// as those of kubeadm and OpenShift do, and BearerTokenFile is sent there. Empty: none.
	DocumentOrigins []string
	// CAFile has the certificates of CAs in PEM: only those count for the TLS servers of this
	// issuer's documents, in place of the system's. New reads it. Empty: the system's, which
	// SSL_CERT_FILE and SSL_CERT_DIR change.
	CAFile string
	// BearerTokenFile has a token for documents behind authentication, such as those of Kubernetes:
	// one line of at most 16 KiB. It is read for each request, so it may be replaced, and sent over
	// https only, to the origins of URL, DiscoveryURL and JWKSURL and to DocumentOrigins. Where a
	// document leads elsewhere, or a redirect, it is not sent. Empty: none.
	BearerTokenFile string
	// HTTPClient fetches this issuer's documents. Redirects are refused whatever it says. It
	// excludes CAFile. nil: Config.HTTPClient.
	HTTPClient *http.Client

	// ClientAudiences name the audience that is the client, for an issuer whose ID tokens have
	// several audiences and no azp, as those of GitLab and Kubernetes can. Exactly one audience of
	// the token must be among them. Tokens with one audience, or with an azp, do not need it.
	// Empty: tokens with several audiences and no azp are refused.
	ClientAudiences []string
	// AllowTokenMarks are claims that this issuer's ID tokens have although elsewhere they mark
	// other kinds of tokens: typ, token_use, idtyp, appidacr, azpacr, scp, cnf, events. A token
	// with one that is not listed is refused, so that an access token does not pass for an ID
	// token. A listed claim is not looked at. Empty: none.
	AllowTokenMarks []string

	// EmailVerifiedText says that email_verified counts as true if it is the text "true", and as
	// false if it is "false": Apple writes it so, also through Auth0 and Amazon Cognito. Rules and
	// mappings then see the boolean. Without it a text counts as nothing.
	EmailVerifiedText bool
	// EntraVerifiedEmail says that an address in email is verified if xms_edov is true, 1 or "1",
	// and email_verified is absent. It is an optional claim of Microsoft Entra, which has no
	// email_verified: Entra sets it if the owner of the address's domain has verified it. Rules and
	// mappings then see email_verified as true.
	EntraVerifiedEmail bool
	// VerifiedEmailDomains are domains whose addresses in email are verified by this issuer, if
	// email_verified is absent: those that an Entra tenant has verified. Case does not matter, and
	// a subdomain must be listed itself. Rules and mappings then see email_verified as true. New
	// refuses it for several tenants, and for issuers that strangers share. Empty: none.
	VerifiedEmailDomains []string

	// RequiredClaims are what every token of this issuer must say: a claim, or a dotted path as
	// [User.Value] reads it, and regular expressions (RE2) of which one must match the whole value.
	// They are checked on the token's own claims, before profile loader and rules. A claim that is
	// absent, null or no text is refused with [CodeRequiredClaim]; numbers and booleans count as
	// text, and of a list one entry must match. Examples: hd of Google, repository_owner of GitHub,
	// namespace_path of GitLab, tid of Entra, groups. Empty: nothing is required.
	RequiredClaims map[string][]string
	// AccessTokens accepts access tokens of this issuer next to its ID tokens. nil: access tokens
	// are refused.
	AccessTokens *AccessTokens

	// GatedByRules says that rules of your own choose which users of this issuer are let in, or
	// that all of them are. It silences the warning of New, Check and Explain about an issuer that
	// strangers share, and changes nothing else.
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
				"(HS256 is for SharedSecret, and nothing else is, and for ClientSecrets)",
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
