package idtoken

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// mistaken says what was sent instead of a token, or what was added to a token. It continues the
// words "the token". It quotes nothing of the text, so strangers may read it. It is empty if that
// cannot be told, for example because the text has only characters of tokens.
func mistaken(raw string) string {
	if what := wrongEncoding(raw); what != "" {
		return what
	}
	text := strings.TrimSpace(raw)
	if unfilled().MatchString(text) {
		return "is a placeholder that was not replaced, such as undefined or $TOKEN: " +
			"the sender had no token"
	}
	if strings.HasSuffix(text, "...") || strings.HasSuffix(text, "…") {
		return "ends in dots, where it was cut short: send the whole token"
	}
	if !strings.ContainsFunc(text, foreign) {
		if text != "" && text != raw {
			return "has white space around it: leave that out"
		}
		return ""
	}
	for _, known := range mistakes() {
		if known.form.MatchString(text) {
			return known.what
		}
	}
	return wrongCharacter(raw)
}

// unfilled is what JavaScript, shells and templates send for a value that they do not have.
var unfilled = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A(?:undefined|null|\[object [A-Za-z]+\]|` +
		`\$\w+|\$\{\w+\}|\{\{[^{}]*\}\}|<[A-Za-z_ -]+>)\z`)
})

// foreign finds what is no character of base64url (RFC 4648 §5) and no dot.
func foreign(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '-' && r != '_' && r != '.'
}

// wrongEncoding finds what editors and shells on Windows make of a file.
func wrongEncoding(raw string) string {
	switch {
	case strings.HasPrefix(raw, "\xff\xfe"), strings.HasPrefix(raw, "\xfe\xff"):
		return "is text in UTF-16: save it as UTF-8"
	case strings.HasPrefix(raw, "\ufeff"):
		return "has a byte order mark in front of it: save it as UTF-8 without one"
	}
	return ""
}

// mistake is a form of what is sent instead of a token, and what it is.
type mistake struct {
	form *regexp.Regexp
	what string
}

// mistakes are what is often sent instead of a token, or around one. The first that fits counts.
// They are compiled when the first text arrives that cannot be a token.
var mistakes = sync.OnceValue(func() []mistake {
	return []mistake{
		{
			regexp.MustCompile(`\A[{\[]`),
			"is JSON: send the value of its member id_token, without the quotes",
		},
		{
			regexp.MustCompile(`\A<`),
			"is HTML or XML, such as an error page or a SAML response: send the ID token",
		},
		{
			regexp.MustCompile(`\A-----BEGIN `),
			"is PEM, a key or a certificate: send the ID token",
		},
		{
			regexp.MustCompile(`(?i)\A[a-z][a-z0-9+.-]*://`),
			"is a URL: send the value of its parameter id_token alone",
		},
		{
			regexp.MustCompile(`(?i)\A(?:proxy-)?authorization\s*:`),
			"has the name of a header in front of it: leave that out",
		},
		{
			regexp.MustCompile(`(?i)\Abearer[\s:]`),
			`has "Bearer " in front of it: leave that out`,
		},
		{
			regexp.MustCompile(`(?i)\A(?:basic|dpop|digest|negotiate|jwt|token)\s`),
			"has the scheme of an Authorization header in front of it: send the ID token alone",
		},
		{
			regexp.MustCompile(`\A[&?#]?[A-Za-z]\w{0,39}=[^.=]`),
			`has a name and "=" in front of it: leave them out`,
		},
		{
			regexp.MustCompile("\\A[\"'`“‘]|[\"'`”’]\\z"),
			"has quotes around it: leave them out",
		},
		{
			regexp.MustCompile(`%[0-9A-Fa-f]{2}`),
			"is percent-encoded: decode it first",
		},
		{
			regexp.MustCompile(`\A[\w.+/=-]+\z`),
			"is in standard base64 or has padding: send it as the issuer wrote it, in base64url",
		},
	}
})

// wrongCharacter says where the first foreign character is. It names a character that is invisible,
// or easily mistaken for another.
func wrongCharacter(raw string) string {
	at := strings.IndexFunc(raw, foreign)
	r, size := utf8.DecodeRuneInString(raw[at:])
	switch {
	case r == utf8.RuneError && size == 1:
		return fmt.Sprintf("is not text: byte %d is not UTF-8", at+1)
	case r == '\n' || r == '\r':
		return fmt.Sprintf("has a line end inside, at byte %d: write it on one line", at+1)
	case unicode.IsSpace(r):
		return fmt.Sprintf("has white space inside, at byte %d: leave it out", at+1)
	case r > unicode.MaxASCII || unicode.IsControl(r):
		return fmt.Sprintf("has the foreign character %U at byte %d: leave it out", r, at+1)
	}
	return fmt.Sprintf("has a foreign character at byte %d: "+
		"send letters, digits, '-', '_' and two dots", at+1)
}
