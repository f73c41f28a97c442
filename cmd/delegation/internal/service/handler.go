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
	draining atomic.Bool
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
	mux := http.NewServeMux()
	served := &Handler{Handler: mux}
	mux.Handle("/delegation", handlers.Delegation())
	mux.Handle("/credentials", handlers.ContainerCredentials())
	mux.Handle("/console", handlers.ConsoleSignIn())
	mux.Handle("/metadata", delegationhttp.Metadata(d))
	targets, _ := c.Targets.(delegation.Targets)
	mux.Handle("/metadata/{target}", ownMetadata(targets))
	mux.Handle("/live", delegationhttp.Live())
	mux.Handle("/ready", served.unlessDraining(delegationhttp.Ready(d, h.Logger)))
	return served, nil
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

func (h *Handler) unlessDraining(ready http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			delegationhttp.Ready(nil, nil).ServeHTTP(w, r)
			return
		}
		ready.ServeHTTP(w, r)
	})
}
