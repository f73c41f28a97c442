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
	// valueShare is the part of a life that this is at most, the last quarter, so that a short one
	// is not replaced all the time.
	valueShare = 4
	// valuePause lies between the beginnings of two attempts while the old value is good.
	valuePause = 10 * time.Second
)

// jitterShare is the largest share by which a window before the end of a life shrinks, so that
// values of one moment, such as those of pods that started together, are not replaced in one
// moment.
const jitterShare = 0.2

// Jittered shrinks a window before the end of a life by up to a fifth: by as much of it as random
// says, which is in [0, 1).
func Jittered(window time.Duration, random float64) time.Duration {
	return window - time.Duration(float64(window)*jitterShare*random)
}

var errLate = errors.New("there was no value, or it had expired when it came")

// Value is a value that expires, such as credentials. It is replaced when it is used, ahead of its
// end and off the path of those who use it, so there is no idle goroutine. Only [NewValue] makes
// one.
type Value[T any] struct {
	fetch  func(context.Context) (T, time.Time, error)
	now    func() time.Time
	random func() float64

	mu          sync.Mutex
	value       T
	due         time.Time    // when the replacement is due; zero: there is no value yet
	until       time.Time    // until when the value is good; likewise
	attempted   time.Time    // when the last fetch began
	replacement *replacement // nil: no fetch is under way
}

// replacement is one fetch, which all share who want it.
type replacement struct {
	early bool          // it began while there was a good value
	done  chan struct{} // closed when the fetch has ended and what it brought is kept
	err   error         // read behind done
}

// NewValue returns a Value without a value. fetch returns one, and until when it is good. Its
// context has the values of a caller's, and neither its end nor its deadline: fetch must end by
// itself. It runs on a goroutine of its own, never twice at once. random returns numbers in [0, 1):
// each value is replaced by up to a fifth of the time later than it could be, see [Jittered].
func NewValue[T any](
	now func() time.Time, random func() float64, fetch func(context.Context) (T, time.Time, error),
) *Value[T] {
	return &Value[T]{now: now, random: random, fetch: fetch}
}

// Get returns a good value and when it is worth asking for another: never after the value's end,
// mostly well before it. A good value is returned at once, whatever the context says. Only without
// one Get waits for a fetch, which all share who wait at the same time and which goes on when one
// of them gives up; then the error is the fetch's, or the context's.
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
		return v.Get(ctx) // a failure of then, perhaps slow, is not one of now
	}
	if replacement.err != nil {
		return value, time.Time{}, replacement.err
	}
	if value, again, good := v.Peek(); good {
		return value, again, nil
	}
	return value, time.Time{}, errLate
}

// wantsReplacement tells, under the lock, whether a good value is due for one and the last attempt
// is a while ago.
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
	// If the fetch found the old value somewhere, a new one is as due as before.
	if !until.Equal(v.until) {
		v.due = until.Add(-Jittered(min(valueAhead, life/valueShare), v.random()))
	}
	v.value = value
	v.until = until
}
