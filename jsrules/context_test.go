package jsrules_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// supply is an Options.Context of fixed values.
func supply(values map[string]any) jsrules.Options {
	return jsrules.Options{Context: func(
		context.Context, *delegation.User, *delegation.RuleContext,
	) (map[string]any, error) {
		return values, nil
	}}
}

// missing are the properties of context that a token does not tell.
var missing = []string{
	"authentication", "authorization", "clientName", "connectionID", "connectionMetadata",
	"connectionOptions", "organization", "riskAssessment", "sessionID", "sso", "stats", "tenant",
	"request.geoip", "request.hostname", "request.ip", "request.userAgent", "clientMetadata.team",
}

// TestMissingContext: reading a property of context that nobody supplies fails the exchange and
// names the property, however it is read and whatever the rule makes of the error; supplied, or
// permitted to be absent, it is read as it is.
func TestMissingContext(t *testing.T) {
	for _, path := range missing {
		t.Run(path, func(t *testing.T) {
			owner, name := "context", path
			if at := strings.LastIndexByte(path, '.'); at > 0 {
				owner, name = "context."+path[:at], path[at+1:]
			}
			for _, read := range []string{
				"if (context." + path + " === 'X') return callback(new UnauthorizedError('no'));",
				"var x = " + owner + "['" + name + "'];",
				"var x = " + owner + "['" + name[:1] + "' + '" + name[1:] + "'];",
				"var {" + name + "} = " + owner + ";",
				"var {" + name + " = 'default'} = " + owner + ";",
				"typeof " + owner + "." + name + ";",
				owner + "." + name + " = " + owner + "." + name + " || 'default';",
				"try { " + owner + "." + name + "; } catch (e) {}",
				"try { " + owner + "." + name +
					"; } finally { return callback(null, user, context); }",
				"var f = async () => { try { await " + owner + "." + name +
					"; } catch (e) {} }; f();",
				"Promise.resolve().then(() => " + owner + "." + name + ").catch(() => {});",
				"new Proxy(" + owner + ", {})." + name + ";",
				"Object.create(" + owner + ")." + name + ";",
				"Reflect.get(" + owner + ", '" + name + "');",
				"Object.getOwnPropertyDescriptor(" + owner + ", '" + name + "');",
				"if ('" + name + "' in " + owner +
					") return callback(new UnauthorizedError('no'));",
				"if (!('" + name + "' in " + owner + ")) user.x = 1;",
				owner + ".hasOwnProperty('" + name + "');",
				"Object.prototype.hasOwnProperty.call(" + owner + ", '" + name + "');",
				"Reflect.has(" + owner + ", '" + name + "');",
				"'" + name + "' in " + owner + "; " + owner + "." + name + " = 1;",
				"console.log(" + owner + "." + name + ");",
			} {
				o := jsrules.Options{}
				if path != "tenant" {
					o.Domain = "tenant.auth0.com"
				}
				got := run(t, body(read+passes), o)
				got.expect(t, delegation.CodeRuleContextMissing, "context."+path+" is read")
				if got.passed {
					t.Errorf("%s passed", read)
				}
			}
			supplied := supply(nested(path, "told"))
			read := body("user.x = context." + path + "; " +
				"user.has = '" + name + "' in " + owner + ";" + passes)
			if got := run(t, read, supplied); !got.passed || got.user.Text("x") != "told" ||
				!got.user.Bool("has") {
				t.Errorf("supplied: got %v, %v", got.err, got.user)
			}
			absent := path
			if strings.HasPrefix(path, "clientMetadata") {
				absent = "clientMetadata"
			}
			permitted := body("user.x = [typeof context." + path + ", " +
				"'" + name + "' in " + owner + "];" + passes)
			got := run(t, permitted, jsrules.Options{Absent: []string{absent}})
			if !got.passed || !sameJSON(got.user.Properties["x"], []any{"undefined", false}) {
				t.Errorf("permitted: got %v, %v", got.err, got.user)
			}
		})
	}
}

// nested is a value under a dotted path.
func nested(path string, value any) map[string]any {
	first, rest, deeper := strings.Cut(path, ".")
	if deeper {
		return map[string]any{first: nested(rest, value)}
	}
	return map[string]any{first: value}
}

// TestMissingContextPlace: the error says where the rule reads.
func TestMissingContextPlace(t *testing.T) {
	got := run(t,
		"function (user, context, callback) {\n\n  if (context.stats.loginsCount > 1) {}\n "+
			"callback(null) }", jsrules.Options{})
	var wrong *jsrules.Error
	if !errors.As(got.err, &wrong) || wrong.Line != 3 || wrong.Column < 7 {
		t.Errorf("got %v", got.err)
	}
}

// TestMissingContextIsNotPrinted: printing, listing and copying the context reads nothing that is
// missing, and what is copied is what is there.
func TestMissingContextIsNotPrinted(t *testing.T) {
	got := run(t, body(`
		console.log(context);
		console.log(JSON.stringify(context), String(context), context + '');
		var seen = [];
		for (var name in context) seen.push(name);
		user.seen = seen.sort();
		user.keys = Object.keys(context).sort();
		user.names = Object.getOwnPropertyNames(context).sort();
		user.spread = Object.keys({...context}).sort();
		user.assigned = Object.keys(Object.assign({}, context)).sort();
		user.entries = Object.entries(context).length;
		user.copied = JSON.parse(JSON.stringify(context)).clientID;
		var {clientID, ...rest} = context;
		user.rest = Object.keys(rest).length;
		callback(null, user, {...context});`), jsrules.Options{Domain: "tenant.auth0.com"})
	if !got.passed {
		t.Fatal(got.err)
	}
	want := []string{
		"accessToken", "addonConfiguration", "clientID", "clientMetadata", "connection",
		"connectionStrategy", "idToken", "isDelegation", "jwtConfiguration", "protocol", "request",
		"samlConfiguration", "tenant",
	}
	for _, list := range []string{"seen", "keys", "names", "spread", "assigned"} {
		if !slices.Equal(got.user.List(list), want) {
			t.Errorf("%s: got %q, want %q", list, got.user.List(list), want)
		}
	}
	if !sameJSON(got.user.Properties["entries"], len(want)) ||
		got.user.Text("copied") != "CLIENT_ID" ||
		!sameJSON(got.user.Properties["rest"], len(want)-1) {
		t.Errorf("got %v", got.user)
	}
}

// TestMissingContextDefined: a rule that assigns a missing property defines it, for itself and for
// the next rules, and one that deletes it knows that it is not there.
func TestMissingContextDefined(t *testing.T) {
	rules := folder(t, jsrules.Options{},
		body(`context.clientName = 'A';
			context.stats = {loginsCount: 1};
			context.request.geoip = {country_code: 'DE'};
			context.clientMetadata.team = 'x';
			delete context.organization;
			user.first = [context.clientName, 'clientName' in context, context.organization];
			callback(null, user, context);`),
		body(
			`user.second = [context.clientName, context.stats.loginsCount, context.request.geoip.country_code,
				context.clientMetadata.team, context.organization, context.request.body, 'organization' in context];
			callback(null, user, context);`),
		body(`context.clientMetadata = {all: 1};
			context.request = {ip: '192.0.2.1'};
			callback(null, user, context);`),
		body(
			`user.fourth = [context.clientMetadata.other, context.request.ip, context.request.geoip];
			callback(null, user, context);`))
	got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
	if !got.passed {
		t.Fatal(got.err)
	}
	for name, want := range map[string][]any{
		"first":  {"A", true, nil},
		"second": {"A", 1, "DE", "x", nil, map[string]any{}, false},
		"fourth": {nil, "192.0.2.1", nil},
	} {
		if !sameJSON(got.user.Properties[name], want) {
			t.Errorf("%s: got %v, want %v", name, got.user.Properties[name], want)
		}
	}
	for _, second := range []string{
		"context.request.geoip", "context.clientMetadata.other", "context.sso",
		"context.request.ip",
	} {
		chain := folder(t, jsrules.Options{},
			body("context.clientMetadata.team = 'x'; user.q = context.request.query;"+passes),
			body("callback(null, user, {...context})"),
			body(second+";"+passes))
		got := exchange(t, chain, nil, delegation.AWS{}, delegation.Request{})
		got.expect(t, delegation.CodeRuleContextMissing, second+" is read")
		if got.event.Rule != "03-rule" {
			t.Errorf("%s: the event names %q", second, got.event.Rule)
		}
	}
}

// TestContextThatIsThere: what exchange, token and request tell is read without any configuration,
// objects that rules write into are objects, and names of the rules' own are undefined at first.
func TestContextThatIsThere(t *testing.T) {
	rule := compile(t, body(`
		context.samlConfiguration.mappings = context.idToken['https://x/'] = context.accessToken.scope = {};
		context.jwtConfiguration.lifetime_in_seconds = 1;
		context.clientMetadata.x = 1;
		context.addonConfiguration.aws.region = 'eu-west-1';
		user.saw = [context.clientID, context.protocol, context.connection, context.connectionStrategy, context.tenant,
			context.isDelegation, context.request.ip, context.request.hostname, context.request.userAgent,
			context.request.body.a, context.request.body.b, context.request.query.c,
			context.own, context.redirect, context.multifactor, context.primaryUser];
		callback(null, user, context);`), jsrules.Options{Domain: "tenant.auth0.com"})
	request := delegation.Request{
		IP:         "192.0.2.1",
		Hostname:   "sts.example.com",
		Parameters: map[string]any{"a": "b"},
	}
	got := exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{}, request)
	want := []any{
		"CLIENT_ID", "delegation", "auth0", "auth0", "tenant", true, "192.0.2.1", "sts.example.com",
		"", "b", nil, nil, nil, nil, nil, nil,
	}
	if !got.passed || !sameJSON(got.user.Properties["saw"], want) {
		t.Errorf("got %v, %v, want %v", got.err, got.user, want)
	}
}

// TestContextOfTheRequest: what the caller asks for is there, in seconds and texts, and undefined
// if the caller asks for nothing.
func TestContextOfTheRequest(t *testing.T) {
	rule := compile(t, body(`
		user.saw = [context.request.endpoint, context.request.sessionName,
			context.request.sessionDuration, context.request.role, context.request.scopes];
		callback(null, user, context);`), jsrules.Options{})
	for _, row := range []struct {
		request delegation.Request
		want    []any
	}{
		{delegation.Request{}, []any{nil, nil, nil, nil, nil}},
		{delegation.Request{
			Endpoint:        "sts",
			SessionName:     "job-7",
			SessionDuration: 15 * time.Minute,
			Role:            "arn:aws:iam::123456789012:role/editor",
			Scopes:          []string{"read", "write"},
		}, []any{"sts", "job-7", 900, "arn:aws:iam::123456789012:role/editor",
			[]any{"read", "write"}}},
	} {
		user := &delegation.User{Properties: map[string]any{}}
		rc := &delegation.RuleContext{Request: row.request}
		if err := rule(t.Context(), user, rc); err != nil ||
			!sameJSON(user.Properties["saw"], row.want) {
			t.Errorf("got %v, %v, want %v", err, user, row.want)
		}
	}
}

// TestNoConnection: a token that does not tell how the user signed in lets no check of that pass.
func TestNoConnection(t *testing.T) {
	for _, name := range []string{"connection", "connectionStrategy"} {
		rule := compile(t,
			body("if (context."+name+" === 'guests') return callback(new UnauthorizedError('no'));"+
				passes),
			jsrules.Options{})
		got := exchange(t, []delegation.RuleFunc{rule}, map[string]any{"sub": "alice"},
			delegation.AWS{}, delegation.Request{})
		got.expect(t, delegation.CodeRuleContextMissing, "context."+name+" is read")
	}
}

// TestContextPerTarget: Options.Context knows the target, and adds to the request.
func TestContextPerTarget(t *testing.T) {
	o := jsrules.Options{Context: func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) (map[string]any, error) {
		if rc.Target != "CLIENT_ID" {
			return nil, fmt.Errorf("unknown target %q", rc.Target)
		}
		return map[string]any{
			"clientName":     "Photos",
			"clientMetadata": map[string]string{"team": "press"},
			"request":        map[string]any{"geoip": map[string]any{"country_code": "DE"}},
		}, nil
	}}
	rule := compile(t,
		body(
			`user.saw = [context.clientName, context.clientMetadata.team, context.clientMetadata.other,
		context.request.geoip.country_code, context.request.ip];`+passes), o)
	got := exchange(t, []delegation.RuleFunc{rule}, nil, delegation.AWS{},
		delegation.Request{IP: "192.0.2.1"})
	want := []any{"Photos", "press", nil, "DE", "192.0.2.1"}
	if !got.passed || !sameJSON(got.user.Properties["saw"], want) {
		t.Errorf("got %v, %v, want %v", got.err, got.user, want)
	}
	whole := supply(map[string]any{"clientMetadata": map[string]any{"team": "press"}})
	got = run(t, body("user.other = typeof context.clientMetadata.other;"+passes), whole)
	if got.user.Text("other") != "undefined" {
		t.Errorf("what is supplied as a whole is known as a whole: got %v, %v", got.err, got.user)
	}
	bad := run(t, body("context.request.ip;"+passes), supply(map[string]any{"request": func() {}}))
	bad.expect(t, delegation.CodeRuleFailed, "has no form in JSON")
}

// TestAbsentNames: a name in Options.Absent that can never be missing is a mistake, and is said so.
func TestAbsentNames(t *testing.T) {
	for _, name := range []string{
		"", "clientname", "addonConfiguration", "request", "geoip", "request.body", "redirect",
	} {
		_, err := jsrules.Compile("rule", classic, jsrules.Options{Absent: []string{name}})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) ||
			!strings.Contains(err.Error(), "request.geoip") {
			t.Errorf("%q: got %v", name, err)
		}
	}
	one := jsrules.Options{Absent: []string{"clientName"}}
	run(t, body("context.sso;"+passes), one).
		expect(t, delegation.CodeRuleContextMissing, "context.sso")
	run(t, body("context.request.geoip;"+passes), one).
		expect(t, delegation.CodeRuleContextMissing, "context.request.geoip")
	names := []string{"clientName"}
	rule := compile(t, body("context.clientName;"+passes), jsrules.Options{Absent: names})
	names[0] = "sso"
	if err := rule(t.Context(), benchmarkUser(), benchmarkContext()); err != nil {
		t.Errorf("options are not copied: %v", err)
	}
}

// TestAddedOnce: a property that a rule sets twice is listed once.
func TestAddedOnce(t *testing.T) {
	got := run(t, body(`
		user.team = 'photos';
		user.team = 'videos';
		var listed = Object.keys(user).filter(function (name) { return name === 'team'; });
		if (listed.length !== 1) throw new Error('listed ' + listed.length + ' times');`+passes),
		jsrules.Options{})
	if !got.passed {
		t.Errorf("got %v", got.err)
	}
}
