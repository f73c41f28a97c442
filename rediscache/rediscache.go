// Package rediscache keeps credentials and replay marks in Redis, for the replicas of one service: [Cache] is a [delegation.SharedCache], so
// that all replicas together call AWS once for each decision, and a [delegation.ReplayStore].
//
// What Redis holds of credentials is sealed with AES-256-GCM under the operator's key: who can read Redis, its backups or its traffic learns how
// many there are and when they end. Who can write to it can take entries away and put back older ones that have not ended, and nothing else;
// over replay marks they have power, so keep Redis to the service.
//
// While Redis is down or slow, exchanges go on without the cache, and are refused without the replay store.
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
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/seed055b7978/delegation"
)

// Defaults and limits.
const (
	defaultTimeout  = 250 * time.Millisecond
	defaultLockTime = 15 * time.Second
	defaultPrefix   = "delegation:"
	lockPause       = 50 * time.Millisecond // between two looks at a lock, on average
	scanCount       = 1000                  // keys that Redis looks at in one step of a scan
)

// Config is what [New] takes. It is copied.
type Config struct {
	// Redis says where the server is, its user, password and TLS: one server, or what stands for one; not a Redis Cluster. Time-outs and retries are
	// those of this Config, whatever it says. go-redis writes failed connections to stderr; redis.SetLogger, of the whole process, changes that.
	Redis *redis.Options
	// Keys: the first seals, all of them open. One, or two while the key is changed.
	Keys []Key
	// Prefix stands before all keys in Redis; empty: delegation:. Only replicas of one configuration may share it: letters, digits and _:-.
	Prefix string
	// Timeout is for one command, a new connection included; zero: 250ms.
	Timeout time.Duration
	// LockTime is after how long a lock ends whose holder has died, and how long a replica waits for it; zero: 15s. Make it longer than
	// a signature and delegation.Config.STSTimeout together, or a slow AWS is asked more than once.
	LockTime time.Duration
	// Now must be the clock of delegation.Config.Now; nil: time.Now.
	Now func() time.Time
	// Logger gets a Warn for each value that does not open. nil: silence.
	Logger *slog.Logger
}

// Cache is made by [New] and safe for concurrent use. The zero value panics.
type Cache struct {
	config Config
	seal   *sealer
	client *redis.Client
}

var (
	_ delegation.SharedCache = (*Cache)(nil)
	_ delegation.ReplayStore = (*Cache)(nil)

	prefixForm = regexp.MustCompile(`\A[A-Za-z0-9_:-]{1,64}\z`) // nothing that SCAN takes for a pattern
)

// New checks the configuration, names all that is wrong, and returns a Cache. No connection is made yet.
func New(c Config) (*Cache, error) {
	var problems []error
	if c.Redis == nil || c.Redis.Addr == "" {
		problems = append(problems, wrong("Redis", "has no Addr"))
	}
	seal, err := newSealer(c.Keys)
	if err != nil {
		problems = append(problems, err)
	}
	if c.Prefix = cmp.Or(c.Prefix, defaultPrefix); !prefixForm.MatchString(c.Prefix) {
		problems = append(problems, wrong("Prefix", "%.80q is not 1 to 64 letters, digits and _:-", c.Prefix))
	}
	c.Timeout, c.LockTime = cmp.Or(c.Timeout, defaultTimeout), cmp.Or(c.LockTime, defaultLockTime)
	if c.Timeout < time.Millisecond {
		problems = append(problems, wrong("Timeout", "%s is less than 1ms", c.Timeout))
	}
	if c.LockTime < time.Millisecond {
		problems = append(problems, wrong("LockTime", "%s is less than 1ms", c.LockTime))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("rediscache: %w", errors.Join(problems...))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	o := *c.Redis
	// One attempt, within the time-out: whoever waits can do without.
	o.ContextTimeoutEnabled, o.MaxRetries, o.DialerRetries = true, -1, 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	// Neither tells the server about the client nor lets it change the time-outs.
	o.DisableIdentity, o.MaintNotificationsConfig = true, &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Cache{c, seal, redis.NewClient(&o)}, nil
}

// wrong names the field first, as the errors of delegation do.
func wrong(field, problem string, args ...any) error {
	return fmt.Errorf("%s: %s", field, fmt.Sprintf(problem, args...))
}

// Close closes the connections. Later calls fail.
func (c *Cache) Close() error { return c.client.Close() }

// Check tells whether Redis answers, for readiness probes.
func (c *Cache) Check(ctx context.Context) error {
	return c.do(ctx, func(ctx context.Context) error { return c.client.Ping(ctx).Err() })
}

// do calls Redis within the time-out.
func (c *Cache) do(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if err := call(ctx); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// value, lock and mark name the keys in Redis.
func (c *Cache) value(owner, key string) string { return c.config.Prefix + "c:" + owner + ":" + key }
func (c *Cache) lock(owner, key string) string  { return c.config.Prefix + "l:" + owner + ":" + key }
func (c *Cache) mark(key string) string         { return c.config.Prefix + "r:" + key }

// Get implements [delegation.SharedCache]. A value that does not open (another key, changed, moved here from elsewhere, not of this package) counts
// as absent, so that it is replaced, and is logged.
func (c *Cache) Get(ctx context.Context, owner, key string) (*delegation.Credentials, error) {
	var sealed string
	err := c.do(ctx, func(ctx context.Context) (err error) {
		sealed, err = c.client.GetRange(ctx, c.value(owner, key), 0, maxSealed).Result() // a longer one is not ours, and does not open
		return err
	})
	if err != nil || sealed == "" {
		return nil, err
	}
	credentials, err := c.seal.open([]byte(sealed), owner, key)
	if err != nil {
		c.config.Logger.LogAttrs(ctx, slog.LevelWarn, "shared credentials not opened", slog.String("key", c.value(owner, key)), slog.String("error", err.Error()))
		return nil, nil
	}
	return credentials, nil
}

// Put implements [delegation.SharedCache]. Redis forgets the credentials when they expire.
func (c *Cache) Put(ctx context.Context, owner, key string, credentials *delegation.Credentials) error {
	life := credentials.Expiration.Sub(c.config.Now())
	if life < time.Millisecond { // for Redis, no expiry at all
		return nil
	}
	sealed, err := c.seal.seal(credentials, owner, key)
	if err != nil {
		return err
	}
	return c.do(ctx, func(ctx context.Context) error { return c.client.Set(ctx, c.value(owner, key), sealed, life).Err() })
}

// Delete implements [delegation.SharedCache]. Without a key it looks at every key in Redis.
func (c *Cache) Delete(ctx context.Context, owner, key string) error {
	if key != "" {
		return c.do(ctx, func(ctx context.Context) error { return c.client.Del(ctx, c.value(owner, key)).Err() })
	}
	pattern := c.value(owner, "*")
	if owner == "" {
		pattern = c.value("*", "*")
	}
	for cursor := uint64(0); ; {
		var found []string
		err := c.do(ctx, func(ctx context.Context) (err error) {
			if found, cursor, err = c.client.Scan(ctx, cursor, pattern, scanCount).Result(); err != nil || len(found) == 0 {
				return err
			}
			return c.client.Del(ctx, found...).Err()
		})
		if err != nil || cursor == 0 {
			return err
		}
	}
}

// release deletes a lock if it is still the caller's: it may have ended, and another have it.
var release = redis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)

// Lock implements [delegation.SharedCache]. It waits until the lock is free, for Config.LockTime at most, and fails then.
func (c *Cache) Lock(ctx context.Context, owner, key string) (unlock func(), err error) {
	name, token := c.lock(owner, key), rand.Text()
	end := time.NewTimer(c.config.LockTime)
	defer end.Stop()
	for {
		err := c.do(ctx, func(ctx context.Context) error {
			return c.client.SetArgs(ctx, name, token, redis.SetArgs{Mode: "NX", TTL: c.config.LockTime}).Err()
		})
		switch {
		case err == nil:
			return func() {
				// Whatever has become of the caller. If this fails, the lock ends by itself.
				_ = c.do(context.WithoutCancel(ctx), func(ctx context.Context) error { return release.Run(ctx, c.client, []string{name}, token).Err() })
			}, nil
		case !errors.Is(err, redis.Nil): // Nil: another holds it
			return nil, err
		}
		pause := time.NewTimer(lockPause/2 + mathrand.N(lockPause)) // so that those who wait do not ask in step
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

// FirstUse implements [delegation.ReplayStore]. It is only as good as Redis's memory: without maxmemory-policy noeviction, or after a restart
// without its data, used tokens are unknown.
func (c *Cache) FirstUse(ctx context.Context, key string, now, until time.Time) (first bool, err error) {
	err = c.do(ctx, func(ctx context.Context) error {
		return c.client.SetArgs(ctx, c.mark(key), "1", redis.SetArgs{Mode: "NX", TTL: max(until.Sub(now), time.Second)}).Err()
	})
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}
