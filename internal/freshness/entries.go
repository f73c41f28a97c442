package freshness

import "encoding/binary"

// recentShare is the share of the size within which the order is not exact: a use does not move an
// entry if no more entries than that have entered the ring since it did. A move writes to three
// entries, and in a large cache two of them are in memory that nothing has touched for long.
const recentShare = 8

// entries keeps a bounded number of entries by key. It knows which were used least recently, and
// which are of one owner. It is not safe for concurrent use.
//
// Entries are in two kinds of lists: a ring of all of them in the order of their use, and a list
// for each owner. The links are fields of the entries, so that neither costs a second allocation,
// and dropping an owner's entries takes as long as that owner has entries.
type entries[V any] struct {
	size    int
	byKey   map[Key]*entry[V]
	byOwner map[prefix]*entry[V] // the first of a list
	ring    entry[V]             // no entry, but where the ring begins and ends
	entered uint64               // how many times an entry has entered the ring
}

// prefix is the beginning of an owner's Key. With whole Keys the index would take 60 bytes more for
// each owner. Owners with the same prefix share a list.
type prefix uint64

func prefixOf(owner Key) prefix { return prefix(binary.LittleEndian.Uint64(owner[:])) }

func newEntries[V any](size int) *entries[V] {
	s := &entries[V]{size: size}
	s.clear()
	return s
}

// get returns an entry, which counts as a use of it; nil: there is none.
func (s *entries[V]) get(key Key) *entry[V] {
	e := s.byKey[key]
	if e != nil && s.entered-e.entered > uint64(s.size/recentShare) {
		s.leaveRing(e)
		s.enterRing(e)
	}
	return e
}

// add keeps an entry, in place of one with the same key. If there are too many, those at the old
// end of the ring are evicted.
func (s *entries[V]) add(e *entry[V]) {
	if former := s.byKey[e.key]; former != nil {
		s.remove(former)
	}
	for len(s.byKey) >= s.size {
		s.remove(s.ring.newer)
	}
	s.byKey[e.key] = e
	s.enterRing(e)
	of := prefixOf(e.owner)
	if first := s.byOwner[of]; first != nil {
		e.nextOfOwner = first
		first.previousOfOwner = e
	}
	s.byOwner[of] = e
}

// remove drops an entry that is kept.
func (s *entries[V]) remove(e *entry[V]) {
	delete(s.byKey, e.key)
	s.leaveRing(e)
	if e.nextOfOwner != nil {
		e.nextOfOwner.previousOfOwner = e.previousOfOwner
	}
	switch {
	case e.previousOfOwner != nil:
		e.previousOfOwner.nextOfOwner = e.nextOfOwner
	case e.nextOfOwner != nil:
		s.byOwner[prefixOf(e.owner)] = e.nextOfOwner
	default:
		delete(s.byOwner, prefixOf(e.owner))
	}
	e.nextOfOwner = nil
	e.previousOfOwner = nil
}

// removeOf drops all entries of an owner.
func (s *entries[V]) removeOf(owner Key) {
	for e := s.byOwner[prefixOf(owner)]; e != nil; {
		next := e.nextOfOwner
		if e.owner == owner {
			s.remove(e)
		}
		e = next
	}
}

// clear drops all entries.
func (s *entries[V]) clear() {
	s.byKey = map[Key]*entry[V]{}
	s.byOwner = map[prefix]*entry[V]{}
	s.ring.older = &s.ring
	s.ring.newer = &s.ring
}

// enterRing makes an entry the one that was used last.
func (s *entries[V]) enterRing(e *entry[V]) {
	e.newer = &s.ring
	e.older = s.ring.older
	e.older.newer = e
	s.ring.older = e
	s.entered++
	e.entered = s.entered
}

func (s *entries[V]) leaveRing(e *entry[V]) {
	e.older.newer = e.newer
	e.newer.older = e.older
}
