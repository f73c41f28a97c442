package main

import (
	"context"
	"errors"

	"github.com/dop251/goja"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// classicRule is the rule from Auth0's documentation.
const classicRule = `function (user, context, callback) {
  if (context.clientID === 'CLIENT_ID' && context.protocol === 'delegation') {
    context.addonConfiguration = context.addonConfiguration || {};
    context.addonConfiguration.aws = context.addonConfiguration.aws || {};
    context.addonConfiguration.aws.principal = '` + principal + `';
    context.addonConfiguration.aws.role = '` + role + `';
  }
  callback(null, user, context);
}`

var errRole = errors.New("the rule has not set the role")

// scripts measures a rule in JavaScript.
func (b *bench) scripts() error {
	run, err := script()
	if err != nil {
		return err
	}
	program, err := goja.Compile("classic", "("+classicRule+")", false)
	if err != nil {
		return err
	}
	all, err := b.measure("rule in JavaScript",
		contender{name: "goja alone", run: once(func() error { return runBare(program) })},
		contender{name: "delegation/jsrules", run: once(run)},
	)
	if err != nil {
		return err
	}
	b.weigh("rule in JavaScript", all[1])
	b.compare("JavaScript rule / goja alone", all[1], all[0], 1.15, 0)
	return nil
}

// script returns a function that runs the rule with jsrules.
func script() (func() error, error) {
	rule, err := jsrules.Compile("classic", classicRule, jsrules.Options{})
	if err != nil {
		return nil, err
	}
	return func() error {
		rc := &delegation.RuleContext{
			ClientID:   "CLIENT_ID",
			Target:     "CLIENT_ID",
			Protocol:   "delegation",
			Connection: "auth0",
			AWS:        delegation.AWS{Region: region},
		}
		user := &delegation.User{Properties: scriptUser()}
		if err := rule(context.Background(), user, rc); err != nil {
			return err
		}
		if rc.AWS.Role != role {
			return errRole
		}
		return nil
	}, nil
}

func scriptUser() map[string]any {
	return map[string]any{
		"user_id":        "auth0|alice",
		"sub":            "auth0|alice",
		"iss":            issuerURL,
		"aud":            "CLIENT_ID",
		"name":           "Alice",
		"email":          email,
		"email_verified": true,
		"iat":            int64(1_795_000_000),
		"exp":            int64(1_795_036_000),
		"groups":         []any{"staff", "photo-editors"},
		"identities": []any{map[string]any{
			"provider":   "auth0",
			"connection": "auth0",
			"user_id":    "alice",
			"isSocial":   false,
		}},
	}
}

// runBare runs the same source for the same user with goja alone, with as little code as possible.
// It makes a new runtime, passes maps through goja's wrappers, and reads the role back. It has no
// limits and no guards.
func runBare(program *goja.Program) error {
	rc := map[string]any{
		"clientID":          "CLIENT_ID",
		"clientName":        "",
		"protocol":          "delegation",
		"connection":        "auth0",
		"stats":             map[string]any{},
		"samlConfiguration": map[string]any{},
		"request": map[string]any{
			"ip": "", "userAgent": "", "query": map[string]any{}, "body": map[string]any{},
		},
		"addonConfiguration": map[string]any{"aws": map[string]any{"region": region}},
	}
	runtime := goja.New()
	value, err := runtime.RunProgram(program)
	if err != nil {
		return err
	}
	function, ok := goja.AssertFunction(value)
	if !ok {
		return errors.New("the rule is not a function")
	}
	var got string
	callback := func(call goja.FunctionCall) goja.Value {
		configuration := call.Argument(2).ToObject(runtime).Get("addonConfiguration")
		aws := configuration.ToObject(runtime).Get("aws").ToObject(runtime)
		got = aws.Get("role").String()
		return goja.Undefined()
	}
	_, err = function(goja.Undefined(), runtime.ToValue(scriptUser()), runtime.ToValue(rc),
		runtime.ToValue(callback))
	if err != nil {
		return err
	}
	if got != role {
		return errRole
	}
	return nil
}
