package jsrules

import (
	"strconv"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/timsort"
)

// guardSort replaces sort and toSorted. They limit the number of elements, and compare in the order
// of V8.
func (r *run) guardSort(list *goja.Object) {
	if r.first("sort") {
		r.replace(list, "sort", r.sort)
	}
	if r.first("toSorted") {
		r.replace(list, "toSorted", r.toSorted)
	}
}

// sort is Array.prototype.sort (ECMA-262 §23.1.3.30).
func (r *run) sort(call goja.FunctionCall) goja.Value {
	compare := r.comparison(call.Argument(0))
	list := call.This.ToObject(r.rt)
	length := lengthOf(list)
	r.atMost(length, maxSorted, "the list to sort")
	var elements []goja.Value
	undefined := 0
	for i := range int(length) {
		element := list.Get(strconv.Itoa(i))
		switch {
		case element == nil: // a hole
		case goja.IsUndefined(element):
			undefined++
		default:
			elements = append(elements, element)
		}
	}
	if length < 2 {
		return list
	}
	r.sortElements(elements, compare)
	for range undefined {
		elements = append(elements, goja.Undefined())
	}
	for i := range int(length) {
		name := strconv.Itoa(i)
		err := error(nil)
		switch {
		case i < len(elements):
			err = list.Set(name, elements[i])
		case list.Get(name) != nil:
			err = list.Delete(name)
		}
		if err != nil {
			panic(err)
		}
	}
	return list
}

// toSorted is Array.prototype.toSorted (ECMA-262 §23.1.3.34).
func (r *run) toSorted(call goja.FunctionCall) goja.Value {
	compare := r.comparison(call.Argument(0))
	list := call.This.ToObject(r.rt)
	length := lengthOf(list)
	r.atMost(length, maxSorted, "the list to sort")
	var elements []goja.Value
	for i := range int(length) {
		element := member(list, strconv.Itoa(i))
		if !goja.IsUndefined(element) {
			elements = append(elements, element)
		}
	}
	r.sortElements(elements, compare)
	sorted := make([]any, length)
	for i := range sorted {
		sorted[i] = goja.Undefined()
		if i < len(elements) {
			sorted[i] = elements[i]
		}
	}
	return r.rt.NewArray(sorted...)
}

// comparison returns the function that an argument of sort is, or nil if it is undefined.
func (r *run) comparison(argument goja.Value) goja.Callable {
	compare, ok := goja.AssertFunction(argument)
	if !ok && !goja.IsUndefined(argument) {
		panic(r.rt.NewTypeError(
			"The comparison function must be either a function or undefined"))
	}
	return compare
}

// sortElements sorts by a function, or else by the elements' texts.
func (r *run) sortElements(elements []goja.Value, compare goja.Callable) {
	if compare != nil {
		timsort.Sort(elements, func(a, b goja.Value) float64 {
			return r.numberOf(r.must(compare(goja.Undefined(), a, b)))
		})
		return
	}
	type keyed struct {
		key     goja.String
		element goja.Value
	}
	list := make([]keyed, len(elements))
	for i, element := range elements {
		list[i] = keyed{r.stringOf(element), element}
	}
	r.halt()
	timsort.Sort(list, func(a, b keyed) float64 { return float64(a.key.CompareTo(b.key)) })
	for i := range list {
		elements[i] = list[i].element
	}
}
