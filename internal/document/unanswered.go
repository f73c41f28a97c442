package document

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
	"slices"
	"strings"
	"syscall"
)

// unreadableError stands for an error whose text can repeat what the server sent, such as malformed
// HTTP response "…". An answer may have a token. errors.Is still finds the error.
type unreadableError struct{ cause error }

func (e unreadableError) Error() string {
	if isNotHTTP(e.cause) {
		return "its answer is not HTTP that can be read"
	}
	return "there is no complete answer; the reason is not shown, because it may repeat part of it"
}

func (e unreadableError) Unwrap() error { return e.cause }

// isNotHTTP tells whether net/http could not read an answer. Most such errors have no exported type
// (net/http, Go 1.26).
func isNotHTTP(err error) bool {
	var protocol textproto.ProtocolError
	if errors.As(err, &protocol) {
		return true
	}
	text := err.Error()
	begins := func(prefix string) bool { return strings.HasPrefix(text, prefix) }
	return slices.ContainsFunc([]string{
		"malformed HTTP ",
		"net/http: HTTP/1.x transport connection broken: ",
		"net/http: server response headers exceeded ",
		"malformed chunked encoding",
		"invalid byte in chunk length",
		"http chunk length too large",
		"chunked ",
		"bad trailer key",
		"http: unexpected EOF reading trailer",
		"http: suspiciously long trailer",
	}, begins)
}

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
		case isAlert(operation.Err): // of the operation "remote error" or "local error"
		case operation.Op == "proxyconnect":
			plain.Err = ofProxy(operation.Err)
		case strings.HasPrefix(operation.Op, "socks "):
			plain.Err = ofSOCKS(operation.Err)
		default:
			plain.Err = Unanswered(context.Background(), operation.Err)
		}
		return &plain
	}
	var name *net.DNSError
	var address *net.AddrError
	var network net.UnknownNetworkError
	var call *os.SyscallError
	var number syscall.Errno
	switch {
	case errors.As(err, &name):
		return name
	case errors.As(err, &address):
		return address
	case errors.As(err, &network):
		return network
	case errors.As(err, &call):
		return call
	case errors.As(err, &number):
		return number
	}
	return nil
}

// isAlert tells whether an error is an alert of TLS. Those of crypto/tls have no exported type, and
// the texts of tls.AlertError.
func isAlert(err error) bool {
	for code := range 256 {
		if err.Error() == tls.AlertError(code).Error() {
			return true
		}
	}
	return false
}

// socksTexts are the errors of a SOCKS proxy that net/http knows (socks_bundle.go, Go 1.26). They
// have no types. Others have numbers that the proxy sent.
var socksTexts = []string{
	"no acceptable authentication methods",
	"invalid username/password",
	"username/password authentication failed",
	"FQDN too long",
	"unknown error general SOCKS server failure",
	"unknown error connection not allowed by ruleset",
	"unknown error network unreachable",
	"unknown error host unreachable",
	"unknown error connection refused",
	"unknown error TTL expired",
	"unknown error command not supported",
	"unknown error address type not supported",
}

// ofSOCKS returns why a SOCKS proxy opened no connection.
func ofSOCKS(err error) error {
	text := err.Error()
	switch {
	case slices.Contains(socksTexts, text):
		return errors.New(strings.TrimPrefix(text, "unknown error "))
	case strings.HasPrefix(text, "unexpected protocol version "):
		return errors.New("the proxy does not speak SOCKS5")
	}
	return ofProxy(err)
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
