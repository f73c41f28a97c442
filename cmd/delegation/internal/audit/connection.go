package audit

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// connection is a connection to a syslog server.
type connection struct {
	net.Conn // over TLS, if that is configured
	socket   *socket

	// gone is closed when the connection has failed, or the server has closed it.
	gone   chan struct{}
	ending sync.Once
}

// socket is the connection of the operating system. It counts the bytes that the system has taken.
// With TLS they are more than those of the messages.
type socket struct {
	net.Conn
	taken atomic.Int64
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	s.taken.Add(int64(n))
	return n, err
}

// dial makes a connection. overTLS is nil for one without TLS.
func dial(
	ctx context.Context, dialer *net.Dialer, network, address string, overTLS *tls.Config,
) (*connection, error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	raw, err := dialer.DialContext(limited, network, address)
	if err != nil {
		return nil, err
	}
	below := &socket{Conn: raw}
	c := &connection{Conn: below, socket: below, gone: make(chan struct{})}
	if overTLS != nil {
		secure := tls.Client(below, overTLS)
		if err := secure.HandshakeContext(limited); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = secure
	}
	if network == "tcp" {
		go c.watch()
	}
	return c, nil
}

// watch waits until the server closes the connection. Without it, the next record would be lost:
// the first write to a closed connection succeeds.
func (c *connection) watch() {
	_, _ = io.Copy(io.Discard, c)
	c.end()
}

// end closes the connection, so that every record that still waits for its receipt fails. It does
// not tell the server (close_notify of TLS), because it does not wait for a server that is stuck.
func (c *connection) end() {
	c.ending.Do(func() {
		close(c.gone)
		_ = c.socket.Close()
	})
}

func (c *connection) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// send hands a message to the operating system. It returns how many bytes of the connection the
// server has to acknowledge until it has the message. Only one caller may send at a time.
func (c *connection) send(ctx context.Context, message []byte) (end int64, err error) {
	deadline, _ := ctx.Deadline() // without one it is zero: no limit
	if err := c.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	if _, err := c.Write(message); err != nil {
		return 0, err
	}
	return c.socket.taken.Load(), nil
}
