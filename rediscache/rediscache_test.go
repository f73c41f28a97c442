package rediscache_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

const (
	owner = "0000000000000000000000000000000000000000000000000000000000000001"
	other = "0000000000000000000000000000000000000000000000000000000000000002"
)

// go-redis looks up a host when it makes a client of Sentinels. Tests ask no name server. The first
// look-up reads the system's configuration, which may not belong to the bubble of a test.
func init() {
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("no name server")
		},
	}
	_, _ = net.DefaultResolver.LookupIPAddr(context.Background(), "FailoverClient")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newKey returns a key with a random secret.
func newKey(id string) rediscache.Key {
	secret := make([]byte, 32)
	must(rand.Read(secret))
	return rediscache.Key{ID: id, Secret: delegation.NewSecret(string(secret))}
}

// credentials returns credentials with every field set, to values that differ, that end in an hour.
func credentials() *delegation.Credentials {
	c := &delegation.Credentials{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch field := v.Field(i).Addr().Interface().(type) {
		case *string:
			*field = "canary " + name + " <\u2028é>"
		case *int:
			*field = 100 + i
		case *time.Time:
			*field = time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		case *delegation.Secret:
			*field = delegation.NewSecret("canary " + name)
		case *bool:
			*field = true
		default:
			panic(name)
		}
	}
	return c
}

// same tells whether credentials are the same in every field, secrets included.
func same(a, b *delegation.Credentials) bool {
	if a == nil || b == nil || a.SecretAccessKey.Reveal() != b.SecretAccessKey.Reveal() ||
		a.SessionToken.Reveal() != b.SessionToken.Reveal() {
		return a == b
	}
	x, y := *a, *b
	x.SecretAccessKey, x.SessionToken = y.SecretAccessKey, y.SessionToken
	return x == y
}

// keyOf is a key of another size than the one that is wanted.
func keyOf(bytes int) rediscache.Key {
	return rediscache.Key{ID: "x", Secret: delegation.NewSecret(strings.Repeat("x", bytes))}
}

func config(addr string, keys ...rediscache.Key) rediscache.Config {
	return rediscache.Config{Redis: &redis.Options{Addr: addr}, Keys: keys}
}

func TestNew_NamesAllThatIsWrong(t *testing.T) {
	good := newKey("one")
	for name, row := range map[string]struct {
		config rediscache.Config
		want   []string
	}{
		"nothing":    {rediscache.Config{}, []string{"Redis: has no Addr", "Keys: has 0 keys"}},
		"no address": {config("", good), []string{"Redis: has no Addr"}},
		"three keys": {config("x", good, newKey("two"), newKey("three")),
			[]string{"Keys: has 3 keys"}},
		"one ID twice": {config("x", good, newKey("one")), []string{"Keys[1]"}},
		"no ID":        {config("x", newKey("")), []string{"Keys[0]"}},
		"a long ID":    {config("x", newKey(strings.Repeat("x", 33))), []string{"Keys[0]"}},
		"an odd ID":    {config("x", newKey("\xff")), []string{"Keys[0]"}},
		"a short key": {
			config("x", rediscache.Key{ID: "x", Secret: delegation.NewSecret("canary-short")}),
			[]string{"has 12"},
		},
		"AES-128":     {config("x", keyOf(16)), []string{"Secret of 32 bytes, has 16"}},
		"AES-192":     {config("x", keyOf(24)), []string{"Secret of 32 bytes, has 24"}},
		"a byte more": {config("x", keyOf(33)), []string{"Secret of 32 bytes, has 33"}},
		"no node": {
			rediscache.Config{Cluster: &redis.ClusterOptions{}, Keys: []rediscache.Key{good}},
			[]string{"Cluster: has no Addrs"},
		},
		"no Sentinel": {
			rediscache.Config{
				Sentinel: &redis.FailoverOptions{MasterName: "x"},
				Keys:     []rediscache.Key{good},
			},
			[]string{"Sentinel: has no SentinelAddrs"},
		},
		"no master": {
			rediscache.Config{
				Sentinel: &redis.FailoverOptions{SentinelAddrs: []string{"x"}},
				Keys:     []rediscache.Key{good},
			},
			[]string{"Sentinel: has no MasterName"},
		},
		"two ways": {
			rediscache.Config{
				Redis:   &redis.Options{Addr: "x"},
				Cluster: &redis.ClusterOptions{Addrs: []string{"x"}},
				Keys:    []rediscache.Key{good},
			},
			[]string{"Redis: set only one of Redis, Cluster and Sentinel"},
		},
		"no time": {
			rediscache.Config{
				Redis:   &redis.Options{Addr: "x"},
				Keys:    []rediscache.Key{good},
				Timeout: 1,
			}, []string{"Timeout: 1ns is less than 1ms"},
		},
		"others": {
			rediscache.Config{
				Redis:    &redis.Options{Addr: "x"},
				Keys:     []rediscache.Key{good},
				Prefix:   "a*",
				Timeout:  -1,
				LockTime: time.Microsecond,
			},
			[]string{
				"Prefix: ", "Timeout: -1ns is less than 1ms", "LockTime: 1µs is less than 1ms",
			},
		},
	} {
		c, err := rediscache.New(row.config)
		if c != nil || err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, %v", name, c, err)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in %v", name, want, err)
			}
		}
	}
}

// TestConfigIsCopied: what New was given is neither kept nor changed.
func TestConfigIsCopied(t *testing.T) {
	c := config("127.0.0.1:1", newKey("one"))
	before := *c.Redis
	cache := must(rediscache.New(c))
	defer cache.Close()
	if !reflect.DeepEqual(*c.Redis, before) {
		t.Errorf("changed: %+v", c.Redis)
	}
	cluster := asCluster(c)
	nodes := *cluster.Cluster
	cache = must(rediscache.New(cluster))
	defer cache.Close()
	if !reflect.DeepEqual(*cluster.Cluster, nodes) {
		t.Errorf("changed: %+v", cluster.Cluster)
	}
	watched := asSentinel(c)
	sentinels := *watched.Sentinel
	cache = must(rediscache.New(watched))
	defer cache.Close()
	if !reflect.DeepEqual(*watched.Sentinel, sentinels) {
		t.Errorf("changed: %+v", watched.Sentinel)
	}
}

// asServer, asCluster and asSentinel are the ways to reach the server of a configuration.
func asServer(c rediscache.Config) rediscache.Config { return c }

func asCluster(c rediscache.Config) rediscache.Config {
	c.Cluster = &redis.ClusterOptions{Addrs: []string{c.Redis.Addr}, Dialer: c.Redis.Dialer}
	c.Redis = nil
	return c
}

func asSentinel(c rediscache.Config) rediscache.Config {
	c.Sentinel = &redis.FailoverOptions{
		MasterName:    "credentials",
		SentinelAddrs: []string{c.Redis.Addr},
		Dialer:        c.Redis.Dialer,
	}
	c.Redis = nil
	return c
}

// calls are all calls to Redis.
func calls(c *rediscache.Cache) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error {
			_, err := c.Get(ctx, owner, other)
			return err
		},
		"Put": func(ctx context.Context) error {
			return c.Put(ctx, owner, other, credentials())
		},
		"Delete":    func(ctx context.Context) error { return c.Delete(ctx, owner, other) },
		"DeleteAll": func(ctx context.Context) error { return c.Delete(ctx, "", "") },
		"Lock": func(ctx context.Context) error {
			_, err := c.Lock(ctx, owner, other)
			return err
		},
		"FirstUse": func(ctx context.Context) error {
			_, err := c.FirstUse(ctx, owner, time.Now(), time.Now())
			return err
		},
		"Check": func(ctx context.Context) error { return c.Check(ctx) },
	}
}

// TestDownOrSilent: a server that refuses connections, and one that takes them and says nothing,
// cost no more than the time-out, as a node of a cluster and as a Sentinel too. The time is the
// bubble's, so the machine's speed has no part in it.
func TestDownOrSilent(t *testing.T) {
	type dialer = func(context.Context, string, string) (net.Conn, error)
	for name, row := range map[string]struct {
		dial func(*testing.T) dialer
		cost time.Duration
	}{
		"down": {func(*testing.T) dialer {
			return func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("connection refused")
			}
		}, 0},
		"silent": {func(t *testing.T) dialer {
			return func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				// go-redis does not close what it gives up here
				t.Cleanup(func() { _ = theirs.Close() })
				go func() { _, _ = io.Copy(io.Discard, theirs) }()
				return ours, nil
			}
		}, 50 * time.Millisecond},
		"far away": {func(*testing.T) dialer {
			return func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}, 50 * time.Millisecond},
	} {
		for kind, as := range map[string]func(rediscache.Config) rediscache.Config{
			"server": asServer, "cluster": asCluster, "sentinel": asSentinel,
		} {
			for _, method := range slices.Sorted(maps.Keys(calls(nil))) {
				t.Run(name+" "+kind+" "+method, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cfg := config("127.0.0.1:1", newKey("one"))
						cfg.Redis.Dialer = row.dial(t)
						cfg.Timeout = 50 * time.Millisecond
						costs(t, as(cfg), method, row.cost)
					})
				})
			}
		}
	}
}

// costs calls a method of a Cache, which fails, and takes that time.
func costs(t *testing.T, cfg rediscache.Config, method string, cost time.Duration) {
	t.Helper()
	c := must(rediscache.New(cfg))
	defer time.Sleep(time.Minute) // of the bubble: what the client still tries has ended then
	defer c.Close()
	began := time.Now()
	err := calls(c)[method](t.Context())
	if took := time.Since(began); err == nil || took != cost {
		t.Fatalf("%v after %s", err, took)
	}
	if !strings.HasPrefix(err.Error(), "redis: ") || strings.Contains(err.Error(), "canary") {
		t.Error(err)
	}
}

// TestCanceled: whoever has left waits for nothing.
func TestCanceled(t *testing.T) {
	silent := must(net.Listen("tcp", "127.0.0.1:0"))
	defer silent.Close()
	cfg := config(silent.Addr().String(), newKey("one"))
	cfg.Timeout = time.Hour
	c := must(rediscache.New(cfg))
	defer c.Close()
	for method, call := range calls(c) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); err == nil {
			t.Errorf("%s: no error", method)
		}
		cancel()
	}
}

// TestExpiredIsNotPut: Redis would keep it for ever.
func TestExpiredIsNotPut(t *testing.T) {
	// where nobody listens: a call would fail
	c := must(rediscache.New(config("127.0.0.1:1", newKey("one"))))
	defer c.Close()
	for _, at := range []time.Duration{0, -time.Hour, 100 * time.Microsecond} {
		old := credentials()
		old.Expiration = time.Now().Add(at)
		if err := c.Put(t.Context(), owner, other, old); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// TestPut_Unwritable: JSON has no year 10000, and the error says nothing of what was to be written.
func TestPut_Unwritable(t *testing.T) {
	c := must(rediscache.New(config("127.0.0.1:1", newKey("one")))) // where nobody listens
	defer c.Close()
	late := credentials()
	late.Expiration = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	err := c.Put(t.Context(), owner, other, late)
	if err == nil || err.Error() != "the credentials cannot be written" {
		t.Errorf("got %v", err)
	}
}

func TestSeal_RoundTrip(t *testing.T) {
	seal, open := must2(rediscache.Sealer(newKey("one")))
	want := credentials()
	a, b := must(seal(want, owner, other)), must(seal(want, owner, other))
	if bytes.Equal(a, b) || bytes.Contains(a, []byte("canary")) ||
		!bytes.HasPrefix(a, []byte("\x03one")) {
		t.Errorf("sealed %q and %q", a, b)
	}
	if got, err := open(a, owner, other); err != nil || !same(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, err := open(must(seal(&delegation.Credentials{}, owner, other)), owner, other)
	if err != nil || !same(got, &delegation.Credentials{}) {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
	huge := credentials()
	huge.SessionToken = delegation.NewSecret(strings.Repeat("x", 64<<10))
	if _, err := seal(huge, owner, other); err == nil {
		t.Error("64 KiB and more was sealed")
	}
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

// TestSeal_OpensNothingElse: not with any bit changed, any byte missing, in another place, or with
// another key under the same ID.
func TestSeal_OpensNothingElse(t *testing.T) {
	seal, open := must2(rediscache.Sealer(newKey("one")))
	_, foreign := must2(rediscache.Sealer(newKey("one")))
	sealed := must(seal(credentials(), owner, other))
	refused := func(
		what string, text []byte,
		open func([]byte, string, string) (*delegation.Credentials, error), owner, key string,
	) {
		t.Helper()
		c, err := open(text, owner, key)
		if c != nil || err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, %v", what, c, err)
		}
	}
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			refused(fmt.Sprintf("byte %d, bit %d", i, bit), changed, open, owner, other)
		}
		refused(fmt.Sprintf("the first %d bytes", i), sealed[:i], open, owner, other)
	}
	refused("one byte more", append(bytes.Clone(sealed), 0), open, owner, other)
	refused("another user's", sealed, open, other, other)
	refused("another decision's", sealed, open, owner, owner)
	refused("swapped", sealed, open, other, owner)
	refused("another key", sealed, foreign, owner, other)
	refused("zeros", make([]byte, 1<<16), open, owner, other)
}

// TestSeal_Rotation: during a change of keys every replica opens what any replica seals.
func TestSeal_Rotation(t *testing.T) {
	a, b := newKey("a"), newKey("b")
	for name, row := range map[string]struct {
		sealing, opening []rediscache.Key
		opens            bool
	}{
		"add the new one behind":      {[]rediscache.Key{a}, []rediscache.Key{a, b}, true},
		"and the other way":           {[]rediscache.Key{a, b}, []rediscache.Key{a}, true},
		"put it first":                {[]rediscache.Key{a, b}, []rediscache.Key{b, a}, true},
		"and the other way again":     {[]rediscache.Key{b, a}, []rediscache.Key{a, b}, true},
		"drop the old one":            {[]rediscache.Key{b, a}, []rediscache.Key{b}, true},
		"in one step, which is wrong": {[]rediscache.Key{a}, []rediscache.Key{b}, false},
	} {
		seal, _ := must2(rediscache.Sealer(row.sealing...))
		_, open := must2(rediscache.Sealer(row.opening...))
		_, err := open(must(seal(credentials(), owner, other)), owner, other)
		if (err == nil) != row.opens {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	seal, open := must2(rediscache.Sealer(newKey("one")))
	f.Add([]byte{})
	f.Add([]byte{255})
	f.Add(bytes.Repeat([]byte{255}, 256)) // the fuzzer's own: one more than a byte counts to
	f.Add([]byte("\x03one"))
	f.Add(must(seal(credentials(), owner, owner)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := open(text, owner, other); c != nil || err == nil {
			t.Errorf("%q opened", text)
		}
	})
}

// TestNothingIsShown: neither the configuration nor the log shows a key.
func TestNothingIsShown(t *testing.T) {
	var log bytes.Buffer
	c := config("127.0.0.1:1",
		rediscache.Key{ID: "one", Secret: delegation.NewSecret(strings.Repeat("canary01", 4))})
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	c.Logger.Info("config", "config", c)
	if text := fmt.Sprintf("%+v %#v", c, c) + log.String(); strings.Contains(text, "canary") {
		t.Errorf("shown: %s", text)
	}
}
