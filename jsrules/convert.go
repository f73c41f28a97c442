package jsrules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// valueError is about a value that the rule left where it does not belong, or that has no form in JavaScript. It is an error of
// the rule that its own catch must not see, so it goes past it as a panic of Go.
type valueError struct{ path, what string }

func (e *valueError) Error() string { return fmt.Sprintf("%v: %s %s", ErrValue, e.path, e.what) }

func (e *valueError) Is(target error) bool { return target == ErrValue }

func wrongValue(path, format string, args ...any) *valueError {
	return &valueError{short(path), short(fmt.Sprintf(format, args...))}
}

// in converts a decoded JSON value, or what a profile loader has put beside it. Numbers become JavaScript's, which have 53 bits.
func (r *run) in(value any, path string, depth int) goja.Value {
	if depth > maxNested {
		panic(wrongValue(path, "is nested deeper than %d", maxNested))
	}
	switch v := value.(type) {
	case nil:
		return goja.Null()
	case string, bool, int, int64, float64:
		return r.rt.ToValue(v)
	case json.Number:
		number, ok := numeric(v)
		if !ok {
			panic(wrongValue(path, "is not a number"))
		}
		return r.rt.ToValue(number)
	case map[string]any:
		object := r.rt.NewObject()
		for name, member := range sorted(v) {
			r.define(object, name, r.in(member, name, depth+1))
		}
		return object
	case []any:
		list := make([]any, len(v))
		for i, member := range v {
			list[i] = r.in(member, path, depth+1)
		}
		return r.rt.NewArray(list...)
	}
	return r.in(plain(value, path), path, depth+1)
}

// define sets a property, also one whose name would otherwise reach the prototype.
func (r *run) define(object *goja.Object, name string, value goja.Value) {
	if name == "__proto__" {
		_ = object.DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		return
	}
	_ = object.Set(name, value)
}

// plain gives a value of another type the form that it has in JSON.
func plain(value any, path string) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(wrongValue(path, "has no form in JSON: %v", err))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var decoded any
	if err := d.Decode(&decoded); err != nil {
		panic(wrongValue(path, "has no form in JSON: %v", err))
	}
	return decoded
}

// numeric returns a number as JavaScript has it.
func numeric(value any) (float64, bool) {
	switch v := value.(type) {
	case json.Number:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || math.IsInf(f, 0)
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// outgoing converts back what a rule left, as JSON.stringify would carry it, within limits.
type outgoing struct {
	run    *run
	path   []string // of the value at hand
	values int
	text   int
	open   []*goja.Object // objects around the value, to find a circle
	exact  bool           // to note what JSON does not carry
	lossy  bool           // there was such a value
}

// absent is the value of what JSON does not carry.
type absent struct{}

func (o *outgoing) wrong(format string, args ...any) *valueError {
	return wrongValue(strings.Join(o.path, "."), format, args...)
}

// out converts a value, given what it was. What is the same number as before stays as it was: more digits than JavaScript has are not lost,
// and neither is a type that only Go knows.
func (o *outgoing) out(name string, value goja.Value, was any) any {
	o.path = append(o.path, name)
	defer func() { o.path = o.path[:len(o.path)-1] }()
	if o.values++; o.values > maxValues {
		panic(o.wrong("and what is around it has more than %d values", maxValues))
	}
	object, isObject := value.(*goja.Object)
	if isObject {
		if toJSON, ok := goja.AssertFunction(member(object, "toJSON")); ok {
			o.lossy = true
			value = o.run.must(toJSON(object))
			object, isObject = value.(*goja.Object)
		}
	}
	if !isObject {
		return o.primitive(value, was)
	}
	if _, callable := goja.AssertFunction(object); callable {
		o.lossy = true
		return absent{}
	}
	o.lossy = o.lossy || o.exact && !o.run.isPlain(object)
	switch object.ClassName() {
	case "String":
		return o.primitive(object.ToString(), was)
	case "Number":
		return o.primitive(object.ToNumber(), was)
	case "Boolean":
		return object.Export()
	}
	for _, around := range o.open {
		if around.SameAs(object) {
			panic(o.wrong("contains itself"))
		}
	}
	if len(o.open) == maxNested {
		panic(wrongValue(o.path[0], "is nested deeper than %d", maxNested))
	}
	o.open = append(o.open, object)
	defer func() { o.open = o.open[:len(o.open)-1] }()
	return o.unchanged(o.inside(object, o.known(was)), was)
}

func (o *outgoing) primitive(value goja.Value, was any) any {
	switch {
	case value == nil || goja.IsUndefined(value):
		return absent{}
	case goja.IsNull(value):
		return nil
	case goja.IsString(value):
		text := value.String()
		if o.text += len(text); o.text > maxText {
			panic(o.wrong("and what is around it has more than %d characters", maxText))
		}
		return o.unchanged(text, was)
	case goja.IsNumber(value):
		number := value.ToFloat()
		if before, ok := numeric(was); ok && before == number {
			return was
		}
		if math.IsNaN(number) || math.IsInf(number, 0) {
			o.lossy = true
			return nil
		}
		text, _ := json.Marshal(number)
		return json.Number(text)
	}
	if flag, ok := value.Export().(bool); ok {
		return flag
	}
	o.lossy = true
	return absent{} // a symbol
}

// isPlain reports whether an object is one that JSON carries: an object of no class, or a list.
func (r *run) isPlain(object *goja.Object) bool {
	class := object.ClassName()
	if class != "Array" && (class != "Object" || notProperties(object) != "") {
		return false
	}
	prototype := object.Prototype()
	return prototype == nil || prototype.SameAs(r.prototype(class))
}

// inside converts what an object or array holds.
func (o *outgoing) inside(object *goja.Object, was any) any {
	if object.ClassName() == "Array" {
		before, _ := was.([]any)
		length := object.Get("length").ToInteger()
		if length > maxValues {
			panic(o.wrong("has %d elements", length))
		}
		list := make([]any, length)
		for i := range list {
			var old any
			if i < len(before) {
				old = before[i]
			}
			index := strconv.Itoa(i)
			if value := o.out(index, object.Get(index), old); value != (absent{}) {
				list[i] = value
			}
		}
		return list
	}
	before, _ := was.(map[string]any)
	return o.properties(object, object.Keys(), func(name string) any { return before[name] })
}

// properties converts those properties of an object, for each of which was says what it was.
func (o *outgoing) properties(object *goja.Object, names []string, was func(string) any) map[string]any {
	made := make(map[string]any, len(names))
	for _, name := range names {
		if value := o.out(name, object.Get(name), was(name)); value != (absent{}) {
			made[name] = value
		}
	}
	return made
}

// known returns a value that was there before in the form that JSON has; it is nil for one that was not.
func (o *outgoing) known(was any) any {
	switch was.(type) {
	case nil, bool, string, json.Number, map[string]any, []any:
		return was
	case later:
		return nil
	}
	return plain(was, o.path[0])
}

// unchanged returns what was there if a value is the same in JSON, so that a type of Go survives.
func (o *outgoing) unchanged(value, was any) any {
	switch was.(type) {
	case nil, bool, string, json.Number, map[string]any, []any, later:
		return value
	}
	if reflect.DeepEqual(value, o.known(was)) {
		return was
	}
	return value
}

// member returns a property, also of the prototype, or undefined.
func member(object *goja.Object, name string) goja.Value {
	if value := object.Get(name); value != nil {
		return value
	}
	return goja.Undefined()
}

// sorted goes through a map by name.
func sorted(m map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
