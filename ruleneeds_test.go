package delegation_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// needy is a rule that lacks two things, one of which a user may have.
func needy(t testing.TB, ran *bool) delegation.RuleFunc {
	t.Helper()
	rule := func(context.Context, *delegation.User, *delegation.RuleContext) error {
		*ran = true
		return nil
	}
	return delegation.WithNeeds("needy", rule,
		delegation.RuleNeed{Text: "request is not there", Remedy: "add it"},
		delegation.RuleNeed{
			Text:     "user.app_metadata.team is not there",
			Remedy:   "load it",
			UserPath: "app_metadata.team",
		},
	)
}

// TestWithNeeds_Check: New logs what rules lack, whatever wraps them, and Check lists it. What only
// a user can lack is not among it.
func TestWithNeeds_Check(t *testing.T) {
	var ran bool
	rule := needy(t, &ran)
	for name, wrapped := range map[string]delegation.RuleFunc{
		"needy":                rule,
		"named":                delegation.Named("named", rule),
		"delegation.PerTarget": delegation.PerTarget(map[string]delegation.RuleFunc{app: rule}),
		"around": delegation.WithNeeds("around", rule,
			delegation.RuleNeed{UserPath: "x"}),
	} {
		limited := delegation.ForTargets(wrapped, app)
		for _, wrapped := range []delegation.RuleFunc{wrapped, limited} {
			w := newWorld(t)
			var log bytes.Buffer
			w.config.Logger = slog.New(slog.NewJSONHandler(&log, nil))
			w.config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail(), wrapped}
			var found []delegation.CheckWarning
			for _, result := range w.delegator(t).Check(t.Context()) {
				if result.Name == "rule "+name && result.Kind == delegation.CheckRule {
					found = append(found, result.Warnings...)
				}
			}
			want := delegation.CheckWarning{
				Code:       delegation.WarningRuleNeeds,
				Text:       "request is not there",
				Remedy:     "add it",
				Field:      "Rules[1]: " + name,
				Configured: true,
			}
			if len(found) != 1 || found[0] != want {
				t.Errorf("%s: got %+v", name, found)
			}
			if !strings.Contains(log.String(), "request is not there: add it") ||
				strings.Contains(log.String(), "app_metadata") {
				t.Errorf("%s: logged %s", name, &log)
			}
		}
	}
	if ran {
		t.Error("New or Check ran the rule")
	}
}

// TestWithNeeds_OneResult: rules of one name, as those of a folder have, are one result.
func TestWithNeeds_OneResult(t *testing.T) {
	var ran bool
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{needy(t, &ran), needy(t, &ran)}
	n := 0
	for _, result := range w.delegator(t).Check(t.Context()) {
		if result.Name != "rule needy" {
			continue
		}
		n++
		if len(result.Warnings) != 2 || result.Warnings[0].Field == result.Warnings[1].Field {
			t.Errorf("got %+v", result.Warnings)
		}
	}
	if n != 1 {
		t.Errorf("%d results", n)
	}
}

// TestWithNeeds_Explain: Explain lists what the rules of the target lack, and what the user lacks
// that the rule reads. Without a run of the rule nobody knows the latter.
func TestWithNeeds_Explain(t *testing.T) {
	const missing = "request is not there: add it"
	const lacks = "user.app_metadata.team is not there: load it"
	metadata := map[string]any{"app_metadata": map[string]any{"team": "press"}}
	elsewhere := func(rule delegation.RuleFunc) delegation.RuleFunc {
		return delegation.ForTargets(rule, "another")
	}
	same := func(rule delegation.RuleFunc) delegation.RuleFunc { return rule }
	for name, row := range map[string]struct {
		wrap   func(delegation.RuleFunc) delegation.RuleFunc
		before delegation.RuleFunc
		claims map[string]any
		want   []string
	}{
		"the user lacks it":   {same, nil, nil, []string{missing, lacks}},
		"the user has it":     {same, nil, metadata, []string{missing}},
		"it is not run":       {same, delegation.AllowConnections(), nil, []string{missing}},
		"of another target":   {elsewhere, nil, nil, nil},
		"neither it runs nor": {elsewhere, delegation.AllowConnections(), nil, nil},
		"named, of the target": {func(rule delegation.RuleFunc) delegation.RuleFunc {
			return delegation.Named("x", delegation.ForTargets(rule, "another", app))
		}, nil, nil, []string{missing, lacks}},
		"limited twice": {func(rule delegation.RuleFunc) delegation.RuleFunc {
			return delegation.ForTargets(delegation.ForTargets(rule, "another"), app)
		}, nil, nil, nil},
		"per target": {func(rule delegation.RuleFunc) delegation.RuleFunc {
			return delegation.PerTarget(map[string]delegation.RuleFunc{app: rule})
		}, nil, nil, []string{missing, lacks}},
		"per another target": {func(rule delegation.RuleFunc) delegation.RuleFunc {
			return delegation.PerTarget(map[string]delegation.RuleFunc{"another": rule})
		}, nil, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var ran bool
			w := newWorld(t)
			if row.before != nil {
				w.config.Rules = append(w.config.Rules, row.before)
			}
			w.config.Rules = append(w.config.Rules, row.wrap(needy(t, &ran)))
			e, _ := w.delegator(t).Explain(t.Context(), w.token(row.claims), app)
			var got []string
			for _, warning := range e.Warnings {
				if warning == missing || warning == lacks {
					got = append(got, warning)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", e.Warnings, row.want)
			}
		})
	}
}

// TestWithNeeds_LeavesRules: a rule runs as it did, Check sees through ready-made rules, and a nil
// rule stays nil.
func TestWithNeeds_LeavesRules(t *testing.T) {
	need := delegation.RuleNeed{Text: "x is not there", Remedy: "add it"}
	if delegation.WithNeeds("x", nil, need) != nil {
		t.Error("a nil rule became one")
	}
	var ran bool
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{needy(t, &ran)}
	w.exchange(t, nil)
	if !ran {
		t.Error("the rule did not run")
	}
	w = newWorld(t)
	w.config.Rules = []delegation.RuleFunc{
		delegation.WithNeeds("x", delegation.AllowConnections(), need),
	}
	denied := slices.ContainsFunc(w.delegator(t).Check(t.Context()),
		func(r delegation.CheckResult) bool {
			return r.Kind == delegation.CheckTarget && r.Err != nil
		})
	if !denied {
		t.Error("Check does not see that the rule denies everybody")
	}
}
