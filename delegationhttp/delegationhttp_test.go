package delegationhttp_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// TestNewNamesEverything that is wrong, at once.
func TestNewNamesEverything(t *testing.T) {
	h, err := delegationhttp.New(delegationhttp.Config{
		AllowedOrigins: []string{"https://app.example.com/", page, "*"},
		RateLimit:      delegationhttp.RateLimit{Requests: -1},
		TrustedProxies: -1,
		Console: &delegationhttp.Console{
			Issuer:   "http://login.example.com/",
			Endpoint: "nonsense",
		},
	})
	if h != nil || err == nil {
		t.Fatalf("got %v, %v", h, err)
	}
	for _, part := range []string{
		"delegationhttp: Exchanger is nil", "AllowedOrigins[0]: ", "AllowedOrigins[2]: ",
		"RateLimit: ", "TrustedProxies: -1", "Console: Issuer: ", "Endpoint: ",
	} {
		if strings.Count(err.Error(), part) != 1 {
			t.Errorf("%q is not named once in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "AllowedOrigins[1]") {
		t.Errorf("a good origin is named: %v", err)
	}
	_, err = delegationhttp.New(delegationhttp.Config{})
	if err == nil || err.Error() != "delegationhttp: Exchanger is nil" {
		t.Errorf("the zero Config: %v", err)
	}
}

// TestNewChecks: each row is wrong in one way, or, without an error, right.
func TestNewChecks(t *testing.T) {
	for name, row := range map[string]struct {
		config delegationhttp.Config
		err    string
	}{
		"Exchanger alone": {delegationhttp.Config{}, ""},
		"no proxies":      {delegationhttp.Config{TrustedProxies: 0}, ""},
		"sixteen proxies": {delegationhttp.Config{TrustedProxies: 16}, ""},
		"seventeen proxies": {delegationhttp.Config{TrustedProxies: 17},
			"TrustedProxies: 17 is not between 0 and 16"},
		"negative proxies": {delegationhttp.Config{TrustedProxies: -1},
			"TrustedProxies: -1 is not between 0 and 16"},
		"zero Console": {delegationhttp.Config{Console: &delegationhttp.Console{}}, ""},
		"good Console": {
			delegationhttp.Config{Console: &delegationhttp.Console{
				Issuer:   "https://login.example.com/",
				Endpoint: "http://127.0.0.1:1/x",
			}}, "",
		},
		"Console's Issuer": {
			delegationhttp.Config{Console: &delegationhttp.Console{
				Issuer: "http://login.example.com/",
			}}, "Console: Issuer: ",
		},
		"Console's Endpoint": {
			delegationhttp.Config{Console: &delegationhttp.Console{Endpoint: "http://10.0.0.1/"}},
			"Console: Endpoint: ",
		},
		"Console's query": {
			delegationhttp.Config{Console: &delegationhttp.Console{
				Endpoint: "https://signin.example.com/federation?a=b",
			}}, "Console: Endpoint: ",
		},
		"Console's FIPS": {
			delegationhttp.Config{Console: &delegationhttp.Console{FIPS: true}}, "",
		},
		"Console's FIPS and Endpoint": {
			delegationhttp.Config{Console: &delegationhttp.Console{
				FIPS:     true,
				Endpoint: "https://signin.example.com/federation",
			}}, "Console: FIPS ",
		},
		"least limit": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{
				Requests: 1,
				Per:      1,
				MaxUsers: 1,
			}}, "",
		},
		"largest limit": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{
				Requests: math.MaxInt32,
				Per:      24 * time.Hour,
				MaxUsers: math.MaxInt,
			}}, "",
		},
		"negative Requests": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{Requests: -1}},
			"RateLimit: none of Requests, Per and MaxUsers may be negative",
		},
		"too many Requests": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{Requests: math.MaxInt32 + 1}},
			"Requests not over 2147483647",
		},
		"negative Per": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{Requests: 1, Per: -1}},
			"RateLimit: none of Requests, Per and MaxUsers may be negative",
		},
		"too long a Per": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{
				Requests: 1,
				Per:      24*time.Hour + 1,
			}}, "Per not over 24h",
		},
		"largest Per": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{
				Requests: 1,
				Per:      math.MaxInt64,
			}}, "Per not over 24h",
		},
		"negative MaxUsers": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{Requests: 1, MaxUsers: -1}},
			"RateLimit: none of Requests, Per and MaxUsers may be negative",
		},
		"Per in vain": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{Per: time.Hour}},
			"RateLimit: there is no limit while Requests is zero",
		},
		"MaxUsers in vain": {
			delegationhttp.Config{RateLimit: delegationhttp.RateLimit{MaxUsers: 5}},
			"RateLimit: there is no limit while Requests is zero",
		},
		"any origin": {delegationhttp.Config{AllowedOrigins: []string{"*"}}, ""},
		"any origin and more": {delegationhttp.Config{AllowedOrigins: []string{"*", page}},
			`AllowedOrigins[0]: "*" makes the others meaningless`},
		"any origin twice": {delegationhttp.Config{AllowedOrigins: []string{"*", "*"}},
			`AllowedOrigins[0]: "*" makes the others meaningless`},
	} {
		t.Run(name, func(t *testing.T) {
			row.config.Exchanger = exchanger(agreeable)
			h, err := delegationhttp.New(row.config)
			if row.err == "" && (h == nil || err != nil) ||
				row.err != "" &&
					(h != nil || err == nil || !strings.Contains(err.Error(), row.err)) {
				t.Errorf("got %v, %v, want %q", h, err, row.err)
			}
		})
	}
}

// TestOrigins: what New takes for one. A page's origin is compared as a whole, so one that no
// browser sends would allow nobody.
func TestOrigins(t *testing.T) {
	for origin, good := range map[string]bool{
		page: true, "http://localhost": true, "http://localhost:3000": true, "https://a": true,
		"https://a-b.c_d.example:8443": true, "http://127.0.0.1:65535": true,
		"https://[::1]": true, "https://[2001:db8::1]:8443": true, "http://a.example:443": true,
		"https://a.example:80":                true,
		"chrome-extension://abcdefghijklmnop": true, "capacitor://localhost": true,
		"moz-extension://6c1f3e9a-0000-4000-8000-000000000000": true,
		"": false, "null": false, "app.example.com": false, "//app.example.com": false,
		"https://": false, "https:": false, page + "/": false, page + "/x": false,
		page + "?": false, page + "#": false, "https://user@app.example.com": false,
		"https://APP.example.com": false, "HTTPS://app.example.com": false,
		page + ":443": false, "http://a.example:80": false, page + ":": false, page + ":0": false,
		page + ":080": false, page + ":123456": false, page + ":x": false,
		"https://*.example.com": false, "https://*": false, "https://a..b": false,
		"https://.a": false, "https://a.": false, "https://bücher.example": false,
		"https://[::1": false, "https://::1": false, "https://[]": false,
		"https://[::1]:443": false, " " + page: false, page + "\n": false, page + "," + page: false,
		"1http://a": false, "**": false,
	} {
		_, err := delegationhttp.New(delegationhttp.Config{
			Exchanger:      exchanger(agreeable),
			AllowedOrigins: []string{page, origin},
		})
		if good != (err == nil) ||
			err != nil && !strings.Contains(err.Error(), "AllowedOrigins[1]: ") {
			t.Errorf("%q: got %v", origin, err)
		}
	}
	_, err := delegationhttp.New(delegationhttp.Config{
		Exchanger:      exchanger(agreeable),
		AllowedOrigins: []string{strings.Repeat("x", 10_000)},
	})
	if err == nil || len(err.Error()) > 600 {
		t.Errorf("a huge origin must be refused in few words: %v", err)
	}
}

// TestConfigIsCopied changes everything that New was given: the handlers must not notice.
func TestConfigIsCopied(t *testing.T) {
	console := &delegationhttp.Console{Endpoint: serve(t, federation(200, `{"SigninToken":"t"}`))}
	origins := []string{page}
	h := mount(t, delegationhttp.Config{
		Exchanger:      exchanger(agreeable),
		AllowedOrigins: origins,
		Console:        console,
	})
	endpoint := console.Endpoint
	origins[0], console.Endpoint = "https://evil.example.com", "https://evil.example.com"
	a := ask(t, h, from(page, post(consolePath, formType, form(values("token", nil)))))
	if !strings.HasPrefix(a.text("url"), endpoint) ||
		a.header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("got %d %s %v", a.status, a.body, a.header)
	}
	a = ask(t, h, from(origins[0], post(consolePath, formType, "")))
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("the changed origin is allowed: %v", a.header)
	}
}

// TestSilentByDefault: without a logger and a clock everything works, and by the machine's clock.
func TestSilentByDefault(t *testing.T) {
	h := mount(t, delegationhttp.Config{
		Exchanger: exchanger(agreeable),
		RateLimit: delegationhttp.RateLimit{Requests: 1},
		Console:   &delegationhttp.Console{},
	})
	ask(t, h, post(delegationPath, formType, form(values("token", nil)))).granted(t)
	ask(t, h, post(delegationPath, formType, "")).
		refused(t, 400, "invalid_request", "missing client_id parameter")
	ask(t, h,
		post(consolePath, formType, form(values("token", map[string]any{"destination": "x"})))).
		refused(t, 400, "invalid_request",
			"the destination is not an https URL of the partition's console")
	var seen spied
	before := time.Now()
	a := ask(t, mount(t, delegationhttp.Config{
		Exchanger: newSpy(t, app, &seen),
		RateLimit: delegationhttp.RateLimit{Requests: 1},
	}), post(delegationPath, formType, form(values("token", nil))))
	reset, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64)
	at := time.Unix(reset, 0)
	if err != nil || at.Before(before.Add(time.Minute)) ||
		at.After(time.Now().Add(time.Minute+time.Second)) {
		t.Errorf("all is there again at %s, %v", at, err)
	}
}
