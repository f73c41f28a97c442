package jsrules

import (
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// Set is what rules share, see [Options].Set. The zero value is ready; it must not be copied once it is used.
type Set struct {
	mu     sync.Mutex
	global map[string]any // JSON-like values that nobody writes to
	rules  int            // compiled with it
}

// exchange is what the rules of a Set leave for those behind them in the same exchange. Those run
// one after the other.
type exchange struct {
	// context has the properties that a rule has changed, or that Options.Context has given. It is
	// nil before the first rule.
	context map[string]any
	// whole names the objects in context of which everything is known: see [run.guarded].
	whole map[string]bool
	// addon is context.addonConfiguration without aws.
	addon map[string]any
	// detours are ways to go on elsewhere that rules have set, and the last rule that set each.
	detours map[*detour]string
	// checked says that the check of detours after all rules is arranged for.
	checked bool
	// kept is the run that the next rule takes over, because functions were left in global.
	kept *run
	// ran are the rules that said yes.
	ran   []*rule
	spent time.Duration
}

// add counts a rule that was compiled.
func (s *Set) add() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules++
}

// size returns how many rules were compiled.
func (s *Set) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules
}

// exchangeOf finds what this Set keeps with an exchange, or begins it.
func (s *Set) exchangeOf(rc *delegation.RuleContext) *exchange {
	found, ok := rc.Values[s].(*exchange)
	if !ok {
		if rc.Values == nil {
			rc.Values = map[any]any{}
		}
		found = &exchange{}
		rc.Values[s] = found
	}
	return found
}

// snapshot returns what global holds now.
func (s *Set) snapshot() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.global
}

// merge writes what a run has changed in its copy of global, name by name, so that runs side by side keep each other's names.
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
