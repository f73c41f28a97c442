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

// tick is the interval at which a run is checked. Rules usually end before the first check.
const tick = 5 * time.Millisecond

// underWay counts the runs of the process that can make memory grow. Memory is counted for the
// whole process, too.
var underWay atomic.Int64

// memoryOfOthers is how many bytes each other run may hold without a run being blamed for it. A
// runtime with a library such as moment-timezone holds some 5 MB, for as long as its rule waits.
const memoryOfOthers = 8 << 20

// room returns how many bytes the other runs that are under way may hold.
func room() uint64 { return memoryOfOthers * uint64(max(underWay.Load()-1, 0)) }

// watch stops a run that takes too long, lets memory grow, or whose context has ended.
type watch struct {
	ctx     context.Context
	runtime *goja.Runtime // nil after stop
	now     func() time.Time
	began   time.Time
	limit   time.Duration
	// skipped is the time of timers, which do not wait. Only the run itself uses it.
	skipped time.Duration
	// reason is why the run was interrupted.
	reason atomic.Pointer[error]
	// wake is called when the run is interrupted, or nil.
	wake atomic.Pointer[context.CancelCauseFunc]

	mu    sync.Mutex
	timer *time.Timer
	over  bool
	// grows says that the run is counted in underWay.
	grows bool
	// base is how many bytes were live when the run began, or at the first check.
	base uint64
	// suspects is the size of the heap from which live memory is measured again.
	suspects uint64
	// enough is the size of the heap at which the run ends at once.
	enough uint64
}

// start begins to check the run. It measures memory now if the run can make memory grow: on a busy
// machine the first check may come late.
func (w *watch) start(grows bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if grows {
		w.grows = true
		underWay.Add(1)
		w.measure(memory())
	}
	w.timer = time.AfterFunc(tick, w.look)
}

// stop ends the checks. For a while the Go runtime keeps a timer that was stopped, and all that it
// refers to, which must not be the run.
func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
	w.runtime = nil
	if w.grows {
		underWay.Add(-1)
	}
}

// spent is the time that the rule has taken, with the time that its timers have skipped.
func (w *watch) spent() time.Duration { return w.now().Sub(w.began) + w.skipped }

// interrupt ends the run at the next instruction, or at the next guarded built-in function. Only
// the first reason is kept.
func (w *watch) interrupt(reason error) {
	if w.reason.CompareAndSwap(nil, &reason) {
		if w.runtime != nil {
			w.runtime.Interrupt(reason)
		}
		if wake := w.wake.Load(); wake != nil {
			(*wake)(reason)
		}
	}
}

// onInterrupt has a function called when the run is interrupted, at once if it has been.
func (w *watch) onInterrupt(wake context.CancelCauseFunc) {
	w.wake.Store(&wake)
	if reason := w.stopped(); reason != nil {
		wake(reason)
	}
}

// stopped returns why the run was interrupted, or nil.
func (w *watch) stopped() error {
	if reason := w.reason.Load(); reason != nil {
		return *reason
	}
	return nil
}

// look checks the run, on the goroutine of the timer.
func (w *watch) look() {
	if w.suspicious(memory()) {
		w.checkLiveMemory()
	}
}

// suspicious interrupts a run that must end, and otherwise sets the timer for the next check. It
// reports whether the heap has grown so far that live memory must be measured.
func (w *watch) suspicious(m memoryUse) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.suspects == 0 {
		w.measure(m)
	}
	if w.over {
		return false
	}
	suspicious := false
	switch {
	case w.ctx.Err() != nil:
		w.interrupt(context.Cause(w.ctx))
	case w.now().Sub(w.began) > w.limit:
		w.interrupt(ErrTimeout)
	case m.heap > w.enough+room():
		// There is no time to measure live memory: a text that doubles with every instruction soon
		// fills the machine.
		w.interrupt(ErrMemory)
	case m.heap > w.suspects+room():
		w.suspects = m.heap + maxMemory
		suspicious = true
	}
	w.timer.Reset(tick)
	return suspicious
}

// checkLiveMemory interrupts the run if live memory has grown too much. Memory is counted for the
// whole process, so a rule is blamed only after a collection. A large process may grow by a half.
func (w *watch) checkLiveMemory() {
	if w.stopped() != nil {
		return
	}
	runtime.GC()
	live := memory().live
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over { // the runtime may be running another rule
		return
	}
	if live > w.base+max(maxMemory, w.base/2)+room() {
		w.interrupt(ErrMemory)
	}
}

// measure sets what growth is measured from. Go lets garbage grow up to its goal. The caller holds
// the lock.
func (w *watch) measure(m memoryUse) {
	w.base = m.live
	w.suspects = m.goal + maxMemory
	w.enough = m.goal + 4*maxMemory
}

// memoryUse is the memory of the process, in bytes.
type memoryUse struct {
	heap uint64 // all objects
	live uint64 // the objects that the last collection found alive
	goal uint64 // the size of the heap at which the next collection begins
}

func memory() memoryUse {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/heap/goal:bytes"},
	}
	metrics.Read(samples)
	m := memoryUse{
		heap: samples[0].Value.Uint64(),
		live: samples[1].Value.Uint64(),
		goal: samples[2].Value.Uint64(),
	}
	if m.goal > 1<<62 { // without garbage collection (GOGC=off) there is no goal
		m.goal = 2 * m.live
	}
	return m
}
