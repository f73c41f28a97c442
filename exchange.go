package delegation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// ExchangeOption changes one call of [Delegator.Exchange].
type ExchangeOption func(*exchangeOptions)

type exchangeOptions struct {
	fromContext  bool // FromContext makes the exchange
	withoutCache bool
	clientID     string
	given        *Request // by WithRequest, and not to be changed; nil: none
	rules        []RuleFunc
	// few is what few callers ask for. Nil: nothing of it, and no memory for it.
	few *askedFor
}

// askedFor is what few callers ask for.
type askedFor struct {
	role string // empty: none
	// sessionDuration is zero for none.
	sessionDuration time.Duration
	scopes          []string // of Request.Scopes and of narrowings
	narrowings      []narrowing

	actorToken    string
	hasActorToken bool
	tokenKind     TokenKind // empty: any
	actorKind     TokenKind // empty: any
}

// ask returns what few callers ask for, to be written.
func (o *exchangeOptions) ask() *askedFor {
	if o.few == nil {
		o.few = new(askedFor)
	}
	return o.few
}

// asked returns what few callers ask for, to be read.
func (o *exchangeOptions) asked() askedFor {
	if o.few == nil {
		return askedFor{}
	}
	return *o.few
}

// askingFor returns options that ask for a role, and are the same otherwise.
func (o *exchangeOptions) askingFor(role string) exchangeOptions {
	asked := o.asked()
	asked.role = role
	own := *o
	own.few = &asked
	return own
}

// request is what the service knows of the call, with what the options ask for in it.
func (o *exchangeOptions) request() Request {
	var r Request
	if o.given != nil {
		r = *o.given
	}
	asked := o.asked()
	r.SessionDuration = cmp.Or(asked.sessionDuration, r.SessionDuration)
	r.Role = asked.role
	r.Scopes = asked.scopes
	return r
}

// WithClientID passes the client ID that the caller sent, for services whose clients send one. It
// must be the application that the token was issued to or one of the token's audiences, or the
// exchange is refused with [CodeClientMismatch]. It has no other effect: rules and events get the
// client of the verified token.
func WithClientID(id string) ExchangeOption {
	return func(o *exchangeOptions) { o.clientID = id }
}

// WithRequest passes what the service knows about the call to the rules and the [Event]. It does
// not influence the decision by itself.
func WithRequest(r Request) ExchangeOption {
	return func(o *exchangeOptions) { o.given = &r }
}

// WithRule adds a rule for this call, before those of Config.Rules. Use it for what only the
// service knows about a verified user, such as how often they have called. A nil rule fails the
// exchange with [CodeRulePanicked].
func WithRule(rule RuleFunc) ExchangeOption {
	return func(o *exchangeOptions) { o.rules = append(o.rules, rule) }
}

// WithoutCache gets new credentials from AWS for this call. They are not cached, and cached
// credentials do not change.
func WithoutCache() ExchangeOption {
	return func(o *exchangeOptions) { o.withoutCache = true }
}

// Exchange returns AWS credentials for the user of the ID token, as decided by the target, the
// rules and the mappings. The caller may change the returned value.
//
// On any error there are no credentials, and the error is an [*Error]. A context that ends stops
// the exchange at the step it has reached, with [CodeCanceled]; a nil one is refused with
// [CodeArgumentInvalid].
//
// Between calls a Delegator remembers the issuers' keys, verified tokens (see Config.TokenMemory),
// AWS's answers (see Config.CacheSize), regions that do not answer and, with
// Config.DurationBackOff, durations that roles do not allow.
func (d *Delegator) Exchange(
	ctx context.Context, idToken, target string, options ...ExchangeOption,
) (*Credentials, error) {
	if ctx == nil || d == nil || d.config.Targets == nil {
		return nil, newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	x := d.begin(target, options)
	credentials, err := x.run(ctx, idToken)
	if err := d.report(ctx, &x.record, err); err != nil {
		return nil, err
	}
	return credentials, nil
}

// exchange is one exchange under way: what each step leaves for the next. What belongs to a call to
// AWS, which can outlive its exchange, is a [call].
type exchange struct {
	*Delegator
	record
	options exchangeOptions
	// rules are the caller's and the configuration's, in this order.
	rules      []namedRule
	targetName string

	claims      *idtoken.Claims
	actor       *acting // who acts for the user; nil: nobody
	target      *Target
	claimChecks []ClaimCheck // of what issuer and target require, in this order
	left        *leftByRules // by its rules, which have ended; nil: nothing
	revoked     time.Time    // when sessions of the user were last ended; zero: never
	// chosen is the role that the rules begin with, of those that the target offers. Nil: it offers
	// none, and its role is its own.
	chosen   *RoleOption
	signIn   signIn // as the token says
	decision *decision
	// profile are the properties of the user that the profile loader has added.
	profile []string
}

func (d *Delegator) begin(target string, options []ExchangeOption) *exchange {
	x := &exchange{
		Delegator:  d,
		targetName: target,
	}
	for _, option := range options {
		if option != nil {
			option(&x.options)
		}
	}
	x.options.adoptScopes()
	x.record.begin(d.config.Now, target)
	x.noteRequest()
	x.rules = d.rules
	if len(x.options.rules) > 0 {
		x.rules = slices.Concat(namedRules(x.options.rules), d.rules)
	}
	return x
}

// noteRequest notes for the event what is known of the call, and what was asked for.
func (x *exchange) noteRequest() {
	request := x.options.request()
	e := &x.event
	e.HTTPRequestID = printable(request.ID, maxEventRequestID)
	e.ClientIP = printable(request.IP, maxEventClientIP)
	e.UserAgent = printable(request.UserAgent, maxEventUserAgent)
	e.Endpoint = printable(request.Endpoint, maxEventEndpoint)
	if request.SessionName != "" {
		e.note().RequestedSessionName = printable(request.SessionName, maxEventName)
	}
	if request.SessionDuration != 0 {
		e.note().RequestedDuration = request.SessionDuration
	}
	if request.Role != "" {
		e.note().RequestedRole = printable(request.Role, maxEventRole)
	}
	if x.options.fromContext {
		e.note().FromContext = true
	}
	if x.options.few != nil {
		x.options.few.describe(e.note())
	}
}

// run is the path of one exchange.
func (x *exchange) run(ctx context.Context, idToken string) (*Credentials, error) {
	if err := x.identify(ctx, idToken); err != nil {
		return nil, err
	}
	if err := x.chooseRole(); err != nil {
		return nil, err
	}
	if err := x.requireLiveSession(ctx); err != nil {
		return nil, err
	}
	if err := x.requireFirstUse(ctx, idToken); err != nil {
		return nil, err
	}
	if err := x.decide(ctx); err != nil {
		return nil, err
	}
	credentials, err := x.obtain(ctx)
	if err != nil {
		return nil, x.withoutSecrets(x.blame(err))
	}
	credentials.Narrowed = len(x.event.noted().Narrowing) > 0
	return credentials, nil
}

// identify finds out who asks for what: it verifies the token, and finds the target that it may be
// used for.
func (x *exchange) identify(ctx context.Context, idToken string) error {
	x.noteActorToken()
	if err := x.verify(ctx, idToken); err != nil {
		return err
	}
	defer x.lap(StageTarget)
	required, err := x.findTarget(ctx)
	if err != nil {
		return err
	}
	if err := x.requireClaims(required); err != nil {
		return err
	}
	return x.findActor(ctx)
}

// verify reads the token's claims. Of a token that is refused, the event has the hash, and which
// issuer, key and algorithm it names.
func (x *exchange) verify(ctx context.Context, idToken string) error {
	digest := idtoken.Digest(idToken)
	if idToken != "" {
		var text [2 * len(digest)]byte
		hex.Encode(text[:], digest[:])
		x.event.TokenSHA256 = string(text[:])
	}
	claims, err := x.tokens.VerifyHashed(ctx, idToken, digest)
	x.lap(StageToken)
	if err != nil {
		err := tokenError(err)
		if refusal, ours := err.(*Error); ours {
			x.event.note().ClaimedIssuer = refusal.Issuer
			x.event.KeyID = refusal.KeyID
			x.event.Algorithm = refusal.Algorithm
		}
		return err
	}
	x.claims = claims
	x.event.KeyID = claims.KeyID
	x.event.Algorithm = claims.Algorithm
	x.event.Issuer = claims.Issuer
	x.event.Subject = claims.Subject
	x.event.ClientID = claims.Client
	x.event.describeKind(claims)
	return nil
}

// checkClientID compares what the caller says of itself with the token. The error tells the
// operator whose token it is; strangers see none of it.
func (x *exchange) checkClientID() error {
	clientID := x.options.clientID
	client := x.claims.Client
	audience := x.claims.Audience
	if clientID == "" || clientID == client || slices.Contains(audience, clientID) {
		return nil
	}
	return newError(CodeClientMismatch,
		"a token of the issuer %.200q: the caller says that it is the application %.80q, "+
			"but the token was issued to %.80q, for the audience %.200q",
		x.claims.Issuer, clientID, client, strings.Join(audience, " "))
}

// findTarget looks the target up, checks that the token may be used for it, and returns what it
// requires.
func (x *exchange) findTarget(ctx context.Context) ([]requiredClaim, error) {
	if err := x.checkClientID(); err != nil {
		return nil, err
	}
	if err := checkKind(x.options.asked().tokenKind, x.claims); err != nil {
		return nil, err
	}
	target, err := guard.Value(func() (*Target, error) {
		return x.config.Targets.Target(ctx, x.targetName)
	})
	switch {
	case ctx.Err() != nil:
		return nil, canceledAt(StageTarget, ctx.Err())
	case err != nil:
		return nil, newError(CodeTargetFailed, "the target %.80q: %w", x.targetName, err)
	case target == nil:
		return nil, newError(CodeDelegationDisabled, "there is no target %.80q", x.targetName)
	}
	if x.config.fixedTargets() == nil {
		target = target.clone() // its source may change it
	}
	only := len(x.config.Issuers) == 1
	issuer := x.config.issuerOf(x.claims)
	if err := target.mayCall(x.targetName, x.claims, only, issuer); err != nil {
		return nil, err
	}
	required, err := x.requirements(target)
	if err != nil {
		return nil, err
	}
	x.target = target
	return required, nil
}

// requirements returns what the target requires of a token. New has compiled the targets of a map;
// what another source returns is checked here, in each exchange.
func (x *exchange) requirements(target *Target) ([]requiredClaim, error) {
	if x.config.fixedTargets() != nil {
		return x.targets.claims[x.targetName], nil
	}
	required, err := target.compile(x.targetName, &x.config)
	if err != nil {
		return nil, newError(CodeTargetInvalid, "the target %.80q: %w", x.targetName, err)
	}
	x.recent.note(target, x.config.Now())
	return required, nil
}

// decide takes the steps that look at the user: profile, rules, and the check of what they decided.
// Nothing is signed or sent in them.
func (x *exchange) decide(ctx context.Context) error {
	user, err := x.loadUser(ctx)
	if err != nil {
		x.lap(StageRules)
		return err
	}
	return x.decideFor(ctx, user)
}

// loadUser makes the user of the token, and completes it.
func (x *exchange) loadUser(ctx context.Context) (*User, error) {
	x.signIn = newSignIn(x.claims.All, x.began, x.config.Leeway) // not what a profile says
	user := &User{Properties: x.claims.All}
	user.Set("user_id", x.claims.Subject) // whatever a claim of that name says
	if issuer := x.config.issuerOf(x.claims); issuer != nil {
		issuer.markEmail(user)
	}
	if err := x.loadProfile(ctx, user); err != nil {
		return nil, err
	}
	user.deriveIdentity()
	return user, nil
}

// decideFor runs the rules for the user, and checks what they decided.
func (x *exchange) decideFor(ctx context.Context, user *User) error {
	rc := x.ruleContext()
	err := x.applyRules(ctx, user, rc)
	x.lap(StageRules)
	if err != nil {
		return err
	}
	x.decision, err = x.checkDecision(user, rc)
	x.lap(StageDecision)
	if err != nil {
		return x.withoutSecrets(x.blame(err))
	}
	if x.target.slashMatters(x.decision.nameID) {
		x.nameIDSlash = true
		x.recent.slashes.Note(x.event.Target, x.event.Target, x.began)
	}
	if err := x.capSession(); err != nil {
		return err
	}
	x.decision.describe(&x.event)
	return nil
}

// checkDecision makes the decision from what the rules left.
func (x *exchange) checkDecision(user *User, rc *RuleContext) (*decision, error) {
	target, err := x.target.addressedBy(rc)
	if err != nil {
		return nil, err
	}
	decided, err := newDecision(user, x.claims.Subject, rc.AWS, target, &x.config, x.actor)
	if err != nil {
		return nil, err
	}
	if err := x.checkAsked(decided); err != nil {
		return nil, err
	}
	if err := decided.shorten(x.options.asked().sessionDuration); err != nil {
		return nil, err
	}
	if err := x.narrow(decided); err != nil {
		return nil, err
	}
	return decided, nil
}

// ruleContext is what rules get of the exchange. They may change all of it.
func (x *exchange) ruleContext() *RuleContext {
	rc := &RuleContext{
		ClientID:      x.claims.Client,
		TokenKind:     TokenKind(x.claims.Kind),
		Scopes:        slices.Clone(x.claims.Scopes),
		Issuer:        x.claims.Issuer,
		Target:        x.target.idFor(x.targetName),
		Protocol:      "delegation",
		Request:       x.options.request(),
		AWS:           x.target.AWS.clone(),
		SAMLRecipient: x.target.SAMLRecipient,
		SAMLAudience:  x.target.SAMLAudience,
		signIn:        &x.signIn,
	}
	if x.chosen != nil {
		rc.AWS.Role = x.chosen.Role
		rc.AWS.Principal = x.chosen.Principal
	}
	if rc.AWS.Tags == nil {
		rc.AWS.Tags = map[string]string{} // so that a rule can set a tag without making the map
	}
	if rc.AWS.Mappings == nil {
		rc.AWS.Mappings = Mappings{}
	}
	rc.Request.Scopes = slices.Clone(rc.Request.Scopes)
	if x.actor != nil {
		rc.Actor = x.actor.clone()
	}
	rc.Request.Parameters, _ = jsonvalue.Clone(rc.Request.Parameters).(map[string]any)
	return rc
}

// applyRules runs the rules.
func (x *exchange) applyRules(ctx context.Context, user *User, rc *RuleContext) error {
	rc.limit = x.ruleLimit()
	rc.Connection = user.Text("identities.0.connection")
	rule, err := runRules(ctx, x.rules, user, rc)
	x.event.Rule = rule
	if !rc.wasAbandoned() && rc.left != nil {
		x.noteWarnings(rc.left)
	}
	return err
}

// noteWarnings keeps what the rules have warned of, for the event and for Explain.
func (x *exchange) noteWarnings(left *leftByRules) {
	x.left = left
	for _, w := range left.warnings {
		noted := x.event.note()
		noted.Warnings = append(noted.Warnings, w.name)
	}
}

// ruleLimit is the limit of the exchange's rules. Its time begins anew for each of them. Nil: there
// is none.
func (x *exchange) ruleLimit() *ruleLimit {
	if x.config.RuleTimeout <= 0 {
		return nil
	}
	return &ruleLimit{timeout: x.config.RuleTimeout, runs: x.ruleRuns}
}

// loadProfile adds what the profile loader knows and the token lacks.
func (x *exchange) loadProfile(ctx context.Context, user *User) error {
	if x.config.Profile == nil {
		return nil
	}
	limit := &ruleLimit{
		timeout: cmp.Or(x.config.RuleTimeout, defaultProfileTimeout),
		runs:    x.ruleRuns,
	}
	var extra map[string]any // not read if the loader was left
	const name = "the profile loader"
	err := limit.do(ctx, name, name, func(ctx context.Context) (err error) {
		// The package profile then uses no answer from before the user's sessions were ended.
		ctx = freshness.WithEnded(ctx, x.revoked)
		extra, err = x.config.Profile(ctx, user)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return canceledAt(StageRules, ctx.Err())
	case err != nil:
		return profileError(err)
	}
	extra = maps.Clone(extra) // the loader may keep its own
	// An address and its mark belong together: the profile's mark must not vouch for the token's
	// address.
	if user.Properties["email"] != nil || user.Properties["email_verified"] != nil {
		delete(extra, "email")
		delete(extra, "email_verified")
	}
	// A profile must not supply what only the issuer can state, such as hd at Google.
	maps.DeleteFunc(extra, func(claim string, _ any) bool {
		return sharedissuer.StatesAlone(user.Text("iss"), claim)
	})
	for name, value := range extra {
		if _, claimed := user.Properties[name]; !claimed {
			user.Set(name, jsonvalue.Clone(value))
			x.profile = append(x.profile, name)
		}
	}
	return nil
}

// profileCodes are the codes that a profile loader's error can bring along.
var profileCodes = []Code{
	CodeProfileMissing,
	CodeProfileUnavailable,
	CodeProfileThrottled,
	CodeProfileUnauthorized,
	CodeProfileInvalid,
}

// profileError gives what the profile loader returned its code.
func profileError(err error) *Error {
	code := CodeProfileFailed
	var own Code
	switch {
	case errors.As(err, new(*ruleTimeError)):
		code = CodeProfileTimeout
	case errors.As(err, &own) && slices.Contains(profileCodes, own):
		code = own
	}
	e := newError(code, "the profile of this user: %w", err)
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		e.RetryAfter = max(later.RetryAfter(), 0)
	}
	return e
}

// capSession ends the session with the token, if the configuration says so.
func (x *exchange) capSession() error {
	if !x.config.CapSessionToToken {
		return nil
	}
	expiry := x.claims.Expiry
	if x.actor != nil && x.actor.claims != nil && x.actor.claims.Expiry.Before(expiry) {
		expiry = x.actor.claims.Expiry
	}
	x.decision.sessionNotOnOrAfter = expiry
	if !expiry.After(x.config.Now()) { // within the leeway
		return newError(CodeTokenExpired,
			"the token expired at %s, and the session may not outlive it",
			expiry.UTC().Format(time.RFC3339))
	}
	return nil
}

// describe writes into the event what was decided. The tags are the decision's own, which nobody
// changes: a call that has to drop some of them makes a copy of the decision first.
func (d *decision) describe(e *eventNotes) {
	e.Principal = d.principal.String()
	e.Role = d.role.String()
	if len(d.chain) > 0 {
		e.note().Chain = d.chainedRoles()
	}
	e.Region = d.regions[0].String()
	e.SessionName = d.sessionName
	e.SourceIdentity = d.sourceIdentity
	e.Duration = d.duration
	if len(d.tags) > 0 {
		e.Tags = d.tags
	}
	if d.policy != "" {
		e.SessionPolicySHA256 = hexSHA256(d.policy)
	}
	if len(d.policyARNs) > 0 {
		e.note().SessionPolicyARNs = slices.Clone(d.policyARNs)
	}
}

// hexSHA256 returns the SHA-256 of a text, in hexadecimal.
func hexSHA256(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}
