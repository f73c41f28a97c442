package delegationotel

import (
	"time"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const keyIssuer = attribute.Key("delegation.issuer")

// IssuerKeys reports the state of issuers' keys. A [delegation.Delegator] does.
type IssuerKeys interface {
	IssuerKeys() []delegation.IssuerKeys
}

// ObserveIssuers makes three gauges, in seconds, of the keys of a Delegator's issuers. They are
// read when the MeterProvider collects, and by the clock now, which is time.Now if it is nil.
//
//   - delegation.issuer.keys.age is the time since the fetch of the known keys. It is missing if no
//     keys are known, or if they are not fetched.
//   - delegation.issuer.keys.failing is how long refreshes of the keys have been failing. It is
//     zero if the last refresh succeeded, or if there was none yet.
//   - delegation.issuer.keys.remaining is the time until the known keys become unusable and
//     exchanges fail, unless a refresh succeeds first. It is missing if no keys are known, or if
//     they do not expire.
//
// Keys are refreshed when they are used. Without exchanges, age rises and remaining falls. All have
// the attribute delegation.issuer. Without a MeterProvider nothing happens. It fails if the
// MeterProvider refuses an instrument. Unregister ends it.
func ObserveIssuers(
	meters metric.MeterProvider, issuers IssuerKeys, now func() time.Time,
) (metric.Registration, error) {
	if now == nil {
		now = time.Now
	}
	g := newGauges(meters)
	age := g.seconds("delegation.issuer.keys.age",
		"How long ago an issuer's known keys were fetched.")
	failing := g.seconds("delegation.issuer.keys.failing",
		"How long refreshes of an issuer's keys have been failing.")
	remaining := g.seconds("delegation.issuer.keys.remaining",
		"How long an issuer's known keys can be used without a refresh.")
	return g.register(func(o metric.Observer) {
		at := now()
		for _, keys := range issuers.IssuerKeys() {
			of := metric.WithAttributes(keyIssuer.String(keys.Issuer))
			if !keys.FetchedAt.IsZero() {
				o.ObserveFloat64(age, max(0, at.Sub(keys.FetchedAt)).Seconds(), of)
			}
			since := time.Duration(0)
			if !keys.FailingSince.IsZero() {
				since = max(0, at.Sub(keys.FailingSince))
			}
			o.ObserveFloat64(failing, since.Seconds(), of)
			if !keys.UsableUntil.IsZero() {
				o.ObserveFloat64(remaining, max(0, keys.UsableUntil.Sub(at)).Seconds(), of)
			}
		}
	})
}
