package delegationotel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

const keyIssuer = attribute.Key("delegation.issuer")

// IssuerKeys reports the state of issuers' keys. A [delegation.Delegator] does.
type IssuerKeys interface {
	IssuerKeys() []delegation.IssuerKeys
}

// ObserveIssuers makes two gauges, in seconds, of the keys of a Delegator's issuers. They are read
// when the MeterProvider collects, and by the clock now, which is time.Now if it is nil.
//
//   - delegation.issuer.keys.failing is how long the keys could not be refreshed. Zero: they could.
//   - delegation.issuer.keys.remaining is the time until the known keys end, and exchanges fail,
//     unless a refresh succeeds before. It is missing if no keys are known, or if they do not end.
//
// Keys are refreshed when they are used, so remaining also falls while nobody comes. Both have the
// attribute delegation.issuer. Without a MeterProvider nothing happens. It fails if the
// MeterProvider refuses an instrument. Unregister ends it.
func ObserveIssuers(
	meters metric.MeterProvider, issuers IssuerKeys, now func() time.Time,
) (metric.Registration, error) {
	if now == nil {
		now = time.Now
	}
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	meter := meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	failing, err1 := meter.Float64ObservableGauge("delegation.issuer.keys.failing",
		metric.WithUnit("s"),
		metric.WithDescription("How long an issuer's keys could not be refreshed."),
	)
	remaining, err2 := meter.Float64ObservableGauge("delegation.issuer.keys.remaining",
		metric.WithUnit("s"),
		metric.WithDescription("How long an issuer's known keys can be used without a refresh."),
	)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	observe := func(_ context.Context, o metric.Observer) error {
		at := now()
		for _, keys := range issuers.IssuerKeys() {
			of := metric.WithAttributes(keyIssuer.String(keys.Issuer))
			since := time.Duration(0)
			if !keys.FailingSince.IsZero() {
				since = max(0, at.Sub(keys.FailingSince))
			}
			o.ObserveFloat64(failing, since.Seconds(), of)
			if !keys.UsableUntil.IsZero() {
				o.ObserveFloat64(remaining, max(0, keys.UsableUntil.Sub(at)).Seconds(), of)
			}
		}
		return nil
	}
	registration, err := meter.RegisterCallback(observe, failing, remaining)
	if err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	return registration, nil
}
