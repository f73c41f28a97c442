package jsrules

import (
	"strings"

	"github.com/dop251/goja"
)

// notDefined is the end of goja's ReferenceErrors about free identifiers.
const notDefined = " is not defined"

// unavailable returns the need that a ReferenceError is about. It returns nil for any other error,
// and for a ReferenceError of the rule's own that names something else.
func (r *run) unavailable(thrown goja.Value) *Need {
	object, ok := thrown.(*goja.Object)
	if !ok || r.text(object, "name") != "ReferenceError" {
		return nil
	}
	name, is := strings.CutSuffix(r.text(object, "message"), notDefined)
	if !is {
		return nil
	}
	for i := range r.needs {
		if n := &r.needs[i]; n.Kind == NeedGlobal && n.Name == name && !n.Available {
			return n
		}
	}
	return nil
}

// describeFailure says what was thrown, and of an identifier that is not there what to do.
func (r *run) describeFailure(thrown goja.Value) string {
	text := r.describe(thrown)
	if n := r.unavailable(thrown); n != nil {
		text += ": it is not available here: " + n.Remedy
	}
	return text
}

// locateUnavailable gives an error the place of the identifier that it is about. For a call, goja
// names the place of its arguments.
func (r *run) locateUnavailable(failure *Error, thrown goja.Value) {
	n := r.unavailable(thrown)
	if n != nil && (failure.Line == 0 || failure.Line == n.Line) {
		failure.Line = n.Line
		failure.Column = n.Column
	}
}
