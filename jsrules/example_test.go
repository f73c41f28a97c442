package jsrules_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// A rule is a function, so it can be tried, and tested, without an exchange.
func ExampleCompile() {
	rule, err := jsrules.Compile("role-by-group", `function (user, context, callback) {
		if (user.groups.indexOf('photo-editors') < 0) {
			return callback(new UnauthorizedError('You may not edit photos.'));
		}
		context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/photo-editor';
		callback(null, user, context);
	}`, jsrules.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, group := range []any{"photo-editors", "staff"} {
		user := &delegation.User{Properties: map[string]any{"groups": []any{group}}}
		rc := &delegation.RuleContext{ClientID: "CLIENT_ID", Protocol: "delegation"}
		err := rule(context.Background(), user, rc)
		fmt.Printf("%s: role %q, error %v\n", group, rc.AWS.Role, err)
	}
	// Output:
	// photo-editors: role "arn:aws:iam::123456789012:role/photo-editor", error <nil>
	// staff: role "", error denied: You may not edit photos.
}

// Rules run in the order of their files' names; os.DirFS("rules") is a folder on disk.
func ExampleCompileFolder() {
	rules, err := jsrules.CompileFolder(fstest.MapFS{
		"01-first.js": {
			Data: []byte(
				`function (user, context, callback) { context.order = ['first']; callback(null, user, context); }`),
		},
		"02-second.js": {
			Data: []byte(
				`function (user, context, callback) { user.order = context.order.concat('second'); callback(null, user, context); }`),
		},
	}, jsrules.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	user, rc := &delegation.User{}, &delegation.RuleContext{}
	for _, rule := range rules {
		if err := rule(context.Background(), user, rc); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(rc.Rule, user.List("order"))
	// Output:
	// 02-second [first second]
}

// An Action denies, or chooses the role by a SAML attribute.
func ExampleCompileAction() {
	action, err := jsrules.CompileAction("photo-role", `
const prefix = 'arn:aws:iam::123456789012:';
exports.onExecutePostLogin = async (event, api) => {
	const groups = event.user.groups || [];
	if (!groups.includes('photo-editors')) return api.access.deny('You are not an editor.');
	api.samlResponse.setAttribute('https://aws.amazon.com/SAML/Attributes/Role',
		prefix + 'role/photo-editor,' + prefix + 'saml-provider/auth0-provider');
};`, jsrules.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, group := range []string{"photo-editors", "staff"} {
		user := &delegation.User{Properties: map[string]any{"groups": []any{group}}}
		rc := &delegation.RuleContext{}
		err := action(context.Background(), user, rc)
		fmt.Println(err, user.Text(rc.AWS.Mappings[delegation.AttributeRole]))
	}
	// Output:
	// <nil> arn:aws:iam::123456789012:role/photo-editor,arn:aws:iam::123456789012:saml-provider/auth0-provider
	// denied: You are not an editor.
}
