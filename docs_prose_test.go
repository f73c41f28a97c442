package delegation_test

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/.ci/pages/prose"
)

// tooLong is the page that is not within the bounds of the package prose: it quotes what SDKs
// print.
var tooLong = []string{"docs/unchanged-sdks.md"}

// TestDocs_Sentences: no sentence of a page and no cell of a table is too long to be read once.
// go run ./.ci/pages -over lists them for all pages.
func TestDocs_Sentences(t *testing.T) {
	pages := markdownPages(t)
	if len(pages) < 40 {
		t.Fatalf("only %d pages are found", len(pages))
	}
	for _, name := range pages {
		if slices.Contains(tooLong, name) {
			continue
		}
		page := prose.Measure(string(must(os.ReadFile(name))))
		for _, sentence := range page.Sentences {
			if sentence.Size > prose.MaxSentence {
				t.Errorf("%s:%d: a sentence of %d words, at most %d: %s",
					name, sentence.Line, sentence.Size, prose.MaxSentence, sentence.Text)
			}
		}
		for _, cell := range page.Cells {
			if cell.Size > prose.MaxCell {
				t.Errorf("%s:%d: a table cell of %d characters, at most %d: %s",
					name, cell.Line, cell.Size, prose.MaxCell, cell.Text)
			}
		}
	}
}

// markdownPages are the Markdown files that people read: all but those of tests.
func markdownPages(t *testing.T) []string {
	t.Helper()
	var pages []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		skipped := []string{"node_modules", "testdata", ".git", "venv"}
		if entry.IsDir() && slices.Contains(skipped, entry.Name()) {
			return fs.SkipDir
		}
		if path.Ext(name) == ".md" && !strings.HasPrefix(name, "dist/") {
			pages = append(pages, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}
