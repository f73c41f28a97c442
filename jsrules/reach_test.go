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
			statements := load + "var got = (" + way + ");"
			t.Run(statements, func(t *testing.T) { expectLimited(t, statements) })
		}
	}
}

// TestGuardsByOddWays: a rule that gets a guarded function by a name made at run time, and calls it
// by another one, is limited.
func TestGuardsByOddWays(t *testing.T) {
	for _, statements := range []string{
		"''[NAME].call('x', MANY);",
		"''[NAME].apply('x', [MANY]);",
		"''[NAME].bind('x')(MANY);",
		"Reflect.apply(''[NAME], 'x', [MANY]);",
		"var o = {toString: () => 'x'}; o.f = ''[NAME]; o.f(MANY);",
		"var o = {toString: () => 'x', f: ''[NAME]}; o.f(MANY);",
		"var f = ''[NAME], o = {toString: () => 'x', f}; o.f(MANY);",
		"var f = ''[NAME], o = {toString: () => 'x', f: f}; o['f'](MANY);",
		"var o = {toString: () => 'x'}; o.f = o.g = ''[NAME]; o?.f?.(MANY);",
		"var o = {toString: () => 'x'}; o.f ||= ''[NAME]; o.f(MANY);",
		"var o = {toString: () => 'x', f: true && ''[NAME]}; o.f(MANY);",
		"var o = {toString: () => 'x', get f() { return ''[NAME]; }}; o.f(MANY);",
		"var o = {toString: () => 'x'}, k = 'f'; o[k] = ''[NAME]; o.f(MANY);",
		"var k = 'f', o = {toString: () => 'x', [k]: ''[NAME]}; o.f(MANY);",
		"var o = {toString: () => 'x', ...{f: ''[NAME]}}; o.f(MANY);",
		"var o = [''[NAME]]; o.toString = () => 'x'; o[0](MANY);",
		"class C { toString() { return 'x'; } f = ''[NAME]; } new C().f(MANY);",
		"class C { toString() { return 'x'; } get f() { return ''[NAME]; } } new C().f(MANY);",
		"class C { toString() { return 'x'; } #f = ''[NAME]; g() { this.#f(MANY); } } new C().g();",
		"class C extends String { g() { super[NAME](MANY); } } new C('x').g();",
		"const {[NAME]: f} = '', o = {toString: () => 'x', f}; o.f(MANY);",
		"var o = {toString: () => 'x'}; ({[NAME]: o.f} = ''); o.f(MANY);",
		"var o = {toString: () => 'x'}; [o.f] = [''[NAME]]; o.f(MANY);",
		"var o = {toString: () => 'x'}; for (o.f of [''[NAME]]) o.f(MANY);",
		"var f = (g) => { var o = {toString: () => 'x', f: g}; o.f(MANY); }; f(''[NAME]);",
		"((g) => { var o = {toString: () => 'x', g}; o.g`${MANY}`; o.g(MANY); })(''[NAME]);",
		"[MANY].map(''[NAME], 'x');",
		"[MANY].forEach(''[NAME], 'x');",
		"var f = ''[NAME]; [MANY].map(f, 'x');",
		"var f = ((n) => ''[n])(NAME); [MANY].some(f, 'x');",
		"var d = Object.getOwnPropertyDescriptor(String.prototype, NAME); " +
			"var o = {toString: () => 'x', f: d.value}; o.f(MANY);",
		"var d = Object.getOwnPropertyDescriptors(String.prototype); " +
			"for (var n in d) if (n === NAME) { d[n].toString = () => 'x'; d[n].value(MANY); }",
		"var o = {toString: () => 'x'}; " +
			"Object.defineProperty(o, 'f', {value: ''[NAME]}); o.f(MANY);",
		"var o = Object.create({toString: () => 'x'}, {f: {value: ''[NAME]}}); o.f(MANY);",
		"var o = Object.fromEntries([['f', ''[NAME]], ['toString', () => 'x']]); o.f(MANY);",
		"new Proxy(function () {}, {apply: (t, o, [n]) => ''[NAME].call('x', n)})(MANY);",
		"for (var f of [''[NAME]]) { var o = {toString: () => 'x', f: f}; o.f(MANY); }",
		"try { throw ''[NAME]; } catch (f) { var o = {toString: () => 'x', f: f}; o.f(MANY); }",
		"var o = {toString: () => 'x'}; Object.assign(o, {f: ''[NAME]}); o.f(MANY);",
		"var o = {toString: () => 'x'}; o.f = await ''[NAME]; o.f(MANY);",
		"var o = {toString: () => 'x'}; (o.f = ''[NAME], o).f(MANY);",
		"var make = () => ({toString: () => 'x', f: ''[NAME]}); make().f(MANY);",
		"(false || ''[NAME]).call('x', MANY);",
		"var o = {f: 1}; with ({toString: () => 'x', f: ''[NAME]}) f(MANY);",
		"var o = {toString: () => 'x'}, k = 'f'; o[k] = ''[NAME]; with (o) f(MANY);",
	} {
		t.Run(statements, func(t *testing.T) { expectLimited(t, statements) })
	}
}

// TestGuardsOfMethodsWithoutObject: functions that need no object are limited, too, if a rule gets
// them by a name made at run time.
func TestGuardsOfMethodsWithoutObject(t *testing.T) {
	const list = "{length: (1 << 20) + 1}"
	for _, statements := range []string{
		"var f = Array['fr' + 'om']; f(LIST);",
		"var {['fr' + 'om']: f} = Array; f(LIST);",
		"var [f] = [Array['fr' + 'om']]; f(LIST);",
		"var f; f = Array['fr' + 'om']; f(LIST);",
		"((f) => f(LIST))(Array['fr' + 'om']);",
		"(() => Array['fr' + 'om'])()(LIST);",
		"(true ? Array['fr' + 'om'] : null)(LIST);",
		"(0, Array['fr' + 'om'])(LIST);",
		"[LIST].map(Array['fr' + 'om']);",
		"await Promise.resolve(LIST).then(Array['fr' + 'om']);",
		"new Map([['f', Array['fr' + 'om']]]).get('f')(LIST);",
		"[Array['fr' + 'om']].forEach((f) => f(LIST));",
		"function call(f) { f(LIST); } call(Array['fr' + 'om']);",
		"function call() { arguments[0](LIST); } call(Array['fr' + 'om']);",
		"callback = Array['fr' + 'om']; callback(LIST);",
		"try { throw Array['fr' + 'om']; } catch (f) { f(LIST); }",
		"for (var f of [Array['fr' + 'om']]) f(LIST);",
		"for (const f of [Array['fr' + 'om']]) f(LIST);",
		"var f; for (f of [Array['fr' + 'om']]) f(LIST);",
		"var f; [f] = [Array['fr' + 'om']]; f(LIST);",
		"var f; [, ...[f]] = [0, Array['fr' + 'om']]; f(LIST);",
		"var f; ({a: f = Array['fr' + 'om']} = {}); f(LIST);",
		"((f = Array['fr' + 'om']) => f(LIST))();",
	} {
		t.Run(statements, func(t *testing.T) {
			source := "async " + body(strings.ReplaceAll(statements, "LIST", list)+passes)
			rule, err := jsrules.Compile("rule", source, jsrules.Options{}.WithClock(standing()))
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{}).
				expect(t, delegation.CodeRuleFailed, "RangeError: the list would be too large")
		})
	}
}

// expectLimited runs statements in which NAME is repeat and MANY is too many, and expects the error
// that the guard throws.
func expectLimited(t *testing.T, statements string) {
	t.Helper()
	statements = strings.NewReplacer("NAME", "('rep' + 'eat')", "MANY", "(17 << 20)").
		Replace(statements)
	source := body(statements + passes)
	if strings.Contains(statements, "await") {
		source = "async " + source
	}
	rule, err := jsrules.Compile("rule", source,
		jsrules.Options{}.WithClock(standing()))
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, delegation.Request{}).
		expect(t, delegation.CodeRuleFailed, "RangeError: the text would be too large")
}
