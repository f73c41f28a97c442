package jsrules_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/jsrules"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world is an issuer and a signing key, made once for all tests.
var world = sync.OnceValue(func() *delegationtest.World {
	return must(delegationtest.Open())
})

// delegator returns a Delegator of the world for the one target, with these rules.
func delegator(
	t testing.TB, target delegation.AWS, rules []delegation.RuleFunc,
	onEvent func(context.Context, delegation.Event),
) *delegation.Delegator {
	t.Helper()
	c := world().Config
	c.IdentityProvider.EntityID = "urn:tenant.auth0.com"
	c.Targets = delegation.Targets{"CLIENT_ID": {AWS: target}}
	c.Rules = rules
	c.STS = noSTS{}
	c.OnEvent = onEvent
	return must(delegation.New(t.Context(), c))
}

// noSTS is for exchanges that end before.
type noSTS struct{}

func (noSTS) AssumeRoleWithSAML(
	context.Context, *sts.AssumeRoleWithSAMLInput, ...func(*sts.Options),
) (*sts.AssumeRoleWithSAMLOutput, error) {
	return nil, errors.New("no STS here")
}

var errPassed = errors.New("all rules said yes")

// outcome is what a chain of rules came to.
type outcome struct {
	user   *delegation.User
	rc     *delegation.RuleContext
	passed bool              // all rules said yes
	err    *delegation.Error // of the rules; nil if passed
	event  delegation.Event
}

// exchange runs rules in a real exchange, with a rule behind them that looks and ends it.
func exchange(
	t testing.TB, rules []delegation.RuleFunc, claims map[string]any, target delegation.AWS,
	request delegation.Request,
) (got outcome) {
	t.Helper()
	all := map[string]any{
		"aud":            "CLIENT_ID",
		"email":          "alice@example.com",
		"email_verified": true,
		"name":           "Alice",
	}
	maps.Copy(all, claims)
	look := func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
		got.user = user
		got.rc = rc
		got.passed = true
		return errPassed
	}
	note := func(_ context.Context, e delegation.Event) { got.event = e }
	d := delegator(t, target, slices.Concat(rules, []delegation.RuleFunc{look}), note)
	_, err := d.Exchange(t.Context(), world().Token(all), "CLIENT_ID",
		delegation.WithRequest(request))
	if !got.passed {
		errors.As(err, &got.err)
	}
	return got
}

// exchangeToTheEnd runs rules in a real exchange and returns its error, which has
// [delegation.CodeSTSRefused] if all rules and all checks after them said yes.
func exchangeToTheEnd(t testing.TB, rules []delegation.RuleFunc) error {
	t.Helper()
	target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	d := delegator(t, target, rules, nil)
	idToken := world().Token(map[string]any{"aud": "CLIENT_ID"})
	_, err := d.Exchange(t.Context(), idToken, "CLIENT_ID")
	return err
}

// run runs one rule without claims and settings of its own.
func run(t testing.TB, source string, o jsrules.Options) outcome {
	t.Helper()
	return exchange(t, []delegation.RuleFunc{compile(t, source, o)}, nil, delegation.AWS{},
		delegation.Request{})
}

// standing is a clock on which rules take no time, so that a slow machine does not end them. What
// their timers skip counts as ever.
func standing() func() time.Time {
	now := time.Now()
	return func() time.Time { return now }
}

// ticking is a clock that goes on by a step each time it is read, so that a run ends after so many
// looks at it, on any machine.
func ticking(step time.Duration) func() time.Time {
	now := time.Now()
	var reads atomic.Int64
	return func() time.Time { return now.Add(time.Duration(reads.Add(1)) * step) }
}

// init lets all tests run where the time is not that of rules, which is UTC. One test could not set
// it for itself: servers of other tests read it.
func init() { time.Local = must(time.LoadLocation("America/New_York")) }

// patience is how long a test waits before it fails. Nothing else takes that long, so a busy
// machine has time enough.
const patience = 3 * time.Minute

// compile compiles a rule whose limits in time are those of its timers.
func compile(t testing.TB, source string, o jsrules.Options) delegation.RuleFunc {
	t.Helper()
	return compileOn(t, standing(), source, o)
}

// compileOn compiles a rule whose limits are measured by a clock.
func compileOn(
	t testing.TB, clock func() time.Time, source string, o jsrules.Options,
) delegation.RuleFunc {
	t.Helper()
	rule, err := jsrules.Compile("rule", source, o.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// expect checks that rules ended with a code, and with a text in the error.
func (o outcome) expect(t testing.TB, code delegation.Code, text string) {
	t.Helper()
	if o.passed || o.err == nil || o.err.Code != code || o.err.Stage != delegation.StageRules ||
		!strings.Contains(o.err.Error(), text) {
		t.Errorf("got %+v, passed: %t, want %s with %q", o.err, o.passed, code, text)
	}
}

// failure returns the code of what failed if it is one of a rule that fails, and otherwise the code
// of such a rule.
func (o outcome) failure() delegation.Code {
	for _, code := range []delegation.Code{
		delegation.CodeRuleUserMissing, delegation.CodeRuleRedirect,
		delegation.CodeRuleMultifactor, delegation.CodeRuleContextMissing,
	} {
		if errors.Is(o.err, code) {
			return code
		}
	}
	return delegation.CodeRuleFailed
}

// body is a rule around statements.
func body(statements string) string {
	return "function (user, context, callback) {\n" + statements + "\n}"
}

// lines is a log of lines: level and text, without times.
type lines struct {
	mu    sync.Mutex
	lines []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "rule" {
				return slog.Attr{}
			}
			return a
		},
	}))
}
