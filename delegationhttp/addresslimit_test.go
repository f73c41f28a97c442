package delegationhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

const addressRefused = "too many requests from this address, try again later"

// counted notes the limits that refused requests.
type counted struct {
	mu     sync.Mutex
	limits []delegationhttp.Limit
}

func (c *counted) add(_ context.Context, limit delegationhttp.Limit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits = append(c.limits, limit)
}

// addressed is a world with a limit for each address. Every exchange fails, so a request that is
// admitted has the answer 500.
func addressed(t testing.TB, limit delegationhttp.AddressLimit) (*world, *counted) {
	w := newWorld(t)
	c := &counted{}
	w.http.AddressLimit = limit
	w.http.OnLimit = c.add
	w.http.Exchanger = failing(errors.New("exchanged"))
	return w, c
}

// admitted tells whether the limit let a request through, whatever came of it then.
func admitted(t testing.TB, h http.Handler, r *http.Request) bool {
	t.Helper()
	a := ask(t, h, r)
	if a.status != http.StatusTooManyRequests {
		return true
	}
	a.refused(t, 429, "too_many_requests", addressRefused)
	return false
}

// TestAddressLimit: a token bucket for each address, over all endpoints, with the time to wait.
// Tokens, users and methods make no difference, because nothing of a request is read before.
func TestAddressLimit(t *testing.T) {
	w, c := addressed(t, delegationhttp.AddressLimit{Requests: 3})
	h := w.handler(t)
	requests := []func() *http.Request{
		func() *http.Request { return post(delegationPath, formType, form(values("a.b.c", nil))) },
		func() *http.Request { return get("?target=photo-app", "Bearer a.b.c") },
		func() *http.Request { return post(consolePath, "text/plain", "junk") },
	}
	for i, request := range requests {
		if !admitted(t, h, request()) {
			t.Errorf("request %d is refused within the limit", i)
		}
	}
	wrongMethod := httptest.NewRequest(http.MethodDelete, delegationPath, nil)
	for i, request := range append(requests, func() *http.Request { return wrongMethod }) {
		a := ask(t, h, request())
		a.refused(t, 429, "too_many_requests", addressRefused)
		if got := limitsOf(a.header); got != (limits{retry: "20"}) {
			t.Errorf("request %d above the limit: headers %+v", i, got)
		}
	}
	w.Clock.Advance(19 * time.Second)
	if a := ask(t, h, requests[0]()); a.header.Get("Retry-After") != "1" {
		t.Errorf("after 19s: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	w.Clock.Advance(time.Second)
	if !admitted(t, h, requests[0]()) || admitted(t, h, requests[0]()) {
		t.Error("after 20s it is not one request that is admitted")
	}
	want := slices.Repeat([]delegationhttp.Limit{delegationhttp.LimitRate}, 6)
	if !slices.Equal(c.limits, want) {
		t.Errorf("counted %q, want %d times rate", c.limits, len(want))
	}
}

// TestAddressLimit_BeforeTheToken: a request above the limit reaches no exchange, so it costs no
// signature check, and leaves no event.
func TestAddressLimit_BeforeTheToken(t *testing.T) {
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1})
	exchanges := 0
	w.http.Exchanger = exchanger(func(
		context.Context, string, string, ...delegation.ExchangeOption,
	) (*delegation.Credentials, error) {
		exchanges++
		return issued(), nil
	})
	h := w.handler(t)
	for range 5 {
		ask(t, h, by("a.b.c", "192.0.2.1:1"))
	}
	if exchanges != 1 {
		t.Errorf("%d exchanges, want 1", exchanges)
	}
}

// TestAddressLimit_BodyUnread: nothing of a body is read above the limit.
func TestAddressLimit_BodyUnread(t *testing.T) {
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1})
	h := w.handler(t)
	admitted(t, h, by("a.b.c", "192.0.2.1:1"))
	body := bytes.NewBufferString(form(values("a.b.c", nil)))
	length := body.Len()
	r := httptest.NewRequest(http.MethodPost, delegationPath, body)
	if admitted(t, h, r) || body.Len() != length {
		t.Errorf("%d of %d bytes were read", length-body.Len(), length)
	}
}

// TestAddressLimit_Addresses: which requests count as one address.
func TestAddressLimit_Addresses(t *testing.T) {
	const one = "192.0.2.1:1"
	for name, row := range map[string]struct {
		proxies       int
		first, second origin
		same          bool
	}{
		"another port":    {0, origin{one, ""}, origin{"192.0.2.1:2", ""}, true},
		"another address": {0, origin{one, ""}, origin{"192.0.2.2:1", ""}, false},
		"IPv4 in IPv6":    {0, origin{one, ""}, origin{"[::ffff:192.0.2.1]:1", ""}, true},
		"one /64":         {0, origin{"[2001:db8::1]:1", ""}, origin{"[2001:db8::f]:1", ""}, true},
		"two /64": {0, origin{"[2001:db8::1]:1", ""}, origin{"[2001:db8:0:1::]:1", ""},
			false},
		"no address":         {0, origin{"@", ""}, origin{"", ""}, true},
		"forwarded, unasked": {0, origin{one, "1.1.1.1"}, origin{one, "2.2.2.2"}, true},
		"forwarded":          {1, origin{one, "1.1.1.1"}, origin{one, "2.2.2.2"}, false},
		"spoofed": {1, origin{one, "3.3.3.3, 1.1.1.1"}, origin{one, "4.4.4.4, 1.1.1.1"},
			true},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1})
			w.http.TrustedProxies = row.proxies
			h := w.handler(t)
			if !admitted(t, h, row.first.request()) {
				t.Fatal("the first request is refused")
			}
			if same := !admitted(t, h, row.second.request()); same != row.same {
				t.Errorf("they count as one: %t, want %t", same, row.same)
			}
		})
	}
}

// origin is where a request comes from: the connection's address, and X-Forwarded-For.
type origin struct{ remote, forwarded string }

func (c origin) request() *http.Request {
	r := by("a.b.c", c.remote)
	if c.forwarded != "" {
		r.Header.Set("X-Forwarded-For", c.forwarded)
	}
	return r
}

// TestAddressLimit_MaxAddresses: those seen last are remembered, and no more.
func TestAddressLimit_MaxAddresses(t *testing.T) {
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1, Per: time.Hour, MaxAddresses: 2})
	h := w.handler(t)
	for i := range 3 {
		if !admitted(t, h, by("a.b.c", fmt.Sprintf("192.0.2.%d:1", i))) {
			t.Fatalf("address %d is refused within the limit", i)
		}
	}
	for address, want := range map[string]bool{"192.0.2.2:1": false, "192.0.2.1:1": false} {
		if got := admitted(t, h, by("a.b.c", address)); got != want {
			t.Errorf("%s: admitted %t, want %t", address, got, want)
		}
	}
	if !admitted(t, h, by("a.b.c", "192.0.2.0:1")) {
		t.Error("the address seen first is remembered")
	}
}

// TestAddressLimit_Preflights: a browser's preflight counts for nothing, and a page can read the
// refusal of its request.
func TestAddressLimit_Preflights(t *testing.T) {
	const page = "https://app.example.com"
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1})
	w.http.AllowedOrigins = []string{page}
	h := w.handler(t)
	for range 3 {
		r := httptest.NewRequest(http.MethodOptions, delegationPath, nil)
		r.Header.Set("Origin", page)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		if recorder.Code != http.StatusNoContent {
			t.Fatalf("preflight: %d", recorder.Code)
		}
	}
	for _, want := range []int{500, 429} {
		r := by("a.b.c", "192.0.2.1:1")
		r.Header.Set("Origin", page)
		a := ask(t, h, r)
		if a.status != want || a.header.Get("Access-Control-Allow-Origin") != page {
			t.Errorf("got %d with %v, want %d that the page can read", a.status, a.header, want)
		}
	}
}

// TestAddressLimit_Log: the first refusal of an address is logged, and not each of a flood. After
// an admitted request the next refusal is logged.
func TestAddressLimit_Log(t *testing.T) {
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 1, Per: time.Second})
	h := w.handler(t)
	lines := func() int { return strings.Count(w.log.String(), addressRefused) }
	for range 10 {
		admitted(t, h, by("a.b.c", "192.0.2.1:1"))
	}
	if got := lines(); got != 1 {
		t.Errorf("nine refusals are logged %d times, want once", got)
	}
	if !strings.Contains(w.log.String(), `"ip":"192.0.2.1","status":429`) {
		t.Errorf("the log does not say who: %s", w.log)
	}
	admitted(t, h, by("a.b.c", "192.0.2.2:1"))
	admitted(t, h, by("a.b.c", "192.0.2.2:1"))
	if got := lines(); got != 2 {
		t.Errorf("the refusals of two addresses are logged %d times, want twice", got)
	}
	w.Clock.Advance(time.Second)
	admitted(t, h, by("a.b.c", "192.0.2.1:1"))
	admitted(t, h, by("a.b.c", "192.0.2.1:1"))
	if got := lines(); got != 3 {
		t.Errorf("after an admitted request there are %d lines, want 3", got)
	}
}

// TestAddressLimit_WithConfig: what addresses have left counts on after a change.
func TestAddressLimit_WithConfig(t *testing.T) {
	w, _ := addressed(t, delegationhttp.AddressLimit{Requests: 2})
	first := must(delegationhttp.New(w.http))
	request := func() *http.Request { return by("a.b.c", "192.0.2.1:1") }
	if !admitted(t, first.Delegation(), request()) {
		t.Fatal("refused within the limit")
	}
	same := must(first.WithConfig(w.http))
	if !admitted(t, same.Delegation(), request()) || admitted(t, same.Delegation(), request()) {
		t.Error("it is not one request that is left")
	}
	w.http.AddressLimit = delegationhttp.AddressLimit{}
	none := must(same.WithConfig(w.http))
	if !admitted(t, none.Delegation(), request()) {
		t.Error("refused without a limit")
	}
}

// TestMaxBody: the size is the configured one, at both endpoints that read a body, and each refusal
// is counted once.
func TestMaxBody(t *testing.T) {
	w, c := addressed(t, delegationhttp.AddressLimit{})
	w.http.MaxBody = 2048
	w.http.Console = &delegationhttp.Console{Issuer: "https://app.example.com/"}
	h := w.handler(t)
	for _, path := range []string{delegationPath, consolePath} {
		for size, want := range map[int]int{2048: 500, 2049: 413} {
			a := ask(t, h, post(path, formType, padded(formType, size)))
			if a.status != want {
				t.Errorf("%s, %d bytes: %d, want %d", path, size, a.status, want)
			}
			if want == 413 {
				a.refused(t, 413, "invalid_request", "the body has more than 2048 bytes")
			}
		}
	}
	size := delegationhttp.LimitSize
	if !slices.Equal(c.limits, []delegationhttp.Limit{size, size}) {
		t.Errorf("counted %q, want two of size", c.limits)
	}
}

// TestOnLimit_RefusalsOfOtherKinds: what no limit refuses is not counted.
func TestOnLimit_RefusalsOfOtherKinds(t *testing.T) {
	w, c := addressed(t, delegationhttp.AddressLimit{Requests: 100})
	h := w.handler(t)
	ask(t, h, post(delegationPath, "text/plain", "junk"))
	ask(t, h, get("", ""))
	ask(t, h, by("a.b.c", "192.0.2.1:1"))
	if len(c.limits) != 0 {
		t.Errorf("counted %q, want none", c.limits)
	}
}

// TestLimits_Refused: what New says of limits that make no sense.
func TestLimits_Refused(t *testing.T) {
	for want, c := range map[string]delegationhttp.Config{
		"AddressLimit: none of Requests, Per and MaxAddresses may be negative": {
			AddressLimit: delegationhttp.AddressLimit{Requests: -1}},
		"AddressLimit: none of Requests, Per and MaxAddresses may be negative, Requests": {
			AddressLimit: delegationhttp.AddressLimit{Requests: 1, MaxAddresses: -1}},
		"AddressLimit: there is no limit while Requests is zero": {
			AddressLimit: delegationhttp.AddressLimit{Per: time.Minute}},
		"MaxBody: 1023 is not between 1024 and 1048576 bytes":    {MaxBody: 1023},
		"MaxBody: 1048577 is not between 1024 and 1048576 bytes": {MaxBody: 1<<20 + 1},
		"MaxBody: -1 is not between":                             {MaxBody: -1},
	} {
		c.Exchanger = failing(nil)
		if _, err := delegationhttp.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for _, size := range []int{0, 1024, 1 << 20} {
		c := delegationhttp.Config{Exchanger: failing(nil), MaxBody: size}
		if _, err := delegationhttp.New(c); err != nil {
			t.Errorf("MaxBody %d: %v", size, err)
		}
	}
}
