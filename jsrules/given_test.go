package jsrules_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestGlobals_Refused: a global cannot have a name that means something already, nor a value that
// JSON cannot carry. The error names it, and not its value.
func TestGlobals_Refused(t *testing.T) {
	deep := any("canary")
	for range 250 {
		deep = []any{deep}
	}
	for name, row := range map[string]struct {
		globals map[string]any
		want    string
	}{
		"of Auth0":      {map[string]any{"configuration": "canary"}, `"configuration" is a global`},
		"of JavaScript": {map[string]any{"Date": "canary"}, `"Date" is a global`},
		"undefined":     {map[string]any{"undefined": "canary"}, `"undefined" is a word`},
		"a word":        {map[string]any{"class": "canary"}, `"class" is a word`},
		"a prototype":   {map[string]any{"__proto__": "canary"}, `"__proto__" is a word`},
		"empty":         {map[string]any{"": "canary"}, `"" is not a name`},
		"a path":        {map[string]any{"a.b": "canary"}, `"a.b" is not a name`},
		"a call":        {map[string]any{"a)(b": "canary"}, `"a)(b" is not a name`},
		"long": {map[string]any{strings.Repeat("a", 101): "canary"},
			"is not a name of up to 100"},
		"a function": {map[string]any{"A": func() {}}, `"A" has a value that JSON cannot`},
		"not a number": {map[string]any{"A": []any{"canary", math.NaN()}},
			`"A" has a value that JSON cannot`},
		"deep": {map[string]any{"A": deep}, `"A" is nested deeper than 200`},
		"many": {map[string]any{"A": make([]any, 60_000), "B": make([]any, 60_000)},
			`"B" has too many values`},
	} {
		_, err := jsrules.Compile("rule", classic, jsrules.Options{Globals: row.globals})
		if err == nil || !strings.Contains(err.Error(), "jsrules: Globals: "+row.want) &&
			!strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error has the value: %v", name, err)
		}
	}
}

// TestGlobals_GoValues: values of any Go type that JSON can carry are what JSON makes of them, and
// later changes of the caller's values have no effect.
func TestGlobals_GoValues(t *testing.T) {
	type team struct {
		Name string `json:"name"`
	}
	teams := []team{{"press"}}
	limits := map[string]any{"a": 1}
	rule := compile(t, body(`user.got = JSON.stringify([TEAMS, LIMITS, BIG]);
		callback(null, user, context)`), jsrules.Options{Globals: map[string]any{
		"TEAMS": teams, "LIMITS": limits, "BIG": json.Number("12345678901234567890"),
	}})
	teams[0].Name = "changed"
	limits["a"] = 2
	user := benchmarkUser()
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	want := `[[{"name":"press"}],{"a":1},12345678901234567000]`
	if got := user.Text("got"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestGlobals_Isolated: what a rule writes into a global is seen by no other run, not even by the
// next rule of the same exchange in the same runtime. 64 run at the same time.
func TestGlobals_Isolated(t *testing.T) {
	set := new(jsrules.Set)
	o := jsrules.Options{Set: set, Globals: map[string]any{
		"SEEN": map[string]any{"users": []any{}}, "COUNT": 0,
	}}
	source := body(`
		SEEN.users.push(user.user_id);
		SEEN.last = user.user_id;
		COUNT++;
		global.keep = function () { return SEEN; };
		user.seen = (user.seen || '') + SEEN.users.join() + ' ' + Object.keys(SEEN) + ' ' +
			COUNT + ';';
		callback(null, user, context)`)
	first := compile(t, source, o)
	second := compile(t, source, o)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			id := fmt.Sprint("user", i)
			user := &delegation.User{Properties: map[string]any{"user_id": id}}
			rc := benchmarkContext()
			for _, rule := range []delegation.RuleFunc{first, second} {
				if err := rule(t.Context(), user, rc); err != nil {
					t.Error(err)
				}
			}
			want := strings.Repeat(id+" users,last 1;", 2)
			if got := user.Text("seen"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	all.Wait()
}

// TestGlobals_UnusedIsFree: a rule that does not name a global does not pay for it, however large
// it is, and a module's use of one global does not convert the others.
func TestGlobals_UnusedIsFree(t *testing.T) {
	large := map[string]any{"LARGE": make([]any, 50_000), "SMALL": 1}
	modules := map[string]jsrules.Module{"m": {Source: "exports.small = SMALL;"}}
	for name, source := range map[string]string{
		"plain":  body(`user.a = 1; callback(null, user, context)`),
		"loops":  body(`for (var i = 0; i < 3; i++) user.a = i; callback(null, user, context)`),
		"module": body(`user.a = require('m').small; callback(null, user, context)`),
	} {
		with := compile(t, source, jsrules.Options{Globals: large, Modules: modules})
		without := compile(t, source,
			jsrules.Options{Globals: map[string]any{"SMALL": 1}, Modules: modules})
		allocations := func(rule delegation.RuleFunc) float64 {
			return testing.AllocsPerRun(20, func() {
				if err := rule(t.Context(), benchmarkUser(), benchmarkContext()); err != nil {
					t.Error(err)
				}
			})
		}
		if extra := allocations(with) - allocations(without); extra > 100 {
			t.Errorf("%s: an unused list of 50,000 costs %.0f allocations", name, extra)
		}
	}
	uses := compile(t, body(`user.a = LARGE.length; callback(null, user, context)`),
		jsrules.Options{Globals: large})
	user := benchmarkUser()
	if err := uses(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(user.Properties["a"]); got != "50000" {
		t.Errorf("got %s", got)
	}
}
