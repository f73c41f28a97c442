package delegation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// User is the user of the verified ID token as rules see it: all claims, under the names that Auth0 gave to profile
// properties, and what Config.Profile added. Each exchange has its own User; a rule may change it freely.
//
// user_id is the token's sub. identities is derived from a sub of the form provider|id, unless the token or the profile
// has one. Numbers are json.Number, lists []any, objects map[string]any.
type User struct {
	Properties map[string]any // by name; never nil in a rule
}

// Value returns the property at a dotted path, such as app_metadata.roles or identities.0.connection. A property whose
// own name has dots, such as https://example.com/groups, is found under its whole name, which wins over a path.
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

// List returns the texts of a list of strings, numbers and booleans, or the one of such a value alone. It is nil if
// anything else is among them.
func (u *User) List(path string) []string {
	value, _ := u.Value(path)
	list, _ := jsonvalue.Texts(value)
	return list
}

// Set sets a top-level property.
func (u *User) Set(name string, value any) {
	if u.Properties == nil {
		u.Properties = map[string]any{}
	}
	u.Properties[name] = value
}

// deriveIdentity reads Auth0's identities from the form of its user IDs, if neither token nor profile has them.
func (u *User) deriveIdentity() {
	provider, id, ok := strings.Cut(u.Text("user_id"), "|")
	if _, has := u.Properties["identities"]; ok && !has {
		u.Set("identities", []any{map[string]any{
			"provider": provider, "connection": provider, "user_id": id, "isSocial": provider != "auth0",
		}})
	}
}

// ProfileFunc loads what the ID token lacks of a user, for example groups from a database. It may read the user and
// must not keep it. What it returns is copied and added; claims of the verified token, user_id among them, win.
type ProfileFunc func(ctx context.Context, user *User) (map[string]any, error)

// Request is what a service knows of the call that led to an exchange. It reaches rules and decides nothing by itself.
type Request struct {
	IP, UserAgent, Hostname string         // of the caller, the caller, and the service; as the service vouches for them
	Parameters              map[string]any // a copy for each exchange, such as the remaining form fields of a delegation request
}

// RuleContext is what a rule knows and decides besides the [User]; it mirrors the context of Auth0 rules. Each exchange
// has its own.
type RuleContext struct {
	ClientID   string  // the application that the verified token was issued to, whatever the caller says
	Issuer     string  // the iss of the verified token
	Target     string  // Target.ID: what the caller asked for, unless the target has an ID
	Protocol   string  // always "delegation"
	Connection string  // identities.0.connection of the user
	Request    Request // of WithRequest
	Rule       string  // the running rule, as events and errors name it: its function. A rule that runs others may say which
	AWS        AWS     // pre-filled from the target

	Values map[any]any // what rules leave for those behind them in the same exchange, under keys of their own types; nil at first

	after []afterRules

	describe **readyMade // if set, a ready-made rule says what it is, and does nothing
}

// afterRules is a check that a rule has left for the end of the rules, and that rule's name.
type afterRules struct {
	rule  string
	check func() error
}

// AfterRules has a check called once after the last rule of the exchange. Its error ends the
// exchange as an error of the rule that left it would. It is for what later rules may still take
// back. Checks are called in the order in which they were left.
func (rc *RuleContext) AfterRules(check func() error) {
	rc.after = append(rc.after, afterRules{rc.Rule, check})
}

// AWS is what the target proposes and rules may change: the assumed role and all that AWS learns of the user. It is
// checked after the last rule, and nothing is granted before.
type AWS struct {
	Principal string // ARN of the SAML provider in IAM
	Role      string // ARN of the role, in the same account
	Region    string // where STS is called, such as eu-central-1

	// FailoverRegions are asked in order after Region, when STS there cannot be reached, does not answer in time, answers 5xx, or is not
	// activated for the account. They are of the role's partition and have the STS hosts that Config asks for; one that stands twice, or is
	// Region, counts once. AWS redeems a response for five minutes, so all regions' Config.STSTimeout together must not exceed them.
	FailoverRegions []string

	Mappings Mappings // SAML attributes from user properties

	// NameID is ${saml:sub}. Empty: the token's sub. It is 1 to 256 characters long (SAML Core §8.3.7), without blanks around it,
	// and without * and ?, which a policy would read as wildcards.
	NameID string
	// NameIDFromMapping lets a mapping of [AttributeNameIdentifier] set the NameID. Without it such a mapping is
	// ignored, because it would change who ${saml:sub} is, for example to a name that users choose.
	NameIDFromMapping bool

	SessionName     string        // empty: the verified email address, else the sub. Made safe, see Config.StrictSessionNames
	SessionDuration time.Duration // 15m to 12h in whole seconds; zero: one hour, AWS's default

	Policy            string            // an inline session policy, JSON
	PolicyARNs        []string          // managed session policies, at most 10
	Tags              map[string]string // session tags, aws:PrincipalTag/KEY in policies, at most 50
	TransitiveTagKeys []string          // keys of Tags that go on through role chaining
	SourceIdentity    string            // 2 to 64 of [\w+=,.@-]

	// DroppableTags are keys of Tags that are left out, first ones first, if AWS finds tags and policies too large together. Mark only tags
	// without which a session can do nothing more. Empty: the exchange fails.
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

// RuleFunc is one rule. It may change the user and the context, refuse with [Deny], or fail with another error. Rules run
// in order, after the token was verified; the first error ends the exchange. A panic becomes an error. Rules are the
// operator's trusted code, run concurrently for different exchanges, and must honour the context when they wait.
//
// An error that wraps [CodeRuleUserMissing], [CodeRuleRedirect], [CodeRuleMultifactor] or
// [CodeRuleContextMissing] keeps that code. Any other error gets [CodeRuleFailed].
type RuleFunc func(ctx context.Context, user *User, rc *RuleContext) error

type denial struct{ reason string }

func (d *denial) Error() string { return "denied: " + d.reason }

// Deny returns the error with which a rule refuses a user. The reason is shown to the user, see [Error.Public].
func Deny(reason string) error { return &denial{reason} }

// Must returns the rule of a ready-made constructor, or panics with its error: for rules written down in code.
func Must(rule RuleFunc, err error) RuleFunc {
	if err != nil {
		panic(err)
	}
	return rule
}

// ruleName returns the name of a rule's function, such as main.requireGroup or delegation.RequireVerifiedEmail.
func ruleName(rule RuleFunc) string {
	if r := describe(rule); r != nil {
		return r.name
	}
	name := runtime.FuncForPC(reflect.ValueOf(rule).Pointer()).Name()
	return anonymous.ReplaceAllString(name[strings.LastIndexByte(name, '/')+1:], "")
}

var anonymous = regexp.MustCompile(`(\.func\d+)+(\.\d+)*$`)

// runRules runs the rules in order. It returns the name of the rule that refused or failed, or else of the last one
// that chose another role.
func runRules(ctx context.Context, rules []RuleFunc, user *User, rc *RuleContext) (decisive string, err error) {
	for i, rule := range rules {
		rc.Rule = ruleName(rule)
		role := rc.AWS.Role
		err := guard.Call(func() error { return rule(ctx, user, rc) })
		name := rc.Rule
		if err != nil {
			return name, ruleError(ctx, fmt.Sprintf("rule %d (%s)", i+1, name), err)
		}
		if ctx.Err() != nil {
			return name, canceledAt(StageRules, ctx.Err())
		}
		if rc.AWS.Role != role {
			decisive = name
		}
	}
	for _, left := range rc.after {
		if err := guard.Call(left.check); err != nil {
			return left.rule, ruleError(ctx, "after the rules, "+left.rule, err)
		}
	}
	return decisive, nil
}

// ruleError gives what a rule returned its code.
func ruleError(ctx context.Context, where string, err error) *Error {
	var denied *denial
	if errors.As(err, &denied) {
		return newError(CodeDenied, "%s: %w", where, err)
	}
	if ctx.Err() != nil {
		return canceledAt(StageRules, ctx.Err())
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
}

// RoleMatch is one row of [RoleByClaim]'s table.
type RoleMatch struct {
	Pattern   string // a regular expression (RE2) that must match the whole value
	Role      string // ARN of the role
	Principal string // ARN of the SAML provider; empty: unchanged
	Region    string // empty: unchanged
}

// RoleByClaim chooses the role by the value, or one of the values, of a user property. The first row that matches wins, in the order of the
// table; if none does, or the property is absent or no text (numbers and booleans count as text), the user is denied. A pattern that
// is not a regular expression, an empty one, and a row without role are errors with [CodeConfigInvalid].
//
// It counts as a gate for issuers that strangers share (see [Issuer]), unless a row matches anything, or the
// property is one that strangers can have, such as an email address at Google.
func RoleByClaim(path string, table ...RoleMatch) (RuleFunc, error) {
	patterns := make([]*regexp.Regexp, len(table))
	for i, row := range table {
		var err error
		patterns[i], err = compileWhole(row.Pattern)
		if err != nil || row.Role == "" {
			return nil, newError(CodeConfigInvalid, "RoleByClaim(%q), row %d: it needs a role and a regular expression, has %q", path, i+1, row.Pattern)
		}
	}
	table = slices.Clone(table)
	chooses := !slices.ContainsFunc(patterns, matchesAnything)
	r := &readyMade{name: "delegation.RoleByClaim"}
	r.gates = func(_ string, shared sharedissuer.Issuer) bool {
		return chooses && shared.Tells(path)
	}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		values := user.List(path)
		for i, row := range table {
			if slices.ContainsFunc(values, patterns[i].MatchString) {
				rc.AWS.Role = row.Role
				if row.Principal != "" {
					rc.AWS.Principal = row.Principal
				}
				if row.Region != "" {
					rc.AWS.Region = row.Region
				}
				return nil
			}
		}
		return Deny("no role is assigned to this user")
	}
	return r.ready(), nil
}

// RequireVerifiedEmail denies users without an email address that the issuer marks as verified. It
// is no gate for issuers that strangers share: strangers have verified addresses too.
func RequireVerifiedEmail() RuleFunc {
	r := &readyMade{name: "delegation.RequireVerifiedEmail"}
	r.run = func(_ context.Context, user *User, _ *RuleContext) error {
		if verifiedEmail(user) == "" {
			return Deny("a verified email address is required")
		}
		return nil
	}
	return r.ready()
}

// AllowConnections denies users of every other connection. Without a connection listed it denies
// everyone. It counts as a gate for issuers that strangers share, whose own tokens name no connection.
func AllowConnections(connections ...string) RuleFunc {
	connections = slices.Clone(connections)
	r := &readyMade{name: "delegation.AllowConnections", gates: everywhere}
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		if rc.Connection == "" || !slices.Contains(connections, rc.Connection) {
			return Deny("this way of signing in is not allowed here")
		}
		return nil
	}
	return r.ready()
}

// AllowEmailDomains denies users whose verified email address is of another domain; subdomains must be listed. Case
// does not matter. Without a domain listed it denies everyone.
//
// Of Google's tokens it also wants the claim hd, which must equal the domain: a personal Google
// account can have an address of any domain, and only hd says that the organisation manages it. A
// profile loader cannot supply hd. The rule counts as a gate for issuers that strangers share.
func AllowEmailDomains(domains ...string) RuleFunc {
	domains = slices.Clone(domains)
	r := &readyMade{name: "delegation.AllowEmailDomains", gates: everywhere}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		email := verifiedEmail(user)
		at := strings.LastIndexByte(email, '@')
		domain := email[at+1:]
		if at < 1 || !plainDomain(domain) || !containsDomain(domains, domain) {
			return Deny("this email domain is not allowed here")
		}
		if sharedissuer.IsGoogle(rc.Issuer) || sharedissuer.IsGoogle(user.Text("iss")) {
			hosted, _ := user.Properties["hd"].(string)
			if !plainDomain(hosted) || !strings.EqualFold(hosted, domain) {
				return Deny("this account does not belong to an organisation that is allowed here")
			}
		}
		return nil
	}
	return r.ready()
}

// plainDomain tells whether a domain is of printable ASCII: EqualFold folds the Kelvin sign into k.
func plainDomain(domain string) bool {
	odd := func(r rune) bool { return r > 0x7e || r < 0x21 }
	return domain != "" && !strings.ContainsFunc(domain, odd)
}

func containsDomain(domains []string, domain string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

func verifiedEmail(user *User) string {
	if !user.Bool("email_verified") {
		return ""
	}
	return user.Text("email")
}

// TagsFromClaims sets session tags from user properties: tag key to path. A property that is absent or not one
// string, number or boolean denies the user, because policies may grant to those without a tag.
func TagsFromClaims(tags map[string]string) RuleFunc {
	tags = maps.Clone(tags)
	r := &readyMade{name: "delegation.TagsFromClaims"}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			path := tags[key]
			value, _ := user.Value(path)
			text, ok := jsonvalue.Text(value)
			if !ok {
				return Deny("the profile lacks " + path)
			}
			if rc.AWS.Tags == nil {
				rc.AWS.Tags = map[string]string{}
			}
			rc.AWS.Tags[key] = text
		}
		return nil
	}
	return r.ready()
}

// SourceIdentityFromClaim sets the source identity, which stays in CloudTrail through role chaining, from a user
// property. One that is absent or not text denies the user.
func SourceIdentityFromClaim(path string) RuleFunc {
	r := &readyMade{name: "delegation.SourceIdentityFromClaim"}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		if rc.AWS.SourceIdentity = user.Text(path); rc.AWS.SourceIdentity == "" {
			return Deny("the profile lacks " + path)
		}
		return nil
	}
	return r.ready()
}

// SessionPolicyFromTemplate sets the inline session policy from a JSON document in whose strings {{path}} stands for a
// user property. A property that is absent, or has characters besides letters, digits, space and _.@|+=,:- denies the
// user: a policy would read * ? $ and / as more than a name. A template that is not a JSON object is an error with
// [CodeConfigInvalid].
func SessionPolicyFromTemplate(template string) (RuleFunc, error) {
	parsed, err := iam.ParseTemplate(template)
	if err != nil {
		return nil, newError(CodeConfigInvalid, "the session policy's template: %w", err)
	}
	r := &readyMade{name: "delegation.SessionPolicyFromTemplate"}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		var missing string
		if rc.AWS.Policy, missing = parsed.Fill(user.Value); missing != "" {
			return Deny("the profile lacks a usable " + missing)
		}
		return nil
	}
	return r.ready(), nil
}
