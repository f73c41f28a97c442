// Package replaymemory remembers in memory what was used once. It is bounded and never forgets before the time: when it is full, it refuses.
package replaymemory

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"
)

// Memory is made by New.
type Memory struct {
	size  int
	mu    sync.Mutex
	used  map[string]struct{}
	order marks
}

// New returns a Memory of that many keys. One of no size is always full.
func New(size int) *Memory { return &Memory{size: size, used: map[string]struct{}{}} }

var errFull = errors.New("the memory of used tokens is full")

// FirstUse notes that the key is used, until the time, and tells whether that was for the first time. The only error is that there is no room.
func (m *Memory) FirstUse(_ context.Context, key string, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.order) > 0 && !now.Before(m.order[0].until) {
		delete(m.used, heap.Pop(&m.order).(mark).key)
	}
	if _, ok := m.used[key]; ok {
		return false, nil
	}
	if len(m.order) >= m.size {
		return false, errFull
	}
	m.used[key] = struct{}{}
	heap.Push(&m.order, mark{key, until})
	return true, nil
}

type mark struct {
	key   string
	until time.Time
}

// marks is a heap, the first to end on top.
type marks []mark

func (m marks) Len() int           { return len(m) }
func (m marks) Less(i, j int) bool { return m[i].until.Before(m[j].until) }
func (m marks) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *marks) Push(x any)        { *m = append(*m, x.(mark)) }
func (m *marks) Pop() any {
	last := len(*m) - 1
	x := (*m)[last]
	(*m)[last] = mark{}
	*m = (*m)[:last]
	return x
}
