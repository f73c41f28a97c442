package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
)

// Choice is a role that users of a target can have, and what its trust policy depends on.
type Choice struct {
	// Role is an ARN, or a pattern of allowed_roles.
	Role string

	// Principal is the ARN of the SAML provider; empty: the settings name none in the role's
	// account.
	Principal string

	// Region is the region that a rule chooses with the role; empty: the target's.
	Region string
}

// choicesOf returns the roles that the settings name for a target: its own, those that it offers,
// those of its rules, and those of allowed_roles that are not among them. Where a target offers
// roles, rules cannot choose others.
func choicesOf(target config.TargetSettings, rows []config.RoleMatch) []Choice {
	var list []Choice
	if target.Role != "" {
		list = append(list, Choice{Role: target.Role, Principal: target.Principal})
	}
	offered := slices.Clone(target.Roles)
	if target.RolesFromClaim != nil {
		for _, row := range target.RolesFromClaim.Names {
			offered = append(offered,
				config.RoleChoiceSettings{Role: row.Role, Principal: row.Principal})
		}
	}
	for _, row := range offered {
		principal := cmp.Or(row.Principal, providerFor(target, row.Role))
		list = append(list, Choice{Role: row.Role, Principal: principal})
	}
	named := func(role string) bool {
		return slices.ContainsFunc(list, func(c Choice) bool { return c.Role == role })
	}
	for _, row := range rows {
		if offersRoles(target) && !named(row.Role) {
			continue
		}
		principal := cmp.Or(row.Principal, inItsAccount(target, row.Role))
		list = append(list, Choice{row.Role, principal, row.Region})
	}
	if offersRoles(target) && !takesFromTokens(target) {
		return list
	}
	for _, role := range target.AllowedRoles {
		if !named(role) {
			list = append(list, Choice{Role: role, Principal: providerFor(target, role)})
		}
	}
	return list
}

// offersRoles tells whether users may choose a role.
func offersRoles(target config.TargetSettings) bool {
	return len(target.Roles) > 0 || target.RolesFromClaim != nil
}

// takesFromTokens tells whether users may choose roles that the settings do not name.
func takesFromTokens(target config.TargetSettings) bool {
	return target.RolesFromClaim != nil && target.RolesFromClaim.Names == nil
}

// providerFor returns the SAML provider of a role that users may choose, if the role does not come
// with one. delegation.RolesFromClaim has this order. Empty: there is none.
func providerFor(target config.TargetSettings, role string) string {
	account := accountOf(target, role)
	if from := target.RolesFromClaim; from != nil && from.Principal != "" && account != "" {
		return strings.ReplaceAll(from.Principal, "{account}", account)
	}
	return inItsAccount(target, role)
}

// inItsAccount returns the target's SAML provider if the role is of the same account; empty: it is
// not.
func inItsAccount(target config.TargetSettings, role string) string {
	principal, err := iam.Provider.Parse(target.Principal)
	if err == nil && principal.AccountID != accountOf(target, role) {
		return ""
	}
	return target.Principal
}

// accountOf returns the account of a role or of a pattern. Empty: the pattern is for several.
func accountOf(target config.TargetSettings, role string) string {
	if iam.AnyAccount(role) {
		if len(target.AllowedAccounts) == 1 {
			return target.AllowedAccounts[0]
		}
		return ""
	}
	parsed, err := arn.Parse(role)
	if err != nil {
		return ""
	}
	return parsed.AccountID
}

// providersOf returns the SAML providers that the settings name for a role, sorted.
func providersOf(choices []Choice, role string) (list []string) {
	for _, c := range choices {
		if c.Role == role && c.Principal != "" {
			list = append(list, c.Principal)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// sameTrust tells whether a role needs the trust policy that t has.
func (o *TrustOptions) sameTrust(t *Trust, target config.TargetSettings, c Choice) bool {
	return c.Principal == t.Explanation.Principal && o.sameRecipient(t, target, c)
}

// sameRecipient tells whether a role's assertions have the recipient that t has. Without a
// recipient of the target or of the flags, it is the sign-in address of the region.
func (o *TrustOptions) sameRecipient(t *Trust, target config.TargetSettings, c Choice) bool {
	region := cmp.Or(c.Region, target.Region)
	return region == "" || region == t.Region.String() ||
		cmp.Or(o.Recipient, target.SAMLRecipient) != ""
}

// sameTrustAs returns the other roles that need the trust policy that t has for the role, sorted.
func (o *TrustOptions) sameTrustAs(
	role string, t *Trust, target config.TargetSettings,
) (roles []string) {
	for _, c := range t.uses.Choices {
		if c.Role != role && o.sameTrust(t, target, c) {
			roles = append(roles, c.Role)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// choiceFor returns what the settings say about the trust policy of a role. A role that they do not
// name has the SAML provider that users get with it, if the settings tell which. If they name
// several, the flags choose one, or else it is the target's own, or the first. otherTrust notes the
// rest.
func (o *TrustOptions) choiceFor(target config.TargetSettings, uses Use, role string) Choice {
	var named, flagged []Choice
	for _, c := range uses.Choices {
		if c.Role != role || c.Principal == "" {
			continue
		}
		named = append(named, c)
		region := cmp.Or(c.Region, target.Region)
		if cmp.Or(o.Principal, c.Principal) == c.Principal && cmp.Or(o.Region, region) == region {
			flagged = append(flagged, c)
		}
	}
	if len(flagged) > 0 {
		named = flagged
	}
	own := Choice{Role: role, Principal: target.Principal}
	switch {
	case len(named) == 0:
		return Choice{Role: role, Principal: providerFor(target, role)}
	case slices.Contains(named, own):
		return own
	}
	return named[0]
}

// otherTrust notes the roles that need another trust policy, with the flags that write it. It
// leaves out those whose trust policy the command writes without flags.
func (o *TrustOptions) otherTrust(t *Trust, target config.TargetSettings) (notes []string) {
	roles := map[Choice][]string{} // by provider and region
	for _, c := range t.uses.Choices {
		own := c.Principal == target.Principal && cmp.Or(c.Region, target.Region) == target.Region
		if own && c.Role != o.choice.Role || o.sameTrust(t, target, c) {
			continue
		}
		trust := Choice{Principal: c.Principal, Region: c.Region}
		if c.Role == o.choice.Role {
			notes = append(notes, fmt.Sprintf("%s may also choose %s with another SAML provider or "+
				"region. A role has one trust policy: add to it the statement that delegation "+
				"trust-policy --target %s writes%s", whoChooses(target), c.Role,
				term.ShellWord(o.Target), with(o.trustFlags(target, trust))))
			continue
		}
		roles[trust] = append(roles[trust], c.Role)
	}
	for trust, list := range roles {
		slices.Sort(list)
		list = slices.Compact(list)
		notes = append(notes, fmt.Sprintf("%s may choose roles that need a trust policy of their "+
			"own: %s. Write it with %s", whoChooses(target), strings.Join(list, ", "),
			o.flagsFor(target, trust, list)))
	}
	slices.Sort(notes)
	notes = slices.Compact(notes)
	if takesFromTokens(target) {
		fromToken := Choice{Principal: target.RolesFromClaim.Principal}
		known := []string{target.Principal, t.Explanation.Principal}
		if slices.Contains(known, fromToken.Principal) ||
			strings.Contains(fromToken.Principal, "{account}") {
			fromToken.Principal = "" // it depends on the role
		}
		notes = append(notes, "roles_from_claim takes roles from tokens, which cannot be seen from "+
			"here. One with another SAML provider needs a trust policy of its own: write it with "+
			o.flagsFor(target, fromToken, nil))
	}
	return notes
}

// flagsFor are the flags with which the command writes the trust policy of roles.
func (o *TrustOptions) flagsFor(target config.TargetSettings, c Choice, roles []string) string {
	flags := o.trustFlags(target, c)
	switch {
	case !o.hasRole:
	case len(roles) == 1 && !iam.IsRolePattern(roles[0]):
		flags = append(flags, "--role "+roles[0])
	default:
		flags = append(flags, "--role for each")
	}
	return strings.Join(flags, ", ")
}

// trustFlags are the flags that say whom the trust policy trusts, where that is not the target's.
func (o *TrustOptions) trustFlags(target config.TargetSettings, c Choice) (flags []string) {
	switch c.Principal {
	case "":
		flags = append(flags, "--principal and the ARN of the SAML provider in the role's account")
	case target.Principal:
	default:
		flags = append(flags, "--principal "+c.Principal)
	}
	switch {
	case o.Recipient != "":
		flags = append(flags, "--recipient "+o.Recipient)
	case target.SAMLRecipient == "" && cmp.Or(c.Region, target.Region) != target.Region:
		flags = append(flags, "--region "+c.Region)
	}
	return flags
}

// with names flags, if there are any.
func with(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return " with " + strings.Join(flags, ", ")
}

// whoChooses names those who may choose roles.
func whoChooses(target config.TargetSettings) string {
	if offersRoles(target) {
		return "users"
	}
	return "rules"
}
