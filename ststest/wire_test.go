package ststest_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/ststest"
)

var update = flag.Bool("update", false, "write testdata/*.xml")

// TestGoldenAnswers compares whole bodies, byte for byte.
func TestGoldenAnswers(t *testing.T) {
	rich := func() *response {
		r := good().set("PrincipalTag:Team", "blue").set("SourceIdentity", "jane")
		r.nameID = "<a> & \"b\" 'c' \t é"
		return r
	}
	tests := []struct {
		file   string
		status int
		params func() url.Values
	}{
		{"success", 200, func() url.Values { return form(good().encoded()) }},
		{"success-with-tags", 200, func() url.Values { return form(rich().encoded()) }},
		{"error", 400, func() url.Values {
			r := good()
			r.issuer = "urn:x"
			return form(r.encoded())
		}},
		{"error-escaped", 400, func() url.Values {
			f := form("xxxx")
			f.Set("RoleArn", "<'\"&\r\n\x00")
			return f
		}},
		{"access-denied", 403, func() url.Values {
			f := form("xxxx")
			f.Set("RoleArn", roleARN+"x")
			return f
		}},
		{"malformed-input", 400, func() url.Values {
			f := form("xxxx")
			f.Set("DurationSeconds", "x")
			return f
		}},
		{"invalid-action", 400, func() url.Values {
			return url.Values{"Action": {"Assume<Role>"}, "Version": {"2011-06-15"}}
		}},
		{"invalid-version", 400, func() url.Values {
			f := form("xxxx")
			f.Set("Version", "2010-05-08")
			return f
		}},
		{"no-version", 400, func() url.Values { f := form("xxxx"); f.Del("Version"); return f }},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			s := newServer(t, ststest.Config{Rand: &counter{}})
			a := post(s, tt.params())
			if a.status != tt.status || a.header.Get("Content-Type") != "text/xml" {
				t.Errorf("%d %q, want %d", a.status, a.header.Get("Content-Type"), tt.status)
			}
			id := a.header.Get("x-amzn-RequestId")
			if id != "00010203-0405-4607-8809-0a0b0c0d0e0f" {
				t.Errorf("request ID %q", id)
			}
			path := filepath.Join("testdata", tt.file+".xml")
			if *update {
				if err := os.WriteFile(path, []byte(a.body), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if a.body != string(want) {
				t.Errorf("got\n%s\nwant\n%s", a.body, want)
			}
		})
	}
}

func TestRequests(t *testing.T) {
	s := newServer(t, ststest.Config{})
	encoded := good().encoded()
	params := form(encoded).Encode()
	request := func(method, target, contentType, body string) *http.Request {
		r := httptest.NewRequest(method, "http://127.0.0.1"+target, strings.NewReader(body))
		if contentType != "" {
			r.Header.Set("Content-Type", contentType)
		}
		return r
	}
	const formType = "application/x-www-form-urlencoded"
	tests := []struct {
		name    string
		request *http.Request
		status  int
		code    string
	}{
		{"form", request("POST", "/", formType, params), 200, ""},
		{"form with a charset", request("POST", "/", formType+"; charset=utf-8", params), 200, ""},
		{"query", request("GET", "/?"+params, "", ""), 200, ""},
		{"query of a POST is not read", request("POST", "/?"+params, formType, ""), 302, ""},
		{"no content type", request("POST", "/", "", params), 302, ""},
		{"JSON", request("POST", "/", "application/json", params), 302, ""},
		{"no action", request("POST", "/", formType, "Version=2011-06-15"), 302, ""},
		{"nothing", request("GET", "/", "", ""), 302, ""},
		{"PUT", request("PUT", "/", formType, params), 302, ""},
		{"bad escape", request("POST", "/", formType, "Action=%zz"), 400, "MalformedInput"},
		{"the first of two counts",
			request("POST", "/", formType,
				params+
					"&RoleArn=x&Action=y&Version=z&DurationSeconds=900&DurationSeconds=x&Unknown=1"),
			200, ""},
		{"the second of two does not",
			request("POST", "/", formType, "RoleArn=arn:aws:iam::123456789012:role/none&"+params),
			403, "AccessDenied"},
		{"10,000,000 bytes",
			request("POST", "/", formType,
				params+"&x="+strings.Repeat("x", 10_000_000-len(params)-3)),
			200, ""},
		{"a byte more",
			request("POST", "/", formType,
				params+"&x="+strings.Repeat("x", 10_000_001-len(params)-3)),
			413, ""},
		{"another operation",
			request("POST", "/", formType, "Action=GetSessionToken&Version=2011-06-15"), 400,
			"InvalidAction"},
		{"policy ARNs in any order",
			request("POST", "/", formType,
				params+
					"&PolicyArns.member.2.arn=arn:aws:iam::aws:policy/b&PolicyArns.member.1.arn=arn:aws:iam::aws:policy/a"),
			200, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := do(s, tt.request)
			if a.status != tt.status || a.Code != tt.code {
				t.Errorf("%d %s %s, want %d %s", a.status, a.Code, a.Message, tt.status, tt.code)
			}
			if a.status == 302 &&
				(a.header.Get("Location") != "https://aws.amazon.com/iam" || a.body != "") {
				t.Errorf("location %q, body %q", a.header.Get("Location"), a.body)
			}
			if a.header.Get("X-Amzn-Requestid") == "" {
				t.Error("no request ID")
			}
		})
	}
	calls := s.Calls()
	got := fmt.Sprint(calls[len(calls)-1].PolicyARNs)
	if got != "[arn:aws:iam::aws:policy/a arn:aws:iam::aws:policy/b]" {
		t.Errorf("policy ARNs %s", got)
	}
}

func TestRegionOfRequest(t *testing.T) {
	scope := func(region string) string {
		return "AWS4-HMAC-SHA256 Credential=ASIAX/20260102/" + region +
			"/sts/aws4_request, SignedHeaders=host, Signature=00"
	}
	tests := []struct{ host, authorization, want string }{
		{"127.0.0.1:4566", "", "ap-south-1"},
		{"sts.eu-west-1.amazonaws.com", "", "eu-west-1"},
		{"STS.eu-west-1.amazonaws.com:443", "", "eu-west-1"},
		{"sts-fips.us-east-2.amazonaws.com", "", "us-east-2"},
		{"sts.cn-north-1.amazonaws.com.cn", "", "cn-north-1"},
		{"sts.eu-west-1.api.aws", "", "eu-west-1"},
		{"sts.amazonaws.com", "", "us-east-1"},
		{"sts.mars-north-1.amazonaws.com", "", "ap-south-1"},
		{"ec2.eu-west-1.amazonaws.com", "", "ap-south-1"},
		{"sts.eu-west-1.amazonaws.com", scope("us-west-2"), "eu-west-1"},
		{"localhost", scope("us-west-2"), "us-west-2"},
		{"localhost", scope("mars"), "ap-south-1"},
		{"localhost", "Bearer x", "ap-south-1"},
	}
	for _, tt := range tests {
		s := ststest.New(ststest.Config{Region: "ap-south-1"})
		r := httptest.NewRequest("GET", "/?Action=x", nil)
		r.Host = tt.host
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		do(s, r)
		do(s.Region("eu-north-1"), r)
		if calls := s.Calls(); calls[0].Region != tt.want || calls[1].Region != "eu-north-1" {
			t.Errorf("%s %s: %s and %s, want %s", tt.host, tt.authorization, calls[0].Region,
				calls[1].Region, tt.want)
		}
	}
	s := ststest.New(ststest.Config{})
	do(s, httptest.NewRequest("GET", "http://localhost/?Action=x", nil))
	if got := s.Calls()[0].Region; got != "us-east-1" {
		t.Errorf("default region %s", got)
	}
}

func TestExhaustedRandomness(t *testing.T) {
	encoded := good().encoded()
	bytesFor := map[int]int{0: 500, 20: 500, 400: 200} // random bytes to status
	for n, status := range bytesFor {
		s := newServer(t, ststest.Config{Rand: bytes.NewReader(make([]byte, n))})
		if a := post(s, form(encoded)); a.status != status {
			t.Errorf("%d random bytes: %d, want %d", n, a.status, status)
		}
	}
	s := newServer(t, ststest.Config{Rand: bytes.NewReader(make([]byte, 20))})
	if a := post(s, form("!!!!")); a.Code != "InternalFailure" {
		t.Errorf("no randomness for an error: %d %s", a.status, a.Code)
	}
}

func TestConcurrentUse(t *testing.T) {
	s := newServer(t, ststest.Config{})
	encoded := good().set("PrincipalTag:a", "b").encoded()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				s.Script(ststest.Repeat(2, ststest.Throttle()).In("eu-west-1"), ststest.Fault{})
				if a := post(s, form(encoded)); a.status != 200 {
					t.Errorf("%d %s", a.status, a.Message)
				}
				post(s.Region("eu-west-1"), form(encoded))
				mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: trustAll})
				mustPut(t, s, providerARN, metadataFor(issuer, goodKey().cert))
				for _, c := range s.Calls() {
					if c.PrincipalTags != nil {
						c.PrincipalTags["x"] = "y"
					}
				}
			}
		})
	}
	wg.Wait()
	keys := map[string]bool{}
	for _, c := range s.Calls() {
		if c.Status == 200 && keys[c.AccessKeyID] {
			t.Errorf("%s issued twice", c.AccessKeyID)
		}
		keys[c.AccessKeyID] = true
	}
}
