package service

import (
	"net/http"
	"sync/atomic"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// Handler routes, and knows whether the service is about to end.
type Handler struct {
	http.Handler
	handlers *delegationhttp.Handlers
	shared   *shared
}

// shared is what all versions of a service share.
type shared struct {
	draining atomic.Bool
	last     outcome
}

// NewHandler routes to all endpoints: those of delegationhttp, metadata and health. c is the
// configuration that d was made of, and h that of its endpoints; an error is delegationhttp.New's.
func NewHandler(
	d *delegation.Delegator, c delegation.Config, h delegationhttp.Config,
) (*Handler, error) {
	handlers, err := delegationhttp.New(h)
	if err != nil {
		return nil, err
	}
	return route(d, c, h, handlers, new(shared)), nil
}

// Next is NewHandler for another version of the same service: the rate limit keeps what it has
// counted.
func (h *Handler) Next(
	d *delegation.Delegator, c delegation.Config, endpoints delegationhttp.Config,
) (*Handler, error) {
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
	mux.Handle("/metadata", delegationhttp.Metadata(d))
	targets, _ := c.Targets.(delegation.Targets)
	mux.Handle("/metadata/{target}", ownMetadata(targets))
	mux.Handle("/live", delegationhttp.Live())
	ready := delegationhttp.Ready(checker{d, &shared.last}, h.Logger)
	mux.Handle("/ready", shared.unlessDraining(ready))
	return &Handler{Handler: mux, handlers: handlers, shared: shared}
}

// ownMetadata serves the metadata of a target with an identity of its own.
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
