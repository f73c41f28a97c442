package jsrules_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

const passes = "\ncallback(null, user, context);"

// TestMissingUser: callback with null or undefined in the place of the user fails the exchange, and
// without a second argument it keeps the user.
func TestMissingUser(t *testing.T) {
	for call, fails := range map[string]bool{
		"callback(null, null, context)":                               true,
		"callback(null, undefined, context)":                          true,
		"callback(null, null)":                                        true,
		"callback(null, undefined)":                                   true,
		"callback(undefined, null, null)":                             true,
		"callback(null, user.nobody, context)":                        true,
		"callback(null, ...[null, context])":                          true,
		"callback.apply(null, [null, null])":                          true,
		"setTimeout(callback, 1, null, null)":                         true,
		"Promise.resolve(null).then(u => callback(null, u, context))": true,
		"callback()":                 false,
		"callback(null)":             false,
		"callback(undefined)":        false,
		"setTimeout(callback, 1)":    false,
		"callback(null, user)":       false,
		"callback(null, user, null)": false,
	} {
		source := body("user.seen = true; " + call)
		got := run(t, source, jsrules.Options{})
		if !fails {
			if !got.passed || !got.user.Bool("seen") {
				t.Errorf("%s: got %v, %v", call, got.err, got.user)
			}
			continue
		}
		got.expect(t, delegation.CodeRuleUserMissing, "callback was given no user")
		if got.event.Rule != "rule" || got.err.Public() != "access denied" {
			t.Errorf("%s: the event names %q, the user is told %q", call, got.event.Rule,
				got.err.Public())
		}
		ignoring := run(t, source, jsrules.Options{IgnoreMissingUser: true})
		if !ignoring.passed || !ignoring.user.Bool("seen") {
			t.Errorf("%s, ignored: got %v, %v", call, ignoring.err, ignoring.user)
		}
	}
	// An error wins over a missing user, and another value is no user at all.
	run(t, body("callback(new UnauthorizedError('no'), null)"),
		jsrules.Options{IgnoreMissingUser: true}).
		expect(t, delegation.CodeDenied, "no")
	for _, value := range []string{"false", "0", "''", "'x'", "[]", "new Map()"} {
		run(t, body("callback(null, "+value+", context)"),
			jsrules.Options{IgnoreMissingUser: true}).
			expect(t, delegation.CodeRuleFailed, "not an object")
	}
}

// detour is one of the two properties by which a rule sends the user elsewhere.
var detours = []struct {
	name    string
	code    delegation.Code
	ignored jsrules.Options
	other   jsrules.Options
}{
	{
		"redirect", delegation.CodeRuleRedirect,
		jsrules.Options{IgnoreRedirect: true},
		jsrules.Options{IgnoreMultifactor: true, IgnoreMissingUser: true},
	},
	{
		"multifactor", delegation.CodeRuleMultifactor,
		jsrules.Options{IgnoreMultifactor: true},
		jsrules.Options{IgnoreRedirect: true, IgnoreMissingUser: true},
	},
}

// TestDetours: context.redirect and context.multifactor fail the exchange if they are truthy after
// the last rule, however they were set, and each has an option of its own to be ignored.
func TestDetours(t *testing.T) {
	for _, d := range detours {
		set := "context." + d.name
		for statements, fails := range map[string]bool{
			set + " = {url: 'https://example.com/'};" +
				passes: true,
			set + " = 'any';" + passes:          true,
			set + " = true;" + passes:           true,
			set + " = function () {};" + passes: true,
			set + " = [];" + passes:             true,
			set + " = new Map();" + passes:      true,
			set +
				" = {}; callback(null, user)": true,
			set +
				" = {}; callback()": true,
			set +
				" = {}; callback(null, user, {})": false,
			"callback(null, user, {" + d.name +
				": {}})": true,
			"callback(null, user, Object.assign({}, context, {" + d.name +
				": 1}))": true,
			"callback(null, user, Object.create({" + d.name +
				": {}}))": true,
			"context['" + d.name + "'] = {};" +
				passes: true,
			"Object.assign(context, {" + d.name + ": {}});" + passes: true,
			"var c = context; setTimeout(function () { c." + d.name + " = 1;" +
				passes + "}, 5)": true,
			set + " = " + set + " || {};" + passes:           true,
			set + " = null;" + passes:                        false,
			set + " = false;" + passes:                       false,
			set + " = '';" + passes:                          false,
			set + " = {}; delete " + set + ";" + passes:      false,
			set + " = {}; " + set + " = undefined;" + passes: false,
			"if (" + set + ") throw new Error('unset');" +
				passes: false,
		} {
			got := run(t, body(statements), jsrules.Options{})
			if !fails {
				if !got.passed {
					t.Errorf("%s: got %v", statements, got.err)
				}
				continue
			}
			got.expect(t, d.code, "context."+d.name)
			if got.event.Rule != "rule" || got.err.Public() != "access denied" {
				t.Errorf("%s: the event names %q, the user is told %q", statements, got.event.Rule,
					got.err.Public())
			}
			if ignoring := run(t, body(statements), d.ignored); !ignoring.passed {
				t.Errorf("%s, ignored: got %v", statements, ignoring.err)
			}
			run(t, body(statements), d.other).expect(t, d.code, "context."+d.name)
		}
	}
}

// TestDetoursAtTheEnd: what one rule sets another may take back; what counts is what is left after
// the last rule, whether the last rule of all is JavaScript or Go, and whether all rules ran.
func TestDetoursAtTheEnd(t *testing.T) {
	goes := func(context.Context, *delegation.User, *delegation.RuleContext) error { return nil }
	for _, d := range detours {
		set := body("context." + d.name + " = {url: 'x'};" + passes)
		nothing := body(passes)
		takesBack := body("delete context." + d.name + ";" + passes)
		replaces := body("callback(null, user, {own: 1});")
		for name, row := range map[string]struct {
			sources []string
			rule    string // which is blamed; empty: the exchange passes
		}{
			"set and taken back":        {[]string{set, takesBack}, ""},
			"taken back before":         {[]string{takesBack, set}, "02-rule"},
			"set first":                 {[]string{set, nothing, nothing}, "01-rule"},
			"set, and context replaced": {[]string{set, replaces}, "01-rule"},
			"set, taken back, set":      {[]string{set, takesBack, set}, "03-rule"},
			"set twice":                 {[]string{set, set}, "01-rule"},
			"set and falsified": {
				[]string{set, body("context." + d.name + " = 0;" + passes)}, "",
			},
			"set, taken back by callback": {
				[]string{set, body("callback(null, user, {" + d.name + ": null})")}, "",
			},
		} {
			t.Run(d.name+" "+name, func(t *testing.T) {
				rules := folder(t, jsrules.Options{}, row.sources...)
				got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
				whole := exchangeToTheEnd(t, append(rules, goes))
				if row.rule == "" {
					if !got.passed || !errors.Is(whole, delegation.CodeSTSRefused) {
						t.Errorf("got %v, %v", got.err, whole)
					}
					return
				}
				got.expect(t, d.code, "context."+d.name)
				if got.event.Rule != row.rule || !strings.Contains(got.err.Error(), row.rule) {
					t.Errorf("the event names %q: %v", got.event.Rule, got.err)
				}
			})
		}
		t.Run(d.name+" of a set that does not run as a whole", func(t *testing.T) {
			rules := folder(t, jsrules.Options{}, set, takesBack, nothing)
			err := exchangeToTheEnd(t, []delegation.RuleFunc{rules[0], goes})
			if !errors.Is(err, d.code) || !strings.Contains(err.Error(), `"01-rule"`) {
				t.Errorf("got %v, want %s", err, d.code)
			}
			err = exchangeToTheEnd(t, []delegation.RuleFunc{rules[0], goes, rules[1]})
			if !errors.Is(err, delegation.CodeSTSRefused) {
				t.Errorf("got %v, want that all rules pass", err)
			}
		})
	}
}
