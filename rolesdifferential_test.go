package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// generatedRoles is a target and a token that were made by chance, and which roles of the universe
// the target offers, by a reading of the documentation of its own.
type generatedRoles struct {
	target delegation.Target
	claim  []any
	offers []string
	// hostile is what rules and mappings do to some roles.
	hostile uint64
}

// universe are the roles that are tried at each target. Some are in no target.
var universe = []string{
	"arn:aws:iam::123456789012:role/admin",
	"arn:aws:iam::123456789012:role/reader",
	"arn:aws:iam::123456789012:role/team/press",
	"arn:aws:iam::123456789012:role/team/news/press",
	"arn:aws:iam::210987654321:role/reader",
	"arn:aws:iam::210987654321:role/team/a,b",
	"arn:aws:iam::333333333333:role/reader",
	"arn:aws-cn:iam::123456789012:role/reader",
}

// limitsOfRoles are what a target may allow, and which of the universe it does.
var limitsOfRoles = []struct {
	roles    []string
	accounts []string
	allowed  []int
}{
	{accounts: []string{"123456789012"}, allowed: []int{0, 1, 2, 3, 7}},
	{accounts: []string{"123456789012", "210987654321"}, allowed: []int{0, 1, 2, 3, 4, 5, 7}},
	{roles: []string{"arn:aws:iam::123456789012:role/team/*"}, allowed: []int{2, 3}},
	{roles: []string{"arn:aws:iam::123456789012:role/team/p*"}, allowed: []int{2}},
	{roles: []string{"arn:aws:iam::123456789012:role/*/*/press"}, allowed: []int{3}},
	{
		roles:    []string{"arn:aws:iam::*:role/read*"},
		accounts: []string{"123456789012", "333333333333"},
		allowed:  []int{1, 6},
	},
	{
		roles: []string{
			"arn:aws:iam::210987654321:role/*", "arn:aws:iam::123456789012:role/admin",
		},
		allowed: []int{0, 4, 5},
	},
	{
		roles:    []string{"arn:aws:iam::210987654321:role/*"},
		accounts: []string{"123456789012"},
	},
}

func principalIn(role string) string {
	fields := strings.Split(role, ":")
	return fmt.Sprintf("arn:%s:iam::%s:saml-provider/delegation", fields[1], fields[4])
}

// generateRoles makes a target that offers roles by a claim, by names or by a list.
func generateRoles(r *rand.Rand) generatedRoles {
	limit := limitsOfRoles[r.IntN(len(limitsOfRoles))]
	g := generatedRoles{hostile: r.Uint64()}
	g.target = delegation.Target{
		Audiences:       []string{app},
		AllowedRoles:    limit.roles,
		AllowedAccounts: limit.accounts,
		AWS:             delegation.AWS{Principal: principal, Region: "eu-central-1"},
	}
	allowed := func(i int) bool { return slices.Contains(limit.allowed, i) }
	order := r.Perm(len(universe))[:r.IntN(len(universe)+1)]
	switch r.IntN(3) {
	case 0:
		g.listRoles(order, allowed)
	case 1:
		g.claimRoles(r, order, allowed)
	default:
		g.nameRoles(r, order, allowed)
	}
	if len(g.offers) > 0 && r.IntN(2) == 0 {
		g.target.Role = g.offers[r.IntN(len(g.offers))]
	}
	return g
}

// listRoles offers all of them that are allowed: New refuses the others.
func (g *generatedRoles) listRoles(order []int, allowed func(int) bool) {
	for _, i := range order {
		if allowed(i) {
			g.offers = append(g.offers, universe[i])
			g.target.Roles = append(g.target.Roles, delegation.RoleChoice{
				Role: universe[i], Principal: principalIn(universe[i]),
			})
		}
	}
	if len(g.offers) == 0 { // a target that offers none
		g.target.RolesFromClaim = &delegation.RolesFromClaim{Claim: "roles"}
		g.target.AllowedAccounts = []string{"123456789012"}
	}
}

// claimRoles offers those that a claim has, as ARNs or pairs.
func (g *generatedRoles) claimRoles(r *rand.Rand, order []int, allowed func(int) bool) {
	from := &delegation.RolesFromClaim{Claim: "roles"}
	template := r.IntN(2) == 0
	if template {
		from.Principal = "arn:aws:iam::{account}:saml-provider/delegation"
	}
	g.target.RolesFromClaim = from
	for _, i := range order {
		role := universe[i]
		form := r.IntN(4)
		switch form {
		case 0:
			g.claim = append(g.claim, role)
		case 1:
			g.claim = append(g.claim, role+","+principalIn(role))
		case 2:
			g.claim = append(g.claim, principalIn(role)+" , "+role)
		case 3:
			g.claim = append(g.claim, role+",arn:aws:iam::444444444444:saml-provider/p")
		}
		ownAccount := strings.HasPrefix(role, "arn:aws:iam::123456789012:")
		hasPrincipal := form == 1 || form == 2 || form == 0 && (template || ownAccount)
		if allowed(i) && hasPrincipal {
			g.offers = append(g.offers, role)
		}
	}
}

// nameRoles offers those that the names in a claim have in a table.
func (g *generatedRoles) nameRoles(r *rand.Rand, order []int, allowed func(int) bool) {
	from := &delegation.RolesFromClaim{Claim: "roles"}
	g.target.RolesFromClaim = from
	for _, i := range order {
		g.claim = append(g.claim, universe[i]) // ARNs count for nothing here
		if !allowed(i) {
			continue
		}
		name := fmt.Sprintf("group-%d", r.IntN(4))
		from.Names = append(from.Names, delegation.NamedRole{
			Name: name,
			RoleChoice: delegation.RoleChoice{
				Role:      universe[i],
				Principal: principalIn(universe[i]),
			},
		})
	}
	if len(from.Names) == 0 {
		from.Names = []delegation.NamedRole{{
			Name:       "nobody's",
			RoleChoice: delegation.RoleChoice{Role: "arn:aws:iam::123456789012:role/none"},
		}}
		g.target.AllowedRoles = []string{"arn:aws:iam::123456789012:role/none"}
		g.target.AllowedAccounts = nil
	}
	member := map[string]bool{}
	for n := range 4 {
		name := fmt.Sprintf("group-%d", n)
		if r.IntN(2) == 0 {
			g.claim = append(g.claim, name)
			member[name] = true
		}
	}
	for _, row := range from.Names {
		if member[row.Name] {
			g.offers = append(g.offers, row.Role)
		}
	}
}

// ways are what hostile rules do to a role.
const (
	wayNone  = iota
	wayDeny  // a rule refuses it
	wayFail  // a rule does not work for it
	wayMove  // a rule chooses another role, without a word
	wayTags  // a rule sets a tag that AWS does not take
	wayText  // a mapping has a text that XML cannot carry
	wayLimit // a rule chooses a role that the target does not allow
)

// way is what the rules of a set do to a role: mostly nothing.
func way(hostile uint64, role string) int {
	hash := fnv.New64a()
	fmt.Fprint(hash, hostile, role)
	n := int(hash.Sum64() % 16)
	if n > wayLimit {
		return wayNone
	}
	return n
}

var errOfRule = errors.New("this rule does not work here")

// hostileRule does to each role what its way is. It knows a set by Values of a rule before it.
func hostileRule(sets []generatedRoles) delegation.RuleFunc {
	return func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		var n int
		if _, err := fmt.Sscanf(rc.Target, "set-%d", &n); err != nil {
			return err
		}
		switch way(sets[n].hostile, rc.AWS.Role) {
		case wayDeny:
			return delegation.Deny("not this one")
		case wayFail:
			return errOfRule
		case wayMove:
			rc.AWS.Role = universe[0]
			rc.AWS.Principal = principalIn(universe[0])
		case wayTags:
			rc.AWS.Tags["aws:x"] = "y"
		case wayText:
			user.Set("odd", "\x01")
			rc.AWS.Mappings["odd"] = "odd"
		case wayLimit:
			rc.AWS.Role = "arn:aws:iam::123456789012:role/elsewhere"
		}
		return nil
	}
}

// exchanges tells whether an exchange that asks for the role is expected to succeed.
func (g *generatedRoles) exchanges(role string) bool {
	if !slices.Contains(g.offers, role) || strings.HasPrefix(role, "arn:aws-cn:") {
		return false // the region is of another partition
	}
	w := way(g.hostile, role)
	return w == wayNone || w == wayMove && role == universe[0]
}

// TestRoles_ListedAreThoseThatExchange: of 600 generated targets with tokens and rules, each role
// that is listed exchanges, and no other does, whether it is offered or not. Both are also what an
// oracle says that knows how the targets were made. It takes some seconds, because each exchange
// that succeeds signs.
func TestRoles_ListedAreThoseThatExchange(t *testing.T) {
	const n = 600
	r := rand.New(rand.NewPCG(19, 3))
	w := newWorld(t)
	sets := make([]generatedRoles, n)
	targets := delegation.Targets{}
	for i := range sets {
		sets[i] = generateRoles(r)
		targets[fmt.Sprintf("set-%d", i)] = sets[i].target
	}
	w.config.Targets = targets
	w.config.Rules = []delegation.RuleFunc{hostileRule(sets)}
	d := w.delegator(t)
	var listed, refused, defaults int
	for i := range sets {
		g := &sets[i]
		name := fmt.Sprintf("set-%d", i)
		token := w.token(map[string]any{"roles": g.claim})
		options, err := d.Roles(t.Context(), token, name)
		list := rolesOf(options)
		for _, role := range universe {
			_, refusal := d.Exchange(t.Context(), token, name, delegation.WithRole(role))
			in := slices.Contains(list, role)
			if in != (refusal == nil) || in != g.exchanges(role) {
				t.Fatalf("set %d: %s is listed: %t, its exchange says %v, the oracle %t (%v)\n%+v\n%v",
					i, role, in, refusal, g.exchanges(role), err, g.target, g.claim)
			}
			if in {
				listed++
			} else {
				refused++
			}
		}
		if len(list) == 0 && (err == nil) != (len(g.offers) == 0) {
			t.Fatalf("set %d: %v of %v", i, err, g.offers)
		}
		// Without a role, an exchange returns the default of the list, or there is none.
		credentials, refusal := d.Exchange(t.Context(), token, name)
		isDefault := func(o delegation.RoleOption) bool { return o.Default }
		at := slices.IndexFunc(options, isDefault)
		if (refusal == nil) != (at >= 0) {
			t.Fatalf("set %d: the default is %d of %v, and its exchange says %v", i, at, list,
				refusal)
		}
		if at < 0 {
			continue
		}
		defaults++
		if *w.last().RoleArn != list[at] || credentials == nil {
			t.Fatalf("set %d: got %s, and the default is %s", i, *w.last().RoleArn, list[at])
		}
	}
	t.Logf("%d sets: %d roles listed, %d refused, %d defaults", n, listed, refused, defaults)
	if listed < n/2 || refused < n || defaults < n/8 {
		t.Errorf("too few of a kind: %d listed, %d refused, %d defaults", listed, refused, defaults)
	}
}
