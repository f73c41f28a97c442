package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestHandler sends one request to each route, against an issuer and an STS in memory.
func TestHandler(t *testing.T) {
	world, err := delegationtest.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(world.Close)
	world.Config.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
	world.Config.Logger = slog.New(slog.DiscardHandler)
	handler, err := newHandler(t.Context(), world.Config)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(handler)
	t.Cleanup(service.Close)
	token := world.Token(map[string]any{"email": "alice@example.com", "email_verified": true})

	ask := func(request *http.Request) string {
		response := must(service.Client().Do(request))
		defer response.Body.Close()
		return fmt.Sprintf("%d %s", response.StatusCode, must(io.ReadAll(response.Body)))
	}
	get := func(path string) *http.Request {
		return must(http.NewRequest(http.MethodGet, service.URL+path, nil))
	}
	form := url.Values{
		"client_id":  {"photo-app"},
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"id_token":   {token},
	}
	body := strings.NewReader(form.Encode())
	post := must(http.NewRequest(http.MethodPost, service.URL+"/delegation", body))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	container := get("/credentials?target=photo-app")
	container.Header.Set("Authorization", token)
	for want, request := range map[string]*http.Request{
		`assumed-role/photo-user/alice@example.com`: post,
		`"Token":"`:                                   container,
		`200 <EntityDescriptor`:                       get("/metadata"),
		`200 {"status":"ok"}`:                         get("/ready"),
		`405 {"error":"invalid_request"`:              get("/delegation"),
		`401 {"code":"invalid_request","message":"mi`: get("/credentials?target=photo-app"),
	} {
		if got := ask(request); !strings.Contains(got, want) {
			t.Errorf("%s %s: got %.300s, want %s", request.Method, request.URL.Path, got, want)
		}
	}
}

// TestRun starts the program as main does, and ends it.
func TestRun(t *testing.T) {
	certificate, key := delegationtest.SigningKeyPEM()
	folder := t.TempDir()
	certificateFile := filepath.Join(folder, "signing.crt")
	keyFile := filepath.Join(folder, "signing.key")
	if err := os.WriteFile(certificateFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	logger := slog.New(slog.DiscardHandler)
	if err := run(ctx, logger, "127.0.0.1:0", certificateFile, keyFile); err != nil {
		t.Errorf("a signal ends it with %v", err)
	}
	if err := run(t.Context(), logger, "127.0.0.1:0", certificateFile, "none"); err == nil {
		t.Error("it runs without a key")
	}
}

// TestShort holds the promise that this is a program to copy.
func TestShort(t *testing.T) {
	if lines := strings.Count(string(must(os.ReadFile("main.go"))), "\n"); lines >= 100 {
		t.Errorf("%d lines", lines)
	}
}
