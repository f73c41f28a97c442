package config_test

import (
	"github.com/seed055b7978/delegation"
)

const (
	readOnlyPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow",` +
		`"Action":"s3:Get*","Resource":"*"}}`
	tlsPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*",` +
		`"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`
	tlsReadPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*",` +
		`"Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`
	managedPolicy = "arn:aws:iam::123456789012:policy/read"
)

// scopes are one scope of a target, in both languages.
func scopes(name string, scope delegation.Scope) settings {
	return settings{"Target.Scopes": both{
		inGo: map[string]delegation.Scope{name: scope},
		inYAML: map[string]any{name: map[string]any{
			"policy":      scope.Policy,
			"policy_arns": scope.PolicyARNs,
			"combined":    scope.Combined,
		}},
	}}
}

// asksFor asks for scopes in the exchanges of a scene.
func asksFor(names ...string) func(*scene) {
	return func(s *scene) {
		s.options = append(s.options, delegation.WithScope(names...))
	}
}

// scopeRemedies are of what callers ask for to narrow their sessions.
func scopeRemedies() []remedy {
	read := scopes("read", delegation.Scope{Policy: readOnlyPolicy})
	return []remedy{
		{
			of:    "a scope that the target does not have",
			code:  delegation.CodeScopeUnknown,
			scene: asksFor("read"),
			do:    read,
		},
		{
			of:   "a managed scope next to a policy with a condition",
			code: delegation.CodeScopeNotCombinable,
			with: overlaid(
				settings{"AWS.Policy": tlsPolicy},
				scopes("read", delegation.Scope{PolicyARNs: []string{managedPolicy}}),
			),
			scene:   asksFor("read"),
			do:      scopes("read", delegation.Scope{Policy: tlsReadPolicy, Combined: true}),
			follows: []string{"Scope.Policy", "Scope.Combined"},
		},
		{
			of:    "a scope with nothing in it",
			code:  delegation.CodeConfigInvalid,
			with:  scopes("read", delegation.Scope{}),
			scene: asksFor("read"),
			do:    read,
		},
	}
}
