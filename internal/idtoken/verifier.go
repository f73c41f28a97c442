package idtoken

import (
	"cmp"
	"context"
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// Config is what all issuers of a [Verifier] share. The caller has checked it; only Client may be
// nil.
type Config struct {
	// MaxSize is how many bytes a token may have.
	MaxSize int
	// Leeway is for clocks that differ, in exp, iat and nbf.
	Leeway time.Duration
	Now    func() time.Time
	// Memory is for verified tokens, in bytes. Zero: 16 MiB. Negative: none is remembered.
	Memory int
	// Client fetches published keys; nil: a new one. Redirects are refused whatever it says.
	Client *http.Client
	// RefreshFailed hears of each fetch of an issuer's keys that failed, and why: an [*Error]. It
	// runs on the fetch's goroutine.
	RefreshFailed func(issuer string, err error)
}

// Issuer is a provider whose ID tokens are accepted. The caller has checked it: its URLs, that no
// two issuers take the same iss, and that no more than one source of keys is set. If none is, they
// are found by OpenID Connect discovery below URL.
type Issuer struct {
	// URL is the exact iss claim, or the text of Template.
	URL string
	// Aliases are further iss claims of the same issuer.
	Aliases []string
	// Template has an iss for each of its tenants. nil: URL is one issuer.
	Template *Template
	// Tenants are those of Template that are accepted. Empty: any, and the keys are then not found
	// below URL.
	Tenants []string
	// TenantClaim is the claim that names the tenant.
	TenantClaim string
	// Algorithms are those that it may sign with: some of [Algorithms], or HS256 alone with a
	// SharedSecret.
	Algorithms []string

	// SharedSecret reveals the secret. It is a function, because fmt prints the fields of structs.
	SharedSecret func() string
	// ClientSecrets reveal the secrets of those clients whose tokens are signed with HS256, by
	// client ID. Tokens of all other clients are signed with published keys, unless HS256 is all of
	// Algorithms: then there are none.
	ClientSecrets map[string]func() string
	// KeySet is static: nothing is fetched.
	KeySet *KeySet
	// KeySetURL is where the key set is published.
	KeySetURL string
	// DiscoveryURL is where the discovery document is, if it is not below URL. It names URL or one
	// of Aliases as its issuer.
	DiscoveryURL string
	// Allowed says where discovery may lead.
	Allowed document.Allowed
	// Client fetches the issuer's documents. nil: Config.Client.
	Client *http.Client
	// Access tells Client and Bearer from others: issuers with the same text fetch documents in the
	// same way.
	Access string
	// Before is an earlier Verifier. If it finds and fetches the issuer's published keys in the
	// same way, this one continues to use them, with all that is known of them. nil: none.
	Before *Verifier
	// Bearer returns the bearer token for documents that require authentication. It is sent over
	// https only, and only to the origins of the configured URLs and to Allowed.Origins. nil: none.
	Bearer func() (string, error)

	// Marks are those of [TokenMarks] that its ID tokens may bear.
	Marks []string
	// Clients are the audiences that may be the client of a token with several and no azp.
	Clients []string
	// AccessTokens are accepted next to ID tokens. nil: none is.
	AccessTokens *AccessTokens
}

// Verifier verifies the tokens of its issuers. It is safe for concurrent use and keeps no
// goroutine while it is not used.
type Verifier struct {
	config    Config
	issuers   map[string]*issuer   // by iss
	templates []*issuer            // those that accept any tenant
	names     map[string][]string  // of the sources of keys, by Issuer.URL
	sources   map[string]keySource // by name
	headers   *headers
	memo      *memo
}

// keySource has keys, and the algorithms that they may be used with.
type keySource struct {
	keyFinder
	algorithms []string // those that may be used with the keys
}

// issuer is an Issuer with its keys ready to be found, as far as it concerns tokens of one iss.
type issuer struct {
	name, entry    string // as in Claims
	listed         string // name, or entry where the token chooses the tenant
	template       *Template
	tenant         string // whose iss it is, by the template; empty: the issuer has no tenants
	tenantClaim    string
	tenantNames    names // tenantClaim alone
	algorithms     []string
	keys           keyFinder
	secrets        clientSecrets // nil: no client has one
	marks, clients []string      // as in Issuer
	access         *access       // nil: no access tokens
}

// New makes a Verifier. It makes no request.
func New(c Config, issuers []Issuer) *Verifier {
	c.Client = document.Client(c.Client)
	v := &Verifier{
		config:  c,
		issuers: map[string]*issuer{},
		names:   map[string][]string{},
		sources: map[string]keySource{},
		headers: &headers{},
		memo:    newMemo(cmp.Or(c.Memory, defaultMemory)),
	}
	for _, i := range issuers {
		v.add(i)
	}
	return v
}

// add makes one of the issuers ready for each iss that it accepts.
func (v *Verifier) add(i Issuer) {
	by := &issuer{
		name:        i.URL,
		entry:       i.URL,
		listed:      i.URL,
		template:    i.Template,
		tenantClaim: i.TenantClaim,
		tenantNames: namesOf(i.TenantClaim),
		marks:       i.Marks,
		clients:     i.Clients,
		access:      newAccess(i.AccessTokens),
	}
	v.headers.accept(by.access)
	for _, name := range i.Algorithms {
		by.algorithms = append(by.algorithms, CanonicalAlgorithm(name))
	}
	for client, secret := range i.ClientSecrets {
		if by.secrets == nil {
			by.secrets = clientSecrets{}
		}
		by.secrets[client] = secret
	}
	sources := i.keySources()
	v.names[i.URL] = sources
	for _, source := range sources {
		v.sources[source] = keySource{v.keysOf(i, source), by.algorithms}
	}
	by.keys = v.sources[sources[0]].keyFinder
	if i.Template == nil {
		for _, iss := range append([]string{i.URL}, i.Aliases...) {
			v.issuers[iss] = by
		}
		return
	}
	if len(i.Tenants) == 0 {
		v.templates = append(v.templates, by)
	}
	for n, tenant := range i.Tenants {
		if len(sources) > 1 {
			by.keys = v.sources[sources[n]].keyFinder
		}
		listed := by.of(tenant)
		listed.listed = listed.name
		v.issuers[listed.name] = listed
	}
}

// of returns the issuer for tokens of a tenant.
func (i *issuer) of(tenant string) *issuer {
	one := *i
	one.name = i.template.Fill(tenant)
	one.tenant = tenant
	return &one
}

// keySources names the sources of the issuer's keys: its URL, or the URL of each tenant if each has
// its own keys.
func (i Issuer) keySources() []string {
	shared := i.SharedSecret != nil || i.KeySet != nil || i.KeySetURL != "" || i.DiscoveryURL != ""
	if i.Template == nil || shared || len(i.Tenants) == 0 {
		return []string{i.URL}
	}
	var sources []string
	for _, tenant := range i.Tenants {
		sources = append(sources, i.Template.Fill(tenant))
	}
	return sources
}

// discoveryURL is where the discovery document of a source is (OpenID Connect Discovery §4.1).
func (i Issuer) discoveryURL(source string) string {
	below := strings.TrimSuffix(source, "/") + wellKnown
	return cmp.Or(i.DiscoveryURL, below)
}

// keysOf makes the finder of keys of one of the issuer's sources.
func (v *Verifier) keysOf(i Issuer, source string) keyFinder {
	switch {
	case i.SharedSecret != nil:
		return sharedSecret(i.SharedSecret)
	case i.ClientSecrets != nil && slices.Equal(i.Algorithms, []string{hs256}):
		return clientSecrets(nil)
	case i.KeySet != nil:
		return i.KeySet
	}
	r := &remoteKeys{
		issuer:        source,
		aliases:       i.Aliases,
		url:           i.KeySetURL,
		discoveryURL:  i.discoveryURL(source),
		allowed:       i.Allowed,
		client:        v.config.Client,
		bearer:        i.Bearer,
		access:        i.Access,
		now:           v.config.Now,
		refreshFailed: v.config.RefreshFailed,
		allowance:     allowance{atOnce: refreshesAtOnce, every: refreshEvery},
		refuted:       map[[sha256.Size]byte]bool{},
	}
	if i.Client != nil {
		r.client = document.Client(i.Client)
	}
	if known := i.knownBefore(r); known != nil {
		return known
	}
	return r
}

// Verify checks one raw token of a user. It makes no request before it has found the issuer among
// its own. The error is an [*Error], or that of a context which ended while keys were being
// fetched.
func (v *Verifier) Verify(ctx context.Context, raw string) (*Claims, error) {
	// The size comes first: a stranger decides how much there is to hash.
	if err := checkSize(raw, v.config.MaxSize); err != nil {
		return nil, err
	}
	return v.VerifyHashed(ctx, raw, Digest(raw))
}

// VerifyHashed is Verify of a token whose Digest the caller knows.
func (v *Verifier) VerifyHashed(
	ctx context.Context, raw string, digest [sha256.Size]byte,
) (*Claims, error) {
	return v.verifyAs(ctx, raw, digest, false)
}

// VerifyActor is Verify of the token of somebody who acts for a user. An application may do so in
// its own name: Claims.AppOnly then says so. No scopes are required of it.
func (v *Verifier) VerifyActor(
	ctx context.Context, raw string, digest [sha256.Size]byte,
) (*Claims, error) {
	return v.verifyAs(ctx, raw, digest, true)
}

func (v *Verifier) verifyAs(
	ctx context.Context, raw string, digest [sha256.Size]byte, actor bool,
) (*Claims, error) {
	token := new(compactJWS)
	if err := v.read(token, raw, digest); err != nil {
		return nil, err
	}
	by, err := v.findIssuer(token)
	if err != nil {
		return nil, token.origin("").refused(err)
	}
	claims, err := v.verify(ctx, token, by, actor)
	if err != nil {
		v.memo.forget(token.digest)
		return nil, token.origin(by.listed).refused(err)
	}
	claims.All = token.claims
	if token.remembered {
		claims.All = jsonvalue.CloneNested(token.claims, token.nested)
	} else {
		v.headers.add(token.headerText, token.header)
		v.memo.remember(token, v.config.Now(), claims.Expiry.Add(v.config.Leeway))
	}
	claims.KeyID = shortened(token.kid)
	claims.Algorithm = shortened(token.algorithm)
	return claims, nil
}

// read reads a token and its claims. The claims are unverified unless the token is remembered.
func (v *Verifier) read(token *compactJWS, raw string, digest [sha256.Size]byte) error {
	if err := checkSize(raw, v.config.MaxSize); err != nil {
		return err
	}
	if !v.memo.recall(token, raw, digest) {
		if err := token.parse(raw, v.config.MaxSize, v.headers); err != nil {
			return err
		}
		token.digest = digest
	}
	if token.claims != nil {
		return nil
	}
	claims, err := parseObject("payload", token.payload, "claim", decidingClaims)
	if err != nil {
		return token.origin("").refused(err)
	}
	token.claims = claims
	if token.remembered {
		token.nested = jsonvalue.Nested(claims)
		v.memo.keepClaims(token)
	}
	return nil
}

// findIssuer finds the issuer of a token's claims. It notes the claims that say which tenant's or
// client's key has signed the token.
func (v *Verifier) findIssuer(token *compactJWS) (by *issuer, err error) {
	token.iss, err = stringClaim(token.claims, "iss")
	if err != nil {
		return nil, err
	}
	by, err = v.issuer(token.iss)
	if err != nil {
		return nil, err
	}
	token.tenant, _ = token.claims[by.tenantClaim].(string)
	if by.secrets == nil { // no key is one client's
		return by, nil
	}
	if audience, err := audienceClaim(token.claims["aud"]); err == nil && len(audience) == 1 {
		token.audience = audience[0]
	}
	return by, nil
}

// verify checks a token whose issuer was found.
func (v *Verifier) verify(
	ctx context.Context, token *compactJWS, by *issuer, actor bool,
) (*Claims, error) {
	all := token.claims
	if err := by.access.checkType(token.typ); err != nil {
		return nil, err
	}
	if err := token.verifySignature(ctx, by); err != nil {
		return nil, err
	}
	if err := by.checkTenant(all); err != nil {
		return nil, err
	}
	claims, err := v.readClaims(token, by, actor)
	if err != nil {
		return nil, err
	}
	if err := by.checkBound(token.algorithm, claims); err != nil {
		return nil, err
	}
	claims.Entry = by.entry
	return claims, nil
}

// readClaims checks the claims by the kind of the token.
func (v *Verifier) readClaims(token *compactJWS, by *issuer, actor bool) (*Claims, error) {
	all := token.claims
	now := v.config.Now()
	if by.access.isOne(token.typ, all) {
		return by.checkAccess(all, actor, now, v.config.Leeway)
	}
	// The kind comes first: the claims of another kind of token have other meanings.
	if err := checkKind(all, by.marks); err != nil {
		return nil, err
	}
	return checkClaims(by.name, all, by.clients, now, v.config.Leeway)
}

// VerifySignature checks a token's form, algorithm and signature as Verify does, and not its
// claims: third-party test vectors have payloads that are not claims.
func (v *Verifier) VerifySignature(ctx context.Context, iss, raw string) error {
	token := new(compactJWS)
	if err := token.parse(raw, v.config.MaxSize, v.headers); err != nil {
		return err
	}
	by, err := v.issuer(iss)
	if err != nil {
		return err
	}
	token.iss = iss
	token.digest = Digest(raw)
	return token.verifySignature(ctx, by)
}

// KeySources names the sources of an issuer's keys, by its URL. It is the only one, unless each of
// the issuer's tenants has its own keys.
func (v *Verifier) KeySources(issuer string) []string { return slices.Clone(v.names[issuer]) }

// CheckKeys tells whether one of KeySources has keys that can be used, and asks it for them as
// Verify would. Errors are those of Verify.
func (v *Verifier) CheckKeys(ctx context.Context, source string) error {
	keys, ok := v.sources[source]
	if !ok {
		return unknownIssuer(source)
	}
	if _, none := keys.keyFinder.(clientSecrets); none {
		return nil
	}
	_, _, err := keys.find(ctx, &search{})
	return err
}

// issuer finds the issuer of an iss.
func (v *Verifier) issuer(iss string) (*issuer, error) {
	if by, ok := v.issuers[iss]; ok {
		return by, nil
	}
	for _, by := range v.templates {
		if tenant, ok := by.template.Tenant(iss); ok {
			return by.of(tenant), nil
		}
	}
	return nil, unknownIssuer(iss)
}

func unknownIssuer(iss string) *Error {
	return newError(issuerUnknown, "%.200q is not a configured issuer", iss)
}

// checkTenant checks that a token names the tenant that its iss is of.
func (i *issuer) checkTenant(all map[string]any) error {
	if i.tenant == "" {
		return nil
	}
	if err := i.tenantNames.refuseLookalikes(all, "claim"); err != nil {
		return err
	}
	named, err := stringClaim(all, i.tenantClaim)
	if err != nil {
		return err
	}
	if named != i.tenant {
		return newError(issuerTenant, "iss is that of the tenant %.80q, and %s is %.80q",
			i.tenant, i.tenantClaim, named)
	}
	return nil
}
