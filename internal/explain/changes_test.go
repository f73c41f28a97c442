package explain_test

import (
	"slices"
	"testing"

	"github.com/seed055b7978/delegation/internal/explain"
)

type state struct {
	A, B   string
	List   []string
	Map    map[string]string
	hidden int
}

func TestChangedFields(t *testing.T) {
	full := state{A: "a", B: "b", List: []string{"x"}, Map: map[string]string{"k": "v"}}
	for name, row := range map[string]struct {
		before, after state
		want          []string
	}{
		"nothing": {full, full, nil},
		"zero":    {state{}, state{}, nil},
		"one": {full,
			state{A: "a", B: "c", List: []string{"x"}, Map: map[string]string{"k": "v"}},
			[]string{"B"}},
		"all, in order": {full, state{}, []string{"A", "B", "List", "Map"}},
		"nil and empty": {state{}, state{List: []string{}, Map: map[string]string{}}, nil},
		"inside a map": {full,
			state{A: "a", B: "b", List: []string{"x"}, Map: map[string]string{"k": "w"}},
			[]string{"Map"}},
		"order of a list": {state{List: []string{"x", "y"}}, state{List: []string{"y", "x"}},
			[]string{"List"}},
		"unexported field": {state{hidden: 1}, state{hidden: 2}, nil},
	} {
		if got := explain.ChangedFields(row.before, row.after); !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

func TestChangedKeys(t *testing.T) {
	before := map[string]any{"same": []any{"x", map[string]any{"y": 1}}, "gone": nil,
		"changed": "a", "deep": map[string]any{"k": []any{"v"}}}
	after := map[string]any{"same": []any{"x", map[string]any{"y": 1}}, "new": nil, "changed": true,
		"deep": map[string]any{"k": []any{"w"}}}
	if got, want := explain.ChangedKeys(before, after),
		[]string{"changed", "deep", "gone", "new"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(before) != 4 || len(after) != 4 {
		t.Error("the maps have changed")
	}
	if got := explain.ChangedKeys(nil, nil); got != nil {
		t.Errorf("nothing became %q", got)
	}
	if got := explain.ChangedKeys(nil, map[string]any{"a": 1}); !slices.Equal(got, []string{"a"}) {
		t.Errorf("from nil: %q", got)
	}
	if got := explain.ChangedKeys(map[string]any{"a": 1}, nil); !slices.Equal(got, []string{"a"}) {
		t.Errorf("to nil: %q", got)
	}
}
