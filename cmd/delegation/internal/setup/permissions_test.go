package setup_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
)

// TestPermissionTemplate_Refuses what IAM would refuse, or take otherwise than it was meant.
func TestPermissionTemplate_Refuses(t *testing.T) {
	statement := func(text string) string {
		return `{"Version": "2012-10-17", "Statement": ` + text + `}`
	}
	const fine = `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}`
	for _, row := range []struct{ text, want string }{
		{"", "not JSON"},
		{"{", "not JSON"},
		{`{"Version": "2012-10-17"`, "not JSON"},
		{`{"Version": }`, "not JSON"},
		{`{"Version": "2012-10-17",}`, "not JSON"},
		{statement(fine) + "{}", "after its end"},
		{statement(fine) + "x", "after its end"},
		{"\xff", "not UTF-8"},
		{`{"a": 1.5}`, "1.5 is not a whole number"},
		{`{"a": -9223372036854775808}`, "-9223372036854775808 is not a whole number"},
		{`{"a": 0e0}`, "0e0 is not a whole number"},
		{`{"a": 1e3}`, "1e3 is not a whole number"},
		{`{"a": 1000000000000000}`, "1000000000000000 is not a whole number"},
		{`[]`, "not a JSON object"},
		{`"a"`, "not a JSON object"},
		{`null`, "not a JSON object"},
		{`{"Version": "2012-10-17", "Version": "2012-10-17"}`, `"Version" appears twice`},
		{`{"Statement": ` + fine + `}`, "Version"},
		{`{"Version": "2008-10-17", "Statement": ` + fine + `}`, "Version"},
		{`{"Version": "2012-10-17"}`, "needs a Statement"},
		{statement(`[]`), "needs a Statement"},
		{statement(`"a"`), "needs a Statement"},
		{statement(`[1]`), "statement 1 is not an object"},
		{statement(`[` + fine + `, {"Effect": "allow", "Action": "s3:*", "Resource": "*"}]`),
			"statement 2 needs the Effect"},
		{statement(`{"Action": "s3:*", "Resource": "*"}`), "Effect"},
		{statement(`{"Effect": "Allow", "Resource": "*"}`), "Action or NotAction"},
		{statement(`{"Effect": "Allow", "Action": "a", "NotAction": "b", "Resource": "*"}`),
			"Action or NotAction"},
		{statement(`{"Effect": "Allow", "Action": "a"}`), "Resource or NotResource"},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "*", "NotResource": "*"}`),
			"Resource or NotResource"},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "*", "Principal": "*"}`),
			"for trust policies"},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "*", "NotPrincipal": "*"}`),
			"for trust policies"},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "*", "Conditions": {}}`),
			`"Conditions", which IAM does not know`},
		{
			statement(
				`{"Effect": "Allow", "Action": "a", "Resource": "arn:aws:s3:::b/{{nickname}}/*"}`),
			"placeholder",
		},
		{
			statement(
				`{"Effect": "Allow", "Action": "a", "Resource": "*", "Condition": {"StringLike": {"{{a}}": "b"}}}`),
			"placeholder",
		},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "arn:aws:s3:::b/Ā"}`), "U+0100"},
		{statement(`{"Effect": "Allow", "Action": "a", "Resource": "a\u0000"}`), "U+0000"},
		{
			statement(`{"Effect": "Allow", "Action": "a", "Resource": "` +
				strings.Repeat("x", setup.MaxRolePolicy) + `"}`),
			"accepts 10240",
		},
	} {
		policy, _, err := setup.PermissionTemplate(row.text)
		if err == nil || policy != "" || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%.200q: got %q, %v, want %s", row.text, policy, err, row.want)
		}
	}
}

func TestPermissionTemplate(t *testing.T) {
	const head = `{"Version": "2012-10-17", "Id": "a", "Statement": [` +
		`{"Sid": "b", "Effect": "Allow", "NotAction": ["a"], "NotResource": "`
	const tail = `", "Condition": {"Bool": {"a": true}}}]}`
	bare := setup.PolicySize(head + tail)
	// white space does not count
	full := head + strings.Repeat("x", setup.MaxRolePolicy-bare) + tail + strings.Repeat("\n", 1000)
	for _, text := range []string{head + "${saml:sub}é" + tail, full} {
		policy, notes, err := setup.PermissionTemplate(text)
		if err != nil || !sameJSON(policy, text) || len(notes) > 0 {
			t.Errorf("got %v, %q, %s", err, notes, policy)
		}
	}
	larger := strings.Replace(full, "x", "xx", 1)
	if policy, _, err := setup.PermissionTemplate(larger); err == nil || policy != "" {
		t.Error("one character more passes")
	}
	_, notes, err := setup.PermissionTemplate(head + "${SAML:iss}${saml:aud}" + tail)
	if err != nil || len(notes) != 2 || !strings.Contains(notes[0], "saml:aud") ||
		!strings.Contains(notes[1], "saml:iss") {
		t.Errorf("got %v, %q", err, notes)
	}
	policy, _, err := setup.PermissionTemplate(
		`{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "a", "Resource": "*"}}`)
	if err != nil || policy == "" {
		t.Errorf("one statement without a list: %v", err)
	}
}

// TestUse: what rules do counts for the targets that they are for.
func TestUse(t *testing.T) {
	tags := map[string]config.ClaimSettings{"x": {From: "y"}}
	s := &config.Settings{
		Targets: map[string]config.TargetSettings{
			"a": {Principal: "p", Region: "r"}, "b": {},
			"transitive": {TransitiveTagKeys: []string{"a"}},
			"tag":        {Actors: &config.ActorSettings{Place: "tag"}},
			"source":     {Actors: &config.ActorSettings{Place: "source_identity"}},
			"name":       {Actors: &config.ActorSettings{}},
		},
		Rules: []config.RuleSettings{
			{Targets: []string{"a"}, TagsFromClaims: tags},
			{
				Targets:                 []string{"a", "c"},
				SourceIdentityFromClaim: &config.ClaimSettings{From: "email"},
			},
			{Targets: []string{"a"}, JavaScript: &config.JavaScriptSettings{}},
			{
				Targets: []string{"a"},
				RoleByClaim: &config.RoleSettings{
					Roles: []config.RoleMatch{
						{Role: "1"}, {Role: "2", Principal: "p", Region: "r"},
						{Role: "3", Principal: "q"}, {Role: "4", Region: "s"},
					},
				},
			},
		},
	}
	got := setup.UseOf(s, "a")
	choices := []setup.Choice{
		{Role: "1", Principal: "p"}, {Role: "2", Principal: "p", Region: "r"},
		{Role: "3", Principal: "q"}, {Role: "4", Principal: "p", Region: "s"},
	}
	if !got.Tags || !got.SourceIdentity || got.JavaScript != "rules[2].javascript" ||
		!slices.Equal(got.Roles, []string{"1", "2", "3", "4"}) ||
		!slices.Equal(got.Choices, choices) {
		t.Errorf("got %+v", got)
	}
	if tag := setup.UseOf(s, "tag"); !tag.Tags || tag.SourceIdentity {
		t.Errorf("an actor in a tag: got %+v", tag)
	}
	if source := setup.UseOf(s, "source"); source.Tags || !source.SourceIdentity {
		t.Errorf("an actor in the source identity: got %+v", source)
	}
	for _, name := range []string{"b", "transitive", "none", "name"} {
		got := setup.UseOf(s, name)
		if got.Tags || got.SourceIdentity || got.JavaScript != "" || got.Roles != nil ||
			got.Choices != nil || got.Duration {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if s.Rules[0].Targets = nil; !setup.UseOf(s, "b").Tags {
		t.Error("a rule for all targets does not count")
	}
}

// sameJSON compares two documents by their meaning.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil &&
		json.Unmarshal([]byte(b), &y) == nil && x != nil &&
		reflect.DeepEqual(x, y)
}
