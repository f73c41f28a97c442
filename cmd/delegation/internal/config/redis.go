package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/rediscache"
)

const defaultReplaySize = 100_000 // tokens, about 200 bytes each

// quietRedis takes the standard error away from the client, which would write lines of its own
// between the JSON. What it fails with, the logger has.
var quietRedis = sync.OnceFunc(logging.Disable)

// Stores sets the shared cache and the replay store, and returns what these have in Redis, nil if
// nothing. No connection is made.
func (b *Builder) Stores(s *Settings, c *delegation.Config) *service.Redis {
	b.checkStores(s)
	if s.Replay.Store == "memory" && s.Replay.Size >= 0 {
		c.Replay = delegation.ReplayMemory(cmp.Or(s.Replay.Size, defaultReplaySize))
	}
	if reflect.ValueOf(s.Redis).IsZero() {
		return nil
	}
	cache := b.redisCache(s.Redis)
	if cache == nil {
		return nil
	}
	if s.Cache.Shared {
		c.SharedCache = cache
	}
	replay := s.Replay.Store == "redis"
	if replay {
		c.Replay = cache
	}
	return &service.Redis{Cache: cache, URL: s.Redis.URL, Replay: replay}
}

// checkStores checks that the settings of the stores fit each other.
func (b *Builder) checkStores(s *Settings) {
	memory := s.Replay.Store == "memory"
	shared := s.Replay.Store == "redis"
	switch {
	case s.Replay.Store != "" && !memory && !shared:
		b.Wrong("replay.store", fmt.Errorf("%.40q is neither memory nor redis", s.Replay.Store))
	case s.Replay.Size != 0 && !memory:
		b.Wrong("replay.size", errors.New("is for store: memory only"))
	case s.Replay.Size < 0:
		b.Wrong("replay.size", errors.New("is negative"))
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
	case configured && !s.Cache.Shared && !shared:
		b.Wrong("redis", errors.New("is used for nothing: set cache.shared: true or "+
			"replay.store: redis, or leave it out"))
	}
}

// redisCache makes the client of Redis; nil: its settings are wrong.
func (b *Builder) redisCache(s RedisSettings) *rediscache.Cache {
	before := len(b.problems)
	c := b.RedisConfig("redis", s)
	if len(b.problems) > before { // otherwise the same would be said twice
		return nil
	}
	quietRedis()
	cache, err := rediscache.New(c)
	if err != nil {
		b.Add("redis", err)
		return nil
	}
	return cache
}

// RedisConfig reads the files that the settings name, and leaves all else to rediscache.
func (b *Builder) RedisConfig(at KeyPath, s RedisSettings) rediscache.Config {
	c := rediscache.Config{
		Redis:    b.redisServer(at, s),
		Prefix:   s.Prefix,
		Logger:   b.logger,
		Timeout:  b.Duration(at.Child("timeout"), s.Timeout),
		LockTime: b.Duration(at.Child("lock_time"), s.LockTime),
	}
	for i, k := range s.Keys {
		at := at.Child("keys").Index(i).Child("secret_file")
		secret := b.sealingKey(at, k.SecretFile)
		c.Keys = append(c.Keys, rediscache.Key{ID: k.ID, Secret: secret})
	}
	return c
}

// redisServer returns whatever can be told; what is wrong is noted.
func (b *Builder) redisServer(at KeyPath, s RedisSettings) *redis.Options {
	o, err := redisURL(s.URL)
	if err != nil {
		b.Wrong(at.Child("url"), err)
		o = &redis.Options{}
	}
	if s.Username != "" && s.PasswordFile == "" {
		b.Wrong(at.Child("username"), errors.New("has no effect without redis.password_file"))
	}
	if s.PasswordFile != "" {
		at := at.Child("password_file")
		before := len(b.problems)
		o.Username = s.Username
		o.Password = b.line(at, s.PasswordFile)
		if o.Password == "" && len(b.problems) == before {
			b.Wrong(at, errors.New("is empty"))
		}
	}
	if s.TLS != (RedisTLSSettings{}) && err == nil {
		b.redisTLS(at.Child("tls"), s.TLS, o.TLSConfig)
	}
	return o
}

// redisURL takes server, TLS and database from a URL, and nothing else. No error quotes it:
// somebody may have put a password there.
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
		return nil, errors.New("must not have a user or a password: they belong into " +
			"redis.username and redis.password_file")
	}
	o, err := redis.ParseURL(text)
	if err != nil || o.DB < 0 {
		return nil, wrong
	}
	return o, nil
}

// redisTLS changes the configuration that a rediss URL has.
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
			b.Wrong(at, errors.New("has no certificate in PEM"))
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
}

// sealingKey reads 32 bytes in hexadecimal: what is random survives no editor as it is.
func (b *Builder) sealingKey(at KeyPath, name string) delegation.Secret {
	before := len(b.problems)
	text := b.file(at, name)
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	// The error would quote a character.
	if (err != nil || len(secret) != 32) && len(b.problems) == before {
		b.Wrong(at, errors.New("is not 32 bytes in hexadecimal, as openssl rand -hex 32 "+
			"writes them"))
	}
	return delegation.NewSecret(string(secret))
}
