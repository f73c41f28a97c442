package delegationhttp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// pageEndpoint is an endpoint that pages may call, with a request that succeeds.
type pageEndpoint struct {
	path, method string
	headers      string // a page asks whether it may send these
	good         func(token string) *http.Request
}

var pageEndpoints = []pageEndpoint{
	{credentialsPath, http.MethodGet, "authorization", func(token string) *http.Request {
		return get("?target="+app, "Bearer "+token)
	}},
	{rolesPath, http.MethodGet, "authorization", func(token string) *http.Request {
		return getRoles("?target="+app, "Bearer "+token)
	}},
	{tokenPath, http.MethodPost, "content-type", func(token string) *http.Request {
		return postToken(exchangeForm(token, nil))
	}},
}

// lister fails with the same error whatever is asked.
type lister struct {
	exchanger
	err error
}

func (l lister) Roles(
	context.Context, string, string, ...delegation.ExchangeOption,
) ([]delegation.RoleOption, error) {
	return nil, l.err
}

// failingWith are the handlers of an Exchanger that fails, for pages of one origin.
func failingWith(t *testing.T, code delegation.Code, stage delegation.Stage) http.Handler {
	t.Helper()
	err := &delegation.Error{Stage: stage, Code: code}
	return mount(t, delegationhttp.Config{
		Exchanger:      lister{failing(err), err},
		AllowedOrigins: []string{page},
		Roles:          true,
	})
}

// TestCORS_EachEndpoint: whatever the answer is, a page of a listed origin can read it, and when to
// retry. To another origin the answer is the same without the headers that let its page read it.
func TestCORS_EachEndpoint(t *testing.T) {
	for _, e := range pageEndpoints {
		t.Run(e.path[1:], func(t *testing.T) {
			for name, row := range corsRows(t, e) {
				t.Run(name, func(t *testing.T) {
					listed := ask(t, row.h(t), from(page, row.r()))
					want := []string{
						"Access-Control-Allow-Origin: " + page,
						"Access-Control-Expose-Headers: Retry-After, X-Ratelimit-Limit, " +
							"X-Ratelimit-Remaining, X-Ratelimit-Reset, X-Request-Id",
						"Vary: Origin",
					}
					got := corsOf(listed.header)
					if listed.status != row.status || !slices.Equal(got, want) {
						t.Errorf("got %d %q", listed.status, got)
					}
					if listed.header.Get("X-Request-ID") == "" {
						t.Error("it has no X-Request-ID")
					}
					other := ask(t, row.h(t), from("https://evil.example.com", row.r()))
					got = corsOf(other.header)
					if other.status != row.status || !slices.Equal(got, []string{"Vary: Origin"}) {
						t.Errorf("another origin: got %d %q", other.status, got)
					}
				})
			}
		})
	}
}

// corsRow is an answer: who gives it, each time anew, and to what.
type corsRow struct {
	status int
	h      func(*testing.T) http.Handler
	r      func() *http.Request
}

// corsRows are a success and a refusal of each kind.
func corsRows(t *testing.T, e pageEndpoint) map[string]corsRow {
	t.Helper()
	w := rolesWorld(t)
	w.http.AllowedOrigins = []string{page}
	token := w.Token(nil)
	handler := func(t *testing.T) http.Handler { return w.handler(t) }
	good := func() *http.Request { return e.good(token) }
	denied := http.StatusUnauthorized
	if e.path == tokenPath {
		denied = http.StatusBadRequest // the words of RFC 8693 §2.2.2
	}
	rows := map[string]corsRow{
		"success":     {http.StatusOK, handler, good},
		"not a token": {http.StatusBadRequest, handler, func() *http.Request { return e.good("x") }},
		"denied": {denied, func(t *testing.T) http.Handler {
			return failingWith(t, delegation.CodeDenied, delegation.StageRules)
		}, good},
		"another method": {http.StatusMethodNotAllowed, handler, func() *http.Request {
			r := good()
			r.Method = map[string]string{
				http.MethodGet:  http.MethodPost,
				http.MethodPost: http.MethodGet,
			}[e.method]
			return r
		}},
		"the limit of a user": {http.StatusTooManyRequests, func(t *testing.T) http.Handler {
			limited := w.http
			limited.RateLimit = delegationhttp.RateLimit{Requests: 1}
			return used(t, w, limited, good())
		}, good},
		"the limit of an address": {http.StatusTooManyRequests, func(t *testing.T) http.Handler {
			limited := w.http
			limited.AddressLimit = delegationhttp.AddressLimit{Requests: 1}
			return used(t, w, limited, good())
		}, good},
		"the configuration is wrong": {
			http.StatusInternalServerError, func(t *testing.T) http.Handler {
				return failingWith(t, "", delegation.StageConfig)
			}, good,
		},
		"AWS refused": {http.StatusBadGateway, func(t *testing.T) http.Handler {
			return failingWith(t, "", delegation.StageSTS)
		}, good},
		"AWS is away": {http.StatusServiceUnavailable, func(t *testing.T) http.Handler {
			return failingWith(t, delegation.CodeSTSUnavailable, delegation.StageSTS)
		}, good},
	}
	switch e.path {
	case tokenPath:
		rows["a long body"] = corsRow{
			http.StatusRequestEntityTooLarge, handler,
			func() *http.Request { return postToken(padded(formType, maxBody+1)) },
		}
		rows["another content type"] = corsRow{
			http.StatusUnsupportedMediaType, handler,
			func() *http.Request { return post(tokenPath, "text/plain", "") },
		}
	default:
		rows["no token"] = corsRow{
			http.StatusUnauthorized, handler,
			func() *http.Request {
				return httptest.NewRequest(e.method, e.path+"?target="+app, nil)
			},
		}
		rows["no such target"] = corsRow{
			http.StatusNotFound, handler, func() *http.Request {
				r := good()
				r.URL.RawQuery = "target=elsewhere"
				return r
			},
		}
	}
	return rows
}

// used are handlers that have answered one request.
func used(t *testing.T, w *world, c delegationhttp.Config, r *http.Request) http.Handler {
	t.Helper()
	before := w.http
	w.http = c
	h := w.handler(t)
	w.http = before
	if a := ask(t, h, r); a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	return h
}

// TestCORS_EachPreflight: it is answered before a token is asked for and before a limit counts,
// with what the endpoint needs, to listed origins alone.
func TestCORS_EachPreflight(t *testing.T) {
	w := rolesWorld(t)
	w.http.AllowedOrigins = []string{page}
	w.http.AddressLimit = delegationhttp.AddressLimit{Requests: 1}
	h := w.handler(t)
	for _, e := range pageEndpoints {
		for range 3 {
			got := preflight(h, e.path, page, e.method, e.headers)
			want := []string{
				"Access-Control-Allow-Headers: " + e.headers,
				"Access-Control-Allow-Methods: " + e.method,
				"Access-Control-Allow-Origin: " + page,
				"Access-Control-Max-Age: 600",
				varyOfPreflight,
			}
			if lines := corsOf(got.Header()); got.Code != http.StatusNoContent ||
				got.Body.Len() > 0 || !slices.Equal(lines, want) {
				t.Errorf("%s: got %d %q %s", e.path, got.Code, lines, got.Body)
			}
		}
		for name, got := range map[string]*httptest.ResponseRecorder{
			"another origin": preflight(h, e.path, "https://evil.example.com", e.method, e.headers),
			"null":           preflight(h, e.path, "null", e.method, e.headers),
			"another port":   preflight(h, e.path, page+":8443", e.method, e.headers),
			"another method": preflight(h, e.path, page, http.MethodPut, e.headers),
			"another header": preflight(h, e.path, page, e.method, e.headers+",x-other"),
		} {
			a := asked(t, got)
			lines := corsOf(a.header)
			if a.status != http.StatusForbidden || !slices.Equal(lines, []string{varyOfPreflight}) ||
				!strings.Contains(string(a.body), "access_denied") {
				t.Errorf("%s, %s: got %d %q %s", e.path, name, a.status, lines, a.body)
			}
		}
	}
}
