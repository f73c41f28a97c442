package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBroken_Working: check has nothing to say of the configuration that the rows change.
func TestBroken_Working(t *testing.T) {
	s := newBrokenScene(t)
	if code, wrong, stderr := s.check(); code != 0 || len(wrong) > 0 || stderr != "" {
		t.Errorf("exit code %d: %+v %s", code, wrong, stderr)
	}
}

// TestBroken: check names each of these, with its code and the place in the configuration, and what
// it says to do ends it. serve refuses to start, or its log says the same. The rows are the table
// of docs/checks.md.
func TestBroken(t *testing.T) {
	rows := brokenRows()
	if len(rows) < 30 {
		t.Errorf("only %d rows", len(rows))
	}
	var table strings.Builder
	passed := make([]bool, len(rows)) // not if -run leaves it out
	t.Run("row", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.of, func(t *testing.T) {
				t.Parallel() // each waits for its program most of the time
				row.run(t)
				passed[i] = !t.Failed()
			})
			table.WriteString(row.documented())
		}
	})
	if !slices.Contains(passed, false) {
		wantBrokenTable(t, table.String())
	}
}

// run breaks the configuration, looks at it, and mends it.
func (r brokenRow) run(t *testing.T) {
	s := newBrokenScene(t)
	r.breaks(s)
	code, wrong, stderr := s.check()
	said := r.text
	if r.state == isRefused {
		r.wantRefusal(t, code, stderr)
	} else {
		said = r.wantFinding(t, code, wrong)
	}
	said, _, _ = strings.Cut(said, " [AWS request ID ") // which is another one each time
	if r.varies {
		said = r.text
	}
	logged, code, all := s.serveSays(said)
	refused := code == exitUsage && strings.Contains(all, r.text)
	if r.state == isRefused && !refused || r.state != isRefused && !logged {
		t.Errorf("serve does not say %q: exit code %d, %s", said, code, all)
	}
	r.mends(s)
	if code, wrong, stderr := s.check(); code != 0 || len(wrong) > 0 || stderr != "" {
		t.Errorf("it was mended, and now exit code %d: %+v %s", code, wrong, stderr)
	}
}

// wantRefusal checks what is said of a configuration that nothing starts with.
func (r brokenRow) wantRefusal(t *testing.T, code int, stderr string) {
	t.Helper()
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"delegation.yaml" + r.at + ": ", r.text, r.remedy} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in %s", want, stderr)
		}
	}
}

// wantFinding checks that the row is found, and that nothing else is but what comes with it. It
// returns what is said.
func (r brokenRow) wantFinding(t *testing.T, code int, wrong []checkEntry) (said string) {
	t.Helper()
	if want := map[string]int{isFailed: exitFailed, isWarned: 0}[r.state]; code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	for _, e := range wrong {
		if e.Code != r.code {
			if !r.alsoFinds(e) {
				t.Errorf("it finds %+v, too", e)
			}
			continue
		}
		said = e.What
		place := ""
		if r.at != "" {
			place = "delegation.yaml" + r.at
		}
		switch {
		case e.State != r.state:
			t.Errorf("the state is %s", e.State)
		case e.Kind == "" || e.State == isWarned && len(e.Warnings) != 1:
			t.Errorf("got %+v", e)
		case place != "" && e.At != place:
			t.Errorf("it is at %s, want %s", e.At, place)
		case !strings.Contains(e.What, r.text):
			t.Errorf("%q is not in %s", r.text, e.What)
		case !strings.Contains(cmp.Or(e.Remedy, e.What), r.remedy):
			t.Errorf("%q is not in %s", r.remedy, cmp.Or(e.Remedy, e.What))
		}
		if e.State == isWarned {
			said = e.Warnings[0].What
		}
	}
	if said == "" {
		t.Fatalf("it finds %+v, want %s", wrong, r.code)
	}
	return said
}

// alsoFinds tells whether something else comes with what is broken: both fakes have one clock.
func (r brokenRow) alsoFinds(e checkEntry) bool {
	isClock := r.code == "sts_clock" || r.code == "sts_response_expired"
	return isClock && e.Code == "issuer_clock"
}

// documented is the row of docs/checks.md.
func (r brokenRow) documented() string {
	where := "–"
	if _, key, found := strings.Cut(strings.TrimPrefix(r.at, ":"), ": "); found {
		where = "`" + strings.ReplaceAll(key, "photo-app", "NAME") + "`"
	}
	serve := "logs it"
	if r.state == isRefused {
		serve = "refuses to start"
	}
	return fmt.Sprintf("| %s | %s | `%s` | %s | %s |\n", r.of, r.state, r.code, where, serve)
}

const (
	checksPage = "../../docs/checks.md"
	brokenHead = "| Broken | `check` | Code | Where | `serve` |\n|---|---|---|---|---|\n"
)

// wantBrokenTable compares the table with that of docs/checks.md, or writes it there with -update.
func wantBrokenTable(t *testing.T, rows string) {
	t.Helper()
	page := string(must(os.ReadFile(checksPage)))
	table := regexp.MustCompile(`(?m)^\| Broken \| .*\n(?:\|.*\n)*`)
	want := brokenHead + rows
	if *update {
		page = table.ReplaceAllLiteralString(page, want)
		if err := os.WriteFile(checksPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := table.FindString(page); got != want {
		t.Errorf("the table of docs/checks.md is\n%s\nwant\n%s\n"+
			"To write it: go test ./cmd/delegation -run 'TestBroken$' -update", got, want)
	}
}
