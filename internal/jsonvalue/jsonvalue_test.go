package jsonvalue_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/jsonvalue"
)

func TestLookup(t *testing.T) {
	document := map[string]any{
		"a":                          map[string]any{"b": "nested", "b.c": "whole name", "n": nil},
		"a.b":                        "dotted name",
		"https://example.com/groups": []any{"x"},
		"list":                       []any{map[string]any{"k": "v"}, "second"},
		"deep.er":                    map[string]any{"x": 1},
		"deep":                       map[string]any{"er": map[string]any{"y": 2}},
	}
	for path, want := range map[string]any{
		"a.b": "dotted name", "a.b.c": "whole name", "a.n": nil,
		"https://example.com/groups.0": "x", "list.0.k": "v", "list.1": "second",
		"deep.er.x": 1, "deep.er.y": 2,
	} {
		if got, ok := jsonvalue.Lookup(document, path); !ok || got != want {
			t.Errorf("%s: got %v, %t, want %v", path, got, ok, want)
		}
	}
	for _, path := range []string{"", ".", "b", "a.", "a.x", "a.b.x", "list.2", "list.-1", "list.x",
		"list.0.k.z", "list.1.k", ".."} {
		if got, ok := jsonvalue.Lookup(document, path); ok {
			t.Errorf("%q: got %v, want nothing", path, got)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, row := range []struct {
		value any
		want  []string
		ok    bool
	}{
		{nil, nil, true}, {"s", []string{"s"}, true},
		{json.Number("12345678901234567890"), []string{"12345678901234567890"}, true},
		{true, []string{"true"}, true},
		{7, []string{"7"}, true}, {int64(-7), []string{"-7"}, true},
		{1e21, []string{"1000000000000000000000"}, true},
		{[]any{"a", json.Number("1"), false}, []string{"a", "1", "false"}, true},
		{[]string{"a"}, []string{"a"}, true}, {[]any{}, nil, true},
		{[]any{"a", nil}, nil, false}, {[]any{[]any{"a"}}, nil, false},
		{map[string]any{}, nil, false}, {struct{}{}, nil, false},
	} {
		if got, ok := jsonvalue.Texts(row.value); ok != row.ok ||
			!reflect.DeepEqual(got, row.want) {
			t.Errorf("%v: got %q, %t", row.value, got, ok)
		}
	}
}

func TestClone(t *testing.T) {
	inner := map[string]any{"k": []any{"v"}, "s": []string{"x"}}
	original := map[string]any{"inner": inner, "n": json.Number("1")}
	copied := jsonvalue.Clone(original).(map[string]any)
	if !reflect.DeepEqual(original, copied) {
		t.Fatalf("got %v", copied)
	}
	inner["k"].([]any)[0], inner["s"].([]string)[0], inner["new"] = "changed", "changed", true
	got := copied["inner"].(map[string]any)
	if got["k"].([]any)[0] != "v" || got["s"].([]string)[0] != "x" || len(got) != 2 {
		t.Errorf("the copy changed: %v", got)
	}
}

// TestClone_HoldsItself: what a rule in Go may make ends no process.
func TestClone_HoldsItself(t *testing.T) {
	list := make([]any, 2)
	m := map[string]any{"list": list, "part": list[:1]}
	list[0], list[1], m["self"] = m, "x", m
	copied := jsonvalue.Clone(m).(map[string]any)
	copied["self"].(map[string]any)["list"].([]any)[1] = "changed"
	if list[1] != "x" || copied["list"].([]any)[1] != "changed" ||
		len(copied["part"].([]any)) != 1 {
		t.Errorf("the copy is not one: %q", list[1])
	}
	if inner := copied["list"].([]any)[0].(map[string]any); inner["new"] != nil {
		t.Error("there is something new")
	} else if inner["new"] = true; copied["new"] != true || m["new"] != nil {
		t.Error("the copy does not hold itself")
	}
}

// TestCloneObject: a copy of decoded JSON is equal, and shares no map or list, at any depth.
func TestCloneObject(t *testing.T) { testClone(t, jsonvalue.CloneObject) }

// TestCloneNested: so is one whose nested members are known.
func TestCloneNested(t *testing.T) {
	testClone(t, func(object map[string]any) map[string]any {
		return jsonvalue.CloneNested(object, jsonvalue.Nested(object))
	})
}

func testClone(t *testing.T, clone func(map[string]any) map[string]any) {
	t.Helper()
	decode := func() (object map[string]any) {
		text := `{"a":[1,[{"b":["c",null]},[]],"x"],"o":{"p":{"q":[true]},"e":{}},"s":"t","z":null}`
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	original := decode()
	copied := clone(original)
	if !reflect.DeepEqual(original, copied) {
		t.Fatalf("got %v", copied)
	}
	spoil(copied)
	if !reflect.DeepEqual(original, decode()) {
		t.Errorf("the original changed: %v", original)
	}
	empty := clone(map[string]any{"a": []any(nil), "o": map[string]any(nil)})
	if !reflect.DeepEqual(empty, map[string]any{"a": []any(nil), "o": map[string]any(nil)}) ||
		clone(nil) != nil {
		t.Errorf("got %#v for what is nil", empty)
	}
}

// spoil changes all that a value holds.
func spoil(value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			spoil(member)
			v[name] = "changed"
		}
		v["new"] = "changed"
	case []any:
		for i, entry := range v {
			spoil(entry)
			v[i] = "changed"
		}
	}
}

// TestAppendText: each character, alone and between others, is written as encoding/json does.
func TestAppendText(t *testing.T) {
	texts := []string{"", "AKIA/+=", "a\xffb", "\u2028", strings.Repeat("x", 1000) + "<"}
	for c := range rune(0x300) {
		texts = append(texts, string(c), "a"+string(c)+"b")
	}
	for c := range 256 {
		texts = append(texts, string([]byte{'a', byte(c)}))
	}
	for _, text := range texts {
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := jsonvalue.AppendText([]byte("before"), text)
		if string(got) != "before"+string(want) {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
