//go:build !matrix

package sampling

// Divisor is by how much the number of cases is divided.
const Divisor = 8
