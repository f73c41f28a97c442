package delegation_test

import (
	"go/ast"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// warningCodes are the codes of warnings that the package has.
func warningCodes(t *testing.T) map[string]bool {
	t.Helper()
	codes := map[string]bool{}
	ast.Inspect(rootFiles(t)["warnings.go"], func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if ok {
			codes[must(strconv.Unquote(literal.Value))] = true
		}
		return true
	})
	if len(codes) < 20 {
		t.Fatalf("only %d codes found", len(codes))
	}
	return codes
}

// TestWarnings_Documented: docs/checks.md lists each code of a warning once.
func TestWarnings_Documented(t *testing.T) {
	page := string(must(os.ReadFile("docs/checks.md")))
	_, table, _ := strings.Cut(page, "\n### Warnings\n")
	table, _, _ = strings.Cut(table, "\n## ")
	table, _, _ = strings.Cut(table, "\n### ")
	listed := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").
		FindAllStringSubmatch(table, -1) {
		listed[m[1]]++
	}
	for code := range warningCodes(t) {
		if listed[code] != 1 {
			t.Errorf("%s is listed %d times", code, listed[code])
		}
	}
	t.Logf("the page lists %q", slices.Sorted(maps.Keys(listed)))
}

// TestCheckWarning_String: a warning says what to do, if there is something to do.
func TestCheckWarning_String(t *testing.T) {
	for want, w := range map[string]delegation.CheckWarning{
		"it is old":            {Text: "it is old"},
		"it is old: renew it":  {Text: "it is old", Remedy: "renew it"},
		"it is older: forget.": {Text: "it is older", Remedy: "forget.", Field: "Rules[0]"},
	} {
		if got := w.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
