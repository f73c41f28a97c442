// Package service runs what a configuration describes: the endpoints over HTTP or HTTPS, with
// health, metadata and debugging, until its context ends. It also runs a demonstration in memory.
// It takes values of the libraries, and does not parse the configuration.
package service

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
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

// DefaultListen is the default address to listen on, which only this machine can reach.
const DefaultListen = "127.0.0.1:8080"

// Service is what a configuration describes: a handler and how it is served. A command for one
// exchange uses only its Delegator, without listening.
type Service struct {
	// Listen is the address to listen on.
	Listen string

	// ListenAt is where the configuration has Listen, for errors; empty: nowhere.
	ListenAt string

	// DebugListen is the address for profiles and counters; empty: none. Only this machine may
	// reach it.
	DebugListen string

	// MetricsListen is the address for metrics and health; empty: none.
	MetricsListen string

	// Verbose answers /ready?verbose on the metrics listener; nil: it is answered like /ready.
	Verbose http.Handler

	// Hooks measure the service.
	Hooks Hooks

	// BehindProxy tells whether all requests come from the operator's proxies.
	BehindProxy bool

	// Limits are those of the server and its connections.
	Limits Limits

	// OnLimit is nil, or called for each request and connection that a limit refuses before a token
	// is read, for metrics. It must not block. The first version's OnLimit is used for all.
	OnLimit func(context.Context, delegationhttp.Limit)

	// Proxies is how many proxies are trusted. LimitsAddresses tells whether the requests of an
	// address are limited. The log warns of a public address without either.
	Proxies         int
	LimitsAddresses bool

	// Version is the program's version, for the log. About is a summary of the configuration.
	Version string
	About   About

	// ShutdownDelay is how long readiness fails before the listener closes.
	ShutdownDelay time.Duration

	// Certificate is the TLS certificate; nil: plain http.
	Certificate *Certificate

	// Delegator exchanges tokens. Run uses it only through Handler.
	Delegator *delegation.Delegator

	// Console makes sign-in URLs; nil: off.
	Console *delegationhttp.Console

	// Handler answers requests.
	Handler *Handler

	// Fixed are settings that cannot change while the service runs, as texts by their keys.
	Fixed map[string]string

	// Admin is the listener for operators; nil: there is none. A reload changes its token.
	Admin *Admin

	// BackchannelLogout accepts logout tokens at /backchannel-logout.
	BackchannelLogout bool

	// STS answers AWS's SDKs at /sts/{target}.
	STS bool

	// Token exchanges tokens at /token.
	Token bool

	// Parts are what a reload may reuse. Run does not use them.
	Parts Parts

	// Reload says how the service gets a new configuration; nil: it does not.
	Reload *Reload

	// Secrets are the files with secrets. Run does not use them.
	Secrets []SecretFile

	// Endpoint is where STS is called. Run does not use it.
	Endpoint Endpoint

	// UnknownVariables are environment variables that look like settings but set nothing. Run does
	// not use them.
	UnknownVariables []string

	// Place returns where the configuration has a field of the library; empty: nowhere. nil: places
	// are not known.
	Place func(field string) string

	// Own is nil, or returns findings about the machine, its files and environment. It must be
	// fast.
	Own func() []delegation.CheckResult

	// ReportChecks logs the findings of checks after the start and after each reload.
	ReportChecks bool

	// Redis is closed at the end; nil: there is none.
	Redis *Redis

	// Audit is closed at the end; nil: audit records are in the log only.
	Audit audit.Sink

	// Logger is required.
	Logger *slog.Logger

	// Started is nil, or called with the address once it listens.
	Started func(address string)

	// After replaces time.After; nil: time.After.
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
	From string // where this is configured
}

// Parts are what a service was made of. Its next version reuses them if it would be made of the
// same.
type Parts struct {
	STS   delegation.STS
	STSOf string // identifies the settings of STS

	Replay   delegation.ReplayStore // nil: none
	ReplayOf string                 // identifies the place of used tokens; empty: none

	RedisOf string // identifies settings and secrets

	Profiles   *profile.Loader // nil: there are none
	ProfilesOf string          // identifies settings and files

	Revocations *delegation.Revocations // nil: ended sessions are not remembered

	// Signers are the open keys in key services, by what they were opened with.
	Signers map[string]Signer
}

// Signer is an open key in a key service.
type Signer interface {
	crypto.Signer
	io.Closer

	// Ended tells whether it will never sign again.
	Ended() bool
}

// Run serves until the context ends, and then lets the requests under way finish, also those of
// operators. Readiness fails at once. The listeners close after the shutdown delay, so that load
// balancers have time to notice. Requests that are not finished 30 seconds later are cut off, and
// Run returns an error. At the end, Run closes what the service has open, even if it could not
// serve.
func (s *Service) Run(ctx context.Context) error {
	r := newRunning(s)
	defer r.end()
	if err := openAudit(s.Audit); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return s.cannotListen(err)
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
	admin, err := r.serveAdmin()
	if err != nil {
		_ = listener.Close()
		return err
	}
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
	failure := r.wait(ctx, failed)
	if err := errors.Join(failure, finish(server, admin)); err != nil {
		return err
	}
	s.Logger.Info("ended")
	return nil
}

// cannotListen says where to choose another address. The flag works also if there is no setting.
func (s *Service) cannotListen(err error) error {
	if s.ListenAt == "" {
		return fmt.Errorf("cannot listen: %w (choose another address with --listen)", err)
	}
	return fmt.Errorf("cannot listen: %w (choose another address at %s)", err, s.ListenAt)
}

// limited wraps the listener in the limits of the newest version.
func (r *running) limited(listener net.Listener) net.Listener {
	limits := func() Limits { return r.current().Limits }
	refused := func(limit delegationhttp.Limit) {
		r.first.Handler.shared.refused(context.Background(), limit)
	}
	return newConnections(listener, limits, refused, r.first.Logger)
}

// serve starts to serve, and logs it. If serving ends early, the error is sent to the channel.
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

// wait waits until the context has ended and the shutdown delay is over, or until serving fails.
func (r *running) wait(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s := r.first
	s.Handler.shared.draining.Store(true)
	delay := r.current().ShutdownDelay
	s.Logger.Info("shutting down", slog.Duration("delay", delay))
	select {
	case err := <-failed:
		return err
	case <-s.after(delay):
		return nil
	}
}

// outcome returns the result of the last reload.
func (s *Service) outcome() *outcome { return &s.Handler.shared.last }

func (s *Service) after(d time.Duration) <-chan time.Time {
	if s.After == nil {
		return time.After(d)
	}
	return s.After(d)
}
