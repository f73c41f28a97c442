package delegationotel

import (
	"time"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// Attributes of a certificate.
const (
	keyCertificate = attribute.Key("delegation.certificate")
	keyName        = attribute.Key("delegation.name")
)

// ObserveRegions makes the gauge delegation.sts.breaker.open of a Delegator's regions of AWS STS,
// with the attribute cloud.region. It is 1 while the region rests because it does not answer, and 0
// otherwise. regions is usually [delegation.Delegator.Regions]; it is called when the MeterProvider
// collects. Without a MeterProvider nothing happens. It fails if the MeterProvider refuses the
// instrument. Unregister ends it.
func ObserveRegions(
	meters metric.MeterProvider, regions func() []delegation.RegionState,
) (metric.Registration, error) {
	g := newGauges(meters)
	open := g.number("delegation.sts.breaker.open",
		"Whether a region of AWS STS is skipped because it does not answer: 1, or else 0.")
	return g.register(func(o metric.Observer) {
		for _, region := range regions() {
			value := 0.0
			if region.Resting {
				value = 1
			}
			o.ObserveFloat64(open, value,
				metric.WithAttributes(semconv.CloudRegion(region.Region)))
		}
	})
}

// ObserveCertificates makes the gauge delegation.certificate.remaining, in seconds, of the
// certificates that exchanges depend on. Its attributes are delegation.certificate, the kind, and
// delegation.name. A certificate that has expired has a negative value. certificates is usually
// [delegation.Delegator.Certificates]; it is called when the MeterProvider collects. now is the
// clock, time.Now if it is nil. Without a MeterProvider nothing happens. It fails if the
// MeterProvider refuses the instrument. Unregister ends it.
func ObserveCertificates(
	meters metric.MeterProvider,
	certificates func() []delegation.CertificateState,
	now func() time.Time,
) (metric.Registration, error) {
	if now == nil {
		now = time.Now
	}
	g := newGauges(meters)
	remaining := g.seconds("delegation.certificate.remaining",
		"How long until a certificate expires. It is negative after that.")
	return g.register(func(o metric.Observer) {
		at := now()
		for _, c := range certificates() {
			o.ObserveFloat64(remaining, c.NotAfter.Sub(at).Seconds(), metric.WithAttributes(
				keyCertificate.String(string(c.Kind)),
				keyName.String(c.Name),
			))
		}
	})
}
