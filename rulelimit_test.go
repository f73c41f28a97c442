package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
)

// warmed returns a Delegator that has the issuer's keys, so that its exchanges use no network, and
// a token for it.
func warmed(t *testing.T, w *world) (*delegation.Delegator, string) {
	t.Helper()
	d := w.delegator(t)
	token := w.token(nil)
	if _, err := d.Exchange(t.Context(), token, app, delegation.WithRule(passing)); err != nil {
		t.Fatal(err)
	}
	return d, token
}

func passing(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }

// stubborn is a rule that ignores its context while it is on. It writes to what it was given before
// it hangs, and before it ends.
type stubborn struct {
	on      atomic.Bool
	calls   atomic.Int32
	release chan struct{}
}

func (h *stubborn) rule(
	_ context.Context, user *delegation.User, rc *delegation.RuleContext,
) error {
	if !h.on.Load() {
		return nil
	}
	h.calls.Add(1)
	rc.Rule = "late"
	<-h.release
	for i := range 100 {
		user.Set(fmt.Sprint("late", i), i)
		rc.AWS.Tags[fmt.Sprint("late", i)] = "x"
		rc.Rule = "late"
	}
	return nil
}

func (h *stubborn) profile(context.Context, *delegation.User) (map[string]any, error) {
	if !h.on.Load() {
		return nil, nil
	}
	h.calls.Add(1)
	<-h.release
	return map[string]any{"late": true}, nil
}

// TestRuleTimeout_Ignored: a rule that ignores its context ends the exchange with a code after the
// limit and not before. What it writes later reaches nothing. Wrapped rules and checks that a rule
// leaves are limited, too.
func TestRuleTimeout_Ignored(t *testing.T) {
	for name, wrap := range map[string]func(delegation.RuleFunc) delegation.RuleFunc{
		"plain": func(r delegation.RuleFunc) delegation.RuleFunc { return r },
		"named": func(r delegation.RuleFunc) delegation.RuleFunc {
			return delegation.Named("mine", r)
		},
		"for targets": func(r delegation.RuleFunc) delegation.RuleFunc {
			return delegation.ForTargets(delegation.Named("mine", r), app)
		},
		"per target": func(r delegation.RuleFunc) delegation.RuleFunc {
			return delegation.PerTarget(map[string]delegation.RuleFunc{app: r})
		},
		"after the rules": func(r delegation.RuleFunc) delegation.RuleFunc {
			return func(
				ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
			) error {
				rc.AfterRules(func() error { return r(ctx, user, rc) })
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			h := &stubborn{}
			var ran []string
			w.config.Rules = []delegation.RuleFunc{wrap(h.rule), trace(&ran, "second", nil)}
			if name == "after the rules" {
				w.config.Rules = w.config.Rules[:1]
			}
			w.config.RuleTimeout = 3 * time.Second
			d, token := warmed(t, w)
			ran = nil
			synctest.Test(t, func(t *testing.T) {
				h.release = make(chan struct{})
				h.on.Store(true)
				began := time.Now()
				_, err := d.Exchange(t.Context(), token, app)
				e := wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("it took %s", took)
				}
				if !e.Retryable || strings.Contains(e.Error(), "late") ||
					!strings.Contains(e.Error(), "took longer than 3s") {
					t.Errorf("got %v", e)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the end of the context is not in %v", err)
				}
				explained, err := d.Explain(t.Context(), token, app)
				wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
				if n := len(explained.Rules); n != 1 || explained.Rules[0].Err == nil {
					t.Errorf("explain has %d rules: %+v", n, explained.Rules)
				}
				close(h.release)
				synctest.Wait()
				if len(explained.Rules) != 1 || explained.Rules[0].Name == "late" {
					t.Errorf("a rule that was left has changed the explanation: %+v",
						explained.Rules)
				}
				if len(ran) > 0 || h.calls.Load() != 2 {
					t.Errorf("two exchanges called it %d times, and the rule after it %d times",
						h.calls.Load(), len(ran))
				}
			})
		})
	}
}

// TestRuleTimeout_Profile: the same for a profile loader, which also has a limit if none is set.
func TestRuleTimeout_Profile(t *testing.T) {
	for set, want := range map[time.Duration]time.Duration{
		3 * time.Second: 3 * time.Second,
		0:               20 * time.Second,
	} {
		w := newWorld(t)
		h := &stubborn{}
		w.config.Profile = h.profile
		w.config.RuleTimeout = set
		d, token := warmed(t, w)
		synctest.Test(t, func(t *testing.T) {
			h.release = make(chan struct{})
			h.on.Store(true)
			began := time.Now()
			_, err := d.Exchange(t.Context(), token, app)
			e := wantError(t, err, delegation.StageRules, delegation.CodeProfileTimeout)
			took := fmt.Sprintf("the profile loader took longer than %s", want)
			if !strings.Contains(e.Error(), took) || time.Since(began) != want {
				t.Errorf("after %s: got %v", time.Since(began), e)
			}
			close(h.release)
		})
	}
}

// TestRuleTimeout_Each: each rule has the whole limit, wherever it stands among others.
func TestRuleTimeout_Each(t *testing.T) {
	var takes []time.Duration
	rule := func(i int) delegation.RuleFunc {
		return func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) error {
			if takes != nil {
				<-time.After(takes[i])
			}
			return nil
		}
	}
	w := newWorld(t)
	own := delegation.WithOwnTimeout(rule(2))
	w.config.Rules = []delegation.RuleFunc{rule(0), rule(1), own, rule(3), rule(4)}
	w.config.RuleTimeout = 10 * time.Second
	d, token := warmed(t, w)
	const s = time.Second
	for _, row := range []struct {
		takes   []time.Duration
		refused string // empty: not at all
		after   time.Duration
	}{
		{[]time.Duration{9 * s, 9 * s, 9 * s, 9 * s, 9 * s}, "", 45 * s},
		{[]time.Duration{11 * s, 0, 0, 0, 0}, "rule 1", 10 * s},
		{[]time.Duration{9 * s, 11 * s, 0, 0, 0}, "rule 2", 19 * s},
		{[]time.Duration{4 * s, 3 * s, 90 * s, 5 * s, 0}, "", 102 * s},
		{[]time.Duration{9 * s, 0, 11 * s, 1 * s, 11 * s}, "rule 5", 31 * s},
		{[]time.Duration{9 * s, 0, 11 * s, 11 * s, 0}, "rule 4", 30 * s},
	} {
		synctest.Test(t, func(t *testing.T) {
			takes = row.takes
			began := time.Now()
			_, err := d.Exchange(t.Context(), token, app)
			if took := time.Since(began); took != row.after {
				t.Errorf("%v: it took %s", row.takes, took)
			}
			if row.refused == "" {
				if err != nil {
					t.Errorf("%v: %v", row.takes, err)
				}
				return
			}
			e := wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
			if !strings.Contains(e.Error(), row.refused) {
				t.Errorf("%v: got %v", row.takes, e)
			}
			<-time.After(time.Minute) // of the fake clock: the rule that was left returns
		})
	}
}

// TestRuleTimeout_Context: the context of a rule is one of package context in all that it is asked
// for, and ends with its rule. One that is asked later has ended.
func TestRuleTimeout_Context(t *testing.T) {
	type key struct{}
	var kept, later, child context.Context
	var failure error
	w := newWorld(t)
	w.config.RuleTimeout = 10 * time.Second
	w.config.Rules = []delegation.RuleFunc{
		func(ctx context.Context, _ *delegation.User, _ *delegation.RuleContext) error {
			later = ctx // and asks it nothing
			return nil
		},
		func(ctx context.Context, _ *delegation.User, _ *delegation.RuleContext) error {
			if err := later.Err(); err != context.Canceled {
				failure = fmt.Errorf("the context of the rule before: %v", err)
			}
			kept = ctx
			var stop context.CancelFunc
			child, stop = context.WithCancel(ctx)
			_ = stop
			deadline, has := ctx.Deadline()
			if ctx.Value(key{}) != "value" || !has || ctx.Err() != nil || child.Err() != nil ||
				time.Until(deadline) > 10*time.Second {
				failure = fmt.Errorf("%v, %t, %v, %v", ctx.Value(key{}), has, ctx.Err(), deadline)
			}
			return nil
		},
	}
	ctx := context.WithValue(t.Context(), key{}, "value")
	if _, err := w.delegator(t).Exchange(ctx, w.token(nil), app); err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	<-kept.Done()
	<-child.Done()
	for _, ctx := range []context.Context{kept, later, child} {
		if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
			t.Errorf("got %v, %v", ctx.Err(), context.Cause(ctx))
		}
	}
}

// TestRuleTimeout_Goexit: a rule that ends its goroutine fails its exchange, and the rules after it
// do not run.
func TestRuleTimeout_Goexit(t *testing.T) {
	w := newWorld(t)
	w.config.RuleTimeout = time.Minute
	var ran []string
	w.config.Rules = []delegation.RuleFunc{
		func(context.Context, *delegation.User, *delegation.RuleContext) error {
			runtime.Goexit()
			return nil
		},
		trace(&ran, "second", nil),
	}
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageRules, delegation.CodeRuleFailed)
	if !strings.Contains(e.Error(), "it ended its goroutine") || len(ran) > 0 {
		t.Errorf("got %v; then ran %v", e, ran)
	}
}

// TestRuleTimeout_Turn: a rule that gets no goroutine within its limit, because a thousand others
// run, is not called, and neither is one whose exchange ends first.
func TestRuleTimeout_Turn(t *testing.T) {
	w := newWorld(t)
	var ran []string
	w.config.Rules = []delegation.RuleFunc{trace(&ran, "rule", delegation.Deny("no"))}
	w.config.RuleTimeout = time.Millisecond
	d := w.delegator(t)
	giveBack := d.TakeRuleRuns()
	_, err := d.Exchange(t.Context(), w.token(nil), app)
	e := wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
	const want = "it was not called: 1000 other rules or profile loads were running all the time"
	if !strings.Contains(e.Error(), want) {
		t.Errorf("got %v", e)
	}
	w.config.RuleTimeout = time.Hour
	d = w.delegator(t)
	giveBackHere := d.TakeRuleRuns()
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := d.Exchange(ctx, w.token(nil), app)
		failed <- err
	}()
	cancel()
	err = <-failed
	if code := err.(*delegation.Error).Code; code != delegation.CodeCanceled || len(ran) > 0 {
		t.Errorf("got %v; and ran %v", err, ran)
	}
	giveBack()
	giveBackHere()
	token := w.token(nil)
	for range 1001 { // each gives its goroutine's place back
		_, err := d.Exchange(t.Context(), token, app)
		wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	}
	if len(ran) != 1001 {
		t.Errorf("ran %d times", len(ran))
	}
}

// TestRuleTimeout_Bounded: with 16 calls of a rule that were left none is made, until one returns.
// The number of goroutines is bounded, and none is left in the end.
func TestRuleTimeout_Bounded(t *testing.T) {
	w := newWorld(t)
	h := &stubborn{}
	w.config.Rules = []delegation.RuleFunc{h.rule}
	w.config.RuleTimeout = time.Minute
	d, token := warmed(t, w)
	synctest.Test(t, func(t *testing.T) {
		h.release = make(chan struct{})
		h.on.Store(true)
		exchange := func() error {
			_, err := d.Exchange(t.Context(), token, app)
			return err
		}
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				wantError(t, exchange(), delegation.StageRules, delegation.CodeRuleTimeout)
			})
		}
		all.Wait()
		before := runtime.NumGoroutine()
		for range 100 {
			e := wantError(t, exchange(), delegation.StageRules, delegation.CodeRuleTimeout)
			if !strings.Contains(e.Error(), "was not called: 16 calls of it have not returned") {
				t.Fatalf("got %v", e)
			}
		}
		// Goroutines of servers that belong to other tests may begin in the meantime.
		const others = 10
		if got := runtime.NumGoroutine(); got > before+others || h.calls.Load() != 16 {
			t.Errorf("%d calls, %d goroutines after %d", h.calls.Load(), got, before)
		}
		h.on.Store(false)
		h.release <- struct{}{}
		synctest.Wait()
		if err := exchange(); err != nil {
			t.Errorf("one has returned: %v", err)
		}
		close(h.release)
	})
}

// TestRuleTimeout_HonoursContext: a rule that waits with its context fails at the limit with the
// same code, without being left, and one that refuses then has refused.
func TestRuleTimeout_HonoursContext(t *testing.T) {
	waits := false
	var answer error
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{func(
		ctx context.Context, _ *delegation.User, _ *delegation.RuleContext,
	) error {
		if !waits {
			return nil
		}
		<-ctx.Done()
		if answer != nil {
			return answer
		}
		return fmt.Errorf("the database: %w", context.Cause(ctx))
	}}
	w.config.RuleTimeout = 20 * time.Second
	d, token := warmed(t, w)
	waits = true
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := d.Exchange(t.Context(), token, app)
		// Either the rule's own error or the end of the wait for it comes first.
		wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = d.Exchange(ctx, token, app)
		wantError(t, err, delegation.StageRules, delegation.CodeCanceled)
	})
}

// TestRuleTimeout_Nested: a rule that permits although a rule that it called was left does not
// decide the exchange: the other one may still write to the decision. A check that it leaves after
// a call is limited as it is itself.
func TestRuleTimeout_Nested(t *testing.T) {
	w := newWorld(t)
	h := &stubborn{}
	inner := delegation.Named("inner", h.rule)
	w.config.RuleTimeout = 20 * time.Second
	var ran []string
	w.config.Rules = []delegation.RuleFunc{
		func(ctx context.Context, user *delegation.User, rc *delegation.RuleContext) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_ = inner(short, user, rc)
			return nil
		},
		trace(&ran, "second", nil),
	}
	d, token := warmed(t, w)
	ran = nil
	synctest.Test(t, func(t *testing.T) {
		h.release = make(chan struct{})
		h.on.Store(true)
		_, err := d.Exchange(t.Context(), token, app)
		e := wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
		if !strings.Contains(e.Error(), "it has ended, but a rule that it called still runs") {
			t.Errorf("got %v", e)
		}
		close(h.release)
		synctest.Wait()
		if len(ran) > 0 {
			t.Errorf("the rule after it has run")
		}
	})
	w = newWorld(t)
	w.config.RuleTimeout = 20 * time.Second
	passes := delegation.Named("inner", passing)
	limited := false
	w.config.Rules = []delegation.RuleFunc{func(
		ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		err := passes(ctx, user, rc)
		rc.AfterRules(func() error {
			stack := make([]byte, 1<<16)
			stack = stack[:runtime.Stack(stack, false)]
			limited = !strings.Contains(string(stack), "Delegator).Exchange")
			return nil
		})
		return err
	}}
	if _, err := w.exchange(t, nil); err != nil || !limited {
		t.Errorf("limited: %t, %v", limited, err)
	}
}

// TestRuleTimeout_None: without a limit, and for rules that need none, a rule runs on the caller's
// goroutine, and with a context without a deadline.
func TestRuleTimeout_None(t *testing.T) {
	rule := func(onCaller bool) delegation.RuleFunc {
		return func(ctx context.Context, _ *delegation.User, _ *delegation.RuleContext) error {
			stack := make([]byte, 1<<16)
			stack = stack[:runtime.Stack(stack, false)]
			_, limited := ctx.Deadline()
			called := strings.Contains(string(stack), "Delegator).Exchange")
			if limited == onCaller || called != onCaller {
				return fmt.Errorf("a deadline: %t, on the caller's goroutine: %t", limited, called)
			}
			return nil
		}
	}
	own := delegation.WithOwnTimeout(rule(true))
	for name, row := range map[string]struct {
		rule    delegation.RuleFunc
		timeout time.Duration
	}{
		"limited":                {rule(false), time.Minute},
		"no limit was set":       {rule(true), 0},
		"limited, named":         {delegation.Named("mine", rule(false)), time.Minute},
		"no limit":               {rule(true), -1},
		"no limit, named":        {delegation.Named("mine", rule(true)), -1},
		"limits itself":          {own, time.Minute},
		"limits itself, twice":   {delegation.WithOwnTimeout(own), time.Minute},
		"limits itself, wrapped": {delegation.Named("mine", own), time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{row.rule}
			w.config.RuleTimeout = row.timeout
			if _, err := w.exchange(t, nil); err != nil {
				t.Error(err)
			}
		})
	}
	if delegation.WithOwnTimeout(nil) != nil {
		t.Error("a nil rule is not nil any more")
	}
}

// TestRuleTimeout_Late: a rule that was left may still leave a check and call another rule, while
// the exchange that left it goes on. Neither races with the other.
func TestRuleTimeout_Late(t *testing.T) {
	w := newWorld(t)
	inner := delegation.Named("inner", passing)
	late := false
	w.config.RuleTimeout = time.Second
	var release chan struct{}
	w.config.Rules = []delegation.RuleFunc{func(
		ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		if !late {
			return nil
		}
		<-ctx.Done()
		rc.AfterRules(func() error { return nil })
		err := inner(ctx, user, rc)
		<-release
		return err
	}}
	d, token := warmed(t, w)
	late = true
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		_, err := d.Exchange(t.Context(), token, app)
		wantError(t, err, delegation.StageRules, delegation.CodeRuleTimeout)
		close(release)
	})
}

// TestRuleTimeout_Names: a rule of WithOwnTimeout has the name that it had, in events and errors.
func TestRuleTimeout_Names(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{delegation.WithOwnTimeout(refusing)}
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if !strings.Contains(e.Error(), "rule 1 (delegation_test.refusing)") ||
		w.events[0].Rule != "delegation_test.refusing" {
		t.Errorf("got %v, and the event has %q", e, w.events[0].Rule)
	}
}

func refusing(context.Context, *delegation.User, *delegation.RuleContext) error {
	return delegation.Deny("no")
}

// TestProfile_Codes: a loader's error keeps the codes of profiles, and no others. What it says of
// another try reaches the caller.
func TestProfile_Codes(t *testing.T) {
	for _, row := range []struct{ code, want delegation.Code }{
		{delegation.CodeProfileMissing, delegation.CodeProfileMissing},
		{delegation.CodeProfileUnavailable, delegation.CodeProfileUnavailable},
		{delegation.CodeProfileThrottled, delegation.CodeProfileThrottled},
		{delegation.CodeProfileUnauthorized, delegation.CodeProfileUnauthorized},
		{delegation.CodeProfileInvalid, delegation.CodeProfileInvalid},
		{delegation.CodeDenied, delegation.CodeProfileFailed},
		{delegation.CodeSTSRefused, delegation.CodeProfileFailed},
	} {
		w := newWorld(t)
		w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
			return nil, fmt.Errorf("canary: %w", later{row.code})
		}
		_, err := w.exchange(t, nil)
		e := wantError(t, err, delegation.StageRules, row.want)
		if e.RetryAfter != 7*time.Second || strings.Contains(e.Public(), "canary") {
			t.Errorf("%s: got %#v", row.code, e)
		}
	}
}

// later is an error that says when to try once more.
type later struct{ error }

func (later) RetryAfter() time.Duration { return 7 * time.Second }

func (l later) Unwrap() error { return l.error }

// TestProfile_Check: Check asks the profile loader's own check, once a minute.
func TestProfile_Check(t *testing.T) {
	asked := 0
	w := newWorld(t)
	w.config.CheckProfile = func(context.Context) error {
		asked++
		return later{delegation.CodeProfileThrottled}
	}
	wantOfNew(t, w.config, []string{"CheckProfile has no effect without Profile"})
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		return nil, nil
	}
	d := w.delegator(t)
	for range 3 {
		found := false
		for _, result := range d.Check(t.Context()) {
			if result.Name != "profile" {
				continue
			}
			found = true
			wantError(t, result.Err, delegation.StageRules, delegation.CodeProfileThrottled)
			if result.Kind != delegation.CheckProfile || !result.Degrades ||
				result.Field != "Profile" {
				t.Errorf("got %+v", result)
			}
		}
		if !found {
			t.Error("there is no such check")
		}
	}
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
}

// TestExplain_Profile: an explanation names the properties that come from the profile, and not
// those of the token.
func TestExplain_Profile(t *testing.T) {
	w := newWorld(t)
	w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
		return map[string]any{"groups": 1, "app_metadata": 2, "sub": "x", "blocked": false}, nil
	}
	e, err := w.delegator(t).Explain(t.Context(), w.token(nil), app)
	if got := strings.Join(e.Profile, " "); err != nil || got != "app_metadata blocked groups" {
		t.Errorf("got %q, %v", got, err)
	}
}
