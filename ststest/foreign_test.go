package ststest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/seed055b7978/delegation/ststest"
)

// foreignResponse returns a SAMLAssertion text that other software made for AWS,
// byte for byte, and the instant at which it was valid.
func foreignResponse(t testing.TB, name string) (string, time.Time) {
	t.Helper()
	var manifest []struct {
		Name string    `json:"name"`
		Now  time.Time `json:"now"`
	}
	if err := json.Unmarshal(foreignFile(t, "manifest.json"), &manifest); err != nil {
		t.Fatal(err)
	}
	for _, entry := range manifest {
		if entry.Name == name {
			return string(foreignFile(t, name+".b64")), entry.Now
		}
	}
	t.Fatalf("no %s in the manifest", name)
	return "", time.Time{}
}

func foreignFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "foreign", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestResponsesOfOtherIdentityProviders redeems through the AWS SDK what other
// software makes for AWS.
func TestResponsesOfOtherIdentityProviders(t *testing.T) {
	const (
		provider = "arn:aws:iam::123456789012:saml-provider/base"
		role     = "arn:aws:iam::123456789012:role/base-role"
	)
	tests := []struct {
		name      string
		allowSHA1 bool
		refused   bool
	}{
		{name: "control"},
		{name: "role-space-after-comma"},
		{name: "base64-wrapped-crlf"},
		{name: "base64-trailing-newline"},
		{name: "rsa-sha1", refused: true},
		{name: "rsa-sha1", allowSHA1: true},
		{name: "session-duration-900"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.name] = true
		name := tt.name
		if tt.allowSHA1 {
			name += ", allowed"
		}
		t.Run(name, func(t *testing.T) {
			text, now := foreignResponse(t, tt.name)
			s := ststest.New(ststest.Config{
				Now:       func() time.Time { return now },
				AllowSHA1: tt.allowSHA1,
			})
			mustPut(t, s, provider, foreignFile(t, "metadata.xml"))
			mustRole(t, s, ststest.Role{
				ARN:         role,
				TrustPolicy: strings.ReplaceAll(trustAll, providerARN, provider),
			})
			out, err := client(t, s, nil).AssumeRoleWithSAML(context.Background(),
				&sts.AssumeRoleWithSAMLInput{
					RoleArn:         aws.String(role),
					PrincipalArn:    aws.String(provider),
					SAMLAssertion:   &text,
					DurationSeconds: aws.Int32(3600),
				})
			call := s.Calls()[0]
			if tt.refused {
				code, status := apiCode(err)
				if code != "InvalidIdentityToken" || status != 400 ||
					!strings.Contains(err.Error(), "Response signature invalid (") {
					t.Errorf("%v", err)
				}
				if !strings.Contains(call.Cause, "SHA-1") || !strings.Contains(call.Cause,
					"Config.AllowSHA1") {
					t.Errorf("the cause is %q", call.Cause)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v: %s", err, call.Cause)
			}
			const session = "arn:aws:sts::123456789012:assumed-role/base-role/jane"
			if *out.AssumedRoleUser.Arn != session || *out.Subject != "jane" || call.Cause != "" {
				t.Errorf("%s, %s, cause %q", *out.AssumedRoleUser.Arn, *out.Subject, call.Cause)
			}
			// An hour after these responses were made, their SessionNotOnOrAfter ends
			// the session, which is a second before DurationSeconds does.
			if left := out.Credentials.Expiration.Sub(now); left != time.Hour-time.Second {
				t.Errorf("a session of %v", left)
			}
		})
	}

	files, err := filepath.Glob(filepath.Join("testdata", "foreign", "*.b64"))
	if err != nil || len(files) != len(seen) {
		t.Errorf("%d files for %d names: %v", len(files), len(seen), err)
	}
	// A checkout that changes line ends would test nothing.
	for name, end := range map[string]string{
		"base64-wrapped-crlf.b64":     "\r\n",
		"base64-trailing-newline.b64": "\n",
	} {
		if !bytes.HasSuffix(foreignFile(t, name), []byte(end)) {
			t.Errorf("%s does not end in %q", name, end)
		}
	}
}
