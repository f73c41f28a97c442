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

// configFlag adds --config, whose default an environment variable can change.
func (s surroundings) configFlag(c *cobra.Command, file *string, otherwise string) {
	usual := cmp.Or(s.variable(config.EnvironmentPrefix+"CONFIG"), otherwise)
	c.Flags().StringVarP(file, "config", "c", usual,
		"configuration `file`; DELEGATION_CONFIG sets the default")
}

// configured builds what a configuration describes for one command, without listening. If change is
// not nil, it may change the settings before the build. Only with --verbose does the log go to
// standard error.
func (s surroundings) configured(
	ctx context.Context, file string, verbose bool, change func(*config.Settings),
) (*service.Service, error) {
	loaded, from, err := config.Load(file, s.environment)
	if err != nil {
		return nil, err
	}
	return s.build(ctx, loaded, from, verbose, change)
}

// build does the same as configured, for settings that are already loaded.
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
		return slog.New(slog.DiscardHandler) // cannot fail with the default settings
	}
	return logger
}

// forgetful turns off the cache of credentials, which has no use in a command that runs once.
func forgetful(l *config.Settings) {
	l.Cache = config.CacheSettings{Size: -1}
	if l.Replay.Store != "redis" && l.Revocations.Store != "redis" {
		l.Redis = config.RedisSettings{} // Redis served only the cache
	}
}
