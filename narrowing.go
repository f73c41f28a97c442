package delegation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/narrow"
	"github.com/seed055b7978/delegation/internal/session"
)

// WithScope narrows the session to prepared policies of the target, by their names in
// [Target.Scopes]. With several names, the session may do what any of these policies allows and
// none denies, as with OAuth scopes. A name that the target does not have is refused with
// [CodeScopeUnknown]. Without names the option has no effect.
//
// The session may do only what both the decision and the scope allow. If the target and the rules
// set no session policy, the scope becomes the session policy. Otherwise the two are combined. AWS
// cannot do this itself: session policies form one set in which any Allow applies, so a second one
// would allow more. Therefore one of the two policies gets Deny statements for everything that the
// other does not allow. For this, one of them must be an inline policy. Its Allow statements must
// have no Condition, and it must use no policy variables except ${saml:sub} and
// ${aws:PrincipalTag/KEY} of the session's own tags. What cannot be combined exactly, or becomes
// too long for AWS, is refused with [CodeScopeNotCombinable]; see [Scope.Combined].
//
// Several options narrow one after the other. Rules read all names in Request.Scopes and can
// refuse. Otherwise they decide as without the option, and their decision is then narrowed.
func WithScope(names ...string) ExchangeOption {
	names = slices.Clone(names)
	return func(o *exchangeOptions) {
		if len(names) > 0 {
			asked := o.ask()
			asked.narrowings = append(asked.narrowings, narrowing{scopes: names})
		}
	}
}

// WithSessionPolicy narrows the session to a policy of the caller: an inline document in JSON, ARNs
// of managed policies of AWS or of the role's account, or both. It can only narrow, in the same way
// as [WithScope], so the document may come from an untrusted caller. An invalid session policy, or
// an empty one without ARNs, is refused with [CodeRequestedPolicyInvalid]. A policy that cannot be
// combined with the decided policies is refused with [CodeRequestedPolicyNotCombinable].
func WithSessionPolicy(document string, arns ...string) ExchangeOption {
	given := narrow.Set{Document: document, ARNs: slices.Clone(arns)}
	return func(o *exchangeOptions) {
		asked := o.ask()
		asked.narrowings = append(asked.narrowings, narrowing{given: &given})
	}
}

// narrowing is what one option asks for: names of scopes, or policies that the caller gives.
type narrowing struct {
	scopes []string
	given  *narrow.Set
}

// adoptScopes makes one list of the names in Request.Scopes and those of WithScope. Either way of
// asking narrows: a service that sets the one and not the other gets no wider session.
func (o *exchangeOptions) adoptScopes() {
	if o.given != nil && len(o.given.Scopes) > 0 {
		names := o.given.Scopes
		same := func(n narrowing) bool { return slices.Equal(n.scopes, names) }
		if !slices.ContainsFunc(o.asked().narrowings, same) {
			WithScope(names...)(o)
		}
	}
	if o.few == nil {
		return
	}
	for _, n := range o.few.narrowings {
		o.few.scopes = append(o.few.scopes, n.scopes...)
	}
}

// Narrowing is how a session was narrowed, in Event.Narrowing and Explanation.Narrowing.
type Narrowing string

// How a session was narrowed.
const (
	// NarrowedAlone: the decision had no session policy, and the requested policy became the
	// session policy.
	NarrowedAlone Narrowing = "alone"
	// NarrowedCombined: a [Scope] with Combined took the place of the target's own policies.
	NarrowedCombined Narrowing = "combined"
	// NarrowedDecision: the decided policies got Deny statements for everything that was not
	// requested.
	NarrowedDecision Narrowing = "decision_with_denials"
	// NarrowedRequest: the requested policy got Deny statements for everything that the decision
	// does not allow.
	NarrowedRequest Narrowing = "request_with_denials"
	// NarrowedSame: the requested policy is the decided policy.
	NarrowedSame Narrowing = "same"
)

// The limits of what an Event repeats of a request.
const maxEventScopes = 20

// describe writes into the event what was asked for.
func (o *askedFor) describe(to *fewNotes) {
	for _, name := range o.scopes[:min(len(o.scopes), maxEventScopes)] {
		to.Scopes = append(to.Scopes, printable(name, maxScopeName))
	}
	for _, n := range o.narrowings {
		if n.given != nil && n.given.Document != "" {
			to.RequestedPolicySHA256 = append(to.RequestedPolicySHA256,
				hexSHA256(n.given.Document))
		}
	}
}

func narrowingTexts(list []Narrowing) (texts []string) {
	for _, how := range list {
		texts = append(texts, string(how))
	}
	return texts
}

// narrow narrows the exchange's decision to all that was asked for, and notes how.
func (x *exchange) narrow(d *decision) error {
	asked := x.options.asked().narrowings
	if len(asked) == 0 {
		return nil
	}
	steps, err := d.narrow(asked, x.target)
	x.event.note().Narrowing = steps
	return err
}

// narrow narrows the decision to all that was asked for, and returns how. Each step leaves a
// session that can do no more than before it.
func (d *decision) narrow(asked []narrowing, target *Target) (steps []Narrowing, err error) {
	for _, n := range asked {
		how, err := d.narrowTo(n, target)
		if err != nil {
			return nil, err
		}
		steps = append(steps, how)
	}
	return steps, nil
}

// narrowTo takes one step.
func (d *decision) narrowTo(n narrowing, target *Target) (Narrowing, error) {
	asked, combined, err := n.resolve(target)
	if err != nil {
		return "", err
	}
	own := narrow.Set{Document: d.policy, ARNs: d.policyARNs}
	unchanged := d.policy == target.Policy && slices.Equal(d.policyARNs, target.PolicyARNs)
	switch {
	case own.IsNone():
		return NarrowedAlone, d.take(asked, n.invalid())
	case narrow.Same(own, asked):
		return NarrowedSame, nil
	case combined && unchanged:
		return NarrowedCombined, d.take(asked, n.invalid())
	}
	both, err := narrow.Intersect(own, asked, d.known)
	if err != nil {
		return "", newError(n.notCombinable(), "%w", err)
	}
	for _, set := range both {
		if err = d.take(set.Set, n.notCombinable()); err != nil {
			continue // the other one may be short enough
		}
		if set.OfAsked {
			return NarrowedRequest, nil
		}
		return NarrowedDecision, nil
	}
	return "", err
}

// resolve returns the policies that are asked for. combined says that the operator has combined
// them with the target's own.
func (n narrowing) resolve(target *Target) (asked narrow.Set, combined bool, err error) {
	if n.given != nil {
		if err := checkGiven(*n.given); err != nil {
			return narrow.Set{}, false, newError(n.invalid(), "%w", err)
		}
		return *n.given, false, nil
	}
	scopes, err := target.scopesNamed(n.scopes)
	if err != nil {
		return narrow.Set{}, false, err
	}
	asked, combined, err = union(scopes)
	if err != nil {
		return narrow.Set{}, false, newError(n.invalid(), "the scopes %.300q: %w", n.scopes, err)
	}
	return asked, combined, nil
}

// checkGiven checks what a caller gives by itself.
func checkGiven(given narrow.Set) error {
	if given.IsNone() {
		return errors.New("the requested session policy is empty")
	}
	err := session.CheckPolicyTexts(given.Document, given.ARNs)
	if err == nil && given.Document != "" {
		_, err = narrow.Parse(given.Document)
	}
	if err != nil {
		return fmt.Errorf("the requested session policy: %w", err)
	}
	return nil
}

// invalid is the code for policies that are wrong whatever the decision is. Those of scopes are
// written by the operator.
func (n narrowing) invalid() Code {
	if n.given != nil {
		return CodeRequestedPolicyInvalid
	}
	return CodeScopeNotCombinable
}

// notCombinable is the code of what is wrong with them next to the decision's.
func (n narrowing) notCombinable() Code {
	if n.given != nil {
		return CodeRequestedPolicyNotCombinable
	}
	return CodeScopeNotCombinable
}

// take makes the policies the decision's own, if AWS takes them. Otherwise it is an error with the
// code.
func (d *decision) take(set narrow.Set, code Code) error {
	if err := session.CheckPolicies(set.Document, set.ARNs, d.lastRole()); err != nil {
		return newError(code, "the narrowed session policy: %w", err)
	}
	d.policy = set.Document
	d.policyARNs = set.ARNs
	return nil
}

// known returns the value of a policy variable that every request of the session has: the NameID,
// or a tag that cannot be dropped. Condition keys are not case-sensitive. The last session of a
// chain has no saml:sub (IAM User Guide, "Available keys for SAML-based AWS STS federation"), and
// only the transitive tags.
func (d *decision) known(variable string) (value string, ok bool) {
	if strings.EqualFold(variable, "saml:sub") {
		return d.nameID, len(d.chain) == 0
	}
	const prefix = "aws:PrincipalTag/"
	if len(variable) < len(prefix) || !strings.EqualFold(variable[:len(prefix)], prefix) {
		return "", false
	}
	for key, value := range d.tags {
		if strings.EqualFold(key, variable[len(prefix):]) {
			lost := slices.Contains(d.droppable, key) ||
				len(d.chain) > 0 && !slices.Contains(d.transitive, key)
			return value, !lost
		}
	}
	return "", false
}
