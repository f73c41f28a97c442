package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// RevocationSettings says where the marks of ended sessions are kept, and for how long; an empty
// Store: nowhere.
type RevocationSettings struct {
	Store string `yaml:"store"`
	Keep  string `yaml:"keep"`
}

// AdminSettings configures the listener for operators, and the token that they send; all empty:
// none.
type AdminSettings struct {
	Listen    string `yaml:"listen"`
	TokenFile string `yaml:"token_file"`
}

// leastAdminToken is the minimum length of the token, in characters. openssl rand -hex 16 prints as
// many.
const leastAdminToken = 32

// revocations sets the store of ended sessions, and keeps the marks of the service before. Changed
// settings take effect only at a restart, because existing marks were made for the old lifetime.
func (b *Builder) revocations(s *Settings, c *delegation.Config, redis *service.Redis) {
	c.LogoutAudiences = s.LogoutAudiences
	if !s.BackchannelLogout && len(s.LogoutAudiences) > 0 {
		b.Wrong("logout_audiences", errors.New("has no effect without backchannel_logout: true"))
	}
	kept := b.Duration("revocations.keep", s.Revocations.Keep)
	if s.Revocations.Store == "" && s.Revocations.Keep != "" {
		b.Wrong("revocations.keep", errors.New("has no effect without revocations.store"))
	}
	if b.before != nil {
		b.keepRedis(s)
		c.Revocations = b.revocationsBefore(s, redis)
		return
	}
	switch {
	case s.Revocations.Store == "memory":
		c.Revocations = delegation.NewRevocations(nil, kept)
	case s.Revocations.Store == "redis" && redis != nil:
		c.Revocations = delegation.NewRevocations(redis.Cache, kept)
	}
}

// hasRevocationsInRedis tells whether the ended sessions are in Redis. After a reload that is as in
// the service before, whatever is configured now.
func (b *Builder) hasRevocationsInRedis(s *Settings) bool {
	if b.before == nil {
		return s.Revocations.Store == "redis"
	}
	return b.before.Redis != nil && b.before.Redis.Revocations
}

// keepRedis refuses to remove the Redis that has the ended sessions. They are read from there until
// a restart, and without it every exchange would be refused.
func (b *Builder) keepRedis(s *Settings) {
	if s.Revocations.Store == "redis" || !b.hasRevocationsInRedis(s) {
		return
	}
	if reflect.ValueOf(s.Redis).IsZero() {
		b.Wrong("redis", errors.New("is missing, but the ended sessions are in it: put it "+
			"back, or restart the service to remove it"))
	}
}

// revocationsBefore returns the revocations of the service before. If Redis has a new client, it
// reads the marks through that.
func (b *Builder) revocationsBefore(
	s *Settings, redis *service.Redis,
) *delegation.Revocations {
	before := b.before.Parts.Revocations
	switch {
	case before == nil:
		return nil
	case !b.hasRevocationsInRedis(s):
		return before // in memory
	case redis == nil || redis.Cache == b.before.Redis.Cache:
		return before
	}
	return before.WithStore(redis.Cache)
}

// revocationsOf describes the settings for the log, and detects a change.
func revocationsOf(s RevocationSettings) string {
	return strings.TrimSpace(fmt.Sprint(s.Store, " ", s.Keep))
}

// checkRevocations checks the store of the marks.
func (b *Builder) checkRevocations(s *Settings) {
	store := s.Revocations.Store
	if store != "" && store != "memory" && store != "redis" {
		b.Wrong("revocations.store", fmt.Errorf("is %.40q: set memory or redis", store))
	}
	if store == "redis" && s.Redis.URL == "" {
		b.Wrong("revocations.store", errors.New("needs redis.url and redis.keys"))
	}
}

// admin returns the listener for operators; nil: there is none.
func (b *Builder) admin(s AdminSettings) *service.Admin {
	if s == (AdminSettings{}) {
		return nil
	}
	if s.Listen == "" {
		b.Wrong("admin.listen", errors.New("is missing: set an address such as 127.0.0.1:9465"))
	}
	before := len(b.problems)
	token := b.line("admin.token_file", s.TokenFile)
	switch {
	case len(b.problems) > before:
	case len(token) < leastAdminToken:
		b.Wrong("admin.token_file", fmt.Errorf("has fewer than %d characters: make one with "+
			"openssl rand -hex 32", leastAdminToken))
	case strings.ContainsFunc(token, isNoTokenCharacter):
		b.Wrong("admin.token_file", errors.New("has a character that HTTP headers cannot have: "+
			"make one with openssl rand -hex 32"))
	}
	return &service.Admin{
		Listen: s.Listen,
		Token:  delegation.NewSecret(token),
		Now:    b.now,
		ByKeys: ByKeys,
	}
}

// isNoTokenCharacter tells whether a character cannot be in a bearer token (RFC 6750 §2.1).
func isNoTokenCharacter(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("-._~+/=", r)
}
