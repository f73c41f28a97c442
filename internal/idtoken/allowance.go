package idtoken

import "time"

// allowance limits how often something is done: a number of times at once, and one more time after
// each interval. It is the generic cell rate algorithm, so one moment is all it has to remember.
type allowance struct {
	atOnce int
	every  time.Duration
	used   time.Time // when the full allowance is available again
}

// take uses up one time, and tells whether there was one left.
func (a *allowance) take(now time.Time) bool {
	if a.wait(now) > 0 {
		return false
	}
	a.used = a.used.Add(a.every)
	return true
}

// spend uses up one time if there is one left.
func (a *allowance) spend(now time.Time) { _ = a.take(now) }

// wait returns how long it takes until there is a time left. Zero or less: there is one now. It
// also limits used to a full allowance, so that a clock that was set back does not block for
// longer.
func (a *allowance) wait(now time.Time) time.Duration {
	empty := now.Add(time.Duration(a.atOnce) * a.every)
	if a.used.Before(now) {
		a.used = now
	}
	if a.used.After(empty) {
		a.used = empty
	}
	return a.used.Add(a.every).Sub(empty)
}
