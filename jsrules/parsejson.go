package jsrules

import (
	"fmt"
	"strconv"

	"github.com/dop251/goja"
)

// parseJSON is JSON.parse (ECMA-262 §25.5.1). goja's own goes through encoding/json: it refuses
// 1e400, which is Infinity, and takes half a surrogate pair for U+FFFD.
func (r *run) parseJSON(call goja.FunctionCall) goja.Value {
	text := r.stringOf(call.Argument(0))
	r.atMost(int64(text.Length()), maxText/16, "the JSON")
	p := &jsonParser{run: r, text: text}
	value := p.value(0)
	if p.blank(); p.at < text.Length() {
		p.wrong()
	}
	reviver, callable := goja.AssertFunction(call.Argument(1))
	if !callable {
		return value
	}
	holder := r.rt.NewObject()
	_ = holder.Set("", value)
	return r.revive(holder, "", reviver, 0)
}

// jsonParser reads a text from at on.
type jsonParser struct {
	run  *run
	text goja.String
	at   int
}

// wrong throws a SyntaxError about the place that was reached.
func (p *jsonParser) wrong() {
	message := "Unexpected end of JSON input"
	if p.at < p.text.Length() {
		found := p.text.Substring(p.at, p.at+1).String()
		message = fmt.Sprintf("Unexpected token %s in JSON at position %d", found, p.at)
	}
	panic(p.run.newError("SyntaxError", message))
}

// peek returns the next code unit, or 0 at the end. A text with U+0000 is wrong outside of strings.
func (p *jsonParser) peek() uint16 {
	if p.at >= p.text.Length() {
		return 0
	}
	return p.text.CharAt(p.at)
}

// blank skips white space.
func (p *jsonParser) blank() {
	for {
		switch p.peek() {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take skips a code unit, which must be the given one.
func (p *jsonParser) take(unit uint16) {
	if p.peek() != unit {
		p.wrong()
	}
	p.at++
}

// taken skips a code unit if it is the given one.
func (p *jsonParser) taken(unit uint16) bool {
	if p.peek() != unit {
		return false
	}
	p.at++
	return true
}

func (p *jsonParser) value(depth int) goja.Value {
	if depth > maxNested {
		panic(p.run.rangeError("the JSON is nested too deep"))
	}
	p.blank()
	switch unit := p.peek(); {
	case unit == '{':
		return p.object(depth)
	case unit == '[':
		return p.array(depth)
	case unit == '"':
		return p.string()
	case unit == '-' || unit >= '0' && unit <= '9':
		return p.number()
	case unit == 't':
		p.word("true")
		return p.run.rt.ToValue(true)
	case unit == 'f':
		p.word("false")
		return p.run.rt.ToValue(false)
	}
	p.word("null")
	return goja.Null()
}

func (p *jsonParser) word(word string) {
	for i := range len(word) {
		p.take(uint16(word[i]))
	}
}

func (p *jsonParser) object(depth int) goja.Value {
	object := p.run.rt.NewObject()
	p.take('{')
	p.blank()
	if p.taken('}') {
		return object
	}
	for {
		p.blank()
		if p.peek() != '"' {
			p.wrong()
		}
		name := p.name()
		p.blank()
		p.take(':')
		p.run.define(object, name, p.value(depth+1))
		p.blank()
		if p.taken('}') {
			return object
		}
		p.take(',')
	}
}

// name reads the name of a property. goja's interface for Go cannot set one with half a surrogate
// pair.
func (p *jsonParser) name() string {
	text := p.string()
	for i := 0; i < text.Length(); i++ {
		if half(text, i) {
			panic(p.run.newError("SyntaxError",
				"JSON with half a surrogate pair in the name of a property is not supported"))
		}
		if text.CharAt(i)>>10 == 0xd800>>10 {
			i++
		}
	}
	return text.String()
}

// half reports whether there is half a surrogate pair at an index.
func half(text goja.String, i int) bool {
	switch text.CharAt(i) >> 10 {
	case 0xd800 >> 10:
		return i+1 >= text.Length() || text.CharAt(i+1)>>10 != 0xdc00>>10
	case 0xdc00 >> 10:
		return i == 0 || text.CharAt(i-1)>>10 != 0xd800>>10
	}
	return false
}

func (p *jsonParser) array(depth int) goja.Value {
	var elements []any
	p.take('[')
	p.blank()
	if p.taken(']') {
		return p.run.rt.NewArray()
	}
	for {
		elements = append(elements, p.value(depth+1))
		p.blank()
		if p.taken(']') {
			return p.run.rt.NewArray(elements...)
		}
		p.take(',')
	}
}

// escaped are the characters after a backslash, and what they mean.
var escaped = map[uint16]uint16{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (p *jsonParser) string() goja.String {
	p.take('"')
	begin := p.at
	for p.plain() {
		p.at++
	}
	if p.peek() == '"' {
		p.at++
		return p.text.Substring(begin, p.at-1)
	}
	units := make([]uint16, 0, p.at-begin+16)
	for i := begin; i < p.at; i++ {
		units = append(units, p.text.CharAt(i))
	}
	for !p.taken('"') {
		if p.plain() {
			units = append(units, p.peek())
			p.at++
			continue
		}
		p.take('\\')
		if p.taken('u') {
			units = append(units, p.hexadecimal())
			continue
		}
		unit, known := escaped[p.peek()]
		if !known {
			p.wrong()
		}
		units = append(units, unit)
		p.at++
	}
	return goja.StringFromUTF16(units)
}

// plain reports whether the next code unit stands for itself in a string.
func (p *jsonParser) plain() bool {
	unit := p.peek()
	return unit >= ' ' && unit != '"' && unit != '\\'
}

func (p *jsonParser) hexadecimal() uint16 {
	var unit uint16
	for range 4 {
		digit := p.peek()
		switch {
		case digit >= '0' && digit <= '9':
			unit = unit<<4 | (digit - '0')
		case digit >= 'a' && digit <= 'f':
			unit = unit<<4 | (digit - 'a' + 10)
		case digit >= 'A' && digit <= 'F':
			unit = unit<<4 | (digit - 'A' + 10)
		default:
			p.wrong()
		}
		p.at++
	}
	return unit
}

// number reads a number. One that is too large for JavaScript is Infinity.
func (p *jsonParser) number() goja.Value {
	begin := p.at
	p.taken('-')
	if !p.taken('0') {
		p.digits()
	}
	if p.taken('.') {
		p.digits()
	}
	if p.taken('e') || p.taken('E') {
		if !p.taken('+') {
			p.taken('-')
		}
		p.digits()
	}
	number, _ := strconv.ParseFloat(p.text.Substring(begin, p.at).String(), 64)
	return p.run.rt.ToValue(number)
}

// digits skips one digit or more.
func (p *jsonParser) digits() {
	begin := p.at
	for unit := p.peek(); unit >= '0' && unit <= '9'; unit = p.peek() {
		p.at++
	}
	if p.at == begin {
		p.wrong()
	}
}

// revive is InternalizeJSONProperty (ECMA-262 §25.5.1.1).
func (r *run) revive(
	holder *goja.Object, name string, reviver goja.Callable, depth int,
) goja.Value {
	r.halt()
	if depth > maxNested+1 { // the reviver has put objects into one another
		panic(r.rangeError("the JSON is nested too deep"))
	}
	value := member(holder, name)
	if object, ok := value.(*goja.Object); ok {
		for _, name := range namesIn(object) {
			revived := r.revive(object, name, reviver, depth+1)
			if goja.IsUndefined(revived) {
				_ = object.Delete(name)
			} else {
				_ = object.DefineDataProperty(
					name, revived, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_TRUE,
				)
			}
		}
	}
	return r.must(reviver(holder, r.rt.ToValue(name), value))
}

// namesIn returns the names of an object's properties, or the indices of a list.
func namesIn(object *goja.Object) []string {
	if object.ClassName() != "Array" {
		return object.Keys()
	}
	names := make([]string, min(lengthOf(object), maxList))
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}
