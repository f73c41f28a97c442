package jsrules

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// exactUpTo is the number from which on JavaScript has one number for several integers.
const exactUpTo = 1 << 53

// safeDigits is how many significant digits a number can have so that no other number with so few
// is the same in JavaScript.
const safeDigits = 15

// digitsRead are the numbers that rules have read and that JavaScript may not tell apart. Several
// of them can be one number in JavaScript, so their digits cannot be found by comparing values.
type digitsRead struct {
	// numbers holds the different numbers that are the same in JavaScript, by what they are there.
	numbers map[float64][]json.Number
	// last is the cell that was read last, or nil.
	last *cell
}

// cell is a property whose number a rule has not replaced. It is an accessor: reading it tells Go
// the digits, and an assignment turns it into a property like any other. So digits stay with the
// property and its object, wherever a rule moves the object.
type cell struct {
	object *goja.Object
	name   string
	number any
}

// note remembers a number that a rule reads, if JavaScript has one number for it and others.
func (d *digitsRead) note(number any, inJavaScript float64) {
	if !isShared(inJavaScript) {
		return
	}
	digits := digitsOf(number)
	same := func(other json.Number) bool { return sameDigits(string(other), digits) }
	if slices.ContainsFunc(d.numbers[inJavaScript], same) {
		return
	}
	if d.numbers == nil {
		d.numbers = map[float64][]json.Number{}
	}
	d.numbers[inJavaScript] = append(d.numbers[inJavaScript], json.Number(digits))
}

// member converts a member of a list or an object, and defines it there.
func (r *run) member(object *goja.Object, name string, member any, path string, depth int) {
	member = decoded(member, path)
	value := r.in(member, path, depth)
	if needsCell(member) {
		r.defineCell(object, name, member, value)
		return
	}
	r.define(object, name, value)
}

// defineCell defines a property that remembers the digits of its number.
func (r *run) defineCell(object *goja.Object, name string, number any, value goja.Value) {
	get := func(call goja.FunctionCall) goja.Value {
		if this, ok := call.This.(*goja.Object); ok {
			r.digits.last = &cell{this, name, number}
		}
		return value
	}
	set := func(call goja.FunctionCall) goja.Value {
		this := call.This.ToObject(r.rt)
		err := this.DefineDataProperty(
			name, call.Argument(0), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE)
		return r.must(goja.Undefined(), err)
	}
	_ = object.DefineAccessorProperty(
		name, r.rt.ToValue(get), r.rt.ToValue(set), goja.FLAG_TRUE, goja.FLAG_TRUE)
}

// read reads a property. If it is a cell, read also returns the number with its digits.
func (r *run) read(object *goja.Object, name string) (value goja.Value, number any) {
	r.digits.last = nil
	value = object.Get(name)
	if last := r.digits.last; last != nil && last.name == name && last.object.SameAs(object) {
		return value, last.number
	}
	return value, nil
}

// needsCell reports whether a value is a number that JavaScript does not have, or has for others
// too.
func needsCell(value any) bool {
	number, ok := numeric(value)
	return ok && (isShared(number) || !holds(number, value))
}

// isShared reports whether several numbers of more than [safeDigits] are this one in JavaScript.
func isShared(number float64) bool {
	switch {
	case math.IsNaN(number):
		return false
	case math.Abs(number) >= exactUpTo:
		return true
	case number == math.Trunc(number):
		return false
	}
	digits, _ := decimal(strconv.FormatFloat(number, 'e', -1, 64))
	return len(digits) > safeDigits
}

// holds reports whether a number in JavaScript has all digits of a number in Go.
func holds(number float64, value any) bool {
	text := digitsOf(value)
	if len(text) <= safeDigits && math.Abs(number) < exactUpTo {
		return true
	}
	return sameDigits(text, digitsOf(number))
}

// digitsOf returns a number as JSON has it.
func digitsOf(number any) string {
	switch v := number.(type) {
	case json.Number:
		return string(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}

// sameDigits reports whether two texts are the same number.
func sameDigits(a, b string) bool {
	digitsOfA, exponentOfA := decimal(a)
	digitsOfB, exponentOfB := decimal(b)
	return digitsOfA == digitsOfB && exponentOfA == exponentOfB
}

// decimal returns the significant digits of a number, without its sign, and the power of ten that
// the first of them counts. Anything but a number is returned as it is.
func decimal(text string) (digits string, exponent int) {
	text = strings.TrimPrefix(text, "-")
	mantissa, power := text, ""
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		mantissa, power = text[:at], text[at+1:]
	}
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			return text, 0
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	significant := strings.TrimLeft(all, "0")
	exponent += len(whole) - (len(all) - len(significant))
	significant = strings.TrimRight(significant, "0")
	if significant == "" {
		return "", 0
	}
	return significant, exponent
}
