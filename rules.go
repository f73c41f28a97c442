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

// User is the user of the verified ID token as rules see it. It has all claims, under the names
// that Auth0 gave to profile properties, and what Config.Profile added. Each exchange has its own
// User; a rule may change it freely.
//
// The property user_id is the token's sub, or the uid of an access token of Okta. The property
// identities is derived from a user_id of the form provider|id, unless the token or the profile has
// it. Numbers are json.Number, lists []any, objects map[string]any.
type User struct {
	// Properties are by name. The map is never nil in a rule.
	Properties map[string]any
}

// Value returns the property at a dotted path, such as app_metadata.roles or
// identities.0.connection. A property whose own name has dots, such as https://example.com/groups,
// is found under its whole name, which wins over a path.
func (u *User) Value(path string) (any, bool) { return jsonvalue.Lookup(u.Properties, path) }

// Text returns the property if it is a string, and otherwise "".
func (u *User) Text(path string) string {
	value, _ := u.Value(path)
	s, _ := value.(string)
	return s
}

// Bool returns true if the property is the JSON value true; the string "true" is not.
func (u *User) Bool(path string) bool {
	value, _ := u.Value(path)
	return value == true
}

// List returns the texts of a list of strings, numbers and booleans. Such a value alone counts as a
// list of one. It is nil if the property has anything else among its values.
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

// ProfileFunc loads what the ID token lacks of a user, for example groups from a database. It may
// read the user and must not keep it. What it returns is copied and added to the user. Claims of
// the verified token win over it, user_id among them. Package profile has loaders for an endpoint
// and for Auth0's Management API.
//
// Its time is limited by Config.RuleTimeout, 20 seconds by default. An error that wraps
// [CodeProfileMissing], [CodeProfileUnavailable], [CodeProfileThrottled], [CodeProfileUnauthorized]
// or [CodeProfileInvalid] keeps that code, and any other gets [CodeProfileFailed]. If it has a
// method RetryAfter() time.Duration, Error.RetryAfter is what that returns.
type ProfileFunc func(ctx context.Context, user *User) (map[string]any, error)

// Request is what a service knows of the call that led to an exchange. It reaches rules and decides
// nothing by itself. The library takes the service's word for it.
type Request struct {
	// ID is the service's own name for the call, such as that of the header X-Request-ID. Events
	// have it, so that a user can tell support which call is meant.
	ID string
	// IP is the address of the caller. Events have it.
	IP string
	// UserAgent is the caller's program, as it names itself. Events have it.
	UserAgent string
	// Hostname is the name under which the service was called.
	Hostname string
	// Endpoint is which of the service's endpoints was asked: delegationhttp has bearer,
	// delegation, credentials, console, roles, sts and token. Events have it. Empty: the service
	// does not say.
	Endpoint string
	// SessionName is the name that the caller wants for the session, such as RoleSessionName of
	// AssumeRoleWithWebIdentity. A rule may adopt it as AWS.SessionName, or refuse it. Events have
	// it. Empty: the caller wants none.
	SessionName string
	// SessionDuration is how long the caller wants the session to be. It has no effect here:
	// [WithSessionDuration] sets it, and applies it. Events have it. Zero: the caller wants none.
	SessionDuration time.Duration
	// Role is the ARN of the role that [WithRole] asked for, and is set by it alone. Empty: none. A
	// rule may refuse it. If another role is decided, the exchange fails with [CodeRoleDiffers].
	Role string
	// Parameters are what else the caller sent, such as the remaining form fields of a delegation
	// request. Each exchange has a copy.
	Parameters map[string]any
	// Scopes are the names of the scopes that were asked for, those of [WithScope] too. They narrow
	// the session whatever a rule does: a rule can refuse them, and what it changes here has no
	// effect. Each exchange has a copy.
	Scopes []string
}

// RuleContext is what a rule knows and decides besides the [User]. It mirrors the context of Auth0
// rules. Each exchange has its own.
type RuleContext struct {
	// ClientID is the application that the verified token was issued to, whatever the caller says.
	ClientID string
	// Issuer is the iss of the verified token.
	Issuer string
	// TokenKind is the kind of the verified token.
	TokenKind TokenKind
	// Scopes are those of the verified access token. Empty for an ID token.
	Scopes []string
	// Actor is who acts for the user, as the target's Actors let it. nil: nobody, the user is here
	// in person. Changes of it have no effect.
	Actor *Actor
	// Target is Target.ID, or the name that the caller asked for if the target has no ID.
	Target string
	// Protocol is always "delegation".
	Protocol string
	// Connection is the user's identities.0.connection.
	Connection string
	// Request is that of WithRequest.
	Request Request
	// Rule is the running rule's function, by which events and errors name it. A rule that runs
	// others may set it to the name of the one that decides.
	Rule string
	// AWS is what is decided. At first it is the target's. Its Tags and Mappings are then never
	// nil, and belong to this exchange.
	AWS AWS
	// SAMLRecipient is the recipient of the assertion, which trust policies read as SAML:aud. At
	// first it is Target.SAMLRecipient. Empty: Region.SAMLRecipient. Another one than at first
	// must be an http or https URL, and is refused with [CodeRecipientInvalid] for a target with
	// EncryptionKey or SAMLProviderUUID, whose recipient is that of its SAML provider.
	SAMLRecipient string
	// SAMLAudience is the audience of the assertion. At first it is Target.SAMLAudience. Empty:
	// Region.SAMLAudience.
	SAMLAudience string

	// Values are what rules leave for later ones in the same exchange, under keys of types of their
	// own. The map is nil at first.
	Values map[any]any

	after    []afterRules
	warnings []ruleWarning

	// signIn is what the verified token says of the sign-in.
	signIn signIn

	// limit is that of rules in Go. Nil: there is none, as outside of an exchange.
	limit *ruleLimit

	// asks, if set, has a ready-made rule say what it is, and do nothing.
	asks **readyMade
	// asksWrapped, if set, has a rule of WithOwnTimeout say which one it wraps, and do nothing.
	asksWrapped *RuleFunc
}

// afterRules is a check that a rule has left for the end of the rules, and that rule's name.
type afterRules struct {
	rule  string
	check func() error
	// limited says that the check is one of a rule whose time is limited, and so is its own.
	limited bool
}

// AfterRules has a check called once after the last rule of the exchange. Its error ends the
// exchange as an error of the rule that left it would. It is for what later rules may still take
// back. Checks are called in the order in which they were left.
func (rc *RuleContext) AfterRules(check func() error) {
	rc.after = append(rc.after, afterRules{
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

// Warn tells the operator of something that refuses nothing. [Event.Warnings] gets the name, such
// as saml_configuration_unused, and Explanation.Warnings the text. The event is then logged at
// level Warn. A name counts once in an exchange, and an exchange has at most 20. Neither may hold a
// secret.
func (rc *RuleContext) Warn(name, text string) {
	const most = 20
	same := func(w ruleWarning) bool { return w.name == name }
	if len(rc.warnings) < most && !slices.ContainsFunc(rc.warnings, same) {
		rc.warnings = append(rc.warnings, ruleWarning{name, text})
	}
}

// AWS is what the target proposes and rules may change: the assumed role and all that AWS learns of
// the user. It is checked after the last rule, and nothing is granted before.
type AWS struct {
	// Principal is the ARN of the SAML provider in IAM.
	Principal string
	// Role is the ARN of the role, in the account of Principal.
	Role string
	// Region is where STS is called, such as eu-central-1.
	Region string

	// FailoverRegions are tried in order after Region if STS there cannot be reached, does not
	// answer in time, answers 5xx, or is not activated for the account. They must be of the role's
	// partition and have the STS hosts that Config asks for. A region that is listed twice, or is
	// Region itself, counts once. AWS redeems a response for four minutes, so Config.STSTimeout
	// times the number of regions must not exceed them. Empty: no other region is tried.
	FailoverRegions []string

	// Mappings are SAML attributes from user properties.
	Mappings Mappings

	// NameID is ${saml:sub}. It is 1 to 256 characters long (SAML Core §8.3.7), without blanks
	// around it, and without * and ?, which a policy would read as wildcards. Empty: the token's
	// sub.
	NameID string
	// NameIDFromMapping lets a mapping of [AttributeNameIdentifier] set the NameID. Without it such
	// a mapping is ignored, because it would change who ${saml:sub} is, for example to a name that
	// users choose.
	NameIDFromMapping bool

	// SessionName names the session in CloudTrail. Characters that AWS does not take are replaced,
	// unless Config.StrictSessionNames refuses them. Empty: the verified email address, or else the
	// token's sub.
	SessionName string
	// SessionDuration is 15 minutes to 12 hours, in whole seconds. Zero: one hour, AWS's default.
	SessionDuration time.Duration

	// Policy is an inline session policy in JSON. Empty: none.
	Policy string
	// PolicyARNs are managed session policies, at most 10.
	PolicyARNs []string
	// Tags are session tags, at most 50. Policies read them as aws:PrincipalTag/KEY.
	Tags map[string]string
	// TransitiveTagKeys are the keys of Tags that stay through role chaining. Empty: none stay, or
	// all if the target has a Chain.
	TransitiveTagKeys []string
	// SourceIdentity is 2 to 64 characters of [\w+=,.@-]. Empty: none.
	SourceIdentity string

	// DroppableTags are keys of Tags that may be left out, in this order, if AWS finds tags and
	// policies too large together. List only tags without which a session can do nothing more.
	// Empty: the exchange fails.
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
// it is set, the exchange fails with [CodeRuleTimeout] and goes on without them.
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

// Must returns the rule of a ready-made constructor, or panics with its error. It is for rules that
// are written in code.
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
	for _, left := range rc.after {
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

// limitedUntil returns the end of the rules from i on whose time is limited, of which one goroutine
// runs all: to start one takes longer than many a rule. It is i if the time of that rule is not.
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
