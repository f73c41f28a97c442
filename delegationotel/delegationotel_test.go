package delegationotel_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationotel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// world is the SDK with its spans and metrics in memory.
type world struct {
	spans   *tracetest.InMemoryExporter
	tracers *sdktrace.TracerProvider
	reader  *sdkmetric.ManualReader
	meters  *sdkmetric.MeterProvider
}

func newWorld() *world {
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	return &world{
		spans, sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
		reader, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	}
}

func (w *world) record(t *testing.T, e delegation.Event, options ...delegationotel.Option) {
	t.Helper()
	record, err := delegationotel.OnEvent(w.tracers, w.meters, options...)
	if err != nil {
		t.Fatal(err)
	}
	record(t.Context(), e)
}

// metrics returns each metric by name.
func (w *world) metrics(t *testing.T) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := w.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]metricdata.Metrics{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			found[m.Name] = m
		}
	}
	return found
}

// text is a set of attributes as key=value, sorted.
func text(list []attribute.KeyValue) []string {
	var all []string
	for _, a := range list {
		all = append(all, string(a.Key)+"="+a.Value.String())
	}
	slices.Sort(all)
	return all
}

// full returns an event that has every field, with a canary where a user is named.
func full() delegation.Event {
	return delegation.Event{
		Time: start, Outcome: delegation.OutcomeFailed, Issuer: "an-issuer",
		Subject: "canary-subject", TokenSHA256: "canary-hash",
		ClaimedIssuer: "another-issuer", KeyID: "a-kid", Algorithm: "an-alg",
		ClientID: "a-client", Target: "a-target", Rule: "a-rule",
		Principal: "a-principal", Role: "a-role", Region: "a-region", SessionName: "canary-session",
		SourceIdentity: "canary-source", Duration: 90 * time.Minute,
		AssertionID: "an-assertion", AccessKeyID: "canary-key", Expiration: start.Add(time.Hour),
		RequestID: "a-request", PackedPolicySize: 17,
		Stage: delegation.StageSTS, Code: delegation.CodeSTSThrottled,
		Err: errors.New("canary-error"),
		Took: map[delegation.Stage]time.Duration{
			delegation.StageToken: time.Millisecond, delegation.StageTarget: 2 * time.Millisecond,
			delegation.StageRules:    3 * time.Millisecond,
			delegation.StageDecision: 4 * time.Millisecond,
			delegation.StageSAML:     5 * time.Millisecond, delegation.StageSTS: 6 * time.Second,
		},
	}
}

func TestSpans(t *testing.T) {
	w := newWorld()
	w.record(t, full())
	got := map[string]tracetest.SpanStub{}
	for _, s := range w.spans.GetSpans() {
		got[s.Name] = s
	}
	exchange := got["delegation.exchange"]
	want := []string{
		"aws.request_id=a-request", "cloud.region=a-region", "delegation.algorithm=an-alg",
		"delegation.assertion_id=an-assertion", "delegation.claimed_issuer=another-issuer",
		"delegation.client_id=a-client", "delegation.issuer=an-issuer", "delegation.key_id=a-kid",
		"delegation.outcome=failed",
		"delegation.packed_policy_size=17", "delegation.principal=a-principal",
		"delegation.role=a-role", "delegation.rule=a-rule", "delegation.session.duration=5400",
		"delegation.stage=sts", "delegation.target=a-target", "error.type=sts_throttled",
	}
	if !slices.Equal(text(exchange.Attributes), want) {
		t.Errorf("got  %v\nwant %v", text(exchange.Attributes), want)
	}
	end := start
	for _, stage := range []delegation.Stage{
		"token", "target", "rules", "decision", "saml", "sts",
	} {
		s := got["delegation."+string(stage)]
		from := end
		end = end.Add(full().Took[stage])
		if !s.StartTime.Equal(from) || !s.EndTime.Equal(end) ||
			s.Parent.SpanID() != exchange.SpanContext.SpanID() {
			t.Errorf("%s: from %s to %s under %s; want %s to %s", stage, s.StartTime, s.EndTime,
				s.Parent.SpanID(), from, end)
		}
		failed := stage == delegation.StageSTS
		if (s.Status.Code == codes.Error) != failed ||
			slices.Equal(text(s.Attributes), []string{"error.type=sts_throttled"}) != failed {
			t.Errorf("%s: status %v, %v", stage, s.Status, text(s.Attributes))
		}
	}
	if !exchange.StartTime.Equal(start) || !exchange.EndTime.Equal(end) ||
		exchange.Status.Code != codes.Error ||
		exchange.Status.Description != "sts_throttled" || len(got) != 7 {
		t.Errorf("%d spans; the exchange's: %+v", len(got), exchange)
	}
	if strings.Contains(fmt.Sprintf("%+v", got), "canary") {
		t.Errorf("a span names the user, or has an error's text: %+v", got)
	}
}

func TestSpans_WithUser(t *testing.T) {
	w := newWorld()
	w.record(t, full(), nil, delegationotel.WithUser())
	spans := w.spans.GetSpans()
	got := text(spans[len(spans)-1].Attributes)
	for _, want := range []string{
		"user.id=canary-subject", "delegation.session_name=canary-session",
		"delegation.source_identity=canary-source",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %s", got, want)
		}
	}
	all := fmt.Sprintf("%+v", spans)
	if strings.Contains(all, "canary-hash") || strings.Contains(all, "canary-key") ||
		strings.Contains(all, "canary-error") {
		t.Errorf("a span has the token's hash, the access key or an error's text: %v", all)
	}
	if all := fmt.Sprintf("%+v", w.metrics(t)); strings.Contains(all, "canary") {
		t.Errorf("a metric names the user: %s", all)
	}
}

// TestSpans_OfASuccess have no error, and what an early end has not reached is not there.
func TestSpans_OfASuccess(t *testing.T) {
	w := newWorld()
	e := full()
	e.Stage, e.Code, e.Err = "", "", nil
	w.record(t, e)
	for _, s := range w.spans.GetSpans() {
		if s.Status.Code != codes.Unset ||
			strings.Contains(fmt.Sprint(text(s.Attributes)), "error.type") {
			t.Errorf("%s: status %v, %v", s.Name, s.Status, text(s.Attributes))
		}
	}
	w.spans.Reset()
	w.record(t, delegation.Event{
		Time:  start,
		Stage: delegation.StageToken,
		Code:  delegation.CodeTokenMissing,
		Took:  map[delegation.Stage]time.Duration{delegation.StageToken: 0},
	})
	spans := w.spans.GetSpans()
	if len(spans) != 2 || spans[0].Name != "delegation.token" ||
		!slices.Equal(text(spans[1].Attributes),
			[]string{"delegation.stage=token", "error.type=token_missing"}) {
		t.Errorf("got %+v", spans)
	}
}

// TestSpans_Parent: an exchange is a part of the request that asked for it.
func TestSpans_Parent(t *testing.T) {
	w := newWorld()
	record, err := delegationotel.OnEvent(w.tracers, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, request := w.tracers.Tracer("test").Start(t.Context(), "request")
	record(ctx, full())
	request.End()
	for _, s := range w.spans.GetSpans() {
		if s.SpanContext.TraceID() != request.SpanContext().TraceID() ||
			s.Name == "delegation.exchange" && s.Parent.SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s is not under the request", s.Name)
		}
	}
}

// TestSpans_UTF8: protobuf refuses other text, and with it the spans of everybody else in the
// batch.
func TestSpans_UTF8(t *testing.T) {
	w := newWorld()
	e := full()
	e.Target = "a\xff\xfeb"
	w.record(t, e)
	for _, s := range w.spans.GetSpans() {
		for _, a := range s.Attributes {
			if !utf8.ValidString(a.Value.String()) ||
				a.Key == "delegation.target" && a.Value.AsString() != "a\uFFFDb" {
				t.Errorf("%s is %q", a.Key, a.Value.String())
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld()
	success := full()
	success.Outcome, success.Stage, success.Code, success.Err = "allowed", "", "", nil
	record, err := delegationotel.OnEvent(w.tracers, w.meters)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { record(t.Context(), full()) })
		all.Go(func() { record(t.Context(), success) })
	}
	all.Wait()
	got := w.metrics(t)

	counts := map[string]int64{}
	exchanges := got["delegation.exchanges"]
	for _, p := range exchanges.Data.(metricdata.Sum[int64]).DataPoints {
		counts[strings.Join(text(p.Attributes.ToSlice()), " ")] = p.Value
	}
	want := map[string]int64{
		"delegation.outcome=allowed": 50,
		"delegation.outcome=failed delegation.stage=sts error.type=sts_throttled": 50,
	}
	if !reflect.DeepEqual(counts, want) || exchanges.Unit != "{exchange}" ||
		!exchanges.Data.(metricdata.Sum[int64]).IsMonotonic {
		t.Errorf("%s %v, want %v", exchanges.Unit, counts, want)
	}

	took := map[string]string{}
	durations := got["delegation.stage.duration"]
	for _, p := range durations.Data.(metricdata.Histogram[float64]).DataPoints {
		took[strings.Join(text(p.Attributes.ToSlice()), " ")] = fmt.Sprintf("%d in %.1f",
			p.Count, p.Sum)
		if !slices.Equal(p.Bounds,
			[]float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}) {
			t.Errorf("bounds %v", p.Bounds)
		}
	}
	wantTook := map[string]string{
		"delegation.stage=token": "100 in 0.1", "delegation.stage=target": "100 in 0.2",
		"delegation.stage=rules": "100 in 0.3", "delegation.stage=decision": "100 in 0.4",
		"delegation.stage=saml": "100 in 0.5", "delegation.stage=sts": "50 in 300.0",
		"delegation.stage=sts error.type=sts_throttled": "50 in 300.0",
	}
	if !reflect.DeepEqual(took, wantTook) || durations.Unit != "s" {
		t.Errorf("%s %v, want %v", durations.Unit, took, wantTook)
	}
	if len(got) != 2 || strings.Contains(fmt.Sprintf("%+v", got), "canary") ||
		strings.Contains(fmt.Sprintf("%+v", got), "a-target") {
		t.Errorf("metrics hold what a caller chooses: %+v", got)
	}
}

// TestDocumented holds docs/events.md and docs/metrics.md against what is recorded.
func TestDocumented(t *testing.T) {
	w := newWorld()
	everything := full()
	everything.Cache = delegation.CacheMiss
	w.record(t, everything, delegationotel.WithUser())
	names := slices.Collect(maps.Keys(w.metrics(t)))
	for _, s := range w.spans.GetSpans() {
		for _, a := range s.Attributes {
			names = append(names, string(a.Key))
		}
	}
	names = append(names, "delegation.exchange", "delegation.token", "delegation.outcome")
	for _, name := range names {
		if !documents(t, name) {
			t.Errorf("neither docs/events.md nor docs/metrics.md has %s", name)
		}
	}
}

// documents tells whether docs/events.md names a span or an attribute, or docs/metrics.md a metric
// or an attribute, by its name in Prometheus.
func documents(t *testing.T, name string) bool {
	t.Helper()
	if strings.Contains(string(must(os.ReadFile("../docs/events.md"))), "`"+name+"`") {
		return true
	}
	inPrometheus := regexp.QuoteMeta(strings.ReplaceAll(name, ".", "_"))
	return regexp.MustCompile("`" + inPrometheus + "(_seconds)?(_total)?`").
		Match(must(os.ReadFile("../docs/metrics.md")))
}

// TestStages: a stage that is added to the library is recorded, too.
func TestStages(t *testing.T) {
	var took []delegation.Stage
	ast.Inspect(must(parser.ParseFile(token.NewFileSet(), "../errors.go", nil, 0)),
		func(n ast.Node) bool {
			if s, ok := n.(*ast.ValueSpec); ok && len(s.Values) == 1 {
				if of, ok := s.Type.(*ast.Ident); ok && of.Name == "Stage" {
					took = append(took,
						delegation.Stage(must(strconv.Unquote(s.Values[0].(*ast.BasicLit).Value))))
				}
			}
			return true
		})
	if len(took) < 7 {
		t.Fatalf("only %v: the test does not read the stages", took)
	}
	w, e := newWorld(), delegation.Event{Time: start, Took: map[delegation.Stage]time.Duration{}}
	for _, stage := range took {
		if stage != delegation.StageConfig { // which is no part of an exchange
			e.Took[stage] = time.Second
		}
	}
	w.record(t, e)
	var names []string
	for _, s := range w.spans.GetSpans() {
		names = append(names, s.Name)
	}
	want := []string{"delegation.exchange"}
	for stage := range e.Took {
		want = append(want, "delegation."+string(stage))
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("spans %v, want %v", names, want)
	}
}

// TestStages_Order: stages follow each other as in the library's log, and as docs/events.md lists
// them.
func TestStages_Order(t *testing.T) {
	e := full()
	e.Took = map[delegation.Stage]time.Duration{}
	for _, stage := range []delegation.Stage{
		delegation.StageAudit,
		delegation.StageSTS, delegation.StageSAML, delegation.StageCache, delegation.StageDecision,
		delegation.StageRules, delegation.StageTarget, delegation.StageToken,
	} {
		e.Took[stage] = time.Second
	}
	var logged []string
	for _, attr := range e.LogValue().Group() {
		if stage, ok := strings.CutPrefix(attr.Key, "took_"); ok {
			logged = append(logged, strings.TrimSuffix(stage, "_ms"))
		}
	}
	w := newWorld()
	w.record(t, e)
	spans := w.spans.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int {
		return a.StartTime.Compare(b.StartTime)
	})
	var recorded []string
	for _, span := range spans {
		if stage, _ := strings.CutPrefix(span.Name, "delegation."); stage != "exchange" {
			recorded = append(recorded, stage)
		}
	}
	if len(logged) != len(e.Took) || !slices.Equal(recorded, logged) {
		t.Errorf("spans %v, the log has %v", recorded, logged)
	}
	last := len(logged) - 1
	said := "`delegation." + strings.Join(logged[:last], "`, `.") + "` and `." + logged[last] + "`"
	page := strings.Join(strings.Fields(string(must(os.ReadFile("../docs/events.md")))), " ")
	if !strings.Contains(page, said) {
		t.Errorf("docs/events.md does not say %s", said)
	}
}

func TestNothingToRecordWith(t *testing.T) {
	record, err := delegationotel.OnEvent(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	record(t.Context(), full())
	record(t.Context(), delegation.Event{})
}

// stubborn is a MeterProvider that has no instruments.
type stubborn struct{ noop.MeterProvider }

func (stubborn) Meter(string, ...metric.MeterOption) metric.Meter { return stubbornMeter{} }

type stubbornMeter struct{ noop.Meter }

var errNo = errors.New("no")

func (stubbornMeter) Int64Counter(
	string, ...metric.Int64CounterOption,
) (metric.Int64Counter, error) {
	return nil, errNo
}

func TestMeterProviderRefuses(t *testing.T) {
	record, err := delegationotel.OnEvent(nil, stubborn{})
	if record != nil || !errors.Is(err, errNo) {
		t.Errorf("got %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Several receivers of events: the function of this package, and one's own behind it.
func ExampleOnEvent() {
	spans := tracetest.NewInMemoryExporter() // in production an exporter of OTLP
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	record, err := delegationotel.OnEvent(tracers, sdkmetric.NewMeterProvider())
	if err != nil {
		fmt.Println(err)
		return
	}
	config := delegation.Config{OnEvent: func(ctx context.Context, e delegation.Event) {
		record(ctx, e)
		if e.Code == delegation.CodeDenied {
			fmt.Println("denied:", e.Rule)
		}
	}}

	config.OnEvent(context.Background(), delegation.Event{ // as an exchange does
		Time: start, Target: "photo-app", Rule: "main.onlyStaff", Stage: delegation.StageRules,
		Code: delegation.CodeDenied,
		Took: map[delegation.Stage]time.Duration{
			delegation.StageToken: 2 * time.Millisecond, delegation.StageTarget: 0,
			delegation.StageRules: time.Millisecond,
		},
	})
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name, s.EndTime.Sub(s.StartTime), s.Status.Code)
	}
	// Output:
	// denied: main.onlyStaff
	// delegation.token 2ms Unset
	// delegation.target 0s Unset
	// delegation.rules 1ms Error
	// delegation.exchange 3ms Error
}
