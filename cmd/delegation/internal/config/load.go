package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// EnvironmentPrefix is the prefix of every variable that sets something.
	EnvironmentPrefix = "DELEGATION_"

	// MaxFile is the size of the largest configuration, in bytes.
	MaxFile = 1 << 20
)

// Load reads the file. Environment variables override it. A variable is named after its key, as in
// DELEGATION_STS_ENDPOINT for sts.endpoint, and holds YAML: a list or a map replaces the file's.
// Unknown keys are refused. Unknown variables are only noted, because container platforms set
// variables with that prefix for a service named delegation. The source is never nil: for a refused
// file, it has what was read.
func Load(file string, environment []string) (*Settings, *Source, error) {
	from := &Source{file: file, lines: map[KeyPath]int{}, overrides: map[KeyPath]string{}}
	from.reads(file)
	text, err := ReadBounded(file, MaxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, from, Usagef(
			"%w: name the configuration with --config FILE, or write one with delegation init", err)
	case err != nil:
		return nil, from, Usage(explainAccess(err))
	}
	s, err := parse(text, from)
	if err != nil {
		return nil, from, Usage(each(file, err))
	}
	if err := override(s, from, environment); err != nil {
		return nil, from, Usage(err)
	}
	return s, from, nil
}

// parse reads the single document of a file. The text of its errors begins with a line number or a
// colon.
func parse(text []byte, from *Source) (*Settings, error) {
	s := &Settings{}
	if err := checkText(text); err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, byteOrderMark)
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, describe(err, parsed, text)
	}
	if len(parsed.Docs) > 1 && parsed.Docs[1].Body != nil {
		line := parsed.Docs[1].Body.GetToken().Position.Line
		return nil, fmt.Errorf(":%d: a second document begins here: a file can have only one", line)
	}
	if len(parsed.Docs) == 0 || isNothing(parsed.Docs[0].Body) {
		return s, nil
	}
	if err := rootText(parsed.Docs[0].Body); err != nil {
		return nil, err
	}
	ast.Walk(lineVisitor(from.lines), parsed.Docs[0].Body)
	if unknown := unknownKeys(parsed.Docs[0].Body, reflect.TypeFor[Settings]()); unknown != nil {
		return nil, errors.Join(unknown...)
	}
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(s)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, describe(err, parsed, text)
	}
	return s, nil
}

func isNothing(body ast.Node) bool { return body == nil || body.Type() == ast.NullType }

// ReadBounded reads a file, and fails if it is larger than a configuration can reasonably be.
func ReadBounded(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", file, limit)
	}
	return text, err
}

// lineVisitor notes the first line of every key.
type lineVisitor map[KeyPath]int

func (v lineVisitor) Visit(node ast.Node) ast.Visitor {
	k := keyAt(node.GetPath())
	if _, seen := v[k]; !seen {
		v[k] = node.GetToken().Position.Line
	}
	return v
}

// keyOf finds the key of the node with the token.
func keyOf(at *token.Token, parsed *ast.File) (found KeyPath) {
	walk(parsed, func(node ast.Node) {
		if t := node.GetToken(); t != nil && t.Position.Offset == at.Position.Offset {
			found = cmp.Or(keyAt(node.GetPath()), found)
		}
	})
	return found
}

// walk visits the nodes of all documents; nil: there are none.
func walk(parsed *ast.File, visit func(ast.Node)) {
	if parsed == nil {
		return
	}
	for _, document := range parsed.Docs {
		if document.Body != nil {
			ast.Walk(visitor(visit), document.Body)
		}
	}
}

type visitor func(ast.Node)

func (v visitor) Visit(node ast.Node) ast.Visitor {
	v(node)
	return v
}

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
