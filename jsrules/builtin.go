package jsrules

import "github.com/seed055b7978/delegation/jsrules/internal/node"

// builtin reports whether a built-in module has a name.
func builtin(name string) bool { return node.Has(name) }

// nodeModules returns the built-in modules of this runtime. Each is made when it is first used.
func (r *run) nodeModules() *node.Modules {
	if r.node == nil {
		r.node = node.New(node.Host{
			Runtime:      r.rt,
			Halt:         r.halt,
			SetImmediate: r.setImmediate,
			GuardArrays:  r.guardTypedArrays,
		})
	}
	return r.node
}
