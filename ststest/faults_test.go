package ststest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed055b7978/delegation/ststest"
)

// client returns the SDK's STS client for a server, with one attempt a call.
func client(t testing.TB, h http.Handler, credentials aws.CredentialsProvider) *sts.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return sts.New(sts.Options{
		Region:       "us-east-1",
		BaseEndpoint: &server.URL,
		Credentials:  credentials,
		Retryer:      aws.NopRetryer{},
	})
}

func input(encoded string) *sts.AssumeRoleWithSAMLInput {
	return &sts.AssumeRoleWithSAMLInput{
		RoleArn:       aws.String(roleARN),
		PrincipalArn:  aws.String(providerARN),
		SAMLAssertion: &encoded,
	}
}

// apiCode returns the code and HTTP status of an SDK error.
func apiCode(err error) (code string, status int) {
	if e := (*smithyhttp.ResponseError)(nil); errors.As(err, &e) {
		status = e.HTTPStatusCode()
	}
	if e := smithy.APIError(nil); errors.As(err, &e) {
		code = e.ErrorCode()
	}
	return code, status
}

func TestFaultsReachTheSDK(t *testing.T) {
	encoded := good().encoded()
	refusal := func(
		code string, status int,
	) func(*testing.T, *sts.AssumeRoleWithSAMLOutput, error) {
		return func(t *testing.T, _ *sts.AssumeRoleWithSAMLOutput, err error) {
			if c, s := apiCode(err); c != code || s != status {
				t.Errorf("%q %d, want %q %d (%v)", c, s, code, status, err)
			}
		}
	}
	tests := []struct {
		name  string
		fault ststest.Fault
		check func(*testing.T, *sts.AssumeRoleWithSAMLOutput, error)
	}{
		{"Throttle", ststest.Throttle(),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				refusal("Throttling", 400)(t, out, err)
				if !strings.Contains(err.Error(), "Rate exceeded") {
					t.Error(err)
				}
			}},
		{"Status 500", ststest.Status(500), refusal("InternalFailure", 500)},
		{"Status 503", ststest.Status(503), refusal("ServiceUnavailable", 503)},
		{"Status 502", ststest.Status(502), refusal("UnknownError", 502)},
		{"Refuse", ststest.Refuse(403, "IDPRejectedClaim", "no"),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				refusal("IDPRejectedClaim", 403)(t, out, err)
				e := (*types.IDPRejectedClaimException)(nil)
				if !errors.As(err, &e) || e.ErrorMessage() != "no" {
					t.Error(err)
				}
			}},
		{"RegionDisabled", ststest.RegionDisabled(),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				refusal("RegionDisabledException", 403)(t, out, err)
				e := (*types.RegionDisabledException)(nil)
				want := "STS is not activated in this region for account:123456789012. Your " +
					"account administrator can activate STS in this region using the IAM Console."
				if !errors.As(err, &e) || e.ErrorMessage() != want {
					t.Error(err)
				}
			}},
		{"Cut", ststest.Cut(), func(t *testing.T, _ *sts.AssumeRoleWithSAMLOutput, err error) {
			if !errors.Is(err, io.EOF) {
				t.Errorf("want io.EOF, got %v", err)
			}
		}},
		{"Missing everything", ststest.Missing(),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				if err != nil || out.Credentials != nil || out.AssumedRoleUser != nil {
					t.Errorf("%v %+v", err, out)
				}
			}},
		{"Missing Credentials", ststest.Missing("Credentials"),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				if err != nil || out.Credentials != nil || out.AssumedRoleUser == nil {
					t.Errorf("%v %+v", err, out)
				}
			}},
		{"Missing two", ststest.Missing("SessionToken", "Expiration"),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				if err != nil || out.Credentials.SessionToken != nil ||
					out.Credentials.Expiration != nil || out.Credentials.AccessKeyId == nil {
					t.Errorf("%v", err)
				}
			}},
		{"Expired", ststest.Expired(),
			func(t *testing.T, out *sts.AssumeRoleWithSAMLOutput, err error) {
				if err != nil ||
					!out.Credentials.Expiration.Equal(epoch.Add(-time.Hour).Truncate(time.Second)) {
					t.Errorf("%v %v", err, out)
				}
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			c := client(t, s, aws.AnonymousCredentials{})
			s.Script(tt.fault)
			out, err := c.AssumeRoleWithSAML(context.Background(), input(encoded))
			tt.check(t, out, err)
			// The next call is healthy.
			if _, err := c.AssumeRoleWithSAML(context.Background(), input(encoded)); err != nil {
				t.Errorf("after the fault: %v", err)
			}
			if n := len(s.Calls()); n != 2 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// TestHangEndsWithTheClient also proves that the call is recorded before it
// hangs: the client gives up only once it sees the call.
func TestHangEndsWithTheClient(t *testing.T) {
	s := newServer(t, ststest.Config{})
	c := client(t, s, aws.AnonymousCredentials{})
	s.Script(ststest.Hang())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := c.AssumeRoleWithSAML(ctx, input(good().encoded()))
		done <- err
	}()
	for len(s.Calls()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("did not hang: %v", err)
		default:
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if c := s.Calls()[0]; c.Status != 0 || c.RoleARN != roleARN {
		t.Errorf("call %+v", c)
	}
}

// TestScripts reads a word for each call: the error code, or ok.
func TestScripts(t *testing.T) {
	encoded := good().encoded()
	tests := []struct {
		name   string
		script []ststest.Fault
		calls  string // regions
		want   string
	}{
		{"in order", []ststest.Fault{ststest.Throttle(), {}, ststest.RegionDisabled()},
			"a a a a", "Throttling ok RegionDisabledException ok"},
		{"repeated",
			[]ststest.Fault{ststest.Repeat(2, ststest.Throttle()), ststest.RegionDisabled()},
			"a a a a", "Throttling Throttling RegionDisabledException ok"},
		{"one region only", []ststest.Fault{ststest.RegionDisabled().In("eu-west-1")},
			"a b b a", "ok RegionDisabledException ok ok"},
		{"repeated in one region",
			[]ststest.Fault{
				ststest.Repeat(2, ststest.RegionDisabled()).In("eu-west-1"), ststest.Throttle(),
			}, "b a b b a", "RegionDisabledException Throttling RegionDisabledException ok ok"},
		{"empty", nil, "a b", "ok ok"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			s.Script(ststest.Repeat(9, ststest.Status(500))) // replaced
			s.Script(tt.script...)
			var got []string
			for _, region := range strings.Fields(tt.calls) {
				var h http.Handler = s
				if region == "b" {
					h = s.Region("eu-west-1")
				}
				a := post(h, form(encoded))
				got = append(got, map[bool]string{true: "ok", false: a.Code}[a.status == 200])
			}
			if !slices.Equal(got, strings.Fields(tt.want)) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestServerFaultsNameTheReceiver(t *testing.T) {
	s := newServer(t, ststest.Config{})
	s.Script(ststest.Status(503), ststest.Throttle(), ststest.Status(504))
	for _, want := range []string{
		"<Type>Receiver</Type>", "<Type>Sender</Type>",
		"<head><title>504 Gateway Timeout</title></head>",
	} {
		if a := post(s, form("xxxx")); !strings.Contains(a.body, want) {
			t.Errorf("no %s in %s", want, a.body)
		}
	}
}

func TestFaultsOfSuccessLeaveRefusalsAlone(t *testing.T) {
	s := newServer(t, ststest.Config{})
	s.Script(ststest.Missing())
	r := good()
	r.signer = otherKey()
	if a := post(s, form(r.encoded())); a.Code != "InvalidIdentityToken" {
		t.Errorf("%d %s", a.status, a.Code)
	}
	if a := post(s, form(good().encoded())); a.Key == "" {
		t.Error("the fault outlived its call")
	}
}

func TestMistakenFaultsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"Status(499)":    func() { ststest.Status(499) },
		"Status(600)":    func() { ststest.Status(600) },
		"Repeat(0)":      func() { ststest.Repeat(0, ststest.Cut()) },
		"Missing(\"x\")": func() { ststest.Missing("Credential") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			f()
		}()
	}
}
