package delegation

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed055b7978/delegation/internal/explain"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
	"github.com/seed055b7978/delegation/internal/samldoc"
	"github.com/seed055b7978/delegation/internal/session"
)

// Explanation says what an exchange would do, and why. Fields that were not reached are empty. It
// contains no token, assertion or key, but personal data of the user: it is for the operator.
type Explanation struct {
	// Issuer is the iss of the verified token.
	Issuer string
	// Subject is its sub, or the uid of an access token of Okta.
	Subject string
	// ClientID is the application that the token was issued to.
	ClientID string
	// TokenKind is the kind of the verified token.
	TokenKind TokenKind
	// TokenScopes are the scopes of a verified access token.
	TokenScopes []string
	// Actor is the actor who acts for the user, if the target allows it. nil: there is none.
	Actor *Actor
	// PriorActors are earlier actors, the latest first; see [Event.PriorActors].
	PriorActors []string
	// Target is the requested target, cut to 256 characters.
	Target string
	// RequiredClaims are the required claims of the issuer and the target, compared with the token.
	RequiredClaims []ClaimCheck
	// Profile are the names of the user properties that the profile loader added.
	Profile []string
	// Rules are those that ran, in order.
	Rules []RuleStep

	// Principal is the ARN of the SAML provider.
	Principal string
	// Role is the ARN of the role, or of the first one if there is a Chain.
	Role string
	// Chain are the roles that are assumed after Role, in order. Credentials, Duration, Policy and
	// PolicyARNs are those of the last one.
	Chain []ChainedRole
	// TagKeys are the keys of the session tags that reach the last role of Chain. The policies of
	// [Explanation.ChainTrustPolicies] allow no others. Empty: they allow all.
	TagKeys []string
	// Regions are where STS would be called, in this order.
	Regions []string
	// EntityID is SAML:iss in trust policies.
	EntityID string
	// Recipient is SAML:aud in trust policies.
	Recipient string
	// Audience is the AudienceRestriction, which policies cannot read.
	Audience string
	// NameID is ${saml:sub} in policies.
	NameID string
	// NameIDEncoding is the target's encoding of NameID. Empty: NameID is not encoded.
	NameIDEncoding NameIDEncoding
	// SessionName is the session's name, as in CloudTrail.
	SessionName string
	// SourceIdentity is the session's source identity, as in CloudTrail.
	SourceIdentity string
	// Duration is the requested duration of the session.
	Duration time.Duration
	// SessionEnd is the latest end of the session, if Config.CapSessionToToken is set.
	SessionEnd time.Time
	// Policy is the inline session policy.
	Policy string
	// PolicyARNs are the managed session policies.
	PolicyARNs []string
	// Scopes are the names of the requested scopes.
	Scopes []string
	// Narrowing says how each [WithScope] and [WithSessionPolicy] changed the decided Policy and
	// PolicyARNs, in order. Empty: there was none.
	Narrowing []Narrowing
	// PackedPolicySize estimates the share of AWS's space that policies and tags use, in percent.
	// Above 100, AWS is expected to refuse. docs/packed-size.md describes its accuracy.
	PackedPolicySize int
	// Attributes are all SAML attributes, by name.
	Attributes map[string][]string
	// Actions are the actions that the role's trust policy must allow; see TrustPolicy.
	Actions []string
	// Warnings describe decisions that are allowed but may be unexpected.
	Warnings []string
}

// RuleStep is a rule that ran.
type RuleStep struct {
	// Name is the rule's, as in events and errors.
	Name string
	// Changed are fields of AWS, such as Role, and top-level properties of the user, such as
	// user.groups.
	Changed []string
	// AWS is what the rule left.
	AWS AWS
	// Err is the rule's refusal or failure. nil: the next rule ran.
	Err error
}

// Explain decides as [Delegator.Exchange] does, with the same code. It calls the issuer, the target
// source, the profile loader and the rules as usual. Nothing is signed, sent to AWS or reported as
// an [Event].
//
// Explain refuses what Exchange would refuse before it calls AWS, with the same code. It cannot
// foresee errors of a signer or a [ReplayStore]. The Explanation is never nil: with an error, it
// holds what was known by then.
func (d *Delegator) Explain(
	ctx context.Context, idToken, target string, options ...ExchangeOption,
) (*Explanation, error) {
	e := &Explanation{Target: fmt.Sprintf("%.256s", target)}
	if ctx == nil || d == nil || d.config.Targets == nil {
		return e, newError(CodeArgumentInvalid,
			"the context is nil, or the Delegator was not made by New")
	}
	x := d.begin(target, options)
	rules := x.rules
	x.rules = slices.Clone(rules)
	for i, rule := range x.rules {
		x.rules[i] = namedRule{run: e.watch(rule), name: rule.name}
	}
	err := x.identify(ctx, idToken)
	if err == nil {
		err = x.chooseRole()
	}
	if err == nil {
		err = x.requireLiveSession(ctx)
	}
	if err == nil {
		err = x.decide(ctx)
	}
	e.addNeeds(x, rules)
	e.describeUser(x, err)
	if x.decision == nil {
		return e, err
	}
	e.describe(x.decision, x.identity(x.target).EntityID)
	e.NameIDEncoding = x.target.NameIDEncoding
	if err != nil {
		return e, err
	}
	return e, e.foresee(ctx, x)
}

// addNeeds says what those of the rules lack that did not run.
func (e *Explanation) addNeeds(x *exchange, rules []namedRule) {
	if x.target == nil {
		return
	}
	for _, rule := range rules[len(e.Rules):] {
		texts := lacked(rule.run, x.target.idFor(x.targetName), nil)
		e.Warnings = append(e.Warnings, texts...)
	}
}

// describeUser says who asked for what, and what the rules made of it.
func (e *Explanation) describeUser(x *exchange, err error) {
	if n := len(e.Rules); n > 0 && errors.Is(err, StageRules) {
		e.Rules[n-1].Err = err
	}
	e.Issuer = x.event.Issuer
	e.Subject = x.event.Subject
	e.ClientID = x.event.ClientID
	if x.claims != nil {
		e.TokenKind = TokenKind(x.claims.Kind)
		e.TokenScopes = slices.Clone(x.claims.Scopes)
	}
	noted := x.event.noted()
	e.PriorActors = noted.PriorActors
	if x.actor != nil {
		e.Actor = x.actor.clone()
	}
	e.Scopes = slices.Clone(x.options.asked().scopes)
	e.Narrowing = slices.Clone(noted.Narrowing)
	e.RequiredClaims = x.claimChecks
	e.Profile = slices.Sorted(slices.Values(x.profile))
	if x.left != nil {
		for _, w := range x.left.warnings {
			e.Warnings = append(e.Warnings, w.text)
		}
	}
	if x.target == nil {
		return
	}
	if text := x.config.strangersAt(x.claims, x.targetName, x.target); text != "" {
		e.Warnings = append(e.Warnings, text)
	}
}

// rehearse builds the response with a blank for its signature, because its texts and its size are
// part of what is refused. It returns the response's length.
func (x *exchange) rehearse(ctx context.Context) (int, error) {
	identity := x.identity(x.target)
	certificate := identity.Keys[0].Certificate
	identity.Keys = []SigningKey{{
		Signer:      samldoc.BlankSigner{Key: certificate.PublicKey},
		Certificate: certificate,
	}}
	response, err := identity.respond(ctx, x.decision.firstSession(), x.began, rand.Reader, nil)
	if err != nil {
		return 0, x.withoutSecrets(x.blame(err))
	}
	if err := x.decision.checkChainEnd(x.began, x.config.STSTimeout); err != nil {
		return 0, err
	}
	return len(response.encoded.Reveal()), nil
}

// foresee builds the response, and looks for what may surprise.
func (e *Explanation) foresee(ctx context.Context, x *exchange) error {
	length, err := x.rehearse(ctx)
	if err != nil {
		return err
	}
	// SafeName changes its own results once more, and keeps other names that AWS accepts. So a
	// change here shows that the name is not the original one.
	unsafeName := session.SafeName(e.SessionName) != e.SessionName
	subject, _ := e.NameIDEncoding.Encode(e.Subject) // if it has none, the NameID is another one
	plan := &explain.Plan{
		Now:          x.began,
		TokenEnd:     x.claims.Expiry,
		Capped:       x.config.CapSessionToToken,
		Duration:     e.Duration,
		Subject:      subject,
		NameID:       e.NameID,
		NamesNothing: x.target.SubjectNamesNothing,
		Chained:      len(e.Chain) > 0,
		MadeSafe:     !x.config.StrictSessionNames && unsafeName,
		Attributes:   e.Attributes,
		TagPrefix:    AttributePrincipalTag,
		Policy:       e.Policy,
		PolicyARNs:   e.PolicyARNs,
		Packed:       e.PackedPolicySize,
		Response:     length,
		MaxResponse:  samldoc.MaxResponse,
		Certificate:  x.identity(x.target).Keys[0].Certificate,
	}
	e.Warnings = append(e.Warnings, plan.Warnings()...)
	return nil
}

// watch wraps a rule. The rule runs as always, and the Explanation gets its RuleStep, also when it
// panics, and a warning for each need that is not met.
//
// A rule that was abandoned while it runs may still change the RuleContext and the user. Its step
// has only the name.
func (e *Explanation) watch(rule namedRule) RuleFunc {
	return func(ctx context.Context, user *User, rc *RuleContext) error {
		e.Warnings = append(e.Warnings, lacked(rule.run, rc.Target, user)...)
		before := rc.AWS.clone()
		properties := jsonvalue.Clone(user.Properties).(map[string]any)
		defer func() {
			if rc.wasAbandoned() {
				e.Rules = append(e.Rules, RuleStep{Name: rule.name})
				return
			}
			step := RuleStep{Name: rc.Rule, AWS: rc.AWS.clone()}
			step.Changed = explain.ChangedFields(before, step.AWS)
			for _, name := range explain.ChangedKeys(properties, user.Properties) {
				step.Changed = append(step.Changed, "user."+name)
			}
			e.Rules = append(e.Rules, step)
		}()
		return rule.call(ctx, user, rc)
	}
}

// describe says what was decided.
func (e *Explanation) describe(d *decision, entityID string) {
	e.Principal = d.principal.String()
	e.Role = d.role.String()
	for _, next := range d.chain {
		e.Chain = append(e.Chain, ChainedRole{
			RoleARN:    next.role.String(),
			ExternalID: next.externalID,
		})
	}
	if len(d.chain) > 0 {
		e.TagKeys = slices.Clone(d.transitive)
	}
	for _, region := range d.regions {
		e.Regions = append(e.Regions, region.String())
	}
	e.EntityID = entityID
	e.Recipient = d.recipient
	e.Audience = d.audience
	e.NameID = d.nameID
	e.SessionName = d.sessionName
	e.SourceIdentity = d.sourceIdentity
	e.Duration = d.duration
	e.SessionEnd = d.sessionNotOnOrAfter
	e.Policy = d.policy
	e.PolicyARNs = d.policyARNs
	e.PackedPolicySize = d.packedPercent()
	e.Attributes = map[string][]string{}
	for _, a := range d.firstSession().attributes() {
		e.Attributes[a.Name] = slices.Clone(a.Values)
	}
	e.Actions = iam.TrustActions(len(d.tags) > 0, d.sourceIdentity != "")
}

// TrustPolicy returns the trust policy that the role needs, as JSON. It allows Principal the
// Actions (by default sts:AssumeRoleWithSAML) if SAML:aud is Recipient, SAML:sub_type is persistent
// and, unless EntityID is empty, SAML:iss is EntityID. It reads no other fields, so you can set
// these by hand before there is a token.
//
// A missing Principal or Recipient, and a policy variable in a condition, are errors with
// [CodeConfigInvalid].
func (e *Explanation) TrustPolicy() (string, error) {
	if e == nil {
		e = &Explanation{}
	}
	_, err := iam.Provider.Parse(e.Principal)
	policy, problem := iam.TrustPolicy(e.Principal, e.Actions, e.Recipient, e.EntityID)
	if err = cmp.Or(err, problem); err != nil {
		return "", newError(CodeConfigInvalid, "the trust policy: %w", err)
	}
	return policy, nil
}

// PermissionPolicy returns a policy for the role, as JSON, that confines each user to the folder
// ${saml:sub} of an S3 bucket in the region's partition. The zero Region, and a name that no
// bucket can have, are errors with [CodeConfigInvalid].
func PermissionPolicy(region Region, bucket string) (string, error) {
	policy, err := iam.FolderPolicy(region.Partition(), bucket)
	if err != nil {
		return "", newError(CodeConfigInvalid, "the permission policy: %w", err)
	}
	return policy, nil
}
