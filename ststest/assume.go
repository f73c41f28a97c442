package ststest

import (
	"crypto/sha1"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/internal/packed"
)

// Limits of AssumeRoleWithSAML: AWS STS API Reference.
const (
	minARN, maxARN             = 20, 2048
	minAssertion, maxAssertion = 4, 100_000
	minDuration, maxDuration   = 900, 43_200
	maxPolicy                  = 2048
	maxPolicyARNs              = 10
)

const (
	arnPattern = `[\u0009\u000A\u000D\u0020-\u007E\u0085` +
		`\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+`
	policyPattern = `[\u0009\u000A\u000D\u0020-\u00FF]+`
)

var (
	arnChars = newPattern(`\A[\x09\x0A\x0D\x20-\x7E\x{85}` +
		`\x{A0}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]+\z`)
	policyChars = newPattern(`\A[\x09\x0A\x0D\x20-\x{FF}]+\z`)
	memberARN   = newPattern(`\APolicyArns\.member\.([1-9][0-9]{0,3})\.arn\z`)
)

func validation(message string) *apiError {
	return &apiError{status: 400, code: "ValidationError", message: message}
}

func (s *Server) assumeRoleWithSAML(r *request) (element, *apiError) {
	duration, given, refusal := parseDuration(r)
	if refusal != nil {
		return element{}, refusal
	}
	if given {
		r.call.Duration = time.Duration(duration) * time.Second
	}
	policy, hasPolicy := r.param("Policy")
	policyARNs := parsePolicyARNs(r)
	r.call.Policy = policy
	r.call.PolicyARNs = policyARNs

	if refusal := checkConstraints(r, duration, policyARNs); refusal != nil {
		return element{}, refusal
	}
	role, provider, refusal := s.lookUp(r)
	if refusal != nil {
		return element{}, refusal
	}
	a, refusal := s.authorize(r, role, provider)
	if refusal != nil {
		return element{}, refusal
	}
	used, refusal := checkPolicies(role, policy, hasPolicy, policyARNs, a.tags)
	if refusal != nil {
		return element{}, refusal
	}

	end := sessionEnd(r.now, time.Duration(duration)*time.Second, a)
	session, err := s.issue(role, a.sessionName, end, authority{
		context:    a.sessionContext(provider, role, r.now),
		policy:     strings.Clone(policy),
		policyARNs: keptTexts(policyARNs),

		tags:           keptTags(a.tags),
		transitive:     keptTexts(a.transitive),
		sourceIdentity: strings.Clone(a.sourceIdentity),
	})
	if err != nil {
		return element{}, &apiError{status: 500, code: "InternalFailure", message: err.Error()}
	}
	r.call.AccessKeyID = session.accessKeyID
	return assumed(a, provider, session, used), nil
}

// authorize reads the assertion, and checks that it is for the role and that the
// role trusts it.
func (s *Server) authorize(r *request, role *role, provider *provider) (*assertion, *apiError) {
	encoded, _ := r.param("SAMLAssertion")
	a, refusal := s.readAssertion(r, encoded, provider)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := a.checkAttributes(r, s.config.MaxSourceIdentity); refusal != nil {
		return nil, refusal
	}
	if !a.grants(role.arn.text, provider.arn.text) {
		return nil, invalidToken(
			"SAML Assertion doesn't contain the requested Role and Metadata in the attributes")
	}
	if r.call.Duration > role.maxTTL {
		return nil, validation(
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	if why := trusted(r, role, provider, a); why != "" {
		return nil, r.denied(why)
	}
	return a, nil
}

// sessionEnd is when a session ends, by its duration or by the assertion,
// whichever is shorter (AWS STS API Reference, DurationSeconds).
func sessionEnd(now time.Time, duration time.Duration, a *assertion) time.Time {
	if !a.sessionEnd.IsZero() {
		duration = min(duration, a.sessionEnd.Sub(now))
	}
	return now.Add(duration).Truncate(time.Second)
}

// assumed returns the successful answer, in the order of the sample response of
// the AWS STS API Reference.
func assumed(a *assertion, provider *provider, session *session, used int) element {
	answer := element{children: []element{
		{name: "Issuer", text: a.issuer},
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
		{name: "Audience", text: a.recipient},
		{name: "SubjectType", text: strings.TrimPrefix(a.format, nameIDFormat)},
	}}
	add := func(name, text string) {
		answer.children = append(answer.children, element{name: name, text: text})
	}
	if used > 0 {
		add("PackedPolicySize", strconv.Itoa(used))
	}
	add("NameQualifier", nameQualifier(a.issuer, provider.arn))
	if a.sourceIdentity != "" {
		add("SourceIdentity", a.sourceIdentity)
	}
	add("Subject", a.nameID)
	return answer
}

// parseDuration reads DurationSeconds as STS does: a signed 32-bit integer
// that may have a plus sign and leading zeros.
func parseDuration(r *request) (seconds int64, given bool, refusal *apiError) {
	text, given := r.param("DurationSeconds")
	if !given {
		return 3600, false, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, true, &apiError{status: 400, code: "MalformedInput"}
	}
	return seconds, true, nil
}

// parsePolicyARNs reads PolicyArns.member.N.arn in the order of N.
func parsePolicyARNs(r *request) []string {
	byIndex := map[int]string{}
	var order []int
	for name := range r.form {
		if m := memberARN.FindStringSubmatch(name); m != nil {
			i, _ := strconv.Atoi(m[1])
			byIndex[i], _ = r.param(name)
			order = append(order, i)
		}
	}
	slices.Sort(order)
	var arns []string
	for _, i := range order {
		arns = append(arns, byIndex[i])
	}
	return arns
}

// constraints collects the constraints of the API model that a request breaks.
type constraints struct{ broken []string }

func (c *constraints) fail(value, member, constraint string) {
	const unsatisfied = "Value %sat '%s' failed to satisfy constraint: Member must %s"
	c.broken = append(c.broken, fmt.Sprintf(unsatisfied, value, member, constraint))
}

func (c *constraints) length(quoted, value, member string, low, high int) {
	if n := utf8.RuneCountInString(value); n < low {
		c.fail(quoted, member, fmt.Sprintf("have length greater than or equal to %d", low))
	} else if n > high {
		c.fail(quoted, member, fmt.Sprintf("have length less than or equal to %d", high))
	}
}

func (c *constraints) arn(value, member string) {
	quoted := "'" + value + "' "
	if !arnChars.MatchString(value) {
		c.fail(quoted, member, "satisfy regular expression pattern: "+arnPattern)
	}
	c.length(quoted, value, member, minARN, maxARN)
}

func (c *constraints) policy(value string) {
	quoted := "'" + value + "' "
	if !policyChars.MatchString(value) {
		c.fail(quoted, "policy", "satisfy regular expression pattern: "+policyPattern)
	}
	c.length(quoted, value, "policy", 1, maxPolicy)
}

func (c *constraints) duration(seconds int64) {
	quoted := fmt.Sprintf("'%d' ", seconds)
	if seconds < minDuration {
		c.fail(quoted, "durationSeconds",
			fmt.Sprintf("have value greater than or equal to %d", minDuration))
	} else if seconds > maxDuration {
		c.fail(quoted, "durationSeconds",
			fmt.Sprintf("have value less than or equal to %d", maxDuration))
	}
}

// checkConstraints applies the constraints of the API model and reports all
// that are broken at once, pattern before length, as STS does.
func checkConstraints(r *request, duration int64, policyARNs []string) *apiError {
	var c constraints
	for _, p := range [][2]string{{"RoleArn", "roleArn"}, {"PrincipalArn", "principalArn"}} {
		if value, ok := r.param(p[0]); ok {
			c.arn(value, p[1])
		} else {
			c.fail("null ", p[1], "not be null")
		}
	}
	// The model marks the assertion as sensitive: its value is never repeated.
	if value, ok := r.param("SAMLAssertion"); ok {
		c.length("", value, "sAMLAssertion", minAssertion, maxAssertion)
	} else {
		c.fail("null ", "sAMLAssertion", "not be null")
	}
	if len(policyARNs) > maxPolicyARNs {
		c.fail("", "policyArns",
			fmt.Sprintf("have length less than or equal to %d", maxPolicyARNs))
	}
	for i, value := range policyARNs {
		c.arn(value, fmt.Sprintf("policyArns.%d.member.arn", i+1))
	}
	if value, ok := r.param("Policy"); ok {
		c.policy(value)
	}
	c.duration(duration)
	return unsatisfiedConstraints(c.broken)
}

// unsatisfiedConstraints returns the one refusal for all constraints that are
// broken, or nil if there are none.
func unsatisfiedConstraints(broken []string) *apiError {
	if len(broken) == 0 {
		return nil
	}
	plural := "s"
	if len(broken) == 1 {
		plural = ""
	}
	all := strings.Join(broken, "; ")
	return validation(fmt.Sprintf("%d validation error%s detected: %s", len(broken), plural, all))
}

// lookUp checks the two ARNs and finds the role, and then the provider.
func (s *Server) lookUp(r *request) (*role, *provider, *apiError) {
	ra, ok := parseARN(roleARN, r.call.RoleARN)
	if !ok || ra.partition != partitionOf(r.region).name {
		return nil, nil, validation("Request ARN is invalid")
	}
	pa, ok := parseARN(providerARN, r.call.PrincipalARN)
	if !ok {
		return nil, nil, validation("Principal ARN is invalid")
	}
	if ra.account != pa.account || ra.partition != pa.partition {
		return nil, nil, validation(
			"Principal exists outside the account of the Role being assumed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	role := s.roles[ra.text]
	if role == nil {
		return nil, nil, r.denied("there is no role with this ARN")
	}
	if strings.HasPrefix(ra.name, "AWSReservedSSO_") {
		return nil, nil, r.denied("roles of IAM Identity Center are for IAM Identity Center alone")
	}
	provider := s.providers[pa.text]
	if provider == nil {
		return nil, nil, s.upstream("Specified provider doesn't exist", codeNoManifest)
	}
	return role, provider, nil
}

// trusted evaluates the trust policy for the sign-in and for what it sets. It
// returns the reason for a refusal, or "" if the policy allows it.
func trusted(r *request, role *role, provider *provider, a *assertion) string {
	actions := []string{actionAssume}
	if len(a.tags) > 0 {
		actions = append(actions, actionTag)
	}
	if a.sourceIdentity != "" {
		actions = append(actions, actionIdentity)
	}
	ctx := a.context(provider)
	r.addTo(ctx)
	for _, action := range actions {
		if why := role.trust.denies(action, provider.arn.text, ctx); why != "" {
			return why
		}
	}
	return ""
}

// addTo adds the condition keys that the request itself sets (IAM User Guide, AWS
// global condition context keys). Every endpoint of AWS has TLS, so the sign-in
// counts as made with it.
func (r *request) addTo(ctx requestContext) {
	ctx["aws:requestedregion"] = []string{r.region}
	ctx["aws:securetransport"] = []string{"true"}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		ctx["aws:sourceip"] = []string{from.Addr().Unmap().WithZone("").String()}
	}
}

// checkPolicies checks the session policies and returns the packed size in
// percent, zero when there are neither policies nor tags.
func checkPolicies(
	role *role, policy string, hasPolicy bool, policyARNs []string, tags map[string]string,
) (int, *apiError) {
	if hasPolicy && !isObject(policy) {
		return 0, &apiError{
			status:  400,
			code:    "MalformedPolicyDocument",
			message: "The policy is not in the valid JSON format.",
		}
	}
	plain := utf8.RuneCountInString(policy)
	for _, text := range policyARNs {
		if !role.mayUsePolicy(text) {
			return 0, validation(
				"Policy ARN is invalid: want a policy of AWS or of the role's account")
		}
		plain += len(text)
	}
	percent := packed.Percent(policy, policyARNs, tags)
	if plain > maxPolicy {
		percent = max(percent, (plain*100+maxPolicy-1)/maxPolicy)
	}
	if percent > 100 {
		return 0, packedTooLarge(percent, plain > 0, len(tags) > 0)
	}
	return percent, nil
}

// packedTooLarge is the refusal of what takes more than all of the space.
func packedTooLarge(percent int, policies, tags bool) *apiError {
	subject := "session policy"
	switch {
	case policies && tags:
		subject = "session tags and session policy"
	case tags:
		subject = "session tags"
	}
	const tooLarge = "Packed size of %s consumes %d%% of allotted space."
	return &apiError{
		status:  400,
		code:    "PackedPolicyTooLarge",
		message: fmt.Sprintf(tooLarge, subject, percent),
	}
}

// isObject reports whether a policy is a JSON object.
func isObject(policy string) bool {
	object := map[string]json.RawMessage{}
	return json.Unmarshal([]byte(policy), &object) == nil && object != nil
}

// mayUsePolicy reports whether an ARN is that of a policy of AWS or of the
// role's account.
func (r *role) mayUsePolicy(text string) bool {
	policy, ok := parseARN(policyARN, text)
	if !ok || policy.partition != r.arn.partition {
		return false
	}
	return policy.account == "aws" || policy.account == r.arn.account
}

// nameQualifier is the hash that, with the subject, names a federated user:
// AWS STS API Reference, AssumeRoleWithSAML, NameQualifier.
func nameQualifier(issuer string, provider arn) string {
	sum := sha1.Sum([]byte(issuer + provider.account + "/" + provider.name))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A session belongs to the credentials of one successful call.
type session struct {
	accessKeyID, secret, token string
	arn, userID                string
	account, partition         string
	expires                    time.Time
	maxTTL                     time.Duration // of the role
	role                       string        // its ARN
	authority                  authority
}

// An authority is what a session has to do with policies.
type authority struct {
	context    iampolicy.Context // the condition keys that all its requests have
	policy     string            // the session policy; empty: none
	policyARNs []string

	tags           map[string]string
	transitive     []string // keys of tags that the next session of a chain inherits
	sourceIdentity string   // empty: none
	chained        bool     // the session is of AssumeRole
}

// sessionContext returns the condition keys that requests of a session have. Of
// the keys of SAML only three outlive the sign-in (IAM User Guide, IAM and AWS
// STS condition context keys, Available keys for SAML-based AWS STS federation).
func (a *assertion) sessionContext(p *provider, r *role, now time.Time) iampolicy.Context {
	signIn := a.context(p)
	c := iampolicy.Context{
		"saml:sub":              signIn["saml:sub"],
		"saml:sub_type":         signIn["saml:sub_type"],
		"saml:namequalifier":    signIn["saml:namequalifier"],
		"aws:userid":            {r.id + ":" + a.sessionName},
		"aws:PrincipalArn":      {r.arn.text},
		"aws:PrincipalAccount":  {r.arn.account},
		"aws:PrincipalType":     {"AssumedRole"},
		"aws:FederatedProvider": {p.arn.text},
		"aws:TokenIssueTime":    {wireTime(now)},
	}
	for key, value := range a.tags {
		c["aws:PrincipalTag/"+strings.Clone(key)] = []string{value}
	}
	if a.sourceIdentity != "" {
		c["aws:SourceIdentity"] = []string{a.sourceIdentity}
	}
	for key, values := range c {
		c[key] = keptTexts(values)
	}
	return c
}

// issue makes credentials. The oldest session is forgotten when there are too
// many; its credentials are then unknown rather than expired.
func (s *Server) issue(
	role *role, sessionName string, expires time.Time, authority authority,
) (*session, error) {
	b, err := s.random(10 + 30 + 270)
	if err != nil {
		return nil, err
	}
	sessionARN := fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/%s",
		role.arn.partition, role.arn.account, role.arn.name, sessionName)
	session := &session{
		accessKeyID: "ASIA" + base32.StdEncoding.EncodeToString(b[:10]),
		secret:      base64.StdEncoding.EncodeToString(b[10:40]),
		token:       base64.StdEncoding.EncodeToString(b[40:]),
		arn:         sessionARN,
		userID:      role.id + ":" + sessionName,
		account:     role.arn.account,
		partition:   role.arn.partition,
		expires:     expires,
		maxTTL:      role.maxTTL,
		role:        role.arn.text,
		authority:   authority,
	}
	if authority.chained {
		session.maxTTL = 0 // the console takes no SessionDuration of such a session
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.put(session.accessKeyID, session)
	return session, nil
}
