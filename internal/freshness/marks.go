package freshness

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// marksFresh is how long after a reading of the source marks are used without another one.
	marksFresh = 2 * time.Second
	// marksTrusted is how long they are used while another reading is under way. Marks that any
	// process made longer ago than this are always known here.
	marksTrusted = 5 * time.Second
	// marksReading limits one reading.
	marksReading = 3 * time.Second
)

// Mark says that what a key names has ended.
type Mark struct {
	Key Key
	// Before is the moment at or before which something must not have begun. Zero: the beginning
	// does not matter.
	Before time.Time
	// Made is when the mark was made. It tells marks of one key apart.
	Made time.Time
	// Until is when the mark may be deleted.
	Until time.Time
}

// MarkSource returns the marks that others have made since a position, and the next position. The
// empty position is the beginning. Marks may come repeatedly.
type MarkSource func(ctx context.Context, since string) (marks []Mark, next string, err error)

// Marks are those of this process and of a source that other processes add to. The source is read
// when marks are used, and never without requests. It is bounded: nothing is forgotten before the
// time, and when it is full it refuses. Only [NewMarks] makes one; it is safe for concurrent use.
type Marks struct {
	size   int
	source MarkSource // nil: none

	read atomic.Pointer[time.Time] // when the last good reading began; nil: there was none
	held atomic.Int64              // how many marks there are

	mu      sync.RWMutex
	byKey   map[Key]markOf
	order   markOrder // each key once, with an end no later than its mark's
	since   string
	reading *markReading // nil: none is under way
}

// markOf combines the marks of one key.
type markOf struct {
	before, made, until time.Time
}

// markReading is a reading of the source. The other fields count when done is closed.
type markReading struct {
	done  chan struct{}
	began time.Time
	err   error
}

// NewMarks returns an empty Marks with room for that many keys. source may be nil.
func NewMarks(size int, source MarkSource) *Marks {
	return &Marks{size: size, source: source, byKey: map[Key]markOf{}}
}

var errMarksFull = errors.New("there are too many marks of ended sessions")

// Add adds marks of this process. The only error is that there is no room.
func (m *Marks) Add(now time.Time, marks ...Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.add(now, marks)
}

// add adds marks under the lock, and forgets those whose time is over.
func (m *Marks) add(now time.Time, marks []Mark) (err error) {
	for len(m.order) > 0 && !now.Before(m.order[0].until) {
		over := heap.Pop(&m.order).(keyUntil)
		if until := m.byKey[over.key].until; now.Before(until) { // a later mark has prolonged it
			heap.Push(&m.order, keyUntil{over.key, until})
			continue
		}
		delete(m.byKey, over.key)
	}
	for _, mark := range marks {
		if !now.Before(mark.Until) {
			continue
		}
		known, marked := m.byKey[mark.Key]
		if !marked && len(m.byKey) >= m.size {
			err = errMarksFull
			continue
		}
		if !marked { // one entry for each key, so that the order is bounded too
			heap.Push(&m.order, keyUntil{mark.Key, mark.Until})
		}
		m.byKey[mark.Key] = markOf{
			before: latest(known.before, mark.Before),
			made:   latest(known.made, mark.Made),
			until:  latest(known.until, mark.Until),
		}
	}
	m.held.Store(int64(len(m.byKey)))
	return err
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Known returns all marks that are known, in no order.
func (m *Marks) Known() []Mark {
	m.mu.RLock()
	defer m.mu.RUnlock()
	known := make([]Mark, 0, len(m.byKey))
	for key, of := range m.byKey {
		known = append(known, Mark{Key: key, Before: of.before, Made: of.made, Until: of.until})
	}
	return known
}

// Empty tells, at the cost of one atomic read, whether there is no mark at all.
func (m *Marks) Empty() bool { return m.held.Load() == 0 }

// Of combines the marks of some keys. It returns the latest Before of these marks, and when the
// latest mark was made. Both are zero if there is none.
func (m *Marks) Of(now time.Time, keys ...Key) (before, made time.Time) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, key := range keys {
		if of, marked := m.byKey[key]; marked && now.Before(of.until) {
			before = latest(before, of.before)
			made = latest(made, of.made)
		}
	}
	return before, made
}

// Freshen makes sure that every mark is known that others made at least 5 seconds ago. It reads the
// source if the last reading is older than that. Otherwise it at most begins a reading in the
// background. The error is the source's, or the context's if that ended first.
func (m *Marks) Freshen(ctx context.Context, now func() time.Time) error {
	if m.source == nil {
		return nil
	}
	if m.readWithin(marksFresh, now()) {
		return nil
	}
	for {
		at := now()
		reading := m.begin(ctx, now)
		if m.readWithin(marksTrusted, at) {
			return nil
		}
		select {
		case <-reading.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		// A reading that was already under way may have begun too long ago.
		if reading.err != nil || at.Sub(reading.began) < marksTrusted {
			return reading.err
		}
	}
}

// readWithin tells whether the last good reading is younger than age. A reading in the future does
// not count: the clock was set back.
func (m *Marks) readWithin(age time.Duration, now time.Time) bool {
	last := m.read.Load()
	if last == nil {
		return false
	}
	passed := now.Sub(*last)
	return 0 <= passed && passed < age
}

// begin returns the reading that is under way, or begins one.
func (m *Marks) begin(ctx context.Context, now func() time.Time) *markReading {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reading == nil {
		m.reading = &markReading{done: make(chan struct{}), err: errLost}
		go m.run(context.WithoutCancel(ctx), m.reading, now)
	}
	return m.reading
}

// run is one reading. The marks that it has found are added before done is closed.
func (m *Marks) run(ctx context.Context, reading *markReading, now func() time.Time) {
	ctx, cancel := context.WithTimeout(ctx, marksReading)
	defer cancel()
	m.mu.RLock()
	since := m.since
	m.mu.RUnlock()
	began := now()
	var marks []Mark
	var next string
	err := attempt(func() (err error) {
		marks, next, err = m.source(ctx, since)
		return err
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		err = m.add(now(), marks)
	}
	if err == nil {
		m.since = next
		m.read.Store(&began)
	}
	reading.began = began
	reading.err = err
	m.reading = nil
	close(reading.done)
}

// keyUntil is a key, and when one of its marks ends.
type keyUntil struct {
	key   Key
	until time.Time
}

// markOrder is a heap, the first to end on top.
type markOrder []keyUntil

func (m markOrder) Len() int           { return len(m) }
func (m markOrder) Less(i, j int) bool { return m[i].until.Before(m[j].until) }
func (m markOrder) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *markOrder) Push(x any)        { *m = append(*m, x.(keyUntil)) }
func (m *markOrder) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	*m = (*m)[:last]
	return x
}
