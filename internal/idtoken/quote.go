package idtoken

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Limits of what is quoted of a token that nobody has verified.
const (
	maxListed      = 5   // entries of a list in one field
	maxShown       = 80  // characters of a value
	maxShownURL    = 200 // characters of an iss
	maxShownDigits = 40  // characters of a number
)

// presence tells whether a member is there, and of what type, and nothing of its value.
func presence(object map[string]any, name string) string {
	value, ok := object[name]
	switch {
	case !ok:
		return "absent"
	case value == nil:
		return "null"
	case value == "":
		return "an empty text"
	}
	return kindOf(value) + ", not shown"
}

// kindOf names the type of a JSON value that is not null.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}

// shown is a member that is a text or a list of texts, quoted. Of any other it tells the type.
func shown(object map[string]any, name string) string {
	switch value := object[name].(type) {
	case string:
		if name == "iss" {
			return Quote(value, maxShownURL)
		}
		return Quote(value, maxShown)
	case []any:
		return shownList(value)
	}
	return presence(object, name)
}

func shownList(entries []any) string {
	texts := make([]string, len(entries))
	for i, entry := range entries {
		text, ok := entry.(string)
		if !ok {
			return "a list, and not of texts"
		}
		texts[i] = text
	}
	if len(texts) == 0 {
		return "an empty list"
	}
	return QuoteList(texts, maxShown)
}

// shownNumber is a member that is a number. Of any other it tells the type.
func shownNumber(object map[string]any, name string) string {
	if number, ok := object[name].(json.Number); ok {
		return cut(number.String(), maxShownDigits)
	}
	return presence(object, name)
}

// Quote quotes a text in ASCII and cuts it to a number of characters. No terminal obeys it, and a
// letter that only looks like another is seen.
func Quote(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return strconv.QuoteToASCII(text)
	}
	return fmt.Sprintf("%s... (%d characters)",
		strconv.QuoteToASCII(string(runes[:limit])), len(runes))
}

// QuoteList quotes the first of the texts, as [Quote] does, and counts the others.
func QuoteList(texts []string, limit int) string {
	var quoted []string
	for _, text := range texts[:min(len(texts), maxListed)] {
		quoted = append(quoted, Quote(text, limit))
	}
	if more := len(texts) - len(quoted); more > 0 {
		quoted = append(quoted, fmt.Sprintf("%d more", more))
	}
	return strings.Join(quoted, ", ")
}

// OneOf quotes what a value can be, as [QuoteList] does.
func OneOf(texts []string, limit int) string {
	if len(texts) == 1 {
		return Quote(texts[0], limit)
	}
	return "one of " + QuoteList(texts, limit)
}

// cut shortens a number.
func cut(digits string, limit int) string {
	if len(digits) <= limit {
		return digits
	}
	return fmt.Sprintf("%s... (%d characters)", digits[:limit], len(digits))
}

// escape escapes what is not printable ASCII. Errors quote strangers, and so escape only what is
// not printable.
func escape(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= ' ' && r <= '~' {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
