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

// Explanation is what an exchange would do, and why. What was not reached is empty. It holds no token, assertion or key, but what is
// said of the user: it is for the operator.
type Explanation struct {
	Issuer, Subject, ClientID   string              // of the verified token
	Target                      string              // what was asked for, cut to 256 characters
	RequiredClaims              []ClaimCheck        // of issuer and target, and what the token says
	Rules                       []RuleStep          // those that ran, in order
	Principal, Role             string              // ARNs
	Regions                     []string            // where STS would be called, in this order
	EntityID, Recipient         string              // SAML:iss and SAML:aud in trust policies
	Audience                    string              // of the AudienceRestriction, which policies do not see
	NameID                      string              // ${saml:sub} in policies
	SessionName, SourceIdentity string              // as in CloudTrail
	Duration                    time.Duration       // of the session, as asked for
	SessionEnd                  time.Time           // when the session ends at the latest, if Config.CapSessionToToken is set
	Policy                      string              // the inline session policy
	PolicyARNs                  []string            // managed session policies
	Attributes                  map[string][]string // all SAML attributes, by name
	Actions                     []string            // what the role's trust policy must allow, see TrustPolicy
	Warnings                    []string            // what is allowed and may surprise
}

// RuleStep is a rule that ran.
type RuleStep struct {
	Name    string   // as events and errors name it
	Changed []string // fields of AWS, such as Role, and top-level properties of the user, such as user.groups
	AWS     AWS      // as the rule left it
	Err     error    // its refusal or failure; nil: the next one ran
}

// Explain decides as [Delegator.Exchange] does, on the same path. Nothing is signed, sent to AWS or reported as an [Event]; issuer, target source,
// profile loader and rules are asked as always. What Exchange would refuse before AWS is called, Explain refuses with the same code, but for what
// only a signer can do. The Explanation is never nil: beside an error it holds what was known until then.
func (d *Delegator) Explain(ctx context.Context, idToken, target string, options ...ExchangeOption) (*Explanation, error) {
	e := &Explanation{Target: fmt.Sprintf("%.256s", target)}
	if ctx == nil || d == nil || d.config.Targets == nil {
		return e, newError(CodeArgumentInvalid, "the context is nil, or the Delegator was not made by New")
	}
	x := d.begin(target, options)
	for i, rule := range x.rules {
		x.rules[i] = e.watch(rule)
	}
	err := x.identify(ctx, idToken)
	if err == nil {
		err = x.decide(ctx)
	}
	if n := len(e.Rules); n > 0 && errors.Is(err, StageRules) {
		e.Rules[n-1].Err = err
	}
	e.RequiredClaims = x.claimed
	if x.target != nil {
		if text := d.config.strangersAt(x.claims.Issuer, x.name, x.target); text != "" {
			e.Warnings = append(e.Warnings, text)
		}
	}
	e.Issuer, e.Subject, e.ClientID = x.event.Issuer, x.event.Subject, x.event.ClientID
	if x.decision == nil {
		return e, err
	}
	p := x.identity(x.target)
	e.describe(x.decision, p.EntityID)
	if err != nil {
		return e, err
	}
	// The response is built, with a blank for its signature, because its texts and its size are part of what is refused.
	certificate := p.Keys[0].Certificate
	p.Keys = []SigningKey{{samldoc.BlankSigner{Key: certificate.PublicKey}, certificate}}
	response, err := p.respond(ctx, x.decision, x.began, rand.Reader, nil)
	if err != nil {
		return e, x.blame(err)
	}
	e.Warnings = append(e.Warnings, (&explain.Session{
		Now: x.began, TokenEnd: x.claims.Expiry, Capped: d.config.CapSessionToToken, Duration: e.Duration, Subject: e.Subject, NameID: e.NameID,
		// What Safe has changed it changes again, and what AWS takes as it is stays.
		MadeSafe: !d.config.StrictSessionNames && session.SafeName(e.SessionName) != e.SessionName, Attributes: e.Attributes, TagPrefix: AttributePrincipalTag,
		Policy: e.Policy, PolicyARNs: e.PolicyARNs, Response: len(response.encoded.Reveal()), Certificate: certificate,
	}).Warnings()...)
	return e, nil
}

// watch wraps a rule so that it runs as always, under its own name, and leaves a RuleStep, also when it panics.
func (e *Explanation) watch(rule RuleFunc) RuleFunc {
	return func(ctx context.Context, user *User, rc *RuleContext) error {
		rc.Rule = ruleName(rule)
		before, properties := (&Target{AWS: rc.AWS}).clone().AWS, jsonvalue.Clone(user.Properties).(map[string]any)
		defer func() {
			step := RuleStep{Name: rc.Rule, AWS: (&Target{AWS: rc.AWS}).clone().AWS}
			step.Changed = explain.ChangedFields(before, step.AWS)
			for _, name := range explain.ChangedKeys(properties, user.Properties) {
				step.Changed = append(step.Changed, "user."+name)
			}
			e.Rules = append(e.Rules, step)
		}()
		return rule(ctx, user, rc)
	}
}

func (e *Explanation) describe(d *decision, entityID string) {
	e.Principal, e.Role = d.principal.String(), d.role.String()
	for _, region := range d.regions {
		e.Regions = append(e.Regions, region.String())
	}
	e.EntityID, e.Recipient, e.Audience, e.NameID = entityID, d.recipient, d.audience, d.nameID
	e.SessionName, e.SourceIdentity, e.Duration, e.SessionEnd = d.sessionName, d.sourceIdentity, d.duration, d.sessionNotOnOrAfter
	e.Policy, e.PolicyARNs, e.Attributes = d.policy, d.policyARNs, map[string][]string{}
	for _, a := range d.attributes() {
		e.Attributes[a.Name] = slices.Clone(a.Values)
	}
	e.Actions = iam.TrustActions(len(d.tags) > 0, d.sourceIdentity != "")
}

// TrustPolicy returns the trust policy that the role needs, as JSON: Principal may do Actions (none: sts:AssumeRoleWithSAML), where SAML:aud is
// Recipient and, unless EntityID is empty, SAML:iss is EntityID. It reads nothing else, so these can also be written down before there is a token.
// Without principal or recipient, or with a policy variable in a condition, it is an error with [CodeConfigInvalid].
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

// PermissionPolicy returns a policy for the role, as JSON, that confines each user to the folder ${saml:sub} of an S3 bucket in the region's
// partition. The zero Region, and a name that no bucket can have, are errors with [CodeConfigInvalid].
func PermissionPolicy(region Region, bucket string) (string, error) {
	policy, err := iam.FolderPolicy(region.Partition(), bucket)
	if err != nil {
		return "", newError(CodeConfigInvalid, "the permission policy: %w", err)
	}
	return policy, nil
}
