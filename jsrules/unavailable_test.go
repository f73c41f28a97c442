package jsrules_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestUnavailable: an error at run time about a name that is not there says so, with its place and
// what to do, also where JavaScript's own error has no place.
func TestUnavailable(t *testing.T) {
	const global = ": it is not available here: give it in Options.Globals, or require a module"
	const member = " is not available here: give the function "
	for source, want := range map[string]struct{ at, text string }{
		body("nobody(user);"): {
			"2:1", "ReferenceError: nobody is not defined" + global},
		body("var a = { b: nobody.there };"): {"2:14", "nobody is not defined" + global},
		body("try { nobody(); } catch (e) { callback(e); }"): {
			"2:7", "nobody is not defined" + global},
		"async " + body("\nawait nobody();"): {"3:7", "nobody is not defined" + global},
		body("Promise.resolve().then(() => nobody());"): {
			"2:30", "callback was never called, and a promise was rejected: ReferenceError: " +
				"nobody is not defined" + global},
		body("eval('1');"): {
			"2:1", "eval is not defined: it is not available here: write the rule"},
		body("'use strict'; leaked = 1;"): {
			"2:15", "leaked is not defined: it is not available here: declare it with var"},
		body("require('no-such');"): {
			"2:8", "Cannot find module 'no-such': it is not available here: register it in"},
		body("auth0.accessToken;"):                     {"2:7", "auth0.accessToken" + member},
		body("auth0.users.getUsers({});"):              {"2:7", "auth0.users.getUsers" + member},
		body("const { users } = auth0;\nusers.get();"): {"3:1", "auth0.users.get" + member},
		body("throw new ReferenceError('nobody is not defined');"): {
			"2:7", "ReferenceError: nobody is not defined"},
		body("callback(new ReferenceError('a is not defined'));"): {
			"0:0", "ReferenceError: a is not defined"},
	} {
		got := run(t, source, jsrules.Options{})
		got.expect(t, delegation.CodeRuleFailed, want.text)
		var wrong *jsrules.Error
		if !errors.As(got.err, &wrong) {
			t.Fatalf("%s: %v", source, got.err)
		}
		if at := fmt.Sprintf("%d:%d", wrong.Line, wrong.Column); at != want.at {
			t.Errorf("%s: at %s, want %s: %v", source, at, want.at, got.err)
		}
	}
}

// TestAuth0: what is on auth0 can be read, and what a rule asks of every object is there.
func TestAuth0(t *testing.T) {
	o := jsrules.Options{Domain: "tenant.auth0.com"}
	got := run(t, body(`
		auth0.own = 1;
		user.got = [auth0.domain, auth0.own, 'users' in auth0, 'x' in auth0.users,
			typeof auth0.users, Object.keys(auth0), String(auth0), JSON.stringify(auth0.users)];
		delete auth0.own;
		user.kept = Object.keys(auth0);
		callback(null, user, context);`), o)
	if !got.passed {
		t.Fatal(got.err)
	}
	want := []any{"tenant.auth0.com", 1, true, false, "object", []string{"domain", "own", "users"},
		"[object Object]", "{}"}
	if !sameJSON(got.user.Properties["got"], want) ||
		!sameJSON(got.user.Properties["kept"], []string{"domain", "users"}) {
		t.Errorf("got %v", got.user.Properties)
	}
}
