package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// stsEnvironment sets up an AWS SDK or CLI as a client of /sts/photo-app, with the variables of
// docs/unchanged-sdks.md. Like the webhook of EKS, it gives the session no name. It shuts out
// whatever else this machine knows of AWS.
func (w *world) stsEnvironment(t *testing.T, address, tokenFile string) []string {
	t.Helper()
	empty := w.write(t, "aws-empty", "")
	ours := strings.NewReplacer(
		"https://delegation.example.com/", address+"/",
		"arn:aws:iam::123456789012:role/photo-user", service.DemoRole,
		"/var/run/secrets/token", tokenFile)
	environment := []string{
		"AWS_CONFIG_FILE=" + empty, "AWS_SHARED_CREDENTIALS_FILE=" + empty,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=2",
	}
	for _, line := range documentedCommands(t, "docs/unchanged-sdks.md", "## Set it up") {
		environment = append(environment, ours.Replace(line))
	}
	return environment
}

// counter is a proxy that counts requests. It changes the header Host, so signatures of requests
// that go through it do not verify.
func counter(t testing.TB, to string) (address string, requests *atomic.Int64) {
	t.Helper()
	requests = new(atomic.Int64)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(to)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

// goIdentity is who the SDK for Go is by its default chain, or the message of its error.
func goIdentity(t testing.TB) string {
	t.Helper()
	c, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	out, err := sts.NewFromConfig(c).GetCallerIdentity(context.Background(), nil)
	if err != nil {
		return err.Error()
	}
	return *out.Arn
}

// setAll sets variables of the environment for the test.
func setAll(t *testing.T, environment []string) {
	t.Helper()
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_ROLE_SESSION_NAME", "")
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
}

// TestSTSClient_SDKForGo: the SDK's default chain gets credentials of the service with a web
// identity token, asks the service whose they are, reads the file anew, and shows why it was
// refused.
func TestSTSClient_SDKForGo(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, "http: {sts: true}"))
	tokenFile := w.write(t, "token", w.token(nil))
	setAll(t, w.stsEnvironment(t, s.url, tokenFile))
	if got := goIdentity(t); got != editorAlice {
		t.Errorf("got %s", got)
	}
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	if got := goIdentity(t); !strings.HasSuffix(got, "/carol@example.com") {
		t.Errorf("after the token was rotated: %s", got)
	}
	w.write(t, "token", w.token(expired()))
	if got := goIdentity(t); !strings.Contains(got, "ExpiredTokenException: jwt expired") {
		t.Errorf("an expired token: %s", got)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary")
	t.Setenv("AWS_SESSION_TOKEN", "canary")
	if got := goIdentity(t); !strings.Contains(got, "InvalidClientTokenId") ||
		!strings.Contains(got, "unset AWS_ENDPOINT_URL_STS") {
		t.Errorf("credentials of elsewhere: %s", got)
	}
}

// TestSTSClient_Off: the endpoint is off unless it is configured.
func TestSTSClient_Off(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""))
	for _, path := range []string{"/sts/photo-app", "/sts/photo-app/", "/sts"} {
		response, err := client(nil).Post(s.url+path, "application/x-www-form-urlencoded", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d", path, response.StatusCode)
		}
	}
}

// TestServe_IgnoresEndpoints: endpoints of the environment, which may lead to the service itself,
// have no effect on its own calls, and the log says so once for each.
func TestServe_IgnoresEndpoints(t *testing.T) {
	w := newWorld(t)
	var called atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called.Add(1)
	}))
	t.Cleanup(trap.Close)
	profile := w.write(t, "aws-config", "[default]\nendpoint_url = "+trap.URL+"\n")
	t.Setenv("AWS_CONFIG_FILE", profile)
	t.Setenv("AWS_ENDPOINT_URL", trap.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", trap.URL)
	file := w.configFile(t, "")
	s := serve(t, file)
	form := delegationForm(w.token(nil))
	response := must(client(nil).PostForm(s.url+"/delegation", form))
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("got %d", response.StatusCode)
	}
	logs := s.logs.String()
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"} {
		said := `"msg":"endpoint of the environment is ignored","name":"` + name + `","remedy":"`
		if strings.Count(logs, said) != 1 {
			t.Errorf("the log does not have %s once: %s", said, logs)
		}
	}

	// Without sts.endpoint it is AWS that is called.
	built, err := loadAndBuild(t, file, "DELEGATION_STS_ENDPOINT=")
	if err != nil {
		t.Fatal(err)
	}
	if built.Endpoint.URL != "" {
		t.Errorf("STS would be called at %s", built.Endpoint.URL)
	}
	if called.Load() != 0 {
		t.Errorf("the endpoint of the environment was called %d times", called.Load())
	}
}

// assumeByHand asks for credentials as an SDK does.
func (w *world) assumeByHand(t testing.TB, address, token string) (status int, err error) {
	t.Helper()
	response, err := client(nil).PostForm(address+"/sts/photo-app", url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"},
		"RoleArn": {service.DemoRole}, "RoleSessionName": {"by-hand"}, "WebIdentityToken": {token},
	})
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	return response.StatusCode, nil
}
