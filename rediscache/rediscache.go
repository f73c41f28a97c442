// Package rediscache keeps credentials and marks in Redis, for the replicas of one service. [Cache]
// is a [delegation.SharedCache], with which all replicas together call AWS once for each decision.
// It is also a [delegation.ReplayStore], and a [delegation.RevocationStore] for sessions that have
// ended.
//
// Credentials in Redis are sealed with AES-256-GCM under the operator's key. A reader of Redis, its
// backups or its traffic learns how many there are and when they expire. A writer can remove
// entries and restore older ones that have not expired, and nothing else. Marks are not protected
// from a writer, so let only the service reach Redis.
//
// While Redis is down or slow, exchanges work without the cache. Without the replay store, or the
// ended sessions, they are refused.
package rediscache

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"regexp"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/seed055b7978/delegation"
)

// DefaultPrefix is the beginning of every key in Redis if Config.Prefix is empty.
const DefaultPrefix = "delegation:"

// Defaults and limits.
const (
	defaultTimeout  = 250 * time.Millisecond
	defaultLockTime = 15 * time.Second

	// lockPause is the average time between two attempts to take a lock.
	lockPause = 50 * time.Millisecond
	// scanCount is how many keys Redis visits in one step of a scan.
	scanCount = 1000
)

// Config configures a [Cache]. It is copied.
type Config struct {
	// Redis has the address, the user, the password and the TLS settings of one server, or of a
	// proxy that acts as one. Set exactly one of Redis, Cluster and Sentinel.
	//
	// In all three, timeouts and retries are ignored: those of this Config apply. A password that
	// changes belongs in CredentialsProviderContext, which go-redis calls for each connection.
	// go-redis writes failed connections to stderr; redis.SetLogger changes that for the whole
	// process.
	Redis *redis.Options

	// Cluster has the addresses of nodes of a Redis Cluster, which tell the client of the others.
	// Values and locks of one user are in one slot. Leave TLSConfig.ServerName empty if each node
	// has a certificate of its own name. Commands go to masters only.
	Cluster *redis.ClusterOptions

	// Sentinel has the name of a master and the addresses of Sentinels, which tell the client where
	// that master is. TLSConfig applies to the Sentinels too. Commands go to the master only. New
	// takes up to 2 seconds without a name server: go-redis looks up a host "FailoverClient".
	Sentinel *redis.FailoverOptions

	// Keys are one key, or two while the key is being changed. The first key seals, and each of
	// them opens.
	Keys []Key

	// Prefix is the beginning of every key in Redis: 1 to 64 letters, digits and _:-. Only replicas
	// of one configuration may share it. Empty is [DefaultPrefix].
	Prefix string

	// Timeout limits one command, including a new connection. Zero is 250 milliseconds.
	Timeout time.Duration

	// LockTime is how long a lock lasts if its holder dies, and how long a replica waits for a
	// lock. Zero is 15 seconds. It should exceed the time of a signature and
	// delegation.Config.STSTimeout together. Otherwise a slow AWS is called more than once.
	LockTime time.Duration

	// Revocations says that the Cache keeps ended sessions. CheckAccess then tests what they need,
	// too: Redis 6.2, and the commands XADD, XRANGE and PEXPIRE. It changes nothing else.
	Revocations bool

	// Now must be the clock of delegation.Config.Now. Nil is time.Now.
	Now func() time.Time

	// OnOperation gets every operation on Redis when it has ended, such as for metrics. It runs in
	// the goroutine of the operation and must be quick and safe for concurrent use. Nil: nothing.
	OnOperation func(context.Context, Operation)

	// Logger gets a message at level Warn for each value that does not open. Nil discards it.
	Logger *slog.Logger
}

// Cache keeps credentials and replay marks in Redis. Only [New] makes one; the zero value panics.
// It is safe for concurrent use.
type Cache struct {
	config Config
	seal   *sealer
	client redis.UniversalClient
}

var (
	_ delegation.SharedCache = (*Cache)(nil)
	_ delegation.ReplayStore = (*Cache)(nil)

	// prefixForm permits no character that has a meaning in a pattern of SCAN.
	prefixForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`\A[A-Za-z0-9_:-]{1,64}\z`)
	})
)

// New makes a Cache. The error names everything that is wrong with the configuration. New does not
// connect to Redis.
func New(c Config) (*Cache, error) {
	c = c.withDefaults()
	var problems []error
	if err := c.checkServers(); err != nil {
		problems = append(problems, err)
	}
	seal, err := newSealer(c.Keys)
	if err != nil {
		problems = append(problems, err)
	}
	if !prefixForm().MatchString(c.Prefix) {
		const notPrefix = "%.80q is not 1 to 64 letters, digits and _:-"
		problems = append(problems, wrong("Prefix", notPrefix, c.Prefix))
	}
	if c.Timeout < time.Millisecond {
		problems = append(problems, wrong("Timeout", "%s is less than 1ms", c.Timeout))
	}
	if c.LockTime < time.Millisecond {
		problems = append(problems, wrong("LockTime", "%s is less than 1ms", c.LockTime))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("rediscache: %w", errors.Join(problems...))
	}
	return &Cache{config: c, seal: seal, client: c.newClient()}, nil
}

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, DefaultPrefix)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.LockTime = cmp.Or(c.LockTime, defaultLockTime)
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	return c
}

// wrong names the field first, as the errors of delegation do.
func wrong(field, problem string, args ...any) error {
	return fmt.Errorf("%s: %s", field, fmt.Sprintf(problem, args...))
}

// Close closes the connections. Later calls fail.
func (c *Cache) Close() error { return c.client.Close() }

// Check returns an error if the server, or any master of a cluster, does not answer. It is for
// readiness probes.
func (c *Cache) Check(ctx context.Context) error {
	return c.do(ctx, "check", func(ctx context.Context) error {
		cluster, ok := c.client.(*redis.ClusterClient)
		if !ok {
			return c.client.Ping(ctx).Err()
		}
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return master.Ping(ctx).Err()
		})
	})
}

// do calls Redis within the timeout, for an operation of this name.
func (c *Cache) do(
	ctx context.Context, name string, call func(context.Context) error,
) error {
	limited, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	began := c.config.Now()
	err := call(limited)
	c.observe(ctx, name, began, err)
	if err != nil {
		c.lookAgain(limited, err)
		return fmt.Errorf("redis: %w", withoutArguments(err))
	}
	return nil
}

// valueKey is the key of credentials in Redis.
func (c *Cache) valueKey(owner, key string) string {
	return c.config.Prefix + "c:" + c.place(owner, key)
}

// lockKey is the key of a lock in Redis.
func (c *Cache) lockKey(owner, key string) string {
	return c.config.Prefix + "l:" + c.place(owner, key)
}

// place is the end of the keys of a decision. In a cluster the user is the hash tag, so that a
// decision's value and lock are in one slot, and are lost or kept together.
func (c *Cache) place(owner, key string) string {
	if c.config.Cluster != nil {
		owner = "{" + owner + "}"
	}
	return owner + ":" + key
}

// markKey is the key of a replay mark in Redis.
func (c *Cache) markKey(key string) string { return c.config.Prefix + "r:" + key }

// Get implements [delegation.SharedCache]. A value that does not open counts as absent, so that it
// is replaced, and is logged. It may be sealed with another key, changed, moved from another place,
// or not be a value of this package.
func (c *Cache) Get(ctx context.Context, owner, key string) (*delegation.Credentials, error) {
	name := c.valueKey(owner, key)
	var sealed string
	err := c.do(ctx, "get", func(ctx context.Context) (err error) {
		// A longer value is not one of this package. It is cut and does not open.
		sealed, err = c.client.GetRange(ctx, name, 0, maxSealed).Result()
		return err
	})
	if err != nil || sealed == "" {
		return nil, err
	}
	credentials, err := c.seal.open([]byte(sealed), owner, key)
	if err != nil {
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "shared credentials not opened",
			slog.String("key", name),
			slog.String("error", err.Error()),
		)
		return nil, nil
	}
	return credentials, nil
}

// Put implements [delegation.SharedCache]. Redis removes the credentials when they expire.
func (c *Cache) Put(
	ctx context.Context, owner, key string, credentials *delegation.Credentials,
) error {
	life := credentials.Expiration.Sub(c.config.Now())
	if life < time.Millisecond { // Redis would never remove them
		return nil
	}
	sealed, err := c.seal.seal(credentials, owner, key)
	if err != nil {
		return err
	}
	return c.do(ctx, "put", func(ctx context.Context) error {
		return c.client.Set(ctx, c.valueKey(owner, key), sealed, life).Err()
	})
}

// Delete implements [delegation.SharedCache]. Without a key it visits every key in Redis, of every
// master in a cluster.
func (c *Cache) Delete(ctx context.Context, owner, key string) error {
	if key != "" {
		return c.do(ctx, "delete", func(ctx context.Context) error {
			return c.client.Del(ctx, c.valueKey(owner, key)).Err()
		})
	}
	pattern := c.valueKey(owner, "*")
	if owner == "" {
		pattern = c.valueKey("*", "*")
	}
	servers, err := c.servers(ctx)
	if err != nil {
		return err
	}
	for _, server := range servers {
		if err := c.deleteAll(ctx, server, pattern); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes the keys of one server that match a pattern.
func (c *Cache) deleteAll(ctx context.Context, server redis.Cmdable, pattern string) error {
	cursor := uint64(0)
	for {
		next, err := c.deleteStep(ctx, server, pattern, cursor)
		if err != nil || next == 0 {
			return err
		}
		cursor = next
	}
}

// deleteStep deletes the keys of one step of a scan. It returns the cursor of the next step, which
// is 0 after the last one.
func (c *Cache) deleteStep(
	ctx context.Context, server redis.Cmdable, pattern string, cursor uint64,
) (next uint64, err error) {
	err = c.do(ctx, "delete", func(ctx context.Context) error {
		var found []string
		var err error
		found, next, err = server.Scan(ctx, cursor, pattern, scanCount).Result()
		if err != nil || len(found) == 0 {
			return err
		}
		// One command for each key: a cluster refuses keys of several slots in one.
		_, err = server.Pipelined(ctx, func(pipeline redis.Pipeliner) error {
			for _, key := range found {
				pipeline.Del(ctx, key)
			}
			return nil
		})
		return err
	})
	return next, err
}

// release deletes a lock if the caller still holds it. It may have ended, and another replica may
// hold it now.
var release = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] ` +
	`then return redis.call('DEL', KEYS[1]) end return 0`)

// Lock implements [delegation.SharedCache]. It waits until the lock is free, and fails after
// Config.LockTime.
func (c *Cache) Lock(ctx context.Context, owner, key string) (unlock func(), err error) {
	name := c.lockKey(owner, key)
	token := rand.Text()
	end := time.NewTimer(c.config.LockTime)
	defer end.Stop()
	for {
		taken, err := c.setIfAbsent(ctx, "lock", name, token, c.config.LockTime)
		if err != nil {
			return nil, err
		}
		if taken {
			return func() { c.unlock(ctx, name, token) }, nil
		}
		// The pause is random, so that waiting replicas do not call Redis at the same time.
		pause := time.NewTimer(lockPause/2 + mathrand.N(lockPause))
		select {
		case <-pause.C:
		case <-end.C:
			pause.Stop()
			return nil, fmt.Errorf("the lock was not free within %s", c.config.LockTime)
		case <-ctx.Done():
			pause.Stop()
			return nil, ctx.Err()
		}
	}
}

// unlock releases a lock, even if the caller's context has ended. If it fails, the lock ends after
// Config.LockTime.
func (c *Cache) unlock(ctx context.Context, name, token string) {
	_ = c.do(context.WithoutCancel(ctx), "unlock", func(ctx context.Context) error {
		return release.Run(ctx, c.client, []string{name}, token).Err()
	})
}

// FirstUse implements [delegation.ReplayStore]. It depends on the memory of Redis: used tokens are
// forgotten if Redis evicts keys, which maxmemory-policy noeviction prevents, or if a restart loses
// the data.
func (c *Cache) FirstUse(
	ctx context.Context, key string, now, until time.Time,
) (first bool, err error) {
	life := max(until.Sub(now), time.Second)
	return c.setIfAbsent(ctx, "first_use", c.markKey(key), "1", life)
}

// setIfAbsent sets a key that ends after a time. It reports whether it has set the key: one that
// exists stays as it is. If no Sentinel knows the master, Redis was not asked: that is an error.
func (c *Cache) setIfAbsent(
	ctx context.Context, operation, name, value string, life time.Duration,
) (set bool, err error) {
	err = c.do(ctx, operation, func(ctx context.Context) error {
		return c.client.SetArgs(ctx, name, value, setOnce(life)).Err()
	})
	if c.saysNo(err) { // the key exists
		return false, nil
	}
	return err == nil, err
}
