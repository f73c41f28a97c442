package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/rediscache"
)

const redisPassword = "canary password"

// writeRedis writes the files that the settings of Redis name.
func (w *world) writeRedis(t testing.TB) {
	t.Helper()
	w.write(t, "password.txt", redisPassword+"\n")
	w.write(t, "one.key", strings.Repeat("0a", 32)+"\n")
	w.write(t, "two.key", strings.Repeat("0B", 32))
}

// TestRebuild_EndedSessionsStay: until a restart, ended sessions are where they were at the start,
// over any number of reloads.
func TestRebuild_EndedSessionsStay(t *testing.T) {
	const (
		redis = "redis:\n  url: redis://127.0.0.1:1\n" +
			"  keys: [{id: one, secret_file: one.key}]\n"
		otherRedis = redis + "  timeout: 7s\n"
		inRedis    = "revocations: {store: redis}\n"
		inMemory   = "revocations: {store: memory}\n"
	)
	for name, row := range map[string]struct {
		versions []string
		inRedis  bool
		refused  string // the last version is
	}{
		"to memory, and without Redis": {
			[]string{redis + inRedis, redis + inMemory, inMemory}, true,
			"redis: is missing, but the ended sessions are in it",
		},
		"to memory, and another client": {
			[]string{redis + inRedis, redis + inMemory, otherRedis + inMemory}, true, "",
		},
		"to Redis, and another client": {
			[]string{inMemory, redis + inRedis, otherRedis + inRedis}, false, "",
		},
		"to Redis, and without it": {
			[]string{inMemory, redis + inRedis, inMemory}, false, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.writeRedis(t)
			first, err := loadAndBuild(t, w.configFile(t, row.versions[0]))
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			now := first
			for i, text := range row.versions[1:] {
				settings, from, err := config.Load(w.configFile(t, text), nil)
				if err != nil {
					t.Fatal(err)
				}
				logger := slog.New(slog.DiscardHandler)
				next, err := config.Rebuild(t.Context(), settings, from, logger, now)
				if row.refused != "" && i == len(row.versions)-2 {
					if err == nil || !strings.Contains(err.Error(), row.refused) {
						t.Errorf("got %v, want %q", err, row.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer next.Close()
				now = next
			}
			if is := now.Redis != nil && now.Redis.Revocations; is != row.inRedis {
				t.Errorf("ended sessions are in Redis: %t", is)
			}
			same := now.Parts.Revocations == first.Parts.Revocations
			if same == row.inRedis { // another client has another object
				t.Errorf("the same object: %t", same)
			}
		})
	}
}

// TestRebuild_KeepsTheRedisOfEndedSessions: a reload without the Redis that has the ended sessions
// is refused, because they are read from it until a restart. The Redis of a cache can go.
func TestRebuild_KeepsTheRedisOfEndedSessions(t *testing.T) {
	const redis = `redis:
  url: redis://127.0.0.1:1
  keys: [{id: one, secret_file: one.key}]
`
	w := newWorld(t)
	w.writeRedis(t)
	for uses, want := range map[string]string{
		"revocations: {store: redis}\n": "redis: is missing, but the ended sessions are in it: put " +
			"it back, or restart the service to remove it",
		"cache: {shared: true}\n": "",
	} {
		before, err := loadAndBuild(t, w.configFile(t, redis+uses))
		if err != nil {
			t.Fatal(err)
		}
		defer before.Close()
		settings, from, err := config.Load(w.configFile(t, ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.DiscardHandler)
		_, err = config.Rebuild(t.Context(), settings, from, logger, before)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", uses, err, want)
		}
	}
}

// TestRedisErrors: every mistake is named with file, line and key, and no file's text and no URL is
// repeated.
func TestRedisErrors(t *testing.T) {
	const good = `redis:
  url: rediss://127.0.0.1:1/2
  username: delegation
  password_file: password.txt
  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}
  keys:
    - {id: one, secret_file: one.key}
  prefix: "team:"
  timeout: 1s
  lock_time: 1m
cache: {shared: true}
replay: {store: redis}
`
	w := newWorld(t)
	w.writeRedis(t)
	w.writeTLS(t, 1)
	w.write(t, "short.key", strings.Repeat("ca", 31))
	w.write(t, "text.key", strings.Repeat("canary", 11)[:64])
	w.write(t, "empty.txt", "\r\n")
	file := w.configFile(t, good)
	if _, err := loadAndBuild(t, file); err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(must(os.ReadFile(file))), good)
	above := strings.Count(before, "\n") // lines
	for name, row := range map[string]struct {
		old, new string
		line     int
		want     string
	}{
		"no URL": {"  url: rediss://127.0.0.1:1/2\n", "", 1, "redis.url: is missing"},
		"no such scheme": {"rediss://127.0.0.1:1/2", "https://canary", 2,
			"redis.url: is not a URL such as rediss://"},
		"no scheme": {"rediss://127.0.0.1:1/2", "canary:6379", 2,
			"redis.url: is not a URL such as rediss://"},
		"no host": {"rediss://127.0.0.1:1/2", "rediss:///2", 2,
			"redis.url: is not a URL such as rediss://"},
		"odd port": {"rediss://127.0.0.1:1/2", "rediss://x:canary/2", 2,
			"redis.url: is not a URL such as rediss://"},
		"no database": {"rediss://127.0.0.1:1/2", "rediss://x/canary", 2,
			"redis.url: is not a URL such as rediss://"},
		"negative database": {"rediss://127.0.0.1:1/2", "rediss://x/-1", 2,
			"redis.url: is not a URL such as rediss://"},
		"a setting in it": {"rediss://127.0.0.1:1/2", "rediss://x/2?skip_verify=true", 2,
			"redis.url: is not a URL such as rediss://"},
		"a fragment": {"rediss://127.0.0.1:1/2", "rediss://x/2#canary", 2,
			"redis.url: is not a URL such as rediss://"},
		"a password in it": {"rediss://127.0.0.1:1/2", "rediss://u:canary@x/2", 2,
			"redis.url: must not contain a user or a password"},
		"a slash in that": {"rediss://127.0.0.1:1/2", "rediss://u:1/canary@x/2", 2,
			"redis.url: is not a URL such as rediss://"},
		"a user in it": {"rediss://127.0.0.1:1/2", "rediss://canary@x/2", 2,
			"redis.url: must not contain a user or a password"},
		"a user alone": {"  password_file: password.txt\n", "", 3,
			"redis.username: has no effect without redis.password_file"},
		"two passwords": {"password_file: password.txt",
			"password_file: password.txt\n  password_command: [true]", 5,
			"redis.password_command: cannot be combined with redis.password_file"},
		"no such command": {"password_file: password.txt",
			"password_command: [./none, x]", 4,
			"redis.password_command: exec: "},
		"no command": {"password_file: password.txt", "password_command: ['']", 4,
			"redis.password_command: exec: "},
		"no password file": {"password.txt", "none.txt", 4, "redis.password_file: open "},
		"empty password":   {"password.txt", "empty.txt", 4, "redis.password_file: is empty"},
		"TLS without": {"rediss:", "redis:", 5,
			"redis.tls: has no effect without a URL that begins with rediss://"},
		"no CA": {"ca_file: tls.crt", "ca_file: password.txt", 5,
			"redis.tls.ca_file: contains no certificate in PEM"},
		"no CA file": {"ca_file: tls.crt", "ca_file: none.crt", 5, "redis.tls.ca_file: open "},
		"no certificate": {", certificate_file: tls.crt", "", 5,
			"redis.tls.certificate_file: is missing"},
		"no key":        {", key_file: tls.key", "", 5, "redis.tls.key_file: is missing"},
		"another's key": {"key_file: tls.key", "key_file: signing.key", 5, "redis.tls: tls: "},
		"no sealing keys": {"  keys:\n    - {id: one, secret_file: one.key}\n", "", 1,
			"redis.keys: has 0 keys"},
		"three sealing keys": {"    - {id: one",
			"    - {id: a, secret_file: two.key}\n" +
				"    - {id: b, secret_file: two.key}\n    - {id: one",
			6, "redis.keys: has 3 keys"},
		"no ID":     {"id: one, ", "", 7, "redis.keys[0]: needs an ID of its own"},
		"an odd ID": {"id: one", "id: o/e", 7, "redis.keys[0]: needs an ID of its own"},
		"one ID twice": {"    - {id: one",
			"    - {id: one, secret_file: two.key}\n    - {id: one", 8,
			"redis.keys[1]: needs an ID of its own"},
		"no secret": {", secret_file: one.key", "", 7,
			"redis.keys[0].secret_file: is missing"},
		"no secret's file": {"one.key", "none.key", 7, "redis.keys[0].secret_file: open "},
		"a short secret": {"one.key", "short.key", 7,
			"redis.keys[0].secret_file: is not 32 bytes in hexadecimal"},
		"no hexadecimal": {"one.key", "text.key", 7,
			"redis.keys[0].secret_file: is not 32 bytes in hexadecimal"},
		"an inline secret": {"secret_file: one.key", "secret: canary", 7,
			"redis.keys[0].secret: unknown key"},
		"an inline password": {"password_file: password.txt", "password: canary", 4,
			"redis.password: unknown key"},
		"prefix":   {`"team:"`, `"team*"`, 8, `redis.prefix: "team*" is not`},
		"time-out": {"timeout: 1s", "timeout: soon", 9, `redis.timeout: "soon" is not a duration`},
		"short time-out": {"timeout: 1s", "timeout: 1us", 9,
			"redis.timeout: 1µs is less than 1ms"},
		"time of a lock": {"lock_time: 1m", "lock_time: 1us", 10,
			"redis.lock_time: 1µs is less than 1ms"},
		"no cache": {"shared: true", "shared: true, size: -1", 11,
			"cache.shared: has no effect while cache.size is negative"},
		"no such store": {"store: redis", "store: reddis", 12,
			`replay.store: is "reddis": set memory or redis`},
		"size of Redis": {"store: redis", "store: redis, size: 5", 12,
			"replay.size: is only for store: memory"},
		"size of nothing": {"store: redis", "size: 5", 12,
			"replay.size: is only for store: memory"},
		"negative size": {"store: redis", "store: memory, size: -5", 12,
			"replay.size: is negative"},
		"addresses of nothing": {"  username: delegation\n",
			"  username: delegation\n  addresses: [127.0.0.1:2]\n", 4,
			"redis.addresses: are for a cluster or for Sentinels: set redis.cluster or " +
				"redis.sentinel.master"},
		"no port": {"  username: delegation\n",
			"  username: delegation\n  sentinel: {master: x}\n  addresses: [x:1, canary]\n", 5,
			"redis.addresses[1]: is not a host and a port"},
		"a URL for an address": {"  username: delegation\n",
			"  username: delegation\n  sentinel: {master: x}\n  addresses: ['redis://u:canary@x:1']\n", 5,
			"redis.addresses[0]: is not a host and a port"},
		"a database of a cluster": {"  username: delegation\n",
			"  username: delegation\n  cluster: true\n", 2,
			"redis.url: names a database, but a cluster has only number 0"},
		"cluster and Sentinel": {"  username: delegation\n",
			"  username: delegation\n  cluster: true\n  sentinel: {master: x}\n", 4,
			"redis.cluster: cannot be combined with redis.sentinel"},
		"Sentinel of no master": {"  username: delegation\n",
			"  username: delegation\n  sentinel: {password_file: password.txt}\n", 4,
			"redis.sentinel.master: is missing"},
		"a user of Sentinel alone": {"  username: delegation\n",
			"  username: delegation\n  sentinel: {master: x, username: canary}\n", 4,
			"redis.sentinel.username: has no effect without redis.sentinel.password_file"},
		"no password of Sentinel": {"  username: delegation\n",
			"  username: delegation\n  sentinel: {master: x, password_file: empty.txt}\n", 4,
			"redis.sentinel.password_file: is empty"},
		"a name without TLS": {
			"rediss://127.0.0.1:1/2\n  username: delegation\n  password_file: password.txt\n" +
				"  tls: {ca_file: tls.crt, certificate_file: tls.crt, key_file: tls.key}\n",
			"redis://127.0.0.1:1/2\n  tls: {server_name: x}\n", 3,
			"redis.tls: has no effect without a URL that begins with rediss://"},
		"used for nothing": {"cache: {shared: true}\nreplay: {store: redis}\n",
			"replay: {store: memory}\n", 1, "redis: is not used"},
		"no Redis": {good, "cache: {shared: true}", 1,
			"cache.shared: needs redis.url and redis.keys"},
		"no Redis for replays": {good, "replay: {store: redis}", 1,
			"replay.store: needs redis.url and redis.keys"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, row.old, row.new, 1)
			if text == good {
				t.Fatalf("%q is not in the configuration", row.old)
			}
			_, err := loadAndBuild(t, w.configFile(t, text))
			var usage config.UsageError
			if !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usage error", err)
			}
			want := fmt.Sprintf("%s:%d: %s", file, above+row.line, row.want)
			if !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got  %s\nwant %s and nothing more", err, want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}

// TestRedisOfTheConfiguration: each setting reaches the client, and each store its place.
func TestRedisOfTheConfiguration(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	pool := w.writeTLS(t, 1)
	_, from, err := config.Load(w.configFile(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	b := config.NewBuilder(from, logger)
	all := config.RedisSettings{
		URL: "rediss://redis.example.com/2", Username: "delegation", PasswordFile: "password.txt",
		TLS: config.RedisTLSSettings{
			CAFile:          "tls.crt",
			CertificateFile: "tls.crt",
			KeyFile:         "tls.key",
		},
		Keys: []config.SealingKeySettings{
			{ID: "new", SecretFile: "two.key"}, {ID: "old", SecretFile: "one.key"},
		},
		Prefix: "team:", Timeout: "1s", LockTime: "1m",
	}
	got := b.RedisConfig("redis", all)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	want := rediscache.Config{
		Redis: got.Redis,
		Keys: []rediscache.Key{
			{ID: "new", Secret: delegation.NewSecret(strings.Repeat("\x0b", 32))},
			{ID: "old", Secret: delegation.NewSecret(strings.Repeat("\n", 32))},
		},
		Prefix: "team:", Timeout: time.Second, LockTime: time.Minute, Logger: logger,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	o := got.Redis
	username, password, err := o.CredentialsProviderContext(t.Context())
	if o.Addr != "redis.example.com:6379" || o.DB != 2 || username != "delegation" ||
		password != redisPassword || err != nil {
		t.Errorf("got %+v, user %q, %v", o, username, err)
	}
	c := got.Redis.TLSConfig
	if c.ServerName != "redis.example.com" || c.InsecureSkipVerify ||
		c.MinVersion != tls.VersionTLS12 || !c.RootCAs.Equal(pool) || len(c.Certificates) != 1 {
		t.Errorf("got %+v", c)
	}
	plain := all
	plain.URL, plain.TLS = "redis://[::1]:7000", config.RedisTLSSettings{}
	o = b.RedisConfig("redis", plain).Redis
	if b.Err() != nil || o.Addr != "[::1]:7000" || o.DB != 0 || o.TLSConfig != nil {
		t.Errorf("got %+v, %v", o, b.Err())
	}

	for name, row := range map[string]struct {
		settings               config.Settings
		redis, shared, replays bool
	}{
		"nothing": {config.Settings{}, false, false, false},
		"shared cache": {config.Settings{Redis: all, Cache: config.CacheSettings{Shared: true}},
			true, true, false},
		"replay": {config.Settings{Redis: all, Replay: config.ReplaySettings{Store: "redis"}},
			true, false, true},
		"both": {
			config.Settings{
				Redis:  all,
				Cache:  config.CacheSettings{Shared: true},
				Replay: config.ReplaySettings{Store: "redis"},
			}, true, true, true,
		},
		"one of each": {
			config.Settings{
				Redis:  all,
				Cache:  config.CacheSettings{Shared: true},
				Replay: config.ReplaySettings{Store: "memory"},
			}, true, true, false,
		},
	} {
		var c delegation.Config
		r := b.Stores(&row.settings, &c)
		if b.Err() != nil || (r != nil) != row.redis || (c.SharedCache != nil) != row.shared {
			t.Errorf("%s: %v, %v, %v", name, r, c.SharedCache, b.Err())
			continue
		}
		_, replays := c.Replay.(*rediscache.Cache)
		if replays != row.replays || r != nil && r.Replay != replays ||
			(c.Replay != nil) != (row.settings.Replay.Store != "") {
			t.Errorf("%s: replays are in %T", name, c.Replay)
		}
	}
}

// TestRedisClusterAndSentinel: each setting reaches the client. Every node proves its own name, or
// the one that is set.
func TestRedisClusterAndSentinel(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	w.writeTLS(t, 1)
	w.write(t, "sentinel.txt", "canary sentinel\n")
	_, from, err := config.Load(w.configFile(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	all := config.RedisSettings{
		URL: "rediss://one:7000", Addresses: []string{"two:7001", "[::1]:7002"},
		Username: "delegation", PasswordFile: "password.txt",
		TLS: config.RedisTLSSettings{CAFile: "tls.crt"},
	}
	addresses := []string{"one:7000", "two:7001", "[::1]:7002"}
	knows := func(ask func(context.Context) (string, string, error)) bool {
		username, password, err := ask(t.Context())
		return err == nil && username == "delegation" && password == redisPassword
	}

	all.Cluster = true
	got := b.RedisConfig("redis", all)
	c := got.Cluster
	if got.Redis != nil || got.Sentinel != nil || !slices.Equal(c.Addrs, addresses) ||
		!knows(c.CredentialsProviderContext) || c.TLSConfig.ServerName != "" ||
		c.TLSConfig.RootCAs == nil {
		t.Errorf("got %+v", c)
	}

	all.Cluster = false
	all.URL = "rediss://one:7000/2"
	all.TLS.ServerName = "redis.example.com"
	all.Sentinel = config.RedisSentinelSettings{
		Master: "credentials", Username: "watcher", PasswordFile: "sentinel.txt",
	}
	got = b.RedisConfig("redis", all)
	f := got.Sentinel
	if got.Redis != nil || got.Cluster != nil || !slices.Equal(f.SentinelAddrs, addresses) ||
		!knows(f.CredentialsProviderContext) || f.DB != 2 || f.MasterName != "credentials" ||
		f.SentinelUsername != "watcher" || f.SentinelPassword != "canary sentinel" ||
		f.TLSConfig.ServerName != "redis.example.com" || f.TLSConfig.RootCAs == nil {
		t.Errorf("got %+v", f)
	}
	if b.Err() != nil {
		t.Error(b.Err())
	}
}

// TestRedisPasswordChanges: each connection has the password that the file has then. Without one,
// there is no connection.
func TestRedisPasswordChanges(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	_, from, err := config.Load(w.configFile(t, ""), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	ask := b.RedisConfig("redis", config.RedisSettings{
		URL: "redis://one", Username: "delegation", PasswordFile: "password.txt",
	}).Redis.CredentialsProviderContext
	for _, want := range []string{redisPassword, "canary next", "canary last"} {
		w.write(t, "password.txt", want+"\r\n")
		if username, got, err := ask(t.Context()); got != want || username != "delegation" {
			t.Errorf("got %q, %q, %v; want %q", username, got, err, want)
		}
	}
	w.write(t, "password.txt", "\n")
	_, got, err := ask(t.Context())
	if got != "" || err == nil || !strings.HasPrefix(err.Error(), "redis.password_file: ") ||
		!strings.HasSuffix(err.Error(), "password.txt is empty") {
		t.Errorf("empty: %q, %v", got, err)
	}
	must(0, os.Remove(filepath.Join(w.folder, "password.txt")))
	_, got, err = ask(t.Context())
	if got != "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %q, %v", got, err)
	}
}

// TestServe_ReplayMemory: a token counts once, and what has no room is refused.
func TestServe_ReplayMemory(t *testing.T) {
	w := newWorld(t)
	s := serve(t, w.configFile(t, "replay: {store: memory, size: 1}"))
	first, second := w.token(map[string]any{"jti": "1"}), w.token(map[string]any{"jti": "2"})
	for i, row := range []struct {
		token  string
		status int
		code   string
	}{
		{first, http.StatusOK, ""}, {first, http.StatusBadRequest, "token_replayed"},
		{second, http.StatusServiceUnavailable, "replay_store_unavailable"},
	} {
		status, body := post(t, client(nil), s.url+"/delegation", delegationForm(row.token))
		if status != row.status {
			t.Errorf("%d: %d %s", i, status, body)
		}
		if !strings.Contains(s.logs.String(), row.code) {
			t.Errorf("%q is not in the log", row.code)
		}
	}
	roomy := serve(t, w.configFile(t, "replay: {store: memory}")) // by default there is room
	for _, token := range []string{first, second} {
		status, body := post(t, client(nil), roomy.url+"/delegation", delegationForm(token))
		if status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
}

// TestServe_RedisDown: it starts all the same, says what follows, and does that.
func TestServe_RedisDown(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	const down = "redis: {url: \"redis://127.0.0.1:1\", username: x, " +
		"password_file: password.txt, keys: [{id: one, secret_file: one.key}]}\n"
	for more, row := range map[string]struct {
		status int
		wants  []string
	}{
		"cache: {shared: true}": {http.StatusOK,
			[]string{"exchanges continue without the shared cache", `"cache":"shared_down"`}},
		"cache: {shared: true}\nreplay: {store: redis}": {http.StatusServiceUnavailable,
			[]string{"exchanges are refused until it does", `"code":"replay_store_unavailable"`}},
	} {
		s := serve(t, w.configFile(t, down+more))
		status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
		if status != row.status {
			t.Errorf("%s: %d %s", more, status, body)
		}
		if status, body := get(t, client(nil), s.url+"/ready"); status != http.StatusOK {
			t.Errorf("%s: not ready: %d %s", more, status, body)
		}
		for _, want := range append(row.wants, `"msg":"Redis does not answer"`) {
			if !strings.Contains(s.logs.String(), want) {
				t.Errorf("%s: %q is not in the log: %s", more, want, s.logs)
			}
		}
		if strings.Contains(s.logs.String(), "canary") {
			t.Errorf("%s: a secret is in the log: %s", more, s.logs)
		}
	}
}

// TestServe_RedisIsClosed: no connection is left when the service has ended.
func TestServe_RedisIsClosed(t *testing.T) {
	w := newWorld(t)
	w.writeRedis(t)
	built := must(loadAndBuild(t,
		w.configFile(t,
			`redis: {url: "redis://127.0.0.1:1", keys: [{id: one, secret_file: one.key}]}`+
				"\ncache: {shared: true}")))
	if err := built.Redis.Check(t.Context()); err == nil || errors.Is(err, redis.ErrClosed) {
		t.Errorf("before: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := built.Run(ended); err != nil {
		t.Error(err)
	}
	if err := built.Redis.Check(t.Context()); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("after: %v", err)
	}
}
