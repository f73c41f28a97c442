package profile

import (
	"container/list"
	"encoding/json"
	"time"
)

// entry is an answer. A nil profile says that there is none.
type entry struct {
	profile map[string]any
	at      time.Time
	// ended is the latest end of the user's sessions that was known when it was asked for.
	ended time.Time
	// failed is a time in which no request is sent for this user, because the last one has just
	// failed.
	failed rest

	of    key
	bytes int
}

// isFresh tells whether an answer is less than so old. One of a clock that was set back since is
// not: nobody knows how old it is.
func (e *entry) isFresh(now time.Time, life time.Duration) bool {
	if e.profile == nil {
		life = min(life, missingFor)
	}
	age := now.Sub(e.at)
	return age >= 0 && age < life
}

// cache keeps answers, bounded in number and in memory. The least recently used go first. It is not
// safe for concurrent use.
type cache struct {
	size, limit int
	bytes       int
	byKey       map[key]*list.Element // of *entry
	byUse       *list.List            // the most recently used first
}

func newCache(size, limit int) *cache {
	c := &cache{size: size, limit: limit}
	c.clear()
	return c
}

func (c *cache) clear() {
	c.bytes = 0
	c.byKey = map[key]*list.Element{}
	c.byUse = list.New()
}

// get returns an answer, which counts as a use of it. nil: there is none.
func (c *cache) get(of key) *entry {
	element := c.byKey[of]
	if element == nil {
		return nil
	}
	c.byUse.MoveToFront(element)
	return element.Value.(*entry)
}

// add keeps an answer, in place of an older one of the same user. One that is larger than the limit
// of all is not kept.
func (c *cache) add(of key, e *entry) {
	c.remove(of)
	e.of = of
	e.bytes = sizeOfEntry + len(of.issuer) + len(of.subject) + sizeOf(e.profile)
	if e.bytes > c.limit {
		return
	}
	c.byKey[of] = c.byUse.PushFront(e)
	c.bytes += e.bytes
	for len(c.byKey) > c.size || c.bytes > c.limit {
		c.remove(c.byUse.Back().Value.(*entry).of)
	}
}

func (c *cache) remove(of key) {
	element := c.byKey[of]
	if element == nil {
		return
	}
	delete(c.byKey, of)
	c.byUse.Remove(element)
	c.bytes -= element.Value.(*entry).bytes
}

// What values take in memory, about, in bytes.
const (
	sizeOfEntry  = 400
	sizeOfMap    = 200
	sizeOfMember = 64
	sizeOfValue  = 16
)

// sizeOf estimates the memory of decoded JSON.
func sizeOf(value any) int {
	size := sizeOfValue
	switch v := value.(type) {
	case string:
		size += len(v)
	case json.Number:
		size += len(v)
	case map[string]any:
		size += sizeOfMap
		for name, member := range v {
			size += sizeOfMember + len(name) + sizeOf(member)
		}
	case []any:
		size += sizeOfMember
		for _, member := range v {
			size += sizeOf(member)
		}
	}
	return size
}
