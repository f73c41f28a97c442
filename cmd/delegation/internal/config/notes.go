package config

import (
	"maps"
	"slices"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// Note is a setting that a configuration uses and whose meaning has changed.
type Note struct {
	// At is the setting's key.
	At string

	// What is different now.
	What string
}

// ChangedSetting is a row of docs/upgrading.md that can apply to a configuration.
type ChangedSetting struct {
	// Setting is its name, as in docs/upgrading.md.
	Setting string

	// What is different now.
	What string

	// Used returns where a configuration uses it.
	Used func(s *Settings) []KeyPath
}

// ChangedSettings has a row for each setting whose meaning has changed. Changes that are not
// visible in a configuration, such as those of the Go API, are in docs/upgrading.md only.
var ChangedSettings = []ChangedSetting{
	{
		"audiences",
		"tokens whose azp, appid, cid or client_id names another client are now refused",
		inTargets(func(t TargetSettings) bool { return len(t.Audiences) > 0 }, "audiences"),
	},
	{
		"targets.*.issuers",
		"the subjects of several issuers count as the same users only if the target says so",
		inTargets(func(t TargetSettings) bool { return len(t.Issuers) > 1 }, "issuers"),
	},
	{
		"allow_email_domains",
		"for Google accounts, the claim hd must now equal the domain",
		googleDomains,
	},
	{
		"shared_secret_file",
		"in a file that is not text, line ends at its end now count",
		func(s *Settings) (found []KeyPath) {
			for i, issuer := range s.Issuers {
				if issuer.SharedSecretFile != "" {
					at := KeyPath("issuers").Index(i).Child("shared_secret_file")
					found = append(found, at)
				}
			}
			return found
		},
	},
	{
		"javascript",
		"null users, context.redirect and context.multifactor now fail, and so do unknown " +
			"settings of aws and reading a property of context that is not supplied; regular " +
			"expressions match as in Node",
		inRules(func(r RuleSettings) bool { return r.JavaScript != nil }, "javascript"),
	},
	{
		"replay",
		"a jti that is not text is now refused",
		func(s *Settings) []KeyPath {
			if s.Replay.Store == "" {
				return nil
			}
			return []KeyPath{"replay"}
		},
	},
	{
		"sts.endpoint",
		"its answers must be for the requested session, have at most 1 MiB, and must not be " +
			"redirects",
		func(s *Settings) []KeyPath {
			if s.STS.Endpoint == "" {
				return nil
			}
			return []KeyPath{"sts.endpoint"}
		},
	},
}

// Notes returns the notes on a configuration, in the order of its targets' names and of its rules.
func Notes(s *Settings) (list []Note) {
	for _, changed := range ChangedSettings {
		for _, at := range changed.Used(s) {
			list = append(list, Note{string(at), changed.What + ": see docs/upgrading.md"})
		}
	}
	return list
}

func inTargets(uses func(TargetSettings) bool, name string) func(*Settings) []KeyPath {
	return func(s *Settings) (found []KeyPath) {
		for _, target := range slices.Sorted(maps.Keys(s.Targets)) {
			if uses(s.Targets[target]) {
				found = append(found, KeyPath("targets").Child(target).Child(name))
			}
		}
		return found
	}
}

func inRules(uses func(RuleSettings) bool, name string) func(*Settings) []KeyPath {
	return func(s *Settings) (found []KeyPath) {
		for i, rule := range s.Rules {
			if uses(rule) {
				found = append(found, KeyPath("rules").Index(i).Child(name))
			}
		}
		return found
	}
}

// googleDomains finds the rules on email domains in a configuration that accepts Google's tokens.
func googleDomains(s *Settings) []KeyPath {
	google := func(i IssuerSettings) bool { return sharedissuer.IsGoogle(i.URL) }
	if !slices.ContainsFunc(s.Issuers, google) {
		return nil
	}
	uses := func(r RuleSettings) bool { return r.AllowEmailDomains != nil }
	return inRules(uses, "allow_email_domains")(s)
}
