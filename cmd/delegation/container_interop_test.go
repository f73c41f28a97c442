//go:build interop

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// askedBySDK serves an answer at loopback, lets a program fetch credentials there, and returns how
// often it asked and what it said.
func askedBySDK(
	t *testing.T, answer http.Handler, script, name string, args ...string,
) (asked int64, said string) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer.ServeHTTP(w, r)
	}))
	defer server.Close()
	w := &world{folder: t.TempDir()}
	code, out, errors := program(t,
		w.containerEnvironment(t, server.URL, w.write(t, "token", "not.a.token")),
		script, name, args...)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	return requests.Load(), out
}

// refusing is the container endpoint of a service that refuses every token.
func refusing(t *testing.T, code delegation.Code) http.Handler {
	t.Helper()
	handlers := must(delegationhttp.New(delegationhttp.Config{
		Exchanger: refuser{code},
	}))
	return handlers.ContainerCredentials()
}

// refuser refuses every exchange.
type refuser struct{ code delegation.Code }

func (r refuser) Exchange(
	context.Context, string, string, ...delegation.ExchangeOption,
) (*delegation.Credentials, error) {
	return nil, &delegation.Error{Code: r.code, Err: r.code}
}

// late answers after the second in which the SDK for JavaScript wants an answer.
func late(answer http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(1500 * time.Millisecond):
		case <-r.Context().Done():
		}
		answer.ServeHTTP(w, r)
	})
}

// slow answers when the client has left.
func slow(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// TestInterop_RefusedBoto3: boto3 asks three times, whatever the status is, and gives up on a slow
// service. docs/service.md says so.
func TestInterop_RefusedBoto3(t *testing.T) {
	needs(t, "python3", "python3")
	if code, _, said := program(t, nil, "", "python3", "-c", "import boto3"); code != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("boto3 is missing: apt-get install python3-boto3: %s", said)
		}
		t.Skip("boto3 is missing: apt-get install python3-boto3")
	}
	const script = `
import botocore.session
try:
    botocore.session.Session().get_credentials()
except Exception as e:
    print(e)
`
	for name, row := range map[string]struct {
		answer http.Handler
		want   string
	}{
		"400":  {refusing(t, delegation.CodeTokenMalformed), "the id token was not accepted"},
		"503":  {refusing(t, delegation.CodeSTSThrottled), "temporarily unavailable"},
		"slow": {http.HandlerFunc(slow), "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			asked, said := askedBySDK(t, row.answer, script, "python3", "-")
			if asked != 3 || !strings.Contains(strings.ToLower(said), row.want) {
				t.Errorf("asked %d times: %s", asked, said)
			}
		})
	}
}

// TestInterop_RefusedJavaScript: fromHttp asks four times, waits for a slow answer, and its error
// has our code and message if the status is 4xx. The default chain asks five times, and hides the
// reason.
func TestInterop_RefusedJavaScript(t *testing.T) {
	needs(t, "node", "nodejs")
	modules := filepath.Join("testdata", "browser", "node_modules", "@aws-sdk")
	http400 := must(filepath.Abs(filepath.Join(modules, "credential-provider-http")))
	chain := must(filepath.Abs(filepath.Join(modules, "credential-provider-node")))
	if _, err := os.Stat(http400); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("npm ci --prefix cmd/delegation/testdata/browser: %v", err)
		}
		t.Skip("run first: npm ci --prefix cmd/delegation/testdata/browser")
	}
	ask := func(module, call string) string {
		return `const m = require("` + module + `");
` + call + `.then(() => console.log("credentials"),
  (e) => console.log(e.message, "|", e.Code, "|", e.Message));
`
	}
	const direct = `m.fromHttp({})()`
	const patient = `m.fromHttp({ maxRetries: 0 })()`
	const once = `m.fromHttp({ timeout: 5000, maxRetries: 0 })()`
	const defaults = `m.defaultProvider({})()`
	for name, row := range map[string]struct {
		answer http.Handler
		script string
		asked  int64
		want   string
	}{
		"400": {refusing(t, delegation.CodeTokenMalformed), ask(http400, direct), 4,
			"Server responded with status: 400 | invalid_grant | the ID token was not accepted"},
		"503": {refusing(t, delegation.CodeSTSThrottled), ask(http400, direct), 4,
			"Server responded with status: 503 | undefined | undefined"},
		"once": {refusing(t, delegation.CodeTokenMalformed), ask(http400, once), 1,
			"| invalid_grant | the ID token was not accepted"},
		"slow": {late(refusing(t, delegation.CodeTokenMalformed)), ask(http400, patient), 1,
			"| invalid_grant | the ID token was not accepted"},
		"the default chain": {refusing(t, delegation.CodeTokenMalformed), ask(chain, defaults), 5,
			"Could not load credentials from any providers | undefined"},
	} {
		t.Run(name, func(t *testing.T) {
			asked, said := askedBySDK(t, row.answer, row.script, "node", "-")
			if asked != row.asked || !strings.Contains(said, row.want) {
				t.Errorf("asked %d times: %s", asked, said)
			}
		})
	}
}
