package jsrules

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
)

// reply is what the rule gave to callback in its first call.
type reply struct {
	calls    int
	err      goja.Value
	user     goja.Value
	context  goja.Value
	withUser bool // there was a second argument
}

func (p *reply) callback(call goja.FunctionCall) goja.Value {
	p.calls++
	if p.calls > 1 {
		return goja.Undefined()
	}
	p.err = call.Argument(0)
	p.user = call.Argument(1)
	p.context = call.Argument(2)
	p.withUser = len(call.Arguments) > 1
	return goja.Undefined()
}

// lacksUser reports whether the rule gave null or undefined as the user. Some rules refuse that way
// without a reason, and a lookup that found nobody gives the same.
func (p *reply) lacksUser() bool {
	return p.withUser && (goja.IsNull(p.user) || goja.IsUndefined(p.user))
}

// settle decides whether the rule permits the exchange: callback was called once, and its first
// argument is falsy, as in Node.
func (r *run) settle() error {
	switch {
	case r.stopped() != nil:
		return r.stopped()
	case r.reply.calls > 1:
		return ErrCallbackAgain
	case r.reply.calls == 0 && r.rejected != nil:
		text := r.describeFailure(r.rejected)
		failure := &Error{Rule: r.name}
		failure.Err = fmt.Errorf("%w, and a promise was rejected: %s", ErrCallback, text)
		r.locateUnavailable(failure, r.rejected)
		return failure
	case r.reply.calls == 0:
		return ErrCallback
	case r.reply.err.ToBoolean():
		return &thrownValue{r.reply.err}
	case r.reply.lacksUser() && !r.options.IgnoreMissingUser:
		return &refusal{delegation.CodeRuleUserMissing, "callback was given no user"}
	}
	return nil
}

// failure makes an error from what a rule threw or gave to callback. An UnauthorizedError of this
// run is a denial. An error that merely has that name is not, because a denial's text is shown to
// the caller.
func (r *run) failure(value goja.Value, stack []goja.StackFrame) error {
	if object, ok := value.(*goja.Object); ok && r.isDenial(object) {
		return delegation.Deny(r.options.hidden(r.text(object, "message")))
	}
	failure := &Error{Rule: r.name, Err: errors.New(r.describeFailure(value))}
	r.locate(failure, stack)
	r.locateUnavailable(failure, value)
	return failure
}

// isDenial reports whether an object is an UnauthorizedError of this run, or of a class that
// extends it.
func (r *run) isDenial(object *goja.Object) bool {
	if r.denial == nil {
		return false
	}
	proto := object.Prototype()
	for range maxNested {
		if proto == nil {
			return false
		}
		if proto == r.denial.Get("prototype") {
			return true
		}
		proto = proto.Prototype()
	}
	return false
}

// locate notes the place in the rule where something happened.
func (r *run) locate(failure *Error, stack []goja.StackFrame) {
	for _, frame := range stack {
		if frame.SrcName() != ruleSource+r.name {
			continue
		}
		located := place(r.name, frame.Position(), failure.Err)
		failure.Line = located.Line
		failure.Column = located.Column
		return
	}
}

// describe says in words what was thrown, without values of the configuration. Of the rule's code,
// only getters of name and message run.
func (r *run) describe(value goja.Value) string {
	object, ok := value.(*goja.Object)
	if !ok {
		return r.options.hidden(value.String())
	}
	name := r.text(object, "name")
	message := r.text(object, "message")
	if name == "TypeError" {
		message = withoutValue(message)
	}
	switch {
	case name != "" && message != "":
		return r.options.hidden(name + ": " + message)
	case name != "" || message != "":
		return r.options.hidden(name + message)
	}
	return "an object without name and message"
}

// notAnObject begins goja's error of a value that is called, or used as an object. The value
// follows. After a line without its semicolon, it is the one that the line before has read.
const notAnObject = "Value is not an object: "

// withoutValue leaves the value out of goja's error [notAnObject].
func withoutValue(message string) string {
	value, is := strings.CutPrefix(message, notAnObject)
	if !is || slices.Contains([]string{"undefined", "null", "true", "false"}, value) {
		return message
	}
	return notAnObject + "it is called, or used as an object or a function: if the next line " +
		"begins with ( or [ or `, end this line with a semicolon"
}

// text returns a property that is a string, cut short. It returns "" for any other.
func (r *run) text(object *goja.Object, name string) (text string) {
	_ = r.try(func() {
		if value := object.Get(name); value != nil && goja.IsString(value) {
			text = short(value.String())
		}
	})
	return text
}
