package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	dashboardFile = "../../deploy/grafana/delegation.json"
	operationsDoc = "../../docs/operations.md"
	alertsDoc     = "../../docs/alerts.md"

	// runbook is where the link of an alert leads.
	runbook = "https://github.com/seed055b7978/delegation/blob/main/docs/alerts.md#"
)

// operationsText is what an operator reads: docs/operations.md, and docs/alerts.md with a section
// for each alert.
func operationsText() string {
	return string(must(os.ReadFile(operationsDoc))) + string(must(os.ReadFile(alertsDoc)))
}

// alertRules is a file of rules, as Prometheus reads it.
type alertRules struct {
	Groups []struct {
		Name  string      `yaml:"name"`
		Rules []alertRule `yaml:"rules"`
	} `yaml:"groups"`
}

// alertRule is an alert, or a series that is recorded for others.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Record      string            `yaml:"record"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

// rules returns the alerts of deploy/, and what they record.
func rules(t testing.TB) (alerts, records []alertRule) {
	t.Helper()
	var file alertRules
	text := must(os.ReadFile(alertsFile))
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				records = append(records, rule)
				continue
			}
			alerts = append(alerts, rule)
		}
	}
	if len(alerts) == 0 {
		t.Fatal("no alerts")
	}
	return alerts, records
}

// dashboard is what Grafana reads of deploy/grafana/delegation.json.
type dashboard struct {
	UID           string         `json:"uid"`
	Title         string         `json:"title"`
	Description   string         `json:"description"`
	Tags          []string       `json:"tags"`
	SchemaVersion int            `json:"schemaVersion"`
	Version       int            `json:"version"`
	Editable      bool           `json:"editable"`
	GraphTooltip  int            `json:"graphTooltip"`
	Refresh       string         `json:"refresh"`
	Timezone      string         `json:"timezone"`
	Time          map[string]any `json:"time"`
	Links         []any          `json:"links"`
	Annotations   struct {
		List []struct {
			Name        string     `json:"name"`
			Enable      bool       `json:"enable"`
			Datasource  datasource `json:"datasource"`
			Expr        string     `json:"expr"`
			TitleFormat string     `json:"titleFormat"`
			TextFormat  string     `json:"textFormat"`
			IconColor   string     `json:"iconColor"`
		} `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// variable is what a reader of the dashboard chooses at its top.
type variable struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Type       string          `json:"type"`
	Datasource datasource      `json:"datasource"`
	Query      json.RawMessage `json:"query"`
	Definition string          `json:"definition"`
	Regex      string          `json:"regex"`
	Refresh    int             `json:"refresh"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	Multi      bool            `json:"multi"`
	Sort       int             `json:"sort"`
	Hide       int             `json:"hide"`
	Current    map[string]any  `json:"current"`
	Options    []any           `json:"options"`
}

type panel struct {
	ID          int        `json:"id"`
	Type        string     `json:"type"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Datasource  datasource `json:"datasource"`
	GridPos     struct {
		X, Y int
		W, H int
	} `json:"gridPos"`
	Targets     []target       `json:"targets"`
	FieldConfig map[string]any `json:"fieldConfig"`
	Options     map[string]any `json:"options"`
	Collapsed   bool           `json:"collapsed"`
	Panels      []panel        `json:"panels"`
}

// target is a query of a panel.
type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat"`
	Instant      bool       `json:"instant"`
	Format       string     `json:"format"`
}

// readDashboard reads the dashboard, in which nothing may be that is not in the types above, and
// nothing twice.
func readDashboard(t testing.TB) dashboard {
	t.Helper()
	text := must(os.ReadFile(dashboardFile))
	if err := eachNameOnce(json.NewDecoder(bytes.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var read dashboard
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		t.Errorf("more after the dashboard: %v", err)
	}
	return read
}

// eachNameOnce reads one value, and fails if an object has a name twice.
func eachNameOnce(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	names := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			if names[name.(string)] {
				return fmt.Errorf("%q is there twice", name)
			}
			names[name.(string)] = true
		}
		if err := eachNameOnce(d); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// grafanaVariables stand for what Grafana puts in for a reader that has chosen all.
var grafanaVariables = strings.NewReplacer(
	"$__rate_interval", "5m", "$__range", "6h", "$job", ".*", "$instance", ".*")

// dashboardQueries are all expressions of the dashboard, by the title of their panel.
func dashboardQueries(t testing.TB) map[string]string {
	t.Helper()
	read := readDashboard(t)
	all := map[string]string{}
	for _, p := range read.Panels {
		for _, query := range p.Targets {
			all["panel "+p.Title+" "+query.RefID] = grafanaVariables.Replace(query.Expr)
		}
	}
	for _, note := range read.Annotations.List {
		all["annotation "+note.Name] = grafanaVariables.Replace(note.Expr)
	}
	return all
}

// documentedQueries are the expressions of docs/operations.md and docs/alerts.md, by the heading
// above them.
func documentedQueries(t testing.TB) map[string]string {
	t.Helper()
	text := operationsText()
	all := map[string]string{}
	found := regexp.MustCompile("(?ms)^#+ (.*?)$|^```promql\n(.*?)^```$")
	heading := ""
	for _, part := range found.FindAllStringSubmatch(text, -1) {
		if part[1] != "" {
			heading = part[1]
			continue
		}
		all[fmt.Sprintf("%s %d", heading, len(all))] = part[2]
	}
	if len(all) == 0 {
		t.Fatal("docs/operations.md has no query")
	}
	return all
}

// allQueries are the expressions of rules, dashboard and document, by where they are.
func allQueries(t testing.TB) map[string]query {
	t.Helper()
	all := map[string]query{}
	alerts, records := rules(t)
	for _, rule := range append(alerts, records...) {
		all["rule "+rule.Alert+rule.Record] = parseQuery(rule.Expr)
	}
	for where, text := range dashboardQueries(t) {
		all["dashboard, "+where] = parseQuery(text)
	}
	for where, text := range documentedQueries(t) {
		all["operations.md, "+where] = parseQuery(text)
	}
	return all
}

// sectionsAt returns the text of each section of a page at a level, by its heading.
func sectionsAt(text, level string) (headings []string, sections map[string]string) {
	sections = map[string]string{}
	for i, part := range strings.Split("\n"+text, "\n"+level+" ") {
		heading, body, _ := strings.Cut(part, "\n")
		if i == 0 {
			continue
		}
		body, _, _ = strings.Cut(body, "\n"+level[1:]+" ")
		headings = append(headings, heading)
		sections[heading] = body
	}
	return headings, sections
}

// TestOperations_Alerts: each alert says what it is about and how bad that is, and leads to its
// section of docs/alerts.md, which says what it means, where to look and what to do. The
// sections are in the order of the rules, and none is about an alert that is not there.
func TestOperations_Alerts(t *testing.T) {
	alerts, _ := rules(t)
	page := operationsText()
	headings, sections := sectionsAt(page, "###")
	var names []string
	for _, rule := range alerts {
		name := rule.Alert
		names = append(names, name)
		if !regexp.MustCompile(`^Delegation[A-Z][A-Za-z]+$`).MatchString(name) {
			t.Errorf("%s is no name of an alert", name)
		}
		severity := rule.Labels["severity"]
		if len(rule.Labels) != 1 || !strings.Contains(page, "\n| `"+severity+"` | ") {
			t.Errorf("%s: labels %v", name, rule.Labels)
		}
		if keys := slices.Sorted(maps.Keys(rule.Annotations)); !slices.Equal(keys,
			[]string{"description", "runbook_url", "summary"}) {
			t.Errorf("%s: annotations %v", name, keys)
		}
		if got := rule.Annotations["runbook_url"]; got != runbook+strings.ToLower(name) {
			t.Errorf("%s leads to %s", name, got)
		}
		if summary := rule.Annotations["summary"]; len(summary) > 80 ||
			strings.HasSuffix(summary, ".") {
			t.Errorf("%s: summary %q", name, summary)
		}
		if text := rule.Annotations["description"]; !strings.HasSuffix(text, ".") {
			t.Errorf("%s: description %q", name, text)
		}
		for _, part := range []string{"**Meaning**", "**Look**", "**Do**"} {
			if !strings.Contains(strings.ReplaceAll(sections[name],
				"**Look** and **do**", "**Look** **Do**"), part) {
				t.Errorf("its section of %s lacks %s", name, part)
			}
		}
	}
	if !slices.Equal(names, headings) {
		t.Errorf("alerts   %v\nsections %v", names, headings)
	}
}

// TestOperations_Labels: what the text of an alert calls $labels.NAME is a label of the alert.
func TestOperations_Labels(t *testing.T) {
	alerts, _ := rules(t)
	named := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	for _, rule := range alerts {
		kept := parseQuery(rule.Expr).labels
		if !strings.Contains(rule.Expr, " by (") { // those of the series, or none
			kept = append(kept, "job", "instance")
		}
		for _, text := range rule.Annotations {
			for _, found := range named.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(kept, found[1]) {
					t.Errorf("%s has no label %s: %q", rule.Alert, found[1], text)
				}
			}
		}
	}
}

// errorCodes are those of docs/errors.md.
func errorCodes(t testing.TB) []string {
	t.Helper()
	text := string(must(os.ReadFile("../../docs/errors.md")))
	var codes []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| [a-z]+ \\| (?:yes|no) \\|").
		FindAllStringSubmatch(text, -1) {
		codes = append(codes, row[1])
	}
	if len(codes) < 50 {
		t.Fatalf("only %d codes are found", len(codes))
	}
	return codes
}

// TestOperations_Codes: each code that rules, dashboard or document name is one of docs/errors.md.
// One with a wildcard stands for at least one of them.
func TestOperations_Codes(t *testing.T) {
	codes := errorCodes(t)
	for where, query := range allQueries(t) {
		for _, s := range query.selectors {
			if strings.HasPrefix(s.metric, "delegation_redis_") {
				continue // which has kinds of its own
			}
			for _, m := range s.matchers {
				if m.label != "error_type" || m.value == "" {
					continue
				}
				for _, value := range m.values() {
					pattern := regexp.MustCompile(`\A(?:` + value + `)\z`)
					if !slices.ContainsFunc(codes, pattern.MatchString) {
						t.Errorf("%s: no code is %s", where, value)
					}
				}
			}
		}
	}
	page := operationsText()
	tables := regexp.MustCompile(`(?m)^\| Code \|.*\n\|[-|]+\n((?:\|.*\n)+)`)
	quoted := regexp.MustCompile("`([^`]+)`")
	count := 0
	for _, table := range tables.FindAllStringSubmatch(page, -1) {
		for row := range strings.Lines(table[1]) {
			for _, code := range quoted.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
				count++
				if !slices.Contains(codes, code[1]) {
					t.Errorf("operations.md: no code is %s", code[1])
				}
			}
		}
	}
	if count < 10 {
		t.Errorf("only %d codes in tables are found", count)
	}
	// in sentences
	words := regexp.MustCompile("`((?:sts|key_set|discovery|replay|token|key|algorithm)_[a-z_]+)`")
	events := string(must(os.ReadFile("../../docs/events.md")))
	for _, word := range words.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(codes, word[1]) && !strings.Contains(events, "| `"+word[1]+"` |") {
			t.Errorf("operations.md: %s is neither a code nor a field of events", word[1])
		}
	}
}

// TestOperations_AWSRefuses: the alert is about each refusal of AWS that no retry helps, and about
// no other.
func TestOperations_AWSRefuses(t *testing.T) {
	alerts, _ := rules(t)
	i := slices.IndexFunc(alerts, func(r alertRule) bool {
		return r.Alert == "DelegationAWSRefuses"
	})
	if i < 0 {
		t.Fatal("there is no DelegationAWSRefuses")
	}
	concerns := func(code string) bool {
		for _, m := range parseQuery(alerts[i].Expr).selectors[0].matchers {
			fits := regexp.MustCompile(`\A(?:` + m.value + `)\z`).MatchString(code)
			if fits != (m.operator == "=~") {
				return false
			}
		}
		return true
	}
	text := string(must(os.ReadFile("../../docs/errors.md")))
	rows := regexp.MustCompile("(?m)^\\| `(sts_[a-z_]+)` \\| [a-z]+ \\| (yes|no) \\|")
	for _, row := range rows.FindAllStringSubmatch(text, -1) {
		if code, retry := row[1], row[2] == "yes"; concerns(code) == retry {
			t.Errorf("%s: an alert %v, and a retry helps %v", code, concerns(code), retry)
		}
	}
}

// TestOperations_Dashboard: Grafana finds each panel once, none over another, each with a query of
// the data source that the reader chose. The rows are those that docs/operations.md explains.
func TestOperations_Dashboard(t *testing.T) {
	read := readDashboard(t)
	chosen := datasource{Type: "prometheus", UID: "${datasource}"}
	if v := read.Templating.List[0]; v.Name != "datasource" || v.Type != "datasource" ||
		string(v.Query) != `"prometheus"` {
		t.Errorf("the first variable is %+v", v)
	}
	for _, v := range read.Templating.List[1:] {
		var query struct {
			Query string `json:"query"`
			RefID string `json:"refId"`
		}
		decoder := json.NewDecoder(bytes.NewReader(v.Query))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&query); err != nil || v.Type != "query" ||
			query.Query != v.Definition || query.RefID != v.Name || v.Datasource != chosen {
			t.Errorf("variable %s: %s, %v", v.Name, v.Query, err)
		}
	}
	ids := map[int]bool{}
	titles := map[string]bool{}
	taken := map[[2]int]string{}
	var rows []string
	for _, p := range read.Panels {
		if ids[p.ID] || p.ID == 0 || titles[p.Title] || p.Title == "" {
			t.Errorf("panel %d %q is there twice, or has no name", p.ID, p.Title)
		}
		ids[p.ID] = true
		titles[p.Title] = true
		at := p.GridPos
		if at.X < 0 || at.W < 1 || at.H < 1 || at.X+at.W > 24 {
			t.Errorf("%s is at %+v", p.Title, at)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s is over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("%s asks %+v for %d queries", p.Title, p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, query := range p.Targets {
			if refs[query.RefID] || query.Expr == "" || query.Datasource != chosen {
				t.Errorf("%s: query %+v", p.Title, query)
			}
			refs[query.RefID] = true
			for _, s := range parseQuery(query.Expr).selectors {
				if want := `{job=~"$job",instance=~"$instance"`; !strings.Contains(query.Expr,
					s.metric+want) {
					t.Errorf("%s: %s is not of the chosen job and replica", p.Title, s.metric)
				}
			}
		}
	}
	page := operationsText()
	_, table, _ := strings.Cut(page, "\n## Read the dashboard\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var explained []string
	for _, row := range regexp.MustCompile(`(?m)^\| \*([^*]+)\* \|`).
		FindAllStringSubmatch(table, -1) {
		explained = append(explained, row[1])
	}
	if !slices.Equal(rows, explained) {
		t.Errorf("rows      %v\nexplained %v", rows, explained)
	}
}

// TestOperations_Commands runs the commands of docs/operations.md on a service whose AWS refuses:
// the log and the metrics have the lines that grep looks for, check prints what it finds, and the
// metrics listener answers.
func TestOperations_Commands(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "metrics_listen: 127.0.0.1:0")
	s := serve(t, file)
	w.aws.Script(ststest.Refuse(403, "AccessDenied", "Not authorized to perform "+
		"sts:AssumeRoleWithSAML"))
	status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
	if status != http.StatusBadGateway {
		t.Fatalf("%d %s", status, body)
	}
	ran := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").
		FindAllStringSubmatch(operationsText(), -1) {
		for line := range strings.Lines(block[1]) {
			command := strings.TrimSpace(line)
			switch _, pattern, isGrep := strings.Cut(command, "| grep "); {
			case strings.HasPrefix(command, "journalctl ") && isGrep:
				ran["journalctl"] = true
				if !strings.Contains(s.logs.String(), strings.Trim(pattern, "'")) {
					t.Errorf("%s finds nothing in %s", command, s.logs)
				}
			case strings.Contains(command, " delegation check "):
				ran["check"] = true
				_, words, _ := strings.Cut(command, " delegation delegation ")
				words = strings.ReplaceAll(words, "/etc/delegation/delegation.yaml", file)
				out, _ := said(t, strings.Fields(words)...)
				if !strings.Contains(out, "signing key ") {
					t.Errorf("%s prints %s", command, out)
				}
			case strings.HasPrefix(command, "curl "):
				address := regexp.MustCompile(`http://127\.0\.0\.1:9464(/[^ ']+)`).
					FindStringSubmatch(command)
				if address == nil {
					t.Fatalf("%s does not ask the metrics listener", command)
				}
				ran[address[1]] = true
				status, body := get(t, client(nil), s.metricsURL()+address[1])
				if status != http.StatusOK ||
					!regexp.MustCompile("(?m)"+pattern).MatchString(body) {
					t.Errorf("%s: %d %s", command, status, body)
				}
			}
		}
	}
	if len(ran) != 4 {
		t.Errorf("of the commands only %v are there", ran)
	}
}

// TestOperations_Names: rules, dashboard and document name no metric that the service does not
// serve, and no label that the metric does not have. The document names no other metric either.
func TestOperations_Names(t *testing.T) {
	served := servedLabels(t)
	_, records := rules(t)
	for _, record := range records {
		served[record.Record] = labelSet(parseQuery(record.Expr).labels...)
	}
	served["up"] = labelSet()
	served["ALERTS"] = labelSet("alertname", "alertstate", "severity")
	check := func(where, metric string, labels ...string) {
		if strings.HasPrefix(metric, "process_") && runtime.GOOS != "linux" {
			return // it depends on the system which of them there are
		}
		if served[metric] == nil {
			t.Errorf("%s: the service has no metric %s", where, metric)
			return
		}
		for _, label := range labels {
			if !served[metric][label] {
				t.Errorf("%s: %s has no label %s, but %v", where, metric, label,
					slices.Sorted(maps.Keys(served[metric])))
			}
		}
	}
	for where, query := range allQueries(t) {
		if len(query.selectors) == 0 {
			t.Errorf("%s asks for nothing", where)
		}
		some := map[string]bool{}
		for _, s := range query.selectors {
			maps.Copy(some, served[s.metric])
			check(where, s.metric)
			for _, m := range s.matchers {
				check(where, s.metric, m.label)
			}
		}
		for _, label := range query.labels {
			if !some[label] {
				t.Errorf("%s: none of its metrics has a label %s", where, label)
			}
		}
	}
	for _, v := range readDashboard(t).Templating.List[1:] {
		for _, s := range parseQuery(v.Definition).selectors[:1] {
			check("variable "+v.Name, s.metric, v.Name)
		}
	}
	page := operationsText()
	named := regexp.MustCompile("`((?:delegation|http_server|process|go)_[a-z_]+)`")
	codes := errorCodes(t)
	for _, found := range named.FindAllStringSubmatch(page, -1) {
		if !slices.Contains(codes, found[1]) {
			check("operations.md", found[1])
		}
	}
}

func labelSet(names ...string) map[string]bool {
	set := map[string]bool{"job": true, "instance": true}
	for _, name := range names {
		set[name] = true
	}
	return set
}

// servedLabels returns the labels of each metric of a service in which all that is measured has
// happened.
func servedLabels(t *testing.T) map[string]map[string]bool {
	t.Helper()
	w := newWorld(t)
	w.writeRedis(t)
	file := w.configFile(t, `
metrics_listen: 127.0.0.1:0
limits: {body: 2000}
cache: {shared: true}
redis:
  url: redis://127.0.0.1:1
  keys: [{id: one, secret_file: one.key}]
audit: {file: audit.jsonl, on_failure: continue}
`, "failover_regions: [eu-west-1]")
	s := serveReloadable(t, file)
	audit := filepath.Join(w.folder, "audit.jsonl")
	if err := errors.Join(os.Remove(audit), os.Mkdir(audit, 0o700)); err != nil {
		t.Fatal(err) // a folder in its place, to which no record can be written
	}
	for _, token := range []string{w.token(nil), w.token(expired()), strings.Repeat("x", 3000)} {
		post(t, client(nil), s.url+"/delegation", delegationForm(token))
	}
	w.aws.Script(ststest.Refuse(http.StatusForbidden, "AccessDenied", "no"))
	post(t, client(nil), s.url+"/delegation", delegationForm(w.token(map[string]any{"sub": "bob"})))
	if err := os.Remove(audit); err != nil {
		t.Fatal(err)
	}
	s.mustReload(t)
	_, text := get(t, client(nil), s.metricsURL()+"/metrics")
	list, err := parseSeries(text)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]map[string]bool{}
	for _, one := range list {
		if served[one.name] == nil {
			served[one.name] = labelSet()
		}
		for label := range one.labels {
			served[one.name][label] = true
		}
	}
	return served
}

// TestOperations_Kubernetes: what rules and document say of Kubernetes is what the manifests make:
// the job, the namespace, the Deployment, its program and its port. They are scraped often enough.
func TestOperations_Kubernetes(t *testing.T) {
	const folder = "../../deploy/kubernetes/"
	read := func(name string) map[string]any {
		var object map[string]any
		if err := yaml.Unmarshal(must(os.ReadFile(folder+name)), &object); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return object
	}
	at := func(value any, path ...any) any {
		for _, step := range path {
			switch step := step.(type) {
			case string:
				value = value.(map[string]any)[step]
			case int:
				value = value.([]any)[step]
			}
		}
		return value
	}
	monitor := read("servicemonitor.yaml")
	label, _ := at(monitor, "spec", "jobLabel").(string)
	job, _ := at(read("service.yaml"), "metadata", "labels", label).(string)
	alerts, _ := rules(t)
	if !slices.ContainsFunc(alerts, func(r alertRule) bool {
		return r.Alert == "DelegationDown" && r.Expr == fmt.Sprintf("up{job=%q} == 0", job)
	}) {
		t.Errorf("no alert is about the job %s", job)
	}
	interval := at(monitor, "spec", "endpoints", 0, "interval").(string)
	if every, err := time.ParseDuration(interval); err != nil || every > time.Minute {
		t.Errorf("it is scraped every %s", interval)
	}
	page := operationsText()
	deployment := read("deployment.yaml")
	name := fmt.Sprintf("kubectl -n %s exec deployment/%s ",
		at(read("kustomization.yaml"), "namespace"), at(deployment, "metadata", "name"))
	dockerfile := string(must(os.ReadFile("../../deploy/docker/Dockerfile")))
	for _, want := range []string{
		"job_name: " + job,
		name,
		" /delegation check --config /etc/delegation/delegation.yaml",
		" port-forward deployment/delegation 9464",
		"`monitoring`",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("operations.md lacks %q", want)
		}
	}
	if !strings.Contains(dockerfile, `ENTRYPOINT ["/delegation"]`) {
		t.Error("the image's program is not /delegation")
	}
	for file, want := range map[string]string{
		"deployment.yaml":    "containerPort: 9464",
		"networkpolicy.yaml": "values: [monitoring]",
	} {
		if !strings.Contains(string(must(os.ReadFile(folder+file))), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
}

// TestOperations_Picture: docs/alerts.svg has each alert once, in the colour of its severity, and
// no other. It is well formed, narrow, described in words, and drawn for light and dark.
func TestOperations_Picture(t *testing.T) {
	text := must(os.ReadFile("../../docs/alerts.svg"))
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`viewBox="0 0 900 `, "@media (prefers-color-scheme: dark)", `role="img"`, "<title id=",
		"<desc id=",
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("it lacks %s", want)
		}
	}
	alerts, _ := rules(t)
	var want []string
	for _, rule := range alerts {
		want = append(want, strings.TrimPrefix(rule.Alert, "Delegation")+" "+
			rule.Labels["severity"])
	}
	var drawn []string
	names := regexp.MustCompile(`class="(critical|warning|info)"[^>]*>(\w+)<`)
	for _, found := range names.FindAllSubmatch(text, -1) {
		drawn = append(drawn, string(found[2])+" "+string(found[1]))
	}
	slices.Sort(want)
	slices.Sort(drawn)
	if !slices.Equal(drawn, want) {
		t.Errorf("drawn %v\nwant  %v", drawn, want)
	}
}
