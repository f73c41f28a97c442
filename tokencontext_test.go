package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestCredentialsCache_ItsContextCannotEnd pins what FromContext knows an aws.CredentialsCache by:
// the context that it hands on has the caller's values, and a Done that is nil. If this fails after
// an update of the SDK, users of a client could get each other's credentials: find another sign of
// the cache before anything else.
func TestCredentialsCache_ItsContextCannotEnd(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "a value"), time.Hour)
	defer cancel()
	for name, options := range map[string][]func(*aws.CredentialsCacheOptions){
		"plain":         nil,
		"with a window": {withWindow},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			look := func(ctx context.Context) (aws.Credentials, error) {
				asked++
				if ctx.Done() != nil || ctx.Value(key{}) != "a value" {
					t.Errorf("Done is %v, the value %v", ctx.Done(), ctx.Value(key{}))
				}
				return aws.Credentials{}, errors.New("none")
			}
			cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(look), options...)
			for range 2 {
				if _, err := cache.Retrieve(ctx); err == nil {
					t.Error("the cache has credentials")
				}
			}
			if asked != 2 {
				t.Errorf("the provider was asked %d times", asked)
			}
		})
	}
}

// TestWithIDToken_CanEnd: Done is never nil, and the context ends with the one that it is made of.
func TestWithIDToken_CanEnd(t *testing.T) {
	t.Parallel()
	type key struct{}
	reason := errors.New("a reason")
	parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, "a value"))
	ctx := delegation.WithIDToken(parent, "token")
	if ctx.Done() == nil || ctx.Err() != nil || ctx.Value(key{}) != "a value" {
		t.Errorf("before the end: %v, %v", ctx.Err(), ctx.Value(key{}))
	}
	cancel(reason)
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(context.Cause(ctx), reason) {
		t.Errorf("after the end: %v, %v", ctx.Err(), context.Cause(ctx))
	}
	end := time.Now().Add(time.Hour)
	parent, stop := context.WithDeadline(t.Context(), end)
	defer stop()
	if got, ok := delegation.WithIDToken(parent, "token").Deadline(); !ok || !got.Equal(end) {
		t.Errorf("the deadline is %v", got)
	}
	for name, endless := range map[string]context.Context{
		"background":    context.Background(),
		"without":       context.WithoutCancel(ctx),
		"nil":           nil,
		"a token in it": context.WithoutCancel(delegation.WithIDToken(ctx, "another")),
	} {
		c := delegation.WithIDToken(endless, "token")
		if _, ok := c.Deadline(); c.Done() == nil || c.Err() != nil || ok {
			t.Errorf("%s: Done is nil: %v, %v", name, c.Done() == nil, c.Err())
		}
	}
}

// TestWithIDToken_NoGoroutines: contexts are made of it, and never ended, without any goroutine. A
// bubble does not end while it has one that waits.
func TestWithIDToken_NoGoroutines(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(*testing.T) {
		parent, cancel := context.WithCancel(context.Background())
		for _, made := range []context.Context{context.Background(), parent} {
			ctx := delegation.WithIDToken(made, "token")
			ctx = delegation.WithIDToken(ctx, "another")
			ctx = context.WithValue(ctx, key{}, "a value")
			child, stop := context.WithCancel(ctx)
			context.AfterFunc(child, func() {})
			_ = stop // not called, nor is cancel
		}
		_ = cancel
	})
}

// TestWithIDToken_PrintsNoToken: neither the context nor what is made of it.
func TestWithIDToken_PrintsNoToken(t *testing.T) {
	t.Parallel()
	ctx := delegation.WithIDToken(t.Context(), "canary-token")
	child, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, c := range []context.Context{ctx, child, context.WithoutCancel(child)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if text := fmt.Sprintf(verb, c); strings.Contains(text, "canary") ||
				strings.Contains(text, fmt.Sprintf("%x", "canary")) {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}

// countingStore is a replay store that counts how often it is asked, and fails or panics as told.
type countingStore struct {
	delegation.ReplayStore

	mu    sync.Mutex
	asked int
	fails []func() // of the first times it is asked
}

func (s *countingStore) FirstUse(
	ctx context.Context, key string, now, until time.Time,
) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.asked <= len(s.fails) {
		s.fails[s.asked-1]()
		return false, errors.New("no answer")
	}
	return s.ReplayStore.FirstUse(ctx, key, now, until)
}

// TestWithIDToken_OneUse: with a replay store, all exchanges of the token in one context are one
// use for each target, also at the same time and in contexts that are made of it. A context of its
// own is a use of its own.
func TestWithIDToken_OneUse(t *testing.T) {
	t.Parallel()
	store := &countingStore{ReplayStore: delegation.ReplayMemory(10)}
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Replay = store
		targets := c.Targets.(delegation.Targets)
		other := targets[app]
		other.Audiences = []string{app}
		targets["other"] = other
	})
	provider := d.FromContext(app)
	idToken := d.Token(nil)
	ctx := delegation.WithIDToken(t.Context(), idToken)
	inner := delegation.WithIDToken(context.WithoutCancel(ctx), idToken)
	var group sync.WaitGroup
	for range 10 {
		for _, c := range []context.Context{ctx, inner} {
			group.Go(func() {
				if _, err := provider.Retrieve(c); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	if _, err := d.Exchange(ctx, idToken, app); err != nil {
		t.Error(err)
	}
	if store.asked != 1 {
		t.Errorf("the store was asked %d times", store.asked)
	}
	if _, err := d.FromContext("other").Retrieve(ctx); err != nil || store.asked != 2 {
		t.Errorf("another target: %v, asked %d times", err, store.asked)
	}
	for name, again := range map[string]context.Context{
		"a request of its own": delegation.WithIDToken(t.Context(), idToken),
		"after another token": delegation.WithIDToken(
			delegation.WithIDToken(ctx, d.Token(map[string]any{"sub": "bob"})), idToken),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provider.Retrieve(again)
			wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
		})
	}
}

// TestWithIDToken_OneUseOfItsToken: another token that is exchanged in the context is not the
// context's, so it counts once, as without the context.
func TestWithIDToken_OneUseOfItsToken(t *testing.T) {
	t.Parallel()
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Replay = delegation.ReplayMemory(10)
	})
	ctx := delegation.WithIDToken(t.Context(), d.Token(nil))
	if _, err := d.FromContext(app).Retrieve(ctx); err != nil {
		t.Fatal(err)
	}
	another := d.Token(map[string]any{"sub": "bob"})
	if _, err := d.Exchange(ctx, another, app); err != nil {
		t.Fatal(err)
	}
	_, err := d.Exchange(ctx, another, app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
}

// TestWithIDToken_UseThatFails: what the store could not mark is not used, and a later call asks it
// once more. Another Delegator asks its own store.
func TestWithIDToken_UseThatFails(t *testing.T) {
	t.Parallel()
	store := &countingStore{
		ReplayStore: delegation.ReplayMemory(10),
		fails:       []func(){func() {}, func() { panic("of the store") }},
	}
	d := delegationtest.New(t, func(c *delegation.Config) { c.Replay = store })
	ctx := delegation.WithIDToken(t.Context(), d.Token(nil))
	provider := d.FromContext(app)
	for range store.fails {
		_, err := provider.Retrieve(ctx)
		wantError(t, err, delegation.StageToken, delegation.CodeReplayUnavailable)
	}
	if _, err := provider.Retrieve(ctx); err != nil || store.asked != 3 {
		t.Errorf("got %v, asked %d times", err, store.asked)
	}
	next, err := d.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = next.FromContext(app).Retrieve(ctx)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
}
