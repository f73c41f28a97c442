package freshness

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// valueAhead is how long before the end of a value's life its replacement is due.
	valueAhead = 15 * time.Minute
	// valueShare limits this to the last quarter of a value's life, so that a short-lived value is
	// not replaced all the time.
	valueShare = 4
	// valuePause is the time between the beginnings of two attempts while the old value is good.
	valuePause = 10 * time.Second
)

// jitterShare is the largest share by which a window before the end of a life shrinks. So values
// that were made together, such as those of pods that started together, are not replaced together.
const jitterShare = 0.2

// Jittered shrinks a window before the end of a life by up to a fifth. random, in [0, 1), says by
// how much of that.
func Jittered(window time.Duration, random float64) time.Duration {
	return window - time.Duration(float64(window)*jitterShare*random)
}

var errLate = errors.New("there was no value, or it had expired when it came")

// Value is a value that expires, such as credentials. It is replaced when it is used, ahead of its
// end and in the background, so there is no idle goroutine. Only [NewValue] makes one.
type Value[T any] struct {
	fetch  func(context.Context) (T, time.Time, error)
	now    func() time.Time
	random func() float64

	mu          sync.Mutex
	value       T
	due         time.Time    // when the replacement is due; zero: there is no value yet
	until       time.Time    // when the value expires; zero: likewise
	attempted   time.Time    // when the last fetch began
	replacement *replacement // nil: no fetch is under way
}

// replacement is one fetch, shared by all callers who want it.
type replacement struct {
	early bool          // it began while there was a good value
	done  chan struct{} // closed when the fetch has ended and its value is kept
	err   error         // read after done is closed
}

// NewValue returns a Value without a value. fetch returns a value and its expiry. Its context has
// the values of a caller's context, but neither its cancellation nor its deadline, so fetch must
// limit itself. It runs on its own goroutine, never twice at once. random returns numbers in [0,
// 1), which delay each replacement: see [Jittered].
func NewValue[T any](
	now func() time.Time, random func() float64, fetch func(context.Context) (T, time.Time, error),
) *Value[T] {
	return &Value[T]{now: now, random: random, fetch: fetch}
}

// Get returns a good value, and when it is worth asking for another: at the latest when the value
// ends, usually well before. It returns a good value at once, even if the context has ended.
// Without one, Get waits for a fetch. All callers who wait share that fetch, which continues if one
// of them gives up. The error is then the fetch's, or the context's.
func (v *Value[T]) Get(ctx context.Context) (value T, again time.Time, err error) {
	v.mu.Lock()
	now := v.now()
	good := now.Before(v.until)
	if v.replacement == nil && (!good || v.wantsReplacement(now)) {
		v.attempted = now
		v.replacement = &replacement{early: good, done: make(chan struct{})}
		go v.refresh(context.WithoutCancel(ctx), v.replacement)
	}
	if good {
		defer v.mu.Unlock()
		return v.value, v.again(now), nil
	}
	replacement := v.replacement
	v.mu.Unlock()
	select {
	case <-replacement.done:
	case <-ctx.Done():
		return value, time.Time{}, ctx.Err()
	}
	if replacement.err != nil && replacement.early {
		return v.Get(ctx) // it began too early to say anything about now
	}
	if replacement.err != nil {
		return value, time.Time{}, replacement.err
	}
	if value, again, good := v.Peek(); good {
		return value, again, nil
	}
	return value, time.Time{}, errLate
}

// wantsReplacement tells, under the lock, whether a good value is due for replacement and the last
// attempt was long enough ago.
func (v *Value[T]) wantsReplacement(now time.Time) bool {
	since := now.Sub(v.attempted)
	clockSetBack := since < 0
	return !now.Before(v.due) && (since >= valuePause || clockSetBack)
}

// Peek returns what Get would return at once, if there is a good value, and starts nothing.
func (v *Value[T]) Peek() (value T, again time.Time, good bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := v.now(); now.Before(v.until) {
		return v.value, v.again(now), true
	}
	return value, time.Time{}, false
}

// again says, under the lock, when it is worth asking again: once a replacement is due, after each
// pause.
func (v *Value[T]) again(now time.Time) time.Time {
	if now.Before(v.due) {
		return v.due
	}
	if next := now.Add(valuePause); next.Before(v.until) {
		return next
	}
	return v.until
}

// refresh fetches a value and keeps it; a fetch that fails leaves the old one.
func (v *Value[T]) refresh(ctx context.Context, f *replacement) {
	defer func() { // also if the fetch ends its goroutine
		v.mu.Lock()
		v.replacement = nil
		v.mu.Unlock()
		close(f.done)
	}()
	value, until, err := v.fetch(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	life := until.Sub(v.now())
	if err == nil && life <= 0 {
		err = errLate
	}
	f.err = err
	if err != nil {
		return
	}
	// If the fetch returned the old value, its replacement stays due.
	if !until.Equal(v.until) {
		v.due = until.Add(-Jittered(min(valueAhead, life/valueShare), v.random()))
	}
	v.value = value
	v.until = until
}
