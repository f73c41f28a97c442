package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/ststest"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// signingPEM makes a key and its certificate.
func signingPEM() (certificate, key []byte) {
	private := must(rsa.GenerateKey(rand.Reader, 2048))
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
}

// TestHandler sends one request to each route, against an issuer and an STS in memory.
func TestHandler(t *testing.T) {
	const principal, role = "arn:aws:iam::123456789012:saml-provider/delegation", "arn:aws:iam::123456789012:role/photo-user"
	issuer := must(oidctest.New(oidctest.Config{}))
	issuerServer := httptest.NewServer(issuer)
	t.Cleanup(issuerServer.Close)
	issuer.SetIssuer(issuerServer.URL)
	identity := delegation.IdentityProvider{EntityID: "urn:tenant.example.com", Keys: []delegation.SigningKey{must(delegation.ParseSigningKey(signingPEM()))}}
	fake := ststest.New(ststest.Config{Region: "eu-central-1"})
	if err := fake.PutSAMLProvider(principal, must(identity.Metadata())); err != nil {
		t.Fatal(err)
	}
	trust := fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": %q}, "Action": "sts:AssumeRoleWithSAML"}]}`, principal)
	if err := fake.PutRole(ststest.Role{ARN: role, TrustPolicy: trust}); err != nil {
		t.Fatal(err)
	}
	stsServer := httptest.NewServer(fake)
	t.Cleanup(stsServer.Close)

	handler, err := newHandler(t.Context(), delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuerServer.URL, AllowLoopbackHTTP: true}},
		IdentityProvider: identity,
		Targets:          delegation.Targets{"photo-app": {AWS: delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}}},
		Rules:            []delegation.RuleFunc{delegation.RequireVerifiedEmail()},
		STS:              sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &stsServer.URL, Credentials: aws.AnonymousCredentials{}}),
		Logger:           slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(handler)
	t.Cleanup(service.Close)
	token := must(issuer.SignIDToken(map[string]any{"sub": "auth0|alice", "aud": "photo-app", "email": "alice@example.com", "email_verified": true}))

	ask := func(request *http.Request) string {
		response := must(service.Client().Do(request))
		defer response.Body.Close()
		return fmt.Sprintf("%d %s", response.StatusCode, must(io.ReadAll(response.Body)))
	}
	form := url.Values{"client_id": {"photo-app"}, "grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "id_token": {token}}
	post := must(http.NewRequest(http.MethodPost, service.URL+"/delegation", strings.NewReader(form.Encode())))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	container := must(http.NewRequest(http.MethodGet, service.URL+"/credentials?target=photo-app", nil))
	container.Header.Set("Authorization", token)
	for want, request := range map[string]*http.Request{
		`assumed-role/photo-user/alice@example.com`: post,
		`"Token":"`:                                   container,
		`200 <EntityDescriptor`:                       must(http.NewRequest(http.MethodGet, service.URL+"/metadata", nil)),
		`200 {"status":"ok"}`:                         must(http.NewRequest(http.MethodGet, service.URL+"/ready", nil)),
		`405 {"error":"invalid_request"`:              must(http.NewRequest(http.MethodGet, service.URL+"/delegation", nil)),
		`401 {"code":"invalid_request","message":"mi`: must(http.NewRequest(http.MethodGet, service.URL+"/credentials?target=photo-app", nil)),
	} {
		if got := ask(request); !strings.Contains(got, want) {
			t.Errorf("%s %s: got %.300s, want %s", request.Method, request.URL.Path, got, want)
		}
	}
}

// TestRun starts the program as main does, and ends it.
func TestRun(t *testing.T) {
	certificate, key := signingPEM()
	folder := t.TempDir()
	certificateFile, keyFile := filepath.Join(folder, "signing.crt"), filepath.Join(folder, "signing.key")
	if err := os.WriteFile(certificateFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, slog.New(slog.DiscardHandler), "127.0.0.1:0", certificateFile, keyFile); err != nil {
		t.Errorf("a signal ends it with %v", err)
	}
	if err := run(t.Context(), slog.New(slog.DiscardHandler), "127.0.0.1:0", certificateFile, "none"); err == nil {
		t.Error("it runs without a key")
	}
}

// TestShort holds the promise that this is a program to copy.
func TestShort(t *testing.T) {
	if lines := strings.Count(string(must(os.ReadFile("main.go"))), "\n"); lines >= 100 {
		t.Errorf("%d lines", lines)
	}
}
