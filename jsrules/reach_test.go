package jsrules_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestGuardsThroughLibraries: a rule that reaches a guarded function through a library is limited,
// whatever way it goes. NAME is the name repeat, made at run time, and MANY a number of repetitions
// just above the limit.
func TestGuardsThroughLibraries(t *testing.T) {
	for _, way := range []string{
		"_.invoke('x', NAME, MANY)",
		"_.invokeMap(['x'], NAME, MANY)",
		"_.invokeMap(['x'], ''[NAME], MANY)",
		"_.method(NAME, MANY)('x')",
		"_.methodOf('x', MANY)(NAME)",
		"_.bindKey('x', NAME)(MANY)",
		"_.bind(_.get('', NAME), 'x')(MANY)",
		"_.property(NAME)('').call('x', MANY)",
		"_.spread(_.get('', NAME).bind('x'))([MANY])",
		"_.partial(_.get('', NAME).bind('x'), MANY)()",
		"_.flow(_.constant('x'), (x) => _.invoke(x, NAME, MANY))()",
		"_.map([MANY], ''[NAME].bind('x'))",
		"_.reduce([MANY], (x, n) => _.invoke(x, NAME, n), 'x')",
		"_.mapValues({a: 'x'}, (x) => _.invoke(x, NAME, MANY))",
		"_.over([_.method(NAME, MANY)])('x')",
		"_.chain('x').invoke(NAME, MANY).value()",
		"_('x').chain().thru((x) => _.get(x, NAME).call(x, MANY)).value()",
		"_.invoke('x', [NAME], MANY)",
		"_.invoke({a: {b: 'x'}}, ['a', 'b', NAME], MANY)",
		"(({invoke}) => invoke('x', NAME, MANY))(_)",
		"(({['inv' + 'oke']: f}) => f('x', NAME, MANY))(_)",
		"require('lodash/invoke')('x', NAME, MANY)",
		"require('lodash.invoke')('x', NAME, MANY)",
		"((load) => load('lodash').invoke('x', NAME, MANY))(require)",
		"_.runInContext().invoke('x', NAME, MANY)",
		"_.mixin({own: (x) => _.invoke(x, NAME, MANY)}).own('x')",
		"_.create({}, {f: ''[NAME], toString: () => 'x'}).f(MANY)",
		"_.assign({toString: () => 'x'}, {f: _.get('', NAME)}).f(MANY)",
		"_.zipObject(['f', 'toString'], [_.get('', NAME), () => 'x']).f(MANY)",
		"_.wrap(MANY, ''[NAME].bind('x'))()",
		"_.tap({toString: () => 'x'}, (o) => { o.f = ''[NAME]; }).f(MANY)",
		"_.over(_.map(['x'], NAME)).call('x', MANY)",
	} {
		for _, load := range []string{
			"var _ = require('lodash');", "var load = require, _ = load('lod' + 'ash');",
		} {
			expectLimited(t, load+"var got = ("+way+");")
		}
	}
}

// expectLimited runs statements in which NAME is repeat and MANY is too many, and expects the error
// that the guard throws.
func expectLimited(t *testing.T, statements string) {
	t.Helper()
	statements = strings.NewReplacer("NAME", "('rep' + 'eat')", "MANY", "(17 << 20)").
		Replace(statements)
	rule, err := jsrules.Compile("rule", body(statements+passes),
		jsrules.Options{}.WithClock(standing()))
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{}).
		expect(t, delegation.CodeRuleFailed, "RangeError: the text would be too large")
}
