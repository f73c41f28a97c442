package delegation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/idtoken"
	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// keepsOut tells whether required claims keep strangers of a shared issuer out. They do if one of
// them is a claim that distinguishes the operator's people from strangers, and none of its patterns
// matches just anything.
func keepsOut(required map[string][]string, shared sharedissuer.Issuer) bool {
	list, err := compileClaims(required, "")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(list, func(c requiredClaim) bool {
		return shared.Tells(c.name) && !slices.ContainsFunc(c.patterns, matchesAnything)
	})
}

// gated tells whether something keeps strangers of a shared issuer out of the target. A nil target
// is any target, so only what holds for all of them counts.
func (c *Config) gated(
	shared sharedissuer.Issuer, issuer *Issuer, id string, target *Target,
) bool {
	if issuer.GatedByRules || keepsOut(issuer.RequiredClaims, shared) {
		return true
	}
	if target != nil && keepsOut(target.RequiredClaims, shared) {
		return true
	}
	return slices.ContainsFunc(c.Rules, func(rule RuleFunc) bool {
		r := readyMadeOf(rule)
		return r != nil && r.gates != nil && r.gates(id, shared)
	})
}

// strangers says in plain words that strangers can get tokens of the issuer and nothing keeps them
// out of the targets, and what to do. It is empty if something does, or if only the operator's
// people get tokens of the issuer. Targets of a database are not known here, so only what holds for
// all of them counts.
func (c *Config) strangers(issuer *Issuer) (text, remedy string) {
	shared, ok := issuer.shared()
	if !ok {
		return "", ""
	}
	targets := c.fixedTargets()
	if targets == nil {
		if c.gated(shared, issuer, "", nil) {
			return "", ""
		}
		return strangersTexts(shared, issuer.URL, "all targets")
	}
	open := c.openTargets(targets, shared, issuer)
	switch len(open) {
	case 0:
		return "", ""
	case 1:
		return strangersTexts(shared, issuer.URL, "the target "+open[0])
	}
	return strangersTexts(shared, issuer.URL, "the targets "+strings.Join(open, ", "))
}

// openTargets are the quoted names of the targets that strangers of the issuer can call.
func (c *Config) openTargets(
	targets ownTargets, shared sharedissuer.Issuer, issuer *Issuer,
) (open []string) {
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		target := targets[name]
		if !target.takes(issuer, len(c.Issuers) == 1) {
			continue
		}
		if !c.gated(shared, issuer, target.idFor(name), target) {
			open = append(open, fmt.Sprintf("%.80q", name))
		}
	}
	return open
}

// strangersAt is strangers for the one target of an exchange, whatever source it is from.
func (c *Config) strangersAt(claims *idtoken.Claims, name string, target *Target) string {
	issuer := c.issuerOf(claims)
	if issuer == nil {
		return ""
	}
	shared, ok := issuer.sharedAt(claims.Issuer)
	if !ok || c.gated(shared, issuer, target.idFor(name), target) {
		return ""
	}
	where := fmt.Sprintf("the target %.80q", name)
	text, remedy := strangersTexts(shared, claims.Issuer, where)
	return text + ": " + remedy
}

// strangersTexts say what is wrong, and what to do.
func strangersTexts(shared sharedissuer.Issuer, url, where string) (text, remedy string) {
	text = fmt.Sprintf("%s can get a token of %s, and nothing keeps strangers out of %s",
		shared.Who, url, where)
	claim := "a claim of yours, such as " + shared.Claim
	if shared.AnyTenant {
		claim = "the claim " + shared.Claim + " to name a tenant of yours"
	}
	remedy = fmt.Sprintf("require %s, in Issuer.RequiredClaims or "+
		"Target.RequiredClaims, "+
		"or set Issuer.GatedByRules if rules of your own choose who gets access",
		claim)
	return text, remedy
}

// roleUsers are those who can get one role.
type roleUsers struct {
	targets []string        // quoted names
	issuers map[string]bool // by URL
	by      string          // what policies there know users by
}

const sharedRoleRemedy = "give each issuer a role of its own, " +
	"or set Target.SubjectsAreOne or Target.NameIDTellsIssuersApart"

// sharedRoles says what is wrong with each role whose users come from several issuers through
// several targets: its policies cannot distinguish them. Targets that set SubjectsAreOne or
// NameIDTellsIssuersApart are left out; those with several issuers must set one of the two.
func (c *Config) sharedRoles() map[string]string {
	targets := c.fixedTargets()
	found := map[string]string{}
	if !c.hasSeveralNameSpaces() {
		return found
	}
	for role, users := range c.usersByRole(targets) {
		if len(users.issuers) < 2 {
			continue
		}
		found[role] = fmt.Sprintf("the targets %s let users of %d issuers assume this role, and "+
			"%s does not tell them apart",
			strings.Join(users.targets, ", "), len(users.issuers), users.by)
	}
	return found
}

// hasSeveralNameSpaces tells whether subjects of the configured issuers are in several name spaces.
// With one, no role is shared, however many targets there are.
func (c *Config) hasSeveralNameSpaces() bool {
	return len(c.Issuers) > 1 || len(c.Issuers) == 1 && len(c.Issuers[0].nameSpaces()) > 1
}

// usersByRole finds who can get the roles of those targets that do not tell issuers apart.
func (c *Config) usersByRole(targets ownTargets) map[string]*roleUsers {
	roles := map[string]*roleUsers{}
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		target := targets[name]
		if target.SubjectsAreOne || target.NameIDTellsIssuersApart {
			continue
		}
		for role := range target.named {
			by := "${saml:sub}"
			if n := len(target.Chain); n > 0 {
				role = target.Chain[n-1].RoleARN
				by = "the source identity"
			}
			users := roles[role]
			if users == nil {
				users = &roleUsers{issuers: map[string]bool{}, by: by}
				roles[role] = users
			}
			users.add(c, name, target)
		}
	}
	return roles
}

// add adds the users of a target, once.
func (u *roleUsers) add(c *Config, name string, target *Target) {
	quoted := fmt.Sprintf("%.80q", name)
	if n := len(u.targets); n > 0 && u.targets[n-1] == quoted {
		return
	}
	u.targets = append(u.targets, quoted)
	for i := range c.Issuers {
		for _, space := range target.nameSpaces(&c.Issuers[i], len(c.Issuers) == 1) {
			u.issuers[space] = true
		}
	}
}
