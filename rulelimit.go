package delegation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation/internal/guard"
)

// defaultProfileTimeout is what Auth0 gave to all rules of a login together, about.
const defaultProfileTimeout = 20 * time.Second

// maxRuleRuns is how many goroutines run rules and the profile loader at the same time, for all
// exchanges together; more wait for their turn, within their limit.
const maxRuleRuns = 1000

// ruleLimit limits the time of the operator's Go code in one exchange: of rules, of the checks that
// they leave, and of the profile loader. Such code runs on a goroutine of its own, which the
// exchange leaves when the time is over. It may then still write to the User and the RuleContext,
// so nobody else may look at them.
type ruleLimit struct {
	timeout time.Duration
	runs    *limitedRuns // of the Delegator
	// running says that the code that runs now is limited.
	running atomic.Bool
	// abandoned says that such code was left while it ran. It stays so, although the code that had
	// called it may have ended.
	abandoned atomic.Bool
}

// errRuleTime is the cause of the context's end when the time of a rule is over.
var errRuleTime = errors.New("its time is over")

// errStillRuns says that a rule has ended, but a rule that it called was abandoned and still runs.
var errStillRuns = errors.New("a rule that it called still runs")

// ruleTimeError says that code of the operator's took too long.
type ruleTimeError struct {
	what    string
	timeout time.Duration
	err     error
}

func (e *ruleTimeError) Error() string {
	if errors.Is(e.err, guard.ErrStuck) || errors.Is(e.err, errNoTurn) {
		return fmt.Sprintf("%s was not called: %v", e.what, e.err)
	}
	if errors.Is(e.err, errStillRuns) {
		return fmt.Sprintf("%s has ended, but %v", e.what, e.err)
	}
	return fmt.Sprintf("%s took longer than %s", e.what, e.timeout)
}

func (e *ruleTimeError) Unwrap() error { return e.err }

// do calls code under a name, with a context that ends with the limit. An error of the limit is a
// *ruleTimeError. Without a limit the code runs on the caller's goroutine.
func (l *ruleLimit) do(
	ctx context.Context, name, what string, code func(context.Context) error,
) error {
	if l == nil || l.timeout <= 0 {
		return guard.Call(func() error { return code(ctx) })
	}
	_, err := l.run(ctx, oneStep{name, code}, what, 0, 1)
	return err
}

// oneStep is code of a single step.
type oneStep struct {
	as   string
	code func(context.Context) error
}

func (s oneStep) name(int) string { return s.as }

func (s oneStep) call(ctx context.Context, _ int) error {
	return guard.Call(func() error { return s.code(ctx) })
}

// run calls the steps of code from first to before end, one after the other, on a goroutine of
// their own. Each has the whole limit. It ends after the first step that fails, and when the
// context has ended. It returns the step that was the last, and its error.
//
// An exchange whose context has ended waits for the step that runs, because it may deny. Code that
// limited code calls is left at once.
func (l *ruleLimit) run(
	ctx context.Context, code limitedCode, what string, first, end int,
) (last int, err error) {
	outer := l.running.Swap(true)
	r := &limitedRun{
		limit:  l,
		parent: ctx,
		code:   code,
		what:   what,
		steps:  make([]stepContext, end-first),
		began:  time.Now(),
		ended:  make(chan struct{}),
		last:   first,
		err:    guard.ErrEnded,
	}
	r.at.Store(int64(first))
	timer := time.NewTimer(l.timeout)
	defer timer.Stop()
	var leaves <-chan struct{}
	if outer {
		leaves = ctx.Done()
	} else if err := r.takeTurn(timer); err != nil {
		l.running.Store(outer)
		return first, err
	}
	go r.work(!outer)
	last, err = r.wait(timer, leaves)
	if !l.abandoned.Load() {
		l.running.Store(outer)
	}
	return last, err
}

// endedByContext tells whether an error is that of a context whose time is over.
func endedByContext(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errRuleTime)
}

// call runs a rule. One of this package, and one that limits its own time, runs on the caller's
// goroutine: neither can hang.
func (r *namedRule) call(ctx context.Context, user *User, rc *RuleContext) error {
	if !r.limited || rc.limit == nil {
		return r.run(ctx, user, rc)
	}
	return rc.limit.do(ctx, r.name, "it", func(ctx context.Context) error {
		return r.run(ctx, user, rc)
	})
}

// wasAbandoned tells whether a rule was left while it ran. The RuleContext and the User are then
// the rule's, and must not be read.
func (rc *RuleContext) wasAbandoned() bool { return rc.limit != nil && rc.limit.abandoned.Load() }

// WithOwnTimeout tells [New] that a rule limits its own time: Config.RuleTimeout does not apply to
// it, and it runs on the goroutine of the exchange. Package jsrules does this for rules in
// JavaScript, whose limits are in its Options. If such a rule hangs, its exchange hangs too. It
// changes neither the rule nor its name. A nil rule stays nil.
func WithOwnTimeout(rule RuleFunc) RuleFunc {
	if rule == nil {
		return nil
	}
	if !mayHang(rule) {
		return rule
	}
	return (&ownTimeout{rule}).wrapped()
}

// ownTimeout is a rule that limits its own time.
type ownTimeout struct{ rule RuleFunc }

// wrapped returns the rule as a function. It is not inlined: unwrapped recognizes these functions
// by their code, which they share.
//
//go:noinline
func (o *ownTimeout) wrapped() RuleFunc {
	return func(ctx context.Context, user *User, rc *RuleContext) error {
		if rc != nil && rc.asksWrapped != nil {
			*rc.asksWrapped = o.rule
			return nil
		}
		return o.rule(ctx, user, rc)
	}
}

// unwrapped returns the rule that was given to WithOwnTimeout. For every other rule it returns nil,
// without a call.
func unwrapped(rule RuleFunc) (inner RuleFunc) {
	ours := reflect.ValueOf((&ownTimeout{}).wrapped()).Pointer()
	if rule == nil || reflect.ValueOf(rule).Pointer() != ours {
		return nil
	}
	_ = rule(context.Background(), nil, &RuleContext{asksWrapped: &inner})
	return inner
}

// mayHang tells whether a rule is neither of this package nor limits its own time.
func mayHang(rule RuleFunc) bool { return readyMadeOf(rule) == nil && unwrapped(rule) == nil }
