package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// tree returns the outcome as a tree for people.
func (o *outcome) tree(paint term.Painter) string {
	root := term.Tree{Text: term.Shown(o.Target) + ": " + paint(term.Green, "allowed")}
	if o.Refusal != nil {
		root.Text = term.Shown(o.Target) + ": " + paint(term.Red, "refused")
	}
	for i := range min(o.reached+1, len(steps)) {
		root.Leaves = append(root.Leaves, o.stepTree(i, paint))
	}
	if o.TrustPolicy != nil {
		root.Leaves = append(root.Leaves, o.TrustPolicy.tree())
	}
	for _, warning := range o.Warnings {
		text := paint(term.Yellow, "warning") + ": " + term.Escaped(warning)
		root.Leaves = append(root.Leaves, term.Tree{Text: text})
	}
	return root.String()
}

// stepTree returns a step that was reached. The last step has the refusal, or the rule that
// refused.
func (o *outcome) stepTree(i int, paint term.Painter) term.Tree {
	stage := steps[i].stage
	step := term.Tree{
		Text:   string(stage) + ": " + paint(term.Green, "ok") + " (" + steps[i].checked + ")",
		Leaves: o.step(stage, paint),
	}
	if i != o.reached {
		return step
	}
	step.Text = string(stage) + ": " + paint(term.Red, "refused")
	where := &step
	last := len(o.Rules) - 1
	if stage == delegation.StageRules && last >= 0 && o.Rules[last].Refused {
		where = &step.Leaves[last]
	}
	where.Leaves = append(where.Leaves, o.Refusal.leaves()...)
	return step
}

// step returns the leaves of a step that was reached.
func (o *outcome) step(stage delegation.Stage, paint term.Painter) (leaves []term.Tree) {
	switch {
	case stage == delegation.StageToken && o.Token != nil:
		leaves = appendTexts(leaves,
			"issuer", o.Token.Issuer,
			"subject", o.Token.Subject,
			"client ID", o.Token.ClientID)
		leaves = append(leaves, o.Token.more()...)
	case stage == delegation.StageTarget:
		for _, claim := range o.Claims {
			leaves = append(leaves, claim.tree(paint))
		}
	case stage == delegation.StageRules:
		for _, rule := range o.Rules {
			leaves = append(leaves, rule.tree(paint))
		}
		if len(o.Profile) > 0 { // after the rules, whose leaves are found by index
			leaves = append(leaves, term.Leaf("properties from the profile", o.Profile))
		}
	case stage == delegation.StageDecision && o.Decision != nil:
		leaves = o.Decision.leaves()
	}
	return leaves
}

// appendTexts adds a leaf for each pair of a name and a text that is not empty.
func appendTexts(leaves []term.Tree, pairs ...string) []term.Tree {
	for pair := range slices.Chunk(pairs, 2) {
		if name, text := pair[0], pair[1]; text != "" {
			leaves = append(leaves, term.Leaf(name, text))
		}
	}
	return leaves
}

// more returns what an access token adds, and who acts for the user. For an ID token without an
// actor, it returns nothing.
func (o *tokenOutcome) more() (leaves []term.Tree) {
	if o.Kind == delegation.TokenKindAccess {
		leaves = append(leaves, term.Leaf("kind", string(o.Kind)))
	}
	if len(o.Scopes) > 0 {
		leaves = append(leaves, term.Leaf("scopes", o.Scopes))
	}
	if o.Actor == nil {
		return leaves
	}
	leaves = appendTexts(leaves,
		"actor", o.Actor.Subject,
		"issuer of the actor", o.Actor.Issuer,
		"client of the actor", o.Actor.ClientID)
	if len(o.Actor.Prior) > 0 {
		leaves = append(leaves, term.Leaf("acted before", o.Actor.Prior))
	}
	return leaves
}

func (d *decisionOutcome) leaves() (leaves []term.Tree) {
	leaves = appendTexts(leaves,
		"role", d.Role,
		"SAML provider", d.Principal)
	for i, next := range d.Chain {
		leaves = append(leaves, next.tree(i+2))
	}
	leaves = append(leaves, term.Leaf("STS is called in", d.Regions))
	leaves = appendTexts(leaves,
		"session name", d.SessionName,
		"${saml:sub}", d.NameID,
		"encoding of ${saml:sub}", d.NameIDEncoding,
		"source identity", d.SourceIdentity,
		"SAML:iss", d.EntityID,
		"SAML:aud, the recipient", d.Recipient,
		"audience of the assertion", d.Audience)
	leaves = append(leaves, term.Leaf("session duration", d.Duration))
	if d.SessionEnd != nil {
		end := d.SessionEnd.Format(time.RFC3339)
		leaves = append(leaves, term.Leaf("session ends at the latest", end))
	}
	if d.Policy != "" {
		leaves = append(leaves, term.JSONLeaf("session policy", d.Policy))
	}
	if len(d.PolicyARNs) > 0 {
		leaves = append(leaves, term.Leaf("session policy ARNs", d.PolicyARNs))
	}
	if len(d.Scopes) > 0 {
		leaves = append(leaves, term.Leaf("requested scopes", d.Scopes))
	}
	for _, step := range d.Narrowing {
		leaves = append(leaves, term.Tree{Text: "narrowed: " + step.Why})
	}
	if d.PackedSize > 0 {
		leaves = append(leaves, term.Leaf("AWS's space for tags and policies, estimated",
			fmt.Sprintf("%d%%", d.PackedSize)))
	}
	return append(leaves, term.Leaf("SAML attributes", d.Attributes))
}

func (c chainOutcome) tree(hop int) term.Tree {
	t := term.Tree{Text: fmt.Sprintf("role %d: %s", hop, term.Shown(c.Role))}
	t.Leaves = appendTexts(t.Leaves, "external ID", c.ExternalID)
	if c.TrustPolicy != nil {
		t.Leaves = append(t.Leaves,
			term.JSONLeaf("its trust policy, as in", string(c.TrustPolicy)),
			term.JSONLeaf("a permission policy of the role before it, as in",
				string(c.Permission)))
	}
	return t
}

func (c claimOutcome) tree(paint term.Painter) term.Tree {
	state := paint(term.Green, "ok")
	if !c.Met {
		state = paint(term.Red, "not met")
	}
	t := term.Tree{Text: "the " + c.Of + " requires " + term.Shown(c.Claim) + ": " + state}
	t.Leaves = append(t.Leaves, term.Leaf("one of", c.Patterns))
	if len(c.Values) > 0 {
		t.Leaves = append(t.Leaves, term.Leaf("the token has", c.Values))
	}
	return t
}

func (r ruleOutcome) tree(paint term.Painter) term.Tree {
	t := term.Tree{Text: term.Shown(r.Name) + ": " + paint(term.Green, "ok")}
	if r.Refused {
		t.Text = term.Shown(r.Name) + ": " + paint(term.Red, "refused")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		if policy, ok := r.Set[name].(string); ok && name == "policy" {
			t.Leaves = append(t.Leaves, term.JSONLeaf("set policy", policy))
			continue
		}
		t.Leaves = append(t.Leaves, term.Leaf("set "+name, r.Set[name]))
	}
	for _, name := range r.ChangedUser {
		t.Leaves = append(t.Leaves, term.Leaf("changed the user's", name))
	}
	return t
}

func (o *trustOutcome) tree() term.Tree {
	return term.Tree{Text: "the role's trust policy must allow " + strings.Join(o.Actions, ", ") +
		", as in\n" + term.Printable(string(o.Document))}
}

func (r *refusalOutcome) leaves() []term.Tree {
	return []term.Tree{
		term.Leaf("code", string(r.Code)),
		{Text: "wrong: " + term.Escaped(r.Message)},
		{Text: "remedy: " + term.Escaped(config.ByKeys(r.Remedy))},
	}
}
