package jsrules

import (
	"slices"
	"time"

	"github.com/dop251/goja"
)

// timers are the rule's: they do not wait. The earliest is next, at a time that is then said to have come.
type timers struct {
	list []*timer // by time, and of the same time in order
	last int64
}

type timer struct {
	id        int64
	at        time.Duration // since the rule began, counting skipped time alone
	every     time.Duration // 0: once
	call      goja.Callable
	arguments []goja.Value
}

// next takes the earliest timer out, or sets it anew if it repeats. It is nil if there is none.
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

// delay is what Node makes of a delay: at least a millisecond, and one that is no number is that too.
func delay(value goja.Value) time.Duration {
	milliseconds := value.ToFloat()
	if !(milliseconds >= 1 && milliseconds <= 1<<31-1) {
		milliseconds = 1
	}
	return time.Duration(milliseconds * float64(time.Millisecond))
}

func (r *run) setTimer(call goja.FunctionCall, after, every time.Duration, arguments int) goja.Value {
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
		at:    r.skipped + after,
		every: every,
		call:  function,
		// call.Arguments is a part of goja's stack, where the next call writes.
		arguments: slices.Clone(call.Arguments[min(arguments, len(call.Arguments)):]),
	})
	return r.rt.ToValue(r.timers.last)
}

func (r *run) clearTimer(call goja.FunctionCall) goja.Value {
	id := call.Argument(0).ToInteger()
	r.timers.list = slices.DeleteFunc(r.timers.list, func(t *timer) bool { return t.id == id })
	return goja.Undefined()
}
