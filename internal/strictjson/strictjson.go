// Package strictjson decodes JSON that decides about access. encoding/json alone takes the last of two equal members, replaces
// invalid UTF-8, and quotes its input in errors; two readers of one token must never see different things.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const maxDepth = 32

// What Object refuses. No error quotes a value of its input.
var (
	ErrDuplicate = errors.New("a member stands twice")
	ErrSyntax    = errors.New("its syntax is wrong")
	ErrNotUTF8   = errors.New("it is not UTF-8")
	ErrNotObject = errors.New("it is not an object")
	ErrDepth     = fmt.Errorf("it is nested deeper than %d", maxDepth)
)

// Object decodes exactly one JSON object: UTF-8, no member twice at any depth, nothing behind it, at most 32 levels deep.
// Numbers are json.Number, so that no digit is lost; the rest is as encoding/json decodes into any. Duplicate members are
// named in the error.
func Object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, ErrNotUTF8
	}
	if !json.Valid(data) {
		return nil, ErrSyntax
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := next(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, ErrNotObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrSyntax
	}
	return object, nil
}

// next decodes the next value of valid JSON.
func next(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, ErrSyntax
	}
	if _, nested := t.(json.Delim); nested && depth == maxDepth {
		return nil, ErrDepth
	}
	switch t {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return nil, ErrSyntax
			}
			if _, ok := object[name]; ok {
				return nil, fmt.Errorf("%w: %.80q", ErrDuplicate, name)
			}
			if object[name], err = next(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.Token() // the closing brace
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := next(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}
