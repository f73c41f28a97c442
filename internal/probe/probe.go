// Package probe keeps the results of slow checks for a minute, so that whoever asks often does not repeat them.
package probe

import (
	"context"
	"errors"
	"sync"
	"time"
)

const fresh = time.Minute // so long a result counts

// All calls all functions at once, and returns their results in order when the last one has come.
func All[T any](calls []func() T) []T {
	results := make([]T, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { results[i] = call() })
	}
	all.Wait()
	return results
}

// Cache is a set of results by name. The zero value is ready; it is safe for concurrent use.
type Cache struct {
	mu      sync.Mutex
	results map[string]*result
}

type result struct {
	done chan struct{} // closed when the rest is there
	err  error
	at   time.Time
}

// Do returns the check's last result if it is less than a minute old. Otherwise the check runs, once for all who ask, with a context of its
// own that ends after the limit: one who gives up, with the error of their context, does not keep the others or the next from a result.
func (c *Cache) Do(ctx context.Context, name string, now func() time.Time, limit time.Duration, check func(context.Context) error) error {
	c.mu.Lock()
	r := c.results[name]
	if r == nil || r.old(now()) {
		r = &result{done: make(chan struct{})}
		if c.results == nil {
			c.results = map[string]*result{}
		}
		c.results[name] = r
		go r.run(ctx, now, limit, check)
	}
	c.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.done:
		return r.err
	}
}

// old tells whether there is a result that does not count any more, or one of a clock that has been put back since.
func (r *result) old(now time.Time) bool {
	select {
	case <-r.done:
		return now.Sub(r.at) >= fresh || now.Before(r.at)
	default:
		return false
	}
}

func (r *result) run(ctx context.Context, now func() time.Time, limit time.Duration, check func(context.Context) error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	r.err = errors.New("the check ended its goroutine")
	defer func() {
		r.at = now()
		close(r.done)
	}()
	r.err = check(limited)
}

// Forget drops all results: what they were about has been replaced.
func (c *Cache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.results = nil
}
