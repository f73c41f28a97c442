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

// reloadTimeout is how long reading and checking a configuration may take: a file of a network may
// hang.
const reloadTimeout = time.Minute

// Reload is how a service that runs gets another configuration.
type Reload struct {
	// Wanted has a value for each time that somebody wants a reload, a signal. While one is under
	// way one more is remembered.
	Wanted <-chan os.Signal

	// Watch wants a reload after the files have changed, too. Build tells it what it reads. nil:
	// files are not watched.
	Watch *Watch

	// Build reads the configuration anew, checks it, and returns the service that it describes. It
	// goes on with what the service before remembers, and leaves that as it is.
	Build func(ctx context.Context, before *Service) (*Service, error)

	// Done is nil, or called after each reload with its error: metrics. The log says so after it,
	// so that a reader of the log finds the metrics as they are.
	Done func(error)
}

// outcome is what the last reload came to. All versions of a service share it.
type outcome struct {
	failure  atomic.Pointer[error] // nil: it succeeded, or there was none
	reloaded atomic.Bool           // there was one
}

// set notes what a reload came to.
func (o *outcome) set(err error) {
	if err != nil {
		o.failure.Store(&err)
	} else {
		o.failure.Store(nil)
	}
	o.reloaded.Store(true)
}

// checker checks a Delegator, and says of a reload that failed.
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
			Degrades: true, // the configuration before serves on
		})
	}
	return results
}

// running is a service that listens. It serves each request by the newest version, whole.
type running struct {
	first   *Service      // whose listeners, logger and hooks are used to the end
	changed chan struct{} // has a value after the watched files have changed

	mu     sync.RWMutex
	newest *version
	ended  bool

	reporting sync.Mutex       // held while checks are reported
	said      map[finding]bool // what the last report found
}

// version is what one reading of the configuration serves.
type version struct {
	*Service
	requests sync.WaitGroup // those under way
}

func newRunning(s *Service) *running {
	return &running{
		first:   s,
		changed: make(chan struct{}, 1),
		newest:  &version{Service: s},
	}
}

// ServeHTTP lets a request finish by the version with which it began.
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

// reloads reloads after each signal and each change of the watched files, one after the other,
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

// reload changes over to what the files say now, if all of it is right. Otherwise the version
// before serves on.
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
			slog.String("consequence", "the configuration before serves on"))
	} else {
		r.first.Logger.Info("configuration reloaded", next.About.attributes()...)
		if r.first.ReportChecks {
			go r.report(ctx)
		}
	}
}

// build makes the next version, for a limited time. One that comes later is thrown away.
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
	go func() { // a read that hangs cannot be ended
		if late := <-results; late.err == nil {
			late.next.close(before)
		}
	}()
	return nil, fmt.Errorf("reading the configuration took longer than %s: "+
		"a file may be on a network that does not answer", reloadTimeout)
}

// change makes the next version the newest.
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

// keepFixed says which settings have changed and cannot while the service runs, and keeps them. It
// also says what the change loses.
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

// retire closes what only the old version used, when its requests have ended. Calls to AWS that go
// on without their request may use it, and those of versions before, so there is some time more.
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

// end closes what the newest version uses. There is none after it.
func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.newest.close(nil)
}

// Close closes what the service has open. It is for one that Run does not run.
func (s *Service) Close() { s.close(nil) }

// close closes what another version, which may be nil, does not use, all at once.
func (s *Service) close(other *Service) {
	var all sync.WaitGroup
	for _, own := range s.own(other) {
		all.Go(func() { _ = own.Close() })
	}
	all.Wait()
}

// own is what another version, which may be nil, does not use.
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
