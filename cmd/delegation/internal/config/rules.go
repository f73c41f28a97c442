package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/iam"
	"github.com/seed055b7978/delegation/jsrules"
)

// Rules makes the rules of a configuration. Each is limited to the targets that it names, and is
// named after its place. Templates of the targets come first.
func (b *Builder) Rules(
	list []RuleSettings, targets map[string]TargetSettings,
) []delegation.RuleFunc {
	rules := b.targetNames(targets)
	for i, s := range list {
		at := KeyPath("rules").Index(i)
		ids := b.targetIDs(at.Child("targets"), s.Targets, targets)
		found := b.rule(at, s, targets)
		if len(found) != 1 {
			b.Wrong(at,
				fmt.Errorf("has %d rules, and must have exactly one of %s", len(found), ruleKeys()))
		}
		for name, list := range found {
			for _, rule := range list {
				rules = append(rules, forTargets(ids, string(at.Child(name)), rule))
			}
		}
	}
	return rules
}

// ruleKeys lists the keys that make a rule.
func ruleKeys() string {
	var keys []string
	settings := reflect.TypeFor[RuleSettings]()
	for i := range settings.NumField() {
		if key := settings.Field(i).Tag.Get("yaml"); key != "targets" {
			keys = append(keys, key)
		}
	}
	last := len(keys) - 1
	return strings.Join(keys[:last], ", ") + " or " + keys[last]
}

// targetIDs returns the IDs by which rules know the targets with these names.
func (b *Builder) targetIDs(
	at KeyPath, names []string, targets map[string]TargetSettings,
) (ids []string) {
	for _, name := range names {
		target, ok := targets[name]
		if !ok {
			b.Wrong(at, fmt.Errorf("%.80q is not a target: use a name in targets", name))
		}
		ids = append(ids, target.id(name))
	}
	return ids
}

// rule makes the rules of one entry of the list, by key: one rule, or all rules of a folder. The
// caller refuses an entry with no key or several.
func (b *Builder) rule(
	at KeyPath, s RuleSettings, targets map[string]TargetSettings,
) map[string][]delegation.RuleFunc {
	found := map[string][]delegation.RuleFunc{}
	set := func(name string, rule delegation.RuleFunc, err error) {
		b.Add(at.Child(name), err)
		found[name] = []delegation.RuleFunc{rule}
	}
	if s.RequireVerifiedEmail != nil {
		set("require_verified_email", delegation.RequireVerifiedEmail(), nil)
		if !*s.RequireVerifiedEmail {
			b.Wrong(at.Child("require_verified_email"),
				errors.New("can only be true: otherwise remove the rule"))
		}
	}
	if s.AllowConnections != nil {
		set("allow_connections", delegation.AllowConnections(s.AllowConnections...), nil)
	}
	if s.AllowEmailDomains != nil {
		set("allow_email_domains", delegation.AllowEmailDomains(s.AllowEmailDomains...), nil)
	}
	if s.RequireRecentLogin != nil {
		within := b.within(at.Child("require_recent_login"), *s.RequireRecentLogin)
		set("require_recent_login", delegation.RequireRecentLogin(within), nil)
	}
	if s.RequireAMR != nil {
		b.notEmpty(at.Child("require_amr"), s.RequireAMR)
		set("require_amr", delegation.RequireAMR(s.RequireAMR...), nil)
	}
	if s.RequireACR != nil {
		b.notEmpty(at.Child("require_acr"), s.RequireACR)
		set("require_acr", delegation.RequireACR(s.RequireACR...), nil)
	}
	if s.RoleByClaim != nil {
		rule, err := b.roleByClaim(at.Child("role_by_claim"), s.RoleByClaim)
		set("role_by_claim", rule, err)
	}
	if s.TagsFromClaims != nil {
		rule := b.tagsFromClaims(at.Child("tags_from_claims"), s.TagsFromClaims)
		set("tags_from_claims", rule, nil)
	}
	if s.SourceIdentityFromClaim != nil {
		rule, err := sourceIdentity(*s.SourceIdentityFromClaim)
		set("source_identity_from_claim", rule, err)
	}
	for _, key := range nameKeys {
		if template := s.name(key); template != nil {
			set(key, b.nameFrom(at, key, *template), nil)
		}
	}
	if s.SessionPolicy != nil {
		rule, err := delegation.SessionPolicyFromTemplate(*s.SessionPolicy)
		set("session_policy", rule, err)
	}
	if s.JavaScript != nil {
		at := at.Child("javascript")
		found["javascript"] = b.javaScript(at, s.JavaScript, targets, s.Targets)
	}
	return found
}

// roleByClaim also checks the ARNs, so that a typing mistake is found at the start and not at the
// first user.
func (b *Builder) roleByClaim(at KeyPath, s *RoleSettings) (delegation.RuleFunc, error) {
	if s.Claim == "" {
		b.Wrong(at.Child("claim"), errors.New("is missing"))
	}
	var table []delegation.RoleMatch
	for i, row := range s.Roles {
		at := at.Child("roles").Index(i)
		if _, err := iam.Role.Parse(row.Role); err != nil {
			b.Wrong(at.Child("role"), err)
		}
		if _, err := iam.Provider.Parse(row.Principal); err != nil && row.Principal != "" {
			b.Wrong(at.Child("principal"), err)
		}
		if _, err := delegation.ParseRegion(row.Region); err != nil && row.Region != "" {
			b.Add(at.Child("region"), err)
		}
		table = append(table, delegation.RoleMatch{
			Pattern:   row.Match,
			Role:      row.Role,
			Principal: row.Principal,
			Region:    row.Region,
		})
	}
	return delegation.RoleByClaim(s.Claim, table...)
}

// javaScript compiles folders of Auth0 rules and Actions, for some targets or for all.
func (b *Builder) javaScript(
	at KeyPath, s *JavaScriptSettings, targets map[string]TargetSettings, only []string,
) []delegation.RuleFunc {
	if s.Folder == "" && s.Actions == "" {
		b.Wrong(at.Child("folder"), errors.New("is missing"))
		return nil
	}
	b.profile(at.Child("profile"), s.Profile)
	o := jsrules.Options{
		Configuration:     maps.Collect(maps.All(s.Configuration)),
		Domain:            s.Domain,
		Logger:            b.logger,
		RuleTimeout:       b.Duration(at.Child("timeout"), s.Timeout),
		ChainTimeout:      b.Duration(at.Child("chain_timeout"), s.ChainTimeout),
		Context:           b.RuleContext(at.Child("context"), s.Context, targets),
		ContextNames:      contextNames(s.Context, targets, only),
		Absent:            b.absent(at.Child("absent"), s.Absent),
		Modules:           b.modules(at.Child("modules"), s.Modules),
		Globals:           b.globals(at.Child("globals"), s.Globals),
		HTTP:              b.ruleHTTP(at.Child("http"), s.HTTP),
		SAMLConfiguration: b.samlConfiguration(at.Child("saml_configuration"), s),
		Secrets:           maps.Collect(maps.All(s.Secrets)),
		Set:               new(jsrules.Set),
		IgnoreMissingUser: s.IgnoreMissingUser,
		IgnoreRedirect:    s.IgnoreRedirect,
		IgnoreMultifactor: s.IgnoreMultifactor,
	}
	if s.ConfigurationFile != "" {
		maps.Copy(o.Configuration, b.texts(at.Child("configuration_file"), s.ConfigurationFile))
	}
	if s.SecretsFile != "" {
		maps.Copy(o.Secrets, b.texts(at.Child("secrets_file"), s.SecretsFile))
	}
	rules := b.scripts(at.Child("folder"), s.Folder, o, jsrules.CompileFolder)
	actions := b.scripts(at.Child("actions"), s.Actions, o, jsrules.CompileActionFolder)
	return append(rules, actions...)
}

// scripts compiles a folder. Without a name there is nothing to compile.
func (b *Builder) scripts(
	at KeyPath, name string, o jsrules.Options,
	compile func(fs.FS, jsrules.Options) ([]delegation.RuleFunc, error),
) []delegation.RuleFunc {
	if name == "" {
		return nil
	}
	folder := b.from.resolve(name)
	b.from.reads(folder)
	rules, err := compile(os.DirFS(folder), o)
	if err == nil {
		return rules
	}
	problems := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		problems = joined.Unwrap()
	}
	for _, problem := range problems {
		var unread *fs.PathError
		if !errors.As(problem, &unread) {
			b.Add(at, problem)
			continue
		}
		unread.Path = filepath.Join(folder, unread.Path) // it is relative to the folder
		b.Wrong(at, explainMissing(unread, name))
	}
	return nil
}

// texts reads a file of names and texts, which may be secrets. It refuses a name without a value,
// for which the rules would read an empty text.
func (b *Builder) texts(at KeyPath, name string) map[string]string {
	var values map[string]*string
	if err := yaml.Unmarshal(b.file(at, name), &values); err != nil {
		// The library's error would quote some of it.
		b.Wrong(at, errors.New("is not a map of names to texts, in YAML or JSON"))
	}
	texts := map[string]string{}
	var open []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] == nil {
			open = append(open, term.Shown(name))
			texts[name] = ""
			continue
		}
		texts[name] = *values[name]
	}
	if len(open) > 0 && !b.withoutValues {
		b.Wrong(at, fmt.Errorf("has no value for %s: write it after the name in %s, or \"\" if it "+
			"is empty", strings.Join(open, ", "), name))
	}
	return texts
}

// absent checks the names of properties of context that may be missing. It reports problems at
// their own key instead of the folder's.
func (b *Builder) absent(at KeyPath, names []string) []string {
	_, err := jsrules.Compile("absent", "function () {}", jsrules.Options{Absent: names})
	if err != nil {
		b.Wrong(at, err)
		return nil
	}
	return names
}

// RuleContext makes a jsrules.Options.Context of fixed values for each target.
func (b *Builder) RuleContext(
	at KeyPath, byTarget map[string]map[string]any, targets map[string]TargetSettings,
) func(context.Context, *delegation.User, *delegation.RuleContext) (map[string]any, error) {
	byID := map[string]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(byTarget)) {
		target, ok := targets[name]
		if !ok {
			b.Wrong(at, fmt.Errorf("%.80q is not a target: use a name in targets", name))
		}
		id := target.id(name)
		if _, taken := byID[id]; taken {
			b.Wrong(at, fmt.Errorf("%.80q has the same id as another target in this list", name))
		}
		byID[id] = byTarget[name]
		if _, has := byTarget[name]["addonConfiguration"]; has {
			b.Wrong(at, errors.New("addonConfiguration comes from the target's own settings"))
		}
		if _, err := json.Marshal(byTarget[name]); err != nil {
			b.Wrong(at, fmt.Errorf("%.80q has a value that JSON cannot express", name))
		}
	}
	return func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error) {
		return byID[rc.Target], nil
	}
}

// forTargets limits a rule to the targets with these IDs; no IDs mean all targets. It also names
// the rule after its place in the configuration. An explanation lists that name even if the rule
// changes nothing.
func forTargets(targets []string, name string, rule delegation.RuleFunc) delegation.RuleFunc {
	return delegation.Named(name, delegation.ForTargets(rule, targets...))
}
