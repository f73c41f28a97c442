//go:build interop

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// redisCommands are the permissions that docs/redis.md names.
const redisCommands = "+getrange +set +del +get +eval +evalsha +scan +ping +select " +
	"+xadd +xrange +pexpire"

// startRedis starts a redis-server with TLS, for clients with a certificate of the world's and one
// user, who may do what docs/redis.md says.
func (w *world) startRedis(t testing.TB) (url string, kill func()) {
	t.Helper()
	needs(t, "redis-server", "redis-server")
	w.writeRedis(t)
	w.writeTLS(t, 1)
	free := must(net.Listen("tcp", "127.0.0.1:0"))
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	certificate, key := filepath.Join(w.folder, "tls.crt"), filepath.Join(w.folder, "tls.key")
	command := exec.Command("redis-server", "-")
	command.Stdin = strings.NewReader(fmt.Sprintf(`
port 0
tls-port %s
bind 127.0.0.1
tls-cert-file %s
tls-key-file %s
tls-ca-cert-file %s
save ""
appendonly no
dir %s
user default off
user delegation on ">%s" ~team:* %s
`, port, certificate, key, certificate, t.TempDir(), redisPassword, redisCommands))
	output := must(command.StdoutPipe())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	t.Cleanup(kill)
	var said []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return "rediss://" + address + "/2", kill
		}
		said = append(said, lines.Text())
	}
	t.Fatalf("redis-server did not start: %q", said)
	return "", nil
}

// issued is how often STS has issued credentials. Its other calls are those that check whether it
// answers.
func (w *world) issued() (n int) {
	for _, call := range w.aws.Calls() {
		if call.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// TestInterop_ServeWithRedis: several services share credentials and the tokens that were used.
// When Redis is gone, those without a replay store go on, and those with one refuse.
func TestInterop_ServeWithRedis(t *testing.T) {
	w := newWorld(t)
	url, kill := w.startRedis(t)
	// With time for a busy machine.
	file := w.configFile(t, fmt.Sprintf(`
cache: {shared: true}
replay: {store: redis}
redis:
  url: %q
  username: delegation
  password_file: password.txt
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}
  keys: [{id: one, secret_file: one.key}]
  prefix: "team:"
  timeout: 20s
  lock_time: 1m
`, url))
	replica := func(environment ...string) *served {
		return start(t, environment, "serve", "--config", file)
	}
	a, b := replica(), replica()
	// in the middle of a change of keys
	next := replica(
		`DELEGATION_REDIS_KEYS=[{id: two, secret_file: two.key}, {id: one, secret_file: one.key}]`)
	// tokens count until they expire
	reused := replica("DELEGATION_REPLAY_STORE=")

	tokens := 0
	token := func(user string) string {
		tokens++
		return w.token(map[string]any{
			"jti": fmt.Sprint(tokens), "sub": "auth0|" + user, "email": user + "@example.com",
		})
	}
	ask := func(s *served, token string) (status int, accessKeyID string) {
		status, body := post(t, client(nil), s.url+"/delegation", delegationForm(token))
		var answered struct{ Credentials struct{ AccessKeyId string } }
		_ = json.Unmarshal([]byte(body), &answered) // a refusal has none
		return status, answered.Credentials.AccessKeyId
	}

	const each = 20
	keys := make(chan string, 2*each)
	var all sync.WaitGroup
	for range each {
		for _, s := range []*served{a, b} {
			fresh := token("alice")
			all.Go(func() {
				status, key := ask(s, fresh)
				if status != http.StatusOK {
					t.Errorf("%d", status)
				}
				keys <- key
			})
		}
	}
	all.Wait()
	close(keys)
	first := <-keys
	for key := range keys {
		if key != first || key == "" {
			t.Errorf("credentials %q and %q of one decision", first, key)
		}
	}
	if status, key := ask(next, token("alice")); status != http.StatusOK || key != first {
		t.Errorf("with another key in front: %d, credentials %q and not %q", status, key, first)
	}
	if calls := w.issued(); calls != 1 {
		t.Errorf("STS has issued credentials %d times", calls)
	}

	used := token("alice")
	for i, row := range []struct {
		s      *served
		status int
	}{{reused, 200}, {a, 200}, {b, 400}, {a, 400}, {reused, 200}} {
		if status, _ := ask(row.s, used); status != row.status {
			t.Errorf("use %d: %d, want %d", i, status, row.status)
		}
	}

	check := func() (code int, table string) {
		stdout := newOutput()
		code = run(t.Context(), []string{"check", "--config", file},
			surroundings{stdout: stdout, stderr: newOutput()})
		return code, stdout.String()
	}
	redisWorks := regexp.MustCompile(`(?m)^redis +ok$`) // notes on changed settings come after it
	if code, table := check(); code != 0 || !redisWorks.MatchString(table) ||
		strings.Contains(table, "  FAIL  ") {
		t.Errorf("check: exit code %d\n%s", code, table)
	}
	kill()
	code, table := check()
	if code != exitFailed || !strings.Contains(table, "  FAIL  ") ||
		strings.Contains(table, "canary") {
		t.Errorf("check, without Redis: exit code %d\n%s", code, table)
	}
	late := replica("DELEGATION_REPLAY_STORE=")
	for i, row := range []struct {
		s      *served
		user   string
		status int
	}{
		{a, "alice", 503}, {reused, "alice", 200}, {reused, "carol", 200}, {late, "alice", 200},
	} {
		if status, _ := ask(row.s, token(row.user)); status != row.status {
			t.Errorf("%d, without Redis: %d, want %d", i, status, row.status)
		}
	}

	for s, wants := range map[*served][]string{
		a:      {`"msg":"Redis answers"`, `"code":"replay_store_unavailable"`},
		b:      {`"msg":"Redis answers"`, `"code":"token_replayed"`},
		next:   {`"msg":"Redis answers"`, `"cache":"shared"`},
		reused: {`"msg":"Redis answers"`, `"cache":"hit"`, `"cache":"shared_down"`},
		late: {`"msg":"Redis does not answer"`, "exchanges continue without the shared cache",
			`"cache":"shared_down"`},
	} {
		s.stop() // all is in the log then
		for _, want := range wants {
			if !strings.Contains(s.logs.String(), want) {
				t.Errorf("%s is not in the log: %s", want, s.logs)
			}
		}
		if strings.Contains(s.logs.String(), "canary") {
			t.Errorf("a secret is in the log: %s", s.logs)
		}
		for line := range strings.Lines(s.logs.String()) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no structured log: %s", line)
			}
		}
	}
}

// TestInterop_ReloadRedis: a new sealing key seals after a reload. A password that Redis does not
// take is refused, and the connection of before goes on.
func TestInterop_ReloadRedis(t *testing.T) {
	w := newWorld(t)
	url, _ := w.startRedis(t)
	file := w.configFile(t, fmt.Sprintf(`
cache: {shared: true, size: 1}
redis:
  url: %q
  username: delegation
  password_file: password.txt
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}
  keys: [{id: one, secret_file: one.key}]
  prefix: "team:"
  timeout: 20s
`, url))
	s := serveReloadable(t, file)
	const miss, shared = 1, 0 // credentials that AWS issues
	ask := func(s *served, user string, calls int) {
		t.Helper()
		before := w.issued()
		claims := map[string]any{"sub": "auth0|" + user, "email": user + "@example.com"}
		form := delegationForm(w.token(claims))
		if status, body := post(t, client(nil), s.url+"/delegation", form); status != 200 {
			t.Errorf("%s: %d %s", user, status, body)
		}
		if got := w.issued() - before; got != calls {
			t.Errorf("%s: AWS has issued credentials %d times, want %d", user, got, calls)
		}
	}
	ask(s.served, "alice", miss)
	ask(s.served, "bob", miss)

	w.write(t, "password.txt", "wrong")
	if line := s.reload(t); !strings.Contains(line, "configuration not reloaded") ||
		!strings.Contains(line, "WRONGPASS") {
		t.Errorf("a wrong password: %s", line)
	}
	ask(s.served, "alice", shared)

	w.write(t, "password.txt", redisPassword)
	w.write(t, "one.key", strings.Repeat("ab", 32))
	s.mustReload(t)
	ask(s.served, "bob", miss) // which was sealed with the key of before
	replica := start(t, nil, "serve", "--config", file)
	ask(replica, "bob", shared)
	ask(replica, "alice", miss)
}
