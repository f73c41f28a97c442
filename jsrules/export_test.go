package jsrules

import "time"

// WithClock returns the options with another clock for the limits. Looks at a run come as often as
// ever; what the clock says then decides.
func (o Options) WithClock(now func() time.Time) Options {
	o.clock = now
	return o
}
