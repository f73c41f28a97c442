package profile_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/profile"
)

// tenant is a fake of Auth0: the token endpoint, and the users of the Management API.
type tenant struct {
	clock  *clock
	server *httptest.Server
	config profile.Config
	url    string // of its issuer

	mu        sync.Mutex
	tokens    int             // that were given out
	valid     map[string]bool // those that are taken
	asked     []string        // paths and queries of users
	life      int             // of tokens, in seconds
	secret    string
	forbids   bool   // has not granted the scope
	tokenText string // an answer of the token endpoint instead of a token
	never     bool   // takes no token
	throttles bool
}

const clientSecret = "canary-secret"

func newTenant(t testing.TB) *tenant {
	t.Helper()
	a := &tenant{
		clock:  newClock(),
		valid:  map[string]bool{},
		life:   86400,
		secret: clientSecret,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", a.token)
	mux.HandleFunc("GET /api/v2/users/{id}", a.user)
	a.server = startTLS(t, mux)
	a.url = a.server.URL + "/"
	a.config = profile.Config{
		Auth0: &profile.Auth0{
			Domain:           strings.TrimPrefix(a.server.URL, "https://"),
			ClientID:         "client",
			ClientSecretFile: file(t, "secret", clientSecret+"\n"),
		},
		CAFile: certificateOf(t, a.server),
		Now:    a.clock.Now,
	}
	return a
}

func (a *tenant) token(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens++
	isForm := r.Header.Get("Content-Type") == "application/x-www-form-urlencoded"
	switch {
	case a.tokenText != "":
		fmt.Fprint(w, a.tokenText)
	case !isForm || r.FormValue("grant_type") != "client_credentials" ||
		r.FormValue("audience") != a.url+"api/v2/":
		http.Error(w, `{"error": "invalid_request"}`, 400)
	case r.FormValue("client_id") != "client" || r.FormValue("client_secret") != a.secret:
		http.Error(w, `{"error": "access_denied", "canary": 1}`, http.StatusUnauthorized)
	default:
		token := fmt.Sprint("canary-token-", a.tokens)
		a.valid[token] = true
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_in": %d,
			"scope": "read:users"}`, token, a.life)
	}
}

func (a *tenant) user(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.URL.RequestURI())
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case a.throttles:
		w.Header().Set("X-RateLimit-Limit", "10")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(30*time.Second).Unix()))
		http.Error(w, `{"statusCode": 429, "errorCode": "too_many_requests"}`,
			http.StatusTooManyRequests)
	case a.never || !a.valid[token]:
		http.Error(w, `{"statusCode": 401, "message": "canary expired token"}`,
			http.StatusUnauthorized)
	case a.forbids:
		http.Error(w, `{"statusCode": 403, "errorCode": "insufficient_scope"}`,
			http.StatusForbidden)
	case !strings.HasPrefix(r.PathValue("id"), "auth0|user"):
		http.Error(w, `{"statusCode": 404, "errorCode": "inexistent_user"}`, 404)
	default:
		id := r.PathValue("id")
		if strings.HasSuffix(id, "swapped") {
			id = "auth0|user-other"
		}
		profile := map[string]any{
			"user_id": id, "email": "alice@example.com", "email_verified": true,
			"app_metadata":  map[string]any{"roles": []string{"editor"}},
			"user_metadata": map[string]any{"theme": "dark"},
		}
		if fields := r.FormValue("fields"); fields != "" {
			for name := range profile {
				if !slices.Contains(strings.Split(fields, ","), name) {
					delete(profile, name)
				}
			}
		}
		_ = json.NewEncoder(w).Encode(profile)
	}
}

func (a *tenant) loader(t testing.TB) *profile.Loader {
	t.Helper()
	l, err := profile.New(a.config)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (a *tenant) load(t testing.TB, l *profile.Loader, subject string) (map[string]any, error) {
	return l.Load(t.Context(), userOf(a.url, subject))
}

// set changes the tenant.
func (a *tenant) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// wantAsked checks how many tokens were asked for, and how many users, since the last time.
func (a *tenant) wantAsked(t testing.TB, what string, tokens, users int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens != tokens || len(a.asked) != users {
		t.Errorf("%s: %d tokens and users %q, want %d and %d", what, a.tokens, a.asked, tokens,
			users)
	}
	a.tokens = 0
	a.asked = nil
	a.valid = map[string]bool{}
}

// TestAuth0: a user's app_metadata comes with a token of the application, which is kept.
func TestAuth0(t *testing.T) {
	a := newTenant(t)
	l := a.loader(t)
	for _, subject := range []string{"auth0|user1", "auth0|user2", "auth0|user1", "auth0|user/3"} {
		got, err := a.load(t, l, subject)
		roles := (&delegation.User{Properties: got}).List("app_metadata.roles")
		if err != nil || !slices.Equal(roles, []string{"editor"}) || got["user_id"] != subject {
			t.Errorf("%s: got %v, %v", subject, got, err)
		}
	}
	want := []string{"/api/v2/users/auth0%7Cuser1", "/api/v2/users/auth0%7Cuser2",
		"/api/v2/users/auth0%7Cuser%2F3"}
	if !slices.Equal(a.asked, want) {
		t.Errorf("got %q", a.asked)
	}
	a.wantAsked(t, "three users", 1, 3)
}

// TestAuth0_Fields: only the fields that are listed are asked for, and user_id to compare it.
func TestAuth0_Fields(t *testing.T) {
	a := newTenant(t)
	a.config.Auth0.Fields = []string{"app_metadata", "identities"}
	got, err := a.load(t, a.loader(t), "auth0|user1")
	want := "/api/v2/users/auth0%7Cuser1?include_fields=true&" +
		"fields=app_metadata%2Cidentities%2Cuser_id"
	if err != nil || len(got) != 2 || a.asked[0] != want {
		t.Errorf("got %v, %v, asked %q", got, err, a.asked)
	}
}

// TestAuth0_Refuses: users of other issuers, missing ones, a profile of somebody else, and a
// subject that is not a user of Auth0.
func TestAuth0_Refuses(t *testing.T) {
	a := newTenant(t)
	l := a.loader(t)
	_, err := l.Load(t.Context(), userOf("https://evil.example.com/", "auth0|user1"))
	wantCode(t, "another issuer", err, delegation.CodeProfileMissing)
	_, err = a.load(t, l, "..")
	wantCode(t, "dots", err, delegation.CodeProfileInvalid)
	a.wantAsked(t, "neither", 0, 0)

	_, err = a.load(t, l, "auth0|nobody")
	wantCode(t, "nobody", err, delegation.CodeProfileMissing)
	_, err = a.load(t, l, "auth0|user-swapped")
	wantCode(t, "somebody else", err, delegation.CodeProfileInvalid)
	a.set(func() { a.forbids = true })
	_, err = a.load(t, l, "auth0|user1")
	wantCode(t, "no scope", err, delegation.CodeProfileUnauthorized)
	if !strings.Contains(err.Error(), "read:users") {
		t.Errorf("got %v", err)
	}
	a.set(func() { a.throttles = true })
	_, err = a.load(t, l, "auth0|user1")
	wantCode(t, "throttled", err, delegation.CodeProfileThrottled)
	a.wantAsked(t, "these", 1, 4)
	_, err = a.load(t, l, "auth0|user2")
	wantCode(t, "at rest", err, delegation.CodeProfileThrottled)
	a.wantAsked(t, "at rest", 0, 0)
}

// TestAuth0_Renewal: a token is renewed before it expires, and once if it is not taken any more.
func TestAuth0_Renewal(t *testing.T) {
	a := newTenant(t)
	a.config.CacheFor = -1
	l := a.loader(t)
	load := func(what string, code delegation.Code) {
		t.Helper()
		_, err := a.load(t, l, "auth0|user1")
		if code != "" {
			wantCode(t, what, err, code)
		} else if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	load("at first", "")
	a.wantAsked(t, "at first", 1, 1) // and the token is not taken any more
	load("not taken", "")
	a.wantAsked(t, "not taken", 1, 2)

	a.set(func() { a.never = true })
	load("never taken", delegation.CodeProfileUnauthorized)
	a.wantAsked(t, "never taken", 1, 2)
	load("at rest", delegation.CodeProfileUnauthorized)
	a.wantAsked(t, "at rest", 0, 0)

	a.set(func() { a.never = false })
	a.clock.add(5 * time.Second)
	load("taken", "")
	a.wantAsked(t, "taken", 1, 2)
	a.clock.add(24 * time.Hour)
	load("expired", "")
	if a.tokens != 1 {
		t.Errorf("an expired token was used")
	}
}

// TestAuth0_NoToken: what the token endpoint refuses or answers instead, and that it is not asked
// by each user. A secret that was rotated is read anew.
func TestAuth0_NoToken(t *testing.T) {
	a := newTenant(t)
	l := a.loader(t)
	a.set(func() { a.secret = "rotated" })
	for range 5 {
		_, err := a.load(t, l, "auth0|user1")
		wantCode(t, "a wrong secret", err, delegation.CodeProfileUnauthorized)
	}
	a.wantAsked(t, "a wrong secret", 1, 0)
	if err := os.WriteFile(a.config.Auth0.ClientSecretFile, []byte("rotated"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.clock.add(5 * time.Second)
	if _, err := a.load(t, l, "auth0|user1"); err != nil {
		t.Errorf("the right secret: %v", err)
	}
	a.wantAsked(t, "the right secret", 1, 1)
	if err := os.WriteFile(a.config.Auth0.ClientSecretFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := a.load(t, a.reopened(t), "auth0|user1")
	wantCode(t, "no secret", err, delegation.CodeProfileUnauthorized)

	for _, text := range []string{
		`{}`, `canary`, `[]`,
		`{"access_token": "", "token_type": "Bearer", "expires_in": 60}`,
		`{"access_token": "canary", "token_type": "mac", "expires_in": 60}`,
		`{"access_token": "canary", "token_type": "Bearer", "expires_in": 0}`,
		`{"access_token": "canary", "token_type": "Bearer"}`,
		`{"access_token": "canary\r\nX: y", "token_type": "Bearer", "expires_in": 60}`,
	} {
		a := newTenant(t)
		a.tokenText = text
		_, err := a.load(t, a.loader(t), "auth0|user1")
		wantCode(t, text, err, delegation.CodeProfileInvalid)
		a.wantAsked(t, text, 1, 0)
	}
	a = newTenant(t)
	a.tokenText = `{"access_token": "canary", "token_type": "bearer", "expires_in": 9000000000000}`
	a.valid["canary"] = true
	if _, err := a.load(t, a.loader(t), "auth0|user1"); err != nil {
		t.Errorf("a long life: %v", err)
	}
}

// reopened is a loader that was made while there was a secret.
func (a *tenant) reopened(t testing.TB) *profile.Loader {
	t.Helper()
	empty := a.config.Auth0.ClientSecretFile
	text := must(os.ReadFile(empty))
	if err := os.WriteFile(empty, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := a.loader(t)
	if err := os.WriteFile(empty, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestAuth0_AtOnce: 100 users at the same time need one token, and one more if it is not taken.
func TestAuth0_AtOnce(t *testing.T) {
	a := newTenant(t)
	l := a.loader(t)
	load := func() {
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				subject := fmt.Sprint("auth0|user", i)
				got, err := a.load(t, l, subject)
				if err != nil || got["user_id"] != subject {
					t.Errorf("%s: got %v, %v", subject, got, err)
				}
			})
		}
		all.Wait()
	}
	load()
	a.wantAsked(t, "100 users", 1, 100)
	l.Forget("", "")
	load()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens != 1 {
		t.Errorf("%d tokens for 100 users whose token is not taken", a.tokens)
	}
}

// TestAuth0_Check: the check gets a token and asks for a user who does not exist.
func TestAuth0_Check(t *testing.T) {
	a := newTenant(t)
	if err := a.loader(t).Check(t.Context()); err != nil {
		t.Error(err)
	}
	a.wantAsked(t, "the check", 1, 1)
	a.set(func() { a.forbids = true })
	wantCode(t, "no scope", a.loader(t).Check(t.Context()), delegation.CodeProfileUnauthorized)
	a.set(func() { a.secret = "other" })
	wantCode(t, "no token", a.loader(t).Check(t.Context()), delegation.CodeProfileUnauthorized)
}
