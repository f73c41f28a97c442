package jsrules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/ecmaregexp"
)

// run is a JavaScript runtime and what belongs to it. Usually it runs one rule. A run whose rule has
// left functions in global runs the next rules of the exchange too, because functions cannot go
// from one runtime to another.
type run struct {
	turn
	rt       *goja.Runtime
	global   *object        // nil: no rule has it
	before   map[string]any // what global was when the rule began
	denial   *goja.Object   // UnauthorizedError; nil: no rule has it
	modules  map[string]goja.Value
	nested   int            // guarded built-in functions in each other
	joining  []*goja.Object // lists that are becoming text
	patterns map[string]*ecmaregexp.Regexp
	matched  goja.String   // the text of the last match
	units    []uint16      // its code units
	earlier  []*vocabulary // of rules that ran before in this runtime
}

// turn is one call of a rule.
type turn struct {
	*rule
	*watch
	exchange *exchange
	user     *object
	strategy string // context.connectionStrategy
	context  *object
	guards   map[string]*goja.Object // objects in context of which a part is known
	partial  []*object               // these
	missing  *missingError           // what the rule read and nobody supplies; nil: nothing
	aws      *goja.Object            // addonConfiguration.aws as the rule got it; nil: not looked at
	addon    *goja.Object            // context.addonConfiguration as the rule got it; likewise
	answer   answer
	timers   timers
	rejected goja.Value // of a promise that nobody waits for
}

// run implements delegation.RuleFunc.
func (c *rule) run(
	ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
) error {
	if ctx == nil || user == nil || rc == nil {
		return &Error{Rule: c.name, Err: errors.New("the context, the user or the RuleContext is nil")}
	}
	rc.Rule = c.name
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := c.take(ctx, c.options.Set.exchangeOf(rc))
	defer func() { r.exchange.spent += r.spent() }()
	if r.limit <= 0 {
		return r.fail(ErrTimeout)
	}
	if err := r.begin(ctx, user, rc); err != nil {
		return r.fail(err)
	}
	r.watch.start(r.uses.busy)
	defer r.watch.stop()
	changes, err := r.outcome(user, rc)
	if err != nil {
		failure := r.fail(err)
		if reason := r.stopped(); reason != nil { // while it was said what is wrong
			return r.fail(reason)
		}
		return failure
	}
	r.noteDetours(changes.detours, rc)
	if r.last() {
		if err := r.exchange.checkDetours(); err != nil {
			rc.Rule = err.Rule
			return err
		}
	}
	changes.apply(user, rc, r)
	return nil
}

// take returns the run that earlier rules of the exchange have left, or a new one.
func (c *rule) take(ctx context.Context, e *exchange) *run {
	r := e.kept
	e.kept = nil
	if r == nil {
		r = &run{rt: goja.New()}
	} else {
		r.earlier = append(r.earlier, &r.uses)
		r.rt.ClearInterrupt()
	}
	limit := min(c.options.RuleTimeout, c.options.ChainTimeout-e.spent)
	r.turn = turn{rule: c, exchange: e, watch: &watch{
		ctx:     ctx,
		runtime: r.rt,
		now:     c.options.clock,
		began:   c.options.clock(),
		limit:   limit,
	}}
	return r
}

// outcome calls the rule and reads what it has decided. The first error counts, but for reasons
// that the rule could have caught or hidden.
func (r *run) outcome(user *delegation.User, rc *delegation.RuleContext) (*changes, error) {
	var changes *changes
	err := r.try(r.call)
	if err == nil {
		err = r.settle()
	}
	if err == nil {
		err = r.try(func() { changes = r.collect(user, rc) })
	}
	r.context.checkAsked()
	for _, object := range r.partial {
		object.checkAsked()
	}
	if reason := r.stopped(); reason != nil {
		return nil, reason
	}
	if r.missing != nil {
		return nil, r.missing
	}
	return changes, err
}

// begin prepares the runtime and what the rule is called with.
func (r *run) begin(ctx context.Context, user *delegation.User, rc *delegation.RuleContext) error {
	r.rt.SetMaxCallStackSize(maxDepth)
	r.rt.SetTimeSource(func() time.Time { return r.options.Now().Add(r.skipped) })
	if r.exchange.context == nil {
		given, err := r.contextGiven(ctx, user, rc)
		if err != nil {
			return err
		}
		r.exchange.context = given
		mergeMetadata(user)
	}
	r.strategy = user.Text("identities.0.provider")
	r.user = r.userObject(user)
	r.context = r.contextObject(rc)
	return r.try(func() {
		r.installGuards()
		r.installGlobals()
	})
}

// call calls the rule, and the timers it sets, until it has called callback or has nothing left to do. Promises are settled on the
// way: goja does that whenever no function is running.
func (r *run) call() {
	value := r.must(r.rt.RunProgram(r.program))
	function, _ := goja.AssertFunction(value)
	result := r.must(function(goja.Undefined(), r.user.js, r.context.js, r.rt.ToValue(r.answer.callback)))
	for r.answer.calls == 0 && !rejected(result) {
		next := r.timers.next()
		if next == nil {
			break
		}
		r.skipped = max(r.skipped, next.at)
		if r.spent() > r.limit {
			r.interrupt(ErrTimeout)
			break
		}
		r.must(next.call(goja.Undefined(), next.arguments...))
	}
	if rejected(result) {
		panic(&thrownValue{result.Export().(*goja.Promise).Result()})
	}
}

func rejected(result goja.Value) bool {
	if result.ExportType() != reflect.TypeFor[*goja.Promise]() {
		return false
	}
	promise, ok := result.Export().(*goja.Promise)
	return ok && promise.State() == goja.PromiseStateRejected
}

// must passes an error of JavaScript on, within [run.try].
func (r *run) must(value goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return value
}

// try runs what may throw, and returns what it threw.
func (r *run) try(call func()) (err error) {
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case *goja.Exception, *goja.InterruptedError, *goja.StackOverflowError, *valueError,
			*missingError, *thrownValue:
			err = thrown.(error)
		default: // a mistake in goja, or here
			err = fmt.Errorf("the rule cannot be run: %s", short(fmt.Sprint(thrown)))
		}
	}()
	if exception := r.rt.Try(call); exception != nil {
		return exception
	}
	return nil
}

// thrownValue is what the rule's promise was rejected with, or what it gave to callback as an error.
type thrownValue struct{ value goja.Value }

func (t *thrownValue) Error() string { return "an error of the rule" }

// fail makes the rule's error of whatever went wrong.
func (r *run) fail(err error) error {
	failure := &Error{Rule: r.name, Err: err}
	var exception *goja.Exception
	var overflow *goja.StackOverflowError
	var thrown *thrownValue
	var lacking *missingError
	switch {
	case r.ctx != nil && r.ctx.Err() != nil && errors.Is(err, context.Cause(r.ctx)):
		return err
	case errors.As(err, &lacking):
		r.locate(failure, lacking.where)
	case errors.As(err, &overflow):
		failure.Err = ErrDepth
	case errors.As(err, &thrown):
		return r.failure(thrown.value, nil)
	case errors.As(err, &exception):
		return r.failure(exception.Value(), exception.Stack())
	}
	return failure
}
