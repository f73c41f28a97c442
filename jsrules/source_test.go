package jsrules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

// TestSource: a source that is not one function is told as what it is, where, and what to do.
func TestSource(t *testing.T) {
	const leaveOut = "leave it out: it did not run in a delegation"
	const action = "an Action: compile it with CompileAction"
	const called = "a function that is called at once: remove the call after the function"
	const variable = "a function that is given to a variable: remove all before the function"
	const database = "a script of a custom database: " + leaveOut
	const exported = "a module that exports a function: if it is a rule, remove module.exports ="
	const beside = "a rule with a statement next to it: move it into the rule's body"
	const rule = "function (user, context, callback) { callback(null, user, context); }"
	for source, want := range map[string]string{
		"":                          "1:1 an empty file: put a rule into it, or remove it",
		" \n// nothing\n/* yet */;": "1:1 an empty file",
		"exports.onExecutePostLogin = async (event, api) => {};":          "1:1 " + action,
		"const x = 1;\nexports.onExecutePostLogin = async (event) => {};": "2:1 " + action,
		"module.exports.onContinuePostLogin = async (event, api) => {};":  "1:1 " + action,
		"/** a comment */ exports.onExecutePostLogin = async () => {};":   "1:18 " + action,
		"async (event, api) => { api.access.deny('no'); }": "" +
			"1:1 the function of an Action",
		"function onExecutePostLogin(event, api) {}": "" +
			"1:1 the function of an Action",
		"exports.onExecutePreUserRegistration = async (event, api) => {};": "" +
			"1:1 an Action of another trigger (onExecutePreUserRegistration): " + leaveOut,
		"module.exports = " + rule + ";":          "1:1 " + exported,
		"'use strict';\nmodule.exports = " + rule: "2:1 " + exported,
		"exports = (u, c, cb) => cb(null, u, c);": "1:1 " + exported,
		"module.exports = function (client, scope, audience, context, cb) {};": "1:1 a Hook: " +
			leaveOut,
		"function (client, scope, audience, context, cb) { cb(null, {}); }": "" +
			"1:1 a Hook: " + leaveOut,
		"module.exports = { a: 1 };": "" +
			"1:1 a module: write the rule's function alone",
		"exports.helper = function () {};": "" +
			"1:1 a module: write the rule's function alone",
		"export default " + rule: "" +
			"1:1 a module of ES2015: remove export default",
		"import x from 'y';\n" + rule: "" +
			"1:1 a module of ES2015: remove import",
		"(" + rule + ")(user, context, callback);": "1:2 " + called,
		rule + "()":                            "1:1 " + called,
		"!function () {}();":                   "1:1 " + called,
		"(() => { return 1; })();":             "1:2 " + called,
		"(function () {}).call(this);":         "1:2 " + called,
		"function* (u, c, cb) {}":              "1:1 a generator",
		"function* rule(u, c, cb) {}":          "1:1 a generator",
		"var rule = " + rule + ";":             "1:1 " + variable,
		"const rule = async (u, c, cb) => {};": "1:1 " + variable,
		"rule = " + rule:                       "1:1 " + variable,
		"class Rule {}":                        "1:1 a class",
		"({ rule: 1 })":                        "1:2 an object",
		"{rule: " + rule + "}":                 "1:1 a block or an object",
		"'a text'":                             "1:1 no function",
		"if (true) { 1; }":                     "1:1 a list of statements",
		"callback(null, user, context);":       "1:1 no function",
		"function help() {}\n" + rule: "" +
			"1:1 a rule with the function \"help\" next to it: move it into the rule's body",
		rule + "\nfunction help() {}": "2:1 a rule with the function \"help\" next to it",
		rule + "\n" + rule: "" +
			"1:1 more than one rule: put each into a file of its own",
		"const domain = 'x';\n\n" + rule:                                "1:1 " + beside,
		"async " + rule + "\nvar late = 1;":                             "2:1 " + beside,
		"function login(email, password, callback) { callback(null); }": "1:1 " + database,
		"async function login(usernameOrEmail, password, callback) {}":  "1:1 " + database,
		"function create(user, callback) {}":                            "1:1 " + database,
		"function getByEmail(email, callback) {}":                       "1:1 " + database,
		"function remove(id, callback) {}":                              "1:1 " + database,
		"function (email, password, callback) {}":                       "1:1 " + database,
		"function fetchUserProfile(accessToken, context, callback) {}": "" +
			"1:1 a script that fetches the profile of a social connection: " + leaveOut,
	} {
		_, err := jsrules.Parse("rule", source, jsrules.Options{})
		var wrong *jsrules.Error
		if !errors.As(err, &wrong) || !errors.Is(err, jsrules.ErrSource) {
			t.Errorf("%s: got %v", source, err)
			continue
		}
		place, what, _ := strings.Cut(want, " ")
		at := fmt.Sprintf("%d:%d", wrong.Line, wrong.Column)
		if at != place || !strings.Contains(err.Error(), ": this is "+what) {
			t.Errorf("%s: got %v, want it at %s: %s", source, err, place, what)
		}
	}
}

// TestSource_Rules: what is one function stays a rule, whatever it is called.
func TestSource_Rules(t *testing.T) {
	for _, source := range []string{
		"function login(user, context, callback) {}",
		"function create(user, context, callback) {}",
		"function verify(user, context, callback) {}",
		"function (email, context, callback) {}",
		"function (u, c) {}",
		"function () {}",
		"(user, context, callback) => {};",
		"// a comment\nasync function rule({ email }, context, callback) {} // the end",
		"(function (user, context, callback) {})",
	} {
		if _, err := jsrules.Parse("rule", source, jsrules.Options{}); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	for _, source := range []string{
		"function (user, context, callback) {",
		"function (user, context, callback) { callback(null; }",
		"function (user, context, callback) {}}",
		"function help() {}\nfunction (u, c, cb) { x y }",
	} {
		_, err := jsrules.Parse("rule", source, jsrules.Options{})
		if err == nil || errors.Is(err, jsrules.ErrSource) ||
			!strings.Contains(err.Error(), "SyntaxError") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
