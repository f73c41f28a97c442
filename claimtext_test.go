package delegation_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// lacksIt is what strangers see if the claim "it" is of no use.
const lacksIt = "the profile lacks a usable it"

// TestTagsFrom: what a property becomes as a session tag.
func TestTagsFrom(t *testing.T) {
	type text = delegation.ClaimText
	long := strings.Repeat("x", 257)
	for name, row := range map[string]struct {
		value  any // of the claim "it"; nil: absent
		from   text
		want   string // the tag; empty with a reason: denied
		reason string // what strangers see
		code   delegation.Code
	}{
		"text":                   {"press", text{}, "press", "", ""},
		"number":                 {42, text{}, "42", "", ""},
		"boolean":                {true, text{}, "true", "", ""},
		"empty text":             {"", text{}, "", "", ""},
		"refused by AWS":         {"a|b", text{}, "", "", delegation.CodeTagsInvalid},
		"escaped":                {"a|b", text{Escape: true}, "a_7cb", "", ""},
		"too long":               {long, text{}, "", "", delegation.CodeTagsInvalid},
		"too long, escaped":      {long, text{Escape: true}, delegation.EscapeTag(long), "", ""},
		"absent":                 {nil, text{}, "", lacksIt, ""},
		"absent and escaped":     {nil, text{Escape: true}, "", lacksIt, ""},
		"absent with a default":  {nil, text{Default: "none at all"}, "none at all", "", ""},
		"absent, both":           {nil, text{Default: "none", Optional: true}, "none", "", ""},
		"a default is no rescue": {map[string]any{}, text{Default: "none"}, "", lacksIt, ""},
		"an object":              {map[string]any{"a": 1}, text{Escape: true}, "", lacksIt, ""},
		"lost text":              {"a\ufffdb", text{Escape: true}, "", lacksIt, ""},
		"a list":                 {[]any{"a"}, text{Escape: true}, "", lacksIt, ""},

		"joined":                {[]any{"a", "b", 3}, text{Join: "+"}, "a+b+3", "", ""},
		"in its order":          {[]any{"b", "a"}, text{Join: "+"}, "b+a", "", ""},
		"one":                   {[]any{"a"}, text{Join: "+"}, "a", "", ""},
		"a text is a list":      {"a", text{Join: "+"}, "a", "", ""},
		"two characters":        {[]any{"a", "b"}, text{Join: " :"}, "a :b", "", ""},
		"an empty list":         {[]any{}, text{Join: "+"}, "", lacksIt, ""},
		"an empty list, filled": {[]any{}, text{Join: "+", Default: "none"}, "none", "", ""},
		"an empty entry": {[]any{"a", ""}, text{Join: "+"}, "",
			lacksIt, ""},
		"a list in a list": {[]any{"a", []any{"b"}}, text{Join: "+", Optional: true}, "",
			lacksIt, ""},
		"null in a list": {[]any{"a", nil}, text{Join: "+"}, "",
			lacksIt, ""},
		"lost text in a list": {[]any{"a", "\ufffd"}, text{Join: "+", Escape: true}, "",
			lacksIt, ""},
		"the separator in an entry": {[]any{"a", "b+c"}, text{Join: "+"}, "",
			"an entry of it has a character of the separator", ""},
		"a part of the separator in an entry": {[]any{"a", "b:c"}, text{Join: " :"}, "",
			"an entry of it has a character of the separator", ""},
		"the separator in an entry, escaped": {[]any{"a", "b+c"}, text{Join: "+", Escape: true},
			"a+b_2bc", "", ""},
		"another character, escaped": {[]any{"a|b", "c.d"}, text{Join: ".", Escape: true},
			"a_7cb.c_2ed", "", ""},
		"as much as AWS takes": {[]any{strings.Repeat("x", 127), strings.Repeat("é", 128)},
			text{Join: "+"}, strings.Repeat("x", 127) + "+" + strings.Repeat("é", 128), "", ""},
		"more than AWS takes": {[]any{strings.Repeat("x", 128), strings.Repeat("x", 128)},
			text{Join: "+", Optional: true, Default: "y"}, "", "the list it is too long", ""},
		"more than AWS takes, escaped": {[]any{strings.Repeat("|", 86)},
			text{Join: "+", Escape: true}, "", "the list it is too long", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row.from.From = "it"
			rule, err := delegation.TagsFrom(map[string]text{"tag": row.from})
			if err != nil {
				t.Fatal(err)
			}
			w.config.Rules = []delegation.RuleFunc{rule}
			claims := map[string]any{}
			if row.value != nil {
				claims["it"] = row.value
			}
			_, err = w.exchange(t, claims)
			switch {
			case row.code != "":
				wantError(t, err, delegation.StageDecision, row.code)
			case row.reason != "":
				e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
				const usual = "a rule refused this user: see its reason"
				if e.Public() != row.reason || e.Remedy == usual {
					t.Errorf("strangers see %q, the remedy is %q", e.Public(), e.Remedy)
				}
			case err != nil:
				t.Fatal(err)
			default:
				got, set := w.lastEvent().Tags["tag"]
				if got != row.want || !set {
					t.Errorf("got %q, want %q", got, row.want)
				}
			}
		})
	}
}

// TestTagsFrom_Optional: a property that is absent, null or an empty list leaves the tag out, and
// what a target or an earlier rule has set stays.
func TestTagsFrom_Optional(t *testing.T) {
	rule := delegation.Must(delegation.TagsFrom(map[string]delegation.ClaimText{
		"one":  {From: "it", Optional: true},
		"many": {From: "it", Join: "+", Optional: true},
		"kept": {From: "it", Optional: true},
		"site": {From: "site"},
	}))
	for name, claims := range map[string]map[string]any{
		"absent":     {"site": "here"},
		"null":       {"site": "here", "it": nil},
		"empty list": {"site": "here", "it": []any{}},
	} {
		w := newWorld(t)
		w.retarget(func(a *delegation.AWS) { a.Tags = map[string]string{"kept": "before"} })
		w.config.Rules = []delegation.RuleFunc{rule}
		if _, err := w.exchange(t, claims); err != nil {
			t.Fatal(err)
		}
		tags := w.lastEvent().Tags
		if len(tags) != 2 || tags["kept"] != "before" || tags["site"] != "here" {
			t.Errorf("%s: the tags are %v", name, tags)
		}
	}
}

// TestSourceIdentityFrom: what a property becomes as a source identity.
func TestSourceIdentityFrom(t *testing.T) {
	type text = delegation.ClaimText
	long := strings.Repeat("x", 65)
	escapedLong := delegation.EscapeSourceIdentity(long)
	for name, row := range map[string]struct {
		value  any // of the claim "it"; nil: absent
		from   text
		want   string
		reason string
		code   delegation.Code
	}{
		"text":             {"alice", text{}, "alice", "", ""},
		"refused by AWS":   {"a|b", text{}, "", "", delegation.CodeSourceIDInvalid},
		"escaped":          {"a|b", text{Escape: true}, "a_7cb", "", ""},
		"one character":    {"a", text{}, "", "", delegation.CodeSourceIDInvalid},
		"one, escaped":     {"a", text{Escape: true}, "_61", "", ""},
		"too long":         {long, text{Escape: true}, escapedLong, "", ""},
		"empty":            {"", text{Escape: true}, "", lacksIt, ""},
		"empty, optional":  {"", text{Optional: true}, "", lacksIt, ""},
		"absent":           {nil, text{}, "", lacksIt, ""},
		"absent, default":  {nil, text{Default: "nobody"}, "nobody", "", ""},
		"absent, optional": {nil, text{Optional: true}, "", "", ""},
		"joined":           {[]any{"a", "b"}, text{Join: "+"}, "a+b", "", ""},
		"one, joined":      {[]any{"a"}, text{Join: "+", Escape: true}, "_61", "", ""},
		"too long a list": {[]any{long}, text{Join: "+", Escape: true}, "",
			"the list it is too long", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			row.from.From = "it"
			rule, err := delegation.SourceIdentityFrom(row.from)
			if err != nil {
				t.Fatal(err)
			}
			w.config.Rules = []delegation.RuleFunc{rule}
			claims := map[string]any{}
			if row.value != nil {
				claims["it"] = row.value
			}
			_, err = w.exchange(t, claims)
			switch {
			case row.code != "":
				wantError(t, err, delegation.StageDecision, row.code)
			case row.reason != "":
				e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
				if e.Public() != row.reason {
					t.Errorf("strangers see %q", e.Public())
				}
			case err != nil:
				t.Fatal(err)
			default:
				if got := w.lastEvent().SourceIdentity; got != row.want {
					t.Errorf("got %q, want %q", got, row.want)
				}
			}
		})
	}
}

// TestClaimText_Invalid: what can give no text is refused when the rule is made, and all of it at
// once.
func TestClaimText_Invalid(t *testing.T) {
	type text = delegation.ClaimText
	tags := func(key string, c text) error {
		_, err := delegation.TagsFrom(map[string]text{key: c, "good": {From: "x"}})
		return err
	}
	identity := func(c text) error {
		_, err := delegation.SourceIdentityFrom(c)
		return err
	}
	for want, err := range map[string]error{
		`TagsFrom: tag "a": From: is empty`: tags("a", text{}),
		`TagsFrom: tag "a": Join: is "_"`:   tags("a", text{From: "x", Join: "_"}),
		`TagsFrom: tag "a": Join: is "x"`:   tags("a", text{From: "x", Join: "x"}),
		`TagsFrom: tag "a": Join: is "+,"`:  tags("a", text{From: "x", Join: "+,"}),
		`TagsFrom: tag "aws:a": AWS does not accept the tag key "aws:a"`: tags("aws:a",
			text{From: "x"}),
		`TagsFrom: tag "": AWS does not accept the tag key ""`: tags("", text{From: "x"}),
		`TagsFrom: tag "a": AWS does not accept the value "a|b" of the tag "a"`: tags("a",
			text{From: "x", Default: "a|b"}),
		"SourceIdentityFrom: From: is empty": identity(text{}),
		`SourceIdentityFrom: Join: is "/"`:   identity(text{From: "x", Join: "/"}),
		`SourceIdentityFrom: Default: "a" is not a source identity`: identity(
			text{From: "x", Default: "a"}),
	} {
		e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(e.Error(), want) {
			t.Errorf("got %v, want %s", e, want)
		}
	}
	_, err := delegation.TagsFrom(map[string]text{"a": {}, "b": {From: "x", Join: "_"}})
	if err == nil ||
		!strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("got %v", err)
	}
	for name, made := range map[string]error{
		"nil":   func() error { _, err := delegation.TagsFrom(nil); return err }(),
		"empty": func() error { _, err := delegation.TagsFrom(map[string]text{}); return err }(),
	} {
		if made != nil {
			t.Errorf("%s: %v", name, made)
		}
	}
}

// TestTagsFrom_IsACopy: what the caller does to the map afterwards changes nothing.
func TestTagsFrom_IsACopy(t *testing.T) {
	tags := map[string]delegation.ClaimText{"team": {From: "team"}}
	rule := delegation.Must(delegation.TagsFrom(tags))
	tags["team"] = delegation.ClaimText{From: "sub", Escape: true}
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{rule}
	if _, err := w.exchange(t, map[string]any{"team": "press"}); err != nil {
		t.Fatal(err)
	}
	if got := w.lastEvent().Tags["team"]; got != "press" {
		t.Errorf("got %q", got)
	}
}

// FuzzJoin: two lists have one tag only if they are the same.
func FuzzJoin(f *testing.F) {
	f.Add("a", "b+c", "a+b", "c")
	f.Add("a_2bb", "c", "a+b", "c")
	f.Add("a.", "b", "a", ".b")
	rule := delegation.Must(delegation.TagsFrom(map[string]delegation.ClaimText{
		"it": {From: "it", Join: "+", Escape: true},
	}))
	joined := func(t *testing.T, list ...any) (string, bool) {
		rc := &delegation.RuleContext{}
		user := &delegation.User{Properties: map[string]any{"it": list}}
		if rule(t.Context(), user, rc) != nil {
			return "", false
		}
		return rc.AWS.Tags["it"], true
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		one, ok := joined(t, a, b)
		two, also := joined(t, c, d)
		if !ok || !also {
			return
		}
		if same := a == c && b == d; same != (one == two) {
			t.Errorf("%q and %q are %q, %q and %q are %q", a, b, one, c, d, two)
		}
		three, ok := joined(t, fmt.Sprint(a, "+", b))
		if ok && three == one {
			t.Errorf("%q and %q are %q, and so is one text", a, b, one)
		}
	})
}
