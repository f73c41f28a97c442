package delegation

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/session"
)

const (
	// maxChainedSession is the longest session of a role that was assumed with the credentials of
	// another (IAM User Guide, "IAM roles", role chaining; STS API Reference, AssumeRole). AWS
	// refuses a longer one: it does not shorten it.
	maxChainedSession = time.Hour

	// maxChain bounds the calls that a user waits for. AWS has no limit of its own.
	maxChain = 5
)

// ChainedRole is a role that is assumed with the credentials of the role before it, by
// sts:AssumeRole.
type ChainedRole struct {
	// RoleARN is the role's ARN. Its account can be any in the partition of the role before it.
	RoleARN string
	// ExternalID is sent as sts:ExternalId, for a role of another organisation whose trust policy
	// requires it (IAM User Guide, "Access to AWS accounts owned by third parties"). It has 2 to
	// 1,224 characters: letters, digits and _+=,.@:/-. It is not a secret. Empty: none is sent.
	ExternalID string
}

// ChainingSTS is the interface that Config.STS must implement if a [Target] has a Chain.
// *sts.Client does. AssumeRole is called with the credentials of the previous role, which an option
// sets as Options.Credentials.
type ChainingSTS interface {
	STS
	AssumeRole(
		ctx context.Context, params *sts.AssumeRoleInput, optFns ...func(*sts.Options),
	) (*sts.AssumeRoleOutput, error)
}

// externalID is of the STS API Reference, AssumeRole.
var externalID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[\w+=,.@:/-]{2,}\z`)
})

const maxExternalID = 1224 // STS API Reference, AssumeRole

// checkChain checks the settings that a chain has, and those that go with one.
func (t *Target) checkChain(c *Config, problems *problems) {
	if len(t.Chain) == 0 {
		return
	}
	if len(t.Chain) > maxChain {
		problems.add("Chain has %d roles, and at most %d are assumed in a row", len(t.Chain),
			maxChain)
	}
	first, _ := iam.Role.Parse(t.Role) // which checkARNs has checked
	partition := first.Partition
	for i, link := range t.Chain {
		role, err := iam.Role.Parse(link.RoleARN)
		if err != nil {
			problems.add("Chain[%d]: RoleARN: %w", i, err)
			continue
		}
		if partition != "" && role.Partition != partition {
			problems.add("Chain[%d]: RoleARN: %s is in the partition %s, the role before it in %s",
				i, role, role.Partition, partition)
		}
		partition = role.Partition
		id := link.ExternalID
		if id != "" && (len(id) > maxExternalID || !externalID().MatchString(id)) {
			problems.add("Chain[%d]: ExternalID %.80q does not have 2 to %d letters, digits and "+
				"_+=,.@:/-", i, id, maxExternalID)
		}
	}
	if t.SessionDuration > maxChainedSession {
		problems.add("SessionDuration is %s, and AWS allows a role at the end of a Chain at "+
			"most %s", t.SessionDuration, maxChainedSession)
	}
	if t.neverHasSourceIdentity(c) {
		problems.add("Chain needs a source identity, and nothing sets one: have one of " +
			"Config.Rules set the source identity, such as SourceIdentityFromClaim")
	}
	if _, chains := c.STS.(ChainingSTS); c.STS != nil && !chains {
		problems.add("Chain needs a Config.STS with AssumeRole: see ChainingSTS")
	}
}

// neverHasSourceIdentity tells whether no exchange can have a source identity. A rule may set one.
func (t *Target) neverHasSourceIdentity(c *Config) bool {
	_, mapped := t.Mappings[AttributeSourceIdentity]
	return t.SourceIdentity == "" && !mapped && len(c.Rules) == 0
}

// link is a role of a decision's chain.
type link struct {
	role       arn.ARN
	externalID string // empty: none
}

// setChain takes over the target's chain, and checks what the chain requires of the decision. The
// session at its end is the user's, so all tags are transitive unless some were chosen: AWS passes
// no others on (IAM User Guide, "Chaining roles with session tags"). sourceIdentity is what
// target, rules and mappings have set: an actor that is shown there is not the user.
func (d *decision) setChain(target *Target, a *AWS, sourceIdentity string) error {
	if len(target.Chain) == 0 {
		return nil
	}
	d.chain = make([]link, len(target.Chain))
	for i, next := range target.Chain {
		role, err := iam.Role.Parse(next.RoleARN) // New and target.compile have checked it
		if err != nil {
			return newError(CodeChainInvalid, "role %d of the chain: %w", i+1, err)
		}
		if role.Partition != d.role.Partition {
			return newError(CodeChainInvalid,
				"role %d of the chain, %s, is in the partition %s, and the role %s in %s",
				i+1, role, role.Partition, d.role, d.role.Partition).
				overTexts(append(a.pairs(), a.Role)...)
		}
		d.chain[i] = link{role: role, externalID: next.ExternalID}
	}
	if d.duration > maxChainedSession {
		return newError(CodeChainDuration, "the session duration is %s", d.duration).
			over(d.duration.String(), d.duration.Seconds())
	}
	// ${saml:sub} is known in the sessions of the first role alone. The source identity stays.
	if sourceIdentity == "" {
		return newError(CodeChainSourceIdentity,
			"the target has a chain, and neither the target nor a rule has set a source identity")
	}
	if len(d.transitive) == 0 {
		d.transitive = d.tagKeys(nil)
	}
	return nil
}

// lastRole is the role whose credentials are handed out.
func (d *decision) lastRole() arn.ARN {
	if len(d.chain) == 0 {
		return d.role
	}
	return d.chain[len(d.chain)-1].role
}

// firstSession is what AssumeRoleWithSAML is asked for: the decision itself or, with a chain, a
// session that only assumes the next role. It is the shortest that there is. Session policies are
// for the last role: they would have to allow sts:AssumeRole here.
func (d *decision) firstSession() *decision {
	if len(d.chain) == 0 {
		return d
	}
	first := *d
	first.chain = nil
	first.duration = minSession
	first.policy = ""
	first.policyARNs = nil
	return &first
}

// upTo is the decision as if the chain ended at the link.
func (d *decision) upTo(i int) *decision {
	shorter := *d
	shorter.chain = d.chain[:i+1]
	return &shorter
}

// chainedRoles are the ARNs of the chain; nil without one.
func (d *decision) chainedRoles() []string {
	var list []string
	for _, next := range d.chain {
		list = append(list, next.role.String())
	}
	return list
}

// checkChainEnd refuses a session that would have to be shorter than AWS's minimum. AWS applies
// SessionNotOnOrAfter only to the session of the first role, so the last session is limited by
// its duration instead.
func (d *decision) checkChainEnd(now time.Time, callTime time.Duration) error {
	if len(d.chain) == 0 || d.sessionNotOnOrAfter.IsZero() {
		return nil
	}
	if d.chainedDuration(now, callTime) < minSession {
		return newError(CodeChainTokenEnds,
			"the session may not outlive the ID token, which ends at %s, and AWS's "+
				"shortest session is %s",
			d.sessionNotOnOrAfter.UTC().Format(time.RFC3339), minSession)
	}
	return nil
}

// chainedDuration is how long the session of the last role may be, if the call for it takes no
// longer than callTime.
func (d *decision) chainedDuration(now time.Time, callTime time.Duration) time.Duration {
	if d.sessionNotOnOrAfter.IsZero() {
		return d.duration
	}
	left := d.sessionNotOnOrAfter.Sub(now) - callTime
	return min(d.duration, left.Truncate(time.Second))
}

// follow assumes the roles of the chain, each with the credentials of the one before, and returns
// the last one's. All others are forgotten.
func (c *call) follow(ctx context.Context, first *Credentials) (*Credentials, error) {
	noted := c.event.note()
	noted.HopRequestIDs = []string{first.RequestID}
	current := first
	for i := range c.decision.chain {
		next, err := c.inRegions(func(region Region) (*Credentials, error) {
			return c.timed(ctx, region, i+2, func() (*Credentials, error) {
				return c.assumeIn(ctx, region, i, current)
			})
		})
		if err != nil {
			return nil, c.atHop(err, i+2)
		}
		noted.HopRequestIDs = append(noted.HopRequestIDs, next.RequestID)
		current = next
	}
	return current, nil
}

// assumeIn assumes a role of the chain in a region, within Config.STSTimeout.
func (c *call) assumeIn(
	ctx context.Context, region Region, i int, with *Credentials,
) (*Credentials, error) {
	c.event.Region = region.String()
	if err := c.decision.checkChainEnd(c.config.Now(), c.config.STSTimeout); err != nil {
		return nil, err
	}
	input := c.assumeInput(i)
	limited, cancel := context.WithTimeout(ctx, c.config.STSTimeout)
	defer cancel()
	chaining := c.config.STS.(ChainingSTS) // New and target.compile have checked it
	out, err := chaining.AssumeRole(limited, input, c.stsOptions(region), signedWith(with))
	if err != nil && ctx.Err() != nil {
		return nil, canceledAt(StageSTS, ctx.Err())
	}
	if err != nil {
		host, _ := region.STSHost(c.config.FIPS, c.config.DualStack)
		failure := session.ChainErrorOf(err, limited.Err() != nil)
		return nil, c.remedied(errorOf(failure, c.config.calledHost(err, host)), i)
	}
	return c.chained(out, region, i, with)
}

// signedWith has a call signed with the credentials, whatever the client has.
func signedWith(with *Credentials) func(*sts.Options) {
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     with.AccessKeyID,
			SecretAccessKey: with.SecretAccessKey.Reveal(),
			SessionToken:    with.SessionToken.Reveal(),
		}, nil
	})
	return func(o *sts.Options) { o.Credentials = provider }
}

// assumeInput is what AWS is asked for at a link. Tags are not sent: those of the session before
// that are transitive are inherited, and AWS refuses to have them set twice. The source identity is
// inherited too; sent once more, it must be the same.
func (c *call) assumeInput(i int) *sts.AssumeRoleInput {
	d := c.decision
	input := &sts.AssumeRoleInput{
		RoleArn:         aws.String(d.chain[i].role.String()),
		RoleSessionName: aws.String(d.sessionName),
		SourceIdentity:  aws.String(d.sourceIdentity),
		DurationSeconds: aws.Int32(int32(minSession / time.Second)),
	}
	if id := d.chain[i].externalID; id != "" {
		input.ExternalId = aws.String(id)
	}
	if i < len(d.chain)-1 {
		return input
	}
	duration := d.chainedDuration(c.config.Now(), c.config.STSTimeout)
	input.DurationSeconds = aws.Int32(int32(duration / time.Second))
	if d.policy != "" {
		input.Policy = aws.String(d.policy)
	}
	for _, p := range d.policyARNs {
		input.PolicyArns = append(input.PolicyArns, types.PolicyDescriptorType{Arn: aws.String(p)})
	}
	return input
}

// chained checks a 200 answer completely, as [call.credentials] does. What AWS read in the
// assertion is copied from the previous role's credentials.
func (c *call) chained(
	out *sts.AssumeRoleOutput, region Region, i int, before *Credentials,
) (*Credentials, error) {
	if out == nil {
		return nil, incompleteAnswer("", "the answer is empty")
	}
	requestID, _ := middleware.GetRequestIDMetadata(out.ResultMetadata)
	if what := missingOf(out.Credentials, out.AssumedRoleUser, c.config.Now()); what != "" {
		return nil, incompleteAnswer(requestID, what)
	}
	decided := c.decision.upTo(i)
	credentials := *before
	credentials.take(out.Credentials, out.AssumedRoleUser)
	credentials.SourceIdentity = aws.ToString(out.SourceIdentity)
	//lint:ignore SA1019 SessionTokenUtilization is about the whole token; STS's limit is on this
	credentials.PackedPolicySize = int(aws.ToInt32(out.PackedPolicySize))
	credentials.SessionTokenUtilization = int(aws.ToInt32(out.SessionTokenUtilization))
	credentials.Region = region.String()
	credentials.AccountID = decided.lastRole().AccountID
	credentials.RequestID = requestID
	entityID := c.identity(c.target).EntityID
	difference := decided.difference(&credentials, entityID, c.config.UnsafeSTSEmulator)
	if difference != "" {
		return nil, mismatch(requestID, difference)
	}
	return &credentials, nil
}

// atHop says in an error of a chain at which call it ended: 1 is AssumeRoleWithSAML. Without a
// chain the error stays as it is.
func (c *call) atHop(err error, hop int) error {
	if len(c.decision.chain) == 0 {
		return err
	}
	failure := *failureOf(err)
	role := c.decision.role
	if hop > 1 {
		role = c.decision.chain[hop-2].role
	}
	failure.Hop = hop
	failure.HopRole = role.String()
	failure.Err = fmt.Errorf("role %d of %d in the chain, %s: %w",
		hop, len(c.decision.chain)+1, role, failure.Err)
	return &failure
}

// remedied sets the remedy that AWS's message leads to, if AWS refused a link of the chain. AWS
// does not say which of the two roles' policies refused it, and both must allow the call (IAM User
// Guide, "Cross-account policy evaluation logic").
func (c *call) remedied(e *Error, i int) *Error {
	if e.Code != CodeSTSChainDenied {
		return e
	}
	before := c.decision.role
	if i > 0 {
		before = c.decision.chain[i-1].role
	}
	action := "sts:AssumeRole"
	for _, other := range []string{"sts:TagSession", "sts:SetSourceIdentity"} {
		if strings.Contains(e.Err.Error(), other) {
			action = other
		}
	}
	next := c.decision.chain[i]
	e.Remedy = fmt.Sprintf("allow %s in two places: in a permission policy of the role %s, for "+
		"the resource %s, and in the trust policy of that resource, for the principal %s",
		action, before, next.role, before)
	if action == "sts:AssumeRole" {
		e.Remedy += "; check that the role exists and that the conditions of its trust policy " +
			"hold, sts:ExternalId among them"
	}
	return e
}

// hops are the roles that a chain goes through, the first one included.
func (e *Explanation) hops() []string {
	list := []string{e.Role}
	for _, next := range e.Chain {
		list = append(list, next.RoleARN)
	}
	return list
}

// ChainTrustPolicies returns the trust policies that the roles of Chain need, as JSON, in order.
// Each lets the previous role assume the role, with a source identity and, if Actions has
// sts:TagSession, with transitive session tags. It reads only Role, Chain, Actions and TagKeys, so
// you can set these by hand before there is a token. Without a Chain the result is empty.
//
// An invalid role ARN, and a policy variable in an external ID or a tag key, are errors with
// [CodeConfigInvalid].
func (e *Explanation) ChainTrustPolicies() ([]string, error) {
	return e.chainPolicies(func(before string, i int) (string, error) {
		next := e.Chain[i]
		return iam.ChainTrustPolicy(iam.ChainTrust{
			Before:     before,
			ExternalID: next.ExternalID,
			Tags:       e.hasTags(),
			TagKeys:    e.TagKeys,
		})
	})
}

// ChainPermissionPolicies returns the permission policies with which each role assumes the next
// one, as JSON, in order: for Role and for all roles of Chain except the last. Its inputs and
// errors are those of [Explanation.ChainTrustPolicies].
func (e *Explanation) ChainPermissionPolicies() ([]string, error) {
	return e.chainPolicies(func(_ string, i int) (string, error) {
		return iam.ChainPermissionPolicy(e.Chain[i].RoleARN, e.hasTags())
	})
}

func (e *Explanation) hasTags() bool { return slices.Contains(e.Actions, "sts:TagSession") }

// chainPolicies writes a policy for each link, which gets the role before it.
func (e *Explanation) chainPolicies(
	write func(before string, i int) (string, error),
) ([]string, error) {
	if e == nil || len(e.Chain) == 0 {
		return nil, nil
	}
	var problems []error
	for _, role := range e.hops() {
		if _, err := iam.Role.Parse(role); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, newError(CodeConfigInvalid, "the policies of a chain: %w", err)
	}
	var list []string
	for i, before := range e.hops()[:len(e.Chain)] {
		policy, err := write(before, i)
		if err != nil {
			return nil, newError(CodeConfigInvalid, "the policies of a chain: %w", err)
		}
		list = append(list, policy)
	}
	return list, nil
}
