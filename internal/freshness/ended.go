package freshness

import (
	"context"
	"time"
)

// endedKey is the key of [WithEnded] in a context.
type endedKey struct{}

// WithEnded returns a context for what is loaded for a user whose sessions were ended at that time.
// The time is that of the newest mark of the user, by the clock of the process that made it. Zero:
// there is no mark.
func WithEnded(ctx context.Context, ended time.Time) context.Context {
	if ended.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, endedKey{}, ended)
}

// EndedOf returns the time of [WithEnded]; zero if there is none. Whatever was loaded for an
// earlier one must not be used: the user's rights may have changed since. Only such times are
// compared, because the clock of another process may differ from this one's.
func EndedOf(ctx context.Context) time.Time {
	ended, _ := ctx.Value(endedKey{}).(time.Time)
	return ended
}
