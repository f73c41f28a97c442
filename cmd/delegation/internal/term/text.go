package term

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
)

// Shown is a value as it is, if it is of the characters of ARNs, URLs and user names. Otherwise it
// is in quotes, with all that a terminal might obey escaped.
func Shown(value string) string {
	if value != "" && strings.IndexFunc(value, needsQuotes) < 0 {
		return value
	}
	return fmt.Sprintf("%q", value)
}

func needsQuotes(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("._:/|@+=,-${}?&#~%*[]", r)
}

// Escaped is a sentence on one line, with all that a terminal might obey escaped as in quotes, but
// without them.
func Escaped(sentence string) string {
	var b strings.Builder
	for _, r := range sentence {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := fmt.Sprintf("%q", r) // in single quotes
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// OneLine is a text of several lines on one that no terminal obeys: a rule's refusal may hold what
// a stranger chose.
func OneLine(text string) string { return Escaped(strings.ReplaceAll(text, "\n", "; ")) }

// Printable escapes what JSON may hold as it is and terminals may obey, such as the C1 controls and
// the marks that turn text round. The result is JSON of the same meaning.
func Printable(jsonText string) string {
	var b strings.Builder
	for _, r := range jsonText {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// QuoteForShell makes one word of a text, in which a POSIX shell expands nothing.
func QuoteForShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[\w@%+=:,./-]+\z`)
})

// ShellWord quotes a word for a POSIX shell if need be.
func ShellWord(text string) string {
	if plainWord().MatchString(text) {
		return text
	}
	return QuoteForShell(text)
}
