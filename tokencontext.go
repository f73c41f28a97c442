package delegation

import (
	"context"
	"slices"
)

// WithIDToken returns a context that carries the user's ID token for [Delegator.FromContext]. One
// client of the AWS SDK can then serve all users: each call uses the credentials of the user in its
// context. The token is not checked here. Every exchange checks it. [delegationhttp] has middleware
// that takes it from a request.
//
// The options, such as [WithRequest], apply to every exchange that FromContext makes in this
// context. They are applied after FromContext's own options. An inner token replaces the token and
// the options of an outer context. A nil context is treated as [context.Background].
//
// With Config.Replay, all exchanges of this token in the context and its children count as one use
// of the token for each target.
//
// FromContext requires a context whose Done is not nil, and this one has it. It ends when its
// parent ends. It needs no goroutine and no cancel function. Printing the context does not show the
// token.
//
// [delegationhttp]: https://pkg.go.dev/github.com/seed055b7978/delegation/delegationhttp
func WithIDToken(
	ctx context.Context, idToken string, options ...ExchangeOption,
) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	c := &tokenContext{
		Context: ctx,
		idToken: NewSecret(idToken),
		options: slices.Clone(options),
	}
	if outer := tokenIn(ctx); outer != nil && outer.idToken.Reveal() == idToken {
		c.uses = outer.uses
	} else {
		c.uses = &tokenUses{turn: make(chan struct{}, 1)}
	}
	if ctx.Done() == nil {
		// This context is one of package context: contexts derived from it need no goroutine.
		c.Context, c.cancel = context.WithCancel(ctx)
	}
	return c
}

// tokenContext is a context with a user's ID token. Its Done is not nil.
type tokenContext struct {
	context.Context
	// cancel ends Context if WithIDToken has made it. Nobody calls it.
	cancel  context.CancelFunc
	idToken Secret
	options []ExchangeOption
	// uses are shared with inner contexts of the same token.
	uses *tokenUses
}

// tokenKey is the key under which a tokenContext is its own value.
type tokenKey struct{}

func (c *tokenContext) Value(key any) any {
	if key == (tokenKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// String names the context in the texts of those that are made of it.
func (c *tokenContext) String() string { return "delegation.WithIDToken" }

// tokenIn returns the context with the token that a context is made of, or nil.
func tokenIn(ctx context.Context) *tokenContext {
	c, _ := ctx.Value(tokenKey{}).(*tokenContext)
	return c
}

// tokenUses are the targets for which the token of a context has been marked as used.
type tokenUses struct {
	turn   chan struct{} // has one place: for the call that asks the store
	marked map[tokenUse]bool
}

// tokenUse is one mark in the replay store of a Delegator.
type tokenUse struct {
	delegator *Delegator
	key       string
}

// first marks the use unless it is marked already, and tells whether the token may be used.
func (u *tokenUses) first(
	ctx context.Context, use tokenUse, mark func() (bool, error),
) (bool, error) {
	select {
	case u.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-u.turn }()
	if u.marked[use] {
		return true, nil
	}
	first, err := mark()
	if err != nil || !first {
		return false, err
	}
	if u.marked == nil {
		u.marked = map[tokenUse]bool{}
	}
	u.marked[use] = true
	return true, nil
}
