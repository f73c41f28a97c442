package signer_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/signer"
)

// doer is an HTTP client of a function.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestAWS_STSOfTheCredentials: the credentials for KMS are asked of AWS's own STS, whatever
// endpoint the environment and the profile name for it: it may be this service.
func TestAWS_STSOfTheCredentials(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	token := write("token", "a-token")
	const trap = "http://127.0.0.1:1/sts/photo-app"
	profile := "role_arn = arn:aws:iam::123456789012:role/signer\nregion = eu-central-1\n" +
		"services = here\nendpoint_url = " + trap + "\n"
	services := "[services here]\nsts =\n  endpoint_url = " + trap + "\n"
	for name, row := range map[string]struct {
		profile     string
		environment map[string]string
	}{
		"of a pod": {"", map[string]string{
			"AWS_ROLE_ARN":                "arn:aws:iam::123456789012:role/signer",
			"AWS_WEB_IDENTITY_TOKEN_FILE": token,
			"AWS_ENDPOINT_URL_STS":        trap,
			"AWS_ENDPOINT_URL":            trap,
		}},
		"of a profile with a token": {
			profile + "web_identity_token_file = " + token + "\n" + services, nil},
		"of a profile with another": {profile + "source_profile = base\n[profile base]\n" +
			"aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s\n" + services, nil},
	} {
		t.Run(name, func(t *testing.T) {
			awsEnvironment(t)
			t.Setenv("AWS_CA_BUNDLE", "")
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("AWS_SECRET_ACCESS_KEY", "")
			if row.profile != "" {
				t.Setenv("AWS_CONFIG_FILE", write("config", "[profile signer]\n"+row.profile))
				t.Setenv("AWS_PROFILE", "signer")
			}
			for variable, value := range row.environment {
				t.Setenv(variable, value)
			}
			var hosts []string
			client := doer(func(r *http.Request) (*http.Response, error) {
				hosts = append(hosts, r.URL.Host)
				return nil, os.ErrDeadlineExceeded
			})
			options := append(signer.STSAtAWS(), config.WithHTTPClient(client),
				config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
			found, err := config.LoadDefaultConfig(t.Context(), options...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = found.Credentials.Retrieve(t.Context())
			const want = "sts.eu-central-1.amazonaws.com"
			if err == nil || len(hosts) != 1 || hosts[0] != want {
				t.Errorf("%q were asked, %v", hosts, err)
			}
		})
	}
}
