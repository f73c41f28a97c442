package setup

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// HopFlag is the help text of --hop, for each command that has it.
const HopFlag = "`number` of the role in the target's chain: 1 is role, 2 the first of chain"

// Hop is a role of a target with a chain: 1 is the target's role, and 2 the first of its chain.
type Hop struct {
	// ConfigFile is the file of the configuration.
	ConfigFile string

	// Target is a key under targets of the configuration.
	Target string

	// Number counts from 1.
	Number int
}

// TrustPolicy returns the trust policy of a role that the previous role assumes, so Number is 2 or
// more.
func (h Hop) TrustPolicy(environment []string) (policy string, notes []string, err error) {
	e, notes, err := h.explanation(environment)
	if err != nil {
		return "", nil, err
	}
	list, err := e.ChainTrustPolicies()
	if err != nil {
		return "", nil, config.Usage(Plain(err))
	}
	policy = list[h.Number-2]
	if err := CheckCharacters(policy); err != nil {
		return "", nil, config.Usage(err)
	}
	return policy, notes, nil
}

// PermissionPolicy returns the policy that a role needs to assume the next one. The last role
// assumes none.
func (h Hop) PermissionPolicy(environment []string) (policy string, notes []string, err error) {
	e, notes, err := h.explanation(environment)
	if err != nil {
		return "", nil, err
	}
	if h.Number > len(e.Chain) {
		return "", nil, config.Usagef("--hop: role %d is the last of the chain and assumes no "+
			"other: set what it may do with --bucket or --template", h.Number)
	}
	list, err := e.ChainPermissionPolicies()
	if err != nil {
		return "", nil, config.Usage(Plain(err))
	}
	return list[h.Number-1], notes, nil
}

// explanation collects what the policies are made of, from the configuration alone.
func (h Hop) explanation(environment []string) (*delegation.Explanation, []string, error) {
	if h.Target == "" {
		return nil, nil, config.Usagef("--hop: needs --target, for its chain")
	}
	settings, from, err := LoadTarget(h.ConfigFile, h.Target, environment)
	if err != nil {
		return nil, nil, err
	}
	target := settings.Targets[h.Target]
	at := config.KeyPath("targets").Child(h.Target)
	if len(target.Chain) == 0 {
		return nil, nil, config.Usagef("%s: has no chain: leave out --hop", from.At(at))
	}
	if h.Number < 1 || h.Number > len(target.Chain)+1 {
		return nil, nil, config.Usagef("--hop: %d is not one of the %d roles of %s",
			h.Number, len(target.Chain)+1, from.At(at.Child("chain")))
	}
	uses := UseOf(settings, h.Target)
	e := &delegation.Explanation{Role: target.Role, Actions: []string{"sts:AssumeRole"}}
	for _, next := range target.Chain {
		e.Chain = append(e.Chain, delegation.ChainedRole(next))
	}
	var notes []string
	if uses.JavaScript != "" {
		notes = append(notes, fmt.Sprintf("%s: what JavaScript rules set cannot be seen from "+
			"here, so the policy lets session tags of any key through. If they choose other roles, "+
			"the second role must trust these too", from.At(uses.JavaScript)))
	}
	if h.Number <= 2 {
		notes = append(notes, firstRoles(target, uses)...)
	}
	if uses.Tags || uses.JavaScript != "" {
		e.Actions = append(e.Actions, "sts:TagSession")
	}
	if uses.JavaScript == "" {
		e.TagKeys = tagKeys(settings, h.Target)
	}
	return e, notes, nil
}

// firstRoles notes which roles other than the target's users can have at the beginning of the
// chain. The policies are for the target's role.
func firstRoles(target config.TargetSettings, uses Use) (notes []string) {
	if others := othersThan(target.Role, uses); len(others) > 0 {
		notes = append(notes, fmt.Sprintf("%s may choose other roles than %s: the second role must "+
			"trust these too, and they need the same permission policy: %s",
			whoChooses(target), target.Role, strings.Join(others, ", ")))
	}
	if takesFromTokens(target) {
		notes = append(notes, target.OpenRoles()+": the second role must trust each of them, and "+
			"they need the same permission policy")
	}
	return notes
}

// othersThan returns the other roles that the settings name, sorted.
func othersThan(role string, uses Use) (others []string) {
	for _, c := range uses.Choices {
		if c.Role != role {
			others = append(others, c.Role)
		}
	}
	slices.Sort(others)
	return slices.Compact(others)
}

// tagKeys returns the keys of the session tags that the target and its rules set and that persist
// through the chain, sorted.
func tagKeys(s *config.Settings, name string) []string {
	target := s.Targets[name]
	keys := actorTag(target)
	if len(target.TransitiveTagKeys) > 0 {
		return sortedKeys(append(keys, target.TransitiveTagKeys...))
	}
	keys = slices.AppendSeq(keys, maps.Keys(target.Tags))
	for attribute := range target.Mappings {
		if key, is := strings.CutPrefix(attribute, delegation.AttributePrincipalTag); is {
			keys = append(keys, key)
		}
	}
	for _, rule := range s.Rules {
		if len(rule.Targets) > 0 && !slices.Contains(rule.Targets, name) {
			continue
		}
		keys = slices.AppendSeq(keys, maps.Keys(rule.TagsFromClaims))
	}
	return sortedKeys(keys)
}

func sortedKeys(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// actorTag returns the key of the tag that shows an actor, which always persists through the chain;
// nil: no tag does.
func actorTag(target config.TargetSettings) []string {
	actors := target.Actors
	if actors == nil || delegation.ActorPlace(actors.Place) != delegation.ActorInTag {
		return nil
	}
	return []string{cmp.Or(actors.TagKey, "Actor")} // delegation.Actors has this default
}

// rolePolicy is the permission policy of a target's role. If the target has a chain, the role only
// assumes the next one: the last role decides what users may do.
func (o *Options) rolePolicy(
	made *Resources, target config.TargetSettings, environment []string,
) (policy string, notes []string, err error) {
	if len(target.Chain) == 0 {
		return o.Policy(made.Region, made.Role.AccountID)
	}
	if o.Bucket+o.For+o.Template != "" {
		return "", nil, config.Usagef("the target %.80q has a chain, and its first role only "+
			"assumes the next: leave out --bucket, --for and --template, and give the last role "+
			"the policy that permission-policy prints for the target", o.Target)
	}
	first := Hop{ConfigFile: o.ConfigFile, Target: o.Target, Number: 1}
	return first.PermissionPolicy(environment)
}

// AtEndOf adapts a policy that names users by the NameID to the last role of the target's chain,
// which knows only the source identity. Without a chain, the policy stays as it is.
func AtEndOf(target config.TargetSettings, policy string) string {
	if len(target.Chain) == 0 {
		return policy
	}
	return strings.ReplaceAll(policy, "${saml:sub}", "${aws:SourceIdentity}")
}

// LastRole is the ARN of the role whose credentials the target's users get.
func LastRole(target config.TargetSettings) string {
	if n := len(target.Chain); n > 0 {
		return target.Chain[n-1].RoleARN
	}
	return target.Role
}

// chainNotes say which other policies a target with a chain needs.
func chainNotes(target config.TargetSettings) []string {
	if len(target.Chain) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the target has a chain: --hop 2 to --hop %d print the trust "+
		"policies of its other roles, and permission-policy --hop 1 to --hop %d what each role "+
		"needs to assume the next", len(target.Chain)+1, len(target.Chain))}
}
