package ecmaregexp

import (
	"slices"
	"sort"
	"unicode"
)

// set is a set of characters.
type set struct {
	ranges   []span
	fold     func(rune) []rune // the other characters that count as the same; nil: none
	negative bool              // the set is complemented after folding
	ascii    [128]bool         // the results of contains for ASCII
}

type span struct{ low, high rune }

// include adds a range, or the set if it is not nil. A set is included before it is folded.
func (s *set) include(low, high rune, other *set) {
	if other != nil {
		s.ranges = append(s.ranges, other.ranges...)
		return
	}
	s.ranges = append(s.ranges, span{low, high})
}

// finish prepares a set for contains.
func (s *set) finish(f flags) *set {
	made := &set{ranges: normal(s.ranges), negative: s.negative}
	if f.ignoreCase {
		made.fold = sameUnits
		if f.unicode {
			made.fold = samePoints
		}
	}
	for c := range rune(len(made.ascii)) {
		made.ascii[c] = made.search(c)
	}
	return made
}

// normal sorts ranges and joins those that touch.
func normal(ranges []span) []span {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b span) int { return int(a.low - b.low) })
	var joined []span
	for _, r := range sorted {
		last := len(joined) - 1
		if last >= 0 && r.low <= joined[last].high+1 {
			joined[last].high = max(joined[last].high, r.high)
			continue
		}
		joined = append(joined, r)
	}
	return joined
}

// complement returns all other characters.
func (s *set) complement() *set {
	var ranges []span
	next := rune(0)
	for _, r := range normal(s.ranges) {
		if r.low > next {
			ranges = append(ranges, span{next, r.low - 1})
		}
		next = r.high + 1
	}
	if next <= unicode.MaxRune {
		ranges = append(ranges, span{next, unicode.MaxRune})
	}
	return &set{ranges: ranges}
}

// contains reports whether a character matches a finished set.
func (s *set) contains(c rune) bool {
	if c < rune(len(s.ascii)) {
		return s.ascii[c]
	}
	return s.search(c)
}

func (s *set) search(c rune) bool {
	found := s.has(c)
	if !found && s.fold != nil {
		found = slices.ContainsFunc(s.fold(c), s.has)
	}
	return found != s.negative
}

func (s *set) has(c rune) bool {
	at := sort.Search(len(s.ranges), func(i int) bool { return s.ranges[i].high >= c })
	return at < len(s.ranges) && s.ranges[at].low <= c
}

var (
	digits = &set{ranges: []span{{'0', '9'}}}
	words  = &set{ranges: []span{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}}
	// foldedWords are the characters that fold to one of words: also the long s and the Kelvin
	// sign.
	foldedWords = &set{ranges: normal(
		append(slices.Clone(words.ranges), span{0x17f, 0x17f}, span{0x212a, 0x212a}))}
	spaces = &set{ranges: []span{
		{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a},
		{0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
	}}
)

func isLineEnd(c rune) bool { return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029 }
