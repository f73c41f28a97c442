package service_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/audit"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestRun_FinishesOperators: a revocation that is under way when the service ends is recorded and
// answered.
func TestRun_FinishesOperators(t *testing.T) {
	const token = "a-token-of-operators-0123456789abcdef"
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	sink := audit.NewFile(path, false)
	record := audit.RecordRevocation(sink, func(_ []string, a slog.Attr) slog.Attr { return a })
	arrived, release := make(chan struct{}), make(chan struct{})
	recorded := make(chan error, 1)
	world := must(delegationtest.Open())
	t.Cleanup(world.Close)
	world.Config.Revocations = delegation.NewRevocations(nil, 0)
	world.Config.OnRevocation = func(ctx context.Context, e delegation.RevocationEvent) {
		close(arrived)
		<-release
		recorded <- record(context.WithoutCancel(ctx), e)
	}
	logs := &log{}
	r := startWith(t, logs, func(s *service.Service) {
		s.Delegator = must(world.Start(t.Context()))
		s.Audit = sink
		s.Admin = &service.Admin{
			Listen: "127.0.0.1:0",
			Token:  delegation.NewSecret(token),
			Now:    time.Now,
		}
	}, nil)
	address := addressOfOperators(t, logs)

	// An idle connection is closed when the listener of operators is.
	idle := must(net.Dial("tcp", address))
	t.Cleanup(func() { _ = idle.Close() })
	_ = must(io.WriteString(idle, "GET / HTTP/1.1\r\nHost: idle\r\n\r\n"))

	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	answered := make(chan string, 1)
	go func() {
		request := must(http.NewRequest(http.MethodPost, "http://"+address+"/revoke",
			strings.NewReader(`{"everybody": true}`)))
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := transport.RoundTrip(request)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer response.Body.Close()
		answered <- response.Status
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		r.stop()
		close(stopped)
	}()
	_, _ = io.Copy(io.Discard, idle)
	close(release)
	if err := <-recorded; err != nil {
		t.Errorf("not recorded: %v", err)
	}
	if status := <-answered; status != "200 OK" {
		t.Errorf("the operator got %s", status)
	}
	<-stopped
	if text := string(must(os.ReadFile(path))); !strings.Contains(text, `"msg":"sessions ended"`) {
		t.Errorf("the audit file has %q", text)
	}
}

// addressOfOperators reads from the log where a service listens for operators.
func addressOfOperators(t *testing.T, logs *log) string {
	t.Helper()
	for line := range strings.Lines(logs.String()) {
		var entry struct{ Msg, Address string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "serving operators" {
			return entry.Address
		}
	}
	t.Fatal("the log has no address for operators")
	return ""
}

// slowBody is the body of an operator's request. Reading it runs a function first.
type slowBody struct {
	io.Reader
	first func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.first()
	return b.Reader.Read(p)
}

// TestOperators_DuringReloads: a call that arrives before a reload is made with the newest version,
// and a further reload does not close what that version uses until the call has ended.
func TestOperators_DuringReloads(t *testing.T) {
	const token = "a-token-of-operators-0123456789abcdef"
	world := must(delegationtest.Open())
	t.Cleanup(world.Close)
	world.Config.Revocations = delegation.NewRevocations(nil, 0)
	var hook func()
	world.Config.OnRevocation = func(context.Context, delegation.RevocationEvent) { hook() }
	first, second := must(world.Start(t.Context())), must(world.Start(t.Context()))
	sink := audit.NewFile(filepath.Join(t.TempDir(), "audit.jsonl"), false)
	synctest.Test(t, func(t *testing.T) {
		arrived, release := make(chan struct{}), make(chan struct{})
		hook = func() {
			close(arrived)
			<-release
		}
		waits := make(chan time.Duration, 1)
		over := make(chan time.Time)
		close(over)
		version := func(d *delegation.Delegator, sink audit.Sink) *service.Service {
			return &service.Service{
				Delegator: d,
				Audit:     sink,
				Admin:     &service.Admin{Token: delegation.NewSecret(token), Now: time.Now},
				Logger:    slog.New(slog.DiscardHandler),
				After: func(d time.Duration) <-chan time.Time {
					waits <- d
					return over
				},
			}
		}
		handler, change := service.Operators(version(first, nil))
		request := httptest.NewRequest(http.MethodPost, "/revoke", &slowBody{
			strings.NewReader(`{"everybody": true}`),
			sync.OnceFunc(func() {
				if err := change(t.Context(), version(second, sink)); err != nil {
					t.Error(err)
				}
			}),
		})
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		go handler.ServeHTTP(answer, request)
		<-arrived
		if err := change(t.Context(), version(second, nil)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(waits) > 0 {
			t.Error("the audit file is about to be closed during the call")
		}
		close(release)
		synctest.Wait()
		if len(waits) != 1 || answer.Code != http.StatusOK {
			t.Errorf("%d versions are closed, answer %d %s", len(waits), answer.Code, answer.Body)
		}
	})
}
