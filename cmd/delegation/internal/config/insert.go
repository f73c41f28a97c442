package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Insertion is an entry to add to a configuration, as its last one under a key.
type Insertion struct {
	// Under are the keys that lead to the list or the map, such as targets. If the last one is
	// missing, it is added at the end of the file.
	Under []string

	// Entry are lines of YAML in block style: one element of a list, which begins with a hyphen,
	// or one key with its value.
	Entry []string
}

// isElement tells whether the entry is one of a list.
func (n Insertion) isElement() bool { return strings.HasPrefix(n.Entry[0], "- ") }

// Insert adds entries to the text of a configuration. It keeps every existing byte, with comments
// and order. It refuses what it cannot insert that way, such as an entry of a list in brackets. It
// also parses the result: apart from the entries, it must have the same meaning as before.
func Insert(text []byte, insertions []Insertion) ([]byte, error) {
	root, err := blockOf(text)
	if err != nil {
		return nil, err
	}
	lines := strings.SplitAfter(string(text), "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	newline := "\n"
	if strings.HasSuffix(lines[0], "\r\n") {
		newline = "\r\n"
	}
	after := map[int]string{} // what to add after a line, counted from 1
	for _, n := range insertions {
		line, inserted, err := n.place(root, lines)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(n.Under, "."), err)
		}
		for _, one := range inserted {
			after[line] += one + newline
		}
	}
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(line)
		if added := after[i+1]; added != "" {
			if !strings.HasSuffix(line, "\n") {
				b.WriteString(newline)
			}
			b.WriteString(added)
		}
	}
	written := []byte(b.String())
	if err := saysTheSame(text, written, insertions); err != nil {
		return nil, err
	}
	return written, nil
}

// blockOf returns the map of a text with one document and a key on each line. In places the YAML
// library counts lines that end with CR and LF twice, so the text is parsed without the CR.
func blockOf(text []byte) (*ast.MappingNode, error) {
	text = bytes.ReplaceAll(bytes.TrimPrefix(text, byteOrderMark), []byte("\r\n"), []byte("\n"))
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil || len(parsed.Docs) != 1 {
		return nil, errors.New("it is not a single YAML document")
	}
	root, ok := parsed.Docs[0].Body.(*ast.MappingNode)
	if !ok || root.IsFlowStyle || parsed.Docs[0].End != nil {
		return nil, errors.New("it does not have each key on a line of its own: write it without " +
			"braces, and with nothing after it")
	}
	return root, nil
}

// place finds the line after which an entry is inserted, and indents the entry.
func (n Insertion) place(root *ast.MappingNode, lines []string) (int, []string, error) {
	end := len(lines) + 1 // the first line after the list or map
	block := root
	for depth, key := range n.Under {
		at := slices.IndexFunc(block.Values, func(v *ast.MappingValueNode) bool {
			return nameOf(v.Key) == key
		})
		if at < 0 && depth == 0 {
			made := append([]string{"", key + ":"}, indented(n.Entry, 2)...)
			return len(lines), made, nil
		}
		if at < 0 {
			return 0, nil, errors.New("the key is not in the file itself")
		}
		if at+1 < len(block.Values) {
			end = block.Values[at+1].Key.GetToken().Position.Line
		}
		if depth < len(n.Under)-1 {
			inner, ok := block.Values[at].Value.(*ast.MappingNode)
			if !ok || inner.IsFlowStyle {
				return 0, nil, errNotBlock
			}
			block = inner
			continue
		}
		indent, err := n.indentIn(block.Values[at])
		if err != nil {
			return 0, nil, err
		}
		return lastLine(lines, end, indent), indented(n.Entry, indent), nil
	}
	return 0, nil, errors.New("no key is named")
}

var errNotBlock = errors.New("is not written with each entry on lines of its own, or has an " +
	"anchor: write it without braces, brackets and anchors")

// nameOf is the text of a key; "" if the key is not text.
func nameOf(key ast.MapKeyNode) string {
	if text, ok := key.(*ast.StringNode); ok {
		return text.Value
	}
	return ""
}

// indentIn returns the indentation of the entries of a list or map.
func (n Insertion) indentIn(entry *ast.MappingValueNode) (int, error) {
	switch value := entry.Value.(type) {
	case *ast.MappingNode:
		if !value.IsFlowStyle && !n.isElement() && len(value.Values) > 0 {
			return value.Values[0].Key.GetToken().Position.Column - 1, nil
		}
	case *ast.SequenceNode:
		if !value.IsFlowStyle && n.isElement() && len(value.Values) > 0 {
			return value.Start.Position.Column - 1, nil
		}
	case *ast.NullNode:
		if value.GetToken().Type == token.ImplicitNullType {
			return entry.Key.GetToken().Position.Column + 1, nil
		}
	}
	return 0, errNotBlock
}

// lastLine returns the last line that belongs to the entries. Empty lines before end, and comments
// that are indented less than the entries, belong to what follows.
func lastLine(lines []string, end, indent int) int {
	for end = min(end, len(lines)+1); end > 1; end-- {
		line := lines[end-2]
		text := strings.TrimLeft(line, " ")
		isComment := strings.HasPrefix(text, "#") && len(line)-len(text) < indent
		if strings.TrimSpace(text) != "" && !isComment {
			break
		}
	}
	return end - 1
}

func indented(entry []string, indent int) []string {
	var lines []string
	for _, line := range entry {
		lines = append(lines, strings.Repeat(" ", indent)+line)
	}
	return lines
}

// saysTheSame checks that the second text means the same as the first, apart from the insertions.
// This detects, for example, an insertion into a quoted text.
func saysTheSame(before, after []byte, insertions []Insertion) error {
	want, err := inOrder(before)
	if err != nil {
		return err
	}
	got, err := inOrder(after)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(insertions) {
		var entry any
		text := strings.Join(n.Entry, "\n")
		err := yaml.UnmarshalWithOptions([]byte(text), &entry, yaml.UseOrderedMap())
		rest, ok := without(got, n.Under, entry)
		if err != nil || !ok {
			return errOtherwise
		}
		got = rest
	}
	if !reflect.DeepEqual(filled(want), filled(got)) {
		return errOtherwise
	}
	return nil
}

var errOtherwise = errors.New("the file would then not have the intended content: add the entry " +
	"by hand")

// inOrder decodes a map, with its keys in their order.
func inOrder(text []byte) (tree yaml.MapSlice, err error) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if err := yaml.UnmarshalWithOptions(text, &tree, yaml.UseOrderedMap()); err != nil {
		return nil, errOtherwise
	}
	return tree, nil
}

// filled returns the keys that have values. An empty list counts as missing, as does a key without
// a value.
func filled(tree yaml.MapSlice) (rest yaml.MapSlice) {
	for _, item := range tree {
		list, isList := item.Value.([]any)
		inner, isMap := item.Value.(yaml.MapSlice)
		if item.Value == nil || isList && len(list) == 0 || isMap && len(inner) == 0 {
			continue
		}
		rest = append(rest, item)
	}
	return rest
}

// without removes the last entry under the keys from a map, if it is the one that was added.
func without(tree yaml.MapSlice, under []string, entry any) (yaml.MapSlice, bool) {
	at := slices.IndexFunc(tree, func(item yaml.MapItem) bool { return item.Key == under[0] })
	if at < 0 {
		return nil, false
	}
	tree = slices.Clone(tree)
	if len(under) > 1 {
		inner, isMap := tree[at].Value.(yaml.MapSlice)
		if !isMap {
			return nil, false
		}
		rest, ok := without(inner, under[1:], entry)
		tree[at].Value = rest
		return tree, ok
	}
	switch value := tree[at].Value.(type) {
	case []any:
		if last := len(value) - 1; last >= 0 {
			tree[at].Value = value[:last]
			return tree, reflect.DeepEqual([]any{value[last]}, entry)
		}
	case yaml.MapSlice:
		if last := len(value) - 1; last >= 0 {
			tree[at].Value = value[:last]
			return tree, reflect.DeepEqual(yaml.MapSlice{value[last]}, entry)
		}
	}
	return nil, false
}
