package document

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"sync"
)

// Limits of files that settings name, in bytes.
const (
	maxCAFile     = 1 << 20
	maxBearerFile = 16 << 10
)

// ReadFile reads a file of at most that many bytes, and fails for a larger one.
func ReadFile(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return text, err
}

// withRemedy adds what to do to the error for a file that does not exist.
func withRemedy(err error, remedy string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return err
}

// ReadCAs reads a file of certificates in PEM, and nothing else. It also returns the text of the
// file, so that callers can compare files.
func ReadCAs(name string) (pool *x509.CertPool, text []byte, err error) {
	text, err = ReadFile(name, maxCAFile)
	if err != nil {
		return nil, nil, withRemedy(err, "name a file with the CA's certificate in PEM")
	}
	pool = x509.NewCertPool()
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, nil, fmt.Errorf("%s has a %.40q, and may have certificates only",
				name, block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d of %s cannot be read", found+1, name)
		}
		pool.AddCert(certificate)
		found++
	}
	if found == 0 {
		return nil, nil, fmt.Errorf("%s has no certificate in PEM: name a file with the CA's "+
			"certificate", name)
	}
	return pool, text, nil
}

// Trusting returns a copy of a transport that trusts these CAs only. nil stands for
// http.DefaultTransport. It returns false for a transport with its own way to make TLS connections.
func Trusting(transport http.RoundTripper, pool *x509.CertPool) (own *http.Transport, ok bool) {
	if transport == nil {
		transport = http.DefaultTransport
	}
	base, ok := transport.(*http.Transport)
	//lint:ignore SA1019 a transport with the deprecated hook makes TLS itself too
	if !ok || base.DialTLSContext != nil || base.DialTLS != nil {
		return nil, false
	}
	own = base.Clone()
	if own.TLSClientConfig == nil {
		own.TLSClientConfig = &tls.Config{}
	}
	own.TLSClientConfig.RootCAs = pool
	return own, true
}

// bearerToken is the form of a token that a header can have (RFC 6750 §2.1).
var bearerToken = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[A-Za-z0-9._~+/-]+=*\z`)
})

// ReadBearer reads a file with a bearer token. No error holds anything of the file.
func ReadBearer(name string) (string, error) {
	text, err := ReadFile(name, maxBearerFile)
	if err != nil {
		return "", withRemedy(err, "name a file with the token")
	}
	token := bytes.TrimRight(text, "\r\n")
	if !bearerToken().Match(token) {
		return "", fmt.Errorf("%s does not hold one bearer token and nothing else", name)
	}
	return string(token), nil
}
