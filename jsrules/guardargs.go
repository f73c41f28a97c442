package jsrules

import (
	"github.com/dop251/goja"
)

var typedArrays = []string{
	"ArrayBuffer",
	"Uint8Array", "Uint8ClampedArray", "Int8Array",
	"Uint16Array", "Int16Array",
	"Uint32Array", "Int32Array",
	"Float32Array", "Float64Array",
}

// argumentAtMost returns a check that limits the length of one argument.
func (r *run) argumentAtMost(i int, limit int64, what string) func(goja.FunctionCall) {
	return func(call goja.FunctionCall) { r.atMost(lengthOf(call.Argument(i)), limit, what) }
}

// guardArguments limits functions that make a list of any object with a length.
func (r *run) guardArguments() {
	global := r.rt.GlobalObject()
	if r.first("apply") {
		r.guard(r.prototype("Function"), "apply", r.argumentAtMost(1, maxList, "the list"))
	}
	if r.firstGlobal("Reflect") {
		reflect := global.Get("Reflect").(*goja.Object)
		r.guard(reflect, "apply", r.argumentAtMost(2, maxList, "the list"))
		r.guard(reflect, "construct", r.argumentAtMost(1, maxList, "the list"))
	}
	if r.first("from") {
		array := global.Get("Array").(*goja.Object)
		r.guard(array, "from", r.argumentAtMost(0, maxList, "the list"))
	}
	if r.first("raw") {
		r.guard(global.Get("String").(*goja.Object), "raw", func(call goja.FunctionCall) {
			if template, ok := call.Argument(0).(*goja.Object); ok {
				r.atMost(lengthOf(template.Get("raw")), maxList, "the text")
			}
		})
	}
}

// guardTypedArrays limits the size of typed arrays, once in a runtime. It replaces each class by a
// proxy that checks the size and passes on everything else.
func (r *run) guardTypedArrays() {
	if r.sizeLimited {
		return
	}
	r.sizeLimited = true
	global := r.rt.GlobalObject()
	hasInstance := r.rt.ToValue(r.hasInstance)
	for _, name := range typedArrays {
		class := global.Get(name).(*goja.Object)
		value := r.rt.ToValue(r.sizeChecked(class))
		_ = r.rt.Set(name, value)
		_ = class.DefineDataPropertySymbol(
			goja.SymHasInstance, hasInstance, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE,
		)
		_ = class.Get("prototype").(*goja.Object).DefineDataProperty(
			"constructor", value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE,
		)
	}
	typed := global.Get("Uint8Array").(*goja.Object).Prototype()
	prototype := typed.Get("prototype").(*goja.Object)
	r.guard(typed, "from", r.argumentAtMost(0, maxList, "the array"))
	r.guard(prototype, "set", r.argumentAtMost(0, maxList, "the array"))
}

// sizeChecked returns a proxy of a class of typed arrays that checks the size of each new one.
func (r *run) sizeChecked(class *goja.Object) goja.Proxy {
	construct, _ := goja.AssertConstructor(class)
	return r.rt.NewProxy(class, &goja.ProxyTrapConfig{
		Construct: func(
			_ *goja.Object, arguments []goja.Value, newTarget *goja.Object,
		) *goja.Object {
			if len(arguments) > 0 {
				r.atMost(sizeOfArray(arguments[0]), maxList, "the array")
			}
			made, err := construct(newTarget, arguments...)
			if err != nil {
				panic(err)
			}
			return made
		},
	})
}

// sizeOfArray returns the size of the array that a constructor makes from its first argument: a
// number, or an object with a length.
func sizeOfArray(argument goja.Value) int64 {
	size := lengthOf(argument)
	if _, isObject := argument.(*goja.Object); !isObject {
		size = argument.ToInteger()
	}
	return size
}

// hasInstance implements instanceof for the proxies of classes. goja's own does not accept a proxy.
func (r *run) hasInstance(call goja.FunctionCall) goja.Value {
	class, isClass := call.This.(*goja.Object)
	object, isObject := call.Argument(0).(*goja.Object)
	if !isClass || !isObject {
		return r.rt.ToValue(false)
	}
	prototype := class.Get("prototype")
	for proto := object.Prototype(); proto != nil; proto = proto.Prototype() {
		if proto.SameAs(prototype) {
			return r.rt.ToValue(true)
		}
	}
	return r.rt.ToValue(false)
}
