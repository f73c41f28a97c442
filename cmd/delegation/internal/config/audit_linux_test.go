package config_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

// TestAudit_Acknowledged: with refuse, a record that the syslog server's kernel does not
// acknowledge is lost. With continue nobody waits for it.
func TestAudit_Acknowledged(t *testing.T) {
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			err := syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			if err != nil {
				t.Error(err)
			}
		})
	}}
	server, err := small.Listen(t.Context(), "tcp", "127.0.0.1:0") // nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for onFailure, want := range map[string]error{
		"refuse":   context.DeadlineExceeded,
		"continue": nil,
	} {
		b := config.NewBuilder(&config.Source{}, slog.New(slog.DiscardHandler))
		c := config.Delegation(b, &config.Settings{Audit: config.AuditSettings{
			Syslog:    config.SyslogSettings{Address: "tcp://" + server.Addr().String()},
			OnFailure: onFailure,
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		got := c.Audit(ctx, delegation.Event{Subject: strings.Repeat("a", 64<<10)})
		cancel()
		if !errors.Is(got, want) {
			t.Errorf("%s: got %v", onFailure, got)
		}
	}
}
