package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

const schemaFile = "delegation.schema.json"

// object is a JSON object. Its members are written in the order of their names.
type object = map[string]any

// TestSchema: delegation.schema.json is what config.Settings and the comments of the example say.
// With -update it is written.
func TestSchema(t *testing.T) {
	s := newSchemas(t)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(s.root()); err != nil {
		t.Fatal(err)
	}
	for field := range constraints {
		if !s.used[field] {
			t.Errorf("there is no setting %s", field)
		}
	}
	if *update {
		if err := os.WriteFile(schemaFile, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if string(must(os.ReadFile(schemaFile))) != text.String() {
		t.Errorf("%s is old: go test ./cmd/delegation -run 'TestSchema$' -update", schemaFile)
	}
}

// schemas makes a JSON Schema of the settings' types.
type schemas struct {
	t        *testing.T
	comments map[string]string // of the example, by path
	used     map[string]bool   // constraints
}

func newSchemas(t *testing.T) *schemas {
	example := string(must(os.ReadFile("delegation.example.yaml")))
	return &schemas{t: t, comments: exampleComments(example), used: map[string]bool{}}
}

func (s *schemas) root() object {
	schema := s.of(reflect.TypeFor[config.Settings](), "")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "The configuration of delegation"
	return schema
}

// of returns the schema of a type. at is the place of its value, with [] for an element of a list
// and * for one of a map.
//
// Numbers and booleans are texts for the program's YAML, and texts of digits are numbers. null is
// what is not set. An editor must not refuse what the program takes.
func (s *schemas) of(t reflect.Type, at string) object {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem(), at)
	case reflect.String:
		return object{"type": []string{"string", "number", "boolean", "null"}}
	case reflect.Int:
		return object{
			"type":    []string{"integer", "string", "null"},
			"pattern": `^[-+]?[0-9][0-9_.eExXa-fA-Fo]*$`,
		}
	case reflect.Bool:
		return object{"type": []string{"boolean", "null"}}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": s.of(t.Elem(), at+"[]")}
	case reflect.Map:
		return object{
			"type":                 []string{"object", "null"},
			"additionalProperties": s.of(t.Elem(), at+".*"),
		}
	case reflect.Struct:
		schema := s.ofStruct(t, at)
		if t == reflect.TypeFor[config.ClaimSettings]() {
			schema["type"] = "object"
			schema["required"] = []string{"from"}
			return object{"anyOf": []object{s.of(reflect.TypeFor[string](), at), schema}}
		}
		return schema
	case reflect.Interface:
		return object{}
	}
	s.t.Fatalf("%s: no schema for %s", at, t)
	return nil
}

func (s *schemas) ofStruct(t reflect.Type, at string) object {
	properties := object{}
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		place := strings.TrimPrefix(at+"."+key, ".")
		property := s.of(t.Field(i).Type, place)
		if comment := s.comments[place]; comment != "" {
			property["description"] = comment
		}
		s.constrain(property, t.Name()+"."+key)
		properties[key] = property
	}
	schema := object{
		"type":                 []string{"object", "null"},
		"properties":           properties,
		"additionalProperties": false,
	}
	s.constrain(schema, t.Name())
	return schema
}

// constrain adds what the code says about a type or a field beyond its Go type.
func (s *schemas) constrain(schema object, name string) {
	maps.Copy(schema, constraints[name])
	s.used[name] = true
}

// exampleComments returns the comment above each key of the example, by the key's place.
func exampleComments(example string) map[string]string {
	type level struct {
		indent int
		place  string
		names  bool // the keys below are names, as those of targets
	}
	comments := map[string]string{}
	var above []string
	var open []level
	for line := range strings.Lines(exampleKeys().ReplaceAllString(example, "$1$2")) {
		line = strings.TrimRight(line, "\n")
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if comment, ok := strings.CutPrefix(text, "# "); ok {
			above = append(above, comment)
			continue
		}
		item, isItem := strings.CutPrefix(text, "- ")
		if isItem {
			indent += 2
			text = item
		}
		key, _, isKey := strings.Cut(text, ":")
		if !isKey || strings.ContainsAny(key, ` "{#`) {
			above = nil
			continue
		}
		for len(open) > 0 && open[len(open)-1].indent >= indent {
			open = open[:len(open)-1]
		}
		place := key
		if len(open) > 0 {
			outer := open[len(open)-1]
			switch {
			case outer.names:
				place = outer.place + ".*"
			case isItem || strings.HasSuffix(outer.place, "[]"):
				place = strings.TrimSuffix(outer.place, "[]") + "[]." + key
			default:
				place = outer.place + "." + key
			}
		}
		if len(above) > 0 {
			comments[place] = strings.Join(above, " ")
		}
		above = nil
		if isItem && len(open) > 0 { // the other keys of the same element
			open[len(open)-1].place = strings.TrimSuffix(open[len(open)-1].place, "[]") + "[]"
		}
		open = append(open, level{indent, place, key == "targets" && indent == 0})
	}
	return comments
}

// exampleKeys finds settings of the example that are comments. Prose has a space after the #.
func exampleKeys() *regexp.Regexp { return regexp.MustCompile(`(?m)^( *)#([^ \n])`) }

// TestSchema_Descriptions: keys of every depth are described, in the words of the example.
func TestSchema_Descriptions(t *testing.T) {
	comments := newSchemas(t).comments
	for place, want := range map[string]string{
		"limits.body":                           "The largest body",
		"issuers":                               "Whose ID tokens are accepted.",
		"issuers[].url":                         "The exact iss claim",
		"issuers[].required_claims":             "A claim, and patterns",
		"targets":                               "What users may ask for",
		"targets.*.session_duration":            "",
		"targets.*.audiences":                   "The client IDs whose",
		"rules[].source_identity_from_claim":    "",
		"rules[].javascript":                    "Auth0's rules",
		"rules[].javascript.configuration_file": "More of configuration",
		"redis.tls":                             "A CA instead of",
		"identity_provider.keys":                "The first key signs.",
		"leeway":                                "How far clocks may differ",
	} {
		if got := comments[place]; !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", place, got, want)
		}
	}
	if len(comments) < 80 {
		t.Errorf("only %d: %s", len(comments), fmt.Sprint(slices.Sorted(maps.Keys(comments))))
	}
}
