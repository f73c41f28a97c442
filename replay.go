package delegation

import (
	"context"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/idtoken"
)

// ReplayStore lets an ID token be used once for each target. Use [ReplayMemory], or a
// rediscache.Cache for several processes. An implementation must be safe for concurrent use and
// honour the context. If it does not know whether a key was used, it must return an error: the
// exchange is then refused.
//
// A token is identified by its issuer and its jti, or, without a jti, by its signed content. A jti
// that is empty or not a string is refused with [CodeClaimType]. A target is identified by
// [Target.ID].
type ReplayStore interface {
	// FirstUse atomically marks the key as used, and reports whether this was the first use. The
	// key is 64 hexadecimal digits. Keep the mark at least until the time in until: the token has
	// then expired. The argument now is the current time.
	FirstUse(ctx context.Context, key string, now, until time.Time) (first bool, err error)
}

// ReplayMemory returns a ReplayStore for one process. It remembers up to size tokens, about 200
// bytes each, until they expire. While it is full, tokens are refused with [CodeReplayUnavailable]:
// a token that was dropped early could be used twice.
func ReplayMemory(size int) ReplayStore { return freshness.NewReplayMemory(size) }

// requireFirstUse refuses a token that was used for the target before. It comes after the target
// was found, so that strangers cannot fill the store with names, and before profile and rules, so
// that these see no token twice. A token that passes is spent, even if a later step fails.
func (x *exchange) requireFirstUse(ctx context.Context, idToken string) error {
	if x.config.Replay == nil {
		return nil
	}
	kind, id, err := x.tokenID(idToken)
	if err != nil {
		x.lap(StageToken)
		return err
	}
	target := x.target.idFor(x.targetName)
	key := freshness.KeyOf([]string{"replay", x.claims.Issuer, kind, id, target}).String()
	first, err := x.firstUse(ctx, key)
	x.lap(StageToken)
	switch {
	case err != nil && ctx.Err() != nil:
		return canceledAt(StageToken, ctx.Err())
	case err != nil:
		return newError(CodeReplayUnavailable, "the replay store: %w", err)
	case !first:
		return newError(CodeTokenReplayed, "the token was used for the target %.80q before", target)
	}
	return nil
}

// firstUse asks the store whether this is the token's first use. All exchanges of one token in one
// context of WithIDToken count as one use, so that a request can call AWS more than once. This does
// not apply to a different token that is exchanged in that context.
func (x *exchange) firstUse(ctx context.Context, key string) (bool, error) {
	mark := func() (bool, error) {
		until := x.claims.Expiry.Add(x.config.Leeway)
		return x.config.Replay.FirstUse(ctx, key, x.config.Now(), until)
	}
	c := tokenIn(ctx)
	if c == nil || hexSHA256(c.idToken.Reveal()) != x.event.TokenSHA256 {
		return guard.Value(mark)
	}
	use := tokenUse{delegator: x.Delegator, key: key}
	return guard.Value(func() (bool, error) { return c.uses.first(ctx, use, mark) })
}

// tokenID returns what identifies the token among those of its issuer: its jti, or else the hash of
// what was signed. A jti that is not a string violates RFC 7519 §4.1.7 and is refused: without a
// reliable ID, an earlier use could go unnoticed.
func (x *exchange) tokenID(idToken string) (kind, id string, err error) {
	claim, given := x.claims.All["jti"]
	if !given {
		return "signed", fmt.Sprintf("%x", idtoken.SignedDigest(idToken)), nil
	}
	id, _ = claim.(string)
	if id == "" {
		return "", "", newError(CodeClaimType,
			"jti is not a string with at least one character, so the replay store cannot "+
				"recognize the token")
	}
	return "jti", id, nil
}
