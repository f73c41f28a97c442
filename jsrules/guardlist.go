package jsrules

import (
	"strings"

	"github.com/dop251/goja"
)

// listMethods visit every index of a list, including holes. One assignment to length can make four
// thousand million of them.
var listMethods = strings.Fields(`
	copyWithin every fill filter forEach
	includes indexOf lastIndexOf map reduce reduceRight reverse shift slice some splice
	toLocaleString toReversed toSpliced unshift with
`)

// guardLists limits the length of the lists that built-in functions visit.
func (r *run) guardLists() {
	list := r.prototype("Array")
	limit := func(call goja.FunctionCall) { r.atMost(lengthOf(call.This), maxList, "the list") }
	for _, name := range listMethods {
		r.guard(list, name, limit)
	}
	r.guardSort(list)
	r.guardFind(list)
	r.guard(list, "concat", func(call goja.FunctionCall) {
		size := lengthOf(call.This)
		for _, argument := range call.Arguments {
			if _, text := argument.(goja.String); !text {
				size += lengthOf(argument)
			}
			r.atMost(size, maxList, "the list")
		}
	})
	r.guardFlat(list)
	if r.firstBusy() {
		r.replace(list, "join", r.join)
	}
	r.guardIterator(list)
}

// guardFlat replaces the methods that unfold lists.
func (r *run) guardFlat(list *goja.Object) {
	if r.first("flat") {
		r.replace(list, "flat", func(call goja.FunctionCall) goja.Value {
			depth := int64(1)
			if argument := call.Argument(0); !goja.IsUndefined(argument) {
				depth = argument.ToInteger()
			}
			return r.flat(call.This, depth)
		})
	}
	if !r.first("flatMap") {
		return
	}
	if mapped := builtinOf(list.Get("map")); mapped != nil {
		r.replace(list, "flatMap", func(call goja.FunctionCall) goja.Value {
			r.atMost(lengthOf(call.This), maxList, "the list")
			return r.flat(mapped(call), 1)
		})
	}
}

// guardIterator limits the length of lists that are iterated over.
func (r *run) guardIterator(list *goja.Object) {
	first := r.firstBusy()
	if !first && !r.first("values") {
		return
	}
	values := builtinOf(list.Get("values"))
	iterate := func(call goja.FunctionCall) goja.Value {
		r.atMost(lengthOf(call.This), maxList, "the list")
		return values(goja.FunctionCall{This: call.This})
	}
	if first {
		r.replaceSymbol(list, goja.SymIterator, iterate)
	}
	if r.first("values") {
		r.replace(list, "values", iterate)
	}
}

// join writes a list as text. A list inside itself is an empty text there, as in every engine.
func (r *run) join(call goja.FunctionCall) goja.Value {
	list := call.This.ToObject(r.rt)
	for _, open := range r.joining {
		if open.SameAs(list) {
			return r.rt.ToValue("")
		}
	}
	r.joining = append(r.joining, list)
	defer func() { r.joining = r.joining[:len(r.joining)-1] }()
	length := lengthOf(list)
	r.atMost(length, maxList, "the list")
	separator := r.stringOf(r.rt.ToValue(","))
	if argument := call.Argument(0); !goja.IsUndefined(argument) {
		separator = r.stringOf(argument)
	}
	var joined goja.StringBuilder
	size := max(length-1, 0) * int64(separator.Length())
	r.atMost(size, maxText, "the text")
	for i := range length {
		if i%1024 == 0 {
			r.halt()
		}
		if i > 0 {
			joined.WriteString(separator)
		}
		element := list.Get(r.rt.ToValue(i).String())
		if element == nil || goja.IsUndefined(element) || goja.IsNull(element) {
			continue
		}
		text := r.stringOf(element)
		size += int64(text.Length())
		r.atMost(size, maxText, "the text")
		joined.WriteString(text)
	}
	return joined.String()
}

// flat unfolds lists in a list, down to a depth.
func (r *run) flat(list goja.Value, depth int64) goja.Value {
	var elements []any
	visited := 0
	var unfold func(list *goja.Object, depth int64, level int)
	unfold = func(list *goja.Object, depth int64, level int) {
		if level > maxNested {
			panic(r.rangeError("lists are nested too deep"))
		}
		for i := range lengthOf(list) {
			visited++
			if visited > maxList {
				panic(r.rangeError("the list would be too large"))
			}
			element := list.Get(r.rt.ToValue(i).String())
			inner, isObject := element.(*goja.Object)
			if isObject && depth > 0 && inner.ClassName() == "Array" {
				unfold(inner, depth-1, level+1)
			} else if element != nil {
				elements = append(elements, element)
			}
		}
	}
	unfold(list.ToObject(r.rt), depth, 0)
	return r.rt.NewArray(elements...)
}

// guardFind replaces the methods that find an element. goja's give a hole to the function as a nil
// of Go, which ends the run.
func (r *run) guardFind(list *goja.Object) {
	for _, method := range []struct {
		name             string
		backwards, index bool
	}{
		{"find", false, false},
		{"findIndex", false, true},
		{"findLast", true, false},
		{"findLastIndex", true, true},
	} {
		if !r.first(method.name) {
			continue
		}
		r.replace(list, method.name, func(call goja.FunctionCall) goja.Value {
			at, element := r.findElement(call, method.backwards)
			if method.index {
				return r.rt.ToValue(at)
			}
			return element
		})
	}
}

// findElement returns the first or last element for which a function is true, and its index;
// otherwise -1 and undefined (ECMA-262 §23.1.3.12).
func (r *run) findElement(call goja.FunctionCall, backwards bool) (int64, goja.Value) {
	list := call.This.ToObject(r.rt)
	length := lengthOf(list)
	r.atMost(length, maxList, "the list")
	predicate, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(r.rt.NewTypeError("the argument is not a function"))
	}
	for i := range length {
		if backwards {
			i = length - 1 - i
		}
		at := r.rt.ToValue(i)
		element := member(list, at.String())
		if r.must(predicate(call.Argument(1), element, at, list)).ToBoolean() {
			return i, element
		}
	}
	return -1, goja.Undefined()
}
