package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
)

// adminSettings are those of a listener for operators, with sessions that end.
const adminSettings = `
revocations: {store: memory}
backchannel_logout: true
admin: {listen: 127.0.0.1:0, token_file: admin.token}
`

// adminToken is what the file of the token begins with.
var adminToken = strings.Repeat("0123456789abcdef", 4)

// newAdmin is a world with a token for operators.
func newAdmin(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.write(t, "admin.token", adminToken+"\n")
	return w
}

// adminURL is where operators are served.
func adminURL(t *testing.T, logs fmt.Stringer) string {
	t.Helper()
	for line := range strings.Lines(logs.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == "serving operators" {
			return "http://" + entry["address"].(string)
		}
	}
	t.Fatalf("no operators are served: %s", logs)
	return ""
}

// administer sends a request as an operator does.
func administer(t *testing.T, address, authorization, body string) (status int, answer string) {
	t.Helper()
	request := must(http.NewRequest(http.MethodPost, address, strings.NewReader(body)))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := must(client(nil).Do(request))
	defer response.Body.Close()
	if cache := response.Header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control is %q", cache)
	}
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

// exchanged is the status of an exchange of a token, and its answer.
func (s *served) exchanged(t *testing.T, token string) (status int, body string) {
	t.Helper()
	return post(t, client(nil), s.url+"/delegation", delegationForm(token))
}

// TestAdmin_Revoke: an operator ends the sessions of a user, and the log and the audit file say so.
func TestAdmin_Revoke(t *testing.T) {
	w := newAdmin(t)
	s := serve(t, w.configFile(t, adminSettings+"audit: {file: audit.jsonl, on_failure: refuse}\n"))
	address := adminURL(t, s.logs)
	token := w.token(nil)
	if status, body := s.exchanged(t, token); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	bearer := "Bearer " + adminToken
	body := fmt.Sprintf(`{"issuer": %q, "subject": %q}`, w.issuerURL, "auth0|alice")
	status, answer := administer(t, address+"/revoke", bearer, body)
	if status != http.StatusOK || answer != `{"status":"done"}`+"\n" {
		t.Fatalf("revoke: %d %s", status, answer)
	}
	status, answer = s.exchanged(t, token)
	if status != http.StatusBadRequest || !strings.Contains(answer, "the session has ended") {
		t.Errorf("after: %d %s", status, answer)
	}
	s.stop()
	audit := string(must(os.ReadFile(filepath.Join(w.folder, "audit.jsonl"))))
	for _, text := range []string{s.logs.String(), audit} {
		if !strings.Contains(text, `"msg":"sessions ended"`) ||
			!strings.Contains(text, `"cause":"revoke"`) ||
			!strings.Contains(text, `"client_ip":"127.0.0.1"`) {
			t.Errorf("no record of the revocation: %s", text)
		}
	}
	if strings.Contains(s.logs.String()+audit, adminToken) {
		t.Error("the token is in a log")
	}
}

// TestAdmin_Invalidate: credentials are asked of AWS anew, and tokens count on.
func TestAdmin_Invalidate(t *testing.T) {
	w := newAdmin(t)
	s := serve(t, w.configFile(t, adminSettings))
	address := adminURL(t, s.logs) + "/invalidate"
	token := w.token(nil)
	issued := func() (n int) {
		for _, call := range w.aws.Calls() {
			if call.Status == http.StatusOK {
				n++
			}
		}
		return n
	}
	for want, body := range []string{
		"", `{"everybody": true}`, `{"subject": "auth0|alice"}`, `{"subject": "auth0|bob"}`,
	} {
		if body != "" {
			status, answer := administer(t, address, "Bearer "+adminToken, body)
			if status != http.StatusOK {
				t.Fatalf("%s: %d %s", body, status, answer)
			}
		}
		if status, answer := s.exchanged(t, token); status != http.StatusOK {
			t.Fatalf("%s: %d %s", body, status, answer)
		}
		if got := issued(); got != min(want+1, 3) {
			t.Errorf("%s: AWS has issued %d times, want %d", body, got, min(want+1, 3))
		}
	}
}

// TestAdmin_Refused: nobody without the token does anything, and a request that is not understood
// whole is refused.
func TestAdmin_Refused(t *testing.T) {
	w := newAdmin(t)
	s := serve(t, w.configFile(t, adminSettings))
	address := adminURL(t, s.logs)
	bearer := "Bearer " + adminToken
	for i, row := range []struct {
		path, authorization, body string
		status                    int
		answer                    string
	}{
		{"/revoke", "", `{"everybody": true}`, 401, "admin.token_file"},
		{"/revoke", "Bearer", `{"everybody": true}`, 401, ""},
		{"/revoke", "Bearer " + adminToken[1:], `{"everybody": true}`, 401, ""},
		{"/revoke", "Bearer " + adminToken + "0", `{"everybody": true}`, 401, ""},
		{"/revoke", "Basic " + adminToken, `{"everybody": true}`, 401, ""},
		{"/none", "", "", 401, ""},
		{"/none", bearer, "", 404, ""},
		{"/revoke", bearer, "", 400, "not a single JSON object"},
		{"/revoke", bearer, "{}", 400, "set everybody, issuer or subject"},
		{"/revoke", bearer, `{"subject": ""}`, 400, "subject is not text"},
		{"/revoke", bearer, `{"subject": 1}`, 400, "subject is not text"},
		{"/revoke", bearer, `{"everybody": "yes"}`, 400, "everybody must be true or false"},
		{"/revoke", bearer, `{"everybody": true, "except": "bob"}`, 400, "is not one of"},
		{"/revoke", bearer, `{"issuer": "https://typo.example.com/"}`, 400,
			"is not a configured issuer"},
		{"/revoke", bearer, `{"subject": "a", "issued_before": "now"}`, 400, "is not a time"},
		{"/revoke", bearer, `{"subject": "a", "subject": "b"}`, 400, "not a single JSON object"},
		{"/invalidate", bearer, `{}`, 400, "say whose cached credentials"},
		{"/invalidate", bearer, `{"everybody": true, "subject": "a"}`, 400,
			"say whose cached credentials"},
		{"/invalidate", bearer, `{"issuer": "https://a.example.com/"}`, 400, "only"},
	} {
		status, answer := administer(t, address+row.path, row.authorization, row.body)
		if status == http.StatusTooManyRequests {
			t.Fatalf("%d: too many requests", i)
		}
		if status != row.status || !strings.Contains(answer, row.answer) {
			t.Errorf("%d %s %s: %d %s, want %d %s", i, row.path, row.body, status, answer,
				row.status, row.answer)
		}
	}
	if status, body := s.exchanged(t, w.token(nil)); status != http.StatusOK {
		t.Errorf("after refusals: %d %s", status, body)
	}
	if status, _ := get(t, client(nil), address+"/revoke"); status != http.StatusUnauthorized {
		t.Errorf("GET without a token: %d", status)
	}
	for _, path := range []string{"/revoke", "/invalidate"} {
		if status, _ := outsider(t, s.url+path, bearer); status != http.StatusNotFound {
			t.Errorf("the public listener has %s: %d", path, status)
		}
	}
	if !strings.Contains(s.logs.String(), `"msg":"request of an operator refused"`) {
		t.Error("refusals are not in the log")
	}
}

// TestAdmin_Words: an answer has the names of settings and of the members of the request, and none
// of Go.
func TestAdmin_Words(t *testing.T) {
	w := newAdmin(t)
	ofGo := regexp.MustCompile(
		`\b(Config|Revocations?|Issuers?|Aliases|Everybody|Subject|SessionID|IssuedBefore)\b`)
	for settings, rows := range map[string]map[string]string{
		adminSettings: {
			`{}`:                                  "set everybody, issuer or subject",
			`{"everybody": true, "subject": "a"}`: "everybody excludes issuer, subject and session_id",
			`{"session_id": "a"}`:                 "session_id needs issuer",
			`{"subject": "a", "issued_before": "2100-01-01T00:00:00Z"}`: "issued_before is 2100-01-01",
			`{"issuer": "https://typo.example.com/"}`: "add the issuer to issuers with exactly this " +
				"URL, trailing slash included; list it in aliases of the issuer",
		},
		"admin: {listen: 127.0.0.1:0, token_file: admin.token}": {
			`{"everybody": true}`: "there is no memory of ended sessions",
		},
	} {
		s := serve(t, w.configFile(t, settings))
		address := adminURL(t, s.logs) + "/revoke"
		for body, want := range rows {
			status, answer := administer(t, address, "Bearer "+adminToken, body)
			if status != http.StatusBadRequest || !strings.Contains(answer, want) ||
				ofGo.MatchString(answer) {
				t.Errorf("%s: %d %s, want %s", body, status, answer, want)
			}
		}
		s.stop()
	}
}

// TestAdmin_LongPath: a stranger's request does not fill the log.
func TestAdmin_LongPath(t *testing.T) {
	w := newAdmin(t)
	s := serve(t, w.configFile(t, adminSettings))
	long := "/" + strings.Repeat("a", 10_000)
	status, _ := administer(t, adminURL(t, s.logs)+long, "", "")
	if status != http.StatusUnauthorized {
		t.Errorf("got %d", status)
	}
	if !strings.Contains(s.logs.String(), `"path":"`+long[:200]+`"`) {
		t.Error("the log does not have the first 200 bytes of the path, and no more")
	}
}

// outsider sends a request of an operator to the public listener.
func outsider(t *testing.T, address, authorization string) (status int, answer string) {
	t.Helper()
	request := must(http.NewRequest(http.MethodPost, address, strings.NewReader("{}")))
	request.Header.Set("Authorization", authorization)
	response := must(client(nil).Do(request))
	defer response.Body.Close()
	return response.StatusCode, string(must(io.ReadAll(response.Body)))
}

// TestAdmin_TokenIsRotated: a reload reads the token anew, and the old one counts no more. What was
// ended before stays ended.
func TestAdmin_TokenIsRotated(t *testing.T) {
	w := newAdmin(t)
	s := serveReloadable(t, w.configFile(t, adminSettings))
	address := adminURL(t, s.logs)
	token := w.token(nil)
	body := `{"subject": "auth0|alice"}`
	status, answer := administer(t, address+"/revoke", "Bearer "+adminToken, body)
	if status != http.StatusOK {
		t.Fatalf("before: %d %s", status, answer)
	}
	other := strings.Repeat("fedcba9876543210", 4)
	w.write(t, "admin.token", other)
	s.mustReload(t)
	if status, _ := administer(t, address+"/revoke", "Bearer "+adminToken, body); status != 401 {
		t.Errorf("the old token: %d", status)
	}
	if status, _ := administer(t, address+"/revoke", "Bearer "+other, body); status != 200 {
		t.Errorf("the new token: %d", status)
	}
	if status, answer := s.exchanged(t, token); status != http.StatusBadRequest {
		t.Errorf("a session that was ended before the reload: %d %s", status, answer)
	}
	w.configFile(t, "revocations: {store: memory}\n")
	s.mustReload(t)
	if status, _ := administer(t, address+"/revoke", "Bearer "+other, body); status != 401 {
		t.Errorf("without admin in the configuration: %d", status)
	}
	if status, _ := s.exchanged(t, token); status != http.StatusBadRequest {
		t.Errorf("ended sessions after the second reload: %d", status)
	}
}

// TestAdmin_Limited: guesses of the token are limited, and so are requests with the right one.
func TestAdmin_Limited(t *testing.T) {
	w := newAdmin(t)
	clock := delegationtest.NewClock(morning)
	s := serveReloadableAt(t, clock.Now, w.configFile(t, adminSettings))
	address := adminURL(t, s.logs) + "/revoke"
	for i := range 20 {
		if status, _ := administer(t, address, "Bearer guess", "{}"); status != 401 {
			t.Fatalf("request %d: %d", i, status)
		}
	}
	for _, authorization := range []string{"Bearer guess", "Bearer " + adminToken} {
		status, _ := administer(t, address, authorization, `{"subject": "a"}`)
		if status != http.StatusTooManyRequests {
			t.Errorf("above the limit: %d", status)
		}
	}
	clock.Advance(100 * time.Millisecond)
	status, body := administer(t, address, "Bearer "+adminToken, `{"subject": "a"}`)
	if status != http.StatusOK {
		t.Errorf("after a tenth of a second: %d %s", status, body)
	}
}

// TestServe_BackchannelLogout: an issuer's logout token ends the session at the public listener, if
// that is configured.
func TestServe_BackchannelLogout(t *testing.T) {
	w := newAdmin(t)
	s := serve(t, w.configFile(t, adminSettings))
	token := w.token(nil)
	logout := w.token(map[string]any{"jti": "logout-1", "events": map[string]any{
		"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
	}})
	if status, body := s.exchanged(t, token); status != http.StatusOK {
		t.Fatalf("before: %d %s", status, body)
	}
	send := func(to *served) (int, string) {
		return post(t, client(nil), to.url+"/backchannel-logout",
			url.Values{"logout_token": {logout}})
	}
	if status, body := send(s); status != http.StatusOK || body != "{}\n" {
		t.Fatalf("logout: %d %s", status, body)
	}
	if status, body := s.exchanged(t, token); status != http.StatusBadRequest {
		t.Errorf("after: %d %s", status, body)
	}
	status, body := send(s)
	if status != http.StatusBadRequest || !strings.Contains(body, `"error":"invalid_grant"`) {
		t.Errorf("once more: %d %s", status, body)
	}
	off := serve(t, w.configFile(t, "revocations: {store: memory}\n"))
	if status, _ := send(off); status != http.StatusNotFound {
		t.Errorf("without backchannel_logout: %d", status)
	}
}

// TestAdmin_Configuration: what is wrong with the settings is named, and no token is quoted.
func TestAdmin_Configuration(t *testing.T) {
	w := newAdmin(t)
	w.write(t, "short.token", "canary-short")
	w.write(t, "odd.token", strings.Repeat("canary é ", 8))
	for name, row := range map[string]struct{ settings, want string }{
		"no listen": {"admin: {token_file: admin.token}", "admin.listen: is missing"},
		"no file":   {"admin: {listen: 127.0.0.1:0}", "admin.token_file: is missing"},
		"another file": {"admin: {listen: 127.0.0.1:0, token_file: none}",
			"admin.token_file: open "},
		"short": {"admin: {listen: 127.0.0.1:0, token_file: short.token}",
			"admin.token_file: has fewer than 32 characters"},
		"odd": {"admin: {listen: 127.0.0.1:0, token_file: odd.token}",
			"admin.token_file: has a character that HTTP headers cannot have"},
		"another store": {"revocations: {store: disk}",
			`revocations.store: is "disk": set memory or redis`},
		"no Redis": {"revocations: {store: redis}",
			"revocations.store: needs redis.url and redis.keys"},
		"kept for a moment": {"revocations: {store: memory, keep: 1h}",
			"revocations: they are kept for 1h0m0s, which is not between 12h0m0s and 8784h0m0s"},
		"kept nowhere":            {"revocations: {keep: 24h}", "revocations.keep: has no effect"},
		"clients without logouts": {"logout_audiences: [a]", "logout_audiences: has no effect"},
	} {
		_, err := loadAndBuild(t, w.configFile(t, row.settings))
		if err == nil || !strings.Contains(err.Error(), row.want) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		}
	}
	built, err := loadAndBuild(t, w.configFile(t, adminSettings))
	if err != nil {
		t.Fatal(err)
	}
	isToken := func(f service.SecretFile) bool {
		return filepath.Base(f.Path) == "admin.token" && !f.SigningKey
	}
	if !slices.ContainsFunc(built.Secrets, isToken) {
		t.Errorf("the token's file is not among the secrets: %+v", built.Secrets)
	}
}
