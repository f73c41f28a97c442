package service

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// certificateCheck is the minimum time between two checks for changed files.
const certificateCheck = time.Minute

// Certificate is a TLS certificate that is reloaded when its files change, so renewals need no
// restart. If the files cannot be read, it keeps the certificate as it was.
type Certificate struct {
	certificateFile string
	keyFile         string
	logger          *slog.Logger
	now             func() time.Time

	mu       sync.Mutex
	current  *tls.Certificate
	modified time.Time
	checked  time.Time
}

// NewCertificate reads a certificate and its key from two files in PEM, and fails if they cannot be
// read or do not belong together. now is the clock; time.Now outside of tests.
func NewCertificate(
	certificateFile, keyFile string, logger *slog.Logger, now func() time.Time,
) (*Certificate, error) {
	c := &Certificate{
		certificateFile: certificateFile,
		keyFile:         keyFile,
		logger:          logger,
		now:             now,
	}
	return c, c.load()
}

// load reads the files.
func (c *Certificate) load() error {
	info, err := os.Stat(c.certificateFile)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certificateFile, c.keyFile)
	if err != nil {
		return err
	}
	c.current = &pair
	c.modified = info.ModTime()
	c.checked = c.now()
	return nil
}

// Get implements tls.Config.GetCertificate. It checks the files at most once a minute.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.checked) < certificateCheck {
		return c.current, nil
	}
	c.checked = now
	info, err := os.Stat(c.certificateFile)
	if err != nil || info.ModTime().Equal(c.modified) {
		return c.current, nil
	}
	if err := c.load(); err != nil {
		c.logger.Warn("TLS certificate not renewed", slog.String("error", err.Error()))
	}
	return c.current, nil
}

// state returns the expiry of the certificate that the next handshake shows.
func (c *Certificate) state() delegation.CertificateState {
	return delegation.CertificateState{
		Kind:     CertificateTLS,
		Name:     filepath.Base(c.certificateFile),
		NotAfter: c.Leaf().NotAfter,
	}
}

// Leaf returns the certificate that the next handshake shows.
func (c *Certificate) Leaf() *x509.Certificate {
	current, _ := c.Get(nil) // Get never fails
	return current.Leaf
}
