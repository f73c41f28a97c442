// Package service runs what a configuration describes: the endpoints over HTTP or HTTPS until a
// signal, with health, metadata and debugging, and a demonstration in memory. It takes values of
// the libraries and reads no file but renewed certificates. Where the values come from is not its
// matter.
package service

import (
	"context"
	"crypto"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/profile"
)

// DefaultListen is where a service listens if nothing else is said: on this machine alone.
const DefaultListen = "127.0.0.1:8080"

// Service is what a configuration describes: a handler and how it is served. A call of one exchange
// takes its Delegator, and nothing listens.
type Service struct {
	// Listen is the address to listen on.
	Listen string

	// DebugListen is the address for profiles and counters, empty for none. It has to be of this
	// machine alone.
	DebugListen string

	// MetricsListen is the address for metrics and health, empty for none.
	MetricsListen string

	// Verbose answers /ready?verbose on the metrics listener; nil: as /ready is answered.
	Verbose http.Handler

	// Hooks are what measures the service.
	Hooks Hooks

	// BehindProxy tells whether all requests come from proxies of the operator's.
	BehindProxy bool

	// Limits are those of the server and its connections.
	Limits Limits

	// OnLimit is nil, or called for each request and connection that a limit refuses before a token
	// is read: for metrics. It must not block. That of the first version counts for all.
	OnLimit func(context.Context, delegationhttp.Limit)

	// Proxies is how many proxies are trusted. LimitsAddresses tells whether the requests of an
	// address are limited. The log warns of a public address without either.
	Proxies         int
	LimitsAddresses bool

	// Version is that of the program, for the log. About is what it serves.
	Version string
	About   About

	// ShutdownDelay is how long readiness fails before the listener closes.
	ShutdownDelay time.Duration

	// Certificate is that of TLS; nil: plain http.
	Certificate *Certificate

	// Delegator exchanges tokens. Run does not use it: Handler does.
	Delegator *delegation.Delegator

	// Console makes sign-in URLs; nil: off.
	Console *delegationhttp.Console

	// Handler answers requests.
	Handler *Handler

	// Fixed are settings that cannot change while it runs, as texts by their keys.
	Fixed map[string]string

	// Admin is the listener for operators; nil: there is none. A reload changes its token.
	Admin *Admin

	// BackchannelLogout has logout tokens accepted at /backchannel-logout.
	BackchannelLogout bool

	// STS has AWS's SDKs answered at /sts/{target}.
	STS bool

	// Token has tokens exchanged at /token.
	Token bool

	// Parts are what a reload may go on with. Run does not use them.
	Parts Parts

	// Reload says how it gets another configuration; nil: it does not.
	Reload *Reload

	// Secrets are the files of secrets. Run does not use them.
	Secrets []SecretFile

	// Endpoint is where STS is called. Run does not use it.
	Endpoint Endpoint

	// UnknownVariables are variables of the environment that look like settings and are none. Run
	// does not use them.
	UnknownVariables []string

	// Place says where the configuration has a field of the library; empty: nowhere. nil: there is
	// no such place.
	Place func(field string) string

	// Own is nil, or returns what is to be said of the machine: files and environment. It must not
	// take long.
	Own func() []delegation.CheckResult

	// ReportChecks has the log say what checks find after the start and after each reload.
	ReportChecks bool

	// Redis is closed at the end; nil: there is none.
	Redis *Redis

	// Audit is closed at the end; nil: audit records are in the log only.
	Audit audit.Sink

	// Logger is required.
	Logger *slog.Logger

	// Started is nil, or called with the address once it listens.
	Started func(address string)

	// After stands for time.After; nil is time.After itself.
	After func(time.Duration) <-chan time.Time
}

// SecretFile is a file with a secret.
type SecretFile struct {
	Path       string
	At         string // the setting that names it
	SigningKey bool   // it is a key that signs assertions
}

// Endpoint is where STS is called.
type Endpoint struct {
	URL  string // empty: at AWS
	From string // what says so
}

// Parts are what a service was made of and what its next version goes on with, if it is made of the
// same.
type Parts struct {
	STS   delegation.STS
	STSOf string // tells the settings that STS was made of from others

	Replay   delegation.ReplayStore // nil: none
	ReplayOf string                 // tells the place where they are from others; empty: none

	RedisOf string // tells settings and secrets

	Profiles   *profile.Loader // nil: there are none
	ProfilesOf string          // tells settings and files

	Revocations *delegation.Revocations // nil: ended sessions are not remembered

	// Signers are the keys that are open in key services, by what they were opened with.
	Signers map[string]Signer
}

// Signer is a key that is open in a key service.
type Signer interface {
	crypto.Signer
	io.Closer

	// Ended tells whether it will never sign again.
	Ended() bool
}

// Run serves until the context ends, and then lets the requests under way finish: readiness fails
// at once, the listener closes after the shutdown delay, so that load balancers have noticed. What
// the service has open is closed then, also if it cannot be served.
func (s *Service) Run(ctx context.Context) error {
	r := newRunning(s)
	defer r.end()
	if err := openAudit(s.Audit); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w (choose another address with --listen)", err)
	}
	if s.DebugListen != "" {
		stop, err := s.serveDebug()
		if err != nil {
			_ = listener.Close()
			return err
		}
		defer stop()
	}
	if s.Redis != nil {
		s.Redis.report(ctx, s.Logger)
	}
	stop, err := r.serveMetrics()
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer stop()
	stopAdmin, err := r.serveAdmin()
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer stopAdmin()
	s.Handler.shared.onLimit = s.OnLimit
	server := NewServer(r.measured(), s.Logger)
	s.Limits.limit(server)
	failed := r.serve(server, r.limited(listener))
	if s.ReportChecks {
		reporting, stop := context.WithCancel(ctx)
		defer stop()
		go r.report(reporting)
	}
	if s.Reload != nil {
		reloading, stop := context.WithCancel(ctx)
		defer stop()
		go r.reloads(reloading)
		if s.Reload.Watch != nil {
			go r.watch(reloading)
		}
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	return r.shutDown(server, failed)
}

// limited is the listener within the limits of the newest version.
func (r *running) limited(listener net.Listener) net.Listener {
	limits := func() Limits { return r.current().Limits }
	refused := func(limit delegationhttp.Limit) {
		r.first.Handler.shared.refused(context.Background(), limit)
	}
	return newConnections(listener, limits, refused, r.first.Logger)
}

// serve begins to answer, and says so. What ends it before its time comes over the channel.
func (r *running) serve(server *http.Server, listener net.Listener) (failed <-chan error) {
	s := r.first
	address := listener.Addr().String()
	s.sayStart(address)
	if s.Started != nil {
		s.Started(address)
	}
	ended := make(chan error, 1)
	go func() {
		if s.Certificate == nil {
			ended <- server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{
			GetCertificate: r.certificate,
			MinVersion:     tls.VersionTLS12,
		}
		ended <- server.ServeTLS(listener, "", "")
	}()
	return ended
}

func (r *running) shutDown(server *http.Server, failed <-chan error) error {
	s := r.first
	s.Handler.shared.draining.Store(true)
	delay := r.current().ShutdownDelay
	s.Logger.Info("shutting down", slog.Duration("delay", delay))
	select {
	case err := <-failed:
		return err
	case <-s.after(delay):
	}
	limited, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were cut off after %s: %w", shutdownTimeout, err)
	}
	s.Logger.Info("ended")
	return nil
}

// outcome is that of the last reload.
func (s *Service) outcome() *outcome { return &s.Handler.shared.last }

func (s *Service) after(d time.Duration) <-chan time.Time {
	if s.After == nil {
		return time.After(d)
	}
	return s.After(d)
}
