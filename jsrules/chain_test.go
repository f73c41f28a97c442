package jsrules_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// folder makes rules of sources, in order, whose limits in time are those of their timers.
func folder(t testing.TB, o jsrules.Options, sources ...string) []delegation.RuleFunc {
	t.Helper()
	return folderOn(t, standing(), o, sources...)
}

// folderOn makes rules of sources, in order, whose limits are measured by a clock.
func folderOn(
	t testing.TB, clock func() time.Time, o jsrules.Options, sources ...string,
) []delegation.RuleFunc {
	t.Helper()
	files := fstest.MapFS{}
	for i, source := range sources {
		files[fmt.Sprintf("%02d-rule.js", i+1)] = &fstest.MapFile{Data: []byte(source)}
	}
	rules, err := jsrules.CompileFolder(files, o.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestChain: rules in Go and in JavaScript see what those before them did, in any order, and
// JavaScript's keep their context.
func TestChain(t *testing.T) {
	js := folder(t, jsrules.Options{},
		body(`context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/one';
			context.addonConfiguration.note = {n: 1};
			context.addonConfiguration.azure = 'x';
			context.own = {list: [1]};
			context.clientID = 'changed';
			delete context.stats;
			user.from = ['js'];
			callback(null, user, context);`),
		body(
			`user.seen = [context.addonConfiguration.aws.role, context.addonConfiguration.note, context.addonConfiguration.azure,
				context.own, context.clientID, context.stats === undefined, 'stats' in context, user.from];
			context.own.list.push(2);
			callback(null, user, {own: context.own, other: true});`),
		body(
			`user.later = [context.own.list, context.other, context.clientID, Object.keys(context).indexOf('stats')]; callback(null, user, context);`))
	golang := func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		rc.AWS.Role += "-and-go"
		user.Set("from", append(user.List("from"), "go"))
		return nil
	}
	got := exchange(t, []delegation.RuleFunc{golang, js[0], golang, js[1], js[2], golang},
		nil, delegation.AWS{Role: "arn:aws:iam::123456789012:role/zero"}, delegation.Request{})
	if !got.passed {
		t.Fatal(got.err)
	}
	if got.rc.AWS.Role != "arn:aws:iam::123456789012:role/one-and-go-and-go" ||
		got.rc.ClientID != "CLIENT_ID" {
		t.Errorf("got %+v", got.rc)
	}
	want := []any{
		"arn:aws:iam::123456789012:role/one-and-go", map[string]any{"n": 1},
		"x", map[string]any{"list": []int{1, 2}}, "changed", true, false, []string{"js", "go"},
	}
	if !sameJSON(got.user.Properties["seen"], want) {
		t.Errorf("the second rule saw %v, want %v", got.user.Properties["seen"], want)
	}
	want = []any{[]int{1, 2}, true, "changed", -1}
	if !sameJSON(got.user.Properties["later"], want) {
		t.Errorf("the third rule saw %v, want %v", got.user.Properties["later"], want)
	}
	if again := exchange(t, js[1:2], nil, delegation.AWS{}, delegation.Request{}); again.passed {
		t.Errorf("another exchange saw the context of the first: %v", again.user.Properties["seen"])
	}
}

// TestChainTimeout: the time of all rules of an exchange is limited together, with what their
// timers skip, and without rules in Go.
func TestChainTimeout(t *testing.T) {
	wait := body(`setTimeout(function () { callback(null, user, context) }, 900)`)
	rules := folder(t, jsrules.Options{ChainTimeout: 2 * time.Second}, wait, wait, wait)
	got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	got.expect(t, delegation.CodeRuleFailed, "the time is up")
	if got.event.Rule != "03-rule" || !errors.Is(got.err, jsrules.ErrTimeout) {
		t.Errorf("the rule %q ended it with %v", got.event.Rule, got.err)
	}
	if got := exchange(t, rules[:2], nil, delegation.AWS{}, delegation.Request{}); !got.passed {
		t.Errorf("the next exchange has no time left: %v", got.err)
	}
	// A clock that is read once at least when a rule begins and when it ends.
	quick := body(`callback(null, user, context)`)
	options := jsrules.Options{RuleTimeout: time.Hour, ChainTimeout: 3 * time.Minute}
	rules = folderOn(t, ticking(time.Minute), options, quick, quick, quick, quick)
	exchange(t, rules, nil, delegation.AWS{}, delegation.Request{}).
		expect(t, delegation.CodeRuleFailed, "the time is up")
}

// TestFreshRuntime: what a run does to the language does not reach the next.
func TestFreshRuntime(t *testing.T) {
	rule := compile(t, body(`
		if (Object.prototype.evil || Array.prototype.map === 1 || typeof leaked !== 'undefined' || configuration.x !== 'y') return callback(new Error('polluted'));
		Object.prototype.evil = true;
		Array.prototype.map = 1;
		JSON.parse = UnauthorizedError = console = null;
		leaked = true;
		Object.getPrototypeOf(context.request).evil = 2;
		callback(null, user, context);`),
		jsrules.Options{Configuration: map[string]string{"x": "y"}})
	for range 3 {
		got := exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{})
		if !got.passed {
			t.Fatal(got.err)
		}
	}
}

// TestGlobal: what rules put into global is there for the next run of every rule of the set, as
// JSON carries it.
func TestGlobal(t *testing.T) {
	count := body(`global.counter = (global.counter || 0) + 1;
		global.f = global.f || function () {};
		global.names = global.names || {};
		global.names[user.user_id] = {when: new Date(0)};
		if (global.gone) delete global.gone; else global.gone = 1;
		user.counter = global.counter; user.f = typeof global.f; user.keys = Object.keys(global).sort();
		callback(null, user, context);`)
	set := &jsrules.Set{}
	first := compile(t, count, jsrules.Options{Set: set})
	second := compile(t, count, jsrules.Options{Set: set})
	for i, rule := range []delegation.RuleFunc{first, second, first} {
		got := exchange(t, []delegation.RuleFunc{rule},
			map[string]any{"sub": fmt.Sprint("auth0|", i)}, delegation.AWS{}, delegation.Request{})
		if !got.passed || !sameJSON(got.user.Properties["counter"], i+1) {
			t.Fatalf("run %d: %v, counter %v", i, got.err, got.user.Properties["counter"])
		}
	}
	other := exchange(t, []delegation.RuleFunc{compile(t, count, jsrules.Options{})},
		nil, delegation.AWS{}, delegation.Request{})
	if !sameJSON(other.user.Properties["counter"], 1) {
		t.Errorf("another set has the counter %v", other.user.Properties["counter"])
	}
}

// TestGlobalMerge: a run writes back what it has changed, and not what another has changed
// meanwhile.
func TestGlobalMerge(t *testing.T) {
	set := &jsrules.Set{}
	during := compile(t,
		body(
			`global.theirs = 2; global.list.push(2); delete global.gone; callback(null, user, context)`),
		jsrules.Options{Set: set})
	options := jsrules.Options{
		Set: set,
		Modules: map[string]jsrules.Module{"meanwhile": {Functions: map[string]jsrules.Function{
			"run": func(ctx context.Context, _ []any) (any, error) {
				return nil, during(ctx, benchmarkUser(), benchmarkContext())
			},
		}}},
	}
	for _, source := range []string{
		`global.theirs = 1; global.list = [1]; global.gone = 1; global.old = 1; callback(null, user, context)`,
		`user.saw = [global.theirs, global.list.length, global.gone]; require('meanwhile').run(); global.mine = 3; delete global.old; callback(null, user, context)`,
		`callback(null, {global}, context)`,
	} {
		user := benchmarkUser()
		err := compile(t, body(source), options)(t.Context(), user, benchmarkContext())
		if err != nil {
			t.Fatal(err)
		}
		got, ok := user.Properties["global"]
		if ok && !sameJSON(got, map[string]any{"theirs": 2, "list": []int{1, 2}, "mine": 3}) {
			t.Errorf("got %v", got)
		}
	}
}

// TestGlobalOverflow: a rule that collects without end loses what it has collected and does not
// fail.
func TestGlobalOverflow(t *testing.T) {
	log := &lines{}
	rule := compile(t, body(`global.all = global.all || [];
		for (var i = 0; i < 60000; i++) global.all.push(i);
		user.n = global.all.length;
		callback(null, user, context);`), jsrules.Options{Logger: log.logger()})
	for i, want := range []int{60000, 120000, 60000} {
		got := exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{})
		if !got.passed || !sameJSON(got.user.Properties["n"], want) {
			t.Fatalf("run %d: %v, %v", i, got.err, got.user.Properties["n"])
		}
	}
	if len(log.lines) != 1 || !strings.Contains(log.lines[0], "global is dropped") {
		t.Errorf("log: %q", log.lines)
	}
}

// TestConcurrentRuns: one rule set serves many exchanges at once, each with its own user, and
// global loses no name.
func TestConcurrentRuns(t *testing.T) {
	set := &jsrules.Set{}
	// so many at once take their time
	rules := folder(t, jsrules.Options{Set: set, RuleTimeout: time.Hour, ChainTimeout: time.Hour},
		body(`var pattern = /^auth0\|(\d+)$/g;
			context.mine = pattern.exec(user.sub)[1];
			global['user' + context.mine] = true;
			global.shared = (global.shared || []).slice(0, 5).concat(context.mine);
			context.addonConfiguration.aws.tags = {n: context.mine};
			callback(null, user, context);`),
		`async (user, context, callback) => {
			await new Promise(resolve => setTimeout(resolve, 10));
			user.mine = Buffer.from(context.mine).toString('base64') + require('util').format('%s', user.sub);
			callback(null, user, context);
		}`)
	var all sync.WaitGroup
	for n := range 64 {
		all.Go(func() {
			for range 5 {
				user := &delegation.User{Properties: map[string]any{"sub": fmt.Sprint("auth0|", n)}}
				rc := benchmarkContext()
				for _, rule := range rules {
					if err := rule(t.Context(), user, rc); err != nil {
						t.Error(err)
						return
					}
				}
				if rc.AWS.Tags["n"] != fmt.Sprint(n) ||
					!strings.HasSuffix(user.Text("mine"), fmt.Sprint("auth0|", n)) {
					t.Errorf("run %d got %v and %v", n, rc.AWS.Tags, user.Text("mine"))
				}
			}
		})
	}
	all.Wait()
	user := benchmarkUser()
	count := compile(t, body(`callback(null, {n: Object.keys(global).length}, context);`),
		jsrules.Options{Set: set})
	err := count(t.Context(), user, benchmarkContext())
	if err != nil || !sameJSON(user.Properties["n"], 65) {
		t.Errorf("global has %v names, want 64 and the shared one: %v", user.Properties["n"], err)
	}
}

// TestCancel: a caller that goes away ends a rule in the middle, and nothing is left running.
func TestCancel(t *testing.T) {
	before := runtime.NumGoroutine()
	rule := compile(t, body(`for (;;) { try { for (;;); } catch (e) {} }`),
		jsrules.Options{RuleTimeout: time.Hour, ChainTimeout: time.Hour})
	cause := errors.New("the caller went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	if err := rule(ctx, benchmarkUser(), benchmarkContext()); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if err := rule(ctx, benchmarkUser(), benchmarkContext()); !errors.Is(err, cause) {
		t.Errorf("a context that has ended: got %v", err)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}
