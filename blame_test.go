package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// TestBlame: a value that was refused is the caller's fault if it is a parameter of the request,
// and the operator's if a rule made it up. The code says the same.
func TestBlame(t *testing.T) {
	mapped := func(attribute string) func(*delegation.User, *delegation.AWS, any) {
		return func(u *delegation.User, a *delegation.AWS, value any) {
			u.Set("asked", value)
			a.Mappings = delegation.Mappings{attribute: "asked"}
		}
	}
	text := func(field func(*delegation.AWS) *string) func(*delegation.User, *delegation.AWS, any) {
		return func(_ *delegation.User, a *delegation.AWS, value any) { *field(a) = value.(string) }
	}
	for name, row := range map[string]struct {
		use   func(*delegation.User, *delegation.AWS, any)
		value any
		code  delegation.Code
	}{
		"an object, mapped": {mapped("x"), map[string]any{"a": []any{1.5, nil}},
			delegation.CodeMappingInvalid},
		"a list of lists": {mapped("x"), []any{[]any{"a"}}, delegation.CodeMappingInvalid},
		"two names, mapped": {
			mapped(delegation.AttributeRoleSessionName), []any{"a", "b"},
			delegation.CodeMappingInvalid,
		},
		"a duration, mapped": {mapped(delegation.AttributeSessionDuration), "soon",
			delegation.CodeMappingInvalid},
		"a long duration, mapped": {mapped(delegation.AttributeSessionDuration), "99999",
			delegation.CodeDurationInvalid},
		"a long duration, number": {mapped(delegation.AttributeSessionDuration),
			json.Number("99999"), delegation.CodeDurationInvalid},
		"a role, mapped": {mapped(delegation.AttributeRole), "admin", delegation.CodeRoleInvalid},
		"a pair, mapped": {mapped(delegation.AttributeRole), "admin," + principal,
			delegation.CodeRoleInvalid},
		"a pair, turned, mapped": {mapped(delegation.AttributeRole), principal + ",admin",
			delegation.CodeRoleInvalid},
		"roles, mapped": {mapped(delegation.AttributeRole), []any{"a", "b"},
			delegation.CodeMappingInvalid},
		"a tag, mapped": {mapped(delegation.AttributePrincipalTag + "team"), "a*",
			delegation.CodeTagsInvalid},
		"a control letter, mapped": {mapped("x"), "a\x00b", delegation.CodeTextInvalid},
		"a role": {text(func(a *delegation.AWS) *string { return &a.Role }),
			"admin", delegation.CodeRoleInvalid},
		"a role elsewhere": {
			text(func(a *delegation.AWS) *string { return &a.Role }),
			"arn:aws:iam::999999999999:role/admin",
			delegation.CodeAccountMismatch,
		},
		"a principal": {text(func(a *delegation.AWS) *string { return &a.Principal }), "x",
			delegation.CodeRoleInvalid},
		"a region": {text(func(a *delegation.AWS) *string { return &a.Region }), "mars-1",
			delegation.CodeRegionInvalid},
		"a far region": {text(func(a *delegation.AWS) *string { return &a.Region }),
			"cn-north-1", delegation.CodeRegionInvalid},
		"a NameID": {text(func(a *delegation.AWS) *string { return &a.NameID }), "*",
			delegation.CodeNameIDInvalid},
		"a session name": {text(func(a *delegation.AWS) *string { return &a.SessionName }),
			"a b", delegation.CodeSessionNameInvalid},
		"a source identity": {text(func(a *delegation.AWS) *string { return &a.SourceIdentity }),
			"aws:x", delegation.CodeSourceIDInvalid},
		"a policy": {text(func(a *delegation.AWS) *string { return &a.Policy }), "{",
			delegation.CodePolicyInvalid},
		"a policy's ARN": {func(_ *delegation.User, a *delegation.AWS, value any) {
			a.PolicyARNs = []string{value.(string)}
		}, "arn:aws:s3:::x", delegation.CodePolicyInvalid},
		"a tag's key": {func(_ *delegation.User, a *delegation.AWS, value any) {
			a.Tags = map[string]string{"team": "press", value.(string): "x"}
		}, "aws:x", delegation.CodeTagsInvalid},
		"a transitive key": {func(_ *delegation.User, a *delegation.AWS, value any) {
			a.TransitiveTagKeys = []string{value.(string)}
		}, "none", delegation.CodeTagsInvalid},
		"a fail-over region": {func(_ *delegation.User, a *delegation.AWS, value any) {
			a.FailoverRegions = []string{value.(string)}
		}, "mars-1", delegation.CodeRegionInvalid},
	} {
		for place, parameters := range map[string]map[string]any{
			"asked for":    {"other": "unrelated", "value": row.value},
			"deep inside":  {"a": []any{map[string]any{"b": row.value}}},
			"not asked":    {"other": "unrelated"},
			"no parameter": nil,
		} {
			t.Run(name+", "+place, func(t *testing.T) {
				w := newWorld(t)
				w.config.StrictSessionNames = true
				w.retarget(func(a *delegation.AWS) { a.SessionName = "alice" })
				if name == "two names, mapped" {
					w.retarget(func(a *delegation.AWS) { a.SessionName = "" })
				}
				var log strings.Builder
				w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				w.config.Rules = []delegation.RuleFunc{
					func(_ context.Context, u *delegation.User, rc *delegation.RuleContext) error {
						row.use(u, &rc.AWS, row.value)
						return nil
					},
				}
				d := w.delegator(t)
				option := delegation.WithRequest(delegation.Request{Parameters: parameters})
				_, err := d.Exchange(t.Context(), w.token(nil), app, option)
				_, explained := d.Explain(t.Context(), w.token(nil), app, option)
				requested := place == "asked for" || place == "deep inside"
				for _, err := range []error{err, explained} {
					var e *delegation.Error
					if !errors.As(err, &e) || e.Code != row.code || e.Requested != requested {
						t.Fatalf("got %#v, want %s, requested %t", err, row.code, requested)
					}
					if public := e.Public(); (public == "access denied") != requested {
						t.Errorf("strangers see %q", public)
					}
				}
				level := `level=ERROR msg="exchange failed" event.outcome=failed`
				if requested {
					level = `level=WARN msg="exchange denied" event.outcome=denied`
				}
				if !strings.Contains(log.String(), level) {
					t.Errorf("want %s in %s", level, &log)
				}
			})
		}
	}
}

// TestBlame_OfTheTargetsOwnSettings: a caller who sends what the operator has configured wrongly
// does not take the blame, nor quiet the alarm.
func TestBlame_OfTheTargetsOwnSettings(t *testing.T) {
	w := newWorld(t)
	w.retarget(func(a *delegation.AWS) { a.SourceIdentity = "aws:operator" })
	_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app, withText("aws:operator"))
	e := wantError(t, err, delegation.StageDecision, delegation.CodeSourceIDInvalid)
	if e.Requested || delegation.Level(e) != slog.LevelError {
		t.Errorf("got %#v", e)
	}
}

// TestBlame_IsPrecise: a caller who asks for something good is not to blame for what the operator
// has wrong next to it.
func TestBlame_IsPrecise(t *testing.T) {
	const asked = "asked"
	for name, row := range map[string]struct {
		asked string
		set   func(*delegation.AWS)
		code  delegation.Code
	}{
		"a good role, a bad principal": {role, func(a *delegation.AWS) { a.Principal = "x" },
			delegation.CodeRoleInvalid},
		"a bad role, a good principal": {principal, func(a *delegation.AWS) { a.Role = "x" },
			delegation.CodeRoleInvalid},
		"a good region": {"eu-west-1", func(a *delegation.AWS) {
			a.Region = "eu-west-1"
			a.FailoverRegions = []string{"mars-1"}
		}, delegation.CodeRegionInvalid},
		"a good tag next to a bad one": {asked, func(a *delegation.AWS) {
			a.Tags = map[string]string{"team": asked, "cost": "*"}
		}, delegation.CodeTagsInvalid},
		"a good value of a bad key": {asked, func(a *delegation.AWS) {
			a.Tags = map[string]string{"aws:x": asked}
		}, delegation.CodeTagsInvalid},
		"a good policy, a bad ARN": {"{}", func(a *delegation.AWS) {
			a.Policy = "{}"
			a.PolicyARNs = []string{"x"}
		}, delegation.CodePolicyInvalid},
		"a good ARN, a bad policy": {"arn:aws:iam::aws:policy/ReadOnlyAccess",
			func(a *delegation.AWS) {
				a.Policy = "{"
				a.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
			}, delegation.CodePolicyInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
			) error {
				row.set(&rc.AWS)
				return nil
			}}
			_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app, withText(row.asked))
			if e := wantError(t, err, delegation.StageDecision, row.code); e.Requested {
				t.Errorf("the caller is blamed: %v", e)
			}
		})
	}
}

// TestBlame_OfAValueThatARuleMade: the rule should have checked what it makes a value of.
func TestBlame_OfAValueThatARuleMade(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, u *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Role = "arn:aws:iam::12:role/" + rc.Request.Parameters["text"].(string)
		loop := map[string]any{}
		loop["itself"] = loop
		u.Set("loop", loop)
		return nil
	}}
	_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app, withText("x"))
	if e := wantError(t, err, delegation.StageDecision, delegation.CodeRoleInvalid); e.Requested {
		t.Errorf("got %#v", e)
	}
	w.retarget(func(a *delegation.AWS) { a.Mappings = delegation.Mappings{"x": "loop"} })
	_, err = w.delegator(t).Exchange(t.Context(), w.token(nil), app, withText("x"))
	e := wantError(t, err, delegation.StageDecision, delegation.CodeMappingInvalid)
	if e.Requested {
		t.Errorf("a value that holds itself: %#v", e)
	}
}

// TestBlame_WithACache: with a cache, too, the one who asked is the one to blame.
func TestBlame_WithACache(t *testing.T) {
	w := cachedWorld(t)
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Tags = map[string]string{"a": "b"}
		rc.AWS.NameID = "a\x00"
		rc.AWS.SessionDuration = time.Hour
		return nil
	}}
	d := w.delegator(t)
	for _, text := range []string{"a\x00", "b"} {
		_, err := d.Exchange(t.Context(), w.token(nil), app, withText(text))
		e := wantError(t, err, delegation.StageSAML, delegation.CodeTextInvalid)
		if e.Requested != (text == "a\x00") {
			t.Errorf("%q: %#v", text, e)
		}
	}
}

// TestRoleNotAllowed_IsTheCallers: whoever chose the role, it is no alarm for the operator.
func TestRoleNotAllowed_IsTheCallers(t *testing.T) {
	e := delegation.ErrorOf(delegation.CodeRoleNotAllowed, errors.New("x"))
	if delegation.Level(e) != slog.LevelWarn {
		t.Errorf("its level is %s", delegation.Level(e))
	}
}
