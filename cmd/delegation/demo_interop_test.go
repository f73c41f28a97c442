//go:build interop

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// demoView is what the driver saw of the page, at one width and in one colour scheme.
type demoView struct {
	Width  int
	Scheme string
	Visits []demoVisit
	Focus  []struct {
		Name    string
		Visible bool
	}
	Secrets []struct {
		Name                         string
		Before, Shown, After, Copied bool
	}
	Console struct {
		Focused           bool
		Hostname, Heading string
		Findings          []string
	}
	// Findings are what axe-core found, and Unsure what it could not decide.
	Findings, Unsure []string
	// Overflow are states of the page that are wider than the window.
	Overflow []string
	// Messages are what the page wrote to the console of the browser.
	Messages []string
	// Gone is what the page says when the service does not answer any more.
	Gone  string
	Hosts []string
}

// demoVisit is the page after a user has signed in.
type demoVisit struct {
	User, Status, Caller, Operator string
	Steps, Times                   []string
}

// TestInterop_DemoPage uses the page of the demo in Chromium as a newcomer does, in a narrow and a
// wide window, light and dark. axe-core finds nothing, and the console of the browser is empty.
//
// With -update it takes the pictures of the documentation instead.
func TestInterop_DemoPage(t *testing.T) {
	needs(t, "node", "nodejs")
	needs(t, "chromium", "chromium")
	driver := filepath.Join("testdata", "demopage")
	if _, err := os.Stat(filepath.Join(driver, "node_modules", "axe-core")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix cmd/delegation/%s: %v", driver, err)
		}
		t.Skipf("run first: npm ci --prefix cmd/delegation/%s", driver)
	}
	drive := func(shots ...map[string]any) (views []demoView) {
		t.Helper()
		input := must(json.Marshal(map[string]any{
			"url":   serveDemo(t).url + "/",
			"shots": append([]map[string]any{}, shots...),
		}))
		environment := []string{"TMPDIR=" + t.TempDir()}
		script := filepath.Join(driver, "drive.mjs")
		code, out, said := program(t, environment, string(input), "node", script)
		var report struct{ Views []demoView }
		if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil {
			t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
		}
		return report.Views
	}
	if *update {
		for name, scheme := range map[string]string{"demo.png": "light", "demo-dark.png": "dark"} {
			drive(map[string]any{
				"file": filepath.Join("..", "..", "docs", name), "scheme": scheme,
				"width": 1280, "height": 960,
			})
		}
		return
	}
	views := drive()
	if len(views) != 4 {
		t.Fatalf("%d views, want narrow and wide, light and dark", len(views))
	}
	for i, view := range views {
		t.Logf("%d pixels, %s: %d visits, %d findings of axe-core, %d messages on the console",
			view.Width, view.Scheme, len(view.Visits), len(view.Findings), len(view.Messages))
		view.checkManners(t)
		view.checkVisits(t, i == 0)
	}
}

// checkManners checks what holds for every state of the page.
func (v demoView) checkManners(t *testing.T) {
	t.Helper()
	for what, found := range map[string][]string{
		"axe-core found":                  v.Findings,
		"axe-core cannot decide":          v.Unsure,
		"wider than the window":           v.Overflow,
		"on the console":                  v.Messages,
		"axe-core found in the console's": v.Console.Findings,
	} {
		if len(found) > 0 {
			t.Errorf("%d %s: %s:\n%s", v.Width, v.Scheme, what, strings.Join(found, "\n"))
		}
	}
	if !strings.Contains(v.Gone, "delegation serve --demo") {
		t.Errorf("%d %s: without the service: %s", v.Width, v.Scheme, v.Gone)
	}
	if strings.Join(v.Hosts, " ") != "127.0.0.1" {
		t.Errorf("%d %s: the page reached %q", v.Width, v.Scheme, v.Hosts)
	}
	var order []string
	for _, stop := range v.Focus {
		order = append(order, stop.Name)
		if !stop.Visible {
			t.Errorf("%d %s: one does not see the focus on %q", v.Width, v.Scheme, stop.Name)
		}
	}
	wanted := []string{"Skip", "Alice", "Bob", "Mallory", "Dave", "Eve", "Carol", "Copy all"}
	for i, name := range wanted {
		if len(order) != len(wanted) || !strings.Contains(order[i], name) {
			t.Fatalf("%d %s: Tab goes to %q, want %q", v.Width, v.Scheme, order, wanted)
		}
	}
	for _, secret := range v.Secrets {
		if secret.Before || secret.After || !secret.Copied ||
			secret.Shown == (secret.Name == "export lines") {
			t.Errorf("%d %s: %+v", v.Width, v.Scheme, secret)
		}
	}
	if len(v.Secrets) != 4 {
		t.Errorf("%d %s: %d secrets", v.Width, v.Scheme, len(v.Secrets))
	}
	if !v.Console.Focused || v.Console.Hostname != "127.0.0.1" ||
		v.Console.Heading != "You are signed in to a stub" {
		t.Errorf("%d %s: the console link: %+v", v.Width, v.Scheme, v.Console)
	}
}

// demoOutcomes are what the page shows of each user, in the order in which the driver signs in.
var demoOutcomes = []struct{ user, status, steps, caller, operator string }{
	{
		"alice", "Alice has AWS credentials.",
		"done done done done done", "Secret key", `"cache": "miss"`,
	},
	{
		"alice again", "Alice has AWS credentials, from the cache.",
		"done done skipped skipped done", "Secret key", `"cache": "hit"`,
	},
	{
		"bob", "Bob is refused at step 2, Rules.",
		"done refused waiting waiting waiting", "no role is assigned to this user", "(denied)",
	},
	{
		"mallory", "Mallory is refused at step 2, Rules.",
		"done refused waiting waiting waiting", "a verified email address is required", "(denied)",
	},
	{
		"dave", "Dave is refused at step 1, ID token.",
		"refused waiting waiting waiting waiting", "jwt expired", "have the user sign in again",
	},
	{
		"eve", "Eve is refused at step 1, ID token.",
		"refused waiting waiting waiting waiting", "the ID token was not accepted",
		"signature_invalid",
	},
	{
		"carol", "Carol is refused at step 4, AWS STS.",
		"done done done refused waiting", "AWS refused the request", "sts_access_denied",
	},
}

// checkVisits checks what the page shows of each user. first tells that no other view has filled
// the cache.
func (v demoView) checkVisits(t *testing.T, first bool) {
	t.Helper()
	if len(v.Visits) != len(demoOutcomes) {
		t.Fatalf("%d %s: %d visits", v.Width, v.Scheme, len(v.Visits))
	}
	for i, want := range demoOutcomes {
		got := v.Visits[i]
		if want.user == "alice" && !first {
			want = demoOutcomes[1]
			want.user = "alice"
		}
		timed := 5 - strings.Count(want.steps, "waiting") - strings.Count(want.steps, "skipped")
		// A refusal of AWS is remembered for some seconds, in which AWS is not called.
		if strings.Contains(got.Operator, `"cache": "denied"`) && !first {
			want.steps = "done done skipped refused waiting"
			timed = 2
		}
		if got.User != want.user || got.Status != want.status ||
			strings.Join(got.Steps, " ") != want.steps || len(got.Times) != timed ||
			!strings.Contains(got.Caller, want.caller) ||
			!strings.Contains(got.Operator, want.operator) {
			t.Errorf("%d %s: got\n%+v\nwant\n%+v", v.Width, v.Scheme, got, want)
		}
	}
}
