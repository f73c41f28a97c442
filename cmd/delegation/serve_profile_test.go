package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// roleFromMetadata is a rule as they are written at Auth0: it reads app_metadata, which no token
// has.
const roleFromMetadata = `function (user, context, callback) {
	var roles = (user.app_metadata || {}).roles || [];
	if (roles.indexOf('editor') < 0) return callback(new UnauthorizedError('editors only'));
	context.addonConfiguration.aws.role = configuration.ROLE;
	callback(null, user, context);
}`

// profilePlace is a fake of a tenant of Auth0: its token endpoint and the users of its Management
// API. It also answers as an endpoint of one's own.
type profilePlace struct {
	server *httptest.Server
	asked  atomic.Int32
	tokens atomic.Int32
	status atomic.Int32 // of users; 0: 200
}

func newProfilePlace(t testing.TB, w *world) *profilePlace {
	p := &profilePlace{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		p.tokens.Add(1)
		if r.FormValue("client_secret") != "canary-secret" {
			http.Error(w, "canary", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token": "canary-token", "token_type": "Bearer",
			"expires_in": 86400}`)
	})
	user := func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer canary-token" {
			http.Error(w, "canary", http.StatusUnauthorized)
			return
		}
		if status := p.status.Load(); status != 0 {
			w.Header().Set("Retry-After", "17")
			http.Error(w, "canary", int(status))
			return
		}
		fmt.Fprintf(w, `{"user_id": %q, "app_metadata": {"roles": ["editor"]}, "blocked": false}`,
			r.PathValue("id"))
	}
	mux.HandleFunc("GET /api/v2/users/{id}", user)
	mux.HandleFunc("GET /own/{id}", user)
	p.server = httptest.NewTLSServer(mux)
	t.Cleanup(p.server.Close)
	w.write(t, "place.crt", string(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw,
	})))
	w.write(t, "client-secret", "canary-secret\n")
	w.write(t, "profile.token", "canary-token\n")
	w.folderOf(t, "rules", map[string]string{"10-role.js": roleFromMetadata})
	return p
}

// rule is the entry of the configuration with this profile.
func (p *profilePlace) rule(w *world, profile string) string {
	user := strings.ReplaceAll(service.DemoRole, "photo-editor", "photo-user")
	return fmt.Sprintf("javascript: {folder: rules, configuration: {ROLE: %q}, profile: "+
		"{issuers: [%q], ca_file: place.crt, %s}}", user, w.issuerURL, profile)
}

func (p *profilePlace) auth0() string {
	return fmt.Sprintf("auth0: {domain: %q, client_id: c, client_secret_file: client-secret}",
		strings.TrimPrefix(p.server.URL, "https://"))
}

func (p *profilePlace) own() string {
	return fmt.Sprintf("url: %q, token_file: profile.token", p.server.URL+"/own/{subject}")
}

// TestServe_Profile: an unchanged rule reads app_metadata that comes from Auth0's Management API,
// or from an endpoint of one's own. The answer is kept, also through a reload of other settings. An
// operator who ends a user's sessions has it dropped. What the user and the log see of a failure
// has no secret.
func TestServe_Profile(t *testing.T) {
	for name, settings := range map[string]func(*profilePlace) string{
		"Auth0": (*profilePlace).auth0, "an endpoint": (*profilePlace).own,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := newProfilePlace(t, w)
			more := "reload: {watch: true}"
			s := serveWatching(t, w.withRule(t, more, p.rule(w, settings(p))))
			form := delegationForm(w.token(nil))
			wantAllowed := func(what string, asked int32) {
				t.Helper()
				status, body := post(t, client(nil), s.url+"/delegation", form)
				if status != 200 || !strings.Contains(body, "assumed-role/photo-user/") {
					t.Errorf("%s: %d %s: %s", what, status, body, s.logs)
				}
				if got := p.asked.Swap(0); got != asked {
					t.Errorf("%s: %d requests, want %d", what, got, asked)
				}
			}
			wantAllowed("at first", 1)
			wantAllowed("kept", 0)

			w.withRule(t, more+"\nleeway: 2m", p.rule(w, settings(p)))
			s.wantReload("another setting", `"msg":"configuration reloaded"`)
			wantAllowed("kept through a reload", 0)
			w.withRule(t, more, p.rule(w, settings(p)+", timeout: 7s"))
			s.wantReload("a setting of profiles", `"msg":"configuration reloaded"`)
			wantAllowed("another loader", 1)

			for _, row := range []struct {
				answer     int32
				status     int
				code, told string
			}{
				{404, 403, "profile_missing", "access denied"},
				{403, 500, "profile_unauthorized", "the request could not be completed"},
				{500, 503, "profile_unavailable", "temporarily unavailable"},
				{429, 503, "profile_throttled", "temporarily unavailable"}, // and a rest after it
			} {
				p.status.Store(row.answer)
				subject := fmt.Sprint("auth0|user", row.answer)
				token := w.token(map[string]any{"sub": subject})
				got, body := post(t, client(nil), s.url+"/delegation", delegationForm(token))
				if got != row.status || !strings.Contains(body, row.told) ||
					!strings.Contains(s.logs.String(), row.code) {
					t.Errorf("%d: got %d %s, want %s: %s", row.answer, got, body, row.code, s.logs)
				}
			}
			if strings.Contains(s.logs.String(), "canary") {
				t.Errorf("a secret or an answer is in the log: %s", s.logs)
			}
		})
	}
}

// TestServe_ProfileForgotten: an operator who invalidates a user has the profile asked for anew, so
// that what was changed at its place counts at once.
func TestServe_ProfileForgotten(t *testing.T) {
	w := newAdmin(t)
	p := newProfilePlace(t, w)
	s := serve(t, w.withRule(t, adminSettings, p.rule(w, p.own())))
	address := adminURL(t, s.logs) + "/invalidate"
	bob := w.token(map[string]any{"sub": "auth0|bob"})
	for _, row := range []struct {
		body  string
		asked int32
	}{
		{"", 2}, {"", 0}, {`{"subject": "auth0|alice"}`, 2}, {`{"everybody": true}`, 2},
	} {
		if row.body != "" {
			status, answer := administer(t, address, "Bearer "+adminToken, row.body)
			if status != http.StatusOK {
				t.Fatalf("%s: %d %s", row.body, status, answer)
			}
		}
		for _, token := range []string{w.token(nil), bob} {
			if status, answer := s.exchanged(t, token); status != http.StatusOK {
				t.Errorf("%s: %d %s", row.body, status, answer)
			}
		}
		if got := p.asked.Swap(0); got != row.asked {
			t.Errorf("%q: %d requests, want %d", row.body, got, row.asked)
		}
	}
	body := fmt.Sprintf(`{"issuer": %q, "subject": "auth0|bob"}`, w.issuerURL)
	revoke := strings.Replace(address, "/invalidate", "/revoke", 1)
	if status, answer := administer(t, revoke, "Bearer "+adminToken, body); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	if status, answer := s.exchanged(t, w.token(nil)); status != 200 || p.asked.Load() != 0 {
		t.Errorf("bob's sessions have ended, and alice has %d %s, %d requests", status, answer,
			p.asked.Load())
	}
}

// TestServe_ProfileOfAlias: without issuers of their own, profiles are those of the configuration's
// issuer. One that a reload adds counts, and the end of a user's sessions at the issuer's URL has
// the profile dropped that was loaded for its alias.
func TestServe_ProfileOfAlias(t *testing.T) {
	w := newAdmin(t)
	p := newProfilePlace(t, w)
	rule := strings.Replace(p.rule(w, p.own()), fmt.Sprintf("issuers: [%q], ", w.issuerURL), "", 1)
	file := w.withRule(t, adminSettings, rule)
	s := serveReloadable(t, file)
	const alias = "https://login.example.com/"
	load := func(what string, want int, asked int32) {
		t.Helper()
		status, answer := s.exchanged(t, w.token(map[string]any{"iss": alias}))
		if got := p.asked.Swap(0); status != want || got != asked {
			t.Errorf("%s: %d %s, %d requests", what, status, answer, got)
		}
	}
	if status, answer := s.exchanged(t, w.token(nil)); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	p.asked.Store(0)
	load("no alias", http.StatusBadRequest, 0)

	before := string(must(os.ReadFile(file)))
	url := fmt.Sprintf("{url: %q, ", w.issuerURL)
	w.write(t, "delegation.yaml", strings.Replace(before, url, url+
		fmt.Sprintf("aliases: [%q], ", alias), 1))
	s.mustReload(t)
	load("an alias", http.StatusOK, 1)
	load("kept", http.StatusOK, 0)

	body := fmt.Sprintf(`{"issuer": %q, "subject": "auth0|alice", `+
		`"issued_before": "2020-01-01T00:00:00Z"}`, w.issuerURL)
	address := adminURL(t, s.logs) + "/revoke"
	if status, answer := administer(t, address, "Bearer "+adminToken, body); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	load("dropped", http.StatusOK, 1)
}

// TestExplainAndCheck_Profile: explain names the properties that come from the profile, and check
// has a row for the endpoint.
func TestExplainAndCheck_Profile(t *testing.T) {
	w := newWorld(t)
	p := newProfilePlace(t, w)
	file := w.withRule(t, "", p.rule(w, p.auth0()))
	w.write(t, "id-token", w.token(nil))
	command := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), args, surroundings{stdout: &out, stderr: &out})
		return code, out.String()
	}
	explain := []string{
		"explain", "--config", file, "--target", service.DemoTarget, "--token-file",
		w.folder + "/id-token",
	}
	code, out := command(explain...)
	if code != 0 || !strings.Contains(out, "|- app_metadata\n|     `- blocked\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	code, out = command(append(explain, "--json")...)
	var decided struct{ Profile []string }
	if err := json.Unmarshal([]byte(out), &decided); err != nil || code != 0 ||
		strings.Join(decided.Profile, " ") != "app_metadata blocked" {
		t.Errorf("exit code %d: %v %s", code, err, out)
	}
	_, out = command("check", "--config", file)
	if !strings.Contains(out, "profile") || strings.Contains(out, "profile_") {
		t.Errorf("check: %s", out)
	}
	if err := os.WriteFile(w.folder+"/client-secret", []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out = command("check", "--config", file)
	if code == 0 || !strings.Contains(out, "profile_unauthorized") ||
		strings.Contains(out, "canary") {
		t.Errorf("check with a wrong secret: exit code %d: %s", code, out)
	}
}
