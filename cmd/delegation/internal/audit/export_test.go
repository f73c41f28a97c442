package audit

import (
	"context"
	"net"
	"os"
	"time"
)

// SetAppend has a file written by a function.
func SetAppend(f *File, appendText func(*os.File, []byte) (int, error)) { f.append = appendText }

// Gone is closed when the connection that is used now has ended.
func Gone(s *Syslog) <-chan struct{} { return s.conn.gone }

// Conn is the system's connection that is used now.
func Conn(s *Syslog) net.Conn { return s.conn.socket.Conn }

// IsBusy tells whether a record is being written, so that others wait for their turn.
func IsBusy(s *Syslog) bool { return len(s.turn) > 0 }

// SetReceipt replaces what the kernel tells of a connection, and the pauses between two looks.
func SetReceipt(
	s *Syslog, unsent func(net.Conn) (int, error),
	pause func(context.Context, time.Duration) error,
) {
	s.unsent = unsent
	s.pause = pause
}
