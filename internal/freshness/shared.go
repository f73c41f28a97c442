package freshness

import (
	"context"
	"time"
)

// sharedTimeout is for one call of the shared cache, the wait for another process included. It
// guards against one that has no time-outs of its own.
const sharedTimeout = 30 * time.Second

// Shared keeps values for several processes. Owner and key are hexadecimal.
type Shared[V any] interface {
	Get(ctx context.Context, owner, key string) (*V, error)     // nil, nil: absent
	Put(ctx context.Context, owner, key string, value *V) error // until the value ends
	// key empty: all of the owner's; owner too: everything
	Delete(ctx context.Context, owner, key string) error
	// waits until no other process issues for the key
	Lock(ctx context.Context, owner, key string) (func(), error)
}

// obtain finds a value in the shared cache or issues one. Nothing that the shared cache does wrong
// stops it.
func (c *Cache[V]) obtain(ctx context.Context, r Request[V], f *flight[V], held *entry[V]) (*V, Outcome, error) {
	var good *V
	if held != nil {
		good = held.value
	}
	shared := c.config.Shared
	if shared == nil {
		return c.issue(ctx, r, f, good)
	}
	owner, key, down := r.Owner.String(), r.Key.String(), false
	limited := func(call func(context.Context) error) bool {
		bounded, cancel := context.WithTimeout(ctx, sharedTimeout)
		defer cancel()
		err := attempt(func() error { return call(bounded) })
		if err != nil {
			down = true
			_ = attempt(func() error { c.config.SharedFailed(err); return nil })
		}
		return err == nil
	}
	// look tells whether there is a value that need not be renewed now; any other that is still
	// good may yet be of use.
	look := func() (found *V, enough bool) {
		limited(func(ctx context.Context) (err error) {
			found, err = shared.Get(ctx, owner, key)
			return err
		})
		now := c.config.Now()
		if down || found == nil || !now.Before(c.config.End(found)) {
			return nil, false
		}
		if err := attempt(func() error { return r.Usable(found) }); err != nil {
			// it counts as absent
			_ = attempt(func() error { c.config.SharedFailed(err); return nil })
			return nil, false
		}
		if good == nil || c.config.End(found).After(c.config.End(good)) {
			good = found
		}
		renewAt, staleAt, _ := c.times(r, found, 0)
		if held != nil {
			staleAt = renewAt // whoever renews wants one that is better than what it holds
		}
		return found, now.Before(staleAt)
	}
	if found, enough := look(); enough {
		return found, InShared, nil
	}
	if !down {
		var unlock func()
		if limited(func(ctx context.Context) (err error) {
			unlock, err = shared.Lock(ctx, owner, key)
			return err
		}) && unlock != nil {
			defer func() { _ = attempt(func() error { unlock(); return nil }) }()
			if found, enough := look(); enough {
				return found, InShared, nil
			}
		}
	}
	reachable := !down
	value, outcome, err := c.issue(ctx, r, f, good)
	switch {
	case !reachable:
	case outcome == Miss && err == nil && !c.isDropped(f):
		limited(func(ctx context.Context) error { return shared.Put(ctx, owner, key, value) })
		if c.isDropped(f) { // meanwhile
			limited(func(ctx context.Context) error { return shared.Delete(ctx, owner, key) })
		}
	case err != nil && c.config.Refusal(err):
		// or another process would go on with what was refused
		limited(func(ctx context.Context) error { return shared.Delete(ctx, owner, key) })
	}
	if down && outcome == Miss {
		outcome = SharedDown
	}
	return value, outcome, err
}

func (c *Cache[V]) isDropped(f *flight[V]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.dropped
}
