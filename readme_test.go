package delegation_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds the README against what it speaks of: its Go is in the examples, its errors are in the table, its links lead somewhere.
func TestReadme(t *testing.T) {
	readme := string(must(os.ReadFile("README.md")))
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }

	var examples strings.Builder
	for _, file := range must(filepath.Glob("examples/*/*.go")) {
		examples.Write(must(os.ReadFile(file)))
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Error("no Go in the README")
	}
	for _, block := range blocks {
		if !strings.Contains(squeeze(examples.String()), squeeze(block[1])) {
			t.Errorf("this is in no example, so nobody compiles it:\n%s", block[1])
		}
	}

	table := string(must(os.ReadFile("docs/errors.md")))
	_, section, _ := strings.Cut(readme, "## Errors")
	section, _, _ = strings.Cut(section, "## ")
	rows := regexp.MustCompile("(?m)^\\| `[a-z0-9_]+` \\|.*$").FindAllString(section, -1)
	if len(rows) < 10 {
		t.Errorf("%d rows in the error table", len(rows))
	}
	for _, row := range rows {
		if !strings.Contains(table, row+"\n") {
			t.Errorf("docs/errors.md says something else than %s", row)
		}
	}

	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(filepath.FromSlash(link[1])); err != nil {
			t.Errorf("broken link: %v", err)
		}
	}
	for _, command := range []string{"go run ./examples/quickstart", "go test ./..."} {
		if !strings.Contains(readme, command) {
			t.Errorf("the README lacks %q", command)
		}
	}
}

// TestFailures holds that each fault of docs/failures.md has a direction, and a test that exists.
func TestFailures(t *testing.T) {
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
	rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \| (`+"`Test[^|]*"+`) \|$`).FindAllStringSubmatch(string(must(os.ReadFile("docs/failures.md"))), -1)
	if len(rows) < 20 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		if !regexp.MustCompile("^(fails closed|serves stale|goes on|its exchange waits)").MatchString(row[2]) {
			t.Errorf("%s: no direction in %q", row[1], row[2])
		}
		for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(row[3], -1) {
			if !strings.Contains(tests.String(), "func "+name[1]+"(t *testing.T) {") {
				t.Errorf("%s: there is no %s", row[1], name[1])
			}
		}
	}
}

// TestIncident_RolesTrustSAMLOnly: a role that also trusted the OIDC provider was reached round the rules. The library cannot see
// trust policies, so whoever sets one up must read it, wherever they look first.
func TestIncident_RolesTrustSAMLOnly(t *testing.T) {
	for file, words := range map[string]string{
		"README.md":     "must trust the SAML provider only",
		"SECURITY.md":   "trust the SAML provider only",
		"delegation.go": "should trust the SAML provider and nothing else",
	} {
		text := strings.Join(strings.Fields(strings.ReplaceAll(string(must(os.ReadFile(file))), "//", "")), " ")
		if !strings.Contains(text, words) {
			t.Errorf("%s does not say that roles %s", file, words)
		}
	}
}
