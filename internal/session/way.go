package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/seed055b7978/delegation/internal/document"
)

// Unanswered returns why a request through a [BoundedClient] has no whole answer, with what the
// environment contributed. Like [document.Unanswered], it repeats nothing of an answer.
func Unanswered(ctx context.Context, err error) error {
	var withCause *explainedError
	if errors.As(err, &withCause) {
		return withCause
	}
	return document.Unanswered(ctx, err)
}

// explained adds to the error of a failed request what the environment contributed: the proxy that
// it went through, or a CA bundle without the server's CA. The errors of net/http say neither. A
// proxy that refuses is "Forbidden", and a bundle without the right CA is an unknown authority.
func explained(way *http.Transport, r *http.Request, err error) error {
	var failure *url.Error
	if way == nil || r == nil || !errors.As(err, &failure) {
		return err
	}
	if cause := explanation(way, r, failure.Err); cause != nil {
		failure.Err = cause
	}
	return err
}

// explanation returns the cause of a failure with what the environment contributed; nil: nothing.
func explanation(way *http.Transport, r *http.Request, cause error) error {
	plain := document.Unanswered(r.Context(), cause)
	if document.IsCertificate(cause) {
		if way.TLSClientConfig == nil || way.TLSClientConfig.RootCAs == nil {
			return nil
		}
		return &explainedError{cause, fmt.Sprintf("%v (only the CAs of %s count, and not the "+
			"system's)", plain, caBundleVariable)}
	}
	if way.Proxy == nil {
		return nil
	}
	proxy, err := way.Proxy(r)
	switch {
	case err != nil: // the error quotes the address, which may have a password
		return &explainedError{nil, "the address of the proxy is wrong: correct HTTPS_PROXY or " +
			"HTTP_PROXY"}
	case proxy == nil:
		return nil
	}
	return &explainedError{cause, fmt.Sprintf("through the proxy %q of HTTPS_PROXY or HTTP_PROXY: %v",
		proxy.Host, plain)}
}

// explainedError is a failure with what the environment contributed. Its text repeats nothing of an
// answer. The SDK decides by the cause whether it retries.
type explainedError struct {
	cause error
	text  string
}

func (e *explainedError) Error() string { return e.text }

func (e *explainedError) Unwrap() error { return e.cause }
