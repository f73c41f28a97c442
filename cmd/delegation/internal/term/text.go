package term

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
)

// Shown returns a value as it is, if it has only characters that occur in ARNs, URLs and user
// names. Otherwise it puts the value in quotes, and escapes all that a terminal might interpret.
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

// Escaped returns a sentence on one line. It escapes all that a terminal might interpret, as in
// quotes but without them.
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

// OneLine joins the lines of a text, and escapes what a terminal might interpret: a rule's refusal
// may contain text that a stranger chose.
func OneLine(text string) string { return Escaped(strings.ReplaceAll(text, "\n", "; ")) }

// Printable escapes what JSON allows but terminals may interpret, such as the C1 controls and the
// marks that change the direction of text. The result is JSON with the same meaning.
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

// QuoteForShell quotes a text as one word, in which a POSIX shell expands nothing.
func QuoteForShell(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var plainWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[\w@%+=:,./-]+\z`)
})

// ShellWord quotes a word for a POSIX shell if needed.
func ShellWord(text string) string {
	if plainWord().MatchString(text) {
		return text
	}
	return QuoteForShell(text)
}
