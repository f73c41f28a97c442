package iam

// CountKnown is how many regions are known, of all partitions.
func CountKnown() (n int) {
	for _, p := range partitions {
		n += len(p.known)
	}
	return n
}
