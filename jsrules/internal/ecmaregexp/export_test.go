package ecmaregexp

// Least returns the least character that counts as the same as another with the flag i, and with u
// if unicode is true.
func Least(c rune, unicode bool) rune {
	same := sameUnits(c)
	if unicode {
		same = samePoints(c)
	}
	for _, other := range same {
		c = min(c, other)
	}
	return c
}

// Property calls a function for each character of a property, in order.
func Property(name string, each func(rune)) error {
	made, err := propertySet(name)
	if err != nil {
		return err
	}
	for _, r := range made.ranges {
		for c := r.low; c <= r.high; c++ {
			each(c)
		}
	}
	return nil
}
