package delegationotel_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationotel"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// values returns the values of a gauge or counter by their attributes.
func (w *world) values(t *testing.T, name string) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	switch data := w.metrics(t)[name].Data.(type) {
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			values[strings.Join(text(p.Attributes.ToSlice()), " ")] = p.Value
		}
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			values[strings.Join(text(p.Attributes.ToSlice()), " ")] = float64(p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			values[strings.Join(text(p.Attributes.ToSlice()), " ")] = p.Sum
		}
	}
	return values
}

func (w *world) wantValues(t *testing.T, name string, want map[string]float64) {
	t.Helper()
	if got := w.values(t, name); !maps.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", name, got, want)
	}
}

// TestObserveRegions: what a reload has taken away is gone.
func TestObserveRegions(t *testing.T) {
	w := newWorld()
	states := []delegation.RegionState{
		{Region: "eu-central-1", Resting: true}, {Region: "eu-west-1"},
	}
	registration, err := delegationotel.ObserveRegions(w.meters,
		func() []delegation.RegionState { return states })
	if err != nil {
		t.Fatal(err)
	}
	w.wantValues(t, "delegation.sts.breaker.open", map[string]float64{
		"cloud.region=eu-central-1": 1, "cloud.region=eu-west-1": 0,
	})
	states = states[1:]
	w.wantValues(t, "delegation.sts.breaker.open",
		map[string]float64{"cloud.region=eu-west-1": 0})
	if err := registration.Unregister(); err != nil {
		t.Fatal(err)
	}
	w.wantValues(t, "delegation.sts.breaker.open", map[string]float64{})
}

// TestObserveCertificates: the time left falls, and goes on below zero.
func TestObserveCertificates(t *testing.T) {
	w := newWorld()
	now := start
	_, err := delegationotel.ObserveCertificates(w.meters,
		func() []delegation.CertificateState {
			return []delegation.CertificateState{
				{
					Kind:     delegation.CertificateSigning,
					Name:     "0123456789abcdef",
					NotAfter: start.Add(time.Hour),
				},
				{
					Kind:     delegation.CertificateIssuer,
					Name:     "issuer.example.com",
					NotAfter: start.Add(2 * time.Hour),
				},
			}
		}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	signing := "delegation.certificate=signing delegation.name=0123456789abcdef"
	issuer := "delegation.certificate=issuer delegation.name=issuer.example.com"
	w.wantValues(t, "delegation.certificate.remaining",
		map[string]float64{signing: 3600, issuer: 7200})
	now = now.Add(90 * time.Minute)
	w.wantValues(t, "delegation.certificate.remaining",
		map[string]float64{signing: -1800, issuer: 1800})
}

// TestOnSTSCall: calls by region and error, with their time.
func TestOnSTSCall(t *testing.T) {
	w := newWorld()
	called, err := delegationotel.OnSTSCall(w.meters)
	if err != nil {
		t.Fatal(err)
	}
	called(t.Context(), delegation.STSCall{Region: "eu-central-1", Took: time.Second})
	called(t.Context(), delegation.STSCall{Region: "eu-central-1", Took: 2 * time.Second})
	called(t.Context(), delegation.STSCall{
		Region: "eu-west-1",
		Took:   4 * time.Second,
		Code:   delegation.CodeSTSTimeout,
	})
	called(t.Context(), delegation.STSCall{Region: "eu-west-1", Code: "canary"})
	called(t.Context(), delegation.STSCall{Region: "eu-west-1", Took: time.Second, Hop: 1})
	called(t.Context(), delegation.STSCall{
		Region: "eu-west-1",
		Code:   delegation.CodeSTSChainDenied,
		Hop:    2,
	})
	w.wantValues(t, "delegation.sts.calls", map[string]float64{
		"cloud.region=eu-central-1":                                                  2,
		"cloud.region=eu-west-1 error.type=_OTHER":                                   1,
		"cloud.region=eu-west-1 error.type=sts_timeout":                              1,
		"cloud.region=eu-west-1 delegation.hop=1":                                    1,
		"cloud.region=eu-west-1 delegation.hop=2 error.type=sts_chain_access_denied": 1,
	})
	w.wantValues(t, "delegation.sts.duration", map[string]float64{
		"cloud.region=eu-central-1":                                                  3,
		"cloud.region=eu-west-1 error.type=_OTHER":                                   0,
		"cloud.region=eu-west-1 error.type=sts_timeout":                              4,
		"cloud.region=eu-west-1 delegation.hop=1":                                    1,
		"cloud.region=eu-west-1 delegation.hop=2 error.type=sts_chain_access_denied": 0,
	})
}

// TestMetrics_Bounded: neither what a caller asks for nor what a rule returns makes series without
// end, and no field that names somebody is in one.
func TestMetrics_Bounded(t *testing.T) {
	w := newWorld()
	known := func(target string) bool { return target == "photo-app" }
	record, err := delegationotel.OnEvent(nil, w.meters, delegationotel.WithTargets(known))
	if err != nil {
		t.Fatal(err)
	}
	called, err := delegationotel.OnSTSCall(w.meters)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		e := full()
		e.Outcome = delegation.OutcomeFailed
		e.Cache = delegation.CacheMiss
		e.Target = fmt.Sprint("canary-", i)
		e.Code = delegation.Code(fmt.Sprint("canary_", i))
		e.Stage = delegation.Stage(fmt.Sprint("canary-", i))
		e.Issuer = fmt.Sprint("canary-", i)
		e.KeyID, e.Algorithm, e.ClientID, e.Rule = e.Issuer, e.Issuer, e.Issuer, e.Issuer
		e.ClaimedIssuer, e.Role, e.Region = e.Issuer, e.Issuer, e.Issuer
		record(t.Context(), e)
		called(t.Context(), delegation.STSCall{Region: fmt.Sprint("region-", i)})
	}
	e := full()
	e.Outcome, e.Stage, e.Code, e.Err = delegation.OutcomeAllowed, "", "", nil
	e.Target, e.Cache = "photo-app", delegation.CacheHit
	record(t.Context(), e)
	w.wantValues(t, "delegation.exchanges", map[string]float64{
		"delegation.cache=miss delegation.outcome=failed delegation.stage=_OTHER " +
			"delegation.target=other error.type=_OTHER": 10_000,
		"delegation.cache=hit delegation.outcome=allowed delegation.target=photo-app": 1,
	})
	regions := w.values(t, "delegation.sts.calls")
	if len(regions) != 65 || regions["cloud.region=other"] != 10_000-64 {
		t.Errorf("%d regions, %v of them other", len(regions), regions["cloud.region=other"])
	}
	if all := fmt.Sprintf("%+v", w.metrics(t)); strings.Contains(all, "canary") {
		t.Error("a metric holds what a caller or a rule chose")
	}
}

// TestObserve_ProviderRefuses: what a MeterProvider refuses is an error, and none is no error.
func TestObserve_ProviderRefuses(t *testing.T) {
	noRegions := func() []delegation.RegionState { return nil }
	noCertificates := func() []delegation.CertificateState { return nil }
	meters := stubbornGauges{}
	_, err1 := delegationotel.ObserveRegions(meters, noRegions)
	_, err2 := delegationotel.ObserveCertificates(meters, noCertificates, nil)
	_, err3 := delegationotel.OnSTSCall(stubborn{})
	for i, err := range []error{err1, err2, err3} {
		if !errors.Is(err, errNo) {
			t.Errorf("%d: got %v", i, err)
		}
	}
	regions, err1 := delegationotel.ObserveRegions(nil, noRegions)
	certificates, err2 := delegationotel.ObserveCertificates(nil, noCertificates, nil)
	called, err3 := delegationotel.OnSTSCall(nil)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	called(t.Context(), delegation.STSCall{Region: "eu-west-1"})
	if err := errors.Join(regions.Unregister(), certificates.Unregister()); err != nil {
		t.Error(err)
	}
}

// TestDocumented_State holds docs/metrics.md against the metrics that come from no event.
func TestDocumented_State(t *testing.T) {
	w := newWorld()
	called, err := delegationotel.OnSTSCall(w.meters)
	if err != nil {
		t.Fatal(err)
	}
	called(t.Context(), delegation.STSCall{Region: "eu-west-1", Code: delegation.CodeSTSTimeout})
	_, err1 := delegationotel.ObserveRegions(w.meters, func() []delegation.RegionState {
		return []delegation.RegionState{{Region: "eu-west-1"}}
	})
	_, err2 := delegationotel.ObserveCertificates(w.meters, func() []delegation.CertificateState {
		return []delegation.CertificateState{{Kind: delegation.CertificateSigning, Name: "x"}}
	}, nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	names := slices.Collect(maps.Keys(w.metrics(t)))
	for name := range w.metrics(t) {
		for attributes := range w.values(t, name) {
			for _, attribute := range strings.Fields(attributes) {
				key, _, _ := strings.Cut(attribute, "=")
				names = append(names, key)
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %q", names)
	}
	for _, name := range names {
		if !documents(t, name) {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
}
