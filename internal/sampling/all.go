//go:build matrix

package sampling

// Share is the part of the cases that run: all.
const Share = 1
