package delegation_test

import (
	"context"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestExchange_AllocationsFromTheCache: an exchange that the cache answers makes neither attributes
// nor requests, and of its token it takes what it remembers.
func TestExchange_AllocationsFromTheCache(t *testing.T) {
	w := cachedWorld(t)
	w.config.OnEvent = nil
	w.config.Rules = []delegation.RuleFunc{
		delegation.RequireVerifiedEmail(),
		func(_ context.Context, u *delegation.User, rc *delegation.RuleContext) error {
			rc.AWS.SessionName = u.Text("email")
			return nil
		},
	}
	d := w.delegator(t)
	token := w.token(map[string]any{"email": "alice@example.com", "email_verified": true})
	allocations := testing.AllocsPerRun(200, func() {
		if _, err := d.Exchange(t.Context(), token, app); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations", allocations)
	if allocations > 45 {
		t.Errorf("%.0f allocations", allocations)
	}
}

// TestExchange_AllocationsOfRevocations: while no session has ended, a cached exchange pays nothing
// for Config.Revocations, with a store or without.
func TestExchange_AllocationsOfRevocations(t *testing.T) {
	allocations := func(of *delegation.Revocations) float64 {
		w := cachedWorld(t)
		w.config.OnEvent = nil
		w.config.Revocations = of
		d := w.delegator(t)
		token := w.token(nil)
		exchange := func() {
			if _, err := d.Exchange(t.Context(), token, app); err != nil {
				t.Fatal(err)
			}
		}
		exchange()
		return testing.AllocsPerRun(200, exchange)
	}
	without := allocations(nil)
	for name, of := range map[string]*delegation.Revocations{
		"in this process": delegation.NewRevocations(nil, 0),
		"with a store":    delegation.NewRevocations(newRevocationLog(), 0),
	} {
		if with := allocations(of); with > without {
			t.Errorf("%s: %.0f allocations, and %.0f without", name, with, without)
		}
	}
}
