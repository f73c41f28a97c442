package jsrules

import (
	"strings"

	"github.com/dop251/goja"
)

// guardText limits the functions of strings whose result can be much longer than their arguments.
func (r *run) guardText() {
	text := r.prototype("String")
	r.guard(text, "repeat", func(call goja.FunctionCall) {
		length := int64(r.stringOf(call.This).Length())
		times := call.Argument(0).ToInteger()
		if length > 0 {
			r.atMost(max(times, 0), maxText/length, "the text")
		}
	})
	padded := func(call goja.FunctionCall) {
		r.atMost(max(call.Argument(0).ToInteger(), 0), maxText, "the text")
	}
	r.guard(text, "padStart", padded)
	r.guard(text, "padEnd", padded)
	r.guard(text, "concat", func(call goja.FunctionCall) {
		size := int64(r.stringOf(call.This).Length())
		for _, argument := range call.Arguments {
			size += int64(r.stringOf(argument).Length())
			r.atMost(size, maxText, "the text")
		}
	})
	r.guard(text, "split", func(call goja.FunctionCall) {
		r.atMost(int64(r.stringOf(call.This).Length()), maxList, "the list")
	})
	r.guardReplace(text)
}

// guardReplace limits replace and replaceAll.
func (r *run) guardReplace(text *goja.Object) {
	if r.first("replaceAll") {
		original := builtinOf(text.Get("replaceAll"))
		r.replace(text, "replaceAll", func(call goja.FunctionCall) goja.Value {
			return r.replaceAll(call, original)
		})
	}
	for _, name := range []string{"replace", "replaceAll"} {
		r.guard(text, name, func(call goja.FunctionCall) {
			_, isFunction := call.Argument(1).(*goja.Object)
			if isFunction {
				return
			}
			_, isPattern := call.Argument(0).(*goja.Object)
			length := int64(r.stringOf(call.This).Length())
			r.checkReplacement(length, call.Argument(1), isPattern || name == "replaceAll")
		})
	}
}

// checkReplacement limits the longest possible result. $1 and $& insert no more than was replaced,
// but $` and $' insert the text before or after it.
func (r *run) checkReplacement(length int64, replacement goja.Value, everywhere bool) {
	with := replacement.String()
	matches := int64(1)
	if everywhere {
		matches = length + 1
	}
	around := int64(strings.Count(with, "$`") + strings.Count(with, "$'"))
	size := length*int64(1+strings.Count(with, "$")) + matches*int64(len(with))
	r.atMost(size+min(matches, maxText)*around*min(length, maxText), maxText, "the text")
}

// limited refuses a text that is too long to convert.
func (r *run) limited(text string) string {
	r.atMost(int64(len(text)), maxText, "the text")
	return text
}

// replaceAll is String.prototype.replaceAll (ECMA-262 §22.1.3.20). With an empty text to search
// for, goja's does not end. So the places before and after each character are replaced here.
func (r *run) replaceAll(call goja.FunctionCall, original builtinFunction) goja.Value {
	search := call.Argument(0)
	if isObject(search) || goja.IsNull(call.This) || goja.IsUndefined(call.This) ||
		r.stringOf(search).Length() > 0 {
		return original(call)
	}
	text := r.stringOf(call.This)
	with, callable := goja.AssertFunction(call.Argument(1))
	var fixed goja.String
	if !callable {
		fixed = r.stringOf(call.Argument(1))
	}
	var replaced goja.StringBuilder
	size := int64(0)
	for i := range text.Length() + 1 {
		var piece goja.String
		if callable {
			at := r.rt.ToValue(i)
			piece = r.stringOf(r.must(with(goja.Undefined(), r.rt.ToValue(""), at, text)))
		} else {
			piece = r.substituted(fixed, text, i)
		}
		size += int64(piece.Length()) + 1
		r.atMost(size, maxText, "the text")
		replaced.WriteString(piece)
		if i < text.Length() {
			replaced.WriteString(text.Substring(i, i+1))
		}
	}
	return replaced.String()
}

// substituted fills in a replacement of the empty text at an index (ECMA-262 §22.1.3.19.1).
func (r *run) substituted(replacement, text goja.String, at int) goja.String {
	var filled goja.StringBuilder
	for i := 0; i < replacement.Length(); i++ {
		unit := replacement.Substring(i, i+1)
		if unit.CharAt(0) != '$' || i+1 == replacement.Length() {
			filled.WriteString(unit)
			continue
		}
		switch replacement.CharAt(i + 1) {
		case '$':
			filled.WriteString(unit)
		case '&':
		case '`':
			filled.WriteString(text.Substring(0, at))
		case '\'':
			filled.WriteString(text.Substring(at, text.Length()))
		default:
			filled.WriteString(unit)
			continue
		}
		i++
	}
	return filled.String()
}
