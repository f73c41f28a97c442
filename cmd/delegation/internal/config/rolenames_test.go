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
		"no value":           {"names:", false, "it has no rows"},
		"null":               {"names: ~", false, "it has no rows"},
		"rows commented out": {"names:\n        #- name: a", false, "it has no rows"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "delegation.yaml")
			text := "targets:\n  app:\n    roles_from_claim:\n      claim: groups\n      " +
				row.names + "\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			settings, from, err := config.Load(file, nil)
			if err != nil {
				t.Fatal(err)
			}
			b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
			at := config.KeyPath("targets").Child("app")
			target := b.Target(at, settings.Targets["app"])
			if got := target.RolesFromClaim.Names != nil; got != row.byName {
				t.Errorf("by name: %t", got)
			}
			err = b.Err()
			if (err != nil) != (row.wrong != "") || err != nil &&
				!strings.Contains(err.Error(), "roles_from_claim.names: "+row.wrong) {
				t.Errorf("got %v", err)
			}
		})
	}
}
