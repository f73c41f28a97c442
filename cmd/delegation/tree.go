package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seed055b7978/delegation"
)

// tree is a line with what belongs to it, a block of lines or leaves. It has no columns, so that neither long values nor wide characters put
// anything out of place, and values are whole, so that they can be copied. Its guides are ASCII, which every terminal and log shows as wide as it is.
type tree struct {
	text   string
	leaves []tree
}

func (t tree) print(b *strings.Builder, first, rest string) {
	line, block, _ := strings.Cut(t.text, "\n")
	b.WriteString(first + line + "\n")
	for line := range strings.Lines(block) {
		b.WriteString(rest + "   " + strings.TrimSuffix(line, "\n") + "\n")
	}
	for i, leaf := range t.leaves {
		if i == len(t.leaves)-1 {
			leaf.print(b, rest+"`- ", rest+"   ")
		} else {
			leaf.print(b, rest+"|- ", rest+"|  ")
		}
	}
}

// painter colours words of ours, or does not, see surroundings.painter.
type painter func(colour, string) string

// tree returns the outcome for people.
func (o *outcome) tree(paint painter) string {
	root := tree{text: shown(o.Target) + ": " + paint(green, "allowed")}
	if o.Refusal != nil {
		root.text = shown(o.Target) + ": " + paint(red, "refused")
	}
	for i := range min(o.reached+1, len(steps)) {
		stage := steps[i].stage
		step := tree{text: string(stage) + ": " + paint(green, "ok") + " (" + steps[i].checked + ")", leaves: o.step(stage, paint)}
		if i == o.reached {
			step.text = string(stage) + ": " + paint(red, "refused")
			where := &step
			if n := len(o.Rules); stage == delegation.StageRules && n > 0 && o.Rules[n-1].Refused {
				where = &step.leaves[n-1]
			}
			where.leaves = append(where.leaves, o.Refusal.leaves()...)
		}
		root.leaves = append(root.leaves, step)
	}
	if o.TrustPolicy != nil {
		text := "the role's trust policy must allow " + strings.Join(o.TrustPolicy.Actions, ", ") + ", as in\n" + printable(string(o.TrustPolicy.Document))
		root.leaves = append(root.leaves, tree{text: text})
	}
	for _, warning := range o.Warnings {
		root.leaves = append(root.leaves, tree{text: paint(yellow, "warning") + ": " + escaped(warning)})
	}
	var b strings.Builder
	root.print(&b, "", "")
	return b.String()
}

// step returns what is to be said of one step that was reached.
func (o *outcome) step(stage delegation.Stage, paint painter) (leaves []tree) {
	add := func(name, value string) {
		if value != "" {
			leaves = append(leaves, leaf(name, value))
		}
	}
	switch {
	case stage == delegation.StageToken && o.Token != nil:
		add("issuer", o.Token.Issuer)
		add("subject", o.Token.Subject)
		add("client ID", o.Token.ClientID)
	case stage == delegation.StageTarget:
		for _, claim := range o.Claims {
			leaves = append(leaves, claim.tree(paint))
		}
	case stage == delegation.StageRules:
		for _, rule := range o.Rules {
			leaves = append(leaves, rule.tree(paint))
		}
	case stage == delegation.StageDecision && o.Decision != nil:
		d := o.Decision
		add("role", d.Role)
		add("SAML provider", d.Principal)
		leaves = append(leaves, leaf("STS is called in", d.Regions))
		add("session name", d.SessionName)
		add("${saml:sub}", d.NameID)
		add("source identity", d.SourceIdentity)
		add("SAML:iss", d.EntityID)
		add("SAML:aud, the recipient", d.Recipient)
		add("audience of the assertion", d.Audience)
		leaves = append(leaves, leaf("session duration", d.Duration))
		if d.SessionEnd != nil {
			add("session ends at the latest", d.SessionEnd.Format(time.RFC3339))
		}
		if d.Policy != "" {
			leaves = append(leaves, policyLeaf("session policy", d.Policy))
		}
		if len(d.PolicyARNs) > 0 {
			leaves = append(leaves, leaf("session policy ARNs", d.PolicyARNs))
		}
		leaves = append(leaves, leaf("SAML attributes", d.Attributes))
	}
	return leaves
}

func (c claimOutcome) tree(paint painter) tree {
	state := paint(green, "ok")
	if !c.Met {
		state = paint(red, "not met")
	}
	t := tree{text: "the " + c.Of + " requires " + shown(c.Claim) + ": " + state}
	t.leaves = append(t.leaves, leaf("one of", c.Patterns))
	if len(c.Values) > 0 {
		t.leaves = append(t.leaves, leaf("the token has", c.Values))
	}
	return t
}

func (r ruleOutcome) tree(paint painter) tree {
	t := tree{text: shown(r.Name) + ": " + paint(green, "ok")}
	if r.Refused {
		t.text = shown(r.Name) + ": " + paint(red, "refused")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Set)) {
		if policy, ok := r.Set[name].(string); ok && name == "policy" {
			t.leaves = append(t.leaves, policyLeaf("set policy", policy))
			continue
		}
		t.leaves = append(t.leaves, leaf("set "+name, r.Set[name]))
	}
	for _, name := range r.ChangedUser {
		t.leaves = append(t.leaves, leaf("changed the user's", name))
	}
	return t
}

func (r *refusalOutcome) leaves() []tree {
	return []tree{leaf("code", string(r.Code)), {text: "wrong: " + escaped(r.Message)}, {text: "remedy: " + escaped(byKeys(r.Remedy))}}
}

// leaf is a name of ours and a value that a stranger may have chosen.
func leaf(name string, value any) tree {
	t := tree{text: name + ":"}
	switch v := value.(type) {
	case string:
		if v != "" {
			t.text += " " + shown(v)
		}
	case []string:
		if len(v) == 1 {
			return leaf(name, v[0])
		}
		for _, one := range v {
			t.leaves = append(t.leaves, tree{text: shown(one)})
		}
	case delegation.Mappings:
		t.leaves = leavesOf(v)
	case map[string]string:
		t.leaves = leavesOf(v)
	case map[string][]string:
		t.leaves = leavesOf(v)
	default: // a number or a truth value
		t.text += fmt.Sprintf(" %v", v)
	}
	if t.text == name+":" && len(t.leaves) == 0 {
		t.text += " (none)"
	}
	return t
}

func leavesOf[M ~map[string]V, V any](m M) (leaves []tree) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		leaves = append(leaves, leaf(shown(name), m[name]))
	}
	return leaves
}

// policyLeaf shows a policy as a block, if it is JSON.
func policyLeaf(name, policy string) tree {
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(policy), "", "  ") != nil {
		return leaf(name, policy)
	}
	return tree{text: name + ":\n" + printable(indented.String())}
}

// shown is a value as it is, if it is of the characters of ARNs, URLs and user names, and otherwise in quotes, with all that a terminal might
// obey escaped.
func shown(value string) string {
	if value != "" && strings.IndexFunc(value, needsQuotes) < 0 {
		return value
	}
	return fmt.Sprintf("%q", value)
}

func needsQuotes(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:/|@+=,-${}?&#~%*[]", r))
}

// escaped is a sentence on one line, with all that a terminal might obey escaped as in quotes, but without them.
func escaped(sentence string) string {
	var b strings.Builder
	for _, r := range sentence {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", r) // in single quotes
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
