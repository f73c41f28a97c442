//go:build soak

package soak

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

var (
	soakTime = flag.Duration("for", 5*time.Minute, "how long the soak goes on")
	seed     = flag.Uint64("seed", 1, "seed of the faults and of what users do")
	workers  = flag.Int("workers", 8, "users who ask at the same time")
)

const (
	// A phase ends after so many asks, so that a slow machine does no less in it. One in which
	// users cannot go on until the fault is over ends after this time.
	asksPerPhase = 150
	phaseTime    = time.Second

	// After a fault an exchange must succeed within so many attempts. Between them the clock moves
	// on by more than refusals, failed fetches of keys and silent regions are remembered for.
	attempts = 5
	cooldown = 61 * time.Second

	// go-redis tries a server that it has lost once a second, by a clock that we do not have.
	// What needs Redis is tried again after this pause, and more often.
	redisAttempts = 200
	redisPause    = 100 * time.Millisecond

	// How much more heap may be in use at the end, in bytes.
	heapBound = 4 << 20
)

// soak is one run.
type soak struct {
	t      *testing.T
	world  *world
	fault  *fault            // of this phase
	ledger map[string]*issue // by access key ID: all that may still be handed out
	asked  atomic.Int64

	mu         sync.Mutex
	successes  []*success // not judged yet
	judged     int
	explained  int
	refusals   int
	failures   map[delegation.Code]int
	faults     map[string]int
	unexpected int
	crossed    int
}

// TestSoak lets users ask four Delegators, two of which share a cache in Redis, while one fault
// after another comes and goes. Every success is compared with the model and with what the STS was
// asked; failures must be of codes that the fault explains; after each fault everybody must succeed
// again. At the end heap and goroutines must be back to where they began.
//
//	go test -tags soak -run Soak -v ./soak -for 5m
func TestSoak(t *testing.T) {
	s := &soak{
		t:        t,
		world:    newWorld(t),
		ledger:   map[string]*issue{},
		failures: map[delegation.Code]int{},
		faults:   map[string]int{},
	}
	order := rand.New(rand.NewPCG(*seed, 0))
	s.phase(&calm, 0)
	s.phase(&calm, 1)
	before := s.measure(0)

	began := time.Now()
	said := began
	for round := uint64(2); time.Since(began) < *soakTime || len(s.faults) < len(faults); {
		for _, i := range order.Perm(len(faults)) {
			s.phase(&faults[i], round)
			s.phase(&calm, round+1)
			round += 2
			if time.Since(said) >= 10*time.Second {
				said = time.Now()
				s.progress(time.Since(began))
			}
			if t.Failed() && s.crossed+s.unexpected > 100 {
				t.Fatal("enough")
			}
		}
	}
	s.report(before, s.measure(before.goroutines))
}

// phase lets users ask while a fault lasts, judges what they got, and sees to it that all is well
// again.
func (s *soak) phase(f *fault, number uint64) {
	s.fault = f
	if f != &calm {
		s.faults[f.name]++
	}
	stop := make(chan struct{})
	var injected, asking sync.WaitGroup
	injected.Go(func() { f.inject(s.world, rand.New(rand.NewPCG(*seed, number<<8)), stop) })
	last := s.asked.Load() + asksPerPhase
	var over atomic.Bool
	enough := make(chan struct{}, *workers)
	for worker := range *workers {
		random := rand.New(rand.NewPCG(*seed, number<<8+uint64(worker)+1))
		asking.Go(func() {
			for !over.Load() && s.asked.Add(1) <= last {
				s.one(random, f)
			}
			enough <- struct{}{}
		})
	}
	var limit <-chan time.Time
	if f.blocks {
		limit = time.After(phaseTime)
	}
	select {
	case <-enough:
	case <-limit:
	}
	over.Store(true)
	close(stop)
	injected.Wait()
	asking.Wait()
	s.judge()
	s.recover(rand.New(rand.NewPCG(*seed, number<<8+255)))
	s.judge()
}

// judge waits until the library rests, and compares the successes since the last time with what
// the STS was asked and answered.
func (s *soak) judge() {
	s.t.Helper()
	settle(s.t)
	calls := s.world.bank.renew().Calls()
	if len(calls) >= 10_000 {
		s.t.Fatalf("%d calls to STS in one phase: the fake does not keep so many", len(calls))
	}
	issues := s.world.bank.take()
	owners := s.world.takeOwners()
	for _, call := range calls {
		l := issues[call.AccessKeyID]
		if l == nil {
			continue // nothing was issued, or the answer was spoiled
		}
		l.call = call
		l.until = call.Time.Add(call.Duration).Truncate(time.Second)
		l.owner = owners[call.AccessKeyID]
		s.ledger[call.AccessKeyID] = l
	}
	for _, got := range s.successes {
		l := s.ledger[got.accessKey]
		if l == nil {
			s.cross("%v: the STS has not issued %s, or it has expired", got.ask, got.accessKey)
			continue
		}
		if found := got.differences(l); len(found) > 0 {
			s.cross("%v: %s", got.ask, strings.Join(found, "; "))
		}
	}
	s.judged += len(s.successes)
	clear(s.successes)
	s.successes = s.successes[:0]
	now := s.world.clock.Now()
	maps.DeleteFunc(s.ledger, func(_ string, l *issue) bool { return !now.Before(l.until) })
}

// recover checks, with nobody else around, that the fault is over: after the cooldown every
// Delegator serves every target again, and the two that share a cache share it.
func (s *soak) recover(random *rand.Rand) {
	s.t.Helper()
	s.world.clock.Advance(cooldown)
	for _, d := range s.world.delegators {
		if d.hasty { // it may fail on a busy machine
			continue
		}
		for _, t := range targets {
			u := user{choose(random, t.issuers), random.IntN(usersPerIssuer)}
			a := ask{u, t, choose(random, t.clients), d}
			s.again(a.String(), attempts, 0, func() bool {
				return s.exchange(context.Background(), a, s.fault.allowed)
			})
		}
	}
	s.sharing(user{east, random.IntN(usersPerIssuer)})
	s.swapping(user{east, random.IntN(usersPerIssuer)})
}

// again wants something to succeed within a few attempts, between which time passes.
func (s *soak) again(what string, attempts int, pause time.Duration, attempt func() bool) {
	s.t.Helper()
	for range attempts {
		if attempt() {
			return
		}
		s.world.clock.Advance(cooldown)
		time.Sleep(pause)
	}
	s.t.Errorf("after %q: %s: no success in %d attempts", s.fault.name, what, attempts)
}

// sharing invalidates a user everywhere, so that nothing from before may come back, and wants the
// second Delegator to find what the first one got.
func (s *soak) sharing(u user) {
	s.t.Helper()
	a := ask{u, targets[0], web, nil}
	s.again("sharing", redisAttempts, redisPause, func() bool {
		floor := s.world.bank.calls.Load() + 1
		for _, d := range s.world.delegators {
			if err := d.Invalidate(context.Background(), u.subject()); err != nil {
				return false
			}
		}
		for _, d := range s.world.delegators {
			s.world.setFloor(d, u.subject(), floor)
		}
		shared := s.world.outcome(delegation.CacheShared)
		for _, d := range s.world.delegators {
			a.delegator = d
			if d.shared && !s.exchange(context.Background(), a, s.fault.allowed) {
				return false
			}
		}
		return s.world.outcome(delegation.CacheShared) > shared
	})
}

// swapping has the first Delegator leave credentials of one user for two clients in Redis, which
// AWS tells apart by the session policy alone, and puts each in the place of the other. The second
// Delegator must not take one for the other.
func (s *soak) swapping(u user) {
	s.t.Helper()
	isFolder := func(t *target) bool { return t.name == "folder" }
	folder := targets[slices.IndexFunc(targets, isFolder)]
	var shared []*delegator
	for _, d := range s.world.delegators {
		if d.shared {
			shared = append(shared, d)
		}
	}
	ask := func(d *delegator, client string) bool {
		a := ask{u, folder, client, d}
		return s.exchange(context.Background(), a, s.fault.allowed)
	}
	s.again("swapping", redisAttempts, redisPause, func() bool {
		for _, d := range shared {
			if d.Invalidate(context.Background(), u.subject()) != nil {
				return false
			}
		}
		before := s.world.redis.names()
		if !ask(shared[0], web) || !ask(shared[0], mobile) {
			return false
		}
		left := slices.DeleteFunc(s.world.redis.names(), func(name string) bool {
			return slices.Contains(before, name)
		})
		return len(left) == 2 && s.world.redis.swap(left[0], left[1]) == nil &&
			ask(shared[1], web) && ask(shared[1], mobile)
	})
}

// measured is what must not grow.
type measured struct {
	heap       uint64
	objects    uint64
	goroutines int
}

// measure ends all that may end, and counts what is left. It waits for as few goroutines as wanted,
// or until their number has not changed for a while.
func (s *soak) measure(wanted int) measured {
	s.t.Helper()
	w := s.world
	s.again("invalidating everybody", redisAttempts, redisPause, func() bool {
		for _, d := range w.delegators {
			if d.InvalidateAll(context.Background()) != nil {
				return false
			}
		}
		return true
	})
	w.clock.Advance(3 * time.Hour) // all tokens, marks and sessions have ended
	s.recover(rand.New(rand.NewPCG(*seed, 1)))
	s.judge()
	clear(w.floors)
	m := measured{}
	for same := 0; same < 200 && m.goroutines > wanted || same == 0; same++ {
		for _, transport := range w.transports {
			transport.CloseIdleConnections()
		}
		time.Sleep(10 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != m.goroutines {
			m.goroutines = now
			same = -1
		}
	}
	for range 3 {
		runtime.GC()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.heap = memory.HeapAlloc
	m.objects = memory.HeapObjects
	return m
}

func (s *soak) progress(elapsed time.Duration) {
	failed := 0
	for _, n := range s.failures {
		failed += n
	}
	s.t.Logf("%4.0f s: %d asked, %d successes judged, %d failures, %d faults, %d crossed",
		elapsed.Seconds(), s.asked.Load(), s.judged, failed, sum(s.faults), s.crossed)
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// report prints the final table, and fails if something has crossed or grown.
func (s *soak) report(before, after measured) {
	var b strings.Builder
	row := func(name string, value any) { fmt.Fprintf(&b, "  %-34s %v\n", name, value) }
	row("asked", s.asked.Load())
	row("successes judged", s.judged)
	row("explanations judged", s.explained)
	row("refusals of what is not allowed", s.refusals)
	row("calls to STS", s.world.bank.calls.Load())
	b.WriteString("successes by cache outcome\n")
	for _, name := range slices.Sorted(maps.Keys(s.world.outcomes)) {
		row(string(name), s.world.outcomes[name])
	}
	b.WriteString("failures by code\n")
	for _, code := range slices.Sorted(maps.Keys(s.failures)) {
		row(string(code), s.failures[code])
	}
	b.WriteString("faults\n")
	for _, name := range slices.Sorted(maps.Keys(s.faults)) {
		row(name, s.faults[name])
	}
	b.WriteString("verdict\n")
	row("crossed", s.crossed)
	row("unexpected failures", s.unexpected)
	row("heap before, after (KiB)", fmt.Sprint(before.heap>>10, ", ", after.heap>>10))
	row("objects before, after", fmt.Sprint(before.objects, ", ", after.objects))
	row("goroutines before, after", fmt.Sprint(before.goroutines, ", ", after.goroutines))
	s.t.Logf("soak, seed %d\n%s", *seed, &b)
	if after.heap > before.heap+heapBound {
		s.t.Errorf("the heap has grown by more than %d bytes", heapBound)
	}
	if after.goroutines > before.goroutines {
		s.t.Error("there are more goroutines than at the beginning")
	}
	for _, outcome := range []delegation.CacheOutcome{
		delegation.CacheHit, delegation.CacheMiss, delegation.CacheOff, delegation.CacheShared,
		delegation.CacheSharedDown,
	} {
		if s.world.outcomes[outcome] == 0 {
			s.t.Errorf("no success was %q: the soak does not show much", outcome)
		}
	}
}
