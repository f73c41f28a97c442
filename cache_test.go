package delegation_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/sampling"
)

// cachedWorld is a world with the default cache and an issuer that need not be asked for keys, so
// that it works in a synctest bubble, which waits for renewals. Access key IDs are numbered.
func cachedWorld(t testing.TB) *world {
	w := newWorld(t)
	w.config.CacheSize = 0
	w.config.Issuers[0].JWKS = w.provider.KeySet()
	yes := w.config.STS.(stsFunc)
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		out, err := yes(ctx, in)
		w.mu.Lock()
		defer w.mu.Unlock()
		out.Credentials.AccessKeyId = aws.String(fmt.Sprint("ASIA", len(w.sent)))
		return out, err
	})
	return w
}

// failing lets STS fail while the error is not nil, after the call was counted.
func (w *world) failing(err *error) {
	yes := w.config.STS.(stsFunc)
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		out, no := yes(ctx, in)
		w.mu.Lock()
		defer w.mu.Unlock()
		if *err != nil {
			return nil, *err
		}
		return out, no
	})
}

var (
	errAWSDown   = &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	errAWSDenies = &smithy.GenericAPIError{
		Code:    "AccessDenied",
		Message: "Not authorized to perform sts:AssumeRoleWithSAML",
	}
)

// newest returns the newest event.
func (w *world) newest() delegation.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[len(w.events)-1]
}

// outcomes returns Event.Cache of all events, and forgets them.
func (w *world) outcomes() (list []delegation.CacheOutcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		list = append(list, e.Cache)
	}
	w.events = nil
	return list
}

// TestCacheKey_HasAll: whatever a decision holds is in its key, and so is who decided.
func TestCacheKey_HasAll(t *testing.T) {
	keys, seen := delegation.CacheKeys(), map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if other, ok := seen[keys[name]]; ok {
			t.Errorf("the key is the same for %q and %q", other, name)
		}
		seen[keys[name]] = name
	}
	for _, name := range []string{
		"unchanged", "decision.role.Resource", "decision.mapped[1].Values[0]",
		"decision.regions[1].name", "decision.tags by a key, longer", "decision.droppable[0]",
		"decision.policyARNs longer", "decision.sessionNotOnOrAfter", "issuer",
	} {
		if keys[name] == "" {
			t.Errorf("%s was not changed", name)
		}
	}
	if len(keys) < 40 {
		t.Errorf("only %d changes", len(keys))
	}
}

// TestCacheKey_AsBefore: of 40,000 exchanges with parts that are often alike, two have the same key
// exactly if they had the same one when it was made of lists of all attributes.
func TestCacheKey_AsBefore(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	formers := map[string]string{} // by key
	keys := map[string]string{}    // by former key
	whats := map[string]string{}   // by key
	all := sampling.Of(40_000)
	for range all {
		key, former, what := delegation.DecisionKeys(random)
		if other, known := formers[key]; known && other != former {
			t.Fatalf("one key for two:\n%s\n%s", whats[key], what)
		}
		if other, known := keys[former]; known && other != key {
			t.Fatalf("two keys for one:\n%s\n%s", whats[other], what)
		}
		formers[key] = former
		keys[former] = key
		whats[key] = what
	}
	if n := len(keys); n < all/10 || n > all*9/10 {
		t.Errorf("%d different keys of %d", n, all)
	}
}

// TestCache_OneCallForADecision is the promise: as many calls to AWS as there are decisions,
// however many exchanges at once.
func TestCache_OneCallForADecision(t *testing.T) {
	for _, decisions := range []int{1, sampling.Of(1_000)} {
		t.Run(fmt.Sprint(decisions), func(t *testing.T) {
			w := cachedWorld(t)
			d := w.delegator(t)
			tokens := make([]string, decisions)
			for i := range tokens {
				tokens[i] = w.token(map[string]any{"sub": fmt.Sprint("user", i)})
			}
			var all sync.WaitGroup
			for i := range sampling.Of(10_000) {
				all.Go(func() {
					credentials, err := d.Exchange(t.Context(), tokens[i%decisions], app)
					if err != nil || credentials.Subject != fmt.Sprint("user", i%decisions) {
						t.Errorf("got %v, %v", credentials, err)
					}
				})
			}
			all.Wait()
			if len(w.sent) != decisions {
				t.Errorf("%d calls to STS for %d decisions", len(w.sent), decisions)
			}
			misses := 0
			for _, outcome := range w.outcomes() {
				if outcome == delegation.CacheMiss {
					misses++
				} else if outcome != delegation.CacheHit && outcome != delegation.CacheJoined {
					t.Errorf("outcome %q", outcome)
				}
			}
			if misses != decisions {
				t.Errorf("%d misses", misses)
			}
		})
	}
}

// TestCache_Hit: the same credentials, as the caller's own copy; the event has their key ID and no
// assertion.
func TestCache_Hit(t *testing.T) {
	w := cachedWorld(t)
	d := w.delegator(t)
	first, err := d.Exchange(t.Context(), w.token(nil), app)
	if err != nil {
		t.Fatal(err)
	}
	want := *first
	*first = delegation.Credentials{}
	second, err := d.Exchange(t.Context(), w.token(map[string]any{"jti": "another token"}), app)
	if err != nil || second.AccessKeyID != want.AccessKeyID ||
		second.SecretAccessKey.Reveal() != want.SecretAccessKey.Reveal() ||
		!second.Expiration.Equal(want.Expiration) {
		t.Fatalf("got %v, %v", second, err)
	}
	miss, hit := w.events[0], w.events[1]
	if miss.Cache != delegation.CacheMiss || miss.AssertionID == "" ||
		miss.AccessKeyID != "ASIA1" || len(miss.Took) != 7 {
		t.Errorf("miss %+v", miss)
	}
	if hit.Cache != delegation.CacheHit || hit.AssertionID != "" || hit.RequestID != "" ||
		hit.AccessKeyID != "ASIA1" || hit.Role != role ||
		!hit.Expiration.Equal(want.Expiration) || len(hit.Took) != 5 {
		t.Errorf("hit %+v", hit)
	}
	if len(w.sent) != 1 {
		t.Errorf("%d calls", len(w.sent))
	}
}

// TestCache_IsByDecision: what differs for AWS is not shared, what does not is.
func TestCache_IsByDecision(t *testing.T) {
	w := cachedWorld(t)
	other := newWorld(t)
	w.config.Issuers = append(w.config.Issuers,
		delegation.Issuer{URL: other.url, JWKS: other.provider.KeySet(), AllowLoopbackHTTP: true})
	w.target(func(target *delegation.Target) {
		target.Issuers = []string{w.url, other.url}
		target.SubjectsAreOne = true
	})
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Tags = map[string]string{"team": user.Text("team")}
		return nil
	}}
	d := w.delegator(t)
	for i, row := range []struct {
		token string
		calls int
	}{
		{w.token(nil), 1}, {w.token(nil), 1}, {w.token(map[string]any{"nonce": "x"}), 1},
		{w.token(map[string]any{"team": "press"}), 2}, {w.token(map[string]any{"sub": "bob"}), 3},
		{other.token(nil), 4}, {w.token(nil), 4},
	} {
		_, err := d.Exchange(t.Context(), row.token, app)
		if err != nil || len(w.sent) != row.calls {
			t.Errorf("%d: %v, %d calls, want %d", i, err, len(w.sent), row.calls)
		}
	}
}

// TestCache_ChecksComeFirst: what is remembered helps nobody whom token or rules refuse.
func TestCache_ChecksComeFirst(t *testing.T) {
	w := cachedWorld(t)
	var no error
	w.config.Rules = []delegation.RuleFunc{
		func(context.Context, *delegation.User, *delegation.RuleContext) error { return no },
	}
	d, token := w.delegator(t), w.token(map[string]any{"exp": start.Add(10 * time.Minute).Unix()})
	if _, err := d.Exchange(t.Context(), token, app); err != nil {
		t.Fatal(err)
	}
	no = delegation.Deny("left")
	_, err := d.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	no = nil
	w.clock.Advance(11 * time.Minute)
	_, err = d.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageToken, delegation.CodeTokenExpired)
	if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "", ""}) {
		t.Errorf("outcomes %q", got)
	}
}

func TestCache_WithoutCache(t *testing.T) {
	w := cachedWorld(t)
	d := w.delegator(t)
	for i, row := range []struct {
		options []delegation.ExchangeOption
		key     string
	}{
		{nil, "ASIA1"}, {[]delegation.ExchangeOption{delegation.WithoutCache()}, "ASIA2"},
		{nil, "ASIA1"},
	} {
		credentials, err := d.Exchange(t.Context(), w.token(nil), app, row.options...)
		if err != nil || credentials.AccessKeyID != row.key {
			t.Errorf("%d: %v, %v", i, credentials, err)
		}
	}
	if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "off", "hit"}) {
		t.Errorf("outcomes %q", got)
	}
}

// TestCache_Renewal: credentials are renewed before they expire, in the background. The renewal has
// an event of its own, with the new assertion.
func TestCache_Renewal(t *testing.T) {
	w := cachedWorld(t)
	d := w.delegator(t)
	synctest.Test(t, func(t *testing.T) {
		exchange := func() string {
			credentials, err := d.Exchange(t.Context(), w.token(nil), app)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return credentials.AccessKeyID
		}
		exchange()
		w.clock.Advance(45*time.Minute - time.Second)
		exchange()
		if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "hit"}) {
			t.Errorf("before 15 minutes: %q", got)
		}
		w.clock.Advance(3*time.Minute + time.Second) // a fifth less by chance
		if got := exchange() + exchange(); got != "ASIA1ASIA2" {
			t.Errorf("got %s", got)
		}
		own := w.events[1]
		got := w.events
		if len(got) != 3 || own.Cache != delegation.CacheRefresh || own.AccessKeyID != "ASIA2" ||
			own.AssertionID == "" || own.Subject != alice ||
			!own.Time.Equal(w.clock.Now()) || len(own.Took) != 2 || own.Err != nil {
			t.Errorf("events %+v", got)
		}
		w.outcomes()
		w.clock.Advance(56 * time.Minute)
		if got := exchange(); got != "ASIA3" {
			t.Errorf("in the window: %s", got)
		}
	})
}

// TestCache_Outage: AWS is gone for the last ten minutes of the credentials' life. No exchange
// fails, and thirty seconds after its return there are new ones.
func TestCache_Outage(t *testing.T) {
	w := cachedWorld(t)
	var fault error
	w.failing(&fault)
	var logged bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	d := w.delegator(t)
	synctest.Test(t, func(t *testing.T) {
		token := w.token(map[string]any{"exp": start.Add(3 * time.Hour).Unix()})
		exchange := func() (*delegation.Credentials, error) {
			credentials, err := d.Exchange(t.Context(), token, app)
			synctest.Wait()
			return credentials, err
		}
		if _, err := exchange(); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(50 * time.Minute)
		fault = errAWSDown
		stale := 0
		for range 598 {
			w.clock.Advance(time.Second)
			credentials, err := exchange()
			if err != nil || !credentials.Expiration.After(w.clock.Now()) {
				t.Fatalf("at %s: %v", w.clock.Now(), err)
			}
		}
		for _, e := range w.events {
			switch {
			case e.Cache == delegation.CacheStale && e.Err == nil && e.AssertionID == "":
				stale++
			case e.Cache == delegation.CacheRefresh &&
				(e.Code != delegation.CodeSTSThrottled || e.AssertionID == ""):
				t.Errorf("a failed attempt: %+v", e)
			}
		}
		if calls := len(w.sent); stale < 230 || calls < 55 || calls > 65 {
			t.Errorf("%d served stale, %d calls", stale, calls)
		}
		fault = nil
		for range 30 {
			w.clock.Advance(time.Second)
			exchange()
		}
		credentials, err := exchange()
		if err != nil || credentials.Expiration.Sub(w.clock.Now()) < 59*time.Minute {
			t.Errorf("got %v, %v", credentials, err)
		}
	})
}

// TestCache_Denied: a definite refusal counts for a minute and ends what was remembered; what may
// pass is asked again.
func TestCache_Denied(t *testing.T) {
	w := cachedWorld(t)
	var fault error = errAWSDenies
	w.failing(&fault)
	d := w.delegator(t)
	synctest.Test(t, func(t *testing.T) {
		refused := func(code delegation.Code) *delegation.Error {
			t.Helper()
			credentials, err := d.Exchange(t.Context(),
				w.token(map[string]any{"exp": start.Add(9 * time.Hour).Unix()}), app)
			synctest.Wait()
			if credentials != nil {
				t.Fatal("credentials")
			}
			return wantError(t, err, delegation.StageSTS, code)
		}
		refused(delegation.CodeSTSAccessDenied).Remedy = "the caller's own copy"
		w.clock.Advance(59 * time.Second)
		refused(delegation.CodeSTSAccessDenied).Code = "too"
		e := w.newest()
		if e.Cache != delegation.CacheDenied || e.Code != delegation.CodeSTSAccessDenied ||
			e.AssertionID != "" || len(w.sent) != 1 {
			t.Errorf("event %+v, %d calls", e, len(w.sent))
		}
		if e := refused(delegation.CodeSTSAccessDenied); e.Remedy == "the caller's own copy" {
			t.Error("callers share an error")
		}
		w.clock.Advance(time.Second)
		refused(delegation.CodeSTSAccessDenied)
		w.clock.Advance(time.Minute)
		fault = errAWSDown
		refused(delegation.CodeSTSThrottled)
		refused(delegation.CodeSTSThrottled)
		if len(w.sent) != 4 {
			t.Errorf("%d calls", len(w.sent))
		}
		fault = nil
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}

		fault = errAWSDenies
		w.clock.Advance(48 * time.Minute)
		// still good, and found refused behind its back
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		refused(delegation.CodeSTSAccessDenied)
		if e := w.newest(); e.Cache != delegation.CacheDenied {
			t.Errorf("event %+v", e)
		}
	})
}

// TestCache_CapSessionToToken: credentials end with the token they were issued for, and that of
// another brings new ones.
func TestCache_CapSessionToToken(t *testing.T) {
	w := cachedWorld(t)
	w.config.CapSessionToToken, w.config.Leeway = true, time.Minute
	d := w.delegator(t)
	synctest.Test(t, func(t *testing.T) {
		short := w.token(map[string]any{"exp": start.Add(20 * time.Minute).Unix()})
		long := w.token(map[string]any{"exp": start.Add(30 * time.Minute).Unix()})
		for _, token := range []string{short, long, short, long} {
			if _, err := d.Exchange(t.Context(), token, app); err != nil {
				t.Fatal(err)
			}
		}
		got := w.outcomes()
		if !slices.Equal(got, []delegation.CacheOutcome{"miss", "miss", "hit", "hit"}) {
			t.Errorf("outcomes %q", got)
		}
		w.clock.Advance(20*time.Minute - time.Second)
		if _, err := d.Exchange(t.Context(), short, app); err != nil {
			t.Error(err)
		}
		// within the leeway, and yet over; this STS has not heard of SessionNotOnOrAfter
		w.clock.Advance(time.Second)
		_, err := d.Exchange(t.Context(), short, app)
		wantError(t, err, delegation.StageToken, delegation.CodeTokenExpired)
	})
}

// TestCache_CallerLeaves: the exchange ends at the caller's own time; the call goes on, and its
// assertion is in an event.
func TestCache_CallerLeaves(t *testing.T) {
	w := cachedWorld(t)
	yes := w.config.STS.(stsFunc)
	var gate chan struct{}
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		<-gate
		if ctx.Err() != nil || ctx.Value(leaver{}) != "kept" {
			t.Errorf("the call's context: %v, %v", ctx.Err(), ctx.Value(leaver{}))
		}
		return yes(ctx, in)
	})
	w.config.STSTimeout = time.Hour
	d := w.delegator(t)
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), leaver{}, "kept"))
		done := make(chan error, 1)
		go func() {
			_, err := d.Exchange(ctx, w.token(nil), app)
			done <- err
		}()
		synctest.Wait()
		cancel()
		e := wantError(t, <-done, delegation.StageSTS, delegation.CodeCanceled)
		first := w.newest()
		if !errors.Is(e, context.Canceled) || first.Cache != delegation.CacheJoined ||
			first.AssertionID != "" || len(w.events) != 1 {
			t.Errorf("got %v, events %+v", e, w.events)
		}
		close(gate)
		synctest.Wait()
		own := w.newest()
		if own.Cache != delegation.CacheRefresh || own.AssertionID == "" ||
			own.AccessKeyID != "ASIA1" || len(w.events) != 2 {
			t.Errorf("events %+v", w.events)
		}
		_, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil || w.newest().Cache != delegation.CacheHit {
			t.Errorf("got %v, %+v", err, w.newest())
		}
	})
}

type leaver struct{}

// TestCache_EveryAssertionIsInOneEvent, if callers leave or calls fail at any time, with a shared
// cache and without.
func TestCache_EveryAssertionIsInOneEvent(t *testing.T) {
	t.Parallel()
	counted := map[delegation.CacheOutcome]int{}
	for _, shared := range []bool{false, true} {
		w := cachedWorld(t)
		yes := w.config.STS.(stsFunc)
		w.config.STS = stsFunc(func(
			ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			out, err := yes(ctx, in)
			time.Sleep(rand.N(10 * time.Millisecond)) // of the bubble, which takes none
			switch rand.N(4) {
			case 0:
				return nil, errAWSDown
			case 1:
				return nil, errAWSDenies
			}
			return out, err
		})
		token := w.token(map[string]any{"exp": start.Add(99 * time.Hour).Unix()})
		synctest.Test(t, func(t *testing.T) {
			if shared {
				w.config.SharedCache = newSharedMemory()
			}
			d, other := w.delegator(t), w.delegator(t)
			for range 400 {
				var all sync.WaitGroup
				for _, d := range []*delegation.Delegator{d, d, other} {
					all.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(),
							time.Nanosecond+rand.N(20*time.Millisecond))
						defer cancel()
						_, _ = d.Exchange(ctx, token, app)
					})
				}
				all.Wait()
				time.Sleep(time.Second)
				w.clock.Advance(rand.N([]time.Duration{time.Minute, 20 * time.Minute}[rand.N(2)]))
			}
		})
		signed, told := map[string]int{}, map[string]int{}
		for _, in := range w.sent {
			signed[responseOf(in).FindElement("//saml:Assertion").SelectAttrValue("ID", "")]++
		}
		for _, e := range w.events {
			counted[e.Cache]++
			if e.AssertionID != "" {
				told[e.AssertionID]++
			}
			if (e.Err == nil) != (e.AccessKeyID != "") {
				t.Errorf("neither success nor failure: %+v", e)
			}
		}
		if !maps.Equal(signed, told) || len(told) < 50 {
			t.Errorf("%d assertions signed, %d told", len(signed), len(told))
		}
	}
	for _, outcome := range []delegation.CacheOutcome{
		delegation.CacheMiss, delegation.CacheHit, delegation.CacheStale,
		delegation.CacheJoined, delegation.CacheDenied, delegation.CacheRefresh,
	} {
		if counted[outcome] == 0 {
			t.Errorf("no %s among %v", outcome, counted)
		}
	}
}

// TestCache_Took: the time of the stage cache does not include the call to STS that the exchange
// makes. For an exchange that waits for another one's call, it is the whole time.
func TestCache_Took(t *testing.T) {
	w := cachedWorld(t)
	yes := w.config.STS.(stsFunc)
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.clock.Advance(5 * time.Second)
		return yes(ctx, in)
	})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	took := w.newest().Took
	if took[delegation.StageSTS] != 5*time.Second || took[delegation.StageCache] != 0 {
		t.Errorf("took %v", took)
	}
}

// TestCache_OwnFailures: what was never sent to AWS is no refusal of AWS.
func TestCache_OwnFailures(t *testing.T) {
	w := cachedWorld(t)
	d, token := w.delegator(t), w.token(map[string]any{"sub": "a\u0001b"})
	for range 2 {
		_, err := d.Exchange(t.Context(), token, app)
		wantError(t, err, delegation.StageSAML, delegation.CodeTextInvalid)
	}
	if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "miss"}) {
		t.Errorf("outcomes %q", got)
	}
}

// TestCache_LostCall: an STS client that panics is an error for all who wait, and for the next call
// only if it panics again.
func TestCache_LostCall(t *testing.T) {
	w := cachedWorld(t)
	yes, broken := w.config.STS.(stsFunc), true
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		if broken {
			panic(*in.SAMLAssertion)
		}
		return yes(ctx, in)
	})
	d := w.delegator(t)
	_, err := d.Exchange(t.Context(), w.token(nil), app)
	e := wantError(t, err, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete)
	if !e.Retryable || len(e.Error()) > 400 {
		t.Errorf("got %v", e)
	}
	if w.newest().AssertionID == "" {
		t.Error("the assertion is lost")
	}
	broken = false
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
		t.Error(err)
	}
}

// TestSigningTimeout: no exchange waits longer than SigningTimeout for a signer that hangs, with a
// cache or without.
func TestSigningTimeout(t *testing.T) {
	for _, size := range []int{-1, 0} {
		w := cachedWorld(t)
		w.config.CacheSize, w.config.SigningTimeout = size, 10*time.Millisecond // of the real clock
		gate := make(chan struct{})
		w.config.IdentityProvider.Keys[0].Signer = signer(func(
			io.Reader, []byte, crypto.SignerOpts,
		) ([]byte, error) {
			<-gate
			return nil, errors.New("late")
		})
		_, err := w.exchange(t, nil)
		close(gate)
		e := wantError(t, err, delegation.StageSAML, delegation.CodeSigningFailed)
		if !strings.Contains(e.Error(), "10ms") {
			t.Errorf("got %v", e)
		}
	}
}

func TestInvalidate(t *testing.T) {
	w := cachedWorld(t)
	d := w.delegator(t)
	calls := func(want int, subjects ...string) {
		t.Helper()
		for _, s := range subjects {
			_, err := d.Exchange(t.Context(), w.token(map[string]any{"sub": s}), app)
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(w.sent) != want {
			t.Errorf("%d calls, want %d", len(w.sent), want)
		}
	}
	calls(2, alice, "bob")
	if err := d.Invalidate(t.Context(), alice); err != nil {
		t.Error(err)
	}
	calls(3, alice, "bob")
	if err := d.InvalidateAll(t.Context()); err != nil {
		t.Error(err)
	}
	calls(5, alice, "bob")
	err := errors.Join(d.Invalidate(t.Context(), ""), d.Invalidate(t.Context(), "nobody"))
	if err != nil {
		t.Error(err)
	}
	calls(5, alice, "bob")

	w.config.CacheSize = -1
	if err := w.delegator(t).InvalidateAll(t.Context()); err != nil {
		t.Error(err)
	}
	var none *delegation.Delegator
	var null context.Context
	for _, err := range []error{
		none.Invalidate(t.Context(), alice), new(delegation.Delegator).InvalidateAll(t.Context()),
		d.InvalidateAll(null),
	} {
		wantError(t, err, delegation.StageConfig, delegation.CodeArgumentInvalid)
	}
}

// sharedMemory is a SharedCache for the Delegators of one process.
type sharedMemory struct {
	mu     sync.Mutex
	values map[[2]string]*delegation.Credentials
	err    error
	lock   chan struct{}
}

func newSharedMemory() *sharedMemory {
	return &sharedMemory{
		values: map[[2]string]*delegation.Credentials{},
		lock:   make(chan struct{}, 1),
	}
}

func (s *sharedMemory) Get(_ context.Context, owner, key string) (*delegation.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[[2]string{owner, key}], s.err
}

func (s *sharedMemory) Put(_ context.Context, owner, key string, c *delegation.Credentials) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[[2]string{owner, key}] = c
	return s.err
}

func (s *sharedMemory) Delete(_ context.Context, owner, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.values {
		if (owner == "" || owner == k[0]) && (key == "" || key == k[1]) {
			delete(s.values, k)
		}
	}
	return s.err
}

func (s *sharedMemory) Lock(ctx context.Context, _, _ string) (func(), error) {
	select {
	case s.lock <- struct{}{}:
		return func() { <-s.lock }, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestSharedCache(t *testing.T) {
	w := cachedWorld(t)
	shared := newSharedMemory()
	w.config.SharedCache = shared
	var logged bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&logged,
		&slog.HandlerOptions{Level: slog.LevelWarn}))
	a, b := w.delegator(t), w.delegator(t)
	exchange := func(d *delegation.Delegator) *delegation.Credentials {
		t.Helper()
		credentials, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil {
			t.Fatal(err)
		}
		return credentials
	}
	got := exchange(a).AccessKeyID + exchange(b).AccessKeyID + exchange(b).AccessKeyID
	if got != "ASIA1ASIA1ASIA1" {
		t.Errorf("got %s", got)
	}
	if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "shared", "hit"}) {
		t.Errorf("outcomes %q", got)
	}
	for key, c := range shared.values {
		if len(key[0]) != 64 || len(key[1]) != 64 || strings.Contains(key[0], alice) ||
			c.SecretAccessKey.Reveal() == "" {
			t.Errorf("shared %q: %v", key, c)
		}
		another := *c
		another.Subject, another.AccessKeyID = "bob", "ASIABOB"
		shared.values[key] = &another
	}
	// of another user, it is believed nothing
	if got := exchange(w.delegator(t)).AccessKeyID; got != "ASIA2" {
		t.Errorf("got %s", got)
	}
	if err := a.Invalidate(t.Context(), alice); err != nil || len(shared.values) != 0 {
		t.Errorf("%v, left %v", err, shared.values)
	}
	w.outcomes()

	shared.err = errors.New("connection refused")
	if got := exchange(a).AccessKeyID + exchange(a).AccessKeyID; got != "ASIA3ASIA3" {
		t.Errorf("got %s", got)
	}
	outcomes := w.outcomes()
	if !slices.Equal(outcomes, []delegation.CacheOutcome{"shared_down", "hit"}) ||
		strings.Count(logged.String(), "connection refused") != 1 {
		t.Errorf("outcomes %q, log %s", outcomes, &logged)
	}
	e := wantError(t, a.InvalidateAll(t.Context()), delegation.StageCache,
		delegation.CodeSharedCache)
	if !errors.Is(e, shared.err) {
		t.Errorf("got %v", e)
	}
}

// TestSharedCache_OfAnotherSession: what the shared cache returns is believed no more than what STS
// answers. A value of another session counts as absent, is warned of, and is replaced.
func TestSharedCache_OfAnotherSession(t *testing.T) {
	for name, spoil := range map[string]func(*delegation.Credentials){
		"role": func(c *delegation.Credentials) {
			c.AssumedRoleARN = "arn:aws:sts::123456789012:assumed-role/admin/auth0-alice"
		},
		"account of the role": func(c *delegation.Credentials) {
			c.AssumedRoleARN = strings.Replace(c.AssumedRoleARN, account, "999999999999", 1)
		},
		"account":         func(c *delegation.Credentials) { c.AccountID = "999999999999" },
		"subject":         func(c *delegation.Credentials) { c.Subject = "auth0|mallory" },
		"issuer":          func(c *delegation.Credentials) { c.Issuer = "urn:eve" },
		"audience":        func(c *delegation.Credentials) { c.Audience = "https://eve.example" },
		"source identity": func(c *delegation.Credentials) { c.SourceIdentity = "eve" },
		"no access key":   func(c *delegation.Credentials) { c.AccessKeyID = "" },
		"no secret": func(c *delegation.Credentials) {
			c.SecretAccessKey = delegation.Secret{}
		},
		"no token": func(c *delegation.Credentials) { c.SessionToken = delegation.Secret{} },
	} {
		t.Run(name, func(t *testing.T) {
			w := cachedWorld(t)
			shared := newSharedMemory()
			w.config.SharedCache = shared
			var logged bytes.Buffer
			w.config.Logger = slog.New(slog.NewTextHandler(&logged,
				&slog.HandlerOptions{Level: slog.LevelWarn}))
			if _, err := w.exchange(t, nil); err != nil {
				t.Fatal(err)
			}
			for key, kept := range shared.values {
				foreign := *kept
				spoil(&foreign)
				shared.values[key] = &foreign
			}
			credentials, err := w.exchange(t, nil)
			if err != nil || credentials.AccessKeyID != "ASIA2" {
				t.Fatalf("got %v, %v", credentials, err)
			}
			if got := w.outcomes(); !slices.Equal(got, []delegation.CacheOutcome{"miss", "miss"}) {
				t.Errorf("outcomes %q", got)
			}
			if !strings.Contains(logged.String(), "which are not used") {
				t.Errorf("nobody is warned: %s", &logged)
			}
			for _, kept := range shared.values {
				if kept.AccessKeyID != "ASIA2" {
					t.Errorf("the value was not replaced: %v", kept)
				}
			}
		})
	}
}

// TestCache_MismatchIsNoRefusal: an answer for another session does not remove cached credentials,
// and does not count as a refusal of the decision.
func TestCache_MismatchIsNoRefusal(t *testing.T) {
	w := cachedWorld(t)
	yes := w.config.STS
	mixed := false
	w.config.STS = stsFunc(func(
		ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		out, err := yes.AssumeRoleWithSAML(ctx, in)
		if mixed {
			out.Subject = aws.String("auth0|mallory")
		}
		return out, err
	})
	d := w.delegator(t)
	exchange := func() (string, error) {
		credentials, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil {
			return "", err
		}
		return credentials.AccessKeyID, nil
	}
	mixed = true
	if _, err := exchange(); !errors.Is(err, delegation.CodeSTSAnswerMismatch) {
		t.Fatal(err)
	}
	mixed = false
	if got, err := exchange(); got != "ASIA2" || err != nil { // STS is asked at once
		t.Errorf("got %s, %v", got, err)
	}
}

func TestCacheConfig(t *testing.T) {
	for name, set := range map[string]func(*delegation.Config){
		"CacheWindow":    func(c *delegation.Config) { c.CacheWindow = -1 },
		"CacheAhead":     func(c *delegation.Config) { c.CacheAhead = -1 },
		"SigningTimeout": func(c *delegation.Config) { c.SigningTimeout = -1 },
		"SharedCache": func(c *delegation.Config) {
			c.CacheSize, c.SharedCache = -1, newSharedMemory()
		},
	} {
		w := cachedWorld(t)
		set(&w.config)
		_, err := delegation.New(t.Context(), w.config)
		e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
		if !strings.Contains(e.Error(), name) {
			t.Errorf("%s: %v", name, e)
		}
	}
}

// largeCredentials have the sizes of AWS's.
func largeCredentials(i int) *delegation.Credentials {
	id := fmt.Sprintf("%020d", i)
	return &delegation.Credentials{
		AccessKeyID: id, SecretAccessKey: delegation.NewSecret(id + id),
		SessionToken: delegation.NewSecret(strings.Repeat(id, 50)),
		Expiration:   start.Add(time.Hour),
		Region:       "eu-central-1", AccountID: account,
		AssumedRoleARN: "arn:aws:sts::123456789012:assumed-role/photo-user/" + id,
		AssumedRoleID:  "AROA:" + id,
		Subject:        "auth0|" + id, SubjectType: "persistent", Issuer: entityID,
		Audience:      "https://eu-central-1.signin.aws.amazon.com/saml",
		NameQualifier: id, RequestID: id,
	}
}

// TestCache_Memory: what 100,000 users take, with session tokens of 1,000 bytes.
func TestCache_Memory(t *testing.T) {
	users := sampling.Of(100_000)
	w := cachedWorld(t)
	w.config.CacheSize = users
	d := w.delegator(t)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	delegation.Remember(d, users, largeCredentials)
	each := (heap() - before) / uint64(users)
	t.Logf("%d bytes for each of %d users", each, users)
	if each > 3_000 || each < 1_000 {
		t.Errorf("%d bytes each", each)
	}
	before = heap()
	// the first half is there, the other pushes it out
	delegation.Remember(d, 2*users, largeCredentials)
	if after := heap(); after > before+before/10 {
		t.Errorf("it grew from %d to %d bytes", before, after)
	}
	runtime.KeepAlive(d)
}
