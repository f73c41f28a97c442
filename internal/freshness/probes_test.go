package freshness_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// counting is a check that fails, and how often it ran.
func counting(calls *atomic.Int32) func(context.Context) error {
	return func(context.Context) error { calls.Add(1); return errDown }
}

func TestDo_OnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c freshness.Probes
		var calls atomic.Int32
		do := func(name string) {
			t.Helper()
			if err := c.Do(t.Context(), name, time.Now, time.Second,
				counting(&calls)); err != errDown {
				t.Errorf("got %v", err)
			}
		}
		for range 3 {
			do("a")
		}
		time.Sleep(time.Minute - time.Nanosecond)
		do("a")
		if calls.Load() != 1 {
			t.Errorf("%d calls within a minute", calls.Load())
		}
		do("b")
		time.Sleep(time.Nanosecond)
		do("a")
		if calls.Load() != 3 {
			t.Errorf("%d calls, want one of b and a second of a", calls.Load())
		}
		c.Forget()
		do("a")
		do("b")
		if calls.Load() != 5 {
			t.Errorf("%d calls, though all was forgotten", calls.Load())
		}
	})
}

func TestDo_ClockPutBack(t *testing.T) {
	var c freshness.Probes
	var calls atomic.Int32
	now := time.Now()
	clock := func() time.Time { return now }
	_ = c.Do(t.Context(), "a", clock, time.Second, counting(&calls))
	now = now.Add(-time.Hour)
	_ = c.Do(t.Context(), "a", clock, time.Second, counting(&calls))
	if calls.Load() != 2 {
		t.Errorf("%d calls: a result of the future counts for an hour", calls.Load())
	}
}

func TestDo_OneForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c freshness.Probes
		var calls atomic.Int32
		gate := make(chan struct{})
		check := func(context.Context) error { calls.Add(1); <-gate; return errDown }
		impatient, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := c.Do(t.Context(), "a", time.Now, time.Hour, check); err != errDown {
					t.Errorf("got %v", err)
				}
			})
		}
		all.Go(func() {
			if err := c.Do(impatient, "a", time.Now, time.Hour, check); err != context.Canceled {
				t.Errorf("one who left got %v", err)
			}
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		close(gate)
		all.Wait()
		if calls.Load() != 1 {
			t.Errorf("%d calls", calls.Load())
		}
		for range 50 { // select takes any case that is ready
			if err := c.Do(impatient, "a", time.Now, time.Hour, check); err != errDown {
				t.Fatalf("a result that is there waits for nobody, got %v", err)
			}
		}
	})
}

// TestDo_Limit: the check has its own end, and not that of the one who asked first.
func TestDo_Limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c freshness.Probes
		check := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := c.Do(gone, "a", time.Now, 10*time.Second, check); err != context.Canceled {
			t.Errorf("got %v", err)
		}
		began := time.Now()
		if err := c.Do(t.Context(), "a", time.Now, 10*time.Second,
			check); err != context.DeadlineExceeded || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
	})
}

func TestDo_CheckEndsItsGoroutine(t *testing.T) {
	var c freshness.Probes
	if err := c.Do(t.Context(), "a", time.Now, time.Second,
		func(context.Context) error { runtime.Goexit(); return nil }); err == nil {
		t.Error("that is no success")
	}
}

func TestProbeAll(t *testing.T) {
	gate := make(chan struct{})
	got := freshness.ProbeAll([]func() int{
		func() int { <-gate; return 1 }, // waits for the one behind it: they run at once
		func() int { close(gate); return 2 },
	})
	if len(got) != 2 || got[0] != 1 || got[1] != 2 {
		t.Errorf("got %v", got)
	}
	if got := freshness.ProbeAll[int](nil); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
