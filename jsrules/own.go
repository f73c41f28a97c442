package jsrules

import "github.com/dop251/goja"

// ownProperties are properties of an object by name. The first ones have places of their own: a
// rule seldom touches more than two properties of user or context, and a map takes longer than
// that.
type ownProperties struct {
	first [2]ownProperty
	used  int // how many of first
	more  map[string]goja.Value
}

type ownProperty struct {
	name  string
	value goja.Value
}

func (p *ownProperties) get(name string) (value goja.Value, ok bool) {
	for i := range p.used {
		if p.first[i].name == name {
			return p.first[i].value, true
		}
	}
	value, ok = p.more[name]
	return value, ok
}

func (p *ownProperties) put(name string, value goja.Value) {
	for i := range p.used {
		if p.first[i].name == name {
			p.first[i].value = value
			return
		}
	}
	if p.used < len(p.first) {
		p.first[p.used] = ownProperty{name, value}
		p.used++
		return
	}
	if p.more == nil {
		p.more = map[string]goja.Value{}
	}
	p.more[name] = value
}

func (p *ownProperties) size() int { return p.used + len(p.more) }

// all visits the properties until a visit returns false. It is a function for range.
func (p *ownProperties) all(visit func(name string, value goja.Value) bool) {
	for i := range p.used {
		if !visit(p.first[i].name, p.first[i].value) {
			return
		}
	}
	for name, value := range p.more {
		if !visit(name, value) {
			return
		}
	}
}
