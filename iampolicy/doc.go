// Package iampolicy evaluates AWS IAM policies offline, so that a test can show what a policy
// allows and what it denies.
//
// [Parse] reads a policy document. A [Set] holds the policies that apply to a request, and
// [Set.Decide] evaluates them as IAM does: an explicit deny wins, and without an allow the request
// is denied. The zero values of [Effect], [Decision] and [Set] deny.
//
// # What it evaluates
//
// It evaluates identity policies, session policies, permissions boundaries and resource policies,
// of which a role's trust policy is one. It knows Action, NotAction, Resource, NotResource,
// Principal, every condition operator that the IAM User Guide lists, IfExists, ForAllValues and
// ForAnyValue, wildcards, and policy variables with default values.
//
// In one account it is enough for most resources that an identity policy allows a request. There
// are two exceptions: a role's trust policy must allow that the role is assumed, with
// sts:TagSession and sts:SetSourceIdentity, and a KMS key's policy must allow that the key is used.
// A [Set] without a policy of the key has the default one, which leaves it to identity policies.
//
// # What it refuses
//
// A document that it does not understand is an [Error], and never a policy with a part left out:
// unknown elements, operators and values of a wrong type, members that occur twice, malformed
// ARNs, dates, numbers, addresses and variables. NotPrincipal and canonical user IDs are refused
// as well; the error names what to write instead. It does not know which actions, resources and
// condition keys a service has, so it does not find a misspelled one.
//
// It does not evaluate service control policies, resource control policies or access control lists.
//
// # What AWS does not say
//
// AWS publishes no rule for the points below. Each choice grants no more than any other reading
// of AWS's documents would:
//
//   - The value of a variable is plain text. A wildcard in it matches only itself.
//   - A value with a variable that the request does not have matches nothing. If a negated
//     operator or NotResource of an Allow needs such a value, the statement does not apply.
//   - A request value that an operator cannot read, such as a text for a Numeric operator, is an
//     error. So are several values without ForAllValues or ForAnyValue.
//   - An Allow for everyone ("*") does not include principals of a SAML or OpenID provider.
//   - An Allow of a resource policy for an account, in that account, is not enough without an Allow
//     of an identity policy.
//   - The year 2020 and the second 2020 are the same text, so a date of four digits is refused.
package iampolicy
