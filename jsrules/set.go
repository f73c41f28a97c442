package jsrules

import (
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules/internal/webclient"
)

// Set is the state that rules share, see [Options].Set. The zero value is ready. It must not be
// copied after its first use.
type Set struct {
	mu     sync.Mutex
	global map[string]any // JSON-like values, which are never changed in place
	rules  int            // how many were compiled with it

	// saml says that one of them may say something of the SAML response.
	saml atomic.Bool
}

// shared is the state that the rules of a Set share in one exchange, where they run one after the
// other.
type shared struct {
	// begun says that a rule has begun. context has the properties that a rule has changed, or that
	// Options.Context has supplied. It is nil if there are none.
	begun   bool
	context map[string]any
	// whole names the objects in context that are known completely: see [run.guarded].
	whole map[string]bool
	// addon is context.addonConfiguration without aws.
	addon map[string]any
	// detours are those that are set, each with the first rule that set it.
	detours map[*detour]string
	// saml is what they have said of the SAML response. It is nil if none of them could.
	saml *samlState
	// registered says that checkDetours is to be called after the last rule.
	registered bool
	// kept is the run in which the next rule runs, because functions were left in global.
	kept *run
	// ran are the rules that have permitted the exchange. Its first element is in first.
	ran   []*rule
	first [1]*rule
	// web is what all rules may send and read over HTTP. It is nil until one calls a host.
	web *webclient.Budget
	// spent is the time that all rules have taken.
	spent time.Duration
}

// add counts a compiled rule. saml says that it may say something of the SAML response.
func (s *Set) add(saml bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules++
	if saml {
		s.saml.Store(true)
	}
}

// size returns the number of compiled rules.
func (s *Set) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules
}

// sharedIn returns the state of this Set in an exchange. The first call makes it.
func (s *Set) sharedIn(rc *delegation.RuleContext) *shared {
	if found, ok := rc.Values[s].(*shared); ok {
		return found
	}
	if rc.Values == nil {
		rc.Values = map[any]any{}
	}
	made := &shared{}
	made.ran = made.first[:0]
	rc.Values[s] = made
	return made
}

// snapshot returns the current content of global.
func (s *Set) snapshot() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.global
}

// merge takes over the changes of a run's copy of global. It does so name by name, so that
// concurrent runs keep each other's names.
func (s *Set) merge(before, after map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	merged := maps.Clone(s.global)
	if merged == nil {
		merged = map[string]any{}
	}
	for name := range before {
		if _, kept := after[name]; !kept {
			delete(merged, name)
		}
	}
	for name, value := range after {
		if was, had := before[name]; !had || !reflect.DeepEqual(was, value) {
			merged[name] = value
		}
	}
	s.global = merged
}

// clear empties global, as Auth0 did whenever it moved a rule to another container.
func (s *Set) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.global = nil
}
