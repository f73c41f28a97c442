package delegation

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/seed055b7978/delegation/internal/session"
)

const (
	escapeByte = '_'
	// cutMark comes before the hash of a text that was cut. No escaped text has it: "x" is no
	// hexadecimal digit.
	cutMark = "_x"
	// cutHash is how many bytes of the SHA-256 follow: 128 bits, so that nobody can find a text
	// whose escaped form equals another user's.
	cutHash = 16

	maxEscapedTag  = session.MaxTagValue
	maxEscapedName = 64 // STS API Reference, SourceIdentity and RoleSessionName
	minEscapedName = 2
)

// EscapeTag turns any value into a valid session tag value. ASCII letters and digits and + - . = @
// stay, so most email addresses do not change. Every other byte of the UTF-8 text becomes "_" and
// two lowercase hexadecimal digits, also "_" itself: auth0|a_b becomes auth0_7ca_5fb. A "." at the
// beginning or the end is escaped as well.
//
// A result longer than 256 bytes is cut: its last 34 bytes are "_x" and the first 32 hexadecimal
// digits of the value's SHA-256. Two values have the same result only if SHA-256 has a collision.
// The result has no slashes and no wildcards, so a policy can use it as one segment of a path. An
// empty value stays empty. The algorithm never changes.
func EscapeTag(value string) string { return escapeWithin(value, plainInName, maxEscapedTag) }

// EscapeSourceIdentity turns any value into a valid source identity. It works like [EscapeTag] with
// a limit of 64 characters, so short values give the same text in both. AWS requires at least two
// characters, so a single letter is escaped too: a becomes _61. An empty value stays empty, which
// means no source identity.
func EscapeSourceIdentity(value string) string {
	return atLeastTwo(escapeWithin(value, plainInName, maxEscapedName))
}

// SafeSessionName returns the name unchanged if it is a valid AWS session name. Otherwise it
// replaces each run of other characters by one underscore, shortens the name to 64 characters, and
// ends it with a hyphen and 24 hexadecimal digits of the SHA-256 of the whole, so that two users do
// not share a session name. AWS.SessionName is changed in this way unless Config.StrictSessionNames
// is set. An empty name gives only the hash.
func SafeSessionName(name string) string { return session.SafeName(name) }

// atLeastTwo escapes a text of one plain byte, because AWS requires at least two characters.
func atLeastTwo(escaped string) string {
	if len(escaped) == 0 || len(escaped) >= minEscapedName {
		return escaped
	}
	return string(appendEscaped(nil, escaped[0]))
}

// escapeWithin is [escape] of a text, cut to a length in bytes.
func escapeWithin(text string, plain func(byte) bool, limit int) string {
	escaped := escape(text, plain)
	if len(escaped) <= limit {
		return escaped
	}
	return cutWithHash(escaped, text, limit)
}

// escape writes a text so that only plain bytes and "_" are in it. Each other byte becomes "_" and
// two hexadecimal digits in small letters, and so do "_", and "." at the beginning and the end. No
// two texts give one: what is escaped can be read back.
func escape(text string, plain func(byte) bool) string {
	var b strings.Builder
	b.Grow(len(text))
	var space [3]byte
	for i := range len(text) {
		c := text[i]
		atEnd := i == 0 || i == len(text)-1
		if c == escapeByte || !plain(c) || c == '.' && atEnd {
			b.Write(appendEscaped(space[:0], c))
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func appendEscaped(to []byte, c byte) []byte {
	return hex.AppendEncode(append(to, escapeByte), []byte{c})
}

// cutWithHash cuts an escaped text, and ends it with a mark and the hash of the whole text. A byte
// that was escaped is left out as a whole.
func cutWithHash(escaped, text string, limit int) string {
	end := limit - len(cutMark) - 2*cutHash
	for back := 1; back <= 2; back++ {
		if escaped[end-back] == escapeByte {
			end -= back
			break
		}
	}
	sum := sha256.Sum256([]byte(text))
	return escaped[:end] + cutMark + hex.EncodeToString(sum[:cutHash])
}

// plainInName tells whether a byte is one that session tags and source identities both take, and
// that nobody reads as more than a part of a name (STS API Reference, Tag and AssumeRole).
func plainInName(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("+-.=@", c) >= 0
}
