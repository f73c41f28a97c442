package jsrules_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestFolder: the order is that of names, the name is that of the file, and every mistake is named
// at once.
func TestFolder(t *testing.T) {
	good := &fstest.MapFile{
		Data: []byte("\ufeff" +
			body(
				`user.order = (user.order || []).concat(context.n = (context.n || 0) + 1); callback(null, user, context)`)),
	}
	rules, err := jsrules.CompileFolder(fstest.MapFS{
		"10-second.js": good, "02-first.js": good, "README.md": {Data: []byte("no rule")},
		"sub/03-third.js": {Data: []byte("no rule")}, "dir.js/x": {},
	}, jsrules.Options{})
	if err != nil || len(rules) != 2 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	user, rc := benchmarkUser(), benchmarkContext()
	for i, name := range []string{"02-first", "10-second"} {
		if err := rules[i](t.Context(), user, rc); err != nil || rc.Rule != name {
			t.Errorf("rule %d is %q: %v", i, rc.Rule, err)
		}
	}
	if !sameJSON(user.Properties["order"], []int{1, 2}) {
		t.Errorf("order %v", user.Properties["order"])
	}
	_, err = jsrules.CompileFolder(
		fstest.MapFS{"a.js": {Data: []byte("function (")},
			"b.js": good, "c.js": {Data: []byte("1")}},
		jsrules.Options{})
	if err == nil || !strings.Contains(err.Error(), `rule "a", line 1`) ||
		!strings.Contains(err.Error(), `rule "c"`) || !errors.Is(err, jsrules.ErrSource) {
		t.Errorf("got %v", err)
	}
	for name, folder := range map[string]fs.FS{
		"none": fstest.MapFS{"x.txt": good}, "nil": nil,
		"missing": must(fs.Sub(fstest.MapFS{}, "x")),
	} {
		rules, err := jsrules.CompileFolder(folder, jsrules.Options{})
		if err == nil || rules != nil {
			t.Errorf("%s: got %d rules, %v", name, len(rules), err)
		}
	}
}

// TestSources: what is no rule is refused before it runs.
func TestSources(t *testing.T) {
	long := body("// " + strings.Repeat("x", 100_000))
	for name, source := range map[string]string{
		"too long": long, "not UTF-8": body("// \xff"), "nothing": "", "a comment": "// x",
		"two": "function () {}, function () {}", "a number": "1", "a class": "class {}",
		"a call": "(function () { return function () {} })()", "a method": "({f() {}}).f",
		"more behind": "function (u, c, cb) {}; f()", "a comma behind": "function (u, c, cb) {},",
	} {
		rule, err := jsrules.Compile("name", source, jsrules.Options{})
		var wrong *jsrules.Error
		if rule != nil || !errors.As(err, &wrong) || wrong.Rule != "name" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := jsrules.Compile("", classic, jsrules.Options{})
	if !errors.Is(err, jsrules.ErrSource) {
		t.Errorf("no name: got %v", err)
	}
	// A source map would say where errors are, and goja reads one from disk: here it would say line
	// 20 of another file.
	sourceMap := base64.StdEncoding.EncodeToString([]byte(
		`{"version":3,"file":"x","sources":["other.ts"],"names":[],"mappings":"AAkBA;AACA;AACA"}`))
	mapped := compile(t,
		body("throw new Error('x')")+"\n//# sourceMappingURL=data:application/json;base64,"+
			sourceMap, jsrules.Options{})
	var where *jsrules.Error
	err = mapped(t.Context(), benchmarkUser(), benchmarkContext())
	if !errors.As(err, &where) || where.Line != 2 {
		t.Errorf("a source map is read: %v", err)
	}
	var wrong *jsrules.Error
	_, err = jsrules.Compile("x", "function (a b) {}", jsrules.Options{})
	if !errors.As(err, &wrong) || wrong.Line != 1 || wrong.Column != 13 {
		t.Errorf("on the first line: got %v", err)
	}
}

// TestOptions: what is wrong with options is said by Compile.
func TestOptions(t *testing.T) {
	for name, row := range map[string]struct {
		options jsrules.Options
		want    string
	}{
		"negative":       {jsrules.Options{RuleTimeout: -1}, "must not be negative"},
		"negative chain": {jsrules.Options{ChainTimeout: -1}, "must not be negative"},
		"a module": {jsrules.Options{Modules: map[string]jsrules.Module{"m": {Source: "var ("}}},
			`module "m"`},
	} {
		_, err := jsrules.Compile("rule", classic, row.options)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	settings := map[string]string{"a": "b"}
	rule := compile(t, body(`user.a = configuration.a; callback(null, user, context)`),
		jsrules.Options{Configuration: settings})
	settings["a"] = "changed"
	user := benchmarkUser()
	if err := rule(t.Context(), user, benchmarkContext()); err != nil || user.Text("a") != "b" {
		t.Errorf("got %q, %v", user.Text("a"), err)
	}
}

// TestNil: nothing of nothing is an error and no panic.
func TestNil(t *testing.T) {
	rule := compile(t, body(`user.x = 1; callback(null, user, context)`), jsrules.Options{})
	var none context.Context
	for name, call := range map[string]func() error{
		"context":     func() error { return rule(none, benchmarkUser(), benchmarkContext()) },
		"user":        func() error { return rule(t.Context(), nil, benchmarkContext()) },
		"RuleContext": func() error { return rule(t.Context(), benchmarkUser(), nil) },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "is nil") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	user := &delegation.User{}
	err := rule(t.Context(), user, &delegation.RuleContext{})
	if err != nil || !sameJSON(user.Properties["x"], 1) {
		t.Errorf("a zero user: got %v, %v", user.Properties, err)
	}
}

var fixed struct {
	before string
	rc     delegation.RuleContext
}

// TestFixedContext: a RuleContext that is not on its own, as a test may have it, does no harm.
func TestFixedContext(t *testing.T) {
	rule := compile(t,
		body(`context.n = (context.n || 0) + 1; user.n = context.n; callback(null, user, context)`),
		jsrules.Options{})
	user := benchmarkUser()
	for i := range 2 {
		err := rule(t.Context(), user, &fixed.rc)
		if err != nil || !sameJSON(user.Properties["n"], i+1) {
			t.Errorf("got %v, %v", user.Properties["n"], err)
		}
	}
}

// TestContextOption: what an ID token does not tell, the host can; once in an exchange, and never
// the settings for AWS.
func TestContextOption(t *testing.T) {
	calls := 0
	options := jsrules.Options{Context: func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error) {
		calls++
		if user.Text("bad") != "" {
			return nil, errors.New("the database is away")
		}
		return map[string]any{
			"clientName": "App of " + rc.ClientID, "stats": map[string]int{"loginsCount": 3},
			"addonConfiguration": map[string]any{"aws": map[string]any{"role": "x"}},
		}, nil
	}}
	rules := folder(t, options,
		body(
			`user.saw = [context.clientName, context.stats.loginsCount, context.addonConfiguration.aws.role]; callback(null, user, context)`),
		body(`callback(null, user, context)`))
	got := exchange(t, rules, nil, delegation.AWS{Role: role}, delegation.Request{})
	if !got.passed ||
		!sameJSON(got.user.Properties["saw"], []any{"App of CLIENT_ID", 3, role}) || calls != 1 {
		t.Errorf("got %v, %v, %d calls", got.err, got.user, calls)
	}
	exchange(t, rules, map[string]any{"bad": "x"}, delegation.AWS{}, delegation.Request{}).
		expect(t, delegation.CodeRuleFailed, "the database is away")
}

// TestTypesOfGo: what a profile loader returns need not be JSON; what a rule leaves as it was stays
// of its type.
func TestTypesOfGo(t *testing.T) {
	when := time.Date(2026, 11, 18, 0, 0, 0, 0, time.UTC)
	type team struct {
		Name string `json:"name"`
	}
	properties := func() map[string]any {
		return map[string]any{
			"when": when, "groups": []string{"a", "b"}, "teams": []team{{"press"}},
			"n": 7, "i64": int64(1) << 60, "f": 1.5, "raw": json.Number("1e400"),
			"untouched": make(chan int), "tags": map[string]string{"a": "b"},
		}
	}
	user := &delegation.User{Properties: properties()}
	rule := compile(t, body(`
		user.saw = [user.when, user.groups.join(), user.teams[0].name, user.n, user.f, user.i64 > 1, user.raw, user.tags.a, new Date(user.when).getTime()];
		callback(null, user, context)`), jsrules.Options{})
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	want := []any{"2026-11-18T00:00:00Z", "a,b", "press", 7, 1.5, true, nil, "b", when.UnixMilli()}
	if !sameJSON(user.Properties["saw"], want) {
		t.Errorf("it saw %v, want %v", user.Properties["saw"], want)
	}
	delete(user.Properties, "saw")
	same := properties()
	same["untouched"] = user.Properties["untouched"]
	if !reflect.DeepEqual(user.Properties, same) {
		t.Errorf("got %#v", user.Properties)
	}
	change := compile(t,
		body(`user.groups.push('c'); user.tags.a = 'c'; callback(null, user, context)`),
		jsrules.Options{})
	err := change(t.Context(), user, benchmarkContext())
	if err != nil || !sameJSON(user.Properties["groups"], []string{"a", "b", "c"}) ||
		!sameJSON(user.Properties["tags"], map[string]string{"a": "c"}) {
		t.Errorf("got %v, %v", user.Properties, err)
	}
	look := compile(t, body(`user.x = user.untouched; callback(null, user, context)`),
		jsrules.Options{})
	err = look(t.Context(), user, benchmarkContext())
	if !errors.Is(err, jsrules.ErrValue) ||
		!strings.Contains(err.Error(), "untouched has no form in JSON") {
		t.Errorf("got %v", err)
	}
}

// TestMetadataIsNoIdentity: app_metadata is merged into the root, but for what says who the user
// is.
func TestMetadataIsNoIdentity(t *testing.T) {
	user := &delegation.User{Properties: map[string]any{"app_metadata": map[string]any{
		"user_id": "x", "email": "x", "email_verified": true, "identities": []any{}, "iss": "x",
		"sub": "x", "aud": "x", "iat": 1, "exp": 1, "persistent": 1, "team": []any{"a"},
	}}}
	rule := compile(t,
		body(
			`user.saw = [user.email, user.email_verified, user.sub, user.team[0]]; user.team.push('b'); callback(null, user, context)`),
		jsrules.Options{})
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	if len(user.Properties) != 3 || !sameJSON(user.Properties["saw"], []any{nil, nil, nil, "a"}) ||
		!sameJSON(user.List("app_metadata.team"), []string{"a"}) ||
		!sameJSON(user.List("team"), []string{"a", "b"}) {
		t.Errorf("got %v", user.Properties)
	}
}

// TestMetadataIsNoStatementOfTheIssuer: app_metadata does not supply what only the issuer can
// state. Ready-made rules trust that, as AllowEmailDomains does hd.
func TestMetadataIsNoStatementOfTheIssuer(t *testing.T) {
	const google, other = "https://accounts.google.com", "https://login.example.com"
	const entra = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
	const github = "https://token.actions.githubusercontent.com"
	for _, test := range []struct {
		claim, issuer string
		iss           any
		supplied      bool
	}{
		{"hd", google, google, false},
		{"hd", "", google, false},
		{"hd", google, nil, false},
		{"hd", google, "accounts.google.com", false},
		{"tid", entra, entra, false},
		{"xms_edov", entra, entra, false},
		{"repository_owner", github, github, false},
		{"hd", other, other, true},
		{"tid", google, google, true},
		{"team", google, google, true},
	} {
		user := &delegation.User{Properties: map[string]any{
			"iss":            test.iss,
			"email":          "eve@example.com",
			"email_verified": true,
			"app_metadata":   map[string]any{test.claim: "example.com"},
		}}
		rc := benchmarkContext()
		rc.Issuer = test.issuer
		rule := compile(t, body("user.seen = true;"+passes), jsrules.Options{})
		if err := rule(t.Context(), user, rc); err != nil {
			t.Fatal(err)
		}
		if _, supplied := user.Properties[test.claim]; supplied != test.supplied {
			t.Errorf("%s of %q, %v: supplied: %t", test.claim, test.issuer, test.iss, supplied)
		}
		err := delegation.AllowEmailDomains("example.com")(t.Context(), user, rc)
		if test.claim == "hd" && (err == nil) != test.supplied {
			t.Errorf("AllowEmailDomains for %q, %v: %v", test.issuer, test.iss, err)
		}
	}
}

// TestFailedRuleChangesNothing: a rule that fails or refuses leaves user and settings as they were.
func TestFailedRuleChangesNothing(t *testing.T) {
	for _, end := range []string{
		"callback(new Error('x'))", "callback(new UnauthorizedError('x'))", "throw 1",
		"callback(null, user, context); callback()", "user.z = user; callback(null, user, context)",
	} {
		user, rc := benchmarkUser(), benchmarkContext()
		err := compile(t,
			body(`user.name = 'changed'; user.app = 1; context.addonConfiguration.aws.role = 'r'; `+
				end),
			jsrules.Options{})(t.Context(), user, rc)
		rc.Rule, rc.Values = "", nil // which decide nothing
		if err == nil || !reflect.DeepEqual(user, benchmarkUser()) ||
			!reflect.DeepEqual(rc, benchmarkContext()) {
			t.Errorf("%s: got %v, %v, %v", end, err, user.Properties, rc.AWS)
		}
	}
}

// TestLongMessages: what a rule throws is cut short, for logs and for users.
func TestLongMessages(t *testing.T) {
	for _, end := range []string{
		"callback(new Error('ä'.repeat(1e6)))", "callback('ä'.repeat(1e6))",
		"throw {message: 'ä'.repeat(1e6)}", "Promise.reject(new Error('ä'.repeat(1e6)))",
	} {
		got := run(t, body(end), jsrules.Options{})
		got.expect(t, delegation.CodeRuleFailed, "ää")
		if got.err != nil && len(got.err.Error()) > 1500 {
			t.Errorf("%s: %d bytes", end, len(got.err.Error()))
		}
	}
	got := run(t, body("callback(new UnauthorizedError('ä'.repeat(1e6)))"), jsrules.Options{})
	got.expect(t, delegation.CodeDenied, "ää")
	if text := got.err.Public(); len(text) > 1100 || !strings.HasSuffix(text, "ä…") {
		t.Errorf("the user is told %d bytes", len(text))
	}
}

// TestModules: what the host registers is found, by its name with or without a version, and nothing
// else.
func TestModules(t *testing.T) {
	options := jsrules.Options{Modules: map[string]jsrules.Module{
		"groups": {Functions: map[string]jsrules.Function{
			"of": func(ctx context.Context, arguments []any) (any, error) {
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 2*time.Second {
					return nil, errors.New("no deadline")
				}
				if arguments[0] == "auth0|nobody" {
					return nil, errors.New("no such user")
				}
				return []any{
					arguments[0], json.Number("12"), map[string]any{"n": len(arguments)},
					[]string{"typed"},
				}, nil
			},
		}},
		"request": {
			Source: "var n = 0; module.exports = function (options, done) { " +
				"try { done(null, {statusCode: 200}, native.get(options.url) + ++n); } " +
				"catch (e) { done(e); } };",
			Functions: map[string]jsrules.Function{
				"get": func(_ context.Context, arguments []any) (any, error) {
					return "GET " + arguments[0].(string), nil
				},
			},
		},
		"a":      {Source: "exports.name = 'a'; exports.b = require('b').name;"},
		"b":      {Source: "exports.name = 'b' + require('a').name;"},
		"throws": {Source: "throw new Error('at load')"},
	}}
	user := benchmarkUser()
	rule := compile(t, `async (user, context, callback) => {
		const groups = require('groups@1.0.0'), request = require('request');
		const of = await groups.of(user.user_id, undefined);
		try { groups.of('auth0|nobody'); } catch (e) { of.push(e.message); }
		try { require('throws'); } catch (e) { of.push(e.message); }
		try { require('fs'); } catch (e) { of.push(e.code + ' ' + e.message); }
		request({url: 'x'}, (e, response, text) => of.push(text));
		require('request')({url: 'y'}, (e, response, text) => of.push(text));
		of.push(require('a').b, require('crypto') === require('crypto'));
		callback(null, Object.assign(user, {of}), context);
	}`, options)
	clear(options.Modules["groups"].Functions) // they are copied
	if err := rule(t.Context(), user, benchmarkContext()); err != nil {
		t.Fatal(err)
	}
	want := []any{
		"auth0|alice", 12, map[string]any{"n": 2}, []string{"typed"}, "no such user", "at load",
		"MODULE_NOT_FOUND Cannot find module 'fs': it is not available here: " +
			"register it in Options.Modules",
		"GET x1", "GET y2", "ba", true,
	}
	if !sameJSON(user.Properties["of"], want) {
		t.Errorf("got %v, want %v", user.Properties["of"], want)
	}
}

// TestClock: Date starts from Options.Now, and moves with timers, which do not wait.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
		user := benchmarkUser()
		options := jsrules.Options{Now: func() time.Time { return at }}
		rule := compile(t, body(`var began = new Date();
			setTimeout(function () { user.at = [began, new Date()]; callback(null, user, context) }, 1500)`), options)
		began := time.Now()
		err := rule(t.Context(), user, benchmarkContext())
		want := []string{"2026-11-18T12:00:00.000Z", "2026-11-18T12:00:01.500Z"}
		if err != nil || !sameJSON(user.Properties["at"], want) {
			t.Errorf("got %v, %v", user.Properties["at"], err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it really waited %v", waited)
		}
	})
}
