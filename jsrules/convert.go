package jsrules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// valueError is about a value that the rule left where it does not belong, or that has no form in
// JavaScript. The rule must not be able to catch this error, so it leaves the rule as a Go panic.
type valueError struct{ path, what string }

func (e *valueError) Error() string { return fmt.Sprintf("%v: %s %s", ErrValue, e.path, e.what) }

func (e *valueError) Is(target error) bool { return target == ErrValue }

func wrongValue(path, format string, args ...any) *valueError {
	return &valueError{short(path), short(fmt.Sprintf(format, args...))}
}

// in converts a decoded JSON value, or a value of another Go type that a profile loader has added.
// Numbers become JavaScript's, which have 53 bits. Members with more digits keep them; see [cell].
func (r *run) in(value any, path string, depth int) goja.Value {
	if depth > maxNested {
		panic(wrongValue(path, "is nested deeper than %d", maxNested))
	}
	switch v := value.(type) {
	case nil:
		return goja.Null()
	case string, bool:
		return r.rt.ToValue(v)
	case json.Number, int, int64, float64:
		number, ok := numeric(v)
		if !ok {
			panic(wrongValue(path, "is not a number"))
		}
		r.digits.note(v, number)
		return r.rt.ToValue(number)
	case map[string]any:
		object := r.rt.NewObject()
		for name, member := range sorted(v) {
			r.member(object, name, member, name, depth+1)
		}
		return object
	case []any:
		return r.list(v, path, depth)
	}
	return r.in(plain(value, path), path, depth+1)
}

// list converts a list.
func (r *run) list(members []any, path string, depth int) goja.Value {
	values := make([]any, len(members))
	var cells []int
	for i, member := range members {
		member = decoded(member, path)
		values[i] = r.in(member, path, depth+1)
		if needsCell(member) {
			cells = append(cells, i)
		}
	}
	list := r.rt.NewArray(values...)
	for _, i := range cells {
		number := decoded(members[i], path)
		r.defineCell(list, strconv.Itoa(i), number, values[i].(goja.Value))
	}
	return list
}

// decoded returns a value as decoded JSON has it. The numbers int, int64 and float64 stay.
func decoded(value any, path string) any {
	switch value.(type) {
	case nil, string, bool, int, int64, float64, json.Number, map[string]any, []any:
		return value
	}
	return plain(value, path)
}

// define sets a property. A property named __proto__ does not change the prototype.
func (r *run) define(object *goja.Object, name string, value goja.Value) {
	if name == "__proto__" {
		_ = object.DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		return
	}
	_ = object.Set(name, value)
}

// plain returns a value of any Go type in its JSON form.
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

// outgoing converts the values that a rule leaves to Go, as JSON.stringify would carry them, within
// limits.
type outgoing struct {
	run    *run
	path   []string       // of the current value; see at
	values int            // converted so far
	text   int            // bytes of text so far
	open   []*goja.Object // the objects that contain the current value, to find cycles
	exact  bool           // whether lossy also counts objects that change their class in JSON
	lossy  bool           // whether JSON could not carry a value as it was
	rounds bool           // whether a number may be any that JavaScript has for it, as in a log
	// room is what path uses as long as it is short.
	room [8]string
}

// absent stands for a value that JSON does not carry, such as undefined.
type absent struct{}

// at begins a new path.
func (o *outgoing) at(names ...string) { o.path = append(o.room[:0], names...) }

func (o *outgoing) wrong(format string, args ...any) *valueError {
	return wrongValue(strings.Join(o.path, "."), format, args...)
}

// out converts a value. was is the value before the rule ran. If both are equal, was itself is
// returned, so that a Go type survives. A number for which JavaScript does not have all digits is
// the one that the rule has read. If the rule has read several that are the same in JavaScript, out
// refuses it, because it cannot know which one is meant.
func (o *outgoing) out(name string, value goja.Value, was any) any {
	o.path = append(o.path, name)
	defer func() { o.path = o.path[:len(o.path)-1] }()
	o.count()
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
	return o.fromObject(object, was)
}

// fromObject converts an object that is not a function.
func (o *outgoing) fromObject(object *goja.Object, was any) any {
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
		return o.unchanged(o.textOf(value), was)
	case goja.IsNumber(value):
		return o.number(value.ToFloat(), was)
	}
	switch exported := value.Export().(type) {
	case bool:
		return exported
	case *big.Int:
		panic(o.wrong("is a BigInt, which JSON does not carry: make it a number or a text"))
	}
	o.lossy = true
	return absent{} // a symbol
}

// number converts a number that is in no [cell].
func (o *outgoing) number(number float64, was any) any {
	read := o.run.digits.numbers[number]
	if len(read) > 1 && !o.rounds {
		panic(o.wrong("may be any of several numbers that JavaScript cannot tell apart: have the " +
			"issuer or the profile loader send numbers of 16 and more digits as texts"))
	}
	digits := digitsOf(number)
	if len(read) == 1 {
		digits = string(read[0])
	}
	if before, ok := numeric(was); ok && before == number && sameDigits(digitsOf(was), digits) {
		return was
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		o.lossy = true
		return nil
	}
	if len(read) == 1 {
		return read[0]
	}
	text, _ := json.Marshal(number + 0) // -0 is 0 in JSON
	return json.Number(text)
}

// textOf converts a string.
func (o *outgoing) textOf(value goja.Value) string {
	text := value.String()
	o.text += len(text)
	if o.text > maxText {
		panic(o.wrong("exceeds a limit: up to here, there are more than %d characters", maxText))
	}
	return text
}

// isPlain reports whether JSON carries an object as it is. That holds for lists and for objects
// without a class.
func (r *run) isPlain(object *goja.Object) bool {
	class := object.ClassName()
	if class != "Array" && (class != "Object" || notProperties(object) != "") {
		return false
	}
	prototype := object.Prototype()
	return prototype == nil || prototype.SameAs(r.prototype(class))
}

// inside converts the content of an object or an array.
func (o *outgoing) inside(object *goja.Object, was any) any {
	if object.ClassName() == "Array" {
		before, _ := was.([]any)
		return o.elements(object, before)
	}
	before, _ := was.(map[string]any)
	return o.properties(object, object.Keys(), func(name string) any { return before[name] })
}

// elements converts the elements of an array. was holds those from before the rule ran.
func (o *outgoing) elements(array *goja.Object, was []any) []any {
	length := array.Get("length").ToInteger()
	if length > maxValues {
		panic(o.wrong("has %d elements", length))
	}
	list := make([]any, length)
	for i := range list {
		var old any
		if i < len(was) {
			old = was[i]
		}
		index := strconv.Itoa(i)
		if value := o.member(array, index, old); value != (absent{}) {
			list[i] = value
		}
	}
	return list
}

// properties converts the named properties of an object. was returns each one as it was before the
// rule ran.
func (o *outgoing) properties(
	object *goja.Object, names []string, was func(string) any,
) map[string]any {
	made := make(map[string]any, len(names))
	for _, name := range names {
		if value := o.member(object, name, was(name)); value != (absent{}) {
			made[name] = value
		}
	}
	return made
}

// member converts a member of a list or an object. was is what it was before the rule ran.
func (o *outgoing) member(object *goja.Object, name string, was any) any {
	value, number := o.run.read(object, name)
	if number == nil {
		return o.out(name, value, was)
	}
	o.path = append(o.path, name)
	defer func() { o.path = o.path[:len(o.path)-1] }()
	o.count()
	return number
}

// count counts a value.
func (o *outgoing) count() {
	o.values++
	if o.values > maxValues {
		panic(o.wrong("exceeds a limit: up to here, there are more than %d values", maxValues))
	}
}

// known returns a value from before the rule ran in its JSON form. Without such a value it is nil.
func (o *outgoing) known(was any) any {
	switch was.(type) {
	case nil, bool, string, json.Number, map[string]any, []any:
		return was
	case later:
		return nil
	}
	return plain(was, o.path[0])
}

// unchanged returns was if both values are the same in JSON, so that its Go type survives.
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

// member returns a property of an object or of its prototypes. Without one it is undefined.
func member(object *goja.Object, name string) goja.Value {
	if value := object.Get(name); value != nil {
		return value
	}
	return goja.Undefined()
}

// sorted iterates over a map in the order of names.
func sorted(m map[string]any) iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if len(m) == 0 {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !yield(name, m[name]) {
				return
			}
		}
	}
}
