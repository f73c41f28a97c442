package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed055b7978/delegation/internal/document"
)

// nested is an object in which n objects or arrays, itself included, stand around the number 1.
func nested(n int) string {
	return `{"a":` + strings.Repeat("[", n-1) + "1" + strings.Repeat("]", n-1) + "}"
}

func TestObject(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"empty object", `{}`, nil},
		{"white space around", " \t\r\n{ } \n", nil},
		{"every kind of value",
			`{"s":"x","n":1.5e3,"t":true,"f":false,"z":null,"o":{"a":{}},"l":[1,"a",null,[],{}]}`,
			nil},
		{"the same name in different objects", `{"a":{"b":1},"b":{"a":1,"b":[{"a":1},{"a":2}]}}`,
			nil},
		{"names that differ by case", `{"a":1,"A":2}`, nil},
		{"an empty name", `{"":1}`, nil},
		{"32 levels", nested(32), nil},

		{"a name twice", `{"a":1,"a":1}`, document.ErrDuplicate},
		{"not side by side", `{"a":1,"b":{"c":[2]},"a":3}`, document.ErrDuplicate},
		{"once escaped", `{"a":1,"\u0061":2}`, document.ErrDuplicate},
		{"null first", `{"a":null,"a":2}`, document.ErrDuplicate},
		{"an empty name twice", `{"":1,"":2}`, document.ErrDuplicate},
		{"in an object in an object", `{"a":{"b":{"c":1,"c":1}}}`, document.ErrDuplicate},
		{"in an object in an array", `{"a":[{},[{"c":1,"c":1}]]}`, document.ErrDuplicate},

		{"33 levels", nested(33), document.ErrDepth},
		{"33 levels of objects", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
			document.ErrDepth},
		{"33 levels of nothing", strings.Replace(nested(33), "1", "", 1), document.ErrDepth},
		// encoding/json stops at 10,000
		{"more than the stack would take", nested(1 << 20), document.ErrSyntax},

		{"nothing", ``, document.ErrSyntax},
		{"white space", ` `, document.ErrSyntax},
		{"cut short", `{"a":1`, document.ErrSyntax},
		{"a second object", `{}{}`, document.ErrSyntax},
		{"a word behind", `{} x`, document.ErrSyntax},
		{"a bracket behind", `{}]`, document.ErrSyntax},
		{"a comma too many", `{"a":1,}`, document.ErrSyntax},
		{"no comma", `{"a":1 "b":2}`, document.ErrSyntax},
		{"no name", `{1:1}`, document.ErrSyntax},
		{"single quotes", `{'a':1}`, document.ErrSyntax},
		{"a comment", `{/* */}`, document.ErrSyntax},
		{"NaN", `{"a":NaN}`, document.ErrSyntax},
		{"a leading zero", `{"a":01}`, document.ErrSyntax},
		{"a raw control character", "{\"a\":\"\n\"}", document.ErrSyntax},
		{"a byte order mark", "\ufeff{}", document.ErrSyntax},

		{"invalid UTF-8 in a value", "{\"a\":\"\xff\"}", document.ErrNotUTF8},
		{"invalid UTF-8 in a name", "{\"\xc0\xaf\":1}", document.ErrNotUTF8},
		{"a surrogate as UTF-8", "{\"a\":\"\xed\xa0\x80\"}", document.ErrNotUTF8},

		{"half of a surrogate pair", `{"a":"\ud800"}`, document.ErrSurrogate},
		{"the other half", `{"a":"\uDFFF"}`, document.ErrSurrogate},
		{"in a name", `{"\udbff":1}`, document.ErrSurrogate},
		{"in a name in an array", `{"a":[{"b":{"\udc00":1}}]}`, document.ErrSurrogate},
		{"a pair the wrong way round", `{"a":"\ude00\ud83d"}`, document.ErrSurrogate},
		{"a half before a pair", `{"a":"\ud83d\ud83d\ude00"}`, document.ErrSurrogate},
		{"a half after a pair", `{"a":"\ud83d\ude00\ude00"}`, document.ErrSurrogate},
		{"a half before another escape", `{"a":"\ud83d\u0041"}`, document.ErrSurrogate},
		{"a half before a short escape", `{"a":"\ud83d\\ude00"}`, document.ErrSurrogate},
		{"a half before a letter", `{"a":"\ud83dude00"}`, document.ErrSurrogate},
		{"halves in two strings", `{"a":["\ud83d","\ude00"]}`, document.ErrSurrogate},
		{"after an escaped backslash", `{"a":"\\\ud800"}`, document.ErrSurrogate},
		{"two names that would become one", `{"\ud800":1,"\ud801":2}`, document.ErrSurrogate},
		{"pairs", `{"\ud83d\ude00":"\uD800\uDC00\udbff\udfff"}`, nil},
		{"an escaped backslash before the letters", `{"a":"\\ud800"}`, nil},
		{"next to the surrogates", `{"a":"\ud7ff\ue000\ufffd"}`, nil},
		{"a character beyond them as UTF-8", `{"a":"😀"}`, nil},

		{"an array", `[{}]`, document.ErrNotObject},
		{"a string", `"{}"`, document.ErrNotObject},
		{"a number", `1`, document.ErrNotObject},
		{"null", `null`, document.ErrNotObject},
	} {
		t.Run(test.name, func(t *testing.T) {
			object, err := document.Object([]byte(test.text))
			if !errors.Is(err, test.want) || (err == nil) != (object != nil) {
				t.Errorf("got %v, %v, want %v", object, err, test.want)
			}
		})
	}
}

func TestObjectKeepsEveryDigit(t *testing.T) {
	object, err := document.Object([]byte(`{"n":9007199254740993,"l":[0.10000000000000000001]}`))
	want := map[string]any{"n": json.Number("9007199254740993"),
		"l": []any{json.Number("0.10000000000000000001")}}
	if err != nil || !reflect.DeepEqual(object, want) {
		t.Errorf("got %v, %v", object, err)
	}
}

// A duplicate's name helps the operator; it is a stranger's text, so it is short and escaped.
// Values are never shown.
func TestErrorsQuoteLittle(t *testing.T) {
	long := strings.Repeat("n", 500)
	_, err := document.Object([]byte(`{"\n` + long + `":"value","\n` + long + `":"value"}`))
	if !errors.Is(err, document.ErrDuplicate) || !strings.Contains(err.Error(), `"\nnnn`) ||
		strings.Contains(err.Error(), "value") || len(err.Error()) > 150 {
		t.Errorf("got %v", err)
	}
}

// FuzzStrictJSON compares with encoding/json: the same value where no member stands twice and no
// surrogate alone, and ErrDuplicate or ErrSurrogate where one does.
func FuzzStrictJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1,"a":1}`, `{"a":[{"b":1,"b":{}}]}`, `[]`, `null`,
		` {"a":"\u00e9\ud83d\ude00","\u0061b":1e400}`, `{"a":1}x`, "{\"a\":\"\xff\"}",
		nested(32), nested(33),
		`{"\ud800":1,"\ud801":2}`, `{"a":"\ud83d\ud83d\ude00"}`, `{"a":"\\\udc00"}`,
		`{"a":"\\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := document.Object(text)
		if err != nil && object != nil {
			t.Fatalf("got an object and %v", err)
		}
		lax := func(into any) error {
			d := json.NewDecoder(bytes.NewReader(text))
			d.UseNumber()
			return d.Decode(into)
		}
		var want map[string]any
		if !utf8.Valid(text) || !json.Valid(text) || lax(&want) != nil || want == nil {
			if err == nil || errors.Is(err, document.ErrDuplicate) && json.Valid(text) &&
				text[0] == '{' {
				t.Fatalf("got %v, %v for what is not one object in UTF-8", object, err)
			}
			return
		}
		names, depth := measure(text)
		switch alone := loneSurrogate(text); {
		case alone != errors.Is(err, document.ErrSurrogate):
			t.Fatalf("got %v; a surrogate stands alone: %v", err, alone)
		case alone:
		case errors.Is(err, document.ErrDepth):
			if depth <= 32 {
				t.Fatalf("%v, but the depth is %d", err, depth)
			}
		case errors.Is(err, document.ErrDuplicate):
			if names == members(want) {
				t.Fatalf("%v, but no member stands twice", err)
			}
		case err != nil:
			t.Fatalf("encoding/json takes what gives %v", err)
		case depth > 32 || names != members(want):
			t.Fatalf("accepted with depth %d, and %d names for %d members", depth, names,
				members(want))
		case !reflect.DeepEqual(object, want):
			t.Fatalf("got %v, encoding/json reads %v", object, want)
		}
	})
}

var escape = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})|.)`)

// loneSurrogate tells whether valid JSON has half of a surrogate pair: a first half that no second
// one follows at once, or a second half that follows no first one.
func loneSurrogate(text []byte) bool {
	open := -1 // where the second half must begin
	for _, at := range escape.FindAllSubmatchIndex(text, -1) {
		if open >= 0 && at[0] != open {
			return true
		}
		unit := uint64(0)
		if at[2] >= 0 {
			unit, _ = strconv.ParseUint(string(text[at[2]:at[3]]), 16, 16)
		}
		first, second := unit>>10 == 0xd800>>10, unit>>10 == 0xdc00>>10
		if second != (open >= 0) {
			return true
		}
		open = -1
		if first {
			open = at[1]
		}
	}
	return open >= 0
}

// members counts those of all objects in a value. Of equal names a decoder keeps one, so that
// duplicates make a difference to the number of names in the text.
func members(value any) int {
	count := 0
	switch v := value.(type) {
	case map[string]any:
		for _, member := range v {
			count += 1 + members(member)
		}
	case []any:
		for _, member := range v {
			count += members(member)
		}
	}
	return count
}

// measure counts the names in valid JSON, and how deep its objects and arrays are nested.
func measure(text []byte) (names, depth int) {
	quoted, level := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ':':
			names++
		case c == '{' || c == '[':
			level++
			depth = max(depth, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return names, depth
}
