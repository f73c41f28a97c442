package delegation

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// slashRemedy says what ends the warning of slashes.
const slashRemedy = "set Target.NameIDEncoding to escaped or hashed if a policy of the role uses " +
	"${saml:sub}, or Target.SubjectNamesNothing to true if none does"

// checkSubjects warns of each issuer whose subjects are known to have slashes, if there are targets
// that take them as they are and do not say what is named after them. It is one warning for all of
// an issuer's targets: a service may have 100,000. A rule that is not of this package may set
// NameIDs without slashes, so with one there is no warning before a slash is seen.
func (c *Config) checkSubjects(
	rules knownRules, known *knownTargets,
) (results []CheckResult) {
	ofOthers := func(rule knownRule) bool { return rule.readyMade == nil || rule.foreign }
	if slices.ContainsFunc(rules.list, ofOthers) {
		return nil
	}
	for i := range c.Issuers {
		issuer := &c.Issuers[i]
		n, first := c.targetsOfSlashes(issuer, known)
		if n == 0 {
			continue
		}
		which := fmt.Sprintf("in the target %.80q", first)
		if n > 1 {
			which = fmt.Sprintf("in %d targets, such as %.80q,", n, first)
		}
		results = append(results, CheckResult{
			Name:     "subjects of " + issuer.URL,
			Kind:     CheckIssuer,
			Issuer:   issuer.URL,
			Degrades: true,
			Warnings: []CheckWarning{{
				Code: WarningNameIDSlash,
				Text: "they have slashes, and " + which + " a folder that a policy names after " +
					"${saml:sub} can be inside another user's",
				Remedy:     slashRemedy,
				Field:      fmt.Sprintf("Targets[%q]", first),
				Configured: true,
			}},
		})
	}
	return results
}

// targetsOfSlashes counts the targets that take subjects with slashes of the issuer as they are,
// and names the first.
func (c *Config) targetsOfSlashes(issuer *Issuer, known *knownTargets) (n int, first string) {
	targets := c.fixedTargets()
	count := func(name string) {
		target := targets[name]
		if !target.takesSubjects() || !target.takes(issuer, len(c.Issuers) == 1) {
			return
		}
		if n == 0 || name < first {
			first = name
		}
		n++
	}
	if issuer.hasSlashes() {
		for name := range targets {
			count(name)
		}
		return n, first
	}
	for name := range known.claims { // few targets require a sub
		if isOfSlashes(targets[name].RequiredClaims["sub"]) {
			count(name)
		}
	}
	return n, first
}

// checkEncodings warns of each role whose targets write NameIDs differently: a user then has two
// folders, and a NameID that one target takes as it is can equal another user's encoding.
func (c *Config) checkEncodings(known *knownTargets) (results []CheckResult) {
	if !known.encodes {
		return nil
	}
	targets := c.fixedTargets()
	encodings := map[string]NameIDEncoding{} // by role
	differ := map[string]bool{}
	for _, target := range targets {
		if target.SubjectNamesNothing {
			continue
		}
		for role := range target.named {
			encoding, seen := encodings[role]
			if seen && encoding != target.NameIDEncoding {
				differ[role] = true
			}
			encodings[role] = target.NameIDEncoding
		}
	}
	for _, role := range slices.Sorted(maps.Keys(differ)) {
		results = append(results, CheckResult{
			Name:     "NameIDs in " + role,
			Kind:     CheckRole,
			Degrades: true,
			Warnings: []CheckWarning{{
				Code: WarningNameIDsDiffer,
				Text: "targets of this role encode NameIDs differently, so that a user has two " +
					"folders, and one user's NameID can be another's",
				Remedy: "give all targets of the role the same Target.NameIDEncoding, or roles " +
					"and folders of their own",
				Configured: true,
			}},
		})
	}
	return results
}

// takesSubjects tells whether the target sends subjects to AWS as they are, and has not said that
// nothing is named after them.
func (t *Target) takesSubjects() bool {
	return t.NameIDEncoding == "" && !t.SubjectNamesNothing && t.NameID == "" &&
		!t.NameIDFromMapping
}

// hasSlashes tells whether subjects of the issuer have slashes: by the pattern that they must
// match, or because the provider writes them so. docs/provider-NAME.md has the sources.
func (i *Issuer) hasSlashes() bool {
	u, err := url.Parse(i.URL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	switch {
	case host == "token.actions.githubusercontent.com",
		strings.HasPrefix(host, "token.actions.") && strings.HasSuffix(host, ".ghe.com"),
		host == "oidc.circleci.com",
		host == "agent.buildkite.com",
		host == "login.salesforce.com", host == "test.salesforce.com":
		return true
	}
	return isOfSlashes(i.RequiredClaims["sub"])
}

// isOfSlashes tells whether one of the patterns of a required claim begins with a text that has a
// slash.
func isOfSlashes(patterns []string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return false // New refuses it
		}
		begins, _ := compiled.LiteralPrefix()
		return strings.Contains(begins, "/")
	})
}

// addSlashes adds the targets in which a NameID with a slash was seen recently.
func (l *checks) addSlashes(targets []string) {
	for _, name := range targets {
		warning := CheckWarning{
			Code: WarningNameIDSlash,
			Text: "users have a NameID with a slash, and a folder that a policy names after " +
				"${saml:sub} can be inside another user's",
			Remedy: slashRemedy,
		}
		l.addResult(CheckResult{
			Name:     "NameIDs of " + plainName(name),
			Kind:     CheckTarget,
			Target:   name,
			Degrades: true,
			Warnings: []CheckWarning{warning},
		})
	}
}
