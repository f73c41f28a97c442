package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// errNoRule says that there is no rule with this name.
var errNoRule = errors.New("there is no rule of this name")

// ruleSwitch is a rule that can be switched on and off.
type ruleSwitch struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	About string `json:"about"`
	On    bool   `json:"on"`

	rule delegation.RuleFunc
}

// switchboard is the rules of the album. It is safe for concurrent use.
type switchboard struct {
	mu    sync.Mutex
	rules []ruleSwitch
}

// newSwitchboard returns the rules in their initial state.
func newSwitchboard() *switchboard {
	return &switchboard{rules: []ruleSwitch{
		{
			Name:  "photographers",
			Title: "Only photographers",
			About: "Refuses users whose token does not list the group photographers, such as Carol.",
			On:    true,
			rule:  onlyPhotographers,
		},
		{
			Name:  "short-sessions",
			Title: "Sessions of 15 minutes",
			About: "Ends AWS sessions after 15 minutes. Without this rule they last an hour.",
			On:    true,
			rule:  shortSessions,
		},
		{
			Name:  "name-the-user",
			Title: "Name the user in AWS",
			About: "Sets the source identity and a session tag, which CloudTrail and policies see.",
			On:    true,
			rule:  nameTheUser,
		},
		{
			Name:  "read-only",
			Title: "Read only",
			About: "Narrows each session to reading. AWS then refuses to upload and to delete.",
			rule:  readOnly,
		},
	}}
}

// list returns the rules.
func (s *switchboard) list() []ruleSwitch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rules)
}

// turn switches a rule on or off. Exchanges that begin later see the change.
func (s *switchboard) turn(name string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rules, func(r ruleSwitch) bool { return r.Name == name })
	if i < 0 {
		return errNoRule
	}
	s.rules[i].On = on
	return nil
}

// isOn tells whether a rule is on.
func (s *switchboard) isOn(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.rules, func(r ruleSwitch) bool { return r.Name == name && r.On })
}

// funcs returns the rules for a configuration. Each looks at its switch in every exchange.
func (s *switchboard) funcs() []delegation.RuleFunc {
	var funcs []delegation.RuleFunc
	for _, of := range s.list() {
		run := func(ctx context.Context, u *delegation.User, rc *delegation.RuleContext) error {
			if !s.isOn(of.Name) {
				return nil
			}
			return of.rule(ctx, u, rc)
		}
		funcs = append(funcs, delegation.Named(of.Name, run))
	}
	return funcs
}

func onlyPhotographers(_ context.Context, u *delegation.User, _ *delegation.RuleContext) error {
	if !slices.Contains(u.List("groups"), groupPhotographers) {
		return delegation.Deny("only photographers have an album")
	}
	return nil
}

func shortSessions(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
	rc.AWS.SessionDuration = 15 * time.Minute
	return nil
}

func nameTheUser(_ context.Context, u *delegation.User, rc *delegation.RuleContext) error {
	rc.AWS.SourceIdentity = delegation.EscapeSourceIdentity(u.Text("user_id"))
	rc.AWS.Tags["name"] = delegation.EscapeTag(u.Text("preferred_username"))
	return nil
}

// readOnlyPolicy is a session policy: a session may do only what both it and the role's policy
// allow.
const readOnlyPolicy = `{"Version":"2012-10-17","Statement":[` +
	`{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}]}`

func readOnly(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
	rc.AWS.Policy = readOnlyPolicy
	return nil
}
