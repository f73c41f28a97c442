package jsrules

import "github.com/dop251/goja"

// guardJSON limits the size and the depth of JSON that is parsed or written. A list that holds one
// list twice, which holds another list twice, and so on, is small in memory and huge as text.
func (r *run) guardJSON() {
	object := r.rt.GlobalObject().Get("JSON").(*goja.Object)
	if r.once("JSON.parse", r.uses.mentions("parse")) {
		r.replace(object, "parse", r.parseJSON)
	}
	stringify, ok := goja.AssertFunction(object.Get("stringify"))
	if !ok || !r.once("JSON.stringify", r.uses.mentions("stringify")) {
		return
	}
	r.replace(object, "stringify", func(call goja.FunctionCall) goja.Value {
		replacer, callable := goja.AssertFunction(call.Argument(1))
		counting := r.rt.ToValue(r.countJSON(replacer))
		list, isObject := call.Argument(1).(*goja.Object)
		if !isObject || callable {
			return r.must(stringify(call.This, call.Argument(0), counting, call.Argument(2)))
		}
		r.atMost(lengthOf(list), maxList, "the list")
		// Without the list of names the text is at least as long, so it is counted that way.
		r.must(stringify(call.This, call.Argument(0), counting))
		return r.must(stringify(call.This, call.Arguments...))
	})
}

// countJSON returns a replacer that counts values and characters. It returns what the rule's own
// replacer returns.
func (r *run) countJSON(replacer goja.Callable) builtinFunction {
	var values, size int64
	var open []*goja.Object
	return func(call goja.FunctionCall) goja.Value {
		for len(open) > 0 && !open[len(open)-1].SameAs(call.This) {
			open = open[:len(open)-1]
		}
		value := call.Argument(1)
		if replacer != nil {
			value = r.must(replacer(call.This, call.Argument(0), value))
		}
		values++
		if values%1024 == 0 {
			r.halt()
		}
		// An indentation has at most ten characters a level. Counting it limits the depth, too.
		size += lengthOf(call.Argument(0)) + int64(4+10*len(open))
		if text, ok := value.(goja.String); ok {
			size += int64(text.Length())
		}
		if object, ok := value.(*goja.Object); ok {
			open = append(open, object)
		}
		r.atMost(values, maxList, "the JSON")
		r.atMost(size, maxText, "the JSON")
		return value
	}
}
