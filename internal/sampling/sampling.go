// Package sampling says how many of their generated cases tests run.
//
// go test ./... runs a part of them, so that it is quick. With the build tag matrix all run:
// .ci/run does so for the tests that it lists.
package sampling

// Of returns how many of n cases to run: all with the build tag matrix, and otherwise one of
// [Divisor], at least one.
func Of(n int) int { return max(n/Divisor, 1) }
