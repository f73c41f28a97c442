package delegationhttp_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
)

// troubled answers for the issuer what the function makes of the request, and else what the issuer
// answers.
func (w *world) troubled(answer func(path string) (*http.Response, error)) {
	issuer := w.provider
	w.library.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := answer(r.URL.Path)
		if response != nil || err != nil {
			return response, err
		}
		recorder := httptest.NewRecorder()
		issuer.ServeHTTP(recorder, r)
		return recorder.Result(), nil
	})}
}

// document is an answer with a status and a body.
func document(status int, body string) *http.Response {
	header := http.Header{}
	if status >= 300 && status < 400 {
		header.Set("Location", "https://sso.example.com/login")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// doors are the requests of one token by which an exchange is asked for.
func doors(token string) map[string]*http.Request {
	return map[string]*http.Request{
		"delegation":            post(delegationPath, formType, form(values(token, nil))),
		"container credentials": get("?target="+app, token),
		"console":               post(consolePath, jsonType, object(values(token, nil))),
	}
}

// exchangeLevels are the levels of the records of exchanges in the log.
func (w *world) exchangeLevels(t testing.TB) (levels []string) {
	t.Helper()
	for line := range strings.Lines(w.log.String()) {
		var record struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Msg == "exchange" {
			levels = append(levels, record.Level)
		}
	}
	return levels
}

// TestIssuerTrouble: that an issuer cannot be asked, or answers with what nobody can use, is no fault
// of who sends a token. It is 503 through every door; what somebody has to mend is in the log at Error.
func TestIssuerTrouble(t *testing.T) {
	const html = "<!DOCTYPE html><html><body>maintenance canary</body></html>"
	key := string(must(oidctest.New(oidctest.Config{Key: issuerKey()})).KeySet())
	key = strings.TrimSuffix(strings.TrimPrefix(key, `{"keys":[`), "]}")
	for name, row := range map[string]struct {
		discovery bool // or else the key set
		status    int
		body      string
		code      delegation.Code
		level     slog.Level
	}{
		"HTML":                  {false, 200, html, delegation.CodeKeySetInvalid, slog.LevelError},
		"HTML for discovery":    {true, 200, html, delegation.CodeKeySetInvalid, slog.LevelError},
		"redirect":              {false, 302, "", delegation.CodeKeySetRedirect, slog.LevelError},
		"redirect of discovery": {true, 302, "", delegation.CodeKeySetRedirect, slog.LevelError},
		"empty":                 {false, 200, "", delegation.CodeKeySetInvalid, slog.LevelError},
		"empty discovery":       {true, 200, " \n", delegation.CodeKeySetInvalid, slog.LevelError},
		"no key":                {false, 200, `{"keys":[]}`, delegation.CodeKeySetInvalid, slog.LevelError},
		"truncated":             {false, 200, `{"keys":[` + key, delegation.CodeKeySetInvalid, slog.LevelError},
		"truncated discovery":   {true, 200, `{"issuer":"ht`, delegation.CodeKeySetInvalid, slog.LevelError},
		"two keys of one kid":   {false, 200, `{"keys":[` + key + "," + key + "]}", delegation.CodeKeySetDuplicateID, slog.LevelError},
		"a secret":              {false, 200, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, delegation.CodeKeySetSymmetric, slog.LevelError},
		"too large":             {false, 200, strings.Repeat(" ", 1<<20+1), delegation.CodeKeySetTooLarge, slog.LevelError},
		"of another issuer":     {true, 200, `{"issuer":"https://other.example.com"}`, delegation.CodeDiscoveryIssuer, slog.LevelError},
		"leads elsewhere":       {true, 200, "", delegation.CodeKeySetURL, slog.LevelError}, // see below
		"403":                   {false, 403, html, delegation.CodeKeySetUnavailable, slog.LevelWarn},
		"429":                   {false, 429, "", delegation.CodeKeySetUnavailable, slog.LevelWarn},
		"503":                   {true, 503, html, delegation.CodeKeySetUnavailable, slog.LevelWarn},
		"no connection":         {true, 0, "", delegation.CodeKeySetUnavailable, slog.LevelWarn},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := oidctest.KeySetPath
			if row.discovery {
				path = oidctest.DiscoveryPath
			}
			if row.code == delegation.CodeKeySetURL {
				row.body = `{"issuer":"` + w.provider.Issuer() + `","jwks_uri":"https://169.254.169.254/"}`
			}
			w.troubled(func(asked string) (*http.Response, error) {
				switch {
				case asked != path:
					return nil, nil
				case row.status == 0:
					return nil, errors.New("connection refused")
				}
				return document(row.status, row.body), nil
			})
			w.config.Console = &delegationhttp.Console{}
			h := w.handler(t)
			for door, request := range doors(w.token(nil)) {
				a := ask(t, h, request)
				a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
				if got := a.header.Get("Retry-After"); got != "2" {
					t.Errorf("%s: Retry-After is %q", door, got)
				}
				if event := w.lastEvent(t); event.Code != row.code {
					t.Errorf("%s: the event has the code %s: %v", door, event.Code, event.Err)
				}
				w.clock.Advance(time.Minute) // each door has a fetch of its own
			}
			if got := w.exchangeLevels(t); len(got) != 3 || got[0] != row.level.String() || got[1] != got[0] || got[2] != got[0] {
				t.Errorf("levels %q, want %s", got, row.level)
			}
			if row.body == html && row.status == 200 && !strings.Contains(w.log.String(), "it is HTML") {
				t.Errorf("the log does not say that the answer is HTML: %s", w.log)
			}
			if strings.Contains(w.log.String(), "canary") {
				t.Errorf("the log repeats the answer: %s", w.log)
			}
		})
	}
}

// TestRotationDuringThePause: while an issuer cannot be asked once more, who comes with its new key is
// told to come back, and who comes with no key of the issuer's is told so as soon as that is certain.
func TestRotationDuringThePause(t *testing.T) {
	w := newWorld(t)
	w.config.Console = &delegationhttp.Console{}
	h := w.handler(t)
	send := func(token string) answer {
		return ask(t, h, post(delegationPath, formType, form(values(token, nil))))
	}
	bogus := func(kid string) string {
		claims := map[string]any{
			"iss": w.provider.Issuer(), "sub": alice, "aud": app, "iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
		}
		return must(w.provider.Sign(map[string]any{"kid": kid}, must(json.Marshal(claims))))
	}
	for _, kid := range []string{"a", "b"} { // the first fetches the keys
		send(bogus(kid)).refused(t, 400, "invalid_grant", "the ID token was not accepted")
	}
	must(w.provider.Rotate())
	rotated := w.token(nil)
	for door, request := range doors(rotated) {
		a := ask(t, h, request)
		a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
		if got := a.header.Get("Retry-After"); got != "2" {
			t.Errorf("%s: Retry-After is %q", door, got)
		}
		if event := w.lastEvent(t); event.Code != delegation.CodeKeyPending {
			t.Errorf("%s: the event has the code %s", door, event.Code)
		}
	}
	w.clock.Advance(10 * time.Second)
	send(rotated).granted(t)
}
