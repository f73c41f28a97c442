package delegation_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
)

// TestEnvironment: an environment of the AWS SDK that has nothing to do with an anonymous call
// makes no difference, and one with which STS cannot be called is named as the cause, by New or by
// the first exchange.
func TestEnvironment(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	sso := write("sso", "[profile sso]\nsso_session = gone\nsso_account_id = 1\nregion = mars-1\n")
	garbage := write("garbage", "[profile \x00\n= = =\n[[[\n")
	elsewhere := write("elsewhere", "[default]\nendpoint_url = http://10.0.0.1\n"+
		"use_fips_endpoint = true\nca_bundle = /nowhere\ncredential_process = /bin/false\n")
	noPEM := write("no.pem", "-----BEGIN NOTHING-----\n")
	for name, row := range map[string]struct {
		environment []string
		change      func(*delegation.Config)
		code        delegation.Code // "": an exchange succeeds
		want        string
	}{
		"a profile that is not there": {[]string{"AWS_PROFILE=gone"}, nil, "", ""},
		"a profile of SSO": {
			[]string{"AWS_PROFILE=sso", "AWS_CONFIG_FILE=" + sso}, nil, "", ""},
		"a configuration file that is broken": {
			[]string{"AWS_CONFIG_FILE=" + garbage, "AWS_SHARED_CREDENTIALS_FILE=" + garbage},
			nil, "", ""},
		"a profile that leads elsewhere": {
			[]string{"AWS_CONFIG_FILE=" + elsewhere}, nil, "", ""},
		"values that mean nothing": {
			[]string{"AWS_MAX_ATTEMPTS=many", "AWS_RETRY_MODE=never", "AWS_DEFAULTS_MODE=auto",
				"AWS_S3_USE_ARN_REGION=perhaps"}, nil, "", ""},
		"a bundle of CAs that is not there": {
			[]string{"AWS_CA_BUNDLE=/nowhere/ca.pem"}, nil, delegation.CodeConfigInvalid,
			"the environment variable AWS_CA_BUNDLE: open /nowhere/ca.pem: no such file"},
		"a bundle without certificates": {
			[]string{"AWS_CA_BUNDLE=" + noPEM}, nil, delegation.CodeConfigInvalid,
			"the environment variable AWS_CA_BUNDLE: "},
		"an endpoint without a scheme": {
			[]string{"AWS_ENDPOINT_URL_STS=sts.example.com"}, nil, delegation.CodeConfigInvalid,
			`the environment variable AWS_ENDPOINT_URL_STS: "sts.example.com" is not a URL`},
		"an endpoint of plain http": {
			[]string{"AWS_ENDPOINT_URL_STS=", "AWS_ENDPOINT_URL=http://10.0.0.1"}, nil,
			delegation.CodeConfigInvalid,
			`the environment variable AWS_ENDPOINT_URL: "http://10.0.0.1": plain http`},
		"an endpoint where nobody listens": {
			[]string{"AWS_ENDPOINT_URL_STS=http://127.0.0.1:1"}, nil,
			delegation.CodeSTSUnavailable,
			"127.0.0.1:1 instead of sts.eu-central-1.amazonaws.com: dial tcp 127.0.0.1:1"},
		"FIPS that is neither on nor off": {
			[]string{"AWS_USE_FIPS_ENDPOINT=1"}, nil, delegation.CodeConfigInvalid,
			`the environment variable AWS_USE_FIPS_ENDPOINT: is "1", not true or false`},
		"FIPS in a region without": {
			[]string{"AWS_ENDPOINT_URL_STS=", "AWS_USE_FIPS_ENDPOINT=true"}, nil,
			delegation.CodeConfigInvalid,
			"STS has no such FIPS endpoint in eu-central-1, which Config.FIPS or the " +
				"environment variable AWS_USE_FIPS_ENDPOINT asks for"},
		"FIPS and an endpoint": {
			[]string{"AWS_USE_FIPS_ENDPOINT=true"}, nil, delegation.CodeConfigInvalid,
			"the environment variable AWS_USE_FIPS_ENDPOINT: is true, and STS is to be called at"},
		"FIPS and dual stack": {
			[]string{"AWS_ENDPOINT_URL_STS=", "AWS_USE_FIPS_ENDPOINT=true",
				"AWS_USE_DUALSTACK_ENDPOINT=true"}, nil, delegation.CodeConfigInvalid,
			"AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT are both set"},
		"dual stack, and FIPS in the program": {
			[]string{"AWS_ENDPOINT_URL_STS=", "AWS_USE_DUALSTACK_ENDPOINT=true"},
			func(c *delegation.Config) { c.FIPS = true }, delegation.CodeConfigInvalid,
			"Config.FIPS and AWS_USE_DUALSTACK_ENDPOINT are both set"},
		"FIPS in the program, and an endpoint": {
			nil, func(c *delegation.Config) { c.FIPS = true }, delegation.CodeConfigInvalid,
			"Config.FIPS is set, and STS is to be called at"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.STS = nil
			server := httptest.NewServer(w.fake)
			defer server.Close()
			t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
			for _, entry := range row.environment {
				variable, value, _ := strings.Cut(entry, "=")
				t.Setenv(variable, value)
			}
			if row.change != nil {
				row.change(&w.config)
			}
			var credentials *delegation.Credentials
			d, err := delegation.New(t.Context(), w.config)
			if err == nil {
				credentials, err = d.Exchange(t.Context(), w.token(nil), app)
			}
			if (err == nil) != (row.code == "") || err != nil &&
				(codeOf(err) != row.code || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %s: %s", err, row.code, row.want)
			}
			if (credentials != nil) != (row.code == "") {
				t.Errorf("got credentials: %t", credentials != nil)
			}
		})
	}
}

// TestEnvironment_ClientOptions: what a client of the SDK was made with is checked as the options
// of Config are: a region without a FIPS endpoint is refused before AWS is called.
func TestEnvironment_ClientOptions(t *testing.T) {
	fips := func(o *sts.Options) {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	dualStack := func(o *sts.Options) {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	for name, row := range map[string]struct {
		client []func(*sts.Options)
		region string
		want   string // of the error; "": there is none
		host   string
	}{
		"FIPS without": {
			[]func(*sts.Options){fips}, "eu-central-1",
			"STS has no such FIPS endpoint in eu-central-1", ""},
		"FIPS": {
			[]func(*sts.Options){fips}, "us-east-1", "", "sts-fips.us-east-1.amazonaws.com"},
		"dual stack": {
			[]func(*sts.Options){dualStack}, "eu-central-1", "", "sts.eu-central-1.api.aws"},
		"both": {
			[]func(*sts.Options){fips, dualStack}, "us-east-1",
			"the FIPS option of Config.STS and the dual-stack option of Config.STS are both", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_USE_FIPS_ENDPOINT", "")
			t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "")
			w := newWorld(t)
			called := ""
			options := append(row.client, func(o *sts.Options) {
				o.Credentials = aws.AnonymousCredentials{}
				o.RetryMaxAttempts = 1
				o.HTTPClient = httpClientFunc(func(r *http.Request) (*http.Response, error) {
					called = r.URL.Host
					return nil, os.ErrDeadlineExceeded
				})
			})
			w.config.STS = sts.New(sts.Options{}, options...)
			w.target(func(target *delegation.Target) { target.AWS.Region = row.region })
			_, err := delegation.New(t.Context(), w.config)
			if (err == nil) != (row.want == "") ||
				err != nil && !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
			if err != nil {
				return
			}
			_, err = w.exchange(t, nil)
			if called != row.host || codeOf(err) != delegation.CodeSTSUnavailable ||
				!strings.Contains(err.Error(), row.host+": ") ||
				strings.Contains(err.Error(), "instead of") {
				t.Errorf("%q was called: %v", called, err)
			}
		})
	}
}
