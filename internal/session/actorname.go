package session

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// bySeparator is between a user and the actor. AWS takes all of its characters in a session
	// name.
	bySeparator = ",by="
	// maxPart limits the name of an actor that an operator chooses: half of a session name.
	maxPart = 32
)

// ValidPart tells whether a text can be the name of an actor: 2 to 32 characters that AWS takes in
// a session name, without a comma.
func ValidPart(text string) bool {
	return ValidName(text) && len(text) <= maxPart && !strings.Contains(text, ",")
}

// NameOfTwo returns the session name of a user for whom an actor acts, and whether it shows both
// names unchanged. Otherwise both are cleaned and shortened, and the name gets a hash, so that no
// two pairs share a name.
func NameOfTwo(user, actor string) (name string, exact bool) {
	name = user + bySeparator + actor
	if user != "" && actor != "" && ValidName(name) && !endsInHash(name) &&
		strings.Count(name, bySeparator) == 1 {
		return name, true
	}
	const room = maxName - nameHash - 1 - len(bySeparator)
	first := string(appendClean(nil, withoutBy(user), room))
	second := string(appendClean(nil, withoutBy(actor), room))
	if len(first)+len(second) > room {
		first, second = shareRoom(first, second, room)
	}
	ofUser := sha256.Sum256([]byte(user))
	ofActor := sha256.Sum256([]byte(actor))
	sum := sha256.Sum256([]byte("acts\x00" + string(ofUser[:]) + string(ofActor[:])))
	return first + bySeparator + second + "-" + hex.EncodeToString(sum[:nameHash/2]), false
}

// shareRoom cuts two texts so that together they fit. If one needs less than half of the room, the
// other gets the rest.
func shareRoom(first, second string, room int) (cutFirst, cutSecond string) {
	half := room / 2
	switch {
	case len(second) <= half:
		return first[:room-len(second)], second
	case len(first) <= room-half:
		return first, second[:room-len(first)]
	}
	return first[:room-half], second[:half]
}

// NameOfOne is SafeName for a user without an actor, where other users may have a NameOfTwo. Its
// result never looks like a NameOfTwo.
func NameOfOne(name string) string {
	if !ShowsTwo(name) {
		return SafeName(name)
	}
	clean := appendClean(nil, withoutBy(name), maxName-nameHash-1)
	sum := sha256.Sum256([]byte(name))
	return string(hex.AppendEncode(append(clean, '-'), sum[:nameHash/2]))
}

// ShowsTwo tells whether a name looks like a NameOfTwo.
func ShowsTwo(name string) bool { return strings.Contains(name, bySeparator) }

// withoutBy replaces the separator in a text.
func withoutBy(text string) string { return strings.ReplaceAll(text, bySeparator, "_by_") }
