package service

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// Handler routes requests, and knows whether the service is shutting down.
type Handler struct {
	http.Handler
	mux      *http.ServeMux
	handlers *delegationhttp.Handlers
	shared   *shared
}

// shared is what all versions of a service share.
type shared struct {
	draining atomic.Bool
	last     outcome

	// onLimit is Service.OnLimit of the first version. Run sets it before anything is served.
	onLimit func(context.Context, delegationhttp.Limit)
}

// refused reports a request or a connection that a limit has refused.
func (s *shared) refused(ctx context.Context, limit delegationhttp.Limit) {
	if s.onLimit != nil {
		s.onLimit(ctx, limit)
	}
}

// NewHandler routes to all endpoints: those of delegationhttp, metadata and health. c is the
// configuration of d, and h that of the endpoints. NewHandler replaces h.OnLimit by the service's.
// An error comes from delegationhttp.New.
func NewHandler(
	d *delegation.Delegator, c delegation.Config, h delegationhttp.Config,
) (*Handler, error) {
	all := new(shared)
	h.OnLimit = all.refused
	handlers, err := delegationhttp.New(h)
	if err != nil {
		return nil, err
	}
	return route(d, c, h, handlers, all), nil
}

// Next is NewHandler for another version of the same service: the limits keep their counts.
func (h *Handler) Next(
	d *delegation.Delegator, c delegation.Config, endpoints delegationhttp.Config,
) (*Handler, error) {
	endpoints.OnLimit = h.shared.refused
	handlers, err := h.handlers.WithConfig(endpoints)
	if err != nil {
		return nil, err
	}
	return route(d, c, endpoints, handlers, h.shared), nil
}

func route(
	d *delegation.Delegator, c delegation.Config, h delegationhttp.Config,
	handlers *delegationhttp.Handlers, shared *shared,
) *Handler {
	mux := http.NewServeMux()
	mux.Handle("/delegation", handlers.Delegation())
	mux.Handle("/credentials", handlers.ContainerCredentials())
	mux.Handle("/console", handlers.ConsoleSignIn())
	mux.Handle("/roles", handlers.Roles())
	mux.Handle("/metadata", delegationhttp.Metadata(d))
	targets, _ := c.Targets.(delegation.Targets)
	mux.Handle("/metadata/{target}", ownMetadata(targets))
	mux.Handle("/live", delegationhttp.Live())
	ready := delegationhttp.Ready(checker{d, &shared.last}, h.Logger)
	mux.Handle("/ready", shared.unlessDraining(ready))
	return &Handler{Handler: mux, mux: mux, handlers: handlers, shared: shared}
}

// AcceptLogouts routes /backchannel-logout, too. It is called before anything is served.
func (h *Handler) AcceptLogouts() {
	h.mux.Handle("/backchannel-logout", h.handlers.BackchannelLogout())
}

// ServeSTS routes /sts/{target}, too. It also routes paths without a target, whose answer says how
// to name one. It is called before anything is served.
func (h *Handler) ServeSTS() {
	sts := h.handlers.STS()
	for _, pattern := range []string{"/sts", "/sts/{$}", "/sts/{target}", "/sts/{target}/{$}"} {
		h.mux.Handle(pattern, sts)
	}
}

// ExchangeTokens routes /token, too. It is called before anything is served.
func (h *Handler) ExchangeTokens() {
	h.mux.Handle("/token", h.handlers.Token())
}

// ownMetadata serves the metadata of a target that has its own identity.
func ownMetadata(targets delegation.Targets) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity := targets[r.PathValue("target")].Identity
		if identity == nil {
			http.NotFound(w, r)
			return
		}
		delegationhttp.Metadata(*identity).ServeHTTP(w, r)
	})
}

func (s *shared) unlessDraining(ready http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			delegationhttp.Ready(nil, nil).ServeHTTP(w, r)
			return
		}
		ready.ServeHTTP(w, r)
	})
}
