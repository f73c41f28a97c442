package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// TestAuthorization_Discovery: a client without a token is led to the metadata, which name the
// resource, the issuer and the scopes (RFC 9728 §5.1, §3.2).
func TestAuthorization_Discovery(t *testing.T) {
	w := started(t)
	answer := w.post(t, "", toolList, `{}`)
	if answer.status != http.StatusUnauthorized {
		t.Fatalf("HTTP %d, want 401", answer.status)
	}
	challenges, err := oauthex.ParseWWWAuthenticate([]string{answer.challenge})
	if err != nil || len(challenges) != 1 || challenges[0].Scheme != "bearer" {
		t.Fatalf("the challenge is %q, %v", answer.challenge, err)
	}
	metadata, err := oauthex.GetProtectedResourceMetadata(t.Context(),
		challenges[0].Params["resource_metadata"], w.settings.resource, http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(metadata.AuthorizationServers, []string{w.settings.issuer}) {
		t.Errorf("the authorization servers are %q", metadata.AuthorizationServers)
	}
	if !slices.Equal(metadata.ScopesSupported, bothScopes) {
		t.Errorf("the scopes are %q", metadata.ScopesSupported)
	}
}

// TestAuthorization_WrongTokens: what Exchange would refuse is 401 with a challenge, before a tool
// runs. Nothing of it reaches STS or S3, and the answer has nothing of the configuration.
func TestAuthorization_WrongTokens(t *testing.T) {
	w := started(t)
	stranger, err := oidctest.New(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	forged := w.tokenOf(stranger, "alice", bothScopes, nil)
	sign := func(audience string) string {
		token, err := w.issuer.SignIDToken(map[string]any{
			"sub": "alice", "aud": audience, "azp": demoClient, "scope": "files.list files.read",
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	idToken := sign(demoClient)
	idTokenForThis := sign(w.settings.resource)
	now := time.Now()
	with := func(name string, value any) string {
		return w.token("alice", bothScopes, map[string]any{name: value})
	}
	for name, token := range map[string]string{
		"another server":      with("aud", "https://elsewhere.example.com/mcp"),
		"the host alone":      with("aud", strings.TrimSuffix(w.settings.resource, "/mcp")),
		"a longer path":       with("aud", w.settings.resource+"/more"),
		"no audience":         with("aud", nil),
		"expired":             with("exp", now.Add(-time.Hour).Unix()),
		"no end":              with("exp", nil),
		"not yet":             with("nbf", now.Add(time.Hour).Unix()),
		"another issuer":      with("iss", "https://issuer.example.com/"),
		"nobody's":            with("sub", nil),
		"another key":         forged,
		"another client":      with("client_id", "other-app"),
		"no client":           with("client_id", nil),
		"an ID token":         idToken,
		"an ID token for it":  idTokenForThis,
		"an application's":    with("sub", demoClient),
		"no token":            "alice",
		"another's last part": with("aud", nil)[:20] + "." + forged,
		"an empty name":       w.token("", bothScopes, nil),
	} {
		t.Run(name, func(t *testing.T) {
			answer := w.post(t, token, toolRead, `{"key":"alice/notes.txt"}`)
			if answer.status != http.StatusUnauthorized {
				t.Errorf("HTTP %d, want 401: %s", answer.status, answer.body)
			}
			if !strings.Contains(answer.challenge, "resource_metadata=") {
				t.Errorf("the challenge is %q", answer.challenge)
			}
			noInternals(t, w, answer.body)
			if _, err := connect(t.Context(), w.settings.resource, token); err == nil {
				t.Error("a client of MCP connects")
			}
		})
	}
	if calls := w.sts.Calls(); len(calls) > 0 {
		t.Errorf("STS or S3 was called: %+v", calls)
	}
}

// TestAuthorization_FolderNames: a subject that cannot be the name of a folder is refused, because
// its files could be another user's.
func TestAuthorization_FolderNames(t *testing.T) {
	w := started(t)
	for _, subject := range []string{
		"alice/../bob", "bob/", "/", ".", "..", "${aws:username}", "*", "b?b", "b\u00f6b",
	} {
		answer := w.post(t, w.token(subject, bothScopes, nil), toolList, `{}`)
		if answer.status != http.StatusInternalServerError {
			t.Errorf("%q: HTTP %d", subject, answer.status)
		}
		noInternals(t, w, answer.body)
	}
	if calls := w.sts.Calls(); len(calls) > 0 {
		t.Errorf("STS or S3 was called: %+v", calls)
	}
}

// noInternals checks that a text has nothing of the configuration or of a secret.
func noInternals(t *testing.T, w *testWorld, text string) {
	t.Helper()
	for _, internal := range []string{
		"arn:", delegationtest.Account, w.settings.issuer, w.settings.stsURL, w.settings.s3URL,
		demoBucket, "eyJ", "ASIA", "files.go", "goroutine",
	} {
		if strings.Contains(text, internal) {
			t.Errorf("%q is in %q", internal, text)
		}
	}
}

// TestAuthorization_Issuer: without the issuer's keys no token is right or wrong. It is the
// server's trouble, and no client is asked for another token.
func TestAuthorization_Issuer(t *testing.T) {
	w := started(t)
	w.issuer.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
	answer := w.post(t, w.token("alice", bothScopes, nil), toolList, `{}`)
	if answer.status != http.StatusInternalServerError || answer.challenge != "" {
		t.Errorf("HTTP %d with the challenge %q", answer.status, answer.challenge)
	}
	noInternals(t, w, answer.body)
	if strings.Contains(answer.body, oidctest.Garbage) {
		t.Errorf("the issuer's answer is in %q", answer.body)
	}
}

// TestScopes: each tool needs its scope. A client reads in the 403 which one to ask for (RFC 6750
// §3.1), and nothing reaches AWS.
func TestScopes(t *testing.T) {
	w := started(t)
	for _, row := range []struct {
		tool   string
		scopes []string
		want   string // the scope that lacks; empty: none
	}{
		{toolList, []string{scopeRead}, scopeList},
		{toolRead, []string{scopeList}, scopeRead},
		{toolRead, nil, scopeRead},
		{toolRead, []string{"files.readall", "FILES.READ", "files"}, scopeRead},
		{toolList, []string{scopeList}, ""},
		{toolRead, []string{scopeRead}, ""},
	} {
		before := len(w.sts.Calls())
		token := w.token("alice", row.scopes, nil)
		answer := w.post(t, token, row.tool, `{"key":"alice/notes.txt"}`)
		if row.want == "" {
			if answer.status != http.StatusOK {
				t.Errorf("%s with %q: HTTP %d", row.tool, row.scopes, answer.status)
			}
			continue
		}
		challenges, err := oauthex.ParseWWWAuthenticate([]string{answer.challenge})
		if err != nil || len(challenges) != 1 {
			t.Fatalf("the challenge is %q, %v", answer.challenge, err)
		}
		got := challenges[0].Params
		if answer.status != http.StatusForbidden || got["error"] != "insufficient_scope" ||
			got["scope"] != row.want || got["resource_metadata"] == "" {
			t.Errorf("%s with %q: HTTP %d, %q", row.tool, row.scopes, answer.status,
				answer.challenge)
		}
		if after := len(w.sts.Calls()); after != before {
			t.Errorf("%s with %q: %d calls of AWS", row.tool, row.scopes, after-before)
		}
	}
}

// TestScopes_Exchange: a request in which the check of the scope does not see the call of a tool
// gets no further. The exchange is refused, because the rule reads the verified token.
func TestScopes_Exchange(t *testing.T) {
	w := started(t)
	token := w.token("alice", []string{scopeList}, nil)
	for name, body := range map[string]string{
		"a batch": `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` +
			`{"name":"read_file","arguments":{"key":"alice/notes.txt"}}}]`,
		"two names": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` +
			`{"name":"read_file","NAME":"list_files","arguments":{"key":"alice/notes.txt"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := postBody(t.Context(), w.settings.resource, token, body)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(answer.body, "dentist") {
				t.Errorf("the file is read: %s", answer.body)
			}
			if answer.status == http.StatusOK &&
				!strings.Contains(answer.body, "lacks the scope files.read") {
				t.Errorf("HTTP %d: %s", answer.status, answer.body)
			}
		})
	}
	if calls := w.sts.Calls(); len(calls) > 0 {
		t.Errorf("STS or S3 was called: %+v", calls)
	}
}

// TestCrossOrigin: a page of another origin cannot call, whatever it sends.
func TestCrossOrigin(t *testing.T) {
	w := started(t)
	for header, value := range map[string]string{
		"Origin":         "https://evil.example.com",
		"Sec-Fetch-Site": "cross-site",
		"Host":           "evil.example.com", // a name that leads to loopback
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.settings.resource,
			strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
		r.Header.Set("Authorization", "Bearer "+w.token("alice", bothScopes, nil))
		r.Header.Set(header, value)
		if header == "Host" {
			r.Host = value
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: HTTP %d, want 403", header, response.StatusCode)
		}
	}
}

// TestLimits_Body: a request is bounded before it is read as JSON.
func TestLimits_Body(t *testing.T) {
	w := started(t)
	token := w.token("alice", bothScopes, nil)
	long := `{"key":"` + strings.Repeat("a", maxRequest) + `"}`
	answer := w.post(t, token, toolRead, long)
	if answer.status != http.StatusRequestEntityTooLarge ||
		answer.body != "the body cannot be read, or is too large\n" {
		t.Errorf("HTTP %d, want 413: %s", answer.status, answer.body)
	}
}
