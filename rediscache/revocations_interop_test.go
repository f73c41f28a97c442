//go:build interop

package rediscache_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/rediscache"
)

// TestInterop_RedisRevocations: each mark reaches a reader once and in time, whatever position it
// has, also after Redis has lost its data.
func TestInterop_RedisRevocations(t *testing.T) {
	s := startRedis(t, "")
	ctx := t.Context()
	key := newKey("one")
	writer := s.cache(t, nil, key)
	reader := s.cache(t, nil, key)
	mark := func(n int) delegation.RevocationMark {
		return delegation.RevocationMark{
			Key:    fmt.Sprintf("%064x", n),
			Before: time.UnixMilli(int64(n) * 1000),
			Made:   time.Unix(0, int64(n)),
			Until:  time.Now().Add(time.Hour).Truncate(time.Millisecond),
		}
	}
	position := ""
	read := func() map[string]int {
		t.Helper()
		marks, next, err := reader.RevocationsSince(ctx, position)
		if err != nil {
			t.Fatal(err)
		}
		position = next
		found := map[string]int{}
		for _, m := range marks {
			found[m.Key]++
		}
		return found
	}
	if found := read(); len(found) != 0 {
		t.Fatalf("at first: %v", found)
	}
	const many = 2500 // more than two pages
	for n := 1; n <= many; n += 2 {
		err := writer.AddRevocations(ctx, []delegation.RevocationMark{mark(n), mark(n + 1)})
		if err != nil {
			t.Fatal(err)
		}
	}
	found := read()
	for n := 1; n <= many; n++ {
		if found[mark(n).Key] != 1 {
			t.Fatalf("the mark %d was read %d times", n, found[mark(n).Key])
		}
	}
	if found := read(); len(found) != 0 {
		t.Errorf("%d marks were read twice", len(found))
	}
	if err := writer.AddRevocations(ctx, []delegation.RevocationMark{mark(many + 1)}); err != nil {
		t.Fatal(err)
	}
	if found := read(); len(found) != 1 {
		t.Errorf("after the page: %d marks, want 1", len(found))
	}
	life := s.client.PTTL(ctx, "delegation:ended").Val()
	if life < time.Hour || life > 3*time.Hour {
		t.Errorf("the stream lives for %s", life)
	}
	s.client.FlushAll(ctx)
	if found := read(); len(found) != 0 || position != "" {
		t.Errorf("of an empty Redis: %v, position %q", found, position)
	}
	if err := writer.AddRevocations(ctx, []delegation.RevocationMark{mark(1)}); err != nil {
		t.Fatal(err)
	}
	if found := read(); len(found) != 1 {
		t.Errorf("after the loss: %v", found)
	}
	strict := s.cache(t, func(c *rediscache.Config) { c.Revocations = true }, key)
	if err := strict.CheckAccess(ctx); err != nil {
		t.Error(err)
	}
	if left := s.client.Keys(ctx, "delegation:a:*").Val(); len(left) != 0 {
		t.Errorf("CheckAccess leaves %v", left)
	}
	s.kill()
	if _, _, err := reader.RevocationsSince(ctx, position); err == nil {
		t.Error("a Redis that is gone counts as read")
	}
	if err := writer.AddRevocations(ctx, []delegation.RevocationMark{mark(2)}); err == nil {
		t.Error("a Redis that is gone has kept a mark")
	}
}

// TestInterop_RedisLogout: a logout token that one replica has received counts at each of them, and
// once. Without Redis nothing is granted.
func TestInterop_RedisLogout(t *testing.T) {
	s := startRedis(t, "")
	key := newKey("one")
	w := must(delegationtest.Open())
	t.Cleanup(w.Close)
	var replicas []*delegation.Delegator
	for range 3 {
		cache := s.cache(t, func(c *rediscache.Config) { c.Now = w.Clock.Now }, key)
		w.Config.SharedCache = cache
		w.Config.Revocations = delegation.NewRevocations(cache, 0)
		replicas = append(replicas, must(w.Start(t.Context())))
	}
	exchange := func(d *delegation.Delegator, token string) string {
		_, err := d.Exchange(context.Background(), token, delegationtest.Target)
		if err == nil {
			return ""
		}
		return string(err.(*delegation.Error).Code)
	}
	one := w.Token(map[string]any{"sid": "one"})
	two := w.Token(map[string]any{"sid": "two"})
	for i, d := range replicas {
		for _, token := range []string{one, two} {
			if code := exchange(d, token); code != "" {
				t.Fatalf("replica %d, before: %s", i, code)
			}
		}
	}
	now := w.Clock.Now()
	logout := w.Token(map[string]any{
		"sid": "one", "jti": "logout-1", "exp": now.Add(time.Minute).Unix(),
		"events": map[string]any{
			"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
		},
	})
	if err := replicas[0].Logout(t.Context(), logout, delegation.Request{}); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(5 * time.Second)
	for i, d := range replicas {
		if code := exchange(d, one); code != string(delegation.CodeSessionEnded) {
			t.Errorf("replica %d, the session that ended: %q", i, code)
		}
		if code := exchange(d, two); code != "" {
			t.Errorf("replica %d, another session: %s", i, code)
		}
		err := d.Logout(t.Context(), logout, delegation.Request{})
		if err == nil || err.(*delegation.Error).Code != delegation.CodeLogoutReplayed {
			t.Errorf("replica %d, the same logout token: %v", i, err)
		}
	}
	s.kill()
	w.Clock.Advance(5 * time.Second)
	for i, d := range replicas {
		if code := exchange(d, two); code != string(delegation.CodeRevocationsUnavailable) {
			t.Errorf("replica %d without Redis: %q", i, code)
		}
	}
}
