package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/jsrules"
)

// modules reads the files of modules. It reports a problem with one at that module's key.
func (b *Builder) modules(at KeyPath, files map[string]string) map[string]jsrules.Module {
	modules := map[string]jsrules.Module{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := b.file(at.Child(name), files[name])
		if text == nil {
			continue
		}
		module := jsrules.Module{Source: string(text)}
		if strings.TrimSpace(module.Source) == "" {
			b.Wrong(at.Child(name), errors.New("is an empty file: write a CommonJS module into it"))
			continue
		}
		o := jsrules.Options{Modules: map[string]jsrules.Module{name: module}}
		if b.tryOptions(at.Child(name), o) {
			modules[name] = module
		}
	}
	return modules
}

// globals checks the globals of rules. It reports a problem with one at that global's key.
func (b *Builder) globals(at KeyPath, given map[string]any) map[string]any {
	globals := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		o := jsrules.Options{Globals: map[string]any{name: given[name]}}
		if b.tryOptions(at.Child(name), o) {
			globals[name] = given[name]
		}
	}
	if !b.tryOptions(at, jsrules.Options{Globals: globals}) { // all together are too many
		return nil
	}
	return globals
}

// ruleHTTP returns which addresses rules may call. Without settings they may call none.
func (b *Builder) ruleHTTP(at KeyPath, s *RuleHTTPSettings) *jsrules.HTTP {
	if s == nil {
		return nil
	}
	if len(s.Allow) == 0 {
		b.Wrong(at.Child("allow"), errors.New("is empty: list the hosts that rules may call, "+
			"or remove http"))
		return nil
	}
	h := &jsrules.HTTP{
		Allow:       s.Allow,
		Timeout:     b.Duration(at.Child("timeout"), s.Timeout),
		MaxSize:     int64(s.MaxSize),
		MaxRequests: s.MaxRequests,
	}
	if s.MaxRedirects != nil {
		h.MaxRedirects = *s.MaxRedirects
		if h.MaxRedirects <= 0 {
			h.MaxRedirects = -1 // none, which the Go API writes as -1
		}
	}
	b.number(at.Child("max_size"), s.MaxSize)
	b.number(at.Child("max_requests"), s.MaxRequests)
	if s.MaxSize < 0 || s.MaxRequests < 0 || !b.tryOptions(at, jsrules.Options{HTTP: h}) {
		return nil
	}
	return h
}

// samlConfiguration checks the settings that give context.samlConfiguration an effect.
func (b *Builder) samlConfiguration(at KeyPath, s *JavaScriptSettings) string {
	if s.SAMLConfiguration == "" || s.SAMLConfiguration == jsrules.SAMLConfigurationAWS {
		return s.SAMLConfiguration
	}
	b.Wrong(at, fmt.Errorf("is %.80q, and can only be %s", s.SAMLConfiguration,
		jsrules.SAMLConfigurationAWS))
	return ""
}

// tryOptions tells whether these options are valid for rules, and reports problems at the key.
func (b *Builder) tryOptions(at KeyPath, o jsrules.Options) bool {
	_, err := jsrules.Compile("options", "function () {}", o)
	if err == nil {
		return true
	}
	text := strings.TrimPrefix(err.Error(), "jsrules: ")
	for _, option := range []string{"Globals: ", "HTTP: "} {
		text = strings.TrimPrefix(text, option)
	}
	b.Add(at, errors.New(text))
	return false
}
