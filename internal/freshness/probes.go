package freshness

import (
	"context"
	"errors"
	"sync"
	"time"
)

const probeLife = time.Minute // so long a result counts

// ProbeAll calls all functions at once, and returns their results in order when the last one has
// come.
func ProbeAll[T any](calls []func() T) []T {
	results := make([]T, len(calls))
	var all sync.WaitGroup
	for i, call := range calls {
		all.Go(func() { results[i] = call() })
	}
	all.Wait()
	return results
}

// Probes keep the results of slow checks, by name, for a minute, so that frequent callers do not
// repeat them. The zero value is ready; it is safe for concurrent use.
type Probes struct {
	mu      sync.Mutex
	results map[string]*probeResult
}

type probeResult struct {
	done chan struct{} // closed when the rest is there
	err  error
	at   time.Time
}

// Do returns the check's last result if it is less than a minute old. Otherwise the check runs,
// once for all callers, with its own context that ends after the limit. A caller whose own context
// ends gets that error, while the check continues for the others.
func (p *Probes) Do(
	ctx context.Context, name string, now func() time.Time, limit time.Duration,
	check func(context.Context) error,
) error {
	p.mu.Lock()
	r := p.results[name]
	if r == nil || r.old(now()) {
		r = &probeResult{done: make(chan struct{})}
		if p.results == nil {
			p.results = map[string]*probeResult{}
		}
		p.results[name] = r
		go r.run(ctx, now, limit, check)
	}
	p.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	default:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.done:
		return r.err
	}
}

// old tells whether there is a result that has expired, or one from before the clock was set back.
func (r *probeResult) old(now time.Time) bool {
	select {
	case <-r.done:
		return now.Sub(r.at) >= probeLife || now.Before(r.at)
	default:
		return false
	}
}

func (r *probeResult) run(
	ctx context.Context, now func() time.Time, limit time.Duration,
	check func(context.Context) error,
) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	r.err = errors.New("the check ended its goroutine")
	defer func() {
		r.at = now()
		close(r.done)
	}()
	r.err = check(limited)
}

// Forget drops all results: what they were about has been replaced.
func (p *Probes) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results = nil
}
