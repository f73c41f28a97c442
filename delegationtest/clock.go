package delegationtest

import (
	"sync"
	"time"
)

// Clock is a fake clock. It stands still until it is moved. All methods are safe for concurrent
// use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at the time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the clock's time. It is meant for [delegation.Config.Now] and the like.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by the duration, backwards if that is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to the time.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}
