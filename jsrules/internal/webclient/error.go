package webclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Codes of our own. All other codes are Node's.
const (
	// CodeHost is a host that the list does not have, also of a redirect.
	CodeHost = "EHOSTNOTALLOWED"
	// CodeAddress is a name that leads to an address of this machine, its link or its cloud.
	CodeAddress = "EADDRESSNOTALLOWED"
	// CodeInsecure is http where https is required.
	CodeInsecure = "ENOTHTTPS"
	// CodeSize is an answer, or a request, that is too large.
	CodeSize = "ETOOLARGE"
	// CodeRequests is a rule, or an exchange, that has sent too many requests.
	CodeRequests = "ETOOMANYREQUESTS"
	// CodeRedirect is a redirect that would send a body to another host.
	CodeRedirect = "EREDIRECT"
)

// Codes of Node, axios and follow-redirects.
const (
	CodeURL           = "ERR_INVALID_URL"
	CodeRequest       = "ERR_INVALID_ARG_VALUE"
	CodeRedirects     = "ERR_FR_TOO_MANY_REDIRECTS"
	CodeNotFound      = "ENOTFOUND"
	CodeTryAgain      = "EAI_AGAIN"
	CodeRefused       = "ECONNREFUSED"
	CodeReset         = "ECONNRESET"
	CodeTimeout       = "ETIMEDOUT"
	CodeSocketTimeout = "ESOCKETTIMEDOUT"
)

// Error is why a request has no answer.
type Error struct {
	// Code is one of the constants of this package, or another code of Node.
	Code string
	// Text is for people. It names the host at most.
	Text string
	// Host is the host that the request was for, with the port if it is not 443. It is empty if
	// the URL has none.
	Host string
	// Connecting says that no connection was made before the time limit.
	Connecting bool
	// Syscall is what failed, in Node's words: connect, read or getaddrinfo. It may be empty.
	Syscall string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func invalidURL() *Error {
	return &Error{Code: CodeURL, Text: "Invalid URL: rules call https:// and a host name"}
}

// systemCodes are Node's codes for errors of the system.
var systemCodes = []struct {
	err  syscall.Errno
	code string
}{
	{syscall.ECONNREFUSED, CodeRefused},
	{syscall.ECONNRESET, CodeReset},
	{syscall.ECONNABORTED, "ECONNABORTED"},
	{syscall.EPIPE, "EPIPE"},
	{syscall.EHOSTUNREACH, "EHOSTUNREACH"},
	{syscall.ENETUNREACH, "ENETUNREACH"},
	{syscall.EADDRNOTAVAIL, "EADDRNOTAVAIL"},
	{syscall.ETIMEDOUT, CodeTimeout},
}

// failure returns the error of a request that failed. An ended context takes precedence, because it
// caused every other failure.
func failure(ctx context.Context, t target, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	made := networkError(t, err)
	if made == nil {
		made = certificateError(t, err)
	}
	if made == nil {
		made = &Error{Code: CodeReset, Text: "socket hang up", Syscall: "read"}
	}
	made.Host = t.String()
	return made
}

// networkError returns the error of a name, a connection or the system, or nil.
func networkError(t target, err error) *Error {
	var name *net.DNSError
	if errors.As(err, &name) {
		code := CodeTryAgain
		if name.IsNotFound {
			code = CodeNotFound
		}
		return &Error{Code: code, Text: "getaddrinfo " + code + " " + t.host,
			Syscall: "getaddrinfo"}
	}
	var operation *net.OpError
	call := "read"
	if errors.As(err, &operation) && operation.Op == "dial" {
		call = "connect"
	}
	for _, known := range systemCodes {
		if errors.Is(err, known.err) {
			text := call + " " + known.code
			if call == "connect" {
				text += " " + t.String()
			}
			return &Error{Code: known.code, Text: text, Syscall: call}
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Code: CodeTimeout, Text: call + " " + CodeTimeout, Syscall: call}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Code: CodeReset, Text: "aborted", Syscall: "read"}
	}
	return nil
}

// certificateError returns the error of a server that cannot prove its name, or nil.
func certificateError(t target, err error) *Error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &Error{Code: "CERT_HAS_EXPIRED",
			Text: "the certificate of " + t.String() + " has expired, or is not valid yet"}
	case errors.As(err, &invalid):
		return &Error{Code: "ERR_TLS_CERT_INVALID",
			Text: "the certificate of " + t.String() + " is not valid"}
	case errors.As(err, &unknown):
		return &Error{Code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
			Text: "the certificate of " + t.String() + " is signed by an authority that this " +
				"machine does not know"}
	case errors.As(err, &name):
		return &Error{Code: "ERR_TLS_CERT_ALTNAME_INVALID",
			Text: "the certificate of " + t.String() + " is for other names"}
	case errors.As(err, &alert), errors.As(err, &record):
		return &Error{Code: "EPROTO", Text: t.String() + " does not speak TLS as it should"}
	}
	return nil
}
