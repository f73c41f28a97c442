package delegation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// accountMark stands for the ID of the role's account in RolesFromClaim.Principal.
const accountMark = "{account}"

// RolesFromClaim offers each user the roles that a claim of the ID token lists. Only the verified
// token is read, not what a profile loader or a rule adds. The claim is a list of strings, or one
// string. A claim that is absent or of another type offers no role.
//
// If Names is nil, an entry is one of these, and all others are ignored:
//
//   - a role's ARN,
//   - a pair "role,principal" or "principal,role", as in SAML attributes for AWS.
//
// With Names, an entry is a name, and ARNs are ignored: a user who can choose the name of a group
// must not choose a role with it. If a role is listed twice, the first entry applies. A role that
// Target.AllowedRoles or Target.AllowedAccounts does not allow is not offered. Nor is a role
// without a SAML provider in its account.
type RolesFromClaim struct {
	// Claim is the name of the claim, or a dotted path to it such as realm_access.roles.
	Claim string
	// Names are the roles for each entry of the claim, such as a group. A name can have several
	// rows. nil: entries are ARNs. An empty list that is not nil offers no role, so that a table
	// that lost its rows never lets users choose by ARN.
	Names []NamedRole
	// Principal is the ARN of the SAML provider for roles that do not name one. In it, {account}
	// stands for the role's account: arn:aws:iam::{account}:saml-provider/delegation. Empty:
	// Target.Principal, for roles in its account.
	Principal string
	// Labels name roles for people, by ARN. Empty: a role's label is its name.
	Labels map[string]string
	// Accounts name accounts for people, by ID. Empty: accounts have no names.
	Accounts map[string]string
}

// NamedRole is a role with the name that stands for it in a claim.
type NamedRole struct {
	// Name is the complete entry of the claim.
	Name string
	// RoleChoice is the role.
	RoleChoice
}

// clone returns a copy that shares nothing that could be changed.
func (r *RolesFromClaim) clone() *RolesFromClaim {
	if r == nil {
		return nil
	}
	c := *r
	c.Names = slices.Clone(r.Names)
	c.Labels = maps.Clone(r.Labels)
	c.Accounts = maps.Clone(r.Accounts)
	return &c
}

// withAccount fills in the account of a principal in which it is left open.
func withAccount(principal, account string) string {
	return strings.ReplaceAll(principal, accountMark, account)
}

// fromClaim are the roles that the claims of a token offer.
func (t *Target) fromClaim(claims map[string]any) ([]RoleOption, error) {
	from := t.RolesFromClaim
	if name, found := jsonvalue.Lookalike(claims, from.Claim); found {
		return nil, newError(CodeTokenFoldedName,
			"the claim %.80q differs only by case from %.80q, which lists roles", name, from.Claim)
	}
	value, _ := jsonvalue.Lookup(claims, from.Claim)
	entries, _ := jsonvalue.Texts(value) // none of a value of another type
	if from.Names != nil {
		return t.byName(entries), nil
	}
	var list roleList
	for _, entry := range entries {
		choice, role, ok := roleEntry(entry)
		if ok && t.allows(role) {
			list.add(t.option(&choice, role, t.why(entry)))
		}
	}
	return list.options, nil
}

// byName are the roles of the table that the entries name.
func (t *Target) byName(entries []string) []RoleOption {
	has := make(map[string]bool, len(entries))
	for _, entry := range entries {
		has[entry] = true
	}
	var list roleList
	for i := range t.RolesFromClaim.Names {
		row := &t.RolesFromClaim.Names[i]
		if !has[row.Name] {
			continue
		}
		role, err := iam.Role.Parse(row.Role) // New and target.compile have checked it
		if err == nil && t.allows(role) {
			list.add(t.option(&row.RoleChoice, role, t.why(row.Name)))
		}
	}
	return list.options
}

// why says which entry offers a role.
func (t *Target) why(entry string) string {
	return fmt.Sprintf("the claim %s: %.200q", t.RolesFromClaim.Claim, entry)
}

// roleList are the options that can be used, each role once.
type roleList struct {
	options []RoleOption
	seen    map[string]bool
}

func (l *roleList) add(o RoleOption) {
	if !l.seen[o.Role] && o.Principal != "" {
		l.options = append(l.options, o)
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[o.Role] = l.seen[o.Role] || o.Principal != ""
}

// roleEntry reads an entry that is a role's ARN, or a pair of role and SAML provider.
func roleEntry(entry string) (choice RoleChoice, role arn.ARN, ok bool) {
	first, second := cutPair(entry)
	if strings.Contains(first, ":saml-provider/") {
		first, second = second, first
	}
	role, err := iam.Role.Parse(first)
	if err != nil {
		return RoleChoice{}, arn.ARN{}, false
	}
	if second == "" {
		return RoleChoice{Role: first}, role, true
	}
	principal, err := iam.Provider.Parse(second)
	if err != nil || principal.AccountID != role.AccountID ||
		principal.Partition != role.Partition {
		return RoleChoice{}, arn.ARN{}, false
	}
	return RoleChoice{Role: first, Principal: second}, role, true
}

// cutPair cuts a pair of ARNs at its comma. Names of roles may have commas, too, so the comma is
// the one before an ARN. AWS takes spaces around it.
func cutPair(entry string) (first, second string) {
	entry = strings.TrimSpace(entry)
	for i := range len(entry) {
		if entry[i] != ',' {
			continue
		}
		rest := strings.TrimSpace(entry[i+1:])
		if strings.HasPrefix(rest, "arn:") {
			return strings.TrimSpace(entry[:i]), rest
		}
	}
	return entry, ""
}
