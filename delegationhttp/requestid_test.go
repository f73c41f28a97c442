package delegationhttp_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// TestRequestID: an answer, its event and what rules see have the same ID. What strangers send is
// not taken, and nothing that is more than a name.
func TestRequestID(t *testing.T) {
	w := newWorld(t)
	token := w.Token(nil)
	const good = "Root=1-67891233-abc/def+012:3456@host.example_x~y"
	for _, row := range []struct {
		sent    []string
		proxies int
		kept    bool
	}{
		{nil, 0, false},
		{nil, 1, false},
		{[]string{good}, 0, false}, // anybody may have sent it
		{[]string{good}, 1, true},
		{[]string{good}, 2, true},
		{[]string{strings.Repeat("a", 128)}, 1, true},
		{[]string{"a"}, 1, true},
		{[]string{strings.Repeat("a", 129)}, 1, false},
		{[]string{""}, 1, false},
		{[]string{"a", "a"}, 1, false}, // a client's and the proxy's
		{[]string{"a b"}, 1, false},
		{[]string{"a\x00"}, 1, false},
		{[]string{"a\x1b[31m"}, 1, false},
		{[]string{`a"b`}, 1, false},
		{[]string{"<a>"}, 1, false},
		{[]string{"ä"}, 1, false},
	} {
		w.http.TrustedProxies = row.proxies
		for _, r := range []*http.Request{
			post(delegationPath, formType, form(values(token, nil))),
			get("?target="+app, token),
		} {
			r.Header["X-Request-Id"] = row.sent
			a := ask(t, w.handler(t), r)
			if a.status != http.StatusOK {
				t.Fatalf("got %d", a.status)
			}
			id := a.header.Get("X-Request-ID")
			kept := len(row.sent) == 1 && id == row.sent[0]
			if kept != row.kept || !kept && !madeID.MatchString(id) {
				t.Errorf("%q behind %d proxies: the answer has %q", row.sent, row.proxies, id)
			}
			if rc, e := w.last(t); rc.Request.ID != id || e.HTTPRequestID != id {
				t.Errorf("the answer has %q, rules see %q, the event has %q", id, rc.Request.ID,
					e.HTTPRequestID)
			}
		}
	}
}

var madeID = regexp.MustCompile(`\A[A-Z2-7]{26}\z`)

// TestRequestID_OfARefusal: support finds the record of an answer that is none of an exchange.
func TestRequestID_OfARefusal(t *testing.T) {
	for name, row := range map[string]struct {
		request *http.Request
		message string
	}{
		"request": {post(delegationPath, formType, ""), "request refused"},
		"method":  {get("", "").WithContext(t.Context()), "request refused"},
		"preflight": {
			httptest.NewRequest(http.MethodOptions, delegationPath, nil),
			"preflight refused",
		},
		"exchange": {
			post(delegationPath, formType, form(values("token", nil))),
			"exchange without an answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			h := mount(t, delegationhttp.Config{
				Exchanger:      failing(http.ErrAbortHandler),
				TrustedProxies: 1,
				Logger:         log.logger(),
			})
			row.request.Header.Set("X-Request-ID", "an-id")
			row.request.Header.Set("Access-Control-Request-Method", http.MethodPost)
			a := ask(t, h, row.request)
			if a.header.Get("X-Request-ID") != "an-id" ||
				!strings.Contains(log.String(), `"msg":"`+row.message+`"`) ||
				!strings.Contains(log.String(), `"http_request_id":"an-id"`) {
				t.Errorf("%v, log %s", a.header, &log)
			}
		})
	}
}

// TestRequestID_OfTheProgramAround: the ID that a middleware has given is kept.
func TestRequestID_OfTheProgramAround(t *testing.T) {
	inner := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), TrustedProxies: 1})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Request-ID", "of-the-middleware")
		inner.ServeHTTP(w, r)
	})
	r := post(delegationPath, formType, form(values("token", nil)))
	r.Header.Set("X-Request-ID", "of-the-proxy")
	if id := ask(t, h, r).header.Get("X-Request-ID"); id != "of-the-middleware" {
		t.Errorf("the answer has %q", id)
	}
}
