// Package ecmaregexp matches regular expressions as ECMAScript defines them, to the letter: case
// folding, Unicode properties, lookbehind, captures in loops. It backtracks, as the standard
// describes it, and regularly asks its caller whether to continue. Characters are those of Unicode
// 15.0.
package ecmaregexp

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Regexp is a compiled regular expression. It is never changed, so many may use it at once.
type Regexp struct {
	program   []instruction
	registers int      // captures, counters and positions
	groups    []string // the name of each capture, or ""
	flags     flags
}

type flags struct {
	ignoreCase, multiline, dotAll, unicode bool
}

// SyntaxError says why a text is no regular expression, or none that is supported.
type SyntaxError struct {
	Offset  int // in the pattern, in UTF-16 code units
	Message string
}

func (e *SyntaxError) Error() string { return "invalid regular expression: " + e.Message }

// ErrTooLarge means that a match needs more backtracking positions than are allowed.
var ErrTooLarge = errors.New("the regular expression has too many ways to match")

// Compile compiles a pattern in UTF-16. Flags are of d, g, i, m, s, u and y; d, g and y change
// nothing about a match. The flag v is not supported. The error is a *SyntaxError.
func Compile(pattern []uint16, flags string) (*Regexp, error) {
	f, err := parseFlags(flags)
	if err != nil {
		return nil, err
	}
	p := newParser(pattern, f)
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	c := &compiler{flags: f, registers: 2 * len(p.names)}
	c.emit(instruction{op: opSave, a: 0})
	c.node(root, false)
	c.emit(instruction{op: opSave, a: 1})
	c.emit(instruction{op: opMatch})
	return &Regexp{program: c.program, registers: c.registers, groups: p.names, flags: f}, nil
}

// CompileText is Compile for a pattern in UTF-8.
func CompileText(pattern, flags string) (*Regexp, error) {
	return Compile(utf16.Encode([]rune(pattern)), flags)
}

func parseFlags(text string) (flags, error) {
	var f flags
	for i, flag := range text {
		if strings.IndexRune(text, flag) < i {
			return f, &SyntaxError{0, fmt.Sprintf("the flag %q occurs twice", flag)}
		}
		switch flag {
		case 'd', 'g', 'y':
		case 'i':
			f.ignoreCase = true
		case 'm':
			f.multiline = true
		case 's':
			f.dotAll = true
		case 'u':
			f.unicode = true
		default:
			return f, &SyntaxError{0, fmt.Sprintf("the flag %q is not supported", flag)}
		}
	}
	return f, nil
}

// Groups returns the name of each capture, or "", beginning with the whole match.
func (re *Regexp) Groups() []string { return re.groups }

// Find looks for the first match that begins at or after a place, or with sticky only there. It
// returns begin and end of the match and of each capture, or nil if there is no match. A capture
// that took no part has -1. halt is called every few thousand steps; its error ends the search.
func (re *Regexp) Find(text []uint16, from int, sticky bool, halt func() error) ([]int, error) {
	f := Finder{Halt: halt}
	return f.Find(re, text, from, sticky)
}

// Finder searches like [Regexp.Find], and keeps its memory for the next search. The zero value is
// ready. One search at a time may use it.
type Finder struct {
	// Halt is called every few thousand steps; its error ends the search. It may be nil.
	Halt func() error

	registers []int
	stack     []stackEntry
}

// maxKept limits the memory that a Finder keeps, in backtracking positions.
const maxKept = 1 << 10

// Find is [Regexp.Find] of an expression.
func (f *Finder) Find(re *Regexp, text []uint16, from int, sticky bool) ([]int, error) {
	f.registers = slices.Grow(f.registers[:0], re.registers)[:re.registers]
	m := &matcher{re: re, text: text, halt: f.Halt, registers: f.registers, stack: f.stack[:0]}
	found, err := m.find(from, sticky)
	if cap(m.stack) <= maxKept {
		f.stack = m.stack
	}
	return slices.Clone(found), err
}

// find returns the registers of the first match.
func (m *matcher) find(from int, sticky bool) ([]int, error) {
	re, text := m.re, m.text
	if re.flags.unicode && from > 0 && from < len(text) && isPair(text[from-1], text[from]) {
		from-- // a place within a character counts as the place before it
	}
	for at := from; at <= len(text); at = m.after(at) {
		for i := range m.registers {
			m.registers[i] = -1
		}
		m.stack = m.stack[:0]
		found, err := m.run(0, at)
		if err != nil {
			return nil, err
		}
		if found {
			return m.registers[:2*len(re.groups)], nil
		}
		if sticky {
			break
		}
	}
	return nil, nil
}
