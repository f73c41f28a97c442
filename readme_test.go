package delegation_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds the README and the pages that a newcomer reads next against what they speak of:
// their Go is in the examples, and their rows of errors are in the table.
func TestReadme(t *testing.T) {
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	var examples strings.Builder
	files := append(must(filepath.Glob("examples/*/*.go")), "example_test.go",
		"profile/example_test.go")
	for _, file := range files {
		examples.Write(must(os.ReadFile(file)))
	}
	compiled := squeeze(examples.String())
	for _, page := range []string{
		"README.md", "docs/library.md", "docs/rules.md", "docs/tags-and-abac.md",
		"docs/go-clients.md", "docs/testing.md",
	} {
		blocks := blocksOf(string(must(os.ReadFile(page))), "go")
		if len(blocks) == 0 {
			t.Errorf("no Go in %s", page)
		}
		for _, block := range blocks {
			if !strings.Contains(compiled, squeeze(block)) {
				t.Errorf("%s: this is in no example, so nobody compiles it:\n%s", page, block)
			}
		}
	}

	table := string(must(os.ReadFile("docs/errors.md")))
	refusals := string(must(os.ReadFile("docs/refusals.md")))
	rows := regexp.MustCompile("(?m)^\\| `[a-z0-9_]+` \\|.*\\| \\d{3} .*$").
		FindAllString(refusals, -1)
	if len(rows) < 10 {
		t.Errorf("%d rows in the error table", len(rows))
	}
	for _, row := range rows {
		if !strings.Contains(table, row+"\n") {
			t.Errorf("docs/errors.md says something else than %s", row)
		}
	}
}

// TestFailures holds that each fault of docs/failures.md has a direction, and a test that exists.
func TestFailures(t *testing.T) {
	tests := allTests(t)
	rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| (`+"`Test[^|]*"+`) \|$`).
		FindAllStringSubmatch(string(must(os.ReadFile("docs/failures.md"))), -1)
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		if !regexp.MustCompile("^(fails closed|serves stale|continues|its exchange waits)").
			MatchString(row[2]) {
			t.Errorf("%s: no direction in %q", row[1], row[2])
		}
		for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row[3], -1) {
			if !strings.Contains(tests, "func "+name[1]+"(t *testing.T) {") {
				t.Errorf("%s: there is no %s", row[1], name[1])
			}
		}
	}
}

// TestReadme_ThreatModel holds that each threat of docs/threat-model.md is at one of the boundaries
// of the picture, is of a kind of STRIDE, and has tests that exist.
func TestReadme_ThreatModel(t *testing.T) {
	document := string(must(os.ReadFile("docs/threat-model.md")))
	picture := string(must(os.ReadFile("docs/threat-model.svg")))
	tests := allTests(t)
	_, section, _ := strings.Cut(document, "\n## Threats\n")
	section, _, _ = strings.Cut(section, "\n## ")
	kinds := map[string]int{
		"spoofing": 0, "tampering": 0, "repudiation": 0,
		"disclosure": 0, "denial": 0, "elevation": 0,
	}
	places := map[string]int{"all": 0}
	number := regexp.MustCompile(`class="number"[^>]*>(\d)<`)
	for _, mark := range number.FindAllStringSubmatch(picture, -1) {
		places[mark[1]] = 0
	}
	row := regexp.MustCompile(`^\| (\w+) \| (\w+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$`)
	named := regexp.MustCompile("^`((?:Test|Fuzz)\\w+)`$")
	rows := 0
	for line := range strings.Lines(section) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "|") || line == "|---|---|---|---|---|" ||
			strings.HasPrefix(line, "| At |") {
			continue
		}
		rows++
		found := row.FindStringSubmatch(line)
		if found == nil {
			t.Errorf("not a row: %s", line)
			continue
		}
		if _, known := places[found[1]]; !known {
			t.Errorf("the picture has no boundary %s: %s", found[1], line)
		}
		places[found[1]]++
		if _, known := kinds[found[2]]; !known {
			t.Errorf("%s is no kind: %s", found[2], line)
		}
		kinds[found[2]]++
		for _, name := range strings.Split(found[3], ", ") {
			test := named.FindStringSubmatch(name)
			if test == nil || !strings.Contains(tests, "\nfunc "+test[1]+"(") {
				t.Errorf("there is no test %s: %s", name, line)
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d threats", rows)
	}
	for _, counts := range []map[string]int{kinds, places} {
		for name, n := range counts {
			if n == 0 {
				t.Errorf("no threat is of %s", name)
			}
		}
	}
	for _, file := range []string{"README.md", "SECURITY.md"} {
		if !strings.Contains(string(must(os.ReadFile(file))), "docs/threat-model.md") {
			t.Errorf("%s does not lead to the threat model", file)
		}
	}
}

// allTests is the source of every test of the repository.
func allTests(t *testing.T) string {
	t.Helper()
	var tests strings.Builder
	err := filepath.WalkDir(".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, "_test.go") {
			tests.Write(must(os.ReadFile(name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests.String()
}

// TestIncident_RolesTrustSAMLOnly: users bypassed the rules of a role that also trusted the OIDC
// provider. The library cannot see trust policies, so all who set one up must read it, wherever
// they look first.
func TestIncident_RolesTrustSAMLOnly(t *testing.T) {
	for file, words := range map[string]string{
		"README.md":         "must trust the SAML provider only",
		"SECURITY.md":       "trust the SAML provider only",
		"docs/aws-setup.md": "must trust the SAML provider only",
		"docs/checks.md":    "must trust the SAML provider only",
		"delegation.go":     "must trust the SAML provider and nothing else",
	} {
		text := strings.Join(
			strings.Fields(strings.ReplaceAll(string(must(os.ReadFile(file))), "//", "")), " ")
		if !strings.Contains(text, words) {
			t.Errorf("%s does not say that roles %s", file, words)
		}
	}
}
