//go:build interop

package rediscache_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/rediscache"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	app       = "photo-app"
	principal = "arn:aws:iam::123456789012:saml-provider/delegation"
	role      = "arn:aws:iam::123456789012:role/photo-user"
	issuer    = "https://tenant.example.com/"
)

// server is a redis-server on loopback, without files.
type server struct {
	addr    string
	process *exec.Cmd
	client  *redis.Client
}

// startRedis starts a server, on the port of addr if that is set. A machine without redis-server
// skips the test, and fails it in CI.
func startRedis(t testing.TB, addr string) *server {
	t.Helper()
	if addr == "" {
		addr = freeAddresses(1)[0]
	}
	return startServer(t, addr)
}

// freeAddresses are addresses of loopback on which nothing listens.
func freeAddresses(count int) (addresses []string) {
	for range count {
		free := must(net.Listen("tcp", "127.0.0.1:0"))
		defer free.Close() // all are open until the last is chosen
		addresses = append(addresses, free.Addr().String())
	}
	return addresses
}

// startServer starts a server with more arguments, without files.
func startServer(t testing.TB, addr string, arguments ...string) *server {
	t.Helper()
	return launch(t, addr, "Ready to accept connections",
		append([]string{"--save", "", "--appendonly", "no"}, arguments...)...)
}

// launch starts a server, and returns when its log has a text.
func launch(t testing.TB, addr, ready string, arguments ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is missing: apt-get install redis-server")
		}
		t.Skip("redis-server is missing: apt-get install redis-server")
	}
	_, port, _ := net.SplitHostPort(addr)
	arguments = append(arguments, "--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir())
	s := &server{addr: addr, process: exec.Command("redis-server", arguments...)}
	output := must(s.process.StdoutPipe())
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	var said []string
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if strings.Contains(lines.Text(), ready) {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			s.client = redis.NewClient(&redis.Options{Addr: addr})
			t.Cleanup(func() { _ = s.client.Close() })
			return s
		}
		said = append(said, lines.Text())
	}
	t.Fatalf("redis-server did not start: %q", said)
	return nil
}

func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// sent is how many bytes the server has sent in all.
func (s *server) sent(t testing.TB) (bytes int) {
	t.Helper()
	_, text, found := strings.Cut(must(s.client.Info(t.Context(), "stats").Result()),
		"total_net_output_bytes:")
	if !found {
		t.Fatal("the server does not count")
	}
	must(fmt.Sscan(text, &bytes))
	return bytes
}

// cache returns a Cache before the server, with time for a busy machine.
func (s *server) cache(
	t testing.TB, change func(*rediscache.Config), keys ...rediscache.Key,
) *rediscache.Cache {
	t.Helper()
	c := config(s.addr, keys...)
	c.Timeout = 10 * time.Second
	if change != nil {
		change(&c)
	}
	cache := must(rediscache.New(c))
	t.Cleanup(func() { _ = cache.Close() })
	return cache
}

func TestInterop_RedisKeepsUntilTheEnd(t *testing.T) {
	s, key, ctx := startRedis(t, ""), newKey("one"), t.Context()
	c := s.cache(t, nil, key)
	if got, err := c.Get(ctx, owner, other); got != nil || err != nil {
		t.Errorf("nothing there: %v, %v", got, err)
	}
	want := credentials()
	life := time.Until(want.Expiration)
	if err := c.Put(ctx, owner, other, want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.cache(t, nil, key).Get(ctx, owner, other); err != nil || !same(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	name := "delegation:c:" + owner + ":" + other
	if ttl := must(s.client.PTTL(ctx, name).Result()); ttl > life || ttl < life-30*time.Second {
		t.Errorf("it lives for %s, the credentials for %s", ttl, life)
	}
	raw := must(s.client.Get(ctx, name).Bytes())
	if bytes.Contains(raw, []byte("canary")) || bytes.Contains(raw, []byte("Subject")) {
		t.Errorf("in the clear: %q", raw)
	}
}

// TestInterop_RedisDoesNotOpen: a value that is not for this place and these keys counts as absent,
// is logged, and is replaced.
func TestInterop_RedisDoesNotOpen(t *testing.T) {
	s, key, ctx := startRedis(t, ""), newKey("one"), t.Context()
	name := "delegation:c:" + owner + ":" + other
	for fault, spoil := range map[string]func(){
		"changed":  func() { s.client.SetRange(ctx, name, 40, "x\x00x") },
		"not ours": func() { s.client.Set(ctx, name, "hello", 0) },
		"huge":     func() { s.client.SetRange(ctx, name, 10<<20, "x") },
		"moved":    func() { s.client.Copy(ctx, name, "delegation:c:"+other+":"+owner, 0, true) },
		"wrong key": func() {
			_ = s.cache(t, nil, newKey("one")).Put(ctx, owner, other, credentials())
		},
		"other ID": func() {
			_ = s.cache(t, nil, newKey("two")).Put(ctx, owner, other, credentials())
		},
	} {
		var log bytes.Buffer
		c := s.cache(t,
			func(c *rediscache.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }, key)
		if err := c.Put(ctx, owner, other, credentials()); err != nil {
			t.Fatal(err)
		}
		spoil()
		o, k, before := owner, other, s.sent(t)
		if fault == "moved" {
			o, k = other, owner
		}
		got, err := c.Get(ctx, o, k)
		if got != nil || err != nil || strings.Count(log.String(), "level=WARN") != 1 ||
			strings.Contains(log.String(), "canary") {
			t.Errorf("%s: %v, %v, log %s", fault, got, err, &log)
		}
		if read := s.sent(t) - before; read > 1<<20 {
			t.Errorf("%s: %d bytes read", fault, read)
		}
		if err := c.Put(ctx, o, k, credentials()); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Get(ctx, o, k); got == nil || err != nil {
			t.Errorf("%s: not replaced: %v, %v", fault, got, err)
		}
	}
}

func TestInterop_RedisDelete(t *testing.T) {
	s, ctx := startRedis(t, ""), t.Context()
	c := s.cache(t, nil, newKey("one"))
	neighbour := s.cache(t, func(c *rediscache.Config) { c.Prefix = "another:" }, newKey("one"))
	fill := func() {
		for _, o := range []string{owner, other} {
			for i := range 1500 { // more than one step of a scan
				if err := c.Put(ctx, o, fmt.Sprintf("%064d", i), credentials()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	must(0, neighbour.Put(ctx, owner, other, credentials()))
	must(c.FirstUse(ctx, other, time.Now(), time.Now().Add(time.Hour)))
	fill()
	for i, row := range []struct {
		owner, key string
		left       int64
	}{{owner, fmt.Sprintf("%064d", 7), 3001}, {owner, "", 1502}, {"", "", 2}, {"", "", 2}} {
		if err := c.Delete(ctx, row.owner, row.key); err != nil {
			t.Fatal(err)
		}
		if left := must(s.client.DBSize(ctx).Result()); left != row.left {
			t.Errorf("%d: %d left, want %d", i, left, row.left)
		}
	}
}

// TestInterop_RedisLock: one at a time; a lock whose holder has died ends by itself, and its late
// release does not take another's.
func TestInterop_RedisLock(t *testing.T) {
	s, ctx := startRedis(t, ""), t.Context()
	c := s.cache(t, func(c *rediscache.Config) { c.LockTime = time.Minute }, newKey("one"))
	inside, most := 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			unlock, err := c.Lock(ctx, owner, other)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			_ = c.Check(ctx) // some time
			mu.Lock()
			inside--
			mu.Unlock()
			unlock()
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}

	short := s.cache(t, func(c *rediscache.Config) { c.LockTime = 300 * time.Millisecond },
		newKey("one"))
	dead := must(short.Lock(ctx, owner, other)) // whose holder is never heard of again
	began := time.Now()
	next, err := c.Lock(ctx, owner, other)
	if took := time.Since(began); err != nil || took > 30*time.Second {
		t.Fatalf("%v after %s", err, took)
	}
	dead() // but it is
	_, err = short.Lock(ctx, owner, other)
	if err == nil || !strings.Contains(err.Error(), "was not free within 300ms") {
		t.Errorf("the lock of another was released: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Lock(gone, owner, other); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	next()
	if n := must(s.client.DBSize(ctx).Result()); n != 0 {
		t.Errorf("%d keys left", n)
	}
	if ttl := (func() time.Duration {
		must(c.Lock(ctx, owner, other))
		return must(s.client.PTTL(ctx, "delegation:l:"+owner+":"+other).Result())
	})(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("the lock lives for %s", ttl)
	}
}

func TestInterop_RedisReplay(t *testing.T) {
	s, ctx := startRedis(t, ""), t.Context()
	a, b := s.cache(t, nil, newKey("one")), s.cache(t, nil, newKey("two"))
	now, first := time.Now(), make(chan bool, 100)
	var all sync.WaitGroup
	for range 50 {
		for _, c := range []*rediscache.Cache{a, b} {
			all.Go(func() {
				first <- must(c.FirstUse(ctx, owner, now, now.Add(90*time.Minute+time.Millisecond)))
			})
		}
	}
	all.Wait()
	close(first)
	n := 0
	for is := range first {
		if is {
			n++
		}
	}
	if n != 1 || !must(a.FirstUse(ctx, other, now, now)) ||
		must(b.FirstUse(ctx, other, now, now.Add(time.Hour))) {
		t.Errorf("%d times first", n)
	}
	ttl := must(s.client.PTTL(ctx, "delegation:r:"+owner).Result())
	if ttl < 89*time.Minute || ttl > 91*time.Minute {
		t.Errorf("it lives for %s", ttl)
	}
	if must(a.FirstUse(ctx, strings.Repeat("3", 64), now,
		time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))) != true {
		t.Error("a token that never ends")
	}
	s.kill()
	is, err := a.FirstUse(ctx, strings.Repeat("4", 64), now, now.Add(time.Hour))
	if is || err == nil {
		t.Errorf("without Redis: %v, %v", is, err)
	}
}

// world is what one process needs for exchanges; it goes to the others as JSON.
type world struct {
	Redis, STS, Secret string
	KeySet             []byte
	Tokens             []string // a decision each
}

// identity has one key in all processes.
func identity() delegation.IdentityProvider {
	certificate := must(os.ReadFile("../testdata/saml/test-only.crt.pem"))
	key := bytes.ReplaceAll(must(os.ReadFile("../testdata/saml/test-only.key.pem")),
		[]byte("TESTING KEY"), []byte("PRIVATE KEY"))
	return delegation.IdentityProvider{
		EntityID: "urn:tenant.example.com",
		Keys:     []delegation.SigningKey{must(delegation.ParseSigningKey(certificate, key))},
	}
}

// delegator makes the Delegator of one process. All sign with one key.
func (w *world) delegator(
	t testing.TB, change func(*rediscache.Config, *delegation.Config),
) *delegation.Delegator {
	cc := config(w.Redis, rediscache.Key{ID: "one", Secret: delegation.NewSecret(w.Secret)})
	cc.Timeout, cc.LockTime = 20*time.Second, 2*time.Minute // of a busy machine
	dc := delegation.Config{
		Issuers:          []delegation.Issuer{{URL: issuer, JWKS: w.KeySet}},
		IdentityProvider: identity(),
		Targets: delegation.Targets{app: {AWS: delegation.AWS{
			Principal: principal,
			Role:      role,
			Region:    "eu-central-1",
		}}},
		STS: sts.New(sts.Options{
			BaseEndpoint: aws.String(w.STS),
			Credentials:  aws.AnonymousCredentials{},
		}),
		STSTimeout: time.Minute,
	}
	if change != nil {
		change(&cc, &dc)
	}
	cache := must(rediscache.New(cc))
	if t != nil {
		t.Cleanup(func() { _ = cache.Close() })
	}
	dc.SharedCache = cache
	return must(delegation.New(context.Background(), dc))
}

// newWorld starts an STS for exchanges of that many users.
func newWorld(t testing.TB, redisAddr string, users int) (*world, *ststest.Server) {
	provider := must(oidctest.New(oidctest.Config{}))
	provider.SetIssuer(issuer)
	w := &world{Redis: redisAddr, Secret: strings.Repeat("k", 32), KeySet: provider.KeySet()}
	for i := range users {
		w.Tokens = append(w.Tokens,
			must(provider.SignIDToken(map[string]any{"sub": fmt.Sprint("user", i), "aud": app})))
	}
	fake := ststest.New(ststest.Config{Region: "eu-central-1"})
	err := errors.Join(fake.PutSAMLProvider(principal, must(identity().Metadata())),
		fake.PutRole(ststest.Role{
			ARN: role,
			TrustPolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
		"Principal":{"Federated":"` + principal +
				`"},"Action":["sts:AssumeRoleWithSAML","sts:TagSession","sts:SetSourceIdentity"]}]}`,
		}))
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(fake)
	t.Cleanup(served.Close)
	w.STS = served.URL
	return w, fake
}

const childVariable = "REDISCACHE_TEST_CHILD"

// TestMain is also the other process of TestInterop_RedisTwoProcesses.
func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		child(must(os.ReadFile(text)))
		return
	}
	os.Exit(m.Run())
}

// child exchanges as often as each line of its input says, all users in turn, and answers each line
// with the number of failures.
func child(text []byte) {
	var w world
	must(0, json.Unmarshal(text, &w))
	// what the shared cache fails with, if it does
	d := w.delegator(nil, func(r *rediscache.Config, c *delegation.Config) {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr,
			&slog.HandlerOptions{Level: slog.LevelWarn}))
		r.Logger = c.Logger
	})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var exchanges, users, failed int
		must(fmt.Sscan(lines.Text(), &exchanges, &users))
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range exchanges {
			all.Go(func() {
				c, err := d.Exchange(context.Background(), w.Tokens[i%users], app)
				if err != nil || c.Subject != fmt.Sprint("user", i%users) {
					mu.Lock()
					failed++
					mu.Unlock()
					fmt.Fprintln(os.Stderr, err)
				}
			})
		}
		all.Wait()
		fmt.Println(failed)
	}
}

// TestInterop_RedisTwoProcesses is the promise for a fleet: one call to AWS for each decision, in
// all processes together.
func TestInterop_RedisTwoProcesses(t *testing.T) {
	const users = 1_000
	s := startRedis(t, "")
	w, fake := newWorld(t, s.addr, users)
	file := t.TempDir() + "/world.json"
	must(0, os.WriteFile(file, must(json.Marshal(w)), 0o600))
	type process struct {
		in  io.Writer
		out *bufio.Scanner
	}
	var processes []process
	for range 2 {
		command := exec.CommandContext(t.Context(), must(os.Executable()))
		command.Env, command.Stderr = append(os.Environ(), childVariable+"="+file), os.Stderr
		in, out := must(command.StdinPipe()), must(command.StdoutPipe())
		must(0, command.Start())
		t.Cleanup(func() {
			_ = in.Close()
			_ = command.Wait()
		})
		processes = append(processes, process{in, bufio.NewScanner(out)})
	}
	for _, round := range []struct{ exchanges, users, calls int }{
		{5_000, 1, 1}, {2_000, users, users},
	} {
		for _, p := range processes {
			fmt.Fprintln(p.in, round.exchanges, round.users)
		}
		for _, p := range processes {
			if !p.out.Scan() || p.out.Text() != "0" {
				t.Fatalf("failures: %s %v", p.out.Text(), p.out.Err())
			}
		}
		if calls := len(fake.Calls()); calls != round.calls {
			t.Errorf("%d calls to STS for %d decisions in two processes", calls, round.users)
		}
	}
}

// TestInterop_RedisKilled: exchanges go on, say so, and use Redis again when it is back.
func TestInterop_RedisKilled(t *testing.T) {
	s := startRedis(t, "")
	w, fake := newWorld(t, s.addr, 3)
	var outcomes []string
	d := w.delegator(t, func(_ *rediscache.Config, c *delegation.Config) {
		c.OnEvent = func(_ context.Context, e delegation.Event) {
			outcomes = append(outcomes, string(e.Cache))
		}
	})
	exchange := func(user int) {
		t.Helper()
		if _, err := d.Exchange(t.Context(), w.Tokens[user], app); err != nil {
			t.Error(err)
		}
	}
	exchange(0)
	s.kill()
	exchange(0)
	exchange(1)
	exchange(1)
	startRedis(t, s.addr)
	exchange(2)
	got := strings.Join(outcomes, " ")
	if got != "miss hit shared_down hit miss" || len(fake.Calls()) != 3 {
		t.Errorf("outcomes %s, %d calls", got, len(fake.Calls()))
	}
}

// TestInterop_RedisHolderDies: another replica has taken the lock and is never heard of again. The
// exchange goes on after the lock's time.
func TestInterop_RedisHolderDies(t *testing.T) {
	s := startRedis(t, "")
	w, fake := newWorld(t, s.addr, 1)
	d := w.delegator(t,
		func(c *rediscache.Config, _ *delegation.Config) { c.LockTime = 200 * time.Millisecond })
	// Whatever the key is: the second exchange finds the lock that the first one's was.
	locks := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.client.ConfigSet(ctx, "notify-keyspace-events", "K$")
	heard := s.client.PSubscribe(ctx, "__keyspace@0__:delegation:l:*")
	defer heard.Close()
	must(heard.Receive(ctx))
	go func() {
		m := must(heard.ReceiveMessage(ctx))
		locks <- strings.TrimPrefix(m.Channel, "__keyspace@0__:")
	}()
	if _, err := d.Exchange(ctx, w.Tokens[0], app); err != nil {
		t.Fatal(err)
	}
	lock := <-locks
	must(0, d.InvalidateAll(ctx))
	must(s.client.Set(ctx, lock, "of the dead", 300*time.Millisecond).Result())
	if _, err := d.Exchange(ctx, w.Tokens[0], app); err != nil || len(fake.Calls()) != 2 {
		t.Errorf("%v, %d calls", err, len(fake.Calls()))
	}
	if _, err := d.Exchange(ctx, w.Tokens[0], app); err != nil || len(fake.Calls()) != 2 {
		t.Errorf("%v, %d calls", err, len(fake.Calls()))
	}
}
