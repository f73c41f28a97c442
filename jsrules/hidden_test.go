package jsrules_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// secret is a value of the configuration that no text may have. It has what is escaped in quotes
// and in JSON.
const secret = "sk_live_<\"Zürich\">\\n4711"

// long is a secret that is longer than a text of an error.
var long = "-----BEGIN KEY-----\n" + strings.Repeat("q7W9", 400)

// TestHidden: whatever a rule does with a secret, no error, log or event has it. They have its name
// instead.
func TestHidden(t *testing.T) {
	for name, statements := range map[string]string{
		"missing semicolon": "var key = configuration.KEY\n(function () {})()",
		"tagged template":   "configuration.KEY`x`",
		"constructor":       "new configuration.KEY()",
		"instanceof":        "({}) instanceof configuration.KEY",
		"function of list":  "[1].forEach(configuration.KEY)",
		"in":                "'a' in configuration.KEY",
		"jwt":               "require('jsonwebtoken').verify('a.b.c', 'k', {}, configuration.KEY)",
		"audience": "const jwt = require('jsonwebtoken');" +
			"jwt.verify(jwt.sign({}, 'k'), 'k', {audience: configuration.KEY})",
		"option":     "require('jsonwebtoken').sign({}, 'k', {[configuration.KEY]: 1})",
		"member":     "auth0[configuration.KEY]",
		"require":    "require(configuration.KEY)",
		"time zone":  "new Date().toLocaleString('en', {timeZone: configuration.KEY})",
		"currency":   "(1).toLocaleString('en', {currency: configuration.KEY})",
		"locale":     "(1).toLocaleString(configuration.KEY)",
		"flags":      "new RegExp('a', configuration.KEY)",
		"pattern":    "new RegExp(configuration.KEY + '(')",
		"setting":    "context.addonConfiguration.aws = {[configuration.KEY]: 1}",
		"prototype":  "Object.create(configuration.KEY)",
		"property":   "undefined[configuration.KEY]",
		"symbol":     "Symbol.keyFor(configuration.KEY)",
		"JSON":       "JSON.parse(configuration.KEY)",
		"value":      "user.x = {[configuration.KEY]: user}; user.x[configuration.KEY].a = user",
		"own error":  "throw new Error('failed: ' + configuration.KEY)",
		"text":       "throw 'failed: ' + configuration.KEY",
		"name":       "const e = new Error('x'); e.name = configuration.KEY; throw e",
		"callback":   "return callback(configuration.KEY)",
		"denial":     "return callback(new UnauthorizedError(configuration.KEY))",
		"promise":    "return Promise.reject(new Error(configuration.KEY))",
		"JSON of it": "throw new Error(JSON.stringify({a: configuration.KEY}))",
		"JSON twice": "throw new Error(JSON.stringify({a: JSON.stringify([configuration.KEY])}))",
		"JSON name": "const t = JSON.stringify({a: JSON.stringify([configuration.KEY])});" +
			"context.addonConfiguration.aws = {[t]: 1}",
		"URL of it":   "throw new Error('https://x/?' + encodeURIComponent(configuration.KEY))",
		"URL of JSON": "throw new Error(encodeURIComponent(JSON.stringify([configuration.KEY])))",
		"URL twice": "throw new Error(encodeURIComponent(encodeURIComponent(" +
			"configuration.KEY)).toLowerCase())",
		"lower case": "throw new Error(configuration.KEY.toLowerCase())",
		"global":     "global[configuration.KEY] = global",
		"console": "console.log(configuration.KEY); console.error(new Error(configuration.KEY));" +
			"console.log({a: configuration.KEY}, configuration); throw 'x'",
	} {
		for _, value := range []string{secret, long} {
			log := &lines{}
			source := body(statements + ";\n" + passes)
			got := run(t, source, jsrules.Options{
				Configuration: map[string]string{"KEY": value, "ON": "true"},
				Logger:        log.logger(),
			})
			all := fmt.Sprint(got.err, got.event, log.lines)
			if got.err != nil {
				all += got.err.Public()
			}
			folded := strings.ToLower(all)
			for _, part := range []string{"sk_live", "rich", "4711", "begin key", "q7w9"} {
				if strings.Contains(folded, part) {
					t.Errorf("%s: %s", name, all)
				}
			}
			if got.passed && name != "global" && name != "value" {
				t.Errorf("%s: the rule passes", name)
			}
		}
	}
}

// TestHidden_Cut: wherever an error cuts a text, the beginning of a secret in it is hidden.
func TestHidden_Cut(t *testing.T) {
	const value = "sk_live_<\"Z\u00fcrich\">\\n4711 and %41+\u00a3"
	for name, statement := range map[string]string{
		"setting": "context.addonConfiguration.aws = {[text]: 1}",
		"error":   "throw new Error('x'.repeat(900) + text)",
		"URL":     "throw new Error('x'.repeat(900) + encodeURIComponent(text))",
		"mapping": "context.samlConfiguration = {nameIdentifierProbes: [text]}",
		"probes":  "context.samlConfiguration = {mappings: {email: text}}",
		"nowhere": "context.samlConfiguration = {nameIdentifierProbes: [configuration.KEY + text]}",
	} {
		for length := range 130 {
			got := run(t, body(fmt.Sprintf("const text = '-'.repeat(%d) + configuration.KEY;",
				length)+statement+";\n"+passes), jsrules.Options{
				Configuration:     map[string]string{"KEY": value},
				SAMLConfiguration: jsrules.SAMLConfigurationAWS,
			})
			if got.err == nil || strings.Contains(got.err.Error(), value[:6]) {
				t.Fatalf("%s after %d characters: %v", name, length, got.err)
			}
		}
	}
}

// TestHidden_Decision: an error about what a rule has decided has no secret either, wherever it is
// cut.
func TestHidden_Decision(t *testing.T) {
	const value = "sk_live_<\"Z\u00fcrich\">\\n4711"
	const attribute = "https://aws.amazon.com/SAML/Attributes/"
	for name, statement := range map[string]string{
		"role":             "aws.role = text",
		"principal":        "aws.principal = text",
		"region":           "aws.region = text",
		"failover":         "aws.failoverRegions = [text]",
		"source identity":  "aws.sourceIdentity = text",
		"tag key":          "aws.tags = {[text]: 'a'}",
		"tag value":        "aws.tags = {a: text}",
		"transitive":       "aws.transitiveTagKeys = [text]",
		"droppable":        "aws.droppableTags = [text]",
		"policy":           "aws.policy = text",
		"policy ARN":       "aws.policyArns = [text]",
		"NameID":           "aws.nameID = text + '*'",
		"mapping":          "aws.mappings = {[text]: 'app_metadata'}; user.app_metadata = {a: {}}",
		"mapped path":      "user[text] = {a: 1}; aws.mappings = {a: text}",
		"mapped role":      "user.r = text; aws.mappings = {'" + attribute + "Role': 'r'}",
		"mapped tag":       "user.r = text; aws.mappings = {'" + attribute + "PrincipalTag:a': 'r'}",
		"attribute in XML": "aws.mappings = {['a' + text + '\\u0001']: 'user_id'}",
		"value in XML":     "user.r = text + '\\u0001'; aws.mappings = {[text]: 'r'}",
	} {
		for _, length := range []int{0, 30, 60, 70, 75, 110, 115, 130, 140} {
			source := body(fmt.Sprintf("const text = '-'.repeat(%d) + configuration.KEY;", length) +
				"const aws = context.addonConfiguration.aws;" + statement + ";\n" + passes)
			rule := compile(t, source, jsrules.Options{
				Configuration: map[string]string{"KEY": value},
			})
			err := exchangeToTheEnd(t, []delegation.RuleFunc{rule})
			var failure *delegation.Error
			if !errors.As(err, &failure) || failure.Stage != delegation.StageDecision &&
				failure.Stage != delegation.StageSAML {
				t.Fatalf("%s: got %v", name, err)
			}
			text := err.Error()
			if strings.Contains(text, value[:6]) || strings.Contains(text, "4711") {
				t.Errorf("%s after %d characters: %s", name, length, text)
			}
		}
	}
}

// TestHidden_URL: a value is found in a URL, however it is encoded there.
func TestHidden_URL(t *testing.T) {
	const value = "a key/with! (all)?"
	o := jsrules.Options{Configuration: map[string]string{"KEY": value}}
	for name, text := range map[string]string{
		"query":              url.QueryEscape(value),
		"path":               url.PathEscape(value),
		"encodeURI":          "a%20key/with!%20(all)?",
		"encodeURIComponent": "a%20key%2Fwith!%20(all)%3F",
		"lower case":         "a%20key%2fwith%21%20%28all%29%3f",
		"encoded twice":      url.QueryEscape(url.PathEscape(value)),
		"three times":        url.QueryEscape(url.QueryEscape(url.QueryEscape(value))),
	} {
		got := run(t, body("callback(new Error('GET /"+text+"&x=100%'));"), o)
		got.expect(t, delegation.CodeRuleFailed, "GET /‹configuration.KEY›&x=100%")
		if strings.Contains(got.err.Error(), "key") {
			t.Errorf("%s: %v", name, got.err)
		}
	}
}

// TestHidden_Names: a text says which value is hidden, and stays as it is otherwise.
func TestHidden_Names(t *testing.T) {
	o := jsrules.Options{
		Configuration: map[string]string{
			"KEY": "secret-1", "LONGER": "secret-1-and-2", "MODE": "short", "HOST": "and-2-more",
		},
		Secrets: map[string]string{"TOKEN": "token-of-action"},
	}
	for message, want := range map[string]string{
		"a secret-1, a SECRET-1": "a ‹configuration.KEY›, a ‹configuration.KEY›",
		"secret-1-and-2.":        "‹configuration.LONGER›.",
		"secret-1-and-2-more.":   "‹configuration.LONGER›.",
		"short":                  "Error: short",
		"token-of-action":        "‹event.secrets.TOKEN›",
		"secret- 1":              "Error: secret- 1",
	} {
		got := run(t, body("callback(new Error('"+message+"'));"), o)
		got.expect(t, delegation.CodeRuleFailed, want)
		if !strings.Contains(fmt.Sprint(got.event.Err), want) {
			t.Errorf("%s: the event has %q", message, got.event.Err)
		}
	}
	action, err := jsrules.CompileAction("action", `exports.onExecutePostLogin = (event, api) => {
	api.access.deny(event.secrets.TOKEN);
};`, o.WithClock(standing()))
	if err != nil {
		t.Fatal(err)
	}
	got := exchange(t, []delegation.RuleFunc{action}, nil, delegation.AWS{}, delegation.Request{})
	got.expect(t, delegation.CodeDenied, "‹event.secrets.TOKEN›")
	if public := got.err.Public(); public != "‹event.secrets.TOKEN›" {
		t.Errorf("the user sees %q", public)
	}
}

// TestNotAnObject: the error of a line without its semicolon has no value, and says what to do.
func TestNotAnObject(t *testing.T) {
	got := run(t, body("var key = user.email\n(function () {})()\n"+passes), jsrules.Options{})
	got.expect(t, delegation.CodeRuleFailed, "end this line with a semicolon")
	if strings.Contains(got.err.Error(), "alice") {
		t.Error(got.err)
	}
}
