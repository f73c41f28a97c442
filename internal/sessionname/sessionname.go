// Package sessionname makes role session names of user names.
package sessionname

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

const (
	maxLength  = 64
	hashLength = 24 // hexadecimal digits: 96 bits keep two users apart
)

var (
	valid  = regexp.MustCompile(`\A[a-zA-Z_0-9+=,.@-]{2,64}\z`) // STS API Reference
	hashed = regexp.MustCompile(`-[0-9a-f]{24}\z`)
	odd    = regexp.MustCompile(`[^a-zA-Z_0-9+=,.@-]+`)
)

// Valid tells whether AWS takes the name as a session name; the same rule holds for a source identity.
func Valid(name string) bool { return valid.MatchString(name) }

// Safe returns the name if AWS takes it as it is. A long or odd name is cleaned and shortened, and gets a hash of the whole, so
// that two users never share a session name. A name that already ends like such a hash gets one too: otherwise someone
// could choose a name that collides with another's.
func Safe(name string) string {
	if Valid(name) && !hashed.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	clean := odd.ReplaceAllString(name, "_")
	return clean[:min(len(clean), maxLength-hashLength-1)] + "-" + hex.EncodeToString(sum[:])[:hashLength]
}
