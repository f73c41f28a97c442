package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const metricsPage = "../../docs/metrics.md"

// measured is a metric as the code makes it.
type measured struct {
	kind   string
	labels map[string]bool // that the golden metrics have
	alerts []string        // that read it, in their order
}

// instrumentsInCode finds the metrics in the source, by the names that Prometheus gives them.
func instrumentsInCode(t *testing.T) map[string]*measured {
	t.Helper()
	made := regexp.MustCompile(
		`\b(Int64Counter|Float64Histogram|counter|histogram|gauge|seconds|number)\(\s*` +
			`"([a-z.]+)"`)
	kinds := map[string]string{
		"Int64Counter": "counter", "counter": "counter",
		"Float64Histogram": "histogram", "histogram": "histogram",
		"gauge": "gauge", "number": "gauge", "seconds": "gauge",
	}
	found := map[string]*measured{}
	for _, pattern := range []string{"../../delegationotel/*.go", "internal/telemetry/*.go"} {
		for _, file := range must(filepath.Glob(pattern)) {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text := string(must(os.ReadFile(file)))
			for _, call := range made.FindAllStringSubmatch(text, -1) {
				name := strings.ReplaceAll(call[2], ".", "_")
				switch kind := kinds[call[1]]; {
				case kind == "counter":
					name += "_total"
				case kind == "histogram" || call[1] == "seconds":
					name += "_seconds"
				}
				found[name] = &measured{kind: kinds[call[1]], labels: map[string]bool{}}
			}
		}
	}
	return found
}

// addGolden notes the labels of the golden metrics.
func addGolden(t *testing.T, metrics map[string]*measured) {
	t.Helper()
	series := regexp.MustCompile(`(?m)^(\w+?)(?:_sum|_count)?(?:\{(.*)\})? [^ ]+$`)
	label := regexp.MustCompile(`(\w+)="`)
	golden := string(must(os.ReadFile(goldenMetrics)))
	for _, line := range series.FindAllStringSubmatch(golden, -1) {
		m := metrics[line[1]]
		if m == nil {
			t.Errorf("the code does not make %s", line[1])
			continue
		}
		for _, name := range label.FindAllStringSubmatch(line[2], -1) {
			m.labels[name[1]] = true
		}
	}
}

// addAlerts notes which alerts read a metric, also through a recorded one.
func addAlerts(metrics map[string]*measured) {
	rules := string(must(os.ReadFile("../../deploy/prometheus/alerts.yaml")))
	const recorded = "delegation:exchanges:increase15m"
	for _, rule := range strings.Split(rules, "- alert: ")[1:] {
		name, text, _ := strings.Cut(rule, "\n")
		text, _, _ = strings.Cut(text, "labels:")
		text = strings.ReplaceAll(text, recorded, "delegation_exchanges_total")
		for metric, m := range metrics {
			if regexp.MustCompile(`\b` + metric + `(_bucket|_sum|_count)?\b`).MatchString(text) {
				m.alerts = append(m.alerts, name)
			}
		}
	}
}

// alertLinks are links to the sections of docs/operations.md.
func alertLinks(names []string) string {
	var links []string
	for _, name := range names {
		links = append(links, fmt.Sprintf("[%s](alerts.md#%s)",
			strings.TrimPrefix(name, "Delegation"), strings.ToLower(name)))
	}
	return strings.Join(links, ", ")
}

// TestMetrics_Page: docs/metrics.md has each metric that the code makes, with its kind, all labels
// that the golden metrics have, and the alerts that read it. With -update the alerts are written.
func TestMetrics_Page(t *testing.T) {
	metrics := instrumentsInCode(t)
	addGolden(t, metrics)
	addAlerts(metrics)
	page := string(must(os.ReadFile(metricsPage)))
	row := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+) \\| (.*?) ?\\| (.*) \\| (.*?) ?\\|$")
	seen := map[string]bool{}
	want := row.ReplaceAllStringFunc(page, func(line string) string {
		cells := row.FindStringSubmatch(line)
		m := metrics[cells[1]]
		if m == nil {
			t.Errorf("the code does not make %s", cells[1])
			return line
		}
		seen[cells[1]] = true
		if cells[2] != m.kind {
			t.Errorf("%s is a %s", cells[1], m.kind)
		}
		for _, label := range slices.Sorted(maps.Keys(m.labels)) {
			if !strings.Contains(cells[3], "`"+label+"`") {
				t.Errorf("%s has the label %s", cells[1], label)
			}
		}
		labels := strings.TrimSpace(cells[3] + " ")
		line = fmt.Sprintf("| `%s` | %s | %s | %s | %s |", cells[1], m.kind, labels, cells[4],
			alertLinks(m.alerts))
		return strings.ReplaceAll(line, "|  |", "| |")
	})
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if !seen[name] {
			t.Errorf("the page lacks %s", name)
		}
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if page != want {
		t.Error("the alerts of the page are old: " +
			"go test ./cmd/delegation -run 'TestMetrics_Page$' -update")
	}
}

// TestMetrics_Labels: a label that the page names is one of the code's.
func TestMetrics_Labels(t *testing.T) {
	var code strings.Builder
	for _, pattern := range []string{"../../delegationotel/*.go", "internal/telemetry/*.go"} {
		for _, file := range must(filepath.Glob(pattern)) {
			code.Write(must(os.ReadFile(file)))
		}
	}
	code.Write(must(os.ReadFile(goldenMetrics)))
	page := string(must(os.ReadFile(metricsPage)))
	labels := regexp.MustCompile("`((?:delegation|cloud|error|http)_[a-z_]+)`")
	for _, found := range labels.FindAllStringSubmatch(page, -1) {
		name := found[1]
		metric := strings.HasSuffix(name, "_total") || strings.HasSuffix(name, "_seconds") ||
			strings.HasSuffix(name, "_open") || strings.HasSuffix(name, "_successful") ||
			strings.HasSuffix(name, "_info")
		if !metric && !strings.Contains(code.String(), `"`+strings.ReplaceAll(name, "_", ".")+`"`) &&
			!strings.Contains(code.String(), name+`="`) {
			t.Errorf("the code has no label %s", name)
		}
	}
}
