package delegation

import (
	"context"
	"strings"
	"time"

	"github.com/seed055b7978/delegation/internal/credcache"
	"github.com/seed055b7978/delegation/internal/guard"
	"github.com/seed055b7978/delegation/internal/replaymemory"
)

// ReplayStore lets an ID token be used once for each target: [ReplayMemory], or a rediscache.Cache for several processes. It must be safe for
// concurrent use and honour the context. Whatever it cannot tell has to be an error: the exchange is then refused.
type ReplayStore interface {
	// FirstUse notes in one step that the key is used, and tells whether that was the first time. The key is 64 hexadecimal
	// digits; it may be forgotten at until, when the token has expired, and not before. The clock says now.
	FirstUse(ctx context.Context, key string, now, until time.Time) (first bool, err error)
}

// ReplayMemory returns a ReplayStore for one process, which remembers up to size tokens, about 200 bytes each, until they expire.
// While it is full, tokens are refused with [CodeReplayUnavailable]: forgetting one early would let it be used again.
func ReplayMemory(size int) ReplayStore { return replaymemory.New(size) }

// firstUse refuses a token that was used for the target before. It stands behind the target, so that strangers cannot fill the store with
// names, and before profile and rules, so that these see no token twice. What fails behind it does not give the token back.
func (x *exchange) firstUse(ctx context.Context, idToken string) error {
	if x.config.Replay == nil {
		return nil
	}
	kind := "jti"
	id, _ := x.claims.All["jti"].(string)
	if id == "" { // what was signed, without the signature: of some algorithms anyone can make a second one that verifies
		kind, id = "signed", idToken[:strings.LastIndexByte(idToken, '.')]
	}
	key := credcache.KeyOf([]string{"replay", x.claims.Issuer, kind, id, x.name}).String()
	first, err := guard.Value(func() (bool, error) {
		return x.config.Replay.FirstUse(ctx, key, x.config.Now(), x.claims.Expiry.Add(x.config.Leeway))
	})
	x.lap(StageToken)
	switch {
	case err != nil && ctx.Err() != nil:
		return canceledAt(StageToken, ctx.Err())
	case err != nil:
		return newError(CodeReplayUnavailable, "the replay store: %w", err)
	case !first:
		return newError(CodeTokenReplayed, "the token was used for the target %.80q before", x.name)
	}
	return nil
}
