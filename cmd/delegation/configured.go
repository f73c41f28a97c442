package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/spf13/cobra"
)

const defaultConfig = "delegation.yaml"

// configFlag adds --config, whose default the environment can change.
func (s surroundings) configFlag(c *cobra.Command, file *string, otherwise string) {
	usual := cmp.Or(s.variable(config.EnvironmentPrefix+"CONFIG"), otherwise)
	c.Flags().StringVarP(file, "config", "c", usual,
		"configuration `file`; DELEGATION_CONFIG sets the default")
}

// configured builds what a configuration describes, for one call: nothing listens. change, if not
// nil, may change settings before. The log goes to standard error with --verbose only.
func (s surroundings) configured(
	ctx context.Context, file string, verbose bool, change func(*config.Settings),
) (*service.Service, error) {
	loaded, from, err := config.Load(file, s.environment)
	if err != nil {
		return nil, err
	}
	return s.build(ctx, loaded, from, verbose, change)
}

// build is configured for settings that are loaded.
func (s surroundings) build(
	ctx context.Context, loaded *config.Settings, from *config.Source, verbose bool,
	change func(*config.Settings),
) (*service.Service, error) {
	loaded.TLS = config.TLSSettings{}
	if change != nil {
		change(loaded)
	}
	return config.Build(ctx, loaded, from, s.logger(verbose))
}

// logger writes to standard error with --verbose only.
func (s surroundings) logger(verbose bool) *slog.Logger {
	to := io.Discard
	if verbose {
		to = s.stderr
	}
	logger, err := config.NewLogger(config.LogSettings{}, to)
	if err != nil {
		return slog.New(slog.DiscardHandler) // the usual settings are right
	}
	return logger
}

// forgetful takes out what remembers credentials: one call has nothing of it.
func forgetful(l *config.Settings) {
	l.Cache = config.CacheSettings{Size: -1}
	if l.Replay.Store != "redis" && l.Revocations.Store != "redis" {
		l.Redis = config.RedisSettings{} // which was for the cache alone
	}
}
