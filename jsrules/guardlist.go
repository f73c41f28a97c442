package jsrules

import (
	"strings"

	"github.com/dop251/goja"
)

// listMethods visit every index of a list, including holes. One assignment to length can make four
// thousand million of them.
var listMethods = strings.Fields(`
	copyWithin every fill filter find findIndex findLast findLastIndex forEach
	includes indexOf lastIndexOf map reduce reduceRight reverse shift slice some splice
	toLocaleString toReversed toSpliced unshift with
`)

// guardLists limits the length of the lists that built-in functions visit.
func (r *run) guardLists() {
	list := r.prototype("Array")
	for _, name := range listMethods {
		r.guard(list, name, func(call goja.FunctionCall) {
			r.atMost(lengthOf(call.This), maxList, "the list")
		})
	}
	for _, name := range []string{"sort", "toSorted"} {
		r.guard(list, name, func(call goja.FunctionCall) {
			r.atMost(lengthOf(call.This), maxSorted, "the list to sort")
		})
	}
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
	if mapped, ok := goja.AssertFunction(list.Get("map")); ok && r.first("flatMap") {
		r.replace(list, "flatMap", func(call goja.FunctionCall) goja.Value {
			r.atMost(lengthOf(call.This), maxList, "the list")
			return r.flat(r.must(mapped(call.This, call.Arguments...)), 1)
		})
	}
}

// guardIterator limits the length of lists that are iterated over.
func (r *run) guardIterator(list *goja.Object) {
	values, _ := goja.AssertFunction(list.Get("values"))
	iterate := func(call goja.FunctionCall) goja.Value {
		r.atMost(lengthOf(call.This), maxList, "the list")
		return r.must(values(call.This))
	}
	if r.firstBusy() {
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
