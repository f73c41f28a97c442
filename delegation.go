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
// Whether the token was used before, its nonce, at_hash or acr, and whether the user has signed out or the issuer has revoked
// the session since: an ID token counts until it expires, and credentials until they do. What the role's policies allow is IAM's matter.
// The role should trust the SAML provider and nothing else: if it also trusts an OIDC provider, users can go round the rules.
//
// Every function is safe for concurrent use. A Delegator keeps no goroutine of its own and needs no Close.
package delegation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"
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

	STS        STS           // nil: a client of the AWS SDK for Go with its usual configuration, anonymous
	STSTimeout time.Duration // for one call with its retries; zero: 10s
	FIPS       bool          // use STS's FIPS endpoints
	DualStack  bool          // use STS's dual-stack endpoints

	HTTPClient *http.Client     // for issuers' keys; nil: a new one. Redirects are refused whatever it says
	Now        func() time.Time // nil: time.Now
	Rand       io.Reader        // for assertion IDs, safe for concurrent use; nil: crypto/rand

	// OnEvent gets the audit record of every exchange before Exchange returns, from the caller's goroutine: it must be quick.
	OnEvent func(context.Context, Event)
	// Logger gets each Event at level Info or Warn, and failed refreshes of issuers' keys. nil: silence.
	Logger *slog.Logger
}

// Delegator exchanges ID tokens for AWS credentials. Only [New] makes one; the zero value refuses.
type Delegator struct {
	verifier           verifier
	identity           IdentityProvider
	targets            TargetSource
	rules              []RuleFunc
	profile            ProfileFunc
	capSession, strict bool
	sts                STS
	stsTimeout         time.Duration
	fips, dualStack    bool
	now                func() time.Time
	random             io.Reader
	onEvent            func(context.Context, Event)
	logger             *slog.Logger
}

// New checks the configuration and returns a Delegator. Everything that is missing or wrong is named at once, in an error with
// [CodeConfigInvalid]. The context serves to load the AWS SDK's configuration; no issuer is asked and AWS is not called.
func New(ctx context.Context, c Config) (*Delegator, error) {
	if ctx == nil {
		return nil, newError(CodeArgumentInvalid, "the context is nil")
	}
	var problems []error
	problem := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Rand = cmp.Or(c.Rand, rand.Reader)
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	c.MaxTokenSize = cmp.Or(c.MaxTokenSize, defaultMaxTokenSize)
	c.Leeway = cmp.Or(c.Leeway, time.Minute)
	c.STSTimeout = cmp.Or(c.STSTimeout, 10*time.Second)
	if c.MaxTokenSize < 0 || c.STSTimeout < 0 || c.Leeway > 5*time.Minute {
		problem("MaxTokenSize and STSTimeout must not be negative, Leeway not over 5m")
	}
	d := &Delegator{
		verifier: verifier{issuers: map[string]trustedIssuer{}, maxSize: c.MaxTokenSize, leeway: max(c.Leeway, 0), now: c.Now},
		identity: c.IdentityProvider, targets: c.Targets, rules: slices.Clone(c.Rules), profile: c.Profile,
		capSession: c.CapSessionToToken, strict: c.StrictSessionNames,
		sts: c.STS, stsTimeout: c.STSTimeout, fips: c.FIPS, dualStack: c.DualStack,
		now: c.Now, random: c.Rand, onEvent: c.OnEvent, logger: c.Logger,
	}
	d.identity.Keys = slices.Clone(c.IdentityProvider.Keys)
	if len(c.Issuers) == 0 {
		problem("Issuers is empty")
	}
	for i, issuer := range c.Issuers {
		trusted, wrong := issuer.trust(&c)
		for _, err := range wrong {
			problem("Issuers[%d]: %w", i, err)
		}
		if _, twice := d.verifier.issuers[issuer.URL]; twice {
			problem("Issuers[%d]: URL %q is configured twice", i, issuer.URL)
		}
		d.verifier.issuers[issuer.URL] = trusted
	}
	if err := c.IdentityProvider.check(); err != nil {
		problem("IdentityProvider: %w", err)
	}
	switch targets := c.Targets.(type) {
	case nil:
		problem("Targets is nil")
	case Targets:
		copied := make(Targets, len(targets))
		for name, target := range targets {
			copied[name] = target.clone()
			if err := d.checkTarget(name, &target); err != nil {
				problem("Targets[%q]: %w", name, err)
			}
		}
		d.targets = copied
	}
	for i, rule := range c.Rules {
		if rule == nil {
			problem("Rules[%d] is nil", i)
		}
	}
	if c.FIPS && c.DualStack {
		problem("FIPS and DualStack: AWS has no STS endpoint that is both")
	}
	if len(problems) == 0 && d.sts == nil {
		var err error
		if d.sts, err = defaultSTS(ctx); err != nil {
			problem("the AWS SDK's configuration: %w", err)
		}
	}
	if len(problems) > 0 {
		return nil, newError(CodeConfigInvalid, "%w", errors.Join(problems...))
	}
	return d, nil
}

// ExchangeOption changes one call of [Delegator.Exchange].
type ExchangeOption func(*exchangeOptions)

type exchangeOptions struct {
	clientID string
	request  Request
}

// WithClientID says which application calls. It must be an audience of the token or its azp, or the exchange is refused.
func WithClientID(id string) ExchangeOption { return func(o *exchangeOptions) { o.clientID = id } }

// WithRequest gives rules what the service knows of the call. It decides nothing by itself.
func WithRequest(r Request) ExchangeOption { return func(o *exchangeOptions) { o.request = r } }

// Exchange returns AWS credentials for the user of the ID token, as target, rules and mappings decide. On any error there are no
// credentials, and the error is an [*Error]. A context that ends stops the exchange at the step it has reached, with
// [CodeCanceled]; a nil one is refused. Nothing is remembered between calls but the issuers' keys.
func (d *Delegator) Exchange(ctx context.Context, idToken, target string, options ...ExchangeOption) (*Credentials, error) {
	if ctx == nil || d == nil || d.targets == nil {
		return nil, newError(CodeArgumentInvalid, "the context is nil, or the Delegator was not made by New")
	}
	event := Event{Time: d.now(), Target: target, Took: map[Stage]time.Duration{}}
	credentials, err := d.exchange(ctx, idToken, target, options, &event)
	event.fail(err)
	d.report(ctx, event)
	return credentials, err
}

// exchange is the path of one exchange, the only place that knows the order of the steps.
func (d *Delegator) exchange(ctx context.Context, idToken, name string, options []ExchangeOption, event *Event) (*Credentials, error) {
	var o exchangeOptions
	for _, option := range options {
		if option != nil {
			option(&o)
		}
	}
	began := event.Time
	lap := func(stage Stage) {
		now := d.now()
		event.Took[stage], began = now.Sub(began), now
	}

	claims, err := d.verifier.verify(ctx, idToken)
	lap(StageToken)
	if err != nil {
		return nil, err
	}
	event.Issuer, event.Subject, event.ClientID = claims.issuer, claims.subject, claims.client()

	target, err := d.findTarget(ctx, name, claims, o.clientID)
	lap(StageTarget)
	if err != nil {
		return nil, err
	}

	user, rc := newUser(claims), &RuleContext{ClientID: claims.client(), Target: name, Protocol: "delegation", Request: o.request, AWS: target.AWS}
	if o.clientID != "" {
		rc.ClientID = o.clientID
	}
	err = d.loadProfile(ctx, user)
	if err == nil {
		rc.Connection = user.Text("identities.0.connection")
		event.Rule, err = runRules(ctx, d.rules, user, rc)
	}
	lap(StageRules)
	if err != nil {
		return nil, err
	}

	decision, err := decide(user, claims.subject, rc.AWS, target, d.strict)
	lap(StageDecision)
	if err != nil {
		return nil, err
	}
	if d.capSession {
		decision.sessionNotOnOrAfter = claims.expiry
	}
	event.Principal, event.Role, event.Region = decision.principal.String(), decision.role.String(), decision.region.String()
	event.SessionName, event.SourceIdentity, event.Duration = decision.sessionName, decision.sourceIdentity, decision.duration

	identity := d.identity
	if target.Identity != nil {
		identity = *target.Identity
	}
	response, err := identity.respond(ctx, decision, d.now(), d.random)
	lap(StageSAML)
	if err != nil {
		return nil, err
	}
	event.AssertionID = response.assertionID

	credentials, err := d.redeem(ctx, decision, response)
	lap(StageSTS)
	if err != nil {
		return nil, err
	}
	event.AccessKeyID, event.Expiration = credentials.AccessKeyID, credentials.Expiration
	event.RequestID, event.PackedPolicySize = credentials.RequestID, credentials.PackedPolicySize
	return credentials, nil
}

// findTarget looks the target up and checks that the token may be used for it.
func (d *Delegator) findTarget(ctx context.Context, name string, c *claims, clientID string) (*Target, error) {
	if clientID != "" && clientID != c.party && !slices.Contains(c.audience, clientID) {
		return nil, newError(CodeClientMismatch, "the token was not issued to the application %.80q", clientID)
	}
	var target *Target
	err := protect(CodeTargetFailed, "the TargetSource", func() (err error) {
		target, err = d.targets.Target(ctx, name)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil, canceledAt(StageTarget, ctx)
	case err != nil:
		return nil, newError(CodeTargetFailed, "the target %.80q: %w", name, err)
	case target == nil:
		return nil, newError(CodeDelegationDisabled, "there is no target %.80q", name)
	}
	own := target.clone() // rules may change it
	target = &own
	if err := target.mayCall(name, c, len(d.verifier.issuers) == 1); err != nil {
		return nil, err
	}
	if _, checked := d.targets.(Targets); !checked {
		if err := d.checkTarget(name, target); err != nil {
			return nil, newError(CodeTargetInvalid, "the target %.80q: %w", name, err)
		}
	}
	return target, nil
}

// checkTarget reports what New refuses in a target. Role and region may still be missing: rules can choose them.
func (d *Delegator) checkTarget(name string, t *Target) error {
	var problems []error
	if name == "" {
		problems = append(problems, errors.New("the name is empty"))
	}
	if len(t.Issuers) == 0 && len(d.verifier.issuers) > 1 {
		problems = append(problems, errors.New("Issuers is empty, and there are several issuers"))
	}
	for _, issuer := range t.Issuers {
		if _, ok := d.verifier.issuers[issuer]; !ok {
			problems = append(problems, fmt.Errorf("Issuers: %q is not a configured issuer", issuer))
		}
	}
	if _, err := parseIAM(t.Principal, providerName, "SAML provider"); err != nil && t.Principal != "" {
		problems = append(problems, fmt.Errorf("Principal: %w", err))
	}
	if _, err := parseIAM(t.Role, roleName, "role"); err != nil && t.Role != "" {
		problems = append(problems, fmt.Errorf("Role: %w", err))
	}
	for i, role := range t.AllowedRoles {
		if _, err := parseIAM(role, roleName, "role"); err != nil {
			problems = append(problems, fmt.Errorf("AllowedRoles[%d]: %w", i, err))
		}
	}
	if t.Region != "" {
		if region, err := ParseRegion(t.Region); err != nil {
			problems = append(problems, fmt.Errorf("Region: %w", err))
		} else if _, err := region.STSHost(d.fips, d.dualStack); err != nil {
			problems = append(problems, fmt.Errorf("Region: %w", err))
		}
	}
	if t.Identity != nil {
		if err := t.Identity.check(); err != nil {
			problems = append(problems, fmt.Errorf("Identity: %w", err))
		}
	}
	return errors.Join(problems...)
}

// loadProfile adds what the profile loader knows and the token lacks.
func (d *Delegator) loadProfile(ctx context.Context, user *User) error {
	if d.profile == nil {
		return nil
	}
	var extra map[string]any
	err := protect(CodeProfileFailed, "the profile loader", func() (err error) {
		extra, err = d.profile(ctx, user)
		return err
	})
	if ctx.Err() != nil {
		return canceledAt(StageRules, ctx)
	}
	if err != nil {
		return newError(CodeProfileFailed, "the profile of this user: %w", err)
	}
	for name, value := range extra {
		if _, claimed := user.Properties[name]; !claimed {
			user.Set(name, clone(value))
		}
	}
	return nil
}

// report hands the event on. What it is handed to must not spoil an exchange that has succeeded.
func (d *Delegator) report(ctx context.Context, event Event) {
	level := slog.LevelInfo
	if event.Err != nil {
		level = slog.LevelWarn
	}
	d.logger.LogAttrs(ctx, level, "exchange", slog.Any("event", event))
	if d.onEvent == nil {
		return
	}
	if err := protect(CodeArgumentInvalid, "Config.OnEvent", func() error { d.onEvent(ctx, event); return nil }); err != nil {
		d.logger.LogAttrs(ctx, slog.LevelError, "event lost", slog.String("error", err.Error()))
	}
}
