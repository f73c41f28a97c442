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
	for _, name := range []string{"padStart", "padEnd"} {
		r.guard(text, name, func(call goja.FunctionCall) {
			r.atMost(max(call.Argument(0).ToInteger(), 0), maxText, "the text")
		})
	}
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
