package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
)

// revocationLog is a RevocationStore for the Delegators of one process: what Redis is for several.
type revocationLog struct {
	delegation.ReplayStore
	mu    sync.Mutex
	marks []delegation.RevocationMark
	err   error
}

func newRevocationLog() *revocationLog {
	return &revocationLog{ReplayStore: delegation.ReplayMemory(1000)}
}

func (l *revocationLog) AddRevocations(
	_ context.Context, marks []delegation.RevocationMark,
) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.marks = append(l.marks, marks...)
	}
	return l.err
}

func (l *revocationLog) RevocationsSince(
	_ context.Context, position string,
) ([]delegation.RevocationMark, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, _ := strconv.Atoi(position)
	return slices.Clone(l.marks[from:]), strconv.Itoa(len(l.marks)), l.err
}

func (l *revocationLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// replicas are Delegators of one configuration with caches of their own, as those of several
// processes, and what they have in common.
type replicas struct {
	*world
	log  *revocationLog
	all  []*delegation.Delegator
	seen []delegation.RevocationEvent
}

func newReplicas(t *testing.T, change ...func(*delegation.Config)) *replicas {
	t.Helper()
	r := &replicas{world: newWorld(t), log: newRevocationLog()}
	r.config.CacheSize = 0
	r.config.OnRevocation = func(_ context.Context, e delegation.RevocationEvent) {
		r.seen = append(r.seen, e)
	}
	for _, f := range change {
		f(&r.config)
	}
	for range 3 {
		r.config.Revocations = delegation.NewRevocations(r.log, 0)
		r.all = append(r.all, r.delegator(t))
	}
	return r
}

// settle lets the time pass in which a replica must learn of what another one did.
func (r *replicas) settle() { r.clock.Advance(5 * time.Second) }

// wantAll exchanges a token at each replica. An empty code is a success.
func (r *replicas) wantAll(t *testing.T, what, token string, code delegation.Code) {
	t.Helper()
	for i, d := range r.all {
		r.want(t, fmt.Sprintf("%s, replica %d", what, i), d, token, code)
	}
}

func (r *replicas) want(
	t *testing.T, what string, d *delegation.Delegator, token string, code delegation.Code,
) {
	t.Helper()
	_, err := d.Exchange(t.Context(), token, app)
	if code == "" && err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if code != "" && !errors.Is(err, code) {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

// calls is how often STS was asked.
func (r *replicas) calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sent)
}

// sessionToken is an ID token of a user, of a session or of none, issued at a moment after start.
func (r *replicas) sessionToken(sub, sid string, at time.Duration) string {
	issued := start.Add(at)
	claims := map[string]any{
		"sub": sub, "iat": issued.Unix(), "exp": issued.Add(10 * time.Hour).Unix(),
	}
	if sid != "" {
		claims["sid"] = sid
	}
	return r.token(claims)
}

// TestRevoke: who is refused after which revocation, at each replica, and who is not.
func TestRevoke(t *testing.T) {
	type token struct {
		sub, sid string
		at       time.Duration
	}
	early, late := time.Duration(0), time.Hour
	users := []token{
		{alice, "", early}, {alice, "one", early}, {alice, "two", early},
		{"bob", "", early}, {"bob", "one", early},
		{alice, "", late}, {alice, "one", late}, {"bob", "", late},
	}
	const ended = delegation.CodeSessionEnded
	for name, row := range map[string]struct {
		of   func(url string) delegation.Revocation
		want []delegation.Code // of users
	}{
		"everybody": {
			func(string) delegation.Revocation { return delegation.Revocation{Everybody: true} },
			[]delegation.Code{ended, ended, ended, ended, ended, "", "", ""},
		},
		"an issuer": {
			func(url string) delegation.Revocation { return delegation.Revocation{Issuer: url} },
			[]delegation.Code{ended, ended, ended, ended, ended, "", "", ""},
		},
		"a subject of any issuer": {
			func(string) delegation.Revocation { return delegation.Revocation{Subject: alice} },
			[]delegation.Code{ended, ended, ended, "", "", "", "", ""},
		},
		"a user": {
			func(url string) delegation.Revocation {
				return delegation.Revocation{Issuer: url, Subject: "bob"}
			},
			[]delegation.Code{"", "", "", ended, ended, "", "", ""},
		},
		"a session": {
			func(url string) delegation.Revocation {
				return delegation.Revocation{Issuer: url, SessionID: "one"}
			},
			[]delegation.Code{"", ended, "", "", ended, "", "", ""},
		},
		"a session of a user": {
			func(url string) delegation.Revocation {
				return delegation.Revocation{Issuer: url, Subject: alice, SessionID: "one"}
			},
			[]delegation.Code{ended, ended, "", "", ended, "", "", ""},
		},
		"tokens that were issued before": {
			func(url string) delegation.Revocation {
				return delegation.Revocation{Subject: alice, IssuedBefore: start.Add(-time.Second)}
			},
			[]delegation.Code{"", "", "", "", "", "", "", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplicas(t)
			r.clock.Set(start.Add(30 * time.Minute))
			if err := r.all[0].Revoke(t.Context(), row.of(r.url)); err != nil {
				t.Fatal(err)
			}
			r.clock.Set(start.Add(late + time.Minute))
			for i, user := range users {
				token := r.sessionToken(user.sub, user.sid, user.at)
				r.wantAll(t, fmt.Sprint(user), token, row.want[i])
			}
			if n := len(r.seen); n != 1 || r.seen[0].Outcome != delegation.OutcomeAllowed ||
				r.seen[0].Cause != delegation.RevocationRevoke {
				t.Errorf("events: %+v", r.seen)
			}
		})
	}
}

// TestRevoke_TheClockOfTheIssuer: an issuer's clock may be ahead by Config.Leeway. A token that was
// issued before the revocation is refused even so, and a second is the smallest step: issuers round
// iat down, or write fractions.
func TestRevoke_TheClockOfTheIssuer(t *testing.T) {
	r := newReplicas(t)
	if err := r.all[0].Revoke(t.Context(), delegation.Revocation{Subject: alice}); err != nil {
		t.Fatal(err)
	}
	for i, row := range []struct {
		iat  string
		code delegation.Code
	}{
		{"1795424400", delegation.CodeSessionEnded},     // now
		{"1795424460", delegation.CodeSessionEnded},     // 60 s ahead: the leeway
		{"1795424460.999", delegation.CodeSessionEnded}, // of the same second
		{"1795424461", ""},
	} {
		r.clock.Set(start.Add(90 * time.Second))
		claims := payload(map[string]any{"iss": r.url, "iat": json.Number(row.iat)})
		token := must(r.provider.Sign(nil, []byte(claims)))
		r.want(t, fmt.Sprint(i, row.iat), r.all[0], token, row.code)
	}
}

// TestRevocations_Kept: a token that is older than ended sessions are remembered is refused: it
// cannot be known whether its session has ended. So there is no moment at which a token counts
// once more.
func TestRevocations_Kept(t *testing.T) {
	w := newWorld(t)
	w.config.Revocations = delegation.NewRevocations(nil, 12*time.Hour)
	d := w.delegator(t)
	live := func(iat time.Duration) string {
		return w.token(map[string]any{
			"iat": start.Add(iat).Unix(), "exp": start.Add(100 * time.Hour).Unix(),
		})
	}
	ended := live(0)
	ahead := live(time.Minute)
	if err := d.Revoke(t.Context(), delegation.Revocation{Subject: alice}); err != nil {
		t.Fatal(err)
	}
	steps := []time.Duration{12*time.Hour - time.Second, 12*time.Hour + 30*time.Second}
	for at := time.Second; at < 26*time.Hour; at += 29 * time.Minute {
		steps = append(steps, at)
	}
	slices.Sort(steps)
	for _, at := range steps {
		w.clock.Set(start.Add(at))
		_, err := d.Exchange(t.Context(), ended, app)
		switch {
		case at < 12*time.Hour && !errors.Is(err, delegation.CodeSessionEnded):
			t.Errorf("after %s: %v", at, err)
		case at >= 12*time.Hour && !errors.Is(err, delegation.CodeTokenTooOld):
			t.Errorf("after %s: %v", at, err)
		}
		// One that the issuer's clock, a leeway ahead, has issued before the revocation.
		if _, err := d.Exchange(t.Context(), ahead, app); err == nil {
			t.Errorf("after %s a token of the same minute is accepted", at)
		}
		fresh := live(at + 2*time.Minute)
		w.clock.Set(start.Add(at + 2*time.Minute))
		if _, err := d.Exchange(t.Context(), fresh, app); err != nil {
			t.Errorf("after %s a fresh token is refused: %v", at, err)
		}
	}
}

// TestInvalidate_ReachesAllReplicas: all replicas ask AWS anew within 5 seconds, with tokens that
// count on, and what a late replica puts into the shared cache is found by none.
func TestInvalidate_ReachesAllReplicas(t *testing.T) {
	for name, invalidate := range map[string]func(*delegation.Delegator) error{
		"a subject": func(d *delegation.Delegator) error {
			return d.Invalidate(t.Context(), alice)
		},
		"everybody": func(d *delegation.Delegator) error { return d.InvalidateAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			shared := newSharedMemory()
			r := newReplicas(t, func(c *delegation.Config) { c.SharedCache = shared })
			token := r.sessionToken(alice, "", 0)
			r.wantAll(t, "before", token, "")
			if n := r.calls(); n != 1 {
				t.Fatalf("%d calls of three replicas that share, want 1", n)
			}
			kept := maps.Clone(shared.values)
			if err := invalidate(r.all[0]); err != nil {
				t.Fatal(err)
			}
			maps.Copy(shared.values, kept) // as a replica would whose call was under way
			r.settle()
			r.wantAll(t, "after", token, "")
			if n := r.calls(); n != 2 {
				t.Errorf("%d calls, want 2: the replicas share what is new", n)
			}
			if err := invalidate(r.all[1]); err != nil { // in the same second
				t.Fatal(err)
			}
			r.settle()
			r.wantAll(t, "after the second time", token, "")
			if n := r.calls(); n != 3 {
				t.Errorf("%d calls, want 3", n)
			}
		})
	}
}

// TestInvalidate_TwiceAtOnce: what is cached between two calls of the same instant is forgotten,
// also what comes into the shared cache late.
func TestInvalidate_TwiceAtOnce(t *testing.T) {
	shared := newSharedMemory()
	r := newReplicas(t, func(c *delegation.Config) { c.SharedCache = shared })
	token := r.sessionToken(alice, "", 0)
	kept := map[[2]string]*delegation.Credentials{}
	for want := 1; want <= 3; want++ {
		r.want(t, fmt.Sprint("round ", want), r.all[0], token, "")
		if n := r.calls(); n != want {
			t.Fatalf("%d calls, want %d", n, want)
		}
		maps.Copy(kept, shared.values)
		if err := r.all[0].Invalidate(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		maps.Copy(shared.values, kept) // as a replica would whose call was under way
	}
}

// TestRevocations_StoreFails: with a store that fails, nothing is granted once the last reading is
// 5 seconds old, and a revocation counts where it was made.
func TestRevocations_StoreFails(t *testing.T) {
	r := newReplicas(t)
	token := r.sessionToken(alice, "", 0)
	r.wantAll(t, "before", token, "")
	r.log.fail(errors.New("canary: connection refused"))
	r.clock.Advance(4 * time.Second)
	r.wantAll(t, "after 4 seconds", token, "")
	err := r.all[0].Revoke(t.Context(), delegation.Revocation{Subject: alice})
	e := wantError(t, err, delegation.StageToken, delegation.CodeRevocationsUnavailable)
	if !e.Retryable || strings.Contains(e.Public(), "canary") {
		t.Errorf("%v: public text %q", e, e.Public())
	}
	r.want(t, "where it was revoked", r.all[0], token, delegation.CodeSessionEnded)
	err = r.all[1].Invalidate(t.Context(), alice)
	wantError(t, err, delegation.StageToken, delegation.CodeRevocationsUnavailable)
	r.clock.Advance(time.Second)
	r.wantAll(t, "after 5 seconds", token, delegation.CodeRevocationsUnavailable)
	r.log.fail(nil)
	r.settle()
	for i := range 100 { // a reading that has failed may still be under way
		_, err := r.all[2].Exchange(t.Context(), token, app)
		if err == nil {
			break
		}
		if i == 99 || !errors.Is(err, delegation.CodeRevocationsUnavailable) {
			t.Fatal(err)
		}
	}
	last := r.seen[len(r.seen)-1]
	if last.Outcome != delegation.OutcomeFailed ||
		last.Code != delegation.CodeRevocationsUnavailable || last.Err == nil {
		t.Errorf("event %+v", last)
	}
}

// garbled is a store that returns what is no mark.
type garbled struct{ *revocationLog }

func (garbled) RevocationsSince(context.Context, string) (
	[]delegation.RevocationMark, string, error,
) {
	return []delegation.RevocationMark{{Key: "zz"}}, "1", nil
}

// hanging is a store that answers when the context ends.
type hanging struct{ *revocationLog }

func (hanging) RevocationsSince(ctx context.Context, _ string) (
	[]delegation.RevocationMark, string, error,
) {
	<-ctx.Done()
	return nil, "", ctx.Err()
}

// TestRevocations_OddStores: what cannot be understood, or does not come, grants nothing.
func TestRevocations_OddStores(t *testing.T) {
	w := newWorld(t)
	w.config.Revocations = delegation.NewRevocations(garbled{newRevocationLog()}, 0)
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageToken, delegation.CodeRevocationsUnavailable)
	w.config.Revocations = delegation.NewRevocations(hanging{newRevocationLog()}, 0)
	d := w.delegator(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Exchange(ctx, w.token(nil), app)
	if !errors.Is(err, delegation.CodeCanceled) {
		t.Errorf("a caller who has left: %v", err)
	}
}

// TestRevocations_Explain: Explain refuses what Exchange does, and ends nothing.
func TestRevocations_Explain(t *testing.T) {
	r := newReplicas(t)
	token := r.sessionToken(alice, "", 0)
	if err := r.all[0].Revoke(t.Context(), delegation.Revocation{Subject: alice}); err != nil {
		t.Fatal(err)
	}
	e, err := r.all[0].Explain(t.Context(), token, app)
	refused := wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
	if e.Subject != alice || refused.Public() != "the session has ended, sign in again" {
		t.Errorf("%+v, %q", e, refused.Public())
	}
}

// TestRevocations_KeptByWithConfig: a reload forgets no ended session if it passes the same
// Revocations.
func TestRevocations_KeptByWithConfig(t *testing.T) {
	w := newWorld(t)
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	d := w.delegator(t)
	token := w.token(nil)
	if err := d.Revoke(t.Context(), delegation.Revocation{Subject: alice}); err != nil {
		t.Fatal(err)
	}
	next, err := d.WithConfig(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = next.Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
}

// TestRevocations_WithStore: with an empty store, what was ended before stays so.
func TestRevocations_WithStore(t *testing.T) {
	w := newWorld(t)
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	d := w.delegator(t)
	token := w.token(nil)
	if err := d.Revoke(t.Context(), delegation.Revocation{Subject: alice}); err != nil {
		t.Fatal(err)
	}
	w.config.Revocations = w.config.Revocations.WithStore(new(revocationLog))
	_, err := w.delegator(t).Exchange(t.Context(), token, app)
	wantError(t, err, delegation.StageToken, delegation.CodeSessionEnded)
}

// TestRevoke_Refused: a revocation that says nothing, or that would end nothing, is an error.
func TestRevoke_Refused(t *testing.T) {
	w := newWorld(t)
	without := w.delegator(t)
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	d := w.delegator(t)
	for _, row := range []struct {
		of   delegation.Revocation
		code delegation.Code
	}{
		{delegation.Revocation{}, delegation.CodeArgumentInvalid},
		{delegation.Revocation{SessionID: "one"}, delegation.CodeArgumentInvalid},
		{delegation.Revocation{Subject: alice, SessionID: "one"}, delegation.CodeArgumentInvalid},
		{delegation.Revocation{Everybody: true, Subject: alice}, delegation.CodeArgumentInvalid},
		{delegation.Revocation{Subject: alice, IssuedBefore: start.Add(time.Hour)},
			delegation.CodeArgumentInvalid},
		{delegation.Revocation{Issuer: w.url + "/"}, delegation.CodeIssuerUnknown},
	} {
		if err := d.Revoke(t.Context(), row.of); !errors.Is(err, row.code) {
			t.Errorf("%+v: got %v, want %s", row.of, err, row.code)
		}
	}
	err := without.Revoke(t.Context(), delegation.Revocation{Everybody: true})
	wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
	for name, err := range map[string]error{
		//lint:ignore SA1012 a nil context is what is tested
		"no context": d.Revoke(nil, delegation.Revocation{Everybody: true}),
		"nil":        (*delegation.Delegator)(nil).Revoke(t.Context(), delegation.Revocation{}),
		"zero":       new(delegation.Delegator).Revoke(t.Context(), delegation.Revocation{}),
	} {
		if !errors.Is(err, delegation.CodeArgumentInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNewRevocations_Limits(t *testing.T) {
	w := newWorld(t)
	for kept, wrong := range map[time.Duration]bool{
		0: false, 12 * time.Hour: false, 366 * 24 * time.Hour: false,
		12*time.Hour - 1: true, 366*24*time.Hour + 1: true, -1: true,
	} {
		w.config.Revocations = delegation.NewRevocations(nil, kept)
		var words []string
		if wrong {
			words = []string{"Revocations: they are kept for", "12h0m0s"}
		}
		wantOfNew(t, w.config, words)
	}
	w.config.Revocations = &delegation.Revocations{}
	wantOfNew(t, w.config, []string{"Revocations: make them with NewRevocations"})
}

// TestRevocationEvent: the log has who was meant, from where, and no more of a text than fits.
func TestRevocationEvent(t *testing.T) {
	w := newWorld(t)
	w.config.Revocations = delegation.NewRevocations(nil, 0)
	w.config.Logger = slog.New(slog.NewJSONHandler(w.logs, nil))
	w.config.OnRevocation = func(context.Context, delegation.RevocationEvent) { panic("canary") }
	d := w.delegator(t)
	w.logs.Reset()
	err := d.Revoke(t.Context(), delegation.Revocation{
		Subject: strings.Repeat("x", 1000),
		Request: delegation.Request{ID: "r-1", IP: "192.0.2.1", UserAgent: "curl\x1b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Msg string
		Revocation map[string]any
	}
	first, _, _ := strings.Cut(w.logs.String(), "\n")
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"outcome": "allowed", "cause": "revoke", "subject": strings.Repeat("x", 256),
		"http_request_id": "r-1", "client_ip": "192.0.2.1", "user_agent": `curl\x1b`,
		"issued_before": start.Add(time.Minute).Format(time.RFC3339),
	}
	if line.Level != "INFO" || line.Msg != "sessions ended" ||
		fmt.Sprint(line.Revocation) != fmt.Sprint(want) {
		t.Errorf("%+v", line)
	}
	if !strings.Contains(w.logs.String(), "event lost") {
		t.Error("a hook that panicked is not in the log")
	}
}

var _ delegation.RevocationStore = (*revocationLog)(nil)
