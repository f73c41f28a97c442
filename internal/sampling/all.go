//go:build matrix

package sampling

// Divisor is by how much the number of cases is divided: not at all.
const Divisor = 1
