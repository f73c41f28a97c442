package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/guard"
)

// reloadTimeout limits reading and checking a configuration. A read from a network file system may
// hang.
const reloadTimeout = time.Minute

// Reload says how a running service gets a new configuration.
type Reload struct {
	// Wanted receives a value for each requested reload, such as by a signal. While a reload is
	// under way, at most one more request is remembered.
	Wanted <-chan os.Signal

	// Watch also requests a reload after the files have changed. Build tells it which files it
	// reads. nil: files are not watched.
	Watch *Watch

	// Build reads and checks the configuration, and returns the service that it describes. The new
	// service takes over what the old one remembers, without changing the old one.
	Build func(ctx context.Context, before *Service) (*Service, error)

	// Done is nil, or called with the error of each reload, for metrics. It is called before the
	// reload is logged, so that a reader of the log finds the metrics up to date.
	Done func(error)
}

// outcome is the result of the last reload. All versions of a service share it.
type outcome struct {
	failure  atomic.Pointer[error] // nil: it succeeded, or there was none
	reloaded atomic.Bool           // there was a reload
}

// set records the result of a reload.
func (o *outcome) set(err error) {
	if err != nil {
		o.failure.Store(&err)
	} else {
		o.failure.Store(nil)
	}
	o.reloaded.Store(true)
}

// checker checks a Delegator, and reports a failed reload.
type checker struct {
	*delegation.Delegator
	last *outcome
}

// Check implements delegationhttp.Checker.
func (c checker) Check(ctx context.Context) []delegation.CheckResult {
	results := c.Delegator.Check(ctx)
	if failure := c.last.failure.Load(); failure != nil {
		results = append(results, delegation.CheckResult{
			Name:     "reload",
			Err:      *failure,
			Degrades: true, // the previous configuration stays in use
		})
	}
	return results
}

// running is a service that listens. Each request is served by one version, the newest when it
// begins.
type running struct {
	first   *Service      // its listeners, logger and hooks stay in use
	changed chan struct{} // receives a value after watched files have changed

	mu     sync.RWMutex
	newest *version
	ended  bool

	reporting sync.Mutex       // held while checks are reported
	said      map[finding]bool // findings of the last report
}

// version is a service made from one reading of the configuration.
type version struct {
	*Service
	requests sync.WaitGroup // requests under way
}

func newRunning(s *Service) *running {
	return &running{
		first:   s,
		changed: make(chan struct{}, 1),
		newest:  &version{Service: s},
	}
}

// ServeHTTP serves a request with the newest version. The request finishes with that version.
func (r *running) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	answers(request)
	v := r.enter()
	defer v.requests.Done()
	v.Handler.ServeHTTP(w, request)
}

func (r *running) enter() *version {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.newest.requests.Add(1)
	return r.newest
}

// current is the newest version.
func (r *running) current() *Service {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.newest.Service
}

// certificate is tls.Config.GetCertificate.
func (r *running) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return r.current().Certificate.Get(hello)
}

// reloads runs a reload after each signal and each change of the watched files, one at a time,
// until the context ends.
func (r *running) reloads(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.first.Reload.Wanted:
			r.reload(ctx)
		case <-r.changed:
			r.first.Logger.Info("files of the configuration have changed")
			r.reload(ctx)
		}
	}
}

// reload switches to the current content of the files, if it is valid. Otherwise the previous
// version stays in use.
func (r *running) reload(ctx context.Context) {
	next, err := r.build(ctx)
	if err == nil {
		err = r.change(ctx, next)
	}
	if ctx.Err() != nil {
		return
	}
	r.first.outcome().set(err)
	if r.first.Reload.Done != nil {
		r.first.Reload.Done(err)
	}
	if err != nil {
		r.first.Logger.Error("configuration not reloaded",
			slog.String("error", err.Error()),
			slog.String("consequence", "the previous configuration stays in use"))
	} else {
		r.first.Logger.Info("configuration reloaded", next.About.attributes()...)
		if r.first.ReportChecks {
			go r.report(ctx)
		}
	}
}

// build makes the next version within a limited time. A version that comes later is discarded.
func (r *running) build(ctx context.Context) (*Service, error) {
	type result struct {
		next *Service
		err  error
	}
	before := r.current()
	results := make(chan result, 1)
	limited, cancel := context.WithCancel(ctx)
	go func() {
		next, err := guard.Value(func() (*Service, error) {
			return r.first.Reload.Build(limited, before)
		})
		results <- result{next, err}
	}()
	select {
	case got := <-results:
		cancel()
		return got.next, got.err
	case <-ctx.Done():
	case <-r.first.after(reloadTimeout):
	}
	cancel()
	go func() { // a read that hangs cannot be canceled
		if late := <-results; late.err == nil {
			late.next.close(before)
		}
	}()
	return nil, fmt.Errorf("reading the configuration took longer than %s: "+
		"a file may be on a network that does not answer", reloadTimeout)
}

// change makes next the newest version.
func (r *running) change(ctx context.Context, next *Service) error {
	before := r.current()
	if err := next.checkRedis(ctx, before); err != nil {
		next.close(before)
		return err
	}
	if err := openAudit(next.Audit); err != nil {
		next.close(before)
		return err
	}
	r.keepFixed(next, before)
	r.mu.Lock()
	if r.ended {
		r.mu.Unlock()
		next.close(before)
		return errors.New("the service has ended")
	}
	old := r.newest
	r.newest = &version{Service: next}
	r.mu.Unlock()
	go r.retire(ctx, old, next)
	return nil
}

// keepFixed logs which settings have changed but need a restart, and keeps their old values. It
// also logs what is lost by the change.
func (r *running) keepFixed(next, before *Service) {
	for _, key := range slices.Sorted(maps.Keys(next.Fixed)) {
		runs := before.Fixed[key]
		if next.Fixed[key] == runs {
			continue
		}
		r.first.Logger.Warn("setting needs a restart",
			slog.String("key", key),
			slog.String("configured", next.Fixed[key]),
			slog.String("in_use", runs))
	}
	if was := before.Parts.ReplayOf; was != "" && was != next.Parts.ReplayOf {
		r.first.Logger.Warn("used tokens are forgotten",
			slog.String("cause", "replay.store names another place than before"))
	}
	next.Fixed = before.Fixed
	if (next.Certificate == nil) != (before.Certificate == nil) {
		next.Certificate = before.Certificate
	}
}

// retire closes what only the old version used, after its requests have ended. Calls to AWS may
// outlive their requests and still use it, also those of earlier versions. So retire waits a little
// longer.
func (r *running) retire(ctx context.Context, old *version, next *Service) {
	if len(old.own(next)) == 0 {
		return
	}
	old.requests.Wait()
	select {
	case <-ctx.Done():
	case <-r.first.after(writeTimeout):
	}
	old.close(next)
}

// end closes what the newest version uses. No version follows it.
func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.newest.close(nil)
}

// Close closes what the service has open. It is for a service that Run does not run.
func (s *Service) Close() { s.close(nil) }

// close closes, all at once, what another version does not use. other may be nil.
func (s *Service) close(other *Service) {
	var all sync.WaitGroup
	for _, own := range s.own(other) {
		all.Go(func() { _ = own.Close() })
	}
	all.Wait()
}

// own returns what another version does not use. other may be nil.
func (s *Service) own(other *Service) (list []io.Closer) {
	if other == nil {
		other = &Service{}
	}
	if s.Audit != nil {
		list = append(list, s.Audit) // each version has its own
	}
	if s.Redis != nil && !s.Redis.isSame(other.Redis) {
		list = append(list, s.Redis)
	}
	for name, signer := range s.Parts.Signers {
		if other.Parts.Signers[name] != signer {
			list = append(list, signer)
		}
	}
	return list
}
