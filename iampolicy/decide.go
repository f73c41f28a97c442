package iampolicy

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Set has the policies that apply to a request. The zero value denies.
type Set struct {
	// Identity are the policies of the IAM user or role. It is enough if one of them allows the
	// request.
	Identity []*Policy

	// Session are the session policies. If there are any, one of them must allow the request too.
	Session []*Policy

	// Boundary are the permissions boundaries of the user or role; in IAM, each has at most one.
	// If there are any, one of them must allow the request too.
	Boundary []*Policy

	// Resource are the policies of the resource, such as a bucket policy or the trust policy of a
	// role that is assumed. In one account, most resources need no Allow here if an identity
	// policy has one. But a role is assumed only if its trust policy allows it, and a KMS key is
	// used only if its key policy does. A KMS key without a policy here has the default key
	// policy, which leaves the decision to the identity policies of the key's account.
	Resource []*Policy
}

// A Request is what a principal asks for.
type Request struct {
	// Principal is who asks. The zero value is an anonymous caller, whom only a resource policy
	// for everyone lets in.
	Principal Principal

	// Action is one action without wildcards, such as s3:GetObject.
	Action string

	// Resource is an ARN, or "*" for an action that has no resource.
	Resource string

	// Context has the request's condition keys. Nothing is added to it: aws:PrincipalArn is there
	// only if it is set here. The key aws:ResourceAccount names the account of a resource whose
	// ARN does not, such as a bucket's. If the ARN has an account, that one counts, and not the
	// key's; the key, if it is set, has the account of the ARN in every Condition.
	Context Context
}

// An Effect is the outcome of a decision. The zero value denies.
type Effect int

const (
	// DeniedImplicitly says that no policy that had to allow the request did.
	DeniedImplicitly Effect = iota
	// DeniedExplicitly says that a statement denies the request.
	DeniedExplicitly
	// Allowed says that the request is allowed.
	Allowed
)

// String returns "denied", "denied explicitly" or "allowed".
func (e Effect) String() string {
	switch e {
	case Allowed:
		return "allowed"
	case DeniedExplicitly:
		return "denied explicitly"
	}
	return "denied"
}

// A Kind is a kind of policy.
type Kind string

// The kinds of policy of a [Set].
const (
	Identity Kind = "identity"
	Session  Kind = "session"
	Boundary Kind = "boundary"
	Resource Kind = "resource"
)

// A Place is a statement of a policy.
type Place struct {
	Kind      Kind
	Policy    int    // in the list of the Set, from 0
	Statement int    // in the policy, from 1; zero if no statement decided
	Sid       string // of the statement; it may be empty
}

// String returns a place such as "statement 2 (OwnFolder) of identity policy 1". It counts
// policies from 1.
func (p Place) String() string {
	sid := ""
	if p.Sid != "" {
		sid = " (" + p.Sid + ")"
	}
	return fmt.Sprintf("statement %d%s of %s policy %d", p.Statement, sid, p.Kind, p.Policy+1)
}

// An Unmet is an Allow that would apply but for a condition.
type Unmet struct {
	Place
	// Key is the key of the first condition that does not hold, as the policy spells it.
	Key string
}

// A Decision is the outcome of a request, and what decided it. The zero value denies.
type Decision struct {
	Effect Effect

	// By is the statement that decided: the first Deny that applies, or the first Allow of an
	// identity or resource policy. If the request is denied implicitly, By has the kind of policy
	// that lacks an Allow, and no statement.
	By Place

	// Unmet are the Allows of that kind whose conditions do not hold, if the request is denied
	// implicitly.
	Unmet []Unmet
}

// Allowed reports whether the request is allowed.
func (d Decision) Allowed() bool { return d.Effect == Allowed }

// String returns the decision in words, such as "denied explicitly by statement 1 of session
// policy 1" or "denied: no identity policy allows it".
func (d Decision) String() string {
	switch d.Effect {
	case Allowed, DeniedExplicitly:
		return d.Effect.String() + " by " + d.By.String()
	}
	kind := d.By.Kind
	if kind == "" {
		kind = Identity
	}
	text := fmt.Sprintf("denied: no %s policy allows it", kind)
	for i, u := range d.Unmet {
		if i == 3 {
			return text + "; …"
		}
		text += fmt.Sprintf("; %s would, but for its Condition on %s", u.Place, u.Key)
	}
	return text
}

// Decide evaluates the policies for a request, as the IAM User Guide says in "Policy evaluation
// logic". The error is an [*Error]: a policy is in a place of another kind, or the request cannot
// be evaluated. The decision that comes with an error denies.
func (s Set) Decide(r Request) (Decision, error) {
	d, err := s.decide(r)
	if err != nil {
		return Decision{}, err
	}
	return d, nil
}

func (s Set) decide(r Request) (Decision, *Error) {
	e, err := newEvaluation(r)
	if err != nil {
		return Decision{}, err
	}
	votes := map[Kind]vote{}
	for _, k := range []struct {
		kind     Kind
		policies []*Policy
	}{
		{Identity, s.Identity},
		{Boundary, s.Boundary},
		{Session, s.Session},
		{Resource, s.Resource},
	} {
		v, err := e.count(k.kind, k.policies)
		if err != nil {
			return Decision{}, err
		}
		votes[k.kind] = v
	}
	for _, kind := range []Kind{Identity, Boundary, Session, Resource} {
		if deny := votes[kind].deny; deny != nil {
			return Decision{Effect: DeniedExplicitly, By: *deny}, nil
		}
	}
	return s.combine(r, votes), nil
}

// combine decides without a Deny.
func (s Set) combine(r Request, votes map[Kind]vote) Decision {
	lacks := func(kind Kind) Decision {
		return Decision{By: Place{Kind: kind}, Unmet: votes[kind].unmet}
	}
	resource := votes[Resource]
	granted := votes[Identity].allow
	switch {
	case r.Principal.ARN == "":
		// A service, a federated principal or an anonymous caller has no other policies.
		if resource.allow == nil {
			return lacks(Resource)
		}
		return Decision{Effect: Allowed, By: *resource.allow}
	case r.otherAccount():
		// The identity policy and the resource policy must both allow it (IAM User Guide,
		// Cross-account policy evaluation logic).
		if resource.allow == nil {
			return lacks(Resource)
		}
	case resource.allow == nil && s.resourceMustAllow(r):
		return lacks(Resource)
	case resource.direct != nil:
		// "Permissions granted directly to a session are not limited by an implicit deny in an
		// identity-based policy, a permissions boundary, or session policy", nor are those
		// "granted using the aws:PrincipalArn condition key with a wildcard in the Principal
		// element" (Policy evaluation for requests within a single account).
		return Decision{Effect: Allowed, By: *resource.direct}
	case granted == nil:
		granted = resource.beyondAccount
	}
	if granted == nil {
		return lacks(Identity)
	}
	if len(s.Boundary) > 0 && votes[Boundary].allow == nil {
		return lacks(Boundary)
	}
	if len(s.Session) > 0 && votes[Session].allow == nil {
		return lacks(Session)
	}
	return Decision{Effect: Allowed, By: *granted}
}

// resourceMustAllow reports whether an Allow of an identity policy is not enough in one account:
// "IAM role trust policies and KMS key policies are exceptions to this logic, because they must
// explicitly allow access for principals" (IAM User Guide, Policy evaluation for requests within a
// single account).
func (s Set) resourceMustAllow(r Request) bool {
	action := strings.ToLower(r.Action)
	switch {
	case strings.HasPrefix(action, "sts:assumerole"):
		return true
	case strings.HasPrefix(action, "sts:"):
		// Such as sts:TagSession, which other resources than roles have too (Service
		// Authorization Reference, AWS Security Token Service).
		return kindOf(r.Resource) == "role"
	}
	// "Every KMS key must have exactly one key policy", and "the default key policy enables IAM
	// policies" (AWS KMS Developer Guide, Key policies in AWS KMS). No other resource of AWS KMS
	// has a policy, so one that is given for an alias is that of its key.
	return serviceOf(r.Resource) == "kms" && len(s.Resource) > 0
}

// keyResourceAccount is the key for the account of the resource, in lower case.
const keyResourceAccount = "aws:resourceaccount"

// otherAccount reports whether the resource is in another account than the principal. An account
// of the same ID in another partition is another account.
func (r Request) otherAccount() bool {
	account := r.ResourceAccount()
	if !isAccountID(account) {
		return false
	}
	partition := partitionOf(r.Resource)
	return account != accountOf(r.Principal.ARN) ||
		partition != "" && partition != partitionOf(r.Principal.ARN)
}

// ResourceAccount returns the account of the resource: that in its ARN, or without one that of the
// key aws:ResourceAccount. It is empty if the request has neither. The simulator of IAM has the
// same order: its ResourceOwner is for "any simulated resource that does not identify its owner in
// the resource ARN" (IAM API Reference, SimulatePrincipalPolicy). The ARNs of AWS's own resources
// have a word such as aws in place of the account, and the key wins over it.
func (r Request) ResourceAccount() string {
	account := accountOf(r.Resource)
	if isAccountID(account) {
		return account
	}
	for key, values := range r.Context {
		if strings.EqualFold(key, keyResourceAccount) && len(values) == 1 {
			return values[0]
		}
	}
	return account
}

// An evaluation is a request in the form in which statements are compared with it.
type evaluation struct {
	principal Principal
	action    []token
	resource  []token
	context   Context
	steps     int // that are left
}

// maxSteps bounds the work of a decision: a policy of 32,768 characters, the largest of AWS, takes
// 33 million steps for a resource of 1,000 characters, whatever its patterns are.
const maxSteps = 1 << 26

// spend takes steps from those that are left.
func (e *evaluation) spend(steps int) *Error {
	e.steps -= steps
	if e.steps < 0 {
		return problem("the policies have too many and too long patterns for this request")
	}
	return nil
}

func newEvaluation(r Request) (*evaluation, *Error) {
	service, name, found := strings.Cut(r.Action, ":")
	if !found || service == "" || name == "" || strings.ContainsAny(r.Action, "*?") {
		return nil, problem("the request's Action is not one such as s3:GetObject")
	}
	length := utf8.RuneCountInString(r.Resource)
	if r.Resource != everyone && !isARN(r.Resource) || length > maxValue ||
		!utf8.ValidString(r.Resource) {
		return nil, problem("the request's Resource is not an ARN in UTF-8 of at most %d "+
			"characters, nor \"*\"", maxValue)
	}
	if len(r.Action) > maxValue {
		return nil, problem("the request's Action is longer than %d bytes", maxValue)
	}
	if err := r.Principal.check(); err != nil {
		return nil, err
	}
	context, err := r.Context.lower()
	if err != nil {
		return nil, err
	}
	if _, given := context[keyResourceAccount]; given && isAccountID(accountOf(r.Resource)) {
		context[keyResourceAccount] = []string{accountOf(r.Resource)}
	}
	return &evaluation{
		principal: r.Principal,
		action:    literal(strings.ToLower(r.Action)),
		resource:  literal(r.Resource),
		context:   context,
		steps:     maxSteps,
	}, nil
}

// A vote is what the policies of one kind say.
type vote struct {
	deny, allow *Place // the first of each
	unmet       []Unmet

	// For resource policies only. direct is the first Allow for the user or session itself, or for
	// everyone; it needs no Allow of another kind. beyondAccount is the first Allow for more than
	// the account, which needs no Allow of an identity policy.
	direct, beyondAccount *Place
}

func (e *evaluation) count(kind Kind, policies []*Policy) (vote, *Error) {
	var v vote
	for i, p := range policies {
		if p == nil || len(p.statements) == 0 {
			return v, problem("%s policy %d is nil or was not made by Parse", kind, i+1)
		}
		for j, s := range p.statements {
			place := Place{Kind: kind, Policy: i, Statement: j + 1, Sid: s.sid}
			if (s.principal != nil) != (kind == Resource) {
				return v, problem("%s policy %d is of another kind: resource policies have a "+
					"Principal, and others have none", kind, i+1)
			}
			if err := e.add(&v, &s, place); err != nil {
				err.Policy = fmt.Sprintf("%s policy %d", kind, i+1)
				err.Statement = j + 1
				return v, err
			}
		}
	}
	return v, nil
}

// add counts one statement.
func (e *evaluation) add(v *vote, s *statement, place Place) *Error {
	how := bySelf
	if s.principal != nil {
		how = s.principal.names(e.principal)
	}
	if how == byEveryone && !s.deny && e.principal.Federated != "" {
		how = notNamed // AWS does not say: see the package comment
	}
	if how == notNamed {
		return nil
	}
	concerned, err := s.concernsAction(e)
	if err != nil {
		return at("Action", err)
	}
	if !concerned {
		return nil
	}
	concerned, err = s.concernsResource(e)
	if err != nil {
		return at("Resource", err)
	}
	if !concerned {
		return nil
	}
	unmet, err := s.unmet(e)
	switch {
	case err != nil:
		return at("Condition", err)
	case unmet != "" && !s.deny:
		v.unmet = append(v.unmet, Unmet{Place: place, Key: unmet})
	case unmet != "":
	case s.deny:
		first(&v.deny, place)
	default:
		first(&v.allow, place)
		if how == bySelf || how == byEveryone {
			first(&v.direct, place)
		}
		if how != byAccount {
			first(&v.beyondAccount, place)
		}
	}
	return nil
}

// first keeps a place if there is none yet.
func first(kept **Place, place Place) {
	if *kept == nil {
		*kept = &place
	}
}

// concernsAction reports whether the statement is about the action.
func (s *statement) concernsAction(e *evaluation) (bool, *Error) {
	for _, pattern := range s.actions {
		if err := e.spend(len(pattern) * len(e.action)); err != nil {
			return false, err
		}
		if match(pattern, e.action) {
			return !s.notAction, nil
		}
	}
	return s.notAction, nil
}

// concernsResource reports whether the statement is about the resource.
func (s *statement) concernsResource(e *evaluation) (bool, *Error) {
	if len(s.resources) == 0 {
		return true, nil
	}
	for _, t := range s.resources {
		pattern, known, err := t.expand(e.context)
		if err == nil {
			err = e.spend(len(pattern) * len(e.resource))
		}
		switch {
		case err != nil:
			return false, err
		case !known && s.notResource && !s.deny:
			return false, nil // the statement may be invalid, and would allow too much
		case known && match(pattern, e.resource):
			return !s.notResource, nil
		}
	}
	return s.notResource, nil
}

// unmet returns the key of the first condition that does not hold, and "" if all do.
func (s *statement) unmet(e *evaluation) (string, *Error) {
	for _, c := range s.conditions {
		held, err := c.holds(e, s.deny)
		if err != nil {
			return "", err
		}
		if !held {
			return c.name, nil
		}
	}
	return "", nil
}
