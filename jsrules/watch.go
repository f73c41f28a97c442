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
	began    time.Time
	limit    time.Duration
	skipped  time.Duration // by timers, which do not wait; the run's own
	reason   atomic.Pointer[error]
	mu       sync.Mutex
	timer    *time.Timer
	over     bool
	base     uint64 // bytes of live memory at the first look
	suspects uint64 // bytes from which memory is measured anew
}

func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(tick, w.look)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
}

// spent is the time the rule has taken, with the time that its timers have skipped.
func (w *watch) spent() time.Duration { return time.Since(w.began) + w.skipped }

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
	switch {
	case w.ctx.Err() != nil:
		w.interrupt(context.Cause(w.ctx))
	case time.Since(w.began) > w.limit:
		w.interrupt(ErrTimeout)
	case w.grown():
		w.interrupt(ErrMemory)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.timer.Reset(tick)
	}
}

// grown reports whether live memory has grown too much since the first look. Go counts it for the whole process, garbage included,
// so it is measured anew, after a collection, before a rule is blamed; and a large process may grow by a half first, lest it is kept collecting.
func (w *watch) grown() bool {
	heap := heapBytes()
	if w.suspects == 0 {
		w.base, w.suspects = heap, heap+max(maxMemory, heap/2)
	}
	if heap < w.suspects {
		return false
	}
	runtime.GC()
	heap = heapBytes()
	w.suspects = heap + maxMemory/2
	return heap > w.base+max(maxMemory, w.base/2)
}

func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
