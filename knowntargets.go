package delegation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
)

// knownTargets is what New has found in the fixed targets. A service may have 100,000 of them, so
// each is looked at once.
type knownTargets struct {
	// claims are what a target requires of tokens, by its name.
	claims map[string][]requiredClaim
	// regions are those of the targets, each once, in the order of the targets' names. A target
	// without one lets a rule choose it.
	regions []Region
	// withIdentity are the names of those with an identity of their own, sorted.
	withIdentity []string
	// unusual are the names of those that do not plainly work, sorted.
	unusual []string
	// encodes tells whether one of them encodes NameIDs.
	encodes bool
}

// ownTargets are the Delegator's copies of the fixed targets. Nobody changes them, so an exchange
// takes its target as it is.
type ownTargets map[string]*Target

// Target implements [TargetSource].
func (t ownTargets) Target(_ context.Context, name string) (*Target, error) { return t[name], nil }

// fixedTargets are the fixed targets of a configuration that checkTargets has seen. Nil: its
// targets are those of another source.
func (c *Config) fixedTargets() ownTargets {
	targets, _ := c.Targets.(ownTargets)
	return targets
}

// checkTargets checks each of the fixed targets, and replaces them by copies that the caller cannot
// change.
func (c *Config) checkTargets(problems *problems) *knownTargets {
	if c.Targets == nil {
		problems.add("Targets is nil")
	}
	found := &knownTargets{claims: map[string][]requiredClaim{}}
	failed := map[string]error{}
	first := map[string]place{} // by region: many targets have few
	targets, fixed := c.Targets.(Targets)
	copies := make(ownTargets, len(targets))
	if fixed {
		c.Targets = copies
	}
	for name, given := range targets {
		target := given.clone()
		copies[name] = target
		required, err := target.compile(name, c)
		if err != nil {
			failed[name] = err
		}
		if len(required) > 0 {
			found.claims[name] = required
		}
		if target.Identity != nil {
			found.withIdentity = append(found.withIdentity, name)
		}
		if !target.plainlyWorks() {
			found.unusual = append(found.unusual, name)
		}
		found.encodes = found.encodes || target.NameIDEncoding != ""
		noteRegions(first, name, target)
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		problems.add("Targets[%q]: %w", name, failed[name])
	}
	slices.Sort(found.withIdentity)
	slices.Sort(found.unusual)
	found.regions = parsedRegions(slices.SortedFunc(maps.Keys(first), func(a, b string) int {
		return first[a].compare(first[b])
	}))
	return found
}

// place is where a region is first named: by a target, as one of its regions.
type place struct {
	target string
	index  int
}

func (p place) compare(other place) int {
	return cmp.Or(strings.Compare(p.target, other.target), cmp.Compare(p.index, other.index))
}

// noteRegions notes the target's places of its regions, if no other target's comes before.
func noteRegions(first map[string]place, target string, t *Target) {
	note := func(region string, index int) {
		here := place{target, index}
		if other, ok := first[region]; !ok || here.compare(other) < 0 {
			first[region] = here
		}
	}
	note(t.Region, 0)
	for i, region := range t.FailoverRegions {
		note(region, i+1)
	}
}

// parsedRegions are those of the names that are names of regions.
func parsedRegions(names []string) (regions []Region) {
	for _, name := range names {
		if region, err := ParseRegion(name); err == nil {
			regions = append(regions, region)
		}
	}
	return regions
}
