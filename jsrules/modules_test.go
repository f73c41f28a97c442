package jsrules_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

const modulesFolder = "testdata/modules"

// moduleCase is an expression of a file of cases.
type moduleCase struct{ place, expression string }

// moduleCases reads a file of cases, one in a line.
func moduleCases(t testing.TB, file string) (cases []moduleCase) {
	t.Helper()
	text := string(must(os.ReadFile(file)))
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "//") {
			continue
		}
		place := fmt.Sprintf("%s:%d", filepath.Base(file), number)
		cases = append(cases, moduleCase{place, line})
	}
	return cases
}

// moduleAnswers evaluates cases in one rule.
func moduleAnswers(t testing.TB, cases []moduleCase) []string {
	t.Helper()
	var source strings.Builder
	source.WriteString("async function (user, context, callback) {\n")
	source.Write(must(os.ReadFile(filepath.Join(modulesFolder, "prelude.js"))))
	source.WriteString("\nuser.answers = [")
	for _, c := range cases {
		fmt.Fprintf(&source, "await answer(() => (%s\n)),\n", c.expression)
	}
	source.WriteString("];\ncallback(null, user, context);\n}")
	now := func() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) }
	rule := compile(t, source.String(), jsrules.Options{Now: now})
	user := &delegation.User{Properties: map[string]any{}}
	if err := rule(t.Context(), user, &delegation.RuleContext{}); err != nil {
		t.Fatal(err)
	}
	var answers []string
	for _, answer := range user.Properties["answers"].([]any) {
		answers = append(answers, answer.(string))
	}
	return answers
}

// nodeAnswers reads what Node answers to the cases, by place.
func nodeAnswers(t testing.TB) map[string]string {
	t.Helper()
	answers := map[string]string{}
	text := must(os.Open(filepath.Join(modulesFolder, "node.txt")))
	defer text.Close()
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		place, answer, _ := strings.Cut(lines.Text(), "\t")
		answers[place] = answer
	}
	return answers
}

// TestNodeModules: built-in modules and globals answer as those of Node and npm. node.js of the
// folder has written their answers.
func TestNodeModules(t *testing.T) {
	files := must(filepath.Glob(modulesFolder + "/*.cases"))
	if len(files) < 6 {
		t.Fatalf("only %d files of cases", len(files))
	}
	node := nodeAnswers(t)
	compared := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cases := moduleCases(t, file)
			answers := moduleAnswers(t, cases)
			for i, c := range cases {
				compared++
				want, known := node[c.place]
				if !known || answers[i] != want {
					t.Errorf("%s: %s\n\tNode %s\n\tours %s",
						c.place, c.expression, want, answers[i])
				}
			}
		})
	}
	if compared != len(node) || compared < 600 {
		t.Errorf("%d cases, and %d answers of Node", compared, len(node))
	}
}
