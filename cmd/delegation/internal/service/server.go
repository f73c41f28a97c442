package service

import (
	"context"
	"expvar"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"
)

// Timeouts of the server, one for each way in which a client or a peer can be slow.
const (
	defaultHeaderTimeout = 5 * time.Second

	// defaultReadTimeout is for a request with its body, 64 KiB by default.
	defaultReadTimeout = 15 * time.Second

	// writeTimeout covers reading, the exchange (keys 10s, STS 10s, rules) and the answer.
	writeTimeout = time.Minute

	defaultIdleTimeout = 2 * time.Minute

	// defaultHeaders, in bytes, has room for an ID token of 16 KiB.
	defaultHeaders = 64 << 10

	// shutdownTimeout is how long requests under way, to all servers, may take at the end.
	shutdownTimeout = 30 * time.Second
)

// NewServer returns a server that waits for no client indefinitely. It logs its own errors as
// warnings.
func NewServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: defaultHeaderTimeout,
		ReadTimeout:       defaultReadTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       defaultIdleTimeout,
		MaxHeaderBytes:    defaultHeaders,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// finish closes the listeners of servers, and lets the requests under way finish. It does so for
// all servers at once, so that they share one time limit. A nil server is none.
func finish(servers ...*http.Server) error {
	limited, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		if server == nil {
			continue
		}
		all.Go(func() {
			errs[i] = server.Shutdown(limited)
			_ = server.Close() // cuts off what has not finished
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("requests were cut off after %s: %w", shutdownTimeout, err)
		}
	}
	return nil
}

// serveDebug serves profiles and counters, on an address that only the operator can reach.
// stop cuts off the answers under way, which can be requested again.
func (s *Service) serveDebug() (stop func(), err error) {
	listener, err := net.Listen("tcp", s.DebugListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for debugging: %w "+
			"(choose another address in debug_listen)", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.Handle("/debug/vars", expvar.Handler())
	server := NewServer(mux, s.Logger)
	go func() { _ = server.Serve(listener) }()
	s.Logger.Info("debugging", slog.String("address", listener.Addr().String()))
	return func() { _ = server.Close() }, nil
}

// serveLoopback serves a handler on a free port of loopback until stop is called.
func serveLoopback(h http.Handler, logger *slog.Logger) (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := NewServer(h, logger)
	go func() { _ = server.Serve(listener) }() // ends when the server is closed
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}
