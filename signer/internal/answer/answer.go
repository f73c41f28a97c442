// Package answer says what is wrong with an answer over HTTP without repeating any of it, because
// it may have an access token. The texts of net/http and of SDKs quote what they cannot read. The
// packages google and azure use it.
package answer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"sync"
	"syscall"
)

// notShown stands for an error of an unknown kind. It may be about an answer that net/http or an
// SDK cannot read.
const notShown = "the reason is not shown, because it may repeat a part of an answer"

// Missing says why there is no whole answer, from the error of an HTTP client or of a body. It has
// neither the URL nor anything of the answer: only errors of kinds whose texts are Go's own are
// repeated, without what wraps them.
func Missing(err error) string {
	if known := ofConnection(err); known != nil {
		return known.Error()
	}
	if known := ofTLS(err); known != nil {
		return known.Error()
	}
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, net.ErrClosed,
		io.ErrUnexpectedEOF, io.EOF, http.ErrSchemeMismatch,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	var timeout net.Error // such as TLS handshake timeout, which has no exported type
	if errors.As(err, &timeout) && timeout.Timeout() {
		return os.ErrDeadlineExceeded.Error()
	}
	return notShown
}

// ofConnection returns the error of a name, a connection or the system, or nil.
func ofConnection(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		plain := *operation
		switch operation.Op {
		case "remote error", "local error": // an alert of TLS
		case "proxyconnect":
			plain.Err = ofProxy(operation.Err)
		default:
			plain.Err = errors.New(Missing(operation.Err))
		}
		return &plain
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return name
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return nil
}

// ofProxy returns why a proxy opened no connection. For net/http, that is the text of the proxy's
// status line, which is whatever the proxy sent. Only the texts of HTTP are repeated.
func ofProxy(err error) error {
	for code := 400; code < 600; code++ {
		if text := http.StatusText(code); text != "" && err.Error() == text {
			return err
		}
	}
	if known := Missing(err); known != notShown {
		return errors.New(known)
	}
	return errors.New("the proxy did not open a connection")
}

// ofTLS returns the error of a server that cannot prove its name or speak TLS, or nil.
func ofTLS(err error) error {
	var verification *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &verification):
		return verification
	case errors.As(err, &invalid):
		return invalid
	case errors.As(err, &unknown):
		return unknown
	case errors.As(err, &name):
		return name
	case errors.As(err, &record):
		return record
	case errors.As(err, &alert):
		return alert
	}
	return nil
}

// Last remembers how the last of an SDK's requests ended. An SDK's own error can repeat an answer,
// so it is told only if there was none. The zero value has seen no request.
type Last struct {
	mu       sync.Mutex
	answered bool // at least once
	status   int  // of the last answer; 0: the last request failed without one
	failure  string
}

// Forget makes the Last one that has seen no request.
func (l *Last) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered, l.status, l.failure = false, 0, ""
}

// Note remembers how a request ended. It returns the error with a text that repeats no answer, so
// that what wraps it does not either.
func (l *Last) Note(response *http.Response, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		plain := plainError{err}
		l.status, l.failure = 0, plain.Error()
		return plain
	}
	l.answered, l.status, l.failure = true, response.StatusCode, ""
	return nil
}

// Explain returns the status of the last answer. If the last request failed, or if there was none,
// the status is 0, and the text says why the SDK failed with this error.
func (l *Last) Explain(err error) (status int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.status != 0:
		return l.status, ""
	case l.answered:
		return 0, l.failure
	}
	// A client that this Last does not see has errors of net/http: of the request, or of a trailer.
	if errors.As(err, new(*url.Error)) || errors.As(err, new(textproto.ProtocolError)) {
		return 0, Missing(err)
	}
	return 0, err.Error()
}

// plainError is an error whose text repeats no answer. errors.Is still finds the cause.
type plainError struct{ cause error }

func (e plainError) Error() string { return Missing(e.cause) }

func (e plainError) Unwrap() error { return e.cause }

// Transport notes each of its requests in the Last.
type Transport struct {
	Base http.RoundTripper
	Last *Last
}

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Base.RoundTrip(r)
	if err := t.Last.Note(response, err); err != nil {
		return nil, err
	}
	return response, nil
}
