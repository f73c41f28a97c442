package delegationhttp_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// federation is AWS's federation endpoint, which answers always the same.
func federation(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// roundTripper is an http.RoundTripper of one function.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestConsoleIsOffByDefault(t *testing.T) {
	h := mount(t, delegationhttp.Config{Exchanger: failing(errors.New("nobody may ask"))})
	for _, r := range []*http.Request{
		post(consolePath, formType, form(values("token", nil))),
		post(consolePath, "text/plain", "nonsense"),
	} {
		ask(t, h, r).refused(t, 404, "endpoint_disabled", "console sign-in is not enabled")
	}
}

// TestConsoleSignIn takes the whole way, from an ID token to a URL.
func TestConsoleSignIn(t *testing.T) {
	w := newWorld(t)
	var method, query, contentType string
	var session map[string]string
	var action []string
	endpoint := serve(t, http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		method, query, contentType = r.Method, r.URL.RawQuery, r.Header.Get("Content-Type")
		body := must(url.ParseQuery(string(must(io.ReadAll(r.Body)))))
		action = body["Action"]
		if err := json.Unmarshal([]byte(body.Get("Session")), &session); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(answer, `{"SigninToken": "t&=+ %"}`)
	})) + "/federation"
	w.http.Console = &delegationhttp.Console{
		Endpoint: endpoint,
		Issuer:   "https://login.example.com/?a=b",
	}
	h := w.handler(t)
	for encoding, request := range map[string]*http.Request{
		"form": post(consolePath, formType, form(values(w.Token(nil),
			map[string]any{"destination": "https://s3.console.aws.amazon.com/s3?a=b&c#d"}))),
		"json": post(consolePath, jsonType, object(values(w.Token(nil),
			map[string]any{"destination": "https://s3.console.aws.amazon.com/s3?a=b&c#d"}))),
	} {
		t.Run(encoding, func(t *testing.T) {
			a := ask(t, h, request)
			if a.status != http.StatusOK || len(a.json) != 3 ||
				a.json["expires_in"] != float64(900) ||
				a.text("session_end") != "2026-11-23T10:00:00Z" {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			before, after, _ := strings.Cut(a.text("url"), "?")
			got := must(url.ParseQuery(after))
			want := url.Values{
				"Action":      {"login"},
				"Destination": {"https://s3.console.aws.amazon.com/s3?a=b&c#d"},
				"SigninToken": {"t&=+ %"}, "Issuer": {"https://login.example.com/?a=b"},
			}
			if before != endpoint || got.Encode() != want.Encode() {
				t.Errorf("%s?%v, want %s?%v", before, got, endpoint, want)
			}
			if method != http.MethodPost || query != "" || contentType != formType ||
				len(action) != 1 || action[0] != "getSigninToken" {
				t.Errorf("asked by %s %s %q for %q", method, contentType, query, action)
			}
			_, event := w.last(t)
			if len(session) != 3 || session["sessionId"] != event.AccessKeyID ||
				session["sessionKey"] == "" || session["sessionToken"] == "" {
				t.Errorf("session of %s with %d parts", session["sessionId"], len(session))
			}
			for _, secret := range []string{session["sessionKey"], session["sessionToken"]} {
				if strings.Contains(string(a.body), secret) ||
					strings.Contains(w.log.String(), secret) {
					t.Error("a secret is in the answer or the log")
				}
			}
			rc, _ := w.last(t)
			if rc.Request.Parameters["destination"] == nil || len(rc.Request.Parameters) != 1 {
				t.Errorf("rules see %v", rc.Request.Parameters)
			}
		})
	}
	for name, changes := range map[string]map[string]any{
		"none": nil, "empty": {"destination": ""},
	} {
		a := ask(t, h, post(consolePath, formType, form(values(w.Token(nil), changes))))
		got := must(url.Parse(a.text("url"))).Query().Get("Destination")
		if got != "https://eu-central-1.console.aws.amazon.com/" {
			t.Errorf("destination %s: %q", name, got)
		}
	}
	t.Run("denied", func(t *testing.T) {
		method = ""
		ask(t, h, post(consolePath, formType, form(values("forged", nil)))).
			refused(t, 400, "invalid_grant", "the ID token was not accepted")
		if method != "" {
			t.Error("AWS was asked all the same")
		}
	})
}

// TestConsoleSignIn_IsFresh: the session in the console ends with the credentials, so they are
// never those of the cache.
func TestConsoleSignIn_IsFresh(t *testing.T) {
	w := newWorld(t)
	w.http.Console = &delegationhttp.Console{
		Endpoint: serve(t, federation(http.StatusOK, `{"SigninToken":"t"}`)),
	}
	h := w.handler(t)
	token := w.Token(nil)
	ask(t, h, get("?target="+app, token))
	_, first := w.last(t)
	ask(t, h, get("?target="+app, token))
	_, kept := w.last(t)
	if kept.Cache != delegation.CacheHit || kept.AccessKeyID != first.AccessKeyID {
		t.Fatalf("there is no cache: %s", kept.Cache)
	}
	a := ask(t, h, post(consolePath, formType, form(values(token, nil))))
	_, event := w.last(t)
	if a.status != http.StatusOK || event.Cache != delegation.CacheOff ||
		event.AccessKeyID == first.AccessKeyID {
		t.Errorf("got %d %s, cache %s", a.status, a.body, event.Cache)
	}
}

// TestExpiresIn: the URL's 15 minutes, or what is left of the credentials.
func TestExpiresIn(t *testing.T) {
	console := &delegationhttp.Console{
		Endpoint: serve(t, federation(http.StatusOK, `{"SigninToken":"t"}`)),
	}
	for left, want := range map[time.Duration]float64{
		time.Hour: 900, 15*time.Minute + time.Second: 900, 14 * time.Minute: 840,
		1500 * time.Millisecond: 1, 0: 0, -time.Hour: 0,
	} {
		h := mount(t, delegationhttp.Config{
			Console: console,
			Now:     func() time.Time { return start },
			Exchanger: exchanger(func(
				context.Context, string, string, ...delegation.ExchangeOption,
			) (*delegation.Credentials, error) {
				credentials := issued()
				credentials.Expiration = start.Add(left)
				return credentials, nil
			}),
		})
		a := ask(t, h, post(consolePath, formType, form(values("token", nil))))
		end := start.Add(left).UTC().Format(time.RFC3339)
		if a.status != http.StatusOK || a.json["expires_in"] != want ||
			a.text("session_end") != end {
			t.Errorf("%s left: %d %s, want %v", left, a.status, a.body, want)
		}
	}
}

// TestConsoleRefused: what goes wrong after an exchange that went well, and what the operator's log
// has of it.
func TestConsoleRefused(t *testing.T) {
	ok := federation(http.StatusOK, `{"SigninToken":"t"}`)
	const (
		noAnswer  = "AWS's sign-in endpoint cannot be reached"
		refusedBy = "AWS's sign-in endpoint refused the credentials"
		outside   = "the destination is not an https URL of the partition's console"
	)
	for name, row := range map[string]struct {
		federation        http.HandlerFunc
		region            string
		destination       any
		status            int
		code, description string
		logged            string
	}{
		"400": {federation(http.StatusBadRequest, "canary"), "", nil, 502,
			"server_error", refusedBy, "it answered 400"},
		"403": {federation(http.StatusForbidden, "canary"), "", nil, 502,
			"server_error", refusedBy, "it answered 403"},
		"499": {federation(499, "canary"), "", nil, 502, "server_error", refusedBy,
			"it answered 499"},
		"500": {federation(http.StatusInternalServerError, "canary"), "", nil, 503,
			"temporarily_unavailable", noAnswer, "it answered 500"},
		"503": {federation(http.StatusServiceUnavailable, "canary"), "", nil, 503,
			"temporarily_unavailable", noAnswer, "it answered 503"},
		"redirect": {
			http.RedirectHandler("https://canary.example.com/",
				http.StatusTemporaryRedirect).ServeHTTP,
			"", nil, 503, "temporarily_unavailable", noAnswer, "redirect",
		},
		"garbage": {federation(http.StatusOK, "<html>canary"), "", nil, 503,
			"temporarily_unavailable", noAnswer, "no token"},
		"nothing": {federation(http.StatusOK, ""), "", nil, 503,
			"temporarily_unavailable", noAnswer, "no token"},
		"null": {federation(http.StatusOK, "null"), "", nil, 503,
			"temporarily_unavailable", noAnswer, "no token"},
		"no token": {federation(http.StatusOK, `{"signintoken":"canary"}`), "", nil, 503,
			"temporarily_unavailable", noAnswer, "no token"},
		"empty token": {federation(http.StatusOK, `{"SigninToken":""}`), "", nil, 503,
			"temporarily_unavailable", noAnswer, "no token"},
		"token of a list": {federation(http.StatusOK, `{"SigninToken":["canary"]}`), "", nil,
			503, "temporarily_unavailable", noAnswer, "no token"},
		"two tokens": {
			federation(http.StatusOK, `{"SigninToken":"canary","SigninToken":"canary"}`), "", nil,
			503, "temporarily_unavailable", noAnswer, "no token",
		},
		"over 1 MiB": {
			federation(http.StatusOK, `{"SigninToken":"canary"}`+strings.Repeat(" ", 1<<20)), "",
			nil, 503, "temporarily_unavailable", noAnswer, "larger than",
		},
		"over 1 MiB, zipped": {zipped(`{"SigninToken":"canary"}` + strings.Repeat(" ", 1<<20)), "",
			nil, 503, "temporarily_unavailable", noAnswer, "larger than"},
		"hung up": {
			func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"", nil, 503, "temporarily_unavailable", noAnswer, "no answer",
		},
		"no console": {ok, "us-iso-east-1", nil, 500, "server_error",
			"AWS publishes no console address for the partition of these credentials",
			"no console"},
		"no region": {ok, "mars-north-1", nil, 500, "server_error",
			"AWS publishes no console address for the partition of these credentials",
			"no console"},
		"other host": {ok, "", "https://evil.example.com/", 400, "invalid_request", outside,
			"partition's console"},
		"other partition": {ok, "", "https://console.amazonaws.cn/", 400, "invalid_request",
			outside, "partition's console"},
		"China's console": {ok, "cn-north-1", "https://eu-central-1.console.aws.amazon.com/",
			400, "invalid_request", outside, "partition's console"},
		"suffix": {ok, "", "https://evilconsole.aws.amazon.com/", 400,
			"invalid_request", outside, "partition's console"},
		"prefix": {ok, "", "https://console.aws.amazon.com.example.com/", 400,
			"invalid_request", outside, "partition's console"},
		"trailing dot": {ok, "", "https://console.aws.amazon.com./", 400, "invalid_request",
			outside, "partition's console"},
		"plain http": {ok, "", "http://console.aws.amazon.com/", 400, "invalid_request",
			outside, "partition's console"},
		"no scheme": {ok, "", "console.aws.amazon.com/", 400, "invalid_request", outside,
			"partition's console"},
		"no slashes": {ok, "", "https:console.aws.amazon.com/", 400, "invalid_request",
			outside, "partition's console"},
		"two slashes": {ok, "", "//console.aws.amazon.com/", 400, "invalid_request", outside,
			"partition's console"},
		"three slashes": {ok, "", "https:///console.aws.amazon.com/", 400, "invalid_request",
			outside, "partition's console"},
		"script": {ok, "", "javascript:alert(1)//console.aws.amazon.com", 400,
			"invalid_request", outside, "partition's console"},
		"user info": {ok, "", "https://evil.example.com@console.aws.amazon.com/", 400,
			"invalid_request", outside, "partition's console"},
		"console as user": {ok, "", "https://console.aws.amazon.com@evil.example.com/", 400,
			"invalid_request", outside, "partition's console"},
		"port": {ok, "", "https://console.aws.amazon.com:8443/", 400,
			"invalid_request", outside, "partition's console"},
		"empty port": {ok, "", "https://console.aws.amazon.com:/", 400, "invalid_request",
			outside, "partition's console"},
		"back slash": {ok, "", `https://evil.example.com\.console.aws.amazon.com/`, 400,
			"invalid_request", outside, "partition's console"},
		"escaped slash": {ok, "", "https://evil.example.com%2f.console.aws.amazon.com/", 400,
			"invalid_request", outside, "partition's console"},
		"question mark": {ok, "", "https://evil.example.com?.console.aws.amazon.com/", 400,
			"invalid_request", outside, "partition's console"},
		"fragment": {ok, "", "https://evil.example.com#.console.aws.amazon.com/", 400,
			"invalid_request", outside, "partition's console"},
		"control letter": {ok, "", "https://console.aws.amazon.com/\n", 400, "invalid_request",
			outside, "partition's console"},
		"blank before": {ok, "", " https://console.aws.amazon.com/", 400, "invalid_request",
			outside, "partition's console"},
		"a number": {ok, "", 1, 400, "invalid_request", "destination is not a string", ""},
		"a list": {ok, "", []string{"https://console.aws.amazon.com/"},
			400, "invalid_request", "destination is not a string", ""},
		"null is absent": {ok, "", json.RawMessage("null"), 200, "", "", ""},
		"console":        {ok, "", "https://console.aws.amazon.com/", 200, "", "", ""},
		"page": {ok, "",
			"https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#x",
			200, "", "", ""},
		"capitals": {ok, "", "HTTPS://S3.Console.AWS.amazon.com/", 200, "", "", ""},
		"China": {ok, "cn-north-1", "https://cn-north-1.console.amazonaws.cn/",
			200, "", "", ""},
		"members besides": {federation(http.StatusOK, `{"SigninToken":"t","x":[{}]}`), "", nil,
			200, "", "", ""},
		"just under 1 MiB": {
			federation(http.StatusOK, `{"SigninToken":"t"}`+strings.Repeat(" ", 1<<20-19)), "", nil,
			200, "", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log buffer
			h := mount(t, delegationhttp.Config{
				Logger:  log.logger(),
				Console: &delegationhttp.Console{Endpoint: serve(t, row.federation)},
				Now:     func() time.Time { return start },
				Exchanger: exchanger(func(
					context.Context, string, string, ...delegation.ExchangeOption,
				) (*delegation.Credentials, error) {
					credentials := issued()
					if row.region != "" {
						credentials.Region = row.region
					}
					return credentials, nil
				}),
			})
			a := ask(t, h, post(consolePath, jsonType,
				object(values("token", map[string]any{"destination": row.destination}))))
			switch {
			case row.status == http.StatusOK:
				if a.status != http.StatusOK || !strings.Contains(a.text("url"), "SigninToken=t") {
					t.Errorf("got %d %s", a.status, a.body)
				}
				return
			case row.logged == "":
				if strings.Contains(log.String(), "WARN") {
					t.Errorf("log %s", &log)
				}
			case strings.Count(log.String(),
				`"level":"WARN","msg":"exchange without an answer","path":"/console"`) != 1 ||
				!strings.Contains(log.String(), row.logged):
				t.Errorf("log %s, want %q", &log, row.logged)
			}
			a.refused(t, row.status, row.code, row.description)
			if strings.Contains(log.String()+string(a.body), "canary") {
				t.Errorf("%s and log %s hold what nobody may repeat", a.body, &log)
			}
		})
	}
}

// zipped is a federation endpoint that compresses its answer to a few kilobytes.
func zipped(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = io.WriteString(z, body)
	}
}

// TestConsoleHangs: the caller's context ends the call to AWS.
func TestConsoleHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	endpoint := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	h := mount(t, delegationhttp.Config{
		Exchanger: exchanger(agreeable),
		Console:   &delegationhttp.Console{Endpoint: endpoint},
	})
	ask(t, h, post(consolePath, formType, form(values("token", nil))).WithContext(ctx)).
		refused(t, 503, "temporarily_unavailable", "AWS's sign-in endpoint cannot be reached")
}

// TestSignInURL calls it without the handler, for every partition that has a console, and looks at
// what would go out to AWS.
func TestSignInURL(t *testing.T) {
	for name, row := range map[string][2]string{
		"us-east-1": {"https://signin.aws.amazon.com/federation",
			"https://us-east-1.console.aws.amazon.com/"},
		"eu-central-1": {"https://eu-central-1.signin.aws.amazon.com/federation",
			"https://eu-central-1.console.aws.amazon.com/"},
		"cn-north-1": {"https://signin.amazonaws.cn/federation",
			"https://console.amazonaws.cn/"},
		"us-gov-west-1": {"https://signin.amazonaws-us-gov.com/federation",
			"https://console.amazonaws-us-gov.com/"},
		"us-gov-east-1": {"https://us-gov-east-1.signin.amazonaws-us-gov.com/federation",
			"https://console.amazonaws-us-gov.com/"},
		"eusc-de-east-1": {"https://eusc-de-east-1.signin.amazonaws-eusc.eu/federation",
			"https://eusc-de-east-1.console.amazonaws-eusc.eu/"},
		"us-gov-west-1 FIPS": {"https://signin-fips.amazonaws-us-gov.com/federation",
			"https://console.amazonaws-us-gov.com/"},
		"us-gov-east-1 FIPS": {"https://us-gov-east-1.signin-fips.amazonaws-us-gov.com/federation",
			"https://console.amazonaws-us-gov.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			region, fips := strings.CutSuffix(name, " FIPS")
			var asked string
			before := time.Now()
			client := &http.Client{Transport: roundTripper(func(
				r *http.Request,
			) (*http.Response, error) {
				asked = r.Method + " " + r.URL.String()
				until, ok := r.Context().Deadline()
				if !ok || until.Before(before.Add(10*time.Second)) ||
					until.After(time.Now().Add(10*time.Second)) {
					t.Errorf("the call has until %s", until)
				}
				return &http.Response{
					StatusCode: http.StatusOK,
					Header:     http.Header{},
					Body:       io.NopCloser(strings.NewReader(`{"SigninToken":"t"}`)),
				}, nil
			})}
			credentials := issued()
			credentials.Region = region
			console := delegationhttp.Console{HTTPClient: client, FIPS: fips}
			got, err := console.SignInURL(t.Context(), credentials, "")
			want := row[0] + "?" + url.Values{"Action": {"login"}, "Destination": {row[1]},
				"SigninToken": {"t"}}.Encode()
			if err != nil || got != want || asked != "POST "+row[0] {
				t.Errorf("got %q, %v, asked %q; want %q", got, err, asked, want)
			}
			if client.CheckRedirect != nil {
				t.Error("the caller's client was changed")
			}
		})
	}
	var null context.Context
	for name, call := range map[string]func() (string, error){
		"nil context": func() (string, error) {
			return delegationhttp.Console{}.SignInURL(null, issued(), "")
		},
		"nil credentials": func() (string, error) {
			return delegationhttp.Console{}.SignInURL(t.Context(), nil, "")
		},
		"unreachable": func() (string, error) {
			return delegationhttp.Console{HTTPClient: &http.Client{Transport: roundTripper(func(
				r *http.Request,
			) (*http.Response, error) {
				return nil, fmt.Errorf("no route")
			})}}.SignInURL(t.Context(), issued(), "")
		},
		"partition without console": func() (string, error) {
			return delegationhttp.Console{}.SignInURL(t.Context(),
				&delegation.Credentials{Region: "us-isob-east-1"}, "")
		},
		"partition without FIPS": func() (string, error) {
			return delegationhttp.Console{FIPS: true}.SignInURL(t.Context(), issued(), "")
		},
		"zero credentials": func() (string, error) {
			return delegationhttp.Console{}.SignInURL(t.Context(), &delegation.Credentials{}, "")
		},
		"destination": func() (string, error) {
			return delegationhttp.Console{}.SignInURL(t.Context(), issued(),
				"https://evil.example.com/")
		},
	} {
		want := map[string]error{
			"nil context":               delegationhttp.ErrSignInRefused,
			"nil credentials":           delegationhttp.ErrSignInRefused,
			"unreachable":               delegationhttp.ErrSignInNoAnswer,
			"partition without console": delegationhttp.ErrNoConsole,
			"partition without FIPS":    delegationhttp.ErrNoConsole,
			"zero credentials":          delegationhttp.ErrNoConsole,
			"destination":               delegationhttp.ErrDestination,
		}[name]
		got, err := call()
		if got != "" || !errors.Is(err, want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, want)
		}
	}
}

// TestConsoleKeepsSecretsOutOfURLs looks at the one request that holds the credentials.
func TestConsoleKeepsSecretsOutOfURLs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := r.URL.String() + strings.Join(flat(r.Header), "\n")
		body := must(url.QueryUnescape(string(must(io.ReadAll(r.Body)))))
		for _, secret := range []string{"canary-secret-access-key", "canary-session-token"} {
			if strings.Contains(head, secret) || strings.Count(body, secret) != 1 {
				t.Errorf("%s: head %s, body %s", secret, head, body)
			}
		}
		_, _ = io.WriteString(w, `{"SigninToken":"t"}`)
	}))
	t.Cleanup(server.Close)
	got, err := delegationhttp.Console{Endpoint: server.URL}.SignInURL(t.Context(), issued(), "")
	if err != nil || strings.Contains(got, "canary") {
		t.Errorf("got %q, %v", got, err)
	}
}
