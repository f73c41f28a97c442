package idtoken

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/guard"
)

// How long published keys are used, and how often they are fetched.
const (
	fetchTimeout    = 10 * time.Second // for both documents together
	refreshesAtOnce = 2                // of an issuer, for tokens that no known key verifies
	refreshEvery    = 10 * time.Second // until there is one more of these
	leastRetry      = time.Second      // the shortest RetryAfter
	duePause        = 30 * time.Second // between two refreshes of a set that has grown old
	emptyPause      = time.Second      // between two attempts while there are no keys at all
	defaultKeyLife  = time.Hour        // without Cache-Control
	minKeyLife      = 5 * time.Minute
	maxKeyLife      = 24 * time.Hour
	outageGrace     = 24 * time.Hour // known keys serve this much longer while the issuer is down

	// What a fetch has refuted is remembered until the next fetch, for a limited time and number.
	// An attacker who guesses the kid of an issuer's next key delays its rotation by this time. So
	// it is no longer than the delay that any stranger can cause.
	refutedLife = refreshEvery
	maxRefuted  = 1000
)

// remoteKeys is a key set that the issuer publishes. It is refreshed when it is used, so there is
// no idle goroutine. A set that grows old is refreshed ahead of time and in the background. A token
// that no known key verifies causes a refresh at once, but not often.
type remoteKeys struct {
	issuer        string
	aliases       []string // other names that the discovery document may have for it
	url           string   // of the key set; empty means discovery
	discoveryURL  string
	allowed       document.Allowed
	client        *http.Client
	bearer        func() (string, error) // nil: none
	access        string                 // tells client and bearer from others
	now           func() time.Time
	refreshFailed func(issuer string, err error)

	mu     sync.Mutex
	set    *KeySet // nil: none yet
	kept   uint64  // the number of the fetch that brought the set; zero: none yet
	keptAt time.Time
	// refreshAt is when the set wants a refresh, staleAt when it may not be used any more.
	refreshAt, staleAt time.Time

	// Fetches are numbered from 1 and run one at a time. A fetch that began after a token came
	// decides about it. A fetch that was already under way may have read an older set.
	begun, ended uint64
	flight       chan struct{} // closed when the fetch under way has ended; nil: there is none
	attempted    time.Time     // when the last one began
	failure      error         // of the last one; an *Error
	failingSince time.Time     // when the first failed of those after the last good one; zero: none
	allowance    allowance
	// refuted has what the kept set says nothing about: kids and tokens, see idOf.
	refuted map[[sha256.Size]byte]bool
}

// find implements keyFinder. A refresh that fails leaves the keys as they were.
func (r *remoteKeys) find(ctx context.Context, s *search) ([]key, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.verdict == nil {
		s.since = r.begun
	}
	for {
		keys := r.lookUp(s.kid)
		if len(keys) > 0 && r.kept != s.tried {
			return r.hand(s, keys)
		}
		final := r.usable() && (r.kept > s.since || r.refutes(idOf(s, keys)))
		switch {
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		case final && len(keys) > 0:
			return nil, true, nil
		case final:
			r.refute(idOf(s, keys))
			return nil, false, newError(keyUnknown, "%w", r.set.lacks(s.kid))
		case r.ended > s.since, r.flight == nil && !r.mayFetch():
			return nil, false, r.unavailable(s)
		case r.flight == nil:
			r.begin()
		}
		r.wait(ctx, r.flight)
	}
}

// hand returns, under the lock, keys that the search has not tried yet.
func (r *remoteKeys) hand(s *search, keys []key) ([]key, bool, error) {
	s.tried = r.kept
	last := r.kept > s.since
	if last && s.verdict != nil { // whatever the result: there are no newer keys for this token
		r.refute(idOf(s, keys))
	}
	now := r.now()
	if r.flight == nil && !now.Before(r.refreshAt) && passed(now, r.attempted, duePause) {
		r.begin() // in the background: this caller gets the known keys
	}
	return keys, last, nil
}

// lookUp returns, under the lock, the keys for a kid that may be used now.
func (r *remoteKeys) lookUp(kid string) []key {
	if !r.usable() {
		return nil
	}
	return r.set.lookUp(kid)
}

// usable tells, under the lock, whether there are keys that may still be used.
func (r *remoteKeys) usable() bool { return r.set != nil && r.now().Before(r.staleAt) }

// idOf identifies what a fetch can refute: a kid that the set does not have, or a token that is not
// signed with a key that the set has under its kid.
func idOf(s *search, keys []key) [sha256.Size]byte {
	if len(keys) == 0 {
		return sha256.Sum256([]byte("kid " + s.kid))
	}
	return s.token
}

// refutes tells, under the lock, whether the kept set has refuted this and is new enough to rely
// on.
func (r *remoteKeys) refutes(id [sha256.Size]byte) bool {
	return r.refuted[id] && !passed(r.now(), r.keptAt, refutedLife)
}

// refute remembers, under the lock, what the kept set has refuted, if there is room.
func (r *remoteKeys) refute(id [sha256.Size]byte) {
	if len(r.refuted) < maxRefuted {
		r.refuted[id] = true
	}
}

// mayFetch tells, under the lock, whether the issuer may be asked once more, and spends that from
// the allowance. Without any keys there is nothing to protect but the issuer.
func (r *remoteKeys) mayFetch() bool {
	if r.usable() {
		return r.allowance.take(r.now())
	}
	if r.attempted.IsZero() || passed(r.now(), r.attempted, emptyPause) {
		r.allowance.spend(r.now())
		return true
	}
	return false
}

// unavailable says, under the lock, why there are no keys that would give a final verdict. That is
// never the fault of the sender of the token.
func (r *remoteKeys) unavailable(s *search) error {
	if !r.usable() {
		late := newError(keySetUnavailable, "the issuer's keys came too late to be used")
		return cmp.Or(r.failure, error(late))
	}
	verdict := s.verdict
	if len(r.lookUp(s.kid)) == 0 {
		verdict = r.set.lacks(s.kid)
	}
	now := r.now()
	wait := r.allowance.wait(now)
	pending := newError(keyPending,
		"%w; the issuer's keys were fetched %s ago, and can be fetched again in %s", verdict,
		now.Sub(r.keptAt).Round(time.Second), max(0, wait).Round(time.Second))
	pending.Refresh = r.failure
	pending.RetryAfter = min(max(wait, leastRetry), refreshEvery)
	return pending
}

// wait waits, without the lock, for a fetch to end. No caller can cancel it; each stops waiting
// when its own context ends.
func (r *remoteKeys) wait(ctx context.Context, flight <-chan struct{}) {
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-flight:
	case <-ctx.Done():
	}
}

// begin begins, under the lock, a fetch that all callers share.
func (r *remoteKeys) begin() {
	r.begun++
	r.attempted = r.now()
	r.flight = make(chan struct{})
	go r.fetch(r.begun, r.attempted, r.flight)
}

// fetch gets the set and keeps it, or keeps the failure next to the keys known so far.
func (r *remoteKeys) fetch(number uint64, began time.Time, done chan<- struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	var set *KeySet
	var life time.Duration
	err := error(newError(keySetUnavailable, "the HTTP client ended its goroutine"))
	defer func() { // also if the client ended the goroutine
		r.keep(number, began, set, life, err)
		close(done)
	}()
	err = guard.Call(func() (err error) {
		set, life, err = r.load(ctx)
		return err
	})
	var refusal *Error
	if err != nil && !errors.As(err, &refusal) {
		err = newError(keySetUnavailable, "the HTTP client: %w", err)
	}
}

// keep notes what a fetch has brought.
func (r *remoteKeys) keep(
	number uint64, began time.Time, set *KeySet, life time.Duration, err error,
) {
	r.mu.Lock()
	r.ended = number
	r.flight = nil
	r.failure = err
	if err != nil && r.failingSince.IsZero() {
		r.failingSince = began
	}
	if err == nil {
		r.failingSince = time.Time{}
		r.set = set
		r.kept = number
		r.keptAt = began
		r.refreshAt = began.Add(life)
		r.staleAt = began.Add(life + outageGrace)
		clear(r.refuted)
	}
	r.mu.Unlock()
	if err != nil {
		r.refreshFailed(r.issuer, err)
	}
}

// passed tells whether the time d has passed since then. A clock that was set back is not waited
// for.
func passed(now, then time.Time, d time.Duration) bool {
	since := now.Sub(then)
	return since >= d || since < 0
}
