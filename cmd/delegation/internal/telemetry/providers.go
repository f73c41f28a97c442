package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// defaultService is service.name if no variable sets it.
const defaultService = "delegation"

const (
	// maxScrapes is how many scrapes may run at once. Each collects all metrics.
	maxScrapes = 4
	// scrapeTimeout is how long a scrape may take. Prometheus waits for 10 seconds by default.
	scrapeTimeout = 10 * time.Second
)

// providers are the SDK with its exporters.
type providers struct {
	meters     metric.MeterProvider
	tracers    trace.TracerProvider // makes no spans unless OTLP is on
	callers    bool                 // whether the traceparent of requests is read
	prometheus http.Handler         // nil: none
	ends       []func(context.Context) error
}

// newProviders makes the configured exporters. They read most OTEL_… variables themselves.
func newProviders(ctx context.Context, o Options, otlp otlpSettings) (*providers, error) {
	from, err := resourceOf(ctx, o, otlp)
	if err != nil {
		return nil, err
	}
	p := &providers{tracers: nooptrace.NewTracerProvider(), callers: otlp.callers}
	otel.SetErrorHandler(&errorLog{logger: o.Logger, now: time.Now})
	if err := p.addMeters(ctx, o, otlp, from); err != nil {
		return nil, errors.Join(err, p.shutDown(ctx))
	}
	if otlp.traces {
		if err := p.addTracers(ctx, from); err != nil {
			return nil, errors.Join(err, p.shutDown(ctx))
		}
	}
	return p, nil
}

// resourceOf identifies this program to a collector. Prometheus does not show it.
func resourceOf(
	ctx context.Context, o Options, otlp otlpSettings,
) (*resource.Resource, error) {
	if !otlp.traces && !otlp.metrics {
		return resource.Empty(), nil
	}
	return resource.New(ctx,
		resource.WithAttributes(
			semconv.ServiceName(defaultService),
			semconv.ServiceVersion(o.Build.Version),
		),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // of several values, the last one counts
	)
}

func (p *providers) addMeters(
	ctx context.Context, o Options, otlp otlpSettings, from *resource.Resource,
) error {
	options := []sdkmetric.Option{sdkmetric.WithResource(from)}
	if o.Prometheus {
		reader, err := p.addPrometheus(o.Logger)
		if err != nil {
			return err
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	if otlp.metrics {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return fmt.Errorf("OTLP metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	}
	made := sdkmetric.NewMeterProvider(options...)
	p.meters = made
	p.ends = append(p.ends, made.Shutdown)
	return nil
}

// addPrometheus makes the handler, and the reader from which it gets the metrics. It has its own
// registry, which contains only what this program measures.
func (p *providers) addPrometheus(logger *slog.Logger) (sdkmetric.Reader, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	reader, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithoutTargetInfo(),
	)
	if err != nil {
		return nil, fmt.Errorf("the exporter for Prometheus: %w", err)
	}
	p.prometheus = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
	})
	return reader, nil
}

// addTracers makes the exporter of spans. OTEL_TRACES_SAMPLER selects the sampler.
func (p *providers) addTracers(ctx context.Context, from *resource.Resource) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("OTLP traces: %w", err)
	}
	made := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(from))
	p.tracers = made
	p.ends = append(p.ends, made.Shutdown)
	return nil
}

// shutDown sends the metrics and traces that are left, both at the same time.
func (p *providers) shutDown(ctx context.Context) error {
	failures := make([]error, len(p.ends))
	var all sync.WaitGroup
	for i, end := range p.ends {
		all.Go(func() { failures[i] = end(ctx) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// errorPause is the minimum time between two messages, because every attempt fails while a
// collector is down.
const errorPause = time.Minute

// maxError limits the length of a message. Collectors answer with their own texts.
const maxError = 500

// errorLog logs the SDK's errors, at most one a minute.
type errorLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	last    time.Time
	skipped int
}

// Handle implements otel.ErrorHandler.
func (l *errorLog) Handle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if since := now.Sub(l.last); since >= 0 && since < errorPause {
		l.skipped++
		return
	}
	l.logger.Warn("metrics or traces not sent",
		slog.String("error", fmt.Sprintf("%.*s", maxError, err.Error())),
		slog.Int("skipped", l.skipped))
	l.last = now
	l.skipped = 0
}
