package delegationhttp_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// troubled answers for the issuer what the function makes of the request, and else what the issuer
// answers.
func (w *world) troubled(answer func(path string) (*http.Response, error)) {
	issuer := w.Issuer
	transport := func(r *http.Request) (*http.Response, error) {
		response, err := answer(r.URL.Path)
		if response != nil || err != nil {
			return response, err
		}
		recorder := httptest.NewRecorder()
		issuer.ServeHTTP(recorder, r)
		return recorder.Result(), nil
	}
	w.Config.HTTPClient = &http.Client{Transport: roundTripper(transport)}
}

// document is an answer with a status and a body.
func document(status int, body string) *http.Response {
	header := http.Header{}
	if status >= 300 && status < 400 {
		header.Set("Location", "https://sso.example.com/login")
	}
	return &http.Response{
		StatusCode: status,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(body)),
	}
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
		if record.Msg == "exchange failed" {
			levels = append(levels, record.Level)
		}
	}
	return levels
}

// TestIssuerTrouble: that an issuer cannot be asked, or answers with what nobody can use, is no
// fault of who sends a token. It is 503 through every door; what somebody has to mend is in the
// log at Error.
func TestIssuerTrouble(t *testing.T) {
	const html = "<!DOCTYPE html><html><body>maintenance canary</body></html>"
	key := string(must(oidctest.New(oidctest.Config{Key: delegationtest.IssuerKey()})).KeySet())
	key = strings.TrimSuffix(strings.TrimPrefix(key, `{"keys":[`), "]}")
	const (
		invalid     = delegation.CodeKeySetInvalid
		unavailable = delegation.CodeKeySetUnavailable
		mend        = slog.LevelError
		wait        = slog.LevelWarn
	)
	metadata := `{"issuer":"ISSUER","jwks_uri":"https://169.254.169.254/"}`
	secret := `{"keys":[{"kty":"oct","k":"AAAA"}]}`
	private := `{"keys":[` + strings.Replace(key, "{", `{"d":"AAAA",`, 1) + "]}"
	foreign := `{"issuer":"https://other.example.com"}`
	template := `{"issuer":"https://other.example.com/{tenantid}/v2.0"}`
	large := strings.Repeat(" ", 1<<20+1)
	for name, row := range map[string]struct {
		discovery bool // or else the key set
		status    int
		body      string
		code      delegation.Code
		level     slog.Level
	}{
		"HTML":                  {false, 200, html, invalid, mend},
		"HTML for discovery":    {true, 200, html, invalid, mend},
		"redirect":              {false, 302, "", delegation.CodeKeySetRedirect, mend},
		"redirect of discovery": {true, 302, "", delegation.CodeDiscoveryRedirect, mend},
		"no such document":      {true, 404, html, delegation.CodeDiscoveryMissing, mend},
		"no such key set":       {false, 404, html, delegation.CodeKeySetMissing, mend},
		"a template of issuers": {true, 200, template, delegation.CodeDiscoveryIssuer, mend},
		"empty":                 {false, 200, "", invalid, mend},
		"empty discovery":       {true, 200, " \n", invalid, mend},
		"no key":                {false, 200, `{"keys":[]}`, invalid, mend},
		"truncated":             {false, 200, `{"keys":[` + key, invalid, mend},
		"truncated discovery":   {true, 200, `{"issuer":"ht`, invalid, mend},
		"a private key":         {false, 200, private, delegation.CodeKeySetPrivate, mend},
		"a secret":              {false, 200, secret, delegation.CodeKeySetSymmetric, mend},
		"too large":             {false, 200, large, delegation.CodeKeySetTooLarge, mend},
		"of another issuer":     {true, 200, foreign, delegation.CodeDiscoveryIssuer, mend},
		"leads elsewhere":       {true, 200, metadata, delegation.CodeKeySetURL, mend},
		"403":                   {false, 403, html, unavailable, wait},
		"429":                   {false, 429, "", unavailable, wait},
		"503":                   {true, 503, html, unavailable, wait},
		"no connection":         {true, 0, "", unavailable, wait},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			path := oidctest.KeySetPath
			if row.discovery {
				path = oidctest.DiscoveryPath
			}
			row.body = strings.Replace(row.body, "ISSUER", w.Issuer.Issuer(), 1)
			w.troubled(func(asked string) (*http.Response, error) {
				switch {
				case asked != path:
					return nil, nil
				case row.status == 0:
					return nil, errors.New("connection refused")
				}
				return document(row.status, row.body), nil
			})
			w.http.Console = &delegationhttp.Console{}
			h := w.handler(t)
			for door, request := range doors(w.Token(nil)) {
				a := ask(t, h, request)
				a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
				if got := a.header.Get("Retry-After"); got != "2" {
					t.Errorf("%s: Retry-After is %q", door, got)
				}
				if event := w.lastEvent(t); event.Code != row.code {
					t.Errorf("%s: the event has the code %s: %v", door, event.Code, event.Err)
				}
				w.Clock.Advance(time.Minute) // each door has a fetch of its own
			}
			want := slices.Repeat([]string{row.level.String()}, 3)
			if got := w.exchangeLevels(t); !slices.Equal(got, want) {
				t.Errorf("levels %q, want %q", got, want)
			}
			log := w.log.String()
			if row.body == html && row.status == 200 && !strings.Contains(log, "it is HTML") {
				t.Errorf("the log does not say that the answer is HTML: %s", log)
			}
			if strings.Contains(log, "canary") {
				t.Errorf("the log repeats the answer: %s", log)
			}
		})
	}
}

// TestRotationDuringThePause: while an issuer cannot be asked once more, who comes with its new
// key is told to come back, and who comes with no key of the issuer's is told so as soon as that
// is certain.
func TestRotationDuringThePause(t *testing.T) {
	w := newWorld(t)
	w.http.Console = &delegationhttp.Console{}
	h := w.handler(t)
	send := func(token string) answer {
		return ask(t, h, post(delegationPath, formType, form(values(token, nil))))
	}
	for _, kid := range []string{"a", "b"} { // the first fetches the keys
		send(w.bogus(kid)).refused(t, 400, "invalid_grant", "the ID token was not accepted")
	}
	must(w.Issuer.Rotate())
	rotated := w.Token(nil)
	for door, request := range doors(rotated) {
		a := ask(t, h, request)
		a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
		if got := a.header.Get("Retry-After"); got != "10" {
			t.Errorf("%s: Retry-After is %q", door, got)
		}
		if event := w.lastEvent(t); event.Code != delegation.CodeKeyPending {
			t.Errorf("%s: the event has the code %s", door, event.Code)
		}
	}
	w.Clock.Advance(10 * time.Second)
	send(rotated).granted(t)
}

// bogus is a token that is good, but for a kid that the issuer does not have.
func (w *world) bogus(kid string) string {
	claims := map[string]any{
		"iss": w.Issuer.Issuer(), "sub": alice, "aud": app,
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	return must(w.Issuer.Sign(map[string]any{"kid": kid}, must(json.Marshal(claims))))
}

// TestThousandBogusKeyIDs: a thousand tokens with made-up kids at once cost the issuer two fetches.
// A rotation during that is 503 with Retry-After, and counts as soon as the allowance permits the
// next fetch, after ten seconds.
func TestThousandBogusKeyIDs(t *testing.T) {
	w := newWorld(t)
	h := w.handler(t)
	var tokens [1000]string
	var statuses [1000]int
	var retries [1000]string
	_, rest, _ := strings.Cut(w.bogus("bogus"), ".") // nobody looks at it without the key
	for i := range tokens {
		header := fmt.Sprintf(`{"alg":"RS256","kid":"bogus-%d"}`, i)
		tokens[i] = base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
	}
	flood := func() {
		var all sync.WaitGroup
		for i, token := range tokens {
			all.Go(func() {
				recorder := httptest.NewRecorder()
				body := form(values(token, nil))
				h.ServeHTTP(recorder, post(delegationPath, formType, body))
				statuses[i] = recorder.Code
				retries[i] = recorder.Header().Get("Retry-After")
			})
		}
		all.Wait()
	}
	wantFetches := func(want int) {
		t.Helper()
		if _, got := w.Issuer.Fetches(); got != want {
			t.Errorf("the key set was fetched %d times, want %d", got, want)
		}
	}
	flood()
	wantFetches(2)
	for i, status := range statuses {
		definite := status == 400 && retries[i] == ""
		pending := status == 503 && retries[i] == "10"
		if !definite && !pending {
			t.Errorf("status %d with Retry-After %q", status, retries[i])
		}
	}

	must(w.Issuer.Rotate())
	rotated := w.Token(nil)
	send := func() answer {
		return ask(t, h, post(delegationPath, formType, form(values(rotated, nil))))
	}
	flood()
	for _, wait := range []string{"10", "8", "6", "4", "2"} { // until the next fetch is permitted
		a := send()
		a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
		if got := a.header.Get("Retry-After"); got != wait {
			t.Errorf("Retry-After is %q, want %s", got, wait)
		}
		w.Clock.Advance(2 * time.Second)
	}
	wantFetches(2)
	send().granted(t)
	wantFetches(3)
	flood()
	send().granted(t)
	wantFetches(3)
}

// TestKnownKeysEnd: when the keys that are known may not be used any more, and the issuer is still
// down, that is the issuer's trouble at every door.
func TestKnownKeysEnd(t *testing.T) {
	w := newWorld(t)
	w.http.Console = &delegationhttp.Console{}
	h := w.handler(t)
	token := w.Token(map[string]any{"exp": start.Add(48 * time.Hour).Unix()})
	ask(t, h, post(delegationPath, formType, form(values(token, nil)))).granted(t)
	w.Issuer.SetFaults(oidctest.Faults{Status: http.StatusForbidden})
	w.Clock.Advance(25 * time.Hour) // an hour of life, and 24 while the issuer is down
	for door, request := range doors(token) {
		a := ask(t, h, request)
		a.refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
		if got := a.header.Get("Retry-After"); got != "2" {
			t.Errorf("%s: Retry-After is %q", door, got)
		}
		if event := w.lastEvent(t); event.Code != delegation.CodeKeySetUnavailable {
			t.Errorf("%s: the event has the code %s", door, event.Code)
		}
		w.Clock.Advance(time.Second)
	}
}
