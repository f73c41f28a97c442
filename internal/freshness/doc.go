// Package freshness keeps values for a limited time. It has a cache of credentials, values that are
// replaced before they expire, circuit breakers, results of checks that count for a minute, marks
// of what has been revoked, and a memory of used tokens. All of these are bounded, use the caller's
// clock, and run nothing without requests.
package freshness
