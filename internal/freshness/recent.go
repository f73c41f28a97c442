package freshness

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	maxRecent = 100       // names
	recently  = time.Hour // since a name was last noted
)

// Recent remembers recent values: at most a hundred by name, each for an hour after it was last
// noted. The zero value is ready; it is safe for concurrent use.
type Recent[T any] struct {
	mu     sync.Mutex
	byName map[string]noted[T]
}

type noted[T any] struct {
	value T
	at    time.Time
}

// Note remembers the newest value of a name. If there are too many, the name that was noted longest
// ago is evicted.
func (r *Recent[T]) Note(name string, value T, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName == nil {
		r.byName = map[string]noted[T]{}
	}
	if _, known := r.byName[name]; !known && len(r.byName) >= maxRecent {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(r.byName)), func(a, b string) int {
			return r.byName[a].at.Compare(r.byName[b].at)
		})
		delete(r.byName, oldest)
	}
	r.byName[name] = noted[T]{value, now}
}

// All returns the values that were noted within the last hour, in the order of their names, and
// forgets the others.
func (r *Recent[T]) All(now time.Time) (values []T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.byName, func(_ string, n noted[T]) bool { return now.Sub(n.at) >= recently })
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		values = append(values, r.byName[name].value)
	}
	return values
}
