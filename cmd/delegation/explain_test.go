package main

import (
	"context"
	"errors"
	"io"
	"maps"
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

// TestExplain_ComparesRefusedTokens: the comparison is there for a token that is refused at the
// token stage, and for no other, and holds nothing that the token says of the user.
func TestExplain_ComparesRefusedTokens(t *testing.T) {
	w := newWorld(t)
	config := w.configFile(t, "")
	canary := map[string]any{
		"sub": "canary-sub", "name": "canary-name", "nonce": "canary-nonce",
		"email": "canary@example.com",
	}
	for name, row := range map[string]struct {
		claims   map[string]any
		target   string
		compared bool
	}{
		"accepted":          {map[string]any{}, service.DemoTarget, false},
		"refused by a rule": {map[string]any{"groups": nil}, service.DemoTarget, false},
		"no target":         {map[string]any{}, "none", false},
		"expired":           {expired(), service.DemoTarget, true},
		"no audience":       {map[string]any{"aud": nil}, service.DemoTarget, true},
		"no such target":    {expired(), "none", true},
	} {
		claims := maps.Clone(canary)
		maps.Copy(claims, row.claims)
		file := w.write(t, "token", w.token(claims))
		for _, more := range [][]string{nil, {"--json"}} {
			stdout, stderr := newOutput(), newOutput()
			args := append([]string{
				"explain", "--config", config, "--target", row.target, "--token-file", file,
			}, more...)
			run(t.Context(), args, surroundings{stdout: stdout, stderr: stderr})
			said := stdout.String() + stderr.String()
			compared := strings.Contains(said, "CONFIGURATION SAYS") ||
				strings.Contains(said, `"field": "form"`)
			if compared != row.compared {
				t.Errorf("%s: compared %v: %s", name, compared, said)
			}
			if row.compared && strings.Contains(said, "canary") {
				t.Errorf("%s: what the token says of the user is in\n%s", name, said)
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
