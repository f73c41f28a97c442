package jsrules_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// actionOf is an Action around statements.
func actionOf(statements string) string {
	return "exports.onExecutePostLogin = async (event, api) => {\n" + statements + "\n};"
}

// compileActionOn compiles an Action whose limits are measured by a clock.
func compileActionOn(
	t testing.TB, clock func() time.Time, name, source string, o jsrules.Options,
) delegation.RuleFunc {
	t.Helper()
	action, err := jsrules.CompileAction(name, source, o.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	return action
}

// runAction runs one Action.
func runAction(t testing.TB, source string, o jsrules.Options) outcome {
	t.Helper()
	action := compileActionOn(t, standing(), "action", source, o)
	return exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{}, delegation.Request{})
}

// mixed compiles a chain of rules and Actions, which share a Set. Sources that export something are
// Actions.
func mixed(t testing.TB, o jsrules.Options, sources ...string) (chain []delegation.RuleFunc) {
	t.Helper()
	o.Set = &jsrules.Set{}
	for i, source := range sources {
		name := fmt.Sprintf("%d", i+1)
		if strings.HasPrefix(source, "exports") {
			chain = append(chain, compileActionOn(t, standing(), name, source, o))
			continue
		}
		rule, err := jsrules.Compile(name, source, o.WithClock(standing()))
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, rule)
	}
	return chain
}

// TestAction_Chain: an Action sees what rules have left of user and context. What it writes to
// event is its own, and neither a rule nor another Action sees it.
func TestAction_Chain(t *testing.T) {
	const tag = delegation.AttributePrincipalTag
	chain := mixed(t, jsrules.Options{},
		body(`user.team = 'press'; context.clientName = 'Photos'; context.organization = {id: 'o'};
			global.f = function () { return 'kept'; };
			callback(null, user, context);`),
		actionOf(`if (event.user.team !== 'press' || event.client.name !== 'Photos' ||
				event.organization.id !== 'o') throw new Error('the rule');
			if (typeof global !== 'undefined') throw new Error('the runtime of the rule');
			event.user.team = 'admins';
			event.user.groups = ['admins'];
			event.client.name = 'Mine';
			event.own = 1;
			api.samlResponse.setAttribute('`+tag+`a', event.user.team);`),
		body(`user.seen = [user.team, user.groups === undefined, context.clientName, global.f()];
			callback(null, user, context);`),
		actionOf(`if (event.user.team !== 'press' || event.own !== undefined ||
				event.client.name !== 'Photos') throw new Error('the other Action');
			api.samlResponse.setAttribute('`+tag+`b', event.user.seen);`),
	)
	got, err := explained(t, chain, nil)
	if err == nil || !strings.Contains(err.Error(), tag+"b") {
		t.Fatalf("a tag has four values: %v", err)
	}
	user := got.Rules[3].Changed
	if len(user) != 2 || !strings.HasPrefix(user[1], "user.samlResponse:") {
		t.Errorf("the last Action has changed %q", user)
	}
	chain[3] = func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
		if !sameJSON(user.Properties["seen"], []any{"press", true, "Photos", "kept"}) {
			return fmt.Errorf("the rule saw %v", user.Properties["seen"])
		}
		return nil
	}
	got, err = explained(t, chain, nil)
	if err != nil || got.Attributes[tag+"a"][0] != "admins" {
		t.Errorf("got %v: %v", got.Attributes, err)
	}
}

// TestAction_AfterRules: what Actions say of the SAML response wins over what rules say, and each
// keeps what the other does not mention. A value of an earlier exchange is not there.
func TestAction_AfterRules(t *testing.T) {
	set := func(attribute, value string) string {
		return "api.samlResponse.setAttribute('" + attribute + "', " + value + ");"
	}
	const (
		probe = "'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier'"
		rules = "https://rule.example.com/saml"
		own   = "https://action.example.com/saml"
	)
	chain := mixed(t, samlOptions(),
		actionOf(set(delegation.AttributeRole, "'arn:aws:iam::123456789012:role/first'")+
			set(delegation.AttributeSessionDuration, "7200")),
		body(`user.awsRole = 'arn:aws:iam::123456789012:role/rule'; user.source = 'rule-source';
			context.samlConfiguration.mappings = {
				'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole',
				'https://aws.amazon.com/SAML/Attributes/SourceIdentity': 'source'};
			context.samlConfiguration.audience = 'urn:of:the:rule';
			context.samlConfiguration.recipient = '`+rules+`';
			if (user.later) context.samlConfiguration.nameIdentifierProbes = ['urn:oid:2.5.4.3'];
			callback(null, user, context);`),
		actionOf("if (event.user.later) {"+
			set(delegation.AttributeRole, "'arn:aws:iam::123456789012:role/last'")+
			"api.samlResponse.setAudience('urn:of:the:action');"+
			"api.samlResponse.setRecipient('"+own+"');"+
			"api.samlResponse.setNameIdentifierProbes(["+probe+"]); }"),
	)
	for later, want := range map[bool][3]string{
		true:  {"last", "action", own},
		false: {"first", "rule", rules},
	} {
		got, err := explained(t, chain, map[string]any{"later": later})
		if err != nil || got.Role != "arn:aws:iam::123456789012:role/"+want[0] ||
			got.Audience != "urn:of:the:"+want[1] || got.Duration != 2*time.Hour ||
			got.SourceIdentity != "rule-source" || got.Recipient != want[2] {
			t.Errorf("later %t: %q, %q, %s, %q: %v", later,
				got.Role, got.Audience, got.Duration, got.SourceIdentity, err)
		}
	}
}

// TestAction_UserReplaced: a value that an Action has set stays if a later rule gives another user
// to callback. A session without a tag that an Action has set could do more.
func TestAction_UserReplaced(t *testing.T) {
	const tag = delegation.AttributePrincipalTag + "team"
	chain := mixed(t, jsrules.Options{},
		actionOf("api.samlResponse.setAttribute('"+tag+"', 'press');"),
		body("callback(null, {user_id: user.user_id}, context);"))
	got, err := explained(t, chain, nil)
	if err != nil || len(got.Attributes[tag]) != 1 || got.Attributes[tag][0] != "press" {
		t.Errorf("got %q: %v", got.Attributes[tag], err)
	}
}

// TestAction_RulesNeedTheirOption: an Action's api works without Options.SAMLConfiguration, and
// does not give an effect to what rules say.
func TestAction_RulesNeedTheirOption(t *testing.T) {
	chain := mixed(t, jsrules.Options{},
		body(strings.Replace(setsAWSRole, "callback(null, user, context);", "", 1)+setsMappings),
		actionOf("api.samlResponse.setAttribute('"+
			delegation.AttributeSourceIdentity+"', 'alice');"))
	got, err := explained(t, chain, nil)
	if err != nil || got.Role != role || got.SourceIdentity != "alice" ||
		!strings.Contains(strings.Join(got.Warnings, "\n"), "context.samlConfiguration") {
		t.Errorf("got %q, %q and %q: %v", got.Role, got.SourceIdentity, got.Warnings, err)
	}
}

// TestAction_Denials: whatever the reason is, the user is denied.
func TestAction_Denials(t *testing.T) {
	for reason, want := range map[string]string{
		"'Not you.'":            "Not you.",
		"":                      "access denied",
		"undefined":             "access denied",
		"null":                  "access denied",
		"''":                    "",
		"7":                     "7",
		"new Error('no')":       "Error: no",
		"{}":                    "an object without name and message",
		"'x'.repeat(5000)":      strings.Repeat("x", 1000) + "…",
		"'code', 'description'": "code",
	} {
		got := runAction(t, actionOf("api.access.deny("+reason+")"), jsrules.Options{})
		got.expect(t, delegation.CodeDenied, want)
		if got.err.Public() != want && want != "" {
			t.Errorf("%s: the user is told %q", reason, got.err.Public())
		}
	}
}

// TestAction_Detours: the options that ignore a detour of rules ignore one of Actions, and no other
// call.
func TestAction_Detours(t *testing.T) {
	both := jsrules.Options{IgnoreRedirect: true, IgnoreMultifactor: true}
	for call, code := range map[string]delegation.Code{
		"redirect.sendUserTo('https://example.com')":            delegation.CodeRuleRedirect,
		"prompt.render('x')":                                    delegation.CodeRuleRedirect,
		"multifactor.enable('any')":                             delegation.CodeRuleMultifactor,
		"authentication.challengeWith({type: 'otp'})":           delegation.CodeRuleMultifactor,
		"authentication.enrollWithAny([{type: 'otp'}])":         delegation.CodeRuleMultifactor,
		"redirect.encodeToken({secret: 'x', payload: {}})":      delegation.CodeRuleUnsupported,
		"redirect.validateToken({secret: 'x'})":                 delegation.CodeRuleUnsupported,
		"redirect.canRedirect()":                                delegation.CodeRuleUnsupported,
		"authentication.setPrimaryUser('auth0|1')":              delegation.CodeRuleUnsupported,
		"rules.wasExecuted('rul_1')":                            delegation.CodeRuleUnsupported,
		"session.revoke()":                                      delegation.CodeRuleUnsupported,
		"refreshToken.revoke()":                                 delegation.CodeRuleUnsupported,
		"transaction.setMetadata('a', 'b')":                     delegation.CodeRuleUnsupported,
		"user.setUserMetadata('a', 'b')":                        delegation.CodeRuleUnsupported,
		"accessToken.setCustomClaim('a', 'b')":                  delegation.CodeRuleUnsupported,
		"samlResponse.setEncryptionCert('x')":                   delegation.CodeRuleUnsupported,
		"samlResponse.setLifetimeInSeconds(0)":                  delegation.CodeRuleFailed,
		"samlResponse.setRecipient('')":                         delegation.CodeRuleFailed,
		"samlResponse.setNameIdentifierProbes([])":              delegation.CodeRuleFailed,
		"samlResponse.setAttribute(null, 'x')":                  delegation.CodeRuleFailed,
		"samlResponse.setAttribute('urn:oid:2.5.4.3', () => 1)": delegation.CodeRuleFailed,
	} {
		source := actionOf("try { api." + call + "; } catch (e) {}")
		name, _, _ := strings.Cut(call, "(")
		got := runAction(t, source, jsrules.Options{})
		got.expect(t, code, "line 2, column")
		got.expect(t, code, name)
		got = runAction(t, source, both)
		detour := code == delegation.CodeRuleRedirect || code == delegation.CodeRuleMultifactor
		if got.passed != detour {
			t.Errorf("%s: ignored: passed %t, %v", call, got.passed, got.err)
		}
	}
}

// TestAction_HiddenCall: a call that fails the exchange does so wherever it is made.
func TestAction_HiddenCall(t *testing.T) {
	for _, statements := range []string{
		"console.log({get a() { api.cache.get('x'); }});",
		"try { api.cache.get('x'); } finally { return; }",
		"await new Promise(() => api.cache.get('x')).catch(() => {});",
		"Promise.resolve().then(() => api.cache.get('x')).catch(() => {}); await null; await null;",
		"setTimeout(() => api.cache.get('x'), 1); await new Promise(r => setTimeout(r, 2));",
		"const {get: f} = api.cache; f.call(null, 'x');",
		"api['ca' + 'che']['g' + 'et']('x');",
	} {
		o := jsrules.Options{Logger: (&lines{}).logger()}
		got := runAction(t, actionOf(statements), o)
		got.expect(t, delegation.CodeRuleUnsupported, "line 2, column")
	}
}

// TestAction_Limits: the limits of rules are those of Actions.
func TestAction_Limits(t *testing.T) {
	for name, row := range map[string]struct {
		source string
		want   error
	}{
		"a loop":             {actionOf("for (;;);"), jsrules.ErrTimeout},
		"a loop at the top":  {"for (;;);" + actionOf(""), jsrules.ErrTimeout},
		"a loop of promises": {actionOf("for (;;) await null;"), jsrules.ErrTimeout},
		"timers": {
			actionOf("await new Promise(resolve => setTimeout(resolve, 1e6));"), jsrules.ErrTimeout,
		},
		"calls": {"function f() { return 1 + f(); }\n" + actionOf("f();"), jsrules.ErrDepth},
		"never settled": {
			actionOf("await new Promise(() => {});"), jsrules.ErrUnsettled,
		},
		"no function":    {"exports.onExecutePostLogin = 1;", jsrules.ErrAction},
		"no exports":     {"module.exports = null; var onExecutePostLogin;", jsrules.ErrAction},
		"only a mention": {"var onExecutePostLogin = 1;", jsrules.ErrAction},
	} {
		t.Run(name, func(t *testing.T) {
			action := compileActionOn(t, ticking(100*time.Millisecond), "action", row.source,
				jsrules.Options{RuleTimeout: time.Second})
			got := exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{},
				delegation.Request{})
			if got.passed || !errors.Is(got.err, row.want) {
				t.Errorf("got %v, want %v", got.err, row.want)
			}
		})
	}
	got := runAction(t, "this.onExecutePostLogin = () => 'x'.repeat(2e9);", jsrules.Options{})
	got.expect(t, delegation.CodeRuleFailed, "RangeError")
}

// TestAction_Sources: what is no Action is refused before it runs.
func TestAction_Sources(t *testing.T) {
	for name, source := range map[string]string{
		"too long":  actionOf("// " + strings.Repeat("x", 100_000)),
		"not UTF-8": actionOf("// \xff"),
		"nothing":   "",
		"a rule":    classic,
		"an import": "import x from 'y';",
		"BigInt":    actionOf("return 1n;"),
		"a pattern": actionOf("return /\\p{Emoji}/u;"),
		"return":    "return; exports.onExecutePostLogin = 1;",
	} {
		action, err := jsrules.CompileAction("name", source, jsrules.Options{})
		var wrong *jsrules.Error
		if action != nil || !errors.As(err, &wrong) || wrong.Rule != "name" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := jsrules.CompileAction("", actionOf(""), jsrules.Options{})
	if !errors.Is(err, jsrules.ErrAction) {
		t.Errorf("no name: got %v", err)
	}
	_, err = jsrules.CompileAction("x", actionOf(""), jsrules.Options{RuleTimeout: -1})
	if err == nil {
		t.Error("a wrong option is accepted")
	}
	action := compileActionOn(t, standing(), "action", "\ufeff"+actionOf(""), jsrules.Options{})
	var none context.Context
	if err := action(none, nil, nil); err == nil {
		t.Error("nil is accepted")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	err = action(ended, &delegation.User{}, &delegation.RuleContext{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	if err := action(t.Context(), &delegation.User{}, &delegation.RuleContext{}); err != nil {
		t.Errorf("a User without properties: %v", err)
	}
}

// TestAction_Folder: the order is that of names, and every mistake is named at once.
func TestAction_Folder(t *testing.T) {
	good := &fstest.MapFile{Data: []byte(actionOf("api.access.deny(event.client.client_id)"))}
	actions, err := jsrules.CompileActionFolder(fstest.MapFS{
		"10-second.js": good, "02-first.js": good, "README.md": {}, "sub/code.js": {},
	}, jsrules.Options{})
	if err != nil || len(actions) != 2 {
		t.Fatalf("%d Actions, %v", len(actions), err)
	}
	for i, name := range []string{"02-first", "10-second"} {
		rc := &delegation.RuleContext{ClientID: "X"}
		err := actions[i](t.Context(), &delegation.User{}, rc)
		if rc.Rule != name || err == nil || err.Error() != "denied: X" {
			t.Errorf("Action %d is %q: %v", i, rc.Rule, err)
		}
	}
	_, err = jsrules.CompileActionFolder(fstest.MapFS{
		"a.js": {Data: []byte("exports = {")}, "b.js": good, "c.js": {Data: []byte(classic)},
	}, jsrules.Options{})
	if err == nil || !strings.Contains(err.Error(), `rule "a", line 1`) ||
		!strings.Contains(err.Error(), `rule "c"`) || !errors.Is(err, jsrules.ErrAction) {
		t.Errorf("got %v", err)
	}
	for name, folder := range map[string]fs.FS{
		"none":    fstest.MapFS{"x.txt": good},
		"nil":     nil,
		"missing": must(fs.Sub(fstest.MapFS{}, "x")),
	} {
		if actions, err := jsrules.CompileActionFolder(folder, jsrules.Options{}); err == nil {
			t.Errorf("%s: got %d Actions", name, len(actions))
		}
	}
	_, err = jsrules.CompileActionFolder(fstest.MapFS{"b.js": good},
		jsrules.Options{ChainTimeout: -1})
	if err == nil {
		t.Error("a wrong option is accepted")
	}
}

// TestAction_Options: secrets are copied, and properties of event can be absent.
func TestAction_Options(t *testing.T) {
	secrets := map[string]string{"KEY": "old"}
	action := compileActionOn(t, standing(), "action",
		actionOf("api.access.deny(event.secrets.KEY);"), jsrules.Options{Secrets: secrets})
	secrets["KEY"] = "new"
	got := exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{}, delegation.Request{})
	got.expect(t, delegation.CodeDenied, "old")
	for _, name := range []string{
		"event.session", "event.resource_server", "event.transaction.requested_scopes",
		"event.request.language", "clientName", "organization",
	} {
		o := jsrules.Options{Absent: []string{name}}
		path := strings.Replace(name, "clientName", "event.client.name", 1)
		if path == "organization" {
			path = "event.organization"
		}
		source := actionOf("if (" + path + " !== undefined) api.access.deny('there');")
		if got := runAction(t, source, o); !got.passed {
			t.Errorf("%s is absent: %v", name, got.err)
		}
		got := runAction(t, source, jsrules.Options{})
		got.expect(t, delegation.CodeRuleContextMissing, path+" is read")
	}
	// Of metadata, each property is one that may be missing.
	metadata := actionOf("if (event.client.metadata.team !== undefined) api.access.deny('there');")
	got = runAction(t, metadata, jsrules.Options{})
	got.expect(t, delegation.CodeRuleContextMissing, "event.client.metadata.team is read")
	got = runAction(t, metadata, jsrules.Options{Absent: []string{"clientMetadata"}})
	if !got.passed {
		t.Errorf("clientMetadata is absent: %v", got.err)
	}
	for _, name := range []string{"event", "event.user", "event.client.name", "event.secrets.A"} {
		_, err := jsrules.CompileAction("x", actionOf(""), jsrules.Options{Absent: []string{name}})
		if err == nil {
			t.Errorf("%s can be absent", name)
		}
	}
	// Rules have no secrets.
	got = run(t, body("callback(null, user, {s: typeof event + typeof secrets});"),
		jsrules.Options{Secrets: secrets})
	if !got.passed {
		t.Error(got.err)
	}
}

// TestAction_Modules: an Action's npm dependencies are modules that the operator gives.
func TestAction_Modules(t *testing.T) {
	o := jsrules.Options{Modules: map[string]jsrules.Module{
		"axios": {Functions: map[string]jsrules.Function{
			"get": func(_ context.Context, arguments []any) (any, error) {
				return map[string]any{"data": map[string]any{"roles": arguments}}, nil
			},
		}},
	}}
	got := runAction(t, "const axios = require('axios');\nlet calls = 0;\n"+
		actionOf(`const {data} = await axios.get('https://example.com');
			calls++;
			if (calls === 1) api.access.deny(data.roles[0]);`), o)
	got.expect(t, delegation.CodeDenied, "https://example.com")
	got = runAction(t, "const axios = require('axios');\n"+actionOf(""), jsrules.Options{})
	got.expect(t, delegation.CodeRuleFailed, "Cannot find module 'axios'")
}

// TestAction_HTTP: an Action awaits calls of the hosts that the operator lists.
func TestAction_HTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"role": %q}`, r.URL.Query().Get("of"))
	}))
	defer server.Close()
	o := jsrules.Options{
		Secrets: map[string]string{"URL": server.URL},
		HTTP: &jsrules.HTTP{
			Allow:         []string{server.Listener.Addr().String()},
			PlainLoopback: true,
			Client:        server.Client(),
		},
	}
	got := runAction(t, "const axios = require('axios');\n"+actionOf(`
		const [one, two] = await Promise.all([
			axios.get(event.secrets.URL + '/?of=one').then(r => r.data.role),
			fetch(event.secrets.URL + '/?of=two').then(r => r.json()).then(body => body.role)]);
		await fetch('https://elsewhere.example/').catch(() => api.access.deny(one + two));`), o)
	got.expect(t, delegation.CodeDenied, "onetwo")
}

// TestAction_LacksAreReported: Explain says what an Action needs and lacks.
func TestAction_LacksAreReported(t *testing.T) {
	action := compileActionOn(t, standing(), "action", actionOf(`if (event.user.email === 'x') {
	event.secrets.A; event.client.name; api.idToken.setCustomClaim('a', 1); }`), jsrules.Options{})
	got, err := explained(t, []delegation.RuleFunc{action}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(got.Warnings, "\n")
	for _, want := range []string{
		`"action", line 3, column 16: event.secrets.A is read, and is not supplied`,
		`"action", line 3, column 32: event.client.name is read, and is not supplied`,
		`"action", line 3, column 50: api.idToken.setCustomClaim is called, and fails the exchange`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("Explain does not warn of %q but of\n%s", want, text)
		}
	}
}

// TestAction_NothingIsShared: exchanges at the same time share neither variables of the module, nor
// prototypes, nor what was said of the response.
func TestAction_NothingIsShared(t *testing.T) {
	action := compileActionOn(t, standing(), "action", `let users = [];
exports.onExecutePostLogin = async (event, api) => {
  users.push(event.user.user_id);
  Array.prototype.seen = (Array.prototype.seen || 0) + 1;
  api.access.extra = 1;
  await null;
  if (users.length > 1 || [].seen > 1) api.access.deny('shared');
  api.samlResponse.setAttribute('`+delegation.AttributeRole+`',
    'arn:aws:iam::123456789012:role/' + users[0]);
};`, jsrules.Options{})
	target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	d := delegator(t, target, []delegation.RuleFunc{action}, nil)
	var all sync.WaitGroup
	for i := range 64 {
		name := fmt.Sprintf("user%d", i)
		idToken := world().Token(map[string]any{"aud": "CLIENT_ID", "sub": name})
		all.Go(func() {
			got, err := d.Explain(t.Context(), idToken, "CLIENT_ID")
			if err != nil || got.Role != "arn:aws:iam::123456789012:role/"+name {
				t.Errorf("%s got %q: %v", name, got.Role, err)
			}
		})
	}
	all.Wait()
}

// TestAction_Needs lists what an Action takes from outside.
func TestAction_Needs(t *testing.T) {
	const source = `const _ = require('lodash');
const helper = (api) => api.cache.get('x');
exports.onExecutePostLogin = async (event, api) => {
  if (event.client.name === 'x' && event.secrets.A && event.secrets.B) api.access.deny('no');
  if (event.user.app_metadata && event.transaction.metadata) api.idToken.setCustomClaim('a', 1);
  api.multifactor.enable('any');
  api.redirect.sendUserTo('x');
  api.samlResponse.setRecipient('x').samlResponse.setRelayState('y');
  helper(api);
  configuration.X; context.clientID; fetch('x');
  event.organization.id;
};
`
	o := jsrules.Options{
		Secrets:        map[string]string{"A": "a"},
		IgnoreRedirect: true,
		Absent:         []string{"organization"},
	}
	want := []string{
		"2:35 effect api.cache.get missing",
		"4:20 context event.client.name missing",
		"4:50 context event.secrets.A",
		"4:69 context event.secrets.B missing",
		"5:18 user app_metadata missing",
		"5:52 context event.transaction.metadata missing",
		"5:74 effect api.idToken.setCustomClaim missing",
		"6:19 effect api.multifactor.enable missing",
		"7:16 effect api.redirect.sendUserTo",
		"10:3 global configuration missing",
		"10:20 global context missing",
		"11:9 context event.organization",
	}
	action, err := jsrules.ParseAction("action", source, o)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range action.Needs() {
		line := fmt.Sprintf("%d:%d %s %s", n.Line, n.Column, n.Kind, n.Name)
		if !n.Available {
			line += " missing"
			if n.Remedy == "" {
				t.Errorf("%s has no remedy", line)
			}
		}
		// What of these is there is not this test's matter.
		if n.Name != "lodash" && n.Name != "fetch" && n.Name != "require" {
			got = append(got, line)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, source := range map[string]string{
		"a declaration": "async function onExecutePostLogin(e, a) { a.cache.get('x'); }\n" +
			"exports.onExecutePostLogin = onExecutePostLogin;",
		"a constant": "const f = (e, a) => a.cache.get('x');\n" +
			"module.exports.onExecutePostLogin = f;",
		"an object": "module.exports = { onExecutePostLogin: async (e, a) => a.cache.get('x') };",
		"a short name": "const onExecutePostLogin = (e, a) => a.cache.get('x');\n" +
			"module.exports = { onExecutePostLogin };",
	} {
		action, err := jsrules.ParseAction("action", source, o)
		if err != nil || len(action.Needs()) != 1 || action.Needs()[0].Name != "api.cache.get" {
			t.Errorf("%s: got %v: %v", name, action.Needs(), err)
		}
	}
}
