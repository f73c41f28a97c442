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
	// Claim is the name as in RequiredClaims.
	Claim string
	// Of says whose RequiredClaims this is: "issuer" or "target".
	Of string
	// Patterns are regular expressions of which one must match.
	Patterns []string
	// Values are the token's. They are empty if the claim is absent, null or of another type.
	Values []string
	// Met tells whether a pattern matches a value.
	Met bool
}

// requiredClaim is an entry of RequiredClaims, compiled.
type requiredClaim struct {
	name     string
	of       string // as ClaimCheck.Of
	texts    []string
	patterns []*regexp.Regexp // of texts
}

// compileClaims compiles RequiredClaims of an issuer or a target, in the order of their names.
func compileClaims(required map[string][]string, of string) ([]requiredClaim, error) {
	if len(required) == 0 { // as of most of a service's 100,000 targets
		return nil, nil
	}
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

// compileWhole compiles a pattern that must match the whole of a text. It compiles the pattern
// alone first: the wrapping must not turn something like "a)|(b" into a valid pattern.
func compileWhole(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, errors.New("the pattern is empty")
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return nil, err
	}
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}

// compare looks at the claims of the token alone, and at nothing that a profile loader or a rule
// adds.
func (r *requiredClaim) compare(claims map[string]any) ClaimCheck {
	value, _ := jsonvalue.Lookup(claims, r.name)
	values, _ := jsonvalue.Texts(value) // none of a value of another type
	return ClaimCheck{
		Claim:    r.name,
		Of:       r.of,
		Patterns: slices.Clone(r.texts),
		Values:   values,
		Met:      r.matches(values),
	}
}

// matches tells whether a pattern matches one of the values.
func (r *requiredClaim) matches(values []string) bool {
	return slices.ContainsFunc(r.patterns, func(pattern *regexp.Regexp) bool {
		return slices.ContainsFunc(values, pattern.MatchString)
	})
}

// requireClaims checks what issuer and target require of the token, and notes every check.
func (x *exchange) requireClaims(ofTarget []requiredClaim) error {
	required := slices.Concat(x.issuerClaims[x.claims.Entry], ofTarget)
	checks, err := checkRequired(required, x.claims.All)
	x.claimChecks = checks
	return err
}

// checkRequired checks the claims of a token, and returns every check that was made.
func checkRequired(required []requiredClaim, claims map[string]any) ([]ClaimCheck, error) {
	var checks []ClaimCheck
	for i := range required {
		name, found := jsonvalue.Lookalike(claims, required[i].name)
		if found {
			return checks, newError(CodeTokenFoldedName,
				"the claim %.80q differs only by case from %.80q, which the %s requires",
				name, required[i].name, required[i].of)
		}
		checks = append(checks, required[i].compare(claims))
	}
	return checks, requireMet(checks)
}

// requireMet refuses the first claim that is not as it is required.
func requireMet(checks []ClaimCheck) error {
	unmet := slices.IndexFunc(checks, func(c ClaimCheck) bool { return !c.Met })
	if unmet < 0 {
		return nil
	}
	c := checks[unmet]
	if len(c.Values) == 0 {
		return newError(CodeRequiredClaim,
			"the %s requires the claim %.80q, which the token does not have as text", c.Of, c.Claim)
	}
	return newError(CodeRequiredClaim,
		"the %s requires the claim %.80q, and no pattern matches the token's", c.Of, c.Claim)
}

// matchesAnything tells whether a pattern leaves nobody out, as far as a few texts that have
// nothing in common can show.
func matchesAnything(pattern *regexp.Regexp) bool {
	for _, text := range []string{"a", "Z9", "0", "x.y/z:w", "someone-else@example.org", "é ü"} {
		if !pattern.MatchString(text) {
			return false
		}
	}
	return true
}
