package jsrules

import (
	"iter"
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// object is a JavaScript object over a Go map. A property is converted when the rule looks at it, and afterwards is as
// in any other object; what the rule does not look at costs nothing and stays as it is. It implements [goja.DynamicObject].
type object struct {
	run    *run
	js     *goja.Object
	layers []layer               // never written to; the first that has a name wins
	values map[string]goja.Value // objects that were looked at, and all that was set; nil: deleted
	added  []string              // names that the rule has added, in order
}

// later is the value of a property that is made when the rule looks at it.
type later func() goja.Value

// gone marks a name that an earlier rule has deleted.
type gone struct{}

// layer is where properties come from.
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
	o := &object{run: r, layers: layers}
	o.js = r.rt.NewDynamicObject(o)
	return o
}

// original returns what a property was before the rule ran.
func (o *object) original(name string) (any, bool) {
	for _, layer := range o.layers {
		if value, ok := layer.lookup(name); ok {
			return value, value != gone{}
		}
	}
	return nil, false
}

func (o *object) was(name string) any {
	value, _ := o.original(name)
	return value
}

// Get implements [goja.DynamicObject].
func (o *object) Get(name string) goja.Value {
	if value, ok := o.values[name]; ok {
		return value
	}
	original, ok := o.original(name)
	if !ok {
		return nil
	}
	var value goja.Value
	if make, ok := original.(later); ok {
		value = make()
	} else {
		value = o.run.in(original, name, 0)
	}
	if _, mutable := value.(*goja.Object); mutable {
		o.put(name, value)
	}
	return value
}

func (o *object) put(name string, value goja.Value) {
	if o.values == nil {
		o.values = make(map[string]goja.Value, 8)
	}
	o.values[name] = value
}

// Set implements [goja.DynamicObject].
func (o *object) Set(name string, value goja.Value) bool {
	if _, known := o.original(name); !known && o.values[name] == nil {
		o.added = append(o.added, name)
	}
	o.put(name, value)
	return true
}

// Has implements [goja.DynamicObject].
func (o *object) Has(name string) bool {
	if value, ok := o.values[name]; ok {
		return value != nil
	}
	_, ok := o.original(name)
	return ok
}

// Delete implements [goja.DynamicObject].
func (o *object) Delete(name string) bool {
	if o.Has(name) {
		o.put(name, nil)
		o.added = slices.DeleteFunc(o.added, func(added string) bool { return added == name })
	}
	return true
}

// Keys implements [goja.DynamicObject]: sorted, because a Go map has no order, and those added behind.
func (o *object) Keys() []string {
	var names []string
	for _, layer := range o.layers {
		names = slices.AppendSeq(names, layer.names())
	}
	slices.Sort(names)
	names = slices.Compact(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		_, ours := o.original(name)
		return !ours || !o.Has(name)
	})
	return append(names, o.added...)
}
