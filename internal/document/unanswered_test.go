package document_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/internal/document"
)

// TestUnanswered: of an error only what Go itself says remains.
func TestUnanswered(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	cause := errors.New("the caller left")
	end(cause)
	const unreadable = "its answer is not HTTP that can be read"
	canary := errors.New("canary")
	proxied := func(err error) error { return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err} }
	for name, row := range map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"unknown":     {t.Context(), canary, unreadable},
		"an URL":      {t.Context(), &url.Error{Op: "Get", URL: "canary", Err: canary}, unreadable},
		"a cause":     {ended, fmt.Errorf("canary: %w", cause), "the caller left"},
		"not a cause": {ended, canary, unreadable},
		"the end":     {t.Context(), fmt.Errorf("canary: %w", io.EOF), "EOF"},
		"a reset": {
			t.Context(), fmt.Errorf("canary: %w", syscall.ECONNRESET), syscall.ECONNRESET.Error(),
		},
		"a connection": {
			t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED},
			"dial tcp: " + syscall.ECONNREFUSED.Error(),
		},
		"a name": {
			t.Context(), &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
				Err: "no such host", Name: "a.example.com", IsNotFound: true,
			}},
			"dial tcp: lookup a.example.com: no such host",
		},
		"a record of TLS": {
			t.Context(), tls.RecordHeaderError{Msg: "no handshake"}, "tls: no handshake",
		},
		"a proxy's refusal": {
			t.Context(), proxied(errors.New("Proxy Authentication Required")),
			"proxyconnect tcp: Proxy Authentication Required",
		},
		"a proxy's own words": {
			t.Context(), proxied(canary),
			"proxyconnect tcp: the proxy did not open a connection",
		},
	} {
		if got := document.Unanswered(row.ctx, row.err).Error(); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
	if got := document.Unanswered(t.Context(), canary); !errors.Is(got, canary) {
		t.Errorf("the cause is lost: %#v", got)
	}
}

// TestGet_OddAnswers: no error of Get or Post repeats an answer that is not HTTP, and a redirect
// that leads nowhere is a redirect.
func TestGet_OddAnswers(t *testing.T) {
	for answer, redirect := range map[string]bool{
		`{"SigninToken":"canary"}`:                                        false,
		"HTTP/1.1 200 OK\r\ncanary\r\n\r\n":                               false,
		"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n":               false,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: canary\r\n\r\n":            false,
		"HTTP/1.1 302 Found\r\nLocation: https://%zcanary\r\n\r\n":        true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n": false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			_, _ = io.WriteString(connection, answer)
		}))
		client := document.Client(nil)
		_, err := document.Get(t.Context(), client, server.URL)
		_, _, posted := document.Post(t.Context(), client, server.URL, url.Values{})
		for _, err := range []error{err, posted} {
			if err == nil || strings.Contains(err.Error(), "canary") ||
				errors.Is(err, document.ErrRedirect) != redirect {
				t.Errorf("%q: got %v", answer, err)
			}
		}
		server.Close()
	}
}
