package ecmadate

import (
	"math"
	"unicode"
)

// Parse reads a text as V8 does: first as a date of ECMA-262 §21.4.1.32, and the rest of the text
// as one of the many forms that browsers have always accepted. A time without an offset is in UTC.
// It returns NaN for a text that is no date. V8's rules are those of its dateparser.cc.
func Parse(text []uint16) float64 {
	p := &parser{scanner: newScanner(text), month: none, offset: zone{none, none, none}}
	p.offsetOfHour = none
	if !p.parse() {
		return math.NaN()
	}
	return p.result()
}

// none is a part that the text has not set.
const none = math.MaxInt32

// parser collects the parts of a date.
type parser struct {
	*scanner
	// days are the numbers of the date in the order of the text, and month is its name.
	days  []int
	month int
	iso   bool
	// times are hour, minute, second and millisecond.
	times        []int
	offsetOfHour int // 12 for p.m., 0 for a.m.
	offset       zone
	// number says that a number was read.
	number bool
}

// zone is an offset from UTC.
type zone struct{ sign, hour, minute int }

func (z *zone) set(hours int) {
	*z = zone{1, hours, 0}
	if hours < 0 {
		*z = zone{-1, -hours, 0}
	}
}

// expects reports whether a number is the minutes of the offset.
func (z *zone) expects(n int) bool { return z.hour != none && z.minute == none && isMinute(n) }

func isMonth(n int) bool       { return n >= 1 && n <= 12 }
func isDay(n int) bool         { return n >= 1 && n <= 31 }
func isHour(n int) bool        { return n >= 0 && n < 24 }
func isMinute(n int) bool      { return n >= 0 && n < 60 }
func isSecond(n int) bool      { return n >= 0 && n < 60 }
func isMillisecond(n int) bool { return n >= 0 && n < 1000 }

// addDay adds a number to the date, which has three at most.
func (p *parser) addDay(n int) bool {
	if len(p.days) == 3 {
		return false
	}
	p.days = append(p.days, n)
	return true
}

// addTime adds a number to the time, which has four at most.
func (p *parser) addTime(n int) bool {
	if len(p.times) == 4 {
		return false
	}
	p.times = append(p.times, n)
	return true
}

// endTime adds the last number of the time.
func (p *parser) endTime(n int) {
	p.addTime(n)
	for p.addTime(0) {
		continue
	}
}

// expectsTime reports whether a number is the next part of a time that has begun.
func (p *parser) expectsTime(n int) bool {
	switch len(p.times) {
	case 1:
		return isMinute(n)
	case 2:
		return isSecond(n)
	case 3:
		return isMillisecond(n)
	}
	return false
}

// parse reports whether the text may be a date.
func (p *parser) parse() bool {
	next := p.parseISO()
	if next.kind == invalid {
		return false
	}
	p.number = len(p.days) > 0
	for ; next.kind != end; next = p.next() {
		if !p.legacy(next) {
			return false
		}
	}
	return true
}

// parseISO reads a date of ECMA-262. It returns the first token that belongs to none.
func (p *parser) parseISO() dateToken {
	if sign := p.peek(); sign.isSign() {
		p.next()
		if !p.peek().fixed(6) {
			return sign
		}
		year := p.next().value
		if sign.value == '-' && year == 0 {
			return sign
		}
		p.addDay(sign.signed(year))
	} else if p.peek().fixed(4) {
		p.addDay(p.next().value)
	} else {
		return p.next()
	}
	for _, inRange := range []func(int) bool{isMonth, isDay} {
		if !p.skip('-') {
			break
		}
		if !p.peek().fixed(2) || !inRange(p.peek().value) {
			return p.next()
		}
		p.addDay(p.next().value)
	}
	if !p.peek().isKeyword(separator) {
		if p.peek().kind != end {
			return p.next()
		}
	} else if !p.isoTime() {
		return dateToken{kind: invalid}
	}
	if p.offset.hour == none && len(p.times) == 0 {
		p.offset.set(0)
	}
	p.iso = true
	return dateToken{kind: end}
}

// isoTime reads T and a time up to the end of the text.
func (p *parser) isoTime() bool {
	p.next()
	is24 := p.peek().value == 24
	if !p.fixedTime(func(n int) bool { return n <= 24 }) || !p.skip(':') {
		return false
	}
	if !p.fixedTime(func(n int) bool { return isMinute(n) && !(is24 && n > 0) }) {
		return false
	}
	if p.skip(':') {
		if !p.fixedTime(func(n int) bool { return isSecond(n) && !(is24 && n > 0) }) {
			return false
		}
		if p.skip('.') {
			if p.peek().kind != number || is24 && p.peek().value > 0 {
				return false
			}
			p.addTime(p.next().milliseconds())
		}
	}
	return p.isoOffset() && p.peek().kind == end
}

// fixedTime reads a part of a time with two digits.
func (p *parser) fixedTime(inRange func(int) bool) bool {
	if !p.peek().fixed(2) || !inRange(p.peek().value) {
		return false
	}
	return p.addTime(p.next().value)
}

// isoOffset reads Z, ±hh:mm, ±hhmm or nothing.
func (p *parser) isoOffset() bool {
	next := p.peek()
	switch {
	case next.isZ():
		p.next()
		p.offset.set(0)
		return true
	case !next.isSign():
		return true
	}
	p.offset.sign = p.next().signed(1)
	if p.peek().fixed(4) {
		both := p.next().value
		p.offset.hour = both / 100
		p.offset.minute = both % 100
		return isHour(p.offset.hour) && isMinute(p.offset.minute)
	}
	if !p.peek().fixed(2) || !isHour(p.peek().value) {
		return false
	}
	p.offset.hour = p.next().value
	if !p.skip(':') || !p.peek().fixed(2) || !isMinute(p.peek().value) {
		return false
	}
	p.offset.minute = p.next().value
	return true
}

// legacy reads one part of a date in one of the old forms.
func (p *parser) legacy(t dateToken) bool {
	switch {
	case t.kind == number:
		p.number = true
		return p.legacyNumber(t.value)
	case t.kind == keyword:
		return p.legacyWord(t)
	case t.isSign() && (p.offset.hour == 0 && p.offset.minute == 0 || len(p.times) > 0):
		return p.legacyOffset(t)
	case (t.isSign() || t.kind == symbol && t.value == ')') && p.number:
		return false
	}
	return true
}

func (p *parser) legacyNumber(n int) bool {
	if p.skip(':') {
		if p.skip(':') {
			if len(p.times) > 0 {
				return false
			}
			p.addTime(n)
			p.addTime(0)
			return true
		}
		added := p.addTime(n)
		if added {
			p.skip('.')
		}
		return added
	}
	if p.skip('.') && p.expectsTime(n) {
		p.addTime(n)
		if p.peek().kind != number {
			return false
		}
		p.endTime(p.next().milliseconds())
		return true
	}
	switch {
	case p.offset.expects(n):
		p.offset.minute = n
	case p.expectsTime(n):
		p.endTime(n)
		// The time is over: the end, white space, Z or an offset follows.
		next := p.peek()
		return next.kind == end || next.kind == blank || next.isZ() || next.isSign()
	default:
		if !p.addDay(n) {
			return false
		}
		p.skip('-')
	}
	return true
}

func (p *parser) legacyWord(t dateToken) bool {
	switch {
	case t.class == halfOfDay && len(p.times) > 0:
		p.offsetOfHour = t.value
	case t.class == monthName:
		p.month = t.value
		p.skip('-')
	case t.class == zoneName && p.number:
		p.offset.set(t.value)
	default: // a word that means nothing may stand before the first number only
		return !p.number && p.peek().kind != number
	}
	return true
}

// legacyOffset reads an offset after UTC or a time.
func (p *parser) legacyOffset(t dateToken) bool {
	p.offset.sign = t.signed(1)
	n := 0
	length := 0
	if p.peek().kind == number {
		next := p.next()
		n = next.value
		length = next.length
	}
	p.number = true
	if next := p.peek(); next.kind == symbol && next.value == ':' {
		p.offset.hour = n
		p.offset.minute = none
		return true
	}
	switch length {
	case 1, 2:
		p.offset.hour = n
		p.offset.minute = 0
	case 3, 4:
		p.offset.hour = n / 100
		p.offset.minute = n % 100
	default:
		return false
	}
	return true
}

// result puts the parts together.
func (p *parser) result() float64 {
	year, month, day, ok := p.date()
	if !ok || !p.time() {
		return math.NaN()
	}
	ms := Make(float64(year), float64(month-1), float64(day), float64(p.times[0]),
		float64(p.times[1]), float64(p.times[2]), float64(p.times[3]))
	if p.offset.sign != none {
		ms -= float64(p.offset.sign) * 1000 * float64(p.offset.seconds())
	}
	return Clip(ms)
}

func (z *zone) seconds() int {
	seconds := 0
	if z.hour != none {
		seconds += z.hour * 3600
	}
	if z.minute != none {
		seconds += z.minute * 60
	}
	return seconds
}

// date finds out which number is which.
func (p *parser) date() (year, month, day int, ok bool) {
	if len(p.days) == 0 {
		return 0, 0, 0, false
	}
	for p.addDay(1) {
		continue
	}
	first, second, third := p.days[0], p.days[1], p.days[2]
	switch {
	case p.month != none && !isDay(first):
		year, month, day = first, p.month, second
	case p.month != none:
		year, month, day = second, p.month, first
	case p.iso || !isDay(first):
		year, month, day = first, second, third
	default:
		year, month, day = third, first, second
	}
	if !p.iso && year >= 0 && year <= 49 {
		year += 2000
	} else if !p.iso && year >= 50 && year <= 99 {
		year += 1900
	}
	return year, month, day, isMonth(month) && isDay(day)
}

// time completes the time and reports whether it is one.
func (p *parser) time() bool {
	for p.addTime(0) {
		continue
	}
	if p.offsetOfHour != none {
		if p.times[0] > 12 {
			return false
		}
		p.times[0] = p.times[0]%12 + p.offsetOfHour
	}
	hour, minute, second, ms := p.times[0], p.times[1], p.times[2], p.times[3]
	if isHour(hour) && isMinute(minute) && isSecond(second) && isMillisecond(ms) {
		return true
	}
	return hour == 24 && minute == 0 && second == 0 && ms == 0
}

// kind is the kind of a token.
type kind uint8

const (
	end kind = iota
	invalid
	number
	symbol
	keyword
	blank
	unknown
)

// class is the class of a keyword.
type class uint8

const (
	noClass class = iota
	monthName
	halfOfDay
	zoneName
	separator
)

// dateToken is a part of a text.
type dateToken struct {
	kind   kind
	value  int // of a number or a keyword, or the character of a symbol
	length int // in the text
	class  class
}

func (t dateToken) isSign() bool {
	return t.kind == symbol && (t.value == '+' || t.value == '-')
}

// signed returns a number with the sign.
func (t dateToken) signed(n int) int {
	if t.value == '-' {
		return -n
	}
	return n
}

func (t dateToken) fixed(length int) bool   { return t.kind == number && t.length == length }
func (t dateToken) isKeyword(c class) bool  { return t.kind == keyword && t.class == c }
func (t dateToken) isZ() bool               { return t.isKeyword(zoneName) && t.length == 1 }
func (t dateToken) isSymbol(value int) bool { return t.kind == symbol && t.value == value }

// digits is how many digits of a number count.
const digits = 9

// milliseconds reads the digits of a fraction. Those after the third do not count.
func (t dateToken) milliseconds() int {
	ms := t.value
	switch {
	case t.length == 1:
		return ms * 100
	case t.length == 2:
		return ms * 10
	}
	for length := min(t.length, digits); length > 3; length-- {
		ms /= 10
	}
	return ms
}

// keywords are the words that mean something, by their first three letters.
var keywords = map[[3]uint16]dateToken{
	{'j', 'a', 'n'}: {class: monthName, value: 1},
	{'f', 'e', 'b'}: {class: monthName, value: 2},
	{'m', 'a', 'r'}: {class: monthName, value: 3},
	{'a', 'p', 'r'}: {class: monthName, value: 4},
	{'m', 'a', 'y'}: {class: monthName, value: 5},
	{'j', 'u', 'n'}: {class: monthName, value: 6},
	{'j', 'u', 'l'}: {class: monthName, value: 7},
	{'a', 'u', 'g'}: {class: monthName, value: 8},
	{'s', 'e', 'p'}: {class: monthName, value: 9},
	{'o', 'c', 't'}: {class: monthName, value: 10},
	{'n', 'o', 'v'}: {class: monthName, value: 11},
	{'d', 'e', 'c'}: {class: monthName, value: 12},
	{'a', 'm'}:      {class: halfOfDay, value: 0},
	{'p', 'm'}:      {class: halfOfDay, value: 12},
	{'u', 't'}:      {class: zoneName, value: 0},
	{'u', 't', 'c'}: {class: zoneName, value: 0},
	{'z'}:           {class: zoneName, value: 0},
	{'g', 'm', 't'}: {class: zoneName, value: 0},
	{'c', 'd', 't'}: {class: zoneName, value: -5},
	{'c', 's', 't'}: {class: zoneName, value: -6},
	{'e', 'd', 't'}: {class: zoneName, value: -4},
	{'e', 's', 't'}: {class: zoneName, value: -5},
	{'m', 'd', 't'}: {class: zoneName, value: -6},
	{'m', 's', 't'}: {class: zoneName, value: -7},
	{'p', 'd', 't'}: {class: zoneName, value: -7},
	{'p', 's', 't'}: {class: zoneName, value: -8},
	{'t'}:           {class: separator},
}

// scanner splits a text into tokens.
type scanner struct {
	text    []uint16
	at      int
	current dateToken
}

func newScanner(text []uint16) *scanner {
	s := &scanner{text: text}
	s.current = s.scan()
	return s
}

func (s *scanner) peek() dateToken { return s.current }

func (s *scanner) next() dateToken {
	token := s.current
	s.current = s.scan()
	return token
}

// skip skips a symbol if it is the next token.
func (s *scanner) skip(value int) bool {
	if !s.current.isSymbol(value) {
		return false
	}
	s.next()
	return true
}

// unit returns the next code unit, or 0 at the end. U+0000 ends a text.
func (s *scanner) unit() uint16 {
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func isDigit(c uint16) bool { return c >= '0' && c <= '9' }

// isBlank reports whether ECMAScript takes a code unit for white space or the end of a line.
func isBlank(c uint16) bool {
	switch c {
	case '\t', '\n', '\v', '\f', '\r', 0xfeff, 0x2028, 0x2029:
		return true
	}
	return unicode.Is(unicode.Zs, rune(c))
}

// isWord reports whether a code unit is a part of a word.
func isWord(c uint16) bool { return c >= 'A' && !isBlank(c) }

func (s *scanner) scan() dateToken {
	begin := s.at
	switch c := s.unit(); {
	case c == 0:
		return dateToken{kind: end}
	case isDigit(c):
		value := s.numeral()
		return dateToken{kind: number, value: value, length: s.at - begin}
	case c == ':' || c == '-' || c == '+' || c == '.' || c == ')':
		s.at++
		return dateToken{kind: symbol, value: int(c)}
	case isWord(c):
		return s.word()
	case isBlank(c):
		s.at++
		return dateToken{kind: blank}
	case c == '(':
		s.parentheses()
	default:
		s.at++
	}
	return dateToken{kind: unknown}
}

// numeral reads a number. Leading zeros do not count as digits, and only the first digits count.
func (s *scanner) numeral() int {
	for s.unit() == '0' {
		s.at++
	}
	value := 0
	for i := 0; isDigit(s.unit()); i++ {
		if i < digits {
			value = value*10 + int(s.unit()-'0')
		}
		s.at++
	}
	return value
}

// word reads a word. One longer than three letters means something only if it begins as the name of
// a month.
func (s *scanner) word() dateToken {
	var prefix [3]uint16
	length := 0
	for ; isWord(s.unit()); s.at++ {
		if length < len(prefix) {
			prefix[length] = s.unit() | 0x20
		}
		length++
	}
	token := keywords[prefix]
	if length > len(prefix) && token.class != monthName {
		token = dateToken{}
	}
	token.kind = keyword
	token.length = length
	return token
}

// parentheses skips what is in parentheses.
func (s *scanner) parentheses() {
	open := 0
	for c := s.unit(); c != 0; c = s.unit() {
		s.at++
		if c == '(' {
			open++
		} else if c == ')' {
			open--
		}
		if open == 0 {
			return
		}
	}
}
