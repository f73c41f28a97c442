package main

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

const keysFile = "testdata/configuration.yaml"

// keySection is a section of docs/configuration.md. What the fields mean is in keysFile.
type keySection struct {
	Title    string     `yaml:"title"`
	ID       string     `yaml:"id"`
	At       string     `yaml:"at"`
	About    string     `yaml:"about"`
	More     []string   `yaml:"more"`
	Examples []string   `yaml:"examples"`
	Unloaded []string   `yaml:"unloaded"`
	Keys     []keyEntry `yaml:"keys"`
}

// keyEntry is a configuration key.
type keyEntry struct {
	Key      string   `yaml:"key"`
	About    string   `yaml:"about"`
	Default  any      `yaml:"default"`
	Least    any      `yaml:"least"`
	Most     any      `yaml:"most"`
	Values   []string `yaml:"values"`
	Limits   string   `yaml:"limits"`
	Required string   `yaml:"required"`
	More     string   `yaml:"more"`

	place string // the whole path, as in issuers[].url and targets.*.role
}

// readKeys reads keysFile, and checks that it has each key of config.Settings once.
func readKeys(t testing.TB) []keySection {
	t.Helper()
	var sections []keySection
	err := yaml.UnmarshalWithOptions(must(os.ReadFile(keysFile)), &sections, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	settings := settingTypes(reflect.TypeFor[config.Settings](), "")
	found := map[string]bool{}
	for i := range sections {
		for j := range sections[i].Keys {
			k := &sections[i].Keys[j]
			k.place = strings.Trim(sections[i].At+"."+k.Key, ".")
			if k.Key == "" {
				k.place = strings.TrimSuffix(strings.TrimSuffix(sections[i].At, "[]"), ".*")
			}
			if _, known := settings[k.place]; !known {
				t.Errorf("%s: there is no key %s", keysFile, k.place)
			}
			if found[k.place] || k.About == "" {
				t.Errorf("%s: %s appears twice, or says nothing", keysFile, k.place)
			}
			found[k.place] = true
		}
	}
	for place, kind := range settings {
		if !found[place] && !isGroup(kind) {
			t.Errorf("%s lacks %s", keysFile, place)
		}
	}
	return sections
}

// isGroup tells whether a key only holds others, which are described by themselves.
func isGroup(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// settingTypes are the types of all keys, by their places.
func settingTypes(t reflect.Type, at string) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	var walk func(t reflect.Type, at string)
	walk = func(t reflect.Type, at string) {
		switch t.Kind() {
		case reflect.Pointer:
			walk(t.Elem(), at)
		case reflect.Slice:
			walk(t.Elem(), at+"[]")
		case reflect.Map:
			walk(t.Elem(), at+".*")
		case reflect.Struct:
			for i := range t.NumField() {
				field := t.Field(i)
				place := strings.TrimPrefix(at+"."+field.Tag.Get("yaml"), ".")
				found[place] = field.Type
				walk(field.Type, place)
			}
		}
	}
	walk(t, at)
	return found
}

// descriptions are the texts of the schema, by place, without Markdown.
func descriptions(sections []keySection) map[string]string {
	texts := map[string]string{}
	for _, s := range sections {
		at := strings.TrimSuffix(strings.TrimSuffix(s.At, "[]"), ".*")
		if at != "" && texts[at] == "" {
			texts[at] = plainText(s.About) + seePages(s.More)
		}
		for _, k := range s.Keys {
			text := plainText(k.About)
			if k.Limits != "" {
				text += " Limits: " + plainText(k.Limits) + "."
			}
			var more []string
			if k.More != "" {
				more = []string{k.More}
			}
			texts[k.place] = text + seePages(more)
		}
	}
	return texts
}

// seePages says which pages tell more.
func seePages(pages []string) string {
	if len(pages) == 0 {
		return ""
	}
	return " See docs/" + strings.Join(pages, ", docs/") + "."
}

// plainText is a Markdown text without its marks.
func plainText(text string) string {
	links := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	return strings.ReplaceAll(links.ReplaceAllString(text, "$1"), "`", "")
}

// shownPlace is a key's path as readers see it: targets.NAME.role.
func shownPlace(place string) string {
	shown := strings.Replace(place, "targets.*", "targets.NAME", 1)
	shown = strings.Replace(shown, "tags_from_claims.*", "tags_from_claims.TAG", 1)
	shown = strings.Replace(shown, "client_secrets.*", "client_secrets.CLIENT_ID", 1)
	return strings.Replace(shown, "scopes.*", "scopes.SCOPE", 1)
}

// typeOf says in words what the value of a key is.
func typeOf(t *testing.T, k keyEntry, kind reflect.Type) string {
	t.Helper()
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	last := k.place[strings.LastIndex(k.place, ".")+1:]
	switch {
	case constraint(k.place)["pattern"] == durationPattern:
		return "duration"
	case kind == reflect.TypeFor[config.ClaimSettings]():
		return "text or keys"
	case kind.Kind() == reflect.Bool:
		return "`true` or `false`"
	case kind.Kind() == reflect.Int:
		return "number"
	case kind.Kind() == reflect.Struct:
		return "keys"
	case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.String:
		return "list of texts"
	case kind.Kind() == reflect.Slice:
		return "list"
	case kind.Kind() == reflect.Map:
		return mapType(kind)
	case strings.HasSuffix(last, "_file") || last == "file":
		return "path"
	case last == "folder" || last == "actions":
		return "path of a folder"
	}
	if len(valuesOf(k)) > 0 {
		return "one of"
	}
	return "text"
}

func mapType(kind reflect.Type) string {
	switch kind.Elem().Kind() {
	case reflect.String:
		return "names with texts"
	case reflect.Slice:
		return "names with lists of texts"
	case reflect.Struct:
		return "names with keys"
	}
	return "names with values"
}

// constraint is what the schema says of a key beyond its type; empty if nothing.
func constraint(place string) object {
	at := reflect.TypeFor[config.Settings]()
	var name string
	for part := range strings.SplitSeq(place, ".") {
		for at.Kind() != reflect.Struct {
			at = at.Elem()
		}
		if part == "*" {
			continue
		}
		key := strings.TrimSuffix(part, "[]")
		name = at.Name() + "." + key
		for i := range at.NumField() {
			if at.Field(i).Tag.Get("yaml") == key {
				at = at.Field(i).Type
				break
			}
		}
		for at.Kind() != reflect.Struct && isGroup(at) {
			at = at.Elem()
		}
	}
	return constraints[name]
}

// valuesOf are the texts that a key can have; empty for any.
func valuesOf(k keyEntry) []string {
	if len(k.Values) > 0 {
		return k.Values
	}
	c := constraint(k.place)
	if alternatives, ok := c["anyOf"].([]object); ok && len(alternatives) > 0 {
		c = alternatives[0]
	}
	list, _ := c["enum"].([]any)
	var values []string
	for _, value := range list {
		if text, ok := value.(string); ok && text != "" {
			values = append(values, text)
		}
	}
	return values
}

// limitsOf says in words what bounds the value of a key.
func limitsOf(k keyEntry) string {
	values := valuesOf(k)
	var said []string
	switch {
	case len(values) == 1:
		said = append(said, "`"+values[0]+"`")
	case len(values) > 1:
		last := len(values) - 1
		said = append(said, "`"+strings.Join(values[:last], "`, `")+"` or `"+values[last]+"`")
	}
	switch {
	case k.Least != nil && k.Most != nil:
		said = append(said, fmt.Sprintf("%v to %v", k.Least, k.Most))
	case k.Least != nil:
		said = append(said, fmt.Sprintf("%v or more", k.Least))
	case k.Most != nil:
		said = append(said, fmt.Sprintf("up to %v", k.Most))
	}
	if k.Limits != "" {
		said = append(said, k.Limits)
	}
	return strings.Join(said, "; ")
}

// TestConfiguration_Keys: the bounds of keysFile are those of the schema, and words and pages are
// used as they should be.
func TestConfiguration_Keys(t *testing.T) {
	for _, section := range readKeys(t) {
		for _, page := range section.More {
			pageExists(t, page)
		}
		for _, k := range section.Keys {
			pageExists(t, k.More)
			c := constraint(k.place)
			if c["pattern"] == durationPattern {
				continue // the schema has no bounds of texts
			}
			for bound, want := range map[string]any{"minimum": k.Least, "maximum": k.Most} {
				has, ok := c[bound]
				if ok && fmt.Sprint(has) != fmt.Sprint(want) && k.Limits == "" && want != nil {
					t.Errorf("%s: %s is %v, and the schema says %v", k.place, bound, want, has)
				}
			}
			if !slices.Equal(valuesOf(k), k.Values) && len(k.Values) > 0 {
				t.Errorf("%s: the values are %q", k.place, valuesOf(k))
			}
		}
	}
}

func pageExists(t *testing.T, page string) {
	t.Helper()
	file, _, _ := strings.Cut(page, "#")
	if file == "" {
		return
	}
	if _, err := os.Stat("../../docs/" + file); err != nil {
		t.Error(err)
	}
}
