package config_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestRules_MissingFile: a path of the configuration is corrected there, and only a relative one is
// said to be relative. A link in a folder of rules has no path there, so the file that it leads to
// is restored. All problems of a folder are reported at once.
func TestRules_MissingFile(t *testing.T) {
	folder := t.TempDir()
	links := filepath.Join(folder, "links")
	none := filepath.Join(folder, "none")
	if err := os.Mkdir(links, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"10-first.js", "20-second.js"} {
		if err := os.Symlink("gone.js", filepath.Join(links, name)); err != nil {
			t.Fatal(err)
		}
	}
	third := filepath.Join(links, "30-third.js")
	if err := os.WriteFile(third, []byte("function () { ;"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		links: {
			"10-first.js: no such file or directory: it is a link to a file that does not exist: " +
				"restore that file, or correct or remove the link",
			"20-second.js: no such file or directory: it is a link to a file",
			`JavaScript rule "30-third"`,
		},
		none + "/": {"none: no such file or directory: correct the path\n"},
		"none":     {"none: no such file or directory: correct the path, which is relative to the c"},
	} {
		b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
		b.Rules([]config.RuleSettings{{JavaScript: &config.JavaScriptSettings{Folder: path}}}, nil)
		err := b.Err()
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error()+"\n", text) {
				t.Errorf("got %v, want %s", err, text)
			}
		}
		if path == links && strings.Contains(err.Error(), "relative to the configuration") {
			t.Errorf("a remedy for a path that the configuration does not have: %v", err)
		}
	}
}
