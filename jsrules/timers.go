package jsrules

import (
	"slices"
	"time"

	"github.com/dop251/goja"
)

// timers are the timers that a rule has set. They do not wait: when nothing else is left to do, the
// earliest one is due, and the clock moves to its time. While a call over HTTP is under way they do
// wait, see [run.step].
type timers struct {
	list []*timer // by time, and for the same time in the order of setting
	last int64    // the last id
}

type timer struct {
	id int64
	// at is the time at which the timer is due, see [run.elapsed]. Time that the rule takes does
	// not count.
	at time.Duration
	// every is the interval of a timer that repeats, or 0.
	every     time.Duration
	call      goja.Callable
	arguments []goja.Value
}

// next removes and returns the earliest timer. A timer that repeats is set again. Without timers it
// returns nil.
func (t *timers) next() *timer {
	if len(t.list) == 0 {
		return nil
	}
	first := t.list[0]
	t.list = t.list[1:]
	if first.every > 0 {
		again := *first
		again.at += first.every
		t.add(&again)
	}
	return first
}

// skipToTimer calls the earliest timer, and moves the clock to its time. It returns false if there
// is none, or if the time of the rule ends before.
func (r *run) skipToTimer() bool {
	next := r.timers.next()
	if next == nil {
		return false
	}
	r.skipped += max(0, next.at-r.elapsed())
	if r.spent() > r.limit {
		r.interrupt(ErrTimeout)
		return false
	}
	r.fire(next)
	return true
}

// fire calls the function of a timer.
func (r *run) fire(t *timer) { r.must(t.call(goja.Undefined(), t.arguments...)) }

func (t *timers) add(added *timer) {
	at := slices.IndexFunc(t.list, func(other *timer) bool { return other.at > added.at })
	if at < 0 {
		at = len(t.list)
	}
	t.list = slices.Insert(t.list, at, added)
}

func (r *run) setTimeout(call goja.FunctionCall) goja.Value {
	return r.setTimer(call, delay(call.Argument(1)), 0, 2)
}

func (r *run) setInterval(call goja.FunctionCall) goja.Value {
	every := delay(call.Argument(1))
	return r.setTimer(call, every, every, 2)
}

func (r *run) setImmediate(call goja.FunctionCall) goja.Value { return r.setTimer(call, 0, 0, 1) }

// delay reads a delay as Node does. It is one millisecond for anything that is not a number between
// 1 and 2³¹-1.
func delay(value goja.Value) time.Duration {
	milliseconds := value.ToFloat()
	if !(milliseconds >= 1 && milliseconds <= 1<<31-1) {
		milliseconds = 1
	}
	return time.Duration(milliseconds * float64(time.Millisecond))
}

// setTimer adds a timer. Its function gets the arguments of the call from the given one on.
func (r *run) setTimer(
	call goja.FunctionCall, after, every time.Duration, arguments int,
) goja.Value {
	function, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(r.rt.NewTypeError("a timer needs a function"))
	}
	if len(r.timers.list) >= maxDepth {
		panic(r.rangeError("too many timers"))
	}
	r.timers.last++
	r.timers.add(&timer{
		id:    r.timers.last,
		at:    r.elapsed() + after,
		every: every,
		call:  function,
		// call.Arguments is a part of goja's stack, which the next call overwrites.
		arguments: slices.Clone(call.Arguments[min(arguments, len(call.Arguments)):]),
	})
	return r.rt.ToValue(r.timers.last)
}

func (r *run) clearTimer(call goja.FunctionCall) goja.Value {
	id := call.Argument(0).ToInteger()
	r.timers.list = slices.DeleteFunc(r.timers.list, func(t *timer) bool { return t.id == id })
	return goja.Undefined()
}
