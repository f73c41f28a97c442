package jsrules

import (
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// object is a JavaScript object over a Go map. A property is converted when the rule looks at it, and afterwards is as
// in any other object; what the rule does not look at costs nothing and stays as it is. It implements [goja.DynamicObject].
type object struct {
	run    *run
	js     *goja.Object
	layers []map[string]any      // never written to; the first that has a name wins
	values map[string]goja.Value // converted or set; nil: deleted
	added  []string              // names that the rule has added, in order
}

// later is the value of a property that is made when the rule looks at it.
type later func() goja.Value

// gone marks a name that an earlier rule has deleted.
type gone struct{}

func (r *run) object(layers ...map[string]any) *object {
	o := &object{run: r, layers: layers}
	o.js = r.rt.NewDynamicObject(o)
	return o
}

// original returns what a property was before the rule ran.
func (o *object) original(name string) (any, bool) {
	for _, layer := range o.layers {
		if value, ok := layer[name]; ok {
			return value, value != gone{}
		}
	}
	return nil, false
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
	o.put(name, value)
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
	all := map[string]any{}
	for _, layer := range o.layers {
		maps.Copy(all, layer)
	}
	names := slices.Sorted(maps.Keys(all))
	names = slices.DeleteFunc(names, func(name string) bool {
		_, ours := o.original(name)
		return !ours || !o.Has(name)
	})
	return append(names, o.added...)
}
