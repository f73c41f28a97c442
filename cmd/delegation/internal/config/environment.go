package config

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// override applies the settings of the environment.
func override(s *Settings, from *Source, environment []string) error {
	places := map[string]place{}
	collect(reflect.ValueOf(s).Elem(), "", places)
	// Sorted, so that an outer key comes before those within it.
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, EnvironmentPrefix) || name == EnvironmentPrefix+"CONFIG" {
			continue
		}
		p, ok := places[strings.TrimPrefix(name, EnvironmentPrefix)]
		if !ok {
			from.Unknown = append(from.Unknown, name)
			continue
		}
		from.replace(p.Key, name)
		parsed, err := p.set(value)
		if err != nil {
			return each("environment variable "+name, err)
		}
		from.addOverrides(p.Key, name, parsed)
	}
	return nil
}

// place is the setting that an environment variable sets.
type place struct {
	Key   KeyPath
	value reflect.Value
}

// set replaces the value, and returns its YAML; nil: it is a text. The text of its errors begins
// with a line number or a colon.
func (p place) set(value string) (*ast.File, error) {
	if p.value.Kind() == reflect.String {
		p.value.SetString(value) // not parsed: an address is not YAML
		return nil, nil
	}
	p.value.SetZero()
	parsed, err := parser.ParseBytes([]byte(value), 0)
	if err == nil && len(parsed.Docs) > 0 {
		err = errors.Join(unknownKeys(parsed.Docs[0].Body, p.value.Type())...)
		if err != nil {
			return nil, err
		}
	}
	if err == nil {
		decoder := yaml.NewDecoder(strings.NewReader(value), yaml.Strict())
		err = decoder.Decode(p.value.Addr().Interface())
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, describe(err, parsed, []byte(value))
	}
	return parsed, nil
}

// collect finds the possible variables: one for each key with a fixed name, at the top level and
// below.
func collect(v reflect.Value, at KeyPath, into map[string]place) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		k := at.Child(name)
		into[strings.ToUpper(strings.ReplaceAll(string(k), ".", "_"))] = place{k, v.Field(i)}
		if v.Field(i).Kind() == reflect.Struct {
			collect(v.Field(i), k, into)
		}
	}
}
