package jsrules

import (
	"github.com/dop251/goja"
)

var typedArrays = []string{
	"ArrayBuffer", "Uint8Array", "Uint8ClampedArray", "Int8Array", "Uint16Array", "Int16Array", "Uint32Array", "Int32Array", "Float32Array", "Float64Array",
}

// guardArguments limits functions that make a list of whatever has a length.
func (r *run) guardArguments() {
	global := r.rt.GlobalObject()
	argument := func(i int) func(goja.FunctionCall) {
		return func(call goja.FunctionCall) { r.atMost(lengthOf(call.Argument(i)), maxList, "the list") }
	}
	if r.first("apply") {
		r.guard(r.prototype("Function"), "apply", argument(1))
	}
	if r.firstGlobal("Reflect") {
		reflect := global.Get("Reflect").(*goja.Object)
		r.guard(reflect, "apply", argument(2))
		r.guard(reflect, "construct", argument(1))
	}
	if r.first("from") {
		r.guard(global.Get("Array").(*goja.Object), "from", argument(0))
	}
	if r.first("raw") {
		r.guard(global.Get("String").(*goja.Object), "raw", func(call goja.FunctionCall) {
			if template, ok := call.Argument(0).(*goja.Object); ok {
				r.atMost(lengthOf(template.Get("raw")), maxList, "the text")
			}
		})
	}
}

// guardTypedArrays limits how large one can be. Each class is replaced by a proxy, which passes on everything but a size.
func (r *run) guardTypedArrays() {
	global := r.rt.GlobalObject()
	hasInstance := r.rt.ToValue(func(call goja.FunctionCall) goja.Value { // goja's instanceof takes no proxy
		class, isClass := call.This.(*goja.Object)
		object, isObject := call.Argument(0).(*goja.Object)
		if isClass && isObject {
			prototype := class.Get("prototype")
			for proto := object.Prototype(); proto != nil; proto = proto.Prototype() {
				if proto.SameAs(prototype) {
					return r.rt.ToValue(true)
				}
			}
		}
		return r.rt.ToValue(false)
	})
	for _, name := range typedArrays {
		class := global.Get(name).(*goja.Object)
		construct, _ := goja.AssertConstructor(class)
		proxy := r.rt.NewProxy(class, &goja.ProxyTrapConfig{
			Construct: func(_ *goja.Object, arguments []goja.Value, newTarget *goja.Object) *goja.Object {
				if len(arguments) > 0 {
					size := lengthOf(arguments[0])
					if _, object := arguments[0].(*goja.Object); !object {
						size = arguments[0].ToInteger()
					}
					r.atMost(size, maxList, "the array")
				}
				made, err := construct(newTarget, arguments...)
				if err != nil {
					panic(err)
				}
				return made
			},
		})
		value := r.rt.ToValue(proxy)
		_ = r.rt.Set(name, value)
		_ = class.DefineDataPropertySymbol(goja.SymHasInstance, hasInstance, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
		_ = class.Get("prototype").(*goja.Object).DefineDataProperty("constructor", value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	typed := global.Get("Uint8Array").(*goja.Object).Prototype()
	r.guard(typed, "from", func(call goja.FunctionCall) { r.atMost(lengthOf(call.Argument(0)), maxList, "the array") })
	r.guard(typed.Get("prototype").(*goja.Object), "set", func(call goja.FunctionCall) { r.atMost(lengthOf(call.Argument(0)), maxList, "the array") })
}
