package iam

// The forms of names, as loops: ARNs and regions are read in every exchange.

// isLower tells whether a text is of small letters, one at least.
func isLower(text string) bool {
	for i := range len(text) {
		if text[i] < 'a' || text[i] > 'z' {
			return false
		}
	}
	return text != ""
}

// isNumber tells whether a text is of digits, one at least.
func isNumber(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// isWord tells whether a text is of letters, digits and underscores, one at least.
func isWord(text string) bool {
	for i := range len(text) {
		if !isWordChar(text[i]) {
			return false
		}
	}
	return text != ""
}

func isWordChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
