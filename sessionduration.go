package delegation

import "time"

// WithSessionDuration requests a session that is shorter than the decided one. A longer duration
// than the target and the rules decide is refused with [CodeDurationTooLong]. A duration outside 15
// minutes to 12 hours, or not in whole seconds, is refused with [CodeDurationInvalid]. Both are the
// caller's mistake. Rules read it in Request.SessionDuration, where it replaces the value of
// [WithRequest]. Zero has no effect.
func WithSessionDuration(d time.Duration) ExchangeOption {
	return func(o *exchangeOptions) { o.ask().sessionDuration = d }
}

// shorten makes the session as short as the caller asks for. Zero: nothing was asked for.
func (d *decision) shorten(asked time.Duration) error {
	if asked == 0 {
		return nil
	}
	decided := d.duration
	shorter := *d
	if err := shorter.setDuration(asked); err != nil {
		invalid := failureOf(err)
		invalid.Requested = true
		invalid.refused = nil // it is known whose mistake it is
		return invalid
	}
	if asked > decided {
		return newError(CodeDurationTooLong,
			"the caller requested a session of %s, but %s was decided", asked, decided)
	}
	d.duration = asked
	return nil
}
