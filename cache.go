package delegation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/session"
)

// CacheOutcome says where the credentials of an exchange came from, in Event.Cache. Empty: the
// exchange did not get that far. With every outcome except [CacheRefresh], the token, the target,
// the rules and the decision were checked as always.
type CacheOutcome string

// Cache outcomes.
const (
	// CacheOff: there is no cache, or the call has [WithoutCache]. AWS was called.
	CacheOff CacheOutcome = "off"
	// CacheHit: from memory.
	CacheHit CacheOutcome = "hit"
	// CacheStale: from memory and still valid, but a renewal is due and fails. The failed attempt
	// has its own event.
	CacheStale CacheOutcome = "stale"
	// CacheMiss: AWS was called.
	CacheMiss CacheOutcome = "miss"
	// CacheJoined: the exchange waited for the call of another exchange to AWS. Or it ended before
	// its own call, which then has its own event.
	CacheJoined CacheOutcome = "joined"
	// CacheDenied: AWS refused the same decision within the last minute, in the request RequestID.
	// AWS was not called.
	CacheDenied CacheOutcome = "denied"
	// CacheShared: from Config.SharedCache.
	CacheShared CacheOutcome = "shared"
	// CacheSharedDown: AWS was called, because Config.SharedCache failed. The Logger has its error.
	CacheSharedDown CacheOutcome = "shared_down"
	// CacheRefresh: not an exchange, but a call to AWS that continued without the exchange that
	// began at Event.Time.
	CacheRefresh CacheOutcome = "refresh"
)

// SharedCache keeps credentials for the Delegators of several processes. Package rediscache has
// one.
//
// It must be safe for concurrent use, honour the context and fail quickly: an exchange waits for
// it, but continues without it on any error. It stores live credentials: encrypt them. An owner is
// derived from the subject, and a key from the whole decision. Both are 64 hexadecimal digits.
type SharedCache interface {
	// Get returns the credentials that were stored with Put for the same owner and key, or nil if
	// there are none.
	Get(ctx context.Context, owner, key string) (*Credentials, error)
	// Put stores the credentials, no longer than until their Expiration. It must not change them.
	Put(ctx context.Context, owner, key string, c *Credentials) error
	// Delete drops one entry. With an empty key it drops all entries of the owner. With an empty
	// key and an empty owner it drops everything.
	Delete(ctx context.Context, owner, key string) error
	// Lock waits until no other process calls AWS for the key. The lock must expire by itself if
	// unlock is never called.
	Lock(ctx context.Context, owner, key string) (unlock func(), err error)
}

// Invalidate drops the cached credentials and refusals of a subject of any issuer, in this process
// and in Config.SharedCache. An error of the shared cache is returned with [CodeSharedCache]. Other
// processes drop theirs only if they share Config.Revocations with this one, within 5 seconds. If
// that store fails, the error has [CodeRevocationsUnavailable].
//
// Call it after revoking a role's sessions in IAM. AWS then refuses credentials issued earlier, and
// the next exchange gets new ones. Invalidate itself does not end credentials that were already
// returned.
func (d *Delegator) Invalidate(ctx context.Context, subject string) error {
	return d.invalidate(ctx, Revocation{Subject: subject})
}

// InvalidateAll is [Delegator.Invalidate] for all users.
func (d *Delegator) InvalidateAll(ctx context.Context) error {
	return d.invalidate(ctx, Revocation{Everybody: true})
}

// forget drops an owner's entries from the cache and from the shared one, or everybody's if the
// owner is nil.
func (d *Delegator) forget(ctx context.Context, owner *freshness.Key) error {
	if d.cache == nil {
		return nil
	}
	if err := d.cache.Forget(ctx, owner); err != nil {
		return newError(CodeSharedCache, "%w", err)
	}
	return nil
}

// ownerOf names whose credentials are kept: a subject's, of whatever issuer.
func ownerOf(subject string) freshness.Key {
	return freshness.KeyOf([]string{"subject", subject})
}

// newCache makes the cache that the configuration asks for: nil if none.
func (c *Config) newCache() *freshness.Cache[Credentials] {
	if c.CacheSize < 0 {
		return nil
	}
	return freshness.NewCache(c.cacheConfig())
}

// cacheConfig is the configuration of a cache that there is.
func (c *Config) cacheConfig() freshness.CacheConfig[Credentials] {
	logger := c.Logger
	made := freshness.CacheConfig[Credentials]{
		Size:     c.CacheSize,
		Window:   c.CacheWindow,
		Ahead:    c.CacheAhead,
		Now:      c.Now,
		Random:   rand.Float64,
		Jittered: freshness.Jittered,
		SharedFailed: func(err error) {
			logger.LogAttrs(context.Background(), slog.LevelWarn, "shared cache failed",
				slog.String("error", err.Error()))
		},
		End:     func(kept *Credentials) time.Time { return kept.Expiration },
		Passing: func(err error) bool { return issueError(err).Retryable },
		Refusal: isRefusal,
	}
	if c.SharedCache != nil { // or there would be an interface that holds a nil one
		made.Shared = c.SharedCache
	}
	return made
}

// obtain returns credentials for the decision: those that are remembered, or new ones of AWS.
func (x *exchange) obtain(ctx context.Context) (*Credentials, error) {
	if x.cache == nil || x.options.withoutCache {
		return x.obtainNew(ctx)
	}
	return x.obtainCached(ctx)
}

// obtainNew asks AWS, in the exchange's own time and record.
func (x *exchange) obtainNew(ctx context.Context) (*Credentials, error) {
	x.event.Cache = CacheOff
	c := x.newCall(x.record)
	credentials, err := c.issue(ctx)
	x.record = c.record
	return credentials, err
}

// obtainCached returns what is remembered, or asks AWS.
func (x *exchange) obtainCached(ctx context.Context) (*Credentials, error) {
	key := x.cacheKey()
	kept, outcome, err, held := x.cache.Held(key)
	if held {
		x.lap(StageCache)
		x.event.Cache = CacheOutcome(outcome)
	} else {
		kept, err = x.find(ctx, key)
	}
	if err != nil {
		return nil, issueError(err)
	}
	kept.describe(&x.event)
	copied := *kept
	return &copied, nil
}

// find has the cache find or renew what it does not hold. The call to AWS may be for several
// exchanges, and may end when none of them waits any more; then it is reported by itself.
func (x *exchange) find(ctx context.Context, key freshness.Key) (*Credentials, error) {
	c := x.newCall(x.record.apart())
	c.event.Cache = CacheRefresh
	kept, outcome, err := x.cache.Get(ctx, freshness.Request[Credentials]{
		Key:    key,
		Owner:  ownerOf(x.claims.Subject),
		Life:   x.decision.duration,
		Last:   x.decision.sessionNotOnOrAfter,
		Usable: x.usable,
		Issue: func(ctx context.Context) (*Credentials, error) {
			c.began = c.now()
			return c.issue(ctx)
		},
		Unattended: func(err error) {
			if err != nil {
				err = x.blame(issueError(err)) // a copy: others may be reading the error
			}
			// Nobody gets these credentials without an exchange, which has a record of its own.
			_ = x.report(context.WithoutCancel(ctx), &c.record, err)
		},
	})
	x.lap(StageCache)
	x.event.Cache = CacheOutcome(outcome)
	if outcome == freshness.Miss || outcome == freshness.SharedDown {
		x.adopt(c)
	}
	return kept, err
}

// adopt takes over the record of a call that was made for this exchange alone and has ended. The
// time of the call's stages is also counted as StageCache, so it is subtracted there.
func (x *exchange) adopt(c *call) {
	event := c.event
	event.Cache = x.event.Cache
	for i, stage := range stagesInOrder {
		if c.took.done[i] {
			x.took.add(stage, c.took.took[i])
			x.took.add(StageCache, -c.took.took[i])
		}
	}
	x.event = event
}

// usable refuses credentials from the shared cache that are incomplete or of another session: a
// writer to that cache must not choose who a user is. They then count as absent.
func (x *exchange) usable(c *Credentials) error {
	if c.AccessKeyID == "" || c.SecretAccessKey.Reveal() == "" || c.SessionToken.Reveal() == "" {
		return errors.New("it returned incomplete credentials, which are not used")
	}
	entityID := x.identity(x.target).EntityID
	difference := x.decision.difference(c, entityID, x.config.UnsafeSTSEmulator)
	if difference != "" {
		return fmt.Errorf("it returned credentials of another session, which are not used: %s",
			difference)
	}
	return nil
}

// isRefusal tells whether AWS has definitely refused. An answer for another session is not a
// refusal: it says nothing about the decision or about cached credentials.
func isRefusal(err error) bool {
	e := issueError(err)
	return e.Stage == StageSTS && !e.Retryable && e.Code != CodeSTSAnswerMismatch
}

// issueError is the Error of what the cache returned, for one caller alone.
func issueError(err error) *Error {
	var e *Error
	switch {
	case errors.As(err, &e):
		copied := *e
		return &copied
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return canceledAt(StageSTS, err)
	}
	return newError(CodeSTSAnswerIncomplete, "the call to AWS: %w", err)
}

// cacheKey is made of all that the decision holds, and of who decided: the token's issuer and
// subject, the actor, and the SAML identity with the key that signs. So cached credentials are
// never served to an identity that AWS might refuse, nor after a key was replaced. A revocation
// changes the key, and all processes that know of the revocation use the new one. They do not find
// what another process stores late under the old key.
func (x *exchange) cacheKey() freshness.Key {
	identity := x.identity(x.target)
	certificate := x.certificateHash(identity.Keys[0].Certificate)
	t := make(freshness.KeyText, 0, 1024) // as much as most decisions need
	t = t.Text(x.claims.Issuer).Text(x.claims.Subject)
	t = t.Text(identity.EntityID).Text(string(certificate[:]))
	if x.actor != nil {
		t = t.Text("actor").Text(x.actor.Issuer).Text(x.actor.Subject).Text(x.actor.ClientID)
	}
	if !x.revoked.IsZero() {
		t = t.Text("revoked").Number(x.revoked.UnixNano())
	}
	return x.decision.appendKey(t).Key()
}

// appendKey appends all that the decision holds.
func (d *decision) appendKey(t freshness.KeyText) freshness.KeyText {
	for _, a := range [...]*arn.ARN{&d.role, &d.principal} {
		t = t.Text(a.Partition).Text(a.Service).Text(a.Region).Text(a.AccountID).Text(a.Resource)
	}
	t = t.Number(int64(len(d.regions)))
	for _, r := range d.regions {
		t = t.Text(r.name).Text(r.partition)
	}
	t = t.Text(d.nameID).Text(d.recipient).Text(d.audience).Text(d.sessionName)
	t = t.Number(int64(d.duration)).Number(d.sessionNotOnOrAfter.UnixNano())
	t = t.Text(d.encryptionKey).Text(d.sourceIdentity).Text(d.policy).Texts(d.policyARNs)
	t = t.Number(int64(len(d.tags)))
	for _, key := range d.tagKeys(make([]string, 0, session.MaxTags)) {
		t = t.Text(key).Text(d.tags[key])
	}
	t = t.Texts(d.transitive).Texts(d.droppable)
	t = t.Number(int64(len(d.mapped)))
	for _, a := range d.mapped {
		t = t.Text(a.Name).Texts(a.Values)
	}
	for _, next := range d.chain { // last, so that decisions without a chain have no part for it
		t = t.Text(next.role.String()).Text(next.externalID)
	}
	return t
}

// certificateHash returns the hash of a certificate. The certificates of the configuration's
// identities are hashed once.
func (d *Delegator) certificateHash(c *x509.Certificate) [sha256.Size]byte {
	if hash, known := d.certificates.Load(c); known {
		return hash.([sha256.Size]byte)
	}
	return sha256.Sum256(c.Raw)
}
