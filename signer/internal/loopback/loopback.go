// Package loopback stands in for the internet in tests: every host name leads to one TLS server on
// the loopback interface, which shows a certificate for the name that was asked for.
package loopback

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// New starts a server that serves each host name with its handler in hosts, and returns a transport
// that leads to it. Requests to other names fail the test.
func New(t *testing.T, hosts map[string]http.Handler) *http.Transport {
	t.Helper()
	var names []string
	for name := range hosts {
		names = append(names, name)
	}
	certificate := certificateFor(t, names)
	server := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			host, found := hosts[r.Host]
			if !found {
				t.Errorf("a request to %s", r.Host)
				http.NotFound(w, r)
				return
			}
			host.ServeHTTP(w, r)
		}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, server.Listener.Addr().String())
		},
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func certificateFor(t *testing.T, names []string) tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		DNSNames:              names,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

// Odd returns answers that are not HTTP, or that net/http and SDKs cannot read for another reason.
// Each has the secret in the place that errors quote.
func Odd(secret string) []string {
	const ok = "HTTP/1.1 200 OK\r\n"
	long := func(body string) string {
		return fmt.Sprintf("%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", ok,
			len(body), body)
	}
	return []string{
		`{"access_token":"` + secret + `"}`,
		"HTTP/1.1 " + secret + "\r\n\r\n",
		ok + secret + "\r\n\r\n",
		ok + "Content-Length: " + secret + "\r\n\r\n",
		ok + "Transfer-Encoding: " + secret + "\r\n\r\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + secret + "\r\n\r\n",
		"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://%z" + secret + "\r\n\r\n",
		long(secret),
		long(`{"access_token":"` + secret + `"`),
		long(`{"access_token":["` + secret + `"]}`),
		long(`{"expiry":"` + secret + `","expires_in":"` + secret + `","value":"` + secret + `"}`),
		strings.Replace(long(secret), "200 OK", "400 Bad Request", 1),
		strings.Replace(long(secret), "200 OK", "403 "+secret, 1),
	}
}

// Raw answers a request with bytes that need not be HTTP.
func Raw(t *testing.T, w http.ResponseWriter, text string) {
	t.Helper()
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = connection.Close() }()
	_, _ = io.WriteString(connection, text)
}
