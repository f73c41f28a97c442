package delegation_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
)

// replayFunc is a ReplayStore of one function.
type replayFunc func(ctx context.Context, key string, now, until time.Time) (bool, error)

func (f replayFunc) FirstUse(ctx context.Context, key string, now, until time.Time) (bool, error) {
	return f(ctx, key, now, until)
}

func TestReplay_OncePerTarget(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.Audiences = []string{app}
	w.config.Targets = delegation.Targets{app: target, "second": target}
	ran := 0
	w.config.Rules = []delegation.RuleFunc{
		func(context.Context, *delegation.User, *delegation.RuleContext) error {
			ran++
			return nil
		},
	}
	off := w.delegator(t)
	w.config.Replay = delegation.ReplayMemory(100)
	d := w.delegator(t)
	plain, named := w.token(nil), w.token(map[string]any{"jti": "one"})
	for i, row := range []struct {
		token, target string
		first         bool
	}{
		{plain, app, true}, {plain, app, false}, {plain, "second", true}, {plain, "second", false},
		// the issuer's ID for a token is one token's
		{named, app, true}, {named, app, false},
		{w.token(map[string]any{"jti": "one", "sub": "bob"}), app, false},
		{w.token(map[string]any{"nonce": "x"}), app, true},
	} {
		before := ran
		_, err := d.Exchange(t.Context(), row.token, row.target)
		if !row.first {
			e := wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
			if e.Retryable || ran != before || w.newest().Subject == "" {
				t.Errorf("%d: %v, rules ran %v", i, e, ran != before)
			}
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for range 2 {
		if _, err := off.Exchange(t.Context(), plain, app); err != nil {
			t.Errorf("without a store: %v", err)
		}
	}
}

// TestReplay_TokenID: what is no string identifies no token (RFC 7519 §4.1.7), so it cannot be
// known whether that token was used before. Without a store nobody asks.
func TestReplay_TokenID(t *testing.T) {
	for _, jti := range []string{`1`, `1.5`, `""`, `null`, `true`, `["one"]`, `{"id":"one"}`} {
		t.Run(jti, func(t *testing.T) {
			w := newWorld(t)
			all := strings.TrimSuffix(payload(map[string]any{"iss": w.url}), "}")
			token := must(w.provider.Sign(nil, []byte(all+`,"jti":`+jti+"}")))
			if _, err := w.delegator(t).Exchange(t.Context(), token, app); err != nil {
				t.Errorf("without a store: %v", err)
			}
			asked := false
			store := func(context.Context, string, time.Time, time.Time) (bool, error) {
				asked = true
				return true, nil
			}
			w.config.Replay = replayFunc(store)
			_, err := w.delegator(t).Exchange(t.Context(), token, app)
			e := wantError(t, err, delegation.StageToken, delegation.CodeClaimType)
			if !strings.Contains(e.Error(), "jti") || asked {
				t.Errorf("%v; the store was asked: %v", e, asked)
			}
		})
	}
}

// anyCase is a TargetSource that finds its one target whatever the case, as many databases do.
type anyCase struct{ target delegation.Target }

func (s anyCase) Target(_ context.Context, name string) (*delegation.Target, error) {
	if !strings.EqualFold(name, app) {
		return nil, nil
	}
	return &s.target, nil
}

// TestReplay_OncePerTargetAsFound: a token counts once for a target, however the caller spells it.
func TestReplay_OncePerTargetAsFound(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.ID, target.Audiences = "target-7", []string{app}
	w.config.Targets = anyCase{target}
	w.config.Replay = delegation.ReplayMemory(100)
	seen := map[string]bool{}
	see := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		seen[rc.Target] = true
		return nil
	}
	w.config.Rules = []delegation.RuleFunc{see}
	d := w.delegator(t)
	for _, claims := range []map[string]any{nil, {"jti": "one"}} {
		token := w.token(claims)
		for i, name := range []string{app, "PHOTO-APP", "Photo-App"} {
			_, err := d.Exchange(t.Context(), token, name)
			if i == 0 && err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
			}
			if got := w.newest().Target; got != name {
				t.Errorf("the event names the target %q, but %q was asked for", got, name)
			}
		}
		another := w.token(map[string]any{"nonce": "another", "jti": claims["jti"]})
		_, err := d.Exchange(t.Context(), another, "PHOTO-APP")
		if (err == nil) != (claims == nil) { // the issuer says that it is the same if the jti is
			t.Errorf("another token: %v", err)
		}
	}
	if len(seen) != 1 || !seen["target-7"] {
		t.Errorf("rules saw the targets %v", seen)
	}
}

// TestTargetID_IsTheDefaultAudience: which application may call does not hang on how it spells the
// target either.
func TestTargetID_IsTheDefaultAudience(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	for id, want := range map[string]map[string]string{
		"":  {app: accepted, "PHOTO-APP": accepted}, // to each spelling its own application
		app: {app: accepted, "PHOTO-APP": "target audience_not_allowed"},
	} {
		target.ID = id
		w.config.Targets = anyCase{target}
		d := w.delegator(t)
		for name, outcomeWanted := range want {
			_, err := d.Exchange(t.Context(), w.token(map[string]any{"aud": name}), name)
			if got := outcome(err); got != outcomeWanted {
				t.Errorf("ID %q, target %s: got %s", id, name, got)
			}
		}
	}
}

// TestReplay_ComesBehindTheTarget: an exchange that the target refuses does not use the token. One
// that fails after that has used it.
func TestReplay_ComesBehindTheTarget(t *testing.T) {
	w := newWorld(t)
	w.config.Replay = delegation.ReplayMemory(100)
	var fault error = errAWSDown
	w.failing(&fault)
	d, token := w.delegator(t), w.token(nil)
	_, err := d.Exchange(t.Context(), token, "elsewhere")
	wantError(t, err, delegation.StageTarget, delegation.CodeDelegationDisabled)
	_, err = d.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSThrottled)
	fault = nil
	_, err = d.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
}

// TestReplay_OtherSignature: anyone can make a second signature from an ECDSA signature; the token
// is the same.
func TestReplay_OtherSignature(t *testing.T) {
	w := newWorld(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	w.provider = must(oidctest.New(oidctest.Config{Key: key, Now: w.clock.Now}))
	w.provider.SetIssuer(w.url)
	w.config.Issuers[0].JWKS = w.provider.KeySet()
	w.config.Issuers[0].Algorithms = []string{"ES256"}
	token := w.token(nil)
	cut := strings.LastIndexByte(token, '.') + 1
	signature := must(base64.RawURLEncoding.DecodeString(token[cut:]))
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	twin := token[:cut] + base64.RawURLEncoding.EncodeToString(signature)
	if _, err := w.delegator(t).Exchange(t.Context(), twin, app); err != nil {
		t.Fatalf("the second signature must verify, or this test shows nothing: %v", err)
	}
	w.config.Replay = delegation.ReplayMemory(100)
	d := w.delegator(t)
	if _, err := d.Exchange(t.Context(), token, app); err != nil {
		t.Fatal(err)
	}
	_, err := d.Exchange(t.Context(), twin, app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenReplayed)
}

// TestReplay_StoreFails: whatever the store cannot tell, nothing is granted.
func TestReplay_StoreFails(t *testing.T) {
	own := errors.New("connection refused")
	for name, store := range map[string]delegation.ReplayStore{
		"error": replayFunc(func(context.Context, string, time.Time, time.Time) (bool,
			error) {
			return false, own
		}),
		"an error and first": replayFunc(func(context.Context, string, time.Time, time.Time) (bool,
			error) {
			return true, own
		}),
		"panic": replayFunc(func(context.Context, string, time.Time, time.Time) (bool,
			error) {
			panic("x")
		}),
		"memory of no size":   delegation.ReplayMemory(0),
		"memory of less":      delegation.ReplayMemory(-1),
		"nil in an interface": replayFunc(nil),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Replay = store
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageToken, delegation.CodeReplayUnavailable)
			if !e.Retryable || strings.Contains(name, "error") && !errors.Is(e, own) {
				t.Errorf("got %v", e)
			}
		})
	}
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.config.Replay = replayFunc(func(ctx context.Context, _ string, _, _ time.Time) (bool, error) {
		cancel()
		return true, ctx.Err()
	})
	_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
	wantError(t, err, delegation.StageToken, delegation.CodeCanceled)
}

// TestReplay_Arguments: a key that tells nothing, the clock, and the moment from which the token is
// refused as expired.
func TestReplay_Arguments(t *testing.T) {
	w := newWorld(t)
	var keys []string
	w.config.Replay = replayFunc(func(
		_ context.Context, key string, now, until time.Time,
	) (bool, error) {
		keys = append(keys, key)
		if !now.Equal(start) || !until.Equal(start.Add(10*time.Minute+30*time.Second)) {
			t.Errorf("now %s, until %s", now, until)
		}
		w.clock.Advance(7 * time.Second)
		return true, nil
	})
	w.config.Leeway = 30 * time.Second
	_, err := w.exchange(t, map[string]any{"jti": "id", "exp": start.Add(10 * time.Minute).Unix()})
	if err != nil || len(keys) != 1 || len(keys[0]) != 64 {
		t.Errorf("%v, keys %q", err, keys)
	}
	if took := w.newest().Took[delegation.StageToken]; took != 7*time.Second {
		t.Errorf("the store's time is in the stage token: %s", took)
	}
}

func TestReplayMemory(t *testing.T) {
	m := delegation.ReplayMemory(3)
	use := func(key string, at, until time.Duration) string {
		first, err := m.FirstUse(t.Context(), key, start.Add(at), start.Add(until))
		return fmt.Sprint(first, err != nil)
	}
	for i, row := range []struct {
		key       string
		at, until time.Duration
		want      string
	}{
		{"a", 0, 30, "true false"}, {"b", 0, 10, "true false"}, {"a", 0, 30, "false false"},
		{"c", 0, 20, "true false"},
		{"d", 0, 30, "false true"}, {"d", 9, 30, "false true"}, // full: not one is forgotten early
		{"b", 9, 10, "false false"}, {"d", 10, 30, "true false"}, // b has ended
		{"e", 10, 30, "false true"}, {"c", 19, 20, "false false"}, {"a", 29, 30, "false false"},
		{"e", 29, 50, "true false"}, {"a", 30, 60, "true false"},
	} {
		if got := use(row.key, row.at, row.until); got != row.want {
			t.Errorf("%d: got %s, want %s", i, got, row.want)
		}
	}
}

// TestReplay_Concurrent: of many uses at once exactly one is the first.
func TestReplay_Concurrent(t *testing.T) {
	w := newWorld(t)
	w.config.Replay = delegation.ReplayMemory(1_000)
	d := w.delegator(t)
	tokens := []string{
		w.token(nil), w.token(map[string]any{"jti": "1"}), w.token(map[string]any{"jti": "2"}),
	}
	var all sync.WaitGroup
	for i := range 999 {
		all.Go(func() {
			_, err := d.Exchange(t.Context(), tokens[i%3], app)
			if err != nil && !errors.Is(err, delegation.CodeTokenReplayed) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(w.sent) != 3 {
		t.Errorf("%d granted", len(w.sent))
	}
}

// TestReplay_WithTheCache: a hit wants a token that was not used, too.
func TestReplay_WithTheCache(t *testing.T) {
	w := cachedWorld(t)
	w.config.Replay = delegation.ReplayMemory(10)
	d, token := w.delegator(t), w.token(nil)
	for i, want := range []error{nil, delegation.CodeTokenReplayed} {
		if _, err := d.Exchange(t.Context(), token, app); !errors.Is(err, want) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := d.Exchange(t.Context(), w.token(map[string]any{"jti": "2"}), app); err != nil {
		t.Error(err)
	}
	if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "", "hit"}) {
		t.Errorf("outcomes %q", got)
	}
}
