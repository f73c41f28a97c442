package delegation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
)

// What Event.Cache says. With every outcome but the last, token, target, rules and decision were checked as always.
const (
	CacheOff        = "off"         // there is no cache, or WithoutCache: AWS was called
	CacheHit        = "hit"         // from memory
	CacheStale      = "stale"       // still good, though a renewal is due and fails; the failed attempt has an event of its own
	CacheMiss       = "miss"        // AWS was called
	CacheJoined     = "joined"      // waited for another exchange's call, or left before the end of its own, which then has an event of its own
	CacheDenied     = "denied"      // AWS refused the same decision within the last minute, with the RequestID shown, and was not asked again
	CacheShared     = "shared"      // from Config.SharedCache
	CacheSharedDown = "shared_down" // AWS was called, because Config.SharedCache failed; the Logger has its error
	CacheRefresh    = "refresh"     // no exchange: a call to AWS behind the back of the exchange that began at Event.Time
)

// SharedCache keeps credentials for the Delegators of several processes; package rediscache has one. It must be safe for concurrent use, honour
// the context and fail quickly: an exchange waits for it, but goes on without it on any error. It holds live credentials: seal them.
// Owner, made of the subject, and key, of the whole decision, are 64 hexadecimal digits each.
type SharedCache interface {
	// Get returns what Put was given under the same owner and key, or nil if there is nothing.
	Get(ctx context.Context, owner, key string) (*Credentials, error)
	// Put keeps the credentials, which it must not change, until their Expiration at the latest.
	Put(ctx context.Context, owner, key string, c *Credentials) error
	// Delete drops one entry; with an empty key all of the owner's, with an empty owner too everything.
	Delete(ctx context.Context, owner, key string) error
	// Lock waits until no other process asks AWS for the key. The lock must end by itself if unlock is never called.
	Lock(ctx context.Context, owner, key string) (unlock func(), err error)
}

// WithoutCache gets new credentials from AWS for this call, which are not remembered, and leaves what is remembered as it is.
func WithoutCache() ExchangeOption { return func(o *exchangeOptions) { o.withoutCache = true } }

// Invalidate forgets the credentials and refusals of a subject of any issuer, here and in Config.SharedCache, whose error it returns with
// [CodeSharedCache]; the memory of other processes is theirs. Call it after revoking a role's sessions in IAM: AWS refuses credentials
// issued before, and the next exchange then gets new ones. Credentials handed out already are not ended by it.
func (d *Delegator) Invalidate(ctx context.Context, subject string) error {
	owner := freshness.KeyOf([]string{"subject", subject})
	return d.forget(ctx, &owner)
}

// InvalidateAll is [Delegator.Invalidate] for everybody.
func (d *Delegator) InvalidateAll(ctx context.Context) error { return d.forget(ctx, nil) }

func (d *Delegator) forget(ctx context.Context, owner *freshness.Key) error {
	switch {
	case ctx == nil || d == nil || d.config.Targets == nil:
		return newError(CodeArgumentInvalid, "the context is nil, or the Delegator was not made by New")
	case d.cache == nil:
		return nil
	}
	if err := d.cache.Forget(ctx, owner); err != nil {
		return newError(CodeSharedCache, "%w", err)
	}
	return nil
}

// newCache makes the cache that the configuration asks for: nil if none.
func (c Config) newCache() *freshness.Cache[Credentials] {
	if c.CacheSize < 0 {
		return nil
	}
	made := freshness.CacheConfig[Credentials]{
		Size: c.CacheSize, Window: c.CacheWindow, Ahead: c.CacheAhead, Now: c.Now,
		Random: rand.Float64, Jittered: freshness.Jittered,
		SharedFailed: func(err error) {
			c.Logger.LogAttrs(context.Background(), slog.LevelWarn, "shared cache failed", slog.String("error", err.Error()))
		},
		End:     func(kept *Credentials) time.Time { return kept.Expiration },
		Passing: func(err error) bool { return issueError(err).Retryable },
		Refusal: isRefusal,
	}
	if c.SharedCache != nil { // or there would be an interface that holds a nil one
		made.Shared = c.SharedCache
	}
	return freshness.NewCache(made)
}

// obtain returns what is remembered for the decision, or asks AWS.
func (x *exchange) obtain(ctx context.Context) (*Credentials, error) {
	if x.cache == nil || x.options.withoutCache {
		x.event.Cache = CacheOff
		return x.issue(ctx)
	}
	own := *x // for a call to AWS, which may go on when this exchange has ended, and ask for less
	own.decision = x.decision.clone()
	own.event.Cache, own.event.Took = CacheRefresh, map[Stage]time.Duration{}
	kept, outcome, err := x.cache.Get(ctx, freshness.Request[Credentials]{
		Key: x.cacheKey(), Owner: freshness.KeyOf([]string{"subject", x.claims.Subject}), Life: x.decision.duration, Last: x.decision.sessionNotOnOrAfter,
		Usable: x.usable,
		Issue: func(ctx context.Context) (*Credentials, error) {
			own.began = own.config.Now()
			return own.issue(ctx)
		},
		Unattended: func(err error) { own.report(context.WithoutCancel(ctx), own.blame(err)) },
	})
	x.lap(StageCache)
	x.event.Cache = string(outcome)
	if outcome == freshness.Miss || outcome == freshness.SharedDown { // the call was this exchange's, and has ended
		own.event.Took[StageCache] = -own.event.Took[StageSAML] - own.event.Took[StageSTS]
		for stage, took := range x.event.Took {
			own.event.Took[stage] += took
		}
		own.event.Cache = x.event.Cache
		x.event = own.event
	}
	if err != nil {
		return nil, issueError(err)
	}
	x.event.AccessKeyID = kept.AccessKeyID
	x.event.Expiration = kept.Expiration
	x.event.PackedPolicySize = kept.PackedPolicySize
	x.event.Unconfirmed = kept.unconfirmed()
	copied := *kept
	return &copied, nil
}

// usable refuses what the shared cache returns for the decision and is not of its session: whoever
// can write there must not choose who a user is. It then counts as absent.
func (x *exchange) usable(c *Credentials) error {
	if c.AccessKeyID == "" || c.SecretAccessKey.Reveal() == "" || c.SessionToken.Reveal() == "" {
		return errors.New("it returned credentials with a part missing, which are not used")
	}
	if difference := x.difference(c); difference != "" {
		return fmt.Errorf("it returned credentials of another session, which are not used: %s", difference)
	}
	return nil
}

// isRefusal tells whether AWS has definitely refused. An answer for another session is none: it says
// nothing about the decision, and nothing about credentials at hand.
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

// cacheKey is made of all that the decision holds, and of who decided: the token's issuer and subject, and the SAML identity with the key that
// signs. So what is remembered is never served to an identity that AWS might refuse, and not after a key was replaced.
func (x *exchange) cacheKey() freshness.Key {
	d, identity := x.decision, x.identity()
	lists := [][]string{
		{x.claims.Issuer, x.claims.Subject, identity.EntityID, string(identity.Keys[0].Certificate.Raw)},
		{
			d.role.String(), d.principal.String(), d.nameID, d.sessionName, fmt.Sprint(d.sessionNotOnOrAfter.UnixNano()),
			d.duration.String(), d.policy, d.sourceIdentity, d.recipient, d.audience, d.encryptionKey,
		},
		d.policyARNs, d.droppable,
	}
	for _, r := range d.regions {
		lists = append(lists, []string{"region", r.name, r.partition})
	}
	for _, a := range d.attributes() {
		lists = append(lists, []string{a.Name}, a.Values)
	}
	return freshness.KeyOf(lists...)
}
