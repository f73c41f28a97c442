package audit_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
)

// serveNothing accepts connections to a socket with a small buffer, and hands them over before
// anything is read. Its kernel stops to acknowledge when the buffer is full.
func serveNothing(t *testing.T) (address string, connections <-chan net.Conn) {
	t.Helper()
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
				t.Error(err)
			}
		})
	}}
	server := must(small.Listen(t.Context(), "tcp", "127.0.0.1:0"))
	t.Cleanup(func() { _ = server.Close() })
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			accepted <- conn
		}
	}()
	return server.Addr().String(), accepted
}

// TestSyslog_Unacknowledged: a record that stays in this machine's buffers counts as written only
// if nobody asked for more. What the server's kernel has counts in both cases.
func TestSyslog_Unacknowledged(t *testing.T) {
	server, client := bothSides()
	for _, scheme := range []string{"tcp", "tls"} {
		for _, acknowledged := range []bool{true, false} {
			address, connections := serveNothing(t)
			s := must(audit.NewSyslog(scheme+"://"+address, audit.SyslogOptions{
				Trusted:      client,
				Acknowledged: acknowledged,
			}))
			go func() {
				conn := <-connections
				if scheme == "tls" {
					_ = tls.Server(conn, server).Handshake()
				}
			}()
			record := audit.Record(s, same)
			if err := record(t.Context(), exchange("alice")); err != nil {
				t.Errorf("%s: a record in the server's buffer: %v", scheme, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			err := record(ctx, exchange(strings.Repeat("a", 64<<10)))
			cancel()
			if acknowledged != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s, acknowledged %v: got %v", scheme, acknowledged, err)
			}
			_ = s.Close()
		}
	}
}

// TestSyslog_UserTimeout: the kernel ends a connection whose server has vanished after the time for
// a record. It does so only if records wait for their acknowledgment: otherwise those in the buffer
// count as written, and would be lost without an error.
func TestSyslog_UserTimeout(t *testing.T) {
	for acknowledged, want := range map[bool]int{true: 7000, false: 0} {
		address, _ := serveNothing(t)
		s := must(audit.NewSyslog("tcp://"+address, audit.SyslogOptions{
			Timeout:      7 * time.Second,
			Acknowledged: acknowledged,
		}))
		t.Cleanup(func() { _ = s.Close() })
		if err := audit.Record(s, same)(t.Context(), exchange("alice")); err != nil {
			t.Fatal(err)
		}
		raw := must(audit.Conn(s).(syscall.Conn).SyscallConn())
		var got int
		var err error
		failed := raw.Control(func(fd uintptr) {
			got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		})
		if failed != nil || err != nil || got != want {
			t.Errorf("acknowledged %v: %v, %v, got %d ms", acknowledged, failed, err, got)
		}
	}
}
