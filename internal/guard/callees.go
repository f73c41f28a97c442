package guard

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

const (
	// MaxStuck is how many calls of one callee may still run after their callers have left. At that
	// number, no other call is made until one returns.
	MaxStuck = 16
	// MaxCalls is how many calls of one callee run at the same time; more wait for their turn.
	MaxCalls = 64
)

// ErrStuck says that a callee was not called, because earlier calls of it have not returned.
var ErrStuck = fmt.Errorf(
	"%d calls of it have not returned, and no more are made until one does", MaxStuck)

// ErrEnded says that a function ended its goroutine instead of returning.
var ErrEnded = errors.New("it ended its goroutine instead of returning")

// Callees calls functions that know no context and may hang, each under the name of what it depends
// on. Callers can stop waiting. The calls that they leave running are bounded: at most MaxCalls
// goroutines for a name. The zero value is ready; it is safe for concurrent use.
type Callees struct {
	mu     sync.Mutex
	byName map[string]*callee
}

// callee is what is under way under one name. Its counts are read and written under the lock.
type callee struct {
	slots chan struct{} // one is held by each call that runs
	users int           // calls that run or wait; the callee is forgotten with the last
	stuck int           // calls that run and have no caller any more
}

// CallWithin is [Call] for a function that knows no context. If the context ends first, its error
// is returned at once and the function finishes without its caller. The caller must then not read
// what the function writes. The error is [ErrStuck] if too many have not finished.
func (c *Callees) CallWithin(ctx context.Context, name string, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own, err := c.enter(name)
	if err != nil {
		return err
	}
	select {
	case own.slots <- struct{}{}:
	case <-ctx.Done():
		c.leave(name, own)
		return ctx.Err()
	}
	running := &running{done: make(chan struct{}), err: ErrEnded}
	go func() {
		defer c.end(name, own, running)
		running.err = Call(call)
	}()
	select {
	case <-running.done:
		return running.err
	case <-ctx.Done():
	}
	if c.abandon(own, running) {
		return ctx.Err()
	}
	<-running.done // it is closed already, or about to be
	return running.err
}

// Forget resets a name, because what it depended on was replaced. Calls that still run continue,
// but no longer count.
func (c *Callees) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byName, name)
}

// running is one call. Its marks are read and written under the lock.
type running struct {
	done             chan struct{} // closed when it has ended, and err is final
	err              error
	ended, abandoned bool
}

// enter counts a caller in, unless the callee is stuck.
func (c *Callees) enter(name string) (*callee, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.byName[name]
	if own == nil {
		own = &callee{slots: make(chan struct{}, MaxCalls)}
		if c.byName == nil {
			c.byName = map[string]*callee{}
		}
		c.byName[name] = own
	}
	if own.stuck >= MaxStuck {
		return nil, ErrStuck
	}
	own.users++
	return own, nil
}

// leave counts a caller out.
func (c *Callees) leave(name string, own *callee) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(name, own)
}

// drop counts a caller out, under the lock, and forgets the callee after the last.
func (c *Callees) drop(name string, own *callee) {
	own.users--
	if own.users == 0 && c.byName[name] == own {
		delete(c.byName, name)
	}
}

// end notes that a call has returned, on its own goroutine.
func (c *Callees) end(name string, own *callee, r *running) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.ended = true
	if r.abandoned {
		own.stuck--
	}
	<-own.slots
	c.drop(name, own)
	close(r.done)
}

// abandon notes that a call's caller leaves; false: the call has just ended.
func (c *Callees) abandon(own *callee, r *running) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.ended {
		return false
	}
	r.abandoned = true
	own.stuck++
	return true
}
