package jsrules_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// needsOf lists the needs of a rule, one a line: place, kind, name, and "missing" if it is not
// available.
func needsOf(t testing.TB, source string, o jsrules.Options) string {
	t.Helper()
	rule, err := jsrules.Parse("rule", source, o)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, n := range rule.Needs() {
		line := fmt.Sprintf("%d:%d %s %s", n.Line, n.Column, n.Kind, n.Name)
		if !n.Available {
			line += " missing"
			if n.Remedy == "" {
				t.Errorf("%s has no remedy", line)
			}
		}
		list = append(list, line)
	}
	return strings.Join(list, "\n")
}

// TestNeeds_Names: identifiers are needs if they are free, and only then.
func TestNeeds_Names(t *testing.T) {
	for source, want := range map[string]string{
		// names of the source
		"function (user, context, callback) { callback(null, user, context); }": "",
		"(u, c, cb) => cb(null, u, c)":                                          "",
		"function rule(u, c, cb) { rule; arguments; this.x; }":                  "",
		"function (u) { var a = 1; let b = a; const d = b; return d; }":         "",
		"function (u) { return later(); function later() {} }":                  "",
		"function (u) { hoisted; if (u) { var hoisted = 1; } }":                 "",
		"function (u) { for (var i = 0; i < 1; i++) { i; } i; }":                "",
		"function (u) { for (const x of []) { x; } for (let y in {}) { y; } }":  "",
		"function (u) { try { u(); } catch (e) { e.message; } }":                "",
		"function (u) { try { u(); } catch ({ message }) { message; } }":        "",
		"function (u) { class A { m() { return A; } } return new A(); }":        "",
		"function (u) { return class B { static { B; } }; }":                    "",
		"function (u) { label: for (;;) { continue label; } }":                  "",
		"function (u) { var { a, b: { d }, ...rest } = u; a + d + rest; }":      "",
		"function (u) { const [a, , b = a, ...rest] = u; b + rest; }":           "",
		"function (u, { x }, [y], z = y, ...more) { x + z + more; }":            "",
		"function (u) { return ({ name: 1, m() {}, get g() { return 1; } }); }": "",
		"function (u) { u.request.lodash.name; u?.moment?.(); }":                "",
		"function (u) { if (typeof request !== 'undefined') request(u); }":      "",
		"function (u) { return typeof fetch === 'function' && fetch(u); }":      "",
		"function (u) { return typeof a === 'undefined' ? 1 : a; }":             "",
		"function (u) { if (typeof a === 'undefined') { return; } a(); }":       "",
		"function (u) { if (!(typeof a == 'undefined') && u) { a(); } }":        "",
		"function (u) { leaked = 1; leaked += 1; }":                             "",
		"function (u) { [one, { two }] = u; one + two; }":                       "",
		"function (u) { JSON.parse(Math.max(parseInt, undefined, NaN)); }":      "",
		"function (u) { u instanceof Function; }":                               "",
		"function (u) { with (u) { anything; } }":                               "",
		// names from outside
		"function (u) { request(u); }":                    "1:16 global request missing",
		"function (u) { return { lodash }; }":             "1:25 global lodash missing",
		"function (u) { return { [key]: 1 }; }":           "1:26 global key missing",
		"function (u) { return `a ${who}`; }":             "1:28 global who missing",
		"function (u) { u[index]; }":                      "1:18 global index missing",
		"function (u, c = outer) { var outer; }":          "1:18 global outer missing",
		"function (u) { class A extends Base {} }":        "1:32 global Base missing",
		"function (u) { var { a = other } = u; }":         "1:26 global other missing",
		"function (u) { for (x of list) { x; } }":         "1:26 global list missing",
		"function (u) { ({ a: u.b } = given); }":          "1:30 global given missing",
		"function (u) { 'use strict'; leaked = 1; }":      "1:30 global leaked missing",
		"function (u) { if (typeof a != 'undefined') b }": "1:45 global b missing",
		"function (u) { if (typeof a == 'undefined') a }": "1:45 global a missing",
		"function (u) { 'use strict'; { function inner() {} } inner; }": "1:54 global " +
			"inner missing",
		"function (u) { eval('1'); }":                      "1:16 global eval missing",
		"function (u) { new Function('1'); }":              "1:20 global Function missing",
		"(u) => arguments":                                 "1:8 global arguments missing",
		"function (u) { async () => { await fetch(u); } }": "1:36 global fetch missing",
		"function (u) { console.log(Buffer); }": "1:16 global console\n" +
			"1:28 global Buffer",
		"function (u) {\n  setTimeout(u);\n  setTimeout(u);\n}": "2:3 global setTimeout",
	} {
		if got := needsOf(t, source, jsrules.Options{}); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", source, got, want)
		}
	}
}

// given supplies nothing, and may supply anything.
func given(
	context.Context, *delegation.User, *delegation.RuleContext,
) (map[string]any, error) {
	return nil, nil
}

// TestNeeds_Context: a property of context is a need by whatever name the rule reads it, and there
// if the options supply it.
func TestNeeds_Context(t *testing.T) {
	for source, want := range map[string]string{
		"(u, c) => c.clientName":                               "1:13 clientName missing",
		"(u, c) => c['clientName']":                            "1:13 clientName missing",
		"(u, c) => c?.clientName?.length":                      "1:14 clientName missing",
		"(u, { clientName }) => clientName":                    "1:7 clientName missing",
		"(u, { clientName: n = 'x' }) => n":                    "1:7 clientName missing",
		"(u, c) => { const d = c; d.stats; }":                  "1:28 stats missing",
		"(u, c) => { var d; d = c; d.sso; }":                   "1:29 sso missing",
		"(u, c) => { const { stats } = c || {}; }":             "1:21 stats missing",
		"(u, c) => { let d = c.request; d.geoip.city; }":       "1:34 request.geoip missing",
		"(u, { request: { geoip } }) => geoip":                 "1:18 request.geoip missing",
		"(u, c) => { f(c); function f(d) { d.sessionID; } }":   "1:37 sessionID missing",
		"(u, c) => { const f = (d) => d.stats; f(c); }":        "1:32 stats missing",
		"(u, c) => (function (d) { d.stats; })(c)":             "1:29 stats missing",
		"(u, c) => ((d) => d.stats)(c)":                        "1:21 stats missing",
		"(u, c) => 'organization' in c":                        "1:11 organization missing",
		"(u, c) => c.hasOwnProperty('stats')":                  "1:28 stats missing",
		"(u, c) => { c.stats = c.stats || {}; }":               "1:25 stats missing",
		"(u, c) => { c.stats.x = 1; }":                         "1:15 stats missing",
		"(u, c) => { c.stats++; }":                             "1:15 stats missing",
		"(u, c) => { if (u) { c.stats = 1; } c.stats; }":       "1:39 stats missing",
		"(u, c) => { c.clientMetadata.team; }":                 "1:30 clientMetadata.team missing",
		"(u, c) => { c.clientMetadata[u.x]; }":                 "1:30 clientMetadata missing",
		"(u, c) => { const m = c.clientMetadata || {}; m.a; }": "1:49 clientMetadata.a missing",
		"(u, c) => c.tenant":                                   "1:13 tenant missing",
		"(u, c) => c.connection":                               "1:13 connection",
		"(u, c) => c.request.ip + c.request.body.x": "1:21 request.ip\n" +
			"1:36 request.body",
		"(u, c) => c.isDelegation || c.protocol": "1:13 isDelegation\n1:31 protocol",
		// what rules set themselves
		"(u, c) => { c.stats = 1; c.stats; }":                      "",
		"(u, c) => { c.stats = 1; if (u) { c.stats; } }":           "",
		"(u, c) => { delete c.stats; }":                            "",
		"(u, c) => { c.ours; c.request.ours; }":                    "",
		"(u, c) => { c.clientMetadata = {}; c.clientMetadata.x; }": "",
		"(u, c) => { c.clientMetadata.toString(); }":               "",
		"(u, c) => { c = { stats: 1 }; }":                          "",
		"(u, c) => { ((c) => c.stats)(u); }":                       "",
		"(u, c) => { Object.keys(c); ({ ...c }); }":                "",
	} {
		got := strings.ReplaceAll(needsOf(t, source, jsrules.Options{}), " context ", " ")
		if got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", source, got, want)
		}
	}
	const source = "(u, c) => [c.clientName, c.clientMetadata.team, c.request.geoip, c.tenant]"
	for name, row := range map[string]struct {
		options jsrules.Options
		missing []string
	}{
		"nothing": {jsrules.Options{},
			[]string{"clientName", "clientMetadata.team", "request.geoip", "tenant"}},
		"a domain": {jsrules.Options{Domain: "tenant.auth0.com"},
			[]string{"clientName", "clientMetadata.team", "request.geoip"}},
		"absent": {
			jsrules.Options{Absent: []string{"clientName", "request.geoip", "clientMetadata"}},
			[]string{"tenant"},
		},
		"a context": {jsrules.Options{Context: given}, nil},
		"a context of names": {jsrules.Options{
			Context: given, ContextNames: []string{"clientMetadata", "request.geoip"},
		}, []string{"clientName", "tenant"}},
		"a context of no names": {jsrules.Options{Context: given, ContextNames: []string{}},
			[]string{"clientName", "clientMetadata.team", "request.geoip", "tenant"}},
		"names alone": {jsrules.Options{ContextNames: []string{"clientName"}},
			[]string{"clientName", "clientMetadata.team", "request.geoip", "tenant"}},
	} {
		var missing []string
		for _, n := range must(jsrules.Parse("rule", source, row.options)).Needs() {
			if !n.Available {
				missing = append(missing, n.Name)
			}
		}
		if !slices.Equal(missing, row.missing) {
			t.Errorf("%s: got %q, want %q", name, missing, row.missing)
		}
	}
}

// TestNeeds_Others: modules, members of auth0, names of configuration, properties of the user that
// a token lacks, and effects that mean something in a sign-in only.
func TestNeeds_Others(t *testing.T) {
	o := jsrules.Options{
		Configuration:  map[string]string{"ROLE": "x"},
		Modules:        map[string]jsrules.Module{"ours": {Source: "exports.a = 1;"}},
		Globals:        map[string]any{"TEAMS": []string{"press"}},
		IgnoreRedirect: true,
	}
	for statements, want := range map[string]string{
		"require('ours'); require('ours@1.2.3');": "global require\nmodule ours\nmodule ours@1.2.3",
		"require('no-such@1' + '.0');":            "global require\nmodule no-such@1.0 missing",
		"require(`no-such`);":                     "global require\nmodule no-such missing",
		"require(user.x); [].map(require);":       "global require\nmodule  missing",
		"TEAMS.length;":                           "global TEAMS",
		"configuration.ROLE + configuration.KEY;": "global configuration\nconfiguration ROLE\n" +
			"configuration KEY missing",
		"const { KEY, ROLE: r } = configuration;": "configuration KEY missing\n" +
			"configuration ROLE\nglobal configuration",
		"auth0.domain; auth0.users.getUser();": "global auth0\nauth0 domain\n" +
			"auth0 users.getUser missing",
		"const { users } = auth0; users.get();":        "global auth0\nauth0 users.get missing",
		"user.app_metadata.x; user.email;":             "user app_metadata missing",
		"user.app_metadata = user.app_metadata || {};": "user app_metadata missing",
		"user.app_metadata = {}; user.app_metadata.x;": "",
		"const { user_metadata: m = {} } = user; m.x;": "user user_metadata missing",
		"user.identities[0].provider;":                 "user identities",
		"user.identities[0].access_token;": "user identities\n" +
			"user identities.access_token missing",
		"context.redirect = { url: 'x' };":              "effect redirect",
		"context.multifactor = { a: 1 };":               "effect multifactor missing",
		"context.multifactor = null;":                   "",
		"delete context.multifactor;":                   "",
		"context.idToken['a/' + 1] = 1;":                "effect idToken missing",
		"context.idToken = context.idToken || {};":      "",
		"Object.assign(context.accessToken, { a: 1 });": "effect accessToken missing",
		"context.stats.loginsCount;": "context stats missing\n" +
			"effect sign-up missing",
		"context.samlConfiguration.mappings = {};": "samlConfiguration " +
			"samlConfiguration.mappings missing",
		"user.awsRole = 'x';": "samlConfiguration user.awsRole missing",
	} {
		var list []string
		for line := range strings.Lines(needsOf(t, body(statements), o)) {
			_, need, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			list = append(list, need)
		}
		if got := strings.Join(list, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", statements, got, want)
		}
	}
}

// TestNeeds_Copies: what is changed of the list does not change the rule, and a zero rule has none.
func TestNeeds_Copies(t *testing.T) {
	rule := must(jsrules.Parse("rule", body("nobody;"), jsrules.Options{}))
	rule.Needs()[0].Name = "changed"
	if rule.Needs()[0].Name != "nobody" || rule.Name() != "rule" {
		t.Errorf("got %+v", rule.Needs())
	}
	for _, none := range []*jsrules.Rule{nil, {}} {
		if none.Needs() != nil || none.Name() != "" || none.Func() != nil {
			t.Errorf("%v has something", none)
		}
	}
}
