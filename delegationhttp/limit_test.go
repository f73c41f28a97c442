package delegationhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// limits are the headers of the rate limit; empty: there are none.
type limits struct{ limit, remaining, reset, retry string }

func limitsOf(header http.Header) limits {
	return limits{
		header.Get("X-RateLimit-Limit"), header.Get("X-RateLimit-Remaining"),
		header.Get("X-RateLimit-Reset"), header.Get("Retry-After"),
	}
}

// at writes a moment after start as X-RateLimit-Reset does.
func at(after time.Duration) string { return strconv.FormatInt(start.Add(after).Unix(), 10) }

// limited is a world with a rate limit, where exchanges end before AWS: a rule denies whoever came
// so far.
func limited(t testing.TB, limit delegationhttp.RateLimit) *world {
	w := newWorld(t)
	w.http.RateLimit = limit
	w.rules(func(context.Context, *delegation.User, *delegation.RuleContext) error {
		return delegation.Deny("passed")
	})
	return w
}

// passed tells whether the rate limit let a request through.
func passed(t testing.TB, h http.Handler, r *http.Request) bool {
	t.Helper()
	a := ask(t, h, r)
	if a.status == http.StatusTooManyRequests {
		a.refused(t, 429, "too_many_requests", "too many requests, try again later")
		return false
	}
	a.refused(t, 401, "unauthorized", "passed")
	return true
}

// by is a request of a user from an address.
func by(token, ip string) *http.Request {
	r := post(delegationPath, formType, form(values(token, nil)))
	r.RemoteAddr = ip
	return r
}

// TestNoRateLimitByDefault: as many as they like, and no header of it.
func TestNoRateLimitByDefault(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{})
	h, token := w.handler(t), w.Token(nil)
	for range 20 {
		a := ask(t, h, by(token, "192.0.2.1:1"))
		a.refused(t, 401, "unauthorized", "passed")
		if got := limitsOf(a.header); got != (limits{}) {
			t.Fatalf("headers %+v", got)
		}
	}
}

// TestRateLimit is Auth0's limit: ten a minute, all at once if they like, and then one every six
// seconds.
func TestRateLimit(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 10})
	h, token := w.handler(t), w.Token(nil)
	step := func(wait time.Duration, status int, want limits) {
		t.Helper()
		w.Clock.Advance(wait)
		a := ask(t, h, by(token, "192.0.2.1:1"))
		if got := limitsOf(a.header); a.status != status || got != want {
			t.Errorf("%s after the start: got %d %+v, want %d %+v", w.Clock.Now().Sub(start),
				a.status, got, status, want)
		}
	}
	for i := range 10 {
		step(0, 401,
			limits{"10", strconv.Itoa(9 - i), at(time.Duration(i+1) * 6 * time.Second), ""})
	}
	step(0, 429, limits{"10", "0", at(60 * time.Second), "6"}) // refused ones cost nothing
	step(0, 429, limits{"10", "0", at(60 * time.Second), "6"})
	step(2500*time.Millisecond, 429, limits{"10", "0", at(60 * time.Second), "4"}) // rounded up
	step(3499*time.Millisecond, 429, limits{"10", "0", at(60 * time.Second), "1"})
	// six seconds have brought one
	step(time.Millisecond, 401, limits{"10", "0", at(66 * time.Second), ""})
	step(0, 429, limits{"10", "0", at(66 * time.Second), "6"})
	step(18*time.Second, 401, limits{"10", "2", at(72 * time.Second), ""}) // three in 18 seconds
	step(0, 401, limits{"10", "1", at(78 * time.Second), ""})
	// never more than ten
	step(time.Hour, 401, limits{"10", "9", at(time.Hour + 30*time.Second), ""})
	step(100*time.Millisecond, 401, limits{"10", "8", at(time.Hour + 36*time.Second), ""})
	// a clock that goes back gives nothing and takes nothing
	step(-time.Hour, 401, limits{"10", "7", at(42 * time.Second), ""})
}

// TestRateLimitTable: other numbers. Requests that keep to the pace are never refused.
func TestRateLimitTable(t *testing.T) {
	for name, row := range map[string]struct {
		limit delegationhttp.RateLimit
		pace  time.Duration
		retry string
	}{
		"one a second": {delegationhttp.RateLimit{Requests: 1, Per: time.Second},
			time.Second, "1"},
		"one a minute":   {delegationhttp.RateLimit{Requests: 1}, time.Minute, "60"},
		"seven a minute": {delegationhttp.RateLimit{Requests: 7}, time.Minute/7 + 1, "9"},
		"three in an hour": {delegationhttp.RateLimit{Requests: 3, Per: time.Hour},
			20 * time.Minute, "1200"},
		"one a day": {delegationhttp.RateLimit{Requests: 1, Per: 24 * time.Hour},
			24 * time.Hour, "86400"},
		"a hundred": {delegationhttp.RateLimit{Requests: 100, Per: time.Second},
			10 * time.Millisecond, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := limited(t, row.limit)
			h, token := w.handler(t), w.Token(nil)
			for i := range row.limit.Requests {
				if !passed(t, h, by(token, "192.0.2.1:1")) {
					t.Fatalf("refused after %d", i)
				}
			}
			for range 20 {
				a := ask(t, h, by(w.Token(nil), "192.0.2.1:1"))
				if got := a.header.Get("Retry-After"); a.status != 429 || got != row.retry {
					t.Fatalf("got %d, Retry-After %q", a.status, got)
				}
				w.Clock.Advance(row.pace)
				if !passed(t, h, by(w.Token(nil), "192.0.2.1:1")) {
					t.Fatal("refused at the pace")
				}
			}
		})
	}
}

// TestRateLimitKeys: who shares requests with whom.
func TestRateLimitKeys(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 1})
	w.http.TrustedProxies = 1
	other := must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey(), Now: w.Clock.Now}))
	other.SetIssuer(serve(t, other))
	w.Config.Issuers = append(w.Config.Issuers,
		delegation.Issuer{URL: other.Issuer(), AllowLoopbackHTTP: true})
	targets := w.Config.Targets.(delegation.Targets)
	target := targets[app]
	target.Issuers = []string{w.Issuer.Issuer(), other.Issuer()}
	target.SubjectsAreOne = true
	targets[app] = target
	h := w.handler(t)
	token := func(sub string) string { return w.Token(map[string]any{"sub": sub}) }
	for _, row := range []struct {
		name, token, remote, forwarded string
		passed                         bool
	}{
		{"alice", token(alice), "192.0.2.1:1", "", true},
		{"alice again, by another token and port", w.Token(map[string]any{"jti": "2"}),
			"192.0.2.1:2", "", false},
		{"alice from another address", token(alice), "192.0.2.2:1", "", true},
		{"bob", token("auth0|bob"), "192.0.2.1:1", "", true},
		{"alice of another issuer",
			must(other.SignIDToken(map[string]any{"sub": alice, "aud": app})),
			"192.0.2.1:1", "", true},
		{"alice with a claim user_id", w.Token(map[string]any{"user_id": "other"}),
			"192.0.2.1:1", "", false},
		{"Alice", token("auth0|Alice"), "192.0.2.1:1", "", true},
		{"a name like a key", token(`auth0|alice" "`), "192.0.2.1:1", "", true},
		{"alice behind the proxy", token(alice), "192.0.2.1:1", "198.51.100.1", true},
		{"alice behind the proxy, spoofing", token(alice), "192.0.2.1:1",
			"6.6.6.6, 198.51.100.1", false},
		{"alice as IPv4 in IPv6", token(alice), "[::ffff:192.0.2.1]:1", "", false},
		{"IPv6", token(alice), "[2001:db8:1:1::1]:1", "", true},
		{"IPv6, same network", token(alice), "[2001:db8:1:1:ffff:ffff:ffff:ffff]:1", "", false},
		{"IPv6, same network, zone", token(alice), "[2001:db8:1:1::2%eth0]:1", "", false},
		{"IPv6, next network", token(alice), "[2001:db8:1:2::1]:1", "", true},
		{"no address", token(alice), "@", "", true},
		{"no address again", token(alice), "", "", false},
		{"IPv4, same /24", token(alice), "192.0.2.3:1", "", true},
	} {
		r := by(row.token, row.remote)
		if row.forwarded != "" {
			r.Header.Set("X-Forwarded-For", row.forwarded)
		}
		if got := passed(t, h, r); got != row.passed {
			t.Errorf("%s: passed %v", row.name, got)
		}
	}
}

// TestRateLimitCountsVerifiedUsersOnly: nobody can use up another's requests.
func TestRateLimitCountsVerifiedUsersOnly(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 2})
	h, token := w.handler(t), w.Token(nil)
	expired := w.Token(map[string]any{"exp": start.Add(-time.Hour).Unix()})
	elsewhere := w.Token(map[string]any{"iss": "https://evil.example.com/"})
	for name, request := range map[string]func() *http.Request{
		"forged": func() *http.Request {
			return by(token[:len(token)-4]+"AAAA", "192.0.2.1:1")
		},
		"expired":        func() *http.Request { return by(expired, "192.0.2.1:1") },
		"foreign issuer": func() *http.Request { return by(elsewhere, "192.0.2.1:1") },
		"other client": func() *http.Request {
			return post(delegationPath, formType,
				form(values(token, map[string]any{"client_id": "other"})))
		},
		"unknown target":   func() *http.Request { return get("?target=other", token) },
		"without a target": func() *http.Request { return get("", token) },
		"unreadable": func() *http.Request {
			return post(delegationPath, formType, "id_token="+token)
		},
	} {
		for range 3 {
			a := ask(t, h, request())
			got := limitsOf(a.header)
			if a.status == http.StatusOK || a.status == http.StatusTooManyRequests ||
				got != (limits{}) {
				t.Errorf("%s: %d %+v", name, a.status, got)
			}
		}
	}
	for i, want := range []bool{true, true, false} {
		if got := passed(t, h, by(token, "192.0.2.1:1")); got != want {
			t.Errorf("request %d passed: %v", i, got)
		}
	}
	_, event := w.last(t)
	if event.Code != delegation.CodeDenied || event.Stage != delegation.StageRules ||
		event.Rule != "rate limit" || event.Subject != alice {
		t.Errorf("the event of the refusal is %+v", event)
	}
	if len(w.seen) != 2 {
		t.Errorf("rules ran %d times; the limit stands before them", len(w.seen))
	}
	if strings.Contains(w.log.String(), `"code":"too_many_requests"`) {
		t.Errorf("the event has it, and the log twice: %s", w.log)
	}
}

// TestRateLimitIsShared by all handlers of one configuration, and not by two configurations.
func TestRateLimitIsShared(t *testing.T) {
	w := newWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 3}
	w.http.Console = &delegationhttp.Console{
		Endpoint: serve(t, federation(http.StatusOK, `{"SigninToken":"t"}`)),
	}
	h, token := w.handler(t), w.Token(nil)
	requests := func() []*http.Request {
		return []*http.Request{
			by(token, "192.0.2.1:1"), get("?target="+app, token),
			post(consolePath, formType, form(values(token, nil))),
		}
	}
	for i, r := range requests() {
		a := ask(t, h, r)
		got := limitsOf(a.header)
		if a.status != http.StatusOK || got != (limits{"3", strconv.Itoa(2 - i),
			at(time.Duration(i+1) * 20 * time.Second), ""}) {
			t.Errorf("%d: got %d %+v", i, a.status, got)
		}
	}
	calls := len(w.STS.Calls())
	for _, r := range requests() {
		a := ask(t, h, r)
		a.refused(t, 429, "too_many_requests", "too many requests, try again later")
		if got := limitsOf(a.header); got != (limits{"3", "0", at(60 * time.Second), "20"}) {
			t.Errorf("%s: %+v", r.URL.Path, got)
		}
	}
	if len(w.STS.Calls()) != calls {
		t.Error("AWS was called for a request too many")
	}
	for _, r := range requests() {
		if a := ask(t, w.handler(t), r); a.status != http.StatusOK { // handlers made anew
			t.Errorf("got %d", a.status)
		}
	}
}

// TestRateLimitForgets whoever was seen longest ago, once there are more than MaxUsers.
func TestRateLimitForgets(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 1, MaxUsers: 3})
	h := w.handler(t)
	for i, row := range []struct {
		user   string
		passed bool
	}{
		{"a", true}, {"b", true}, {"c", true}, {"a", false}, // a is the newest again
		{"d", true}, // b is forgotten
		{"a", false}, {"c", false}, {"d", false},
		{"b", true}, // starts anew; a is forgotten
		{"c", false}, {"d", false}, {"b", false}, {"a", true},
	} {
		got := passed(t, h, by(w.Token(map[string]any{"sub": row.user}), "192.0.2.1:1"))
		if got != row.passed {
			t.Errorf("step %d: %s passed: %v", i, row.user, got)
		}
	}
}

// TestRateLimitDefaultMaxUsers: more users than a test of the bound has, and all are remembered.
func TestRateLimitDefaultMaxUsers(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 1})
	h, token := w.handler(t), w.Token(nil)
	for _, want := range []bool{true, false} {
		for i := range 200 {
			if got := passed(t, h, by(token, fmt.Sprintf("10.0.0.%d:1", i))); got != want {
				t.Fatalf("%d: passed %v", i, got)
			}
		}
	}
}

// TestRateLimitConcurrent: of a hundred at once exactly ten pass, for each of two users.
func TestRateLimitConcurrent(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 10})
	h := w.handler(t)
	var counts [2]atomic.Int32
	var all sync.WaitGroup
	for user := range counts {
		token := w.Token(map[string]any{"sub": fmt.Sprint("user", user)})
		for range 100 {
			all.Go(func() {
				if passed(t, h, by(token, "192.0.2.1:1")) {
					counts[user].Add(1)
				}
			})
		}
	}
	all.Wait()
	for user := range counts {
		if got := counts[user].Load(); got != 10 {
			t.Errorf("user %d passed %d times", user, got)
		}
	}
}

// TestRateLimit_RuleTimeout: where rules in Go are limited, requests are still counted on the
// goroutine that serves them. Another one could be abandoned, and then set the headers of an answer
// that is being sent.
func TestRateLimit_RuleTimeout(t *testing.T) {
	w := newWorld(t)
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 10}
	w.Config.RuleTimeout = time.Minute
	counted, elsewhere := 0, 0
	w.http.Now = func() time.Time { // the limiter asks for the time
		stack := make([]byte, 1<<16)
		stack = stack[:runtime.Stack(stack, false)]
		counted++
		if !strings.Contains(string(stack), "ServeHTTP") {
			elsewhere++
		}
		return w.Clock.Now()
	}
	s := newService(t, w)
	token := w.Token(nil)
	for i, serve := range []func() http.Header{
		func() http.Header {
			return ask(t, s.handlers.Delegation(), by(token, "192.0.2.1:1")).header
		},
		func() http.Header {
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			r := photos("Bearer " + token)
			r.RemoteAddr = "192.0.2.1:1"
			return behind(s.handlers.Bearer(app, next), r).Header()
		},
	} {
		got := limitsOf(serve())
		want := limits{"10", strconv.Itoa(9 - i), at(time.Duration(i+1) * 6 * time.Second), ""}
		if got != want || counted != i+1 || elsewhere != 0 {
			t.Errorf("request %d: got %+v, want %+v; of %d counted, %d on another goroutine",
				i, got, want, counted, elsewhere)
		}
	}
}

// TestRateLimit_WithConfig: what users have left counts on after a change of the configuration,
// also under another limit.
func TestRateLimit_WithConfig(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 3})
	w.http.Exchanger = must(w.Start(t.Context()))
	first := must(delegationhttp.New(w.http))
	token := w.Token(nil)
	request := func() *http.Request { return by(token, "192.0.2.1:1") }
	for range 2 {
		if !passed(t, first.Delegation(), request()) {
			t.Fatal("refused within the limit")
		}
	}
	same := must(first.WithConfig(w.http))
	if !passed(t, same.Delegation(), request()) || passed(t, same.Delegation(), request()) {
		t.Error("the same limit: not one request is left")
	}
	if passed(t, first.Delegation(), request()) {
		t.Error("the handlers before: a request is left")
	}

	w.http.RateLimit = delegationhttp.RateLimit{Requests: 60}
	more := must(same.WithConfig(w.http))
	if passed(t, more.Delegation(), request()) {
		t.Error("a larger limit has given back what was used")
	}
	w.Clock.Advance(2 * time.Second) // one each second, where it was one in 20
	for i, want := range []bool{true, true, false} {
		if got := passed(t, more.Delegation(), request()); got != want {
			t.Errorf("request %d under the larger limit: %t, want %t", i, got, want)
		}
	}

	w.http.RateLimit = delegationhttp.RateLimit{}
	none := must(more.WithConfig(w.http))
	if !passed(t, none.Delegation(), request()) {
		t.Error("refused without a limit")
	}
	w.http.RateLimit = delegationhttp.RateLimit{Requests: -1}
	if h, err := none.WithConfig(w.http); err == nil || h != nil {
		t.Errorf("got %v, %v, want what New refuses", h, err)
	}
}

// TestRateLimit_WithConfigForgetsByItsOwnSize: as many users are remembered as the new limit says.
func TestRateLimit_WithConfigForgetsByItsOwnSize(t *testing.T) {
	w := limited(t, delegationhttp.RateLimit{Requests: 1})
	w.http.Exchanger = must(w.Start(t.Context()))
	first := must(delegationhttp.New(w.http))
	token := w.Token(nil)
	for i := range 3 {
		if !passed(t, first.Delegation(), by(token, fmt.Sprintf("192.0.2.%d:1", i))) {
			t.Fatal("refused within the limit")
		}
	}
	w.http.RateLimit.MaxUsers = 1
	next := must(first.WithConfig(w.http))
	if passed(t, next.Delegation(), by(token, "192.0.2.2:1")) {
		t.Error("the user seen last was forgotten")
	}
	if !passed(t, next.Delegation(), by(token, "192.0.2.0:1")) {
		t.Error("the user seen first is remembered")
	}
}
