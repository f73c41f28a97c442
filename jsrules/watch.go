package jsrules

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
)

// tick is how often a run is looked at. Rules usually end before the first time.
const tick = 5 * time.Millisecond

// watch stops a run that takes too long, lets memory grow, or is no longer wanted.
type watch struct {
	ctx      context.Context
	runtime  *goja.Runtime
	now      func() time.Time
	began    time.Time
	limit    time.Duration
	skipped  time.Duration // by timers, which do not wait; the run's own
	reason   atomic.Pointer[error]
	mu       sync.Mutex
	timer    *time.Timer
	over     bool
	base     uint64 // bytes of live memory when the run began, or at the first look
	suspects uint64 // bytes of all memory from which it is measured anew
	enough   uint64 // bytes of all memory at which the run ends at once
}

// start begins to look. What can make memory grow is measured from here: on a busy machine the first look may come late.
func (w *watch) start(grows bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if grows {
		w.measure(memory())
	}
	w.timer = time.AfterFunc(tick, w.look)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// spent is the time the rule has taken, with the time that its timers have skipped.
func (w *watch) spent() time.Duration { return w.now().Sub(w.began) + w.skipped }

// interrupt ends the run at the next instruction, or at the next guarded built-in function. The first reason counts.
func (w *watch) interrupt(reason error) {
	if w.reason.CompareAndSwap(nil, &reason) {
		w.runtime.Interrupt(reason)
	}
}

// stopped returns why the run was interrupted, or nil.
func (w *watch) stopped() error {
	if reason := w.reason.Load(); reason != nil {
		return *reason
	}
	return nil
}

// look runs on the timer's goroutine, and sets the timer again.
func (w *watch) look() {
	heap, live, goal := memory()
	w.mu.Lock()
	if w.suspects == 0 {
		w.measure(heap, live, goal)
	}
	base, suspicious := w.base, heap > w.suspects
	switch {
	case w.over:
		w.mu.Unlock()
		return
	case w.ctx.Err() != nil:
		w.interrupt(context.Cause(w.ctx))
	case w.now().Sub(w.began) > w.limit:
		w.interrupt(ErrTimeout)
	case heap > w.enough:
		w.interrupt(ErrMemory) // there is no time to make sure: a text that doubles is as large as the machine in a few instructions
	case suspicious:
		w.suspects = heap + maxMemory
	}
	w.timer.Reset(tick)
	w.mu.Unlock()

	// Memory is counted for the whole process, so a rule is blamed only behind a collection, and a large process may grow by a half first.
	if suspicious && w.stopped() == nil {
		runtime.GC()
		_, live, _ := memory()
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.over && live > base+max(maxMemory, base/2) { // over: the runtime may be another rule's
			w.interrupt(ErrMemory)
		}
	}
}

// measure sets, under the lock, what growth is measured from.
func (w *watch) measure(_, live, goal uint64) {
	w.base, w.suspects, w.enough = live, goal+maxMemory, goal+4*maxMemory // Go lets garbage grow up to its goal
}

// memory returns the bytes of all objects, of those that the last collection found alive, and those at which the next one begins.
func memory() (heap, live, goal uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/goal:bytes"}}
	metrics.Read(samples)
	goal = samples[2].Value.Uint64()
	if goal > 1<<62 { // without collection (GOGC=off) there is none
		goal = 2 * samples[1].Value.Uint64()
	}
	return samples[0].Value.Uint64(), samples[1].Value.Uint64(), goal
}
