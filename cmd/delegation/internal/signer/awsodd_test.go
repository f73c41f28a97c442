package signer_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
)

// oddAnswers are answers that net/http or the SDK cannot read. Each has the word canary where
// errors quote. The SDK's clients for credentials retry the first ones for seconds.
func oddAnswers() (retried, final []string) {
	const ok = "HTTP/1.1 200 OK\r\n"
	whole := func(body string) string {
		return fmt.Sprintf("%sX-Aws-Ec2-Metadata-Token-Ttl-Seconds: 60\r\nContent-Length: %d\r\n\r\n%s",
			ok, len(body), body)
	}
	retried = []string{
		`{"SecretAccessKey":"canary"}`,
		"HTTP/1.1 canary\r\n\r\n",
		ok + "canary\r\n\r\n",
		ok + "Content-Length: canary\r\n\r\n",
		"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://%zcanary\r\n\r\n",
	}
	return retried, []string{
		ok + "X-Aws-Ec2-Metadata-Token-Ttl-Seconds: canary\r\nContent-Length: 1\r\n\r\n1",
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\ncanary\r\n\r\n",
		whole("canary"),
		whole(`{"AccessKeyId":"canary","SecretAccessKey":"canary"`),
		whole(`{"Code":"Success","Expiration":"canary","PublicKey":["canary"]}`),
		strings.Replace(whole("canary"), "200 OK", "400 canary", 1),
		strings.Replace(whole("canary"), "200 OK", "403 canary", 1),
	}
}

// oddServer answers with bytes that need not be HTTP, and returns its URL.
func oddServer(t *testing.T, answer string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func wantNoCanary(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v, want %q and nothing of the answer", err, text)
	}
}

// TestAWS_OddAnswers: no error repeats anything of an answer that is not of the expected form: of
// KMS, or of what supplies the credentials for it.
func TestAWS_OddAnswers(t *testing.T) {
	const uri = "awskms:///alias/delegation"
	retried, final := oddAnswers()
	for i, odd := range append(retried, final...) {
		t.Run(fmt.Sprint("KMS ", i), func(t *testing.T) {
			awsEnvironment(t)
			t.Setenv("AWS_ENDPOINT_URL_KMS", oddServer(t, odd))
			_, err := open(t, uri)
			wantNoCanary(t, err, "kms:GetPublicKey: ")
		})
	}
	for i, odd := range final {
		for name, variable := range map[string]string{
			"container": "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			"metadata":  "AWS_EC2_METADATA_SERVICE_ENDPOINT",
		} {
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				newKMS(t)
				t.Setenv("AWS_ACCESS_KEY_ID", "")
				t.Setenv("AWS_SECRET_ACCESS_KEY", "")
				t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
				t.Setenv(variable, oddServer(t, odd))
				_, err := open(t, uri)
				wantNoCanary(t, err, "there are no AWS credentials: ")
			})
		}
	}
	for _, output := range []string{"canary", `{"SecretAccessKey":"canary"`, `{"Version":"canary"}`} {
		t.Run("credential_process "+output, func(t *testing.T) {
			newKMS(t)
			folder := t.TempDir()
			file := filepath.Join(folder, "output")
			config := filepath.Join(folder, "config")
			for path, text := range map[string]string{
				file: output, config: "[default]\ncredential_process = cat " + file + "\n",
			} {
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			t.Setenv("AWS_CONFIG_FILE", config)
			_, err := open(t, uri)
			wantNoCanary(t, err, "the output of credential_process is not the expected JSON")
		})
	}
}

// TestSDKCause: of the SDK's errors for credentials, only what is of a known form remains.
func TestSDKCause(t *testing.T) {
	canary := errors.New("malformed HTTP response \"canary\"")
	sent := func(err error) error {
		return &smithy.OperationError{
			ServiceID:     "STS",
			OperationName: "AssumeRole",
			Err: &smithyhttp.RequestSendError{
				Err: &url.Error{Op: "Post", URL: "https://x/", Err: err},
			},
		}
	}
	for want, err := range map[string]error{
		"STS AssumeRole: its answer is not HTTP that can be read": sent(canary),
		"STS AssumeRole: EOF": sent(io.EOF),
		"AccessDenied: not authorized": fmt.Errorf("canary: %w",
			&smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized"}),
		"an answer has no error code": &smithy.GenericAPIError{Message: "canary"},
		"an answer cannot be read":    &smithy.DeserializationError{Err: canary},
		"open token: no such file":    errors.New("open token: no such file"),
	} {
		if got := signer.SDKCause(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
