package freshness_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

const life = time.Hour

var (
	errDown    = errors.New("down")    // may pass
	errRefused = errors.New("refused") // a definite refusal
	errOdd     = errors.New("odd")     // neither
)

// value is what is issued: numbered, in order.
type value struct {
	number int
	end    time.Time
}

// fixture is a cache in a synctest bubble, whose clock it has, and an issuer that counts.
type fixture struct {
	t      *testing.T
	config freshness.CacheConfig[value]
	cache  *freshness.Cache[value]
	shared []error // what the shared cache failed with

	mu         sync.Mutex
	err        error // what issuing fails with
	life       time.Duration
	issued     int
	unattended []string
	wait       chan struct{} // issuing waits for it, unless nil
}

func (f *fixture) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fixture) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.issued
}

func (f *fixture) issue(context.Context) (*value, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.issued++
	number := f.issued
	if wait := f.wait; wait != nil {
		f.mu.Unlock()
		<-wait
		f.mu.Lock()
	}
	if f.err != nil {
		return nil, f.err
	}
	return &value{number, time.Now().Add(f.life)}, nil
}

var errForeign = errors.New("of another")

func (f *fixture) request(name string) freshness.Request[value] {
	return freshness.Request[value]{
		Key: freshness.KeyOf([]string{name}), Owner: freshness.KeyOf([]string{"owner of " + name}),
		Life: life, Issue: f.issue,
		Usable: func(v *value) error {
			if v.number < 0 {
				return errForeign
			}
			return nil
		},
		Unattended: func(err error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.unattended = append(f.unattended, fmt.Sprint(err))
		},
	}
}

// want gets the value called x and checks number, outcome and error.
func (f *fixture) want(number int, outcome freshness.Outcome, err error) {
	f.t.Helper()
	f.wantOf(f.cache, f.request("x"), number, outcome, err)
}

func (f *fixture) wantOf(c *freshness.Cache[value], r freshness.Request[value], number int,
	outcome freshness.Outcome, want error) {
	f.t.Helper()
	v, got, err := c.Get(f.t.Context(), r)
	n := 0
	if v != nil {
		n = v.number
	}
	if n != number || got != outcome || !errors.Is(err, want) || (err == nil) != (v != nil) {
		f.t.Errorf("got %d, %s, %v, want %d, %s, %v", n, got, err, number, outcome, want)
	}
}

func (f *fixture) wantUnattended(want ...string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.unattended, want) {
		f.t.Errorf("unattended: %q, want %q", f.unattended, want)
	}
	f.unattended = nil
}

// bubble runs a test in a bubble of fake time. When it ends every goroutine must have ended, or
// synctest fails it.
func bubble(t *testing.T, test func(f *fixture)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, life: life}
		f.config = freshness.CacheConfig[value]{
			Size: 10_000, Window: 5 * time.Minute, Ahead: 15 * time.Minute, Now: time.Now,
			Random: func() float64 { return 0 }, Jittered: freshness.Jittered,
			End:     func(v *value) time.Time { return v.end },
			Passing: func(err error) bool { return err == errDown },
			Refusal: func(err error) bool { return err == errRefused },
			SharedFailed: func(err error) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.shared = append(f.shared, err)
			},
		}
		f.cache = freshness.NewCache(f.config)
		test(f)
	})
}

func TestLife(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		f.want(1, freshness.Hit, nil)
		time.Sleep(life - 15*time.Minute - 1)
		f.want(1, freshness.Hit, nil)
		synctest.Wait()
		f.wantUnattended()
		time.Sleep(time.Nanosecond)
		f.want(1, freshness.Hit, nil) // and a renewal behind its back
		synctest.Wait()
		f.wantUnattended("<nil>")
		f.want(2, freshness.Hit, nil)
		time.Sleep(life - 5*time.Minute)
		f.want(3, freshness.Miss, nil) // nobody asked in time: this caller waits
		f.wantUnattended()
		time.Sleep(life)
		f.want(4, freshness.Miss, nil)
	})
}

// TestRenewalIsOneAtATime: while one is under way nobody begins another or waits for it.
func TestRenewalIsOneAtATime(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		time.Sleep(life - 10*time.Minute)
		f.wait = make(chan struct{})
		for range 100 {
			f.want(1, freshness.Hit, nil)
		}
		synctest.Wait()
		if f.count() != 2 {
			t.Errorf("%d issued", f.count())
		}
		// In the window a caller waits for that same renewal.
		time.Sleep(5 * time.Minute)
		go close(f.wait)
		f.want(2, freshness.Joined, nil)
		synctest.Wait()
		f.wantUnattended("<nil>")
	})
}

func TestSingleFlight(t *testing.T) {
	for _, keys := range []int{1, 1_000} {
		bubble(t, func(f *fixture) {
			f.wait = make(chan struct{})
			var got [7]atomic.Int64
			var all sync.WaitGroup
			for i := range 10_000 {
				all.Go(func() {
					v, outcome, err := f.cache.Get(f.t.Context(), f.request(fmt.Sprint(i%keys)))
					if v == nil || err != nil {
						t.Errorf("got %v, %v", v, err)
					}
					got[slices.Index([]freshness.Outcome{freshness.Miss, freshness.Joined},
						outcome)].Add(1)
				})
			}
			synctest.Wait() // all of them wait
			close(f.wait)
			all.Wait()
			if f.count() != keys || got[0].Load() != int64(keys) ||
				got[1].Load() != int64(10_000-keys) {
				t.Errorf("%d issued, %d misses, %d joined", f.count(), got[0].Load(), got[1].Load())
			}
		})
	}
}

// TestCallerLeaves: at its own time, and without harm to the others or to the result.
func TestCallerLeaves(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.wait = make(chan struct{})
		ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if v, outcome, err := f.cache.Get(ctx, f.request("x")); v != nil ||
				outcome != freshness.Joined || err != context.DeadlineExceeded {
				t.Errorf("the first: %v, %s, %v", v, outcome, err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if v, outcome, err := f.cache.Get(ctx, f.request("x")); v != nil ||
				outcome != freshness.Joined || err != context.DeadlineExceeded {
				t.Errorf("the second: %v, %s, %v", v, outcome, err)
			}
		})
		all.Go(func() { f.want(1, freshness.Joined, nil) }) // who stays
		began := time.Now()
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		if time.Since(began) != time.Second || f.count() != 1 {
			t.Errorf("%s, %d issued", time.Since(began), f.count())
		}
		close(f.wait)
		all.Wait()
		synctest.Wait()
		f.wantUnattended("<nil>") // once: the one who began it has left
		f.want(1, freshness.Hit, nil)
	})
}

// TestLostIssue: whatever becomes of Issue, all who wait get an answer, and the next call tries
// again.
func TestLostIssue(t *testing.T) {
	for name, lose := range map[string]func(){"panic": func() { panic("secret") },
		"Goexit": runtime.Goexit, "nil panic": func() { panic(nil) }} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(f *fixture) {
				gate := make(chan struct{})
				r := f.request("x")
				r.Issue = func(context.Context) (*value, error) {
					<-gate
					lose()
					return nil, nil
				}
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						if v, _, err := f.cache.Get(f.t.Context(), r); v != nil || err == nil ||
							err.Error() != "it ended its goroutine instead of returning, or panicked" {
							t.Errorf("got %v, %v", v, err)
						}
					})
				}
				synctest.Wait()
				close(gate)
				all.Wait()
				f.want(1, freshness.Miss, nil)
			})
		})
	}
}

// TestUnattendedPanics: what it panics with goes nowhere.
func TestUnattendedPanics(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		time.Sleep(life - 10*time.Minute)
		r := f.request("x")
		r.Unattended = func(error) { panic("full") }
		f.wantOf(f.cache, r, 1, freshness.Hit, nil)
		synctest.Wait()
		f.want(2, freshness.Hit, nil)
	})
}

func TestErrors(t *testing.T) {
	bubble(t, func(f *fixture) {
		for _, err := range []error{errDown, errOdd} { // never remembered
			f.set(err)
			f.want(0, freshness.Miss, err)
			f.want(0, freshness.Miss, err)
		}
		f.set(errRefused)
		f.want(0, freshness.Miss, errRefused)
		f.set(nil)
		time.Sleep(time.Minute - 1)
		f.want(0, freshness.Denied, errRefused)
		if f.count() != 5 {
			t.Errorf("%d issued", f.count())
		}
		time.Sleep(time.Nanosecond)
		f.want(6, freshness.Miss, nil)
		f.wantUnattended()
	})
}

// TestOutage: what is good serves to its real end, nobody waits for an attempt after the first, and
// recovery takes one pause.
func TestOutage(t *testing.T) {
	for _, before := range []time.Duration{10 * time.Minute, 4 * time.Minute} {
		// within Ahead, within Window
		bubble(t, func(f *fixture) {
			f.want(1, freshness.Miss, nil)
			time.Sleep(life - before)
			f.set(errDown)
			for range int(before / time.Second) {
				v, outcome, err := f.cache.Get(f.t.Context(), f.request("x"))
				left := time.Until(v.end)
				if err != nil || left <= 0 ||
					(outcome == freshness.Stale) != (left <= 5*time.Minute) {
					t.Fatalf("with %s left: %s, %v", left, outcome, err)
				}
				synctest.Wait()
				time.Sleep(time.Second)
			}
			attempts := f.count() - 1
			if want := int(before / (10 * time.Second)); attempts < want-1 || attempts > want+1 {
				t.Errorf("%d attempts in %s", attempts, before)
			}
			if len(f.unattended) != attempts || f.unattended[0] != "down" {
				t.Errorf("of %d attempts unattended: %q", attempts, f.unattended)
			}
			f.want(0, freshness.Miss, errDown) // over
		})
		bubble(t, func(f *fixture) {
			f.want(1, freshness.Miss, nil)
			time.Sleep(life - before)
			f.set(errDown)
			f.cache.Get(f.t.Context(), f.request("x"))
			synctest.Wait()
			f.set(nil)
			for range 11 {
				f.cache.Get(f.t.Context(), f.request("x"))
				synctest.Wait()
				time.Sleep(time.Second)
			}
			f.want(3, freshness.Hit, nil)
		})
	}
}

// TestOutage_TooSlow: what has ended while the attempt lasted serves nobody.
func TestOutage_TooSlow(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		time.Sleep(life - time.Minute)
		f.set(errDown)
		f.wait = make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() { f.want(0, freshness.Miss, errDown) })
		time.Sleep(time.Minute)
		close(f.wait)
		all.Wait()
	})
}

// TestRefusedRenewal: a definite refusal ends what is remembered, on either side of the window.
func TestRefusedRenewal(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		time.Sleep(life - 10*time.Minute)
		f.set(errRefused)
		f.want(1, freshness.Hit, nil)
		synctest.Wait()
		f.wantUnattended("refused")
		f.want(0, freshness.Denied, errRefused)
		f.set(nil)
		time.Sleep(time.Minute)
		f.want(3, freshness.Miss, nil)
		time.Sleep(life - time.Minute)
		f.set(errRefused)
		f.want(0, freshness.Miss, errRefused)
		f.want(0, freshness.Denied, errRefused)
		f.wantUnattended()
	})
}

// TestOddRenewal: an error that neither passes nor refuses is shown to whoever waits, and leaves
// what is remembered until then.
func TestOddRenewal(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(1, freshness.Miss, nil)
		time.Sleep(life - 10*time.Minute)
		f.set(errOdd)
		for range 10 {
			f.want(1, freshness.Hit, nil)
			synctest.Wait()
		}
		f.wantUnattended("odd")
		time.Sleep(5 * time.Minute)
		f.want(0, freshness.Miss, errOdd)
		f.want(0, freshness.Miss, errOdd)
	})
}

// TestBounded: the least recently used goes.
func TestBounded(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.config.Size = 3
		c := freshness.NewCache(f.config)
		for i, name := range []string{"a", "b", "c"} {
			f.wantOf(c, f.request(name), i+1, freshness.Miss, nil)
		}
		f.wantOf(c, f.request("a"), 1, freshness.Hit, nil)
		f.wantOf(c, f.request("d"), 4, freshness.Miss, nil)
		f.wantOf(c, f.request("a"), 1, freshness.Hit, nil)
		f.wantOf(c, f.request("b"), 5, freshness.Miss, nil)
	})
	defer func() {
		if recover() == nil {
			t.Error("a cache of no size")
		}
	}()
	freshness.NewCache(freshness.CacheConfig[value]{})
}

// TestWindows: shrunk by chance and to shares of the life, so that a short session is not renewed
// at every use.
func TestWindows(t *testing.T) {
	for _, row := range []struct {
		life         time.Duration
		random       float64
		renew, stale time.Duration // before the end
	}{
		{time.Hour, 0, 15 * time.Minute, 5 * time.Minute},
		{time.Hour, 0.999999999999, 12 * time.Minute, 4 * time.Minute},
		{12 * time.Hour, 0, 15 * time.Minute, 5 * time.Minute},
		{15 * time.Minute, 0, 225 * time.Second, 112500 * time.Millisecond},
	} {
		bubble(t, func(f *fixture) {
			f.config.Random, f.life = func() float64 { return row.random }, row.life
			c, r := freshness.NewCache(f.config), f.request("x")
			r.Life = row.life
			f.wantOf(c, r, 1, freshness.Miss, nil)
			time.Sleep(row.life - row.renew - time.Microsecond)
			f.wantOf(c, r, 1, freshness.Hit, nil)
			synctest.Wait()
			if f.count() != 1 {
				t.Errorf("%s: renewed early", row.life)
			}
			f.set(errOdd)
			time.Sleep(2 * time.Microsecond)
			f.wantOf(c, r, 1, freshness.Hit, nil)
			synctest.Wait()
			if f.count() != 2 {
				t.Errorf("%s: not renewed", row.life)
			}
			time.Sleep(row.renew - row.stale - 2*time.Microsecond)
			f.wantOf(c, r, 1, freshness.Hit, nil)
			synctest.Wait()
			time.Sleep(2 * time.Microsecond)
			f.wantOf(c, r, 0, freshness.Miss, errOdd)
		})
	}
}

// TestLast: what ends when any other would end is not renewed in vain, and serves to its end.
func TestLast(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.life = 10 * time.Minute
		r := f.request("x")
		// a value ends with a whole second
		r.Last = time.Now().Add(f.life).Add(999 * time.Millisecond)
		f.wantOf(f.cache, r, 1, freshness.Miss, nil)
		time.Sleep(f.life - 1)
		f.wantOf(f.cache, r, 1, freshness.Hit, nil)
		synctest.Wait()
		time.Sleep(time.Nanosecond)
		f.wantOf(f.cache, r, 2, freshness.Miss, nil)
	})
}

func TestForget(t *testing.T) {
	bubble(t, func(f *fixture) {
		for i, name := range []string{"a", "b"} {
			f.wantOf(f.cache, f.request(name), i+1, freshness.Miss, nil)
		}
		owner := f.request("a").Owner
		if err := f.cache.Forget(f.t.Context(), &owner); err != nil {
			t.Error(err)
		}
		f.wantOf(f.cache, f.request("b"), 2, freshness.Hit, nil)
		f.wantOf(f.cache, f.request("a"), 3, freshness.Miss, nil)
		if err := f.cache.Forget(f.t.Context(), nil); err != nil {
			t.Error(err)
		}
		f.wantOf(f.cache, f.request("a"), 4, freshness.Miss, nil)
		f.wantOf(f.cache, f.request("b"), 5, freshness.Miss, nil)

		// Refusals too.
		f.set(errRefused)
		f.wantOf(f.cache, f.request("c"), 0, freshness.Miss, errRefused)
		f.set(nil)
		f.cache.Forget(f.t.Context(), nil)
		f.wantOf(f.cache, f.request("c"), 7, freshness.Miss, nil)
	})
}

// TestForgetDuringAFlight: who waits gets the old value, nobody else does, and it does not push out
// the new one.
func TestForgetDuringAFlight(t *testing.T) {
	bubble(t, func(f *fixture) {
		old := make(chan struct{})
		f.wait = old
		var all sync.WaitGroup
		all.Go(func() { f.want(1, freshness.Miss, nil) })
		synctest.Wait()
		owner := f.request("x").Owner
		f.cache.Forget(f.t.Context(), &owner)
		f.wait = nil
		f.want(2, freshness.Miss, nil)
		close(old)
		all.Wait()
		synctest.Wait()
		if v, outcome, _ := f.cache.Get(f.t.Context(), f.request("x")); outcome != freshness.Hit ||
			v.number != 2 || f.count() != 2 {
			t.Errorf("got %v, %s, %d issued", v, outcome, f.count())
		}
	})
}

// TestWithConfig: a cache of another configuration has what the first one remembers and has under
// way, and each sees what the other keeps and forgets.
func TestWithConfig(t *testing.T) {
	bubble(t, func(f *fixture) {
		first := f.cache
		f.wantOf(first, f.request("a"), 1, freshness.Miss, nil)
		other := f.config
		other.Window = 2 * f.config.Window
		second := first.WithConfig(other)
		f.wantOf(second, f.request("a"), 1, freshness.Hit, nil)
		f.wantOf(second, f.request("b"), 2, freshness.Miss, nil)
		f.wantOf(first, f.request("b"), 2, freshness.Hit, nil)

		f.wait = make(chan struct{})
		done := make(chan struct{})
		go func() {
			f.wantOf(first, f.request("c"), 3, freshness.Miss, nil)
			close(done)
		}()
		synctest.Wait()
		joined := make(chan struct{})
		go func() {
			f.wantOf(second, f.request("c"), 3, freshness.Joined, nil)
			close(joined)
		}()
		synctest.Wait()
		close(f.wait)
		<-done
		<-joined

		if err := first.Forget(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		f.wantOf(second, f.request("b"), 4, freshness.Miss, nil)
	})
}

// TestWithConfig_Size: the size of the configuration that keeps an entry counts.
func TestWithConfig_Size(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.config.Size = 7 // of which each use is noted: an eighth of it is none
		first := freshness.NewCache(f.config)
		for i := range 5 {
			f.wantOf(first, f.request(fmt.Sprint(i)), i+1, freshness.Miss, nil)
		}
		smaller := f.config
		smaller.Size = 2
		second := first.WithConfig(smaller)
		f.wantOf(second, f.request("0"), 1, freshness.Hit, nil)
		f.wantOf(second, f.request("new"), 6, freshness.Miss, nil)
		f.wantOf(second, f.request("0"), 1, freshness.Hit, nil)
		f.wantOf(second, f.request("4"), 7, freshness.Miss, nil)
	})
}
