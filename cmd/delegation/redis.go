package main

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

// stores sets the shared cache and the replay store, and returns what these have in Redis, nil if
// nothing. No connection is made.
func (b *builder) stores(s *settings, c *delegation.Config) *service.Redis {
	memory, shared := s.Replay.Store == "memory", s.Replay.Store == "redis"
	switch {
	case s.Replay.Store != "" && !memory && !shared:
		b.wrong("replay.store", fmt.Errorf("%.40q is neither memory nor redis", s.Replay.Store))
	case s.Replay.Size != 0 && !memory:
		b.wrong("replay.size", errors.New("is for store: memory only"))
	case s.Replay.Size < 0:
		b.wrong("replay.size", errors.New("is negative"))
	case memory:
		c.Replay = delegation.ReplayMemory(cmp.Or(s.Replay.Size, defaultReplaySize))
	}
	if s.Cache.Shared && s.Cache.Size < 0 {
		b.wrong("cache.shared", errors.New("has no effect while cache.size is negative"))
	}
	configured := !reflect.ValueOf(s.Redis).IsZero()
	switch {
	case !configured && s.Cache.Shared:
		b.wrong("cache.shared", errors.New("needs redis.url and redis.keys"))
	case !configured && shared:
		b.wrong("replay.store", errors.New("needs redis.url and redis.keys"))
	case configured && !s.Cache.Shared && !shared:
		b.wrong("redis", errors.New("is used for nothing: set cache.shared: true or "+
			"replay.store: redis, or leave it out"))
	}
	if !configured {
		return nil
	}
	before := len(b.problems)
	rc := b.redis("redis", s.Redis)
	if len(b.problems) > before { // otherwise the same would be said twice
		return nil
	}
	quietRedis()
	cache, err := rediscache.New(rc)
	if err != nil {
		b.add("redis", err)
		return nil
	}
	if s.Cache.Shared {
		c.SharedCache = cache
	}
	if shared {
		c.Replay = cache
	}
	return &service.Redis{Cache: cache, URL: s.Redis.URL, Replay: shared}
}

func (b *builder) redis(at key, s redisSettings) rediscache.Config {
	c := rediscache.Config{
		Redis: b.redisServer(at, s), Prefix: s.Prefix, Logger: b.logger,
		Timeout: b.duration(at.child("timeout"), s.Timeout), LockTime: b.duration(at.child("lock_time"), s.LockTime),
	}
	for i, k := range s.Keys {
		c.Keys = append(c.Keys, rediscache.Key{ID: k.ID, Secret: b.sealingKey(at.child("keys").index(i).child("secret_file"), k.SecretFile)})
	}
	return c
}

// redisServer returns whatever can be told; what is wrong is noted.
func (b *builder) redisServer(at key, s redisSettings) *redis.Options {
	o, err := redisURL(s.URL)
	if err != nil {
		b.wrong(at.child("url"), err)
		o = &redis.Options{}
	}
	if s.Username != "" && s.PasswordFile == "" {
		b.wrong(at.child("username"), errors.New("has no effect without redis.password_file"))
	}
	if s.PasswordFile != "" {
		at, before := at.child("password_file"), len(b.problems)
		o.Username, o.Password = s.Username, strings.TrimRight(string(b.file(at, s.PasswordFile)), "\r\n")
		if o.Password == "" && len(b.problems) == before {
			b.wrong(at, errors.New("is empty"))
		}
	}
	if s.TLS != (redisTLSSettings{}) && err == nil {
		b.redisTLS(at.child("tls"), s.TLS, o.TLSConfig)
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
	case err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
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
func (b *builder) redisTLS(at key, s redisTLSSettings, c *tls.Config) {
	if c == nil {
		b.wrong(at, errors.New("has no effect without a URL that begins with rediss://"))
		return
	}
	if s.CAFile != "" {
		before := len(b.problems)
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b.file(at.child("ca_file"), s.CAFile)) && len(b.problems) == before {
			b.wrong(at.child("ca_file"), errors.New("has no certificate in PEM"))
		}
	}
	if s.CertificateFile != "" || s.KeyFile != "" {
		before := len(b.problems)
		pair, err := tls.X509KeyPair(b.file(at.child("certificate_file"), s.CertificateFile), b.file(at.child("key_file"), s.KeyFile))
		if err != nil && len(b.problems) == before {
			b.wrong(at, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
}

// sealingKey reads 32 bytes in hexadecimal: what is random survives no editor as it is.
func (b *builder) sealingKey(at key, name string) delegation.Secret {
	before := len(b.problems)
	text := b.file(at, name)
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	// the error would quote a character
	if (err != nil || len(secret) != 32) && len(b.problems) == before {
		b.wrong(at, errors.New("is not 32 bytes in hexadecimal, as openssl rand -hex 32 "+
			"writes them"))
	}
	return delegation.NewSecret(string(secret))
}
