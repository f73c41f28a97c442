// Package delegation turns a user's OpenID Connect ID token into temporary AWS credentials for that
// user. The operator's rules decide which role each user gets. Everything runs in the operator's
// own process.
//
// A [Delegator] verifies the token, runs the rules, signs a SAML assertion with the operator's key,
// and redeems it at AWS STS with AssumeRoleWithSAML:
//
//	d, err := delegation.New(ctx, delegation.Config{
//		Issuers:          []delegation.Issuer{{URL: "https://tenant.example.com/"}},
//		IdentityProvider: delegation.IdentityProvider{EntityID: "urn:example.com", Keys: keys},
//		Targets: delegation.Targets{"photo-app": {AWS: delegation.AWS{
//			Principal: "arn:aws:iam::123456789012:saml-provider/delegation",
//			Role:      "arn:aws:iam::123456789012:role/photo-user",
//			Region:    "eu-central-1",
//		}}},
//		Rules: []delegation.RuleFunc{delegation.RequireVerifiedEmail()},
//	})
//	if err != nil {
//		return nil, err
//	}
//	return d.Exchange(ctx, idToken, "photo-app")
//
// # Three types to start with
//
//   - [Config] is what [New] takes. Its first four fields name the issuers to trust, the identity
//     that signs (see [ParseSigningKey]), the targets that users may ask for, and the rules. All
//     other fields have defaults.
//   - [Delegator] is made once and shared. [Delegator.Exchange] returns credentials.
//     [Delegator.Explain] says what an exchange would decide and why, [Delegator.Check] tests what
//     exchanges depend on, and [Delegator.Provider] serves clients of the AWS SDK for Go.
//   - [Credentials] are what AWS returned, with methods for the shapes that AWS's tools read.
//
// Every error is an [*Error]. It has a [Code], a remedy for the operator, and a text that callers
// may see ([Error.Public]).
//
// # What AWS sees
//
// AWS trusts the operator's signing key. IAM therefore needs one SAML provider and no OIDC
// provider, whichever issuers the tokens come from. In IAM policies ${saml:sub} is the token's sub,
// unless a rule sets another NameID. Session tags work in policies too. CloudTrail shows the
// session name and the source identity.
//
// # What is checked
//
//   - The token: its format, issuer, algorithm, signature, audience and dates.
//   - The target: it exists, and accepts tokens of this issuer and application.
//   - The decision of rules and mappings: it is within AWS's limits.
//   - AWS's answer: it is complete and is for the requested session.
//
// # What is not checked
//
//   - Whether the token was used before, unless there is a [ReplayStore].
//   - The token's nonce, at_hash and acr.
//   - Whether the user has signed out, or the issuer has revoked the session, unless there are
//     [Revocations]. Without them an ID token is accepted until it expires. Credentials work until
//     they expire, or until AWS denies them: see [SessionRevocation].
//   - What the role's policies allow. That is set in IAM. The role must trust the SAML provider and
//     nothing else. If it also trusts an OIDC provider, users can bypass the rules.
//
// Every function is safe for concurrent use. A Delegator runs no goroutine while it is idle and
// needs no Close.
package delegation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

// Config is what [New] takes. Most programs set the first four fields and leave the rest at zero.
// New copies it, so later changes have no effect.
type Config struct {
	// Issuers are the OpenID providers whose ID tokens are accepted: at least one.
	Issuers []Issuer
	// IdentityProvider is the SAML identity that AWS trusts, with the keys that sign.
	IdentityProvider IdentityProvider
	// Targets are the targets that callers can name: [Targets], or a database.
	Targets TargetSource
	// Rules run in order. They decide for each user, or refuse. Without rules the target's settings
	// decide.
	Rules []RuleFunc

	// Limits. They narrow what is accepted and how long it lasts; the defaults suit most issuers.

	// MaxTokenSize is the maximum size of an ID token, in bytes. Zero: 16 KiB.
	MaxTokenSize int
	// Leeway is the tolerated clock difference for exp, iat and nbf, up to 5m. Zero: 60s. Negative:
	// none.
	Leeway time.Duration
	// CapSessionToToken ends AWS sessions no later than the ID token, by SessionNotOnOrAfter. ID
	// tokens often live for an hour or less, so a longer SessionDuration then has no effect.
	CapSessionToToken bool
	// StrictSessionNames refuses session names that AWS does not accept, instead of changing them
	// as SafeSessionName does.
	StrictSessionNames bool
	// Replay lets an ID token be used once for each target. nil: a token can be used until it
	// expires.
	Replay ReplayStore
	// Revocations are the ended sessions, whose tokens are refused. nil: a token is accepted until
	// it expires, also after a logout.
	Revocations *Revocations
	// LogoutAudiences are clients whose logout tokens are accepted, in addition to those in
	// Targets; see [Delegator.Logout]. With a TargetSource other than Targets, only these are
	// accepted.
	LogoutAudiences []string
	// RuleTimeout limits one rule in Go, one check that a rule adds with AfterRules, and Profile.
	// Their context ends at the limit. Code that ignores its context is abandoned, and the exchange
	// fails with [CodeRuleTimeout] or [CodeProfileTimeout]. After 16 abandoned calls of one rule,
	// the rule is not called until one of them returns. Rules made of the same function are counted
	// together. An exchange whose context has ended still waits for its rule until the limit,
	// because the rule may deny.
	//
	// Limited code runs on a separate goroutine: one for all rules of an exchange, and at most
	// 1,000 at the same time. Ready-made rules, and rules of [WithOwnTimeout] such as those in
	// JavaScript, are not limited.
	//
	// Zero: 20s for Profile, and no limit for rules, which run on the caller's goroutine with the
	// caller's context. Negative: no limit for Profile either.
	RuleTimeout time.Duration
	// SigningTimeout limits one signature. Zero: 30s.
	SigningTimeout time.Duration

	// AWS. These say how STS is called; the region is the target's.

	// STS is the client of AWS STS. nil: an anonymous client of the AWS SDK for Go. It reads at
	// most 1 MiB of an answer, follows no redirects, and allows plain http only on loopback. It
	// uses the environment variables that docs/environment.md lists. It reads no files or profiles
	// of the SDK.
	STS STS
	// STSTimeout limits one call with its retries, in each region. Zero: 10s.
	STSTimeout time.Duration
	// DurationBackOff retries once with a session of one hour if the role does not allow the
	// decided duration. AWS does not report a role's maximum, but it is never below one hour. For
	// the next hour, exchanges do not request that duration from the role again.
	DurationBackOff bool
	// FIPS uses STS's FIPS endpoints. It excludes DualStack. It is also set if STS is a client of
	// the SDK with FIPS endpoints or, with a nil STS, by AWS_USE_FIPS_ENDPOINT.
	FIPS bool
	// DualStack uses STS's dual-stack endpoints. It excludes FIPS. It is also set if STS is a
	// client of the SDK with dual-stack endpoints or, with a nil STS, by
	// AWS_USE_DUALSTACK_ENDPOINT.
	DualStack bool
	// UnsafeSTSEmulator is for tests only, against an emulator of STS that does not read
	// assertions, such as moto or LocalStack: any Subject, Issuer and Audience in its answers are
	// accepted, and a source identity may be absent from them. Role, account and session name must
	// still match. New and [Delegator.Check] warn of it.
	UnsafeSTSEmulator bool

	// Cache. Repeated requests with the same outcome reuse credentials; token, target and rules are
	// still checked every time.

	// CacheSize is the number of decisions whose credentials are cached. The least recently used
	// are dropped first; the order is not exact among the most recent eighth. Zero: 10,000.
	// Negative: there is no cache.
	CacheSize int
	// CacheWindow makes callers wait for new credentials if the cached ones expire within this
	// time. Zero: 5m. It is limited to 1/8 of the session's duration.
	CacheWindow time.Duration
	// CacheAhead lets a request start a renewal in the background if the cached credentials expire
	// within this time. Zero: 15m. It is limited to 1/4 of the session's duration.
	CacheAhead time.Duration
	// TokenMemory is the memory for the claims of verified ID tokens, in bytes. The tokens
	// themselves are not kept. If a token is used more than once, its signature is not verified
	// again. All other checks are still made, and its key must still be in the issuer's key set.
	// The least recently used are dropped first. Zero: 16 MiB, for about 4,000 tokens of 1 kB.
	// Negative: nothing is remembered.
	TokenMemory int
	// SharedCache shares credentials between several processes. It is used for credentials that the
	// cache of this process does not have. nil: none.
	SharedCache SharedCache

	// Hooks. These connect a Delegator to the program around it, and to a test's clock.

	// Profile loads properties of the user that the token lacks. It is called once in an exchange,
	// before the first rule. Package profile has loaders. nil: nothing is loaded.
	Profile ProfileFunc
	// CheckProfile tests whether Profile can work, such as whether its endpoint answers.
	// [Delegator.Check] calls it at most once a minute, with STSTimeout as its limit. nil: there is
	// no such check.
	CheckProfile func(context.Context) error
	// OnEvent gets the audit record of every exchange before Exchange returns. It runs on the
	// caller's goroutine, or on another one for events with [CacheRefresh], and must be quick. It
	// can call several receivers one after the other. nil: nothing.
	OnEvent func(context.Context, Event)
	// OnRevocation gets a record of every call of Invalidate, Revoke and Logout after it has ended.
	// It runs on the caller's goroutine and must be quick. The Logger gets the record first. nil:
	// nothing.
	OnRevocation func(context.Context, RevocationEvent)
	// OnSTSCall gets a record of every call to AWS STS that an exchange makes, after it has ended,
	// including calls in regions that did not answer. [Delegator.Check] does not report its calls.
	// It runs on the goroutine of the call and must be quick. nil: nothing.
	OnSTSCall func(context.Context, STSCall)
	// Audit stores each Event where a record is mandatory, before Logger and OnEvent get it. If it
	// fails, panics, or takes longer than AuditTimeout, an exchange that would succeed fails with
	// [CodeAuditFailed]: no credentials are returned without a record. Credentials from the cache
	// are recorded too. An exchange that was refused keeps its error. Each failure is logged, and
	// the Event has the warning audit_failed.
	//
	// Its context ends after AuditTimeout, and not with the caller's. It must be safe for
	// concurrent use: up to 64 calls run at the same time. A call that ignores its context is
	// abandoned, and may still store its record after the exchange has failed. After 16 abandoned
	// calls, every record fails at once until one of them returns. nil: none.
	Audit func(context.Context, Event) error
	// AuditTimeout limits one record. Zero: 5s.
	AuditTimeout time.Duration
	// AuditOptional lets exchanges succeed even if Audit fails.
	AuditOptional bool
	// Logger gets each Event. The level is Info for a success, Error if only the operator can make
	// this exchange succeed, and Warn otherwise, also for a success with Warnings. docs/errors.md
	// has the level of each code. It also gets failed refreshes of issuers' keys, at the same
	// levels. nil: nothing is logged.
	Logger *slog.Logger
	// HTTPClient fetches issuers' keys. It never follows redirects, whatever its CheckRedirect
	// says. nil: a new client, which uses the proxies of HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
	// Issuer.HTTPClient takes precedence.
	HTTPClient *http.Client
	// Now is the clock. nil: time.Now.
	Now func() time.Time
	// Rand is the random source for assertion IDs and the keys of encrypted assertions. It must be
	// safe for concurrent use. nil: crypto/rand.
	Rand io.Reader
}

// Delegator exchanges ID tokens for AWS credentials. Make one with [New] or [Delegator.WithConfig].
// The zero value refuses every call.
type Delegator struct {
	config Config // checked, copied and with its defaults filled in
	ownSTS bool   // New has made Config.STS
	tokens *idtoken.Verifier

	issuerClaims map[string][]requiredClaim // RequiredClaims by Issuer.URL
	targets      *knownTargets              // the fixed ones

	cache *freshness.Cache[Credentials] // nil: none

	replaced sync.Map // entity ID to the IdentityProvider that SetIdentityProvider was given last
	// certificates are the hashes of those of the configuration's identities, by *x509.Certificate.
	certificates sync.Map
	rules        []namedRule // of the configuration
	random       func() float64
	recent       recentTargets
	probes       freshness.Probes // what Check found
	stsClocks    sync.Map         // by Region: how far STS's clock is ahead, a time.Duration
	sessions     []CheckResult    // of targets and rules, of the configuration
	signers      *guard.Callees
	profiles     *guard.Callees // Config.CheckProfile
	ruleRuns     *limitedRuns   // rules in Go, and the profile loader
	audits       *guard.Callees

	regions   *freshness.Breakers // where STS does not answer
	durations *freshness.Breakers // what roles do not allow

	logouts *freshness.ReplayMemory // logout tokens that were received
}

// New checks the configuration and returns a Delegator. If something is missing or wrong, the error
// has [CodeConfigInvalid] and names every such field. A nil context is refused with
// [CodeArgumentInvalid]. New makes no network calls.
func New(ctx context.Context, c Config) (*Delegator, error) {
	if ctx == nil {
		return nil, newError(CodeArgumentInvalid, "the context is nil")
	}
	return newDelegator(ctx, c, nil)
}

// newDelegator is New, with the keys of issuers that a Verifier knows already. nil: none.
func newDelegator(ctx context.Context, c Config, known *idtoken.Verifier) (*Delegator, error) {
	c = c.copied().withDefaults()
	ownSTS := c.STS == nil
	var stsProblem error
	if ownSTS {
		c.STS, stsProblem = c.newSTS()
	}
	kindProblem := c.heedClient() // before compile, which checks regions for these endpoints
	compiled, err := c.compile()
	if err := errors.Join(err, kindProblem, stsProblem); err != nil {
		return nil, newError(CodeConfigInvalid, "%w", err)
	}
	for i := range compiled.issuers {
		compiled.issuers[i].Before = known
	}
	d := &Delegator{
		config:       c,
		ownSTS:       ownSTS,
		tokens:       c.verifier(compiled.issuers),
		issuerClaims: compiled.issuerClaims,
		targets:      compiled.targets,
		cache:        c.newCache(),
		rules:        namedRules(c.Rules),
		random:       mathrand.Float64,
		signers:      new(guard.Callees),
		profiles:     new(guard.Callees),
		ruleRuns:     newLimitedRuns(),
		audits:       new(guard.Callees),
		regions:      c.newRegionBreakers(),
		durations:    c.newDurationBreakers(),
		logouts:      freshness.NewReplayMemory(maxLogouts),
		sessions:     c.checkSessions(compiled.targets),
	}
	d.hashCertificates()
	d.warn(ctx)
	return d, nil
}

// copied is the configuration without anything that the caller can still change, except for the
// fixed targets: checkTargets copies these.
func (c Config) copied() Config {
	c.Issuers = slices.Clone(c.Issuers)
	for i := range c.Issuers {
		c.Issuers[i].RequiredClaims = cloneLists(c.Issuers[i].RequiredClaims)
		c.Issuers[i].Aliases = slices.Clone(c.Issuers[i].Aliases)
		c.Issuers[i].AccessTokens = c.Issuers[i].AccessTokens.clone()
		c.Issuers[i].Tenants = slices.Clone(c.Issuers[i].Tenants)
		c.Issuers[i].ClientSecrets = maps.Clone(c.Issuers[i].ClientSecrets)
		c.Issuers[i].VerifiedEmailDomains = slices.Clone(c.Issuers[i].VerifiedEmailDomains)
		c.Issuers[i].InsecureHTTPHosts = slices.Clone(c.Issuers[i].InsecureHTTPHosts)
		c.Issuers[i].DocumentOrigins = slices.Clone(c.Issuers[i].DocumentOrigins)
	}
	c.IdentityProvider = c.IdentityProvider.clone()
	c.Rules = slices.Clone(c.Rules)
	c.LogoutAudiences = slices.Clone(c.LogoutAudiences)
	return c
}

// withDefaults fills in what is left at zero.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Rand = cmp.Or(c.Rand, rand.Reader)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.MaxTokenSize = cmp.Or(c.MaxTokenSize, defaultMaxTokenSize)
	c.Leeway = max(cmp.Or(c.Leeway, time.Minute), 0)
	c.SigningTimeout = cmp.Or(c.SigningTimeout, 30*time.Second)
	c.STSTimeout = cmp.Or(c.STSTimeout, 10*time.Second)
	c.AuditTimeout = cmp.Or(c.AuditTimeout, 5*time.Second)
	c.CacheSize = cmp.Or(c.CacheSize, 10_000)
	c.CacheWindow = cmp.Or(c.CacheWindow, 5*time.Minute)
	c.CacheAhead = cmp.Or(c.CacheAhead, 15*time.Minute)
	return c
}

// compiled is what checking a configuration leaves for the Delegator.
type compiled struct {
	issuers      []idtoken.Issuer
	issuerClaims map[string][]requiredClaim // by Issuer.URL
	targets      *knownTargets
}

// compile checks the whole configuration. Its error names every problem.
func (c *Config) compile() (*compiled, error) {
	var problems problems
	var made compiled
	c.checkNumbers(&problems)
	made.issuers, made.issuerClaims = c.checkIssuers(&problems)
	if err := c.IdentityProvider.validate(); err != nil {
		problems.add("IdentityProvider: %w", err)
	}
	made.targets = c.checkTargets(&problems)
	isNil := func(rule RuleFunc) bool { return rule == nil }
	if i := slices.IndexFunc(c.Rules, isNil); i >= 0 {
		problems.add("Rules[%d] is nil", i)
	}
	if err := c.Revocations.validate(); err != nil {
		problems.add("Revocations: %w", err)
	}
	return &made, errors.Join(problems...)
}

// checkNumbers checks sizes and durations.
func (c *Config) checkNumbers(problems *problems) {
	shortest := min(c.STSTimeout, c.SigningTimeout, c.CacheWindow, c.CacheAhead)
	if c.MaxTokenSize < 0 || shortest < 0 || c.Leeway > maxLeeway {
		problems.add("MaxTokenSize, STSTimeout, SigningTimeout, CacheWindow and CacheAhead " +
			"must not be negative, Leeway not over 5m")
	}
	if c.CheckProfile != nil && c.Profile == nil {
		problems.add("CheckProfile has no effect without Profile")
	}
	if c.AuditTimeout < 0 {
		problems.add("AuditTimeout must not be negative")
	}
	if c.AuditOptional && c.Audit == nil {
		problems.add("AuditOptional has no effect without Audit")
	}
	if c.CacheSize < 0 && c.SharedCache != nil {
		problems.add("SharedCache has no effect with a negative CacheSize")
	}
}

// checkIssuers returns the issuers as the verifier takes them, and what they require.
func (c *Config) checkIssuers(problems *problems) (
	issuers []idtoken.Issuer, claims map[string][]requiredClaim,
) {
	if len(c.Issuers) == 0 {
		problems.add("Issuers is empty")
	}
	claims = map[string][]requiredClaim{}
	for i, issuer := range c.Issuers {
		compiled, required, err := issuer.compile(c.HTTPClient)
		if err != nil {
			problems.add("Issuers[%d]: %w", i, err)
		}
		issuers = append(issuers, compiled)
		claims[issuer.URL] = required
	}
	c.checkOverlaps(problems)
	return issuers, claims
}

// newRegionBreakers remembers regions of STS that do not answer. They rest for longer than a call
// may take, or one would be asked again as soon as it has failed.
func (c *Config) newRegionBreakers() *freshness.Breakers {
	return freshness.NewBreakers(freshness.BreakersConfig{
		Failures: 3,
		Rest:     max(30*time.Second, c.STSTimeout),
		Names:    100,
		Now:      c.Now,
	})
}

// newDurationBreakers remembers which roles do not allow which durations; see DurationBackOff.
func (c *Config) newDurationBreakers() *freshness.Breakers {
	return freshness.NewBreakers(freshness.BreakersConfig{
		Failures: 1,
		Rest:     time.Hour,
		Names:    1000,
		Now:      c.Now,
	})
}

// warn tells the log what the configuration allows and should perhaps not, and what in it cannot
// work.
func (d *Delegator) warn(ctx context.Context) {
	for _, result := range d.checkConfiguration() {
		for _, w := range result.Warnings {
			d.config.Logger.LogAttrs(ctx, slog.LevelWarn, w.message(), w.attributes(&result)...)
		}
		if result.Err != nil {
			d.config.Logger.LogAttrs(ctx, slog.LevelError, "target cannot be used",
				slog.String("check", result.Name),
				slog.String("field", result.Field),
				slog.String("error", result.Err.Error()))
		}
	}
}

// message is what the log calls a warning of the configuration.
func (w *CheckWarning) message() string {
	switch w.Code {
	case WarningSTSEmulator:
		return "unsafe setting"
	case WarningIssuerStrangers:
		return "issuer shared by strangers"
	case WarningSubjectsShared:
		return "role shared by issuers"
	case WarningKeySlow:
		return "slow signing key"
	}
	return "configuration"
}

// attributes are those of a warning in the log.
func (w *CheckWarning) attributes(of *CheckResult) []slog.Attr {
	text := slog.String("warning", w.String())
	if w.brief {
		text = slog.String("warning", w.Text)
	}
	switch w.Code {
	case WarningSTSEmulator:
		return []slog.Attr{text}
	case WarningIssuerStrangers:
		return []slog.Attr{slog.String("issuer", of.Issuer), text}
	case WarningSubjectsShared:
		return []slog.Attr{slog.String("role", strings.TrimPrefix(of.Name, roleCheck)), text}
	case WarningKeySlow:
		return []slog.Attr{slog.String("key", of.Name), text}
	}
	attributes := []slog.Attr{
		slog.String("check", of.Name), slog.String("code", string(w.Code)), text,
	}
	if w.Field != "" {
		attributes = append(attributes, slog.String("field", w.Field))
	}
	return attributes
}
