package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/telemetry"
	"github.com/seed055b7978/delegation/rediscache"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// options are those of a service that Prometheus reads.
func options(environment ...string) telemetry.Options {
	return telemetry.Options{
		Prometheus:  true,
		Environment: environment,
		Build:       telemetry.Build{Version: "v1.2.3", Go: "go1.26"},
		Logger:      slog.New(slog.DiscardHandler),
		Now:         func() time.Time { return start },
	}
}

func started(t *testing.T, o telemetry.Options) *telemetry.Telemetry {
	t.Helper()
	made, err := telemetry.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Shutdown() })
	return made
}

// read returns what Prometheus reads.
func read(t *testing.T, m *telemetry.Telemetry) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Metrics().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatal(answer.Code)
	}
	return answer.Body.String()
}

// wantSeries checks lines of what Prometheus reads.
func wantSeries(t *testing.T, m *telemetry.Telemetry, lines ...string) {
	t.Helper()
	text := read(t, m)
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no %s in\n%s", line, text)
		}
	}
}

// TestStart_OnlyIfAsked: without a listener for Prometheus and without variables nothing is
// measured, and what turns OTLP off does so.
func TestStart_OnlyIfAsked(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"
	for _, environment := range [][]string{
		nil,
		{"OTEL_SERVICE_NAME=x", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "PATH=/bin"},
		{"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=NONE", endpoint},
		{"OTEL_SDK_DISABLED=True", "OTEL_TRACES_EXPORTER=otlp", "OTEL_TRACES_SAMPLER=x", endpoint},
		{"OTEL_EXPORTER_OTLP_ENDPOINT= "},
	} {
		o := options(environment...)
		o.Prometheus = false
		if got, err := telemetry.Start(t.Context(), o); got != nil || err != nil {
			t.Errorf("%q: %v, %v", environment, got, err)
		}
	}
}

// TestStart_WrongVariables: a value that the SDK would ignore is an error that names the variable
// and says what to set. It does not repeat what may be a secret.
func TestStart_WrongVariables(t *testing.T) {
	const canary = "canary-secret"
	file := t.TempDir() + "/not.pem"
	if err := os.WriteFile(file, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string]string{
		"OTEL_SDK_DISABLED=yes":                    `"yes" is not one of true, false`,
		"OTEL_TRACES_EXPORTER=console":             `"console" is not one of otlp, none`,
		"OTEL_METRICS_EXPORTER=prometheus":         "set metrics_listen in the configuration",
		"OTEL_METRICS_EXPORTER=statsd":             `"statsd" is not one of otlp, none`,
		"OTEL_EXPORTER_OTLP_PROTOCOL=grpc":         "set it to http/protobuf, and the endpoint to",
		"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc":  "usually 4318",
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=x:1":  "is not a URL such as http://",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=ftp:x": "is not a URL such as http://",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://u:canary-secret@x": "must not have a user " +
			"or a password",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x/?k=canary-secret": "a query",
		"OTEL_EXPORTER_OTLP_HEADERS=a=b,canary-secret":                 "its header 2 is not",
		"OTEL_EXPORTER_OTLP_HEADERS=a b=canary-secret":                 "its header 1",
		"OTEL_EXPORTER_OTLP_TRACES_HEADERS=a=%zz":                      "its header 1",
		"OTEL_EXPORTER_OTLP_TIMEOUT=10s":                               `"10s" is not a number`,
		"OTEL_EXPORTER_OTLP_COMPRESSION=zstd":                          `"zstd" is not one of gzip`,
		"OTEL_EXPORTER_OTLP_INSECURE=1":                                `"1" is not one of true`,
		"OTEL_EXPORTER_OTLP_CERTIFICATE=/nowhere.pem":                  "correct the path",
		"OTEL_EXPORTER_OTLP_CERTIFICATE=" + file:                       "contains no certificate",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY=" + file:                        "set both or neither",
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=x":          "is not one of cumul",
		"OTEL_RESOURCE_ATTRIBUTES=production":                          "its attribute 1 is not",
		"OTEL_TRACES_SAMPLER=jaeger_remote":                            "is not one of always_on",
		"OTEL_TRACES_SAMPLER_ARG=10":                                   "is not a number from 0",
		"OTEL_TRACES_SAMPLER_ARG=nan":                                  "is not a number from 0",
		"OTEL_PROPAGATORS=tracecontext,b3":                             `"b3" is not one of`,
		"OTEL_METRIC_EXPORT_INTERVAL=0":                                `"0" is not a number`,
		"OTEL_BSP_MAX_QUEUE_SIZE=-1":                                   `"-1" is not a whole`,
		"OTEL_METRICS_EXEMPLAR_FILTER=on":                              "is not one of always_on",
	} {
		o := options("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", variable)
		made, err := telemetry.Start(t.Context(), o)
		name, _, _ := strings.Cut(variable, "=")
		if made != nil || err == nil || !strings.Contains(err.Error(), name) ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v, want %s", variable, err, want)
		}
	}
	_, err := telemetry.Start(t.Context(), options("OTEL_TRACES_EXPORTER=otlp",
		"OTEL_TRACES_SAMPLER=x", "OTEL_BSP_SCHEDULE_DELAY=y"))
	if err == nil || strings.Count(err.Error(), "environment variable ") != 2 {
		t.Errorf("two wrong ones: %v", err)
	}
}

// collector is an OTLP collector that keeps what it gets.
type collector struct {
	url string

	mu    sync.Mutex
	got   map[string]string // what came, by path
	heads http.Header
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{got: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got[r.URL.Path] += string(body)
		c.heads = r.Header
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// setenv sets variables for the SDK, which reads those of the process.
func setenv(t *testing.T, variables map[string]string) []string {
	t.Helper()
	for name, value := range variables {
		t.Setenv(name, value)
	}
	return os.Environ()
}

// TestOTLP: metrics and spans arrive, at the end at the latest, with the service's name, and with
// nothing of the user.
func TestOTLP(t *testing.T) {
	c := newCollector(t)
	environment := setenv(t, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.url,
		"OTEL_EXPORTER_OTLP_HEADERS":  "x-key=a%20secret",
		"OTEL_SERVICE_NAME":           "photo-credentials",
		"OTEL_RESOURCE_ATTRIBUTES":    "deployment.environment.name=production",
	})
	o := options(environment...)
	o.Prometheus = false
	m, err := telemetry.Start(t.Context(), o)
	if err != nil || m.Metrics() != nil {
		t.Fatal(err)
	}
	onEvent := must(m.OnEvent(delegation.Targets{"photo-app": {}}))
	handler := m.Requests(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		onEvent(r.Context(), delegation.Event{
			Time: start, Subject: "canary-subject", TokenSHA256: "canary-hash",
			SessionName: "canary-session", AccessKeyID: "canary-key", Target: "photo-app",
			Outcome: delegation.OutcomeAllowed,
			Took:    map[delegation.Stage]time.Duration{delegation.StageToken: time.Second},
		})
	}), func() bool { return false })
	request := httptest.NewRequest(http.MethodPost, "/canary-path?canary-query", nil)
	request.Header.Set("User-Agent", "canary-agent")
	handler.ServeHTTP(httptest.NewRecorder(), request)
	if err := m.Shutdown(); err != nil {
		t.Fatal(err)
	}
	for path, wants := range map[string][]string{
		"/v1/traces":  {"delegation.exchange", "delegation.token", "POST"},
		"/v1/metrics": {"delegation.exchanges", "photo-app", "delegation.build.info"},
	} {
		for _, want := range append(wants, "photo-credentials", "v1.2.3", "production") {
			if !strings.Contains(c.got[path], want) {
				t.Errorf("%s: no %q in %q", path, want, c.got[path])
			}
		}
		if strings.Contains(c.got[path], "canary") {
			t.Errorf("%s names the user: %q", path, c.got[path])
		}
	}
	if c.heads.Get("X-Key") != "a secret" {
		t.Errorf("the collector got %v", c.heads)
	}
}

// TestOTLP_OneSignal: an endpoint of traces alone turns on no metrics, and the other way round.
func TestOTLP_OneSignal(t *testing.T) {
	for variable, path := range map[string]string{
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":  "/traces",
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "/metrics",
	} {
		t.Run(variable, func(t *testing.T) {
			c := newCollector(t)
			environment := setenv(t, map[string]string{variable: c.url + path})
			m := started(t, options(environment...))
			must(m.OnEvent(nil))(t.Context(), delegation.Event{Time: start})
			if err := m.Shutdown(); err != nil {
				t.Fatal(err)
			}
			if len(c.got) != 1 || c.got[path] == "" {
				t.Errorf("got %q", c.got)
			}
		})
	}
}

// TestShutdown_CollectorHangs: the end of the program does not wait for a collector.
func TestShutdown_CollectorHangs(t *testing.T) {
	hangs := make(chan struct{})
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-hangs
	}))
	defer server.Close()
	defer close(hangs)
	environment := setenv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL})
	m, err := telemetry.Start(t.Context(), options(environment...))
	if err != nil {
		t.Fatal(err)
	}
	must(m.OnEvent(nil))(t.Context(), delegation.Event{Time: start})
	m.SetPatience(10 * time.Millisecond)
	err = m.Shutdown()
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("got %v", err)
	}
	if n := asked.Load(); n > 2 { // metrics and traces: the exporters would try for a minute
		t.Errorf("%d requests", n)
	}
}

// TestErrorLog: while a collector is down there is a line a minute, however often it is tried.
func TestErrorLog(t *testing.T) {
	now := start
	var log bytes.Buffer
	errorLog := telemetry.NewErrorLog(slog.New(slog.NewTextHandler(&log, nil)),
		func() time.Time { return now })
	for range 13 {
		errorLog.Handle(errors.New("connection refused" + strings.Repeat("x", 10_000)))
		now = now.Add(5 * time.Second)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[1], "skipped=11") || log.Len() > 2000 ||
		!strings.Contains(lines[0], "level=WARN") {
		t.Errorf("got %q", lines)
	}
	now = start // the clock is set back
	errorLog.Handle(errors.New("again"))
	if !strings.Contains(log.String(), "again") {
		t.Error("after the clock was set back, nothing is logged")
	}
}

// TestRequests_Measured: by route, method and status, also of a handler that panics, and by nothing
// that the client can choose.
func TestRequests_Measured(t *testing.T) {
	m := started(t, options())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /delegation", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusForbidden)
		w.WriteHeader(http.StatusOK) // which the server ignores
	})
	mux.HandleFunc("/metadata/{target}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("x") })
	handler := m.Requests(mux, func() bool { return false })
	ask := func(method, path string) {
		defer func() { _ = recover() }()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
		if path == "/panic" {
			t.Error("the server does not see the panic")
		}
	}
	ask("POST", "/delegation")
	ask("GET", "/metadata/canary-1")
	ask("CANARY", "/metadata/canary-2")
	ask("GET", "/nothing")
	ask("GET", "/canary")
	ask("GET", "/panic")
	const count = "http_server_request_duration_seconds_count{http_request_method="
	wantSeries(t, m,
		count+`"POST",http_response_status_code="403",http_route="/delegation"} 1`,
		count+`"GET",http_response_status_code="200",http_route="/metadata/{target}"} 1`,
		count+`"_OTHER",http_response_status_code="200",http_route="/metadata/{target}"} 1`,
		count+`"GET",http_response_status_code="200",http_route="/nothing"} 1`,
		count+`"GET",http_response_status_code="404"} 1`,
		count+`"GET",http_response_status_code="500",http_route="/panic"} 1`,
	)
	if strings.Contains(strings.ToLower(read(t, m)), "canary") {
		t.Error("a client chose a label")
	}
}

// TestRequests_Traceparent: only behind a proxy of the operator's is a request a part of the
// caller's trace. Of others there is a link, without what the caller can write into it.
func TestRequests_Traceparent(t *testing.T) {
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	const unsampled = "00-" + trace + "-00f067aa0ba902b7-00"
	for name, test := range map[string]struct {
		header      string
		propagators string
		trusted     bool
		spans       int
		child       bool
		links       int
	}{
		"trusted":                {"00-" + trace + "-00f067aa0ba902b7-01", "", true, 1, true, 0},
		"trusted, not sampled":   {unsampled, "", true, 0, false, 0},
		"untrusted":              {"00-" + trace + "-00f067aa0ba902b7-01", "", false, 1, false, 1},
		"untrusted, not sampled": {unsampled, "", false, 1, false, 1},
		"malformed":              {"00-" + trace, "", true, 1, false, 0},
		"none":                   {"", "", true, 1, false, 0},
		"not read": {
			"00-" + trace + "-00f067aa0ba902b7-01", "none", true, 1, false, 0,
		},
		"read with others": {
			"00-" + trace + "-00f067aa0ba902b7-01", "tracecontext,baggage", true, 1, true, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := started(t, options("OTEL_PROPAGATORS="+test.propagators))
			kept := tracetest.NewInMemoryExporter()
			m.SetTracers(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)))
			mux := http.NewServeMux()
			mux.HandleFunc("/delegation", func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadGateway)
			})
			request := httptest.NewRequest(http.MethodPost, "/delegation?canary", nil)
			request.Header.Set("Traceparent", test.header)
			request.Header.Set("Tracestate", "canary=canary")
			request.Header.Set("Baggage", "canary=canary")
			trusted := func() bool { return test.trusted }
			m.Requests(mux, trusted).ServeHTTP(httptest.NewRecorder(), request)
			spans := kept.GetSpans()
			if len(spans) != test.spans {
				t.Fatalf("%d spans", len(spans))
			}
			if test.spans == 0 {
				return
			}
			span := spans[0]
			isChild := span.SpanContext.TraceID().String() == trace && span.Parent.IsValid()
			if isChild != test.child || len(span.Links) != test.links ||
				span.Name != "POST /delegation" {
				t.Errorf("child: %t, %d links, %s", isChild, len(span.Links), span.Name)
			}
			want := []attribute.KeyValue{
				attribute.String("http.request.method", "POST"),
				attribute.Int("http.response.status_code", 502),
				attribute.String("http.route", "/delegation"),
				attribute.String("error.type", "502"),
			}
			if fmt.Sprint(span.Attributes) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", span.Attributes, want)
			}
			for _, link := range span.Links {
				if link.SpanContext.TraceState().Len() != 0 {
					t.Error("the link has the caller's text")
				}
			}
		})
	}
}

// TestRequests_HealthIsNoTrace: the probes of a load balancer would hide all other traces.
func TestRequests_HealthIsNoTrace(t *testing.T) {
	m := started(t, options())
	kept := tracetest.NewInMemoryExporter()
	m.SetTracers(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)))
	handler := m.Requests(http.NotFoundHandler(), func() bool { return true })
	for _, path := range []string{"/live", "/ready", "/ready?verbose"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if spans := kept.GetSpans(); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
	wantSeries(t, m, `http_server_request_duration_seconds_count{http_request_method="GET",`+
		`http_response_status_code="404"} 3`)
}

// TestCounters: what the service reports is counted, and rare things begin at 0.
func TestCounters(t *testing.T) {
	m := started(t, options())
	wantSeries(t, m,
		`delegation_reloads_total{delegation_outcome="done"} 0`,
		`delegation_reloads_total{delegation_outcome="refused"} 0`,
		`delegation_reload_last_successful 1`,
		`delegation_http_refused_total{delegation_reason="rate"} 0`,
		`delegation_build_info{goversion="go1.26",revision="unknown",version="v1.2.3"} 1`,
	)
	m.OnReload(nil)
	m.OnReload(errors.New("x"))
	m.OnRefused(t.Context(), "rate")
	m.OnAuditFailure(t.Context(), "file")
	m.OnRedis(t.Context(), rediscache.Operation{Name: "get", Took: time.Second})
	m.OnRedis(t.Context(), rediscache.Operation{
		Name: "put", Took: 2 * time.Second, Problem: rediscache.ProblemMemory,
	})
	m.OnRedis(t.Context(), rediscache.Operation{Name: "put", Canceled: true})
	wantSeries(t, m,
		`delegation_reloads_total{delegation_outcome="done"} 1`,
		`delegation_reloads_total{delegation_outcome="refused"} 1`,
		`delegation_reload_last_successful 0`,
		`delegation_http_refused_total{delegation_reason="rate"} 1`,
		`delegation_audit_failures_total{delegation_sink="file"} 1`,
		`delegation_redis_operations_total{delegation_operation="get"} 1`,
		`delegation_redis_operations_total{delegation_operation="put",error_type="memory"} 1`,
		`delegation_redis_operations_total{delegation_operation="put",error_type="canceled"} 1`,
		`delegation_redis_duration_seconds_sum{delegation_operation="put",error_type="memory"} 2`,
	)
	m.OnReload(nil)
	wantSeries(t, m, `delegation_reload_last_successful 1`)
	for _, name := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(read(t, m), "\n"+name+" ") {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestOnEvent_AfterAReload: counters go on, and a target that is gone is one of the others.
func TestOnEvent_AfterAReload(t *testing.T) {
	m := started(t, options())
	event := delegation.Event{Outcome: delegation.OutcomeAllowed, Target: "photo-app"}
	for _, targets := range []delegation.Targets{
		{"photo-app": {}, "billing": {}}, {"photo-app": {}}, {"billing": {}},
	} {
		must(m.OnEvent(targets))(t.Context(), event)
	}
	const count = `delegation_exchanges_total{delegation_outcome="allowed",delegation_target=`
	wantSeries(t, m, count+`"photo-app"} 2`, count+`"other"} 1`)
}
