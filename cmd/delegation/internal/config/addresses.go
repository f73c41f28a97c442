package config

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"unicode"
)

// listener is an address that the configuration has the service listen on.
type listener struct {
	at      KeyPath
	address string // empty: there is no such listener, or it has its default
}

// listeners are all of a configuration, in the order in which the service opens them.
func (s *Settings) listeners() []listener {
	return []listener{
		{"listen", s.Listen},
		{"debug_listen", s.DebugListen},
		{"metrics_listen", s.MetricsListen},
		{"admin.listen", s.Admin.Listen},
	}
}

// checkListeners refuses what the service could not listen on. A host name passes, because only
// this machine's resolver can tell its address, and so does an address of another machine. The
// default of listen is not compared with the others: serve --listen can replace it.
func (b *Builder) checkListeners(s *Settings) {
	var used []listenPlace
	for _, l := range s.listeners() {
		if l.address == "" {
			continue
		}
		place, err := parseListen(l.address)
		if l.at == "debug_listen" && !isLoopback(l.address) {
			err = errors.New("is not a loopback address: set one such as 127.0.0.1:6060")
		}
		if err != nil {
			b.Wrong(l.at, err)
			continue
		}
		place.at = l.at
		for _, other := range used {
			if err := place.conflict(other); err != nil {
				b.Wrong(l.at, err)
				break
			}
		}
		used = append(used, place)
	}
}

// listenPlace is what a listener takes of this machine.
type listenPlace struct {
	at   KeyPath
	host string // in a form that is equal for equal addresses; empty: all addresses
	port int    // 0: the system chooses a port each time
}

// conflict tells why two listeners cannot both be opened; nil: they can.
func (p listenPlace) conflict(other listenPlace) error {
	switch {
	case p.port == 0 || p.port != other.port:
		return nil
	case p.host == other.host:
		return fmt.Errorf("is the same address as %s: choose another port", other.at)
	case p.host == "":
		return fmt.Errorf("is for all addresses of this machine, and %s has the same port: "+
			"choose another port", other.at)
	case other.host == "":
		return fmt.Errorf("has the same port as %s, which is for all addresses of this machine: "+
			"choose another port", other.at)
	}
	return nil
}

// parseListen checks an address as net.Listen reads it.
func parseListen(address string) (listenPlace, error) {
	if strings.ContainsFunc(address, unicode.IsSpace) {
		return listenPlace{}, fmt.Errorf("%.80q has a blank: remove it", address)
	}
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return listenPlace{}, fmt.Errorf("%.80q is not HOST:PORT: set an address such as "+
			"127.0.0.1:8080 or [::1]:8080, or :8080 for all addresses of this machine", address)
	}
	port, err := net.LookupPort("tcp", name) // a number, or a name such as https
	if err != nil {
		return listenPlace{}, fmt.Errorf("%.80q has the port %.40q: set a number from 1 to 65535",
			address, name)
	}
	ip := net.ParseIP(host)
	switch {
	case host == "" || ip.IsUnspecified():
		host = "" // net.Listen takes 0.0.0.0 and [::] for all addresses, too
	case ip != nil:
		host = ip.String()
	case isNumeric(host):
		return listenPlace{}, fmt.Errorf("%.80q has an incorrect IP address: write four numbers "+
			"from 0 to 255, without leading zeros", address)
	}
	return listenPlace{host: strings.ToLower(host), port: port}, nil
}

// isNumeric tells whether a host consists of numbers and dots. If it is no IP address, it is a
// mistyped one: the label of a top-level domain is never a number (RFC 3696 §2), so it cannot be a
// name.
func isNumeric(host string) bool {
	return strings.Trim(host, "0123456789.") == ""
}
