package config_test

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// read reads a configuration of these lines.
func read(t *testing.T, text string) *config.Settings {
	t.Helper()
	file := filepath.Join(t.TempDir(), "delegation.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClaimsOfTheConfiguration: a tag has the path alone, keys, or keys by an alias.
func TestClaimsOfTheConfiguration(t *testing.T) {
	s := read(t, `
rules:
  - tags_from_claims:
      team: team
      number: 5
      user: {from: sub, escape: true}
      teams: &list {from: groups, join: "+", optional: true}
      again: *list
      unit:
        from: unit
        default: none
  - source_identity_from_claim: email
  - source_identity_from_claim: {from: email, escape: true}
`)
	list := config.ClaimSettings{From: "groups", Join: "+", Optional: true}
	want := []config.RuleSettings{
		{TagsFromClaims: map[string]config.ClaimSettings{
			"team": {From: "team"}, "number": {From: "5"}, "user": {From: "sub", Escape: true},
			"teams": list, "again": list, "unit": {From: "unit", Default: "none"},
		}},
		{SourceIdentityFromClaim: &config.ClaimSettings{From: "email"}},
		{SourceIdentityFromClaim: &config.ClaimSettings{From: "email", Escape: true}},
	}
	if !reflect.DeepEqual(s.Rules, want) {
		t.Errorf("got %+v", s.Rules)
	}
}

// TestNamesOfTheConfiguration: what an exchange by a configuration's rules and templates has.
func TestNamesOfTheConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		target, rules string
		want          delegation.AWS
	}{
		"tags": {
			rules: `
  - tags_from_claims:
      team: team
      user: {from: sub, escape: true}
      teams: {from: groups, join: "+", optional: true}
      none: {from: nothing, optional: true}
      unit: {from: nothing, default: press}
  - source_identity_from_claim: {from: name, escape: true}`,
			want: delegation.AWS{
				Tags: map[string]string{
					"team": "staff", "user": "auth0_7calice", "teams": "a+b", "unit": "press",
				},
				SourceIdentity: "A_2fB",
			},
		},
		"templates of rules": {
			rules: `
  - source_identity: "id-{{name}}"
  - session_name: "{{team}}/{{email}}"
  - name_id: "{{team}}/{{sub}}"`,
			want: delegation.AWS{
				SourceIdentity: "id-A_2fB", SessionName: "staff/a@example.com",
				NameID: "staff/auth0_7calice",
			},
		},
		"templates of the target": {
			target: `
    source_identity: "id-{{name}}"
    session_name: "{{email}}"
    name_id: "{{team}}/{{sub}}"`,
			want: delegation.AWS{
				SourceIdentity: "id-A_2fB", SessionName: "a@example.com",
				NameID: "staff/auth0_7calice",
			},
		},
		"texts of the target": {
			target: `
    source_identity: service
    session_name: robot
    name_id: robot-1`,
			want: delegation.AWS{
				SourceIdentity: "service", SessionName: "robot", NameID: "robot-1",
			},
		},
		"a rule comes after the target's templates": {
			target: `
    source_identity: "{{team}}"`,
			rules: `
  - source_identity: "{{email}}"`,
			want: delegation.AWS{SourceIdentity: "a@example.com"},
		},
		"by an id of its own": {
			target: `
    id: other
    source_identity: "{{team}}"`,
			want: delegation.AWS{SourceIdentity: "staff"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, "targets:\n  app:\n    role: r"+test.target+"\nrules:"+test.rules+"\n")
			b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
			target := b.Target("targets.app", s.Targets["app"])
			rules := b.Rules(s.Rules, s.Targets)
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			user := &delegation.User{Properties: map[string]any{
				"sub": "auth0|alice", "email": "a@example.com", "name": "A/B", "team": "staff",
				"groups": []any{"a", "b"},
			}}
			rc := &delegation.RuleContext{Target: cmp.Or(target.ID, "app"), AWS: target.AWS}
			for _, rule := range rules {
				if err := rule(t.Context(), user, rc); err != nil {
					t.Fatalf("%s: %v", rc.Rule, err)
				}
			}
			got := rc.AWS
			if !maps.Equal(got.Tags, test.want.Tags) ||
				got.SourceIdentity != test.want.SourceIdentity ||
				got.SessionName != test.want.SessionName || got.NameID != test.want.NameID {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestTemplatesOfTargets: a target's template is for it alone, and a denial names its key. Targets
// that share an id share templates.
func TestTemplatesOfTargets(t *testing.T) {
	s := read(t, `
targets:
  a: {source_identity: "{{email}}"}
  b: {source_identity: "{{nickname}}"}
  c: {source_identity: text}
`)
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	rules := b.Rules(nil, s.Targets)
	if b.Err() != nil || len(rules) != 1 {
		t.Fatalf("%d rules, %v", len(rules), b.Err())
	}
	user := &delegation.User{Properties: map[string]any{"email": "a@example.com"}}
	for target, want := range map[string]string{
		"a": "a@example.com", "b": "lacks a usable nickname by targets.b.source_identity", "c": "",
	} {
		rc := &delegation.RuleContext{Target: target}
		got := ""
		if err := rules[0](t.Context(), user, rc); err != nil {
			got = err.Error() + " by " + rc.Rule
		}
		if got += rc.AWS.SourceIdentity; !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %q", target, got)
		}
	}

	for text, want := range map[string]string{
		`{a: {id: x, name_id: "{{email}}"}, b: {id: x, name_id: "{{email}}"}}`: "",
		`{a: {id: x, name_id: "{{email}}"}, b: {id: x, name_id: "{{sub}}"}}`: `targets.a.name_id` +
			`: rules cannot tell this target from "b", which has the same id: give it the same ` +
			`name_id`,
		`{a: {id: b, name_id: "{{email}}"}, b: {}}`: `targets.a.name_id: rules cannot tell this ` +
			`target from "b"`,
	} {
		b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
		_ = b.Rules(nil, read(t, "targets: "+text+"\n").Targets)
		err := b.Err()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// TestListWithItsSeparator: the remedy has the key of the configuration.
func TestListWithItsSeparator(t *testing.T) {
	s := newScene(t)
	s.sign(claims("groups", []any{"a+b", "c"}))
	teams := map[string]any{"from": "groups", "join": "+"}
	rule := claims("tags_from_claims", claims("teams", teams))
	err := s.refusal(s.configured(inYAML, settings{"Config.Rules": both{nil, []any{rule}}}))
	text := s.toReader(inYAML, err)
	if kindOf(err) != delegation.CodeDenied || !strings.Contains(text, "set escape for the list") {
		t.Errorf("got %s", text)
	}
}

// TestSignInsOfTheConfiguration: the rules are the library's, and refuse a token that does not say.
func TestSignInsOfTheConfiguration(t *testing.T) {
	s := read(t, `
rules:
  - require_recent_login: 15m
  - require_amr: [mfa]
  - require_acr: [gold]
`)
	b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
	rules := b.Rules(s.Rules, nil)
	if b.Err() != nil || len(rules) != 3 {
		t.Fatalf("%d rules, %v", len(rules), b.Err())
	}
	for i, want := range []struct {
		name string
		code delegation.Code
	}{
		{"rules[0].require_recent_login", delegation.CodeLoginTimeMissing},
		{"rules[1].require_amr", delegation.CodeAMRRequired},
		{"rules[2].require_acr", delegation.CodeACRRequired},
	} {
		rc := &delegation.RuleContext{}
		err := rules[i](t.Context(), &delegation.User{}, rc)
		if !errors.Is(err, want.code) || rc.Rule != want.name {
			t.Errorf("got %v by %s, want %s", err, rc.Rule, want.name)
		}
	}
}
