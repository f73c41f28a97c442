package oidctest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// certificateLife is how long before and after now a certificate is valid. The
// clients' clocks are those of this machine.
const certificateLife = 24 * time.Hour

// A Network leads the real addresses of providers to imitations of them, so that
// configurations are tested with the addresses that they have in production. It
// comes from [NewNetwork] and is safe for concurrent use.
//
// It is a proxy: serve it on loopback, name it in HTTPS_PROXY, and name a file
// with [Network.CertificatePEM] in SSL_CERT_FILE. In Go, [Network.Client] needs
// neither. A host that no provider has is refused with 502: nothing gets to the
// internet.
type Network struct {
	providers []*Provider
	hosts     map[string]bool // with ports; whether they speak TLS

	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	mu     sync.Mutex
	serial int64
	leaves map[string]*tls.Certificate // by host
}

// NewNetwork returns a network of providers. Each has its issuer already: from
// its profile, or from [Provider.SetIssuer] as an absolute URL. Several may share
// a host. The network makes a certificate authority of its own, which is valid
// for a day.
//
// It fails if a provider has no issuer or one of its addresses is no http or
// https URL.
func NewNetwork(providers ...*Provider) (*Network, error) {
	n := &Network{
		providers: providers,
		hosts:     map[string]bool{},
		leaves:    map[string]*tls.Certificate{},
	}
	for _, p := range providers {
		discovery, keySet := p.addresses()
		for _, address := range []string{discovery, keySet} {
			if err := n.addHost(address); err != nil {
				return nil, err
			}
		}
	}
	var err error
	n.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("oidctest: new certificate authority: %w", err)
	}
	template := n.template("oidctest certificate authority")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, n.key.Public(), n.key)
	if err != nil {
		return nil, fmt.Errorf("oidctest: new certificate authority: %w", err)
	}
	n.authority, err = x509.ParseCertificate(der)
	return n, err
}

// addHost notes the host of an address.
func (n *Network) addHost(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("oidctest: %q is not an absolute http or https URL: "+
			"a provider of a network has an issuer", address)
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	n.hosts[net.JoinHostPort(u.Hostname(), port)] = u.Scheme == "https"
	return nil
}

// CertificatePEM returns the certificate of the network's authority as a PEM
// block, for a file that SSL_CERT_FILE or another setting names.
func (n *Network) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.authority.Raw})
}

// Client returns a new client to which the network is the whole internet. It
// needs no proxy and no port of this machine, and trusts the network's authority
// only.
func (n *Network) Client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(n.authority)
	return &http.Client{Transport: &http.Transport{
		DialContext:     n.dial,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
}

// dial connects to an imitation in memory.
func (n *Network) dial(_ context.Context, _, address string) (net.Conn, error) {
	if _, known := n.hosts[address]; !known {
		return nil, fmt.Errorf("oidctest: the network has no host %q", address)
	}
	client, server := net.Pipe()
	go n.serve(server, address)
	return client, nil
}

// ServeHTTP is the proxy: it answers CONNECT, and GET with an absolute http URL.
// Other requests get 400.
func (n *Network) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		n.forward(w, r)
		return
	}
	if _, known := n.hosts[r.Host]; !known {
		http.Error(w, "oidctest: the network has no such host", http.StatusBadGateway)
		return
	}
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "oidctest: the connection cannot be used", http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(connection, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		_ = connection.Close()
		return
	}
	n.serve(bufferedConn{connection, buffered.Reader}, r.Host)
}

// forward answers a request for a plain http URL.
func (n *Network) forward(w http.ResponseWriter, r *http.Request) {
	if !r.URL.IsAbs() {
		http.Error(w, "oidctest: this is a proxy", http.StatusBadRequest)
		return
	}
	n.answer(w, r, r.URL)
}

// serve answers the requests of one connection to a host.
func (n *Network) serve(connection net.Conn, address string) {
	scheme := "http"
	if n.hosts[address] {
		scheme = "https"
		leaf, err := n.leaf(address)
		if err != nil {
			_ = connection.Close()
			return
		}
		connection = tls.Server(connection, &tls.Config{
			Certificates: []tls.Certificate{*leaf},
			MinVersion:   tls.VersionTLS12,
		})
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		u.Scheme = scheme
		u.Host = r.Host
		n.answer(w, r, &u)
	}
	server := &http.Server{
		Handler:  http.HandlerFunc(handler),
		ErrorLog: log.New(io.Discard, "", 0), // such as a client that does not trust the authority
	}
	_ = server.Serve(&onceListener{connection: connection}) // it ends at once, see there
}

// answer finds the provider that has a document at the address.
func (n *Network) answer(w http.ResponseWriter, r *http.Request, at *url.URL) {
	for _, p := range n.providers {
		discovery, keySet := p.addresses()
		switch at.String() {
		case discovery:
			p.serve(w, r, DiscoveryPath)
			return
		case keySet:
			p.serve(w, r, KeySetPath)
			return
		}
	}
	http.NotFound(w, r)
}

// leaf returns the certificate of a host, which is made when it is first wanted.
func (n *Network) leaf(address string) (*tls.Certificate, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if made, ok := n.leaves[host]; ok {
		return made, nil
	}
	n.serial++
	template := n.template(host)
	template.SerialNumber = big.NewInt(n.serial + 1) // the authority has 1
	template.DNSNames = []string{host}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames = nil
		template.IPAddresses = []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.authority, n.key.Public(), n.key)
	if err != nil {
		return nil, err
	}
	n.leaves[host] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: n.key}
	return n.leaves[host], nil
}

func (n *Network) template(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-certificateLife),
		NotAfter:     now.Add(certificateLife),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// A bufferedConn is a connection of which some bytes have been read already.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c bufferedConn) Read(data []byte) (int, error) { return c.reader.Read(data) }

// A onceListener accepts one connection. Its server then stops accepting, and
// goes on answering that connection until the client closes it.
type onceListener struct {
	connection net.Conn // nil: accepted
}

func (l *onceListener) Accept() (net.Conn, error) {
	if l.connection == nil {
		return nil, errors.New("oidctest: there is one connection only")
	}
	accepted := l.connection
	l.connection = nil
	return accepted, nil
}

func (l *onceListener) Close() error { return nil }

func (l *onceListener) Addr() net.Addr { return &net.TCPAddr{} }
