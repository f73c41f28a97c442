package jsrules

import (
	"context"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/jsrules/internal/webclient"
)

// calls are the calls over HTTP that a rule has under way. Each runs on a goroutine of its own, and
// hands its result over to the goroutine of the rule, which alone runs JavaScript.
type calls struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	now     func() time.Time
	budget  *webclient.Budget
	running sync.WaitGroup
	// handed tells the rule's goroutine that ended is not empty.
	handed chan struct{}

	mu    sync.Mutex
	ended []*webCall

	// The rest belongs to the rule's goroutine.

	open map[int64]*webCall // by id
	last int64              // the last id
	// since is when open became not empty, and passed is how long it was not empty before.
	since  time.Time
	passed time.Duration
}

// webCall is one call.
type webCall struct {
	id     int64
	cancel context.CancelFunc
	// answer and err are set when the call has ended.
	answer *webclient.Response
	err    error
	done   func(*webclient.Response, error)
}

// lastCalls is how long calls that are under way when a rule has ended may take to end, too. A rule
// that reports to a service and does not wait for the answer would otherwise report nothing.
const lastCalls = time.Second

// startCall begins a call. done gets its result on the goroutine of the rule, unless the call is
// dropped or the rule has ended.
func (r *run) startCall(
	request webclient.Request, done func(*webclient.Response, error),
) (id int64) {
	c := r.openCalls()
	if len(c.open) >= maxDepth {
		panic(r.rangeError("too many calls"))
	}
	if len(c.open) == 0 {
		c.since = c.now()
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.last++
	call := &webCall{id: c.last, cancel: cancel, done: done}
	c.open[call.id] = call
	client := r.options.web.client
	budget := c.budget
	c.running.Go(func() {
		call.answer, call.err = client.Do(ctx, request, budget)
		c.hand(call)
	})
	return call.id
}

// openCalls returns the calls of this turn, and makes them for the first one.
func (r *run) openCalls() *calls {
	if r.calls != nil {
		return r.calls
	}
	if r.shared.web == nil {
		r.shared.web = r.options.web.exchangeBudget()
	}
	c := &calls{
		now:    r.now,
		budget: r.options.web.ruleBudget(r.shared.web),
		handed: make(chan struct{}, 1),
		open:   map[int64]*webCall{},
	}
	c.ctx, c.cancel = context.WithCancelCause(r.ctx)
	r.onInterrupt(c.cancel)
	r.calls = c
	return c
}

// hand gives a call that has ended to the rule's goroutine.
func (c *calls) hand(call *webCall) {
	c.mu.Lock()
	c.ended = append(c.ended, call)
	c.mu.Unlock()
	select {
	case c.handed <- struct{}{}:
	default: // it has been told
	}
}

// take removes and returns the call that ended first, or nil.
func (c *calls) take() *webCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ended) > 0 {
		call := c.ended[0]
		c.ended = c.ended[1:]
		if c.open[call.id] != nil {
			c.close(call)
			return call
		}
	}
	return nil
}

// close removes a call from those that are open. It may be under way still.
func (c *calls) close(call *webCall) {
	call.cancel()
	delete(c.open, call.id)
	if len(c.open) == 0 {
		c.passed += c.now().Sub(c.since)
	}
}

// drop cancels a call, whose result then goes nowhere.
func (c *calls) drop(id int64) {
	if call := c.open[id]; call != nil {
		c.close(call)
	}
}

// waiting is the real time during which calls were open.
func (c *calls) waiting() time.Duration {
	if len(c.open) == 0 {
		return c.passed
	}
	return c.passed + c.now().Sub(c.since)
}

// elapsed is the time on which timers are due: what timers have skipped, and the real time during
// which calls were open.
func (r *run) elapsed() time.Duration {
	if r.calls == nil {
		return r.skipped
	}
	return r.skipped + r.calls.waiting()
}

// step does the next thing that a rule has left to do, when none of its functions is running. It
// returns false if there is nothing.
func (r *run) step() bool {
	if r.stopped() != nil {
		return false
	}
	if r.calls == nil || len(r.calls.open) == 0 {
		return r.skipToTimer()
	}
	if r.ctx.Err() != nil {
		r.interrupt(context.Cause(r.ctx))
		return false
	}
	if call := r.calls.take(); call != nil {
		call.done(call.answer, call.err)
		return true
	}
	if len(r.timers.list) == 0 {
		r.calls.wait(nil)
		return true
	}
	first := r.timers.list[0].at
	if left := first - r.elapsed(); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		if !r.calls.wait(timer.C) {
			return true
		}
		// A clock that stands still does not see that the time has passed.
		r.calls.passed += max(0, first-r.elapsed())
	}
	r.fire(r.timers.next())
	return true
}

// wait waits until a call has ended, the calls are cancelled, or a timer is due. It reports whether
// the timer is.
func (c *calls) wait(timer <-chan time.Time) (due bool) {
	select {
	case <-c.handed:
		return false
	case <-c.ctx.Done():
		// The rule is stopped, or is about to notice that its exchange has ended.
		return false
	case <-timer:
	}
	// A call that has ended in time wins, even if the rule was busy.
	select {
	case <-c.handed:
		return false
	default:
		return true
	}
}

// endCalls ends all calls of a turn. If the rule was not stopped, its calls first get up to
// lastCalls to end by themselves.
func (r *run) endCalls() {
	c := r.calls
	if c == nil {
		return
	}
	over := time.AfterFunc(min(lastCalls, r.limit-r.spent()), func() { c.cancel(context.Canceled) })
	defer over.Stop()
	for len(c.open) > 0 && c.ctx.Err() == nil { // the end of rule or exchange is an error
		if c.take() == nil {
			c.wait(nil)
		}
	}
	c.cancel(context.Canceled)
	c.running.Wait()
}
