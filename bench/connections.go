package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
)

const (
	turnCalls = 200
	// pause is the time between calls in the second half, because the SDK lost more connections
	// with it.
	pause = 2 * time.Millisecond
)

// connections counts the connections that the library's own client opens for consecutive calls to
// an STS with TLS. It also checks that the TLS session is resumed after the server has closed the
// connection.
func (b *bench) connections() (err error) {
	server, err := b.world.listenTLS()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.close(), isolate(b.net.url)) }()
	if err := server.use(); err != nil {
		return err
	}
	config := b.world.config(b.net.keysURL())
	most := int64(0)
	var e *exchanger
	for _, between := range []time.Duration{0, pause} {
		b.progress("connections: %d calls, %s between them", turnCalls, between)
		e = &exchanger{
			config:  config,
			seen:    b.world.real[0],
			options: []delegation.ExchangeOption{delegation.WithoutCache()},
		}
		server.opened.Store(0)
		if err := e.renew(); err != nil { // the first call
			return err
		}
		for range turnCalls - 1 {
			time.Sleep(between)
			if err := e.exchange(b.world.real[0]); err != nil {
				return err
			}
		}
		most = max(most, server.opened.Load())
	}
	server.http.SetKeepAlivesEnabled(false) // closes each connection once it is idle
	server.open.Wait()
	server.http.SetKeepAlivesEnabled(true)
	server.resumed.Store(false)
	if err := e.exchange(b.world.real[0]); err != nil {
		return err
	}
	resumed := server.resumed.Load()
	b.add(row{
		what: fmt.Sprintf("connections for %d calls to STS in turn, TLS; resumed after a break",
			turnCalls),
		min:    fmt.Sprint(most),
		median: yesNo(resumed),
		goal:   "1, and resumed",
		met:    most == 1 && resumed,
	})
	b.gauge("connections of 200 calls to STS", float64(most))
	lost := 1.0
	if resumed {
		lost = 0
	}
	b.gauge("TLS sessions not resumed after a break", lost)
	return nil
}

// tlsServer is an STS with TLS that counts connections.
type tlsServer struct {
	http    *http.Server
	url     string
	caFile  string
	opened  atomic.Int64
	open    sync.WaitGroup
	resumed atomic.Bool // the last request's connection resumed a session
}

func (w *world) listenTLS() (*tlsServer, error) {
	certificate, err := w.makeTLS()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &tlsServer{
		url:    "https://" + listener.Addr().String(),
		caFile: w.path("tls.crt"),
	}
	s.http = &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.opened.Add(1)
				s.open.Add(1)
			case http.StateClosed:
				s.open.Done()
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.resumed.Store(r.TLS.DidResume)
			answerSTS(w, r)
		}),
	}
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)                       // STS has no HTTP/2
	go func() { _ = s.http.ServeTLS(listener, "", "") }() // until close
	return s, nil
}

// use makes the AWS SDK call this server, and trust it.
func (s *tlsServer) use() error {
	return errors.Join(isolate(s.url), os.Setenv("AWS_CA_BUNDLE", s.caFile))
}

func (s *tlsServer) close() error {
	return errors.Join(os.Unsetenv("AWS_CA_BUNDLE"), s.http.Close())
}

// makeTLS makes a certificate for loopback, and writes it to tls.crt.
func (w *world) makeTLS() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, w.write("tls.crt", text)
}
