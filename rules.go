package delegation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// User is the user of the verified ID token, as rules see it. It has all claims, with the names of
// Auth0's profile properties, and the properties that Config.Profile added. Each exchange has its
// own User, which rules may change.
//
// The property user_id is the token's sub, or the uid of an access token of Okta. The property
// identities is derived from a user_id of the form provider|id, unless the token or the profile has
// it. Numbers are json.Number, lists []any, objects map[string]any.
type User struct {
	// Properties are the properties by name. The map is never nil in a rule.
	Properties map[string]any
}

// Value returns the property at a dotted path, such as app_metadata.roles or
// identities.0.connection. A property whose name contains dots, such as https://example.com/groups,
// is found by its whole name, which takes precedence over a path.
func (u *User) Value(path string) (any, bool) { return jsonvalue.Lookup(u.Properties, path) }

// Text returns the property if it is a string, and "" otherwise.
func (u *User) Text(path string) string {
	value, _ := u.Value(path)
	s, _ := value.(string)
	return s
}

// Bool reports whether the property is the JSON value true. The string "true" gives false.
func (u *User) Bool(path string) bool {
	value, _ := u.Value(path)
	return value == true
}

// List returns the values of a list of strings, numbers and booleans as text. A single such value
// gives a list of one. If the property has any other value, List returns nil.
func (u *User) List(path string) []string {
	value, _ := u.Value(path)
	list, _ := jsonvalue.Texts(value)
	return list
}

// Set sets a top-level property. Dots in the name are part of it.
func (u *User) Set(name string, value any) {
	if u.Properties == nil {
		u.Properties = map[string]any{}
	}
	u.Properties[name] = value
}

// deriveIdentity reads Auth0's identities from the form of its user IDs, if neither token nor
// profile has them.
func (u *User) deriveIdentity() {
	if _, has := u.Properties["identities"]; has {
		return
	}
	provider, id, ok := strings.Cut(u.Text("user_id"), "|")
	if !ok {
		return
	}
	var name any = provider // one copy for both
	u.Set("identities", []any{map[string]any{
		"provider":   name,
		"connection": name,
		"user_id":    id,
		"isSocial":   provider != "auth0",
	}})
}

// ProfileFunc loads properties of a user that the ID token lacks, for example groups from a
// database. It may read the user and must not keep it. Its result is copied and added to the user.
// Claims of the verified token, including user_id, take precedence over it. Package profile has
// loaders for an HTTP endpoint and for Auth0's Management API.
//
// Its time is limited by Config.RuleTimeout, 20 seconds by default. An error that wraps
// [CodeProfileMissing], [CodeProfileUnavailable], [CodeProfileThrottled], [CodeProfileUnauthorized]
// or [CodeProfileInvalid] keeps that code, and any other gets [CodeProfileFailed]. If the error has
// a method RetryAfter() time.Duration, the result is Error.RetryAfter.
type ProfileFunc func(ctx context.Context, user *User) (map[string]any, error)

// Request is what a service knows about the call that led to an exchange. Rules can read it. It
// does not influence the decision by itself. The library does not verify it.
type Request struct {
	// ID is the service's ID of the call, such as the header X-Request-ID. Events have it, so that
	// a user can report it to support.
	ID string
	// IP is the caller's address. Events have it.
	IP string
	// UserAgent is what the caller's program calls itself. Events have it.
	UserAgent string
	// Hostname is the host name with which the service was called.
	Hostname string
	// Endpoint is the endpoint of the service that was called. delegationhttp uses bearer,
	// delegation, credentials, console, roles, sts and token. Events have it. Empty: not set.
	Endpoint string
	// SessionName is the session name that the caller requested, such as RoleSessionName of
	// AssumeRoleWithWebIdentity. It has no effect unless a rule copies it to AWS.SessionName.
	// Events have it. Empty: none was requested.
	SessionName string
	// SessionDuration is the session duration that the caller requested. Setting it has no effect:
	// use [WithSessionDuration], which sets it and applies it. Events have it. Zero: none was
	// requested.
	SessionDuration time.Duration
	// Role is the ARN of the role that [WithRole] requested. Only that option sets it. A rule may
	// refuse it. If another role is decided, the exchange fails with [CodeRoleDiffers]. Empty: none
	// was requested.
	Role string
	// Parameters are other parameters that the caller sent, such as the remaining form fields of a
	// delegation request. Each exchange gets a copy.
	Parameters map[string]any
	// Scopes are the names of the requested scopes, including those of [WithScope]. A rule can
	// refuse them, but changes here have no effect on the session. Each exchange gets a copy.
	Scopes []string
}

// RuleContext is what a rule can read and decide, in addition to the [User]. It mirrors the context
// of Auth0 rules. Each exchange has its own.
type RuleContext struct {
	// ClientID is the application that the verified token was issued to. The caller cannot change
	// it.
	ClientID string
	// Issuer is the iss of the verified token.
	Issuer string
	// TokenKind is the kind of the verified token.
	TokenKind TokenKind
	// Scopes are the scopes of the verified access token. Empty for an ID token.
	Scopes []string
	// Actor is the actor who acts for the user, as the target's Actors allow it. nil: the user acts
	// in person. Changes of it have no effect.
	Actor *Actor
	// Target is Target.ID, or the requested name if the target has no ID.
	Target string
	// Protocol is always "delegation".
	Protocol string
	// Connection is the user's identities.0.connection.
	Connection string
	// Request is the value of WithRequest.
	Request Request
	// Rule is the name of the running rule in events and errors, by default that of its function. A
	// rule that runs other rules may set it to the name of the one that decides.
	Rule string
	// AWS is the decision. It starts as a copy of the target's. Its Tags and Mappings are never nil
	// at the start.
	AWS AWS
	// SAMLRecipient is the recipient of the assertion, which trust policies read as SAML:aud. It
	// starts as Target.SAMLRecipient. Empty: Region.SAMLRecipient. A changed value must be an http
	// or https URL. A target with EncryptionKey or SAMLProviderUUID must keep the recipient of its
	// SAML provider: a change is refused with [CodeRecipientInvalid].
	SAMLRecipient string
	// SAMLAudience is the audience of the assertion. It starts as Target.SAMLAudience. Empty:
	// Region.SAMLAudience.
	SAMLAudience string

	// Values are what rules leave for later ones in the same exchange, under keys of types of their
	// own. The map is nil at first.
	Values map[any]any

	// left is what rules have left by AfterRules, Warn and HideSecrets. Nil: nothing.
	left *leftByRules

	// signIn is what the verified token says of the sign-in, and nobody changes. Nil: nothing, as
	// outside of an exchange.
	signIn *signIn

	// limit is that of rules in Go. Nil: there is none, as outside of an exchange.
	limit *ruleLimit

	// asks, if set, has a ready-made rule say what it is, and do nothing.
	asks **readyMade
	// asksWrapped, if set, has a rule of WithOwnTimeout say which one it wraps, and do nothing.
	asksWrapped *RuleFunc
}

// leftByRules is what rules leave besides what they decide.
type leftByRules struct {
	after    []afterRules
	warnings []ruleWarning
	hides    []func(text string) string // see RuleContext.HideSecrets
}

// leaving returns what rules have left, to be added to.
func (rc *RuleContext) leaving() *leftByRules {
	if rc.left == nil {
		rc.left = new(leftByRules)
	}
	return rc.left
}

// afterRules is a check that a rule has left for the end of the rules, and that rule's name.
type afterRules struct {
	rule  string
	check func() error
	// limited says that the check is one of a rule whose time is limited, and so is its own.
	limited bool
}

// AfterRules adds a check that is called once, after the last rule of the exchange. Its error ends
// the exchange, as an error of the rule that added it. Use it for conditions that later rules may
// still change. Checks are called in the order in which they were added.
func (rc *RuleContext) AfterRules(check func() error) {
	left := rc.leaving()
	left.after = append(left.after, afterRules{
		rule:    rc.Rule,
		check:   check,
		limited: rc.limit != nil && rc.limit.running.Load(),
	})
}

// ruleWarning is what a rule has warned of.
type ruleWarning struct {
	name string
	text string
}

// Warn tells the operator about something that is no reason to refuse. [Event.Warnings] gets the
// name, such as saml_configuration_unused, and Explanation.Warnings gets the text. The event is
// then logged at level Warn. Repeated names are ignored, and an exchange has at most 20. The name
// and the text must not contain a secret.
func (rc *RuleContext) Warn(name, text string) {
	const most = 20
	same := func(w ruleWarning) bool { return w.name == name }
	left := rc.leaving()
	if len(left.warnings) < most && !slices.ContainsFunc(left.warnings, same) {
		left.warnings = append(left.warnings, ruleWarning{name, text})
	}
}

// AWS describes the session: the role, and everything that AWS learns about the user. The target
// sets it first, and rules may change it. It is checked after the last rule, and nothing is granted
// before that.
type AWS struct {
	// Principal is the ARN of the SAML provider in IAM.
	Principal string
	// Role is the ARN of the role, in the account of Principal.
	Role string
	// Region is where STS is called, such as eu-central-1.
	Region string

	// FailoverRegions are tried in order after Region if STS there cannot be reached, does not
	// answer in time, answers 5xx, or is not activated for the account. They must be in the role's
	// partition and have the kind of STS host that Config selects. Duplicates, and Region itself,
	// are ignored. AWS accepts a SAML response for four minutes, so Config.STSTimeout times the
	// number of regions must not be longer. Empty: no other region is tried.
	FailoverRegions []string

	// Mappings set SAML attributes from user properties.
	Mappings Mappings

	// NameID is ${saml:sub} in policies: 1 to 256 characters (SAML Core §8.3.7) without leading or
	// trailing blanks. It must not contain * or ?, which policies read as wildcards. Empty: the
	// token's sub.
	NameID string
	// NameIDFromMapping lets a mapping of [AttributeNameIdentifier] set the NameID. Otherwise such
	// a mapping is ignored, because it could set ${saml:sub} to a name that users choose
	// themselves.
	NameIDFromMapping bool

	// SessionName names the session in CloudTrail. Characters that AWS does not accept are
	// replaced, or refused with Config.StrictSessionNames. Empty: the verified email address, or
	// the token's sub if there is none.
	SessionName string
	// SessionDuration is 15 minutes to 12 hours, in whole seconds. Zero: one hour, AWS's default.
	SessionDuration time.Duration

	// Policy is an inline session policy in JSON. Empty: none.
	Policy string
	// PolicyARNs are managed session policies, at most 10.
	PolicyARNs []string
	// Tags are session tags, at most 50. Policies read them as aws:PrincipalTag/KEY.
	Tags map[string]string
	// TransitiveTagKeys are the keys of Tags that survive role chaining. Empty: none, or all if the
	// target has a Chain.
	TransitiveTagKeys []string
	// SourceIdentity is 2 to 64 characters of [\w+=,.@-]. Empty: none.
	SourceIdentity string

	// DroppableTags are keys of Tags that may be left out, in this order, if tags and policies
	// together are too large for AWS. List only tags whose absence never grants more. Empty: the
	// exchange fails.
	DroppableTags []string
}

// clone returns a copy that shares nothing that could be changed.
func (a AWS) clone() AWS {
	a.Mappings = maps.Clone(a.Mappings)
	a.FailoverRegions = slices.Clone(a.FailoverRegions)
	a.PolicyARNs = slices.Clone(a.PolicyARNs)
	a.Tags = maps.Clone(a.Tags)
	a.TransitiveTagKeys = slices.Clone(a.TransitiveTagKeys)
	a.DroppableTags = slices.Clone(a.DroppableTags)
	return a
}

// RuleFunc is one rule. It may change the user and the context, refuse with [Deny], or fail with
// another error. Rules run in order, after the token was verified; the first error ends the
// exchange. A panic becomes an error. Rules are the operator's trusted code. They run concurrently
// for different exchanges, and must honour the context when they wait. After Config.RuleTimeout, if
// it is set, the exchange fails with [CodeRuleTimeout] and does not wait for the rule.
//
// An error that wraps [CodeRuleUserMissing], [CodeRuleRedirect], [CodeRuleMultifactor],
// [CodeRuleContextMissing], [CodeRuleUnsupported], [CodeLoginTimeMissing], [CodeLoginTooOld],
// [CodeAMRRequired] or [CodeACRRequired] keeps that code. Any other error gets [CodeRuleFailed].
type RuleFunc func(ctx context.Context, user *User, rc *RuleContext) error

type denial struct {
	reason string
	remedy string // for the operator, in place of that of CodeDenied; empty: that one
}

func (d *denial) Error() string { return "denied: " + d.reason }

// Deny returns the error with which a rule refuses a user. The reason is shown to the user, see
// [Error.Public].
func Deny(reason string) error { return &denial{reason: reason} }

// Must returns the rule of a constructor such as RoleByClaim, or panics with its error. It is for
// rules whose arguments are constants in code.
func Must(rule RuleFunc, err error) RuleFunc {
	if err != nil {
		panic(err)
	}
	return rule
}

// ruleName returns the name of a rule's function, such as main.requireGroup or
// delegation.RequireVerifiedEmail.
func ruleName(rule RuleFunc) string {
	if r := readyMadeOf(rule); r != nil {
		return r.name
	}
	if inner := unwrapped(rule); inner != nil {
		rule = inner
	}
	name := runtime.FuncForPC(reflect.ValueOf(rule).Pointer()).Name()
	return anonymous().ReplaceAllString(name[strings.LastIndexByte(name, '/')+1:], "")
}

// anonymous is how Go names function literals within a function.
var anonymous = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(\.func\d+)+(\.\d+)*$`)
})

// namedRule is a rule and its name, which takes longer to find out than many a rule takes to run.
type namedRule struct {
	run  RuleFunc
	name string
	// limited says that Config.RuleTimeout is for it.
	limited bool
}

func newNamedRule(rule RuleFunc) namedRule {
	return namedRule{run: rule, name: ruleName(rule), limited: mayHang(rule)}
}

func namedRules(rules []RuleFunc) []namedRule {
	named := make([]namedRule, len(rules))
	for i, rule := range rules {
		named[i] = newNamedRule(rule)
	}
	return named
}

// runRules runs the rules in order, and then the checks that they have left. It returns the name of
// the rule that refused or failed, or else of the last one that chose another role.
func runRules(
	ctx context.Context, rules []namedRule, user *User, rc *RuleContext,
) (decisive string, err error) {
	under := &rulesUnderWay{rules: rules, user: user, rc: rc}
	for i := 0; i < len(rules); i++ {
		var err error
		if end := under.limitedUntil(i); end > i {
			i, err = rc.limit.run(ctx, under, "it", i, end)
		} else {
			err = under.call(ctx, i)
		}
		if name, err := under.outcome(ctx, i, err); err != nil {
			return name, err
		}
	}
	if rc.left == nil {
		return under.decisive, nil
	}
	for _, left := range rc.left.after {
		if err := left.call(ctx, rc.limit); err != nil {
			return left.rule, ruleError(ctx, "after the rules, "+left.rule, err)
		}
	}
	return under.decisive, nil
}

// rulesUnderWay are the rules of one exchange, and what they run with.
type rulesUnderWay struct {
	rules []namedRule
	user  *User
	rc    *RuleContext
	// decisive is the name of the last rule that chose another role.
	decisive string
}

// limitedUntil returns the end of the consecutive rules from i on whose time is limited. One
// goroutine runs all of them, because starting one takes longer than many rules. If the time of
// rule i is not limited, it returns i.
func (u *rulesUnderWay) limitedUntil(i int) int {
	if u.rc.limit == nil {
		return i
	}
	for i < len(u.rules) && u.rules[i].limited {
		i++
	}
	return i
}

func (u *rulesUnderWay) name(i int) string { return u.rules[i].name }

// call runs a rule.
func (u *rulesUnderWay) call(ctx context.Context, i int) error {
	rule := &u.rules[i] // a copy would be one allocation for each rule
	u.rc.Rule = rule.name
	role := u.rc.AWS.Role
	err := guard.Call(func() error { return rule.run(ctx, u.user, u.rc) })
	if u.rc.AWS.Role != role {
		u.decisive = u.rc.Rule // the rule may have changed it
	}
	return err
}

// outcome is that of the exchange's rules after rule i, which was the last one to run. The name is
// that of the rule.
func (u *rulesUnderWay) outcome(
	ctx context.Context, i int, err error,
) (name string, refused error) {
	if u.rc.wasAbandoned() {
		name = u.rules[i].name
		err = cmp.Or(err, error(&ruleTimeError{"it", u.rc.limit.timeout, errStillRuns}))
	} else {
		name = u.rc.Rule
	}
	switch {
	case err != nil:
		return name, ruleError(ctx, fmt.Sprintf("rule %d (%s)", i+1, name), err)
	case ctx.Err() != nil:
		return name, canceledAt(StageRules, ctx.Err())
	}
	return name, nil
}

// call makes the check, as its rule was called.
func (a *afterRules) call(ctx context.Context, limit *ruleLimit) error {
	if !a.limited {
		return guard.Call(a.check)
	}
	return limit.do(ctx, a.rule, "it", func(context.Context) error { return a.check() })
}

// ruleError gives what a rule returned its code.
func ruleError(ctx context.Context, where string, err error) *Error {
	var denied *denial
	if errors.As(err, &denied) {
		e := newError(CodeDenied, "%s: %w", where, err)
		e.Remedy = cmp.Or(denied.remedy, e.Remedy)
		return e
	}
	if ctx.Err() != nil {
		return canceledAt(StageRules, ctx.Err())
	}
	if errors.As(err, new(*ruleTimeError)) {
		return newError(CodeRuleTimeout, "%s: %w", where, err)
	}
	if _, panicked := err.(guard.Panic); panicked {
		return newError(CodeRulePanicked, "%s: %w", where, err)
	}
	var code Code
	if errors.As(err, &code) && slices.Contains(ruleCodes, code) {
		return newError(code, "%s: %w", where, err)
	}
	return newError(CodeRuleFailed, "%s: %w", where, err)
}

// ruleCodes are the codes that a rule's error can bring along.
var ruleCodes = []Code{
	CodeRuleUserMissing,
	CodeRuleRedirect,
	CodeRuleMultifactor,
	CodeRuleContextMissing,
	CodeRuleUnsupported,
	CodeLoginTimeMissing,
	CodeLoginTooOld,
	CodeAMRRequired,
	CodeACRRequired,
}
