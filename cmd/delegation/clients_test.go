package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// containerEnvironment sets up an AWS SDK or CLI as a client by two variables, and shuts out
// whatever else this machine knows of AWS.
func (w *world) containerEnvironment(t testing.TB, address, tokenFile string) []string {
	empty := w.write(t, "aws-empty", "")
	return []string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + address + "/credentials?target=photo-app",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + tokenFile,
		"AWS_CONFIG_FILE=" + empty, "AWS_SHARED_CREDENTIALS_FILE=" + empty,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION=" + service.DemoRegion, "AWS_DEFAULT_REGION=" + service.DemoRegion,
		"AWS_ENDPOINT_URL_STS=" + w.awsURL, "AWS_MAX_ATTEMPTS=1",
	}
}

// TestClient_SDKForGo: the SDK's own container provider, as LoadDefaultConfig chooses it, reads our
// answers and our refusals.
func TestClient_SDKForGo(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, ""))
	tokenFile := w.write(t, "token", w.token(nil))
	for _, entry := range w.containerEnvironment(t, s.url, tokenFile) {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	t.Setenv("AWS_PROFILE", "")
	load := func() aws.Config { return must(config.LoadDefaultConfig(t.Context())) }
	whoAmI := func(c aws.Config) (string, error) {
		out, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil)
		if err != nil {
			return "", err
		}
		return *out.Arn, nil
	}
	c := load()
	arn, err := whoAmI(c)
	if err != nil || arn != editorAlice {
		t.Errorf("got %s, %v", arn, err)
	}
	credentials := must(c.Credentials.Retrieve(t.Context()))
	if !credentials.CanExpire || credentials.Expires.IsZero() ||
		credentials.AccountID != "123456789012" {
		t.Errorf("the provider sees expiry %v %s, account %q", credentials.CanExpire,
			credentials.Expires, credentials.AccountID)
	}

	// The file is read at every fetch: another user's token makes other credentials.
	w.write(t, "token", w.token(map[string]any{"sub": "auth0|carol", "email": "carol@example.com"}))
	c.Credentials.(*aws.CredentialsCache).Invalidate()
	if arn, err := whoAmI(c); err != nil || !strings.HasSuffix(arn, "/carol@example.com") {
		t.Errorf("after the token was rotated: %s, %v", arn, err)
	}

	// Code and message of a refusal arrive, because the content type is as the SDK wants it.
	for token, want := range map[string]string{
		w.token(expired()): "invalid_grant: jwt expired",
		w.token(map[string]any{"groups": []string{
			"staff",
		}}): "unauthorized: no role is assigned to this user",
	} {
		w.write(t, "token", token)
		_, err := load().Credentials.Retrieve(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), token) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
