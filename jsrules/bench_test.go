package jsrules_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
	"github.com/seed055b7978/delegation/jsrules/internal/bundles"
)

const (
	principal = "arn:aws:iam::123456789012:saml-provider/auth0-provider"
	role      = "arn:aws:iam::123456789012:role/auth0-role"
)

// classic is the rule of Auth0's documentation.
const classic = `function (user, context, callback) {
  if (context.clientID === 'CLIENT_ID' && context.protocol === 'delegation') {
    context.addonConfiguration = context.addonConfiguration || {};
    context.addonConfiguration.aws = context.addonConfiguration.aws || {};
    context.addonConfiguration.aws.principal = '` + principal + `';
    context.addonConfiguration.aws.role = '` + role + `';
  }
  callback(null, user, context);
}`

func benchmarkUser() *delegation.User {
	return &delegation.User{Properties: map[string]any{
		"user_id": "auth0|alice", "sub": "auth0|alice", "iss": "https://tenant.auth0.com/",
		"aud": "CLIENT_ID", "name": "Alice", "email": "alice@example.com",
		"email_verified": true, "iat": int64(1_795_000_000), "exp": int64(1_795_036_000),
		"groups": []any{"staff", "photo-editors"},
		"identities": []any{map[string]any{
			"provider": "auth0", "connection": "auth0", "user_id": "alice", "isSocial": false,
		}},
	}}
}

func benchmarkContext() *delegation.RuleContext {
	return &delegation.RuleContext{
		ClientID:   "CLIENT_ID",
		Target:     "CLIENT_ID",
		Protocol:   "delegation",
		Connection: "auth0",
		AWS:        delegation.AWS{Region: "eu-central-1"},
	}
}

// ours is a whole run: runtime, guards, limits, user and context in and out.
func ours(tb testing.TB) func() {
	rule := delegation.Must(jsrules.Compile("classic", classic, jsrules.Options{}))
	return func() {
		rc := benchmarkContext()
		if err := rule(tb.Context(), benchmarkUser(), rc); err != nil || rc.AWS.Role != role {
			tb.Fatal(err, rc.AWS.Role)
		}
	}
}

// bareGoja is the same source, user and context with goja alone, as briefly as it can be written: a
// new runtime, maps that JavaScript sees through goja's wrappers, and the role read back. It has no
// limits and no guards, and changes to an object in a map do not always arrive.
func bareGoja(tb testing.TB) func() {
	program := goja.MustCompile("classic", "("+classic+")", false)
	return func() {
		user := benchmarkUser()
		context := map[string]any{
			"clientID": "CLIENT_ID", "clientName": "", "protocol": "delegation",
			"connection": "auth0", "stats": map[string]any{}, "samlConfiguration": map[string]any{},
			"request": map[string]any{
				"ip": "", "userAgent": "", "query": map[string]any{}, "body": map[string]any{},
			},
			"addonConfiguration": map[string]any{"aws": map[string]any{"region": "eu-central-1"}},
		}
		runtime := goja.New()
		value, err := runtime.RunProgram(program)
		if err != nil {
			tb.Fatal(err)
		}
		function, _ := goja.AssertFunction(value)
		var got string
		callback := func(call goja.FunctionCall) goja.Value {
			got = call.Argument(2).ToObject(runtime).Get("addonConfiguration").ToObject(runtime).
				Get("aws").ToObject(runtime).Get("role").String()
			return goja.Undefined()
		}
		_, err = function(goja.Undefined(), runtime.ToValue(user.Properties),
			runtime.ToValue(context), runtime.ToValue(callback))
		if err != nil || got != role {
			tb.Fatal(err, got)
		}
	}
}

func BenchmarkClassicRule(b *testing.B)         { benchmark(b, ours(b)) }
func BenchmarkClassicRuleBareGoja(b *testing.B) { benchmark(b, bareGoja(b)) }

func benchmark(b *testing.B, run func()) {
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

// BenchmarkClassicRuleToBareGoja runs both in turn, and reports the ratio of their times: what else
// the machine does meets both. Medians would depend on the runs in which garbage is collected.
func BenchmarkClassicRuleToBareGoja(b *testing.B) { reportRatio(b, ours(b), bareGoja(b)) }

// withLodash is a rule that uses lodash.
const withLodash = `function (user, context, callback) {
  var _ = require('lodash');
  if (_.includes(_.map(user.groups, _.toUpper), 'PHOTO-EDITORS')) {
    context.addonConfiguration.aws.role = '` + role + `';
  }
  callback(null, user, context);
}`

// oursWithLodash is a whole run of that rule: lodash is loaded anew.
func oursWithLodash(tb testing.TB) func() {
	rule := delegation.Must(jsrules.Compile("lodash", withLodash, jsrules.Options{}))
	return func() {
		rc := benchmarkContext()
		if err := rule(tb.Context(), benchmarkUser(), rc); err != nil || rc.AWS.Role != role {
			tb.Fatal(err, rc.AWS.Role)
		}
	}
}

// bareGojaWithLodash loads the same compiled lodash into a new runtime of goja, and runs the same
// rule there.
func bareGojaWithLodash(tb testing.TB) func() {
	bundle, _ := bundles.Find("lodash")
	source, err := bundle.Source()
	if err != nil {
		tb.Fatal(err)
	}
	library := goja.MustCompile("lodash",
		"(function (exports, module, global) {"+source+"\n})", false)
	program := goja.MustCompile("rule", "("+withLodash+")", false)
	return func() {
		runtime := goja.New()
		require := func(goja.FunctionCall) goja.Value {
			value, _ := runtime.RunProgram(library)
			define, _ := goja.AssertFunction(value)
			module := runtime.NewObject()
			exports := runtime.NewObject()
			_ = module.Set("exports", exports)
			_, err := define(exports, exports, module, runtime.GlobalObject())
			if err != nil {
				tb.Fatal(err)
			}
			return module.Get("exports")
		}
		_ = runtime.Set("require", require)
		value, _ := runtime.RunProgram(program)
		function, _ := goja.AssertFunction(value)
		aws := map[string]any{}
		context := map[string]any{"addonConfiguration": map[string]any{"aws": aws}}
		callback := func(goja.FunctionCall) goja.Value { return goja.Undefined() }
		_, err = function(goja.Undefined(), runtime.ToValue(benchmarkUser().Properties),
			runtime.ToValue(context), runtime.ToValue(callback))
		if err != nil || aws["role"] != role {
			tb.Fatal(err, aws)
		}
	}
}

func BenchmarkLodash(b *testing.B)         { benchmark(b, oursWithLodash(b)) }
func BenchmarkLodashBareGoja(b *testing.B) { benchmark(b, bareGojaWithLodash(b)) }

// BenchmarkLodashToBareGoja is as BenchmarkClassicRuleToBareGoja, for a rule that uses lodash.
func BenchmarkLodashToBareGoja(b *testing.B) {
	reportRatio(b, oursWithLodash(b), bareGojaWithLodash(b))
}

// reportRatio runs both in turn, and reports the ratio of their times.
func reportRatio(b *testing.B, ours, bare func()) {
	runs := []func(){ours, bare}
	var times [2]time.Duration
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		// In a fixed order the garbage of both would be collected in the time of one.
		for _, i := range random.Perm(len(runs)) {
			began := time.Now()
			runs[i]()
			times[i] += time.Since(began)
		}
	}
	b.ReportMetric(float64(times[0])/float64(times[1]), "ratio")
}

// BenchmarkClassicRuleInGo is what the rule costs as a rule in Go.
func BenchmarkClassicRuleInGo(b *testing.B) {
	rule := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		if rc.ClientID == "CLIENT_ID" {
			rc.AWS.Principal, rc.AWS.Role = principal, role
		}
		return nil
	}
	b.ReportAllocs()
	for b.Loop() {
		rc := benchmarkContext()
		if err := rule(b.Context(), benchmarkUser(), rc); err != nil || rc.AWS.Role != role {
			b.Fatal(err, rc.AWS.Role)
		}
	}
}

// BenchmarkGuardedRule reaches properties by names made at run time, so that every guard is
// installed.
func BenchmarkGuardedRule(b *testing.B) {
	rule := delegation.Must(jsrules.Compile("guarded", `function (user, context, callback) {
		var roles = {'photo-editors': 'photo-editor'};
		for (var i = 0; i < user.groups.length; i++) {
			if (roles[user.groups[i]]) context.addonConfiguration.aws.role = 'arn:aws:iam::123456789012:role/' + roles[user.groups[i]];
		}
		callback(null, user, context);
	}`, jsrules.Options{}))
	b.ReportAllocs()
	for b.Loop() {
		rc := benchmarkContext()
		if err := rule(b.Context(), benchmarkUser(), rc); err != nil || rc.AWS.Role == "" {
			b.Fatal(err, rc.AWS.Role)
		}
	}
}

// BenchmarkHTTP is a run that sends one request, to a host that answers at once. The first case has
// the same permission and sends none.
func BenchmarkHTTP(b *testing.B) {
	for _, row := range []struct{ name, statements string }{
		{"none", ""},
		{"fetch", "await fetch(at);"},
		{"request", "await new Promise((r) => request(at, r));"},
		{"axios", "await require('axios').get(at);"},
	} {
		b.Run(row.name, func(b *testing.B) {
			rule := delegation.Must(jsrules.Compile("rule",
				"async function (user, context, callback) { const at = 'https://api.example.com';"+
					row.statements+" callback(null, user, context); }",
				jsrules.Options{HTTP: &jsrules.HTTP{
					Allow: []string{"api.example.com"}, Client: answering("x")}}))
			for b.Loop() {
				if err := rule(b.Context(), benchmarkUser(), benchmarkContext()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
