package iampolicy

import "strings"

// A token is one character of a pattern, or one of the wildcards below.
type token rune

const (
	anyRun  token = -1 - iota // * that crosses colons
	partRun                   // * that does not
	anyOne                    // ? that can be a colon
	partOne                   // ? that cannot
)

// literal returns the tokens of a text without wildcards.
func literal(text string) []token {
	tokens := make([]token, 0, len(text))
	for _, r := range text {
		tokens = append(tokens, token(r))
	}
	return tokens
}

// wildcards returns the tokens of a text in which * stands for any characters and ? for one.
func wildcards(text string) []token {
	tokens := literal(text)
	for i, t := range tokens {
		switch t {
		case '*':
			tokens[i] = anyRun
		case '?':
			tokens[i] = anyOne
		}
	}
	return tokens
}

// ofResource limits the wildcards of a pattern for ARNs to their part. In the five parts before
// the resource a wildcard stands for characters of its part, but a * at the end of a part "can
// expand to match beyond the colon boundaries" (IAM User Guide, IAM JSON policy elements:
// Resource).
func ofResource(tokens []token) []token {
	colons := 0
	for i, t := range tokens {
		last := i+1 == len(tokens) || tokens[i+1] == ':'
		switch {
		case colons == colonsOfARN:
			return tokens
		case t == ':':
			colons++
		case t == anyRun && !last:
			tokens[i] = partRun
		case t == anyOne:
			tokens[i] = partOne
		}
	}
	return tokens
}

// match reports whether a pattern matches a whole text. It takes at most as many steps as the
// product of the two lengths, whatever the pattern is.
func match(pattern []token, text []token) bool {
	// reached[i] says that the first i tokens match the text so far.
	reached := make([]bool, len(pattern)+1)
	next := make([]bool, len(pattern)+1)
	reached[0] = true
	skipRuns(pattern, reached)
	for _, c := range text {
		clear(next)
		alive := false
		for i, t := range pattern {
			if !reached[i] {
				continue
			}
			switch {
			case t == anyRun || t == partRun && c != ':':
				next[i] = true
			case t == c || t == anyOne || t == partOne && c != ':':
				next[i+1] = true
			default:
				continue
			}
			alive = true
		}
		if !alive {
			return false
		}
		skipRuns(pattern, next)
		reached, next = next, reached
	}
	return reached[len(pattern)]
}

// skipRuns notes that a * can stand for nothing.
func skipRuns(pattern []token, reached []bool) {
	for i, t := range pattern {
		if reached[i] && (t == anyRun || t == partRun) {
			reached[i+1] = true
		}
	}
}

// colonsOfARN is how many colons an ARN has before its resource:
// arn:partition:service:region:account:resource.
const colonsOfARN = 5

// partsOf splits an ARN, or a pattern for one, at its first five colons.
func partsOf(arn []token) (parts [][]token) {
	from := 0
	for i, t := range arn {
		if t == ':' && len(parts) < colonsOfARN {
			parts = append(parts, arn[from:i])
			from = i + 1
		}
	}
	return append(parts, arn[from:])
}

// isARN reports whether the text has the six parts of an ARN.
func isARN(text string) bool {
	return strings.HasPrefix(text, "arn:") && strings.Count(text, ":") >= colonsOfARN
}

// matchARN compares each of the six parts of an ARN on its own (IAM User Guide, Condition
// operators, Amazon Resource Name (ARN) condition operators).
func matchARN(pattern, arn []token) bool {
	want := partsOf(pattern)
	parts := partsOf(arn)
	if len(want) != len(parts) || len(parts) != colonsOfARN+1 {
		return false
	}
	for i := range want {
		if !match(want[i], parts[i]) {
			return false
		}
	}
	return true
}

// Like reports whether a text matches a pattern in which * stands for any characters, or none, and
// ? for exactly one. It is the comparison of StringLike: case counts. It takes at most as many
// steps as the product of the two lengths.
func Like(pattern, text string) bool { return match(wildcards(pattern), literal(text)) }
