package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const maxDepth = 32

// What Object refuses. No error quotes a value of its input.
var (
	ErrDuplicate = errors.New("a member stands twice")
	ErrSyntax    = errors.New("its syntax is wrong")
	ErrNotUTF8   = errors.New("it is not UTF-8")
	ErrSurrogate = errors.New("a string has half of a surrogate pair (RFC 7493 §2.1)")
	ErrNotObject = errors.New("it is not an object")
	ErrDepth     = fmt.Errorf("it is nested deeper than %d", maxDepth)
)

// Object decodes exactly one JSON object that decides about access. encoding/json alone takes the
// last of two equal members, replaces invalid UTF-8 and halves of surrogate pairs, and quotes its
// input in errors.
//
// The text must be one object: UTF-8, no half of a surrogate pair, no member twice at
// any depth, nothing behind it, at most 32 levels deep. Numbers are json.Number, so that no digit
// is lost; the rest is as encoding/json decodes into any. Duplicate members are named in the
// error.
func Object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, ErrNotUTF8
	}
	if !json.Valid(data) {
		return nil, ErrSyntax
	}
	if hasLoneSurrogate(data) {
		return nil, ErrSurrogate
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

// hasLoneSurrogate tells whether valid JSON escapes half of a surrogate pair without the other.
// encoding/json reads U+FFFD from each, so that different names become equal. Backslashes are in
// strings only, and nothing else in valid UTF-8 can spell a surrogate.
func hasLoneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		unit, rest := escaped(data[i:])
		if utf16.IsSurrogate(unit) {
			var second rune
			second, rest = escaped(rest)
			if utf16.DecodeRune(unit, second) == unicode.ReplacementChar {
				return true
			}
		}
		data = rest
	}
}

// escaped returns the code unit of the \u escape that valid JSON begins with, and what follows it.
// The unit is zero if it begins with anything else.
func escaped(data []byte) (unit rune, rest []byte) {
	if data[0] != '\\' {
		return 0, data
	}
	if data[1] != 'u' {
		return 0, data[2:]
	}
	n, _ := strconv.ParseUint(string(data[2:6]), 16, 16) // valid JSON has four digits here
	return rune(n), data[6:]
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
