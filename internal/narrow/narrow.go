// Package narrow makes session policies of which each allows what two others both allow.
//
// AWS has no way to say that. Session policies, inline and managed, are one set, in which any Allow
// counts (IAM User Guide, "Policies and permissions in IAM" and "Policy evaluation logic"), so
// another policy in the set widens it. An explicit Deny wins over all of them. So this package
// writes down what one of the two policies does not allow, exactly, as Deny statements, and adds
// them to the other.
package narrow

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Set is the session policies of a session: what any of them allows, and none of them denies. The
// zero Set is no session policy, which limits nothing.
type Set struct {
	// Document is the inline policy. Empty: none.
	Document string
	// ARNs are the managed policies, of which only AWS knows what they say.
	ARNs []string
}

// IsNone tells whether there is no session policy.
func (s Set) IsNone() bool { return s.Document == "" && len(s.ARNs) == 0 }

// Known returns the value that a policy variable, such as saml:sub, has in every request of the
// session. False: it may be absent, or have another value.
type Known func(variable string) (value string, ok bool)

// Intersection is a set that allows what two others both allow.
type Intersection struct {
	Set
	// OfAsked says that it is the asked set with denials of what the decided one does not allow,
	// and not the decided one with denials of what the asked one does not allow.
	OfAsked bool
}

// Intersect returns sets that allow a request if both of the given ones do, and no other. They are
// equally good: there may be two because one may be too long for AWS.
//
// It is an error if neither set can be written down as denials. Neither may be the zero Set.
func Intersect(decided, asked Set, known Known) ([]Intersection, error) {
	var sets []Intersection
	forward, err := with(decided, asked, known)
	if err == nil {
		sets = append(sets, Intersection{Set: forward})
	}
	backward, other := with(asked, decided, known)
	if other == nil {
		sets = append(sets, Intersection{Set: backward, OfAsked: true})
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("what the requested policy does not allow cannot be denied: %w; "+
			"nor can what the decided one does not allow: %w", err, other)
	}
	return sets, nil
}

// with returns the first set with denials of what the second one does not allow.
func with(kept, denied Set, known Known) (Set, error) {
	if len(denied.ARNs) > 0 {
		return Set{}, errors.New("it has managed policies, and only AWS knows what they allow")
	}
	other, err := Parse(denied.Document)
	if err != nil {
		return Set{}, err
	}
	policy := &Policy{}
	if kept.Document != "" {
		if policy, err = Parse(kept.Document); err != nil {
			return Set{}, fmt.Errorf("the policy that would have the denials: %w", err)
		}
	}
	if err := cmp.Or(policy.upgradable(), other.upgradable()); err != nil {
		return Set{}, err
	}
	denials, err := other.denials(known)
	if err != nil {
		return Set{}, err
	}
	all := slices.Concat(policy.statements, denials)
	if len(all) == 0 { // managed policies only, and the other policy allows everything
		return kept, nil
	}
	return Set{Document: encode(all), ARNs: kept.ARNs}, nil
}

// Union returns a policy that has the statements of all. What one of them denies, it denies. It is
// an error if one cannot be read, or if they are of versions that do not go together.
func Union(documents []string) (string, error) {
	if len(documents) == 1 {
		return documents[0], nil
	}
	var all []statement
	for _, document := range documents {
		policy, err := Parse(document)
		if err == nil {
			err = policy.upgradable()
		}
		if err != nil {
			return "", err
		}
		for _, s := range policy.statements {
			all = append(all, s.withoutSid()) // Sids are unique in a policy
		}
	}
	return encode(all), nil
}

// Same tells whether two sets have the same content, so that they allow the same.
func Same(a, b Set) bool {
	if !slices.Equal(sorted(a.ARNs), sorted(b.ARNs)) {
		return false
	}
	if a.Document == b.Document {
		return true
	}
	one, err := Parse(a.Document)
	if err != nil {
		return false
	}
	other, err := Parse(b.Document)
	return err == nil && one.variables == other.variables &&
		encode(one.statements) == encode(other.statements)
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// expanded returns a pattern for resources in which every variable is replaced by its value.
//
// "If AWS cannot resolve a variable this might cause the entire statement to be invalid" (IAM User
// Guide, "IAM policy elements: Variables and tags"). In an Allow that grants nothing; a Deny would
// deny nothing.
func expanded(pattern string, known Known) (string, error) {
	var text strings.Builder
	rest := pattern
	for {
		before, after, found := strings.Cut(rest, "${")
		text.WriteString(before)
		if !found {
			return text.String(), nil
		}
		name, after, closed := strings.Cut(after, "}")
		if !closed {
			return "", fmt.Errorf("the resource %.200q has a variable without an end", pattern)
		}
		rest = after
		if name == "*" || name == "?" || name == "$" { // these stand for themselves
			text.WriteString("${" + name + "}")
			continue
		}
		value, ok := known(name)
		if !ok {
			return "", fmt.Errorf("the resource %.200q has the variable ${%.80s}, which a request "+
				"may not have", pattern, name)
		}
		// AWS takes variables "after the fifth colon" only.
		if strings.Count(text.String(), ":") < 5 {
			return "", fmt.Errorf("the resource %.200q has a variable before the fifth colon",
				pattern)
		}
		text.WriteString(verbatim.Replace(value))
	}
}

// verbatim writes a value so that a policy reads it as plain text.
var verbatim = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")
