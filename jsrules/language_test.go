package jsrules_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

var updateDifferences = flag.Bool("update", false,
	"write what differs from Node now into testdata/language/differences.txt")

const languageFolder = "testdata/language"

// languageCase is a rule, and what Node makes of it.
type languageCase struct {
	name   string // the expression, or the file of a rule
	source string
	node   string // JSON
}

// languageCases reads Node's answers, with the rules that generate.js has made of the cases.
func languageCases(t testing.TB) []languageCase {
	t.Helper()
	var cases []languageCase
	for _, line := range fileLines(t, "node.txt") {
		name, node := quotedAndRest(t, line)
		cases = append(cases, languageCase{name, languageSource(t, name), node})
	}
	return cases
}

// languageSource returns the rule of a case, as generate.js makes it.
func languageSource(t testing.TB, name string) string {
	t.Helper()
	if strings.HasPrefix(name, "rules/") {
		return string(must(os.ReadFile(filepath.Join(languageFolder, name))))
	}
	async := ""
	if strings.Contains(name, "await ") {
		async = "async "
	}
	return async + `function (user, context, callback) {
	var got;
	try { got = ` + name + `
; } catch (e) { got = 'throws ' + e.name; }
	user.kind = got !== got ? 'NaN' : got === 0 && 1 / got < 0 ? '-0' : typeof got;
	user.got = got;
	callback(null, user, context);
}`
}

func fileLines(t testing.TB, name string) []string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(languageFolder, name))))
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// quotedAndRest splits a line at its tab. Before the tab is a text in JSON.
func quotedAndRest(t testing.TB, line string) (text, rest string) {
	t.Helper()
	quoted, rest, found := strings.Cut(line, "\t")
	if err := json.Unmarshal([]byte(quoted), &text); err != nil || !found {
		t.Fatalf("%s: %v", line, err)
	}
	return text, rest
}

// outcome runs the rule of a case here.
func (c *languageCase) outcome(t testing.TB) map[string]any {
	t.Helper()
	rule, err := jsrules.Compile("rule", c.source, jsrules.Options{}.WithClock(standing()))
	if err != nil {
		if strings.Contains(c.node, `{"throws":"SyntaxError"}`) {
			return map[string]any{"throws": "SyntaxError"}
		}
		return map[string]any{"refused": err.Error()}
	}
	user := &delegation.User{Properties: map[string]any{}}
	if strings.HasPrefix(c.name, "rules/") {
		user.Properties = aliceOfNode()
	}
	err = rule(t.Context(), user, &delegation.RuleContext{})
	var failure *jsrules.Error
	switch {
	case errors.As(err, &failure):
		return map[string]any{"failed": failure.Err.Error()}
	case err != nil:
		return map[string]any{"denied": strings.TrimPrefix(err.Error(), "denied: ")}
	}
	return map[string]any{"user": user.Properties}
}

// aliceOfNode is the user of whole rules, as generate.js has it.
func aliceOfNode() map[string]any {
	return map[string]any{
		"email": "alice@example.com", "email_verified": true, "name": "Alice",
		"groups": []any{"staff", "editors"},
		"identities": []any{map[string]any{
			"provider": "auth0", "user_id": "1", "connection": "db", "isSocial": false,
		}},
		"persistent": map[string]any{},
	}
}

// difference is a case that has another outcome here than in Node, and why.
type difference struct{ reason, ours string }

// knownDifferences reads differences.txt. A line that begins with # is the reason of those that
// follow it.
func knownDifferences(t testing.TB) map[string]difference {
	t.Helper()
	known := map[string]difference{}
	reason := ""
	for _, line := range fileLines(t, "differences.txt") {
		if text, found := strings.CutPrefix(line, "# "); found {
			reason = text
			continue
		}
		if line == "" {
			continue
		}
		name, ours := quotedAndRest(t, line)
		known[name] = difference{reason, ours}
	}
	return known
}

// TestLanguage: rules have the outcome that they have in Node, or are listed in differences.txt
// with what they have here, and the reason. testdata/language/generate.js has written Node's.
func TestLanguage(t *testing.T) {
	cases := languageCases(t)
	if len(cases) < 1000 {
		t.Fatalf("only %d cases", len(cases))
	}
	known := knownDifferences(t)
	now := map[string]difference{}
	for _, c := range cases {
		var want any
		if err := json.Unmarshal([]byte(c.node), &want); err != nil {
			t.Fatal(err)
		}
		got := c.outcome(t)
		if sameJSON(got, want) {
			continue
		}
		ours := compactJSON(got)
		now[c.name] = difference{known[c.name].reason, ours}
		if old, listed := known[c.name]; !*updateDifferences && (!listed || old.ours != ours) {
			t.Errorf("%s\n\tNode %s\n\tours %s", c.name, c.node, ours)
		}
	}
	t.Logf("%d cases, %d differ for a known reason", len(cases), len(now))
	if *updateDifferences {
		writeDifferences(t, now)
		return
	}
	for name, d := range known {
		if _, differs := now[name]; !differs {
			t.Errorf("differences.txt lists %q, which does not differ", name)
		}
		if d.reason == "" || d.reason == "?" {
			t.Errorf("differences.txt has no reason for %q", name)
		}
	}
}

// writeDifferences writes differences.txt. A new difference has the reason "?", which fails the
// test.
func writeDifferences(t *testing.T, all map[string]difference) {
	t.Helper()
	byReason := map[string][]string{}
	for name, d := range all {
		if d.reason == "" {
			d.reason = "?"
		}
		line := fmt.Sprintf("%s\t%s\n", compactJSON(name), d.ours)
		byReason[d.reason] = append(byReason[d.reason], line)
	}
	var text strings.Builder
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		slices.Sort(byReason[reason])
		text.WriteString("# " + reason + "\n" + strings.Join(byReason[reason], ""))
	}
	file := filepath.Join(languageFolder, "differences.txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// compactJSON returns a value as JSON in which < and > are themselves.
func compactJSON(value any) string {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// TestLanguageCases: node.txt has an answer for every case of the corpus, and for no other one.
func TestLanguageCases(t *testing.T) {
	var want []string
	for _, file := range must(filepath.Glob(languageFolder + "/*.txt")) {
		if name := filepath.Base(file); name != "node.txt" && name != "differences.txt" {
			want = append(want, expressionsOf(fileLines(t, name))...)
		}
	}
	for _, file := range must(filepath.Glob(languageFolder + "/rules/*.js")) {
		want = append(want, "rules/"+filepath.Base(file))
	}
	var got []string
	for _, c := range languageCases(t) {
		got = append(got, c.name)
	}
	if !slices.Equal(got, want) {
		t.Error("run: TZ=UTC LC_ALL=en_US.UTF-8 node generate.js > node.txt, in its folder")
	}
}

// expressionsOf reads expressions: one on each line, or several lines between <<< and >>>.
func expressionsOf(lines []string) []string {
	var found []string
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || strings.HasPrefix(lines[i], "#") {
			continue
		}
		if lines[i] != "<<<" {
			found = append(found, lines[i])
			continue
		}
		length := slices.Index(lines[i:], ">>>")
		found = append(found, strings.Join(lines[i+1:i+length], "\n"))
		i += length
	}
	return found
}

// TestDates_UTC: a run is in UTC wherever the process is, so no day has a gap or an hour twice.
func TestDates_UTC(t *testing.T) {
	if name, _ := time.Unix(0, 0).Zone(); name != "EST" {
		t.Fatalf("the zone of the process is %s: see init", name)
	}
	dates := 0
	for _, c := range languageCases(t) {
		if !strings.Contains(c.name, "Date") || strings.Contains(c.name, "Intl") {
			continue
		}
		dates++
		var want any
		if err := json.Unmarshal([]byte(c.node), &want); err != nil {
			t.Fatal(err)
		}
		got := c.outcome(t)
		known := knownDifferences(t)[c.name]
		if !sameJSON(got, want) && compactJSON(got) != known.ours {
			t.Errorf("%s\n\tNode %s\n\tours %s", c.name, c.node, compactJSON(got))
		}
	}
	if dates < 200 {
		t.Errorf("only %d cases", dates)
	}
}
