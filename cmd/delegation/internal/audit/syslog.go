package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// Severities of RFC 5424 §6.2.1, by the outcome of an exchange.
var severities = map[delegation.Outcome]int{
	delegation.OutcomeAllowed: 6, // informational
	delegation.OutcomeDenied:  4, // warning
	delegation.OutcomeFailed:  3, // error
}

// facilities are those of RFC 5424 §6.2.1 that an operator's programs may use.
var facilities = map[string]int{
	"user": 1, "daemon": 3, "auth": 4, "authpriv": 10,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// dialTimeout limits one connection attempt to a syslog server. It counts towards the time for the
// record.
const dialTimeout = 5 * time.Second

// The pauses between two looks at what the server has acknowledged. They double, because most
// servers acknowledge within a millisecond.
const (
	firstLook = 50 * time.Microsecond
	lastLook  = 10 * time.Millisecond
)

// Syslog sends records to a syslog server, as messages of RFC 5424. Over TCP and TLS a message has
// its length in front (RFC 6587 §3.4.1, RFC 5425); over UDP and Unix sockets it is a datagram (RFC
// 5426).
//
// Syslog does not acknowledge messages. A sent record has reached only the operating system, or
// over a Unix socket the server. With [SyslogOptions.Acknowledged] a record over TCP or TLS has
// reached the server's operating system.
type Syslog struct {
	network  string // unixgram, udp, tcp
	address  string
	tls      *tls.Config // nil: none
	facility int
	// timeout is how long sent data may stay unacknowledged. Zero: the system's limit.
	timeout time.Duration
	// unsent tells how many bytes of a connection the server has not acknowledged. nil: nobody
	// waits for that.
	unsent func(net.Conn) (int, error)
	pause  func(context.Context, time.Duration) error

	host string
	pid  string

	// turn is needed to write to conn, and to use the fields below.
	turn   turn
	conn   *connection // nil: none was made
	closed bool
}

// SyslogOptions say how records are sent. The zero value is usable.
type SyslogOptions struct {
	// Facility is a name of RFC 5424. Empty: authpriv.
	Facility string
	// Trusted has the roots to trust, for tls. nil: those of the system.
	Trusted *tls.Config
	// Timeout ends a TCP connection whose server acknowledges nothing for that long. Zero: the
	// system's limit, about 15 minutes on Linux. It has an effect on Linux only, and only with
	// Acknowledged. Otherwise what is in the connection's buffer already counts as written, and a
	// server that stalls for longer would still get it.
	Timeout time.Duration
	// Acknowledged has each record over TCP or TLS wait until the server's operating system has
	// acknowledged it. It has an effect on Linux only.
	Acknowledged bool
}

// NewSyslog returns a sink for the server at an address: unix:///dev/log, udp://HOST:PORT,
// tcp://HOST:PORT or tls://HOST:PORT. No connection is made yet.
func NewSyslog(address string, o SyslogOptions) (*Syslog, error) {
	s := &Syslog{
		pause: sleep,
		turn:  newTurn(),
		host:  hostname(),
		pid:   strconv.Itoa(os.Getpid()),
	}
	if o.Acknowledged {
		s.unsent = unacknowledged
		s.timeout = o.Timeout
	}
	number, known := facilities[cmp.Or(o.Facility, "authpriv")]
	if !known {
		return nil, fmt.Errorf("facility is %.40q: use user, daemon, auth, authpriv or "+
			"local0 to local7", o.Facility)
	}
	s.facility = number
	u, err := url.Parse(address)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errAddress(address)
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return nil, errAddress(address)
		}
		s.network = "unixgram"
		s.address = u.Path
		return s, nil
	case "udp", "tcp":
		s.network = u.Scheme
	case "tls":
		s.network = "tcp"
		s.tls = o.Trusted.Clone()
		if s.tls == nil {
			s.tls = &tls.Config{}
		}
		s.tls.ServerName = u.Hostname()
		s.tls.MinVersion = tls.VersionTLS12
	default:
		return nil, errAddress(address)
	}
	if u.Hostname() == "" || u.Port() == "" || u.Path != "" {
		return nil, errAddress(address)
	}
	s.address = u.Host
	return s, nil
}

func errAddress(address string) error {
	return fmt.Errorf("address is %.200q: use unix:///dev/log, udp://HOST:PORT, tcp://HOST:PORT "+
		"or tls://HOST:PORT", address)
}

// Name implements Sink.
func (s *Syslog) Name() string { return "syslog" }

// IsLossy tells whether any record can be lost without an error, as over UDP.
func (s *Syslog) IsLossy() bool { return s.network == "udp" }

// Open does nothing: a server that is down now may be up when the first record is written.
func (s *Syslog) Open() error { return nil }

// Close implements Sink. A record that still waits for its receipt fails.
func (s *Syslog) Close() error {
	_ = s.turn.take(context.Background())
	defer s.turn.giveBack()
	s.closed = true
	if s.conn != nil {
		_ = s.conn.Close() // with TLS, it tells the server
		s.conn.end()
	}
	return nil
}

// write sends a record. If it fails over a connection that was used before, it is sent once more,
// over another one.
//
// Only one record is written at a time, but all wait for their receipts together. So the round trip
// to the server does not limit how many records there are in a second.
func (s *Syslog) write(ctx context.Context, r record) error {
	message := s.message(r)
	if err := s.sendOverUsed(ctx, message); err == nil {
		return nil
	}
	if err := s.turn.take(ctx); err != nil {
		return err
	}
	conn, err := s.connect(ctx)
	if err != nil {
		s.turn.giveBack()
		return err
	}
	return s.send(ctx, conn, message)
}

// sendOverUsed sends over the connection that was used before, if there is one. If a record waits
// for a receipt, it takes half of the time that is left. So the record can be sent over another
// connection if no receipt comes.
func (s *Syslog) sendOverUsed(ctx context.Context, message []byte) error {
	if err := s.turn.take(ctx); err != nil {
		return err
	}
	conn := s.conn
	if s.closed || conn == nil || conn.isGone() {
		s.turn.giveBack()
		return errors.New("no connection can be used")
	}
	deadline, limited := ctx.Deadline()
	if !limited || s.unsent == nil {
		return s.send(ctx, conn, message)
	}
	half, cancel := context.WithTimeout(ctx, time.Until(deadline)/2)
	defer cancel()
	return s.send(half, conn, message)
}

// connect returns the connection that can be used now, or else makes one. In the meantime another
// record may have made one. The caller has the turn.
func (s *Syslog) connect(ctx context.Context) (*connection, error) {
	if s.closed {
		return nil, errors.New("the connection to syslog is closed")
	}
	if s.conn != nil && !s.conn.isGone() {
		return s.conn, nil
	}
	dialer := &net.Dialer{}
	if s.network == "tcp" && s.timeout > 0 {
		dialer.Control = endAfter(s.timeout)
	}
	made, err := dial(ctx, dialer, s.network, s.address, s.tls)
	if err != nil {
		return nil, err
	}
	if s.conn != nil {
		s.conn.end()
	}
	s.conn = made
	return made, nil
}

// send sends a message over a connection. It gives the caller's turn back before it waits for the
// receipt. If it fails, the connection is ended: what the server has of the message is unknown.
func (s *Syslog) send(ctx context.Context, conn *connection, message []byte) error {
	end, err := conn.send(ctx, message)
	s.turn.giveBack()
	if err == nil && s.unsent != nil && s.network == "tcp" {
		err = s.awaitReceipt(ctx, conn, end)
	}
	if err != nil {
		conn.end()
	}
	return err
}

// awaitReceipt waits until the server has acknowledged the first bytes of a connection, up to end.
// Without it, a record over a connection whose server has vanished would count as written for about
// 15 minutes (tcp(7), tcp_retries2).
func (s *Syslog) awaitReceipt(ctx context.Context, conn *connection, end int64) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		// First what was taken: of what another record adds between the two, nothing may count as
		// acknowledged.
		taken := conn.socket.taken.Load()
		left, err := s.unsent(conn.socket.Conn)
		switch {
		case conn.isGone(): // with a reset, what was acknowledged may be lost too
			return errors.New("the connection to the syslog server was closed before the record " +
				"was acknowledged")
		case err != nil:
			return err
		case taken-int64(left) >= end:
			return nil
		}
		if err := s.pause(ctx, pause); err != nil {
			return fmt.Errorf("the syslog server has not acknowledged the record; check the "+
				"network path to it: %w", err)
		}
	}
}

func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// message is a record as a message of RFC 5424 §6, with its length in front if the connection is a
// stream. The text has no byte order mark, because many servers would store it.
func (s *Syslog) message(r record) []byte {
	severity, known := severities[r.event.Outcome]
	if !known {
		severity = severities[delegation.OutcomeFailed]
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<%d>1 %s %s delegation %s exchange - ", s.facility*8+severity,
		r.event.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, s.pid)
	b.Write(r.line)
	if s.network != "tcp" {
		return b.Bytes()
	}
	return append([]byte(strconv.Itoa(b.Len())+" "), b.Bytes()...)
}

// hostname is the HOSTNAME of messages: printable ASCII, or "-" if it is unknown.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || !hostForm().MatchString(name) {
		return "-"
	}
	return name
}

var hostForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[!-~]{1,255}\z`)
})
