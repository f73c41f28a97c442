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

	// missing says which properties nobody may know about.
	missing partly
	// asked counts how often the rule asked whether there is a missing property.
	asked map[string]int
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
	value, ok := o.find(name)
	if value == (gone{}) {
		return value, false
	}
	return value, ok
}

// find returns what the first layer says that knows a name, which may be [gone].
func (o *object) find(name string) (any, bool) {
	for _, layer := range o.layers {
		if value, ok := layer.lookup(name); ok {
			return value, true
		}
	}
	return nil, false
}

// lacks returns the path of a property that is neither there nor known to be absent, or "".
func (o *object) lacks(name string) string {
	if o.missing == all {
		return ""
	}
	if _, set := o.values[name]; set {
		return ""
	}
	if _, known := o.find(name); known {
		return ""
	}
	return o.run.missingPath(o.missing, name)
}

func (o *object) was(name string) any {
	value, _ := o.original(name)
	return value
}

// Get implements [goja.DynamicObject]. A property that is missing fails the exchange, and no catch
// of the rule sees it.
func (o *object) Get(name string) goja.Value {
	if value, ok := o.values[name]; ok {
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
		o.put(name, value)
	}
	return value
}

// convert makes JavaScript's form of a property.
func (o *object) convert(name string, original any) goja.Value {
	if make, ok := original.(later); ok {
		return make()
	}
	if o.missing == ofContext {
		if value := o.run.guarded(name, original); value != nil {
			return value
		}
	}
	return o.run.in(original, name, 0)
}

func (o *object) put(name string, value goja.Value) {
	if o.values == nil {
		o.values = make(map[string]goja.Value, 8)
	}
	o.values[name] = value
}

// Set implements [goja.DynamicObject]. goja has asked Has before.
func (o *object) Set(name string, value goja.Value) bool {
	if o.asked[name] > 0 {
		o.asked[name]--
	}
	if _, known := o.original(name); !known && o.values[name] == nil {
		o.added = append(o.added, name)
	}
	o.put(name, value)
	return true
}

// Has implements [goja.DynamicObject]. It is asked by the operator in and by hasOwnProperty, and
// before each assignment, which [object.Set] tells apart. To ask for a property that is missing is
// to read it; but the exchange can only fail when the rule has ended.
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
	if value, ok := o.values[name]; ok {
		return value != nil
	}
	_, ok := o.original(name)
	return ok
}

// checkAsked fails the exchange of a rule that asked whether there is a property that is missing.
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
		return !ours || !o.has(name)
	})
	return append(names, o.added...)
}
