package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

const schemaFile = "delegation.schema.json"

// object is a JSON object. Its members are written in the order of their names.
type object = map[string]any

// TestSchema: delegation.schema.json is what config.Settings and keysFile say.
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
	t            *testing.T
	descriptions map[string]string // by place
	defaults     map[string]any    // by place
	used         map[string]bool   // constraints
}

func newSchemas(t *testing.T) *schemas {
	sections := readKeys(t)
	s := &schemas{
		t:            t,
		descriptions: descriptions(sections),
		defaults:     map[string]any{},
		used:         map[string]bool{},
	}
	for _, section := range sections {
		for _, k := range section.Keys {
			if k.Default != nil {
				s.defaults[k.place] = k.Default
			}
		}
	}
	return s
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
		if text := s.descriptions[place]; text != "" {
			property["description"] = text
		}
		if value, ok := s.defaults[place]; ok {
			property["default"] = value
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

// exampleKeys finds settings of the example that are comments. Prose has a space after the #.
func exampleKeys() *regexp.Regexp { return regexp.MustCompile(`(?m)^( *)#([^ \n])`) }

// TestSchema_Descriptions: keys of every depth have a description, and a default where they have
// one.
func TestSchema_Descriptions(t *testing.T) {
	s := newSchemas(t)
	for place, want := range map[string]string{
		"limits.body":                         "The largest body",
		"issuers":                             "The OpenID providers",
		"issuers[].url":                       "The exact iss claim",
		"targets.*.session_duration":          "How long AWS sessions last.",
		"rules[].javascript.timeout":          "The time limit of one rule.",
		"redis.tls.ca_file":                   "Certificates of the CAs",
		"identity_provider.keys[].signer":     "The URI of a key",
		"targets.*.scopes.*.combined":         "Uses the scope in place of",
		"rules[].tags_from_claims.*.optional": "Leaves out the tag",
	} {
		if got := s.descriptions[place]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", place, got, want)
		}
	}
	if got := s.defaults["limits.body"]; fmt.Sprint(got) != "65536" {
		t.Errorf("the default of limits.body is %v", got)
	}
}
