package node

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/dop251/goja"
)

// indexOf(buffer, needle, from, forward, step) returns the place of a needle, or -1. The place is a
// multiple of step. from must be inside of the buffer, or at its end.
func (m *Modules) indexOf(call goja.FunctionCall) goja.Value {
	memory := m.bytes(call.Argument(0))
	needle := m.bytes(call.Argument(1))
	from := int(min(max(call.Argument(2).ToInteger(), 0), int64(len(memory))))
	step := int(call.Argument(4).ToInteger())
	next := func() int {
		at := bytes.Index(memory[from:], needle)
		if at < 0 {
			return at
		}
		from += at + 1
		return from - 1
	}
	if !call.Argument(3).ToBoolean() {
		end := min(from+len(needle), len(memory))
		next = func() int {
			at := bytes.LastIndex(memory[:end], needle)
			end = at + len(needle) - 1
			return at
		}
	}
	for {
		m.Halt() // a needle of a million bytes can match almost a million times
		at := next()
		if at < 0 || at%step == 0 {
			return m.Runtime.ToValue(at)
		}
	}
}

// compare(a, b) returns the order of two Buffers.
func (m *Modules) compare(call goja.FunctionCall) goja.Value {
	return m.Runtime.ToValue(bytes.Compare(m.bytes(call.Argument(0)), m.bytes(call.Argument(1))))
}

// fill(buffer, pattern) fills the whole Buffer with repetitions of a pattern.
func (m *Modules) fill(call goja.FunctionCall) goja.Value {
	memory := m.bytes(call.Argument(0))
	filled := copy(memory, bytes.Clone(m.bytes(call.Argument(1))))
	for filled > 0 && filled < len(memory) {
		filled += copy(memory[filled:], memory[:filled])
	}
	return goja.Undefined()
}

// order returns the byte order of a function for floating-point numbers.
func order(little bool) binary.ByteOrder {
	if little {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// readFloat(buffer, little) returns the number in four or eight bytes.
func (m *Modules) readFloat(call goja.FunctionCall) goja.Value {
	memory := m.bytes(call.Argument(0))
	o := order(call.Argument(1).ToBoolean())
	if len(memory) == 4 {
		return m.Runtime.ToValue(float64(math.Float32frombits(o.Uint32(memory))))
	}
	return m.Runtime.ToValue(math.Float64frombits(o.Uint64(memory)))
}

// writeFloat(buffer, little, number) writes a number into four or eight bytes.
func (m *Modules) writeFloat(call goja.FunctionCall) goja.Value {
	memory := m.bytes(call.Argument(0))
	o := order(call.Argument(1).ToBoolean())
	number := call.Argument(2).ToFloat()
	if len(memory) == 4 {
		o.PutUint32(memory, math.Float32bits(float32(number)))
	} else {
		o.PutUint64(memory, math.Float64bits(number))
	}
	return goja.Undefined()
}
