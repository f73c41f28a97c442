package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

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
	if isCertificate(cause) {
		if way.TLSClientConfig == nil || way.TLSClientConfig.RootCAs == nil {
			return nil
		}
		return fmt.Errorf("%w (only the CAs of %s count, and not the system's)",
			cause, caBundleVariable)
	}
	if way.Proxy == nil {
		return nil
	}
	proxy, err := way.Proxy(r)
	switch {
	case err != nil: // the error quotes the address, which may have a password
		return errors.New("the address of the proxy is wrong: correct HTTPS_PROXY or HTTP_PROXY")
	case proxy == nil:
		return nil
	}
	return fmt.Errorf("through the proxy %q of HTTPS_PROXY or HTTP_PROXY: %w", proxy.Host, cause)
}

// isCertificate tells whether an error is about the certificate of a server or proxy.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &unknown) ||
		errors.As(err, &name) || errors.As(err, &invalid)
}
