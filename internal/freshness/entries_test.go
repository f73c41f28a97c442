package freshness_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// modelEntry is what a cache should remember.
type modelEntry struct {
	name, owner string
	number      int // 0: a refusal
	end         time.Time
	entered     int // the model's count when it came to the end of the list
}

// model is a cache as a plain list, in the order of use. An entry that came to the end of the list
// within the last eighth of the size stays where it is when it is used.
type model struct {
	size    int
	entries []modelEntry
	entered int
}

// get returns what should be remembered of a name, and notes its use.
func (m *model) get(name string, now time.Time) (modelEntry, bool) {
	i := slices.IndexFunc(m.entries, func(e modelEntry) bool { return e.name == name })
	if i < 0 {
		return modelEntry{}, false
	}
	if e := m.entries[i]; m.entered-e.entered > m.size/8 {
		m.entries = slices.Delete(m.entries, i, i+1)
		m.add(e)
		i = len(m.entries) - 1
	}
	e := m.entries[i]
	if !now.Before(e.end) {
		m.entries = slices.Delete(m.entries, i, i+1)
		return modelEntry{}, false
	}
	return e, true
}

func (m *model) add(e modelEntry) {
	m.entered++
	e.entered = m.entered
	m.entries = append(m.entries, e)
	if len(m.entries) > m.size {
		m.entries = m.entries[1:]
	}
}

func (m *model) forget(owner string) {
	m.entries = slices.DeleteFunc(m.entries, func(e modelEntry) bool { return e.owner == owner })
}

// lists counts the lists of owners, of which two that look alike share one.
func (m *model) lists() int {
	alike := map[int]bool{}
	for _, e := range m.entries {
		alike[lookOf(e.owner)] = true
	}
	return len(alike)
}

// ownerKey is the key of an owner, a digit. The keys of 0 and 1 begin alike, those of 2 and 3, and
// so on.
func ownerKey(owner string) (key freshness.Key) {
	key[0] = byte(lookOf(owner))
	key[31] = owner[0]
	return key
}

func lookOf(owner string) int { return int(owner[0]-'0') / 2 }

// TestCache_IsAListInOrderOfUse compares a cache with the plain list, through 20,000 random steps
// for each size: uses, refusals, failures, ends, and owners that are forgotten.
func TestCache_IsAListInOrderOfUse(t *testing.T) {
	for _, size := range []int{1, 2, 7, 30} {
		bubble(t, func(f *fixture) {
			random := rand.New(rand.NewPCG(uint64(size), 1))
			f.config.Size = size
			f.config.Window = 0
			f.config.Ahead = 0
			c := freshness.NewCache(f.config)
			m := &model{size: size}
			for step := range 20_000 {
				name := fmt.Sprint(random.IntN(40))
				owner := name[len(name)-1:]
				switch random.IntN(20) {
				case 0:
					time.Sleep(time.Duration(random.IntN(30)) * time.Second)
				case 1:
					key := ownerKey(owner)
					_ = c.Forget(t.Context(), &key)
					m.forget(owner)
				case 2:
					if random.IntN(20) == 0 {
						_ = c.Forget(t.Context(), nil)
						m.entries = nil
					}
				default:
					f.step(c, m, name, owner, random)
				}
				entries, lists := c.Sizes()
				if entries != len(m.entries) || lists != m.lists() {
					t.Fatalf("size %d, step %d: %d entries in %d lists, want %d in %d",
						size, step, entries, lists, len(m.entries), m.lists())
				}
				if t.Failed() {
					t.Fatalf("size %d, step %d", size, step)
				}
			}
		})
	}
}

// step uses a name in cache and model.
func (f *fixture) step(
	c *freshness.Cache[value], m *model, name, owner string, random *rand.Rand,
) {
	f.t.Helper()
	r := f.request(name)
	r.Owner = ownerKey(owner)
	f.life = time.Duration(1+random.IntN(100)) * time.Second
	f.set([]error{nil, nil, nil, errRefused, errOdd}[random.IntN(5)])
	now := time.Now()
	e, known := m.get(name, now)
	if known {
		f.wantHeld(c, r)
	}
	switch {
	case known && e.number > 0:
		f.wantOf(c, r, e.number, freshness.Hit, nil)
		return
	case known:
		f.wantOf(c, r, 0, freshness.Denied, errRefused)
		return
	}
	number := f.count() + 1
	if f.err != nil {
		number = 0
	}
	f.wantOf(c, r, number, freshness.Miss, f.err)
	if f.err == errOdd {
		return
	}
	made := modelEntry{name: name, owner: owner, number: number, end: now.Add(f.life)}
	if f.err == errRefused {
		made.end = now.Add(time.Minute)
	}
	m.add(made)
}

// wantHeld checks that Held says what Get says.
func (f *fixture) wantHeld(c *freshness.Cache[value], r freshness.Request[value]) {
	f.t.Helper()
	value, outcome, err, held := c.Held(r.Key)
	also, wanted, wantedErr := c.Get(f.t.Context(), r)
	if !held || value != also || outcome != wanted || err != wantedErr {
		f.t.Errorf("held %t: %v, %s, %v; got %v, %s, %v",
			held, value, outcome, err, also, wanted, wantedErr)
	}
}

// TestHeld_LeavesRenewalToGet: from the moment at which a use begins a renewal, Held does not
// serve.
func TestHeld_LeavesRenewalToGet(t *testing.T) {
	bubble(t, func(f *fixture) {
		r := f.request("x")
		held := func(want bool) {
			t.Helper()
			if _, _, _, held := f.cache.Held(r.Key); held != want {
				t.Errorf("held: %t", held)
			}
		}
		held(false)
		f.want(1, freshness.Miss, nil)
		f.wantHeld(f.cache, r)
		time.Sleep(45*time.Minute - time.Nanosecond)
		f.wantHeld(f.cache, r)
		time.Sleep(time.Nanosecond) // 15 minutes are left
		held(false)
		f.set(errDown)
		f.want(1, freshness.Hit, nil)
		synctest.Wait() // for the renewal, which fails
		time.Sleep(time.Second)
		f.wantHeld(f.cache, r) // until the next attempt
		time.Sleep(renewalPause)
		held(false)
		time.Sleep(11 * time.Minute)
		held(false) // it is stale
		time.Sleep(time.Hour)
		held(false)
		if entries, _ := f.cache.Sizes(); entries != 0 {
			t.Errorf("%d entries have ended and are kept", entries)
		}
	})
}

const renewalPause = 10 * time.Second // as in the package

// TestCache_RenewalReplaces: a renewed value takes the place of the one before, and so leaves room
// for as many others.
func TestCache_RenewalReplaces(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.config.Size = 2
		c := freshness.NewCache(f.config)
		x := f.request("x")
		f.wantOf(c, x, 1, freshness.Miss, nil)
		time.Sleep(50 * time.Minute)
		f.wantOf(c, x, 1, freshness.Hit, nil)
		synctest.Wait() // for the renewal
		f.wantOf(c, x, 2, freshness.Hit, nil)
		if entries, lists := c.Sizes(); entries != 1 || lists != 1 {
			t.Errorf("%d entries in %d lists", entries, lists)
		}
		for i, name := range []string{"y", "z", "w"} {
			f.wantOf(c, f.request(name), 3+i, freshness.Miss, nil)
		}
		if entries, lists := c.Sizes(); entries != 2 || lists != 2 {
			t.Errorf("%d entries in %d lists", entries, lists)
		}
	})
}

// fill returns a cache with n values, one for each owner.
func fill(tb testing.TB, n int) *freshness.Cache[value] {
	tb.Helper()
	c := freshness.NewCache(freshness.CacheConfig[value]{
		Size:     n,
		Window:   time.Minute,
		Ahead:    time.Minute,
		Now:      time.Now,
		Random:   func() float64 { return 0 },
		Jittered: freshness.Jittered,
		End:      func(v *value) time.Time { return v.end },
		Passing:  func(error) bool { return false },
		Refusal:  func(error) bool { return false },
	})
	end := time.Now().Add(24 * time.Hour)
	for i := range n {
		_, _, err := c.Get(context.Background(), freshness.Request[value]{
			Key:   number(i),
			Owner: number(-1 - i),
			Life:  24 * time.Hour,
			Issue: func(context.Context) (*value, error) { return &value{end: end}, nil },
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return c
}

func number(n int) freshness.Key { return freshness.KeyOf([]string{fmt.Sprint(n)}) }

// TestCache_BytesOfAnEntry: what the cache adds to each value that it keeps. Maps grow by doubling,
// so the number of values is one at which they have just grown.
func TestCache_BytesOfAnEntry(t *testing.T) {
	const n = 30_000 // a map with 32,768 places is full at 28,672
	before := heap()
	c := fill(t, n)
	used := float64(heap()-before) / n
	runtime.KeepAlive(c)
	t.Logf("%.0f bytes", used)
	if used > 400 {
		t.Errorf("an entry takes %.0f bytes besides its value", used)
	}
}

// heap returns the bytes of all objects that are in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first may have left work of a former collection
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestForget_AllocatesNothing: forgetting an owner makes no list of what there is.
func TestForget_AllocatesNothing(t *testing.T) {
	c := fill(t, 1000)
	i := 0
	allocations := testing.AllocsPerRun(500, func() {
		owner := number(-1 - i)
		i++
		_ = c.Forget(context.Background(), &owner)
	})
	made := testing.AllocsPerRun(500, func() { _ = number(-1 - i) })
	if entries, _ := c.Sizes(); allocations > made || entries > 1000-500 {
		t.Errorf("%.0f allocations, %d entries left", allocations-made, entries)
	}
}

// BenchmarkForget: an owner's entries are found without a walk through all.
func BenchmarkForget(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := fill(b, n)
			end := time.Now().Add(24 * time.Hour)
			issue := func(context.Context) (*value, error) { return &value{end: end}, nil }
			random := rand.New(rand.NewPCG(1, 1))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				i := random.IntN(n)
				owner := number(-1 - i)
				r := freshness.Request[value]{
					Key: number(i), Owner: owner, Life: time.Hour, Issue: issue,
				}
				_, _, _ = c.Get(context.Background(), r)
				b.StartTimer()
				_ = c.Forget(context.Background(), &owner)
			}
		})
	}
}

// BenchmarkHit: a value that is remembered.
func BenchmarkHit(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := fill(b, n)
			requests := make([]freshness.Request[value], 4096)
			random := rand.New(rand.NewPCG(1, 1))
			for i := range requests {
				k := random.IntN(n)
				requests[i] = freshness.Request[value]{Key: number(k), Owner: number(-1 - k)}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, _, _ = c.Get(context.Background(), requests[i%len(requests)])
				i++
			}
		})
	}
}
