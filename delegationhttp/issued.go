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
	mu       sync.Mutex
	limit    int // in bytes; negative: none is remembered
	bytes    int
	now      func() time.Time
	sessions *simplelru.LRU[string, *issuedSession] // by access key ID
}

func newIssuedSessions(limit int, now func() time.Time) *issuedSessions {
	s := &issuedSessions{limit: limit, now: now}
	sessions, err := simplelru.NewLRU(math.MaxInt, s.removed)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	s.sessions = sessions
	return s
}

// removed is called under the lock for each session that is forgotten.
func (s *issuedSessions) removed(accessKeyID string, session *issuedSession) {
	s.bytes -= session.size(accessKeyID)
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
}

// trim forgets, under the lock, the least recently used sessions until the memory suffices and the
// next one has not expired.
func (s *issuedSessions) trim() {
	now := s.now()
	for {
		_, oldest, ok := s.sessions.GetOldest()
		if !ok || s.bytes <= s.limit && now.Before(oldest.expires) {
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
	session, ok := s.sessions.Get(accessKeyID)
	if !ok {
		return nil
	}
	if !s.now().Before(session.expires) {
		s.sessions.Remove(accessKeyID)
	}
	return session
}

// inherit takes over what another memory has, under this one's limit.
func (s *issuedSessions) inherit(before *issuedSessions) {
	before.mu.Lock()
	defer before.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, accessKeyID := range before.sessions.Keys() { // the oldest first
		session, _ := before.sessions.Peek(accessKeyID)
		s.sessions.Add(accessKeyID, session)
		s.bytes += session.size(accessKeyID)
	}
	s.trim()
}
