package document_test

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

	"github.com/seed055b7978/delegation/internal/document"
)

// decode is the reader that Object replaced: encoding/json with the checks that it lacks. It makes
// several passes, and is the oracle of what Object returns.
func decode(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, document.ErrNotUTF8
	}
	if !json.Valid(data) {
		return nil, document.ErrSyntax
	}
	if halfIn(data) {
		return nil, document.ErrSurrogate
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	value, err := decodeNext(d, 0)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, document.ErrNotObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, document.ErrSyntax
	}
	return object, nil
}

// halfIn tells whether valid JSON escapes half of a surrogate pair without the other.
// encoding/json reads U+FFFD from each, so that different names become equal. Backslashes are in
// strings only, and nothing else in valid UTF-8 can spell a surrogate.
func halfIn(data []byte) bool {
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

// decodeNext decodes the next value of valid JSON.
func decodeNext(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, document.ErrSyntax
	}
	if _, nested := t.(json.Delim); nested && depth == 32 {
		return nil, document.ErrDepth
	}
	switch t {
	case json.Delim('{'):
		object := map[string]any{}
		for d.More() {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return nil, document.ErrSyntax
			}
			if _, ok := object[name]; ok {
				return nil, fmt.Errorf("%w: %.80q", document.ErrDuplicate, name)
			}
			if object[name], err = decodeNext(d, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = d.Token() // the closing brace
		return object, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := decodeNext(d, depth+1)
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
