package ststest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed055b7978/delegation/ststest"
)

const (
	refusedPage = "<html>\r\n<head><title>400 Bad Request</title></head>\r\n" +
		"<body>Bad Request</body>\r\n</html>\r\n"
	console = "https://console.aws.amazon.com/s3/home?region=eu-west-1&x=%20#a"
)

// sessionJSON is the parameter Session for credentials.
func sessionJSON(c aws.Credentials) string {
	return fmt.Sprintf(`{"sessionId":%q,"sessionKey":%q,"sessionToken":%q}`, c.AccessKeyID,
		c.SecretAccessKey, c.SessionToken)
}

// federate sends a GET, to any sign-in host of the partition aws.
func federate(h http.Handler, params url.Values) answer {
	return do(h, httptest.NewRequest("GET",
		"https://signin.aws.amazon.com/federation?"+params.Encode(), nil))
}

func tokenParams(c aws.Credentials) url.Values {
	return url.Values{"Action": {"getSigninToken"}, "Session": {sessionJSON(c)}}
}

func loginParams(token string) url.Values {
	return url.Values{
		"Action": {"login"}, "Issuer": {"https://example.com/"}, "Destination": {console},
		"SigninToken": {token},
	}
}

// signInToken returns the token of a success.
func signInToken(t testing.TB, a answer) string {
	t.Helper()
	var members map[string]string
	err := json.Unmarshal([]byte(a.body), &members)
	if err != nil || a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %s: %v", a.status, a.header, err)
	}
	if len(members) != 1 || members["SigninToken"] == "" {
		t.Fatalf("%d members", len(members))
	}
	return members["SigninToken"]
}

// assumeIn returns credentials of a role in a partition.
func assumeIn(t testing.TB, s *ststest.Server, partition, region string) aws.Credentials {
	t.Helper()
	provider := strings.Replace(providerARN, "arn:aws:", "arn:"+partition+":", 1)
	role := strings.Replace(roleARN, "arn:aws:", "arn:"+partition+":", 1)
	mustPut(t, s, provider, metadataFor(issuer, goodKey().cert))
	mustRole(t, s, ststest.Role{
		ARN:         role,
		TrustPolicy: strings.Replace(trustAll, "arn:aws:", "arn:"+partition+":", 1),
	})
	r := good().set("Role", role+","+provider)
	r.audience = map[string]string{
		"aws": "urn:amazon:webservices", "aws-cn": "urn:amazon:webservices:cn-north-1",
		"aws-us-gov": "urn:amazon:webservices:govcloud",
		"aws-iso":    "https://us-iso-east-1.signin.c2shome.ic.gov/saml",
		"aws-eusc":   "https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml",
	}[partition]
	f := form(r.encoded())
	f.Set("RoleArn", role)
	f.Set("PrincipalArn", provider)
	a := post(s.Region(region), f)
	if a.status != 200 {
		t.Fatalf("%d %s %s", a.status, a.Code, a.Message)
	}
	_, rest, _ := strings.Cut(a.body, "<SessionToken>")
	token, _, _ := strings.Cut(rest, "<")
	return aws.Credentials{AccessKeyID: a.Key, SecretAccessKey: a.Secret, SessionToken: token}
}

func TestFederationSignsIn(t *testing.T) {
	tests := []struct{ partition, stsRegion, host, destination, wantRegion string }{
		{"aws", "us-east-1", "signin.aws.amazon.com",
			"https://console.aws.amazon.com/", "us-east-1"},
		{"aws", "us-east-1", "eu-west-1.signin.aws.amazon.com", console, "eu-west-1"},
		{"aws", "us-east-1", "Signin.AWS.amazon.com:443",
			"HTTPS://EU-west-1.Console.aws.amazon.com", "us-east-1"},
		{"aws", "us-east-1", "127.0.0.1:8080",
			"https://123456789012-abc.us-east-1.console.aws.amazon.com/x", "ap-south-1"},
		{"aws-cn", "cn-north-1", "signin.amazonaws.cn", "https://console.amazonaws.cn/",
			"cn-northwest-1"},
		{"aws-cn", "cn-north-1", "cn-north-1.signin.amazonaws.cn",
			"https://cn-north-1.console.amazonaws.cn/", "cn-north-1"},
		{"aws-us-gov", "us-gov-west-1", "signin.amazonaws-us-gov.com",
			"https://console.amazonaws-us-gov.com/", "us-gov-west-1"},
		{"aws-us-gov", "us-gov-west-1", "signin-fips.amazonaws-us-gov.com",
			"https://us-gov-east-1.console.amazonaws-us-gov.com/", "us-gov-west-1"},
		{"aws-us-gov", "us-gov-west-1", "us-gov-east-1.signin-fips.amazonaws-us-gov.com",
			"https://console.amazonaws-us-gov.com/", "us-gov-east-1"},
		{"aws-cn", "cn-north-1", "cn-northwest-1.signin.amazonaws.cn",
			"https://cn-northwest-1.console.amazonaws.cn/", "cn-northwest-1"},
		{"aws-eusc", "eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu",
			"https://eusc-de-east-1.console.amazonaws-eusc.eu/", "eusc-de-east-1"},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			s := newServer(t, ststest.Config{Region: "ap-south-1"})
			creds := assumeIn(t, s, tt.partition, tt.stsRegion)
			ask := tokenParams(creds)
			ask.Set("SessionDuration", "3600")
			ask.Set("SessionType", "json")
			r := httptest.NewRequest("POST", "/federation", strings.NewReader(ask.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			r.Host = tt.host
			token := signInToken(t, do(s.Federation(), r))

			login := loginParams(token)
			login.Set("Destination", tt.destination)
			for range 2 { // a token is not used up
				r = httptest.NewRequest("GET", "/federation?"+login.Encode(), nil)
				r.Host = tt.host
				a := do(s.Federation(), r)
				if a.status != 302 || a.header.Get("Location") != tt.destination || a.body != "" {
					t.Errorf("%d to %q", a.status, a.header.Get("Location"))
				}
			}
			calls := s.Calls()[1:]
			if len(calls) != 3 {
				t.Fatalf("%d calls", len(calls))
			}
			for i, want := range []ststest.Call{
				{Action: "getSigninToken", Status: 200, Duration: time.Hour},
				{Action: "login", Status: 302}, {Action: "login", Status: 302},
			} {
				c := calls[i]
				if c.Action != want.Action || c.Status != want.Status ||
					c.Duration != want.Duration || c.Region != tt.wantRegion ||
					c.AccessKeyID != creds.AccessKeyID || c.RequestID == "" ||
					!c.Time.Equal(epoch) {
					t.Errorf("call %d: %+v", i, c)
				}
			}
			noSecrets(t, s, creds, token)
		})
	}
}

// noSecrets looks for credentials and tokens in the calls of a server.
func noSecrets(t testing.TB, s *ststest.Server, creds aws.Credentials, token string) {
	t.Helper()
	calls := fmt.Sprintf("%+v", s.Calls())
	for name, secret := range map[string]string{
		"secret key": creds.SecretAccessKey, "session token": creds.SessionToken,
		"sign-in token": token,
	} {
		if secret != "" && strings.Contains(calls, secret) {
			t.Errorf("a call holds the %s", name)
		}
	}
}

func TestFederationRefuses(t *testing.T) {
	const formType = "application/x-www-form-urlencoded"
	type call struct {
		s                  *ststest.Server
		creds              aws.Credentials
		token              string
		clock              *clock
		params             url.Values // of the call; a success unless changed
		method, host, path string
		contentType, raw   string // raw is added to the query or form
	}
	session := func(text func(c *call) string) func(c *call) {
		return func(c *call) { c.params.Set("Session", text(c)) }
	}
	replace := func(old, new string) func(c *call) {
		return session(func(c *call) string {
			if !strings.Contains(c.params.Get("Session"), old) {
				panic("no " + old)
			}
			return strings.Replace(c.params.Get("Session"), old, new, 1)
		})
	}
	set := func(name, value string) func(c *call) {
		return func(c *call) { c.params.Set(name, value) }
	}
	del := func(name string) func(c *call) { return func(c *call) { c.params.Del(name) } }
	host := func(h string) func(c *call) { return func(c *call) { c.host = h } }
	raw := func(text string) func(c *call) { return func(c *call) { c.raw = text } }
	after := func(d time.Duration) func(c *call) {
		return func(c *call) { c.clock.Set(epoch.Add(d)) }
	}
	// Credentials end on a whole second, an hour after the epoch's.
	end := time.Hour - 600*time.Millisecond

	both := []struct { // whatever the action
		name   string
		change func(c *call)
		status int
	}{
		{"as it should be", func(c *call) {}, 0},
		{"a parameter of another name", set("Region", "eu-west-1"), 0},
		{"no action", del("Action"), 400},
		{"another action", set("Action", "logout"), 400},
		{"action in lower case", func(c *call) {
			c.params.Set("Action", strings.ToLower(c.params.Get("Action"))+" ")
		}, 400},
		{"action of STS", set("Action", "GetCallerIdentity"), 400},
		{"action twice", raw("&Action=login"), 400},
		{"unknown parameter twice", raw("&a=1&a=1"), 400},
		{"bad escape", raw("&a=%zz"), 400},
		{"semicolon", raw("&a=1;b=2"), 400},
		{"PUT", func(c *call) { c.method = "PUT" }, 400},
		{"HEAD", func(c *call) { c.method = "HEAD" }, 400},
		{"POST of JSON", func(c *call) { c.method, c.contentType = "POST", "application/json" },
			400},
		{"POST without a type", func(c *call) { c.method, c.contentType = "POST", "" }, 400},
		{"POST over 10,000,000 bytes", func(c *call) {
			c.method = "POST"
			c.raw = "&x=" + strings.Repeat("x", 10_000_000)
		}, 400},
		{"another path", func(c *call) { c.path = "/" }, 404},
		{"path with a slash", func(c *call) { c.path = "/federation/" }, 404},
		{"path in capitals", func(c *call) { c.path = "/Federation" }, 404},
		{"host of another partition", host("signin.amazonaws.cn"), 400},
		{"regional host of another partition",
			host("eusc-de-east-1.signin.amazonaws-eusc.eu"), 400},
		{"host with a region of another partition is none",
			host("cn-north-1.signin.aws.amazon.com"), 0},
		{"host without the region it needs is none", host("signin.amazonaws-eusc.eu"), 0},
	}
	type test struct {
		name   string
		change func(c *call)
		status int // zero for a success
	}
	tokens := []test{
		{"POST", func(c *call) { c.method = "POST" }, 0},
		{"POST with the query only", func(c *call) {
			c.method, c.path = "POST", "/federation?"+c.params.Encode()
			c.params = nil
		}, 400},
		{"session twice", func(c *call) { c.params.Add("Session", c.params.Get("Session")) }, 400},
		{"no session", del("Session"), 400},
		{"empty session", set("Session", ""), 400},
		{"members in another order, with blanks", session(func(c *call) string {
			return fmt.Sprintf(
				" {\"sessionToken\" : %q,\n\"sessionKey\":%q,\"session\\u0049d\":%q} \n",
				c.creds.SessionToken, c.creds.SecretAccessKey, c.creds.AccessKeyID)
		}), 0},
		{"not JSON", set("Session", "x"), 400},
		{"null", set("Session", "null"), 400},
		{"array",
			session(func(c *call) string { return "[" + c.params.Get("Session") + "]" }), 400},
		{"string", session(func(c *call) string {
			return fmt.Sprintf("%q", c.params.Get("Session"))
		}), 400},
		{"empty object", set("Session", "{}"), 400},
		{"deep", set("Session", strings.Repeat("[", 100_000)), 400},
		{"cut off", session(func(c *call) string {
			return strings.TrimSuffix(c.params.Get("Session"), "}")
		}), 400},
		{"trailing data",
			session(func(c *call) string { return c.params.Get("Session") + "{}" }), 400},
		{"trailing rubbish",
			session(func(c *call) string { return c.params.Get("Session") + "x" }), 400},
		{"comma at the end", replace(`"}`, `",}`), 400},
		{"member twice", session(func(c *call) string {
			return strings.Replace(c.params.Get("Session"), "{",
				`{"sessionId":"`+c.creds.AccessKeyID+`",`, 1)
		}), 400},
		{"member of another name", replace(`{`, `{"x":"",`), 400},
		{"member in capitals", replace("sessionKey", "SessionKey"), 400},
		{"no sessionId", replace("sessionId", "x"), 400},
		{"no sessionKey", replace("sessionKey", "x"), 400},
		{"no sessionToken", replace("sessionToken", "x"), 400},
		{"number", set("Session", `{"sessionId":1,"sessionKey":2,"sessionToken":3}`), 400},
		{"nulls", set("Session", `{"sessionId":null,"sessionKey":null,"sessionToken":null}`), 400},
		{"unknown credentials",
			set("Session",
				`{"sessionId":"ASIAAAAAAAAAAAAAAAAA","sessionKey":"x","sessionToken":"x"}`),
			400},
		{"id with a blank", replace(`"ASIA`, `" ASIA`), 400},
		{"another secret", replace(`"sessionKey":"`, `"sessionKey":"x`), 400},
		{"another token", replace(`"sessionToken":"`, `"sessionToken":"x`), 400},
		{"empty secret and token", session(func(c *call) string {
			return sessionJSON(aws.Credentials{AccessKeyID: c.creds.AccessKeyID})
		}), 400},
		{"secret and token of other credentials", session(func(c *call) string {
			other := assumeIn(t, c.s, "aws", "us-east-1")
			other.AccessKeyID = c.creds.AccessKeyID
			return sessionJSON(other)
		}), 400},
		{"token of other credentials", session(func(c *call) string {
			other := assumeIn(t, c.s, "aws", "us-east-1")
			c.creds.SessionToken = other.SessionToken
			return sessionJSON(c.creds)
		}), 400},
		{"credentials of another server", session(func(c *call) string {
			return sessionJSON(assumeIn(t, newServer(t, ststest.Config{}), "aws", "us-east-1"))
		}), 400},
		{"credentials of another partition", session(func(c *call) string {
			return sessionJSON(assumeIn(t, c.s, "aws-cn", "cn-north-1"))
		}), 400},
		{"a moment before the end", after(end - 1), 0},
		{"expired", after(end), 400},
		{"duration of 900", set("SessionDuration", "900"), 0},
		{"duration of 899", set("SessionDuration", "899"), 400},
		{"duration of the role's maximum", set("SessionDuration", "7200"), 0},
		{"a second more", set("SessionDuration", "7201"), 400},
		{"duration of 43,200", func(c *call) { // with a role that allows it
			mustRole(t, c.s, ststest.Role{
				ARN:                roleARN,
				TrustPolicy:        trustAll,
				MaxSessionDuration: 12 * time.Hour,
			})
			c.params = tokenParams(assume(t, c.s, c.clock))
			c.params.Set("SessionDuration", "43200")
		}, 0},
		{"duration of 43,201", set("SessionDuration", "43201"), 400},
		{"duration that overflows 16 bits", set("SessionDuration", "66436"), 400},
		{"duration that overflows 64 bits", set("SessionDuration", "18446744073709552516"), 400},
		{"empty duration", set("SessionDuration", ""), 400},
		{"duration with a sign", set("SessionDuration", "+900"), 400},
		{"negative duration", set("SessionDuration", "-900"), 400},
		{"duration with a fraction", set("SessionDuration", "900.0"), 400},
		{"duration with a blank", set("SessionDuration", " 900"), 400},
		{"hexadecimal duration", set("SessionDuration", "0x384"), 400},
		{"duration twice", raw("&SessionDuration=900&SessionDuration=900"), 400},
		{"a duration the first role did not have", func(c *call) {
			mustRole(t, c.s, ststest.Role{
				ARN:                roleARN,
				TrustPolicy:        trustAll,
				MaxSessionDuration: 12 * time.Hour,
			})
			c.params.Set("SessionDuration", "43200")
		}, 400},
	}
	destination := func(u string) func(c *call) { return set("Destination", u) }
	logins := []test{
		{"POST", func(c *call) { c.method = "POST" }, 400},
		{"no issuer", del("Issuer"), 0},
		{"no token", del("SigninToken"), 400},
		{"empty token", set("SigninToken", ""), 400},
		{"another token", func(c *call) { c.params.Set("SigninToken", "x"+c.token) }, 400},
		{"token in lower case",
			func(c *call) { c.params.Set("SigninToken", strings.ToLower(c.token)) }, 400},
		{"token without escapes", func(c *call) {
			c.params.Del("SigninToken")
			c.raw = "&SigninToken=" + c.token
		}, 400},
		{"token of another server", func(c *call) {
			s := newServer(t, ststest.Config{})
			c.params.Set("SigninToken", signInToken(t,
				federate(s.Federation(), tokenParams(assumeIn(t, s, "aws", "us-east-1")))))
		}, 400},
		{"access key ID as the token",
			func(c *call) { c.params.Set("SigninToken", c.creds.AccessKeyID) }, 400},
		{"token of another partition", func(c *call) {
			r := httptest.NewRequest("GET",
				"/federation?"+tokenParams(assumeIn(t, c.s, "aws-cn", "cn-north-1")).Encode(), nil)
			r.Host = "signin.amazonaws.cn"
			c.params.Set("SigninToken", signInToken(t, do(c.s.Federation(), r)))
		}, 400},
		{"token twice", raw("&SigninToken=x"), 400},
		{"a moment before 15 minutes", after(15*time.Minute - 1), 0},
		{"after 15 minutes", after(15 * time.Minute), 400},
		{"credentials at their last moment", func(c *call) {
			c.clock.Set(epoch.Add(end - time.Minute))
			c.params.Set("SigninToken",
				signInToken(t, federate(c.s.Federation(), tokenParams(c.creds))))
			c.clock.Set(epoch.Add(end - 1))
		}, 0},
		{"credentials expired before the token", func(c *call) {
			c.clock.Set(epoch.Add(end - time.Minute))
			c.params.Set("SigninToken",
				signInToken(t, federate(c.s.Federation(), tokenParams(c.creds))))
			c.clock.Set(epoch.Add(end))
		}, 400},
		{"no destination", del("Destination"), 400},
		{"empty destination", destination(""), 400},
		{"destination twice", raw("&Destination=https%3A%2F%2Fconsole.aws.amazon.com"), 400},
		{"http", destination("http://console.aws.amazon.com/"), 400},
		{"no scheme", destination("//console.aws.amazon.com/"), 400},
		{"path only", destination("/s3/home"), 400},
		{"script", destination("javascript://console.aws.amazon.com/%0aalert(1)"), 400},
		{"opaque", destination("https:console.aws.amazon.com"), 400},
		{"with a user", destination("https://console.aws.amazon.com@evil.example/"), 400},
		{"with a user at the console",
			destination("https://user:secret@console.aws.amazon.com/"), 400},
		{"with a port", destination("https://console.aws.amazon.com:443/"), 400},
		{"another host", destination("https://example.com/console.aws.amazon.com"), 400},
		{"host that ends alike", destination("https://evilconsole.aws.amazon.com/"), 400},
		{"host that begins alike",
			destination("https://console.aws.amazon.com.evil.example/"), 400},
		{"host with another dot", destination("https://consolexaws.amazon.com/"), 400},
		{"host with a dot at the end", destination("https://console.aws.amazon.com./"), 400},
		{"host with a dot at the start", destination("https://.console.aws.amazon.com/"), 400},
		{"host of AWS that is no console", destination("https://s3.amazonaws.com/"), 400},
		{"backslash", destination(`https://evil.example\.console.aws.amazon.com/`), 400},
		{"escaped host", destination("https://evil.example%2f.console.aws.amazon.com/"), 400},
		{"newline", destination("https://console.aws.amazon.com/\r\nSet-Cookie: a=b"), 400},
		{"blank", destination("https://console.aws.amazon.com/?a b"), 400},
		{"not ASCII", destination("https://console.aws.amazon.com/é"), 400},
		{"console of China", destination("https://console.amazonaws.cn/"), 400},
		{"console of GovCloud", destination("https://console.amazonaws-us-gov.com/"), 400},
		{"console of the European Sovereign Cloud",
			destination("https://eusc-de-east-1.console.amazonaws-eusc.eu/"), 400},
	}

	run := func(kind string, params func(c *call) url.Values, success int, tests []test) {
		for _, tt := range tests {
			t.Run(kind+"/"+tt.name, func(t *testing.T) {
				c := &call{
					clock:       &clock{now: epoch},
					method:      "GET",
					host:        "signin.aws.amazon.com",
					path:        "/federation",
					contentType: formType,
				}
				c.s = newServer(t, ststest.Config{Now: c.clock.Now})
				c.creds = assume(t, c.s, c.clock)
				c.token = signInToken(t, federate(c.s.Federation(), tokenParams(c.creds)))
				c.params = params(c)
				tt.change(c)
				text := c.params.Encode() + c.raw
				target, body := c.path, ""
				if c.method == "GET" {
					target += "?" + text
				} else {
					body = text
				}
				r := httptest.NewRequest(c.method, target, strings.NewReader(body))
				r.Host = c.host
				if c.contentType != "" {
					r.Header.Set("Content-Type", c.contentType)
				}
				before := len(c.s.Calls())
				a := do(c.s.Federation(), r)
				calls := c.s.Calls()
				if len(calls) != before+1 {
					t.Fatalf("%d calls for one request", len(calls)-before)
				}
				last := calls[before]
				if last.Status != a.status || last.Code != "" {
					t.Errorf("call %+v for %d", last, a.status)
				}
				noSecrets(t, c.s, c.creds, c.token)
				if tt.status == 0 {
					if a.status != success || last.AccessKeyID == "" {
						t.Errorf("%d %q", a.status, last.AccessKeyID)
					}
					return
				}
				if a.status != tt.status || last.AccessKeyID != "" || last.Duration != 0 {
					t.Errorf("%d, want %d; call %+v", a.status, tt.status, last)
				}
				if a.header.Get("Location") != "" || a.header.Get("Content-Type") != "text/html" {
					t.Errorf("header %v", a.header)
				}
				if tt.status == 400 && a.body != refusedPage {
					t.Errorf("body %q", a.body)
				}
			})
		}
	}
	for _, tt := range both {
		tokens = append(tokens, test(tt))
		logins = append(logins, test(tt))
	}
	run("getSigninToken", func(c *call) url.Values { return tokenParams(c.creds) }, 200, tokens)
	run("login", func(c *call) url.Values { return loginParams(c.token) }, 302, logins)
}

// TestFederationConsolesOfPartitions has what TestFederationRefuses, whose
// partition is aws, cannot ask.
func TestFederationConsolesOfPartitions(t *testing.T) {
	tests := []struct{ partition, region, destination string }{
		{"aws-eusc", "eusc-de-east-1", "https://console.amazonaws-eusc.eu/"},
		{"aws-eusc", "eusc-de-east-1", "https://us-east-1.console.amazonaws-eusc.eu/"},
		{"aws-eusc", "eusc-de-east-1", "https://s3.eusc-de-east-1.console.amazonaws-eusc.eu/"},
		{"aws-eusc", "eusc-de-east-1", "https://eusc-de-east-1.console.aws.amazon.com/"},
		{"aws-cn", "cn-north-1", "https://console.aws.amazon.com/"},
		{"aws-us-gov", "us-gov-east-1", "https://us-gov-east-1.console.aws.amazon.com/"},
		{"aws-iso", "us-iso-east-1", "https://console.c2shome.ic.gov/"},
		{"aws-iso", "us-iso-east-1", "https://console.aws.amazon.com/"},
	}
	for _, tt := range tests {
		t.Run(tt.destination, func(t *testing.T) {
			s := newServer(t, ststest.Config{Region: tt.region}) // of requests to 127.0.0.1
			h := s.Federation()
			get := func(params url.Values) answer {
				return do(h,
					httptest.NewRequest("GET", "http://127.0.0.1/federation?"+params.Encode(), nil))
			}
			login := loginParams(signInToken(t,
				get(tokenParams(assumeIn(t, s, tt.partition, tt.region)))))
			login.Set("Destination", tt.destination)
			if a := get(login); a.status != 400 || a.body != refusedPage {
				t.Errorf("%d to %q", a.status, a.header.Get("Location"))
			}
		})
	}
}

func TestFederationForgetsOldTokens(t *testing.T) {
	s := newServer(t, ststest.Config{})
	ask := tokenParams(assumeIn(t, s, "aws", "us-east-1"))
	h := s.Federation()
	login := loginParams(signInToken(t, federate(h, ask)))
	for range 1_999 {
		federate(h, ask)
	}
	if a := federate(h, login); a.status != 302 {
		t.Errorf("after 2,000 tokens: %d", a.status)
	}
	federate(h, ask)
	if a := federate(h, login); a.status != 400 {
		t.Errorf("after one more: %d", a.status)
	}
}

func TestFederationTokens(t *testing.T) {
	s := newServer(t, ststest.Config{})
	ask := tokenParams(assumeIn(t, s, "aws", "us-east-1"))
	seen := map[string]bool{}
	for range 100 {
		token := signInToken(t, federate(s.Federation(), ask))
		if !strings.HasPrefix(token, "+") || len(token) != 64 || seen[token] {
			t.Fatalf("token of %d characters, seen before: %v", len(token), seen[token])
		}
		seen[token] = true
	}
}

func TestFederationWithoutRandomness(t *testing.T) {
	// 16 bytes for the ID of each request, 310 for credentials, 48 for a token.
	for n, status := range map[int]int{
		16 + 310: 500, 16 + 310 + 16: 500, 16 + 310 + 16 + 47: 500, 16 + 310 + 16 + 48: 200,
	} {
		s := newServer(t, ststest.Config{Rand: bytes.NewReader(make([]byte, n))})
		a := federate(s.Federation(), tokenParams(assumeIn(t, s, "aws", "us-east-1")))
		if a.status != status || status == 500 && strings.Contains(a.body, "SigninToken") {
			t.Errorf("%d random bytes: %d, want %d", n, a.status, status)
		}
	}
}

func TestFederationFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  ststest.Fault
		status int
		body   string // that the answer has
	}{
		{"Status 500", ststest.Status(500), 500, "500 Internal Server Error"},
		{"Status 502", ststest.Status(502), 502, "502 Bad Gateway"},
		{"Throttle", ststest.Throttle(), 400, refusedPage},
		{"Refuse", ststest.Refuse(403, "AccessDenied", "no"), 403, "<body>Forbidden</body>"},
		{"Refuse in this region", ststest.Status(503).In("us-east-1"), 503,
			"503 Service Unavailable"},
		{"Refuse in another region", ststest.Status(503).In("eu-west-1"), 200, "SigninToken"},
		{"Missing", ststest.Missing(), 200, ""},
		{"Missing a member of another answer", ststest.Missing("Credentials"), 200, "SigninToken"},
		{"Expired", ststest.Expired(), 200, "SigninToken"},
		{"RegionDisabled", ststest.RegionDisabled(), 200, "SigninToken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			creds := assumeIn(t, s, "aws", "us-east-1")
			s.Script(tt.fault)
			a := federate(s.Federation(), tokenParams(creds))
			if a.status != tt.status || !strings.Contains(a.body, tt.body) ||
				tt.body == "" && a.body != "" {
				t.Errorf("%d", a.status)
			}
			c := s.Calls()[1]
			if c.Status != tt.status || c.Code != "" || c.Action != "getSigninToken" {
				t.Errorf("call %+v", c)
			}
			signInToken(t, federate(s.Federation(), tokenParams(creds))) // and then it is healthy
		})
	}
}

func TestFederationHangsAndCuts(t *testing.T) {
	s := newServer(t, ststest.Config{})
	server := httptest.NewServer(s.Federation())
	t.Cleanup(server.Close)
	get := func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/federation?Action=login", nil)
		if err != nil {
			return err
		}
		res, err := server.Client().Do(r)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	s.Script(ststest.Cut(), ststest.Hang())
	// The client sends a GET again only on a connection that was in use before.
	if err := get(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("Cut: want io.EOF, got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- get(ctx) }()
	for len(s.Calls()) < 2 {
		select {
		case err := <-done:
			t.Fatalf("did not hang: %v", err)
		default:
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Hang: want context.Canceled, got %v", err)
	}
	for _, c := range s.Calls() {
		if c.Status != 0 || c.Action != "login" {
			t.Errorf("call %+v", c)
		}
	}
}

func TestFederationClientThatGoesAway(t *testing.T) {
	s := newServer(t, ststest.Config{})
	r := httptest.NewRequest("POST", "/federation",
		io.MultiReader(strings.NewReader("Action=login"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := do(s.Federation(), r); a.body != "" || len(s.Calls()) != 0 {
		t.Errorf("%q, calls %+v", a.body, s.Calls())
	}
}

func TestFederationConcurrently(t *testing.T) {
	s := newServer(t, ststest.Config{})
	h := s.Federation()
	encoded := good().encoded()
	creds := assumeIn(t, s, "aws", "us-east-1")
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		tokens []string
	)
	for range 8 {
		wg.Go(func() {
			for range 50 {
				a := federate(h, tokenParams(creds))
				_, rest, _ := strings.Cut(a.body, `:"`)
				token, _, _ := strings.Cut(rest, `"`)
				if a := federate(s.Federation(), loginParams(token)); a.status != 302 {
					t.Errorf("login: %d", a.status)
				}
				federate(h, loginParams("x"))
				post(s, form(encoded))
				s.Calls()
				mu.Lock()
				tokens = append(tokens, token)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(tokens)
	if n := len(slices.Compact(tokens)); n != 8*50 {
		t.Errorf("%d different tokens", n)
	}
}

// FuzzSession sends any Session. Only what encoding/json reads as the three
// parts, and nothing else, gives a token.
func FuzzSession(f *testing.F) {
	s := newServer(f, ststest.Config{Rand: &counter{}})
	h := s.Federation()
	creds := assumeIn(f, s, "aws", "us-east-1")
	want := map[string]string{
		"sessionId": creds.AccessKeyID, "sessionKey": creds.SecretAccessKey,
		"sessionToken": creds.SessionToken,
	}
	f.Add(sessionJSON(creds))
	f.Add(" " + strings.ReplaceAll(sessionJSON(creds), `,"`, ",\n\t\"") + "\r\n")
	f.Add(sessionJSON(creds) + "{}")
	f.Add(strings.Replace(sessionJSON(creds), "{", `{"sessionId":"",`, 1))
	f.Add(`{"sessionId":{"sessionId":[]},"sessionKey":1e9,"sessionToken":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		a := federate(h, url.Values{"Action": {"getSigninToken"}, "Session": {text}})
		if a.status != 200 {
			if a.status != 400 || a.body != refusedPage {
				t.Fatalf("%d %q", a.status, a.body)
			}
			if text == sessionJSON(creds) {
				t.Fatal("the credentials were refused")
			}
			return
		}
		var got map[string]string
		err := json.Unmarshal([]byte(text), &got)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("accepted: %q", text)
		}
	})
}
