package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateCheck is how often a handshake looks whether the files have changed.
const certificateCheck = time.Minute

// certificateFiles is a TLS certificate that is read again when its file changes, so that renewals
// need no restart. Files that cannot be read leave the certificate as it was.
type certificateFiles struct {
	certificate, key string
	logger           *slog.Logger
	now              func() time.Time

	mu       sync.Mutex
	current  *tls.Certificate
	modified time.Time
	checked  time.Time
}

// load reads the files.
func (f *certificateFiles) load() error {
	info, err := os.Stat(f.certificate)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.certificate, f.key)
	if err != nil {
		return err
	}
	f.current, f.modified, f.checked = &pair, info.ModTime(), f.now()
	return nil
}

// get implements tls.Config.GetCertificate.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.checked) >= certificateCheck {
		f.checked = now
		if info, err := os.Stat(f.certificate); err == nil && !info.ModTime().Equal(f.modified) {
			if err := f.load(); err != nil {
				f.logger.Warn("TLS certificate not renewed", slog.String("error", err.Error()))
			}
		}
	}
	return f.current, nil
}
