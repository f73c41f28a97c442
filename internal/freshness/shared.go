package freshness

import (
	"context"
	"time"
)

// sharedTimeout limits one call of the shared cache, including the wait for another process. It
// protects callers from a shared cache without its own time-outs.
const sharedTimeout = 30 * time.Second

// Shared keeps values for several processes. Owner and key are hexadecimal.
type Shared[V any] interface {
	// Get returns a value; nil without an error: it is absent.
	Get(ctx context.Context, owner, key string) (*V, error)
	// Put keeps a value until it ends.
	Put(ctx context.Context, owner, key string, value *V) error
	// Delete drops a value. Without a key it drops all values of the owner. Without key and owner
	// it drops everything.
	Delete(ctx context.Context, owner, key string) error
	// Lock waits until no other process issues for the key.
	Lock(ctx context.Context, owner, key string) (unlock func(), err error)
}

// obtain finds a value in the shared cache or issues one. A failure of the shared cache does not
// stop it.
func (c *Cache[V]) obtain(
	ctx context.Context, r Request[V], f *flight[V], held *entry[V],
) (*V, Outcome, error) {
	var good *V
	if held != nil {
		good = held.value
	}
	if c.config.Shared == nil {
		return c.issue(ctx, r, f, good)
	}
	s := &sharing[V]{
		cache:   c,
		request: r,
		owner:   r.Owner.String(),
		key:     r.Key.String(),
		renews:  held != nil,
		good:    good,
	}
	if found := s.look(ctx); found != nil {
		return found, InShared, nil
	}
	if unlock := s.lock(ctx); unlock != nil {
		defer try(unlock)
		if found := s.look(ctx); found != nil {
			return found, InShared, nil
		}
	}
	reachable := !s.down
	value, outcome, err := c.issue(ctx, r, f, s.good)
	switch {
	case !reachable:
	case outcome == Miss && err == nil:
		s.put(ctx, f, value)
	case err != nil && c.config.Refusal(err):
		s.delete(ctx) // or another process would keep using the refused value
	}
	if s.down && outcome == Miss {
		outcome = SharedDown
	}
	return value, outcome, err
}

// sharing is the part of one flight that uses the shared cache.
type sharing[V any] struct {
	cache      *Cache[V]
	request    Request[V]
	owner, key string

	renews bool // there is a value, and a better one is wanted
	good   *V   // the best value so far that has not ended; nil: none
	down   bool // the shared cache has failed
}

// look returns a value that need not be renewed now; nil: there is none. It keeps any other value
// that is still good, in case the issue fails.
func (s *sharing[V]) look(ctx context.Context) *V {
	var found *V
	s.ask(ctx, func(ctx context.Context) (err error) {
		found, err = s.cache.config.Shared.Get(ctx, s.owner, s.key)
		return err
	})
	end := s.cache.config.End
	now := s.cache.config.Now()
	if s.down || found == nil || !now.Before(end(found)) {
		return nil
	}
	if err := attempt(func() error { return s.request.Usable(found) }); err != nil {
		s.tell(err) // it counts as absent
		return nil
	}
	if s.good == nil || end(found).After(end(s.good)) {
		s.good = found
	}
	wanted, stale, _ := s.cache.times(s.request, found, 0)
	if s.renews { // a renewal wants a value that is not yet due for one
		stale = wanted
	}
	if !now.Before(stale) {
		return nil
	}
	return found
}

// lock waits for other processes. It returns nil if there is nothing to unlock.
func (s *sharing[V]) lock(ctx context.Context) (unlock func()) {
	if s.down {
		return nil
	}
	ok := s.ask(ctx, func(ctx context.Context) (err error) {
		unlock, err = s.cache.config.Shared.Lock(ctx, s.owner, s.key)
		return err
	})
	if !ok {
		return nil
	}
	return unlock
}

// put keeps a new value, unless it was forgotten meanwhile.
func (s *sharing[V]) put(ctx context.Context, f *flight[V], value *V) {
	if s.cache.isDropped(f) {
		return
	}
	s.ask(ctx, func(ctx context.Context) error {
		return s.cache.config.Shared.Put(ctx, s.owner, s.key, value)
	})
	if s.cache.isDropped(f) {
		s.delete(ctx)
	}
}

func (s *sharing[V]) delete(ctx context.Context) {
	s.ask(ctx, func(ctx context.Context) error {
		return s.cache.config.Shared.Delete(ctx, s.owner, s.key)
	})
}

// ask calls the shared cache, for a limited time, and tells whether that succeeded.
func (s *sharing[V]) ask(ctx context.Context, call func(context.Context) error) bool {
	bounded, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	err := attempt(func() error { return call(bounded) })
	if err != nil {
		s.down = true
		s.tell(err)
	}
	return err == nil
}

func (s *sharing[V]) tell(err error) {
	try(func() { s.cache.config.SharedFailed(err) })
}

func (c *Cache[V]) isDropped(f *flight[V]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.dropped
}
