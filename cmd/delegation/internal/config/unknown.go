package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// unknownKeys reports every key below the node that the type does not have, and suggests the key
// that was probably meant. It also reports every value of the wrong kind. The decoder would stop at
// the first. The text of each error begins with the line.
func unknownKeys(node ast.Node, t reflect.Type) []error {
	if node == nil {
		return nil
	}
	return anchorsIn(node).unknownKeys(node, t)
}

func (a anchors) unknownKeys(node ast.Node, t reflect.Type) (problems []error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if err := a.wrongKind(node, t); err != nil {
		return []error{err}
	}
	switch n := node.(type) {
	case *ast.AnchorNode:
		return a.unknownKeys(n.Value, t)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			return nil // any kind
		}
		for _, value := range n.Values {
			problems = append(problems, a.unknownKeys(value, t.Elem())...)
		}
	case *ast.MappingNode:
		for _, entry := range n.Values {
			problems = append(problems, a.unknownEntry(entry, t)...)
		}
	case *ast.MappingValueNode: // a mapping with one key
		return a.unknownEntry(n, t)
	}
	return problems
}

// unknownEntry does the same for one key and its value.
func (a anchors) unknownEntry(entry *ast.MappingValueNode, t reflect.Type) []error {
	switch {
	case entry.Key.IsMergeKey():
		return a.unknownKeys(entry.Value, t)
	case t.Kind() == reflect.Map:
		return a.unknownKeys(entry.Value, t.Elem())
	case t.Kind() != reflect.Struct:
		return nil
	}
	name := entry.Key.GetToken().Value
	var known []string
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		if key == name {
			return a.unknownKeys(entry.Value, t.Field(i).Type)
		}
		known = append(known, key)
	}
	k := keyAt(entry.Value.GetPath())
	if entry.Value.Type() == ast.NullType && !strings.HasSuffix(string(k), name) {
		k = k.Child(name) // an absent value has the path of its parent
	}
	text := fmt.Sprintf(":%d: %s: unknown key", entry.Key.GetToken().Position.Line, k)
	if strings.HasPrefix(name, "-") {
		text += ": a list has a space after -"
	} else if _, complex := entry.Key.(*ast.MappingKeyNode); complex {
		text += ": write KEY: VALUE, without ?"
	} else if meant := closest(name, known); meant != "" {
		text += ": did you mean " + meant + "?"
	}
	return []error{errors.New(text)}
}

// closest returns the name that is most similar to what was written; "" if every name differs in
// more than a third of it.
func closest(written string, names []string) (meant string) {
	allowed := max(1, len(written)/3)
	for _, name := range slices.Sorted(slices.Values(names)) {
		if d := edits(written, name); d <= allowed {
			meant = name
			allowed = d - 1
		}
	}
	return meant
}

// edits counts the bytes to insert, delete or replace that make a into b (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1) // from the empty prefix of a to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// each puts a prefix in front of every problem in an error.
func each(prefix string, err error) error {
	problems := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		problems = joined.Unwrap()
	}
	for i, problem := range problems {
		problems[i] = errors.New(prefix + problem.Error())
	}
	return errors.Join(problems...)
}
