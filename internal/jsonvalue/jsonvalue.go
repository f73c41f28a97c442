// Package jsonvalue reads decoded JSON: maps, slices, strings, booleans, and numbers as
// json.Number, int, int64 or float64. It finds values by dotted paths, and turns them into texts.
// Its copies share no map or slice with the original. AppendText writes a text.
package jsonvalue

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Lookup finds the value at a dotted path. At each level the longest name wins, so a name that
// contains dots is found under its whole name. A number selects from a list.
func Lookup(value any, path string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		if found, ok := v[path]; ok {
			return found, true
		}
		for i := lastDot(path); i >= 0; i = lastDot(path[:i]) {
			next, ok := v[path[:i]]
			if !ok {
				continue
			}
			if found, ok := Lookup(next, path[i+1:]); ok {
				return found, true
			}
		}
	case []any:
		first, rest, nested := strings.Cut(path, ".")
		index, err := strconv.Atoi(first)
		if err != nil || index < 0 || index >= len(v) {
			return nil, false
		}
		if !nested {
			return v[index], true
		}
		return Lookup(v[index], rest)
	}
	return nil, false
}

// Lookalike follows a dotted path as [Lookup] does. It returns a name in the value that differs
// only by case from a name on the path. A reader that folds case would find another value there.
func Lookalike(value any, path string) (name string, found bool) {
	switch v := value.(type) {
	case map[string]any:
		for end := len(path); end >= 0; end = lastDot(path[:end]) {
			for _, name := range slices.Sorted(maps.Keys(v)) {
				if name != path[:end] && strings.EqualFold(name, path[:end]) {
					return name, true
				}
			}
			next, ok := v[path[:end]]
			if !ok || end == len(path) {
				continue
			}
			if name, found := Lookalike(next, path[end+1:]); found {
				return name, true
			}
		}
	case []any:
		first, rest, _ := strings.Cut(path, ".")
		if index, err := strconv.Atoi(first); err == nil && index >= 0 && index < len(v) {
			return Lookalike(v[index], rest)
		}
	}
	return "", false
}

func lastDot(path string) int { return strings.LastIndexByte(path, '.') }

// Text returns the text of a string, number or boolean.
func Text(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number, bool, int, int64:
		return fmt.Sprint(v), true
	case float64: // as a rule or profile loader may set it; without an exponent
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// Texts returns the texts of a list of strings, numbers and booleans, or of one of them; none for
// null. False: something else is among them.
func Texts(value any) (list []string, ok bool) {
	switch v := value.(type) {
	case nil:
		return nil, true
	case []string:
		return slices.Clone(v), true
	case []any:
		for _, entry := range v {
			text, ok := Text(entry)
			if !ok {
				return nil, false
			}
			list = append(list, text)
		}
		return list, true
	}
	text, ok := Text(value)
	if !ok {
		return nil, false
	}
	return []string{text}, true
}

// Clone returns a copy that shares no map or slice, of whatever type they are. Structs and what
// pointers lead to are shared. A value that holds itself, which JSON cannot but a rule in Go can
// make, has a copy that holds itself.
func Clone(value any) any {
	if value == nil {
		return nil
	}
	return copies{}.of(reflect.ValueOf(value)).Interface()
}

// copies are the maps and slices that are copied already, or about to be.
type copies map[place]reflect.Value

type place struct {
	at     unsafe.Pointer
	length int // parts of one array are several slices
	kind   reflect.Type
}

func (c copies) of(v reflect.Value) reflect.Value {
	switch {
	case v.Kind() == reflect.Interface && !v.IsNil():
		return c.of(v.Elem())
	case v.Kind() != reflect.Map && v.Kind() != reflect.Slice || v.IsNil():
		return v
	}
	here := place{v.UnsafePointer(), v.Len(), v.Type()}
	if copied, ok := c[here]; ok {
		return copied
	}
	if v.Kind() == reflect.Map {
		copied := reflect.MakeMapWithSize(v.Type(), v.Len())
		c[here] = copied
		for entries := v.MapRange(); entries.Next(); {
			copied.SetMapIndex(entries.Key(), c.of(entries.Value()))
		}
		return copied
	}
	copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	c[here] = copied
	for i := range v.Len() {
		copied.Index(i).Set(c.of(v.Index(i)))
	}
	return copied
}

// CloneObject is [Clone] for an object as a decoder returns it: of maps and lists of any, without
// one that holds itself.
func CloneObject(object map[string]any) map[string]any {
	copied := maps.Clone(object) // much faster than one assignment after the other
	for name, value := range object {
		if isNested(value) {
			copied[name] = cloneNested(value)
		}
	}
	return copied
}

// CloneNested is [CloneObject] for an object whose [Nested] is known. It does not look at the
// other members.
func CloneNested(object map[string]any, nested []string) map[string]any {
	copied := maps.Clone(object)
	for _, name := range nested {
		copied[name] = cloneNested(object[name])
	}
	return copied
}

// Nested returns the names of the members of an object that are objects or lists themselves, in any
// order.
func Nested(object map[string]any) []string {
	var names []string
	for name, value := range object {
		if isNested(value) {
			names = append(names, name)
		}
	}
	return names
}

func isNested(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// cloneNested copies an object or a list. It returns any other value unchanged.
func cloneNested(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return CloneObject(v)
	case []any:
		return cloneArray(v)
	}
	return value
}

func cloneArray(array []any) []any {
	if array == nil {
		return nil
	}
	copied := slices.Clone(array)
	for i, value := range copied {
		if isNested(value) {
			copied[i] = cloneNested(value)
		}
	}
	return copied
}

// AppendText appends a text as encoding/json writes it. Text that needs no escape, as most does, is
// appended as it is, without reflection and a buffer in between.
func AppendText(b []byte, text string) []byte {
	for i := range len(text) {
		if !isPlain(text[i]) {
			quoted, _ := json.Marshal(text) // a string always has a JSON text
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// isPlain tells whether encoding/json writes a byte of a text as it is.
func isPlain(c byte) bool {
	switch c {
	case '"', '\\', '<', '>', '&':
		return false
	}
	return ' ' <= c && c < utf8.RuneSelf
}
