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
	rules := folder(t, samlOptions(), body(setsMappings), body(probes), body("callback(null)"))
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
