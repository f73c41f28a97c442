package jsrules_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// TestNeeds_Table: testdata/needs.md lists what the rules of testdata need.
func TestNeeds_Table(t *testing.T) {
	names, vectors := parsedVectors(t)
	var rows strings.Builder
	counts := map[jsrules.NeedKind][2]int{}
	without := 0
	for _, name := range names {
		needs := vectors[name].rule.Needs()
		if len(needs) == 0 {
			without++
		}
		for _, n := range needs {
			count := counts[n.Kind]
			here := "no"
			count[0]++
			if n.Available {
				here = "yes"
				count[1]++
			}
			counts[n.Kind] = count
			needed := cmp.Or(n.Name, "(made at run time)")
			fmt.Fprintf(&rows, "| %s | %s | `%s` | %d:%d | %s | %s |\n", name, n.Kind, needed,
				n.Line, n.Column, here, strings.ReplaceAll(n.Remedy, "|", "&#124;"))
		}
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# What the rules in vectors need\n\n"+
		"`go test ./jsrules -run TestNeeds_Table -update` writes this page from the %d rules and "+
		"Actions of\n`vectors` that compile, each with the options in its comment. %d of them "+
		"need nothing.\n\n| Kind | Needs | Available |\n|---|---|---|\n", len(names), without)
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&page, "| %s | %d | %d |\n", kind, counts[kind][0], counts[kind][1])
	}
	page.WriteString("\n| Rule | Kind | Name | Place | Available | What to do, or what it " +
		"depends on |\n|---|---|---|---|---|---|\n" + rows.String())
	const file = "testdata/needs.md"
	if *updateDifferences {
		if err := os.WriteFile(file, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := string(must(os.ReadFile(file))); got != page.String() {
		t.Errorf("%s is out of date: go test ./jsrules -run TestNeeds_Table -update", file)
	}
}
