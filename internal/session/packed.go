package session

import (
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// packedTarget is the percentage that Drop aims for: below 100, because plain text only
// approximates AWS's packed format.
const packedTarget = 90

// packedTooLarge is in AWS's words: "Packed size of session tags consumes 138% of allotted space."
var packedTooLarge = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`consumes ([1-9][0-9]{2,5})% of allotted space`)
})

// DropTags returns the first of the ranked keys of tags: as many as have to go. AWS does not
// publish its packed format and only says, in the message, how much too large all is together; so
// the tags' share is estimated by their plain text, next to the rest (the session policies') in
// bytes. If the message does not say, or all of the ranked are too few, all of them go.
func DropTags(message string, tags map[string]string, ranked []string, rest int) []string {
	m := packedTooLarge().FindStringSubmatch(message)
	if m == nil {
		return ranked
	}
	percent, _ := strconv.Atoi(m[1]) // six digits at most
	size := rest
	for key, value := range tags {
		size += len(key) + len(value)
	}
	allowed := size * packedTarget / percent
	for i, key := range ranked {
		if size <= allowed {
			return ranked[:i]
		}
		if !slices.Contains(ranked[:i], key) {
			size -= len(key) + len(tags[key])
		}
	}
	return ranked
}
