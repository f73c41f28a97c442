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

// preflight asks as browsers do before a request with such a method and headers; an empty list asks
// for none.
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

// pagePaths are the endpoints that pages may call, and their methods.
var pagePaths = map[string]string{
	delegationPath:  http.MethodPost,
	consolePath:     http.MethodPost,
	credentialsPath: http.MethodGet,
}

const notListed = "pages of this origin may not call this service: its operator has not listed it"

// TestNoCORSByDefault: not a header of it, on success, refusal or preflight.
func TestNoCORSByDefault(t *testing.T) {
	h := mount(t, delegationhttp.Config{
		Exchanger:       exchanger(agreeable),
		AllowedOrigins:  []string{},
		Console:         &delegationhttp.Console{Endpoint: "https://127.0.0.1:1/"},
		ContainerTarget: app,
	})
	for path, method := range pagePaths {
		good := post(path, formType, form(values("token", nil)))
		good.Method = method
		good.Header.Set("Authorization", "token")
		preflight := httptest.NewRequest(http.MethodOptions, path, nil)
		preflight.Header.Set("Access-Control-Request-Method", method)
		options := httptest.NewRequest(http.MethodOptions, path, nil)
		for _, r := range []*http.Request{preflight, options, good, post(path, formType, "")} {
			a := ask(t, h, from(page, r))
			if lines := corsOf(a.header); len(lines) > 0 {
				t.Errorf("%s %s: %q", r.Method, path, lines)
			}
			switch r {
			case preflight:
				a.refused(t, 403, "access_denied", notListed)
			case options:
				a.refused(t, 405, "invalid_request", "the method must be "+method)
			}
		}
	}
}

// TestAllowedOrigins compares origins as a whole.
func TestAllowedOrigins(t *testing.T) {
	list := []string{
		page, "http://localhost:3000", "https://[2001:db8::1]:8443", "chrome-extension://abcdef",
		"capacitor://localhost",
	}
	h := mount(t, delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: list})
	allowed := map[string]bool{}
	for _, origin := range list {
		allowed[origin] = true
	}
	for _, origin := range append(list,
		"", "null", "*", "https://APP.example.com", "HTTPS://app.example.com",
		"http://app.example.com", page+":443", page+":8443", page+"/", page+".", page+" ",
		"https://evil-app.example.com", "https://evil.app.example.com", page+".evil.example.com",
		"https://app.example.com.", "https://example.com", "app.example.com",
		"https://app_example.com", "https://appXexample.com", "http://localhost",
		"http://localhost:30000", "http://localhost:300", page+", "+page, page+"\x00",
	) {
		t.Run(origin, func(t *testing.T) {
			want := []string{"Vary: Origin"}
			if allowed[origin] {
				want = []string{
					"Access-Control-Allow-Origin: " + origin,
					"Access-Control-Expose-Headers: Retry-After, X-Ratelimit-Limit, " +
						"X-Ratelimit-Remaining, X-Ratelimit-Reset, X-Request-Id",
					"Vary: Origin",
				}
			}
			// It is for the browser to refuse.
			a := ask(t, h, from(origin, post(delegationPath, formType, form(values("token", nil)))))
			a.granted(t)
			if got := corsOf(a.header); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			for path, method := range pagePaths {
				w := preflight(h, path, origin, method, "content-type")
				want := []string{varyOfPreflight}
				if allowed[origin] {
					want = []string{
						"Access-Control-Allow-Headers: content-type",
						"Access-Control-Allow-Methods: " + method,
						"Access-Control-Allow-Origin: " + origin,
						"Access-Control-Max-Age: 600",
						varyOfPreflight,
					}
				}
				if got := corsOf(w.Header()); !slices.Equal(got, want) {
					t.Errorf("preflight of %s: got %q, want %q", path, got, want)
				}
				answered := w.Code == http.StatusNoContent && w.Body.Len() == 0
				refused := w.Code == http.StatusForbidden && w.Body.Len() > 0
				if allowed[origin] && !answered || !allowed[origin] && !refused {
					t.Errorf("preflight of %s: got %d %s", path, w.Code, w.Body)
				}
			}
		})
	}
}

// TestPreflight: the headers of Auth0's clients or the ID token's, the methods of the handlers, and
// no others.
func TestPreflight(t *testing.T) {
	const (
		auth0     = "the headers that a page may send here are Content-Type, Auth0-Client"
		container = "the headers that a page may send here are Authorization, Content-Type"
		post      = "the method must be POST"
		get       = "the method must be GET"
	)
	auth0Paths := []string{delegationPath, consolePath} // whether console sign-in is on or off
	containerPath := []string{credentialsPath}
	h := mount(t, delegationhttp.Config{
		Exchanger:      exchanger(agreeable),
		AllowedOrigins: []string{page},
	})
	for _, row := range []struct {
		paths           []string
		method, headers string
		refused         string // "": it is allowed
	}{
		{auth0Paths, "POST", "", ""},
		{auth0Paths, "POST", "content-type", ""},
		{auth0Paths, "POST", "auth0-client", ""},
		{auth0Paths, "POST", "auth0-client,content-type", ""},
		{auth0Paths, "POST", "auth0-client, content-type", ""},
		{auth0Paths, "GET", "", ""}, // and gets its 405
		{auth0Paths, "POST", "authorization", auth0},
		{auth0Paths, "POST", "authorization,content-type", auth0},
		{auth0Paths, "POST", "content-type,x-other", auth0},
		{auth0Paths, "POST", "*", auth0},
		{auth0Paths, "PUT", "", post},
		{auth0Paths, "DELETE", "content-type", post},
		{auth0Paths, "PATCH", "", post},
		{containerPath, "GET", "", ""},
		{containerPath, "GET", "authorization", ""},
		{containerPath, "GET", "authorization,content-type", ""},
		{containerPath, "GET", "authorization, content-type", ""},
		{containerPath, "POST", "authorization", ""}, // and gets its 405
		{containerPath, "GET", "auth0-client,authorization", container},
		{containerPath, "GET", "authorization,x-other", container},
		{containerPath, "GET", "*", container},
		{containerPath, "PUT", "authorization", get},
		{containerPath, "get", "authorization", get},
	} {
		for _, path := range row.paths {
			name := path + " " + row.method + " " + row.headers
			w := preflight(h, path, page, row.method, row.headers)
			header := w.Header()
			if row.refused != "" {
				a := asked(t, w)
				a.refused(t, 403, "access_denied", row.refused)
				want := []string{varyOfPreflight}
				if got := corsOf(header); !slices.Equal(got, want) {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
				continue
			}
			if w.Code != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != page {
				t.Errorf("%s: got %d %v", name, w.Code, header)
			}
			if header.Get("Access-Control-Allow-Methods") != row.method ||
				header.Get("Access-Control-Allow-Headers") != row.headers {
				t.Errorf("%s: got %v", name, header)
			}
			if header.Get("Access-Control-Allow-Credentials") != "" ||
				header.Get("Access-Control-Allow-Private-Network") != "" {
				t.Errorf("cookies and private networks play no part: %v", header)
			}
		}
	}
}

const varyOfPreflight = "Vary: Origin, Access-Control-Request-Method, " +
	"Access-Control-Request-Headers"

// TestPreflightRefusedIsLogged: with what was asked for, in bounded length, and what to configure.
func TestPreflightRefusedIsLogged(t *testing.T) {
	const list = "add it to AllowedOrigins " +
		"(http.allowed_origins in delegation.yaml, --allow-origin of delegation serve)"
	long := strings.Repeat("x", 4096)
	for name, row := range map[string]struct {
		origins                 []string
		origin, method, headers string
		logged                  []string
	}{
		"an origin": {[]string{page}, "https://evil.example.com", "GET", "authorization", []string{
			`"origin":"https://evil.example.com","method":"GET","headers":"authorization",` +
				`"status":403,"error":"` + notListed + `"`, list,
		}},
		"no list": {nil, page, "GET", "", []string{`"error":"` + notListed + `"`, list}},
		"no origin": {[]string{"*"}, "", "GET", "",
			[]string{`"error":"the preflight has no Origin"`}},
		"a method": {[]string{"*"}, page, "PUT", "", []string{`"error":"the method must be GET"`}},
		"a header": {[]string{page}, page, "GET", "x-other", []string{
			`"headers":"x-other"`, `"error":"the headers that a page may send here are `,
		}},
		"a long one": {[]string{page}, long, long, long, []string{
			`"origin":"` + long[:200] + `","method":"` + long[:40] + `","headers":"` +
				long[:200] + `"`,
		}},
		"a null origin": {[]string{page}, "null", "GET", "", []string{`"origin":"null"`, list}},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			h := mount(t, delegationhttp.Config{
				Exchanger:      exchanger(agreeable),
				AllowedOrigins: row.origins,
				Logger:         log.logger(),
			})
			a := asked(t, preflight(h, credentialsPath, row.origin, row.method, row.headers))
			if a.status != http.StatusForbidden {
				t.Errorf("got %d %s", a.status, a.body)
			}
			const line = `"level":"INFO","msg":"preflight refused","path":"/credentials",` +
				`"ip":"192.0.2.1"`
			for _, want := range append(row.logged, line) {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log lacks %s: %s", want, &log)
				}
			}
			if lines := strings.Count(log.String(), "\n"); lines != 1 || len(log.String()) > 1200 {
				t.Errorf("%d lines, %d bytes: %s", lines, len(log.String()), &log)
			}
			log = buffer{}
			preflight(h, credentialsPath, page, "GET", "authorization")
			if allowed := row.origins != nil; (log.String() == "") != allowed {
				t.Errorf("a preflight that is answered: %s", &log)
			}
		})
	}
}

// TestAnyOrigin must be asked for by its name.
func TestAnyOrigin(t *testing.T) {
	h := mount(t,
		delegationhttp.Config{Exchanger: exchanger(agreeable), AllowedOrigins: []string{"*"}})
	for _, origin := range []string{page, "null", "https://evil.example.com"} {
		a := ask(t, h, from(origin, post(delegationPath, formType, form(values("token", nil)))))
		a.granted(t)
		if a.header.Get("Access-Control-Allow-Origin") != "*" ||
			a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%q: got %q", origin, corsOf(a.header))
		}
		for path, headers := range map[string]string{
			delegationPath:  "auth0-client,content-type",
			consolePath:     "content-type",
			credentialsPath: "authorization",
		} {
			w := preflight(h, path, origin, pagePaths[path], headers)
			if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%q: preflight of %s: %d %v", origin, path, w.Code, w.Header())
			}
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
		401: {h, post(delegationPath, formType,
			form(values(w.Token(nil), map[string]any{"client_id": "other"})))},
		404: {h, post(consolePath, formType, "")},
		405: {h, httptest.NewRequest(http.MethodGet, delegationPath+"?cbx=jsonp", nil)},
		413: {h, post(delegationPath, formType, padded(formType, maxBody+1))},
		415: {h, post(delegationPath, "text/plain", "")},
		429: {h, post(delegationPath, formType, good)},
		503: {
			mount(t, delegationhttp.Config{
				Exchanger:      failing(&delegation.Error{Code: delegation.CodeSTSThrottled}),
				AllowedOrigins: w.http.AllowedOrigins,
			}),
			post(delegationPath, formType, good),
		},
	} {
		a := ask(t, row.h, from(page, row.r))
		if a.status != status || a.header.Get("Access-Control-Allow-Origin") != page ||
			a.header.Get("Vary") != "Origin" ||
			!strings.Contains(a.header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%d: got %d %q", status, a.status, corsOf(a.header))
		}
	}
}
