package document

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth is how many objects and arrays may be inside each other.
	maxDepth = 32
	// maxNesting is the depth beyond which a text counts as wrong syntax, as in encoding/json.
	maxNesting = 10_000
)

// reader reads a JSON text (RFC 8259) in UTF-8, once and from the beginning to the end.
//
// Wrong syntax ends the reading. Any other fault is noted and the reading continues, so a wrong
// syntax is always reported before other faults. There is no recursion, because a stranger decides
// how deep a text is nested.
type reader struct {
	text string
	at   int // the next byte

	// open are the opening brackets of the containers that have not ended, the innermost last. The
	// first maxDepth of them have a place in containers.
	open       []byte
	containers [maxDepth]container

	lone      bool // half of a surrogate pair was found
	refusal   error
	refusedAt int // where the reason for refusal is
}

// container is an object or array that is being read.
type container struct {
	object map[string]any // nil: it is an array
	array  []any
	name   string // of the member that is being read
	nameAt int
}

// read returns the value that the text consists of. False: its syntax is wrong.
func (r *reader) read() (value any, ok bool) {
	for {
		switch c := r.peek(); c {
		case '{', '[':
			if !r.begin(c) {
				return nil, false
			}
			if r.peek() != closing(c) {
				if !r.beginMember() {
					return nil, false
				}
				continue
			}
		default:
			if value, ok = r.scalar(c); !ok {
				return nil, false
			}
			r.put(value)
		}
		// A value has ended, and perhaps containers around it.
		for {
			if len(r.open) == 0 {
				return value, r.peek() == 0 && r.at == len(r.text)
			}
			c := r.peek()
			r.at++
			if c == ',' {
				break
			}
			if c != closing(r.open[len(r.open)-1]) {
				return nil, false
			}
			value = r.end()
		}
		if !r.beginMember() {
			return nil, false
		}
	}
}

// peek skips white space and returns the next byte. Zero: the text has ended, or it has a NUL,
// which no JSON has outside of strings.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func closing(bracket byte) byte {
	if bracket == '{' {
		return '}'
	}
	return ']'
}

// begin begins a container. False: it is nested too deep for any reader.
func (r *reader) begin(bracket byte) bool {
	depth := len(r.open)
	if depth == maxNesting {
		return false
	}
	if depth < maxDepth {
		c := &r.containers[depth]
		*c = container{array: []any{}}
		if bracket == '{' {
			*c = container{object: make(map[string]any, r.members(depth))}
		}
	} else {
		r.refuse(r.at, ErrDepth)
	}
	r.open = append(r.open, bracket)
	r.at++
	return true
}

// members is the initial capacity of an object. It is enough for most outermost objects, and never
// much more than a text of this length can need.
func (r *reader) members(depth int) int {
	if depth > 0 {
		return 0
	}
	return min(1+strings.Count(r.text, ","), len(r.text)/16)
}

// beginMember reads the name of the next member and the colon, if the innermost container is an
// object.
func (r *reader) beginMember() bool {
	depth := len(r.open)
	if r.open[depth-1] == '[' {
		return true
	}
	if r.peek() != '"' {
		return false
	}
	at := r.at
	name, ok := r.string()
	if !ok || r.peek() != ':' {
		return false
	}
	r.at++
	if depth <= maxDepth {
		c := &r.containers[depth-1]
		c.name = name
		c.nameAt = at
	}
	return true
}

// put puts a value into the innermost container, if there is one.
func (r *reader) put(value any) {
	depth := len(r.open)
	if depth == 0 || depth > maxDepth {
		return
	}
	c := &r.containers[depth-1]
	if c.object == nil {
		c.array = append(c.array, value)
		return
	}
	before := len(c.object)
	c.object[c.name] = value
	if len(c.object) == before { // it has replaced another
		r.refuse(c.nameAt, fmt.Errorf("%w: %.80q", ErrDuplicate, c.name))
	}
}

// end ends the innermost container and puts it into the one around it.
func (r *reader) end() (value any) {
	depth := len(r.open)
	r.open = r.open[:depth-1]
	if depth > maxDepth {
		return nil
	}
	c := &r.containers[depth-1]
	value = c.array
	if c.object != nil {
		value = c.object
	}
	r.put(value)
	return value
}

// refuse notes why the text is refused, although its syntax is right. The reason that comes first
// in the text counts.
func (r *reader) refuse(at int, why error) {
	if r.refusal == nil || at < r.refusedAt {
		r.refusal = why
		r.refusedAt = at
	}
}

// scalar reads a string, number, boolean or null that begins with a byte.
func (r *reader) scalar(first byte) (value any, ok bool) {
	switch first {
	case '"':
		return r.string()
	case 't':
		return true, r.skip("true")
	case 'f':
		return false, r.skip("false")
	case 'n':
		return nil, r.skip("null")
	}
	return r.number()
}

// skip skips a text. False: something else is there.
func (r *reader) skip(text string) bool {
	if !strings.HasPrefix(r.text[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

// number reads a number (RFC 8259 §6), and keeps all of its digits.
func (r *reader) number() (json.Number, bool) {
	begin := r.at
	_ = r.skip("-")
	if !r.skip("0") && !r.digits() {
		return "", false
	}
	if r.skip(".") && !r.digits() {
		return "", false
	}
	if r.skip("e") || r.skip("E") {
		_ = r.skip("+") || r.skip("-")
		if !r.digits() {
			return "", false
		}
	}
	return json.Number(r.text[begin:r.at]), true
}

// digits skips decimal digits. False: there is none.
func (r *reader) digits() bool {
	begin := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > begin
}

// string reads a string, which begins with a quotation mark. It shares the memory of the text
// unless it has escapes.
func (r *reader) string() (string, bool) {
	r.at++
	begin := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[begin : r.at-1], true
		case c == '\\':
			return r.escapedString(begin)
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escapedString reads the rest of a string, from its first escape on.
func (r *reader) escapedString(begin int) (string, bool) {
	s := []byte(r.text[begin:r.at])
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(s), true
		case c < ' ':
			return "", false
		case c != '\\':
			s = append(s, c)
			continue
		}
		unescaped, ok := r.escape()
		if !ok {
			return "", false
		}
		s = utf8.AppendRune(s, unescaped)
	}
	return "", false
}

// escape reads what follows a backslash.
func (r *reader) escape() (rune, bool) {
	if r.at == len(r.text) {
		return 0, false
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return r.unicodeEscape()
	}
	return 0, false
}

// unicodeEscape reads the four digits after \u, and the second half of a surrogate pair. It notes a
// half that is alone: encoding/json reads U+FFFD from each, so that different names become equal.
func (r *reader) unicodeEscape() (rune, bool) {
	unit, ok := r.unit()
	if !ok || !utf16.IsSurrogate(unit) {
		return unit, ok
	}
	if !r.skip(`\u`) {
		r.lone = true
		return unicode.ReplacementChar, true
	}
	second, ok := r.unit()
	pair := utf16.DecodeRune(unit, second)
	if pair == unicode.ReplacementChar { // which no pair spells
		r.lone = true
	}
	return pair, ok
}

// unit reads the four hexadecimal digits of a UTF-16 code unit.
func (r *reader) unit() (rune, bool) {
	if len(r.text)-r.at < 4 {
		return 0, false
	}
	unit, err := strconv.ParseUint(r.text[r.at:r.at+4], 16, 16)
	r.at += 4
	return rune(unit), err == nil
}
