package rediscache_test

import (
	"context"
	"crypto/tls"

	"github.com/redis/go-redis/v9"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/rediscache"
)

// The function below has a Go block of a page, so that it is compiled. TestDocs_Blocks of the root
// looks for it here. It is not in the root's own tests, which would put Redis into the go.sum of
// every program that imports the root. Nothing runs it.
var _ = sharesCredentials

// sharesCredentials is in docs/redis.md.
func sharesCredentials(ctx context.Context, config delegation.Config, password, key string) error {
	cache, err := rediscache.New(rediscache.Config{
		Redis: &redis.Options{
			Addr:      "redis.internal:6379",
			Username:  "delegation",
			Password:  password,
			TLSConfig: &tls.Config{},
		},
		Keys: []rediscache.Key{{ID: "2026-11", Secret: delegation.NewSecret(key)}}, // 32 random bytes
	})
	if err != nil {
		return err
	}
	config.SharedCache = cache
	config.Replay = cache // only if each token may be used once

	_, err = delegation.New(ctx, config)
	return err
}
