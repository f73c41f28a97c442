//go:build interop

// Package site holds the test of the static site that is made of the Markdown of docs/.
package site

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// questions are what readers type, and the page that answers.
var questions = []struct{ words, page string }{
	{"replace the signing key", "key-rollover.html"},
	{"deploy to Kubernetes", "deploying.html"},
	{"replace Auth0 delegation", "migrating-from-auth0.html"},
	{"credentials in a web page", "browser.html"},
	{"MCP server for agents", "agents.html"},
	{"user must be cut off", "incident.html"},
	{"token_expired", "refusals.html"},
}

// audited are the pages that axe-core checks: the index, and pages with pictures, wide tables, code
// and much text.
var audited = []string{
	"index.html", "caching.html", "roles.html", "browser.html", "threat-model.html",
	"repository/README.html",
}

// seen is what the driver saw of the site.
type seen struct {
	Pages []struct {
		URL, Heading string
		Pictures     int
	}
	Searches []struct {
		Words string
		Pages []string
	}
	// Broken are links and pictures that lead nowhere.
	Broken []string
	// Overflow are pages that are wider than the window.
	Overflow []string
	// Messages are what pages wrote to the console of the browser, and failed requests.
	Messages []string
	// Findings are those of axe-core in Audits pages.
	Findings []string
	Audits   int
	Hosts    []string
	Keyboard struct{ FirstResult, Outline, Closed, Back, Skipped bool }
}

// TestInterop_Site builds the site and reads all of it in Chromium: every page has its heading and
// pictures, every link and anchor leads somewhere, the search finds the page that answers, axe-core
// finds nothing, no page scrolls sideways on a telephone, and nothing is fetched from elsewhere.
func TestInterop_Site(t *testing.T) {
	for _, needed := range []string{"node_modules/@11ty/eleventy", "node_modules/playwright-core"} {
		if _, err := os.Stat(needed); err != nil {
			missing(t, "npm ci --prefix .ci/site", err)
		}
	}
	for _, program := range []string{"npm", "node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "apt-get install nodejs npm chromium", err)
		}
	}
	run(t, nil, "npm", "run", "build")
	words := []string{}
	for _, question := range questions {
		words = append(words, question.words)
	}
	input, err := json.Marshal(map[string]any{"searches": words, "audited": audited})
	if err != nil {
		t.Fatal(err)
	}
	var site seen
	if err := json.Unmarshal(run(t, input, "node", "check.mjs"), &site); err != nil {
		t.Fatal(err)
	}
	pictures := 0
	for _, page := range site.Pages {
		pictures += page.Pictures
		if page.Heading == "" {
			t.Errorf("%s has no heading", page.URL)
		}
	}
	t.Logf("%d pages, %d pictures, %d audits with %d findings", len(site.Pages), pictures,
		site.Audits, len(site.Findings))
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(site.Pages) < len(docs) || pictures < 5 {
		t.Errorf("%d pages of %d in docs, %d pictures: %v", len(site.Pages), len(docs), pictures, err)
	}
	for what, found := range map[string][]string{
		"broken": site.Broken, "wider than the window": site.Overflow,
		"on the console": site.Messages, "axe-core found": site.Findings,
	} {
		if len(found) > 0 {
			t.Errorf("%s:\n%s", what, strings.Join(found, "\n"))
		}
	}
	if want := 2*len(audited) + 2 + 4; site.Audits != want { // and the search, four times
		t.Errorf("%d audits, want %d", site.Audits, want)
	}
	if !slices.Equal(site.Hosts, []string{"127.0.0.1"}) {
		t.Errorf("the pages reached %q", site.Hosts)
	}
	if k := site.Keyboard; !k.FirstResult || !k.Outline || !k.Closed || !k.Back || !k.Skipped {
		t.Errorf("with the keyboard: %+v", k)
	}
	checkSearches(t, site)
}

// checkSearches checks that the page that answers is found first or second.
func checkSearches(t *testing.T, site seen) {
	t.Helper()
	if len(site.Searches) != len(questions) {
		t.Fatalf("%d searches, want %d", len(site.Searches), len(questions))
	}
	for i, question := range questions {
		found := site.Searches[i].Pages
		first := found[:min(len(found), 2)]
		if !slices.ContainsFunc(first, func(link string) bool {
			page, _, _ := strings.Cut(link, "#")
			return page == question.page
		}) {
			t.Errorf("%q leads to %q, and not to %s", question.words, first, question.page)
		}
	}
}

// missing fails where CI has to have everything, and skips elsewhere.
func missing(t *testing.T, command string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", command, err)
	}
	t.Skipf("run first: %s", command)
}

// run returns what a program writes to stdout.
func run(t *testing.T, stdin []byte, program string, arguments ...string) []byte {
	t.Helper()
	command := exec.Command(program, arguments...)
	command.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", program, arguments, err, out, stderr.Bytes())
	}
	return out
}
