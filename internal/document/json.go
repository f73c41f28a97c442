package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The errors of Object. None of them quotes a value of its input.
var (
	ErrDuplicate = errors.New("a member occurs twice")
	ErrSyntax    = errors.New("its syntax is wrong")
	ErrNotUTF8   = errors.New("it is not UTF-8")
	ErrSurrogate = errors.New("a string has half of a surrogate pair (RFC 7493 §2.1)")
	ErrNotObject = errors.New("it is not an object")
	ErrDepth     = fmt.Errorf("it is nested deeper than %d", maxDepth)
)

// byteOrderMark is U+FEFF in UTF-8. RFC 8259 §8.1 lets a reader ignore one.
var byteOrderMark = []byte("\uFEFF")

// WithoutBOM returns the text without a byte order mark in front, which some servers send.
func WithoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, byteOrderMark) }

// Object decodes exactly one JSON object that decides about access. encoding/json alone takes the
// last of two equal members, replaces invalid UTF-8 and halves of surrogate pairs, and quotes its
// input in errors.
//
// The text must be one object: UTF-8, no half of a surrogate pair, no member twice at
// any depth, nothing after it, at most 32 levels deep. Numbers are json.Number, so that no digit
// is lost; the rest is as encoding/json decodes into any. Duplicate members are named in the
// error.
//
// Of several faults only one is reported. The order is: invalid UTF-8, wrong syntax, half of a
// surrogate pair, and then the first duplicate member or too deeply nested object.
func Object(data []byte) (map[string]any, error) { return ObjectOf(string(data)) }

// ObjectOf is [Object] for a string. The texts in the object share its memory.
func ObjectOf(text string) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, ErrNotUTF8
	}
	r := reader{text: text}
	value, ok := r.read()
	switch {
	case !ok:
		return nil, ErrSyntax
	case r.lone:
		return nil, ErrSurrogate
	case r.refusal != nil:
		return nil, r.refusal
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, ErrNotObject
	}
	return object, nil
}

// SyntaxError says where a text that [Object] refused with ErrSyntax stops being JSON. It names the
// character there if that is easily overlooked: white space, or one that no editor shows. It wraps
// ErrSyntax, and quotes nothing else of the text.
func SyntaxError(data []byte) error {
	var raw json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(data, &raw)
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(data)) {
		return ErrSyntax
	}
	if strings.Contains(syntax.Error(), "unexpected end") {
		return fmt.Errorf("%w: it ends too early", ErrSyntax)
	}
	before := data[:syntax.Offset-1]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	found, _ := utf8.DecodeRune(data[len(before):])
	name := unseen(found)
	if name == "" {
		return fmt.Errorf("%w in line %d, column %d", ErrSyntax, line, column)
	}
	where := "outside a string"
	if endsInString(before) {
		where = "inside a string"
	}
	return fmt.Errorf("%w: JSON does not allow %s %s, in line %d, column %d",
		ErrSyntax, name, where, line, column)
}

// endsInString tells whether the beginning of a JSON text ends within a string.
func endsInString(text []byte) bool {
	inside, escaped := false, false
	for _, b := range text {
		switch {
		case escaped:
			escaped = false
		case b == '\\':
			escaped = inside
		case b == '"':
			inside = !inside
		}
	}
	return inside
}

// unseen returns the name of an invisible character, or an empty name for any other character.
func unseen(r rune) string {
	names := map[rune]string{
		'\t': "a tab", '\n': "a line feed", '\r': "a carriage return", ' ': "a space",
		'\u00A0': "a no-break space", '\uFEFF': "a byte order mark",
	}
	if name := names[r]; name != "" {
		return fmt.Sprintf("%s (U+%04X)", name, r)
	}
	switch {
	case unicode.IsSpace(r):
		return fmt.Sprintf("white space (U+%04X)", r)
	case unicode.IsControl(r):
		return fmt.Sprintf("a control character (U+%04X)", r)
	case unicode.Is(unicode.Cf, r):
		return fmt.Sprintf("an invisible character (U+%04X)", r)
	}
	return ""
}
