package ecmaregexp

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// What a pattern is made of.
type (
	node any

	char     struct{ c rune }
	dot      struct{}
	class    struct{ set *set }
	sequence struct{ nodes []node }
	choice   struct{ nodes []node }
	group    struct { // a capture
		index int
		node  node
	}
	backref struct {
		index int
		name  string // instead of the index
	}
	assertion struct{ op op }
	look      struct {
		behind, negative bool
		node             node
		first, last      int // captures within
	}
	repeat struct {
		min, max    int // max < 0: no limit
		lazy        bool
		node        node
		first, last int // captures within
	}
)

const (
	maxNesting = 250
	maxGroups  = 10_000
	maxCount   = 1<<31 - 1
)

// parser reads a pattern: code points with the flag u, otherwise code units, and then with the
// looser grammar of ECMAScript's Annex B.
type parser struct {
	flags   flags
	pattern []rune
	offsets []int // of each in UTF-16
	at      int
	depth   int
	names   []string // of captures so far; the first is the whole match
	total   int      // captures in the whole pattern
	named   bool     // there are named ones
	refs    []*backref
}

func newParser(pattern []uint16, f flags) *parser {
	p := &parser{flags: f, names: []string{""}}
	for i := 0; i < len(pattern); i++ {
		p.offsets = append(p.offsets, i)
		if f.unicode && i+1 < len(pattern) && isPair(pattern[i], pattern[i+1]) {
			p.pattern = append(p.pattern, utf16.DecodeRune(rune(pattern[i]), rune(pattern[i+1])))
			i++
			continue
		}
		p.pattern = append(p.pattern, rune(pattern[i]))
	}
	p.offsets = append(p.offsets, len(pattern))
	return p
}

func isPair(high, low uint16) bool { return high>>10 == 0xd800>>10 && low>>10 == 0xdc00>>10 }

// parse reads the whole pattern.
func (p *parser) parse() (root node, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			wrong, ok := thrown.(*SyntaxError)
			if !ok {
				panic(thrown)
			}
			err = wrong
		}
	}()
	p.countGroups()
	root = p.disjunction()
	if p.more() {
		p.fail("unmatched %q", p.peek())
	}
	for _, ref := range p.refs {
		p.resolve(ref)
	}
	return root, nil
}

func (p *parser) fail(format string, args ...any) {
	panic(&SyntaxError{p.offsets[min(p.at, len(p.pattern))], fmt.Sprintf(format, args...)})
}

func (p *parser) more() bool { return p.at < len(p.pattern) }

// peek returns the next character, or -1.
func (p *parser) peek() rune { return p.ahead(0) }

func (p *parser) ahead(n int) rune {
	if p.at+n < len(p.pattern) {
		return p.pattern[p.at+n]
	}
	return -1
}

// eat takes a text if it is next.
func (p *parser) eat(text string) bool {
	for i, c := range []byte(text) {
		if p.ahead(i) != rune(c) {
			return false
		}
	}
	p.at += len(text)
	return true
}

// countGroups finds out how many captures there are, and whether some have names, which decides
// what \1 and \k mean before them.
func (p *parser) countGroups() {
	inClass := false
	for i := 0; i < len(p.pattern); i++ {
		switch c := p.pattern[i]; {
		case c == '\\':
			i++
		case c == '[':
			inClass = true
		case c == ']':
			inClass = false
		case c == '(' && !inClass:
			if i+1 >= len(p.pattern) || p.pattern[i+1] != '?' {
				p.total++
				continue
			}
			isName := i+3 < len(p.pattern) && p.pattern[i+2] == '<' &&
				p.pattern[i+3] != '=' && p.pattern[i+3] != '!'
			if isName {
				p.total++
				p.named = true
			}
		}
	}
	if p.total > maxGroups {
		p.fail("more than %d groups", maxGroups)
	}
}

// resolve finds the capture that a named reference means.
func (p *parser) resolve(ref *backref) {
	ref.index = slices.Index(p.names, ref.name)
	if ref.index < 0 {
		p.fail("there is no group %q", ref.name)
	}
}

func (p *parser) disjunction() node {
	if p.depth++; p.depth > maxNesting {
		p.fail("groups are nested too deep")
	}
	defer func() { p.depth-- }()
	nodes := []node{p.alternative()}
	for p.eat("|") {
		nodes = append(nodes, p.alternative())
	}
	if len(nodes) == 1 {
		return nodes[0]
	}
	return choice{nodes}
}

func (p *parser) alternative() node {
	var nodes []node
	for p.more() && p.peek() != '|' && p.peek() != ')' {
		nodes = append(nodes, p.term())
	}
	return sequence{nodes}
}

// term reads an assertion, or an atom with its quantifier.
func (p *parser) term() node {
	first := len(p.names)
	atom, quantifiable := p.atom()
	last := len(p.names)
	start := p.at
	minimum, maximum, ok := p.quantifier()
	if !ok {
		return atom
	}
	if !quantifiable {
		p.at = start
		p.fail("nothing to repeat")
	}
	return repeat{
		min: minimum, max: maximum, lazy: p.eat("?"), node: atom, first: first, last: last,
	}
}

// quantifier reads a quantifier if there is one. Without the flag u a brace that begins none is
// itself.
func (p *parser) quantifier() (minimum, maximum int, ok bool) {
	switch {
	case p.eat("*"):
		return 0, -1, true
	case p.eat("+"):
		return 1, -1, true
	case p.eat("?"):
		return 0, 1, true
	case p.peek() != '{':
		return 0, 0, false
	}
	start := p.at
	minimum, maximum, ok = p.braces()
	if !ok {
		p.at = start
		return 0, 0, false
	}
	if maximum >= 0 && maximum < minimum {
		p.at = start
		p.fail("the numbers of a quantifier are out of order")
	}
	return minimum, maximum, true
}

// braces reads {n}, {n,} or {n,m}.
func (p *parser) braces() (minimum, maximum int, ok bool) {
	p.at++
	minimum, ok = p.number()
	if !ok {
		return 0, 0, false
	}
	if p.eat("}") {
		return minimum, minimum, true
	}
	if !p.eat(",") {
		return 0, 0, false
	}
	if p.eat("}") {
		return minimum, -1, true
	}
	maximum, ok = p.number()
	return minimum, maximum, ok && p.eat("}")
}

func (p *parser) number() (n int, ok bool) {
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		n = min(n*10+int(c-'0'), maxCount)
		ok = true
		p.at++
	}
	return n, ok
}

// atom reads what a quantifier may follow, or an assertion.
func (p *parser) atom() (made node, quantifiable bool) {
	c := p.peek()
	switch c {
	case '^':
		p.at++
		return assertion{opLineStart}, false
	case '$':
		p.at++
		return assertion{opLineEnd}, false
	case '(':
		return p.parenthesis()
	case '.':
		p.at++
		return dot{}, true
	case '[':
		return p.bracket(), true
	case '\\':
		return p.escape()
	case '*', '+', '?':
		p.fail("nothing to repeat")
	case '{':
		if p.flags.unicode {
			p.fail("nothing to repeat")
		}
		start := p.at
		if _, _, ok := p.braces(); ok {
			p.at = start
			p.fail("nothing to repeat")
		}
		p.at = start
	case ']', '}':
		if p.flags.unicode {
			p.fail("a lone %q", c)
		}
	}
	p.at++
	return char{c}, true
}

func (p *parser) parenthesis() (made node, quantifiable bool) {
	first := len(p.names)
	inside := func() node {
		made := p.disjunction()
		if !p.eat(")") {
			p.fail("a group has no end")
		}
		return made
	}
	switch {
	case p.eat("(?:"):
		return inside(), true
	case p.eat("(?="):
		return look{node: inside(), first: first, last: len(p.names)}, !p.flags.unicode
	case p.eat("(?!"):
		made := look{negative: true, node: inside(), first: first, last: len(p.names)}
		return made, !p.flags.unicode
	case p.eat("(?<="):
		return look{behind: true, node: inside(), first: first, last: len(p.names)}, false
	case p.eat("(?<!"):
		made := look{behind: true, negative: true, node: inside(), first: first, last: len(p.names)}
		return made, false
	case p.eat("(?<"):
		name := p.groupName()
		if slices.Contains(p.names, name) {
			p.fail("two groups are called %q", name)
		}
		return p.capture(name, inside), true
	case p.eat("(?"):
		p.fail("an unknown kind of group")
	}
	p.at++
	return p.capture("", inside), true
}

func (p *parser) capture(name string, inside func() node) node {
	index := len(p.names)
	p.names = append(p.names, name)
	return group{index, inside()}
}

// groupName reads a name up to its >.
func (p *parser) groupName() string {
	var name strings.Builder
	for !p.eat(">") {
		c := p.peek()
		if c < 0 {
			p.fail("a group's name has no end")
		}
		p.at++
		if c == '\\' {
			if !p.eat("u") {
				p.fail("an escape in a group's name")
			}
			c = p.nameEscape()
		}
		if utf16.IsSurrogate(c) && !p.flags.unicode && utf16.IsSurrogate(p.peek()) {
			c = utf16.DecodeRune(c, p.peek())
			p.at++
		}
		starts := c == '$' || c == '_' ||
			unicode.In(c, unicode.L, unicode.Nl, unicode.Other_ID_Start)
		goes := starts || c == 0x200c || c == 0x200d ||
			unicode.In(c, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)
		if name.Len() == 0 && !starts || !goes {
			p.fail("a group's name cannot have %q", c)
		}
		name.WriteRune(c)
	}
	if name.Len() == 0 {
		p.fail("a group has an empty name")
	}
	return name.String()
}

// nameEscape reads what follows \u in a name, where a pair of escapes, or an escape with braces, is
// one character even without the flag u.
func (p *parser) nameEscape() rune {
	if p.peek() == '{' {
		return p.braced()
	}
	c, ok := p.hex(4)
	if !ok {
		p.fail("an escape in a group's name")
	}
	return p.joined(c)
}

// joined adds the second half of a pair that follows as an escape.
func (p *parser) joined(high rune) rune {
	start := p.at
	if high>>10 == 0xd800>>10 && p.eat(`\u`) {
		if low, ok := p.hex(4); ok && low>>10 == 0xdc00>>10 {
			return utf16.DecodeRune(high, low)
		}
	}
	p.at = start
	return high
}

// escape reads what follows a backslash outside of brackets.
func (p *parser) escape() (made node, quantifiable bool) {
	start := p.at
	p.at++
	switch c := p.peek(); {
	case c == 'b':
		p.at++
		return assertion{opWord}, false
	case c == 'B':
		p.at++
		return assertion{opNoWord}, false
	case c == 'k' && (p.flags.unicode || p.named):
		p.at++
		if !p.eat("<") {
			p.fail(`\k without a name`)
		}
		ref := &backref{name: p.groupName()}
		p.refs = append(p.refs, ref)
		return ref, true
	case c >= '1' && c <= '9':
		n, _ := p.number()
		if n <= p.total {
			return &backref{index: n}, true
		}
		if p.flags.unicode {
			p.fail("there is no group %d", n)
		}
		p.at = start + 1
	}
	if made := p.classEscape(); made != nil {
		return class{made}, true
	}
	return char{p.characterEscape(false)}, true
}

// classEscape reads \d, \s, \w, their opposites and properties. It returns nil for anything else.
func (p *parser) classEscape() *set {
	c := p.peek()
	var made *set
	switch c {
	case 'd', 'D':
		made = digits
	case 's', 'S':
		made = spaces
	case 'w', 'W':
		made = words
		if p.flags.unicode && p.flags.ignoreCase {
			made = foldedWords
		}
	case 'p', 'P':
		if !p.flags.unicode {
			return nil
		}
		p.at++
		made = p.property()
		if c == 'P' {
			return made.complement()
		}
		return made
	default:
		return nil
	}
	p.at++
	if unicode.IsUpper(c) {
		return made.complement()
	}
	return made
}

// property reads what follows \p.
func (p *parser) property() *set {
	start := p.at
	if !p.eat("{") {
		p.fail("a property without a name")
	}
	var text strings.Builder
	for !p.eat("}") {
		if !p.more() {
			p.at = start
			p.fail("a property's name has no end")
		}
		text.WriteRune(p.peek())
		p.at++
	}
	made, err := propertySet(text.String())
	if err != nil {
		p.at = start
		p.fail("%v", err)
	}
	return made
}

// controls are the letters that stand for a control character (ECMA-262, ControlEscape).
var controls = map[rune]rune{'t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r'}

// characterEscape reads what follows a backslash and stands for one character.
func (p *parser) characterEscape(inClass bool) rune {
	c := p.peek()
	if c < 0 {
		p.fail(`\ at the end`)
	}
	p.at++
	if control, ok := controls[c]; ok {
		return control
	}
	switch c {
	case 'c':
		return p.control(inClass)
	case 'x':
		if value, ok := p.hex(2); ok {
			return value
		}
	case 'u':
		if value, ok := p.unicode(); ok {
			return value
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		return p.octal(c)
	case '-':
		if p.flags.unicode && inClass {
			return c
		}
	}
	if p.flags.unicode && !strings.ContainsRune(`^$\.*+?()[]{}|/`, c) {
		p.at--
		p.fail("an escape that has no meaning")
	}
	if c == 'k' && p.named {
		p.at--
		p.fail(`\k without a name`)
	}
	return c
}

// unicode reads what follows \u. It returns false, and reads nothing, if that is no number.
func (p *parser) unicode() (rune, bool) {
	if p.flags.unicode && p.peek() == '{' {
		return p.braced(), true
	}
	value, ok := p.hex(4)
	if ok && p.flags.unicode {
		return p.joined(value), true
	}
	return value, ok
}

// control reads what follows \c.
func (p *parser) control(inClass bool) rune {
	c := p.peek()
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	digit := c >= '0' && c <= '9' || c == '_'
	if letter || digit && inClass && !p.flags.unicode {
		p.at++
		return c % 32
	}
	if p.flags.unicode {
		p.fail(`\c without a letter`)
	}
	p.at-- // the backslash is itself, and c comes next
	return '\\'
}

// octal reads \0, and without the flag u also legacy octal numbers.
func (p *parser) octal(first rune) rune {
	next := p.peek()
	if p.flags.unicode {
		if first != '0' || next >= '0' && next <= '9' {
			p.at--
			p.fail("a number of no group")
		}
		return 0
	}
	value := first - '0'
	for range 2 {
		c := p.peek()
		if c < '0' || c > '7' || value*8+c-'0' > 0o377 {
			break
		}
		value = value*8 + c - '0'
		p.at++
	}
	return value
}

// hex reads that many hexadecimal digits, or none.
func (p *parser) hex(digits int) (value rune, ok bool) {
	for i := range digits {
		digit := hexDigit(p.ahead(i))
		if digit < 0 {
			return 0, false
		}
		value = value*16 + digit
	}
	p.at += digits
	return value, true
}

// braced reads {1F600}.
func (p *parser) braced() rune {
	p.at++
	var value rune
	begin := p.at
	for !p.eat("}") {
		digit := hexDigit(p.peek())
		if digit < 0 || value*16+digit > unicode.MaxRune {
			p.fail(`\u{…} is no character`)
		}
		value = value*16 + digit
		p.at++
	}
	if p.at == begin+1 {
		p.fail(`\u{…} is no character`)
	}
	return value
}

func hexDigit(c rune) rune {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return -1
}

// bracket reads a class in brackets.
func (p *parser) bracket() node {
	start := p.at
	p.at++
	negative := p.eat("^")
	made := &set{}
	for !p.eat("]") {
		if !p.more() {
			p.at = start
			p.fail("a class has no end")
		}
		p.member(made)
	}
	made.negative = negative
	return class{made}
}

// member reads a character, a range or a class within brackets.
func (p *parser) member(made *set) {
	low, lowClass := p.classAtom()
	start := p.at
	if p.peek() != '-' || p.ahead(1) == ']' || p.ahead(1) < 0 {
		made.include(low, low, lowClass)
		return
	}
	p.at++
	high, highClass := p.classAtom()
	if lowClass != nil || highClass != nil {
		if p.flags.unicode {
			p.at = start
			p.fail("a range from or to a class")
		}
		made.include(low, low, lowClass)
		made.include('-', '-', nil)
		made.include(high, high, highClass)
		return
	}
	if low > high {
		p.at = start
		p.fail("a range is out of order")
	}
	made.include(low, high, nil)
}

// classAtom reads one character or class within brackets.
func (p *parser) classAtom() (rune, *set) {
	c := p.peek()
	p.at++
	if c != '\\' {
		return c, nil
	}
	if p.peek() == 'b' {
		p.at++
		return '\b', nil
	}
	if made := p.classEscape(); made != nil {
		return 0, made
	}
	return p.characterEscape(true), nil
}
