package delegation

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/internal/narrow"
	"github.com/seed055b7978/delegation/internal/session"
)

// Scope is a prepared session policy of a [Target], which callers request by its name with
// [WithScope]. It needs a Policy, PolicyARNs or both. The scope is everything that any of them
// allows.
type Scope struct {
	// Policy is an inline session policy in JSON, of at most 2,048 characters together with
	// PolicyARNs. Empty: only PolicyARNs.
	Policy string
	// PolicyARNs are managed session policies, at most 10. Only AWS knows what they allow, so a
	// scope with managed policies cannot be combined with every decided policy; see [WithScope].
	PolicyARNs []string
	// Combined says that the scope allows nothing that the target's own Policy and PolicyARNs do
	// not allow, so that it can replace them. This is not checked: the operator is responsible. It
	// has an effect only if no rule changed these two fields. False: the scope is combined with the
	// decision.
	Combined bool
}

// set is the scope's policies as a set.
func (s *Scope) set() narrow.Set { return narrow.Set{Document: s.Policy, ARNs: s.PolicyARNs} }

func cloneScopes(scopes map[string]Scope) map[string]Scope {
	copied := maps.Clone(scopes)
	for name, scope := range copied {
		scope.PolicyARNs = slices.Clone(scope.PolicyARNs)
		copied[name] = scope
	}
	return copied
}

// maxScopeName is how long the name of a scope may be, in characters.
const maxScopeName = 128

// isScopeName tells whether a text is a scope-token (RFC 6749 §3.3), so that a client can ask for
// it in a list with spaces.
func isScopeName(name string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	return name != "" && len(name) <= maxScopeName && !strings.ContainsFunc(name, odd)
}

// checkScopes checks the prepared policies, each by itself. Whether AWS takes their ARNs depends on
// the role.
func (t *Target) checkScopes(problems *problems) {
	if len(t.Scopes) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(t.Scopes)) {
		scope := t.Scopes[name]
		if err := scope.check(name); err != nil {
			problems.add("Scopes[%q]: %w", name, err)
		}
	}
}

func (s *Scope) check(name string) error {
	if !isScopeName(name) {
		return fmt.Errorf("the name does not have 1 to %d printable characters of ASCII, without "+
			"spaces, quotation marks and backslashes, as names of OAuth scopes have", maxScopeName)
	}
	if s.set().IsNone() {
		return errors.New("neither Policy nor PolicyARNs is set")
	}
	if err := session.CheckPolicyTexts(s.Policy, s.PolicyARNs); err != nil {
		return err
	}
	if s.Policy == "" {
		return nil
	}
	if _, err := narrow.Parse(s.Policy); err != nil {
		return fmt.Errorf("Policy: %w", err)
	}
	return nil
}

// scopesNamed returns the target's scopes of these names, each once.
func (t *Target) scopesNamed(names []string) ([]Scope, error) {
	var scopes []Scope
	seen := make(map[string]bool, len(t.Scopes))
	for _, name := range names {
		if seen[name] {
			continue
		}
		scope, has := t.Scopes[name]
		if !has {
			return nil, newError(CodeScopeUnknown, "the target has no scope %.128q: its scopes "+
				"are %s", name, named(slices.Sorted(maps.Keys(t.Scopes))))
		}
		seen[name] = true
		scopes = append(scopes, scope)
	}
	return scopes, nil
}

// union is what any of the scopes allows and none denies, which is what a list of OAuth scopes
// means. combined says that all of them are.
func union(scopes []Scope) (set narrow.Set, combined bool, err error) {
	var documents []string
	combined = true
	for _, scope := range scopes {
		if scope.Policy != "" {
			documents = append(documents, scope.Policy)
		}
		for _, name := range scope.PolicyARNs {
			if !slices.Contains(set.ARNs, name) {
				set.ARNs = append(set.ARNs, name)
			}
		}
		combined = combined && scope.Combined
	}
	if len(documents) > 0 {
		set.Document, err = narrow.Union(documents)
	}
	return set, combined, err
}
