package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
)

// auditLog is a Config.Audit that keeps records.
type auditLog struct {
	mu      sync.Mutex
	records []delegation.Event
	fail    error
}

func (a *auditLog) record(_ context.Context, e delegation.Event) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.records = append(a.records, e)
	return nil
}

// last is the newest record.
func (a *auditLog) last() delegation.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.records) == 0 {
		return delegation.Event{}
	}
	return a.records[len(a.records)-1]
}

// TestAudit: each exchange is recorded before its credentials leave, also a refused one and one
// from the cache, and the record is the Event.
func TestAudit(t *testing.T) {
	w := newWorld(t)
	var audit auditLog
	w.config.CacheSize = 10
	w.config.Audit = audit.record
	w.config.OnEvent = func(_ context.Context, e delegation.Event) {
		if got := audit.last().Outcome; got != e.Outcome {
			t.Errorf("the event is %s, and the record before it is %q", e.Outcome, got)
		}
		w.events = append(w.events, e)
	}
	d := w.delegator(t)
	for i, row := range []struct {
		token   string
		outcome delegation.Outcome
		cache   delegation.CacheOutcome
	}{
		{w.token(nil), delegation.OutcomeAllowed, delegation.CacheMiss},
		{w.token(nil), delegation.OutcomeAllowed, delegation.CacheHit},
		{"no token", delegation.OutcomeDenied, ""},
	} {
		credentials, err := d.Exchange(t.Context(), row.token, app)
		if (err == nil) != (row.outcome == delegation.OutcomeAllowed) || len(audit.records) != i+1 {
			t.Fatalf("%v, with %d records", err, len(audit.records))
		}
		got, event := audit.last(), w.events[i]
		_, timed := event.Took[delegation.StageAudit]
		if got.Outcome != row.outcome || got.Cache != row.cache || !timed ||
			credentials != nil && got.AccessKeyID != credentials.AccessKeyID {
			t.Errorf("got %+v", got)
		}
		delete(event.Took, delegation.StageAudit)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", event) {
			t.Errorf("the record is %+v\nthe event  is %+v", got, event)
		}
	}
}

// TestAudit_Fails: without a record there are no credentials, unless records are optional. A
// refusal stays what it is. The log and the event say that there is no record.
func TestAudit_Fails(t *testing.T) {
	full := errors.New("no space left")
	for name, fails := range map[string]func(context.Context, delegation.Event) error{
		"error": func(context.Context, delegation.Event) error { return full },
		"panic": func(context.Context, delegation.Event) error { panic(full) },
	} {
		for _, optional := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/optional=%v", name, optional), func(t *testing.T) {
				w := newWorld(t)
				var log strings.Builder
				w.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
				w.config.Audit = fails
				w.config.AuditOptional = optional
				d := w.delegator(t)
				credentials, err := d.Exchange(t.Context(), w.token(nil), app)
				if optional != (err == nil) || optional != (credentials != nil) {
					t.Fatalf("got %v, %v", credentials, err)
				}
				if e := w.events[0]; !optional {
					checkRefused(t, err, e)
				} else if e.Outcome != delegation.OutcomeAllowed || e.Err != nil {
					t.Errorf("the event is %+v", e)
				}
				_, err = d.Exchange(t.Context(), "no token", app)
				if !errors.Is(err, delegation.CodeTokenMalformed) {
					t.Errorf("a refusal became %v", err)
				}
				for _, e := range w.events {
					if !slices.Contains(e.Warnings, "audit_failed") {
						t.Errorf("the warnings are %q", e.Warnings)
					}
				}
				lost := strings.Count(log.String(), `level=ERROR msg="audit record lost" error="`)
				if lost != 2 || !strings.Contains(log.String(), full.Error()) {
					t.Errorf("log %s", &log)
				}
			})
		}
	}
}

// checkRefused checks the error and the event of an exchange that could not be recorded. Its
// credentials were issued, so the event has what leads to them.
func checkRefused(t *testing.T, err error, e delegation.Event) {
	t.Helper()
	var failure *delegation.Error
	if !errors.As(err, &failure) || failure.Code != delegation.CodeAuditFailed ||
		failure.Stage != delegation.StageAudit || !failure.Retryable ||
		failure.Public() != "temporarily unavailable, try again" {
		t.Errorf("got %v", err)
	}
	if e.Outcome != delegation.OutcomeFailed || e.Code != delegation.CodeAuditFailed ||
		e.AssertionID == "" || e.AccessKeyID == "" {
		t.Errorf("the event is %+v", e)
	}
}

// TestAudit_Recovers: credentials that could not be recorded were kept. Once records are made again
// they come from the cache, and that is recorded.
func TestAudit_Recovers(t *testing.T) {
	w := newWorld(t)
	audit := auditLog{fail: errors.New("no space left")}
	w.config.CacheSize = 10
	w.config.Audit = audit.record
	d := w.delegator(t)
	for range 2 {
		_, err := d.Exchange(t.Context(), w.token(nil), app)
		if !errors.Is(err, delegation.CodeAuditFailed) {
			t.Errorf("got %v", err)
		}
	}
	audit.fail = nil
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Fatal(err)
	}
	if e := audit.last(); e.Cache != delegation.CacheHit || len(audit.records) != 1 {
		t.Errorf("%d records, the last is %+v", len(audit.records), e)
	}
}

// TestAudit_Slow: a record has its time, whether its function looks at the context or not.
func TestAudit_Slow(t *testing.T) {
	for name, slow := range map[string]func(context.Context) error{
		"ends with its context": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"ignores its context": func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took, err := delegation.AuditFor(t.Context(), slow)
				if took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) ||
					!strings.Contains(err.Error(), "the record was not stored within 5s") {
					t.Errorf("after %s: %v", took, err)
				}
				time.Sleep(time.Hour) // what was left behind ends
			})
		})
	}
}

// TestAudit_CallerLeaves: a caller who leaves does not end the record of credentials that AWS has
// issued for them.
func TestAudit_CallerLeaves(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	var recorded error
	w.config.Audit = func(ctx context.Context, _ delegation.Event) error {
		leave()
		recorded = ctx.Err()
		return nil
	}
	if _, err := w.delegator(t).Exchange(ctx, w.token(nil), app); err != nil || recorded != nil {
		t.Errorf("got %v, and the record's context has ended: %v", err, recorded)
	}
}

// TestAudit_Configuration: what cannot be meant is refused.
func TestAudit_Configuration(t *testing.T) {
	for want, change := range map[string]func(*delegation.Config){
		"AuditTimeout must not be negative": func(c *delegation.Config) { c.AuditTimeout = -1 },
		"AuditOptional has no effect":       func(c *delegation.Config) { c.AuditOptional = true },
	} {
		w := newWorld(t)
		change(&w.config)
		_, err := delegation.New(t.Context(), w.config)
		if !errors.Is(err, delegation.CodeConfigInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestAudit_Provider: what a provider of credentials hands out is recorded too, and so is that its
// source had no token.
func TestAudit_Provider(t *testing.T) {
	w := newWorld(t)
	audit := auditLog{fail: errors.New("no space left")}
	w.config.Audit = audit.record
	d := w.delegator(t)
	token := w.token(nil)
	source := func(context.Context) (string, error) { return token, nil }
	_, err := d.Provider(source, app).Retrieve(t.Context())
	if !errors.Is(err, delegation.CodeAuditFailed) {
		t.Errorf("got %v", err)
	}
	audit.fail = nil
	credentials, err := d.Provider(source, app).Retrieve(t.Context())
	if err != nil || audit.last().AccessKeyID != credentials.AccessKeyID {
		t.Errorf("%v; the record is %+v", err, audit.last())
	}
	none := func(context.Context) (string, error) { return "", nil }
	_, err = d.Provider(none, app).Retrieve(t.Context())
	if !errors.Is(err, delegation.CodeTokenSourceFailed) ||
		audit.last().Code != delegation.CodeTokenSourceFailed {
		t.Errorf("%v; the record is %+v", err, audit.last())
	}
}
