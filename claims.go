package delegation

import (
	"errors"
	"maps"
	"regexp"
	"slices"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

// ClaimCheck is one required claim of an issuer or a target, and whether a token meets it.
type ClaimCheck struct {
	Claim    string   // as in RequiredClaims
	Of       string   // whose RequiredClaims: "issuer" or "target"
	Patterns []string // of which one must match
	Values   []string // the token's; empty if the claim is absent, null or of another type
	Met      bool     // whether a pattern matches a value
}

// requiredClaim is an entry of RequiredClaims, compiled.
type requiredClaim struct {
	name, of string
	texts    []string
	patterns []*regexp.Regexp
}

// compileClaims compiles RequiredClaims of an issuer or a target, in the order of their names.
func compileClaims(required map[string][]string, of string) ([]requiredClaim, error) {
	var problems problems
	var list []requiredClaim
	for _, name := range slices.Sorted(maps.Keys(required)) {
		claim := requiredClaim{name: name, of: of, texts: slices.Clone(required[name])}
		if name == "" || len(claim.texts) == 0 {
			problems.add("RequiredClaims[%q]: it needs a claim and a pattern", name)
		}
		for _, text := range claim.texts {
			pattern, err := compileWhole(text)
			if err != nil {
				problems.add("RequiredClaims[%q]: %w", name, err)
			}
			claim.patterns = append(claim.patterns, pattern)
		}
		list = append(list, claim)
	}
	return list, errors.Join(problems...)
}

// compileWhole compiles a pattern that must match the whole of a text. It is compiled alone first:
// the wrapping must not make a pattern of something like "a)|(b".
func compileWhole(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, errors.New("the pattern is empty")
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// check looks at the claims of the token alone: nothing that a profile loader or a rule adds.
func (r *requiredClaim) check(claims map[string]any) ClaimCheck {
	value, _ := jsonvalue.Lookup(claims, r.name)
	values, _ := jsonvalue.Texts(value) // none of a value of another type
	c := ClaimCheck{Claim: r.name, Of: r.of, Patterns: slices.Clone(r.texts), Values: values}
	for _, pattern := range r.patterns {
		c.Met = c.Met || slices.ContainsFunc(values, pattern.MatchString)
	}
	return c
}

// requireClaims checks what issuer and target ask of the token, and notes all of it.
func (x *exchange) requireClaims() error {
	required := slices.Concat(x.issuerClaims[x.claims.Issuer], x.claimsOf(x.name, x.target))
	for i := range required {
		x.claimed = append(x.claimed, required[i].check(x.claims.All))
	}
	unmet := slices.IndexFunc(x.claimed, func(c ClaimCheck) bool { return !c.Met })
	if unmet < 0 {
		return nil
	}
	c := x.claimed[unmet]
	if len(c.Values) == 0 {
		return newError(CodeRequiredClaim,
			"the %s requires the claim %.80q, which the token does not have as text", c.Of, c.Claim)
	}
	return newError(CodeRequiredClaim,
		"the %s requires the claim %.80q, and no pattern matches the token's", c.Of, c.Claim)
}

// matchesAnything tells whether a pattern leaves nobody out, as far as a few texts show that have
// nothing in common.
func matchesAnything(pattern *regexp.Regexp) bool {
	for _, text := range []string{"a", "Z9", "0", "x.y/z:w", "someone-else@example.org", "é ü"} {
		if !pattern.MatchString(text) {
			return false
		}
	}
	return true
}
