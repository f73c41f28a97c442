package delegation

import (
	"fmt"
	"strings"

	"github.com/seed055b7978/delegation/internal/session"
)

// explainRefusal makes the remedy of a refusal say what was sent. AWS has one message for each of
// many causes, and the operator cannot see the assertion.
func (c *call) explainRefusal(e *Error) {
	switch e.Code {
	case CodeSTSAccessDenied:
		e.Remedy = c.accessRemedy(session.DeniedBy(e.Err))
	case CodeSTSTags:
		e.Remedy += "; those that were sent are " + c.decision.tagList()
	}
}

// accessRemedy is the remedy of AccessDenied. kind is the policy that denies, as far as AWS says
// so, and explicit tells whether it does so by a statement.
func (c *call) accessRemedy(kind string, explicit bool) string {
	switch {
	case kind == "resource control policy", kind == "service control policy":
		return fmt.Sprintf("a %s of the organization denies the call, and not the role's trust "+
			"policy: have the administrator of the organization's policies allow "+
			"sts:AssumeRoleWithSAML%s, for the role %s and the SAML provider %s",
			kind, c.decision.furtherActions(" and "), c.decision.role, c.decision.principal)
	case kind == "VPC endpoint policy":
		return fmt.Sprintf("the policy of the VPC endpoint that STS is called through denies "+
			"the call: allow sts:AssumeRoleWithSAML%s in it, for the role %s",
			c.decision.furtherActions(" and "), c.decision.role)
	case kind == "resource-based policy" && explicit:
		return "a Deny statement of the role's trust policy matches the call: change its " +
			"conditions; " + c.whatWasSent()
	}
	return c.trustRemedy()
}

// trustRemedy names what the role's trust policy has to allow. What is forgotten most comes first:
// the actions that tags and a source identity need.
func (c *call) trustRemedy() string {
	d := c.decision
	const rest = "the role exists, and its Principal is the SAML provider %s; %s"
	also := fmt.Sprintf(rest, d.principal, c.whatWasSent())
	actions := d.furtherActions("")
	if actions == "" {
		return "check the role's trust policy: " + also + "; it needs neither sts:TagSession nor " +
			"sts:SetSourceIdentity, because no tags and no source identity were sent"
	}
	return "check that the role's trust policy allows " + actions + "; check also that " + also
}

// whatWasSent are the values that the conditions of trust policies compare.
func (c *call) whatWasSent() string {
	return fmt.Sprintf("its conditions must match SAML:aud %q and SAML:iss %q",
		c.decision.recipient, c.identity(c.target).EntityID)
}

// furtherActions are the actions that are needed in addition to sts:AssumeRoleWithSAML, with their
// reasons, after begin. Empty: there are none.
func (d *decision) furtherActions(begin string) string {
	var actions []string
	if len(d.tags) > 0 {
		actions = append(actions, "sts:TagSession, for the session tags "+d.tagList())
	}
	if d.sourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity, for the source identity")
	}
	if len(actions) == 0 {
		return ""
	}
	return begin + strings.Join(actions, ", and ")
}

// shownTags is how many keys an error names.
const shownTags = 10

// tagList names the keys of the session tags. Their values may be personal.
func (d *decision) tagList() string {
	keys := d.tagKeys(nil)
	more := ""
	if len(keys) > shownTags {
		more = fmt.Sprintf(" and %d more", len(keys)-shownTags)
		keys = keys[:shownTags]
	}
	quoted := make([]string, len(keys))
	for i, key := range keys {
		quoted[i] = fmt.Sprintf("%q", key)
	}
	return strings.Join(quoted, ", ") + more
}
