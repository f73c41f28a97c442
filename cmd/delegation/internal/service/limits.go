package service

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation/delegationhttp"
)

// Limits are what the server allows before a handler is called. A zero field means its default.
type Limits struct {
	// Headers is the size of a request's first line and headers, in bytes. The server reads up to
	// 4 KiB more. The default, 64 KiB, has room for an ID token of 16 KiB.
	Headers int

	// HeaderTimeout is how long a client may take to send the headers, by default 5 seconds.
	HeaderTimeout time.Duration

	// ReadTimeout is how long it may take for headers and body, by default 15 seconds.
	ReadTimeout time.Duration

	// IdleTimeout is how long a connection waits for its next request, by default 2 minutes.
	IdleTimeout time.Duration

	// Connections is how many may be open, by default 10,000, which take some 200 MB. A negative
	// number is no limit.
	Connections int

	// ConnectionsPerAddress is how many may be open from one address, for IPv6 from one /64
	// network. The address is that of the connection, so with a proxy it is the proxy's. Zero is no
	// limit.
	ConnectionsPerAddress int
}

const defaultConnections = 10_000

func (l Limits) withDefaults() Limits {
	l.Headers = cmp.Or(l.Headers, defaultHeaders)
	l.HeaderTimeout = cmp.Or(l.HeaderTimeout, defaultHeaderTimeout)
	l.ReadTimeout = cmp.Or(l.ReadTimeout, defaultReadTimeout)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, defaultIdleTimeout)
	l.Connections = cmp.Or(l.Connections, defaultConnections)
	return l
}

// limit applies the limits to a server, including the counting that its listener needs. A server
// cannot change them once it serves.
func (l Limits) limit(server *http.Server) {
	l = l.withDefaults()
	server.MaxHeaderBytes = l.Headers
	server.ReadHeaderTimeout = l.HeaderTimeout
	server.ReadTimeout = l.ReadTimeout
	server.IdleTimeout = l.IdleTimeout
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, connectionOf(c))
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle {
			connectionOf(c).waits()
		}
	}
}

// connections is a listener that closes connections above the limits at once. If they had to wait,
// clients would hold resources without learning why.
type connections struct {
	net.Listener
	limits  func() Limits // of the newest version
	headers int           // of the first version, as set on the server
	refused func(delegationhttp.Limit)
	logger  *slog.Logger

	mu   sync.Mutex
	open int
	full bool // from a refusal until a tenth of the connections is free again
	from map[netip.Prefix]*fromOne
}

// fromOne counts the connections of one address.
type fromOne struct {
	open   int
	logged bool // a refusal was logged; reset when all are closed
}

func newConnections(
	l net.Listener, limits func() Limits, refused func(delegationhttp.Limit), logger *slog.Logger,
) *connections {
	return &connections{
		Listener: l,
		limits:   limits,
		headers:  limits().withDefaults().Headers,
		refused:  refused,
		logger:   logger,
		from:     map[netip.Prefix]*fromOne{},
	}
}

// Accept returns the next connection that is within the limits.
func (l *connections) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		network := networkOf(c.RemoteAddr())
		if l.admit(network) {
			return &connection{Conn: c, of: l, network: network}, nil
		}
		_ = c.Close()
		l.refused(delegationhttp.LimitConnections)
	}
}

// admit counts a connection, unless it is above a limit.
func (l *connections) admit(network netip.Prefix) bool {
	limits := l.limits().withDefaults()
	l.mu.Lock()
	defer l.mu.Unlock()
	if limits.Connections > 0 && l.open >= limits.Connections {
		if !l.full {
			l.logger.Warn("connections refused",
				slog.String("limit", "limits.connections"), slog.Int("open", l.open))
		}
		l.full = true
		return false
	}
	one := l.from[network]
	if one == nil {
		one = &fromOne{}
		l.from[network] = one
	}
	if most := limits.ConnectionsPerAddress; most > 0 && one.open >= most {
		if !one.logged {
			l.logger.Warn("connections refused",
				slog.String("limit", "limits.connections_per_address"),
				slog.String("from", network.String()), slog.Int("open", one.open))
		}
		one.logged = true
		return false
	}
	l.open++
	one.open++
	return true
}

// release frees the slot of a connection.
func (l *connections) release(network netip.Prefix) {
	most := l.limits().withDefaults().Connections
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.open <= most-most/10 {
		l.full = false
	}
	one := l.from[network]
	one.open--
	if one.open == 0 {
		delete(l.from, network)
	}
}

// networkOf returns the address, or for IPv6 the /64 network, which usually belongs to one customer
// (RFC 6177). All peers without an IP address count as one.
func networkOf(a net.Addr) netip.Prefix {
	parsed, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{}
	}
	address := parsed.Addr().Unmap().WithZone("")
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // cannot fail: both lengths are possible
	return network
}

// connection counts the bytes that it reads, and records whether the handler was called. The server
// itself refuses headers that are too large, with 431, and has no hook for it.
type connection struct {
	net.Conn
	of      *connections
	network netip.Prefix

	read      atomic.Int64 // since the last answer
	answering atomic.Bool  // from the call of the handler to the end of the answer
	closed    atomic.Bool
}

type connectionKey struct{}

// connectionOf returns the connection that Accept returned, which may be wrapped in TLS; nil: it
// comes from another listener.
func connectionOf(c net.Conn) *connection {
	if within, ok := c.(*tls.Conn); ok {
		c = within.NetConn()
	}
	own, _ := c.(*connection)
	return own
}

// answers records that the headers of a request were read.
func answers(r *http.Request) {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok && c != nil {
		c.answering.Store(true)
	}
}

// waits records that a request was answered, and that none is under way.
func (c *connection) waits() {
	if c == nil {
		return
	}
	c.countTooLarge()
	c.answering.Store(false)
	c.read.Store(0)
}

// countTooLarge counts headers that the server has refused: it read as many bytes as it allows, and
// did not call the handler. With HTTP/2, which compresses headers, it misses some.
func (c *connection) countTooLarge() {
	if !c.answering.Load() && c.read.Load() >= int64(c.of.headers) {
		c.of.refused(delegationhttp.LimitSize)
	}
}

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

// Close counts the connection as closed, once.
func (c *connection) Close() error {
	if !c.closed.Swap(true) {
		c.countTooLarge()
		c.of.release(c.network)
	}
	return c.Conn.Close()
}

// CloseWrite lets the server send its reason before it closes: without it, a client may see a reset
// instead of 431.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
