package delegation

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

const (
	// defaultRevocationsKept is longer than most issuers' ID tokens live.
	defaultRevocationsKept = 24 * time.Hour
	// leastRevocationsKept is AWS's longest session: credentials in a cache may be that old.
	leastRevocationsKept = 12 * time.Hour
	mostRevocationsKept  = 366 * 24 * time.Hour

	// maxRevocations is how many sessions can be remembered, about 250 bytes each.
	maxRevocations = 1_000_000
	// maxLogouts is how many logout tokens can be remembered.
	maxLogouts = 100_000
)

// RevocationStore keeps the marks of ended sessions for several processes. A rediscache.Cache is
// one. It must be safe for concurrent use and honour the context. If it does not know all marks, it
// must return an error: exchanges are then refused.
//
// Its ReplayStore is for logout tokens, each of which is accepted once.
type RevocationStore interface {
	// AddRevocations keeps each mark at least until its Until. The same mark may be added several
	// times.
	AddRevocations(ctx context.Context, marks []RevocationMark) error
	// RevocationsSince returns the marks that were added since a position, and the position for the
	// next call. The empty position is the beginning. A mark may be returned several times. No mark
	// that was added before the call began may be missing.
	RevocationsSince(ctx context.Context, position string) (
		marks []RevocationMark, next string, err error,
	)
	ReplayStore
}

// RevocationMark is one entry of a [RevocationStore]. It does not show whose sessions it is about.
type RevocationMark struct {
	// Key is 64 hexadecimal digits.
	Key string
	// Before is the time of issue up to which the session's tokens are refused. Zero: tokens are
	// accepted, and only cached credentials are dropped.
	Before time.Time
	// Made is when the sessions were ended.
	Made time.Time
	// Until is when the mark may be deleted.
	Until time.Time
}

// Revocations remember the sessions that [Delegator.Logout], [Delegator.Revoke] and
// [Delegator.Invalidate] ended. Several Delegators of a process can share one value, and a store
// shares them between processes. Make it with [NewRevocations]. It is safe for concurrent use.
//
// A mark of another process takes effect within 5 seconds. There are no timers: an exchange starts
// a read of the store if the last one was 2 seconds ago, and waits for it if the last one was 5
// seconds ago. If the store fails for that long, exchanges are refused with
// [CodeRevocationsUnavailable].
type Revocations struct {
	store RevocationStore // nil: of this process alone
	kept  time.Duration
	marks *freshness.Marks
	used  *freshness.ReplayMemory // logout tokens
}

// NewRevocations returns Revocations that remember ended sessions for the duration kept: 12 hours
// to 366 days, or 24 hours if it is zero. A token that was issued longer ago is refused with
// [CodeTokenTooOld], whether its session was ended or not. With a nil store they are kept only in
// this process, and a restart loses them. [New] refuses a duration outside these limits.
//
// All processes that share a store need the same duration, because a process that adds a mark drops
// marks that are older than its own duration. A longer duration does not bring back dropped marks.
//
// There is room for one million marks. A logout uses up to three. If there are more, exchanges are
// refused.
func NewRevocations(store RevocationStore, kept time.Duration) *Revocations {
	r := &Revocations{
		store: store,
		kept:  cmp.Or(kept, defaultRevocationsKept),
		used:  freshness.NewReplayMemory(maxLogouts),
	}
	var source freshness.MarkSource
	if store != nil {
		source = r.since
	}
	r.marks = freshness.NewMarks(maxRevocations, source)
	return r
}

// WithStore returns Revocations with another store, the same duration, and the marks that this
// process knows. It is for programs that change how they connect to their store. Nothing is written
// to the new store, so it must be a copy of the old one: otherwise other processes lack the marks,
// and so does this one after a restart. WithStore of nil returns nil.
func (r *Revocations) WithStore(store RevocationStore) *Revocations {
	if r == nil {
		return nil
	}
	made := NewRevocations(store, r.kept)
	_ = made.marks.Add(time.Time{}, r.marks.Known()...) // there is as much room as before
	return made
}

func (r *Revocations) validate() error {
	switch {
	case r == nil:
		return nil
	case r.marks == nil:
		return errors.New("make them with NewRevocations")
	case r.kept < leastRevocationsKept || r.kept > mostRevocationsKept:
		return fmt.Errorf("they are kept for %s, which is not between %s and %s",
			r.kept, leastRevocationsKept, mostRevocationsKept)
	}
	return nil
}

// since reads the store. A result that is not a valid mark is an error, because it may be the
// damaged mark of an ended session.
func (r *Revocations) since(
	ctx context.Context, position string,
) (marks []freshness.Mark, next string, err error) {
	stored, next, err := r.store.RevocationsSince(ctx, position)
	if err != nil {
		return nil, "", err
	}
	for _, mark := range stored {
		var key freshness.Key
		n, err := hex.Decode(key[:], []byte(mark.Key)[:min(len(mark.Key), 2*len(key))])
		if err != nil || n != len(key) || len(mark.Key) != 2*len(key) {
			return nil, "", fmt.Errorf("it returned the key %.80q, which is not a key", mark.Key)
		}
		marks = append(marks, freshness.Mark{
			Key:    key,
			Before: mark.Before,
			Made:   mark.Made,
			Until:  mark.Until,
		})
	}
	return marks, next, nil
}

// add makes marks count here at once, and in other processes if the store takes them.
func (r *Revocations) add(ctx context.Context, now time.Time, marks []freshness.Mark) error {
	stored := make([]RevocationMark, len(marks))
	for i := range marks {
		marks[i].Until = r.until(marks[i])
		stored[i] = RevocationMark{
			Key:    marks[i].Key.String(),
			Before: marks[i].Before,
			Made:   marks[i].Made,
			Until:  marks[i].Until,
		}
	}
	err := r.marks.Add(now, marks...)
	if err != nil || r.store == nil {
		return err
	}
	return guard.Call(func() error { return r.store.AddRevocations(ctx, stored) })
}

// until is when a mark may be forgotten: the tokens that it refuses are too old from then on.
func (r *Revocations) until(mark freshness.Mark) time.Time {
	last := mark.Made
	if mark.Before.After(last) {
		last = mark.Before
	}
	return last.Add(r.kept)
}

// requireLiveSession refuses a token whose session was ended after it was issued. It comes after
// the target was found, so that strangers cannot make the store busy, and before the token is
// spent.
func (x *exchange) requireLiveSession(ctx context.Context) error {
	r := x.config.Revocations
	if r == nil {
		return nil
	}
	err := x.checkSession(ctx, r)
	x.lap(StageToken)
	return err
}

func (x *exchange) checkSession(ctx context.Context, r *Revocations) error {
	if err := r.marks.Freshen(ctx, x.config.Now); err != nil {
		if ctx.Err() != nil {
			return canceledAt(StageToken, ctx.Err())
		}
		return newError(CodeRevocationsUnavailable, "the store of ended sessions: %w", err)
	}
	now := x.config.Now()
	issued := x.claims.IssuedAt
	if err := r.requireRecent(issued, now); err != nil {
		return err
	}
	if x.actor != nil && x.actor.claims != nil {
		if err := r.requireRecent(x.actor.claims.IssuedAt, now); err != nil {
			return ofActor(err)
		}
	}
	if r.marks.Empty() {
		return nil
	}
	before, made := r.marks.Of(now, marksOfToken(x.claims)...)
	x.revoked = made
	if err := requireIssuedAfter(issued, before); err != nil || x.actor == nil {
		return err
	}
	before, made = r.marks.Of(now, x.marksOfActor()...)
	if made.After(x.revoked) {
		x.revoked = made
	}
	if x.actor.claims != nil {
		issued = x.actor.claims.IssuedAt
	}
	return ofActor(requireIssuedAfter(issued, before))
}

// requireRecent refuses a token that is older than what is remembered of ended sessions.
func (r *Revocations) requireRecent(issued, now time.Time) error {
	age := now.Sub(issued)
	if age < r.kept {
		return nil
	}
	return newError(CodeTokenTooOld,
		"the token was issued at %s, %s ago, and ended sessions are remembered for %s",
		issued.UTC().Format(time.RFC3339), age.Round(time.Second), r.kept)
}

// requireIssuedAfter refuses a token that was issued at or before the end of its session. Some
// issuers round iat down, others write fractions, so a token that was issued in the same second as
// the end counts as issued before it.
func requireIssuedAfter(issued, ended time.Time) error {
	if ended.IsZero() || issued.Truncate(time.Second).After(ended) {
		return nil
	}
	return newError(CodeSessionEnded,
		"the token was issued at %s, and the sessions of tokens up to %s were ended",
		issued.UTC().Format(time.RFC3339), ended.UTC().Format(time.RFC3339))
}

// marksOfToken returns the keys of all marks that can end the session of a token with these claims.
func marksOfToken(claims *idtoken.Claims) []freshness.Key {
	issuer := claims.Issuer
	keys := make([]freshness.Key, 0, mostMarksOfToken)
	keys = append(keys, markOfAll(), markOfIssuer(issuer), markOfSubject(claims.Subject))
	if claims.Entry != issuer { // a tenant of it
		keys = append(keys, markOfIssuer(claims.Entry))
	}
	keys = sessionsAt{issuer: issuer}.appendMarks(keys, claims)
	if claims.Client == "" {
		return keys
	}
	return sessionsAt{issuer: issuer, client: claims.Client}.appendMarks(keys, claims)
}

// mostMarksOfToken is four keys, two of sessions at the issuer, and two of those at the client.
const mostMarksOfToken = 8

// The keys of marks.

func markOfAll() freshness.Key { return freshness.KeyOf([]string{"everybody"}) }

func markOfIssuer(issuer string) freshness.Key {
	return freshness.KeyOf([]string{"issuer", issuer})
}

// markOfSubject is for a subject of any issuer.
func markOfSubject(subject string) freshness.Key {
	return freshness.KeyOf([]string{"subject", subject})
}

// sessionsAt are the sessions at one issuer, or, with a client, at this client of it.
type sessionsAt struct{ issuer, client string }

// appendMarks appends the keys of the marks that end the session of a token here.
func (s sessionsAt) appendMarks(keys []freshness.Key, claims *idtoken.Claims) []freshness.Key {
	keys = append(keys, s.markOfUser(claims.Subject))
	if sid, _ := claims.All["sid"].(string); sid != "" {
		return append(keys, s.markOfSession(sid))
	}
	return append(keys, s.markOfSessionless(claims.Subject))
}

func (s sessionsAt) markOfUser(subject string) freshness.Key { return s.mark("user", subject) }

func (s sessionsAt) markOfSession(sid string) freshness.Key { return s.mark("session", sid) }

// markOfSessionless is for those tokens of a user that do not say of which session they are.
func (s sessionsAt) markOfSessionless(subject string) freshness.Key {
	return s.mark("without session", subject)
}

func (s sessionsAt) mark(kind, name string) freshness.Key {
	if s.client == "" {
		return freshness.KeyOf([]string{kind, s.issuer, name})
	}
	return freshness.KeyOf([]string{kind, s.issuer, name, s.client})
}
