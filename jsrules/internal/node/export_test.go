package node

import (
	"maps"
	"slices"
)

// Made returns the files whose modules were made, in order.
func (m *Modules) Made() []string { return slices.Sorted(maps.Keys(m.made)) }
