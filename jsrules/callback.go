package jsrules

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// answer is what the rule gave to callback.
type answer struct {
	calls              int
	err, user, context goja.Value
	withUser           bool // there was a second argument
}

func (a *answer) callback(call goja.FunctionCall) goja.Value {
	if a.calls++; a.calls == 1 {
		a.err, a.user, a.context = call.Argument(0), call.Argument(1), call.Argument(2)
		a.withUser = len(call.Arguments) > 1
	}
	return goja.Undefined()
}

// lacksUser reports whether the rule gave null or undefined as the user. That is how rules refuse
// that do not want to say why, and also what a lookup gives that found nobody.
func (a *answer) lacksUser() bool {
	return a.withUser && (goja.IsNull(a.user) || goja.IsUndefined(a.user))
}

// settle decides whether the rule has said yes: callback was called once, and its first argument is nothing, as Node has it.
func (r *run) settle() error {
	switch {
	case r.stopped() != nil:
		return r.stopped()
	case r.answer.calls > 1:
		return ErrCallbackAgain
	case r.answer.calls == 0 && r.rejected != nil:
		return fmt.Errorf("%w, and a promise was rejected: %s", ErrCallback, r.describe(r.rejected))
	case r.answer.calls == 0:
		return ErrCallback
	case r.answer.err.ToBoolean():
		return &thrownValue{r.answer.err}
	case r.answer.lacksUser() && !r.options.IgnoreMissingUser:
		return &refusal{delegation.CodeRuleUserMissing, "callback was given no user"}
	}
	return nil
}

// failure is the error of what a rule threw, or gave to callback: a denial if it is an UnauthorizedError of this run. One that only
// calls itself so is none, because a denial's text is shown to strangers.
func (r *run) failure(value goja.Value, stack []goja.StackFrame) error {
	if object, ok := value.(*goja.Object); ok && r.denial != nil {
		for proto, n := object.Prototype(), 0; proto != nil && n < maxNested; proto, n = proto.Prototype(), n+1 {
			if proto == r.denial.Get("prototype") {
				return delegation.Deny(r.text(object, "message"))
			}
		}
	}
	failure := &Error{Rule: r.name, Err: errors.New(r.describe(value))}
	r.locate(failure, stack)
	return failure
}

// locate says where in the rule something happened.
func (r *run) locate(failure *Error, stack []goja.StackFrame) {
	for _, frame := range stack {
		if frame.SrcName() == r.name {
			located := place(r.name, frame.Position(), failure.Err)
			failure.Line, failure.Column = located.Line, located.Column
			return
		}
	}
}

// describe says in words what was thrown, without running more of the rule than a getter of name or message.
func (r *run) describe(value goja.Value) string {
	object, ok := value.(*goja.Object)
	if !ok {
		return short(value.String())
	}
	name, message := r.text(object, "name"), r.text(object, "message")
	switch {
	case name != "" && message != "":
		return short(name + ": " + message)
	case name != "" || message != "":
		return name + message
	}
	return "an object without name and message"
}

// text returns a property if it is a string, cut short, or "".
func (r *run) text(object *goja.Object, name string) (text string) {
	_ = r.try(func() {
		if value := object.Get(name); value != nil && goja.IsString(value) {
			text = short(value.String())
		}
	})
	return text
}
