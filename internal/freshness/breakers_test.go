package freshness_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time { return time.Unix(0, c.at.Load()) }

func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newBreakers(names int) (*freshness.Breakers, *clock) {
	c := &clock{}
	return freshness.NewBreakers(freshness.BreakersConfig{Failures: 2, Rest: time.Minute,
		Names: names, Now: c.Now}), c
}

func want(t *testing.T, s *freshness.Breakers, name string, allowed bool) {
	t.Helper()
	if got := s.Allow(name); got != allowed {
		t.Errorf("%s: allowed %v, want %v", name, got, allowed)
	}
}

func TestSet_RestsAfterFailuresInARow(t *testing.T) {
	s, _ := newBreakers(10)
	s.Failed("a")
	want(t, s, "a", true)
	s.Succeeded("a")
	s.Failed("a")
	want(t, s, "a", true)
	s.Failed("a")
	want(t, s, "a", false)
	want(t, s, "b", true)
}

func TestSet_OneProbeAfterEachRest(t *testing.T) {
	s, c := newBreakers(10)
	s.Failed("a")
	s.Failed("a")
	c.advance(time.Minute - 1)
	want(t, s, "a", false)
	c.advance(1)
	want(t, s, "a", true)
	want(t, s, "a", false) // the probe is under way, or its caller has gone
	c.advance(time.Minute)
	want(t, s, "a", true)
	c.advance(time.Second)
	s.Failed("a") // one failure is enough now
	c.advance(time.Minute - 1)
	want(t, s, "a", false)
	c.advance(1)
	want(t, s, "a", true)
	s.Succeeded("a")
	want(t, s, "a", true)
	s.Failed("a") // and it is whole again
	want(t, s, "a", true)
}

// TestSet_ClockSetBack: a rest is never longer than it is long.
func TestSet_ClockSetBack(t *testing.T) {
	s, c := newBreakers(10)
	s.Failed("a")
	s.Failed("a")
	c.advance(-time.Second)
	want(t, s, "a", true)
	want(t, s, "a", false)
}

// TestSet_IsBounded: of too many names that which was asked for longest ago is forgotten, and may
// then be asked.
func TestSet_IsBounded(t *testing.T) {
	s, _ := newBreakers(3)
	for i := range 3 {
		s.Failed(fmt.Sprint(i))
		s.Failed(fmt.Sprint(i))
	}
	want(t, s, "0", false)
	s.Failed("3")
	want(t, s, "1", true)
	want(t, s, "0", false)
	want(t, s, "2", false)
	defer func() {
		if recover() == nil {
			t.Error("New takes a Set for no names")
		}
	}()
	newBreakers(0)
}

func TestSet_OneProbeOfMany(t *testing.T) {
	s, c := newBreakers(10)
	s.Failed("a")
	s.Failed("a")
	for range 100 {
		c.advance(time.Minute)
		var probes atomic.Int32
		var wait sync.WaitGroup
		for range 64 {
			wait.Go(func() {
				if s.Allow("a") {
					probes.Add(1)
					s.Failed("a")
				}
			})
		}
		wait.Wait()
		if n := probes.Load(); n != 1 {
			t.Fatalf("%d probes", n)
		}
	}
}

// TestSet_Resting: looking at a name neither spends its probe nor keeps it from being forgotten.
func TestSet_Resting(t *testing.T) {
	s, c := newBreakers(2)
	resting := func(name string, want bool) {
		t.Helper()
		if got := s.Resting(name); got != want {
			t.Errorf("%s: resting %v, want %v", name, got, want)
		}
	}
	resting("a", false)
	s.Failed("a")
	resting("a", false)
	s.Failed("a")
	resting("a", true)
	c.advance(time.Minute)
	resting("a", true)
	want(t, s, "a", true) // the probe
	s.Failed("b")
	resting("a", true)
	s.Failed("c") // of a and b, a was asked for longest ago
	resting("a", false)
	s.Succeeded("c")
	resting("c", false)
}
