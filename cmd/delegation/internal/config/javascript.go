package config

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/seed055b7978/delegation/jsrules"
)

// modules reads the files of modules. What is wrong with one is said at its own key.
func (b *Builder) modules(at KeyPath, files map[string]string) map[string]jsrules.Module {
	modules := map[string]jsrules.Module{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := b.file(at.Child(name), files[name])
		if text == nil {
			continue
		}
		module := jsrules.Module{Source: string(text)}
		if strings.TrimSpace(module.Source) == "" {
			b.Wrong(at.Child(name), errors.New("is an empty file, and has to be a module"))
			continue
		}
		o := jsrules.Options{Modules: map[string]jsrules.Module{name: module}}
		if b.tryOptions(at.Child(name), o) {
			modules[name] = module
		}
	}
	return modules
}

// globals checks the globals of rules. What is wrong with one is said at its own key.
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

// tryOptions tells whether rules can have these options, and notes at the key what is wrong.
func (b *Builder) tryOptions(at KeyPath, o jsrules.Options) bool {
	_, err := jsrules.Compile("options", "function () {}", o)
	if err == nil {
		return true
	}
	text := strings.TrimPrefix(err.Error(), "jsrules: ")
	b.Wrong(at, errors.New(strings.TrimPrefix(text, "Globals: ")))
	return false
}
