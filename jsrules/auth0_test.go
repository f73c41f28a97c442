package jsrules_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestAuth0_Given: the members of auth0 that the operator gives return promises or call back, and
// get their arguments. accessToken and baseUrl are values.
func TestAuth0_Given(t *testing.T) {
	var calls []string
	tokens := 0
	options := jsrules.Options{
		Domain: "tenant.auth0.com",
		Auth0: map[string]jsrules.Function{
			"users.updateAppMetadata": func(_ context.Context, arguments []any) (any, error) {
				text, err := json.Marshal(arguments)
				calls = append(calls, string(text))
				if err == nil && arguments[0] == "nobody" {
					err = errors.New("there is no such user")
				}
				return map[string]any{"updated": true}, err
			},
			"accessToken": func(context.Context, []any) (any, error) {
				tokens++
				return "secret", nil
			},
		},
	}
	for _, row := range []struct {
		statements string
		want       any
	}{
		{
			"return auth0.users.updateAppMetadata('a', {b: [1]}).then((r) => r.updated);",
			true,
		},
		{
			"return auth0.users.updateAppMetadata('nobody', {}).catch((e) => e.message);",
			"there is no such user",
		},
		{
			"return new Promise((r) => " +
				"auth0.users.updateAppMetadata('a', {}, (e, v) => r([e, v])));",
			[]any{nil, map[string]any{"updated": true}},
		},
		{
			"return new Promise((r) => " +
				"auth0.users.updateAppMetadata('nobody', {}, (e) => r(e.message)));",
			"there is no such user",
		},
		{
			"let early = true; const p = new Promise((r) => " +
				"auth0.users.updateAppMetadata('a', {}, () => r(early))); early = false; return p;",
			false,
		},
		{
			"return [auth0.accessToken, auth0.accessToken, auth0.domain, auth0.baseUrl];",
			[]any{"secret", "secret", "tenant.auth0.com", "https://tenant.auth0.com/api/v2"},
		},
		{
			"return JSON.stringify([Object.keys(auth0), auth0, 'accessToken' in auth0, " +
				"'x' in auth0.users]);",
			`[["domain","users"],{"domain":"tenant.auth0.com","users":{}},true,false]`,
		},
		{
			"auth0.mine = 1; delete auth0.mine; auth0.users.own = 2; " +
				"return [auth0.mine, auth0.users.own];",
			[]any{nil, 2},
		},
		{
			"return [String(auth0), auth0.users.hasOwnProperty('own')];",
			[]any{"[object Object]", false},
		},
	} {
		tokens = 0
		got := run(t, "async function (user, context, callback) {\n"+
			"user.got = await (function () {"+row.statements+"})();\n"+
			"callback(null, user, context);\n}", options)
		if !got.passed || !sameJSON(got.user.Properties["got"], row.want) {
			t.Errorf("%s: got %v, %v", row.statements, got.err, got.user)
		}
		if tokens > 1 {
			t.Errorf("%s: %d tokens were made", row.statements, tokens)
		}
	}
	if len(calls) < 5 || calls[0] == "" {
		t.Errorf("got the calls %q", calls)
	}
}

// TestAuth0_NotGiven: what rules knew and the operator has not given throws an error that says what
// to give, before anything else happens.
func TestAuth0_NotGiven(t *testing.T) {
	for statement, want := range map[string]string{
		"auth0.users.updateAppMetadata(user.user_id, {})": "auth0.users.updateAppMetadata is not " +
			"available here: give the function users.updateAppMetadata in Options.Auth0",
		"auth0.users.updateUserMetadata(user.user_id, {})": "users.updateUserMetadata in " +
			"Options.Auth0",
		"'Bearer ' + auth0.accessToken": "accessToken in Options.Auth0",
		"auth0.baseUrl":                 "baseUrl in Options.Auth0",
		"auth0.getUser":                 "getUser in Options.Auth0",
		"auth0.users['get'](1)":         "users.get in Options.Auth0",
		"require('auth0')":              "Options.HTTP.Allow",
	} {
		got := run(t, body(statement+";"+passes), jsrules.Options{})
		got.expect(t, delegation.CodeRuleFailed, want)
		if !strings.Contains(got.err.Error(), "line 2, column") {
			t.Errorf("%s: no place in %v", statement, got.err)
		}
	}
}

// TestAuth0_Needs: what a rule needs of auth0 is there if a run finds it.
func TestAuth0_Needs(t *testing.T) {
	source := body("auth0.users.updateAppMetadata(auth0.domain, auth0.accessToken);" + passes)
	function := func(context.Context, []any) (any, error) { return nil, nil }
	for _, given := range []bool{false, true} {
		options := jsrules.Options{}
		if given {
			options.Auth0 = map[string]jsrules.Function{
				"users.updateAppMetadata": function, "accessToken": function}
		}
		rule, err := jsrules.Parse("rule", source, options)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, need := range rule.Needs() {
			if need.Kind == jsrules.NeedAuth0 {
				seen[need.Name] = need.Available
				if need.Available == strings.Contains(need.Remedy, "Options.Auth0") {
					t.Errorf("%s: available: %t, remedy: %q",
						need.Name, need.Available, need.Remedy)
				}
			}
		}
		want := map[string]bool{
			"domain": true, "users.updateAppMetadata": given, "accessToken": given,
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", seen, want)
		}
	}
}

// TestAuth0_Settings: a name that no rule can use is an error of Compile.
func TestAuth0_Settings(t *testing.T) {
	function := func(context.Context, []any) (any, error) { return nil, nil }
	for name, f := range map[string]jsrules.Function{"domain": function, "users": function,
		"users.": function, "users.a.b": function, "roles.get": function, "": function,
		"users.get": nil} {
		_, err := jsrules.Compile("rule", body(passes), jsrules.Options{
			Auth0: map[string]jsrules.Function{name: f}})
		if err == nil || !strings.Contains(err.Error(), "Auth0: ") {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// TestAuth0_ManagementClient: the client of the module auth0 sends what the Management API takes,
// through the client for rules.
func TestAuth0_ManagementClient(t *testing.T) {
	var sent []string
	answers := transport(func(r *http.Request) (*http.Response, error) {
		content, _ := io.ReadAll(r.Body)
		sent = append(sent, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL, " ",
			r.Header.Get("Authorization"), " ", string(content))))
		status, text := 200, `{"ok": true}`
		switch {
		case r.URL.Path == "/oauth/token":
			text = `{"access_token": "made"}`
		case strings.HasSuffix(r.URL.Path, "/nobody"):
			status, text = 404, `{"statusCode":404,"error":"Not Found","message":"no such user"}`
		case r.Method == "DELETE":
			status, text = 204, ""
		}
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{},
			Request: r, Body: io.NopCloser(strings.NewReader(text))}, nil
	})
	options := jsrules.Options{HTTP: &jsrules.HTTP{Allow: []string{"tenant.auth0.com"},
		Client: &http.Client{Transport: answers}}}
	const at = " https://tenant.auth0.com/api/v2"
	for _, row := range []struct{ statement, want string }{
		{"m.getUser({id: 'auth0|a/b'})", "GET" + at + "/users/auth0%7Ca%2Fb Bearer T"},
		{"m.users.get({id: 'x'})", "GET" + at + "/users/x Bearer T"},
		{
			"m.getUsers({q: 'email:\"a@b\"', per_page: 1})",
			"GET" + at + "/users?q=email%3A%22a%40b%22&per_page=1 Bearer T",
		},
		{"m.getUsersByEmail('a@b')", "GET" + at + "/users-by-email?email=a%40b Bearer T"},
		{
			"m.updateAppMetadata({id: 'x'}, {a: 1})",
			"PATCH" + at + `/users/x Bearer T {"app_metadata":{"a":1}}`,
		},
		{
			"m.users.updateUserMetadata({id: 'x'}, {a: 1})",
			"PATCH" + at + `/users/x Bearer T {"user_metadata":{"a":1}}`,
		},
		{
			"m.updateUser({id: 'x'}, {blocked: true})",
			"PATCH" + at + `/users/x Bearer T {"blocked":true}`,
		},
		{
			"m.assignRolestoUser({id: 'x'}, {roles: ['r']})",
			"POST" + at + `/users/x/roles Bearer T {"roles":["r"]}`,
		},
		{
			"m.linkUsers('x', {provider: 'p', user_id: 'y'})",
			"POST" + at + `/users/x/identities Bearer T {"provider":"p","user_id":"y"}`,
		},
		{
			"m.unlinkUsers({id: 'x', provider: 'p', user_id: 1})",
			"DELETE" + at + "/users/x/identities/p/1 Bearer T",
		},
		{
			"new Promise((y) => m.getRole({id: 'r'}, (e, v) => y(v)))",
			"GET" + at + "/roles/r Bearer T",
		},
	} {
		sent = nil
		got := run(t, `async function (user, context, callback) {
			const {ManagementClient} = require('auth0@2.44.0');
			const m = new ManagementClient({token: 'T', domain: 'tenant.auth0.com'});
			user.got = await `+row.statement+`;
			callback(null, user, context);
		}`, options)
		if !got.passed || strings.Join(sent, "\n") != row.want {
			t.Errorf("%s: got %v and %q, want %q", row.statement, got.err, sent, row.want)
		}
	}

	sent = nil
	got := run(t, `async function (user, context, callback) {
		const {ManagementClient} = require('auth0');
		const m = new ManagementClient({domain: 'tenant.auth0.com', clientId: 'I',
			clientSecret: 'S', scope: 'read:users'});
		await m.getUser({id: 'x'});
		user.got = await m.getUser({id: 'nobody'}).catch((e) => [e.name, e.message, e.statusCode]);
		callback(null, user, context);
	}`, options)
	if want := []any{"Not Found", "no such user", 404}; !got.passed ||
		!sameJSON(got.user.Properties["got"], want) {
		t.Errorf("got %v, %v", got.err, got.user)
	}
	if len(sent) != 3 || !strings.Contains(sent[0], `"client_secret":"S"`) ||
		!strings.HasSuffix(sent[2], "/users/nobody Bearer made") {
		t.Errorf("sent %q", sent)
	}

	for _, row := range []struct{ statement, want string }{
		{"m.deleteUser({id: 'x'})", "ManagementClient.deleteUser is not available here"},
		{"m.users.delete({id: 'x'})", "ManagementClient.users.delete is not available here"},
		{
			"new (require('auth0').AuthenticationClient)({})",
			"AuthenticationClient is not available here",
		},
		{"await m.getUser({})", "ManagementClient.getUser needs id"},
		{"await m.getUser({id: '..'})", "ManagementClient.getUser needs id"},
		{"new (require('auth0').ManagementClient)({})", "Must provide a domain"},
		{
			"await new (require('auth0').ManagementClient)(" +
				"{domain: 'other.auth0.com', token: 'T'}).getUsers()",
			"rules may not call other.auth0.com",
		},
		{
			"await new (require('auth0').ManagementClient)(" +
				"{domain: 'tenant.auth0.com@evil.example', token: 'T'}).getUsers()",
			"rules may not call evil.example",
		},
	} {
		run(t, `async function (user, context, callback) {
			const {ManagementClient} = require('auth0');
			const m = new ManagementClient({token: 'T', domain: 'tenant.auth0.com'});
			`+row.statement+`;
			callback(null, user, context);
		}`, options).expect(t, delegation.CodeRuleFailed, row.want)
	}
}
