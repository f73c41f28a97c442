//go:build interop

package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// promtool runs Prometheus's checker, which has to be content.
func promtool(t testing.TB, args ...string) {
	t.Helper()
	needs(t, "promtool", "prometheus")
	if code, stdout, stderr := program(t, nil, "", "promtool", args...); code != 0 {
		t.Errorf("promtool %q: exit code %d\n%s%s", args, code, stdout, stderr)
	}
}

// TestInterop_Queries: Prometheus can read the alert rules, and each query of the dashboard and of
// docs/operations.md, which promtool gets as a rule.
func TestInterop_Queries(t *testing.T) {
	promtool(t, "check", "rules", alertsFile)
	all := dashboardQueries(t)
	documented := documentedQueries(t)
	if len(all) < 20 || len(documented) < 10 {
		t.Errorf("only %d and %d queries are found", len(all), len(documented))
	}
	maps.Copy(all, documented)
	type rule struct {
		Alert  string            `json:"alert"`
		Expr   string            `json:"expr"`
		Labels map[string]string `json:"labels"`
	}
	var queries []rule
	for _, where := range slices.Sorted(maps.Keys(all)) {
		queries = append(queries, rule{"Query", all[where], map[string]string{"where": where}})
	}
	file := map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": queries}}}
	w := &world{folder: t.TempDir()}
	promtool(t, "check", "rules", w.write(t, "queries.yaml", string(must(json.Marshal(file)))))
}
