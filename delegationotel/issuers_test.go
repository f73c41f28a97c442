package delegationotel_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationotel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var _ delegationotel.IssuerKeys = (*delegation.Delegator)(nil)

// issuerKeys are states of keys.
type issuerKeys func() []delegation.IssuerKeys

func (f issuerKeys) IssuerKeys() []delegation.IssuerKeys { return f() }

// gauge returns a metric's values in seconds, by the attribute delegation.issuer.
func (w *world) gauge(t *testing.T, name string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	found, ok := w.metrics(t)[name]
	if !ok {
		return values
	}
	if found.Unit != "s" {
		t.Errorf("%s has the unit %q", name, found.Unit)
	}
	for _, p := range found.Data.(metricdata.Gauge[float64]).DataPoints {
		issuer, _ := p.Attributes.Value("delegation.issuer")
		if p.Attributes.Len() != 1 {
			t.Errorf("%s has the attributes %v", name, p.Attributes.ToSlice())
		}
		values[issuer.AsString()] = p.Value
	}
	return values
}

// TestObserveIssuers: the gauges say how long refreshes have failed, and how long keys last. What
// is not known, or does not end, is not there.
func TestObserveIssuers(t *testing.T) {
	w := newWorld()
	now := start
	states := []delegation.IssuerKeys{
		{Issuer: "https://static.example.com"},
		{
			Issuer:      "https://good.example.com",
			FetchedAt:   start.Add(-5 * time.Minute),
			UsableUntil: start.Add(25 * time.Hour),
		},
		{
			Issuer:       "https://failing.example.com",
			FailingSince: start.Add(-time.Minute),
			UsableUntil:  start.Add(time.Hour),
		},
		{Issuer: "https://down.example.com", FailingSince: start.Add(-2 * time.Hour)},
		{
			Issuer:       "https://clock.example.com",
			FailingSince: start.Add(24 * time.Hour), // before the clock was set back
			FetchedAt:    start.Add(24 * time.Hour),
			UsableUntil:  start.Add(-time.Hour),
		},
	}
	registration, err := delegationotel.ObserveIssuers(w.meters,
		issuerKeys(func() []delegation.IssuerKeys { return states }),
		func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"https://static.example.com": 0, "https://good.example.com": 0,
		"https://failing.example.com": 60, "https://down.example.com": 7200,
		"https://clock.example.com": 0,
	}
	if got := w.gauge(t, "delegation.issuer.keys.failing"); !maps.Equal(got, want) {
		t.Errorf("failing: got %v, want %v", got, want)
	}
	want = map[string]float64{
		"https://good.example.com": 90000, "https://failing.example.com": 3600,
		"https://clock.example.com": 0,
	}
	if got := w.gauge(t, "delegation.issuer.keys.remaining"); !maps.Equal(got, want) {
		t.Errorf("remaining: got %v, want %v", got, want)
	}
	want = map[string]float64{
		"https://good.example.com": 300, "https://clock.example.com": 0,
	}
	if got := w.gauge(t, "delegation.issuer.keys.age"); !maps.Equal(got, want) {
		t.Errorf("age: got %v, want %v", got, want)
	}

	states = states[2:3]
	now = now.Add(30 * time.Minute)
	want = map[string]float64{"https://failing.example.com": 1860}
	if got := w.gauge(t, "delegation.issuer.keys.failing"); !maps.Equal(got, want) {
		t.Errorf("half an hour later: got %v, want %v", got, want)
	}
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	if got := w.gauge(t, "delegation.issuer.keys.failing"); len(got) != 0 {
		t.Errorf("after Unregister: got %v", got)
	}
}

// stubbornGauges is a MeterProvider that has no gauges, or takes no callbacks.
type stubbornGauges struct {
	stubborn
	callbacks bool
}

func (s stubbornGauges) Meter(string, ...metric.MeterOption) metric.Meter {
	return stubbornGaugeMeter{callbacks: s.callbacks}
}

type stubbornGaugeMeter struct {
	stubbornMeter
	callbacks bool
}

func (m stubbornGaugeMeter) Float64ObservableGauge(
	name string, options ...metric.Float64ObservableGaugeOption,
) (metric.Float64ObservableGauge, error) {
	if m.callbacks {
		return m.Meter.Float64ObservableGauge(name, options...)
	}
	return nil, errNo
}

func (stubbornGaugeMeter) RegisterCallback(
	metric.Callback, ...metric.Observable,
) (metric.Registration, error) {
	return nil, errNo
}

func TestObserveIssuers_ProviderRefuses(t *testing.T) {
	none := issuerKeys(func() []delegation.IssuerKeys { return nil })
	for _, callbacks := range []bool{false, true} {
		meters := stubbornGauges{callbacks: callbacks}
		registration, err := delegationotel.ObserveIssuers(meters, none, nil)
		if registration != nil || !errors.Is(err, errNo) {
			t.Errorf("callbacks %v: got %v", callbacks, err)
		}
	}
	registration, err := delegationotel.ObserveIssuers(nil, none, nil)
	if err != nil || registration.Unregister() != nil {
		t.Errorf("without a MeterProvider: got %v", err)
	}
}
