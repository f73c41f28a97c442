package idtoken

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// names are those of claims, headers or algorithms, by the spelling that [folded] gives them. All
// are compared exactly. A reader that folds case, as encoding/json does, would also accept other
// spellings, so these are refused.
type names map[string]string

func namesOf(list ...string) names {
	n := make(names, len(list))
	for _, name := range list {
		n[folded(name)] = name
	}
	return n
}

// lookalike returns the name that a text is equal to under [strings.EqualFold], if it is not that
// name.
func (n names) lookalike(text string) (name string, ok bool) {
	name, ok = n[folded(text)]
	return name, ok && name != text
}

// refuseLookalikes refuses members, called claims or headers, that become one of the names by case
// folding. Of several the error has the one that sorts first.
func (n names) refuseLookalikes(object map[string]any, member string) error {
	found := ""
	for text := range object {
		_, ok := n.lookalike(text)
		if ok && (found == "" || text < found) {
			found = text
		}
	}
	if found == "" {
		return nil
	}
	name, _ := n.lookalike(found)
	return newError(tokenFoldedName,
		"the %s %.80q differs from %q only by case", member, found, name)
}

// folded returns the one spelling of all texts that are equal under [strings.EqualFold]. For a text
// of ASCII without capitals, as most are, that is the text itself.
func folded(text string) string {
	for i := range len(text) {
		if c := text[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldedRune, text)
		}
	}
	return text
}

// foldedRune returns the lower-case ASCII letter among the runes that fold into each other, such as
// s, S and ſ, or the least of them.
func foldedRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if 'A' <= least && least <= 'Z' {
		return least - 'A' + 'a'
	}
	return least
}
