package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// TestExplain_Canary: neither the token nor a part of it is in anything that explain says, whatever
// becomes of it.
func TestExplain_Canary(t *testing.T) {
	w := newWorld(t)
	config := w.configFile(t, "")
	good := w.token(nil)
	for name, token := range map[string]string{
		"good":              good,
		"denied":            w.token(map[string]any{"groups": nil}),
		"expired":           w.token(expired()),
		"of another client": w.token(map[string]any{"aud": "other"}),
		"of another issuer": w.token(map[string]any{"iss": "https://other.example.com"}),
		"cut":               good[:len(good)-20],
		"changed":           good[:len(good)-4] + "AAAA",
		"too large":         w.token(map[string]any{"padding": strings.Repeat("x", 20_000)}),
		"twice":             good + "." + good,
		"lines":             strings.ReplaceAll(good, ".", ".\n"),
	} {
		file := w.write(t, "token", token)
		for _, more := range [][]string{nil, {"--json"}, {"--verbose"}, {"--json", "--verbose"}} {
			stdout, stderr := newOutput(), newOutput()
			args := []string{
				"explain", "--config", config, "--target", service.DemoTarget, "--token-file", file,
			}
			args = append(args, more...)
			code := run(t.Context(), args, surroundings{stdout: stdout, stderr: stderr})
			if code != map[bool]int{true: 0, false: exitFailed}[name == "good"] ||
				stdout.String() == "" {
				t.Errorf("%s: exit code %d: %s", name, code, stderr)
			}
			separates := func(r rune) bool { return r == '.' || r == '\n' }
			for _, part := range strings.FieldsFunc(token, separates) {
				said := stdout.String() + stderr.String()
				if strings.Contains(said, part[:min(len(part), 30)]) {
					t.Errorf("%s: a part of the token is in\n%s", name, said)
				}
			}
		}
	}
}

// TestExplain_Canceled: a signal ends the wait for an issuer, and the tree says where.
func TestExplain_Canceled(t *testing.T) {
	w := newWorld(t)
	ctx, signal := context.WithCancel(t.Context())
	over := make(chan struct{})
	issuer := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		signal()
		<-over // the fetch of the keys goes on without the one who asked
	}))
	t.Cleanup(issuer.Close)
	t.Cleanup(func() { close(over) })
	w.issuerURL = issuer.URL
	w.provider.SetIssuer(issuer.URL)
	args := []string{
		"explain", "--config", w.configFile(t, ""), "--target", service.DemoTarget, "--token-file",
		w.write(t, "token", w.token(nil)),
	}
	stdout, stderr := newOutput(), newOutput()
	code := run(ctx, args, surroundings{stdout: stdout, stderr: stderr})
	if code != exitFailed ||
		!strings.Contains(stdout.String(), "`- token: refused\n   |- code: canceled\n") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestExplain_NobodyReads: what cannot be written is an error.
func TestExplain_NobodyReads(t *testing.T) {
	w := newWorld(t)
	args := []string{
		"explain", "--config", w.configFile(t, ""), "--target", service.DemoTarget, "--token-file",
		w.write(t, "token", w.token(nil)),
	}
	stderr := newOutput()
	gone, closed := io.Pipe()
	_ = gone.CloseWithError(errors.New("nobody reads"))
	code := run(t.Context(), args, surroundings{stdout: closed, stderr: stderr})
	if code != exitFailed || stderr.String() != "delegation: standard output: nobody reads\n" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
