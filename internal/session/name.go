package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	minName  = 2 // STS API Reference, RoleSessionName
	maxName  = 64
	nameHash = 24 // hexadecimal digits: 96 bits keep two users apart
)

// ValidName tells whether AWS takes the name as a session name; the same rule holds for a source
// identity.
func ValidName(name string) bool {
	for i := range len(name) {
		if !isNameChar(name[i]) {
			return false
		}
	}
	return minName <= len(name) && len(name) <= maxName
}

// isNameChar tells whether a character is one of [a-zA-Z_0-9+=,.@-].
func isNameChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("_+=,.@-", c) >= 0
}

// SafeName returns the name if AWS takes it as it is. A long or odd name is cleaned and shortened,
// and gets a hash of the whole, so that two users never share a session name. A name that already
// ends like such a hash gets one too: otherwise someone could choose a name that collides with
// another's.
func SafeName(name string) string {
	if ValidName(name) && !endsInHash(name) {
		return name
	}
	var space [maxName]byte
	safe := appendClean(space[:0], name, maxName-nameHash-1)
	sum := sha256.Sum256([]byte(name))
	safe = hex.AppendEncode(append(safe, '-'), sum[:nameHash/2])
	return string(safe)
}

// endsInHash tells whether a name ends like one with a hash.
func endsInHash(name string) bool {
	i := len(name) - nameHash - 1
	if i < 0 || name[i] != '-' {
		return false
	}
	for _, c := range []byte(name[i+1:]) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// appendClean appends the name, with one underscore in place of each run of characters that AWS
// does not take, until the whole has the limit's length.
func appendClean(to []byte, name string, limit int) []byte {
	for i := 0; i < len(name) && len(to) < limit; i++ {
		switch {
		case isNameChar(name[i]):
			to = append(to, name[i])
		case i == 0 || isNameChar(name[i-1]):
			to = append(to, '_')
		}
	}
	return to
}
