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

// gates are rules that let users pass or refuse them, and leave sessions as they are.
func gates() []delegation.RuleFunc {
	return []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		delegation.Named("domains", delegation.AllowEmailDomains("example.com")),
		delegation.ForTargets(delegation.RequireAMR("mfa"), "app0"),
	}
}

// TestNew_AllocationsOfATarget: checking and copying a target takes a few allocations, also if
// rules decide who may use it, so that a service of 100,000 starts in half a second.
func TestNew_AllocationsOfATarget(t *testing.T) {
	w := newWorld(t)
	for name, rules := range map[string][]delegation.RuleFunc{"none": nil, "gates": gates()} {
		w.config.Rules = rules
		count := func(targets int) float64 {
			w.config.Targets = manyTargets(targets)
			return testing.AllocsPerRun(2, func() { w.delegator(t) })
		}
		const more = 2000
		of := (count(100+more) - count(100)) / more
		t.Logf("rules %s: %.1f allocations", name, of)
		if of > 3 {
			t.Errorf("rules %s: %.1f allocations for each target", name, of)
		}
	}
}

func BenchmarkNewTargets(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			w.config.Targets = manyTargets(n)
			w.config.Rules = gates()
			b.ReportAllocs()
			for b.Loop() {
				w.delegator(b)
			}
		})
	}
}
