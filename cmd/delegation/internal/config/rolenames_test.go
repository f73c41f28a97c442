package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestRoleNames: names whose rows were removed never turn into no names, with which users choose
// roles by ARN.
func TestRoleNames(t *testing.T) {
	for name, row := range map[string]struct {
		names  string
		byName bool
		wrong  string
	}{
		"no key":             {"", false, ""},
		"an empty list":      {"names: []", true, ""},
		"a row":              {"names: [{name: a, role: b}]", true, ""},
		"no value":           {"names:", false, "names: it has no rows"},
		"null":               {"names: ~", false, "names: it has no rows"},
		"rows commented out": {"names:\n        #- name: a", false, "names: it has no rows"},
	} {
		targets := "app:\n  roles_from_claim:\n    claim: groups\n    " + row.names + "\n"
		inFile := "targets:\n  " + strings.ReplaceAll(targets, "\n", "\n  ") + "\n"
		t.Run(name, func(t *testing.T) {
			checkNames(t, inFile, nil, row.byName, row.wrong)
		})
		// A variable replaces what the file has, whatever is wrong with that.
		t.Run(name+", in a variable", func(t *testing.T) {
			replaced := "targets:\n  app:\n    roles_from_claim:\n      names:\n"
			environment := []string{"DELEGATION_TARGETS=" + targets}
			wrong := row.wrong
			if wrong != "" {
				wrong = "environment variable DELEGATION_TARGETS: " +
					"targets.app.roles_from_claim." + wrong
			}
			checkNames(t, replaced, environment, row.byName, wrong)
		})
	}
}

// checkNames reads a configuration, and tells whether its target offers roles by name.
func checkNames(t *testing.T, text string, environment []string, byName bool, wrong string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "delegation.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, from, err := config.Load(file, environment)
	if err != nil {
		t.Fatal(err)
	}
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	at := config.KeyPath("targets").Child("app")
	target := b.Target(at, settings.Targets["app"])
	if got := target.RolesFromClaim.Names != nil; got != byName {
		t.Errorf("by name: %t", got)
	}
	err = b.Err()
	if (err != nil) != (wrong != "") || err != nil && !strings.Contains(err.Error(), wrong) {
		t.Errorf("got %v, want %q", err, wrong)
	}
}
