package audit_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

// message is one of RFC 5424 §6, with a fixed app name and message ID, and without structured data.
var message = regexp.MustCompile(
	`\A<(\d{1,3})>1 2026-11-23T08:00:00\.000000Z ([!-~]{1,255}) delegation (\d+) exchange - (.*)\z`)

// checkMessage checks a message of alice's event.
func checkMessage(t *testing.T, got string, priority int) {
	t.Helper()
	parts := message.FindStringSubmatch(got)
	if parts == nil {
		t.Fatalf("not a message of RFC 5424: %q", got)
	}
	if parts[1] != strconv.Itoa(priority) || parts[3] != strconv.Itoa(os.Getpid()) ||
		parts[4]+"\n" != lineFor("alice") {
		t.Errorf("got %q, want the priority %d", got, priority)
	}
}

func newSyslog(t *testing.T, address string, trusted *tls.Config) *audit.Syslog {
	t.Helper()
	s, err := audit.NewSyslog(address, audit.SyslogOptions{Trusted: trusted})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestSyslog_Datagrams: over UDP and a Unix socket a message is a datagram.
func TestSyslog_Datagrams(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	for address, listen := range map[string]func() (net.PacketConn, error){
		"unix://" + socket: func() (net.PacketConn, error) {
			return net.ListenPacket("unixgram", socket)
		},
		"udp://": func() (net.PacketConn, error) { return net.ListenPacket("udp", "127.0.0.1:0") },
	} {
		server := must(listen())
		defer server.Close()
		if address == "udp://" {
			address += server.LocalAddr().String()
		}
		s := newSyslog(t, address, nil)
		if s.IsLossy() != strings.HasPrefix(address, "udp") || s.Name() != "syslog" {
			t.Errorf("%s is lossy: %v", address, s.IsLossy())
		}
		for range 2 {
			if err := audit.Record(s, same)(t.Context(), exchange("alice")); err != nil {
				t.Fatal(err)
			}
			text := make([]byte, 1<<16)
			n, _, err := server.ReadFrom(text)
			if err != nil {
				t.Fatal(err)
			}
			checkMessage(t, string(text[:n]), 10*8+6)
		}
	}
}

// framed reads a message with its length in front.
func framed(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	length, err := from.ReadString(' ')
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, must(strconv.Atoi(strings.TrimSpace(length))))
	if _, err := io.ReadFull(from, text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// bothSides are the settings of TLS of a server and of its clients.
func bothSides() (server, client *tls.Config) {
	example := httptest.NewUnstartedServer(nil)
	example.StartTLS()
	defer example.Close()
	roots := x509.NewCertPool()
	roots.AddCert(example.Certificate())
	server = &tls.Config{
		Certificates: example.TLS.Certificates,
		MinVersion:   tls.VersionTLS12,
	}
	return server, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// TestSyslog_Streams: over TCP and TLS the length is in front. A connection that the server has
// closed is replaced, and no record is lost by that.
func TestSyslog_Streams(t *testing.T) {
	serverSide, client := bothSides()
	for _, scheme := range []string{"tcp", "tls"} {
		t.Run(scheme, func(t *testing.T) {
			server := must(net.Listen("tcp", "127.0.0.1:0"))
			defer server.Close()
			address := scheme + "://" + server.Addr().String()
			if scheme == "tls" {
				server = tls.NewListener(server, serverSide)
			}
			s := newSyslog(t, address, client)
			messages := make(chan net.Conn)
			go func() {
				for {
					conn, err := server.Accept()
					if err != nil {
						return
					}
					messages <- conn
				}
			}()
			record := audit.Record(s, same)
			for range 2 {
				written := make(chan error, 1)
				go func() { written <- record(context.Background(), exchange("alice")) }()
				conn := <-messages
				from := bufio.NewReader(conn)
				checkMessage(t, framed(t, from), 10*8+6)
				if err := <-written; err != nil {
					t.Fatal(err)
				}
				if err := record(t.Context(), exchange("alice")); err != nil {
					t.Fatal(err)
				}
				checkMessage(t, framed(t, from), 10*8+6)
				_ = conn.Close()
				<-audit.Gone(s)
			}
		})
	}
}

// TestSyslog_Receipt: a record waits until all bytes are acknowledged. Over a connection that was
// used before it waits for half of its time, and then goes over a new one.
func TestSyslog_Receipt(t *testing.T) {
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	defer server.Close()
	s := newSyslog(t, "tcp://"+server.Addr().String(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	end, _ := ctx.Deadline()
	record := audit.Record(s, same)

	left := []int{300, 200, 0}
	var pauses []time.Duration
	audit.SetReceipt(s, func(net.Conn) (int, error) {
		next := left[0]
		left = left[1:]
		return next, nil
	}, func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	})
	if err := record(ctx, exchange("alice")); err != nil || len(left) != 0 ||
		fmt.Sprint(pauses) != "[50µs 100µs]" {
		t.Errorf("%v, not looked at %v, pauses %v", err, left, pauses)
	}

	first := audit.Conn(s)
	var limits []time.Time
	overIsTime := func(ctx context.Context, _ time.Duration) error {
		limit, _ := ctx.Deadline()
		limits = append(limits, limit)
		return context.DeadlineExceeded
	}
	audit.SetReceipt(s, func(conn net.Conn) (int, error) {
		if conn == first {
			return 1, nil
		}
		return 0, nil
	}, overIsTime)
	if err := record(ctx, exchange("bob")); err != nil || audit.Conn(s) == first {
		t.Errorf("%v: the record did not go over a new connection", err)
	}
	if len(limits) != 1 || limits[0].After(end.Add(-29*time.Minute)) {
		t.Errorf("it waits until %v of %v", limits, end)
	}

	audit.SetReceipt(s, func(net.Conn) (int, error) { return 1, nil }, overIsTime)
	err := record(ctx, exchange("carol"))
	if !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "has not acknowledged the record") {
		t.Errorf("got %v", err)
	}

	unknown := errors.New("unknown")
	audit.SetReceipt(s, func(net.Conn) (int, error) { return 0, unknown }, overIsTime)
	if err := record(ctx, exchange("dave")); !errors.Is(err, unknown) {
		t.Errorf("got %v, although the system does not tell what is acknowledged", err)
	}
}

// TestSyslog_Reset: what a server acknowledged before it closed the connection may be lost, so it
// is sent once more.
func TestSyslog_Reset(t *testing.T) {
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	defer server.Close()
	s := newSyslog(t, "tcp://"+server.Addr().String(), nil)
	record := audit.Record(s, same)
	looks := 0
	audit.SetReceipt(s, func(net.Conn) (int, error) {
		if looks++; looks == 2 { // the second record, over the first connection
			_ = must(server.Accept()).Close()
			<-audit.Gone(s)
		}
		return 0, nil
	}, func(context.Context, time.Duration) error { return nil })
	for range 2 {
		if err := record(t.Context(), exchange("alice")); err != nil {
			t.Fatal(err)
		}
	}
	conn := must(server.Accept())
	defer conn.Close()
	checkMessage(t, framed(t, bufio.NewReader(conn)), 10*8+6)
}

// waiter is how a test leads a record that waits for its receipt.
type waiter struct {
	looked chan struct{} // receives a value after each look that found no receipt
	again  chan error    // has it look again, or fail
	result chan error
}

// await sends a record, and has it wait until the test says so. The pauses of the sink must be
// those of [led].
func await(t *testing.T, s *audit.Syslog, subject string) waiter {
	w := waiter{make(chan struct{}), make(chan error), make(chan error, 1)}
	ctx := context.WithValue(t.Context(), waiter{}, w)
	go func() { w.result <- audit.Record(s, same)(ctx, exchange(subject)) }()
	return w
}

// led is a pause that ends when the test says so, or with the test.
func led(ctx context.Context, _ time.Duration) error {
	w := ctx.Value(waiter{}).(waiter)
	select {
	case w.looked <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.again:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isOver tells whether a record has its result after the next look. Its error is in err.
func (w waiter) isOver() (over bool, err error) {
	select {
	case err := <-w.result:
		return true, err
	case <-w.looked:
		return false, nil
	}
}

// TestSyslog_Together: while a record waits for its receipt, others are written. Each waits until
// its own bytes are acknowledged, and for no more.
func TestSyslog_Together(t *testing.T) {
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	defer server.Close()
	s := newSyslog(t, "tcp://"+server.Addr().String(), nil)
	var left atomic.Int64
	audit.SetReceipt(s, func(net.Conn) (int, error) { return int(left.Load()), nil }, led)
	left.Store(1)
	alice := await(t, s, "alice")
	<-alice.looked
	if audit.IsBusy(s) {
		t.Fatal("others wait for the receipt of alice's record")
	}
	bob := await(t, s, "bob")
	<-bob.looked
	conn := must(server.Accept())
	defer conn.Close()
	from := bufio.NewReader(conn)
	checkMessage(t, framed(t, from), 10*8+6)
	ofBob := framed(t, from)

	left.Store(int64(len(ofBob) + len("123 "))) // all of bob's
	bob.again <- nil
	if over, err := bob.isOver(); over {
		t.Fatalf("bob's record is written without a receipt: %v", err)
	}
	alice.again <- nil
	if over, err := alice.isOver(); !over || err != nil {
		t.Errorf("alice's record waits for the receipt of bob's, or fails: %v", err)
	}
	left.Store(1)
	bob.again <- nil
	if over, err := bob.isOver(); over {
		t.Fatalf("bob's record is written, although a byte has no receipt: %v", err)
	}
	left.Store(0)
	bob.again <- nil
	if over, err := bob.isOver(); !over || err != nil {
		t.Errorf("bob's record is not written: %v", err)
	}
}

// TestSyslog_WrittenMeanwhile: what another record adds while a receipt is looked for does not
// count as acknowledged.
func TestSyslog_WrittenMeanwhile(t *testing.T) {
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	defer server.Close()
	s := newSyslog(t, "tcp://"+server.Addr().String(), nil)
	record := audit.Record(s, same)
	looks := 0
	pauses := 0
	audit.SetReceipt(s, func(net.Conn) (int, error) {
		looks++
		if looks > 1 {
			return 0, nil
		}
		if err := record(t.Context(), exchange("bob")); err != nil {
			t.Error(err)
		}
		return 1, nil // of alice's, as it was before
	}, func(context.Context, time.Duration) error {
		pauses++
		return nil
	})
	if err := record(t.Context(), exchange("alice")); err != nil || pauses != 1 {
		t.Errorf("%v, %d pauses: it was written without a receipt", err, pauses)
	}
}

// TestSyslog_Reconnected: a record whose connection ends while it waits is sent once more, over the
// connection that another record has made. If that one ends too, the record is not written,
// although the system reports nothing unacknowledged.
func TestSyslog_Reconnected(t *testing.T) {
	server := must(net.Listen("tcp", "127.0.0.1:0"))
	defer server.Close()
	s := newSyslog(t, "tcp://"+server.Addr().String(), nil)
	var left atomic.Int64
	audit.SetReceipt(s, func(net.Conn) (int, error) { return int(left.Load()), nil }, led)
	record := audit.Record(s, same)
	if err := record(t.Context(), exchange("alice")); err != nil {
		t.Fatal(err)
	}
	left.Store(1)
	alice := await(t, s, "alice")
	<-alice.looked
	first := audit.Gone(s)
	_ = must(server.Accept()).Close()
	<-first

	left.Store(0)
	if err := record(t.Context(), exchange("bob")); err != nil {
		t.Fatal(err)
	}
	left.Store(1)
	second := audit.Conn(s)
	alice.again <- nil
	if over, err := alice.isOver(); over {
		t.Fatalf("the record is written over a connection that has ended: %v", err)
	}
	if audit.Conn(s) != second {
		t.Error("it was sent over a third connection")
	}
	conn := must(server.Accept())
	from := bufio.NewReader(conn)
	framed(t, from) // bob's
	checkMessage(t, framed(t, from), 10*8+6)

	left.Store(0)
	gone := audit.Gone(s)
	_ = conn.Close()
	<-gone
	alice.again <- nil
	over, err := alice.isOver()
	if !over || err == nil || !strings.Contains(err.Error(), "was closed before the record") {
		t.Errorf("got %v, %v", over, err)
	}
}

// TestSyslog_Many: each of many records at a time that counts as written is with the server.
func TestSyslog_Many(t *testing.T) {
	serverSide, client := bothSides()
	for _, scheme := range []string{"tcp", "tls"} {
		server := must(net.Listen("tcp", "127.0.0.1:0"))
		defer server.Close()
		s := must(audit.NewSyslog(scheme+"://"+server.Addr().String(), audit.SyslogOptions{
			Trusted:      client,
			Acknowledged: true,
		}))
		if scheme == "tls" {
			server = tls.NewListener(server, serverSide)
		}
		const records = 50
		record := audit.Record(s, same)
		var all sync.WaitGroup
		for i := range records {
			all.Go(func() {
				if err := record(t.Context(), exchange(fmt.Sprintf("user%02d", i))); err != nil {
					t.Error(err)
				}
			})
		}
		conn := must(server.Accept())
		defer conn.Close() // not before: a record without its receipt would be sent again
		from := bufio.NewReader(conn)
		seen := map[string]bool{}
		for range records {
			seen[framed(t, from)] = true
		}
		all.Wait()
		if len(seen) != records {
			t.Errorf("%s: %d of %d records", scheme, len(seen), records)
		}
		_ = s.Close()
	}
}

// TestSyslog_Priority: facility and outcome.
func TestSyslog_Priority(t *testing.T) {
	server := must(net.ListenPacket("udp", "127.0.0.1:0"))
	defer server.Close()
	for _, row := range []struct {
		facility string
		outcome  delegation.Outcome
		want     string
	}{
		{"", delegation.OutcomeAllowed, "<86>1 "},
		{"authpriv", delegation.OutcomeDenied, "<84>1 "},
		{"local7", delegation.OutcomeFailed, "<187>1 "},
		{"user", "", "<11>1 "},
	} {
		s := must(audit.NewSyslog("udp://"+server.LocalAddr().String(),
			audit.SyslogOptions{Facility: row.facility}))
		e := exchange("alice")
		e.Outcome = row.outcome
		if err := audit.Record(s, same)(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1<<16)
		n, _, err := server.ReadFrom(text)
		if err != nil || !strings.HasPrefix(string(text[:n]), row.want) {
			t.Errorf("%v, got %.20s, want %s", err, text[:n], row.want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSyslog_NotThere: a server that is down, one that is not trusted, a caller without time, and
// an end are errors.
func TestSyslog_NotThere(t *testing.T) {
	const address = "tcp://127.0.0.1:1"
	untrusted := httptest.NewUnstartedServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	ended := newSyslog(t, address, nil)
	_ = ended.Close()
	for name, s := range map[string]*audit.Syslog{
		"nobody listens": newSyslog(t, address, nil),
		"no socket":      newSyslog(t, "unix://"+filepath.Join(t.TempDir(), "log"), nil),
		"not trusted":    newSyslog(t, "tls://"+untrusted.Listener.Addr().String(), nil),
		"ended":          ended,
	} {
		if err := s.Open(); err != nil {
			t.Errorf("%s: a server that may come later is %v", name, err)
		}
		if err := audit.Record(s, same)(t.Context(), exchange("alice")); err == nil {
			t.Errorf("%s: the record is said to be sent", name)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	s := newSyslog(t, "tcp://"+untrusted.Listener.Addr().String(), nil)
	err := audit.Record(s, same)(ctx, exchange("alice"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestNewSyslog_Refuses what names no server, and no facility.
func TestNewSyslog_Refuses(t *testing.T) {
	for _, address := range []string{
		"", "/dev/log", "unix:/dev/log2?x", "unix://dev/log", "localhost:514", "udp://",
		"udp://host", "udp://:514",
		"tcp://host:601/path", "tls://user@host:6514", "http://host:1", "tcp://h:1#x",
		"tcp://host:port",
	} {
		if _, err := audit.NewSyslog(address, audit.SyslogOptions{}); err == nil ||
			!strings.Contains(err.Error(), "udp://HOST:PORT") {
			t.Errorf("%q: %v", address, err)
		}
	}
	_, err := audit.NewSyslog("unix:///dev/log", audit.SyslogOptions{Facility: "kern"})
	if err == nil || !strings.Contains(err.Error(), `facility is "kern"`) {
		t.Errorf("got %v", err)
	}
}
