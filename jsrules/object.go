package jsrules

import (
	"iter"
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// object is a JavaScript object whose properties come from Go maps. A property is converted when
// the rule reads it, and then is like one of any other object. A property that the rule does not
// read costs nothing and stays as it is. It implements [goja.DynamicObject].
type object struct {
	run *run
	js  *goja.Object
	// layers supply the properties. The first layer that has a name wins. They are never changed.
	// Those that are not used are nil, and last.
	layers [maxLayers]layer
	// values holds the properties that were set, and the objects that were read. A nil value is a
	// property that was deleted.
	values ownProperties
	// added are the names that the rule has added, in order.
	added []string

	// missing tells which properties may be unknown.
	missing partly
	// asked counts how often the rule asked whether a missing property exists.
	asked map[string]int
}

// maxLayers is how many layers an object can have: context has the most.
const maxLayers = 3

// later is a property that is made when the rule reads it.
type later func() goja.Value

// gone marks a name that an earlier rule has deleted.
type gone struct{}

// layer is a source of properties.
type layer interface {
	lookup(name string) (any, bool)
	names() iter.Seq[string]
}

// properties are a layer from a map.
type properties map[string]any

func (p properties) lookup(name string) (any, bool) {
	value, ok := p[name]
	return value, ok
}

func (p properties) names() iter.Seq[string] { return maps.Keys(p) }

func (r *run) object(layers ...layer) *object {
	o := &object{}
	r.make(o, layers...)
	return o
}

// make makes an object in memory that is new.
func (r *run) make(o *object, layers ...layer) {
	o.run = r
	copy(o.layers[:], layers)
	o.js = r.rt.NewDynamicObject(o)
}

// original returns what a property was before the rule ran.
func (o *object) original(name string) (any, bool) {
	value, ok := o.find(name)
	if value == (gone{}) {
		return value, false
	}
	return value, ok
}

// find returns a property from the first layer that has it. It may be [gone].
func (o *object) find(name string) (any, bool) {
	for _, layer := range o.layers {
		if layer == nil {
			break
		}
		if value, ok := layer.lookup(name); ok {
			return value, true
		}
	}
	return nil, false
}

// lacks returns the path of a property that does not exist and is not known to be absent. For any
// other property it returns "".
func (o *object) lacks(name string) string {
	if o.missing == all {
		return ""
	}
	if _, set := o.values.get(name); set {
		return ""
	}
	if _, known := o.find(name); known {
		return ""
	}
	return o.run.missingPath(o.missing, name)
}

// was returns a property as it was before the rule ran, or nil.
func (o *object) was(name string) any {
	value, _ := o.original(name)
	return value
}

// Get implements [goja.DynamicObject]. A property that is missing fails the exchange, and no catch
// of the rule sees it.
func (o *object) Get(name string) goja.Value {
	if value, ok := o.values.get(name); ok {
		return value
	}
	original, ok := o.original(name)
	if !ok {
		if path := o.lacks(name); path != "" {
			panic(o.run.lacks(path))
		}
		return nil
	}
	value := o.convert(name, original)
	if _, mutable := value.(*goja.Object); mutable {
		o.values.put(name, value)
	}
	return value
}

// convert returns a property as a JavaScript value.
func (o *object) convert(name string, original any) goja.Value {
	if deferred, ok := original.(later); ok {
		return deferred()
	}
	if o.missing == ofContext {
		if value := o.run.guarded(name, original); value != nil {
			return value
		}
	}
	return o.run.in(original, name, 0)
}

// touchedOnly tells whether the rule has read, set or deleted nothing but one property.
func (o *object) touchedOnly(name string) bool {
	for touched := range o.values.all {
		if touched != name {
			return false
		}
	}
	return true
}

// Set implements [goja.DynamicObject]. goja has called Has before.
func (o *object) Set(name string, value goja.Value) bool {
	if o.asked[name] > 0 {
		o.asked[name]--
	}
	if was, _ := o.values.get(name); was == nil {
		if _, known := o.original(name); !known {
			o.added = append(o.added, name)
		}
	}
	o.values.put(name, value)
	return true
}

// Has implements [goja.DynamicObject]. goja calls it for the operator in, for hasOwnProperty, and
// before each assignment, which [object.Set] takes back. Asking for a missing property counts as
// reading it, but the exchange can only fail when the rule has ended.
func (o *object) Has(name string) bool {
	if o.has(name) {
		return true
	}
	if o.lacks(name) != "" {
		if o.asked == nil {
			o.asked = map[string]int{}
		}
		o.asked[name]++
	}
	return false
}

func (o *object) has(name string) bool {
	if value, ok := o.values.get(name); ok {
		return value != nil
	}
	_, ok := o.original(name)
	return ok
}

// checkAsked fails the exchange if the rule asked whether a missing property exists.
func (o *object) checkAsked() {
	if len(o.asked) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(o.asked)) {
		if o.asked[name] > 0 {
			o.run.lacks(o.run.missingPath(o.missing, name))
		}
	}
}

// Delete implements [goja.DynamicObject].
func (o *object) Delete(name string) bool {
	if o.has(name) || o.lacks(name) != "" {
		o.values.put(name, nil)
		o.added = slices.DeleteFunc(o.added, func(added string) bool { return added == name })
	}
	return true
}

// Keys implements [goja.DynamicObject]. The names are sorted, because a Go map has no order. Those
// that the rule has added come last.
func (o *object) Keys() []string {
	var names []string
	for _, layer := range o.layers {
		if layer == nil {
			break
		}
		names = slices.AppendSeq(names, layer.names())
	}
	slices.Sort(names)
	names = slices.Compact(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		_, ours := o.original(name)
		return !ours || !o.has(name)
	})
	return append(names, o.added...)
}
