package ecmaregexp

import (
	"slices"
	"unicode/utf16"
)

const (
	stepsBetweenLooks = 1 << 12
	maxStack          = 1 << 21
)

// matcher is one search. What is tried and may have to be undone is on its stack.
type matcher struct {
	re        *Regexp
	text      []uint16
	registers []int
	stack     []stackEntry
	steps     int
	halt      func() error
}

// stackEntry is a place to backtrack to, or a register to restore on the way there.
type stackEntry struct {
	kind  kind
	pc    int32 // of a place: where the program continues; of a register: its number
	at    int32 // of a place: where in the text; of a register: what it was
	least int32 // of a run: where in the text it may not become shorter
}

type kind uint8

const (
	place kind = iota
	restore
	shorter // a run of one character that can do with one less
)

func (m *matcher) push(e stackEntry) error {
	if len(m.stack) >= maxStack {
		return ErrTooLarge
	}
	m.stack = append(m.stack, e)
	return nil
}

// set changes a register so that it can be undone.
func (m *matcher) set(register, value int) error {
	if m.registers[register] == value {
		return nil
	}
	old := int32(m.registers[register])
	m.registers[register] = value
	return m.push(stackEntry{kind: restore, pc: int32(register), at: old})
}

func (m *matcher) step() error {
	if m.steps++; m.steps%stepsBetweenLooks == 0 && m.halt != nil {
		return m.halt()
	}
	return nil
}

// run matches from an instruction and a place in the text. If it fails all registers are as they
// were, and so is the stack.
func (m *matcher) run(pc, at int) (bool, error) {
	base := len(m.stack)
	for {
		next, nextAt, ok, err := m.do(pc, at)
		if err != nil {
			return false, err
		}
		if err := m.step(); err != nil {
			return false, err
		}
		if !ok {
			if next, nextAt, ok = m.back(base); !ok {
				return false, nil
			}
		}
		if next < 0 {
			return true, nil
		}
		pc, at = next, nextAt
	}
}

// back returns to the last place from which another alternative is left.
func (m *matcher) back(base int) (pc, at int, ok bool) {
	for len(m.stack) > base {
		top := &m.stack[len(m.stack)-1]
		switch top.kind {
		case restore:
			m.registers[top.pc] = int(top.at)
		case place:
			pc, at = int(top.pc), int(top.at)
			m.stack = m.stack[:len(m.stack)-1]
			return pc, at, true
		case shorter:
			if top.at != top.least {
				return m.shorten(top)
			}
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
	return 0, 0, false
}

// shorten removes one character from a run.
func (m *matcher) shorten(run *stackEntry) (pc, at int, ok bool) {
	at, least := int(run.at), int(run.least)
	if at > least {
		at = max(m.before(at), least)
	} else {
		at = min(m.after(at), least)
	}
	run.at = int32(at)
	return int(run.pc), at, true
}

// do executes one instruction. It returns the next one, below 0 at the end, and whether the text
// still matches.
func (m *matcher) do(pc, at int) (next, nextAt int, ok bool, err error) {
	i := &m.re.program[pc]
	switch i.op {
	case opMatch:
		return -1, at, true, nil
	case opChar, opAny, opAll, opSet:
		nextAt, ok = m.one(i, at)
		return pc + 1, nextAt, ok, nil
	case opJump:
		return i.a, at, true, nil
	case opSplit:
		return i.a, at, true, m.push(stackEntry{kind: place, pc: int32(i.b), at: int32(at)})
	case opSave:
		return pc + 1, at, true, m.set(i.a, at)
	case opZero:
		return pc + 1, at, true, m.set(i.a, 0)
	case opReset:
		for register := i.a; register < i.b && err == nil; register++ {
			err = m.set(register, -1)
		}
		return pc + 1, at, true, err
	case opLineStart:
		return pc + 1, at, m.lineStart(at), nil
	case opLineEnd:
		return pc + 1, at, m.lineEnd(at), nil
	case opWord:
		return pc + 1, at, m.isWord(at-1) != m.isWord(at), nil
	case opNoWord:
		return pc + 1, at, m.isWord(at-1) == m.isWord(at), nil
	case opBackref:
		nextAt, ok = m.again(i, at)
		return pc + 1, nextAt, ok, nil
	case opLook:
		ok, err = m.look(pc+1, at, i.b > 0)
		return i.a, at, ok, err
	case opLoop:
		return m.loop(i.loop, at)
	case opLoopEnd:
		l := i.loop
		if m.registers[l.counter] >= l.min && m.registers[l.place] == at {
			return 0, 0, false, nil // a repetition of nothing
		}
		return i.a, at, true, m.set(l.counter, m.registers[l.counter]+1)
	case opRun:
		return m.repeat(i, pc, at)
	}
	panic("unknown instruction")
}

// loop begins another repetition, or leaves.
func (m *matcher) loop(l *loop, at int) (next, nextAt int, ok bool, err error) {
	count := m.registers[l.counter]
	if count >= l.min && l.max >= 0 && count >= l.max {
		return l.end, at, true, nil
	}
	if count < l.min {
		return l.body, at, true, m.set(l.place, at)
	}
	if l.lazy {
		// The place is set before the push, so that it counts when the body is tried later.
		err = m.set(l.place, at)
		if err == nil {
			err = m.push(stackEntry{kind: place, pc: int32(l.body), at: int32(at)})
		}
		return l.end, at, true, err
	}
	err = m.push(stackEntry{kind: place, pc: int32(l.end), at: int32(at)})
	if err == nil {
		err = m.set(l.place, at)
	}
	return l.body, at, true, err
}

// repeat takes as many of one character as it can.
func (m *matcher) repeat(i *instruction, pc, at int) (next, nextAt int, ok bool, err error) {
	one := &m.re.program[pc+1]
	least := at
	for count := 0; i.loop.max < 0 || count < i.loop.max; count++ {
		following, matches := m.one(one, at)
		if !matches {
			if count < i.loop.min {
				return 0, 0, false, nil
			}
			break
		}
		at = following
		if count < i.loop.min {
			least = at
		}
		if err := m.step(); err != nil {
			return 0, 0, false, err
		}
	}
	if at != least {
		err = m.push(stackEntry{kind: shorter, pc: int32(i.a), at: int32(at), least: int32(least)})
	}
	return i.a, at, true, err
}

// look matches ahead or behind. The captures of a positive lookaround stay, and there is no
// backtracking into it.
func (m *matcher) look(pc, at int, negative bool) (bool, error) {
	base := len(m.stack)
	found, err := m.run(pc, at)
	if err != nil || !found {
		return negative, err
	}
	if negative {
		for len(m.stack) > base {
			top := m.stack[len(m.stack)-1]
			if top.kind == restore {
				m.registers[top.pc] = int(top.at)
			}
			m.stack = m.stack[:len(m.stack)-1]
		}
		return false, nil
	}
	kept := slices.DeleteFunc(m.stack[base:], func(e stackEntry) bool { return e.kind != restore })
	m.stack = m.stack[:base+len(kept)]
	return true, nil
}

// one matches one character, forward or backward.
func (m *matcher) one(i *instruction, at int) (next int, ok bool) {
	var c rune
	if i.backward {
		if at == 0 {
			return 0, false
		}
		next = m.before(at)
		c = m.char(next)
	} else {
		if at == len(m.text) {
			return 0, false
		}
		next = m.after(at)
		c = m.char(at)
	}
	switch i.op {
	case opChar:
		return next, m.canonical(c) == rune(i.a)
	case opAny:
		return next, !isLineEnd(c)
	case opSet:
		return next, i.set.contains(c)
	}
	return next, true
}

func (m *matcher) canonical(c rune) rune {
	switch {
	case !m.re.flags.ignoreCase:
		return c
	case m.re.flags.unicode:
		return canonicalPoint(c)
	}
	return canonicalUnit(c)
}

// after returns the place after the character at a place.
func (m *matcher) after(at int) int {
	if m.re.flags.unicode && at+1 < len(m.text) && isPair(m.text[at], m.text[at+1]) {
		return at + 2
	}
	return at + 1
}

// before returns the place of the character that ends at a place.
func (m *matcher) before(at int) int {
	if m.re.flags.unicode && at >= 2 && isPair(m.text[at-2], m.text[at-1]) {
		return at - 2
	}
	return at - 1
}

// char returns the character that begins at a place.
func (m *matcher) char(at int) rune {
	c := rune(m.text[at])
	if m.re.flags.unicode && at+1 < len(m.text) && isPair(m.text[at], m.text[at+1]) {
		return utf16.DecodeRune(c, rune(m.text[at+1]))
	}
	return c
}

func (m *matcher) lineStart(at int) bool {
	return at == 0 || m.re.flags.multiline && isLineEnd(rune(m.text[at-1]))
}

func (m *matcher) lineEnd(at int) bool {
	return at == len(m.text) || m.re.flags.multiline && isLineEnd(rune(m.text[at]))
}

// isWord reports whether a code unit belongs to a word. None of a pair does.
func (m *matcher) isWord(at int) bool {
	if at < 0 || at >= len(m.text) {
		return false
	}
	if m.re.flags.unicode && m.re.flags.ignoreCase {
		return foldedWords.has(rune(m.text[at]))
	}
	return words.has(rune(m.text[at]))
}

// again matches the text of a capture once more. A capture that took no part matches the empty
// text.
func (m *matcher) again(i *instruction, at int) (next int, ok bool) {
	begin, end := m.registers[2*i.a], m.registers[2*i.a+1]
	if begin < 0 || end < 0 {
		return at, true
	}
	length := end - begin
	from := at
	if i.backward {
		from = at - length
	}
	if from < 0 || from+length > len(m.text) {
		return 0, false
	}
	if !m.sameText(begin, from, length) {
		return 0, false
	}
	if i.backward {
		return from, true
	}
	return from + length, true
}

// sameText compares two parts of the text, character by character.
func (m *matcher) sameText(a, b, length int) bool {
	for done := 0; done < length; {
		first, second := m.char(a+done), m.char(b+done)
		if m.canonical(first) != m.canonical(second) {
			return false
		}
		if first > 0xffff {
			done++
		}
		done++
	}
	return true
}
