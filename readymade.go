package delegation

import (
	"context"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// readyMade is a rule that this package made, perhaps around a rule of somebody else. New
// recognizes it among other closures, and can ask what it does.
type readyMade struct {
	name string // as events and errors have it
	run  RuleFunc
	// gates tells whether the rule refuses strangers of a shared issuer at a target. Nil: it does
	// not.
	gates func(target string, shared sharedissuer.Issuer) bool
	// changes returns the sessions that are possible at a target after the rule, from those that
	// were possible before. known is false if the rule may decide anything. Nil: the rule leaves
	// sessions as they are. place is that of the rule in Config.Rules, counted from 1.
	changes func(place int, target string, before []possible) (after []possible, known bool)
	// hidden are the rows of its table that are never reached, counted from 0.
	hidden []int
	// onlyFor are the targets that the rule is limited to. Empty: it is for all.
	onlyFor []string
	// wantsEmail tells whether the rule refuses users without a verified address at a target. Nil:
	// it does not.
	wantsEmail func(target string) bool
	// needs are what the rule needs and lacks, as far as it says.
	needs []RuleNeed
	// foreign says that WithNeeds made the rule around one that is not of this package: only its
	// needs are known.
	foreign bool
}

// byConnection is the gates of a rule that chooses people by their connection at every target.
func byConnection(_ string, shared sharedissuer.Issuer) bool { return shared.TellsConnection() }

// byEmailDomain is the gates of a rule that chooses people by their verified address at every
// target.
func byEmailDomain(_ string, shared sharedissuer.Issuer) bool { return shared.TellsEmailDomain() }

// atEachTarget is the wantsEmail of a rule that makes no difference between targets.
func atEachTarget(string) bool { return true }

// leavesAll tells whether the rule leaves sessions as they are. It is false for a nil one, a rule
// that this package did not make, because that may decide anything.
func (r *readyMade) leavesAll() bool { return r != nil && r.changes == nil }

// ready returns the rule as a function. It is not inlined: readyMadeOf recognizes ready-made rules
// by their code, which they share.
//
//go:noinline
func (r *readyMade) ready() RuleFunc {
	return func(ctx context.Context, user *User, rc *RuleContext) error {
		if rc.asks != nil {
			*rc.asks = r
			return nil
		}
		return r.run(ctx, user, rc)
	}
}

// readyMadeOf returns what a ready-made rule is. For every other rule it returns nil, without a
// call.
func readyMadeOf(rule RuleFunc) (r *readyMade) {
	ours := reflect.ValueOf((&readyMade{}).ready()).Pointer()
	if rule == nil || reflect.ValueOf(rule).Pointer() != ours {
		return nil
	}
	_ = rule(context.Background(), nil, &RuleContext{asks: &r})
	return r
}

// ForTargets limits a rule to some targets, by RuleContext.Target. For all other targets the rule
// does nothing. Without targets it returns the rule itself. The result is a ready-made rule, so
// [New] can see what it wraps.
func ForTargets(rule RuleFunc, targets ...string) RuleFunc {
	if rule == nil || len(targets) == 0 {
		return rule
	}
	targets = slices.Clone(targets)
	inner := readyMadeOf(rule)
	named := newNamedRule(rule)
	r := &readyMade{name: ruleName(rule), onlyFor: targets}
	if inner != nil {
		r.hidden = inner.hidden
		r.needs = limitedTo(targets, inner.needs)
	}
	if !inner.leavesAll() {
		r.changes = func(place int, target string, before []possible) ([]possible, bool) {
			if !slices.Contains(targets, target) {
				return before, true
			}
			return inner.after(place, target, before)
		}
	}
	r.run = func(ctx context.Context, user *User, rc *RuleContext) error {
		if !slices.Contains(targets, rc.Target) {
			return nil
		}
		return named.call(ctx, user, rc)
	}
	if inner != nil && inner.gates != nil {
		r.gates = func(target string, shared sharedissuer.Issuer) bool {
			return slices.Contains(targets, target) && inner.gates(target, shared)
		}
	}
	if inner != nil && inner.wantsEmail != nil {
		r.wantsEmail = func(target string) bool {
			return slices.Contains(targets, target) && inner.wantsEmail(target)
		}
	}
	return r.ready()
}

// PerTarget runs the rule of the exchange's target, by RuleContext.Target. For targets without a
// rule, or with nil, it does nothing. It looks the rule up in one step, however many there are,
// while a list of [ForTargets] rules is called one by one. Events and errors have the name of the
// target's rule. The result is a ready-made rule, so [New] can see what it wraps.
func PerTarget(rules map[string]RuleFunc) RuleFunc {
	byTarget := make(map[string]perTarget, len(rules))
	for target, rule := range rules {
		if rule != nil {
			byTarget[target] = perTarget{newNamedRule(rule), readyMadeOf(rule)}
		}
	}
	r := &readyMade{name: "delegation.PerTarget", onlyFor: slices.Sorted(maps.Keys(byTarget))}
	for _, target := range r.onlyFor {
		if inner := byTarget[target].inner; inner != nil && len(inner.needs) > 0 {
			r.needs = append(r.needs, limitedTo([]string{target}, inner.needs)...)
		}
	}
	r.changes = func(place int, target string, before []possible) ([]possible, bool) {
		one, has := byTarget[target]
		if !has {
			return before, true
		}
		return one.inner.after(place, target, before)
	}
	r.run = func(ctx context.Context, user *User, rc *RuleContext) error {
		one, has := byTarget[rc.Target]
		if !has {
			return nil
		}
		rc.Rule = one.name
		return one.call(ctx, user, rc)
	}
	r.gates = func(target string, shared sharedissuer.Issuer) bool {
		inner := byTarget[target].inner
		return inner != nil && inner.gates != nil && inner.gates(target, shared)
	}
	r.wantsEmail = func(target string) bool {
		inner := byTarget[target].inner
		return inner != nil && inner.wantsEmail != nil && inner.wantsEmail(target)
	}
	return r.ready()
}

// perTarget is the rule of one target. inner is nil if it is not of this package.
type perTarget struct {
	namedRule
	inner *readyMade
}

// Named gives a rule a name for events, errors and explanations. The result is a ready-made rule,
// so [New] can see what it wraps. A nil rule stays nil.
func Named(name string, rule RuleFunc) RuleFunc {
	if rule == nil {
		return nil
	}
	r := &readyMade{name: name}
	inner := readyMadeOf(rule)
	named := newNamedRule(rule)
	if inner != nil {
		r.gates = inner.gates
		r.wantsEmail = inner.wantsEmail
		r.hidden = inner.hidden
		r.onlyFor = inner.onlyFor
		r.needs = inner.needs
	}
	if !inner.leavesAll() {
		r.changes = func(place int, target string, before []possible) ([]possible, bool) {
			return inner.after(place, target, before)
		}
	}
	r.run = func(ctx context.Context, user *User, rc *RuleContext) error {
		rc.Rule = name
		return named.call(ctx, user, rc)
	}
	return r.ready()
}

// RoleMatch is one row of [RoleByClaim]'s table.
type RoleMatch struct {
	// Pattern is a regular expression (RE2) that must match the whole value.
	Pattern string
	// Role is the ARN of the role.
	Role string
	// Principal is the ARN of the SAML provider. Empty: unchanged.
	Principal string
	// Region is where STS is called. Empty: unchanged.
	Region string
}

// RoleByClaim chooses the role by the value, or one of the values, of a user property. The first
// row of the table that matches applies. Numbers and booleans are compared as text. If no row
// matches, or the property is absent or of another type, the user is denied. An invalid or empty
// regular expression, and a row without a role, are errors with [CodeConfigInvalid].
//
// It is a gate for issuers that strangers share (see [Issuer]), unless a row matches anything or
// strangers can have the property too, such as an email address at Google.
func RoleByClaim(path string, table ...RoleMatch) (RuleFunc, error) {
	patterns := make([]*regexp.Regexp, len(table))
	for i, row := range table {
		pattern, err := compileWhole(row.Pattern)
		if err != nil || row.Role == "" {
			return nil, newError(CodeConfigInvalid,
				"RoleByClaim(%q), row %d: it needs a role and a regular expression, has %q",
				path, i+1, row.Pattern)
		}
		patterns[i] = pattern
	}
	table = slices.Clone(table)
	chooses := !slices.ContainsFunc(patterns, matchesAnything)
	r := &readyMade{name: "delegation.RoleByClaim"}
	r.gates = func(_ string, shared sharedissuer.Issuer) bool {
		return chooses && shared.Tells(path)
	}
	r.changes = func(place int, _ string, before []possible) ([]possible, bool) {
		return chosenByRow(place, table, before), true
	}
	r.hidden = hiddenRows(table, patterns)
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		values := user.List(path)
		i := slices.IndexFunc(patterns, func(pattern *regexp.Regexp) bool {
			return slices.ContainsFunc(values, pattern.MatchString)
		})
		if i < 0 {
			return Deny("no role is assigned to this user")
		}
		table[i].choose(&rc.AWS)
		return nil
	}
	return r.ready(), nil
}

// choose sets what the row has.
func (m *RoleMatch) choose(a *AWS) {
	a.Role = m.Role
	if m.Principal != "" {
		a.Principal = m.Principal
	}
	if m.Region != "" {
		a.Region = m.Region
	}
}

// setTag sets a session tag.
func (a *AWS) setTag(key, value string) {
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	a.Tags[key] = value
}

// RequireVerifiedEmail denies users without a verified email address: email_verified must be true,
// in the token or by a setting of [Issuer]. Entra's tokens never have that claim. The rule is not a
// gate for issuers that strangers share, because strangers have verified addresses too.
func RequireVerifiedEmail() RuleFunc {
	r := &readyMade{name: "delegation.RequireVerifiedEmail", wantsEmail: atEachTarget}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		if verifiedEmail(user) == "" {
			return denyUnverified("a verified email address is required", user, rc)
		}
		return nil
	}
	return r.ready()
}

// AllowConnections denies users of all other connections. Without arguments it denies everyone. It
// is a gate for issuers that strangers share, because tokens of such issuers do not name a
// connection. It is no gate for an issuer with UnsafeAnyTenant, whose tenants choose the names of
// their connections.
func AllowConnections(connections ...string) RuleFunc {
	connections = slices.Clone(connections)
	r := &readyMade{name: "delegation.AllowConnections", gates: byConnection}
	r.changes = nobodyIf(len(connections) == 0)
	r.run = func(_ context.Context, _ *User, rc *RuleContext) error {
		if rc.Connection == "" || !slices.Contains(connections, rc.Connection) {
			return Deny("this way of signing in is not allowed here")
		}
		return nil
	}
	return r.ready()
}

// AllowEmailDomains denies users whose verified email address is not in one of the domains. A
// subdomain must be listed itself, and case does not matter. Without arguments it denies everyone.
//
// For Google's tokens, the claim hd must equal the domain too: a personal Google account can have
// an address of any domain, and only hd says that the organisation manages it. A profile loader
// cannot supply hd. The rule is a gate for issuers that strangers share. For an issuer with
// UnsafeAnyTenant it is one only if that is Entra, where xms_edov marks verified addresses. At
// other providers a tenant's administrator can choose an address and mark it as verified.
func AllowEmailDomains(domains ...string) RuleFunc {
	domains = slices.Clone(domains)
	r := &readyMade{
		name:       "delegation.AllowEmailDomains",
		gates:      byEmailDomain,
		wantsEmail: atEachTarget,
		changes:    nobodyIf(len(domains) == 0),
	}
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		const reason = "this email domain is not allowed here"
		email := verifiedEmail(user)
		if email == "" {
			return denyUnverified(reason, user, rc)
		}
		if !emailIsOf(domains, email) {
			return Deny(reason)
		}
		if !sharedissuer.IsGoogle(rc.Issuer) && !sharedissuer.IsGoogle(user.Text("iss")) {
			return nil
		}
		domain := email[strings.LastIndexByte(email, '@')+1:]
		hosted, _ := user.Properties["hd"].(string)
		if !plainDomain(hosted) || !strings.EqualFold(hosted, domain) {
			return Deny("this account does not belong to an organisation that is allowed here")
		}
		return nil
	}
	return r.ready()
}

// TagsFromClaims sets session tags from user properties, from tag key to path. A property that is
// absent, or is not a string, number or boolean, denies the user, because a policy may grant
// something to users without the tag.
func TagsFromClaims(tags map[string]string) RuleFunc {
	tags = maps.Clone(tags)
	r := &readyMade{name: "delegation.TagsFromClaims"}
	r.changes = toEach(func(a *AWS) {
		for key := range tags {
			a.setTag(key, anyValue)
		}
	})
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			path := tags[key]
			value, _ := user.Value(path)
			text, ok := jsonvalue.Text(value)
			if !ok {
				return Deny("the profile lacks " + path)
			}
			rc.AWS.setTag(key, text)
		}
		return nil
	}
	return r.ready()
}

// SourceIdentityFromClaim sets the source identity from a user property. A property that is absent
// or not a string denies the user. CloudTrail shows the source identity also after role chaining.
func SourceIdentityFromClaim(path string) RuleFunc {
	r := &readyMade{name: "delegation.SourceIdentityFromClaim"}
	r.changes = toEach(func(a *AWS) { a.SourceIdentity = anyValue })
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		rc.AWS.SourceIdentity = user.Text(path)
		if rc.AWS.SourceIdentity == "" {
			return Deny("the profile lacks " + path)
		}
		return nil
	}
	return r.ready()
}

// SessionPolicyFromTemplate sets the inline session policy from a JSON document. In its strings,
// {{path}} stands for a user property. A property that is absent denies the user. So does one with
// characters other than letters, digits, space and _.@|+=,:- because * ? $ and / have a special
// meaning in policies. A template that is not a JSON object is an error with [CodeConfigInvalid].
func SessionPolicyFromTemplate(template string) (RuleFunc, error) {
	parsed, err := iam.ParseTemplate(template)
	if err != nil {
		return nil, newError(CodeConfigInvalid, "the session policy's template: %w", err)
	}
	r := &readyMade{name: "delegation.SessionPolicyFromTemplate"}
	r.changes = toEach(func(a *AWS) { a.Policy = "" }) // the template was checked
	r.run = func(_ context.Context, user *User, rc *RuleContext) error {
		policy, missing := parsed.Fill(user.Value)
		rc.AWS.Policy = policy
		if missing != "" {
			return Deny("the profile lacks a usable " + missing)
		}
		return nil
	}
	return r.ready(), nil
}
