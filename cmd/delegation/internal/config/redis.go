package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/internal/freshness"
	"github.com/seed055b7978/delegation/rediscache"
)

const defaultReplaySize = 100_000 // tokens, about 200 bytes each

// quietRedis stops the client from writing to standard error, where its lines would mix with the
// JSON. The logger gets the same errors.
var quietRedis = sync.OnceFunc(logging.Disable)

// Stores sets the shared cache and the replay store. It returns the Redis that they use, or nil if
// they use none. It does not connect.
func (b *Builder) Stores(s *Settings, c *delegation.Config) *service.Redis {
	b.checkStores(s)
	b.checkRevocations(s)
	if s.Replay.Store == "memory" && s.Replay.Size >= 0 {
		c.Replay = b.replayMemory(cmp.Or(s.Replay.Size, defaultReplaySize))
	}
	if reflect.ValueOf(s.Redis).IsZero() {
		return nil
	}
	revocations := b.hasRevocationsInRedis(s)
	rc, cache := b.redisCache(s.Redis, revocations)
	if cache == nil {
		return nil
	}
	if s.Cache.Shared {
		c.SharedCache = cache
	}
	if s.Replay.Store == "redis" {
		c.Replay = cache
	}
	r := sharedRedis(s.Redis, rc, cache)
	r.Replay = s.Replay.Store == "redis"
	r.Revocations = revocations
	return r
}

// sharedRedis returns what a service has to know about its Redis.
func sharedRedis(
	s RedisSettings, c rediscache.Config, cache *rediscache.Cache,
) *service.Redis {
	r := &service.Redis{
		Cache:    cache,
		URL:      s.URL,
		Username: s.Username,
		Prefix:   cmp.Or(s.Prefix, rediscache.DefaultPrefix),
		Cluster:  s.Cluster,
	}
	switch {
	case c.Cluster != nil:
		r.Password = c.Cluster.CredentialsProviderContext
	case c.Sentinel != nil:
		r.Password = c.Sentinel.CredentialsProviderContext
		r.Database = c.Sentinel.DB
	default:
		r.Password = c.Redis.CredentialsProviderContext
		r.Database = c.Redis.DB
	}
	return r
}

// replayMemory remembers used tokens, including those of the service before.
func (b *Builder) replayMemory(size int) delegation.ReplayStore {
	if b.before != nil {
		if known, ok := b.before.Parts.Replay.(*freshness.ReplayMemory); ok {
			return known.WithSize(size)
		}
	}
	return delegation.ReplayMemory(size)
}

// replayOf identifies the place of used tokens; empty: there is none.
func replayOf(s *Settings) string {
	if s.Replay.Store != "redis" {
		return s.Replay.Store
	}
	return fmt.Sprintf("redis %q %q %q", s.Redis.URL, s.Redis.Prefix, s.Redis.Sentinel.Master)
}

// redisOf identifies the settings of Redis and the content of the files that they name.
func (b *Builder) redisOf(s RedisSettings) string {
	list := []string{fmt.Sprintf("%#v", s)}
	for _, at := range slices.Sorted(maps.Keys(b.read)) {
		if strings.HasPrefix(string(at), "redis.") {
			list = append(list, string(at), b.read[at].String())
		}
	}
	return freshness.KeyOf(list).String()
}

// closeRedis closes a client that is no longer needed, unless the service before uses it.
func (b *Builder) closeRedis(r *service.Redis) {
	if r == nil || b.before != nil && b.before.Redis != nil && b.before.Redis.Cache == r.Cache {
		return
	}
	_ = r.Close()
}

// checkStores checks that the settings of the stores are consistent.
func (b *Builder) checkStores(s *Settings) {
	memory := s.Replay.Store == "memory"
	shared := s.Replay.Store == "redis"
	switch {
	case s.Replay.Store != "" && !memory && !shared:
		b.Wrong("replay.store", fmt.Errorf("is %.40q: set memory or redis", s.Replay.Store))
	case s.Replay.Size != 0 && !memory:
		b.Wrong("replay.size", errors.New("is only for store: memory: remove it"))
	case s.Replay.Size < 0:
		b.Wrong("replay.size", errors.New("is negative: set a number of tokens"))
	}
	if s.Cache.Shared && s.Cache.Size < 0 {
		b.Wrong("cache.shared", errors.New("has no effect while cache.size is negative"))
	}
	configured := !reflect.ValueOf(s.Redis).IsZero()
	switch {
	case !configured && s.Cache.Shared:
		b.Wrong("cache.shared", errors.New("needs redis.url and redis.keys"))
	case !configured && shared:
		b.Wrong("replay.store", errors.New("needs redis.url and redis.keys"))
	case configured && !s.Cache.Shared && !shared && s.Revocations.Store != "redis" &&
		!b.hasRevocationsInRedis(s):
		b.Wrong("redis", errors.New("is not used: set cache.shared: true, "+
			"replay.store: redis or revocations.store: redis, or remove it"))
	}
}

// redisCache makes the client of Redis; nil: the settings are wrong.
func (b *Builder) redisCache(
	s RedisSettings, revocations bool,
) (rediscache.Config, *rediscache.Cache) {
	before := len(b.problems)
	c := b.RedisConfig("redis", s)
	c.Revocations = revocations
	if len(b.problems) > before { // otherwise problems would be reported twice
		return c, nil
	}
	if b.before != nil && b.before.Redis != nil && b.before.Parts.RedisOf == b.redisOf(s) {
		return c, b.before.Redis.Cache
	}
	c.Now = b.now
	c.OnOperation = b.hooks.OnRedis
	quietRedis()
	cache, err := rediscache.New(c)
	if err != nil {
		b.Add("redis", err)
		return c, nil
	}
	return c, cache
}

// RedisConfig reads the files that the settings name, and leaves all else to rediscache.
func (b *Builder) RedisConfig(at KeyPath, s RedisSettings) rediscache.Config {
	c := rediscache.Config{
		Prefix:   s.Prefix,
		Logger:   b.logger,
		Timeout:  b.Duration(at.Child("timeout"), s.Timeout),
		LockTime: b.Duration(at.Child("lock_time"), s.LockTime),
	}
	b.redisServers(at, s, &c)
	for i, k := range s.Keys {
		at := at.Child("keys").Index(i).Child("secret_file")
		secret := b.sealingKey(at, k.SecretFile)
		c.Keys = append(c.Keys, rediscache.Key{ID: k.ID, Secret: secret})
	}
	return c
}

// redisServers sets the server, the nodes of a cluster or the Sentinels.
func (b *Builder) redisServers(at KeyPath, s RedisSettings, c *rediscache.Config) {
	o := b.redisServer(at, s)
	sentinel := s.Sentinel != (RedisSentinelSettings{})
	b.redisAddresses(at.Child("addresses"), s)
	switch {
	case s.Cluster && sentinel:
		b.Wrong(at.Child("cluster"), errors.New("cannot be combined with redis.sentinel: "+
			"remove one of them"))
	case s.Cluster:
		c.Cluster = b.redisCluster(at, s, o)
	case sentinel:
		c.Sentinel = b.redisSentinel(at.Child("sentinel"), s, o)
	default:
		c.Redis = o
	}
}

// redisAddresses checks the addresses that are configured in addition to the URL.
func (b *Builder) redisAddresses(at KeyPath, s RedisSettings) {
	if len(s.Addresses) > 0 && !s.Cluster && s.Sentinel == (RedisSentinelSettings{}) {
		b.Wrong(at, errors.New("are for a cluster or for Sentinels: set redis.cluster or "+
			"redis.sentinel.master"))
	}
	for i, address := range s.Addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			// Not quoted: somebody may have put a password there.
			b.Wrong(at.Index(i), errors.New("is not a host and a port, such as "+
				"redis-2.example.com:6379"))
		}
	}
}

// redisCluster makes the options of a cluster from those of one server.
func (b *Builder) redisCluster(
	at KeyPath, s RedisSettings, o *redis.Options,
) *redis.ClusterOptions {
	if o.DB != 0 {
		b.Wrong(at.Child("url"), errors.New("names a database, but a cluster has only "+
			"number 0: remove the number, or redis.cluster"))
	}
	return &redis.ClusterOptions{
		Addrs:                      append([]string{o.Addr}, s.Addresses...),
		CredentialsProviderContext: o.CredentialsProviderContext,
		TLSConfig:                  ownNames(o.TLSConfig, s.TLS.ServerName),
	}
}

// redisSentinel makes the options of the master from those of one server.
func (b *Builder) redisSentinel(
	at KeyPath, s RedisSettings, o *redis.Options,
) *redis.FailoverOptions {
	if s.Sentinel.Master == "" {
		b.Wrong(at.Child("master"), errors.New("is missing"))
	}
	if s.Sentinel.Username != "" && s.Sentinel.PasswordFile == "" {
		b.Wrong(at.Child("username"), errors.New("has no effect without "+
			"redis.sentinel.password_file"))
	}
	f := &redis.FailoverOptions{
		MasterName:                 s.Sentinel.Master,
		SentinelAddrs:              append([]string{o.Addr}, s.Addresses...),
		SentinelUsername:           s.Sentinel.Username,
		CredentialsProviderContext: o.CredentialsProviderContext,
		DB:                         o.DB,
		TLSConfig:                  ownNames(o.TLSConfig, s.TLS.ServerName),
	}
	if s.Sentinel.PasswordFile != "" {
		f.SentinelPassword = b.password(at.Child("password_file"), s.Sentinel.PasswordFile)
	}
	return f
}

// ownNames makes each server prove its own name instead of the URL's, unless a name is configured.
func ownNames(c *tls.Config, name string) *tls.Config {
	if c != nil {
		c.ServerName = name
	}
	return c
}

// redisServer returns what it can make of the settings, and notes their problems.
func (b *Builder) redisServer(at KeyPath, s RedisSettings) *redis.Options {
	o, err := redisURL(s.URL)
	if err != nil {
		b.Wrong(at.Child("url"), err)
		o = &redis.Options{}
	}
	o.CredentialsProviderContext = b.redisPassword(at, s)
	if s.TLS != (RedisTLSSettings{}) && err == nil {
		b.redisTLS(at.Child("tls"), s.TLS, o.TLSConfig)
	}
	return o
}

// redisPassword returns a function that provides the password for new connections; nil: there is
// none. It notes the problems that can be found now.
func (b *Builder) redisPassword(at KeyPath, s RedisSettings) service.RedisPassword {
	switch {
	case len(s.PasswordCommand) > 0 && s.PasswordFile != "":
		b.Wrong(at.Child("password_command"), errors.New("cannot be combined with "+
			"redis.password_file: remove one of them"))
	case len(s.PasswordCommand) > 0:
		command := b.command(at.Child("password_command"), s.PasswordCommand)
		return service.PasswordCommand(s.Username, command, time.Now)
	case s.PasswordFile != "":
		b.password(at.Child("password_file"), s.PasswordFile)
		delete(b.from.files, b.from.resolve(s.PasswordFile)) // each connection reads it
		return service.PasswordFile(s.Username, b.from.resolve(s.PasswordFile))
	case s.Username != "":
		b.Wrong(at.Child("username"), errors.New("has no effect without redis.password_file "+
			"or redis.password_command"))
	}
	return nil
}

// command finds a program. A path is relative to the configuration, as for files, and a plain name
// is looked up in PATH.
func (b *Builder) command(at KeyPath, command []string) []string {
	program := command[0]
	if filepath.Base(program) != program {
		program = b.from.resolve(program)
	}
	found, err := exec.LookPath(program)
	if err != nil {
		b.Wrong(at, fmt.Errorf("%w: the first word must name a program that can be run", err))
	}
	return append([]string{found}, command[1:]...)
}

// password reads a password, which may not be empty.
func (b *Builder) password(at KeyPath, name string) string {
	before := len(b.problems)
	text := b.line(at, name)
	if text == "" && len(b.problems) == before {
		b.Wrong(at, errors.New("is empty"))
	}
	return text
}

// redisURL takes server, TLS and database from a URL, and refuses anything else. No error quotes
// the URL, because it might contain a password.
func redisURL(text string) (*redis.Options, error) {
	if text == "" {
		return nil, errors.New("is missing")
	}
	wrong := errors.New("is not a URL such as rediss://redis.example.com:6379/0")
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "redis" && u.Scheme != "rediss":
		return nil, wrong
	case u.Hostname() == "", u.RawQuery != "", u.Fragment != "":
		return nil, wrong
	case u.User != nil:
		return nil, errors.New("must not contain a user or a password: set redis.username and " +
			"redis.password_file")
	}
	o, err := redis.ParseURL(text)
	if err != nil || o.DB < 0 {
		return nil, wrong
	}
	return o, nil
}

// redisTLS changes the TLS configuration that a rediss URL has.
func (b *Builder) redisTLS(at KeyPath, s RedisTLSSettings, c *tls.Config) {
	if c == nil {
		b.Wrong(at, errors.New("has no effect without a URL that begins with rediss://"))
		return
	}
	if s.CAFile != "" {
		at := at.Child("ca_file")
		before := len(b.problems)
		c.RootCAs = x509.NewCertPool()
		found := c.RootCAs.AppendCertsFromPEM(b.file(at, s.CAFile))
		if !found && len(b.problems) == before {
			b.Wrong(at,
				errors.New("contains no certificate in PEM: name a file with the CA's certificate"))
		}
	}
	if s.CertificateFile != "" || s.KeyFile != "" {
		before := len(b.problems)
		certificate := b.file(at.Child("certificate_file"), s.CertificateFile)
		private := b.file(at.Child("key_file"), s.KeyFile)
		pair, err := tls.X509KeyPair(certificate, private)
		if err != nil && len(b.problems) == before {
			b.Wrong(at, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if s.ServerName != "" {
		c.ServerName = s.ServerName
	}
}

// sealingKey reads 32 bytes in hexadecimal. Editors would damage random bytes.
func (b *Builder) sealingKey(at KeyPath, name string) delegation.Secret {
	before := len(b.problems)
	text := b.file(at, name)
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	// The error would quote a character.
	if (err != nil || len(secret) != 32) && len(b.problems) == before {
		b.Wrong(at, errors.New("is not 32 bytes in hexadecimal: make them with "+
			"openssl rand -hex 32"))
	}
	return delegation.NewSecret(string(secret))
}
