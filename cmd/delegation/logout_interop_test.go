//go:build interop

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/delegationtest"
)

// TestInterop_LogoutReachesAllReplicas: a logout token that one service receives, and what an
// operator revokes there, counts at all of them through a real Redis, with the permissions that
// docs/redis.md names. Without Redis nothing is granted, and a logout is no success.
func TestInterop_LogoutReachesAllReplicas(t *testing.T) {
	clock := delegationtest.NewClock(morning)
	w := newWorldAt(t, clock)
	w.write(t, "admin.token", adminToken)
	redisURL, kill := w.startRedis(t)
	file := w.configFile(t, fmt.Sprintf(`
revocations: {store: redis}
backchannel_logout: true
admin: {listen: 127.0.0.1:0, token_file: admin.token}
cache: {shared: true}
redis:
  url: %q
  username: delegation
  password_file: password.txt
  prefix: "team:"
  timeout: 1m
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}
  keys: [{id: one, secret_file: one.key}]
`, redisURL))
	var replicas []*reloadable
	for range 3 {
		replicas = append(replicas, serveReloadableAt(t, clock.Now, file))
	}
	exchangeAll := func(what, token string, status int) {
		t.Helper()
		for i, s := range replicas {
			if got, body := s.exchanged(t, token); got != status {
				t.Errorf("%s, replica %d: %d %s, want %d", what, i, got, body, status)
			}
		}
	}
	logout := func(s *reloadable, claims map[string]any) (int, string) {
		all := map[string]any{"jti": "1", "events": map[string]any{
			"http://schemas.openid.net/event/backchannel-logout": map[string]any{},
		}}
		for name, value := range claims {
			all[name] = value
		}
		return post(t, client(nil), s.url+"/backchannel-logout",
			url.Values{"logout_token": {w.token(all)}})
	}
	one := w.token(map[string]any{"sid": "one"})
	two := w.token(map[string]any{"sid": "two"})
	bob := w.token(map[string]any{"sub": "auth0|bob"})
	for what, token := range map[string]string{"one": one, "two": two, "bob": bob} {
		exchangeAll(what+" before", token, http.StatusOK)
	}
	if status, body := logout(replicas[0], map[string]any{"sid": "one"}); status != http.StatusOK {
		t.Fatalf("logout: %d %s", status, body)
	}
	clock.Advance(5 * time.Second)
	exchangeAll("the session that ended", one, http.StatusBadRequest)
	exchangeAll("another session", two, http.StatusOK)
	for i, s := range replicas {
		if status, body := logout(s, map[string]any{"sid": "one", "iat": morning.Unix(),
			"exp": morning.Add(time.Hour).Unix()}); status != http.StatusBadRequest {
			t.Errorf("the jti once more, replica %d: %d %s", i, status, body)
		}
	}
	status, body := administer(t, adminURL(t, replicas[2].logs)+"/revoke", "Bearer "+adminToken,
		`{"subject": "auth0|bob"}`)
	if status != http.StatusOK {
		t.Fatalf("revoke: %d %s", status, body)
	}
	clock.Advance(5 * time.Second)
	exchangeAll("bob after", bob, http.StatusBadRequest)
	exchangeAll("another session", two, http.StatusOK)
	late := serveReloadableAt(t, clock.Now, file)
	if status, body := late.exchanged(t, one); status != http.StatusBadRequest {
		t.Errorf("a replica that starts later: %d %s", status, body)
	}

	kill()
	clock.Advance(5 * time.Second)
	exchangeAll("without Redis", two, http.StatusServiceUnavailable)
	status, body = logout(replicas[1], map[string]any{"jti": "2"})
	if status != http.StatusBadRequest || !strings.Contains(body, "temporarily_unavailable") {
		t.Errorf("logout without Redis: %d %s", status, body)
	}
}
