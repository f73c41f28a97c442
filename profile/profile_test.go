package profile_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/profile"
)

const issuer = "https://issuer.example.com/"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// user is a user of an exchange, as a loader gets it.
func user(subject string) *delegation.User { return userOf(issuer, subject) }

func userOf(issuer, subject string) *delegation.User {
	return &delegation.User{Properties: map[string]any{
		"iss": issuer, "sub": subject, "user_id": subject,
	}}
}

// file writes a file of the test and returns its name.
func file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// clock is a clock that stands until the test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// place is an endpoint of profiles over TLS, with a loader of it.
type place struct {
	clock  *clock
	server *httptest.Server
	asked  atomic.Int32
	answer atomic.Value // of type http.HandlerFunc
	config profile.Config
}

const bearer = "canary-bearer"

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{clock: newClock()}
	p.answers(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"asked": %q, "authorization": %q}`, r.URL.RequestURI(),
			r.Header.Get("Authorization"))
	})
	p.server = startTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.answer.Load().(http.HandlerFunc)(w, r)
	}))
	p.config = profile.Config{
		URL:             p.server.URL + "/users/{subject}",
		Issuers:         []string{issuer},
		BearerTokenFile: file(t, "token", bearer+"\n"),
		CAFile:          certificateOf(t, p.server),
		Now:             p.clock.Now,
	}
	return p
}

// startTLS starts a server that logs nothing.
func startTLS(t testing.TB, handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// certificateOf is the file of a server's certificate.
func certificateOf(t testing.TB, server *httptest.Server) string {
	t.Helper()
	return file(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: server.Certificate().Raw,
	})))
}

func (p *place) answers(handler http.HandlerFunc) { p.answer.Store(handler) }

// says has the endpoint answer with a status and a text.
func (p *place) says(status int, text string) {
	p.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	})
}

func (p *place) loader(t testing.TB) *profile.Loader {
	t.Helper()
	l, err := profile.New(p.config)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantAsked checks how often the endpoint was asked since the last time.
func (p *place) wantAsked(t testing.TB, what string, want int32) {
	t.Helper()
	if got := p.asked.Swap(0); got != want {
		t.Errorf("%s: %d requests, want %d", what, got, want)
	}
}

// wantCode checks an error's code, and that it holds no secret and nothing of an answer.
func wantCode(t testing.TB, what string, err error, code delegation.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("%s: the error has a secret or an answer: %v", what, err)
	}
}

// TestLoad_Asks: the address has the user, escaped, and the request has the token as it is now.
func TestLoad_Asks(t *testing.T) {
	p := newPlace(t)
	for name, row := range map[string]struct{ url, subject, want string }{
		"path":  {"/users/{subject}", "auth0|alice", "/users/auth0%7Calice"},
		"query": {"/u?id={subject}", "a/b c+d&x=1#f", "/u?id=a%2Fb%20c%2Bd%26x%3D1%23f"},
		"with an issuer": {"/u?iss={issuer}&sub={subject}", "ä",
			"/u?iss=https%3A%2F%2Fissuer.example.com%2F&sub=%C3%A4"},
		"an issuer first": {"/{issuer}/{subject}", "{issuer}",
			"/https%3A%2F%2Fissuer.example.com%2F/%7Bissuer%7D"},
		"percent": {"/users/{subject}", "a%2Fb", "/users/a%252Fb"},
		"dots":    {"/u?id={subject}", "..", "/u?id=.."},
		"within":  {"/users/u-{subject}.json", "...", "/users/u-....json"},
	} {
		p.config.URL = p.server.URL + row.url
		got, err := p.loader(t).Load(t.Context(), user(row.subject))
		if err != nil || got["asked"] != row.want || got["authorization"] != "Bearer "+bearer {
			t.Errorf("%s: got %v, %v, want %s", name, got, err, row.want)
		}
	}
	l := p.loader(t)
	if err := os.WriteFile(p.config.BearerTokenFile, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := must(l.Load(t.Context(), user("x"))); got["authorization"] != "Bearer another" {
		t.Errorf("the token was rotated: got %v", got)
	}
	p.asked.Store(0)
	if err := os.WriteFile(p.config.BearerTokenFile, []byte("canary\ncanary"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := l.Load(t.Context(), user("y"))
	wantCode(t, "no token", err, delegation.CodeProfileUnauthorized)
	p.wantAsked(t, "no token", 0)
}

// TestLoad_PathsStayBelow: a subject cannot lead to another address than that of its own profile.
func TestLoad_PathsStayBelow(t *testing.T) {
	p := newPlace(t)
	l := p.loader(t)
	for _, subject := range []string{
		".", "..", "../bob", "a/../bob", "a/b", `a\..\bob`, "/", "a/",
	} {
		_, err := l.Load(t.Context(), user(subject))
		wantCode(t, subject, err, delegation.CodeProfileInvalid)
	}
	p.wantAsked(t, "risky subjects", 0)
}

// TestLoad_Answers: what the endpoint answers, and what comes of it.
func TestLoad_Answers(t *testing.T) {
	large := `{"canary": "` + strings.Repeat("x", 256<<10) + `"}`
	for name, row := range map[string]struct {
		status int
		text   string
		code   delegation.Code
	}{
		"good":                {200, `{"a": 1.50, "b": [null]}`, ""},
		"a byte order mark":   {200, "\ufeff" + `{"a": 1}`, ""},
		"none":                {404, "canary", delegation.CodeProfileMissing},
		"gone":                {410, "canary", delegation.CodeProfileMissing},
		"not authorized":      {401, "canary", delegation.CodeProfileUnauthorized},
		"forbidden":           {403, "canary", delegation.CodeProfileUnauthorized},
		"throttled":           {429, "canary", delegation.CodeProfileThrottled},
		"broken":              {500, "canary", delegation.CodeProfileUnavailable},
		"away":                {503, "canary", delegation.CodeProfileUnavailable},
		"a redirect":          {302, "canary", delegation.CodeProfileInvalid},
		"not changed":         {304, "", delegation.CodeProfileInvalid},
		"bad":                 {400, "canary", delegation.CodeProfileInvalid},
		"created":             {201, `{"canary": 1}`, delegation.CodeProfileInvalid},
		"nothing":             {204, "", delegation.CodeProfileInvalid},
		"empty":               {200, "", delegation.CodeProfileInvalid},
		"a list":              {200, `["canary"]`, delegation.CodeProfileInvalid},
		"null":                {200, `null`, delegation.CodeProfileInvalid},
		"twice":               {200, `{"a": "canary", "a": 1}`, delegation.CodeProfileInvalid},
		"a page":              {200, `<html>canary`, delegation.CodeProfileInvalid},
		"more":                {200, `{"a": 1} {"canary": 1}`, delegation.CodeProfileInvalid},
		"half":                {200, `{"a": "canary`, delegation.CodeProfileInvalid},
		"too large":           {200, large, delegation.CodeProfileInvalid},
		"as large as allowed": {200, large[:len(large)-16] + `"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.answers(func(w http.ResponseWriter, r *http.Request) {
				if row.status == 302 {
					w.Header().Set("Location", "/canary-elsewhere")
				}
				w.WriteHeader(row.status)
				if row.status != 204 && row.status != 304 {
					fmt.Fprint(w, row.text)
				}
			})
			got, err := p.loader(t).Load(t.Context(), user("alice"))
			if row.code == "" {
				if err != nil || len(got) == 0 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			wantCode(t, name, err, row.code)
			if got != nil {
				t.Errorf("got %v with an error", got)
			}
			p.wantAsked(t, name, 1)
		})
	}
}

// TestLoad_Unreachable: no connection, a certificate of another CA, an answer that breaks off, and
// one that does not come in time.
func TestLoad_Unreachable(t *testing.T) {
	p := newPlace(t)
	p.config.CAFile = ""
	_, err := p.loader(t).Load(t.Context(), user("alice"))
	wantCode(t, "another CA", err, delegation.CodeProfileUnavailable)

	p = newPlace(t)
	p.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"canary": 1`)
	})
	_, err = p.loader(t).Load(t.Context(), user("alice"))
	wantCode(t, "half an answer", err, delegation.CodeProfileUnavailable)

	released := make(chan struct{})
	p.answers(func(http.ResponseWriter, *http.Request) { <-released })
	p.config.Timeout = time.Millisecond
	_, err = p.loader(t).Load(t.Context(), user("alice"))
	wantCode(t, "slow", err, delegation.CodeProfileUnavailable)
	if !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("got %v", err)
	}
	close(released)

	p.config.Timeout = 0
	l := p.loader(t)
	p.server.Close()
	_, err = l.Load(t.Context(), user("alice"))
	wantCode(t, "down", err, delegation.CodeProfileUnavailable)
	if strings.Contains(err.Error(), "alice") {
		t.Errorf("the error names the user: %v", err)
	}
}

// TestLoad_OddAnswers: nothing of an answer that is not HTTP is in the error. A redirect that leads
// nowhere is a redirect.
func TestLoad_OddAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		answer string
		code   delegation.Code
	}{
		"no status line":    {`{"access_token":"canary"}`, delegation.CodeProfileUnavailable},
		"a header":          {"HTTP/1.1 200 OK\r\ncanary\r\n\r\n", delegation.CodeProfileUnavailable},
		"a wrong length":    {answered("Content-Length: canary"), delegation.CodeProfileUnavailable},
		"another encoding":  {answered("Transfer-Encoding: canary"), delegation.CodeProfileUnavailable},
		"a wrong version":   {"HTTP/canary 200 OK\r\n\r\n", delegation.CodeProfileUnavailable},
		"nothing":           {"", delegation.CodeProfileUnavailable},
		"a wrong trailer":   {chunked("canary"), delegation.CodeProfileUnavailable},
		"a wrong direction": {moved("https://%zcanary"), delegation.CodeProfileInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.answers(func(w http.ResponseWriter, _ *http.Request) {
				connection, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer connection.Close()
				_, _ = io.WriteString(connection, row.answer)
			})
			_, err := p.loader(t).Load(t.Context(), user("alice"))
			wantCode(t, name, err, row.code)
		})
	}
}

// Answers of TestLoad_OddAnswers.
func answered(header string) string { return "HTTP/1.1 200 OK\r\n" + header + "\r\n\r\n" }

func moved(to string) string { return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\n\r\n" }

func chunked(trailer string) string {
	return answered("Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n" + trailer + "\r\n\r\n"
}

// TestLoad_Cache: an answer is kept for its time, by issuer and subject. That there is none is kept
// for a minute. A clock that was set back makes it ask.
func TestLoad_Cache(t *testing.T) {
	p := newPlace(t)
	p.config.URL = p.server.URL + "/{issuer}/{subject}"
	p.config.Issuers = nil
	l := p.loader(t)
	load := func(u *delegation.User) error {
		_, err := l.Load(t.Context(), u)
		return err
	}
	for range 3 {
		for _, u := range []*delegation.User{
			user("alice"), user("bob"), userOf("https://other.example.com/", "alice"),
		} {
			if err := load(u); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.wantAsked(t, "three users", 3)
	p.clock.add(5*time.Minute - 1)
	_ = load(user("alice"))
	p.wantAsked(t, "within 5 minutes", 0)
	p.clock.add(1)
	_ = load(user("alice"))
	p.wantAsked(t, "after 5 minutes", 1)
	p.clock.add(-time.Second)
	_ = load(user("alice"))
	p.wantAsked(t, "the clock was set back", 1)

	l.Forget(issuer, "alice")
	_ = load(user("alice"))
	_ = load(user("bob"))
	p.wantAsked(t, "alice was forgotten", 1)
	l.Forget(issuer, "")
	_ = load(user("alice"))
	_ = load(user("bob"))
	p.wantAsked(t, "all were forgotten", 2)

	p.says(404, "")
	for range 3 {
		wantCode(t, "none", load(user("carol")), delegation.CodeProfileMissing)
	}
	p.wantAsked(t, "none", 1)
	p.clock.add(time.Minute)
	p.says(200, `{}`)
	if err := load(user("carol")); err != nil {
		t.Errorf("created a minute ago: %v", err)
	}
	p.says(500, "")
	for range 3 {
		wantCode(t, "a failure", load(user("dave")), delegation.CodeProfileUnavailable)
	}
	p.wantAsked(t, "failures are not kept", 4)
	p.config.CacheFor = -1
	l = p.loader(t)
	p.says(200, `{}`)
	for range 3 {
		_ = load(user("alice"))
	}
	p.wantAsked(t, "without a cache", 3)
}

// TestLoad_Bounded: the cache holds no more users and no more bytes than it may, and forgets those
// first that were used least recently.
func TestLoad_Bounded(t *testing.T) {
	p := newPlace(t)
	p.config.CacheSize = 2
	l := p.loader(t)
	load := func(subject string) {
		t.Helper()
		if _, err := l.Load(t.Context(), user(subject)); err != nil {
			t.Fatal(err)
		}
	}
	load("a")
	load("b")
	load("a")
	load("c") // takes the place of b
	p.wantAsked(t, "three users", 3)
	load("a")
	load("c")
	p.wantAsked(t, "the last two", 0)
	load("b")
	p.wantAsked(t, "the one that was forgotten", 1)

	p.config.CacheSize = 0
	p.config.CacheBytes = 20_000
	l = p.loader(t)
	p.says(200, `{"a": "`+strings.Repeat("x", 8000)+`"}`)
	load("a")
	load("b")
	load("c") // only two fit
	load("b")
	load("c")
	p.wantAsked(t, "large profiles", 3)
	load("a")
	p.wantAsked(t, "the one that was forgotten for its size", 1)
	p.says(200, `{"a": "`+strings.Repeat("x", 30_000)+`"}`)
	load("d")
	load("d")
	p.wantAsked(t, "one that is larger than the cache", 2)
	load("a")
	p.wantAsked(t, "it has displaced no other", 0)
}

// TestLoad_Shared: 100 callers for one user share one request, also if the first of them leaves.
// Callers for 100 users get each their own profile.
func TestLoad_Shared(t *testing.T) {
	p := newPlace(t)
	arrived := make(chan struct{}, 200)
	release := make(chan struct{})
	p.answers(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		fmt.Fprintf(w, `{"user": %q}`, strings.TrimPrefix(r.URL.Path, "/users/"))
	})
	l := p.loader(t)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := l.Load(ctx, user("alice"))
		left <- err
	}()
	<-arrived
	var all sync.WaitGroup
	for i := range 200 {
		name := "alice"
		if i >= 100 {
			name = fmt.Sprint("user", i)
		}
		all.Go(func() {
			got, err := l.Load(t.Context(), user(name))
			if err != nil || got["user"] != name {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
		})
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who leaves gets %v", err)
	}
	for range 100 {
		<-arrived
	}
	close(release)
	all.Wait()
	p.wantAsked(t, "101 users", 101)
}

// TestLoad_Missing: users without a profile are refused, or have an empty one if that is allowed.
// Users of an issuer that is not listed are refused in any case, without a request: a subject of
// another issuer must neither get the profile of a namesake nor do without one. Those of an issuer
// that has no profiles have an empty one.
func TestLoad_Missing(t *testing.T) {
	p := newPlace(t)
	stranger := userOf("https://evil.example.com/", "alice")
	_, err := p.loader(t).Load(t.Context(), stranger)
	wantCode(t, "another issuer", err, delegation.CodeProfileMissing)
	_, err = p.loader(t).Load(t.Context(), &delegation.User{})
	wantCode(t, "nobody", err, delegation.CodeProfileMissing)
	p.wantAsked(t, "others", 0)

	p.config.IssuersWithoutProfile = []string{"https://ci.example.com/"}
	got, err := p.loader(t).Load(t.Context(), userOf("https://ci.example.com/", "alice"))
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("an issuer without profiles: got %v, %v", got, err)
	}
	p.config.AllowMissing = true
	_, err = p.loader(t).Load(t.Context(), stranger)
	wantCode(t, "another issuer", err, delegation.CodeProfileMissing)
	if !strings.Contains(err.Error(), "list it in profile.Config.Issuers") {
		t.Errorf("another issuer: got %v", err)
	}
	p.wantAsked(t, "others, allowed", 0)
	p.says(404, "")
	got, err = p.loader(t).Load(t.Context(), user("alice"))
	if err != nil || got == nil || len(got) != 0 {
		t.Errorf("none: got %v, %v", got, err)
	}
	for _, status := range []int{401, 403, 429, 500, 302} {
		p.says(status, "")
		if got, err := p.loader(t).Load(t.Context(), user("alice")); err == nil {
			t.Errorf("%d is no missing profile, and gives %v", status, got)
		}
	}
}

// TestLoad_Subject: an answer about somebody else is refused.
func TestLoad_Subject(t *testing.T) {
	p := newPlace(t)
	p.config.SubjectField = "id"
	for text, code := range map[string]delegation.Code{
		`{"id": "alice"}`:     "",
		`{"id": "bob"}`:       delegation.CodeProfileInvalid,
		`{"id": ["alice"]}`:   delegation.CodeProfileInvalid,
		`{"sub": "alice"}`:    delegation.CodeProfileInvalid,
		`{"id": "ALICE"}`:     delegation.CodeProfileInvalid,
		`{"id": null, "a":1}`: delegation.CodeProfileInvalid,
	} {
		p.says(200, text)
		_, err := p.loader(t).Load(t.Context(), user("alice"))
		if code == "" && err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if code != "" {
			wantCode(t, text, err, code)
		}
	}
}

// TestLoad_Stale: an older answer is used only if that is allowed, for its time, and only while the
// endpoint is away: what is refused is refused.
func TestLoad_Stale(t *testing.T) {
	for name, row := range map[string]struct {
		stale, age time.Duration
		status     int
		code       delegation.Code
	}{
		"not allowed":  {0, 6 * time.Minute, 500, delegation.CodeProfileUnavailable},
		"down":         {time.Hour, 6 * time.Minute, 500, ""},
		"throttled":    {time.Hour, 6 * time.Minute, 429, ""},
		"too old":      {time.Hour, 65 * time.Minute, 500, delegation.CodeProfileUnavailable},
		"missing":      {time.Hour, 6 * time.Minute, 404, delegation.CodeProfileMissing},
		"unauthorized": {time.Hour, 6 * time.Minute, 403, delegation.CodeProfileUnauthorized},
		"invalid":      {time.Hour, 6 * time.Minute, 302, delegation.CodeProfileInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			var log strings.Builder
			p.config.StaleFor = row.stale
			p.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
			l := p.loader(t)
			before := must(l.Load(t.Context(), user("alice")))
			p.clock.add(row.age)
			p.says(row.status, "canary")
			for range 2 { // at the second time it may be at rest
				got, err := l.Load(t.Context(), user("alice"))
				if row.code != "" {
					wantCode(t, name, err, row.code)
					continue
				}
				if err != nil || !reflect.DeepEqual(got, before) {
					t.Errorf("got %v, %v", got, err)
				}
			}
			said := strings.Contains(log.String(), "an older profile is used")
			if said != (row.code == "") || strings.Contains(log.String(), "canary") {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

// TestLoad_StaleOfOthers: a failure for one user does not keep older answers of other users in use,
// whether the endpoint fails at once or late.
func TestLoad_StaleOfOthers(t *testing.T) {
	for name, row := range map[string]struct {
		takes  time.Duration
		rounds int
	}{
		"at once": {0, 1},
		"late":    {1500 * time.Millisecond, 2}, // alice does not wait: the answer counts next round
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { loadWithMallory(t, row.takes, row.rounds) })
		})
	}
}

// loadWithMallory blocks alice at an endpoint that answers 500 for mallory after the time takes. In
// each round mallory is loaded first. After the last round, alice must be blocked.
func loadWithMallory(t *testing.T, takes time.Duration, rounds int) {
	var blocked atomic.Bool
	l := must(profile.New(profile.Config{
		URL: "https://a.example.com/{subject}", Issuers: []string{issuer},
		CacheFor: time.Minute, StaleFor: time.Hour,
		HTTPClient: &http.Client{Transport: transport(func(
			r *http.Request,
		) (*http.Response, error) {
			status := http.StatusOK
			if r.URL.Path == "/mallory" && blocked.Load() {
				time.Sleep(takes)
				status = http.StatusInternalServerError
			}
			text := fmt.Sprintf(`{"blocked": %t}`, blocked.Load())
			body := io.NopCloser(strings.NewReader(text))
			return &http.Response{StatusCode: status, Body: body, Request: r}, nil
		})},
	}))
	for _, subject := range []string{"alice", "mallory"} {
		if _, err := l.Load(t.Context(), user(subject)); err != nil {
			t.Fatal(err)
		}
	}
	blocked.Store(true)
	time.Sleep(time.Minute)
	var last any
	for range rounds {
		must(l.Load(t.Context(), user("mallory")))
		time.Sleep(600 * time.Millisecond) // less than a second after the failure
		last = must(l.Load(t.Context(), user("alice")))["blocked"]
		time.Sleep(time.Second)
	}
	if last != true {
		t.Errorf("alice is still decided by blocked: %v", last)
	}
}

// TestLoad_StaleHangs: while the endpoint hangs, an older answer is used after a second, or after
// half of the caller's time. The request goes on, and further callers do not wait for it. For a
// second after it has failed, users with an older answer do not wait, and no request is sent for
// this user. A user without an older answer waits.
func TestLoad_StaleHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var hangs atomic.Bool
		var log strings.Builder
		l := must(profile.New(profile.Config{
			URL: "https://a.example.com/{subject}", Issuers: []string{issuer},
			CacheFor: time.Minute, StaleFor: time.Hour,
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			HTTPClient: &http.Client{Transport: transport(func(
				r *http.Request,
			) (*http.Response, error) {
				asked.Add(1)
				if hangs.Load() {
					<-r.Context().Done()
					return nil, r.Context().Err()
				}
				body := io.NopCloser(strings.NewReader(`{"a": 1}`))
				return &http.Response{StatusCode: 200, Body: body, Request: r}, nil
			})},
		}))
		load := func(what, subject string, limit, takes time.Duration, requests int, works bool) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			asked.Store(0)
			got, err := l.Load(ctx, user(subject))
			took := time.Since(began)
			synctest.Wait() // for a request in the background
			sent := int(asked.Load())
			if took != takes || sent != requests || works != (err == nil && got["a"] != nil) {
				t.Errorf("%s: %v, %v after %s and %d requests", what, got, err, took, sent)
			}
		}
		const long = 20 * time.Second // rule_timeout
		load("at first", "alice", long, 0, 1, true)
		load("another user at first", "carol", long, 0, 1, true)
		time.Sleep(2 * time.Minute)
		hangs.Store(true)
		load("a hang", "alice", long, time.Second, 1, true)
		load("the same request", "alice", long, 0, 0, true)
		time.Sleep(4*time.Second + 1) // the request fails
		synctest.Wait()
		load("after it failed", "alice", long, 0, 0, true)
		load("another user after it failed", "carol", long, 0, 1, true)
		load("nothing older", "bob", long, 5*time.Second, 1, false)
		load("nothing older, and little time", "bob", time.Second, time.Second, 1, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		load("little time", "alice", 300*time.Millisecond, 150*time.Millisecond, 1, true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		hangs.Store(false)
		load("it answers", "alice", long, 0, 1, true)
		for _, waited := range []string{"no answer after 1s", "no answer after 150ms"} {
			if !strings.Contains(log.String(), waited) {
				t.Errorf("the log lacks %q: %s", waited, log.String())
			}
		}
	})
}

// TestLoad_Throttled: after a 429 nobody is asked for as long as the endpoint says, which is a
// second at least and a minute at most. The error says how long.
func TestLoad_Throttled(t *testing.T) {
	date := newClock().Now()
	for name, row := range map[string]struct {
		header, value string
		want          time.Duration
	}{
		"seconds": {"Retry-After", "7", 7 * time.Second},
		"a date": {"Retry-After", date.Add(9 * time.Second).Format(http.TimeFormat),
			9 * time.Second},
		"a reset": {"X-RateLimit-Reset", fmt.Sprint(date.Add(5 * time.Second).Unix()),
			5 * time.Second},
		"a past reset": {"X-RateLimit-Reset", "1", time.Second},
		"very long":    {"Retry-After", "99999999", time.Minute},
		"negative":     {"Retry-After", "-5", time.Second},
		"nonsense":     {"Retry-After", "soon", time.Second},
		"nothing":      {"X-Other", "1", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", date.Format(http.TimeFormat))
				w.Header().Set(row.header, row.value)
				w.WriteHeader(429)
			})
			l := p.loader(t)
			var later interface{ RetryAfter() time.Duration }
			for _, subject := range []string{"alice", "bob"} {
				_, err := l.Load(t.Context(), user(subject))
				wantCode(t, name, err, delegation.CodeProfileThrottled)
				if !errors.As(err, &later) || later.RetryAfter() != row.want {
					t.Errorf("%s: wait %s, want %s", subject, later.RetryAfter(), row.want)
				}
			}
			p.wantAsked(t, "at rest", 1)
			p.says(200, `{}`)
			p.clock.add(row.want)
			if _, err := l.Load(t.Context(), user("bob")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestCheck: the check is good if the endpoint says that nobody has a user, or has a profile, and
// has the error of exchanges otherwise. 400 can be the answer to a token that it cannot read.
func TestCheck(t *testing.T) {
	for status, code := range map[int]delegation.Code{
		200: "", 404: "", 410: "",
		400: delegation.CodeProfileInvalid,
		401: delegation.CodeProfileUnauthorized,
		403: delegation.CodeProfileUnauthorized,
		429: delegation.CodeProfileThrottled,
		500: delegation.CodeProfileUnavailable,
		302: delegation.CodeProfileInvalid,
	} {
		p := newPlace(t)
		p.config.SubjectField = "id"
		p.says(status, `{"id": "canary"}`)
		err := p.loader(t).Check(t.Context())
		if code == "" && err != nil {
			t.Errorf("%d: %v", status, err)
		}
		if code != "" {
			wantCode(t, fmt.Sprint(status), err, code)
		}
	}
}

// TestNew: what is wrong with a configuration is named at once, by its fields.
func TestNew(t *testing.T) {
	p := newPlace(t)
	secret := file(t, "secret", "canary")
	pem := file(t, "junk.pem", "canary")
	auth0 := func(change func(*profile.Auth0)) func(*profile.Config) {
		return func(c *profile.Config) {
			a := profile.Auth0{Domain: "t.eu.auth0.com", ClientID: "c", ClientSecretFile: secret}
			change(&a)
			*c = profile.Config{Auth0: &a}
		}
	}
	for want, change := range map[string]func(*profile.Config){
		"":                func(*profile.Config) {},
		"URL is empty":    func(c *profile.Config) { c.URL = "" },
		"is not https://": func(c *profile.Config) { c.URL = "http://a.example.com/{subject}" },
		"URL: \"https://{subject}.example.com/\" is not": func(c *profile.Config) {
			c.URL = "https://{subject}.example.com/"
		},
		"{user}\" is not": func(c *profile.Config) { c.URL = "https://a.example.com/{user}" },
		"lacks {subject}": func(c *profile.Config) {
			c.URL = "https://a.example.com/{issuer}"
		},
		"lacks {issuer}":      func(c *profile.Config) { c.Issuers = nil },
		"Issuers[1] is empty": func(c *profile.Config) { c.Issuers = []string{"a", ""} },
		"Issuers[0]: \"https://a.example.com/{t}\" has a placeholder": func(c *profile.Config) {
			c.Issuers = []string{"https://a.example.com/{t}"}
		},
		"IssuersWithoutProfile[0] is empty": func(c *profile.Config) {
			c.IssuersWithoutProfile = []string{""}
		},
		"IssuersWithoutProfile[0]: \"" + issuer + "\" is one": func(c *profile.Config) {
			c.IssuersWithoutProfile = []string{issuer}
		},
		"BearerTokenFile: open": func(c *profile.Config) { c.BearerTokenFile = "none" },
		"BearerTokenFile is sent over https only": func(c *profile.Config) {
			c.URL = "HTTP://127.0.0.1/{subject}"
			c.AllowLoopbackHTTP = true
		},
		"CAFile: " + pem + " has no certificate in PEM": func(c *profile.Config) { c.CAFile = pem },
		"CAFile: HTTPClient has a transport of its own": func(c *profile.Config) {
			c.HTTPClient = &http.Client{Transport: http.NewFileTransport(http.Dir("."))}
		},
		"StaleFor must not":         func(c *profile.Config) { c.StaleFor = -1 },
		"StaleFor has no effect":    func(c *profile.Config) { c.StaleFor, c.CacheFor = 1, -1 },
		"CacheSize must not":        func(c *profile.Config) { c.CacheSize = -1 },
		"CacheBytes must not":       func(c *profile.Config) { c.CacheBytes = -1 },
		"Timeout must be":           func(c *profile.Config) { c.Timeout = time.Hour },
		"MaxSize must be":           func(c *profile.Config) { c.MaxSize = 1 << 30 },
		"Auth0: Domain: \"HTTPS://": auth0(func(a *profile.Auth0) { a.Domain = "HTTPS://x" }),
		"Auth0: Domain: \"a.com/x":  auth0(func(a *profile.Auth0) { a.Domain = "a.com/x" }),
		"Auth0: Domain: \"u@a.com":  auth0(func(a *profile.Auth0) { a.Domain = "u@a.com" }),
		"Auth0: Domain: \"\"":       auth0(func(a *profile.Auth0) { a.Domain = "" }),
		"Auth0: ClientID is empty":  auth0(func(a *profile.Auth0) { a.ClientID = "" }),
		"Auth0: ClientSecretFile: is empty": auth0(func(a *profile.Auth0) {
			a.ClientSecretFile = ""
		}),
		"Auth0: Fields[0]: \"a&b\"": auth0(func(a *profile.Auth0) { a.Fields = []string{"a&b"} }),
		"BearerTokenFile has no effect with Auth0": func(c *profile.Config) {
			c.Auth0 = &profile.Auth0{Domain: "a.com", ClientID: "c", ClientSecretFile: secret}
		},
	} {
		c := p.config
		change(&c)
		l, err := profile.New(c)
		if want == "" {
			if err != nil || l == nil {
				t.Errorf("got %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || l != nil {
			t.Errorf("got %v, want %q", err, want)
		}
		wantCode(t, want, err, delegation.CodeConfigInvalid)
	}
	auth0(func(*profile.Auth0) {})(&p.config)
	if l, err := profile.New(p.config); err != nil ||
		l.String() != "profiles of Auth0's t.eu.auth0.com" {
		t.Errorf("got %v, %v", l, err)
	}
}

// TestNil: nothing of nothing is an error and no panic.
func TestNil(t *testing.T) {
	var none context.Context
	var zero profile.Loader
	var missing *profile.Loader
	good := newPlace(t).loader(t)
	load := func(ctx context.Context, l *profile.Loader, u *delegation.User) func() error {
		return func() error {
			_, err := l.Load(ctx, u)
			return err
		}
	}
	for name, call := range map[string]func() error{
		"a zero value":          load(t.Context(), &zero, user("a")),
		"nil":                   load(t.Context(), missing, user("a")),
		"no context":            load(none, good, user("a")),
		"no user":               load(t.Context(), good, nil),
		"a check":               func() error { return missing.Check(t.Context()) },
		"no context of a check": func() error { return good.Check(none) },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	zero.Forget("a", "b")
	missing.Forget("", "")
	if zero.String() != "no profiles" || missing.String() != "no profiles" {
		t.Errorf("got %s", &zero)
	}
}

// TestLoad_LoopbackHTTP: a sidecar can be asked over plain http, without a token.
func TestLoad_LoopbackHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"authorization": %q}`, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	l := must(profile.New(profile.Config{
		URL: server.URL + "/{subject}", Issuers: []string{issuer}, AllowLoopbackHTTP: true,
	}))
	got, err := l.Load(t.Context(), user("alice"))
	if err != nil || got["authorization"] != "" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestLoad_PanickingClient: an HTTP client that panics or ends its goroutine fails the exchange,
// and the next one is served.
func TestLoad_PanickingClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := true
		l := must(profile.New(profile.Config{
			URL: "https://a.example.com/{subject}", Issuers: []string{issuer},
			HTTPClient: &http.Client{Transport: transport(func(
				*http.Request,
			) (*http.Response, error) {
				if panics {
					panic("canary")
				}
				return nil, errors.New("no network")
			})},
		}))
		if _, err := l.Load(t.Context(), user("a")); err == nil {
			t.Error("no error")
		}
		panics = false
		_, err := l.Load(t.Context(), user("a"))
		wantCode(t, "the next", err, delegation.CodeProfileUnavailable)
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
