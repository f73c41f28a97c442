package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestRules_KeepACodeOfTheirOwn: a rule's error that wraps a code for rules keeps it, and no rule
// can borrow another code.
func TestRules_KeepACodeOfTheirOwn(t *testing.T) {
	for wrapped, want := range map[delegation.Code]delegation.Code{
		delegation.CodeRuleUserMissing:    delegation.CodeRuleUserMissing,
		delegation.CodeRuleRedirect:       delegation.CodeRuleRedirect,
		delegation.CodeRuleMultifactor:    delegation.CodeRuleMultifactor,
		delegation.CodeRuleContextMissing: delegation.CodeRuleContextMissing,
		delegation.CodeRuleUnsupported:    delegation.CodeRuleUnsupported,
		delegation.CodeTokenExpired:       delegation.CodeRuleFailed,
		delegation.CodeRulePanicked:       delegation.CodeRuleFailed,
		delegation.CodeProfileFailed:      delegation.CodeRuleFailed,
		delegation.CodeDenied:             delegation.CodeRuleFailed,
		delegation.CodeSTSThrottled:       delegation.CodeRuleFailed,
		delegation.Code("made up"):        delegation.CodeRuleFailed,
	} {
		t.Run(string(wrapped), func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{
				func(context.Context, *delegation.User, *delegation.RuleContext) error {
					return fmt.Errorf("no: %w", wrapped)
				},
			}
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageRules, want)
			if e.Public() != "access denied" || e.Retryable {
				t.Errorf("the user is told %q, retryable %t", e.Public(), e.Retryable)
			}
		})
	}
}

// TestRules_LevelOfTheirCodes: refusals of a user are warnings, and what the operator forgot is an
// error.
func TestRules_LevelOfTheirCodes(t *testing.T) {
	for code, want := range map[delegation.Code]slog.Level{
		delegation.CodeRuleUserMissing:    slog.LevelWarn,
		delegation.CodeRuleRedirect:       slog.LevelWarn,
		delegation.CodeRuleMultifactor:    slog.LevelWarn,
		delegation.CodeRuleContextMissing: slog.LevelError,
	} {
		if got := delegation.Level(delegation.ErrorOf(code, errors.New("x"))); got != want {
			t.Errorf("%s is logged at %s, want %s", code, got, want)
		}
	}
}

// TestRules_AfterRules: what a rule leaves for the end is asked once, after the last rule, in
// order; its error has a code and a rule's name as the rule's own would.
func TestRules_AfterRules(t *testing.T) {
	var order []string
	note := func(name string, result error) func() error {
		return func() error {
			order = append(order, name)
			return result
		}
	}
	for _, row := range []struct {
		name   string
		result error
		code   delegation.Code
	}{
		{"nothing", nil, ""},
		{"a code", fmt.Errorf("x: %w", delegation.CodeRuleRedirect), delegation.CodeRuleRedirect},
		{"a denial", delegation.Deny("no"), delegation.CodeDenied},
		{"another error", errors.New("x"), delegation.CodeRuleFailed},
	} {
		t.Run(row.name, func(t *testing.T) {
			order = nil
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{
				func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
					rc.Rule = "leaves"
					rc.AfterRules(note("first", nil))
					rc.AfterRules(note("second", row.result))
					return nil
				},
				func(context.Context, *delegation.User, *delegation.RuleContext) error {
					return note("rule", nil)()
				},
			}
			_, err := w.exchange(t, nil)
			if row.code == "" && err != nil {
				t.Fatal(err)
			}
			if row.code != "" {
				wantError(t, err, delegation.StageRules, row.code)
				if w.events[0].Rule != "leaves" {
					t.Errorf("the event names %q", w.events[0].Rule)
				}
			}
			if want := []string{"rule", "first", "second"}; !slices.Equal(order, want) {
				t.Errorf("the order was %q, want %q", order, want)
			}
		})
	}
	t.Run("a panic", func(t *testing.T) {
		w := newWorld(t)
		w.config.Rules = []delegation.RuleFunc{
			func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
				rc.AfterRules(func() error { panic("x") })
				return nil
			},
		}
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageRules, delegation.CodeRulePanicked)
	})
}
