// Package telemetry measures a service with OpenTelemetry: metrics that Prometheus reads, and
// metrics and traces that are sent by OTLP. It contains the SDK and all exporters, so that no other
// package needs them. The data comes from the library's hooks. No metric contains text that a
// caller can choose.
package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationotel"
	"github.com/seed055b7978/delegation/rediscache"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/seed055b7978/delegation/cmd/delegation"

// shutdownTimeout limits sending the last metrics and spans.
const shutdownTimeout = 5 * time.Second

// buckets are those of the semantic conventions for http.server.request.duration, in seconds.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// Attributes that have no name in the semantic conventions.
const (
	keyOutcome   = attribute.Key("delegation.outcome")
	keyOperation = attribute.Key("delegation.operation")
	keySink      = attribute.Key("delegation.sink")
	keyReason    = attribute.Key("delegation.reason")
	keyCause     = attribute.Key("delegation.cause")
)

// Options say what to measure, and where to send it.
type Options struct {
	// Prometheus makes Metrics serve all metrics.
	Prometheus bool
	// Environment is the environment of the process, as os.Environ returns it. It may set OTEL_…
	// variables.
	Environment []string
	// Build is this program.
	Build Build
	// Logger logs what cannot be sent. It is required.
	Logger *slog.Logger
	// Now is the clock of gauges. nil: time.Now.
	Now func() time.Time
}

// Build says which program runs.
type Build struct {
	// Version is that of the module.
	Version string
	// Revision is the commit; empty: unknown.
	Revision string
	// Go is the version of Go.
	Go string
}

// Telemetry measures one service, across reloads. Only [Start] makes it. It is safe for concurrent
// use.
type Telemetry struct {
	options   Options
	providers *providers
	sts       func(context.Context, delegation.STSCall)

	redisOperations metric.Int64Counter
	redisDuration   metric.Float64Histogram
	reloads         metric.Int64Counter
	refused         metric.Int64Counter
	auditFailures   metric.Int64Counter
	revocations     metric.Int64Counter
	requestDuration metric.Float64Histogram
	requestSpans    trace.Tracer

	lastReload atomic.Bool   // the last reload succeeded, or there was none
	patience   time.Duration // for Shutdown
}

// Start begins to measure. It returns nil if neither metrics nor traces are configured:
// Options.Prometheus is false, and no variable turns on OTLP. The error names every
// OTEL_… variable whose value is wrong, and what to set.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	otlp, err := readEnvironment(o.Environment)
	if err != nil {
		return nil, err
	}
	if !o.Prometheus && !otlp.traces && !otlp.metrics {
		return nil, nil
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	made, err := newProviders(ctx, o, otlp)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{options: o, providers: made, patience: shutdownTimeout}
	t.lastReload.Store(true)
	if err := t.makeInstruments(); err != nil {
		return nil, errors.Join(err, t.Shutdown())
	}
	return t, nil
}

func (t *Telemetry) makeInstruments() error {
	meter := t.providers.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	i := instruments{meter: meter}
	t.redisOperations = i.counter("delegation.redis.operations", "{operation}",
		"Operations on Redis that have ended.")
	t.redisDuration = i.histogram("delegation.redis.duration",
		"How long an operation on Redis took.")
	t.reloads = i.counter("delegation.reloads", "{reload}",
		"Reloads of the configuration that have ended.")
	t.refused = i.counter("delegation.http.refused", "{refusal}",
		"Requests and connections that a limit has refused before a token was read.")
	t.auditFailures = i.counter("delegation.audit.failures", "{event}",
		"Events that the audit sink did not accept.")
	t.revocations = i.counter("delegation.revocations", "{revocation}",
		"Calls that end sessions: logout tokens and those of operators.")
	t.requestDuration = i.histogram("http.server.request.duration",
		"Duration of HTTP server requests.")
	i.gauge("delegation.reload.last.successful",
		"Whether the last reload of the configuration succeeded: 1, also if there was none, or 0.",
		func() (float64, []attribute.KeyValue) { return oneIf(t.lastReload.Load()), nil })
	i.gauge("delegation.build.info", "The program that runs. The value is 1.",
		func() (float64, []attribute.KeyValue) { return 1, t.options.Build.attributes() })
	t.beginAtZero()
	var err error
	t.sts, err = delegationotel.OnSTSCall(t.providers.meters)
	t.requestSpans = t.providers.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	return errors.Join(i.refused, err)
}

// The values of attributes.
var (
	reloadOutcomes = []string{"done", "refused"}
	refusalReasons = []string{"rate", "size", "connections"}

	revocationCauses = []delegation.RevocationCause{
		delegation.RevocationInvalidate, delegation.RevocationRevoke, delegation.RevocationLogout,
	}
	revocationOutcomes = []delegation.Outcome{
		delegation.OutcomeAllowed, delegation.OutcomeDenied, delegation.OutcomeFailed,
	}
)

// beginAtZero creates the series of counters for rare events. Prometheus sees no increase in a
// series that begins with 1.
func (t *Telemetry) beginAtZero() {
	ctx := context.Background()
	for _, outcome := range reloadOutcomes {
		t.reloads.Add(ctx, 0, metric.WithAttributes(keyOutcome.String(outcome)))
	}
	for _, reason := range refusalReasons {
		t.refused.Add(ctx, 0, metric.WithAttributes(keyReason.String(reason)))
	}
	for _, cause := range revocationCauses {
		for _, outcome := range revocationOutcomes {
			t.countRevocation(ctx, 0, cause, outcome)
		}
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func (b Build) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("version", b.Version),
		attribute.String("revision", cmp.Or(b.Revision, "unknown")),
		attribute.String("goversion", b.Go),
	}
}

// instruments makes instruments, and collects the errors.
type instruments struct {
	meter   metric.Meter
	refused error
}

func (i *instruments) counter(name, unit, description string) metric.Int64Counter {
	made, err := i.meter.Int64Counter(name,
		metric.WithUnit(unit), metric.WithDescription(description))
	i.refused = errors.Join(i.refused, err)
	return made
}

// histogram makes a histogram of durations in seconds.
func (i *instruments) histogram(name, description string) metric.Float64Histogram {
	made, err := i.meter.Float64Histogram(name,
		metric.WithUnit("s"),
		metric.WithDescription(description),
		metric.WithExplicitBucketBoundaries(buckets...))
	i.refused = errors.Join(i.refused, err)
	return made
}

// gauge makes a gauge that has a single value at a time.
func (i *instruments) gauge(
	name, description string, read func() (float64, []attribute.KeyValue),
) {
	_, err := i.meter.Float64ObservableGauge(name,
		metric.WithDescription(description),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			value, attributes := read()
			o.Observe(value, metric.WithAttributes(attributes...))
			return nil
		}))
	i.refused = errors.Join(i.refused, err)
}

// Metrics serves all metrics in Prometheus's text format. It is nil without Options.Prometheus.
func (t *Telemetry) Metrics() http.Handler { return t.providers.prometheus }

// OnEvent returns a function for Config.OnEvent of a Delegator with these targets. Counters
// continue from one Delegator to the next.
func (t *Telemetry) OnEvent(
	targets delegation.Targets,
) (func(context.Context, delegation.Event), error) {
	known := func(target string) bool {
		_, configured := targets[target]
		return configured
	}
	return delegationotel.OnEvent(t.providers.tracers, t.providers.meters,
		delegationotel.WithTargets(known))
}

// OnSTSCall is for Config.OnSTSCall.
func (t *Telemetry) OnSTSCall(ctx context.Context, call delegation.STSCall) { t.sts(ctx, call) }

// OnRedis is for rediscache.Config.OnOperation.
func (t *Telemetry) OnRedis(ctx context.Context, o rediscache.Operation) {
	list := []attribute.KeyValue{keyOperation.String(o.Name)}
	switch {
	case o.Problem != "":
		list = append(list, semconv.ErrorTypeKey.String(string(o.Problem)))
	case o.Canceled:
		list = append(list, semconv.ErrorTypeKey.String("canceled"))
	}
	attributes := metric.WithAttributes(list...)
	t.redisOperations.Add(ctx, 1, attributes)
	t.redisDuration.Record(ctx, o.Took.Seconds(), attributes)
}

// OnReload counts a finished reload, and whether it had an error.
func (t *Telemetry) OnReload(err error) {
	outcome := reloadOutcomes[0]
	if err != nil {
		outcome = reloadOutcomes[1]
	}
	t.lastReload.Store(err == nil)
	t.reloads.Add(context.Background(), 1, metric.WithAttributes(keyOutcome.String(outcome)))
}

// OnRefused counts what a limit has refused. reason is rate, size or connections.
func (t *Telemetry) OnRefused(ctx context.Context, reason string) {
	t.refused.Add(ctx, 1, metric.WithAttributes(keyReason.String(reason)))
}

// OnAuditFailure counts an event that an audit sink did not accept. sink is file or syslog.
func (t *Telemetry) OnAuditFailure(ctx context.Context, sink string) {
	t.auditFailures.Add(ctx, 1, metric.WithAttributes(keySink.String(sink)))
}

// OnRevocation is for Config.OnRevocation.
func (t *Telemetry) OnRevocation(ctx context.Context, e delegation.RevocationEvent) {
	t.countRevocation(ctx, 1, e.Cause, e.Outcome)
}

func (t *Telemetry) countRevocation(
	ctx context.Context, n int64, cause delegation.RevocationCause, outcome delegation.Outcome,
) {
	t.revocations.Add(ctx, n, metric.WithAttributes(
		keyCause.String(string(cause)), keyOutcome.String(string(outcome))))
}

// State is the present state of a service, whose parts change with reloads. A
// [delegation.Delegator] is one.
type State interface {
	IssuerKeys() []delegation.IssuerKeys
	Regions() []delegation.RegionState
	Certificates() []delegation.CertificateState
}

// Observe makes gauges of a state. They read it whenever metrics are collected. It is called once.
func (t *Telemetry) Observe(s State) error {
	meters := t.providers.meters
	_, err1 := delegationotel.ObserveIssuers(meters, s, t.options.Now)
	_, err2 := delegationotel.ObserveRegions(meters, s.Regions)
	_, err3 := delegationotel.ObserveCertificates(meters, s.Certificates, t.options.Now)
	return errors.Join(err1, err2, err3)
}

// Shutdown sends what is left, for up to 5 seconds. The error says what could not be sent. Nothing
// is measured after it.
func (t *Telemetry) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), t.patience)
	defer cancel()
	if err := t.providers.shutDown(ctx); err != nil {
		return fmt.Errorf("the last metrics or traces were not sent: %w", err)
	}
	return nil
}
