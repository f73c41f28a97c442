package idtoken

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/internal/fetch"
	"github.com/seed055b7978/delegation/internal/strictjson"
	"golang.org/x/sync/singleflight"
)

// How long published keys are used, and how often they are asked for.
const (
	fetchTimeout    = 10 * time.Second // for both documents together
	refreshCooldown = 30 * time.Second // between two refreshes of an issuer for unknown kids
	emptyPause      = time.Second      // between two attempts while there are no keys at all
	defaultKeyLife  = time.Hour        // without Cache-Control
	minKeyLife      = 5 * time.Minute
	maxKeyLife      = 24 * time.Hour
	outageGrace     = 24 * time.Hour // known keys serve this much longer while the issuer is down
)

// remoteKeys is a key set that the issuer publishes. It is refreshed when it is used: ahead of time and off the
// caller's path when it grows old, at once but not often for an unknown kid. So there is no idle goroutine.
type remoteKeys struct {
	issuer, url   string // url: of the key set; empty means discovery
	loopbackHTTP  bool
	client        *http.Client
	now           func() time.Time
	refreshFailed func(issuer string, err error)

	flight singleflight.Group
	mu     sync.Mutex
	set    KeySet // nil: none yet
	// refreshAt is when the set wants a refresh, staleAt when it may not be used any more.
	refreshAt, staleAt time.Time
	attempted          time.Time // when the last fetch began
	failure            error     // of the last fetch; an *Error
}

// find implements keyFinder. A refresh that fails leaves the keys as they were.
func (r *remoteKeys) find(ctx context.Context, kid string, newer bool) ([]key, error) {
	r.mu.Lock()
	set, usable, now := r.set, r.usable(), r.now()
	due := !now.Before(r.refreshAt) && now.Sub(r.attempted) >= refreshCooldown
	r.mu.Unlock()
	if keys := set.lookUp(kid); usable && !newer && len(keys) > 0 {
		if due {
			go func() { _ = r.refresh(context.WithoutCancel(ctx)) }() // off the caller's path: this one is served as things stand
		}
		return keys, nil
	}
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.usable() { // without a failure if the clock leapt during the fetch
		return nil, cmp.Or(r.failure, error(newError(keySetUnavailable, "the issuer's keys came too late to be used")))
	}
	keys := r.set.lookUp(kid)
	if len(keys) == 0 {
		unknown := newError(keyUnknown, "the issuer's key set has no key %.80q", kid)
		unknown.Refresh = r.failure
		return nil, unknown
	}
	return keys, nil
}

// usable tells, under the lock, whether there are keys that may still be used.
func (r *remoteKeys) usable() bool { return r.set != nil && r.now().Before(r.staleAt) }

// refresh fetches the set unless that was tried a moment ago. All callers share one fetch, which none of them can
// cancel; each stops waiting when its own context ends, and that is the only error.
func (r *remoteKeys) refresh(ctx context.Context) error {
	done := r.flight.DoChan("", func() (any, error) {
		// Whoever asks late, after another's fetch has ended, finds it within the pause.
		r.mu.Lock()
		now, pause := r.now(), refreshCooldown
		if !r.usable() {
			pause = emptyPause
		}
		wait := !r.attempted.IsZero() && now.Sub(r.attempted) < pause
		if !wait {
			r.attempted = now
		}
		r.mu.Unlock()
		if !wait {
			r.fetch(now)
		}
		return nil, nil
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// fetch gets the set and keeps it, or keeps the failure beside the keys known so far.
func (r *remoteKeys) fetch(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, life, err := r.load(ctx)
	r.mu.Lock()
	if r.failure = err; err == nil {
		r.set, r.refreshAt, r.staleAt = set, now.Add(life), now.Add(life+outageGrace)
	}
	r.mu.Unlock()
	if err != nil {
		r.refreshFailed(r.issuer, err)
	}
}

// load reads the discovery document, unless the key set's URL is configured, and the key set.
func (r *remoteKeys) load(ctx context.Context) (KeySet, time.Duration, error) {
	from := r.url
	if from == "" {
		body, _, err := r.get(ctx, strings.TrimSuffix(r.issuer, "/")+"/.well-known/openid-configuration")
		if err != nil {
			return nil, 0, err
		}
		document, err := strictjson.Object(body)
		if err != nil {
			return nil, 0, newError(keySetInvalid, "the discovery document is not one JSON object: %w", err)
		}
		if document["issuer"] != r.issuer {
			return nil, 0, newError(discoveryIssuer, "the discovery document of %q names the issuer %.200q", r.issuer, fmt.Sprint(document["issuer"]))
		}
		from, _ = document["jwks_uri"].(string)
		if err := fetch.CheckFound(from, r.issuer, r.loopbackHTTP); err != nil {
			return nil, 0, newError(keySetURL, "the discovery document's jwks_uri: %w", err)
		}
	}
	body, header, err := r.get(ctx, from)
	if err != nil {
		return nil, 0, err
	}
	set, err := ParseKeySet(body)
	return set, fetch.Life(header, defaultKeyLife, minKeyLife, maxKeyLife), err
}

// get reads one document.
func (r *remoteKeys) get(ctx context.Context, from string) ([]byte, http.Header, error) {
	body, header, err := fetch.Get(ctx, r.client, from)
	code := keySetUnavailable
	switch {
	case err == nil:
		return body, header, nil
	case errors.Is(err, fetch.ErrRedirect):
		code = keySetRedirect
	case errors.Is(err, fetch.ErrTooLarge):
		code = keySetTooLarge
	}
	return nil, nil, newError(code, "%.200q: %w", from, err)
}
