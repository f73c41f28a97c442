package freshness_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// store is a shared cache in memory, with faults.
type store struct {
	mu     sync.Mutex
	values map[string]*value
	locked map[string]chan struct{}
	fails  map[string]func() error // by method
	calls  []string
}

func newStore() *store {
	return &store{values: map[string]*value{}, locked: map[string]chan struct{}{},
		fails: map[string]func() error{}}
}

func (s *store) enter(method string) error {
	s.mu.Lock()
	fail := s.fails[method]
	s.calls = append(s.calls, method)
	s.mu.Unlock()
	if fail != nil {
		return fail()
	}
	return nil
}

func (s *store) Get(_ context.Context, owner, key string) (*value, error) {
	if err := s.enter("get"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[owner+key], nil
}

func (s *store) Put(_ context.Context, owner, key string, v *value) error {
	if err := s.enter("put"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[owner+key] = v
	return nil
}

func (s *store) Delete(_ context.Context, owner, key string) error {
	if err := s.enter("delete"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.values {
		if strings.HasPrefix(k, owner) && strings.HasSuffix(k, key) {
			delete(s.values, k)
		}
	}
	return nil
}

func (s *store) Lock(ctx context.Context, owner, key string) (func(), error) {
	if err := s.enter("lock"); err != nil {
		return nil, err
	}
	for {
		s.mu.Lock()
		held := s.locked[owner+key]
		if held == nil {
			mine := make(chan struct{})
			s.locked[owner+key] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.locked, owner+key)
				s.mu.Unlock()
				close(mine)
				if s.enter("unlock") != nil {
					panic("unlock")
				}
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fleet runs a test with two caches before one store.
func fleet(t *testing.T, test func(f *fixture, s *store, a, b *freshness.Cache[value])) {
	bubble(t, func(f *fixture) {
		s := newStore()
		f.config.Shared = s
		test(f, s, freshness.NewCache(f.config), freshness.NewCache(f.config))
	})
}

func TestShared_OneIssueForAll(t *testing.T) {
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		f.wait = make(chan struct{})
		var all sync.WaitGroup
		for range 100 {
			for _, c := range []*freshness.Cache[value]{a, b} {
				all.Go(func() {
					if v, _, err := c.Get(f.t.Context(), f.request("x")); err != nil ||
						v.number != 1 {
						f.t.Errorf("got %v, %v", v, err)
					}
				})
			}
		}
		synctest.Wait()
		close(f.wait)
		all.Wait()
		f.wantOf(a, f.request("x"), 1, freshness.Hit, nil)
		f.wantOf(b, f.request("x"), 1, freshness.Hit, nil)
		// a replica that starts later
		f.wantOf(freshness.NewCache(f.config), f.request("x"), 1, freshness.InShared, nil)

		// Renewed once, too: the second finds what the first has got.
		time.Sleep(life - 10*time.Minute)
		f.wantOf(a, f.request("x"), 1, freshness.Hit, nil)
		f.wantOf(b, f.request("x"), 1, freshness.Hit, nil)
		synctest.Wait()
		f.wantOf(a, f.request("x"), 2, freshness.Hit, nil)
		f.wantOf(b, f.request("x"), 2, freshness.Hit, nil)
		f.wantUnattended("<nil>")
		if f.count() != 2 || len(f.shared) != 0 || len(s.locked) != 0 {
			f.t.Errorf("%d issued, %v", f.count(), f.shared)
		}
	})
}

// TestShared_Faults: whatever the shared cache does, there is a value, once, and the outcome tells.
func TestShared_Faults(t *testing.T) {
	down := errors.New("connection refused")
	for name, fault := range map[string]func() error{
		"error": func() error { return down },
		"panic": func() error { panic("secret") },
		"gone":  func() error { runtime.Goexit(); return nil },
	} {
		for _, method := range []string{"get", "lock", "put"} {
			if name == "gone" { // takes the flight with it, but not who waits
				bubble(t, func(f *fixture) {
					s := newStore()
					s.fails[method], f.config.Shared = fault, s
					if v, _, err := freshness.NewCache(f.config).Get(f.t.Context(),
						f.request("x")); v != nil || err == nil {
						f.t.Errorf("%s: got %v, %v", method, v, err)
					}
				})
				continue
			}
			fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
				s.fails[method] = fault
				f.wantOf(a, f.request("x"), 1, freshness.SharedDown, nil)
				f.wantOf(a, f.request("x"), 1, freshness.Hit, nil)
				if len(f.shared) != 1 || f.shared[0] == nil ||
					name == "error" && f.shared[0] != down {
					f.t.Errorf("%s %s: told of %v", method, name, f.shared)
				}
				if calls := strings.Join(s.calls, " "); calls != map[string]string{"get": "get",
					"lock": "get lock", "put": "get lock get put unlock"}[method] {
					f.t.Errorf("%s: calls %s", method, calls)
				}
				clear(s.fails)
				f.wantOf(b, f.request("x"), 2, freshness.Miss, nil)
			})
		}
	}
}

// TestShared_Hangs: it is given up after its time.
func TestShared_Hangs(t *testing.T) {
	for _, method := range []string{"get", "lock"} {
		fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
			if method == "lock" {
				// for ever
				s.locked[f.request("x").Owner.String()+f.request("x").Key.String()] = make(
					chan struct{})
			} else {
				f.config.Shared = hanging{s}
				a = freshness.NewCache(f.config)
			}
			began := time.Now()
			f.wantOf(a, f.request("x"), 1, freshness.SharedDown, nil)
			if took := time.Since(began); took != 30*time.Second ||
				!errors.Is(f.shared[0], context.DeadlineExceeded) {
				f.t.Errorf("%s: %s, %v", method, took, f.shared)
			}
		})
	}
}

type hanging struct{ *store }

func (hanging) Get(ctx context.Context, _, _ string) (*value, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestShared_UnlockPanics: the value is there all the same.
func TestShared_UnlockPanics(t *testing.T) {
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		s.fails["unlock"] = func() error { return errors.New("x") }
		f.wantOf(a, f.request("x"), 1, freshness.Miss, nil)
	})
}

// TestShared_Values: only those are taken that may be used, have not ended, and are not due.
func TestShared_Values(t *testing.T) {
	for name, row := range map[string]struct {
		number  int
		left    time.Duration
		want    int
		outcome freshness.Outcome
	}{
		"good":                      {7, life, 7, freshness.InShared},
		"due behind a back":         {7, 5*time.Minute + 1, 7, freshness.InShared},
		"due now":                   {7, 5 * time.Minute, 1, freshness.Miss},
		"ended":                     {7, 0, 1, freshness.Miss},
		"of another, as it happens": {-7, life, 1, freshness.Miss},
	} {
		fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
			r := f.request("x")
			s.values[r.Owner.String()+r.Key.String()] = &value{row.number, time.Now().Add(row.left)}
			f.wantOf(a, r, row.want, row.outcome, nil)
			f.wantUnattended()
			if t.Failed() {
				t.Fatal(name)
			}
		})
	}
}

// TestShared_ServesAnOutage: a replica without a value of its own finds one that is still good.
func TestShared_ServesAnOutage(t *testing.T) {
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		f.wantOf(a, f.request("x"), 1, freshness.Miss, nil)
		time.Sleep(life - time.Minute)
		f.set(errDown)
		f.wantOf(b, f.request("x"), 1, freshness.Stale, nil)
		synctest.Wait()
		f.wantUnattended("down")
		time.Sleep(time.Minute)
		f.wantOf(b, f.request("x"), 0, freshness.Miss, errDown)
	})
	// And one with a value of its own takes a longer one.
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		f.wantOf(a, f.request("x"), 1, freshness.Miss, nil)
		time.Sleep(life - 2*time.Minute)
		r := f.request("x")
		s.values[r.Owner.String()+r.Key.String()] = &value{7, time.Now().Add(4 * time.Minute)}
		f.set(errDown)
		f.wantOf(a, r, 7, freshness.Stale, nil)
	})
}

// TestShared_RefusalTakesItBack: what was refused to one replica is not found there by any.
func TestShared_RefusalTakesItBack(t *testing.T) {
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		f.wantOf(a, f.request("x"), 1, freshness.Miss, nil)
		f.wantOf(a, f.request("y"), 2, freshness.Miss, nil)
		time.Sleep(life - 10*time.Minute)
		f.set(errRefused)
		f.wantOf(a, f.request("x"), 1, freshness.Hit, nil)
		synctest.Wait()
		f.wantOf(b, f.request("x"), 0, freshness.Miss, errRefused)
		if len(s.values) != 1 {
			f.t.Errorf("left: %v", s.values)
		}
	})
}

func TestShared_Forget(t *testing.T) {
	fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
		f.wantOf(a, f.request("x"), 1, freshness.Miss, nil)
		f.wantOf(a, f.request("y"), 2, freshness.Miss, nil)
		owner := f.request("x").Owner
		if err := a.Forget(f.t.Context(), &owner); err != nil || len(s.values) != 1 {
			f.t.Errorf("%v, left: %v", err, s.values)
		}
		if err := a.Forget(f.t.Context(), nil); err != nil || len(s.values) != 0 {
			f.t.Errorf("%v, left: %v", err, s.values)
		}
		s.fails["delete"] = func() error { panic("x") }
		if err := a.Forget(f.t.Context(), nil); err == nil {
			f.t.Error("a failure was not told")
		}
	})
	// A value that was issued before does not come back, whether Forget comes before it is put or
	// while.
	for _, method := range []string{"issue", "put"} {
		fleet(t, func(f *fixture, s *store, a, b *freshness.Cache[value]) {
			gate := make(chan struct{})
			if method == "issue" {
				f.wait = gate
			} else {
				s.fails["put"] = func() error { <-gate; return nil }
			}
			var all sync.WaitGroup
			all.Go(func() { f.wantOf(a, f.request("x"), 1, freshness.Miss, nil) })
			synctest.Wait()
			if err := a.Forget(f.t.Context(), nil); err != nil {
				f.t.Error(err)
			}
			close(gate)
			all.Wait()
			if len(s.values) != 0 {
				f.t.Errorf("%s: %v came back", method, s.values)
			}
			if method == "issue" && slices.Contains(s.calls, "put") {
				f.t.Errorf("calls %q: another process might find it", s.calls)
			}
		})
	}
}
