package freshness

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	refusalLife  = time.Minute      // how long a definite refusal is remembered
	renewalPause = 10 * time.Second // between attempts to renew while they fail

	// However long the windows are, they take no more than these shares of a value's life: an entry
	// that is always due for renewal helps nobody.
	windowShare = 8
	aheadShare  = 4
)

// Outcome says how a Get ended.
type Outcome string

// Outcomes.
const (
	// Hit is a value from memory.
	Hit Outcome = "hit"
	// Stale is a value from memory or the shared cache, within the window, because renewing fails.
	Stale Outcome = "stale"
	// Miss is a value that was issued for this caller.
	Miss Outcome = "miss"
	// Joined is a value that was issued for another caller, or a caller who left before the end.
	Joined Outcome = "joined"
	// Denied is a refusal from memory.
	Denied Outcome = "denied"
	// InShared is a value that was found in the shared cache.
	InShared Outcome = "shared"
	// SharedDown is a value that was issued for this caller while the shared cache failed.
	SharedDown Outcome = "shared_down"
)

// CacheConfig is what [NewCache] takes. Every field but Shared is required.
type CacheConfig[V any] struct {
	// Size is how many entries are kept at most. The least recently used is evicted first. The
	// order is not exact among the most recent eighth.
	Size int
	// Window is how long before a value's end callers begin to wait for a renewal.
	Window time.Duration
	// Ahead is how long before a value's end a use begins a renewal in the background.
	Ahead time.Duration
	// Shared keeps values for several processes; nil: none.
	Shared Shared[V]
	// SharedFailed is called with each error of the shared cache. It must be quick.
	SharedFailed func(error)

	Now    func() time.Time
	Random func() float64 // in [0, 1)
	// Jittered shrinks a window by as much as a random number in [0, 1) says, so that entries that
	// were made together are not renewed together.
	Jittered func(window time.Duration, random float64) time.Duration

	// End returns when a value really expires.
	End func(*V) time.Time
	// Passing tells whether an error may be temporary, so that a value that is still good is used
	// meanwhile.
	Passing func(error) bool
	// Refusal tells whether an error is a definite refusal.
	Refusal func(error) bool
}

// Cache remembers credentials, or whatever else is issued, lasts for a time and can be refused. It
// is bounded. It issues at most one value for a key at a time, however many callers wait. It renews
// a value ahead of its end, when the value is used. Only [NewCache] and [Cache.WithConfig] make
// one; it is safe for concurrent use.
type Cache[V any] struct {
	config CacheConfig[V]
	*kept[V]
}

// kept is what a Cache remembers and what it is issuing. Caches of several configurations can share
// it.
type kept[V any] struct {
	mu      sync.Mutex
	entries *entries[V]
	flights map[Key]*flight[V]
}

// NewCache returns an empty Cache. It panics if the size is not positive.
func NewCache[V any](c CacheConfig[V]) *Cache[V] {
	if c.Size <= 0 {
		panic("freshness: the size of a Cache is not positive")
	}
	return &Cache[V]{
		config: c,
		kept: &kept[V]{
			entries: newEntries[V](c.Size),
			flights: map[Key]*flight[V]{},
		},
	}
}

// WithConfig returns a Cache with another configuration, and with what this one remembers and is
// issuing: each sees what the other keeps and forgets. The clock must be the same. It panics if the
// size is not positive.
func (c *Cache[V]) WithConfig(other CacheConfig[V]) *Cache[V] {
	return &Cache[V]{config: NewCache(other).config, kept: c.kept}
}

// entry is a value or a refusal. Its fields are read and written under the Cache's lock; what value
// points to is never written.
type entry[V any] struct {
	key     Key
	owner   Key
	value   *V
	refusal error
	renewAt time.Time // from here on a use begins a renewal
	staleAt time.Time // from here on a use waits for it, unless the last one failed
	end     time.Time
	failing bool // the last renewal failed, in a way that may pass

	older, newer                 *entry[V] // in the order of use, a ring
	entered                      uint64    // when it entered the ring, as a number in order
	previousOfOwner, nextOfOwner *entry[V] // nil at the ends
}

// flight is one issue under way, shared by all callers who want the value.
type flight[V any] struct {
	owner Key

	done    chan struct{} // closed when the fields below are final
	value   *V
	outcome Outcome
	err     error // with a value: why that is stale
	issued  bool  // Issue was called

	// alone says that the caller who began the flight has left, that none waited from the start, or
	// that the flight has ended.
	alone atomic.Bool
	// dropped says, under the Cache's lock, that the result came too late to be kept.
	dropped bool
}

// Request is what a caller wants.
type Request[V any] struct {
	Key   Key
	Owner Key
	// Life is how long a new value usually lives. It bounds the windows.
	Life time.Duration
	// Last is the moment after which no new value ends, so that one which ends then is not
	// renewed; zero: there is none.
	Last time.Time
	// Usable returns why a value of the shared cache must not be used; nil: it may be.
	Usable func(*V) error
	// Issue makes a new value. It runs in its own goroutine. Its context has the values of the
	// context of the caller who began it, but does not end with that, so Issue must limit itself.
	Issue func(context.Context) (*V, error)
	// Unattended is called, in the same goroutine, when Issue has ended and no caller reports its
	// result: after a renewal in the background, or if the caller has left or got another value.
	Unattended func(error)
}

// Held returns what is remembered of a key, as Get would, if it is a refusal or a value that needs
// no renewal yet. Otherwise it reports false, and Get has to be asked. It spares
// callers a Request.
func (c *Cache[V]) Held(key Key) (value *V, outcome Outcome, err error, held bool) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.remembered(key, now)
	switch {
	case e == nil:
		return nil, "", nil, false
	case e.refusal != nil:
		return nil, Denied, e.refusal, true
	case now.Before(e.renewAt) && now.Before(e.staleAt):
		return e.value, Hit, nil, true
	}
	return nil, "", nil, false
}

// Get returns the value of a key: the one that is remembered, or a new one. The value is shared and
// must not be changed. The error is what Issue returned, now or in a remembered call. It is the
// context's if that ended before there was a result, and one of this package if Issue did not
// return.
func (c *Cache[V]) Get(ctx context.Context, r Request[V]) (*V, Outcome, error) {
	now := c.config.Now()
	c.mu.Lock()
	held := c.remembered(r.Key, now)
	if held != nil && held.refusal != nil {
		c.mu.Unlock()
		return nil, Denied, held.refusal
	}
	f := c.flights[r.Key]
	// While renewals fail, nobody waits for the next one to fail.
	if held != nil && (now.Before(held.staleAt) || held.failing) {
		if f == nil && !now.Before(held.renewAt) {
			c.begin(ctx, r, held, true)
		}
		value, outcome := held.served(now)
		c.mu.Unlock()
		return value, outcome, nil
	}
	mine := f == nil
	if mine {
		f = c.begin(ctx, r, held, false)
	}
	c.mu.Unlock()
	return f.wait(ctx, mine)
}

// remembered returns, under the lock, what is known of a key and has not ended; nil: nothing.
func (c *Cache[V]) remembered(key Key, now time.Time) *entry[V] {
	e := c.entries.get(key)
	if e == nil {
		return nil
	}
	if !now.Before(e.end) {
		c.entries.remove(e)
		return nil
	}
	return e
}

// served returns, under the lock, an entry's value and the outcome of serving it.
func (e *entry[V]) served(now time.Time) (*V, Outcome) {
	if now.Before(e.staleAt) {
		return e.value, Hit
	}
	return e.value, Stale
}

// wait returns the result of a flight, which is the caller's own or one that the caller joins.
func (f *flight[V]) wait(ctx context.Context, mine bool) (*V, Outcome, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		if !mine || f.alone.CompareAndSwap(false, true) {
			return nil, Joined, ctx.Err()
		}
		<-f.done // it is about to be closed, and leaves the report to this caller
	}
	outcome := f.outcome
	if !mine && (outcome == Miss || outcome == SharedDown) {
		outcome = Joined
	}
	if f.value == nil {
		return nil, outcome, f.err
	}
	return f.value, outcome, nil
}

// begin starts a flight, under the lock.
func (c *Cache[V]) begin(ctx context.Context, r Request[V], held *entry[V], alone bool) *flight[V] {
	f := &flight[V]{owner: r.Owner, done: make(chan struct{}), outcome: Miss, err: errLost}
	f.alone.Store(alone)
	c.flights[r.Key] = f
	go c.fly(context.WithoutCancel(ctx), r, f, held)
	return f
}

var errLost = errors.New("it ended its goroutine instead of returning, or panicked")

// fly obtains a value and hands it to the callers who wait, even if Issue panics.
func (c *Cache[V]) fly(ctx context.Context, r Request[V], f *flight[V], held *entry[V]) {
	defer func() {
		_ = recover() // err stays errLost
		c.settle(r, f, held)
		left := !f.alone.CompareAndSwap(false, true)
		close(f.done)
		if f.issued && (left || f.outcome == Stale) {
			try(func() { r.Unattended(f.err) })
		}
	}()
	f.value, f.outcome, f.err = c.obtain(ctx, r, f, held)
}

// issue makes a new value, or falls back on one that is still good. After a refusal the old value
// is not used any more, here or in the shared cache.
func (c *Cache[V]) issue(
	ctx context.Context, r Request[V], f *flight[V], good *V,
) (*V, Outcome, error) {
	f.issued = true
	var value *V
	err := errLost
	_ = attempt(func() error {
		value, err = r.Issue(ctx)
		return nil
	})
	if err == nil {
		return value, Miss, nil
	}
	if c.config.Passing(err) && good != nil && c.config.Now().Before(c.config.End(good)) {
		return good, Stale, err
	}
	return nil, Miss, err
}

// settle remembers the result of a flight.
func (c *Cache[V]) settle(r Request[V], f *flight[V], held *entry[V]) {
	now := c.config.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.dropped {
		return
	}
	delete(c.flights, r.Key)
	c.entries.size = c.config.Size // another configuration may have shared them with its own
	switch {
	case f.value != nil:
		e := &entry[V]{
			key:     r.Key,
			owner:   r.Owner,
			value:   f.value,
			failing: f.outcome == Stale,
		}
		e.renewAt, e.staleAt, e.end = c.times(r, f.value, c.config.Random())
		if e.failing {
			e.renewAt = now.Add(renewalPause)
		}
		c.entries.add(e)
	case c.config.Refusal(f.err):
		c.entries.add(&entry[V]{
			key:     r.Key,
			owner:   r.Owner,
			refusal: f.err,
			end:     now.Add(refusalLife),
		})
	case held != nil: // neither passing nor a refusal
		held.renewAt = now.Add(renewalPause)
	}
}

// times returns when a value is due for renewal, when it is stale and when it ends. The windows are
// shrunk by as much as the random number says.
func (c *Cache[V]) times(r Request[V], value *V, random float64) (renewAt, staleAt, end time.Time) {
	end = c.config.End(value)
	if !r.Last.IsZero() && !end.Before(r.Last.Truncate(time.Second)) {
		return end, end, end
	}
	window := min(c.config.Window, r.Life/windowShare)
	ahead := max(window, min(c.config.Ahead, r.Life/aheadShare))
	shrunk := func(d time.Duration) time.Time { return end.Add(-c.config.Jittered(d, random)) }
	return shrunk(ahead), shrunk(window), end
}

// Forget drops an owner's entries, or everybody's if the owner is nil, here and in the shared
// cache. It returns the error of the shared cache. Callers who already wait for a value get it, but
// it is not kept.
func (c *Cache[V]) Forget(ctx context.Context, owner *Key) error {
	c.mu.Lock()
	if owner == nil {
		c.entries.clear()
	} else {
		c.entries.removeOf(*owner)
	}
	for key, f := range c.flights {
		if owner == nil || f.owner == *owner {
			f.dropped = true
			delete(c.flights, key)
		}
	}
	c.mu.Unlock()
	if c.config.Shared == nil {
		return nil
	}
	name := ""
	if owner != nil {
		name = owner.String()
	}
	return attempt(func() error { return c.config.Shared.Delete(ctx, name, "") })
}

// attempt calls a function that may panic. A panic becomes errLost.
func attempt(call func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errLost
		}
	}()
	return call()
}

// try calls a function that may panic, and ignores a panic.
func try(call func()) {
	_ = attempt(func() error {
		call()
		return nil
	})
}
