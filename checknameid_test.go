package delegation_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// slashWarnings are the results of Check that warn of slashes, as NAME|FIELD.
func slashWarnings(t *testing.T, d *delegation.Delegator) (found []string) {
	t.Helper()
	for _, result := range d.Check(t.Context()) {
		for _, w := range result.Warnings {
			if w.Code == delegation.WarningNameIDSlash {
				found = append(found, result.Name+"|"+w.Field)
			}
		}
	}
	return found
}

// TestCheck_SubjectsWithSlashes: an issuer whose subjects have slashes is warned of, and logged by
// New once for all of its targets, until each of these says what is named after ${saml:sub}.
func TestCheck_SubjectsWithSlashes(t *testing.T) {
	const (
		github     = "https://token.actions.githubusercontent.com"
		salesforce = "https://login.salesforce.com"
	)
	sub := map[string][]string{"sub": {"spiffe://td/ns/.*"}}
	set := func(change func(*delegation.Target)) func(*world) {
		return func(w *world) { w.target(change) }
	}
	rule := func(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }
	ready := delegation.AllowConnections("x")
	for name, row := range map[string]struct {
		url    string
		change func(*world)
		want   bool
	}{
		"GitHub":            {github, func(*world) {}, true},
		"GitHub Enterprise": {"https://token.actions.octo.ghe.com", func(*world) {}, true},
		"Salesforce":        {salesforce, func(*world) {}, true},
		"CircleCI":          {"https://oidc.circleci.com/org/o", func(*world) {}, true},
		"Buildkite":         {"https://agent.buildkite.com", func(*world) {}, true},
		"Google":            {"https://accounts.google.com", func(*world) {}, false},
		"one of our own":    {issuerURL, func(*world) {}, false},
		"a required sub": {issuerURL,
			func(w *world) { w.config.Issuers[0].RequiredClaims = sub }, true},
		"a required sub of the target": {issuerURL,
			set(func(t *delegation.Target) { t.RequiredClaims = sub }), true},
		"a required sub without one": {issuerURL, func(w *world) {
			w.config.Issuers[0].RequiredClaims = map[string][]string{"sub": {"[^/]+", "a.*/"}}
		}, false},
		"a folder": {github,
			set(func(t *delegation.Target) { t.SubjectAsFolder = true }), true},
		"no folder": {github,
			set(func(t *delegation.Target) { t.SubjectNamesNothing = true }), false},
		"hashed": {github,
			set(func(t *delegation.Target) { t.NameIDEncoding = "hashed" }), false},
		"a mapping": {github,
			set(func(t *delegation.Target) { t.NameIDFromMapping = true }), false},
		"a fixed NameID": {github, set(func(t *delegation.Target) { t.NameID = "ci" }), false},
		"a rule of ours": {github,
			func(w *world) { w.config.Rules = []delegation.RuleFunc{ready, rule} }, false},
		"a rule of ours that tells its needs": {github, func(w *world) {
			needs := delegation.WithNeeds("ours", rule, delegation.RuleNeed{UserPath: "x"})
			w.config.Rules = []delegation.RuleFunc{ready, needs}
		}, false},
		"a rule of ours, with needs twice": {github, func(w *world) {
			need := delegation.RuleNeed{UserPath: "x"}
			needy := delegation.WithNeeds("b", delegation.WithNeeds("a", rule, need), need)
			w.config.Rules = []delegation.RuleFunc{needy}
		}, false},
		"a ready-made rule": {github,
			func(w *world) { w.config.Rules = []delegation.RuleFunc{ready} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Logger = slog.New(slog.NewTextHandler(w.logs, nil))
			w.config.Issuers = []delegation.Issuer{{URL: row.url, JWKS: w.provider.KeySet()}}
			row.change(w)
			d := w.delegator(t)
			var want []string
			if row.want {
				want = []string{"subjects of " + row.url + `|Targets["photo-app"]`}
			}
			if got := slashWarnings(t, d); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if n := strings.Count(w.logs.String(), "name_id_slash"); n != len(want) {
				t.Errorf("%d lines in the log: %s", n, w.logs)
			}
		})
	}
}

// TestCheck_SlashesOfManyTargets: there is one warning, which names the first target.
func TestCheck_SlashesOfManyTargets(t *testing.T) {
	w := offline(t)
	w.config.Issuers = []delegation.Issuer{
		{URL: "https://token.actions.githubusercontent.com", JWKS: w.provider.KeySet()},
	}
	w.config.Targets = manyTargets(120)
	for _, result := range w.delegator(t).Check(t.Context()) {
		if !strings.HasPrefix(result.Name, "subjects of ") {
			continue
		}
		if !strings.Contains(result.Warning, `in 120 targets, such as "app0",`) {
			t.Errorf("got %q", result.Warning)
		}
		return
	}
	t.Error("there is no warning")
}

// TestCheck_SlashesThatWereSeen: a target where NameIDs had slashes is warned of for an hour, be it
// one of a map or not.
func TestCheck_SlashesThatWereSeen(t *testing.T) {
	for _, from := range []string{"a map", "a database"} {
		t.Run(from, func(t *testing.T) {
			w := newWorld(t)
			if from == "a database" {
				target := w.config.Targets.(delegation.Targets)[app]
				w.config.Targets = source(func(
					context.Context, string,
				) (*delegation.Target, error) {
					return &target, nil
				})
			}
			d := w.delegator(t)
			exchange := func(sub string) {
				t.Helper()
				_, err := d.Exchange(t.Context(), w.token(map[string]any{"sub": sub}), app)
				if err != nil {
					t.Fatal(err)
				}
			}
			exchange("alice")
			if got := slashWarnings(t, d); got != nil {
				t.Errorf("got %q before any slash", got)
			}
			exchange("alice/x")
			want := []string{"NameIDs of photo-app|"}
			if got := slashWarnings(t, d); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			w.clock.Advance(time.Hour)
			if got := slashWarnings(t, d); got != nil {
				t.Errorf("got %q an hour later", got)
			}
		})
	}
}

// TestCheck_EncodingsDiffer: a role whose targets write NameIDs differently is warned of, once.
func TestCheck_EncodingsDiffer(t *testing.T) {
	set := func(encoding delegation.NameIDEncoding, role string, nothing bool) delegation.Target {
		return delegation.Target{
			NameIDEncoding:      encoding,
			SubjectNamesNothing: nothing,
			AWS: delegation.AWS{
				Principal: principal,
				Role:      role,
				Region:    "eu-central-1",
			},
		}
	}
	for name, row := range map[string]struct {
		targets delegation.Targets
		want    []string
	}{
		"the same": {delegation.Targets{
			"a": set("hashed", role, false), "b": set("hashed", role, false),
		}, nil},
		"one and none": {delegation.Targets{
			"a": set("hashed", role, false), "b": set("", role, false),
		}, []string{"NameIDs in " + role}},
		"both": {delegation.Targets{
			"a": set("hashed", role, false), "b": set("escaped", role, false),
			"c": set("hashed", role, false), "d": set("escaped", role, false),
		}, []string{"NameIDs in " + role}},
		"of two roles": {delegation.Targets{
			"a": set("hashed", role, false), "b": set("escaped", role+"2", false),
		}, nil},
		"one names nothing": {delegation.Targets{
			"a": set("hashed", role, false), "b": set("", role, true),
		}, nil},
		"a role that a rule chooses": {delegation.Targets{
			"a": set("hashed", "", false), "b": set("", "", false),
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := offline(t)
			w.config.Targets = row.targets
			var found []string
			for _, result := range w.delegator(t).Check(t.Context()) {
				for _, warning := range result.Warnings {
					if warning.Code == delegation.WarningNameIDsDiffer {
						found = append(found, result.Name)
					}
				}
			}
			if !slices.Equal(found, row.want) {
				t.Errorf("got %q, want %q", found, row.want)
			}
		})
	}
}
