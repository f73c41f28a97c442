package telemetry

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

// methods are the methods that metrics name. By the semantic conventions, all others are _OTHER.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

const otherMethod = "_OTHER"

// Requests measures each request to next, by route, method and status. The route is the pattern of
// the http.ServeMux that next is or leads to.
//
// If traces are sent, each request except those for health has a span. The span becomes part of the
// caller's trace, by traceparent, only if trusted allows it. The sender of that header chooses the
// trace, and whether it is sampled. Otherwise the span begins a new trace, with a link to the
// caller's.
func (t *Telemetry) Requests(next http.Handler, trusted func() bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := t.options.Now()
		ctx, span := t.startSpan(r, trusted)
		inner := r.WithContext(ctx)
		answer := &answer{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause != nil && !answer.begun {
				answer.status = http.StatusInternalServerError
			}
			list := answer.attributes(inner)
			took := t.options.Now().Sub(began)
			t.requestDuration.Record(ctx, took.Seconds(), metric.WithAttributes(list...))
			endSpan(span, inner, list)
			if cause != nil {
				panic(cause)
			}
		}()
		next.ServeHTTP(answer, inner)
	})
}

// answer records the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (a *answer) WriteHeader(status int) {
	if !a.begun {
		a.status = status
		a.begun = status >= 200 // an informational status; the final one follows
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.begun {
		a.status = http.StatusOK
		a.begun = true
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// attributes are the attributes of the request's metric and span. The caller can choose none of
// them freely.
func (a *answer) attributes(r *http.Request) []attribute.KeyValue {
	status := a.status
	if status == 0 { // the server's status if the handler writes nothing
		status = http.StatusOK
	}
	list := []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(methodOf(r)),
		semconv.HTTPResponseStatusCode(status),
	}
	if route := routeOf(r); route != "" {
		list = append(list, semconv.HTTPRoute(route))
	}
	return list
}

func methodOf(r *http.Request) string {
	if slices.Contains(methods, r.Method) {
		return r.Method
	}
	return otherMethod
}

// routeOf is the pattern that the request matched, without method and host; empty: none.
func routeOf(r *http.Request) string {
	at := strings.IndexByte(r.Pattern, '/')
	if at < 0 {
		return ""
	}
	return r.Pattern[at:]
}

// startSpan begins the span of a request, or returns one that records nothing.
func (t *Telemetry) startSpan(
	r *http.Request, trusted func() bool,
) (context.Context, trace.Span) {
	ctx := r.Context()
	if isHealth(r) {
		return ctx, trace.SpanFromContext(ctx)
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	caller := propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	from := trace.SpanContextFromContext(caller)
	switch {
	case !t.providers.callers || !from.IsValid():
	case trusted():
		ctx = caller
	default:
		// Without the tracestate, which can contain any text.
		from = from.WithTraceState(trace.TraceState{})
		options = append(options, trace.WithLinks(trace.Link{SpanContext: from}))
	}
	return t.requestSpans.Start(ctx, methodOf(r), options...)
}

// isHealth tells whether a request asks for health. Load balancers send so many of these that their
// traces would hide all others.
func isHealth(r *http.Request) bool { return r.URL.Path == "/live" || r.URL.Path == "/ready" }

func endSpan(span trace.Span, r *http.Request, list []attribute.KeyValue) {
	if isHealth(r) {
		return
	}
	if route := routeOf(r); route != "" {
		span.SetName(methodOf(r) + " " + route)
	}
	span.SetAttributes(list...)
	for _, a := range list {
		if a.Key == semconv.HTTPResponseStatusCodeKey && a.Value.AsInt64() >= 500 {
			span.SetAttributes(semconv.ErrorTypeKey.String(a.Value.String()))
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
