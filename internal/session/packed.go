package session

import (
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/seed055b7978/delegation/internal/packed"
)

// packedTarget is the percentage that DropTags aims for: below 100, because what a tag takes is
// only estimated.
const packedTarget = 90

// packedTooLarge is in AWS's words: "Packed size of session tags consumes 138% of allotted space."
var packedTooLarge = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`consumes ([1-9][0-9]{2,5})% of allotted space`)
})

// PackedPercent returns the percentage in AWS's refusal of what is too large. Zero: it has none, as
// in "Serialized token too large for session".
func PackedPercent(message string) int {
	m := packedTooLarge().FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	percent, _ := strconv.Atoi(m[1]) // six digits at most
	return percent
}

// DropTags returns the keys of the tags to drop: as many as necessary, from the beginning of
// ranked. AWS does not publish its packed format, and its message only says how much too large
// everything is together. So the size of each tag is estimated in bytes; rest is the size of the
// session policies. If the message does not say, or all of the ranked tags are too few, DropTags
// returns all of ranked.
func DropTags(message string, tags map[string]string, ranked []string, rest int) []string {
	percent := PackedPercent(message)
	if percent == 0 {
		return ranked
	}
	size := rest
	for key, value := range tags {
		size += packed.TagSize(key, value)
	}
	allowed := size * packedTarget / percent
	for i, key := range ranked {
		if size <= allowed {
			return ranked[:i]
		}
		if !slices.Contains(ranked[:i], key) {
			size -= packed.TagSize(key, tags[key])
		}
	}
	return ranked
}
