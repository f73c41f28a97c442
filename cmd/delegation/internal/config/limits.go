package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// LimitSettings are what is refused before a token is read. Those of requests are
// delegationhttp.Config's, and those of connections service.Limits.
type LimitSettings struct {
	RequestsPerAddress    int    `yaml:"requests_per_address"`
	Per                   string `yaml:"per"`
	MaxAddresses          int    `yaml:"max_addresses"`
	Body                  int    `yaml:"body"`
	Headers               int    `yaml:"headers"`
	HeaderTimeout         string `yaml:"header_timeout"`
	ReadTimeout           string `yaml:"read_timeout"`
	IdleTimeout           string `yaml:"idle_timeout"`
	Connections           int    `yaml:"connections"`
	ConnectionsPerAddress int    `yaml:"connections_per_address"`
}

// Bounds of the size of bodies and headers, in bytes. A smaller size would refuse every token. Both
// are kept in memory while they are read, for each connection.
const (
	leastSize = 1 << 10
	mostSize  = 1 << 20
)

// longestWait is how long a client may be slow. Enough slow clients would occupy all connections.
const longestWait = 5 * time.Minute

// limits returns the limits of the server.
func (b *Builder) limits(s LimitSettings) service.Limits {
	b.size("limits.headers", s.Headers)
	if s.Connections < -1 {
		b.Wrong("limits.connections",
			errors.New("must be a number of connections, or -1 for no limit"))
	}
	b.number("limits.connections_per_address", s.ConnectionsPerAddress)
	return service.Limits{
		Headers:               s.Headers,
		HeaderTimeout:         b.wait("limits.header_timeout", s.HeaderTimeout),
		ReadTimeout:           b.wait("limits.read_timeout", s.ReadTimeout),
		IdleTimeout:           b.wait("limits.idle_timeout", s.IdleTimeout),
		Connections:           s.Connections,
		ConnectionsPerAddress: s.ConnectionsPerAddress,
	}
}

// fixedLimits returns the limits that a server cannot change once it serves.
func fixedLimits(s LimitSettings) map[string]string {
	return map[string]string{
		"limits.headers":        strconv.Itoa(s.Headers),
		"limits.header_timeout": s.HeaderTimeout,
		"limits.read_timeout":   s.ReadTimeout,
		"limits.idle_timeout":   s.IdleTimeout,
	}
}

// limitRequests sets the limits of the endpoints.
func (b *Builder) limitRequests(s LimitSettings, h *delegationhttp.Config) {
	b.size("limits.body", s.Body)
	h.MaxBody = s.Body
	b.number("limits.requests_per_address", s.RequestsPerAddress)
	b.number("limits.max_addresses", s.MaxAddresses)
	per := b.Duration("limits.per", s.Per)
	if per > 24*time.Hour {
		b.Wrong("limits.per", errors.New("is longer than 24h: set a shorter period"))
	}
	if s.RequestsPerAddress == 0 && per != 0 {
		b.Wrong("limits.per",
			errors.New("has no effect without limits.requests_per_address: set that too"))
	}
	if s.RequestsPerAddress == 0 && s.MaxAddresses != 0 {
		b.Wrong("limits.max_addresses",
			errors.New("has no effect without limits.requests_per_address: set that too"))
	}
	h.AddressLimit = delegationhttp.AddressLimit{
		Requests:     s.RequestsPerAddress,
		Per:          per,
		MaxAddresses: s.MaxAddresses,
	}
}

// number refuses a value that cannot be a count.
func (b *Builder) number(at KeyPath, value int) {
	if value < 0 || value > math.MaxInt32 {
		b.Wrong(at, fmt.Errorf("%d is not between 0 and %d", value, math.MaxInt32))
	}
}

// size refuses a number of bytes that is too large or too small; 0 is the default.
func (b *Builder) size(at KeyPath, value int) {
	if value != 0 && (value < leastSize || value > mostSize) {
		b.Wrong(at, fmt.Errorf("%d is not between %d and %d bytes", value, leastSize, mostSize))
	}
}

// wait parses the time for which a client may be slow.
func (b *Builder) wait(at KeyPath, text string) time.Duration {
	d := b.Duration(at, text)
	if d > longestWait {
		b.Wrong(at, fmt.Errorf("is longer than %s: set a shorter time", longestWait))
	}
	return d
}
