package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// bodyOf is the body of an answer with the status.
func bodyOf(t *testing.T, response *http.Response, status int) []byte {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("got HTTP %d %s, want %d", response.StatusCode, body, status)
	}
	return body
}

func decoded[T any](t *testing.T, body []byte) (value T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// post sends JSON to the page's own endpoints, as the page does.
func post(t *testing.T, a *album, path, token, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.page+path,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", a.page)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// watched reads an exchange from the stream.
func watched(t *testing.T, stream *bufio.Reader) exchange {
	t.Helper()
	for {
		line, err := stream.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return decoded[exchange](t, []byte(data))
		}
	}
}

// watch opens the stream of exchanges.
func watch(t *testing.T, a *album, seen string) *bufio.Reader {
	t.Helper()
	headers := map[string]string{}
	if seen != "" {
		headers["Last-Event-ID"] = seen
	}
	response := send(t, http.MethodGet, a.page+"/exchanges", headers)
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("the stream is %s", got)
	}
	return bufio.NewReader(response.Body)
}

func namesOf(stages []stage) (names []string) {
	for _, s := range stages {
		names = append(names, s.Name)
	}
	return names
}

func TestExchanges(t *testing.T) {
	a := newAlbum(t)
	stream := watch(t, a, "")
	alice := signedIn(t, a, "alice")
	exchanged(t, alice)
	x := watched(t, stream)
	if x.Outcome != "allowed" || x.User != "alice" || x.Cache != "miss" || x.Role != albumRole ||
		x.SessionName != "alice@example.com" || x.SourceIdentity != "alice" ||
		x.Tags["name"] != "alice" || x.Expiration == nil {
		t.Errorf("got %+v", x)
	}
	want := []string{"token", "rules", "saml", "sts", "credentials"}
	if got := namesOf(x.Stages); !slices.Equal(got, want) {
		t.Errorf("the stages are %v, want %v", got, want)
	}
	if got := x.Stages[1].Text; got != "no rule refuses; session of 15 minutes" {
		t.Errorf("the rules: %s", got)
	}
	end := 0.0
	for _, s := range x.Stages {
		if s.Took < 0 || s.Start < end-0.01 || s.Text == "" || s.Failed {
			t.Errorf("got %+v after %g ms", s, end)
		}
		end = s.Start + s.Took
	}

	exchanged(t, alice)
	hit := watched(t, stream)
	want = []string{"token", "rules", "credentials"}
	if got := namesOf(hit.Stages); hit.Cache != "hit" || !slices.Equal(got, want) {
		t.Errorf("from the cache: %s with %v", hit.Cache, got)
	}

	if _, err := signedIn(t, a, "carol").exchange(t.Context()); err == nil {
		t.Fatal("carol has credentials")
	}
	denied := watched(t, stream)
	if denied.Outcome != "denied" || denied.Rule != "photographers" || denied.Code != "denied" ||
		denied.Message != "only photographers have an album" || denied.Expiration != nil {
		t.Errorf("got %+v", denied)
	}
	if last := denied.Stages[len(denied.Stages)-1]; last.Name != "rules" || !last.Failed {
		t.Errorf("the last stage is %+v", last)
	}

	if first := watched(t, watch(t, a, "")); first.ID != x.ID {
		t.Errorf("a page that is opened later begins with %d", first.ID)
	}
	if next := watched(t, watch(t, a, "2")); next.ID != denied.ID {
		t.Errorf("a page that has seen 2 goes on with %d", next.ID)
	}
}

// TestExchanges_SlowPage: a page that does not read holds nobody up, and the log keeps its bounds.
func TestExchanges_SlowPage(t *testing.T) {
	l := newExchangeLog()
	_, next, end := l.watch()
	for range waitingExchanges + 10 {
		l.add(context.Background(), delegation.Event{Outcome: delegation.OutcomeAllowed})
	}
	kept, _, endOther := l.watch()
	defer endOther()
	if len(kept) != keptExchanges || len(next) != waitingExchanges {
		t.Errorf("%d are kept, and %d wait", len(kept), len(next))
	}
	end()
	if len(l.watchers) != 1 {
		t.Errorf("%d watch", len(l.watchers))
	}
}

func TestExplain(t *testing.T) {
	a := newAlbum(t)
	alice := signedIn(t, a, "alice")
	allowed := decoded[explanation](t,
		bodyOf(t, post(t, a, "/explain", alice.tokens.ID, ""), http.StatusOK))
	if !allowed.Allowed || allowed.Token.Subject != "alice" || allowed.Refusal != nil ||
		allowed.Decision.NameID != "alice" || allowed.Decision.Duration != 900 ||
		allowed.Decision.Role != albumRole {
		t.Errorf("got %+v", allowed)
	}
	set := map[string]any{}
	for _, rule := range allowed.Rules {
		for name, value := range rule.Set {
			set[name] = value
		}
	}
	wanted := map[string]any{
		"session_duration": 900.0,
		"source_identity":  "alice",
		"tags":             map[string]any{"name": "alice"},
	}
	if !reflect.DeepEqual(set, wanted) {
		t.Errorf("the rules set %v, want %v", set, wanted)
	}
	carol := signedIn(t, a, "carol")
	denied := decoded[explanation](t,
		bodyOf(t, post(t, a, "/explain", carol.tokens.ID, ""), http.StatusOK))
	if denied.Allowed || denied.Refusal == nil || denied.Refusal.Code != delegation.CodeDenied ||
		!denied.Rules[len(denied.Rules)-1].Refused || denied.Decision != nil {
		t.Errorf("got %+v", denied)
	}
	bodyOf(t, post(t, a, "/explain", "", ""), http.StatusUnauthorized)
}

// TestExplain_Names: docs/explain.md has every name that the page gets.
func TestExplain_Names(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "explain.md"))
	if err != nil {
		t.Fatal(err)
	}
	var check func(reflect.Type)
	check = func(of reflect.Type) {
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice:
			check(of.Elem())
		case reflect.Struct:
			for _, field := range reflect.VisibleFields(of) {
				name := field.Tag.Get("json")
				if !bytes.Contains(text, []byte(`"`+name+`"`)) &&
					!bytes.Contains(text, []byte("`"+name+"`")) {
					t.Errorf("docs/explain.md does not have %q", name)
				}
				check(field.Type)
			}
		}
	}
	check(reflect.TypeFor[explanation]())
}

func TestRules_Endpoint(t *testing.T) {
	a := newAlbum(t)
	on := func(body []byte) (names []string) {
		for _, rule := range decoded[[]ruleSwitch](t, body) {
			if rule.Title == "" || rule.About == "" {
				t.Errorf("%s says nothing of itself", rule.Name)
			}
			if rule.On {
				names = append(names, rule.Name)
			}
		}
		return names
	}
	got := on(bodyOf(t, send(t, http.MethodGet, a.page+"/rules", nil), http.StatusOK))
	if want := []string{"photographers", "short-sessions", "name-the-user"}; !slices.Equal(got, want) {
		t.Errorf("%v are on, want %v", got, want)
	}
	got = on(bodyOf(t, post(t, a, "/rules", "", `{"name":"short-sessions","on":false}`),
		http.StatusOK))
	if want := []string{"photographers", "name-the-user"}; !slices.Equal(got, want) {
		t.Errorf("%v are on, want %v", got, want)
	}
	c := exchanged(t, signedIn(t, a, "alice"))
	if left := c.Expiration.Sub(a.clock.Now()); left < 50*time.Minute {
		t.Errorf("the session lasts %s, want an hour", left)
	}
	for body, status := range map[string]int{
		`{"name":"nothing","on":true}`: http.StatusNotFound,
		`{"name":"read-only","off":1}`: http.StatusBadRequest,
		`on`:                           http.StatusBadRequest,
		`{"name":"` + strings.Repeat("a", maxRequest) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		if got := post(t, a, "/rules", "", body).StatusCode; got != status {
			t.Errorf("%.40s: got HTTP %d, want %d", body, got, status)
		}
	}
}

// TestRules_ReadOnly: a switch changes what cached credentials are of: the decision is another one.
func TestRules_ReadOnly(t *testing.T) {
	a := newAlbum(t)
	alice := signedIn(t, a, "alice")
	full := exchanged(t, alice)
	if err := a.rules.turn("read-only", true); err != nil {
		t.Fatal(err)
	}
	narrow := exchanged(t, alice)
	if narrow.AccessKeyID == full.AccessKeyID {
		t.Fatal("the cached credentials hide the rule")
	}
	err := put(t.Context(), a.s3Client(narrow), "alice/cat.jpg", []byte("a"))
	if codeOf(err) != "AccessDenied" {
		t.Errorf("got %v, want AccessDenied", err)
	}
	if _, err := list(t.Context(), a.s3Client(narrow), "alice/"); err != nil {
		t.Error(err)
	}
	if err := a.rules.turn("read-only", false); err != nil {
		t.Fatal(err)
	}
	if again := exchanged(t, alice); again.AccessKeyID != full.AccessKeyID {
		t.Error("the same decision has other credentials")
	}
}

func TestClock_Endpoint(t *testing.T) {
	a := newAlbum(t)
	before := a.clock.Now()
	body := bodyOf(t, post(t, a, "/clock", "", `{"advance_seconds":3600}`), http.StatusOK)
	now := decoded[struct {
		Now time.Time `json:"now"`
	}](t, body).Now
	if moved := now.Sub(before); moved < time.Hour || moved > 61*time.Minute {
		t.Errorf("the clock moved by %s", moved)
	}
	for _, wrong := range []string{`{"advance_seconds":-1}`, `{"advance_seconds":1e12}`} {
		if got := post(t, a, "/clock", "", wrong).StatusCode; got != http.StatusBadRequest {
			t.Errorf("%s: got HTTP %d", wrong, got)
		}
	}
	plain, err := openAlbum(t.Context(), anyPort, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.close()
	got := post(t, plain, "/clock", "", `{"advance_seconds":3600}`).StatusCode
	if got < http.StatusBadRequest || plain.clock.offset() != 0 {
		t.Errorf("without -test-clock: HTTP %d", got)
	}
}

func TestSite(t *testing.T) {
	a := newAlbum(t)
	s := decoded[settings](t,
		bodyOf(t, send(t, http.MethodGet, a.page+"/settings.json", nil), http.StatusOK))
	if s.Issuer != a.issuer || s.Service != a.service || s.S3 != a.s3 || s.STS != a.places.sts ||
		s.ClientID != clientID || s.Bucket != albumBucket || !s.Live ||
		!slices.Equal(s.Users, []string{"alice", "bob", "carol"}) {
		t.Errorf("got %+v", s)
	}
	page := send(t, http.MethodGet, a.page+"/?code=a&state=b", nil)
	if !bytes.Contains(bodyOf(t, page, http.StatusOK), []byte("<title>")) {
		t.Error("there is no page")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.page+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = strings.Replace(r.URL.Host, "127.0.0.1", "localhost", 1)
	moved, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	moved.Body.Close()
	if to := moved.Header.Get("Location"); moved.StatusCode != http.StatusFound || to != a.page+"/" {
		t.Errorf("localhost: HTTP %d, to %q", moved.StatusCode, to)
	}
	policy := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"script-src 'self';", a.issuer, a.service, a.s3, a.places.sts} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if got := send(t, http.MethodGet, a.page+"/assets/nothing", nil).StatusCode; got !=
		http.StatusNotFound {
		t.Errorf("got HTTP %d", got)
	}
}

// TestSite_OtherPages: a page of another origin cannot switch rules.
func TestSite_OtherPages(t *testing.T) {
	a := newAlbum(t)
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Origin": "https://mallory.example.com"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.page+"/rules",
			strings.NewReader(`{"name":"photographers","on":false}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden || !a.rules.isOn("photographers") {
			t.Errorf("%v: got HTTP %d", headers, response.StatusCode)
		}
	}
}

// TestRoles: a user may choose the role that only reads.
func TestRoles(t *testing.T) {
	a := newAlbum(t)
	alice := signedIn(t, a, "alice")
	ask := func(path string) []byte {
		return bodyOf(t, send(t, http.MethodGet, a.service+path, map[string]string{
			"Authorization": "Bearer " + alice.tokens.ID, "Origin": a.page,
		}), http.StatusOK)
	}
	var roles struct {
		Roles []struct {
			Role    string
			Default bool
		}
	}
	if err := json.Unmarshal(ask("/roles?target="+albumTarget), &roles); err != nil {
		t.Fatal(err)
	}
	if len(roles.Roles) != 2 || roles.Roles[0].Role != albumRole || !roles.Roles[0].Default ||
		roles.Roles[1].Role != albumViewer {
		t.Fatalf("got %+v", roles)
	}
	if err := put(t.Context(), a.s3Client(exchanged(t, alice)), "alice/a", nil); err != nil {
		t.Fatal(err)
	}
	viewer := &credentials{}
	text := ask("/credentials?target=" + albumTarget + "&role=" + albumViewer)
	if err := json.Unmarshal(text, viewer); err != nil {
		t.Fatal(err)
	}
	client := a.s3Client(viewer)
	if keys, err := list(t.Context(), client, "alice/"); err != nil || len(keys) != 1 {
		t.Errorf("got %v and %v", keys, err)
	}
	if _, err := fetch(t.Context(), client, "alice/a"); err != nil {
		t.Error(err)
	}
	_, bobs := list(t.Context(), client, "bob/")
	for what, err := range map[string]error{
		"writes":       put(t.Context(), client, "alice/a", nil),
		"deletes":      remove(t.Context(), client, "alice/a"),
		"lists Bob's":  bobs,
		"writes Bob's": put(t.Context(), client, "bob/a", nil),
	} {
		if codeOf(err) != "AccessDenied" {
			t.Errorf("%s: got %v, want AccessDenied", what, err)
		}
	}
}

// TestSecrets: neither the log nor the panel has a token, a secret key or a session token.
func TestSecrets(t *testing.T) {
	var log lockedBuffer
	a, err := openAlbum(t.Context(), anyPort, false, slog.New(slog.NewTextHandler(&log,
		&slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	stream := watch(t, a, "")
	alice := signedIn(t, a, "alice")
	c := exchanged(t, alice)
	line, err := json.Marshal(watched(t, stream))
	if err != nil {
		t.Fatal(err)
	}
	explained := bodyOf(t, post(t, a, "/explain", alice.tokens.ID, ""), http.StatusOK)
	if err := alice.signIn(t.Context(), "alice", "a-wrong-password"); err == nil {
		t.Fatal("a wrong password signs in")
	}
	said := log.String() + string(line) + string(explained)
	if !strings.Contains(said, "exchange allowed") {
		t.Fatal("nothing is logged")
	}
	for what, secret := range map[string]string{
		"the ID token":      alice.tokens.ID,
		"its signature":     alice.tokens.ID[strings.LastIndexByte(alice.tokens.ID, '.')+1:],
		"the refresh token": alice.tokens.Refresh,
		"the secret key":    c.SecretAccessKey,
		"the session token": c.Token,
		"a password":        "a-wrong-password",
	} {
		if secret == "" || strings.Contains(said, secret) {
			t.Errorf("%s is said, or is empty", what)
		}
	}
}
