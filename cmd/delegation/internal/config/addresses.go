package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// listener is an address that the configuration has the service listen on.
type listener struct {
	at      KeyPath
	address string // empty: there is no such listener
}

// listeners are all of a configuration, in the order in which the service opens them.
func (s *Settings) listeners() []listener {
	return []listener{
		{"listen", cmp.Or(s.Listen, service.DefaultListen)},
		{"debug_listen", s.DebugListen},
		{"metrics_listen", s.MetricsListen},
		{"admin.listen", s.Admin.Listen},
	}
}

// checkListeners refuses what the service could not listen on. A host name passes, because only
// this machine's resolver can tell its address, and so does an address of another machine.
func (b *Builder) checkListeners(s *Settings) {
	used := map[string]KeyPath{}
	for _, l := range s.listeners() {
		if l.address == "" {
			continue
		}
		place, err := parseListen(l.address)
		if l.at == "debug_listen" && !isLoopback(l.address) {
			err = errors.New("is not a loopback address: set one such as 127.0.0.1:6060")
		}
		other, taken := used[place]
		switch {
		case err != nil:
			b.Wrong(l.at, err)
		case taken:
			b.Wrong(l.at, fmt.Errorf("is the same address as %s: choose another port", other))
		case place != "":
			used[place] = l.at
		}
	}
}

// parseListen checks an address as net.Listen reads it, and returns it in a form that is equal for
// equal addresses. The form is empty for port 0, for which the system chooses a port each time.
func parseListen(address string) (place string, err error) {
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%.80q is not HOST:PORT: set an address such as 127.0.0.1:8080, or "+
			":8080 for all addresses of this machine", address)
	}
	port, err := net.LookupPort("tcp", name) // a number, or a name such as https
	if err != nil {
		return "", fmt.Errorf("%.80q has no valid port: set a number from 1 to 65535", address)
	}
	if isMistypedIPv4(host) {
		return "", fmt.Errorf("%.80q has an IP address with a number above 255: correct it",
			address)
	}
	if port == 0 {
		return "", nil
	}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip.IsUnspecified():
		host = "" // net.Listen takes 0.0.0.0 and [::] for all addresses, too
	case ip != nil:
		host = ip.String()
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.Itoa(port)), nil
}

// isMistypedIPv4 tells whether a host has the form of an IPv4 address but is none. The label of a
// top-level domain is never a number (RFC 3696 §2), so it cannot be a name.
func isMistypedIPv4(host string) bool {
	parts := strings.Split(host, ".")
	if len(parts) != 4 {
		return false
	}
	tooLarge := false
	for _, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return false
		}
		tooLarge = tooLarge || n > 255
	}
	return tooLarge
}
