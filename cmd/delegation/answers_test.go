package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// row is one documented answer, and how to get it.
type row struct {
	name        string
	method      string // default POST
	path        string // default /delegation
	contentType string // default that of a form
	header      []string
	body        string
	times       int             // default once; the last answer counts
	faults      []ststest.Fault // of AWS, for this row
	service     string          // default the one without optional endpoints
}

// answersWorld is a service in which every documented refusal can be had: its STS fails on demand,
// a rule too, and another issuer is down.
type answersWorld struct {
	*world
	down *oidctest.Provider
	urls map[string]string // of the services of its rows, by name
}

func newAnswersWorld(t testing.TB) *answersWorld {
	t.Helper()
	w := &answersWorld{
		world: newWorld(t),
		down:  must(oidctest.New(oidctest.Config{})),
		urls:  map[string]string{},
	}
	broken := httptest.NewServer(w.down)
	t.Cleanup(broken.Close)
	w.down.SetIssuer(broken.URL)
	w.down.SetFaults(oidctest.Faults{Status: 500})

	ours := delegation.AWS{
		Principal: service.DemoPrincipal,
		Region:    service.DemoRegion,
		Role:      service.DemoRole,
	}
	issuers := []string{w.issuerURL, broken.URL}
	unknown, incomplete := ours, ours
	photos := delegation.Target{AWS: ours, Issuers: issuers, SubjectsAreOne: true}
	unknown.Role = "arn:aws:iam::123456789012:role/nobody"
	incomplete.Role = ""
	c := delegation.Config{
		Issuers: []delegation.Issuer{
			{URL: w.issuerURL, AllowLoopbackHTTP: true}, {URL: broken.URL, AllowLoopbackHTTP: true},
		},
		IdentityProvider: delegationtest.Identity(),
		Targets: delegation.Targets{
			"photo-app": photos,
			"other-app": photos,
			"tagged":    w.tagged(t, photos),
			"scoped":    withScopes(photos),
			"team-app":  offering(photos),
			"own-key":   ownIdentity(photos, delegationtest.Identity()),
			"typo": {
				AWS:            unknown,
				Issuers:        issuers,
				Audiences:      []string{"photo-app"},
				SubjectsAreOne: true,
			},
			"incomplete": {
				AWS:            incomplete,
				Issuers:        issuers,
				Audiences:      []string{"photo-app"},
				SubjectsAreOne: true,
			},
		},
		Rules: []delegation.RuleFunc{func(
			ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
		) error {
			switch user.Text("mood") {
			case "weak":
				return delegation.RequireACR("phr")(ctx, user, rc)
			case "denied":
				return delegation.Deny("photo editors only")
			case "failing":
				return errors.New("the database is down")
			}
			return nil
		}},
		STS: sts.New(sts.Options{
			Region:       service.DemoRegion,
			BaseEndpoint: &w.awsURL,
			Credentials:  aws.AnonymousCredentials{},
			Retryer:      aws.NopRetryer{},
		}),
	}
	delegator, err := delegation.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	endpoints := delegationhttp.Config{
		Exchanger: delegator, AllowedOrigins: []string{"https://app.example.com"},
		RateLimit: delegationhttp.RateLimit{Requests: 3},
		// of the rate limit
		Now: func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) },
	}
	w.serve(t, "", must(service.NewHandler(delegator, c, endpoints)))
	w.serveOptional(t, delegator, c, endpoints)
	return w
}

// serve starts a service, which rows name.
func (w *answersWorld) serve(t testing.TB, name string, h http.Handler) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = service.NewServer(h, slog.New(slog.DiscardHandler))
	server.Start()
	t.Cleanup(server.Close)
	w.urls[name] = server.URL
}

// rows are the documented answers. {user} in a body or header is an ID token of that user, who is
// nobody else's, because of the rate limit.
func (w *answersWorld) rows() []row {
	form := func(user string, more ...string) string {
		text := "client_id=photo-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&api_type=aws&target=&id_token={" + user + "}"
		return strings.Join(append([]string{text}, more...), "&")
	}
	json := func(user, more string) string {
		return `{"client_id":"photo-app","grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer","id_token":"{` + user + `}"` + more + `}`
	}
	const isJSON = "application/json"
	return []row{
		{name: "success of a form", body: form("ann")},
		{name: "success of JSON", contentType: isJSON + "; charset=utf-8",
			body: json("ben", `,"target":null,"device":{"name":"phone"}`)},
		{name: "missing client_id", body: "grant_type=x&id_token=y"},
		{name: "missing grant_type", body: "client_id=photo-app&id_token=y"},
		{name: "missing id_token", contentType: isJSON,
			body: `{"client_id":"photo-app","grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer"}`},
		{name: "repeated parameter", body: form("ann", "target=photo-app")},
		{name: "repeated member", contentType: isJSON,
			body: json("ann", `,"client_id":"other-app"`)},
		{name: "more than one JSON object", contentType: isJSON, body: json("ann", "") + "{}"},
		{name: "a parameter that is not a string", contentType: isJSON,
			body: json("ann", `,"target":["photo-app"]`)},
		{name: "a broken form", body: form("ann", "x=%zz")},
		{name: "refresh token", body: form("ann", "refresh_token=r")},
		{name: "another api_type",
			body: "client_id=photo-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&id_token={ann}&api_type=firebase"},
		{name: "another grant_type",
			body: "client_id=photo-app&grant_type=password&id_token={ann}"},
		{name: "a token that is none",
			body: "client_id=photo-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&id_token=x"},
		{name: "an expired token", body: form("expired")},
		{name: "another client's token",
			body: "client_id=other-app&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&id_token={ann}"},
		{name: "a target that is not for this client", contentType: isJSON,
			body: json("ann", `,"target":"other-app"`)},
		{name: "no such target", contentType: isJSON, body: json("ann", `,"target":"none"`)},
		{name: "denied by a rule", body: form("denied")},
		{name: "a sign-in that is not strong enough", body: form("weak")},
		{name: "a rule that fails", body: form("failing")},
		{name: "a decision without a role", contentType: isJSON,
			body: json("cid", `,"target":"incomplete"`)},
		{name: "refused by AWS", contentType: isJSON, body: json("dan", `,"target":"typo"`)},
		{name: "throttled by AWS", body: form("eve"), faults: []ststest.Fault{ststest.Throttle()}},
		{name: "an issuer that is down", body: form("down")},
		{name: "too many requests", body: form("fay"), times: 4},
		{name: "another method", method: http.MethodPut, body: "x"},
		{name: "JSONP", method: http.MethodGet, path: "/delegation?cbx=f&id_token=x"},
		{name: "too large", body: form("ann", "x="+strings.Repeat("x", 64<<10))},
		{name: "another content type", contentType: "text/plain", body: "x"},
		{name: "another charset", contentType: isJSON + "; charset=utf-16", body: "{}"},
		{name: "a content coding", header: []string{"Content-Encoding: gzip"}, body: "x"},
		{name: "a page of an allowed origin", header: []string{"Origin: https://app.example.com"},
			body: form("gus")},
		{name: "a refusal for such a page", header: []string{"Origin: https://app.example.com"},
			body: form("expired")},
		{name: "a page of another origin", header: []string{"Origin: https://evil.example.com"},
			body: form("hal")},
		{name: "preflight", method: http.MethodOptions,
			header: []string{
				"Origin: https://app.example.com", "Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: auth0-client,content-type",
			}},
		{name: "preflight of another origin", method: http.MethodOptions,
			header: []string{
				"Origin: https://evil.example.com", "Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: content-type",
			}},
		{
			name:   "preflight with another header",
			method: http.MethodOptions,
			header: []string{
				"Origin: https://app.example.com",
				"Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: authorization",
			},
		},
		{
			name:   "preflight with another method",
			method: http.MethodOptions,
			header: []string{
				"Origin: https://app.example.com",
				"Access-Control-Request-Method: PUT",
			},
		},
		{
			name:   "preflight of container credentials",
			method: http.MethodOptions,
			path:   "/credentials?target=photo-app",
			header: []string{
				"Origin: https://app.example.com",
				"Access-Control-Request-Method: GET",
				"Access-Control-Request-Headers: authorization",
			},
		},
		{
			name:   "preflight of container credentials by another origin",
			method: http.MethodOptions,
			path:   "/credentials?target=photo-app",
			header: []string{
				"Origin: https://evil.example.com",
				"Access-Control-Request-Method: GET",
				"Access-Control-Request-Headers: authorization",
			},
		},
		{
			name:   "container credentials of a page",
			method: http.MethodGet,
			path:   "/credentials?target=photo-app",
			header: []string{"Authorization: {kim}", "Origin: https://app.example.com"},
		},
		{
			name:   "a refusal of container credentials for a page",
			method: http.MethodGet,
			path:   "/credentials?target=none",
			header: []string{"Authorization: {kim}", "Origin: https://app.example.com"},
		},
		{name: "container credentials", method: http.MethodGet,
			path: "/credentials?target=photo-app", header: []string{"Authorization: {ida}"}},
		{name: "container credentials of a bearer", method: http.MethodGet,
			path: "/credentials?target=photo-app", header: []string{"Authorization: Bearer {joe}"}},
		{name: "container credentials without a token", method: http.MethodGet,
			path: "/credentials?target=photo-app"},
		{name: "container credentials without a target", method: http.MethodGet,
			path: "/credentials", header: []string{"Authorization: {ann}"}},
		{name: "container credentials for an expired token", method: http.MethodGet,
			path: "/credentials?target=photo-app", header: []string{"Authorization: {expired}"}},
		{name: "container credentials by POST", path: "/credentials?target=photo-app"},
		{name: "console sign-in that is off", path: "/console", body: form("ann")},
		{name: "live", method: http.MethodGet, path: "/live"},
		{name: "ready, with an issuer down", method: http.MethodGet, path: "/ready"},
		{name: "no such path", method: http.MethodGet, path: "/other"},
	}
}

var userToken = regexp.MustCompile(`\{([a-z]+)\}`)

// fill puts ID tokens into a text.
func (w *answersWorld) fill(text string) string {
	return userToken.ReplaceAllStringFunc(text, func(found string) string {
		claims := map[string]any{
			"sub": "auth0|" + found[1:len(found)-1], "email": nil, "mood": found[1 : len(found)-1],
		}
		switch found {
		case "{expired}":
			for name, value := range expired() {
				claims[name] = value
			}
		case "{logout}":
			return w.logoutToken()
		case "{down}":
			return must(w.down.SignIDToken(map[string]any{"sub": "x", "aud": service.DemoTarget}))
		}
		return w.token(claims)
	})
}

// answer is what came back, as far as it is the same every time.
func (r *row) answer(status int, header http.Header, body []byte) string {
	var out strings.Builder
	fmt.Fprintf(&out, "== %s\n%d\n", r.name, status)
	var lines []string
	for name, values := range header {
		if name == "Date" || name == "Content-Length" || name == "Connection" {
			continue
		}
		for _, value := range values {
			if name == "X-Request-Id" || name == "X-Amzn-Requestid" {
				value = madeID.ReplaceAllString(value, "…")
			}
			lines = append(lines, name+": "+value+"\n")
		}
	}
	slices.Sort(lines)
	out.WriteString(strings.Join(lines, "") + "\n")
	// The body is as it came: the end of its last line is part of it.
	text := changing.ReplaceAllString(string(body), `"$1":"…"`)
	text = changingXML.ReplaceAllString(text, "<$1>…<")
	text = lifetime.ReplaceAllString(text, "${1}3600")
	return out.String() + certificate.ReplaceAllString(text, ">…<") + "\n"
}

// madeID is the ID of a request that came without one.
var madeID = regexp.MustCompile(`\A[A-Z2-7]{26}\z`)

var changing = regexp.MustCompile(
	`"(AccessKeyId|SecretAccessKey|SessionToken|Token|Expiration|RequestId|url|session_end|access_token)":"[^"]+"`)

// lifetime is that of credentials in an answer of /token: their end is by the real time, and the
// clock of the answer stands still.
var lifetime = regexp.MustCompile(`("token_type":"N_A","expires_in":)\d+`)

// changingXML is changing in the answers of STS, where Provider is the issuer's address.
var changingXML = regexp.MustCompile(
	`<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|RequestId|Provider)>[^<]+<`)

// certificate is one of the signing key, which each process makes.
var certificate = regexp.MustCompile(`>MII[A-Za-z0-9+/=\s]+<`)

// check runs every row and compares with the golden table.
func (w *answersWorld) check(
	t *testing.T, ask func(t *testing.T, r *row) (int, http.Header, []byte),
) {
	t.Helper()
	var got strings.Builder
	var requests []requestShown
	for _, r := range slices.Concat(w.rows(), w.optionalRows()) {
		if r.method == "" {
			r.method = http.MethodPost
		}
		if r.path == "" {
			r.path = "/delegation"
		}
		if r.contentType == "" && r.method != http.MethodGet && r.method != http.MethodOptions {
			r.contentType = "application/x-www-form-urlencoded"
		}
		requests = append(requests, r.shown())
		r.header = slices.Clone(r.header)
		for i := range r.header {
			r.header[i] = w.fill(r.header[i])
		}
		r.body = w.fill(r.body)
		w.aws.Script(r.faults...)
		var text string
		for range max(r.times, 1) {
			text = r.answer(ask(t, &r))
		}
		got.WriteString(text)
	}
	checkRequests(t, requests)
	golden := filepath.Join("testdata", "answers.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := string(must(os.ReadFile(golden)))
	wanted, had := strings.Split(want, "\n== "), strings.Split(got.String(), "\n== ")
	for i := range max(len(wanted), len(had)) {
		switch {
		case i >= len(had) || i >= len(wanted):
			t.Fatalf("%d answers, want %d", len(had), len(wanted))
		case had[i] != wanted[i]:
			t.Errorf("got\n%s\nwant\n%s", had[i], wanted[i])
		}
	}
}

// TestAnswers compares every documented answer with the golden table, by Go's client; the interop
// test does so by curl.
func TestAnswers(t *testing.T) {
	w := newAnswersWorld(t)
	w.check(t, func(t *testing.T, r *row) (int, http.Header, []byte) {
		request := must(http.NewRequestWithContext(t.Context(), r.method, w.urls[r.service]+r.path,
			strings.NewReader(r.body)))
		if r.contentType != "" {
			request.Header.Set("Content-Type", r.contentType)
		}
		for _, line := range r.header {
			name, value, _ := strings.Cut(line, ": ")
			request.Header.Set(name, value)
		}
		response, err := client(nil).Do(request)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		defer response.Body.Close()
		return response.StatusCode, response.Header, must(io.ReadAll(response.Body))
	})
	table := must(os.ReadFile(filepath.Join("..", "..", "docs", "http.md")))
	golden := must(os.ReadFile(filepath.Join("testdata", "answers.txt")))
	_, kinds, _ := bytes.Cut(table, []byte("<!-- kinds -->"))
	kinds, _, _ = bytes.Cut(kinds, []byte("<!-- /kinds -->"))
	documented := regexp.MustCompile("(?m)^\\| (\\d+) \\| `([a-z_]+)` ").FindAllSubmatch(kinds, -1)
	if len(documented) < 15 {
		t.Fatalf("%d kinds of answers in docs/http.md", len(documented))
	}
	for _, kind := range documented {
		if !regexp.MustCompile(fmt.Sprintf(
			`(?m)^\{"(error|code)":"%s","(error_description|message)":"[^"]+"`+
				`(,"status":%s|,"Code":"%s","Message":"[^"]+")?\}$`,
			kind[2], kind[1], kind[2])).Match(golden) {
			t.Errorf("%s %s is documented and in no row", kind[1], kind[2])
		}
	}
	if strings.Contains(string(golden), url.QueryEscape("eyJ")) ||
		strings.Contains(string(golden), "ASIA") {
		t.Error("a token or a key is in the golden table")
	}
}
