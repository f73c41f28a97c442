package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/rediscache"
)

// Hooks connect a service to its measurement. Each may be nil. The hooks of the first version are
// used for all later ones.
type Hooks struct {
	// Metrics answers /metrics on the metrics listener.
	Metrics http.Handler

	// OnEvent returns what Config.OnEvent is for a version with these targets.
	OnEvent func(delegation.Targets) (func(context.Context, delegation.Event), error)

	// OnSTSCall is Config.OnSTSCall.
	OnSTSCall func(context.Context, delegation.STSCall)

	// OnRevocation is Config.OnRevocation.
	OnRevocation func(context.Context, delegation.RevocationEvent)

	// OnRedis is rediscache.Config.OnOperation.
	OnRedis func(context.Context, rediscache.Operation)

	// OnAuditFailure is called for each record that a sink, such as file, did not accept.
	OnAuditFailure func(ctx context.Context, sink string)

	// Requests wraps the handler of all requests. fromProxy tells whether all requests come from
	// the operator's proxies.
	Requests func(next http.Handler, fromProxy func() bool) http.Handler

	// Observe is called once, before anything is served.
	Observe func(State) error
}

// State is the present state of a service, which is that of its newest version.
type State struct{ r *running }

// IssuerKeys is [delegation.Delegator.IssuerKeys].
func (s State) IssuerKeys() []delegation.IssuerKeys {
	return s.r.current().Delegator.IssuerKeys()
}

// Regions is [delegation.Delegator.Regions].
func (s State) Regions() []delegation.RegionState { return s.r.current().Delegator.Regions() }

// CertificateTLS is the kind of the HTTPS certificate, which is named after its file.
const CertificateTLS delegation.CertificateKind = "tls"

// Certificates is [delegation.Delegator.Certificates], with the certificate of HTTPS.
func (s State) Certificates() []delegation.CertificateState {
	current := s.r.current()
	list := current.Delegator.Certificates()
	if current.Certificate == nil {
		return list
	}
	return append(list, current.Certificate.state())
}

// serveMetrics serves metrics and health on a separate address. stop cuts off the answers under
// way, because nothing is lost with them.
func (r *running) serveMetrics() (stop func(), err error) {
	s := r.first
	if s.Hooks.Observe != nil {
		if err := s.Hooks.Observe(State{r}); err != nil {
			return nil, err
		}
	}
	if s.MetricsListen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", s.MetricsListen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for metrics: %w "+
			"(choose another address in metrics_listen)", err)
	}
	mux := http.NewServeMux()
	if s.Hooks.Metrics != nil {
		mux.Handle("/metrics", s.Hooks.Metrics)
	}
	mux.Handle("/live", delegationhttp.Live())
	mux.HandleFunc("/ready", r.serveReady)
	server := NewServer(mux, s.Logger)
	go func() { _ = server.Serve(listener) }()
	s.Logger.Info("serving metrics", slog.String("address", listener.Addr().String()))
	return func() { _ = server.Close() }, nil
}

// serveReady answers /ready as the service does. With ?verbose, Service.Verbose answers.
func (r *running) serveReady(w http.ResponseWriter, request *http.Request) {
	v := r.enter()
	defer v.requests.Done()
	if v.Verbose != nil && request.URL.Query().Has("verbose") {
		v.Verbose.ServeHTTP(w, request)
		return
	}
	v.Handler.ServeHTTP(w, request)
}

// measured returns the handler of all requests, wrapped in their measurement.
func (r *running) measured() http.Handler {
	around := r.first.Hooks.Requests
	if around == nil {
		return r
	}
	return around(r, func() bool { return r.current().BehindProxy })
}
