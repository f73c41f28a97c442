package answer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"github.com/seed055b7978/delegation/signer/internal/answer"
)

// TestMissing: of an error only what Go itself says remains.
func TestMissing(t *testing.T) {
	const notShown = "the reason is not shown, because it may repeat a part of an answer"
	canary := errors.New("canary")
	proxied := func(err error) error { return &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err} }
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"unknown": {canary, notShown},
		"an URL":  {&url.Error{Op: "Get", URL: "canary", Err: canary}, notShown},
		"the end": {fmt.Errorf("canary: %w", io.EOF), "EOF"},
		"a context": {
			fmt.Errorf("canary: %w", context.DeadlineExceeded), "context deadline exceeded",
		},
		"a reset": {fmt.Errorf("canary: %w", syscall.ECONNRESET), syscall.ECONNRESET.Error()},
		"a name": {
			&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
				Err: "no such host", Name: "a.example.com", IsNotFound: true,
			}},
			"dial tcp: lookup a.example.com: no such host",
		},
		"an operation": {
			&net.OpError{Op: "read", Net: "tcp", Err: canary}, "read tcp: " + notShown,
		},
		"a proxy's refusal": {proxied(errors.New("Forbidden")), "proxyconnect tcp: Forbidden"},
		"a proxy's own words": {
			proxied(canary), "proxyconnect tcp: the proxy did not open a connection",
		},
		"a proxy that ended": {proxied(io.EOF), "proxyconnect tcp: EOF"},
	} {
		if got := answer.Missing(row.err); got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

// TestLast: an SDK's own error is told only if there was no answer that it could repeat.
func TestLast(t *testing.T) {
	var last answer.Last
	own := errors.New("an SDK's text")
	want := func(status int, text string) {
		t.Helper()
		if got, said := last.Explain(own); got != status || said != text {
			t.Errorf("got %d, %q, want %d, %q", got, said, status, text)
		}
	}
	want(0, own.Error())
	failure := last.Note(nil, fmt.Errorf("canary: %w", io.EOF))
	if failure.Error() != "EOF" || !errors.Is(failure, io.EOF) {
		t.Errorf("got %#v", failure)
	}
	want(0, own.Error()) // which can wrap the failure, but repeats no answer
	if err := last.Note(&http.Response{StatusCode: 200}, nil); err != nil {
		t.Error(err)
	}
	want(200, "")
	_ = last.Note(nil, io.EOF)
	want(0, "EOF")
	last.Forget()
	want(0, own.Error())
}
