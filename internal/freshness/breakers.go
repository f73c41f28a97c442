package freshness

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// BreakersConfig is what [NewBreakers] takes: it says when a name rests.
type BreakersConfig struct {
	Failures int // in a row, after which a name rests; at least 1
	// how long. Longer than a call takes, so that no call from before a rest ends after it
	Rest time.Duration
	// how many failing names are remembered; of more, that which was asked for longest ago is
	// forgotten. At least 1
	Names int
	Now   func() time.Time // safe for concurrent use
}

// Breakers are circuit breakers by name: they remember what has failed, so that it is not asked in
// vain for a while. What has not failed takes no room. Only [NewBreakers] makes them; they are safe
// for concurrent use.
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

// Allow tells whether the name may be asked. After each rest one caller may, the probe (half-open):
// with its success the name is whole again; on its failure, or if it is never heard of again, the
// next probe is a rest away.
func (s *Breakers) Allow(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.failing.Get(name)
	if !ok || f.times < s.config.Failures {
		return true
	}
	now := s.config.Now()
	if left := f.until.Sub(now); left > 0 && left <= s.config.Rest {
		// more is left only if the clock was set back
		return false
	}
	f.until = now.Add(s.config.Rest)
	s.failing.Add(name, f)
	return true
}

// Failed notes that asking the name failed.
func (s *Breakers) Failed(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _ := s.failing.Get(name)
	s.failing.Add(name, failing{min(f.times+1, s.config.Failures), s.config.Now().Add(s.config.Rest)})
}

// Succeeded notes that asking the name did not fail.
func (s *Breakers) Succeeded(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing.Remove(name)
}
