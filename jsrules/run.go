package jsrules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules/internal/ecmaregexp"
	"github.com/seed055b7978/delegation/jsrules/internal/node"
)

// run is a JavaScript runtime and its state. Usually it runs one rule. If the rule leaves functions
// in global, the run also runs the next rules of the exchange, because functions cannot move from
// one runtime to another.
type run struct {
	turn
	*installation
	rt *goja.Runtime
	// global is nil until a rule uses it.
	global *object
	// before holds global as it was when the rule began.
	before map[string]any
	// denial is the class UnauthorizedError. It is nil until a rule uses it.
	denial *goja.Object
	// ofObjects is Object.prototype, or nil if nothing has asked for it, see objectPrototype.
	ofObjects *goja.Object
	// nested counts the guarded built-in functions that are under way.
	nested int
	// earlier are the vocabularies of the rules that ran in this runtime before.
	earlier []*vocabulary
	// changed is what the rule has decided, and out is what reads it: one allocation less for each.
	changed changes
	out     outgoing
	// digits are those that JavaScript does not have, of the numbers that the rules have read.
	digits digitsRead
}

// installation is what the runtime has for rules that use more than user, context and callback. It
// is nil until one does.
type installation struct {
	modules map[string]goja.Value
	// webFiles are the files of web that have been run, by name, and natives is what they need in
	// Go.
	webFiles map[string]*goja.Object
	natives  *goja.Object
	// node has the built-in modules. It is nil until a rule uses one.
	node *node.Modules
	// sizeLimited says that the classes of typed arrays limit their size.
	sizeLimited bool
	// joining are the lists that are being written as text.
	joining []*goja.Object
	// patterns are the regular expressions made at run time, by [patternKey].
	patterns map[string]*ecmaregexp.Regexp
	// recent is the regular expression that matched last.
	recent recentPattern
	// literalsOfModules are the regular expressions of the modules that were loaded.
	literalsOfModules []map[string]*ecmaregexp.Regexp
	// starting counts the published libraries that are being loaded.
	starting int
	// processMade is process, or nil if no module has asked for it.
	processMade goja.Value
	// matched is the text of the last match, and units are its code units.
	matched goja.String
	units   []uint16
	finder  ecmaregexp.Finder
	// matching is the last match, for properties of RegExp such as $1.
	matching lastMatch
	// installed is what [run.once] has installed.
	installed []string
	// dates is the class Date of the runtime, or nil.
	dates *dateClass
	// language has the parts of the language that language.js adds. It is nil until one is used.
	language *goja.Object
}

// turn is one call of a rule.
type turn struct {
	*rule
	*watch
	shared  *shared
	person  *delegation.User // as the rule got it
	user    *object
	context *object
	// guards are the objects in context that are known in part only, by name, and partial are the
	// same objects.
	guards  map[string]*goja.Object
	partial []*object
	// missing is about the first property that the rule read and nothing supplies, or nil.
	missing *missingError
	// refused is about the first call of an Action that fails the exchange, or nil. said is what
	// the Action has said.
	refused *callError
	said    *action
	// addon and aws are context.addonConfiguration and its property aws as the rule got them. They
	// are nil if the rule has not read them.
	addon  *object
	aws    *goja.Object
	reply  reply
	timers timers
	// calls are nil until the rule calls a host.
	calls *calls
	// rejected is the reason of a rejected promise that nothing handles.
	rejected goja.Value
	// parts has memory for what each turn needs.
	parts *turnParts
}

// turnParts are parts of a turn, in one allocation. Functions that the rule leaves in global can
// refer to them when the turn is over, so the next turn has its own.
type turnParts struct {
	user     object
	context  object
	addon    object
	exchange ofExchange
}

// run implements delegation.RuleFunc.
func (c *rule) run(
	ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
) error {
	return c.options.hiddenError(c.execute(ctx, user, rc))
}

// execute runs the rule. Its error may have values of the configuration.
func (c *rule) execute(
	ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
) error {
	if ctx == nil || user == nil || rc == nil {
		absent := errors.New("the context, the user or the RuleContext is nil")
		return &Error{Rule: c.name, Err: absent}
	}
	rc.Rule = c.name
	if len(c.options.Configuration) > 0 || len(c.options.Secrets) > 0 {
		rc.HideSecrets(c.options.hide)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r := c.take(ctx, c.options.Set.sharedIn(rc))
	defer func() { r.shared.spent += r.spent() }()
	if r.limit <= 0 {
		return r.fail(ErrTimeout)
	}
	if err := r.begin(ctx, user, rc); err != nil {
		return r.fail(err)
	}
	r.watch.start(r.uses.busy)
	defer r.endCalls()
	defer r.watch.stop()
	changes, err := r.outcome(rc)
	if err != nil {
		failure := r.fail(err)
		// Describing the error can call getters of the rule, which may have been stopped.
		if reason := r.stopped(); reason != nil {
			return r.fail(reason)
		}
		return failure
	}
	r.noteDetours(changes.detours, rc)
	last := r.last()
	if last {
		if err := r.shared.checkDetours(); err != nil {
			rc.Rule = err.Rule
			return err
		}
	}
	changes.apply(user, rc, r)
	r.noteSAML(changes, user, rc)
	if last {
		if err := r.shared.applySAML(user, rc); err != nil {
			rc.Rule = err.Rule
			return err
		}
	}
	return nil
}

// take returns the run that earlier rules of the exchange have left, or a new one.
func (c *rule) take(ctx context.Context, s *shared) *run {
	r := s.kept
	if c.action {
		r = nil // an Action never had the global of rules: it stays for the next rule
	} else {
		s.kept = nil
	}
	if r == nil {
		r = &run{rt: goja.New()}
	} else {
		r.earlier = append(r.earlier, &r.uses)
		r.rt.ClearInterrupt()
	}
	r.turn = turn{rule: c, shared: s, parts: &turnParts{}}
	if c.action {
		r.said = &action{}
	}
	r.watch = &watch{
		ctx:     ctx,
		runtime: r.rt,
		now:     c.options.clock,
		began:   c.options.clock(),
		limit:   min(c.options.RuleTimeout, c.options.ChainTimeout-s.spent),
	}
	return r
}

// outcome calls the rule and reads what it has decided. It returns the first error. Reasons to stop
// the rule and missing properties take precedence, because the rule could have hidden them.
func (r *run) outcome(rc *delegation.RuleContext) (*changes, error) {
	changes, err := r.callAndCollect(rc)
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
	if r.refused != nil {
		return nil, r.refused
	}
	return changes, err
}

func (r *run) callAndCollect(rc *delegation.RuleContext) (changes *changes, err error) {
	if err := r.try(r.callRule); err != nil {
		return nil, err
	}
	if r.action {
		return r.collectAction(rc), r.settleAction()
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	err = r.try(func() { changes = r.collect(rc) })
	return changes, err
}

// begin prepares the runtime, and the user and the context for the rule.
func (r *run) begin(ctx context.Context, user *delegation.User, rc *delegation.RuleContext) error {
	r.rt.SetMaxCallStackSize(maxDepth)
	if r.shared.saml == nil && r.options.Set.saml.Load() {
		r.shared.saml = newSAMLState(&rc.AWS)
	}
	if !r.shared.begun {
		given, err := r.contextGiven(ctx, user, rc)
		if err != nil {
			return err
		}
		r.shared.begun = true
		r.shared.context = given
		mergeMetadata(user, rc.Issuer)
	}
	r.person = user
	r.user = r.userObject(user)
	r.context = r.contextObject(rc)
	if !r.uses.busy && len(r.globals) == 0 && len(r.given) == 0 && len(r.web) == 0 {
		return nil
	}
	if r.installation == nil {
		r.installation = &installation{}
	}
	return r.try(func() {
		r.rt.SetTimeSource(r.time)
		r.installGuards()
		r.installGlobals()
	})
}

// time is the time that rules see. What their timers skip has passed.
func (r *run) time() time.Time { return r.options.Now().Add(r.skipped) }

// callRule calls the rule, and then its timers and what waits for its calls over HTTP, until the
// rule has called callback or has nothing left to do. goja settles promises whenever no function is
// running.
func (r *run) callRule() {
	result := r.callFunction()
	for r.unfinished(result) && r.step() {
	}
	if rejected(result) {
		panic(&thrownValue{result.Export().(*goja.Promise).Result()})
	}
}

// callFunction calls the rule, or the function of an Action.
func (r *run) callFunction() (result goja.Value) {
	if r.action {
		return r.callAction()
	}
	value := r.must(r.rt.RunProgram(r.program))
	function, _ := goja.AssertFunction(value)
	callback := r.rt.ToValue(r.reply.callback)
	return r.must(function(goja.Undefined(), r.user.js, r.context.js, callback))
}

// unfinished reports whether a timer can still change what comes of the rule.
func (r *run) unfinished(result goja.Value) bool {
	if r.action {
		return pending(result)
	}
	return r.reply.calls == 0 && !rejected(result)
}

// rejected reports whether a rule's result is a promise that was rejected.
func rejected(result goja.Value) bool {
	if result.ExportType() != reflect.TypeFor[*goja.Promise]() {
		return false
	}
	promise, ok := result.Export().(*goja.Promise)
	return ok && promise.State() == goja.PromiseStateRejected
}

// must throws an error of JavaScript, which [run.try] returns.
func (r *run) must(value goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return value
}

// try calls a function that may throw, and returns the error that it threw.
func (r *run) try(call func()) (err error) {
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case *goja.Exception, *goja.InterruptedError, *goja.StackOverflowError, *valueError,
			*missingError, *callError, *thrownValue:
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

// thrownValue is the reason of the rule's rejected promise, or the error that it gave to callback.
type thrownValue struct{ value goja.Value }

func (t *thrownValue) Error() string { return "an error of the rule" }

// fail turns any error into the rule's error. An ended context stays as it is.
func (r *run) fail(err error) error {
	failure := &Error{Rule: r.name, Err: err}
	var exception *goja.Exception
	var overflow *goja.StackOverflowError
	var thrown *thrownValue
	var lacking *missingError
	var refused *callError
	if complete, is := err.(*Error); is {
		return complete
	}
	switch {
	case r.ctx != nil && r.ctx.Err() != nil && errors.Is(err, context.Cause(r.ctx)):
		return err
	case errors.Is(err, errDenied):
		return delegation.Deny(*r.said.denied)
	case errors.As(err, &lacking):
		r.locate(failure, lacking.where)
	case errors.As(err, &refused):
		r.locate(failure, refused.where)
	case errors.As(err, &overflow):
		failure.Err = ErrDepth
	case errors.As(err, &thrown):
		return r.located(r.failure(thrown.value, nil), thrown.value)
	case errors.As(err, &exception):
		return r.failure(exception.Value(), exception.Stack())
	}
	return failure
}
