package idtoken

// Lookalike returns the one of the names that a text becomes by case folding, and is not.
func Lookalike(text string, list ...string) (name string, ok bool) {
	return namesOf(list...).lookalike(text)
}
