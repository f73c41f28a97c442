package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
)

// within parses the duration of require_recent_login.
func (b *Builder) within(at KeyPath, text string) time.Duration {
	before := len(b.problems)
	d := b.Duration(at, text)
	if d == 0 && len(b.problems) == before {
		b.Wrong(at, errors.New("must be how long ago a sign-in may be, such as 15m"))
	}
	return d
}

// notEmpty reports a rule with an empty list, which would refuse everybody.
func (b *Builder) notEmpty(at KeyPath, list []string) {
	if len(list) == 0 {
		b.Wrong(at,
			errors.New("is empty, which refuses every user: list a value, or remove the rule"))
	}
}

// tagsFromClaims makes the rule of tags_from_claims.
func (b *Builder) tagsFromClaims(at KeyPath, s map[string]ClaimSettings) delegation.RuleFunc {
	paths := map[string]string{}
	claims := map[string]delegation.ClaimText{}
	for key, claim := range s {
		claims[key] = delegation.ClaimText(claim)
		if claim.isPath() {
			paths[key] = claim.From
		}
	}
	if len(paths) == len(s) {
		return delegation.TagsFromClaims(paths)
	}
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		_, err := delegation.TagsFrom(map[string]delegation.ClaimText{key: claims[key]})
		b.addOfTag(at.Child(key), key, err)
	}
	rule, _ := delegation.TagsFrom(claims) // its errors are those added above
	return rule
}

// isPath tells whether a claim has only the path, as a plain text does.
func (s ClaimSettings) isPath() bool { return s == ClaimSettings{From: s.From} && s.From != "" }

// addOfTag adds the problems that delegation.TagsFrom has with one tag.
func (b *Builder) addOfTag(at KeyPath, key string, err error) {
	var e *delegation.Error
	if !errors.As(err, &e) {
		return
	}
	of := fmt.Sprintf("tag %.140q: ", key)
	for _, text := range strings.Split(e.Err.Error(), "\n") {
		text = strings.TrimPrefix(text, "TagsFrom: ")
		b.Add(at, errors.New(strings.TrimPrefix(text, of)))
	}
}

// sourceIdentity makes the rule of source_identity_from_claim.
func sourceIdentity(s ClaimSettings) (delegation.RuleFunc, error) {
	if s.isPath() {
		return delegation.SourceIdentityFromClaim(s.From), nil
	}
	return delegation.SourceIdentityFrom(delegation.ClaimText(s))
}

// nameKeys are the keys of names that may be templates, in targets and in rules.
var nameKeys = []string{"source_identity", "session_name", "name_id"}

// nameFrom makes the rule that sets one name from a template.
func (b *Builder) nameFrom(at KeyPath, key, template string) delegation.RuleFunc {
	var names delegation.NameTemplates
	switch key {
	case "source_identity":
		names.SourceIdentity = template
	case "session_name":
		names.SessionName = template
	case "name_id":
		names.NameID = template
	}
	if template == "" {
		b.Wrong(at.Child(key), errors.New("is empty: set a value, or remove the key"))
	}
	rule, err := delegation.NamesFrom(names)
	b.Add(at, err)
	return rule
}

// name returns the text or template at one of nameKeys; "" if there is none.
func (s TargetSettings) name(key string) string {
	switch key {
	case "source_identity":
		return s.SourceIdentity
	case "session_name":
		return s.SessionName
	case "name_id":
		return s.NameID
	}
	return ""
}

// name returns the template at one of nameKeys; nil if there is none.
func (s RuleSettings) name(key string) *string {
	switch key {
	case "source_identity":
		return s.SourceIdentity
	case "session_name":
		return s.SessionName
	case "name_id":
		return s.NameID
	}
	return nil
}

// unlessTemplate returns a name unless it is a template, which is for rules.
func unlessTemplate(name string) string {
	if isTemplate(name) {
		return ""
	}
	return name
}

func isTemplate(name string) bool { return strings.Contains(name, "{{") }

// targetNames makes rules from the names of targets that are templates, one rule for each key.
func (b *Builder) targetNames(targets map[string]TargetSettings) (rules []delegation.RuleFunc) {
	for _, key := range nameKeys {
		byID := map[string]delegation.RuleFunc{}
		for _, name := range slices.Sorted(maps.Keys(targets)) {
			template := targets[name].name(key)
			if !isTemplate(template) {
				continue
			}
			at := KeyPath("targets").Child(name)
			id := targets[name].id(name)
			rule := b.nameFrom(at, key, template)
			byID[id] = delegation.Named(string(at.Child(key)), rule)
			if other := sharing(targets, id, key, template); other != "" {
				b.Wrong(at.Child(key), fmt.Errorf("rules cannot tell this target from %.80q, "+
					"which has the same id: give it the same %s", other, key))
			}
		}
		if len(byID) > 0 {
			rules = append(rules, delegation.Named("targets.*."+key, delegation.PerTarget(byID)))
		}
	}
	return rules
}

// sharing finds a target that has the same id, but another name at the key.
func sharing(targets map[string]TargetSettings, id, key, template string) string {
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if targets[name].id(name) == id && targets[name].name(key) != template {
			return name
		}
	}
	return ""
}
