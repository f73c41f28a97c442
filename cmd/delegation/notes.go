package main

import (
	"maps"
	"slices"

	"github.com/seed055b7978/delegation/internal/sharedissuer"
)

// note is a setting that a configuration uses and whose meaning has changed.
type note struct{ at, what string }

// changedSetting is a row of docs/upgrading.md that a configuration can meet.
type changedSetting struct {
	setting string // as docs/upgrading.md has it
	what    string // what is different now
	used    func(s *settings) []key
}

// changedSettings has a row for each setting whose meaning has changed. What no configuration can
// show, such as a call of the library, is in docs/upgrading.md alone.
var changedSettings = []changedSetting{
	{
		"audiences",
		"tokens whose azp, appid, cid or client_id names another client are refused now",
		inTargets(func(t targetSettings) bool { return len(t.Audiences) > 0 }, "audiences"),
	},
	{
		"targets.*.issuers",
		"the subjects of several issuers are one name space only if the target says so",
		inTargets(func(t targetSettings) bool { return len(t.Issuers) > 1 }, "issuers"),
	},
	{
		"allow_email_domains",
		"of Google's accounts the claim hd must equal the domain now",
		googleDomains,
	},
	{
		"javascript",
		"null users, context.redirect and context.multifactor fail now, and so do unknown " +
			"settings of aws and reading a property of context that nobody supplies; regular " +
			"expressions match as in Node",
		inRules(func(r ruleSettings) bool { return r.JavaScript != nil }, "javascript"),
	},
	{
		"replay",
		"a jti that is no text is refused now",
		func(s *settings) []key {
			if s.Replay.Store == "" {
				return nil
			}
			return []key{"replay"}
		},
	},
	{
		"sts.endpoint",
		"its answers must be those of the session that was asked for, end after 1 MiB, " +
			"and may not be redirects",
		func(s *settings) []key {
			if s.STS.Endpoint == "" {
				return nil
			}
			return []key{"sts.endpoint"}
		},
	},
}

// notes are those of a configuration, in the order of its targets' names and of its rules.
func notes(s *settings) (list []note) {
	for _, changed := range changedSettings {
		for _, at := range changed.used(s) {
			list = append(list, note{string(at), changed.what + ": see docs/upgrading.md"})
		}
	}
	return list
}

func inTargets(uses func(targetSettings) bool, name string) func(*settings) []key {
	return func(s *settings) (found []key) {
		for _, target := range slices.Sorted(maps.Keys(s.Targets)) {
			if uses(s.Targets[target]) {
				found = append(found, key("targets").child(target).child(name))
			}
		}
		return found
	}
}

func inRules(uses func(ruleSettings) bool, name string) func(*settings) []key {
	return func(s *settings) (found []key) {
		for i, rule := range s.Rules {
			if uses(rule) {
				found = append(found, key("rules").index(i).child(name))
			}
		}
		return found
	}
}

// googleDomains finds the rules of email domains of a configuration that takes Google's tokens.
func googleDomains(s *settings) []key {
	google := func(i issuerSettings) bool { return sharedissuer.IsGoogle(i.URL) }
	if !slices.ContainsFunc(s.Issuers, google) {
		return nil
	}
	uses := func(r ruleSettings) bool { return r.AllowEmailDomains != nil }
	return inRules(uses, "allow_email_domains")(s)
}
