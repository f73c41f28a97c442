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

// defaultRuleTimeout is what Auth0 gave to all rules of a login together, about.
const defaultRuleTimeout = 20 * time.Second

// maxRuleCalls is how many calls of one rule or of the profile loader run at the same time; more
// wait for their turn, within their limit.
const maxRuleCalls = 1000

// ruleLimit limits the time of the operator's Go code in one exchange: of rules, of the checks that
// they leave, and of the profile loader. Such code runs on a goroutine of its own, which the
// exchange leaves when the time is over. It may then still write to the User and the RuleContext,
// so nobody else may look at them.
type ruleLimit struct {
	timeout time.Duration
	callees *guard.Callees // of the Delegator
	// running says that the code that runs now is limited.
	running atomic.Bool
	// abandoned says that such code was left while it ran. It stays so, although the code that had
	// called it may have ended.
	abandoned atomic.Bool
}

// errRuleTime is the cause of the context's end when the time of a rule is over.
var errRuleTime = errors.New("its time is over")

// errStillRuns is that a rule has ended and one that it called was left.
var errStillRuns = errors.New("a rule that it called still runs")

// ruleTimeError says that code of the operator's took too long.
type ruleTimeError struct {
	what    string
	timeout time.Duration
	err     error
}

func (e *ruleTimeError) Error() string {
	if errors.Is(e.err, guard.ErrStuck) {
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
	limited, cancel := context.WithTimeoutCause(ctx, l.timeout, errRuleTime)
	defer cancel()
	outer := l.running.Swap(true)
	run := &limitedRun{ended: make(chan struct{})}
	err := l.callees.CallWithin(limited, name, func() error {
		run.begun.Store(true)
		defer close(run.ended)
		err := code(limited)
		run.returned = true
		run.err = err
		return err
	})
	if ctx.Err() != nil && !outer && run.begun.Load() {
		err = run.outcome(limited, err)
	}
	stuck := errors.Is(err, guard.ErrStuck) && !run.hasEnded() // it was not called
	if !run.hasEnded() && !stuck {
		l.abandoned.Store(true)
	}
	if !l.abandoned.Load() {
		l.running.Store(outer)
	}
	switch {
	case err == nil && l.abandoned.Load():
		return &ruleTimeError{what, l.timeout, errStillRuns}
	case err == nil || ctx.Err() != nil:
		return err
	case !run.hasEnded(), limited.Err() != nil && endedByContext(err):
		return &ruleTimeError{what, l.timeout, err}
	}
	return err
}

// limitedRun is one run of limited code.
type limitedRun struct {
	begun atomic.Bool
	ended chan struct{} // closed after the code has returned or panicked

	// To be read after ended.
	returned bool
	err      error
}

func (r *limitedRun) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// outcome is that of code whose exchange has ended: the code has what is left of its time, because
// it may still deny. err is what counts otherwise.
func (r *limitedRun) outcome(limited context.Context, err error) error {
	deadline, _ := limited.Deadline()
	left := time.NewTimer(time.Until(deadline))
	defer left.Stop()
	select {
	case <-r.ended:
	case <-left.C:
	}
	if r.hasEnded() && r.returned {
		return r.err
	}
	return err
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

// WithOwnTimeout tells [New] that a rule limits its own time: Config.RuleTimeout is not for it, and
// it runs on the goroutine of the exchange. Package jsrules does this for rules in JavaScript,
// whose limits are in its Options. A rule that waits for something else in spite of this holds its
// exchange until it returns. The rule itself stays as it is, and so does its name. A nil rule stays
// nil.
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
