package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	environmentPrefix = "DELEGATION_"
	maxConfigFile     = 1 << 20 // bytes
)

// key is the place of a setting as errors show it, such as targets.photo-app.role or
// issuers[0].url. It is the YAML library's path.
type key string

func (k key) child(name string) key {
	// which quotes odd names
	inner := keyAt((&yaml.PathBuilder{}).Root().Child(name).Build().String())
	if k == "" {
		return inner
	}
	return k + "." + inner
}

func (k key) index(i int) key {
	return k + key(fmt.Sprintf("[%d]", i))
}

// keyAt takes the root off a path of the YAML library; the root itself is "".
func keyAt(path string) key { return key(strings.TrimPrefix(strings.TrimPrefix(path, "$"), ".")) }

// parent returns the key one level up, "" at the top. Names with dots and brackets are quoted, and
// count as one level as far as lines go.
func (k key) parent() key {
	return k[:max(0, strings.LastIndexAny(string(k), ".["))]
}

// source tells where each setting came from.
type source struct {
	file      string
	lines     map[key]int    // of the file
	overrides map[key]string // the environment variable that set it
	unknown   []string       // environment variables of our prefix that set nothing
}

// at says where to correct a setting: file, line and key, or the environment variable.
func (s *source) at(k key) string {
	for nearest := k; nearest != ""; nearest = nearest.parent() {
		if variable, ok := s.overrides[nearest]; ok {
			return fmt.Sprintf("environment variable %s: %s", variable, k)
		}
		if line, ok := s.lines[nearest]; ok {
			return fmt.Sprintf("%s:%d: %s", s.file, line, k)
		}
	}
	if k == "" {
		return s.file
	}
	return fmt.Sprintf("%s: %s", s.file, k)
}

// load reads the file and lays the environment over it. A variable is named after its key, as in
// DELEGATION_STS_ENDPOINT for sts.endpoint, and holds YAML: a list or a map replaces the file's.
// Unknown keys are refused; unknown variables are noted, because container platforms set some of
// that prefix for a service of this name.
func load(file string, environment []string) (*settings, *source, error) {
	text, err := readBounded(file, maxConfigFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, usageError{fmt.Errorf("%w: name the configuration with --config FILE, "+
			"or begin with delegation init", err)}
	case err != nil:
		return nil, nil, usageError{err}
	}
	s, from := &settings{}, &source{file: file, lines: map[key]int{}, overrides: map[key]string{}}
	parsed, err := parser.ParseBytes(text, 0)
	if err == nil && len(parsed.Docs) > 1 && parsed.Docs[1].Body != nil {
		return nil, nil, usageError{fmt.Errorf("%s:%d: a second document begins: one file "+
			"has one", file, parsed.Docs[1].Body.GetToken().Position.Line)}
	}
	if err == nil && len(parsed.Docs) > 0 && parsed.Docs[0].Body != nil && parsed.Docs[0].Body.Type() != ast.NullType {
		ast.Walk(lineVisitor(from.lines), parsed.Docs[0].Body)
		err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(s)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, usageError{fmt.Errorf("%s%s", file, describe(err, parsed))}
	}
	if err := override(s, from, environment); err != nil {
		return nil, nil, usageError{err}
	}
	return s, from, nil
}

// lineVisitor notes the first line of every key.
type lineVisitor map[key]int

func (v lineVisitor) Visit(node ast.Node) ast.Visitor {
	k := keyAt(node.GetPath())
	if _, seen := v[k]; !seen {
		v[k] = node.GetToken().Position.Line
	}
	return v
}

// describe puts the YAML library's errors into words with line and key, and without the lines
// around: they might hold a secret.
func describe(err error, parsed *ast.File) string {
	var e yaml.Error
	if !errors.As(err, &e) || e.GetToken() == nil {
		return ": " + err.Error()
	}
	at := e.GetToken()
	where := fmt.Sprintf(":%d: ", at.Position.Line)
	if k := keyOf(at, parsed); k != "" {
		where += string(k) + ": "
	}
	var wrongType *yaml.TypeError
	var unknown *yaml.UnknownFieldError
	switch {
	case errors.As(err, &wrongType):
		return where + "want " + kindName(wrongType.DstType)
	case errors.As(err, &unknown):
		return where + "unknown key"
	}
	return where + e.GetMessage()
}

// keyOf finds the key of the node with the token.
func keyOf(at *token.Token, parsed *ast.File) (found key) {
	if parsed == nil {
		return ""
	}
	for _, document := range parsed.Docs {
		if document.Body == nil {
			continue
		}
		ast.Walk(visitor(func(node ast.Node) {
			if t := node.GetToken(); t != nil && t.Position.Offset == at.Position.Offset {
				found = cmp.Or(keyAt(node.GetPath()), found)
			}
		}), document.Body)
	}
	return found
}

type visitor func(ast.Node)

func (v visitor) Visit(node ast.Node) ast.Visitor { v(node); return v }

func kindName(t reflect.Type) string {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "another type"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "keys with values"
}

// override sets what the environment says.
func override(s *settings, from *source, environment []string) error {
	places := map[string]place{}
	collect(reflect.ValueOf(s).Elem(), "", places)
	// an outer key before those within it
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, environmentPrefix) || name == environmentPrefix+"CONFIG" {
			continue
		}
		p, ok := places[strings.TrimPrefix(name, environmentPrefix)]
		if !ok {
			from.unknown = append(from.unknown, name)
			continue
		}
		from.overrides[p.key] = name
		if p.value.Kind() == reflect.String {
			p.value.SetString(value) // as it is: an address is no YAML
			continue
		}
		p.value.SetZero()
		parsed, err := parser.ParseBytes([]byte(value), 0)
		if err == nil {
			err = yaml.NewDecoder(strings.NewReader(value), yaml.Strict()).Decode(p.value.Addr().Interface())
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("environment variable %s%s", name, describe(err, parsed))
		}
	}
	return nil
}

// place is where an environment variable goes.
type place struct {
	key   key
	value reflect.Value
}

// collect finds the variables: every key of a fixed name, at the top and within.
func collect(v reflect.Value, at key, into map[string]place) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		k := at.child(name)
		into[strings.ToUpper(strings.ReplaceAll(string(k), ".", "_"))] = place{k, v.Field(i)}
		if v.Field(i).Kind() == reflect.Struct {
			collect(v.Field(i), k, into)
		}
	}
}

// beside returns the path of a file that the configuration names.
func (s *source) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(s.file), name)
}
