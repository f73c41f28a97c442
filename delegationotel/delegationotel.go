// Package delegationotel makes OpenTelemetry spans and metrics of a Delegator's events. It uses the API of OpenTelemetry only;
// the program brings the SDK and its exporters.
//
//	record, err := delegationotel.OnEvent(tracerProvider, meterProvider)
//	config.OnEvent = record
//
// # Spans
//
// Each exchange is a span delegation.exchange, a child of the span in Exchange's context if there is one. Under it there is one
// for each stage that was reached: delegation.token, delegation.target, delegation.rules, delegation.decision, delegation.saml,
// delegation.sts. They are made when the exchange has ended, with the times that Config.Now told. A failed exchange has the
// status Error, and so has the stage that failed.
//
// # Metrics
//
// delegation.exchanges counts exchanges by delegation.outcome (success or failure), delegation.stage and error.type.
// delegation.stage.duration is a histogram of how long stages took, in seconds, by delegation.stage and error.type.
//
// # What is not recorded
//
// Metrics hold nothing that a caller can choose: their attributes are stages and codes. Spans hold no token, hash of a token,
// credential or text of an error, and what names the user only with [WithUser]. docs/events.md lists the attributes.
package delegationotel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/seed055b7978/delegation/delegationotel"

// What the semantic conventions have no name for.
const (
	keyOutcome = attribute.Key("delegation.outcome")
	keyStage   = attribute.Key("delegation.stage")
)

// stages are in the order in which an exchange takes them, one right behind the other.
var stages = []delegation.Stage{
	delegation.StageToken, delegation.StageTarget, delegation.StageRules, delegation.StageDecision, delegation.StageCache, delegation.StageSAML, delegation.StageSTS,
}

// buckets are those of the semantic conventions for durations in seconds (HTTP metrics, http.server.request.duration).
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// Option changes what [OnEvent] records.
type Option func(*recorder)

// WithUser adds to spans what names the user: subject (user.id), session name and source identity. It never concerns metrics.
func WithUser() Option { return func(r *recorder) { r.user = true } }

type recorder struct {
	tracer    trace.Tracer
	exchanges metric.Int64Counter
	durations metric.Float64Histogram
	user      bool
}

// OnEvent returns a function for Config.OnEvent, safe for concurrent use. Without a TracerProvider there are no spans, without a
// MeterProvider no metrics; the global ones are not used. It fails only if the MeterProvider refuses an instrument.
func OnEvent(tracers trace.TracerProvider, meters metric.MeterProvider, options ...Option) (func(context.Context, delegation.Event), error) {
	if tracers == nil {
		tracers = nooptrace.NewTracerProvider()
	}
	if meters == nil {
		meters = noopmetric.NewMeterProvider()
	}
	meter := meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	r := &recorder{tracer: tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
	var counter, histogram error
	r.exchanges, counter = meter.Int64Counter("delegation.exchanges", metric.WithUnit("{exchange}"),
		metric.WithDescription("Exchanges of ID tokens for AWS credentials that have ended."))
	r.durations, histogram = meter.Float64Histogram("delegation.stage.duration", metric.WithUnit("s"),
		metric.WithDescription("How long a stage of an exchange took."), metric.WithExplicitBucketBoundaries(buckets...))
	if err := errors.Join(counter, histogram); err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	for _, option := range options {
		if option != nil {
			option(r)
		}
	}
	return r.record, nil
}

func (r *recorder) record(ctx context.Context, e delegation.Event) {
	ctx, span := r.tracer.Start(ctx, "delegation.exchange",
		trace.WithTimestamp(e.Time), trace.WithAttributes(r.attributes(e)...))
	end := e.Time
	for _, stage := range stages {
		took, reached := e.Took[stage]
		if !reached {
			continue
		}
		failure := ""
		if stage == e.Stage {
			failure = string(e.Code)
		}
		attributes := []attribute.KeyValue{keyStage.String(string(stage))}
		_, part := r.tracer.Start(ctx, "delegation."+string(stage), trace.WithTimestamp(end))
		if failure != "" {
			attributes = append(attributes, semconv.ErrorTypeKey.String(failure))
			fail(part, failure)
		}
		end = end.Add(took)
		part.End(trace.WithTimestamp(end))
		r.durations.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
	}
	outcome := []attribute.KeyValue{keyOutcome.String("success")}
	if e.Code != "" {
		outcome = []attribute.KeyValue{keyOutcome.String("failure"), keyStage.String(string(e.Stage)), semconv.ErrorTypeKey.String(string(e.Code))}
		fail(span, string(e.Code))
	}
	r.exchanges.Add(ctx, 1, metric.WithAttributes(outcome...))
	span.End(trace.WithTimestamp(end))
}

// fail marks a span as failed. The error's text stays out: it may quote the user.
func fail(span trace.Span, code string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(code))
	span.SetStatus(codes.Error, code)
}

// attributes are those of the exchange's span that are known and may be shown.
func (r *recorder) attributes(e delegation.Event) (list []attribute.KeyValue) {
	add := func(key attribute.Key, value string) {
		if value != "" { // an exporter may drop a whole batch for a text that is no UTF-8, and a target may be any
			list = append(list, key.String(strings.ToValidUTF8(value, "\uFFFD")))
		}
	}
	add("delegation.issuer", e.Issuer)
	add("delegation.client_id", e.ClientID)
	add("delegation.target", e.Target)
	add("delegation.rule", e.Rule)
	add("delegation.principal", e.Principal)
	add("delegation.role", e.Role)
	add(semconv.CloudRegionKey, e.Region)
	add(semconv.AWSRequestIDKey, e.RequestID)
	add("delegation.assertion_id", e.AssertionID)
	add(keyStage, string(e.Stage))
	if r.user {
		add(semconv.UserIDKey, e.Subject)
		add("delegation.session_name", e.SessionName)
		add("delegation.source_identity", e.SourceIdentity)
	}
	if e.Duration > 0 {
		list = append(list, attribute.Float64("delegation.session.duration", e.Duration.Seconds()))
	}
	if e.PackedPolicySize > 0 {
		list = append(list, attribute.Int("delegation.packed_policy_size", e.PackedPolicySize))
	}
	return list
}
