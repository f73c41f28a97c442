package config_test

import (
	"fmt"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

const awayRole = "arn:aws:iam::210987654321:role/reader"

// ofAccount is a list with the account of the scene.
var ofAccount = []string{delegationtest.Account}

// offers is a list of roles that users choose from.
func offers(roles ...string) both {
	inGo := []delegation.RoleChoice{}
	inYAML := []any{}
	for _, role := range roles {
		inGo = append(inGo, delegation.RoleChoice{Role: role})
		inYAML = append(inYAML, claims("role", role))
	}
	return both{inGo, inYAML}
}

// fromClaim offers the roles of a claim.
func fromClaim(claim string) both {
	return both{&delegation.RolesFromClaim{Claim: claim}, claims("claim", claim)}
}

// fromNames offers the roles that a claim of groups has in a table of names and roles.
func fromNames(rows ...[2]string) both {
	inGo := []delegation.NamedRole{}
	inYAML := []any{}
	for _, row := range rows {
		inGo = append(inGo, delegation.NamedRole{
			Name:       row[0],
			RoleChoice: delegation.RoleChoice{Role: row[1]},
		})
		inYAML = append(inYAML, map[string]any{"name": row[0], "role": row[1]})
	}
	return both{
		&delegation.RolesFromClaim{Claim: "groups", Names: inGo},
		map[string]any{"claim": "groups", "names": inYAML},
	}
}

// inGroup signs a token of a user in the group a.
func inGroup(s *scene) { s.sign(claims("groups", []any{"a"})) }

// hasRole signs a token whose claim roles has the scene's role.
func hasRole(s *scene) { s.sign(claims("roles", []any{delegationtest.Role})) }

// limitedTo are settings with the scene's account as the only one.
func limitedTo(from both) settings {
	return settings{"Target.RolesFromClaim": from, "Target.AllowedAccounts": ofAccount}
}

// roleRemedies are of roles that users choose.
func roleRemedies() []remedy {
	many := make([][2]string, 0, 501)
	for i := range 501 {
		role := fmt.Sprintf("arn:aws:iam::123456789012:role/r%03d", i)
		many = append(many, [2]string{"a", role})
	}
	return []remedy{
		{
			of:    "no role in the claim",
			code:  delegation.CodeRoleNotOffered,
			with:  limitedTo(fromClaim("other")),
			scene: hasRole,
			do:    settings{"Target.RolesFromClaim": fromClaim("roles")},
		},
		{
			of:   "no role in the claim, and a list instead",
			code: delegation.CodeRoleNotOffered,
			with: limitedTo(fromClaim("roles")),
			do: settings{
				"Target.RolesFromClaim": nil,
				"Target.Roles":          offers(delegationtest.Role),
			},
		},
		{
			of:   "a role that is not allowed",
			code: delegation.CodeRoleNotOffered,
			with: settings{
				"Target.RolesFromClaim": fromClaim("roles"),
				"Target.AllowedRoles":   []string{otherRole},
			},
			scene: hasRole,
			do: settings{
				"Target.AllowedRoles": []string{"arn:aws:iam::123456789012:role/photo-*"},
			},
		},
		{
			of:   "a role of an account that is not allowed",
			code: delegation.CodeRoleNotOffered,
			with: settings{
				"Target.RolesFromClaim":  fromClaim("roles"),
				"Target.AllowedAccounts": []string{"210987654321"},
			},
			scene: hasRole,
			do:    settings{"Target.AllowedAccounts": ofAccount},
		},
		{
			of:   "several roles without a default",
			code: delegation.CodeRoleRequired,
			with: settings{
				"AWS.Role":     nil,
				"Target.Roles": offers(delegationtest.Role, otherRole),
			},
			do: settings{"Target.Role": delegationtest.Role},
		},
		{
			of:   "a list of roles and a claim, of which the claim remains",
			code: delegation.CodeConfigInvalid,
			with: settings{
				"Target.Roles":           offers(delegationtest.Role),
				"Target.RolesFromClaim":  fromClaim("roles"),
				"Target.AllowedAccounts": ofAccount,
			},
			scene: hasRole,
			do:    settings{"Target.Roles": nil},
		},
		{
			of:    "roles of a claim without a limit, and roles as one",
			code:  delegation.CodeConfigInvalid,
			with:  settings{"Target.RolesFromClaim": fromClaim("roles")},
			scene: hasRole,
			do:    settings{"Target.AllowedRoles": []string{delegationtest.Role}},
		},
		{
			of:    "roles of a claim without a limit, and accounts as one",
			code:  delegation.CodeConfigInvalid,
			with:  settings{"Target.RolesFromClaim": fromClaim("roles")},
			scene: hasRole,
			do:    settings{"Target.AllowedAccounts": ofAccount},
		},
		{
			of:    "a name with a role that is not allowed, and accounts",
			code:  delegation.CodeConfigInvalid,
			scene: inGroup,
			with: settings{
				"Target.RolesFromClaim":  fromNames([2]string{"a", delegationtest.Role}),
				"Target.AllowedAccounts": []string{"210987654321"},
			},
			do: settings{"Target.AllowedAccounts": ofAccount},
		},
		{
			of:    "a name with a role that is not allowed, and roles",
			code:  delegation.CodeConfigInvalid,
			scene: inGroup,
			with: settings{
				"Target.RolesFromClaim": fromNames([2]string{"a", delegationtest.Role}),
				"Target.AllowedRoles":   []string{otherRole},
			},
			do: settings{"Target.AllowedRoles": []string{delegationtest.Role}},
		},
		{
			of:   "more roles than are offered",
			code: delegation.CodeRolesTooMany,
			with: settings{
				"AWS.Role":               nil,
				"Target.RolesFromClaim":  fromNames(many...),
				"Target.AllowedAccounts": ofAccount,
			},
			scene: inGroup,
			do: settings{
				"Target.RolesFromClaim": fromNames([2]string{"a", delegationtest.Role}),
			},
		},
	}
}

// roleMistakes are of what a target offers, and of its limits.
var roleMistakes = []mistake{
	{
		"no account among those that are allowed",
		settings{"Target.AllowedAccounts": []string{"12345"}},
		settings{"Target.AllowedAccounts": ofAccount},
	},
	{
		"a pattern for any account",
		settings{"Target.AllowedRoles": []string{"arn:aws:iam::*:role/photo-*"}},
		settings{"Target.AllowedAccounts": ofAccount},
	},
	{
		"a pattern that allows everything",
		settings{
			"Target.AllowedRoles":    []string{"arn:aws:iam::*:role/*"},
			"Target.AllowedAccounts": ofAccount,
		},
		settings{"Target.AllowedRoles": nil, "Target.AllowedAccounts": ofAccount},
	},
	{
		"a list of roles and a claim",
		settings{
			"Target.Roles":           offers(delegationtest.Role),
			"Target.RolesFromClaim":  fromClaim("roles"),
			"Target.AllowedAccounts": ofAccount,
		},
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"a list of roles and a chain",
		settings{
			"Target.Roles": offers(delegationtest.Role),
			"Target.Chain": both{
				[]delegation.ChainedRole{{RoleARN: awayRole}},
				[]any{claims("role_arn", awayRole)},
			},
		},
		settings{"Target.Chain": nil},
	},
	{
		"a list of roles and a mapping of the role",
		settings{
			"Target.Roles": offers(delegationtest.Role),
			"AWS.Mappings": mappings(delegation.AttributeRole, "roles"),
		},
		settings{"AWS.Mappings": nil},
	},
	{
		"more roles in the list than are offered",
		settings{"Target.Roles": offers(numberedRoles(501)...)},
		settings{"Target.Roles": offers(numberedRoles(500)...)},
	},
	{
		"a role twice",
		settings{"Target.Roles": offers(delegationtest.Role, delegationtest.Role)},
		settings{"Target.Roles": offers(delegationtest.Role)},
	},
	{
		"what is no role in the list",
		settings{"Target.Roles": offers(delegationtest.Role, "photo-editor")},
		settings{"Target.Roles": offers(delegationtest.Role, otherRole)},
	},
	{
		"a default that is not in the list",
		settings{"Target.Roles": offers(otherRole)},
		settings{"Target.Roles": offers(otherRole, delegationtest.Role)},
	},
	{
		"roles of no claim",
		limitedTo(fromClaim("")),
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"roles of a claim with a principal that is none",
		limitedTo(both{
			&delegation.RolesFromClaim{Claim: "roles", Principal: "delegation"},
			map[string]any{"claim": "roles", "principal": "delegation"},
		}),
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"a role without a name",
		limitedTo(fromNames([2]string{"", otherRole})),
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"a name with a role twice",
		limitedTo(fromNames([2]string{"a", otherRole}, [2]string{"a", otherRole})),
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"a label of no role",
		limitedTo(both{
			&delegation.RolesFromClaim{Claim: "roles", Labels: map[string]string{"a": "A"}},
			map[string]any{"claim": "roles", "labels": claims("a", "A")},
		}),
		settings{"Target.RolesFromClaim": nil},
	},
	{
		"a name of no account",
		limitedTo(both{
			&delegation.RolesFromClaim{Claim: "roles", Accounts: map[string]string{"1": "A"}},
			map[string]any{"claim": "roles", "accounts": claims("1", "A")},
		}),
		settings{"Target.RolesFromClaim": nil},
	},
}

// numberedRoles are n roles, of which the first is the scene's.
func numberedRoles(n int) []string {
	list := []string{delegationtest.Role}
	for i := range n - 1 {
		list = append(list, fmt.Sprintf("arn:aws:iam::123456789012:role/r%03d", i))
	}
	return list
}
