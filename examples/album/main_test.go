package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-once"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"assumed-role/album-user/alice@example.com",
		"reads alice/cat.jpg AccessDenied",
		"only photographers have an album (unauthorized, HTTP 401)",
		"uploads             carol/dog.jpg",
		"ExpiredToken",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q:\n%s", want, out.String())
		}
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{"-help"}, &out, io.Discard)
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "-issuer URL") {
		t.Errorf("got %v and %s", err, out.String())
	}
}

func TestFlags_Mistakes(t *testing.T) {
	real := []string{"-issuer", "https://issuer.example.com", "-client", "album",
		"-service", "https://service.example.com", "-bucket", "photos", "-region", "eu-central-1"}
	for said, args := range map[string][]string{
		"set -issuer, -service, -bucket, -region, too": {"-client", "album"},
		`-service: "service" is not a URL`:             append(real, "-service", "service"),
		"http is for this machine only":                append(real, "-service", "http://10.0.0.1"),
		`-issuer: "http://issuer`: append(
			real, "-issuer", "http://issuer.example.com"),
		`-token-endpoint: "/token" is not a URL`: append(real, "-token-endpoint", "/token"),
		"set -issuer, -client, -service, -bucket, -region, too": {
			"-token-endpoint", "https://auth.example.com/token"},
		"-once and -test-clock are for the album": append(real, "-once"),
		`"serve" is not a flag`:                   {"serve"},
		"flag provided but not defined: -bukcet":  {"-bukcet", "photos"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%q: got %v", said, err)
		}
	}
}

// TestReal: for real AWS only the page is served. There is no panel.
func TestReal(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-listen", anyPort, "-issuer", "https://issuer.example.com/t",
			"-client", "photos", "-service", "https://service.example.com/", "-target", "photo-app",
			"-bucket", "example-photos", "-region", "eu-central-1",
			"-token-endpoint", "https://auth.example.com/token"}, write, io.Discard)
		write.Close()
	}()
	said := make([]byte, 1024)
	n, err := out.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	page := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(string(said[:n]))
	response := send(t, http.MethodGet, page+"/settings.json", nil)
	s := decoded[settings](t, bodyOf(t, response, http.StatusOK))
	if s.Live || s.Issuer != "https://issuer.example.com/t" || s.ClientID != "photos" ||
		s.Service != "https://service.example.com" || s.Target != "photo-app" || s.S3 != "" {
		t.Errorf("got %+v", s)
	}
	policy := response.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"https://issuer.example.com ", "https://service.example.com ",
		"https://example-photos.s3.eu-central-1.amazonaws.com ",
		"https://sts.eu-central-1.amazonaws.com ", " https://auth.example.com;",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	for _, path := range []string{"/exchanges", "/rules"} {
		if got := send(t, http.MethodGet, page+path, nil).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: got HTTP %d", path, got)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
