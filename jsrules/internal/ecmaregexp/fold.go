package ecmaregexp

import (
	"sync"
	"unicode"
)

// canonicalUnit is Canonicalize without the flag u (ECMA-262 §22.2.2.7.3): the upper case of a code
// unit, unless that has several units, or is ASCII while the unit is not. So the Kelvin sign does
// not match k, and the long s does not match s.
func canonicalUnit(c rune) rune {
	if c < 0x80 {
		if c >= 'a' && c <= 'z' {
			return c - 'a' + 'A'
		}
		return c
	}
	upper := unicode.ToUpper(c)
	if upper < 0x80 || upper > 0xffff || growsInUpperCase(c) {
		return c
	}
	return upper
}

// growsInUpperCase reports whether a character has an upper case of one character in
// unicode.ToUpper, but of several in Unicode's SpecialCasing.txt: Greek with iota subscript.
func growsInUpperCase(c rune) bool {
	return c >= 0x1f80 && c <= 0x1faf || c == 0x1fb3 || c == 0x1fc3 || c == 0x1ff3
}

// canonicalPoint is Canonicalize with the flag u: the least character of each class of simple case
// folding.
func canonicalPoint(c rune) rune {
	if c < 0x80 {
		if c >= 'a' && c <= 'z' {
			return c - 'a' + 'A'
		}
		return c
	}
	least := c
	for _, other := range samePoints(c) {
		least = min(least, other)
	}
	return least
}

// samePoints returns the other characters that are the same with the flags i and u.
func samePoints(c rune) []rune {
	switch c { // pairs that Unicode 15.1 has added
	case 0x390:
		return []rune{0x1fd3}
	case 0x1fd3:
		return []rune{0x390}
	case 0x3b0:
		return []rune{0x1fe3}
	case 0x1fe3:
		return []rune{0x3b0}
	case 0xfb05:
		return []rune{0xfb06}
	case 0xfb06:
		return []rune{0xfb05}
	}
	var same []rune
	for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
		same = append(same, other)
	}
	return same
}

// sameUnits returns all code units that are the same with the flag i alone, or nil for one that has
// no other.
func sameUnits(c rune) []rune { return unitClasses()[canonicalUnit(c)] }

var unitClasses = sync.OnceValue(func() map[rune][]rune {
	classes := map[rune][]rune{}
	for c := range rune(0x10000) {
		if canonical := canonicalUnit(c); canonical != c {
			if classes[canonical] == nil {
				classes[canonical] = []rune{canonical}
			}
			classes[canonical] = append(classes[canonical], c)
		}
	}
	return classes
})
