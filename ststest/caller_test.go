package ststest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/seed055b7978/delegation/ststest"
)

const callerBody = "Action=GetCallerIdentity&Version=2011-06-15"

// assume returns credentials that the server has issued.
func assume(t testing.TB, s *ststest.Server, c *clock) aws.Credentials {
	t.Helper()
	return assumeWith(t, s, c, nil)
}

// assumeWith is assume with the parameters Policy and PolicyArns.member.1.arn.
func assumeWith(
	t testing.TB, s *ststest.Server, c *clock, parameters map[string]string,
) aws.Credentials {
	t.Helper()
	r := good()
	r.issued = c.Now()
	r.notBefore = c.Now()
	r.end = c.Now().Add(time.Minute)
	r.confirmed = c.Now().Add(time.Minute)
	in := input(r.encoded())
	if policy, ok := parameters["Policy"]; ok {
		in.Policy = &policy
	}
	if arn, ok := parameters["PolicyArns.member.1.arn"]; ok {
		in.PolicyArns = []types.PolicyDescriptorType{{Arn: &arn}}
	}
	out, err := client(t, s, aws.AnonymousCredentials{}).
		AssumeRoleWithSAML(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{
		AccessKeyID:     *out.Credentials.AccessKeyId,
		SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken:    *out.Credentials.SessionToken,
	}
}

// fixed is a credentials provider that never refreshes.
type fixed aws.Credentials

func (f fixed) Retrieve(context.Context) (aws.Credentials, error) { return aws.Credentials(f), nil }

func TestGetCallerIdentityThroughTheSDK(t *testing.T) {
	// The SDK signs with the time of the machine, so this clock shows it.
	c := &clock{now: time.Now().Truncate(time.Millisecond)}
	s := newServer(t, ststest.Config{Now: c.Now})
	creds := assume(t, s, c)
	out, err := client(t, s, fixed(creds)).GetCallerIdentity(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if *out.Arn != "arn:aws:sts::123456789012:assumed-role/photo-user/jane@example.com" ||
		*out.Account != account || !strings.HasSuffix(*out.UserId, ":jane@example.com") {
		t.Errorf("%s %s %s", *out.Arn, *out.Account, *out.UserId)
	}
	last := s.Calls()[1]
	if last.AccessKeyID != creds.AccessKeyID || last.Action != "GetCallerIdentity" ||
		last.Status != 200 {
		t.Errorf("call %+v", last)
	}
	_, err = client(t, s, aws.AnonymousCredentials{}).
		GetCallerIdentity(context.Background(), &sts.GetCallerIdentityInput{})
	if code, status := apiCode(err); code != "MissingAuthenticationToken" || status != 403 {
		t.Errorf("anonymous: %v", err)
	}
	s.Script(ststest.Missing("Account"))
	out, err = client(t, s, fixed(creds)).GetCallerIdentity(context.Background(), nil)
	if err != nil || out.Account != nil || out.Arn == nil {
		t.Errorf("Missing(Account): %v", err)
	}
	s.Script(ststest.RegionDisabled())
	_, err = client(t, s, fixed(creds)).GetCallerIdentity(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "for account:123456789012.") {
		t.Errorf("RegionDisabled: %v", err)
	}
}

func TestGetCallerIdentityChecksTheSignature(t *testing.T) {
	const (
		noMatch = "The request signature we calculated does not match the signature you " +
			"provided. Check your AWS Secret Access Key and signing method. Consult the service " +
			"documentation for details."
		unknown = "The security token included in the request is invalid."
		shape   = "Authorization header requires 'AWS4-HMAC-SHA256' with 'Credential', " +
			"'SignedHeaders' and 'Signature' parameters."
	)
	type call struct {
		creds           aws.Credentials
		method, target  string
		body            string
		service, region string // of the scope
		at              time.Time
		header          http.Header // signed too
		handler         http.Handler
		after           func(r *http.Request)
		clock           *clock
	}
	edit := func(old, new string) func(c *call) {
		return func(c *call) {
			c.after = func(r *http.Request) {
				h := r.Header.Get("Authorization")
				if !strings.Contains(h, old) {
					panic(h)
				}
				r.Header.Set("Authorization", strings.Replace(h, old, new, 1))
			}
		}
	}
	tests := []struct {
		name    string
		change  func(c *call)
		status  int
		code    string
		message string
	}{
		{"good", func(c *call) {}, 200, "", ""},
		{"by query", func(c *call) {
			c.method = "GET"
			c.target = "/?Version=2011-06-15&Action=GetCallerIdentity&z=%7E+%2F%C3%A9&a=2&a=1"
			c.body = ""
		}, 200, "", ""},
		{"with a path", func(c *call) { c.target = "/a%20b/c" }, 200, "", ""},
		{"with more signed headers", func(c *call) { c.header.Set("X-Extra", "  a   b ") },
			200, "", ""},
		{"without content-length", func(c *call) { c.header.Set("No-Length", "1") }, 200, "", ""},
		{"at the edge of the past", func(c *call) {
			c.clock.Set(epoch.Add(15 * time.Minute).Truncate(time.Second))
		}, 200, "", ""},
		{"too late", func(c *call) { c.clock.Set(epoch.Add(15*time.Minute + time.Second)) },
			403, "SignatureDoesNotMatch",
			"Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z " +
				"(20260102T031906Z - 15 min.)"},
		{"too early", func(c *call) { c.clock.Set(epoch.Add(-16 * time.Minute)) },
			403, "SignatureDoesNotMatch",
			"Signature not yet current: 20260102T030405Z is still later than 20260102T030305Z " +
				"(20260102T024805Z + 15 min.)"},
		{"no Authorization", func(c *call) {
			c.after = func(r *http.Request) { r.Header.Del("Authorization") }
		}, 403, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		{"bearer token", func(c *call) {
			c.after = func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }
		}, 403, "IncompleteSignature", shape},
		{"asymmetric algorithm", edit("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), 403,
			"IncompleteSignature", shape},
		{"no signature", edit("Signature=", "Sig="), 403, "IncompleteSignature", shape},
		{"signature twice", edit("Signature=", "Signature=0, Signature="), 403,
			"IncompleteSignature", shape},
		{"short scope", edit("/sts/aws4_request", "/aws4_request"), 403,
			"IncompleteSignature", shape},
		{"other scope end", edit("aws4_request", "aws5_request"), 403,
			"IncompleteSignature", shape},
		{"no date", func(c *call) {
			c.after = func(r *http.Request) { r.Header.Del("X-Amz-Date") }
		}, 403, "IncompleteSignature",
			"Authorization header requires existence of an 'X-Amz-Date' header in the form " +
				"YYYYMMDDThhmmssZ."},
		{"unknown key", func(c *call) { c.creds.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" },
			403, "InvalidClientTokenId", unknown},
		{"no session token", func(c *call) { c.creds.SessionToken = "" },
			403, "InvalidClientTokenId", unknown},
		{"another session token", func(c *call) { c.creds.SessionToken += "x" },
			403, "InvalidClientTokenId", unknown},
		{"another secret", func(c *call) { c.creds.SecretAccessKey += "x" },
			403, "SignatureDoesNotMatch", noMatch},
		{"another partition", func(c *call) { c.region = "cn-north-1" },
			403, "InvalidClientTokenId", unknown},
		{"another service", func(c *call) { c.service = "s3" }, 403, "SignatureDoesNotMatch",
			"Credential should be scoped to correct service: 'sts'. "},
		{"another region than addressed", func(c *call) {
			c.region = "eu-west-1"
			c.handler = nil
		}, 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. "},
		{"another day", edit("/20260102/", "/20260103/"), 403, "SignatureDoesNotMatch",
			"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from " +
				"HTTP: '20260103' != '20260102', from '20260102T030405Z'."},
		{"changed body", func(c *call) {
			c.after = func(r *http.Request) {
				*r = *requestOf(r.Method, "/",
					strings.Replace(c.body, "2011", "2012", 1)+"", r.Header)
				r.Header = r.Header.Clone()
			}
			c.body = "x=2011&" + callerBody
		}, 403, "SignatureDoesNotMatch", noMatch},
		{"changed query", func(c *call) {
			c.after = func(r *http.Request) { r.URL.RawQuery = "x" }
		}, 403, "SignatureDoesNotMatch", noMatch},
		{"changed path", func(c *call) { c.after = func(r *http.Request) { r.URL.Path = "/x" } },
			403, "SignatureDoesNotMatch", noMatch},
		{"changed host", func(c *call) { c.after = func(r *http.Request) { r.Host = "127.0.0.2" } },
			403, "SignatureDoesNotMatch", noMatch},
		{"changed time", func(c *call) {
			c.after = func(r *http.Request) { r.Header.Set("X-Amz-Date", "20260102T030404Z") }
		}, 403, "SignatureDoesNotMatch", noMatch},
		{"changed signature", edit("Signature=", "Signature=0"), 403,
			"SignatureDoesNotMatch", noMatch},
		{"host not signed", edit("host;", ""), 403, "SignatureDoesNotMatch",
			"'host' must be a 'SignedHeader' in the AWS Authorization."},
		{"token not signed", edit(";x-amz-security-token", ""), 403, "SignatureDoesNotMatch",
			"'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization."},
		{"at the last moment", func(c *call) {
			c.at = epoch.Add(time.Hour - time.Second)
			c.clock.Set(epoch.Truncate(time.Second).Add(time.Hour - time.Nanosecond))
		}, 200, "", ""},
		{"expired", func(c *call) {
			c.at = epoch.Add(time.Hour)
			c.clock.Set(epoch.Truncate(time.Second).Add(time.Hour))
		}, 403, "ExpiredToken", "The security token included in the request is expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clk := &clock{now: epoch}
			s := newServer(t, ststest.Config{Now: clk.Now})
			c := call{
				creds:   assume(t, s, clk),
				method:  "POST",
				target:  "/",
				body:    callerBody,
				service: "sts",
				region:  "us-east-1",
				at:      epoch,
				header:  http.Header{},
				handler: s,
				clock:   clk,
			}
			tt.change(&c)
			if c.handler == nil {
				c.handler = s.Region("us-east-1")
			}
			r := requestOf(c.method, c.target, c.body, c.header)
			length := r.ContentLength
			if r.Header.Get("No-Length") != "" { // as botocore signs
				r.ContentLength = 0
			}
			sum := sha256.Sum256([]byte(c.body))
			err := v4.NewSigner().SignHTTP(context.Background(), c.creds, r,
				hex.EncodeToString(sum[:]), c.service, c.region, c.at)
			if err != nil {
				t.Fatal(err)
			}
			r.ContentLength = length
			if c.after != nil {
				c.after(r)
			}
			a := do(c.handler, r)
			if a.status != tt.status || a.Code != tt.code || a.Message != tt.message {
				t.Errorf("got  %d %s %q\nwant %d %s %q", a.status, a.Code, a.Message, tt.status,
					tt.code, tt.message)
			}
		})
	}
}

func requestOf(method, target, body string, header http.Header) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestOldSessionsAreForgotten(t *testing.T) {
	clk := &clock{now: epoch}
	s := newServer(t, ststest.Config{Now: clk.Now})
	creds := assume(t, s, clk)
	f := form(good().encoded())
	status := func() string {
		r := requestOf("POST", "/", callerBody, http.Header{})
		sum := sha256.Sum256([]byte(callerBody))
		err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hex.EncodeToString(sum[:]),
			"sts", "us-east-1", epoch)
		if err != nil {
			t.Fatal(err)
		}
		return do(s, r).Code
	}
	for range 1_999 {
		post(s, f)
	}
	if code := status(); code != "" {
		t.Errorf("after 2,000 sessions: %s", code)
	}
	post(s, f)
	if code := status(); code != "InvalidClientTokenId" {
		t.Errorf("after one more: %q", code)
	}
}
