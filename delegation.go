// Package delegation turns a user's OpenID Connect ID token into temporary AWS credentials for that user, by the
// operator's own rules, in the operator's own process.
//
// A [Delegator] verifies the token, runs the rules, builds and signs a SAML assertion and redeems it at AWS STS with
// AssumeRoleWithSAML. AWS trusts the operator's signing key, so IAM needs one SAML provider and no OIDC provider, whatever
// issuers the tokens come from. The user's identity goes on into AWS: ${saml:sub} in an IAM policy is the token's sub, and session
// tags, source identity and session name show up in policies and in CloudTrail.
//
// # What is checked
//
// The token's form, issuer, algorithm, signature, audience and dates; that the target exists and takes tokens of this
// issuer and application; what rules and mappings decided, against AWS's limits; and all that AWS returns.
//
// # What is not checked
//
// Whether the token was used before (unless there is a [ReplayStore]), its nonce, at_hash or acr, and whether the user has signed out or the
// issuer has revoked the session since: an ID token counts until it expires, and credentials until they do. What the role's policies allow is IAM's matter.
// The role should trust the SAML provider and nothing else: if it also trusts an OIDC provider, users can go round the rules.
//
// Every function is safe for concurrent use. A Delegator keeps no goroutine while nobody uses it, and needs no Close.
package delegation

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/session"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// Config is what [New] takes. It is copied; later changes have no effect.
type Config struct {
	Issuers          []Issuer         // whose ID tokens count; at least one
	IdentityProvider IdentityProvider // the SAML identity that AWS trusts
	Targets          TargetSource     // what may be asked for: [Targets], or a database
	Rules            []RuleFunc       // run in order; none: the target's settings decide
	Profile          ProfileFunc      // loads what the token lacks of a user; nil: nothing

	MaxTokenSize int           // bytes of an ID token; zero: 16 KiB
	Leeway       time.Duration // for clocks that differ, in exp, iat and nbf: up to 5m; zero: 60s; negative: none

	// CapSessionToToken ends AWS sessions with the ID token at the latest, by SessionNotOnOrAfter. Issuers' tokens often
	// live for an hour or less, so long SessionDurations then have no effect.
	CapSessionToToken bool
	// StrictSessionNames refuses session names that AWS does not take as they are, instead of making them safe.
	StrictSessionNames bool
	// DurationBackOff gives a session of one hour to whom the role allows no session of the decided duration. AWS does not say what a role's
	// maximum is, and no role has a lower one. For an hour the role is then not asked for that duration again.
	DurationBackOff bool

	// STS is nil, or a client of your own. nil makes one of the AWS SDK for Go with its usual
	// configuration, anonymous. That one reads 1 MiB of an answer at most, follows no redirect, and
	// takes an endpoint of plain http only on loopback.
	STS STS
	// UnsafeSTSEmulator is for tests only, against an emulator of STS that does not read assertions,
	// such as moto or LocalStack: any Subject, Issuer and Audience in its answers are taken, and a
	// source identity may be absent from them. Role, account and session name must still match. New
	// and [Delegator.Check] warn of it.
	UnsafeSTSEmulator bool
	STSTimeout        time.Duration    // for one call with its retries, in each region; zero: 10s
	SigningTimeout    time.Duration    // for one signature; zero: 30s
	FIPS              bool             // use STS's FIPS endpoints
	DualStack         bool             // use STS's dual-stack endpoints
	HTTPClient        *http.Client     // for issuers' keys; nil: a new one. Redirects are refused whatever it says
	Now               func() time.Time // nil: time.Now
	Rand              io.Reader        // for assertion IDs and the keys of encrypted assertions, safe for concurrent use; nil: crypto/rand

	// CacheSize is how many decisions' credentials are kept, of the least recently used; zero: 10,000; negative: none. The same user for whom
	// the same is decided gets the same credentials again, and AWS is not called; token, target and rules are checked every time.
	CacheSize   int
	CacheWindow time.Duration // how long before they expire a caller waits for new ones; zero: 5m, but at most 1/8 of the session's duration
	CacheAhead  time.Duration // how long before it a use has them renewed behind its back; zero: 15m, but at most 1/4
	SharedCache SharedCache   // behind the cache, for several processes; nil: none
	Replay      ReplayStore   // lets an ID token be used once for each target; nil: it counts until it expires

	// OnEvent gets the audit record of every exchange before Exchange returns, from the caller's goroutine, and those with
	// [CacheRefresh] from another: it must be quick. For several receivers, call one behind the other.
	OnEvent func(context.Context, Event)
	// Logger gets each Event: at level Info for a success, Error if it takes the operator to make
	// this exchange succeed, and Warn for all else, a success with Warnings too. Error is for
	// codes of the stages decision, saml and sts, target_invalid, rule_failed and rule_panicked,
	// unless the error is retryable, and for an issuer's answer that cannot be used. It also gets
	// failed refreshes of issuers' keys, at the same levels. nil: silence.
	Logger *slog.Logger
}

// Delegator exchanges ID tokens for AWS credentials. Only [New] makes one; the zero value refuses.
type Delegator struct {
	config Config // checked, copied and with its defaults filled in
	tokens *idtoken.Verifier

	issuerClaims map[string][]requiredClaim // RequiredClaims by Issuer.URL
	targetClaims map[string][]requiredClaim // and by the names of Targets

	cache *freshness.Cache[Credentials] // nil: none

	replaced sync.Map // entity ID to the IdentityProvider that SetIdentityProvider was given last
	random   func() float64
	recent   recentTargets
	probes   freshness.Probes // what Check found
	signers  guard.Callees

	regions, durations *freshness.Breakers // where STS does not answer, and what roles do not allow
}

// New checks the configuration and returns a Delegator. Everything that is missing or wrong is named at once, in an error with
// [CodeConfigInvalid]. The context serves to load the AWS SDK's configuration; no issuer is asked and AWS is not called.
func New(ctx context.Context, c Config) (*Delegator, error) {
	if ctx == nil {
		return nil, newError(CodeArgumentInvalid, "the context is nil")
	}
	var problems problems
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Rand = cmp.Or(c.Rand, rand.Reader)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.MaxTokenSize = cmp.Or(c.MaxTokenSize, defaultMaxTokenSize)
	c.Leeway = cmp.Or(c.Leeway, time.Minute)
	c.STSTimeout, c.SigningTimeout = cmp.Or(c.STSTimeout, 10*time.Second), cmp.Or(c.SigningTimeout, 30*time.Second)
	c.CacheSize = cmp.Or(c.CacheSize, 10_000)
	c.CacheWindow, c.CacheAhead = cmp.Or(c.CacheWindow, 5*time.Minute), cmp.Or(c.CacheAhead, 15*time.Minute)
	if c.MaxTokenSize < 0 || min(c.STSTimeout, c.SigningTimeout, c.CacheWindow, c.CacheAhead) < 0 || c.Leeway > 5*time.Minute {
		problems.add("MaxTokenSize, STSTimeout, SigningTimeout, CacheWindow and CacheAhead must not be negative, Leeway not over 5m")
	}
	if c.CacheSize < 0 && c.SharedCache != nil {
		problems.add("SharedCache has no effect with a negative CacheSize")
	}
	c.Issuers, c.Rules, c.IdentityProvider = slices.Clone(c.Issuers), slices.Clone(c.Rules), c.IdentityProvider.clone()
	if len(c.Issuers) == 0 {
		problems.add("Issuers is empty")
	}
	issuers := make([]idtoken.Issuer, len(c.Issuers))
	issuerClaims := map[string][]requiredClaim{}
	targetClaims := map[string][]requiredClaim{}
	for i, issuer := range c.Issuers {
		c.Issuers[i].RequiredClaims = cloneLists(issuer.RequiredClaims)
		issuerClaims[issuer.URL], _ = compileClaims(issuer.RequiredClaims, "issuer")
		var err error
		if issuers[i], err = issuer.checked(); err != nil {
			problems.add("Issuers[%d]: %w", i, err)
		}
		if slices.ContainsFunc(c.Issuers[:i], func(other Issuer) bool { return other.URL == issuer.URL }) {
			problems.add("Issuers[%d]: URL %q is configured twice", i, issuer.URL)
		}
	}
	if err := c.IdentityProvider.check(); err != nil {
		problems.add("IdentityProvider: %w", err)
	}
	switch targets := c.Targets.(type) {
	case nil:
		problems.add("Targets is nil")
	case Targets:
		copied := make(Targets, len(targets))
		for _, name := range slices.Sorted(maps.Keys(targets)) {
			target := targets[name]
			copied[name] = *target.clone()
			targetClaims[name], _ = compileClaims(target.RequiredClaims, "target")
			if err := target.check(name, &c); err != nil {
				problems.add("Targets[%q]: %w", name, err)
			}
		}
		c.Targets = copied
	}
	if i := slices.IndexFunc(c.Rules, func(rule RuleFunc) bool { return rule == nil }); i >= 0 {
		problems.add("Rules[%d] is nil", i)
	}
	if c.FIPS && c.DualStack {
		problems.add("FIPS and DualStack: AWS has no STS endpoint that is both")
	}
	if len(problems) == 0 && c.STS == nil {
		client, err := session.NewClient(ctx, session.ClientOptions{})
		switch {
		case errors.Is(err, session.ErrPlainHTTP):
			problems.add("the AWS SDK's configuration: %w; use https, or set STS to a client of your own", err)
		case err != nil:
			problems.add("the AWS SDK's configuration: %w", err)
		}
		c.STS = client
	}
	if len(problems) > 0 {
		return nil, newError(CodeConfigInvalid, "%w", errors.Join(problems...))
	}
	c.Leeway = max(c.Leeway, 0)
	if c.UnsafeSTSEmulator {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "unsafe setting", slog.String("warning", emulatorWarning))
	}
	c.warn(ctx)
	return &Delegator{
		config: c, tokens: c.verifier(issuers), cache: c.newCache(),
		issuerClaims: issuerClaims, targetClaims: targetClaims,
		random:    mathrand.Float64,
		regions:   freshness.NewBreakers(freshness.BreakersConfig{Failures: 3, Rest: max(30*time.Second, c.STSTimeout), Names: 100, Now: c.Now}),
		durations: freshness.NewBreakers(freshness.BreakersConfig{Failures: 1, Rest: time.Hour, Names: 1000, Now: c.Now}),
	}, nil
}

// warn tells the log what is allowed and lets in more people than an operator may think.
func (c *Config) warn(ctx context.Context) {
	for i := range c.Issuers {
		if text := c.strangers(&c.Issuers[i]); text != "" {
			c.Logger.LogAttrs(ctx, slog.LevelWarn, "issuer shared by strangers",
				slog.String("issuer", c.Issuers[i].URL), slog.String("warning", text))
		}
	}
	roles := c.sharedRoles()
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		c.Logger.LogAttrs(ctx, slog.LevelWarn, "role shared by issuers",
			slog.String("role", role), slog.String("warning", roles[role]))
	}
}

// ExchangeOption changes one call of [Delegator.Exchange].
type ExchangeOption func(*exchangeOptions)

type exchangeOptions struct {
	clientID     string
	request      Request
	rules        []RuleFunc
	withoutCache bool
}

// WithClientID says which application calls, for services whose clients say so. It must be the
// application that the token was issued to or one of the token's audiences, or the exchange is
// refused with [CodeClientMismatch]. It decides nothing: rules and events get the client of the
// verified token.
func WithClientID(id string) ExchangeOption { return func(o *exchangeOptions) { o.clientID = id } }

// WithRequest gives rules what the service knows of the call. It decides nothing by itself.
func WithRequest(r Request) ExchangeOption { return func(o *exchangeOptions) { o.request = r } }

// WithRule adds a rule for this call, before those of Config.Rules: what only the service can know of a verified user, such as
// how often they have called. A nil rule fails the exchange with [CodeRulePanicked].
func WithRule(rule RuleFunc) ExchangeOption {
	return func(o *exchangeOptions) { o.rules = append(o.rules, rule) }
}

// Exchange returns AWS credentials for the user of the ID token, as target, rules and mappings decide. On any error there are no
// credentials, and the error is an [*Error]. A context that ends stops the exchange at the step it has reached, with
// [CodeCanceled]; a nil one is refused. Between calls the issuers' keys are remembered, what AWS answered (see Config.CacheSize), regions that do
// not answer and, with Config.DurationBackOff, what roles do not allow. The credentials are the caller's own to change.
func (d *Delegator) Exchange(ctx context.Context, idToken, target string, options ...ExchangeOption) (*Credentials, error) {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid, "the context is nil, or the Delegator was not made by New")
	}
	x := d.begin(target, options)
	credentials, err := x.run(ctx, idToken)
	x.report(ctx, err)
	return credentials, err
}

// exchange is one exchange under way: what each step leaves for those behind it.
type exchange struct {
	*Delegator
	options exchangeOptions
	rules   []RuleFunc // of the call and the configuration, in order
	name    string     // of the target
	event   Event
	began   time.Time // when the step began

	claims   *idtoken.Claims
	target   *Target
	claimed  []ClaimCheck // what issuer and target require, in this order
	decision *decision
	passed   int // how many of the decision's regions did not answer
}

func (d *Delegator) begin(target string, options []ExchangeOption) *exchange {
	now := d.config.Now()
	x := &exchange{Delegator: d, name: target, began: now, event: Event{Time: now, Target: fmt.Sprintf("%.256s", target), Took: map[Stage]time.Duration{}}}
	for _, option := range options {
		if option != nil {
			option(&x.options)
		}
	}
	x.rules = slices.Concat(x.options.rules, d.config.Rules)
	return x
}

// lap notes that a step has ended.
func (x *exchange) lap(stage Stage) {
	now := x.config.Now()
	x.event.Took[stage] += now.Sub(x.began)
	x.began = now
}

// run is the path of one exchange.
func (x *exchange) run(ctx context.Context, idToken string) (*Credentials, error) {
	err := x.identify(ctx, idToken)
	if err == nil {
		err = x.firstUse(ctx)
	}
	if err == nil {
		err = x.decide(ctx)
	}
	if err != nil {
		return nil, err
	}
	credentials, err := x.obtain(ctx)
	if err != nil {
		return nil, x.blame(err)
	}
	return credentials, nil
}

// issue has AWS give credentials for the decision, or for less of it where that is allowed.
func (x *exchange) issue(ctx context.Context) (*Credentials, error) {
	if x.refusesDuration() {
		x.shorten()
	}
	credentials, err := x.ask(ctx)
	for x.concede(err) {
		credentials, err = x.ask(ctx)
	}
	if err != nil {
		return nil, err
	}
	x.durations.Succeeded(x.decision.session())
	x.event.AccessKeyID, x.event.Expiration = credentials.AccessKeyID, credentials.Expiration
	x.event.RequestID, x.event.PackedPolicySize = credentials.RequestID, credentials.PackedPolicySize
	x.event.Unconfirmed = credentials.unconfirmed()
	return credentials, nil
}

// ask signs a response for the decision and redeems it.
func (x *exchange) ask(ctx context.Context) (*Credentials, error) {
	signing, cancel := context.WithTimeout(ctx, x.config.SigningTimeout)
	defer cancel()
	response, err := x.identity().respond(signing, x.decision, x.config.Now(), x.config.Rand, &x.signers)
	x.lap(StageSAML)
	switch {
	case err != nil && ctx.Err() == nil && signing.Err() != nil:
		return nil, newError(CodeSigningFailed, "there is no signature after %s", x.config.SigningTimeout)
	case err != nil:
		return nil, err
	}
	x.event.AssertionID = response.assertionID
	credentials, err := x.redeem(ctx, response)
	x.lap(StageSTS)
	return credentials, err
}

// identify finds out who asks for what.
func (x *exchange) identify(ctx context.Context, idToken string) (err error) {
	if idToken != "" {
		x.event.TokenSHA256 = fmt.Sprintf("%x", sha256.Sum256([]byte(idToken)))
	}
	x.claims, err = x.tokens.Verify(ctx, idToken)
	x.lap(StageToken)
	if err != nil {
		return tokenError(err)
	}
	x.event.Issuer, x.event.Subject, x.event.ClientID = x.claims.Issuer, x.claims.Subject, x.claims.Client

	x.target, err = x.findTarget(ctx, x.name, x.claims, x.options.clientID)
	if err == nil {
		err = x.requireClaims()
	}
	x.lap(StageTarget)
	return err
}

// claimsOf returns what the target requires, which is compiled already unless it is from a database.
func (d *Delegator) claimsOf(name string, target *Target) []requiredClaim {
	if _, known := d.config.Targets.(Targets); known {
		return d.targetClaims[name]
	}
	required, _ := compileClaims(target.RequiredClaims, "target") // which Target.check has found good
	return required
}

// decide takes the steps that look at the user. Nothing is signed or sent in them.
func (x *exchange) decide(ctx context.Context) (err error) {
	user := &User{Properties: x.claims.All}
	user.Set("user_id", x.claims.Subject) // whatever a claim of that name says
	rc := &RuleContext{
		ClientID: x.claims.Client, Issuer: x.claims.Issuer, Target: x.target.idFor(x.name),
		Protocol: "delegation", Request: x.options.request, AWS: x.target.AWS,
	}
	rc.Request.Parameters, _ = jsonvalue.Clone(rc.Request.Parameters).(map[string]any)
	err = x.loadProfile(ctx, user)
	if err == nil {
		user.deriveIdentity()
		rc.Connection = user.Text("identities.0.connection")
		x.event.Rule, err = runRules(ctx, x.rules, user, rc)
	}
	x.lap(StageRules)
	if err != nil {
		return err
	}

	x.decision, err = decide(user, x.claims.Subject, rc.AWS, x.target, &x.config)
	x.lap(StageDecision)
	if err != nil {
		return x.blame(err)
	}
	d := x.decision
	if x.config.CapSessionToToken {
		if d.sessionNotOnOrAfter = x.claims.Expiry; !x.claims.Expiry.After(x.config.Now()) {
			return newError(CodeTokenExpired, "the token expired at %s, and the session may not outlive it", x.claims.Expiry.UTC().Format(time.RFC3339))
		}
	}
	x.event.Principal, x.event.Role, x.event.Region = d.principal.String(), d.role.String(), d.regions[0].String()
	x.event.SessionName, x.event.SourceIdentity, x.event.Duration = d.sessionName, d.sourceIdentity, d.duration
	return nil
}

// findTarget looks the target up and checks that the token may be used for it.
func (d *Delegator) findTarget(ctx context.Context, name string, c *idtoken.Claims, clientID string) (*Target, error) {
	if clientID != "" && clientID != c.Client && !slices.Contains(c.Audience, clientID) {
		return nil, newError(CodeClientMismatch, "the token was not issued to the application %.80q", clientID)
	}
	target, err := guard.Value(func() (*Target, error) { return d.config.Targets.Target(ctx, name) })
	switch {
	case ctx.Err() != nil:
		return nil, canceledAt(StageTarget, ctx.Err())
	case err != nil:
		return nil, newError(CodeTargetFailed, "the target %.80q: %w", name, err)
	case target == nil:
		return nil, newError(CodeDelegationDisabled, "there is no target %.80q", name)
	}
	target = target.clone() // rules may change it
	if err := target.mayCall(name, c, len(d.config.Issuers) == 1); err != nil {
		return nil, err
	}
	if _, checked := d.config.Targets.(Targets); !checked { // New has checked the map
		if err := target.check(name, &d.config); err != nil {
			return nil, newError(CodeTargetInvalid, "the target %.80q: %w", name, err)
		}
		d.recent.note(target, d.config.Now())
	}
	return target, nil
}

// loadProfile adds what the profile loader knows and the token lacks.
func (d *Delegator) loadProfile(ctx context.Context, user *User) error {
	if d.config.Profile == nil {
		return nil
	}
	extra, err := guard.Value(func() (map[string]any, error) { return d.config.Profile(ctx, user) })
	switch {
	case ctx.Err() != nil:
		return canceledAt(StageRules, ctx.Err())
	case err != nil:
		return newError(CodeProfileFailed, "the profile of this user: %w", err)
	}
	// An address and its mark belong together: the profile's mark must not vouch for the token's address.
	if user.Properties["email"] != nil || user.Properties["email_verified"] != nil {
		extra = maps.Clone(extra)
		delete(extra, "email")
		delete(extra, "email_verified")
	}
	// hd says which organisation manages a Google account, and only Google knows.
	if sharedissuer.IsGoogle(user.Text("iss")) {
		extra = maps.Clone(extra)
		delete(extra, "hd")
	}
	for name, value := range extra {
		if _, claimed := user.Properties[name]; !claimed {
			user.Set(name, jsonvalue.Clone(value))
		}
	}
	return nil
}

// report completes the event and hands it on. What it is handed to must not spoil an exchange that has succeeded.
func (x *exchange) report(ctx context.Context, err error) {
	event := x.event
	var failure *Error
	if err != nil {
		if !errors.As(err, &failure) { // of a call to AWS that went on without its exchange
			failure = issueError(err)
		}
		event.Stage, event.Code, event.Err, event.RequestID = failure.Stage, failure.Code, failure, failure.RequestID
	}
	level := failure.level()
	if event.Warnings = event.warnings(); len(event.Warnings) > 0 {
		level = max(level, slog.LevelWarn)
	}
	x.config.Logger.LogAttrs(ctx, level, "exchange", slog.Any("event", event))
	if x.config.OnEvent == nil {
		return
	}
	if err := guard.Call(func() error { x.config.OnEvent(ctx, event); return nil }); err != nil {
		x.config.Logger.LogAttrs(ctx, slog.LevelError, "event lost", slog.String("error", err.Error()))
	}
}
