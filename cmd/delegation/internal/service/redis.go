package service

import (
	"context"
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
