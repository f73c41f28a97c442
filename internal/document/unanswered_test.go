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
	"net/textproto"
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
	const notHTTP = "its answer is not HTTP that can be read"
	const notShown = "there is no complete answer; the reason is not shown, because it may " +
		"repeat part of it"
	canary := errors.New("canary")
	during := func(operation string, err error) error {
		return &net.OpError{Op: operation, Net: "tcp", Err: err}
	}
	proxied := func(err error) error { return during("proxyconnect", err) }
	for name, row := range map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"unknown":  {t.Context(), canary, notShown},
		"an URL":   {t.Context(), &url.Error{Op: "Get", URL: "canary", Err: canary}, notShown},
		"not HTTP": {t.Context(), errors.New("malformed HTTP response \"canary\""), notHTTP},
		"a header": {t.Context(), textproto.ProtocolError("malformed MIME header: canary"), notHTTP},
		"unknown during a dial": {
			t.Context(), during("dial", canary), "dial tcp: " + notShown,
		},
		"an address": {
			t.Context(), during("dial", &net.AddrError{Err: "missing port in address", Addr: "a"}),
			"dial tcp: address a: missing port in address",
		},
		"a network": {
			t.Context(), during("dial", net.UnknownNetworkError("odd")),
			"dial tcp: unknown network odd",
		},
		"an alert of TLS": {
			t.Context(), during("remote error", tls.AlertError(40)),
			"remote error tcp: tls: handshake failure",
		},
		"no alert of TLS": {
			t.Context(), during("remote error", canary), "remote error tcp: " + notShown,
		},
		"a SOCKS proxy's refusal": {
			t.Context(), during("socks connect",
				errors.New("unknown error connection not allowed by ruleset")),
			"socks connect tcp: connection not allowed by ruleset",
		},
		"a SOCKS proxy's number": {
			t.Context(), during("socks connect", errors.New("unknown error unknown code: 99")),
			"socks connect tcp: the proxy did not open a connection",
		},
		"no SOCKS proxy": {
			t.Context(), during("socks connect", errors.New("unexpected protocol version 72")),
			"socks connect tcp: the proxy does not speak SOCKS5",
		},
		"a cause":     {ended, fmt.Errorf("canary: %w", cause), "the caller left"},
		"not a cause": {ended, canary, notShown},
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
			if !redirect && !strings.Contains(err.Error(), "is not HTTP that can be read") {
				t.Errorf("%q: got %v", answer, err)
			}
		}
		server.Close()
	}
}

// TestGet_SOCKS: the error says what a SOCKS proxy answered, and repeats nothing of what is no such
// proxy.
func TestGet_SOCKS(t *testing.T) {
	for answer, want := range map[string]string{
		"\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00": "connection not allowed by ruleset",
		"\x05\xff":                    "no acceptable authentication methods",
		"HTTP/1.1 400 canary\r\n\r\n": "the proxy does not speak SOCKS5",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			defer connection.Close()
			_, _ = io.WriteString(connection, answer)
			_, _ = io.Copy(io.Discard, connection)
		}()
		proxy := &url.URL{Scheme: "socks5", Host: listener.Addr().String()}
		client := document.Client(&http.Client{
			Transport: &http.Transport{Proxy: http.ProxyURL(proxy)},
		})
		_, err = document.Get(t.Context(), client, "https://a.example.com")
		if err == nil || !strings.HasSuffix(err.Error(), want) ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want %q", err, want)
		}
		listener.Close()
	}
}
