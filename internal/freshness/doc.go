// Package freshness keeps values for a limited time. Cached credentials end, values are
// replaced before they do, names that failed rest, checks count for a minute, and a token that was
// used may not come twice. All of it is bounded, takes its time from a clock of the caller's, and
// leaves nothing running without requests.
package freshness
