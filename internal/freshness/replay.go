package freshness

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// ReplayMemory remembers what was used once. It is bounded and never forgets before the time: when
// it is full, it refuses. Only [NewReplayMemory] and [ReplayMemory.WithSize] make one; it is safe
// for concurrent use.
type ReplayMemory struct {
	size int
	*marks
}

// marks are what was used. Memories of several sizes can share them.
type marks struct {
	mu    sync.Mutex
	used  map[string]struct{}
	order usedOrder
}

// NewReplayMemory returns a memory with room for that many keys. With the size 0 it is always full.
func NewReplayMemory(size int) *ReplayMemory {
	return &ReplayMemory{size: size, marks: &marks{used: map[string]struct{}{}}}
}

// WithSize returns a memory of another size that shares the remembered keys. While there are at
// least that many, it refuses new ones: nothing is forgotten before its time.
func (m *ReplayMemory) WithSize(size int) *ReplayMemory {
	return &ReplayMemory{size: size, marks: m.marks}
}

var errFull = errors.New("the memory of used tokens is full")

// FirstUse remembers until the given time that the key is used, and tells whether that is its first
// use. The only error is that there is no room.
func (m *ReplayMemory) FirstUse(_ context.Context, key string, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	if _, ok := m.used[key]; ok {
		return false, nil
	}
	if len(m.order) >= m.size {
		return false, errFull
	}
	m.used[key] = struct{}{}
	heap.Push(&m.order, usedUntil{key, until})
	return true, nil
}

// Used tells whether the key was used before, and notes nothing.
func (m *ReplayMemory) Used(key string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
	_, used := m.used[key]
	return used
}

// forget drops, under the lock, the keys whose time is over.
func (m *ReplayMemory) forget(now time.Time) {
	for len(m.order) > 0 && !now.Before(m.order[0].until) {
		delete(m.used, heap.Pop(&m.order).(usedUntil).key)
	}
}

type usedUntil struct {
	key   string
	until time.Time
}

// usedOrder is a heap, the first to end on top.
type usedOrder []usedUntil

func (m usedOrder) Len() int           { return len(m) }
func (m usedOrder) Less(i, j int) bool { return m[i].until.Before(m[j].until) }
func (m usedOrder) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *usedOrder) Push(x any)        { *m = append(*m, x.(usedUntil)) }
func (m *usedOrder) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	(*m)[last] = usedUntil{}
	*m = (*m)[:last]
	return x
}
