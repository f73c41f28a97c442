package jsrules_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// TestUnknownSetting: a property of aws that is no setting fails the rule, and the error says which
// setting was meant.
func TestUnknownSetting(t *testing.T) {
	for name, want := range map[string]string{
		"policyARNs": "policyArns", "PolicyArns": "policyArns", "policy_arns": "policyArns",
		"policyarns": "policyArns", "managedPolicies": "policyArns",
		"Policy": "policy", "polcy": "policy", "sessionPolicy": "policy", "inline_policy": "policy",
		"source_identity": "sourceIdentity", "SourceIdentity": "sourceIdentity",
		"sourceIdentiy": "sourceIdentity",
		"role_arn":      "role", "roleArn": "role", "Role": "role", "roel": "role",
		"RoleARN":       "role",
		"awsRole":       "role",
		"principal_arn": "principal", "PrincipalArn": "principal", "prinicpal": "principal",
		"samlProvider": "principal", "principle": "principal",
		"Region": "region", "regoin": "region", "aws_region": "region",
		"mapping": "mappings", "Mappings": "mappings",
		"lifetime": "lifetime_in_seconds", "lifetimeInSeconds": "lifetime_in_seconds",
		"duration":        "lifetime_in_seconds",
		"DurationSeconds": "lifetime_in_seconds", "sessionDuration": "lifetime_in_seconds",
		"lifetime_in_second": "lifetime_in_seconds",
		"Tags":               "tags", "tag": "tags", "sessionTags": "tags",
		"transitive_tag_keys": "transitiveTagKeys", "transitiveTags": "transitiveTagKeys",
		"droppable_tags": "droppableTags", "dropableTags": "droppableTags",
		"session_name": "sessionName", "roleSessionName": "sessionName",
		"failover_regions": "failoverRegions", "fallbackRegions": "failoverRegions",
		"nameId": "nameID", "NameID": "nameID", "name_id": "nameID", "nameidentifier": "nameID",
		"nameIdFromMapping": "nameIDFromMapping", "name_id_from_mapping": "nameIDFromMapping",
		"note": "the settings are principal, role,", "x": "the settings are principal, role,",
	} {
		for _, statement := range []string{
			"context.addonConfiguration.aws['" + name + "'] = 'x';",
			"context.addonConfiguration.aws['" + name + "'] = undefined;",
			"context.addonConfiguration.aws = {'" + name + "': 'x'};",
			"context.addonConfiguration = {aws: {'" + name + "': 'x'}};",
			"Object.defineProperty(context.addonConfiguration.aws, '" + name +
				"', {value: 'x', enumerable: false});",
			"class Settings { get ['" + name +
				"']() { return 'x'; } } context.addonConfiguration.aws = new Settings();",
		} {
			got := run(t, body(statement+passes), jsrules.Options{})
			got.expect(t, delegation.CodeRuleFailed,
				"context.addonConfiguration.aws has no setting \""+name+"\": "+want)
		}
	}
}

// TestMisspelledPlace: settings for AWS that a rule has put next to the place that is read fail it.
func TestMisspelledPlace(t *testing.T) {
	const addonName = "addonConfiguration"
	const addon = "context." + addonName
	const addons = "context.addonsConfiguration"
	for statement, want := range map[string]string{
		// The name aws, and addonConfiguration, in another spelling.
		addon + ".AWS = {role: 'x'};":                       "aws is meant",
		addon + ".Aws = {role: 'x'};":                       "aws is meant",
		addon + ".aws_ = {role: 'x'};":                      "aws is meant",
		addon + ".asw = {role: 'x'};":                       "aws is meant",
		addon + ".amazon = {role: 'x'};":                    "aws is meant",
		"context.addOnConfiguration = {aws: {role: 'x'}};":  "addonConfiguration is meant",
		"context.addonconfiguration = {aws: {role: 'x'}};":  "addonConfiguration is meant",
		"context.addon_configuration = {aws: {role: 'x'}};": "addonConfiguration is meant",
		addon + "s = {aws: {role: 'x'}};":                   "addonConfiguration is meant",
		addons + " = " + addons + " || {};":                 "addonConfiguration is meant",
		"context.aws = {role: 'x'};":                        "addonConfiguration.aws is meant",
		"context.multiFactor = {provider: 'any'};":          "multifactor is meant",
		"context.multi_factor = {provider: 'any'};":         "multifactor is meant",
		"context.Redirect = {url: 'x'};":                    "redirect is meant",
		// A value that is no object.
		addon + " = null;":                                          addonName + " is null",
		addon + " = undefined;":                                     addonName + " is undefined",
		addon + ".aws = null;":                                      "aws is null",
		addon + ".aws = undefined;":                                 "aws is undefined",
		addon + ".aws = new Map([['role', 'x']]);":                  "aws is a collection",
		addon + ".aws = Promise.resolve({role: 'x'});":              "aws is a promise",
		addon + ".aws = [{role: 'x'}];":                             "aws is a list",
		addon + ".aws = async function () { return {role: 'x'}; };": "aws is a function",
		// A setting of another type.
		addon + ".aws.tags = new Map([['team', 'x']]);": "tags is a collection",
		addon + ".aws.mappings = Promise.resolve({});":  "mappings is a promise",
		addon + ".aws.policyArns = new Set(['x']);":     "policyArns is a collection",
		addon + ".aws.nameIDFromMapping = 'true';": "nameIDFromMapping is a string, " +
			"not true or false",
		addon + ".aws.droppableTags = 'team';": "droppableTags is a string, not a list",
	} {
		got := exchange(t,
			[]delegation.RuleFunc{compile(t, body(statement+passes), jsrules.Options{})},
			nil, delegation.AWS{Role: role}, delegation.Request{})
		got.expect(t, delegation.CodeRuleFailed, want)
	}
	// Names of other add-ons, and of the rules' own, mean nothing here and stay.
	for _, statement := range []string{
		"context.addonConfiguration.firebase = {};", "context.addonConfiguration.wams = {};",
		"context.addonConfiguration.layer = {};",
		"context.redirected = true;", "context.roles = [];", "context.own = {aws: 1};",
		"context.configuration = {};",
	} {
		if got := run(t, body(statement+passes), jsrules.Options{}); !got.passed {
			t.Errorf("%s: got %v", statement, got.err)
		}
	}
}

// TestAWSTakenAway: to delete aws, or all of addonConfiguration, takes the target's settings away,
// and a class's properties count as an object's own do.
func TestAWSTakenAway(t *testing.T) {
	target := delegation.AWS{Role: role, Principal: principal, Region: "eu-central-1"}
	kept := map[string]any{"principal": principal, "region": "eu-central-1", "role": role}
	for statement, want := range map[string]map[string]any{
		"delete context.addonConfiguration.aws;": {},
		"delete context.addonConfiguration;":     {},
		"delete context.addonConfiguration.aws.role;": {
			"principal": principal, "region": "eu-central-1",
		},
		"context.addonConfiguration.aws;":  kept,
		"context.addonConfiguration = {};": kept,
		"class A { get region() { return 'eu-west-1'; } } context.addonConfiguration.aws = new A();": {
			"principal": principal, "region": "eu-west-1", "role": role,
		},
		"context.addonConfiguration.aws = Object.create({region: 'eu-west-1'});": {
			"principal": principal, "region": "eu-west-1", "role": role,
		},
	} {
		got := exchange(t,
			[]delegation.RuleFunc{compile(t, body(statement+passes), jsrules.Options{})},
			nil, target, delegation.Request{})
		if !got.passed || !sameJSON(set(got.rc.AWS), want) {
			t.Errorf("%s: got %v, %v, want %v", statement, got.err, got.rc, want)
		}
	}
}

// TestAllSettings: every field of delegation.AWS is a setting that a rule reads and writes.
func TestAllSettings(t *testing.T) {
	full := delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		FailoverRegions: []string{"eu-west-1"},
		Mappings:        delegation.Mappings{"a": "b"}, NameID: "alice", NameIDFromMapping: true,
		SessionName: "alice", SessionDuration: time.Hour, Policy: "{}",
		PolicyARNs: []string{"arn:aws:iam::aws:policy/A"},
		Tags:       map[string]string{"team": "x"}, TransitiveTagKeys: []string{"team"},
		SourceIdentity: "alice", DroppableTags: []string{"team"},
	}
	fields := reflect.ValueOf(full)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Fatalf("this test does not set %s", fields.Type().Field(i).Name)
		}
	}
	read := compile(t,
		body("user.aws = JSON.parse(JSON.stringify(context.addonConfiguration.aws));"+passes),
		jsrules.Options{})
	user := benchmarkUser()
	err := read(t.Context(), user, &delegation.RuleContext{AWS: full})
	if err != nil || !sameJSON(user.Properties["aws"], set(full)) {
		t.Errorf("got %v, %v", user.Properties["aws"], err)
	}
	if got := len(set(full)); got != fields.NumField() {
		t.Errorf("%d settings are compared, there are %d", got, fields.NumField())
	}
	write := compile(t, body("Object.assign(context.addonConfiguration.aws, user.aws);"+passes),
		jsrules.Options{})
	rc := &delegation.RuleContext{}
	if err := write(t.Context(), user, rc); err != nil || !reflect.DeepEqual(rc.AWS, full) {
		t.Errorf("got %+v, %v", rc.AWS, err)
	}
	off := compile(t, body("context.addonConfiguration.aws.nameIDFromMapping = false;"+passes),
		jsrules.Options{})
	if err := off(t.Context(), user, rc); err != nil || rc.AWS.NameIDFromMapping {
		t.Errorf("got %+v, %v", rc.AWS, err)
	}
}

// TestDeletedSetting: to delete a setting takes that one away, of whichever type it is, and no
// other.
func TestDeletedSetting(t *testing.T) {
	target := delegation.AWS{
		Principal:         principal,
		Role:              role,
		SessionDuration:   time.Hour,
		PolicyARNs:        []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		Tags:              map[string]string{"team": "photos"},
		NameIDFromMapping: true,
	}
	for name, remove := range map[string]func(*delegation.AWS){
		"role":                func(a *delegation.AWS) { a.Role = "" },
		"lifetime_in_seconds": func(a *delegation.AWS) { a.SessionDuration = 0 },
		"policyArns":          func(a *delegation.AWS) { a.PolicyARNs = nil },
		"tags":                func(a *delegation.AWS) { a.Tags = nil },
		"nameIDFromMapping":   func(a *delegation.AWS) { a.NameIDFromMapping = false },
	} {
		want := target
		remove(&want)
		source := body("delete context.addonConfiguration.aws." + name + ";" + passes)
		rule := compile(t, source, jsrules.Options{})
		rc := &delegation.RuleContext{AWS: target}
		if err := rule(t.Context(), &delegation.User{}, rc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(rc.AWS, want) {
			t.Errorf("%s: got %+v, want %+v", name, rc.AWS, want)
		}
	}
}

// TestLongSettings: the texts of settings count towards the limit of all text that a rule leaves,
// and the error names the setting.
func TestLongSettings(t *testing.T) {
	got := run(t, body(`
		var aws = context.addonConfiguration.aws;
		aws.principal = aws.role = 'x'.repeat(9 << 20);`+passes), jsrules.Options{})
	got.expect(t, delegation.CodeRuleFailed,
		"context.addonConfiguration.aws.role exceeds a limit: up to here, there are more than")
}

// TestFrozen: user, context and addonConfiguration cannot be frozen, and say so. The settings can.
func TestFrozen(t *testing.T) {
	for _, name := range []string{"user", "context", "context.addonConfiguration"} {
		for _, statement := range []string{
			"Object.freeze(" + name + ");",
			"Object.seal(" + name + ");",
			"Object.defineProperty(" + name + ", 'aws', {get: function () { return {}; }});",
		} {
			got := run(t, body(statement+passes), jsrules.Options{})
			got.expect(t, delegation.CodeRuleFailed, "TypeError: ")
		}
	}
	got := run(t, body("context.addonConfiguration.aws.role = '"+role+"';"+
		"Object.freeze(context.addonConfiguration.aws);"+passes), jsrules.Options{})
	if !got.passed || got.rc.AWS.Role != role {
		t.Errorf("got %v, %v", got.err, got.rc)
	}
}

// TestAddonUntouched: what a rule has only read, or not at all, stays as it was, next to add-ons of
// earlier rules and without them.
func TestAddonUntouched(t *testing.T) {
	for _, others := range []string{"", "context.addonConfiguration.other = {a: 1};"} {
		for statement, want := range map[string]string{
			"":                                                      role,
			"context.addonConfiguration;":                           role,
			"context.addonConfiguration.aws;":                       role,
			"context.addonConfiguration.aws.role;":                  role,
			"context.addonConfiguration.aws = {};":                  role,
			"context.addonConfiguration = {};":                      role,
			"context.addonConfiguration.aws.role = 'x';":            "x",
			"context.addonConfiguration.aws = {role: 'x'};":         "x",
			"var a = context.addonConfiguration; a.aws.role = 'x';": "x",
			"delete context.addonConfiguration.aws.role;":           "",
			"delete context.addonConfiguration.aws;":                "",
			"delete context.addonConfiguration;":                    "",
			"context.addonConfiguration.more = 1;":                  role,
			"context.addonConfiguration.more = 1; delete context.addonConfiguration.more;": role,
		} {
			set := &jsrules.Set{}
			rules := []delegation.RuleFunc{
				compile(t, body("context.addonConfiguration.aws.role = '"+role+"';"+others+passes),
					jsrules.Options{Set: set}),
				compile(t, body(statement+passes), jsrules.Options{Set: set}),
				compile(t, body("user.role = context.addonConfiguration.aws ? "+
					"context.addonConfiguration.aws.role : undefined;"+passes),
					jsrules.Options{Set: set}),
			}
			user := &delegation.User{Properties: map[string]any{}}
			rc := &delegation.RuleContext{}
			for _, rule := range rules {
				if err := rule(t.Context(), user, rc); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			seen, _ := user.Properties["role"].(string)
			if rc.AWS.Role != want || seen != want {
				t.Errorf("%q after %q: the role is %q, and the next rule saw %q, want %q",
					statement, others, rc.AWS.Role, seen, want)
			}
		}
	}
}
