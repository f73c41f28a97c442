package document

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// unreadableError stands for an error of net/http that can repeat what the server sent, such as
// malformed HTTP response "…". An answer may have a token. errors.Is still finds the error.
type unreadableError struct{ cause error }

func (unreadableError) Error() string { return "its answer is not HTTP that can be read" }

func (e unreadableError) Unwrap() error { return e.cause }

// errNoTunnel stands for the answer of a proxy to CONNECT.
var errNoTunnel = errors.New("the proxy did not open a connection")

// Unanswered returns why there is no whole answer, from the error of an HTTP client or of a body.
// It has neither the URL nor anything of the answer: only errors of kinds whose texts are Go's own
// are returned, without what wraps them. A redirect that leads nowhere matches [ErrRedirect].
func Unanswered(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return cause
	}
	var ue *url.Error // it repeats the URL
	if errors.As(err, &ue) {
		err = ue.Err
	}
	// net/http gives this error no type (Client.Do, Go 1.26).
	if strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return RedirectError{}
	}
	if known := ofConnection(err); known != nil {
		return known
	}
	if known := ofTLS(err); known != nil {
		return known
	}
	for _, known := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded, net.ErrClosed,
		io.ErrUnexpectedEOF, io.EOF, http.ErrSchemeMismatch,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	if isStatusText(err) {
		return err
	}
	var timeout net.Error // such as TLS handshake timeout, which has no exported type
	if errors.As(err, &timeout) && timeout.Timeout() {
		return os.ErrDeadlineExceeded
	}
	return unreadableError{err}
}

// ofConnection returns the error of a name, a connection or the system, or nil.
func ofConnection(err error) error {
	var operation *net.OpError
	if errors.As(err, &operation) {
		plain := *operation
		switch {
		case operation.Op == "remote error" || operation.Op == "local error":
			return operation // an alert of TLS
		case operation.Op == "proxyconnect":
			plain.Err = ofProxy(operation.Err)
		default:
			plain.Err = Unanswered(context.Background(), operation.Err)
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

// ofProxy returns why a proxy opened no connection. net/http has the text of the proxy's status
// line as the error, which is whatever the proxy sent.
func ofProxy(err error) error {
	known := Unanswered(context.Background(), err)
	if errors.As(known, new(unreadableError)) || errors.Is(known, ErrRedirect) {
		return errNoTunnel
	}
	return known
}

// isStatusText tells whether an error is the plain text of an HTTP status. It is what net/http has
// if a proxy refuses to open a connection.
func isStatusText(err error) bool {
	for code := 400; code < 600; code++ {
		if text := http.StatusText(code); text != "" && err.Error() == text {
			return true
		}
	}
	return false
}

// ofTLS returns the error of a server that cannot prove its name or speak TLS, or nil.
func ofTLS(err error) error {
	if known := ofCertificate(err); known != nil {
		return known
	}
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(err, &record):
		return record
	case errors.As(err, &alert):
		return alert
	}
	return nil
}

// IsCertificate tells whether an error is about the certificate of a server or proxy.
func IsCertificate(err error) bool { return ofCertificate(err) != nil }

// ofCertificate returns the error of a certificate, or nil.
func ofCertificate(err error) error {
	var verification *tls.CertificateVerificationError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &verification):
		return verification
	case errors.As(err, &invalid):
		return invalid
	case errors.As(err, &unknown):
		return unknown
	case errors.As(err, &name):
		return name
	}
	return nil
}
