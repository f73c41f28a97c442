package idtoken

import (
	"container/list"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"
)

// defaultMemory is how many bytes of verified tokens are kept: some 4,000 of 1 kB.
const defaultMemory = 16 << 20

// largest is the part of the memory that one token may take: an eighth.
const largest = 8

// What keeping a token costs besides its texts, in bytes. A value takes a place in a map or list,
// which is not full, and its own memory.
const (
	tokenOverhead     = 640
	containerOverhead = 96
	valueOverhead     = 80
)

// keyID is the hash of a key's material. Zero: no key.
type keyID [sha256.Size]byte

// memo remembers verified tokens by their hash, so that the signature of a token is computed only
// when it is first seen. Its claims are decoded when it is seen for the second time, and then kept.
//
// It holds the outcome of no check but one: that the signature verifies with a certain key. This
// stays true for ever. Everything else is checked each time, and the key set is asked each time: a
// key that it withdraws, or replaces under the same kid, verifies nothing any more. A token that
// is refused is forgotten.
//
// Only verified tokens are stored, so nobody without a token can evict the tokens of others. The
// least recently used tokens are evicted first. Each new token also evicts the least recently used
// ones that have expired. It is safe for concurrent use.
type memo struct {
	limit int // bytes; negative: nothing is remembered

	mu      sync.Mutex
	size    int                                 // bytes
	entries map[[sha256.Size]byte]*list.Element // of recent
	recent  *list.List                          // of *memoEntry, the most recently used first
}

type memoEntry struct {
	digest [sha256.Size]byte
	// content has no claims before the token is seen for the second time: most are seen once.
	content
	payload string    // what the claims are read from; empty after that
	end     time.Time // from here on no check of the dates passes
	size    int
}

func newMemo(limit int) *memo {
	return &memo{
		limit:   limit,
		entries: map[[sha256.Size]byte]*list.Element{},
		recent:  list.New(),
	}
}

// recall sets t to the remembered token, if there is one.
func (m *memo) recall(t *compactJWS, raw string, digest [sha256.Size]byte) (remembered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.entries[digest]
	if !ok {
		return false
	}
	m.recent.MoveToFront(element)
	entry := element.Value.(*memoEntry)
	*t = compactJWS{
		raw:        raw,
		digest:     digest,
		payload:    entry.payload,
		content:    entry.content,
		remembered: true,
	}
	return true
}

// keepClaims notes the claims of a remembered token, which were read from its payload.
func (m *memo) keepClaims(t *compactJWS) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.entries[t.digest]
	if !ok {
		return
	}
	entry := element.Value.(*memoEntry)
	entry.claims, entry.nested = t.claims, t.nested
	entry.payload = ""
}

// remember keeps a token that has just passed every check until the time end. A token that would
// take a large part of the memory is not kept. The claims are the caller's, so they are not kept
// here.
func (m *memo) remember(t *compactJWS, now, end time.Time) {
	size := tokenOverhead + len(t.raw) + weight(t.claims)
	if size > m.limit/largest {
		return
	}
	entry := &memoEntry{
		digest:  t.digest,
		content: t.content,
		payload: t.payload,
		end:     end,
		size:    size,
	}
	entry.claims = nil
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.entries[t.digest])
	m.entries[t.digest] = m.recent.PushFront(entry)
	m.size += size
	for last := m.recent.Back(); last != nil; last = m.recent.Back() {
		if m.size <= m.limit && now.Before(last.Value.(*memoEntry).end) {
			return
		}
		m.drop(last)
	}
}

// forget forgets a token.
func (m *memo) forget(digest [sha256.Size]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(m.entries[digest])
}

// drop drops, under the lock, an entry. nil: there is none.
func (m *memo) drop(element *list.Element) {
	if element == nil {
		return
	}
	entry := m.recent.Remove(element).(*memoEntry)
	delete(m.entries, entry.digest)
	m.size -= entry.size
}

// weight estimates the memory of a decoded value. Its texts may share the memory of the token's
// payload, or have their own next to it.
func weight(value any) int {
	switch v := value.(type) {
	case map[string]any:
		sum := containerOverhead
		for name, member := range v {
			sum += len(name) + weight(member)
		}
		return sum
	case string:
		return valueOverhead + len(v)
	case []any:
		sum := containerOverhead
		for _, entry := range v {
			sum += weight(entry)
		}
		return sum
	}
	return valueOverhead
}

// materialID returns the ID of a key's material.
func materialID(material any) keyID {
	if secret, ok := material.([]byte); ok {
		return sha256.Sum256(append([]byte("secret "), secret...))
	}
	der, err := x509.MarshalPKIXPublicKey(material)
	if err != nil {
		return keyID{}
	}
	return sha256.Sum256(der)
}
