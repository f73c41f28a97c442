package jsrules_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

const (
	setsAWSRole = `user.awsRole = 'arn:aws:iam::123456789012:role/own,` + principal + `';
		callback(null, user, context);`
	setsMappings = `context.samlConfiguration.mappings = {
		'https://aws.amazon.com/SAML/Attributes/Role': 'awsRole'};
		callback(null, user, context);`
)

// samlOptions are options with which samlConfiguration has an effect.
func samlOptions() jsrules.Options {
	return jsrules.Options{SAMLConfiguration: jsrules.SAMLConfigurationAWS}
}

// explained returns what an exchange with rules comes to, at a target with a role, and the error.
func explained(
	t testing.TB, rules []delegation.RuleFunc, claims map[string]any,
) (*delegation.Explanation, error) {
	t.Helper()
	target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	d := delegator(t, target, rules, nil)
	all := map[string]any{"aud": "CLIENT_ID"}
	for name, value := range claims {
		all[name] = value
	}
	return d.Explain(t.Context(), world().Token(all), "CLIENT_ID")
}

// TestSAML_ReadAfterTheLastRule: one rule sets the property, and another one the mappings, in any
// order and also in Go. What a later rule takes back has no effect.
func TestSAML_ReadAfterTheLastRule(t *testing.T) {
	const own = "arn:aws:iam::123456789012:role/own"
	inGo := func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
		user.Set("awsRole", "arn:aws:iam::123456789012:role/go,"+principal)
		return nil
	}
	js := func(bodies ...string) []delegation.RuleFunc {
		sources := make([]string, len(bodies))
		for i, statements := range bodies {
			sources[i] = body(statements)
		}
		return folder(t, samlOptions(), sources...)
	}
	const done = "callback(null, user, context);"
	for name, row := range map[string]struct {
		rules []delegation.RuleFunc
		want  string
	}{
		"property first": {js(setsAWSRole, setsMappings), own},
		"mappings first": {js(setsMappings, setsAWSRole), own},
		"a rule in Go": {
			append(js(setsMappings, setsAWSRole), inGo), strings.Replace(own, "own", "go", 1),
		},
		"rules between": {js(setsMappings, done, setsAWSRole, done), own},
		"mappings deleted": {
			js(setsAWSRole, setsMappings, "delete context.samlConfiguration.mappings;"+done), role,
		},
		"all deleted": {
			js(setsAWSRole, setsMappings, "delete context.samlConfiguration;"+done), role,
		},
		"all replaced": {
			js(setsAWSRole, setsMappings, "context.samlConfiguration = {};"+done), role,
		},
		"mappings replaced": {
			js(setsAWSRole, setsMappings, "user.other = '"+own+"er';"+
				strings.Replace(setsMappings, "'awsRole'", "'other'", 1)), own + "er",
		},
		"a context of its own": {
			js("user.awsRole = '"+own+","+principal+"'; callback(null, user, "+
				"{samlConfiguration: {mappings: {awsRole: '"+
				delegation.AttributeRole+"'}}});", done), own,
		},
		"only read": {js("user.n = context.samlConfiguration.mappings;" + done), role},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := explained(t, row.rules, nil)
			if err != nil || got.Role != row.want {
				t.Errorf("the role is %q, want %q: %v", got.Role, row.want, err)
			}
		})
	}
}

// TestSAML_TestedAlone: a rule that is called without an exchange leaves the mappings, so that a
// test of it sees them.
func TestSAML_TestedAlone(t *testing.T) {
	rule := compile(t, body(strings.Replace(setsAWSRole, "callback(null, user, context);", "", 1)+
		setsMappings), samlOptions())
	user, rc := &delegation.User{}, &delegation.RuleContext{}
	if err := rule(t.Context(), user, rc); err != nil {
		t.Fatal(err)
	}
	if rc.AWS.Mappings[delegation.AttributeRole] != "awsRole" || user.Text("awsRole") == "" {
		t.Errorf("got %v and %v", rc.AWS.Mappings, user.Properties)
	}
}

// TestSAML_SettingsOfTheAddOn: what Options.Context supplies is where rules start from.
func TestSAML_SettingsOfTheAddOn(t *testing.T) {
	supply := func(settings any) jsrules.Options {
		o := samlOptions()
		o.Context = func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) (map[string]any, error) {
			return map[string]any{"samlConfiguration": settings}, nil
		}
		return o
	}
	settings := map[string]any{
		"recipient":         "https://signin.aws.amazon.com/saml",
		"lifetimeInSeconds": 3600,
		"mappings":          map[string]string{"awsRole": delegation.AttributeRole},
	}
	rules := folder(t, supply(settings), body(setsAWSRole))
	got, err := explained(t, rules, nil)
	if err != nil || got.Role != "arn:aws:iam::123456789012:role/own" ||
		got.Recipient != "https://signin.aws.amazon.com/saml" {
		t.Errorf("got %q and %q: %v", got.Role, got.Recipient, err)
	}
	for name, wrong := range map[string]any{
		"a property of its own": map[string]any{"issuer": "x"},
		"no object":             "x",
		"no JSON":               make(chan int),
	} {
		_, err := explained(t, folder(t, supply(wrong), body(setsAWSRole)), nil)
		if !errors.Is(err, delegation.CodeRuleFailed) || !errors.Is(err, jsrules.ErrValue) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestSAML_Unused: without the option, a rule that sets samlConfiguration is reported, in event and
// explanation. A rule that only reads it is not.
func TestSAML_Unused(t *testing.T) {
	for name, row := range map[string]struct {
		options    jsrules.Options
		statements string
		want       []string
	}{
		"set":        {jsrules.Options{}, setsMappings, []string{"saml_configuration_unused"}},
		"read":       {jsrules.Options{}, "context.samlConfiguration.x; callback(null)", nil},
		"not used":   {jsrules.Options{}, "callback(null)", nil},
		"has effect": {samlOptions(), "user.awsRole = '" + role + "';" + setsMappings, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var event delegation.Event
			rules := folder(t, row.options, body(row.statements), body("callback(null)"))
			target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
			note := func(_ context.Context, e delegation.Event) { event = e }
			d := delegator(t, target, rules, note)
			idToken := world().Token(map[string]any{"aud": "CLIENT_ID"})
			_, err := d.Exchange(t.Context(), idToken, "CLIENT_ID")
			if !errors.Is(err, delegation.CodeSTSRefused) {
				t.Fatal(err)
			}
			if fmt.Sprint(event.Warnings) != fmt.Sprint(row.want) {
				t.Errorf("the event warns of %q, want %q", event.Warnings, row.want)
			}
			explanation, err := explained(t, rules, nil)
			text := strings.Join(explanation.Warnings, "\n")
			named := strings.Contains(text, `the rule "01-rule" sets context.samlConfiguration`)
			if err != nil || named != (row.want != nil) {
				t.Errorf("Explain warns of %q: %v", text, err)
			}
		})
	}
}

// TestSAML_WhoAnswers: what is wrong with the configuration as a whole is an error of the rule that
// has written it last, and the event names that rule.
func TestSAML_WhoAnswers(t *testing.T) {
	const probes = `context.samlConfiguration.nameIdentifierProbes = ['urn:oid:2.5.4.3'];
		callback(null, user, context);`
	o := samlOptions()
	o.Set = &jsrules.Set{}
	rules := folder(t, o, body(setsMappings), body(probes), body("callback(null)"))
	// A rule of the set that this chain does not have: only the end of the chain is the end.
	folder(t, o, body("callback(null)"))
	var event delegation.Event
	target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	d := delegator(t, target, rules, func(_ context.Context, e delegation.Event) { event = e })
	idToken := world().Token(map[string]any{"aud": "CLIENT_ID"})
	_, err := d.Exchange(t.Context(), idToken, "CLIENT_ID")
	var wrong *jsrules.Error
	if !errors.As(err, &wrong) || wrong.Rule != "02-rule" || event.Rule != "02-rule" ||
		!strings.Contains(err.Error(), `nameIdentifierProbes has "urn:oid:2.5.4.3"`) {
		t.Errorf("the event names %q: %v", event.Rule, err)
	}
}

// TestSAML_Option: any other value of the option is an error of Compile.
func TestSAML_Option(t *testing.T) {
	for _, value := range []string{"AWS", "true", "aws ", "google"} {
		_, err := jsrules.Compile("name", classic, jsrules.Options{SAMLConfiguration: value})
		if err == nil || !strings.Contains(err.Error(), `is not "aws"`) {
			t.Errorf("%q: got %v", value, err)
		}
	}
}

// TestSAML_Attributes: each attribute of package samlattr, which trust policies can read, can be
// mapped.
func TestSAML_Attributes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../samlattr/samlattr.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	ast.Inspect(file, func(node ast.Node) bool {
		name, isText := node.(*ast.BasicLit)
		if !isText {
			return true
		}
		names++
		rule := body("context.samlConfiguration.mappings = {" + name.Value + ": 'email'};" +
			"callback(null, user, context);")
		if got := run(t, rule, samlOptions()); !got.passed {
			t.Errorf("%s: %v", name.Value, got.err)
		}
		return true
	})
	if names < 25 {
		t.Errorf("only %d attributes", names)
	}
}

// TestSAML_Needs: what a rule says of the SAML response is available if the option is set and it
// has a meaning.
func TestSAML_Needs(t *testing.T) {
	const source = `function (user, context, callback) {
  user.awsRole = 'x';
  context.samlConfiguration.mappings = {};
  context.samlConfiguration.relayState = 'x';
  context.samlConfiguration = {};
}`
	for _, row := range []struct {
		options jsrules.Options
		want    []string
	}{
		{jsrules.Options{}, []string{
			"user.awsRole missing", "samlConfiguration.mappings missing",
			"samlConfiguration.relayState missing", "samlConfiguration missing",
		}},
		{samlOptions(), []string{
			"user.awsRole", "samlConfiguration.mappings",
			"samlConfiguration.relayState missing", "samlConfiguration",
		}},
	} {
		rule, err := jsrules.Parse("rule", source, row.options)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, need := range rule.Needs() {
			line := need.Name
			if !need.Available {
				line += " missing"
			}
			if need.Kind == jsrules.NeedSAMLConfiguration {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

// TestSAML_WhatWins: a rule's setting in addonConfiguration.aws wins over its mapping, which wins
// over the target. The same two things said twice are no conflict.
func TestSAML_WhatWins(t *testing.T) {
	mapping := func(attribute string) string {
		return "context.samlConfiguration.mappings = {'" + attribute + "': 'v'};"
	}
	const ok = "callback(null, user, context);"
	for name, row := range map[string]struct {
		statements string
		get        func(*delegation.Explanation) string
		want       string
	}{
		"session name of a rule": {
			mapping(delegation.AttributeRoleSessionName) +
				"user.v = 'mapped'; context.addonConfiguration.aws.sessionName = 'set';" + ok,
			func(e *delegation.Explanation) string { return e.SessionName }, "set",
		},
		"source identity of a rule": {
			mapping(delegation.AttributeSourceIdentity) +
				"user.v = 'mapped'; context.addonConfiguration.aws.sourceIdentity = 'set';" + ok,
			func(e *delegation.Explanation) string { return e.SourceIdentity }, "set",
		},
		"duration of a rule": {
			mapping(delegation.AttributeSessionDuration) +
				"user.v = 7200; context.addonConfiguration.aws.lifetime_in_seconds = 900;" + ok,
			func(e *delegation.Explanation) string { return e.Duration.String() }, "15m0s",
		},
		"tag of a rule": {
			mapping(delegation.AttributePrincipalTag+"k") +
				"user.v = 'mapped'; context.addonConfiguration.aws.tags = {k: 'set'};" + ok,
			func(e *delegation.Explanation) string {
				return fmt.Sprint(e.Attributes[delegation.AttributePrincipalTag+"k"])
			}, "[set]",
		},
		"the same mapping twice": {
			mapping(delegation.AttributeSourceIdentity) + "user.v = 'mapped';" +
				"context.addonConfiguration.aws.mappings = {'" +
				delegation.AttributeSourceIdentity + "': 'v'};" + ok,
			func(e *delegation.Explanation) string { return e.SourceIdentity }, "mapped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := explained(t, folder(t, samlOptions(), body(row.statements)), nil)
			if err != nil || row.get(got) != row.want {
				t.Errorf("got %q, want %q: %v", row.get(got), row.want, err)
			}
		})
	}
	conflict := mapping(delegation.AttributeSourceIdentity) +
		"context.addonConfiguration.aws.mappings = {'" +
		delegation.AttributeSourceIdentity + "': 'w'};" + ok
	_, err := explained(t, folder(t, samlOptions(), body(conflict)), nil)
	if !errors.Is(err, delegation.CodeRuleFailed) || !strings.Contains(err.Error(), `to "w"`) {
		t.Errorf("two mappings of one attribute: got %v", err)
	}
}

// TestSAML_OverTheTarget: a mapping wins over what the target has, and a rule's own setting wins
// over the mapping.
func TestSAML_OverTheTarget(t *testing.T) {
	const key = delegation.AttributePrincipalTag + "k"
	mappings := func(attributes ...string) string {
		list := ""
		for _, attribute := range attributes {
			list += "'" + attribute + "': user['" + attribute + "'] = 'v',"
		}
		return "user.v = 'mapped'; user.keys = ['k']; " +
			"context.samlConfiguration.mappings = {" + list + "'" +
			delegation.AttributeTransitiveTagKeys + "': 'keys'};"
	}
	const ok = "callback(null, user, context);"
	all := mappings(delegation.AttributeRoleSessionName, delegation.AttributeSourceIdentity,
		delegation.AttributeNameIdentifier, key)
	target := delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		SessionName: "fixed", SourceIdentity: "fixed", NameID: "fixed", NameIDFromMapping: true,
		Tags: map[string]string{"k": "fixed", "l": "fixed"}, TransitiveTagKeys: []string{"l"},
		Mappings: delegation.Mappings{delegation.AttributeSourceIdentity: "other"},
	}
	for name, row := range map[string]struct{ statements, want string }{
		"target": {"", "fixed fixed fixed fixed [l]"},
		"mapped": {all, "mapped mapped mapped mapped [k]"},
		"set by the rule": {
			all + `var aws = context.addonConfiguration.aws;
				aws.nameID = 'set'; aws.sessionName = 'set';
				aws.sourceIdentity = 'set'; aws.tags = {k: 'set', l: 'set'};
				aws.transitiveTagKeys = ['k', 'l'];`,
			"set set set set [k l]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules := folder(t, samlOptions(), body(row.statements+ok))
			d := delegator(t, target, rules, nil)
			got, err := d.Explain(t.Context(), world().Token(map[string]any{"aud": "CLIENT_ID"}),
				"CLIENT_ID")
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("%s %s %s %s %s", got.SessionName, got.SourceIdentity, got.NameID,
				got.Attributes[key][0], got.Attributes[delegation.AttributeTransitiveTagKeys])
			if text != row.want {
				t.Errorf("got %s, want %s", text, row.want)
			}
		})
	}
}

// TestSAML_MapsOfRules: a rule in Go may keep the maps that it put into the decision: nothing is
// written to them. One that changes the target's maps in place has decided, and wins.
func TestSAML_MapsOfRules(t *testing.T) {
	mine := delegation.Mappings{}
	inGo := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		rc.AWS.Tags["k"] = "go"
		if len(rc.AWS.Mappings) == 1 {
			rc.AWS.Mappings[delegation.AttributeSourceIdentity] = "other"
			return nil
		}
		rc.AWS.Mappings = mine
		return nil
	}
	target := delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		Tags: map[string]string{"k": "fixed"},
	}
	explain := func(attribute string) (*delegation.Explanation, error) {
		rule := body("user.v = 'mapped'; context.samlConfiguration.mappings = {'" + attribute +
			"': 'v'}; callback(null, user, context);")
		// The second rule is not in the chain, so that its end is after the rule in Go.
		rules := folder(t, samlOptions(), rule, body("callback(null)"))
		rules[1] = inGo
		idToken := world().Token(map[string]any{"aud": "CLIENT_ID"})
		return delegator(t, target, rules, nil).Explain(t.Context(), idToken, "CLIENT_ID")
	}
	const tag = delegation.AttributePrincipalTag + "k"
	got, err := explain(tag)
	if err != nil || fmt.Sprint(got.Attributes[tag]) != "[go]" || len(mine) != 0 {
		t.Errorf("got %q, and %v: %v", got.Attributes[tag], mine, err)
	}
	target.Mappings = delegation.Mappings{delegation.AttributeSourceIdentity: "fixed"}
	_, err = explain(delegation.AttributeSourceIdentity)
	if !errors.Is(err, delegation.CodeRuleFailed) || !strings.Contains(err.Error(), `to "other"`) {
		t.Errorf("got %v", err)
	}
}

// TestSAML_VirtualNames: properties that are named as the library's virtual ones are properties.
// Without a value they give no attribute, whatever another property is named.
func TestSAML_VirtualNames(t *testing.T) {
	const mapped = "context.samlConfiguration.mappings = {'" + delegation.AttributeRole +
		"': 'awsrole', '" + delegation.AttributeRoleSessionName + "': 'rolesessionname'};" +
		"callback(null, user, context);"
	own := "arn:aws:iam::123456789012:role/own," + principal
	rules := folder(t, samlOptions(), body(mapped))
	got, err := explained(t, rules, map[string]any{"awsrole": own, "rolesessionname": "mine"})
	if err != nil || got.Role != "arn:aws:iam::123456789012:role/own" || got.SessionName != "mine" {
		t.Errorf("got %q and %q: %v", got.Role, got.SessionName, err)
	}
	_, err = explained(t, rules, map[string]any{
		"samlResponse:" + delegation.AttributeRole: own, "rolesessionname": "mine",
	})
	if !errors.Is(err, delegation.CodeMappingInvalid) {
		t.Errorf("a claim of a made-up name: %v", err)
	}
}

// TestSAML_Refused: what is not clear fails the rule, and the error names the property.
func TestSAML_Refused(t *testing.T) {
	const aws = "'https://aws.amazon.com/SAML/Attributes/"
	for statement, want := range map[string]string{
		"audience = ' urn:amazon:webservices'":                    "audience is not a text",
		"audience = ''":                                           "audience is not a text",
		"recipient = 7":                                           "recipient is not a text",
		"destination = 'http://signin.aws.amazon.com/saml'":       "destination is not an address",
		"destination = 'https://signin.aws.amazon.com/other'":     "destination is not an address",
		"destination = 'https://evilsignin.aws.amazon.com/saml'":  "destination is not an address",
		"destination = 'https://signin.aws.amazon.com.evil/saml'": "destination is not an address",
		"nameIdentifierProbes = []":                               "Probes is not a list",
		"nameIdentifierProbes = 'x'":                              "Probes is not a list",
		"nameIdentifierProbes = [1]":                              "Probes is not a list",
		"lifetimeInSeconds = -1":                                  "lifetimeInSeconds is not",
		"typedAttributes = 'true'":                                "typedAttributes is not true",
		"signResponse = true":                                     "signResponse is not false",
		"mappings = []":                                           "mappings is not an object",
		"mappings = 'x'":                                          "mappings is not an object",
		"mappings = {" + aws + "Role': ''}":                       "is empty",
		"mappings = {" + aws + "Role': 7}":                        "Role\" is not one",
		"mappings = {" + aws + "Role': {}}":                       "Role\" is not one",
		"mappings = {" + aws + "Role': ['a']}":                    "Role\" is not one",
		"mappings = {'': " + aws + "Role'}":                       "is empty",
		"mappings = {a: " + aws + "Role', b: " + aws + "Role'}":   "has two properties",
		"mappings = {a: []}":                                      "no attribute",
		"mappings = {a: [" + aws + "Role', 'x']}":                 `no attribute "x"`,
		"mappings = {" + aws + "PrincipalTag:': 'a'}":             "no attribute",
		"mappings = {" + aws + "Roles': 'a'}":                     "Attributes/Role is meant",
		"mappings = {" + aws + "principaltag:KEY': 'a'}":          "PrincipalTag:KEY is meant",
		"mappings = {" + aws + "SessionName': 'a'}":               "no attribute",
		"audience = function () {}":                               "audience is a function",
		"audience = Promise.resolve('x')":                         "audience is not a text",
		"__proto__ = {audience: undefined}":                       "audience is undefined",
	} {
		rule := body("context.samlConfiguration." + statement + "; callback(null, user, context);")
		got := run(t, rule, samlOptions())
		got.expect(t, delegation.CodeRuleFailed, want)
		if !errors.Is(got.err, jsrules.ErrValue) {
			t.Errorf("%s: got %v", statement, got.err)
		}
	}
}

// TestSAML_SuppliedWithoutTheOption: what Options.Context supplies has no effect without the
// option, and a rule that removes it is not reported.
func TestSAML_SuppliedWithoutTheOption(t *testing.T) {
	o := jsrules.Options{Context: func(
		context.Context, *delegation.User, *delegation.RuleContext,
	) (map[string]any, error) {
		return map[string]any{"samlConfiguration": map[string]any{"issuer": "x"}}, nil
	}}
	for _, statements := range []string{"", "context.samlConfiguration = {};"} {
		rules := folder(t, o, body(statements+"callback(null, user, context);"))
		got := exchange(t, rules, nil, delegation.AWS{}, delegation.Request{})
		if !got.passed || len(got.event.Warnings) > 0 {
			t.Errorf("%q: the event warns of %q: %v", statements, got.event.Warnings, got.err)
		}
	}
}

// TestSAML_EmptyProbe: a probe whose value is empty is passed over, and an exchange in which none
// has a value fails.
func TestSAML_EmptyProbe(t *testing.T) {
	const probes = `context.samlConfiguration.nameIdentifierProbes = [
		'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name',
		'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier'];
		callback(null, user, context);`
	rules := folder(t, samlOptions(), body(probes))
	got, err := explained(t, rules, map[string]any{"sub": "alice", "name": ""})
	if err != nil || got.NameID != "alice" {
		t.Errorf("got %q: %v", got.NameID, err)
	}
	rules = folder(t, samlOptions(), body("delete user.user_id;"+probes))
	_, err = explained(t, rules, map[string]any{"sub": "alice", "name": ""})
	if !errors.Is(err, delegation.CodeRuleFailed) ||
		!strings.Contains(err.Error(), "no value for any of the probes") {
		t.Errorf("got %v", err)
	}
	// A rule has changed user_id: it is no longer the token's sub.
	rules = folder(t, samlOptions(), body("user.user_id = 'bob';"+probes))
	_, err = explained(t, rules, map[string]any{"sub": "alice", "name": ""})
	if !errors.Is(err, delegation.CodeRuleFailed) ||
		!strings.Contains(err.Error(), "nameIDFromMapping") {
		t.Errorf("got %v", err)
	}
}

// TestSAML_NothingIsShared: exchanges at the same time each get the role of their own user.
func TestSAML_NothingIsShared(t *testing.T) {
	rules := folder(t, samlOptions(), body(setsMappings), body(`
		user.awsRole = 'arn:aws:iam::123456789012:role/' + user.nickname + ',`+principal+`';
		callback(null, user, context);`))
	target := delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	d := delegator(t, target, rules, nil)
	var all sync.WaitGroup
	for i := range 64 {
		name := fmt.Sprintf("user%d", i)
		idToken := world().Token(map[string]any{"aud": "CLIENT_ID", "sub": name, "nickname": name})
		all.Go(func() {
			got, err := d.Explain(t.Context(), idToken, "CLIENT_ID")
			if err != nil || got.Role != "arn:aws:iam::123456789012:role/"+name {
				t.Errorf("%s got %q: %v", name, got.Role, err)
			}
		})
	}
	all.Wait()
}
