package service

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
	"golang.org/x/time/rate"
)

// DemoURL is what tests see of the demonstration's addresses.
var DemoURL = demoURL

// DemoToken returns a token of a user of the demonstration.
func DemoToken(provider *oidctest.Provider, name string, now time.Time) (string, error) {
	user, _ := findDemoUser(name)
	return user.token(provider, now)
}

// SayStart says that a service listens on an address.
func SayStart(s *Service, address string) { s.sayStart(address) }

// Operators returns the handler for operators of a service that runs, and what makes another
// version of the service the newest.
func Operators(s *Service) (h http.Handler, change func(context.Context, *Service) error) {
	r := newRunning(s)
	return r.adminHandler(rate.NewLimiter(rate.Inf, 1)), r.change
}

// LimitServer has a server keep limits.
func LimitServer(l Limits, server *http.Server) { l.limit(server) }

// LimitedListener is the listener of a service with limits.
func LimitedListener(
	l net.Listener, limits func() Limits, refused func(delegationhttp.Limit), logger *slog.Logger,
) net.Listener {
	return newConnections(l, limits, refused, logger)
}
