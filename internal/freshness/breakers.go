package freshness

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// BreakersConfig is what [NewBreakers] takes: it says when a name rests.
type BreakersConfig struct {
	// Failures is after how many failures in a row a name rests; at least 1.
	Failures int
	// Rest is how long. It must be longer than a call takes, so that no call from before a rest
	// ends after it.
	Rest time.Duration
	// Names is how many failing names are remembered; at least 1. If there are more, the one that
	// was asked for longest ago is forgotten.
	Names int
	Now   func() time.Time // safe for concurrent use
}

// Breakers are circuit breakers by name: they remember what has failed, so that it is not asked for
// a while. What has not failed takes no room. Only [NewBreakers] makes them; they are safe for
// concurrent use.
type Breakers struct {
	config BreakersConfig

	mu      sync.Mutex
	failing *simplelru.LRU[string, failing]
}

type failing struct {
	times int
	until time.Time // the rest's end
}

// NewBreakers returns Breakers in which nothing has failed. It panics if Names is not positive.
func NewBreakers(c BreakersConfig) *Breakers {
	lru, err := simplelru.NewLRU[string, failing](c.Names, nil)
	if err != nil {
		panic(err)
	}
	return &Breakers{config: c, failing: lru}
}

// Allow tells whether the name may be asked. After each rest one caller may ask it, as the probe
// (half-open). If the probe succeeds, the name is healthy again. If it fails, or never reports a
// result, the next probe is due after another rest.
func (b *Breakers) Allow(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.failing.Get(name)
	if !ok || f.times < b.config.Failures {
		return true
	}
	now := b.config.Now()
	left := f.until.Sub(now)
	clockSetBack := left > b.config.Rest
	if left > 0 && !clockSetBack {
		return false
	}
	f.until = now.Add(b.config.Rest)
	b.failing.Add(name, f)
	return true
}

// Resting tells whether the name rests: it has failed, and no success has come since. Unlike Allow
// it changes nothing, so a probe that is due is still due.
func (b *Breakers) Resting(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, failed := b.failing.Peek(name)
	return failed && f.times >= b.config.Failures
}

// Failed notes that asking the name failed.
func (b *Breakers) Failed(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, _ := b.failing.Get(name)
	f.times = min(f.times+1, b.config.Failures)
	f.until = b.config.Now().Add(b.config.Rest)
	b.failing.Add(name, f)
}

// Succeeded notes that asking the name did not fail.
func (b *Breakers) Succeeded(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing.Remove(name)
}
