package delegationotel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed055b7978/delegation"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// OnSTSCall returns a function for Config.OnSTSCall, safe for concurrent use. It makes the counter
// delegation.sts.calls and the histogram delegation.sts.duration, in seconds, with the attributes
// cloud.region and, if the call failed, error.type. Calls for a target with a Chain also have
// delegation.hop: 1 is AssumeRoleWithSAML, 2 the first role of the chain. Regions after the first
// 64 are "other". Without a MeterProvider it records nothing. It fails only if the MeterProvider
// refuses an instrument.
func OnSTSCall(
	meters metric.MeterProvider,
) (func(context.Context, delegation.STSCall), error) {
	meter := meterOf(meters)
	calls, err1 := meter.Int64Counter("delegation.sts.calls",
		metric.WithUnit("{call}"),
		metric.WithDescription("Calls to AWS STS that have ended."),
	)
	durations, err2 := meter.Float64Histogram("delegation.sts.duration",
		metric.WithUnit("s"),
		metric.WithDescription("How long a call to AWS STS took."),
		metric.WithExplicitBucketBoundaries(buckets...),
	)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("delegationotel: %w", err)
	}
	var regions firstRegions
	return func(ctx context.Context, call delegation.STSCall) {
		list := []attribute.KeyValue{semconv.CloudRegion(regions.name(call.Region))}
		if call.Code != "" {
			list = append(list, errorType(call.Code))
		}
		if call.Hop > 0 {
			list = append(list, keyHop.Int(call.Hop))
		}
		attributes := metric.WithAttributes(list...)
		calls.Add(ctx, 1, attributes)
		durations.Record(ctx, call.Took.Seconds(), attributes)
	}, nil
}

// maxRegions is how many regions are counted by their own names. AWS has some 40.
const maxRegions = 64

// firstRegions bounds the names of regions: a rule can make one of what a token says.
type firstRegions struct {
	mu    sync.Mutex
	names map[string]bool
}

// name is the region as metrics name it.
func (f *firstRegions) name(region string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[region] {
		return region
	}
	if len(f.names) >= maxRegions {
		return otherName
	}
	if f.names == nil {
		f.names = map[string]bool{}
	}
	f.names[region] = true
	return region
}
