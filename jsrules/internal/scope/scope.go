// Package scope finds out what a JavaScript source takes from outside. It reads the syntax tree and
// runs nothing. Names are resolved by the rules of the language, so locals, parameters, labels and
// names of properties do not count. Values are followed through variables, destructuring and the
// parameters of functions that the source calls itself, as far as that is easy to see.
package scope

import (
	"slices"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
)

// Kind is what a source does with a value.
type Kind uint8

// The kinds of uses.
const (
	Read   Kind = iota
	Call        // it is called
	Write       // it is assigned
	Delete      // it is removed
	Typeof      // a free identifier whose type is asked for, which throws nothing
)

// Step is one property on the way to a value.
type Step struct {
	// Name is the name of the property. Empty: it is made at run time.
	Name string
	// At is its place.
	At file.Idx
}

// Use is one use of a value from outside.
type Use struct {
	// Root is the free identifier, or the root that the call of [Of] gave to the parameter.
	Root string
	// Free says that Root is a free identifier.
	Free bool
	// Path leads from Root to the value. It ends at the first name that is made at run time.
	Path []Step
	Kind Kind
	// At is the place of the identifier, or of the last step.
	At file.Idx
	// RootAt is the place of the identifier that the path begins with.
	RootAt file.Idx
	// Set says that the source has assigned the value before, on every path to this place.
	Set bool
	// Strict says that the use is in strict code.
	Strict bool
	// Arguments are those of a call.
	Arguments []ast.Expression
	// Value is what is assigned to the value by a plain assignment, if that is one expression.
	Value ast.Expression
}

// Names returns the names of the path.
func (u *Use) Names() []string {
	names := make([]string, len(u.Path))
	for i, step := range u.Path {
		names[i] = step.Name
	}
	return names
}

// Uses are those of a source.
type Uses struct {
	// List has them in the order in which they run, as far as the source tells.
	List []Use
	// Assigned are free identifiers to which code that is not strict assigns. They become globals.
	Assigned map[string]bool
	// Blocks are names of functions that are declared in a block, by place. Outside of the block
	// they do not exist.
	Blocks map[string]file.Idx
}

// Of returns the uses of a program. The function gets the roots as arguments: uses of its
// parameters are reported under these names. An empty root is not followed.
func Of(program *ast.Program, function ast.Expression, roots ...string) *Uses {
	w := &walker{
		uses:     &Uses{Assigned: map[string]bool{}, Blocks: map[string]file.Idx{}},
		function: function,
		roots:    roots,
	}
	w.enter()
	w.declareVars(program.DeclarationList)
	w.list(program.Body)
	w.leave()
	w.finish()
	return w.uses
}

// binding is a name that the source declares.
type binding struct {
	// root is the name under which a parameter of the function is reported.
	root string
	// values are its possible values, as far as they are known.
	values []value
	// parameters are those of the function that it is declared as.
	parameters []*binding
	// following guards against cycles.
	following bool
}

// value is something that an expression leads to: a binding or a free identifier, and properties.
type value struct {
	base *binding
	free string
	at   file.Idx // of the identifier
	path []Step
}

// then is the value of a property.
func (v *value) then(steps ...Step) *value {
	if v == nil {
		return nil
	}
	longer := *v
	longer.path = slices.Concat(v.path, steps)
	return &longer
}

// names are the names of one scope.
type names struct {
	outer *names
	list  map[string]*binding
	// function says that var belongs here, and parameters are in the scope around it.
	function bool
	strict   bool
}

// region is a part of the source that runs as a whole or not at all.
type region struct{ outer *region }

// within reports whether a region is in another one, or is that one.
func (r *region) within(other *region) bool {
	for ; r != nil; r = r.outer {
		if r == other {
			return true
		}
	}
	return false
}

// seen is a use before values are followed.
type seen struct {
	Use
	value  *value
	region *region
}

type walker struct {
	uses     *Uses
	function ast.Expression
	roots    []string

	names  *names
	region *region
	// defined are free identifiers that exist here: the source has asked for their types.
	defined []string
	seen    []*seen
	passed  []passed
}

// enter begins a scope.
func (w *walker) enter() {
	strict := w.names != nil && w.names.strict
	w.names = &names{outer: w.names, list: map[string]*binding{}, strict: strict}
}

// leave ends a scope.
func (w *walker) leave() { w.names = w.names.outer }

// branch calls walk in a new region, in which the defined identifiers are known to exist.
func (w *walker) branch(defined []string, walk func()) {
	region := w.region
	before := w.defined
	w.region = w.newRegion()
	w.defined = slices.Concat(before, defined)
	walk()
	w.region = region
	w.defined = before
}

func (w *walker) newRegion() *region { return &region{outer: w.region} }

// declare adds a name to the current scope, once.
func (w *walker) declare(name string) *binding {
	if w.names.list[name] == nil {
		w.names.list[name] = &binding{}
	}
	return w.names.list[name]
}

// lookUp returns what a name is bound to, or nil if it is free.
func (w *walker) lookUp(name string) *binding {
	for n := w.names; n != nil; n = n.outer {
		if found := n.list[name]; found != nil {
			return found
		}
	}
	return nil
}

// refer returns the value of an identifier.
func (w *walker) refer(id *ast.Identifier) *value {
	name := id.Name.String()
	if found := w.lookUp(name); found != nil {
		return &value{base: found, at: id.Idx}
	}
	return &value{free: name, at: id.Idx}
}

// use notes a use of a value.
func (w *walker) use(v *value, kind Kind) *seen {
	at := v.at
	if n := len(v.path); n > 0 {
		at = v.path[n-1].At
	}
	last := &seen{
		Use:    Use{Kind: kind, At: at, Strict: w.names.strict},
		value:  v,
		region: w.region,
	}
	w.seen = append(w.seen, last)
	if v.free == "" {
		return last
	}
	last.Set = slices.Contains(w.defined, v.free) // only its existence matters
	if kind == Write && len(v.path) == 0 && !w.names.strict {
		w.uses.Assigned[v.free] = true
	}
	return last
}

// finish follows the values of all uses.
func (w *walker) finish() {
	w.passAll()
	written := map[string][]*region{}
	for _, s := range w.seen {
		if s.Kind == Write && s.value.base != nil && len(s.value.path) == 0 {
			continue // a variable gets another value
		}
		for _, v := range w.follow(s.value) {
			use := s.Use
			use.Root = v.free
			use.Free = v.base == nil
			use.RootAt = v.at
			if v.base != nil {
				use.Root = v.base.root
			}
			use.Path = untilComputed(v.path)
			if n := len(use.Path); n > 0 && len(s.value.path) == 0 {
				use.At = s.value.at
			}
			w.order(&use, s.region, written)
			w.uses.List = append(w.uses.List, use)
		}
	}
}

// order notes what is written, and what was written before.
func (w *walker) order(use *Use, at *region, written map[string][]*region) {
	key := use.Root
	if use.Free {
		key = "free " + key
	}
	keys := []string{}
	for _, step := range use.Path {
		key += "\x00" + step.Name
		keys = append(keys, key)
	}
	if use.Kind == Write {
		written[key] = append(written[key], at)
		return
	}
	for _, key := range keys {
		use.Set = use.Set || slices.ContainsFunc(written[key], at.within)
	}
}

// untilComputed cuts a path after the first step whose name is made at run time.
func untilComputed(path []Step) []Step {
	for i, step := range path {
		if step.Name == "" {
			return path[:i+1]
		}
	}
	return path
}

// Limits of what is followed. Beyond them a value counts as unknown.
const (
	maxValues = 8
	maxPath   = 20
)

// follow returns the values from outside that a value may be.
func (w *walker) follow(v *value) []value {
	switch {
	case v == nil || len(v.path) > maxPath:
		return nil
	case v.base == nil:
		return []value{*v}
	}
	var found []value
	if v.base.root != "" {
		found = append(found, *v)
	}
	if v.base.following {
		return found
	}
	v.base.following = true
	defer func() { v.base.following = false }()
	for i := range v.base.values {
		for _, from := range w.follow(&v.base.values[i]) {
			if len(found) < maxValues {
				found = append(found, *from.then(v.path...))
			}
		}
	}
	return found
}
