// Package delegationotel makes OpenTelemetry spans and metrics from a Delegator's events. It uses
// only the API of OpenTelemetry. The program chooses the SDK and its exporters.
//
//	record, err := delegationotel.OnEvent(tracerProvider, meterProvider)
//	config.OnEvent = record
//
// # Spans
//
// Each exchange is a span delegation.exchange. It is a child of the span in Exchange's context, if
// there is one. Each stage that the exchange reached is a child of it: delegation.token,
// delegation.target, delegation.rules, delegation.decision, delegation.cache, delegation.saml,
// delegation.sts, delegation.audit. The spans are made when the exchange has ended, with the times
// of Config.Now. A failed exchange has the status Error, and so has the stage that failed.
//
// # Metrics
//
// delegation.exchanges counts exchanges by delegation.outcome (allowed, denied, failed or listed),
// delegation.stage, error.type and delegation.cache, and with [WithTargets] by delegation.target.
// delegation.stage.duration is a histogram of the duration of stages, in seconds, by
// delegation.stage and error.type.
//
// [OnSTSCall] counts and times calls to AWS STS by cloud.region, error.type and, for the roles of a
// chain, delegation.hop. [ObserveIssuers], [ObserveRegions] and [ObserveCertificates] make gauges
// of a Delegator's state.
//
// # What is not recorded
//
// Metrics hold nothing that a caller can choose. Their attributes are stages, codes, cache outcomes
// and regions of this library, and issuers, targets and certificates of the configuration. Spans
// hold no token, no hash of a token, no credential and no text of an error. They identify the user
// only with [WithUser]. docs/events.md lists the attributes.
package delegationotel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

const scope = "github.com/seed055b7978/delegation/delegationotel"

// Attributes for which the semantic conventions have no name.
const (
	keyOutcome = attribute.Key("delegation.outcome")
	keyStage   = attribute.Key("delegation.stage")
	keyTarget  = attribute.Key("delegation.target")
	keyCache   = attribute.Key("delegation.cache")
	keyHop     = attribute.Key("delegation.hop")
)

// Values for what is not one of a known set. otherType is that of the semantic conventions.
const (
	otherType = "_OTHER"
	otherName = "other"
)

// stages are in the order of an exchange. Each begins when the one before it ends.
var stages = []delegation.Stage{
	delegation.StageToken,
	delegation.StageTarget,
	delegation.StageRules,
	delegation.StageDecision,
	delegation.StageCache,
	delegation.StageSAML,
	delegation.StageSTS,
	delegation.StageAudit,
}

// buckets are those of the semantic conventions for durations in seconds (HTTP metrics,
// http.server.request.duration).
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// Option changes what [OnEvent] records.
type Option func(*recorder)

// WithUser adds the user to spans: the subject (user.id), the session name and the source identity.
// Metrics never hold the user.
func WithUser() Option { return func(r *recorder) { r.user = true } }

// WithTargets adds delegation.target to delegation.exchanges. known tells whether a target is one
// of the configuration, whose name is used as it is. Every other target is counted as "other".
// known must be safe for concurrent use.
func WithTargets(known func(target string) bool) Option {
	return func(r *recorder) { r.knownTarget = known }
}

// recorder makes spans and metrics from events.
type recorder struct {
	tracer    trace.Tracer
	exchanges metric.Int64Counter
	durations metric.Float64Histogram
	user      bool

	knownTarget func(string) bool // nil: targets are not counted
}

// OnEvent returns a function for Config.OnEvent, safe for concurrent use. Without a TracerProvider
// there are no spans, and without a MeterProvider no metrics. The global providers are not used. It
// fails only if the MeterProvider refuses an instrument.
func OnEvent(
	tracers trace.TracerProvider, meters metric.MeterProvider, options ...Option,
) (func(context.Context, delegation.Event), error) {
	if tracers == nil {
		tracers = nooptrace.NewTracerProvider()
	}
	r := &recorder{tracer: tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
	if err := r.makeInstruments(meterOf(meters)); err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	for _, option := range options {
		if option != nil {
			option(r)
		}
	}
	return r.record, nil
}

func (r *recorder) makeInstruments(meter metric.Meter) error {
	var counter, histogram error
	r.exchanges, counter = meter.Int64Counter("delegation.exchanges",
		metric.WithUnit("{exchange}"),
		metric.WithDescription("Exchanges of ID tokens for AWS credentials that have ended."),
	)
	r.durations, histogram = meter.Float64Histogram("delegation.stage.duration",
		metric.WithUnit("s"),
		metric.WithDescription("How long a stage of an exchange took."),
		metric.WithExplicitBucketBoundaries(buckets...),
	)
	return errors.Join(counter, histogram)
}

func (r *recorder) record(ctx context.Context, e delegation.Event) {
	ctx, span := r.tracer.Start(ctx, "delegation.exchange",
		trace.WithTimestamp(e.Time),
		trace.WithAttributes(r.attributes(e)...),
	)
	end := e.Time
	for _, stage := range stages {
		took, reached := e.Took[stage]
		if !reached {
			continue
		}
		begin := end
		end = begin.Add(took)
		failure := ""
		if stage == e.Stage {
			failure = string(e.Code)
		}
		r.recordStage(ctx, stage, begin, end, failure)
	}
	if e.Code != "" {
		fail(span, string(e.Code))
	}
	r.exchanges.Add(ctx, 1, metric.WithAttributes(r.counted(e)...))
	span.End(trace.WithTimestamp(end))
}

// recordStage records one stage. failure is the code of the error that ended it, or empty.
func (r *recorder) recordStage(
	ctx context.Context, stage delegation.Stage, begin, end time.Time, failure string,
) {
	attributes := []attribute.KeyValue{keyStage.String(string(stage))}
	_, span := r.tracer.Start(ctx, "delegation."+string(stage), trace.WithTimestamp(begin))
	if failure != "" {
		attributes = append(attributes, errorType(delegation.Code(failure)))
		fail(span, failure)
	}
	span.End(trace.WithTimestamp(end))
	r.durations.Record(ctx, end.Sub(begin).Seconds(), metric.WithAttributes(attributes...))
}

// counted returns the attributes by which exchanges are counted.
func (r *recorder) counted(e delegation.Event) []attribute.KeyValue {
	list := []attribute.KeyValue{keyOutcome.String(string(e.Outcome))}
	if e.Code != "" {
		list = append(list, keyStage.String(knownStage(e.Stage)), errorType(e.Code))
	}
	if e.Cache != "" {
		list = append(list, keyCache.String(string(e.Cache)))
	}
	if r.knownTarget != nil {
		list = append(list, keyTarget.String(r.targetOf(e)))
	}
	return list
}

// targetOf is the target as metrics name it. A caller can ask for any text.
func (r *recorder) targetOf(e delegation.Event) string {
	if r.knownTarget(e.Target) {
		return strings.ToValidUTF8(e.Target, "\uFFFD")
	}
	return otherName
}

// errorType returns error.type for a code. An error of a rule can have any code.
func errorType(code delegation.Code) attribute.KeyValue {
	if !code.Known() {
		return semconv.ErrorTypeKey.String(otherType)
	}
	return semconv.ErrorTypeKey.String(string(code))
}

// knownStage is the stage as metrics name it. An error of a rule can have any stage.
func knownStage(stage delegation.Stage) string {
	if stage != delegation.StageConfig && !slices.Contains(stages, stage) {
		return otherType
	}
	return string(stage)
}

// fail marks a span as failed. It leaves out the error's text, which may quote the user.
func fail(span trace.Span, code string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(code))
	span.SetStatus(codes.Error, code)
}

// attributes returns the attributes of the exchange's span. Those that are empty are left out.
func (r *recorder) attributes(e delegation.Event) (list []attribute.KeyValue) {
	add := func(key attribute.Key, value string) {
		if value == "" {
			return
		}
		// A target may be any text, and an exporter may drop a whole batch that has one text with
		// invalid UTF-8.
		list = append(list, key.String(strings.ToValidUTF8(value, "\uFFFD")))
	}
	add(keyOutcome, string(e.Outcome))
	add("delegation.issuer", e.Issuer)
	add("delegation.claimed_issuer", e.ClaimedIssuer)
	add("delegation.key_id", e.KeyID)
	add("delegation.algorithm", e.Algorithm)
	add("delegation.client_id", e.ClientID)
	add(keyTarget, e.Target)
	add("delegation.rule", e.Rule)
	add("delegation.principal", e.Principal)
	add("delegation.role", e.Role)
	add(semconv.CloudRegionKey, e.Region)
	add(semconv.AWSRequestIDKey, e.RequestID)
	add("delegation.assertion_id", e.AssertionID)
	add(keyCache, string(e.Cache))
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
