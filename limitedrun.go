package delegation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation/internal/guard"
)

// errNoTurn says that code was not called within its limit.
var errNoTurn = fmt.Errorf("%d other rules or profile loads were running all the time", maxRuleRuns)

// limitedCode is code that is called in steps, such as rules.
type limitedCode interface {
	// name is what a step counts under when it hangs.
	name(step int) string
	// call makes a step. It does not panic.
	call(ctx context.Context, step int) error
}

// limitedRuns are the runs of a Delegator.
type limitedRuns struct {
	slots chan struct{} // one is held by each goroutine

	someLeft atomic.Bool // says that left is not empty
	mu       sync.Mutex
	left     map[string]int // by name: steps that were left and have not returned
}

func newLimitedRuns() *limitedRuns {
	return &limitedRuns{
		slots: make(chan struct{}, maxRuleRuns),
		left:  map[string]int{},
	}
}

// stuck tells whether no step of a name may begin, because too many have not returned.
func (l *limitedRuns) stuck(name string) bool {
	if !l.someLeft.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.left[name] >= guard.MaxStuck
}

// returned notes that a step that was left has returned.
func (l *limitedRuns) returned(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left[name]--
	if l.left[name] == 0 {
		delete(l.left, name)
	}
	l.someLeft.Store(len(l.left) > 0)
}

// Values of limitedRun.at that are not a step.
const (
	atEnd  = -1 // the run has ended
	atLeft = -2 // the run was left
)

// limitedRun is a run of steps on a goroutine of its own. The one who waits for it may leave it.
// Then the step that runs is the last one, and what it returns reaches nobody.
type limitedRun struct {
	limit  *ruleLimit
	parent context.Context // of the exchange, or of the code that calls this
	code   limitedCode
	what   string // the code, in errors
	steps  []stepContext

	began time.Time
	// stepBegan is how long after began the current step began. It is set before at.
	stepBegan atomic.Int64
	at        atomic.Int64 // the current step, atEnd or atLeft

	ended chan struct{} // closed with atEnd
	// To be read after ended.
	last int
	err  error
}

// takeTurn waits until the run may have a goroutine.
func (r *limitedRun) takeTurn(timer *time.Timer) error {
	select {
	case r.limit.runs.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case r.limit.runs.slots <- struct{}{}:
		return nil
	case <-r.parent.Done():
		return r.parent.Err()
	case <-timer.C:
		return r.timeError(errNoTurn)
	}
}

func (r *limitedRun) timeError(err error) error {
	return &ruleTimeError{r.what, r.limit.timeout, err}
}

// work makes the steps.
func (r *limitedRun) work(hasSlot bool) {
	defer r.end(hasSlot)
	for i := range r.steps {
		if i > 0 && !r.next() {
			return
		}
		err := r.step(&r.steps[i])
		if err != nil || i == len(r.steps)-1 || r.parent.Err() != nil {
			r.err = err
			return
		}
	}
}

// next goes on to the next step, unless the run was left.
func (r *limitedRun) next() bool {
	r.stepBegan.Store(int64(time.Since(r.began)))
	if !r.at.CompareAndSwap(int64(r.last), int64(r.last+1)) {
		return false
	}
	r.last++
	return true
}

// step makes the current step.
func (r *limitedRun) step(ctx *stepContext) error {
	if r.limit.runs.stuck(r.code.name(r.last)) {
		return r.timeError(guard.ErrStuck)
	}
	ctx.run = r
	ctx.began = time.Duration(r.stepBegan.Load())
	defer ctx.end()
	err := r.code.call(ctx, r.last)
	switch {
	case err == nil && r.limit.abandoned.Load():
		return r.timeError(errStillRuns)
	case err != nil && endedByContext(err) && ctx.timeIsOver():
		return r.timeError(err)
	}
	return err
}

// end is the end of the goroutine. If the run was left meanwhile, its last step has returned.
func (r *limitedRun) end(hasSlot bool) {
	if hasSlot {
		<-r.limit.runs.slots
	}
	if r.at.CompareAndSwap(int64(r.last), atEnd) {
		close(r.ended)
		return
	}
	r.limit.runs.returned(r.code.name(r.last))
}

// wait returns what the last step has returned, or leaves the run: when the time of a step is over,
// or with leaves.
func (r *limitedRun) wait(timer *time.Timer, leaves <-chan struct{}) (last int, err error) {
	for {
		select {
		case <-r.ended:
			return r.last, r.err
		case <-leaves:
			leaves = nil
			for at := r.at.Load(); at != atEnd; at = r.at.Load() {
				if r.leave(at) {
					return int(at), r.parent.Err()
				}
			}
		case <-timer.C:
			at := r.at.Load()
			begun := time.Duration(r.stepBegan.Load())
			remaining := r.limit.timeout - (time.Since(r.began) - begun)
			if remaining <= 0 && at != atEnd && r.leave(at) {
				return int(at), r.timeError(context.DeadlineExceeded)
			}
			timer.Reset(max(remaining, 0))
		}
	}
}

// leave leaves the run at a step, if that is still the current one.
func (r *limitedRun) leave(step int64) bool {
	runs := r.limit.runs
	runs.mu.Lock()
	defer runs.mu.Unlock()
	if !r.at.CompareAndSwap(step, atLeft) {
		return false
	}
	runs.left[r.code.name(int(step))]++
	runs.someLeft.Store(true)
	r.limit.abandoned.Store(true)
	return true
}

// stepContext is the context of one step. It ends with the step's limit, and with the step. Most
// rules never use their context, so the context with a deadline is made only when it is used.
type stepContext struct {
	run   *limitedRun
	began time.Duration // after run.began

	mu     sync.Mutex
	limits context.Context // nil: nobody has asked
	cancel context.CancelFunc
	over   bool // the step has ended
}

// limited returns the context that does what this one is asked for.
func (c *stepContext) limited() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits == nil {
		deadline := c.run.began.Add(c.began + c.run.limit.timeout)
		c.limits, c.cancel = context.WithDeadlineCause(c.run.parent, deadline, errRuleTime)
		if c.over {
			c.cancel()
		}
	}
	return c.limits
}

func (c *stepContext) Deadline() (time.Time, bool) { return c.limited().Deadline() }
func (c *stepContext) Done() <-chan struct{}       { return c.limited().Done() }
func (c *stepContext) Err() error                  { return c.limited().Err() }

// Value asks the context that ends, so that package context knows it.
func (c *stepContext) Value(key any) any {
	c.mu.Lock()
	asked := c.limits
	c.mu.Unlock()
	if asked == nil {
		asked = c.run.parent
	}
	return asked.Value(key)
}

// end is the end of the step.
func (c *stepContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.cancel != nil {
		c.cancel()
	}
}

// timeIsOver tells whether the step's limit has ended its context, and nothing else has.
func (c *stepContext) timeIsOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.limits != nil && c.limits.Err() != nil && c.run.parent.Err() == nil
}
