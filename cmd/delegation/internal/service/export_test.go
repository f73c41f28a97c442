package service

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/oidctest"
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

// LimitServer has a server keep limits.
func LimitServer(l Limits, server *http.Server) { l.limit(server) }

// LimitedListener is the listener of a service with limits.
func LimitedListener(
	l net.Listener, limits func() Limits, refused func(delegationhttp.Limit), logger *slog.Logger,
) net.Listener {
	return newConnections(l, limits, refused, logger)
}
