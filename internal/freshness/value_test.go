package freshness_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// never leaves nothing to chance: a value is replaced as early as it can be.
func never() float64 { return 0 }

// well counts what is fetched from it: the values are 1, 2, 3 and so on.
type well struct {
	mu       sync.Mutex
	fetches  int
	life     time.Duration // of what it gives
	takes    time.Duration
	err      error
	parallel int
	most     int // that ran at once
}

func (w *well) fetch(context.Context) (int, time.Time, error) {
	w.mu.Lock()
	w.fetches++
	w.parallel++
	w.most = max(w.most, w.parallel)
	n, takes := w.fetches, w.takes
	w.mu.Unlock()
	time.Sleep(takes)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parallel--
	return n, time.Now().Add(w.life), w.err
}

func (w *well) set(change func(*well)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// get wants a value, and returns in how long it is worth asking again.
func get(t *testing.T, v *freshness.Value[int], want int) time.Duration {
	t.Helper()
	got, again, err := v.Get(t.Context())
	if got != want || err != nil {
		t.Fatalf("got %d, %v; want %d", got, err, want)
	}
	synctest.Wait() // for a refresh in the background
	return time.Until(again)
}

// wellBubble runs a test in a bubble of fake time.
func wellBubble(t *testing.T, test func(t *testing.T, w *well, v *freshness.Value[int])) {
	synctest.Test(t, func(t *testing.T) {
		w := &well{life: time.Hour}
		test(t, w, freshness.NewValue(time.Now, never, w.fetch))
	})
}

func TestReplacedAheadOfTime(t *testing.T) {
	for _, row := range []struct{ life, due time.Duration }{
		{time.Hour, 45 * time.Minute}, {12 * time.Hour, 11*time.Hour + 45*time.Minute},
		{15 * time.Minute, 11*time.Minute + 15*time.Second}, {20 * time.Second, 15 * time.Second},
	} {
		wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
			w.life = row.life
			if again := get(t, v, 1); again != row.due {
				t.Errorf("life %s: ask again in %s, want %s", row.life, again, row.due)
			}
			time.Sleep(row.due - time.Nanosecond)
			get(t, v, 1)
			if w.fetches != 1 {
				t.Fatalf("life %s: fetched before it was due", row.life)
			}
			time.Sleep(time.Nanosecond)
			get(t, v, 1) // served as things stand
			if again := get(t, v, 2); again != row.due || w.fetches != 2 {
				t.Errorf("life %s: ask again in %s, %d fetches", row.life, again, w.fetches)
			}
		})
	}
}

// TestUseTriggers: nobody asks, nothing is fetched and nothing runs.
func TestUseTriggers(t *testing.T) {
	wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
		get(t, v, 1)
		before := runtime.NumGoroutine()
		time.Sleep(59 * time.Minute)
		if w.fetches != 1 || runtime.NumGoroutine() != before {
			t.Errorf("%d fetches, %d goroutines more", w.fetches, runtime.NumGoroutine()-before)
		}
	})
}

func TestGoodUntilItsEnd(t *testing.T) {
	wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
		get(t, v, 1)
		w.set(func(w *well) { w.err = errDown })
		time.Sleep(45 * time.Minute)
		for left := 15 * time.Minute; left > 0; left -= time.Second {
			if again := get(t, v, 1); again != min(10*time.Second, left) {
				t.Fatalf("%s before the end: ask again in %s", left, again)
			}
			time.Sleep(time.Second)
		}
		if w.fetches != 1+15*6 {
			t.Errorf("%d fetches: one every ten seconds would be %d", w.fetches, 1+15*6)
		}
		if value, _, good := v.Peek(); good || value != 0 {
			t.Errorf("peeked at %d behind its end", value)
		}
		if value, _, err := v.Get(t.Context()); value != 0 || err != errDown {
			t.Errorf("got %d, %v behind its end", value, err)
		}
		w.set(func(w *well) { w.err = nil })
		get(t, v, w.fetches+1) // at once
	})
}

func TestOneFetchForAll(t *testing.T) {
	wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
		w.takes = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				ctx, want := ctx, error(nil)
				if i%2 == 0 {
					want = context.Canceled
				} else {
					ctx = t.Context()
				}
				if value, _, err := v.Get(ctx); err != want || (value == 1) != (want == nil) {
					t.Errorf("got %d, %v; want %v", value, err, want)
				}
			})
		}
		synctest.Wait()
		cancel() // half of them, and perhaps the one that began
		all.Wait()
		if w.fetches != 1 {
			t.Errorf("%d fetches", w.fetches)
		}
		time.Sleep(50 * time.Minute)
		for range 1000 {
			all.Go(func() { _, _, _ = v.Get(ctx) }) // the context has ended, the value is good
		}
		all.Wait()
		time.Sleep(2 * time.Second)
		if get(t, v, 2); w.fetches != 2 || w.most != 1 {
			t.Errorf("%d fetches, %d at once", w.fetches, w.most)
		}
	})
}

// TestLateCallersTryAgain: a fetch that began before the end, and hangs beyond it, has not tried
// what comes after.
func TestLateCallersTryAgain(t *testing.T) {
	wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
		get(t, v, 1)
		time.Sleep(time.Hour - time.Second)
		w.set(func(w *well) { w.err, w.takes = errDown, 10*time.Second })
		if _, _, err := v.Get(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if value, _, err := v.Get(t.Context()); value != 0 || err != errDown || w.fetches != 3 {
			t.Errorf("got %d, %v after %d fetches, want the error of the third", value, err,
				w.fetches)
		}
		_, _, _ = v.Get(t.Context())
		if w.fetches != 4 {
			t.Errorf("%d fetches: one that began without a value is not repeated", w.fetches)
		}
	})
}

// TestFetchOutlivesItsCaller: what the fetch sees of the caller are values.
func TestFetchOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		v := freshness.NewValue(time.Now, never, func(ctx context.Context) (int, time.Time, error) {
			time.Sleep(time.Second)
			if _, limited := ctx.Deadline(); limited || ctx.Err() != nil ||
				ctx.Value(key{}) != "kept" {
				t.Errorf("the fetch's context: %v", ctx)
			}
			return 1, time.Now().Add(time.Hour), nil
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "kept"),
			time.Millisecond)
		defer cancel()
		if _, _, err := v.Get(ctx); err != context.DeadlineExceeded {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		get(t, v, 1)
	})
}

// TestSameAgain: a fetch that finds the old value somewhere changes nothing, and the next comes
// after the pause.
func TestSameAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches, end := 0, time.Now().Add(time.Hour)
		v := freshness.NewValue(time.Now, never, func(context.Context) (int, time.Time, error) {
			fetches++
			return fetches, end, nil
		})
		get(t, v, 1)
		time.Sleep(45 * time.Minute)
		get(t, v, 1)
		if again := get(t, v, 2); again != 10*time.Second || fetches != 2 {
			t.Errorf("ask again in %s, %d fetches", again, fetches)
		}
		time.Sleep(10 * time.Second)
		get(t, v, 2)
		if get(t, v, 3); fetches != 3 {
			t.Errorf("%d fetches", fetches)
		}
	})
}

// TestExpiredWhenItCame: such a value is never served, and does not push out a good one.
func TestExpiredWhenItCame(t *testing.T) {
	wellBubble(t, func(t *testing.T, w *well, v *freshness.Value[int]) {
		w.life = -time.Second
		if value, again, err := v.Get(t.Context()); value != 0 || !again.IsZero() || err == nil {
			t.Errorf("got %d, %s, %v", value, again, err)
		}
		w.set(func(w *well) { w.life = time.Hour })
		get(t, v, 2)
		w.set(func(w *well) { w.life = 0 })
		time.Sleep(50 * time.Minute)
		get(t, v, 2)
		get(t, v, 2)
	})
}

// TestClockLeapsBehindTheFetch: the value is past before the one who waited for it looks.
func TestClockLeapsBehindTheFetch(t *testing.T) {
	start, calls := time.Now(), 0
	v := freshness.NewValue(func() time.Time { // Get, refresh, Peek
		if calls++; calls > 2 {
			return start.Add(2 * time.Hour)
		}
		return start
	}, never, func(context.Context) (int, time.Time, error) { return 1, start.Add(time.Hour), nil })
	if value, _, err := v.Get(t.Context()); value != 0 || err == nil {
		t.Errorf("got %d, %v", value, err)
	}
}

// TestClockSetBack: the pause does not last until the clock is again where it was.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, back := &well{life: time.Hour}, time.Duration(0)
		v := freshness.NewValue(func() time.Time { return time.Now().Add(-back) }, never, w.fetch)
		get(t, v, 1)
		w.set(func(w *well) { w.err = errDown })
		time.Sleep(50 * time.Minute)
		get(t, v, 1)
		back = 4 * time.Minute
		get(t, v, 1)
		if w.fetches != 3 {
			t.Errorf("%d fetches", w.fetches)
		}
	})
}

// TestFetchEndsItsGoroutine: nobody waits for ever.
func TestFetchEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := true
		v := freshness.NewValue(time.Now, never, func(context.Context) (int, time.Time, error) {
			if gone {
				runtime.Goexit()
			}
			return 1, time.Now().Add(time.Hour), nil
		})
		if value, _, err := v.Get(t.Context()); value != 0 || err == nil {
			t.Errorf("got %d, %v", value, err)
		}
		gone = false
		get(t, v, 1)
	})
}

// TestJitter: what is due ahead of the end is due up to a fifth of that time later, by chance.
func TestJitter(t *testing.T) {
	for _, row := range []struct {
		life   time.Duration
		random float64
		due    time.Duration // before the end
	}{
		{time.Hour, 0, 15 * time.Minute},
		{time.Hour, 0.5, 13*time.Minute + 30*time.Second},
		{time.Hour, 0.9999999999999999, 12 * time.Minute},
		{15 * time.Minute, 0, 225 * time.Second},
		{15 * time.Minute, 0.5, 202500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &well{life: row.life}
			v := freshness.NewValue(time.Now, func() float64 { return row.random }, w.fetch)
			again := get(t, v, 1)
			if late := again - (row.life - row.due); late.Abs() > time.Microsecond {
				t.Errorf("%v, %v: due in %s, %s late", row.life, row.random, again, late)
			}
			time.Sleep(row.life - row.due - time.Microsecond)
			get(t, v, 1)
			if w.fetches != 1 {
				t.Errorf("%v, %v: it was replaced early", row.life, row.random)
			}
			time.Sleep(2 * time.Microsecond)
			get(t, v, 1)
			get(t, v, 2)
		})
	}
}
