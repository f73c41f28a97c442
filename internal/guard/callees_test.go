package guard_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/seed055b7978/delegation/internal/guard"
)

func TestCallees_CallWithin(t *testing.T) {
	broken := errors.New("broken")
	var callees guard.Callees
	for name, row := range map[string]struct {
		call func() error
		want string
	}{
		"success": {func() error { return nil }, ""},
		"error":   {func() error { return broken }, "broken"},
		"panic":   {func() error { panic("a bug") }, `it panicked: "a bug"`},
		"ends its goroutine": {func() error { runtime.Goexit(); return nil },
			"it ended its goroutine instead of returning"},
	} {
		got := ""
		if err := callees.CallWithin(t.Context(), "signer", row.call); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := callees.CallWithin(ctx, "signer", func() error {
		t.Error("called for somebody who has left")
		return nil
	})
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// hung is a callee that does not return before it is released.
type hung struct {
	calls   atomic.Int32
	release chan struct{}
}

func newHung() *hung { return &hung{release: make(chan struct{})} }

func (h *hung) call() error {
	h.calls.Add(1)
	<-h.release
	return nil
}

// abandon makes n calls at the same time, whose callers leave when all that can run do.
func (h *hung) abandon(t *testing.T, c *guard.Callees, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range n {
		callers.Go(func() {
			if err := c.CallWithin(ctx, "signer", h.call); err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
	synctest.Wait()
	cancel()
	callers.Wait()
}

func nothing() error { return nil }

// TestCallees_Stuck: with MaxStuck calls left behind none is made, until one of them returns. Other
// names go on.
func TestCallees_Stuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var callees guard.Callees
		h := newHung()
		h.abandon(t, &callees, guard.MaxStuck-1)
		if err := callees.CallWithin(t.Context(), "signer", nothing); err != nil {
			t.Errorf("one less than the limit: %v", err)
		}
		h.abandon(t, &callees, 1)
		err := callees.CallWithin(t.Context(), "signer", h.call)
		if err != guard.ErrStuck || h.calls.Load() != guard.MaxStuck {
			t.Errorf("got %v after %d calls", err, h.calls.Load())
		}
		if err := callees.CallWithin(t.Context(), "another", nothing); err != nil {
			t.Errorf("another: %v", err)
		}
		h.release <- struct{}{}
		synctest.Wait()
		if err := callees.CallWithin(t.Context(), "signer", nothing); err != nil {
			t.Errorf("one has returned: %v", err)
		}
		h.abandon(t, &callees, 1)
		if err := callees.CallWithin(t.Context(), "signer", nothing); err != guard.ErrStuck {
			t.Errorf("as many as before: %v", err)
		}
		close(h.release)
		synctest.Wait()
		for range 2 * guard.MaxCalls { // no slot was lost
			if err := callees.CallWithin(t.Context(), "signer", nothing); err != nil {
				t.Fatalf("all have returned: %v", err)
			}
		}
	})
}

// TestCallees_Bounded: a thousand callers at the same moment leave MaxCalls goroutines behind.
func TestCallees_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var callees guard.Callees
		h := newHung()
		h.abandon(t, &callees, 1000)
		if got := h.calls.Load(); got != guard.MaxCalls {
			t.Errorf("%d calls are made, want %d", got, guard.MaxCalls)
		}
		close(h.release)
	})
}

// TestCallees_TakeTurns: those who wait are served when others end, and none is lost.
func TestCallees_TakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var callees guard.Callees
		h := newHung()
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				if err := callees.CallWithin(t.Context(), "signer", h.call); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := h.calls.Load(); got != guard.MaxCalls {
			t.Errorf("%d calls run at once, want %d", got, guard.MaxCalls)
		}
		close(h.release)
		callers.Wait()
		if got := h.calls.Load(); got != 1000 {
			t.Errorf("%d calls in the end", got)
		}
	})
}

// TestCallees_Forget: a name begins anew, and what still runs under it does no harm when it
// returns.
func TestCallees_Forget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var callees guard.Callees
		old := newHung()
		old.abandon(t, &callees, guard.MaxStuck)
		callees.Forget("signer")
		if err := callees.CallWithin(t.Context(), "signer", nothing); err != nil {
			t.Errorf("forgotten: %v", err)
		}
		fresh := newHung()
		fresh.abandon(t, &callees, guard.MaxStuck)
		close(old.release)
		synctest.Wait()
		if err := callees.CallWithin(t.Context(), "signer", nothing); err != guard.ErrStuck {
			t.Errorf("what was forgotten returned, and got %v", err)
		}
		close(fresh.release)
	})
}
