package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// query is what a PromQL expression asks for. That it is one is for promtool to say: this reads
// names only.
type query struct {
	text      string
	selectors []selector
	labels    []string // those that it groups and joins by
}

// selector is a metric with its matchers.
type selector struct {
	metric   string
	matchers []matcher
}

// matcher is label, operator and value: error_type=~"a|b".
type matcher struct {
	label, operator, value string
}

// values are the texts that the matcher names, those with a wildcard as they are.
func (m matcher) values() []string {
	if strings.HasSuffix(m.operator, "~") {
		return strings.Split(m.value, "|")
	}
	return []string{m.value}
}

var (
	promToken = regexp.MustCompile(
		`"(?:[^"\\]|\\.)*"|[a-zA-Z_:][a-zA-Z0-9_:]*|[0-9][0-9a-z.]*|=~|!~|!=|>=|<=|==|\S`)
	promName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

	// promGroupings are followed by a list of labels.
	promGroupings = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}

	// promWords are neither metrics nor functions.
	promWords = []string{"and", "or", "unless", "offset", "bool"}
)

// parseQuery reads the names in an expression.
func parseQuery(text string) query {
	q := query{text: text}
	tokens := promToken.FindAllString(text, -1)
	at := func(i int) string {
		if i < len(tokens) {
			return tokens[i]
		}
		return ""
	}
	for i := 0; i < len(tokens); i++ {
		token := tokens[i]
		switch {
		case token == "[": // a duration
			for at(i) != "]" && at(i) != "" {
				i++
			}
		case slices.Contains(promGroupings, token):
			for i++; at(i) != ")" && at(i) != ""; i++ {
				if promName.MatchString(at(i)) {
					q.labels = append(q.labels, at(i))
				}
			}
		case !promName.MatchString(token), slices.Contains(promWords, token):
		case at(i+1) == "(": // a function
		case slices.Contains(promGroupings, at(i+1)): // an aggregation
		default:
			s := selector{metric: token}
			if at(i+1) == "{" {
				for i += 2; at(i) != "}" && at(i) != ""; i++ {
					if promName.MatchString(at(i)) {
						value := strings.Trim(at(i+2), `"`)
						s.matchers = append(s.matchers, matcher{at(i), at(i + 1), value})
						i += 2
					}
				}
			}
			q.selectors = append(q.selectors, s)
		}
	}
	return q
}

// TestParseQuery: the reader of expressions finds each metric, matcher and label, and takes nothing
// else for one.
func TestParseQuery(t *testing.T) {
	q := parseQuery(`
sum by (job, le) (rate(a_total{x="1", y=~"b|c",}[5m] offset 1d)) / on (z) group_left (w) b:c > 0.5
and histogram_quantile(0.95, sum(d_bucket{} ) without (v)) unless absent(e) == 30 * 86400`)
	want := "[{a_total [{x = 1} {y =~ b|c}]} {b:c []} {d_bucket []} {e []}] [job le z w v]"
	if got := fmt.Sprint(q.selectors, q.labels); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := fmt.Sprint(q.selectors[0].matchers[1].values()); got != "[b c]" {
		t.Errorf("values %s", got)
	}
}

// series is one line of what a service answers at /metrics.
type series struct {
	name   string
	labels map[string]string
	text   string // name and labels as they came
	value  string
}

var (
	seriesLine  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	seriesLabel = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// parseSeries reads the text format of Prometheus.
func parseSeries(text string) ([]series, error) {
	var list []series
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		found := seriesLine.FindStringSubmatch(line)
		if found == nil {
			return nil, fmt.Errorf("no series: %q", line)
		}
		s := series{
			name:   found[1],
			labels: map[string]string{},
			text:   strings.TrimSuffix(line, " "+found[3]),
			value:  found[3],
		}
		for _, label := range seriesLabel.FindAllStringSubmatch(found[2], -1) {
			s.labels[label[1]] = label[2]
		}
		list = append(list, s)
	}
	return list, nil
}
