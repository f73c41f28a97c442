//go:build !matrix

package sampling

// Share is the part of the cases that run: one of so many.
const Share = 8
