package delegation_test

import (
	"fmt"
	"testing"

	"github.com/seed055b7978/delegation"
)

// manyTargets are n targets, each with a role of its own.
func manyTargets(n int) delegation.Targets {
	targets := delegation.Targets{}
	for i := range n {
		name := fmt.Sprint("app", i)
		targets[name] = delegation.Target{
			Audiences: []string{name},
			AWS: delegation.AWS{
				Principal: principal,
				Role:      fmt.Sprint(role, i),
				Region:    "eu-central-1",
			},
		}
	}
	return targets
}

// TestNew_AllocationsOfATarget: checking and copying a target takes a dozen allocations, so that a
// service of 100,000 starts in half a second.
func TestNew_AllocationsOfATarget(t *testing.T) {
	w := newWorld(t)
	count := func(targets int) float64 {
		w.config.Targets = manyTargets(targets)
		return testing.AllocsPerRun(2, func() { w.delegator(t) })
	}
	const more = 2000
	of := (count(100+more) - count(100)) / more
	t.Logf("%.1f allocations", of)
	if of > 15 {
		t.Errorf("%.1f allocations for each target", of)
	}
}

func BenchmarkNewTargets(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			w.config.Targets = manyTargets(n)
			b.ReportAllocs()
			for b.Loop() {
				w.delegator(b)
			}
		})
	}
}
