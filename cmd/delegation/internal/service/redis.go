package service

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/seed055b7978/delegation/rediscache"
)

// Redis is what the replicas of a service share.
type Redis struct {
	*rediscache.Cache

	// URL names the server, without secrets.
	URL string

	// Replay tells whether the marks of used tokens are there too, and not only credentials.
	Replay bool
}

// isSame tells whether both are one client, or neither is there.
func (r *Redis) isSame(other *Redis) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Cache == other.Cache
}

// checkRedis checks that Redis answers, if it is another one than before or has other secrets. It
// may be down at the start, but a reload must not exchange one that answers for one that does not.
func (s *Service) checkRedis(ctx context.Context, before *Service) error {
	if s.Redis == nil || s.Redis.isSame(before.Redis) {
		return nil
	}
	if err := s.Redis.Check(ctx); err != nil {
		return fmt.Errorf("%w; correct its settings, or reload when it answers", err)
	}
	return nil
}

// report tells the log whether Redis answers. It decides nothing: Redis may come later, and go at
// any time.
func (r *Redis) report(ctx context.Context, logger *slog.Logger) {
	err := r.Check(ctx)
	if err == nil {
		logger.Info("Redis answers", slog.String("url", r.URL))
		return
	}
	consequence := "exchanges go on without the shared cache"
	if r.Replay {
		consequence = "exchanges are refused until it does"
	}
	logger.Warn("Redis does not answer",
		slog.String("url", r.URL),
		slog.String("error", err.Error()),
		slog.String("consequence", consequence))
}
