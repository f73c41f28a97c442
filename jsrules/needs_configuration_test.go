package jsrules_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// TestNeeds_Configuration: names of configuration are needs, however the rule reads them. A name
// that is made at run time is one without a name, which depends on what is there.
func TestNeeds_Configuration(t *testing.T) {
	options := jsrules.Options{Configuration: map[string]string{"A": "x"}}
	for source, want := range map[string]string{
		"function (u) { configuration.A + configuration['B']; }": "1:16 global configuration\n" +
			"1:30 configuration A\n1:48 configuration B missing",
		"function (u) { const {B, A: a = 1} = configuration; }": "1:23 configuration B missing\n" +
			"1:26 configuration A\n1:38 global configuration",
		"function (u) { const c = configuration; c.B; }": "1:26 global configuration\n" +
			"1:43 configuration B missing",
		"function (u, configuration) { configuration.B; }": "",
		"function (u) { configuration[u.email]; }": "1:16 global configuration\n" +
			"1:30 configuration ",
	} {
		if got := needsOf(t, source, options); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", source, got, want)
		}
	}
	rule, err := jsrules.Parse("rule", "function (u) { configuration[u.email]; }", options)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range rule.Needs() {
		if n.Kind == jsrules.NeedConfiguration && !strings.Contains(n.Remedy, "at run time") {
			t.Errorf("the remedy is %q", n.Remedy)
		}
	}
}

// TestNeed_Idle: claims for tokens and what a first sign-in does have no effect here, and a factor
// fails the exchange.
func TestNeed_Idle(t *testing.T) {
	rule, err := jsrules.Parse("rule", `function (user, context, callback) {
		context.idToken['https://example.com/x'] = 1;
		context.multifactor = {};
		callback(null, user, context);
	}`, jsrules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	idle := map[string]bool{}
	for _, n := range rule.Needs() {
		idle[n.Name] = n.Idle()
	}
	if len(idle) != 2 || !idle["idToken"] || idle["multifactor"] {
		t.Errorf("got %v", idle)
	}
}
