package main

import (
	"context"
	"crypto/tls"
	"errors"
	"expvar"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/spf13/cobra"
)

const defaultListen = "127.0.0.1:8080"

// Time-outs of the server: one for each way in which a client or a peer can be slow.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second // of a request with its body, 64 KiB at most
	// of reading, exchange (keys 10s, STS 10s, rules) and answer
	writeTimeout    = time.Minute
	idleTimeout     = 2 * time.Minute
	maxHeaderBytes  = 64 << 10         // an ID token of 16 KiB fits
	shutdownTimeout = 30 * time.Second // for requests that are under way
)

func serveCommand(s surroundings) *cobra.Command {
	var file, listen string
	var demo bool
	command := &cobra.Command{
		Use: "serve",
		Short: "Serve the delegation endpoint, container credentials, metadata and health " +
			"over HTTP",
		Long: "Serve the delegation endpoint of Auth0's clients, the container credentials " +
			"endpoint of AWS's SDKs, console sign-in, SAML metadata and\n" +
			"health over HTTP, as a YAML file says, with environment variables over it " +
			"(DELEGATION_STS_ENDPOINT is sts.endpoint).\n" +
			"It ends on SIGINT or SIGTERM, after the requests that are under way.",
		Example: "  delegation serve --demo\n  delegation serve --config delegation.yaml",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case demo && file != "":
				return usageError{errors.New("--demo needs no --config: choose one")}
			case demo:
				return runDemo(c.Context(), listen, s.stdout, s.stderr)
			case file == "":
				return usageError{errors.New("serve needs --config FILE (or DELEGATION_CONFIG), " +
					"or --demo to try it out")}
			}
			return runConfigured(c.Context(), file, listen, s.environment, s.stderr)
		},
	}
	s.configFlag(command, &file, "")
	command.Flags().StringVarP(&listen, "listen", "l", "", "`address` to listen on, instead of "+
		"the configured one; 127.0.0.1:8080")
	command.Flags().BoolVar(&demo, "demo", false, "serve with an OpenID provider and an AWS STS "+
		"in memory, on loopback")
	return command
}

func runConfigured(ctx context.Context, file, listen string, environment []string, stderr io.Writer) error {
	s, from, err := load(file, environment)
	if err != nil {
		return err
	}
	logger, err := newLogger(s.Log, stderr)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", from.at("log"), err)}
	}
	if listen != "" {
		s.Listen = listen
	}
	service, err := build(ctx, s, from, logger)
	if err != nil {
		return err
	}
	return service.run(ctx)
}

func newLogger(s logSettings, to io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if s.Level != "" {
		if err := level.UnmarshalText([]byte(s.Level)); err != nil {
			return nil, fmt.Errorf("level is %.40q, not debug, info, warn or error", s.Level)
		}
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.Format {
	case "", "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	}
	return nil, fmt.Errorf("format is %.40q, not json or text", s.Format)
}

// service is what a configuration describes: a handler and how it is served.
type service struct {
	listen, debugListen string
	certificate         *certificateFiles // nil: plain http
	shutdownDelay       time.Duration
	delegator           *delegation.Delegator
	console             *delegationhttp.Console // nil: off
	handler             *handler
	redis               *sharedRedis // nil: none
	logger              *slog.Logger
	started             func(address string)                 // nil, or called once it listens
	after               func(time.Duration) <-chan time.Time // nil: time.After
}

// handler routes, and knows whether the service is about to end.
type handler struct {
	http.Handler
	draining atomic.Bool
}

// newMux routes to the handlers.
func newMux(d *delegation.Delegator, c delegation.Config, h delegationhttp.Config) (*handler, error) {
	handlers, err := delegationhttp.New(h)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	served := &handler{Handler: mux}
	mux.Handle("/delegation", handlers.Delegation())
	mux.Handle("/credentials", handlers.ContainerCredentials())
	mux.Handle("/console", handlers.ConsoleSignIn())
	mux.Handle("/metadata", delegationhttp.Metadata(d))
	targets, _ := c.Targets.(delegation.Targets)
	// of a target with an identity of its own
	mux.HandleFunc("/metadata/{target}", func(w http.ResponseWriter, r *http.Request) {
		identity := targets[r.PathValue("target")].Identity
		if identity == nil {
			http.NotFound(w, r)
			return
		}
		delegationhttp.Metadata(*identity).ServeHTTP(w, r)
	})
	ready := delegationhttp.Ready(d, h.Logger)
	mux.Handle("/live", delegationhttp.Live())
	mux.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if served.draining.Load() {
			delegationhttp.Ready(nil, nil).ServeHTTP(w, r)
			return
		}
		ready.ServeHTTP(w, r)
	})
	return served, nil
}

// run serves until the context ends, and then lets the requests under way finish: readiness fails
// at once, the listener closes after the shutdown delay, so that load balancers have noticed.
func (s *service) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("cannot listen: %w (choose another address with --listen)", err)
	}
	if s.debugListen != "" {
		stop, err := s.serveDebug()
		if err != nil {
			_ = listener.Close()
			return err
		}
		defer stop()
	}
	if s.redis != nil {
		defer func() { _ = s.redis.Close() }()
		s.redis.report(ctx, s.logger)
	}
	server := newServer(s.handler, s.logger)
	s.logger.Info("serving", slog.String("address", listener.Addr().String()), slog.Bool("tls", s.certificate != nil))
	if s.started != nil {
		s.started(listener.Addr().String())
	}
	failed := make(chan error, 1)
	go func() {
		if s.certificate == nil {
			failed <- server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{GetCertificate: s.certificate.get, MinVersion: tls.VersionTLS12}
		failed <- server.ServeTLS(listener, "", "")
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.handler.draining.Store(true)
	s.logger.Info("shutting down", slog.Duration("delay", s.shutdownDelay))
	after := s.after
	if after == nil {
		after = time.After
	}
	select {
	case err := <-failed:
		return err
	case <-after(s.shutdownDelay):
	}
	limited, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(limited); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were cut off after %s: %w", shutdownTimeout, err)
	}
	s.logger.Info("ended")
	return nil
}

// newServer returns a server that waits for nobody without end.
func newServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveDebug serves profiles and counters, on an address that only the operator reaches.
func (s *service) serveDebug() (stop func(), err error) {
	listener, err := net.Listen("tcp", s.debugListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for debugging: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.Handle("/debug/vars", expvar.Handler())
	server := newServer(mux, s.logger)
	go func() { _ = server.Serve(listener) }()
	s.logger.Info("debugging", slog.String("address", listener.Addr().String()))
	return func() { _ = server.Close() }, nil
}
