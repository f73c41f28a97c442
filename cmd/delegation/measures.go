package main

import (
	"context"
	"log/slog"
	"runtime/debug"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/telemetry"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// measures are the hooks that measure serve. They do nothing if neither metrics nor traces are
// configured.
type measures struct {
	*telemetry.Telemetry // nil: not configured
	logger               *slog.Logger
}

// startTelemetry measures for Prometheus if the configuration asks for it, and for OTLP if the
// environment does.
func (s surroundings) startTelemetry(
	ctx context.Context, prometheus bool, logger *slog.Logger,
) (measures, error) {
	info, _ := debug.ReadBuildInfo() // nil only in a build without module mode
	version := versionOf(info)
	started, err := telemetry.Start(ctx, telemetry.Options{
		Prometheus:  prometheus,
		Environment: s.environment,
		Build: telemetry.Build{
			Version:  version.Version,
			Revision: version.Commit,
			Go:       version.Go,
		},
		Logger: logger,
		Now:    s.now,
	})
	if err != nil {
		return measures{}, config.Usage(err)
	}
	return measures{started, logger}, nil
}

func (m measures) hooks() service.Hooks {
	if m.Telemetry == nil {
		return service.Hooks{}
	}
	return service.Hooks{
		Metrics:        m.Metrics(),
		OnEvent:        m.OnEvent,
		OnSTSCall:      m.OnSTSCall,
		OnRevocation:   m.OnRevocation,
		OnRedis:        m.OnRedis,
		OnAuditFailure: m.OnAuditFailure,
		Requests:       m.Requests,
		Observe:        func(s service.State) error { return m.Observe(s) },
	}
}

// onLimit counts what a limit refuses.
func (m measures) onLimit() func(context.Context, delegationhttp.Limit) {
	if m.Telemetry == nil {
		return nil
	}
	return func(ctx context.Context, limit delegationhttp.Limit) {
		m.OnRefused(ctx, string(limit))
	}
}

// onReload counts reloads.
func (m measures) onReload() func(error) {
	if m.Telemetry == nil {
		return nil
	}
	return m.OnReload
}

// stop sends the metrics and traces that are left.
func (m measures) stop() {
	if m.Telemetry == nil {
		return
	}
	if err := m.Shutdown(); err != nil {
		m.logger.Warn("telemetry ended", slog.String("error", err.Error()))
	}
}
