package jsrules_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestOwnTimeout: a rule in JavaScript has the limits of its Options, and not that of
// delegation.Config, which is for rules in Go.
func TestOwnTimeout(t *testing.T) {
	o := jsrules.Options{RuleTimeout: time.Hour, ChainTimeout: time.Hour}
	const waits = `setTimeout(function () { callback(null, user, context); }, 1800000)`
	rule := compile(t, body(waits), o)
	c := world().Config
	c.Rules = []delegation.RuleFunc{delegation.Named("mine", rule)}
	c.RuleTimeout = time.Nanosecond
	c.STS = noSTS{}
	d := must(delegation.New(t.Context(), c))
	for target := range c.Targets.(delegation.Targets) {
		token := world().Token(map[string]any{"aud": target})
		_, err := d.Exchange(t.Context(), token, target)
		if !errors.Is(err, delegation.StageSTS) {
			t.Errorf("%s: got %v", target, err)
		}
	}
}
