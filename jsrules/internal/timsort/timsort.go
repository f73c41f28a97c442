// Package timsort sorts as V8 does (third_party/v8/builtins/array-sort.tq), which is Tim Peters's
// list sort of CPython: the same comparisons in the same order. So a comparison that is not
// consistent, such as one that returns true or false, has the result that it has in Node.
package timsort

// Compare is negative if a belongs before b.
type Compare[T any] func(a, b T) float64

// Sort sorts a list in place. Equal elements keep their order.
func Sort[T any](list []T, compare Compare[T]) {
	if len(list) < 2 {
		return
	}
	s := &state[T]{list: list, compare: compare, minGallop: gallopWins}
	low := 0
	remaining := len(list)
	least := minRun(remaining)
	for remaining > 0 {
		length := s.countRun(low, low+remaining)
		if length < least {
			forced := min(least, remaining)
			s.insert(low, low+length, low+forced)
			length = forced
		}
		s.runs = append(s.runs, run{low, length})
		s.collapse()
		low += length
		remaining -= length
	}
	s.collapseAll()
}

// gallopWins is how often one run must win for galloping.
const gallopWins = 7

// run is a part that is sorted.
type run struct{ base, length int }

type state[T any] struct {
	list      []T
	compare   Compare[T]
	minGallop int
	runs      []run
}

// minRun returns the least length of a run.
func minRun(n int) int {
	rest := 0
	for n >= 64 {
		rest |= n & 1
		n >>= 1
	}
	return n + rest
}

// countRun returns the length of the run that begins at low. A descending one is reversed.
func (s *state[T]) countRun(low, high int) int {
	if low+1 == high {
		return 1
	}
	length := 2
	descending := s.compare(s.list[low+1], s.list[low]) < 0
	for i := low + 2; i < high; i++ {
		if (s.compare(s.list[i], s.list[i-1]) < 0) != descending {
			break
		}
		length++
	}
	if descending {
		for i, j := low, low+length-1; i < j; i, j = i+1, j-1 {
			s.list[i], s.list[j] = s.list[j], s.list[i]
		}
	}
	return length
}

// insert sorts from low up to high by binary insertion. Up to start it is sorted.
func (s *state[T]) insert(low, start, high int) {
	for ; start < high; start++ {
		left := low
		right := start
		pivot := s.list[start]
		for left < right {
			middle := left + (right-left)>>1
			if s.compare(pivot, s.list[middle]) < 0 {
				right = middle
			} else {
				left = middle + 1
			}
		}
		copy(s.list[left+1:start+1], s.list[left:start])
		s.list[left] = pivot
	}
}

// holds reports whether run n and the two before it are balanced: the first of the three is longer
// than the other two together.
func (s *state[T]) holds(n int) bool {
	return n < 2 || s.runs[n-2].length > s.runs[n-1].length+s.runs[n].length
}

// collapse merges runs until their lengths are balanced.
func (s *state[T]) collapse() {
	for len(s.runs) > 1 {
		n := len(s.runs) - 2
		switch {
		case !s.holds(n+1) || !s.holds(n):
			if s.runs[n-1].length < s.runs[n+1].length {
				n--
			}
		case s.runs[n].length > s.runs[n+1].length:
			return
		}
		s.merge(n)
	}
}

func (s *state[T]) collapseAll() {
	for len(s.runs) > 1 {
		n := len(s.runs) - 2
		if n > 0 && s.runs[n-1].length < s.runs[n+1].length {
			n--
		}
		s.merge(n)
	}
}

// merge merges the runs n and n+1.
func (s *state[T]) merge(n int) {
	a := s.runs[n]
	b := s.runs[n+1]
	s.runs[n].length += b.length
	s.runs = append(s.runs[:n+1], s.runs[n+2:]...)
	k := s.gallopRight(s.list, s.list[b.base], a.base, a.length, 0)
	a.base += k
	a.length -= k
	if a.length == 0 {
		return
	}
	b.length = s.gallopLeft(s.list, s.list[a.base+a.length-1], b.base, b.length, b.length-1)
	switch {
	case b.length == 0:
	case a.length <= b.length:
		s.mergeLow(a, b)
	default:
		s.mergeHigh(a, b)
	}
}

// gallopLeft returns where a key belongs in a run, before equal elements.
func (s *state[T]) gallopLeft(list []T, key T, base, length, hint int) int {
	before := func(i int) bool { return s.compare(list[base+i], key) < 0 }
	if before(hint) {
		return search(gallop(hint, length-hint, 1, before), before)
	}
	return search(gallop(hint, hint+1, -1, not(before)), before)
}

// gallopRight returns where a key belongs in a run, after equal elements.
func (s *state[T]) gallopRight(list []T, key T, base, length, hint int) int {
	before := func(i int) bool { return !(s.compare(key, list[base+i]) < 0) }
	if before(hint) {
		return search(gallop(hint, length-hint, 1, before), before)
	}
	return search(gallop(hint, hint+1, -1, not(before)), before)
}

func not(f func(int) bool) func(int) bool { return func(i int) bool { return !f(i) } }

// span is where a key belongs: after last, and at next at the latest.
type span struct{ last, next int }

// gallop goes from a hint in one direction, in steps that double, as long as a condition holds.
func gallop(hint, most, direction int, holds func(int) bool) span {
	last := 0
	offset := 1
	for offset < most && holds(hint+direction*offset) {
		last = offset
		offset = offset*2 + 1
	}
	offset = min(offset, most)
	if direction < 0 {
		return span{hint - offset, hint - last}
	}
	return span{hint + last, hint + offset}
}

func search(s span, before func(int) bool) int {
	low := s.last + 1
	high := s.next
	for low < high {
		middle := low + (high-low)>>1
		if before(middle) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return high
}

// merger is a merge that is under way. It takes from one run in the list and from a copy of the
// other one.
type merger[T any] struct {
	*state[T]
	copied []T
	a, b   int // what is left of both runs
	// dest, inCopy and inList are the next places.
	dest, inCopy, inList int
	gallopAt             int
}

// mergeLow merges from the left, with a copy of the first run.
func (s *state[T]) mergeLow(a, b run) {
	m := &merger[T]{
		state: s, a: a.length, b: b.length, dest: a.base, inList: b.base, gallopAt: s.minGallop,
	}
	m.copied = append(m.copied, s.list[a.base:a.base+a.length]...)
	m.lowFromList()
	done := m.b == 0
	for !done && m.a != 1 {
		done = m.lowRound()
	}
	if m.b > 0 && m.a == 1 {
		copy(s.list[m.dest:], s.list[m.inList:m.inList+m.b])
		s.list[m.dest+m.b] = m.copied[m.inCopy]
		return
	}
	copy(s.list[m.dest:], m.copied[m.inCopy:m.inCopy+m.a])
}

func (m *merger[T]) lowFromList() {
	m.list[m.dest] = m.list[m.inList]
	m.dest++
	m.inList++
	m.b--
}

func (m *merger[T]) lowFromCopy() {
	m.list[m.dest] = m.copied[m.inCopy]
	m.dest++
	m.inCopy++
	m.a--
}

// lowRound merges element by element, and then by galloping. It reports whether a run is empty.
func (m *merger[T]) lowRound() bool {
	winsA := 0
	winsB := 0
	for winsA < m.gallopAt && winsB < m.gallopAt {
		if m.compare(m.list[m.inList], m.copied[m.inCopy]) < 0 {
			m.lowFromList()
			winsB++
			winsA = 0
			if m.b == 0 {
				return true
			}
		} else {
			m.lowFromCopy()
			winsA++
			winsB = 0
			if m.a == 1 {
				return false
			}
		}
	}
	m.gallopAt++
	for first := true; first || winsA >= gallopWins || winsB >= gallopWins; first = false {
		m.gallopAt = max(1, m.gallopAt-1)
		m.minGallop = m.gallopAt
		winsA = m.gallopRight(m.copied, m.list[m.inList], m.inCopy, m.a, 0)
		for range winsA {
			m.lowFromCopy()
		}
		if winsA > 0 && m.a <= 1 {
			return m.a == 0
		}
		m.lowFromList()
		if m.b == 0 {
			return true
		}
		winsB = m.gallopLeft(m.list, m.copied[m.inCopy], m.inList, m.b, 0)
		for range winsB {
			m.lowFromList()
		}
		if m.b == 0 {
			return true
		}
		m.lowFromCopy()
		if m.a == 1 {
			return false
		}
	}
	m.gallopAt++
	m.minGallop = m.gallopAt
	return false
}

// mergeHigh merges from the right, with a copy of the second run.
func (s *state[T]) mergeHigh(a, b run) {
	m := &merger[T]{
		state: s, a: a.length, b: b.length, dest: b.base + b.length - 1, inCopy: b.length - 1,
		inList: a.base + a.length - 1, gallopAt: s.minGallop,
	}
	m.copied = append(m.copied, s.list[b.base:b.base+b.length]...)
	m.highFromList()
	done := m.a == 0
	for !done && m.b != 1 {
		done = m.highRound(a.base)
	}
	if m.a > 0 && m.b == 1 {
		copy(s.list[m.dest-m.a+1:], s.list[m.inList-m.a+1:m.inList+1])
		s.list[m.dest-m.a] = m.copied[m.inCopy]
		return
	}
	copy(s.list[m.dest-m.b+1:], m.copied[:m.b])
}

func (m *merger[T]) highFromList() {
	m.list[m.dest] = m.list[m.inList]
	m.dest--
	m.inList--
	m.a--
}

func (m *merger[T]) highFromCopy() {
	m.list[m.dest] = m.copied[m.inCopy]
	m.dest--
	m.inCopy--
	m.b--
}

// highRound is lowRound from the right.
func (m *merger[T]) highRound(base int) bool {
	winsA := 0
	winsB := 0
	for winsA < m.gallopAt && winsB < m.gallopAt {
		if m.compare(m.copied[m.inCopy], m.list[m.inList]) < 0 {
			m.highFromList()
			winsA++
			winsB = 0
			if m.a == 0 {
				return true
			}
		} else {
			m.highFromCopy()
			winsB++
			winsA = 0
			if m.b == 1 {
				return false
			}
		}
	}
	m.gallopAt++
	for first := true; first || winsA >= gallopWins || winsB >= gallopWins; first = false {
		m.gallopAt = max(1, m.gallopAt-1)
		m.minGallop = m.gallopAt
		winsA = m.a - m.gallopRight(m.list, m.copied[m.inCopy], base, m.a, m.a-1)
		for range winsA {
			m.highFromList()
		}
		if m.a == 0 {
			return true
		}
		m.highFromCopy()
		if m.b == 1 {
			return false
		}
		winsB = m.b - m.gallopLeft(m.copied, m.list[m.inList], 0, m.b, m.b-1)
		for range winsB {
			m.highFromCopy()
		}
		if winsB > 0 && m.b <= 1 {
			return m.b == 0
		}
		m.highFromList()
		if m.a == 0 {
			return true
		}
	}
	m.gallopAt++
	m.minGallop = m.gallopAt
	return false
}
