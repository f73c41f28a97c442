package ststest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/iampolicy"
)

// Limits of AssumeRole: AWS STS API Reference, and IAM User Guide, IAM roles,
// role chaining.
const (
	minSessionName, maxSessionName = 2, 64
	minExternalID, maxExternalID   = 2, 1224
	minSourceIdentity              = 2
	maxChained                     = time.Hour
)

const (
	namePattern       = `[\w+=,.@-]*`
	externalIDPattern = `[\w+=,.@:\/-]*`
	tagKeyPattern     = `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`
	tagValuePattern   = `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`
)

var (
	nameChars       = newPattern(`\A[\w+=,.@-]*\z`)
	externalIDChars = newPattern(`\A[\w+=,.@:/-]*\z`)
	memberTag       = newPattern(`\ATags\.member\.([1-9][0-9]{0,3})\.(Key|Value)\z`)
	memberKey       = newPattern(`\ATransitiveTagKeys\.member\.([1-9][0-9]{0,3})\z`)
)

// The actions that AssumeRole asks both policies for.
const (
	assumeRole        = "sts:AssumeRole"
	tagSession        = "sts:TagSession"
	setSourceIdentity = "sts:SetSourceIdentity"
)

// A sessionTag is a tag as a request passes it.
type sessionTag struct {
	key, value  string
	keyed, with bool // whether it has a Key and a Value
}

// An assumption is what a request of AssumeRole asks for, by a session.
type assumption struct {
	caller     *session
	duration   time.Duration
	policy     string
	hasPolicy  bool
	policyARNs []string
	name       string
	externalID string
	identity   string // passed or inherited; empty: none
	tags       []sessionTag
	transitive []string // of tags
}

// assumeRole gives the session of a role to the session that signed the
// request.
func (s *Server) assumeRole(r *request) (element, *apiError) {
	caller, refusal := s.authenticate(r)
	if refusal != nil {
		return element{}, refusal
	}
	r.call.SignedBy = caller.accessKeyID
	a, refusal := s.readAssumption(r, caller)
	if refusal != nil {
		return element{}, refusal
	}
	role, refusal := s.roleToAssume(r, caller)
	if refusal != nil {
		return element{}, refusal
	}
	if refusal := a.checkLimits(role); refusal != nil {
		return element{}, refusal
	}
	if refusal := s.mayAssume(r, role, a); refusal != nil {
		return element{}, refusal
	}
	next := a.authority(role, r.now)
	packed, refusal := checkPolicies(role, a.policy, a.hasPolicy, a.policyARNs, next.tags)
	if refusal != nil {
		return element{}, refusal
	}
	session, err := s.issue(role, a.name, r.now.Add(a.duration).Truncate(time.Second), next)
	if err != nil {
		return element{}, &apiError{status: 500, code: "InternalFailure", message: err.Error()}
	}
	r.call.AccessKeyID = session.accessKeyID
	r.call.SourceIdentity = a.identity
	r.call.PrincipalTags = next.tags
	r.call.TransitiveTagKeys = next.transitive
	return assumedByRole(a, session, packed), nil
}

// readAssumption reads the parameters, and applies the constraints of the API
// model.
func (s *Server) readAssumption(r *request, caller *session) (*assumption, *apiError) {
	seconds, given, refusal := parseDuration(r)
	if refusal != nil {
		return nil, refusal
	}
	a := &assumption{caller: caller, duration: time.Duration(seconds) * time.Second}
	if given {
		r.call.Duration = a.duration
	}
	a.policy, a.hasPolicy = r.param("Policy")
	a.policyARNs = parsePolicyARNs(r)
	a.name, _ = r.param("RoleSessionName")
	a.externalID, _ = r.param("ExternalId")
	a.identity, _ = r.param("SourceIdentity")
	a.readTags(r)
	r.call.Policy = a.policy
	r.call.PolicyARNs = a.policyARNs
	r.call.SessionName = a.name
	r.call.ExternalID = a.externalID
	if refusal := s.checkAssumption(r, a, seconds); refusal != nil {
		return nil, refusal
	}
	for _, name := range []string{
		"SerialNumber", "TokenCode", "ProvidedContexts.member.1.ProviderArn",
	} {
		if _, ok := r.param(name); ok {
			return nil, validation("ststest does not know the parameter " + name)
		}
	}
	return a, nil
}

// readTags reads Tags.member.N and TransitiveTagKeys.member.N in the order of
// N.
func (a *assumption) readTags(r *request) {
	tags := map[int]sessionTag{}
	keys := map[int]string{}
	for name := range r.form {
		value, _ := r.param(name)
		if m := memberTag.FindStringSubmatch(name); m != nil {
			i, _ := strconv.Atoi(m[1])
			tag := tags[i]
			if m[2] == "Key" {
				tag.key = value
				tag.keyed = true
			} else {
				tag.value = value
				tag.with = true
			}
			tags[i] = tag
		}
		if m := memberKey.FindStringSubmatch(name); m != nil {
			i, _ := strconv.Atoi(m[1])
			keys[i] = value
		}
	}
	for _, i := range slices.Sorted(maps.Keys(tags)) {
		a.tags = append(a.tags, tags[i])
	}
	for _, i := range slices.Sorted(maps.Keys(keys)) {
		a.transitive = append(a.transitive, keys[i])
	}
}

// checkAssumption applies the constraints of the API model and reports all that
// are broken at once, pattern before length.
func (s *Server) checkAssumption(r *request, a *assumption, seconds int64) *apiError {
	var c constraints
	if value, ok := r.param("RoleArn"); ok {
		c.arn(value, "roleArn")
	} else {
		c.fail("null ", "roleArn", "not be null")
	}
	if _, ok := r.param("RoleSessionName"); ok {
		c.text(a.name, "roleSessionName", nameChars, namePattern, minSessionName, maxSessionName)
	} else {
		c.fail("null ", "roleSessionName", "not be null")
	}
	if _, ok := r.param("ExternalId"); ok {
		c.text(a.externalID, "externalId", externalIDChars, externalIDPattern,
			minExternalID, maxExternalID)
	}
	if _, ok := r.param("SourceIdentity"); ok {
		c.text(a.identity, "sourceIdentity", nameChars, namePattern,
			minSourceIdentity, s.config.MaxSourceIdentity)
	}
	c.members("policyArns", len(a.policyARNs), maxPolicyARNs)
	for i, value := range a.policyARNs {
		c.arn(value, fmt.Sprintf("policyArns.%d.member.arn", i+1))
	}
	if a.hasPolicy {
		c.policy(a.policy)
	}
	c.duration(seconds)
	c.members("tags", len(a.tags), maxTags)
	for i, tag := range a.tags {
		c.tag(tag, fmt.Sprintf("tags.%d.member.", i+1))
	}
	c.members("transitiveTagKeys", len(a.transitive), maxTags)
	for i, key := range a.transitive {
		c.text(key, fmt.Sprintf("transitiveTagKeys.%d.member", i+1), tagForm, tagKeyPattern,
			1, maxTagKey)
	}
	return unsatisfiedConstraints(c.broken)
}

// text checks a text against its pattern and its length.
func (c *constraints) text(value, member string, form pattern, shown string, low, high int) {
	quoted := "'" + value + "' "
	if !form.MatchString(value) {
		c.fail(quoted, member, "satisfy regular expression pattern: "+shown)
	}
	c.length(quoted, value, member, low, high)
}

// members checks how many members a list has.
func (c *constraints) members(list string, n, high int) {
	if n > high {
		c.fail("", list, fmt.Sprintf("have length less than or equal to %d", high))
	}
}

func (c *constraints) tag(tag sessionTag, member string) {
	if tag.keyed {
		c.text(tag.key, member+"key", tagForm, tagKeyPattern, 1, maxTagKey)
	} else {
		c.fail("null ", member+"key", "not be null")
	}
	if tag.with {
		c.text(tag.value, member+"value", tagForm, tagValuePattern, 0, maxTagValue)
	} else {
		c.fail("null ", member+"value", "not be null")
	}
}

// roleToAssume finds the role. One that does not exist is refused as one that
// may not be assumed.
func (s *Server) roleToAssume(r *request, caller *session) (*role, *apiError) {
	a, ok := parseARN(roleARN, r.call.RoleARN)
	if !ok || a.partition != partitionOf(r.region).name {
		return nil, validation("Request ARN is invalid")
	}
	s.mu.Lock()
	role := s.roles[a.text]
	s.mu.Unlock()
	switch {
	case role == nil:
		return nil, r.notAuthorized(caller, assumeRole, "there is no role with this ARN")
	case strings.HasPrefix(a.name, "AWSReservedSSO_"):
		return nil, r.notAuthorized(caller, assumeRole,
			"roles of IAM Identity Center are for IAM Identity Center alone")
	}
	return role, nil
}

// notAuthorized is AWS's refusal, which does not say whose policy it is, with
// the cause in words of ours.
func (r *request) notAuthorized(caller *session, action, why string) *apiError {
	r.call.Cause = why
	return forbidden("AccessDenied", fmt.Sprintf(
		"User: %s is not authorized to perform: %s on resource: %s",
		caller.arn, action, r.call.RoleARN))
}

// checkLimits checks what depends on the role and on the caller's session. The
// role's maximum comes before the hour of a chain.
func (a *assumption) checkLimits(role *role) *apiError {
	if a.duration > role.maxTTL {
		return validation(
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if a.duration > maxChained {
		return validation("The requested DurationSeconds exceeds the 1 hour session limit for " +
			"roles assumed by role chaining.")
	}
	inherited := a.caller.authority
	if before := inherited.sourceIdentity; before != "" {
		if a.identity != "" && a.identity != before {
			return validation(
				"The source identity is already set for this assume role session")
		}
		a.identity = before
	}
	return a.checkTags(inherited)
}

// checkTags checks the tags against each other and against those that are
// inherited.
func (a *assumption) checkTags(inherited authority) *apiError {
	bad := func(message string) *apiError {
		return &apiError{status: 400, code: "InvalidParameterValue", message: message}
	}
	seen := map[string]bool{}
	for _, tag := range a.tags {
		folded := strings.ToLower(tag.key)
		switch {
		case strings.HasPrefix(folded, "aws:"):
			return bad(`Tag keys must not begin with "aws:"`)
		case seen[folded]:
			return bad("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case holdsFold(inherited.transitive, tag.key):
			return bad("One of the specified transitive tag keys can't be set because it " +
				"conflicts with a transitive tag key from the calling session.")
		}
		seen[folded] = true
	}
	for _, key := range a.transitive {
		if !seen[strings.ToLower(key)] {
			return bad("The specified transitive tag key must be included in the requested tags.")
		}
	}
	return nil
}

func holdsFold(list []string, text string) bool {
	return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, text) })
}

// mayAssume evaluates the caller's policies and the role's trust policy for the
// role, and for the tags and the source identity that the session gets. The trust
// policy must allow each of them. In one account the caller's identity policies
// need not allow the role and the tags if the trust policy names the caller or its
// role, but they must allow the source identity.
func (s *Server) mayAssume(r *request, role *role, a *assumption) *apiError {
	actions := []string{assumeRole}
	if len(a.tags)+len(a.caller.authority.transitive) > 0 {
		actions = append(actions, tagSession)
	}
	if a.identity != "" {
		actions = append(actions, setSourceIdentity)
	}
	set, err := s.policiesOf(a.caller)
	if err == nil {
		set.Resource, err = role.trust.forRoles()
	}
	if err != nil {
		return r.notAuthorized(a.caller, assumeRole, err.Error())
	}
	for _, action := range actions {
		request := iampolicy.Request{
			Principal: iampolicy.Principal{ARN: a.caller.arn, Role: a.caller.role},
			Action:    action,
			Resource:  role.arn.text,
			Context:   a.context(r),
		}
		decision, err := set.Decide(request)
		sameAccount := a.caller.account == role.arn.account
		if action == setSourceIdentity && sameAccount && decision.Allowed() {
			decision, err = a.decideByCaller(set, request)
		}
		switch {
		case err != nil:
			return r.notAuthorized(a.caller, action, err.Error())
		case !decision.Allowed():
			return r.notAuthorized(a.caller, action, decision.String())
		}
	}
	return nil
}

// decideByCaller decides by the caller's own policies a request that the trust
// policy allows. For role chaining, both must allow sts:SetSourceIdentity (IAM User
// Guide, Monitor and control actions taken with assumed roles). In one account,
// Decide asks the caller's own policies only if the trust policy allows no more
// than the account. In two accounts, it always asks both.
func (a *assumption) decideByCaller(
	set iampolicy.Set, r iampolicy.Request,
) (iampolicy.Decision, error) {
	trust, err := iampolicy.Parse(fmt.Sprintf(`{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": %q}, "Action": %q}}`, a.caller.account, r.Action))
	if err != nil {
		return iampolicy.Decision{}, err
	}
	set.Resource = []*iampolicy.Policy{trust}
	return set.Decide(r)
}

// policiesOf returns the policies that a session's requests are subject to, but
// for those of resources.
func (s *Server) policiesOf(caller *session) (iampolicy.Set, error) {
	var set iampolicy.Set
	own := caller.authority
	if own.policy != "" {
		var err error
		if set.Session, err = parseIdentity([]string{own.policy}); err != nil {
			return set, fmt.Errorf("the session policy: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, arn := range own.policyARNs {
		managed := s.policies[arn]
		if managed == nil {
			return set, fmt.Errorf("there is no policy %s: Server.PutPolicy makes one", arn)
		}
		set.Session = append(set.Session, managed)
	}
	role := s.roles[caller.role]
	if role == nil {
		return set, errors.New("there is no role of this session")
	}
	set.Identity = role.identity
	set.Boundary = role.boundary
	return set, nil
}

// context returns the condition keys of the request: those of the caller's
// session, and those of AssumeRole. Inherited tags are the caller's
// aws:PrincipalTag, and their keys are in sts:TransitiveTagKeys.
func (a *assumption) context(r *request) iampolicy.Context {
	own := requestContext{
		"sts:rolesessionname": {a.name},
		"aws:currenttime":     {wireTime(r.now)},
	}
	r.addTo(own)
	if a.externalID != "" {
		own["sts:externalid"] = []string{a.externalID}
	}
	if a.identity != "" {
		own["sts:sourceidentity"] = []string{a.identity}
	}
	for _, tag := range a.tags {
		own["aws:requesttag/"+strings.ToLower(tag.key)] = []string{tag.value}
		own["aws:tagkeys"] = append(own["aws:tagkeys"], tag.key)
	}
	transitive := slices.Concat(a.caller.authority.transitive, a.transitive)
	if len(transitive) > 0 {
		own["sts:transitivetagkeys"] = transitive
	}
	for key, values := range a.caller.authority.context {
		own[strings.ToLower(key)] = values
	}
	return iampolicy.Context(own)
}

// authority returns what the new session has to do with policies. It inherits
// the transitive tags, which stay transitive (IAM User Guide, Pass session tags
// in AWS STS, Chaining roles with session tags), and nothing of SAML.
func (a *assumption) authority(role *role, now time.Time) authority {
	next := authority{
		policy:         strings.Clone(a.policy),
		policyARNs:     keptTexts(a.policyARNs),
		tags:           map[string]string{},
		sourceIdentity: strings.Clone(a.identity),
		chained:        true,
	}
	before := a.caller.authority
	for key, value := range before.tags {
		if holdsFold(before.transitive, key) {
			next.tags[key] = value
		}
	}
	for _, tag := range a.tags {
		next.tags[strings.Clone(tag.key)] = strings.Clone(tag.value)
	}
	next.transitive = slices.Concat(before.transitive, keptTexts(a.transitive))
	next.context = iampolicy.Context{
		"aws:userid":           {role.id + ":" + strings.Clone(a.name)},
		"aws:PrincipalArn":     {role.arn.text},
		"aws:PrincipalAccount": {role.arn.account},
		"aws:PrincipalType":    {"AssumedRole"},
		"aws:TokenIssueTime":   {wireTime(now)},
	}
	for key, value := range next.tags {
		next.context["aws:PrincipalTag/"+key] = []string{value}
	}
	if next.sourceIdentity != "" {
		next.context["aws:SourceIdentity"] = []string{next.sourceIdentity}
	}
	return next
}

// assumedByRole returns the successful answer, in the order of the sample
// response of the AWS STS API Reference.
func assumedByRole(a *assumption, session *session, packed int) element {
	answer := element{children: []element{
		{name: "AssumedRoleUser", children: []element{
			{name: "Arn", text: session.arn},
			{name: "AssumedRoleId", text: session.userID},
		}},
		{name: "Credentials", children: []element{
			{name: "AccessKeyId", text: session.accessKeyID},
			{name: "SecretAccessKey", text: session.secret},
			{name: "SessionToken", text: session.token},
			{name: "Expiration", text: wireTime(session.expires)},
		}},
	}}
	add := func(name, text string) {
		answer.children = append(answer.children, element{name: name, text: text})
	}
	if a.identity != "" {
		add("SourceIdentity", a.identity)
	}
	if packed > 0 {
		add("PackedPolicySize", strconv.Itoa(packed))
	}
	return answer
}

// A roleTrust has the statements of a trust policy that concern AssumeRole:
// those for principals of AWS.
type roleTrust struct {
	statements []any
	problem    error // why they cannot be evaluated
}

// roleActions are the actions of AssumeRole, in lower case.
var roleActions = []string{"sts:assumerole", actionTag, actionIdentity}

// add adds a statement of the number in the document, if it is for principals of
// AWS.
func (t *roleTrust) add(st *statement, number int) {
	covered := slices.ContainsFunc(roleActions, func(a string) bool {
		return covers(st.actions, a)
	})
	if len(st.aws) == 0 && !st.everyone || !covered {
		return
	}
	if err := knownKeys(st.condition); err != nil && t.problem == nil {
		t.problem = fmt.Errorf("statement %d of the trust policy cannot be evaluated: %w",
			number, err)
	}
	principals := slices.Clone(st.aws)
	if st.everyone {
		principals = append(principals, everyone)
	}
	of := *st
	of.federated = nil
	of.everyone = false
	document := of.document()
	document["Principal"] = map[string]any{"AWS": principals}
	document["Sid"] = fmt.Sprintf("Statement%d", number)
	t.statements = append(t.statements, document)
}

// forRoles returns the policy for requests of AssumeRole.
func (p *trustPolicy) forRoles() ([]*iampolicy.Policy, error) {
	if p.roles.problem != nil {
		return nil, p.roles.problem
	}
	if p.roles.statements == nil {
		return nil, nil
	}
	policy, err := p.policyOf(p.roles.statements)
	if err != nil {
		return nil, fmt.Errorf("the trust policy cannot be evaluated: %w", err)
	}
	return []*iampolicy.Policy{policy}, nil
}

// chainKeys are the condition keys that a request of AssumeRole can have, in
// lower case, and the beginnings of others.
var (
	chainKeys = []string{
		"sts:sourceidentity", "sts:externalid", "sts:rolesessionname", "sts:transitivetagkeys",
		"aws:tagkeys", "aws:principalarn", "aws:principalaccount", "aws:principaltype",
		"aws:userid", "aws:sourceidentity", "aws:tokenissuetime", "aws:currenttime",
		"aws:federatedprovider", "aws:requestedregion", keySecureTransport, keySourceIP,
		"saml:sub", "saml:sub_type", "saml:namequalifier",
	}
	chainKeyBeginnings = []string{"aws:requesttag/", "aws:principaltag/"}
)

// knownKeys checks that a request of AssumeRole can have every key of a
// Condition. One that is never there may allow as well as deny.
func knownKeys(condition any) error {
	operators, _ := condition.(map[string]any)
	for _, operator := range slices.Sorted(maps.Keys(operators)) {
		keys, _ := operators[operator].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			name := strings.ToLower(key)
			begins := func(beginning string) bool { return strings.HasPrefix(name, beginning) }
			known := slices.Contains(chainKeys, name) ||
				slices.ContainsFunc(chainKeyBeginnings, begins)
			if !known {
				return fmt.Errorf("the condition key %q is not one that requests have here", key)
			}
		}
	}
	return nil
}
