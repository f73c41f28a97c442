package jsrules_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestProcessOfModules: a module that does not use process pays nothing for it, and one that does
// has it.
func TestProcessOfModules(t *testing.T) {
	allocations := func(source string) float64 {
		rule := delegation.Must(jsrules.Compile("module", body(
			"if (require('m').pid === undefined) throw new Error('no pid');"+passes),
			jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: source}}}))
		return testing.AllocsPerRun(20, func() {
			if err := rule(t.Context(), benchmarkUser(), benchmarkContext()); err != nil {
				t.Fatal(err)
			}
		})
	}
	without := allocations("exports.pid = 1;")
	with := allocations("exports.pid = process.pid;")
	if without+50 > with {
		t.Errorf("%.0f allocations without process, and %.0f with it", without, with)
	}
}

// TestModule_ClosesItsFunction: what a module has outside the function that Node would make of it
// is checked, too.
func TestModule_ClosesItsFunction(t *testing.T) {
	const wrong = `var wrong = /\p{Nonsense}/u;`
	for _, source := range []string{
		wrong,
		"};" + wrong + "return function () {",
		"};" + wrong + "{",
		"};}); (function () {" + wrong + "return function () {",
		"}, function () {" + wrong,
	} {
		_, err := jsrules.Compile("rule", body(passes), jsrules.Options{
			Modules: map[string]jsrules.Module{"m": {Source: source}}})
		if err == nil || !strings.Contains(err.Error(), "SyntaxError") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
