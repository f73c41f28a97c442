package telemetry

import (
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// SetTracers has spans of requests made by another provider.
func (t *Telemetry) SetTracers(tracers trace.TracerProvider) {
	t.requestSpans = tracers.Tracer(scope)
}

// SetPatience changes how long Shutdown waits.
func (t *Telemetry) SetPatience(d time.Duration) { t.patience = d }

// NewErrorLog is what the SDK's errors go to.
func NewErrorLog(logger *slog.Logger, now func() time.Time) interface{ Handle(error) } {
	return &errorLog{logger: logger, now: now}
}
