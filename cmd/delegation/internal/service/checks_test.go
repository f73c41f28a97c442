package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/oidctest"
)

// inLines writes a line for each result.
func inLines(
	w http.ResponseWriter, _ *http.Request, status int, results []delegation.CheckResult,
) {
	w.WriteHeader(status)
	for _, r := range results {
		fmt.Fprintf(w, "%s %t %s\n", r.Kind, r.Err == nil, r.Name)
	}
}

// never builds no other version.
func never(context.Context, *reloading) (*service.Service, error) {
	return nil, errors.New("broken")
}

// ask returns status and body of /ready?verbose.
func ask(ctx context.Context, h http.Handler) (int, string) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/ready?verbose", nil)
	h.ServeHTTP(w, r.WithContext(ctx))
	return w.Code, w.Body.String()
}

// TestDetails_ChecksSeldom: however many ask at once, one check is made for all, and within 15
// seconds there is no other.
func TestDetails_ChecksSeldom(t *testing.T) {
	r := start(t, io.Discard, never)
	var checks, now atomic.Int64
	r.first.Own = func() []delegation.CheckResult {
		checks.Add(1)
		return []delegation.CheckResult{{Name: "ours", Kind: "ours", Degrades: true}}
	}
	h := service.NewDetails(r.first, inLines, func() time.Time {
		return time.Unix(1_800_000_000, now.Load())
	})
	wantChecks := func(want int64) {
		t.Helper()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				status, body := ask(t.Context(), h)
				if status != 200 || !strings.Contains(body, "ours true ours\n") {
					t.Errorf("got %d %s", status, body)
				}
			})
		}
		all.Wait()
		if got := checks.Load(); got != want {
			t.Errorf("%d checks, want %d", got, want)
		}
	}
	wantChecks(1)
	now.Add(int64(15*time.Second - 1))
	wantChecks(1)
	now.Add(1)
	wantChecks(2)
	now.Add(-int64(time.Hour)) // a clock that is put back
	wantChecks(3)
}

// TestDetails_Status: it is that of /ready: what works in part is ready.
func TestDetails_Status(t *testing.T) {
	r := start(t, io.Discard, never)
	var now atomic.Int64
	h := service.NewDetails(r.first, inLines, func() time.Time {
		return time.Unix(1_800_000_000, now.Load())
	})
	status, body := ask(t.Context(), h)
	if status != 200 || !strings.Contains(body, "\nsts true sts eu-central-1\n") ||
		!strings.HasPrefix(body, "issuer true ") {
		t.Errorf("got %d %s", status, body)
	}
	r.first.Own = func() []delegation.CheckResult {
		return []delegation.CheckResult{{
			Name: "ours", Err: errors.New("broken"), Degrades: true,
		}}
	}
	now.Add(int64(time.Minute))
	if status, body := ask(t.Context(), h); status != 200 ||
		!strings.Contains(body, " false ours\n") {
		t.Errorf("got %d %s", status, body)
	}

	r.world.Issuer.SetFaults(oidctest.Faults{Status: http.StatusInternalServerError})
	down := r.version(nil, nil) // which knows no keys
	status, body = ask(t.Context(), service.NewDetails(down, inLines, time.Now))
	if status != 503 || !strings.HasPrefix(body, "issuer false ") {
		t.Errorf("the only issuer is down: %d %s", status, body)
	}
}

// TestDetails_Leaves: somebody who goes away while another checks is not waited for.
func TestDetails_Leaves(t *testing.T) {
	r := start(t, io.Discard, never)
	began := make(chan struct{})
	goOn := make(chan struct{})
	r.first.Own = func() []delegation.CheckResult {
		close(began)
		<-goOn
		return nil
	}
	h := service.NewDetails(r.first, inLines, time.Now)
	done := make(chan int)
	go func() {
		status, _ := ask(context.Background(), h)
		done <- status
	}()
	<-began
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, body := ask(left, h); body != "" {
		t.Errorf("somebody who left was answered %s", body)
	}
	close(goOn)
	if status := <-done; status != 200 {
		t.Errorf("got %d", status)
	}
}

// TestDetails_Reload: the state of the last reload is there at once, whatever is remembered.
func TestDetails_Reload(t *testing.T) {
	broken := true
	r := start(t, io.Discard, func(_ context.Context, r *reloading) (*service.Service, error) {
		if broken {
			return nil, errors.New("broken")
		}
		return r.version(nil, nil), nil
	})
	h := service.NewDetails(r.first, inLines, time.Now)
	says := func(want string) {
		t.Helper()
		_, body := ask(t.Context(), h)
		got := ""
		if _, after, found := strings.Cut(body, "\nreload "); found {
			got = strings.TrimSpace(after)
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	says("")
	r.wanted <- syscall.SIGHUP
	_ = r.wait()
	says("false reload")
	broken = false
	r.wanted <- syscall.SIGHUP
	_ = r.wait()
	says("true reload")
}

// TestReportChecks: the log has what checks find once, after the start and after a reload what is
// new. What New has logged is not in it.
func TestReportChecks(t *testing.T) {
	found := make(chan delegation.CheckResult)
	var log log
	var first *service.Service
	own := func() []delegation.CheckResult {
		return []delegation.CheckResult{<-found}
	}
	warns := func(text string, configured bool) delegation.CheckResult {
		return delegation.CheckResult{Name: "ours", Warnings: []delegation.CheckWarning{{
			Code: "ours", Text: text, Remedy: "mend it", Configured: configured,
		}}}
	}
	r := startWith(t, &log, func(s *service.Service) {
		s.ReportChecks = true
		s.Own = own
		first = s
	}, func(_ context.Context, r *reloading) (*service.Service, error) {
		next := r.version(nil, nil)
		next.Own = own
		return next, nil
	})
	// next has a report find something. When it has begun, the one before has ended.
	next := func(what delegation.CheckResult) {
		t.Helper()
		select {
		case found <- what:
		case <-time.After(patience):
			t.Fatal("nothing reports")
		}
	}
	reload := func() {
		t.Helper()
		r.wanted <- syscall.SIGHUP
		if err := r.wait(); err != nil {
			t.Error(err)
		}
	}
	wantLines := func(text string, want int) {
		t.Helper()
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is in %d lines, want %d: %s", text, got, want, &log)
		}
	}
	const old = `"msg":"check","check":"ours","code":"ours","warning":"it is old: mend it"`
	next(warns("it is old", false))
	reload()
	next(warns("it is old", false))
	wantLines(old, 1)
	reload()
	next(warns("New said so", true))
	wantLines(old, 1)
	reload()
	next(delegation.CheckResult{Name: "ours", Err: errors.New("it is gone")})
	wantLines("New said so", 0)
	reload()
	next(warns("it is old", false))
	wantLines(`"msg":"check failed","check":"ours","error":"it is gone"`, 1)
	reload()
	next(warns("it is old", false))
	wantLines(old, 2)
	if first.Own == nil {
		t.Error("the first version is another")
	}
}
