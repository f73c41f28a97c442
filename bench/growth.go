package main

import "fmt"

// claimCost adds the row of one more claim.
func (b *bench) claimCost(ours, golang *figures, large []*figures) {
	more := float64(manyClaims - 16)
	perClaim := func(few, many *figures) (fastest, typical float64) {
		return (many.fastest() - few.fastest()) / more, (many.typical() - few.typical()) / more
	}
	fastest, typical := perClaim(ours, large[0])
	golangFastest, golangTypical := perClaim(golang, large[1])
	b.add(row{
		what:   "one more claim, µs (golang-jwt's in brackets)",
		min:    fmt.Sprintf("%.2f (%.2f)", fastest, golangFastest),
		median: fmt.Sprintf("%.2f (%.2f)", typical, golangTypical),
		allocs: fmt.Sprintf("%.1f", (large[0].allocs-ours.allocs)/more),
		goal:   "≤ golang-jwt's, ≤ 4 allocations",
		met:    fastest <= golangFastest && (large[0].allocs-ours.allocs)/more <= 4,
	})
}
