package delegation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/seed055b7978/delegation/internal/errortable"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/packed"
)

// packedSizeWarning is the percentage of AWS's space from which on an Event warns: a slightly
// longer value may no longer fit. It also applies to estimates, which may be that far below AWS's
// figure.
const packedSizeWarning = packed.Warned

// How many characters of what a caller or a service chose are in an Event.
const (
	maxEventTarget    = 256
	maxEventClientIP  = 64
	maxEventUserAgent = 256
	maxEventRequestID = 128
	maxEventEndpoint  = 64
	maxEventName      = 64 // AWS's longest session name
)

// Outcome says how an exchange ended.
type Outcome string

// The outcomes. docs/errors.md says which code is denied and which is failed.
const (
	// OutcomeAllowed: credentials were returned.
	OutcomeAllowed Outcome = "allowed"
	// OutcomeDenied: the token, the target or a rule refused, so the user must not get credentials.
	OutcomeDenied Outcome = "denied"
	// OutcomeFailed: something did not work, such as an issuer, a rule, the configuration, the
	// signing key or AWS. It says nothing about the user.
	OutcomeFailed Outcome = "failed"
	// OutcomeListed: [Delegator.Roles] listed the roles that the user may choose. No credentials
	// were returned.
	OutcomeListed Outcome = "listed"
)

// Event is the audit record of one exchange. Every exchange makes one, also a failed one. It
// contains no token, assertion, secret or key. Issuer, subject and client are set only from a
// verified token. Fields that a failed exchange did not reach are empty.
//
// Every signed assertion is in exactly one Event. Events of cached credentials have none: their
// AccessKeyID leads to the Event that has it.
type Event struct {
	// Time is when the exchange began.
	Time time.Time
	// Outcome is how it ended: allowed, denied or failed; or listed, of a call that lists roles.
	Outcome Outcome
	// Issuer is the token's iss.
	Issuer string
	// Subject is the token's sub, or the uid of an access token of Okta.
	Subject string
	// TokenSHA256 is the SHA-256 of the ID token as received, in hexadecimal, whether it was
	// accepted or not. Empty without a token.
	TokenSHA256 string
	// ClaimedIssuer is the configured issuer that an unverified token names. It may be forged.
	// Empty if Issuer is set, or if the token does not name a configured issuer.
	ClaimedIssuer string
	// KeyID is the kid in the token's header, verified or not, cut to 80 characters.
	KeyID string
	// Algorithm is the alg in the token's header, verified or not, cut to 80 characters.
	Algorithm string
	// ClientID is the application that the verified token was issued to; see Target.Audiences.
	ClientID string
	// TokenKind is [TokenKindAccess] if the verified token is an access token, and otherwise empty.
	TokenKind TokenKind
	// TokenScopes are the scopes of a verified access token.
	TokenScopes []string

	// ActorIssuer is the issuer of the actor; see [Actor]. Empty: there is no actor. This and the
	// next two fields come only from verified tokens. They are set whether the target allows the
	// actor or not.
	ActorIssuer string
	// ActorSubject is the sub of the actor.
	ActorSubject string
	// ActorClientID is the application of the actor, if its token or the user's says so.
	ActorClientID string
	// ActorTokenSHA256 is the SHA-256 of the actor token as received, in hexadecimal, whether it
	// was accepted or not. Empty without one.
	ActorTokenSHA256 string
	// PriorActors are the earlier actors that the user's token names, the latest first, at most 10.
	// They do not influence the decision (RFC 8693 §4.1).
	PriorActors []string

	// HTTPRequestID is Request.ID, cut to 128 characters: the service's ID of the call. AWS's ID is
	// RequestID.
	HTTPRequestID string
	// ClientIP is Request.IP: the address of the caller, cut to 64 characters.
	ClientIP string
	// UserAgent is Request.UserAgent, cut to 256 characters. The caller chooses it. In this and the
	// previous two fields, characters that are not printable are escaped as in Go.
	UserAgent string

	// Endpoint is Request.Endpoint, cut to 64 characters: the endpoint of the service that was
	// called. For [Delegator.Roles] it is roles if the Request has none.
	Endpoint string

	// FromContext says that the call came from an AWS client with the provider of
	// [Delegator.FromContext].
	FromContext bool
	// Target is the requested target, cut to 256 characters.
	Target string
	// RequestedSessionName is Request.SessionName, cut to 64 characters and escaped like UserAgent:
	// what the caller requested. SessionName is what was decided.
	RequestedSessionName string
	// RequestedDuration is Request.SessionDuration: what the caller requested. Duration is what was
	// decided. Zero: none was requested.
	RequestedDuration time.Duration
	// RequestedRole is the role that [WithRole] requested, cut to 640 characters. Empty: none.
	RequestedRole string
	// ListedRoles are the roles that [Delegator.Roles] returned. nil: the event is of another call,
	// or Roles failed.
	ListedRoles []string
	// Rule is the rule that refused or failed, or else the last one that changed the role.
	Rule string
	// Principal is the ARN of the SAML provider.
	Principal string
	// Role is the ARN of the role.
	Role string
	// Chain are the ARNs of the roles that are assumed after Role, in order. The credentials are
	// those of the last one. Empty: the credentials are those of Role.
	Chain []string
	// Hop is the step at which the chain failed, if AWS was called: 1 is Role, 2 is the first of
	// Chain. 0: it did not fail there, or there is no chain.
	Hop int
	// HopRequestIDs are AWS's request IDs, one for each role of the chain that was assumed for this
	// exchange, in order. RequestID is the last one, or that of the refusal. Empty: there is no
	// chain, or AWS was not called.
	HopRequestIDs []string
	// Region is where STS was called, or last called.
	Region string
	// FailedRegions are the regions that did not answer before Region, in order. Each is
	// REGION:CODE, or REGION:skipped if it had failed earlier.
	FailedRegions []string
	// SessionName is the session's name, as in CloudTrail.
	SessionName string
	// SourceIdentity is the session's source identity, as in CloudTrail.
	SourceIdentity string
	// Duration is the session's duration in the last request to AWS.
	Duration time.Duration
	// ShortenedFrom is the decided duration, if the role does not allow it. Zero: Duration was
	// allowed.
	ShortenedFrom time.Duration
	// Tags are the decided session tags, keys and values. Those in DroppedTags were not sent.
	Tags map[string]string
	// SessionPolicySHA256 is the SHA-256 of the session policy as sent to AWS, in hexadecimal.
	// Empty without one.
	SessionPolicySHA256 string
	// SessionPolicyARNs are the managed session policies.
	SessionPolicyARNs []string
	// Scopes are the names requested with [WithScope]: the first 20, each cut to 128 characters and
	// escaped like UserAgent.
	Scopes []string
	// RequestedPolicySHA256 are the SHA-256 of the documents given with [WithSessionPolicy], in
	// hexadecimal.
	RequestedPolicySHA256 []string
	// Narrowing says how each option narrowed the session, in order. Empty: it was not narrowed.
	Narrowing []Narrowing
	// DroppedTags are the keys of session tags that were left out because AWS's space was too
	// small.
	DroppedTags []string

	// Cache says where the credentials came from, such as [CacheHit]. Empty: the exchange did not
	// get that far.
	Cache CacheOutcome
	// AssertionID is CloudTrail's sAMLAssertionID, if an assertion was signed for this exchange.
	AssertionID string
	// AccessKeyID is the access key ID of the credentials, whether new or from the cache.
	AccessKeyID string
	// Expiration is when the credentials expire.
	Expiration time.Time
	// RequestID is AWS's request ID, of the call for this exchange or of the cached refusal. Empty:
	// AWS was not called.
	RequestID string
	// PackedPolicySize is the share of AWS's space that policies and tags use, in percent, as AWS
	// reported it. It is above 100 if AWS refused them as too large.
	PackedPolicySize int
	// EstimatedPackedSize is the estimate of PackedPolicySize for the decision, before any tag was
	// dropped. Zero: AWS was not called, or there are no policies and tags. docs/packed-size.md
	// describes its accuracy.
	EstimatedPackedSize int
	// Unconfirmed names the fields that AWS's answer left out, of Issuer and Audience, so that they
	// could not be compared.
	Unconfirmed []string

	// Stage is where the exchange failed. Empty on success.
	Stage Stage
	// Code is why it failed. Empty on success.
	Code Code
	// Err is the *[Error]. nil on success.
	Err error
	// Took is how long each stage took, including retries, by Config.Now.
	Took map[Stage]time.Duration
	// Warnings name what needs attention, whether the exchange failed or not. docs/fail-over.md
	// lists them. Rules add their own with RuleContext.Warn.
	Warnings []string
}

// record is an Event while it is being written.
type record struct {
	event eventNotes
	took  times
	now   func() time.Time
	began time.Time // when the current stage began

	nameIDSlash bool // the NameID has a slash, and may be the name of a folder
	listing     bool // roles are listed, and no credentials are handed out
}

// times are how long each of stagesInOrder took. Those that were not reached are not in done.
type times struct {
	took [len(stagesInOrder)]time.Duration
	done [len(stagesInOrder)]bool
}

func (t *times) add(stage Stage, took time.Duration) {
	i := slices.Index(stagesInOrder[:], stage)
	t.took[i] += took
	t.done[i] = true
}

// of is how long a stage took, and whether it was reached.
func (t *times) of(stage Stage) (time.Duration, bool) {
	i := slices.Index(stagesInOrder[:], stage)
	return t.took[i], t.done[i]
}

// byStage is Event.Took.
func (t *times) byStage() map[Stage]time.Duration {
	made := map[Stage]time.Duration{}
	for i, stage := range stagesInOrder {
		if t.done[i] {
			made[stage] = t.took[i]
		}
	}
	return made
}

// begin begins the record of an exchange.
func (r *record) begin(now func() time.Time, target string) {
	r.now = now
	r.began = now()
	r.event.Time = r.began
	r.event.Target = cut(target, maxEventTarget)
}

// cut returns the first characters of a text.
func cut(text string, characters int) string {
	if len(text) <= characters {
		return text
	}
	return fmt.Sprintf("%.*s", characters, text)
}

// printable returns the first characters of a text. Those that are not printable are escaped as in
// Go, so that no reader of a record is led astray.
func printable(text string, characters int) string {
	text = strings.ToValidUTF8(cut(text, characters), string(unicode.ReplacementChar))
	escape := func(r rune) bool { return !unicode.IsPrint(r) }
	if !strings.ContainsFunc(text, escape) {
		return text
	}
	var escaped strings.Builder
	for _, r := range text {
		if escape(r) {
			escaped.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		escaped.WriteRune(r)
	}
	return escaped.String()
}

// apart returns a record that goes on by itself, and in which no stage has taken any time.
func (r *record) apart() record {
	own := *r
	own.event = r.event.apart()
	own.took = times{}
	return own
}

// lap notes that a stage has ended.
func (r *record) lap(stage Stage) {
	now := r.now()
	r.took.add(stage, now.Sub(r.began))
	r.began = now
}

// ended is the event of an exchange that ended with this error, without Took. Its receiver may keep
// and change it.
func (r *record) ended(err error) Event {
	event := r.event.event()
	var failure *Error // nil on success
	if err != nil {
		failure = failureOf(err)
		event.Stage = failure.Stage
		event.Code = failure.Code
		event.Hop = failure.Hop
		event.Err = failure
		event.RequestID = cmp.Or(failure.RequestID, event.RequestID)
		event.PackedPolicySize = cmp.Or(failure.PackedPolicySize, event.PackedPolicySize)
	}
	event.Outcome = failure.outcome()
	if r.listing && err == nil {
		event.Outcome = OutcomeListed
	}
	event.Warnings = append(event.warnings(), event.Warnings...)
	if r.nameIDSlash {
		event.Warnings = append(event.Warnings, "name_id_slash")
	}
	return event
}

// report completes the event and hands it on. It returns the error that the exchange ends with:
// another one if the exchange could not be recorded.
func (d *Delegator) report(ctx context.Context, r *record, err error) error {
	event, err := d.audited(ctx, r, err)
	level := event.level()
	logged := d.config.Logger.Enabled(ctx, level)
	if !logged && d.config.OnEvent == nil {
		return err
	}
	if logged {
		d.config.Logger.LogAttrs(ctx, level, "exchange "+string(event.Outcome),
			slog.GroupAttrs("event", event.attrs(r.took.of)...))
	}
	if d.config.OnEvent == nil {
		return err
	}
	event.Took = r.took.byStage()
	d.observed(ctx, func() { d.config.OnEvent(ctx, event) })
	return err
}

// observed calls a hook, whose panic must not spoil an exchange.
func (d *Delegator) observed(ctx context.Context, hook func()) {
	err := guard.Call(func() error {
		hook()
		return nil
	})
	if err != nil {
		d.config.Logger.LogAttrs(ctx, slog.LevelError, "event lost",
			slog.String("error", err.Error()))
	}
}

// level is how loud a logger gets the event. A warning makes a success louder.
func (e *Event) level() slog.Level {
	failure, _ := e.Err.(*Error)
	if len(e.Warnings) > 0 {
		return max(failure.level(), slog.LevelWarn)
	}
	return failure.level()
}

// failureOf is the Error that an exchange has ended with.
func failureOf(err error) *Error {
	var failure *Error
	if !errors.As(err, &failure) {
		return issueError(err)
	}
	return failure
}

// level is how loud a logger gets the exchange that ended so, by docs/errors.md. What the caller
// chose is the caller's to correct.
func (e *Error) level() slog.Level {
	if e == nil {
		return slog.LevelInfo
	}
	row, known := errortable.Of(string(e.Code))
	if !known || e.Requested {
		return slog.LevelWarn
	}
	return row.Level
}

// outcome is how the exchange ended that has this error, by docs/errors.md. nil is a success. What
// the caller chose and may not have is denied.
func (e *Error) outcome() Outcome {
	if e == nil {
		return OutcomeAllowed
	}
	if e.Requested {
		return OutcomeDenied
	}
	if row, known := errortable.Of(string(e.Code)); known {
		return Outcome(row.Outcome)
	}
	if answer, known := errortable.OfStage(string(e.Stage)); known {
		return Outcome(answer.Outcome())
	}
	return OutcomeFailed
}

// LogValue implements slog.LogValuer: a group of the fields that are set.
func (e Event) LogValue() slog.Value {
	took := func(stage Stage) (time.Duration, bool) {
		took, ok := e.Took[stage]
		return took, ok
	}
	return slog.GroupValue(e.attrs(took)...)
}

// attrs are the fields that are set, and how long each stage took that was reached.
func (e *Event) attrs(took func(Stage) (time.Duration, bool)) []slog.Attr {
	attrs := make([]slog.Attr, 0, 32) // a success has some 20
	for _, field := range e.texts() {
		if field.text != "" {
			attrs = append(attrs, slog.String(field.name, field.text))
		}
	}
	for _, field := range e.lists() {
		if len(field.list) > 0 {
			attrs = append(attrs, slog.Any(field.name, field.list))
		}
	}
	if len(e.Tags) > 0 {
		attrs = append(attrs, slog.Any("tags", e.Tags))
	}
	if e.FromContext {
		attrs = append(attrs, slog.Bool("from_context", true))
	}
	if e.Hop > 0 {
		attrs = append(attrs, slog.Int("hop", e.Hop))
	}
	if e.RequestedDuration != 0 {
		attrs = append(attrs,
			slog.Float64("requested_duration_seconds", e.RequestedDuration.Seconds()))
	}
	if e.Duration > 0 {
		attrs = append(attrs, slog.Float64("duration_seconds", e.Duration.Seconds()))
	}
	if e.ShortenedFrom > 0 {
		attrs = append(attrs,
			slog.Float64("shortened_from_seconds", e.ShortenedFrom.Seconds()))
	}
	if e.EstimatedPackedSize > 0 {
		attrs = append(attrs, slog.Int("estimated_packed_size", e.EstimatedPackedSize))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
		if e.PackedPolicySize > 0 {
			attrs = append(attrs, slog.Int("packed_policy_size", e.PackedPolicySize))
		}
	} else if e.Outcome != OutcomeListed {
		attrs = append(attrs,
			slog.Time("expiration", e.Expiration),
			slog.Int("packed_policy_size", e.PackedPolicySize))
	}
	for i, stage := range stagesInOrder {
		if took, ok := took(stage); ok {
			attrs = append(attrs, slog.Float64(tookNames[i], milliseconds(took)))
		}
	}
	return attrs
}

// tookNames are the names in a log of how long each of stagesInOrder took.
var tookNames = func() (names [len(stagesInOrder)]string) {
	for i, stage := range stagesInOrder {
		names[i] = "took_" + string(stage) + "_ms"
	}
	return names
}()

// milliseconds returns a duration in milliseconds, to the microsecond.
func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// stagesInOrder are the stages of an exchange as it takes them.
var stagesInOrder = [...]Stage{
	StageToken, StageTarget, StageRules, StageDecision, StageCache, StageSAML, StageSTS, StageAudit,
}

// textField is a field of an Event that is one text, with its name in a log.
type textField struct {
	name, text string
}

func (e *Event) texts() [33]textField {
	return [...]textField{
		{"outcome", string(e.Outcome)},
		{"issuer", e.Issuer},
		{"subject", e.Subject},
		{"token_sha256", e.TokenSHA256},
		{"claimed_issuer", e.ClaimedIssuer},
		{"key_id", e.KeyID},
		{"algorithm", e.Algorithm},
		{"client_id", e.ClientID},
		{"token_kind", string(e.TokenKind)},
		{"actor_issuer", e.ActorIssuer},
		{"actor_subject", e.ActorSubject},
		{"actor_client_id", e.ActorClientID},
		{"actor_token_sha256", e.ActorTokenSHA256},
		{"http_request_id", e.HTTPRequestID},
		{"client_ip", e.ClientIP},
		{"user_agent", e.UserAgent},
		{"endpoint", e.Endpoint},
		{"target", e.Target},
		{"requested_session_name", e.RequestedSessionName},
		{"requested_role", e.RequestedRole},
		{"rule", e.Rule},
		{"principal", e.Principal},
		{"role", e.Role},
		{"region", e.Region},
		{"session_name", e.SessionName},
		{"source_identity", e.SourceIdentity},
		{"session_policy_sha256", e.SessionPolicySHA256},
		{"cache", string(e.Cache)},
		{"assertion_id", e.AssertionID},
		{"access_key_id", e.AccessKeyID},
		{"request_id", e.RequestID},
		{"stage", string(e.Stage)},
		{"code", string(e.Code)},
	}
}

// listField is a field of an Event that is a list of texts, with its name in a log.
type listField struct {
	name string
	list []string
}

func (e *Event) lists() [13]listField {
	return [...]listField{
		{"listed_roles", e.ListedRoles},
		{"token_scopes", e.TokenScopes},
		{"prior_actors", e.PriorActors},
		{"chain", e.Chain},
		{"hop_request_ids", e.HopRequestIDs},
		{"failed_regions", e.FailedRegions},
		{"session_policy_arns", e.SessionPolicyARNs},
		{"scopes", e.Scopes},
		{"requested_policy_sha256", e.RequestedPolicySHA256},
		{"narrowing", narrowingTexts(e.Narrowing)},
		{"dropped_tags", e.DroppedTags},
		{"unconfirmed", e.Unconfirmed},
		{"warnings", e.Warnings},
	}
}

// warnings names what did not end the exchange and should be looked into.
func (e *Event) warnings() (names []string) {
	if len(e.FailedRegions) > 0 {
		names = append(names, "region_failed")
	}
	if e.ShortenedFrom > 0 {
		names = append(names, "session_shortened")
	}
	if len(e.DroppedTags) > 0 {
		names = append(names, "tags_dropped")
	}
	switch {
	case e.Code == CodeSTSPackedSize: // says it already
	case e.PackedPolicySize >= packedSizeWarning:
		names = append(names, "packed_policy_size")
	case e.PackedPolicySize == 0 && e.EstimatedPackedSize >= packedSizeWarning:
		names = append(names, "packed_policy_estimate")
	}
	if len(e.Unconfirmed) > 0 {
		names = append(names, "answer_unconfirmed")
	}
	return names
}
