package delegationotel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// meterOf returns the package's meter. Without a MeterProvider it records nothing.
func meterOf(meters metric.MeterProvider) metric.Meter {
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	return meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
}

// gauges makes gauges that one callback observes, and remembers what was refused.
type gauges struct {
	meter   metric.Meter
	made    []metric.Observable
	refused error
}

func newGauges(meters metric.MeterProvider) *gauges { return &gauges{meter: meterOf(meters)} }

// seconds makes a gauge of seconds.
func (g *gauges) seconds(name, description string) metric.Float64ObservableGauge {
	return g.make(name, metric.WithUnit("s"), metric.WithDescription(description))
}

// number makes a gauge without a unit.
func (g *gauges) number(name, description string) metric.Float64ObservableGauge {
	return g.make(name, metric.WithDescription(description))
}

func (g *gauges) make(
	name string, options ...metric.Float64ObservableGaugeOption,
) metric.Float64ObservableGauge {
	gauge, err := g.meter.Float64ObservableGauge(name, options...)
	g.refused = errors.Join(g.refused, err)
	g.made = append(g.made, gauge)
	return gauge
}

// register has the gauges observed at each collection. Its errors are those of the package.
func (g *gauges) register(observe func(metric.Observer)) (metric.Registration, error) {
	if g.refused != nil {
		return nil, fmt.Errorf("delegationotel: %w", g.refused)
	}
	callback := func(_ context.Context, o metric.Observer) error {
		observe(o)
		return nil
	}
	registration, err := g.meter.RegisterCallback(callback, g.made...)
	if err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	return registration, nil
}
