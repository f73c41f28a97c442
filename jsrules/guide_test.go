package jsrules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuide holds the page of rules against what it speaks of: its Go is in the example, and its
// limits are the package's.
func TestGuide(t *testing.T) {
	guide := string(must(os.ReadFile("../docs/javascript-rules.md")))
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	var example strings.Builder
	for _, file := range must(filepath.Glob("../examples/auth0-rules/*.go")) {
		example.Write(must(os.ReadFile(file)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(guide, -1)
	if len(blocks) < 2 {
		t.Fatalf("%d blocks of Go", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(squeeze(example.String()), squeeze(block[1])) {
			t.Errorf("this is not in the example, so nobody compiles it:\n%s", block[1])
		}
	}
	for page, word := range map[string]string{
		"../docs/library.md": "delegation/jsrules",
		"../docs/start.md":   "go run ./examples/auth0-rules",
	} {
		if text := string(must(os.ReadFile(page))); !strings.Contains(text, word) {
			t.Errorf("%s lacks %q", page, word)
		}
	}
}
