package delegationhttp_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

const page = "https://app.example.com"

// corsOf returns the headers of CORS.
func corsOf(header http.Header) (lines []string) {
	for _, line := range flat(header) {
		if strings.HasPrefix(line, "Access-Control-") || strings.HasPrefix(line, "Vary:") {
			lines = append(lines, line)
		}
	}
	return lines
}

// from is a request of a page's script.
func from(origin string, r *http.Request) *http.Request {
	r.Header.Set("Origin", origin)
	return r
}

// preflight asks as browsers do before a request with such a method and headers; an empty list asks for none.
func preflight(h http.Handler, path, origin, method, headers string) *httptest.ResponseRecorder {
	r := from(origin, httptest.NewRequest(http.MethodOptions, path, nil))
	r.Header.Set("Access-Control-Request-Method", method)
	if headers != "" {
		r.Header.Set("Access-Control-Request-Headers", headers)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestNoCORSByDefault: not a header of it, on success, refusal or preflight.
func TestNoCORSByDefault(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: []string{}, Console: &delegationhttp.Console{Endpoint: "https://127.0.0.1:1/"}})
	for path, body := range map[string]string{delegationPath: form(values("token", nil)), consolePath: ""} {
		options := from(page, httptest.NewRequest(http.MethodOptions, path, nil))
		options.Header.Set("Access-Control-Request-Method", "POST")
		for _, r := range []*http.Request{options, from(page, post(path, formType, body)), from(page, httptest.NewRequest(http.MethodGet, path, nil))} {
			a := ask(t, h, r)
			if lines := corsOf(a.header); len(lines) > 0 {
				t.Errorf("%s %s: %q", r.Method, path, lines)
			}
			if r.Method == http.MethodOptions {
				a.refused(t, 405, "invalid_request", "the method must be POST")
			}
		}
	}
}

// TestAllowedOrigins compares origins as a whole.
func TestAllowedOrigins(t *testing.T) {
	list := []string{page, "http://localhost:3000", "https://[2001:db8::1]:8443", "chrome-extension://abcdef", "capacitor://localhost"}
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: list})
	allowed := map[string]bool{}
	for _, origin := range list {
		allowed[origin] = true
	}
	for _, origin := range append(list,
		"", "null", "*", "https://APP.example.com", "HTTPS://app.example.com", "http://app.example.com", page+":443", page+":8443", page+"/", page+".", page+" ",
		"https://evil-app.example.com", "https://evil.app.example.com", page+".evil.example.com", "https://app.example.com.", "https://example.com", "app.example.com",
		"https://app_example.com", "https://appXexample.com", "http://localhost", "http://localhost:30000", "http://localhost:300", page+", "+page, page+"\x00",
	) {
		t.Run(origin, func(t *testing.T) {
			want := []string{"Vary: Origin"}
			wantPreflight := []string{"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
			if allowed[origin] {
				want = []string{"Access-Control-Allow-Origin: " + origin,
					"Access-Control-Expose-Headers: Retry-After, X-Ratelimit-Limit, X-Ratelimit-Remaining, X-Ratelimit-Reset", "Vary: Origin"}
				wantPreflight = []string{"Access-Control-Allow-Headers: content-type", "Access-Control-Allow-Methods: POST", "Access-Control-Allow-Origin: " + origin,
					"Access-Control-Max-Age: 600", wantPreflight[0]}
			}
			a := ask(t, h, from(origin, post(delegationPath, formType, form(values("token", nil))))) // it is for the browser to refuse
			a.granted(t)
			if got := corsOf(a.header); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			w := preflight(h, delegationPath, origin, "POST", "content-type")
			if got := corsOf(w.Header()); w.Code != http.StatusNoContent || w.Body.Len() > 0 || !slices.Equal(got, wantPreflight) {
				t.Errorf("preflight: got %d %q, want %q", w.Code, got, wantPreflight)
			}
		})
	}
}

// TestPreflight: the two headers of Auth0's clients and the methods of the handlers, and no others.
func TestPreflight(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: []string{page}})
	for _, row := range []struct {
		method, headers string
		allowed         bool
	}{
		{"POST", "", true}, {"POST", "content-type", true}, {"POST", "auth0-client", true}, {"POST", "auth0-client,content-type", true}, {"POST", "auth0-client, content-type", true},
		{"GET", "", true}, // and gets its 405
		{"POST", "authorization", false}, {"POST", "authorization,content-type", false}, {"POST", "content-type,x-other", false}, {"POST", "*", false},
		{"PUT", "", false}, {"DELETE", "content-type", false}, {"PATCH", "", false},
	} {
		for _, path := range []string{delegationPath, consolePath} { // before it is known whether console sign-in is on
			w := preflight(h, path, page, row.method, row.headers)
			header := w.Header()
			if got := header.Get("Access-Control-Allow-Origin") == page; w.Code != http.StatusNoContent || got != row.allowed {
				t.Errorf("%s %s %q: got %d %v", path, row.method, row.headers, w.Code, header)
			}
			if row.allowed && (header.Get("Access-Control-Allow-Methods") != row.method || header.Get("Access-Control-Allow-Headers") != row.headers) {
				t.Errorf("%s %s %q: got %v", path, row.method, row.headers, header)
			}
			if header.Get("Access-Control-Allow-Credentials") != "" || header.Get("Access-Control-Allow-Private-Network") != "" {
				t.Errorf("cookies and private networks play no part: %v", header)
			}
		}
	}
}

// TestAnyOrigin must be asked for by its name.
func TestAnyOrigin(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: []string{"*"}})
	for _, origin := range []string{page, "null", "https://evil.example.com"} {
		a := ask(t, h, from(origin, post(delegationPath, formType, form(values("token", nil)))))
		a.granted(t)
		if a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%q: got %q", origin, corsOf(a.header))
		}
		if w := preflight(h, delegationPath, origin, "POST", "auth0-client,content-type"); w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%q: preflight %v", origin, w.Header())
		}
	}
}

// TestCORSOnRefusals: a page must be able to read why it was refused, and when to come back.
func TestCORSOnRefusals(t *testing.T) {
	w := newWorld(t)
	w.http.AllowedOrigins = []string{page}
	w.http.RateLimit = delegationhttp.RateLimit{Requests: 1}
	h := w.handler(t)
	good := form(values(w.Token(nil), nil))
	ask(t, h, post(delegationPath, formType, good)).granted(t)
	for status, row := range map[int]struct {
		h http.Handler
		r *http.Request
	}{
		400: {h, post(delegationPath, formType, "")},
		401: {h, post(delegationPath, formType, form(values(w.Token(nil), map[string]any{"client_id": "other"})))},
		404: {h, post(consolePath, formType, "")},
		405: {h, httptest.NewRequest(http.MethodGet, delegationPath+"?cbx=jsonp", nil)},
		413: {h, post(delegationPath, formType, padded(formType, maxBody+1))},
		415: {h, post(delegationPath, "text/plain", "")},
		429: {h, post(delegationPath, formType, good)},
		503: {mount(t, delegationhttp.Config{Exchanger: failing(&delegation.Error{Code: delegation.CodeSTSThrottled}), AllowedOrigins: w.http.AllowedOrigins}),
			post(delegationPath, formType, good)},
	} {
		a := ask(t, row.h, from(page, row.r))
		if a.status != status || a.header.Get("Access-Control-Allow-Origin") != page || a.header.Get("Vary") != "Origin" ||
			!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%d: got %d %q", status, a.status, corsOf(a.header))
		}
	}
}
