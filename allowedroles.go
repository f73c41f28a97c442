package delegation

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
)

// allows tells whether AllowedRoles and AllowedAccounts let a role be chosen.
func (t *Target) allows(role arn.ARN) bool {
	if len(t.AllowedAccounts) > 0 && !slices.Contains(t.AllowedAccounts, role.AccountID) {
		return false
	}
	if len(t.AllowedRoles) == 0 || slices.Contains(t.AllowedRoles, role.String()) {
		return true
	}
	return slices.ContainsFunc(t.AllowedRoles, func(allowed string) bool {
		return iam.IsRolePattern(allowed) && iam.MatchesRole(allowed, role)
	})
}

// checkAllowed checks AllowedRoles and AllowedAccounts.
func (t *Target) checkAllowed(problems *problems) {
	for i, account := range t.AllowedAccounts {
		if !iam.IsAccount(account) {
			problems.add("AllowedAccounts[%d]: %.80q is not the ID of an account: twelve digits",
				i, account)
		}
	}
	for i, role := range t.AllowedRoles {
		if err := t.checkAllowedRole(role); err != nil {
			problems.add("AllowedRoles[%d]: %w", i, err)
		}
	}
}

func (t *Target) checkAllowedRole(role string) error {
	if !iam.IsRolePattern(role) {
		_, err := iam.Role.Parse(role)
		return err
	}
	if err := iam.CheckRolePattern(role); err != nil {
		return err
	}
	if !iam.AnyAccount(role) {
		return nil
	}
	if len(t.AllowedAccounts) == 0 {
		return fmt.Errorf("%.200q is for any account: set Target.AllowedAccounts to those that "+
			"it is for", role)
	}
	if iam.AnyRole(role) {
		return fmt.Errorf("%.200q allows every role: remove it, and Target.AllowedAccounts "+
			"alone allows the same", role)
	}
	return nil
}

// checkRoles checks what the target offers to choose from.
func (t *Target) checkRoles(problems *problems) {
	if !t.offersRoles() {
		return
	}
	if len(t.Roles) > 0 && t.RolesFromClaim != nil {
		problems.add("RolesFromClaim: it is set together with Target.Roles: unset one of them")
	}
	if len(t.Chain) > 0 {
		problems.add("Chain cannot be set where users choose the role: unset it, or make a " +
			"separate target for it")
	}
	path, mapped := t.Mappings[AttributeRole]
	if mapped && attributeOfVirtual(path) == "" {
		problems.add("AWS.Mappings has the attribute Role, and users choose the role here: " +
			"remove it from the mappings")
	}
	if len(t.Roles) > maxRoles {
		problems.add("Roles has %d roles, and at most %d are offered", len(t.Roles), maxRoles)
	}
	seen := make(map[string]bool, len(t.Roles))
	for i := range t.Roles {
		role := t.Roles[i].Role
		if err := t.checkChoice(&t.Roles[i]); err != nil {
			problems.add("Roles[%d]: %w", i, err)
		} else if seen[role] {
			problems.add("Roles[%d]: %s is listed twice", i, role)
		}
		seen[role] = true
	}
	if len(t.Roles) > 0 && t.Role != "" && !seen[t.Role] {
		problems.add("Role: %s is the default, and must be one of Target.Roles: add it there, or "+
			"unset it", t.Role)
	}
	if t.RolesFromClaim != nil {
		t.checkFromClaim(problems)
	}
}

// checkFromClaim checks what the target says of roles in claims.
func (t *Target) checkFromClaim(problems *problems) {
	from := t.RolesFromClaim
	if from.Claim == "" {
		problems.add("RolesFromClaim: Claim is empty")
	}
	if len(t.AllowedRoles)+len(t.AllowedAccounts) == 0 {
		problems.add("RolesFromClaim needs a limit, because the claim could otherwise name any " +
			"role: set Target.AllowedRoles or Target.AllowedAccounts")
	}
	if from.Principal != "" {
		if err := checkTemplate(from.Principal); err != nil {
			problems.add("RolesFromClaim: Principal: %w", err)
		}
	}
	seen := make(map[[2]string]bool, len(from.Names))
	for i := range from.Names {
		row := &from.Names[i]
		key := [2]string{row.Name, row.Role}
		switch err := t.checkChoice(&row.RoleChoice); {
		case row.Name == "":
			problems.add("RolesFromClaim: Names[%d]: Name is empty", i)
		case err != nil:
			problems.add("RolesFromClaim: Names[%d]: %w", i, err)
		case seen[key]:
			problems.add("RolesFromClaim: Names[%d]: %.80q has the role %s twice", i, row.Name,
				row.Role)
		}
		seen[key] = true
	}
	for _, role := range slices.Sorted(maps.Keys(from.Labels)) {
		if _, err := iam.Role.Parse(role); err != nil {
			problems.add("RolesFromClaim: Labels: %w", err)
		}
	}
	for _, account := range slices.Sorted(maps.Keys(from.Accounts)) {
		if !iam.IsAccount(account) {
			problems.add("RolesFromClaim: Accounts: %.80q is not the ID of an account: twelve "+
				"digits", account)
		}
	}
}

// checkTemplate checks a principal in which an account may be left open.
func checkTemplate(principal string) error {
	_, err := iam.Provider.Parse(withAccount(principal, "000000000000"))
	if err != nil {
		return fmt.Errorf("%.200q is not the ARN of a SAML provider, in which %s may be the "+
			"account", principal, accountMark)
	}
	return nil
}

// checkChoice checks a role that is offered, and that there is a SAML provider for it.
func (t *Target) checkChoice(c *RoleChoice) error {
	role, err := iam.Role.Parse(c.Role)
	if err != nil {
		return inField("Role", err)
	}
	if !t.allows(role) {
		return inField("Role", fmt.Errorf("%s is not allowed: see Target.AllowedRoles and "+
			"Target.AllowedAccounts", role))
	}
	text := t.principalOf(c, role)
	if text == "" {
		return inField("Principal", fmt.Errorf("it is not set, and the target's is not in the "+
			"account %s", role.AccountID))
	}
	principal, err := iam.Provider.Parse(text)
	if err != nil {
		return inField("Principal", err)
	}
	if principal.AccountID != role.AccountID || principal.Partition != role.Partition {
		return fmt.Errorf("the role %s and the SAML provider %s are of different accounts or "+
			"partitions", role, principal)
	}
	if t.EncryptionKey != "" && text != t.Principal {
		return inField("Principal", fmt.Errorf("the target encrypts for %s alone", t.Principal))
	}
	return nil
}

// inField is an error of a field.
func inField(name string, err error) error { return fmt.Errorf("%s: %w", name, err) }
