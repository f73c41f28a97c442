package rediscache

import (
	"context"
	"time"
)

// Operation is one operation on Redis, in Config.OnOperation. It names no key and no value.
type Operation struct {
	// Name is get, put, delete, lock, unlock, first_use, check, revoke or revocations. A lock that
	// is not free is asked for several times, deleting all of a user's entries is several
	// operations, and so is reading many revocations.
	Name string
	// Took is how long it took, by Config.Now.
	Took time.Duration
	// Problem is why it failed. Empty on success, and if Canceled is set.
	Problem Problem
	// Canceled tells whether it failed after the caller's context had ended.
	Canceled bool
}

// observe reports an operation that has ended with an error, or nil. ctx is the caller's.
func (c *Cache) observe(ctx context.Context, name string, began time.Time, err error) {
	if c.config.OnOperation == nil {
		return
	}
	done := Operation{Name: name, Took: c.config.Now().Sub(began)}
	switch {
	case err == nil, c.saysNo(err):
	case ctx.Err() != nil:
		done.Canceled = true
	default:
		done.Problem = c.problem(err)
	}
	c.config.OnOperation(ctx, done)
}
