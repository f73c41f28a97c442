package delegation_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// filled makes the names of a user, as the rule by itself does.
func filled(
	t *testing.T, templates delegation.NameTemplates, claims map[string]any,
) (delegation.AWS, error) {
	t.Helper()
	rule, err := delegation.NamesFrom(templates)
	if err != nil {
		t.Fatal(err)
	}
	rc := &delegation.RuleContext{}
	err = rule(t.Context(), &delegation.User{Properties: claims}, rc)
	return rc.AWS, err
}

// TestNamesFrom: what templates make of a user. All three kinds of names have the same rules but
// for their limits.
func TestNamesFrom(t *testing.T) {
	claims := map[string]any{
		"sub": "auth0|alice", "email": "alice@example.com", "n": 7, "yes": true,
		"app_metadata": map[string]any{"id": "x1"}, "https://example.com/id": "x2",
		"odd": "a-b.c", "one": "a", "brace": "{{sub}}", "long": strings.Repeat("y", 300),
		"groups": []any{"a"}, "null": nil, "empty": "", "lost": "a\ufffd", "space": " a ",
	}
	for template, want := range map[string]string{
		"{{email}}":                  "alice@example.com",
		"{{ email }}":                "alice@example.com",
		"{{sub}}":                    "auth0_7calice",
		"{{n}}{{":                    "error",
		"nobody":                     "nobody",
		"user-{{n}}":                 "user-7",
		"{{yes}}.x":                  "true.x",
		"{{app_metadata.id}}":        "x1",
		"{{https://example.com/id}}": "x2",
		"{{sub}}-{{odd}}":            "auth0_7calice-a_2db.c",
		"{{odd}}.{{sub}}":            "a-b_2ec.auth0_7calice",
		"{{odd}}-x.y{{sub}}":         "a_2db.c-x.yauth0_7calice",
		"{{odd}}-{{n}}.{{odd}}":      "a_2db_2ec-7.a_2db_2ec",
		"{{brace}}":                  "_7b_7bsub_7d_7d",
		"{{space}}":                  "_20a_20",
		"{{groups}}":                 "denied",
		"{{null}}":                   "denied",
		"{{empty}}":                  "denied",
		"{{lost}}":                   "denied",
		"{{absent}}":                 "denied",
		"{{email}}+{{absent}}":       "denied",
	} {
		for kind, t1 := range map[string]delegation.NameTemplates{
			"SourceIdentity": {SourceIdentity: template},
			"SessionName":    {SessionName: template},
			"NameID":         {NameID: template},
		} {
			if want == "error" {
				_, err := delegation.NamesFrom(t1)
				wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
				continue
			}
			a, err := filled(t, t1, claims)
			got := a.SourceIdentity + a.SessionName + a.NameID
			switch {
			case want == "denied":
				if err == nil || got != "" || !strings.Contains(err.Error(), "a usable ") {
					t.Errorf("%s %q: got %q and %v", kind, template, got, err)
				}
			case err != nil || got != want:
				t.Errorf("%s %q: got %q and %v, want %q", kind, template, got, err, want)
			}
		}
	}
	t.Run("limits", func(t *testing.T) {
		a, err := filled(t, delegation.NameTemplates{
			SourceIdentity: "{{long}}", SessionName: "{{long}}", NameID: "{{long}}",
		}, claims)
		if err != nil {
			t.Fatal(err)
		}
		if a.SourceIdentity != delegation.EscapeSourceIdentity(claims["long"].(string)) ||
			a.NameID != delegation.EscapeTag(claims["long"].(string)) || len(a.SessionName) != 300 {
			t.Errorf("got %+v", a)
		}
		a, err = filled(t, delegation.NameTemplates{
			SourceIdentity: "{{one}}", SessionName: "{{one}}", NameID: "{{one}}",
		}, claims)
		if err != nil || a.SourceIdentity != "_61" || a.SessionName != "a" || a.NameID != "a" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}

// TestNamesFrom_Exchange: the names of an exchange are those of the templates, and a missing claim
// refuses with a remedy.
func TestNamesFrom_Exchange(t *testing.T) {
	w, fake := strictWorld(t)
	w.retarget(func(a *delegation.AWS) { a.SessionName = "of-the-target" })
	w.config.Rules = []delegation.RuleFunc{delegation.Must(delegation.NamesFrom(
		delegation.NameTemplates{
			SourceIdentity: "{{nick}}", SessionName: "{{nick}} at work", NameID: "{{tid}}.{{oid}}",
		}))}
	_, err := w.exchange(t, map[string]any{"nick": "a|b", "tid": "t.1", "oid": "o"})
	if err != nil {
		t.Fatal(err)
	}
	call := fake.Calls()[0]
	if call.SourceIdentity != "a_7cb" || call.Subject != "t_2e1.o" ||
		call.SessionName != delegation.SafeSessionName("a_7cb at work") {
		t.Errorf("got %+v", call)
	}
	_, err = w.exchange(t, map[string]any{"nick": "a", "tid": "t"})
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if e.Public() != "the profile lacks a usable oid" || !strings.Contains(e.Remedy, `"oid"`) {
		t.Errorf("strangers see %q, the remedy is %q", e.Public(), e.Remedy)
	}
}

// TestNamesFrom_Empty: an empty template changes nothing.
func TestNamesFrom_Empty(t *testing.T) {
	rule := delegation.Must(delegation.NamesFrom(delegation.NameTemplates{}))
	rc := &delegation.RuleContext{AWS: delegation.AWS{NameID: "n", SessionName: "s"}}
	if err := rule(t.Context(), &delegation.User{}, rc); err != nil || rc.AWS.NameID != "n" ||
		rc.AWS.SessionName != "s" || rc.AWS.SourceIdentity != "" {
		t.Errorf("got %+v, %v", rc.AWS, err)
	}
}

// TestNamesFrom_Invalid: a template that can give no name, or one that two users can share, is
// refused when the rule is made, and all of them at once.
func TestNamesFrom_Invalid(t *testing.T) {
	type names = delegation.NameTemplates
	for want, templates := range map[string]names{
		`SourceIdentity: "{{}}" has a {{ without`:  {SourceIdentity: "{{}}"},
		`"{{ }}" has a {{ without`:                 {NameID: "{{ }}"},
		`"{{a" has a {{ without`:                   {SessionName: "{{a"},
		`"a}}" has a brace outside`:                {SessionName: "a}}"},
		`"{a}" has a brace outside`:                {NameID: "{a}"},
		`"{{{a}}}" has a {{ without`:               {NameID: "{{{a}}}"},
		`"{{a{{b}}}}" has a {{ without`:            {NameID: "{{a{{b}}}}"},
		`"{{a}}{{b}}" needs a separator`:           {NameID: "{{a}}{{b}}"},
		`"{{a}}x{{b}}" needs a separator`:          {NameID: "{{a}}x{{b}}"},
		`"{{a}}_{{b}}" needs a separator`:          {SessionName: "{{a}}_{{b}}"},
		`"{{a}}1{{b}}" needs a separator`:          {SourceIdentity: "{{a}}1{{b}}"},
		`"{{a}}:x" has the character ':'`:          {SourceIdentity: "{{a}}:x"},
		`"x y" has the character ' '`:              {SourceIdentity: "x y"},
		`"é{{a}}" has the character 'é'`:           {SourceIdentity: "é{{a}}"},
		`NameID: "{{a}}/*" has the character '*'`:  {NameID: "{{a}}/*"},
		`"$x" has the character '$'`:               {NameID: "$x"},
		`"x\n" has the character '\n'`:             {SessionName: "x\n"},
		`SourceIdentity: "x" has 1 characters`:     {SourceIdentity: "x"},
		`"` + strings.Repeat("x", 65) + `" has 65`: {SourceIdentity: strings.Repeat("x", 65)},
		`xxx" has 257 characters`:                  {NameID: strings.Repeat("x", 257)},
	} {
		_, err := delegation.NamesFrom(templates)
		e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if want, _, _ = strings.Cut(want, "xxxx"); !strings.Contains(e.Error(),
			strings.TrimPrefix(want, "xxx")) {
			t.Errorf("got %v, want %s", e, want)
		}
	}
	_, err := delegation.NamesFrom(names{SourceIdentity: "x", SessionName: "{", NameID: "}"})
	for _, field := range []string{"SourceIdentity: ", "SessionName: ", "NameID: "} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}

// FuzzNamesFrom: two users have one name only if all their values are the same, whatever the
// separators, and no value is read as a placeholder.
func FuzzNamesFrom(f *testing.F) {
	f.Add("a", "b-c", "a-b", "c")
	f.Add("a_2db", "c", "a-b", "c")
	f.Add("{{b}}", "x", "x", "{{a}}")
	f.Add("a.-.", "b", "a", ".-.b")
	var rules []delegation.RuleFunc
	for _, template := range []string{"{{a}}-{{b}}", "x{{a}}.-{{b}}y", "{{a}}@x+{{b}}"} {
		rules = append(rules, delegation.Must(delegation.NamesFrom(delegation.NameTemplates{
			SourceIdentity: template, NameID: template,
		})))
	}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		for _, rule := range rules {
			names := func(a, b string) (delegation.AWS, error) {
				rc := &delegation.RuleContext{}
				user := &delegation.User{Properties: map[string]any{"a": a, "b": b}}
				err := rule(t.Context(), user, rc)
				return rc.AWS, err
			}
			one, err := names(a, b)
			two, other := names(c, d)
			if err != nil || other != nil {
				continue
			}
			same := a == c && b == d
			if same != (one.NameID == two.NameID) ||
				same != (one.SourceIdentity == two.SourceIdentity) {
				t.Errorf("%q, %q: %+v; %q, %q: %+v", a, b, one, c, d, two)
			}
			if n := len(one.SourceIdentity); n < 2 || n > 64 || len(one.NameID) > 256 ||
				strings.ContainsAny(one.NameID, "*?{}$/ ") {
				t.Errorf("%q, %q: %+v", a, b, one)
			}
		}
	})
}

// TestPerTarget: each target has its own rule, others have none, and New sees through it.
func TestPerTarget(t *testing.T) {
	tag := func(value string) delegation.RuleFunc {
		return delegation.Named("sets "+value, delegation.Must(delegation.NamesFrom(
			delegation.NameTemplates{SourceIdentity: value})))
	}
	rules := map[string]delegation.RuleFunc{
		app:       tag("of-this-one"),
		"another": delegation.RequireVerifiedEmail(),
		"nothing": nil,
	}
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{delegation.PerTarget(rules)}
	rules[app] = nil
	d := w.delegator(t)
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatal(err)
	}
	if got := w.lastEvent().SourceIdentity; got != "of-this-one" {
		t.Errorf("the source identity is %q", got)
	}
	e, err := d.Explain(t.Context(), w.token(nil), app)
	if err != nil || e.Rules[0].Name != "sets of-this-one" {
		t.Errorf("got %+v, %v", e.Rules, err)
	}
	for _, target := range []string{"nothing", "unknown"} {
		rc := &delegation.RuleContext{Target: target}
		user := &delegation.User{}
		if err := delegation.PerTarget(rules)(t.Context(), user, rc); err != nil || rc.Rule != "" {
			t.Errorf("%s: %v, %q", target, err, rc.Rule)
		}
	}
	for _, empty := range []map[string]delegation.RuleFunc{nil, {}, {"x": nil}} {
		w := newWorld(t)
		w.config.Rules = []delegation.RuleFunc{delegation.PerTarget(empty)}
		if _, err := w.exchange(t, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestPerTarget_SeenThrough: Check knows what the rule of a target decides, and what that of others
// does not.
func TestPerTarget_SeenThrough(t *testing.T) {
	for name, row := range map[string]struct {
		rules  map[string]delegation.RuleFunc
		denies bool
		unused bool
	}{
		"denies everybody": {
			map[string]delegation.RuleFunc{app: delegation.AllowConnections()}, true, false,
		},
		"denies everybody elsewhere": {
			map[string]delegation.RuleFunc{"x": delegation.AllowConnections()}, false, true,
		},
		"lets some pass": {
			map[string]delegation.RuleFunc{app: delegation.RequireRecentLogin(time.Hour)},
			false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{delegation.PerTarget(row.rules)}
			var denies, unused bool
			for _, result := range w.delegator(t).Check(t.Context()) {
				denies = denies || errors.Is(result.Err, delegation.CodeDenied)
				unused = unused || slices.ContainsFunc(result.Warnings,
					func(warning delegation.CheckWarning) bool {
						return warning.Code == delegation.WarningRuleUnused
					})
			}
			if denies != row.denies || unused != row.unused {
				t.Errorf("denies everybody: %v; unused: %v", denies, unused)
			}
		})
	}
}

// TestPerTarget_Gates: the rule of a target keeps strangers of a shared issuer out of that target.
func TestPerTarget_Gates(t *testing.T) {
	for target, open := range map[string]bool{app: false, "another": true} {
		w := newWorld(t)
		w.config.Issuers = []delegation.Issuer{{URL: "https://accounts.google.com"}}
		w.config.Rules = []delegation.RuleFunc{delegation.PerTarget(map[string]delegation.RuleFunc{
			target: delegation.AllowEmailDomains("example.com"),
		})}
		warned := false
		ended, end := context.WithCancel(t.Context())
		end() // nobody is asked
		for _, result := range w.delegator(t).Check(ended) {
			for _, warning := range result.Warnings {
				warned = warned || warning.Code == delegation.WarningIssuerStrangers
			}
		}
		if warned != open {
			t.Errorf("a rule for %s: strangers get access: %v", target, warned)
		}
	}
}
