package service

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// Kinds of results besides those of a Delegator.
const (
	CheckRedis       delegation.CheckKind = "redis"
	CheckFile        delegation.CheckKind = "file"        // a file with a secret
	CheckTLS         delegation.CheckKind = "tls"         // the certificate of HTTPS
	CheckEnvironment delegation.CheckKind = "environment" // a variable of the environment
	CheckReload      delegation.CheckKind = "reload"      // the last reload
)

// Limits of /ready?verbose, which anybody who reaches the metrics can call.
const (
	// checkedLife is how long results are reused. During that time nothing is checked.
	checkedLife = 15 * time.Second
	// checkTimeout is how long all checks may take. A Delegator's own limits are shorter.
	checkTimeout = 30 * time.Second
)

// Check checks everything that exchanges depend on: the Delegator's checks, Redis, and the machine.
func (s *Service) Check(ctx context.Context) []delegation.CheckResult {
	var redis []delegation.CheckResult
	var checking sync.WaitGroup
	if s.Redis != nil {
		checking.Go(func() { redis = append(redis, s.Redis.check(ctx)) })
	}
	results := s.Delegator.Check(ctx)
	checking.Wait()
	results = append(results, redis...)
	if s.Own != nil {
		results = append(results, s.Own()...)
	}
	return results
}

// check is the result of CheckAccess.
func (r *Redis) check(ctx context.Context) delegation.CheckResult {
	began := time.Now()
	err := r.CheckAccess(ctx)
	return delegation.CheckResult{
		Name:     "redis",
		Kind:     CheckRedis,
		Err:      err,
		Degrades: true,
		Took:     time.Since(began),
	}
}

// Details answers /ready?verbose for a version of a service. It runs the checks at most every 15
// seconds, and never twice at the same time.
type Details struct {
	*Service
	write DetailsWriter
	now   func() time.Time

	one     chan struct{} // has a value while a caller checks
	results []delegation.CheckResult
	at      time.Time // when the results were found
}

// DetailsWriter writes the results of all checks for the operator, with a status.
type DetailsWriter func(
	w http.ResponseWriter, r *http.Request, status int, results []delegation.CheckResult)

// NewDetails returns the handler of a version. now is the clock; time.Now outside of tests.
func NewDetails(s *Service, write DetailsWriter, now func() time.Time) *Details {
	return &Details{Service: s, write: write, now: now, one: make(chan struct{}, 1)}
}

// ServeHTTP answers with the status of /ready, and with all results.
func (d *Details) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, err := d.checked(r.Context())
	if err != nil {
		return // the caller disconnected
	}
	results := slices.Concat(found, d.outcome().result())
	status := http.StatusOK
	if d.Handler.shared.draining.Load() || !isReady(results) {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	d.write(w, r, status, results)
}

// checked returns the results of the last 15 seconds, or runs the checks.
func (d *Details) checked(ctx context.Context) ([]delegation.CheckResult, error) {
	select {
	case d.one <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-d.one }()
	age := d.now().Sub(d.at)
	if !d.at.IsZero() && age >= 0 && age < checkedLife {
		return d.results, nil
	}
	// Not canceled with this caller, because the next one uses the results.
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	d.results = d.Check(limited)
	d.at = d.now()
	return d.results, nil
}

// result returns a row about the last reload; none if there was none.
func (o *outcome) result() []delegation.CheckResult {
	if !o.reloaded.Load() {
		return nil
	}
	result := delegation.CheckResult{Name: "reload", Kind: CheckReload, Degrades: true}
	if failure := o.failure.Load(); failure != nil {
		result.Err = *failure
	}
	return []delegation.CheckResult{result}
}

// isReady tells whether any exchange can work, by the same rule as /ready.
func isReady(results []delegation.CheckResult) bool {
	return slices.ContainsFunc(results, func(r delegation.CheckResult) bool {
		return r.Err == nil && !r.Degrades
	})
}

// finding is a log entry about a check.
type finding struct {
	message, check string
	code           delegation.WarningCode // of a warning; empty: it is a failure
	text           string
}

// attributes are the attributes of the log entry.
func (f finding) attributes() []slog.Attr {
	check := slog.String("check", f.check)
	if f.code == "" {
		return []slog.Attr{check, slog.String("error", f.text)}
	}
	return []slog.Attr{
		check, slog.String("code", string(f.code)), slog.String("warning", f.text),
	}
}

// report logs the findings of the newest version's checks, except those that the last report had.
// It leaves out what New has logged, and Redis, which is checked before the start.
func (r *running) report(ctx context.Context) {
	r.reporting.Lock()
	defer r.reporting.Unlock()
	found := findings(r.current().Check(ctx))
	if ctx.Err() != nil {
		return // the service ends, so checks were abandoned
	}
	said := map[finding]bool{}
	for _, f := range found {
		said[f] = true
	}
	before := r.said
	r.said = said
	for _, f := range found {
		if !before[f] {
			r.first.Logger.LogAttrs(ctx, slog.LevelWarn, f.message, f.attributes()...)
		}
	}
}

// findings returns the results that should be logged and have not been yet.
func findings(results []delegation.CheckResult) (list []finding) {
	for _, result := range results {
		if result.Kind == CheckRedis || result.Kind == CheckEnvironment {
			continue
		}
		if result.Err != nil && result.Kind != delegation.CheckTarget {
			list = append(list, finding{
				message: "check failed",
				check:   result.Name,
				text:    result.Err.Error(),
			})
		}
		for _, w := range result.Warnings {
			if !w.Configured {
				list = append(list, finding{
					message: "check",
					check:   result.Name,
					code:    w.Code,
					text:    w.String(),
				})
			}
		}
	}
	return list
}
