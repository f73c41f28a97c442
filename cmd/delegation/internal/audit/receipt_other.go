//go:build !linux

package audit

import (
	"net"
	"syscall"
	"time"
)

// endAfter returns nothing: this system's own limit applies.
func endAfter(time.Duration) func(network, address string, c syscall.RawConn) error { return nil }

// unacknowledged returns 0, because this system does not tell.
func unacknowledged(net.Conn) (int, error) { return 0, nil }
