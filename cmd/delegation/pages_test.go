package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestServe_Pages: pages of listed origins may call each endpoint that exchanges a token, and read
// why it was refused. Metadata and health are not for pages.
func TestServe_Pages(t *testing.T) {
	const (
		app   = "https://app.example.com"
		other = "https://other.example.com"
	)
	w := newWorld(t)
	s := serve(t, w.configFile(t,
		"http: {allowed_origins: ["+app+"], roles: true, token: true}"))
	good := w.token(nil)
	form := func(token string) string {
		return url.Values{
			"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"subject_token":      {token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
			"audience":           {"photo-app"},
		}.Encode()
	}
	for _, row := range []struct {
		method, path, headers, token string
		status                       int
		forPages                     bool
	}{
		{http.MethodGet, "/credentials?target=photo-app", "authorization", good, http.StatusOK, true},
		{http.MethodGet, "/credentials?target=photo-app", "authorization", "x", http.StatusBadRequest, true},
		{http.MethodGet, "/roles?target=photo-app", "authorization", good, http.StatusOK, true},
		{http.MethodGet, "/roles?target=none", "authorization", good, http.StatusNotFound, true},
		{http.MethodPost, "/token", "content-type", good, http.StatusOK, true},
		{http.MethodPost, "/token", "content-type", "x", http.StatusBadRequest, true},
		{http.MethodGet, "/metadata", "authorization", good, http.StatusOK, false},
		{http.MethodGet, "/none", "authorization", good, http.StatusNotFound, false},
	} {
		for _, origin := range []string{app, other} {
			want := ""
			if origin == app && row.forPages {
				want = origin
			}
			name := row.method + " " + row.path + " from " + origin
			ask := func(method, body string, header map[string]string) *http.Response {
				r, err := http.NewRequest(method, s.url+row.path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Origin", origin)
				for key, value := range header {
					r.Header.Set(key, value)
				}
				answer, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				_, _ = io.Copy(io.Discard, answer.Body)
				if got := answer.Header.Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("%s: %s may be read by %q, want %q", name, method, got, want)
				}
				return answer
			}
			preflight := ask(http.MethodOptions, "", map[string]string{
				"Access-Control-Request-Method":  row.method,
				"Access-Control-Request-Headers": row.headers,
			})
			if allowed := preflight.StatusCode == http.StatusNoContent; allowed != (want != "") {
				t.Errorf("%s: the preflight is %d", name, preflight.StatusCode)
			}
			body, header := "", map[string]string{"Authorization": "Bearer " + row.token}
			if row.method == http.MethodPost {
				body = form(row.token)
				header = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
			}
			if got := ask(row.method, body, header); got.StatusCode != row.status {
				t.Errorf("%s: got %d, want %d", name, got.StatusCode, row.status)
			}
		}
	}
}
