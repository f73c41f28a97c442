package audit

import (
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endAfter returns a net.Dialer.Control that has the kernel end a connection whose peer
// acknowledges nothing for that long (tcp(7), TCP_USER_TIMEOUT).
func endAfter(timeout time.Duration) func(network, address string, c syscall.RawConn) error {
	milliseconds := int(max(timeout.Milliseconds(), 1)) // 0 is the system's limit
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		failed := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, milliseconds)
		})
		if failed != nil {
			return failed
		}
		return err
	}
}

// unacknowledged returns how many bytes of a connection the peer's kernel has not acknowledged
// (tcp(7), SIOCOUTQ).
func unacknowledged(conn net.Conn) (left int, err error) {
	system, ok := conn.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("a %T has no descriptor", conn)
	}
	raw, err := system.SyscallConn()
	if err != nil {
		return 0, err
	}
	failed := raw.Control(func(fd uintptr) {
		left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
	})
	if failed != nil {
		return 0, failed
	}
	return left, err
}
