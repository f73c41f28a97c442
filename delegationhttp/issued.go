package delegationhttp

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/seed055b7978/delegation"
)

const (
	// defaultSTSMemory has room for some 10,000 sessions.
	defaultSTSMemory = 8 << 20

	// issuedOverhead is about what one session takes next to its texts: the entry, its place in the
	// list and in the map.
	issuedOverhead = 400
)

// issuedSession is what GetCallerIdentity needs of credentials that were handed out. A hash of the
// secret would not do: Signature Version 4 is a MAC with it. The session token is only compared.
type issuedSession struct {
	secret  delegation.Secret
	token   [sha256.Size]byte
	arn     string
	id      string
	account string
	expires time.Time
}

func (s *issuedSession) size(accessKeyID string) int {
	texts := len(accessKeyID) + len(s.secret.Reveal()) + len(s.arn) + len(s.id) + len(s.account)
	return issuedOverhead + texts
}

// issuedSessions remembers sessions until they expire, up to a number of bytes. The least recently
// used go first.
type issuedSessions struct {
	limit int // in bytes; negative: none is remembered
	now   func() time.Time
	*issuedMemory
}

// issuedMemory is what is remembered. Versions of the same handlers share it, and each keeps it
// within its own limit when it uses it.
type issuedMemory struct {
	mu       sync.Mutex
	bytes    int
	sessions *simplelru.LRU[string, *issuedSession] // by access key ID
}

func newIssuedSessions(limit int, now func() time.Time) *issuedSessions {
	memory := new(issuedMemory)
	sessions, err := simplelru.NewLRU(math.MaxInt, memory.removed)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	memory.sessions = sessions
	return &issuedSessions{limit: limit, now: now, issuedMemory: memory}
}

// removed is called under the lock for each session that is forgotten.
func (m *issuedMemory) removed(accessKeyID string, session *issuedSession) {
	m.bytes -= session.size(accessKeyID)
}

// shareWith makes this version use the memory of the one before. That one may still hand out
// sessions, for requests that it has begun to answer. A version that remembers none shares nothing:
// it would forget the sessions of the other, or know them.
func (s *issuedSessions) shareWith(before *issuedSessions) {
	if s.limit >= 0 && before.limit >= 0 {
		s.issuedMemory = before.issuedMemory
	}
}

// add remembers credentials. Expired sessions make room first.
func (s *issuedSessions) add(c *delegation.Credentials) {
	session := &issuedSession{
		secret:  c.SecretAccessKey,
		token:   sha256.Sum256([]byte(c.SessionToken.Reveal())),
		arn:     c.AssumedRoleARN,
		id:      c.AssumedRoleID,
		account: c.AccountID,
		expires: c.Expiration,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions.Remove(c.AccessKeyID)
	s.sessions.Add(c.AccessKeyID, session)
	s.bytes += session.size(c.AccessKeyID)
	s.trim()
	s.forgetExpired()
}

// trim forgets, under the lock, the least recently used sessions until the memory suffices.
func (s *issuedSessions) trim() {
	for s.bytes > s.limit {
		if _, _, ok := s.sessions.RemoveOldest(); !ok {
			return
		}
	}
}

// forgetExpired forgets, under the lock, the least recently used sessions until the next one has
// not expired.
func (s *issuedSessions) forgetExpired() {
	now := s.now()
	for {
		_, oldest, ok := s.sessions.GetOldest()
		if !ok || now.Before(oldest.expires) {
			return
		}
		s.sessions.RemoveOldest()
	}
}

// of returns the session of an access key ID; nil: it is not known. One that has expired is
// returned once.
func (s *issuedSessions) of(accessKeyID string) *issuedSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim() // another version may have a higher limit
	session, ok := s.sessions.Get(accessKeyID)
	if !ok {
		return nil
	}
	if !s.now().Before(session.expires) {
		s.sessions.Remove(accessKeyID)
	}
	return session
}
