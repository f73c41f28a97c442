package freshness

import (
	"context"
	"time"
)

// endedKey is the key of [WithEnded] in a context.
type endedKey struct{}

// WithEnded returns a context for what is loaded for a user whose sessions were ended at that time.
// The time is the latest Made of the marks that concern the user. Zero: there is no mark.
func WithEnded(ctx context.Context, ended time.Time) context.Context {
	if ended.IsZero() {
		return ctx
	}
	return context.WithValue(ctx, endedKey{}, ended)
}

// EndedOf returns the time of [WithEnded]; zero if there is none. Whatever was loaded for an
// earlier one must not be used: the user's rights may have changed since.
//
// Such times must be compared with each other only, and not with the clock of this process, which
// may differ from that of the process that made the mark. Two marks can be of different processes,
// too. If the clock of one is behind, its mark may not be the latest although it was made last, and
// what was loaded in between is used until its own time is over.
func EndedOf(ctx context.Context) time.Time {
	ended, _ := ctx.Value(endedKey{}).(time.Time)
	return ended
}
