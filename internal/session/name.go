package session

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

const (
	maxName  = 64
	nameHash = 24 // hexadecimal digits: 96 bits keep two users apart
)

var (
	validName  = regexp.MustCompile(`\A[a-zA-Z_0-9+=,.@-]{2,64}\z`) // STS API Reference
	hashedName = regexp.MustCompile(`-[0-9a-f]{24}\z`)
	oddInName  = regexp.MustCompile(`[^a-zA-Z_0-9+=,.@-]+`)
)

// ValidName tells whether AWS takes the name as a session name; the same rule holds for a source
// identity.
func ValidName(name string) bool { return validName.MatchString(name) }

// SafeName returns the name if AWS takes it as it is. A long or odd name is cleaned and shortened,
// and gets a hash of the whole, so that two users never share a session name. A name that already
// ends like such a hash gets one too: otherwise someone could choose a name that collides with
// another's.
func SafeName(name string) string {
	if ValidName(name) && !hashedName.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	clean := oddInName.ReplaceAllString(name, "_")
	return clean[:min(len(clean), maxName-nameHash-1)] + "-" + hex.EncodeToString(sum[:])[:nameHash]
}
