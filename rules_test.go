package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/samlattr"
)

const (
	admin         = "arn:aws:iam::123456789012:role/admin"
	reader        = "arn:aws:iam::123456789012:role/reader"
	otherProvider = "arn:aws:iam::123456789012:saml-provider/other"
)

// apply runs one rule on a user with the given properties, and returns what it made of the context.
func apply(rule delegation.RuleFunc, properties map[string]any) (delegation.AWS, error) {
	rc := &delegation.RuleContext{AWS: delegation.AWS{
		Principal: principal,
		Role:      role,
		Region:    "eu-central-1",
	}}
	err := rule(context.Background(), &delegation.User{Properties: properties}, rc)
	return rc.AWS, err
}

// wantDenied checks that a rule refused with exactly this reason.
func wantDenied(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || err.Error() != delegation.Deny(reason).Error() {
		t.Errorf("got %v, want a denial: %s", err, reason)
	}
}

func TestUser_Value(t *testing.T) {
	user := &delegation.User{Properties: map[string]any{
		"name": "Alice",
		"app_metadata": map[string]any{
			"roles": []any{"admin", "ops"},
			"a.b":   map[string]any{"c": "dotted inside"},
			"a":     map[string]any{"b": map[string]any{"d": "plain inside"}},
		},
		"identities":                 []any{map[string]any{"connection": "google"}, "odd"},
		"https://example.com/groups": []any{"staff"},
		"https://example":            map[string]any{"com/groups": "the path loses"},
		"null":                       nil,
	}}
	tests := []struct {
		path  string
		want  any
		found bool
	}{
		{"name", "Alice", true},
		{"null", nil, true},
		{"app_metadata.roles", []any{"admin", "ops"}, true},
		{"app_metadata.roles.1", "ops", true},
		{"app_metadata.roles.2", nil, false},
		{"app_metadata.roles.-1", nil, false},
		{"app_metadata.roles.x", nil, false},
		{"app_metadata.a.b.c", "dotted inside", true},
		// the longest name has no such member, the shorter one has
		{"app_metadata.a.b.d", "plain inside", true},
		{"identities.0.connection", "google", true},
		{"identities.1.connection", nil, false},
		{"https://example.com/groups", []any{"staff"}, true},
		{"name.first", nil, false},
		{"absent", nil, false},
		{"absent.deep", nil, false},
		{"", nil, false},
		{".", nil, false},
		{"app_metadata.", nil, false},
		{".name", nil, false},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			got, found := user.Value(test.path)
			if found != test.found || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %#v, %v, want %#v, %v", got, found, test.want, test.found)
			}
		})
	}
}

func TestUser_TypedReaders(t *testing.T) {
	user := &delegation.User{Properties: map[string]any{
		"text": "x", "true": true, "false": false, "number": json.Number("1"), "one": 1,
		"words": "true", "null": nil,
		"list": []any{"a", "b"}, "strings": []string{"a", "b"},
		"mixed":    []any{"a", json.Number("1"), false},
		"withNull": []any{"a", nil}, "withList": []any{"a", []any{"b"}},
		"withObject": []any{"a", map[string]any{}},
		"empty":      []any{}, "object": map[string]any{"a": "b"},
	}}
	texts, bools, lists := map[string]string{}, map[string]bool{}, map[string][]string{}
	for name := range user.Properties {
		if s := user.Text(name); s != "" {
			texts[name] = s
		}
		if user.Bool(name) {
			bools[name] = true
		}
		if l := user.List(name); len(l) > 0 {
			lists[name] = l
		}
	}
	if want := map[string]string{"text": "x", "words": "true"}; !maps.Equal(texts, want) {
		t.Errorf("Text: got %v, want %v", texts, want)
	}
	if want := map[string]bool{"true": true}; !maps.Equal(bools, want) {
		t.Errorf("Bool: got %v, want %v", bools, want)
	}
	want := map[string][]string{
		"text": {"x"}, "words": {"true"}, "true": {"true"}, "false": {"false"}, "number": {"1"},
		"one":  {"1"},
		"list": {"a", "b"}, "strings": {"a", "b"}, "mixed": {"a", "1", "false"},
	}
	if !reflect.DeepEqual(lists, want) {
		t.Errorf("List: got %v, want %v", lists, want)
	}
	user.List("strings")[0] = "changed"
	if user.List("strings")[0] != "a" {
		t.Error("List gave the property itself away")
	}
}

func TestUser_ZeroValue(t *testing.T) {
	var user delegation.User
	_, ok := user.Value("x")
	if ok || user.Text("user_id") != "" || user.Text("x") != "" || user.Bool("x") ||
		user.List("x") != nil {
		t.Error("the zero User has properties")
	}
	user.Set("user_id", alice)
	if user.Text("user_id") != alice {
		t.Errorf("got %q after Set", user.Text("user_id"))
	}
}

func TestUser_OfTheToken(t *testing.T) {
	derived := []any{map[string]any{
		"provider": "google-oauth2", "connection": "google-oauth2", "user_id": "1130",
		"isSocial": true,
	}}
	tests := []struct {
		name       string
		claims     map[string]any
		want       map[string]any // nil: absent
		connection string
	}{
		{"user_id is the sub", map[string]any{"sub": "auth0|bob"},
			map[string]any{"user_id": "auth0|bob", "sub": "auth0|bob"}, "auth0"},
		{"a claim user_id counts for nothing", map[string]any{"user_id": "auth0|root"},
			map[string]any{"user_id": alice}, "auth0"},
		{"identities from the sub", map[string]any{"sub": "google-oauth2|1130"},
			map[string]any{"identities": derived}, "google-oauth2"},
		{"the database is not social", nil,
			map[string]any{"identities.0.isSocial": false, "identities.0.user_id": "alice"},
			"auth0"},
		{"only the first bar divides", map[string]any{"sub": "samlp|adfs|bob"},
			map[string]any{"identities.0.provider": "samlp", "identities.0.user_id": "adfs|bob"},
			"samlp"},
		{"a sub without provider", map[string]any{"sub": "bob"}, map[string]any{"identities": nil},
			""},
		{"the token's own identities",
			map[string]any{"identities": []any{map[string]any{"connection": "corp"}}},
			map[string]any{"identities.0.connection": "corp", "identities.0.provider": nil},
			"corp"},
		{"all claims", map[string]any{"name": "Alice", "nickname": "al", "groups": []string{"a"},
			"https://example.com/x": 1.5},
			map[string]any{
				"name": "Alice", "nickname": "al", "groups": []any{"a"},
				"https://example.com/x": json.Number("1.5"), "aud": app,
			}, "auth0"},
		{"no digit of a number is lost",
			map[string]any{"n": json.RawMessage("12345678901234567890123")},
			map[string]any{"n": json.Number("12345678901234567890123")}, "auth0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			ran := false
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, user *delegation.User, rc *delegation.RuleContext,
			) error {
				ran = true
				for path, want := range test.want {
					if got, _ := user.Value(path); !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got %#v, want %#v", path, got, want)
					}
				}
				if rc.Connection != test.connection {
					t.Errorf("connection: got %q, want %q", rc.Connection, test.connection)
				}
				return nil
			}}
			if _, err := w.exchange(t, test.claims); err != nil || !ran {
				t.Fatalf("the rule ran: %v, error: %v", ran, err)
			}
		})
	}
}

func TestRoleByClaim(t *testing.T) {
	table := []delegation.RoleMatch{
		{Pattern: "ops", Role: admin},
		{Pattern: "a|b", Role: reader, Principal: otherProvider, Region: "us-east-1"},
		{Pattern: `team-\d+`, Role: admin, Principal: otherProvider},
		{Pattern: "team-1", Role: reader},
		{Pattern: "(?i)guest", Role: reader},
	}
	const denied = "no role is assigned to this user"
	tests := []struct {
		name      string
		groups    any // nil: absent
		wantRole  string
		principal string
		region    string
	}{
		{"one value", "ops", admin, principal, "eu-central-1"},
		{"one of a list", []any{"x", "ops"}, admin, principal, "eu-central-1"},
		{"a list of strings, as a rule may set it", []string{"ops"},
			admin, principal, "eu-central-1"},
		{"first alternative", "a", reader, otherProvider, "us-east-1"},
		{"second alternative", "b", reader, otherProvider, "us-east-1"},
		{"the first row wins", "team-1", admin, otherProvider, "eu-central-1"},
		{"the table's order wins over the claim's", []any{"b", "ops"},
			admin, principal, "eu-central-1"},
		{"flags of a pattern", "GUEST", reader, principal, "eu-central-1"},
		{"no flags, no folding", "OPS", "", "", ""},
		{"an alternative is whole: behind", "a.evil", "", "", ""},
		{"an alternative is whole: before", "evil.b", "", "", ""},
		{"a line end behind", "ops\n", "", "", ""},
		{"a second line", "evil\nops", "", "", ""},
		{"part of a value", "devops", "", "", ""},
		{"empty text", "", "", "", ""},
		{"empty list", []any{}, "", "", ""},
		{"absent", nil, "", "", ""},
		{"a number", json.Number("1"), "", "", ""},
		{"a boolean", true, "", "", ""},
		{"an object with such a key", map[string]any{"ops": "ops"}, "", "", ""},
		{"a list within the list", []any{[]any{"ops"}}, "", "", ""},
		{"a list with null in it", []any{"ops", nil}, "", "", ""},
		{"a list with an object in it", []any{"ops", map[string]any{}}, "", "", ""},
		{"several groups as one text", "x,ops", "", "", ""},
	}
	rule := delegation.Must(delegation.RoleByClaim("app_metadata.groups", table...))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			metadata := map[string]any{}
			if test.groups != nil {
				metadata["groups"] = test.groups
			}
			got, err := apply(rule, map[string]any{"app_metadata": metadata})
			if test.wantRole == "" {
				wantDenied(t, err, denied)
				if got.Role != role || got.Principal != principal {
					t.Error("a denial has changed the role")
				}
				return
			}
			if err != nil || got.Role != test.wantRole || got.Principal != test.principal ||
				got.Region != test.region {
				t.Errorf("got %s, %s, %s, %v", got.Role, got.Principal, got.Region, err)
			}
		})
	}

	t.Run("null", func(t *testing.T) {
		_, err := apply(rule, map[string]any{"app_metadata": map[string]any{"groups": nil}})
		wantDenied(t, err, denied)
	})
	t.Run("an empty table denies", func(t *testing.T) {
		_, err := apply(delegation.Must(delegation.RoleByClaim("groups")),
			map[string]any{"groups": "ops"})
		wantDenied(t, err, denied)
	})
	t.Run("the table is copied", func(t *testing.T) {
		own := []delegation.RoleMatch{{Pattern: "ops", Role: reader}}
		rule := delegation.Must(delegation.RoleByClaim("groups", own...))
		own[0].Role = admin
		got, err := apply(rule, map[string]any{"groups": "ops"})
		if err != nil || got.Role != reader {
			t.Errorf("got %s, %v", got.Role, err)
		}
	})
}

func TestRoleByClaim_RefusesBadTables(t *testing.T) {
	for name, row := range map[string]delegation.RoleMatch{
		"parentheses that only the wrapping closes": {Pattern: "a)|(b", Role: role},
		"a closing parenthesis":                     {Pattern: "a)", Role: role},
		"an open group":                             {Pattern: "(a", Role: role},
		// valid alone, and swallows what is wrapped around it
		"an open quotation":    {Pattern: `\Qa`, Role: role},
		"an open class":        {Pattern: "[a", Role: role},
		"a trailing backslash": {Pattern: `a\`, Role: role},
		"an empty pattern":     {Role: role},
		"no role":              {Pattern: "a"},
		"nothing":              {},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("panic instead of an error: %v", r)
				}
			}()
			good := delegation.RoleMatch{Pattern: "x", Role: role}
			rule, err := delegation.RoleByClaim("groups", good, row)
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if rule != nil || !strings.Contains(e.Error(), "row 2") ||
				!strings.Contains(e.Error(), `"groups"`) {
				t.Errorf("the error names neither property nor row: %v", e)
			}
		})
	}
}

func TestMust(t *testing.T) {
	_, err := delegation.RoleByClaim("groups", delegation.RoleMatch{})
	defer func() {
		if r := recover(); r != err {
			t.Errorf("panicked with %v, want the constructor's error", r)
		}
	}()
	delegation.Must(nil, err)
	t.Error("no panic")
}

func TestRequireVerifiedEmail(t *testing.T) {
	tests := map[string]struct {
		properties map[string]any
		allowed    bool
	}{
		"verified":     {map[string]any{"email": "a@example.com", "email_verified": true}, true},
		"not verified": {map[string]any{"email": "a@example.com", "email_verified": false}, false},
		"the text true": {map[string]any{"email": "a@example.com", "email_verified": "true"},
			false},
		"the number 1": {
			map[string]any{"email": "a@example.com", "email_verified": json.Number("1")}, false,
		},
		"a list": {
			map[string]any{"email": "a@example.com", "email_verified": []any{true}}, false,
		},
		"null":           {map[string]any{"email": "a@example.com", "email_verified": nil}, false},
		"absent":         {map[string]any{"email": "a@example.com"}, false},
		"no email":       {map[string]any{"email_verified": true}, false},
		"an empty email": {map[string]any{"email": "", "email_verified": true}, false},
		"an email of no text": {
			map[string]any{"email": []any{"a@example.com"}, "email_verified": true}, false,
		},
		"nothing":      {nil, false},
		"another case": {map[string]any{"email": "a@example.com", "Email_Verified": true}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := apply(delegation.RequireVerifiedEmail(), test.properties)
			if test.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantDenied(t, err, "a verified email address is required")
		})
	}
}

func TestAllowConnections(t *testing.T) {
	tests := []struct {
		name       string
		listed     []string
		connection string
		allowed    bool
	}{
		{"listed", []string{"corp", "google-oauth2"}, "google-oauth2", true},
		{"not listed", []string{"corp"}, "google-oauth2", false},
		{"part of a name", []string{"corp"}, "corp2", false},
		{"another case", []string{"corp"}, "Corp", false},
		{"no connection", []string{"corp"}, "", false},
		{"no connection, and an empty name listed", []string{""}, "", false},
		{"nothing listed", nil, "corp", false},
		{"nothing at all", nil, "", false},
		{"a pattern is no pattern", []string{".*", "*"}, "corp", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rule := delegation.AllowConnections(test.listed...)
			err := rule(t.Context(), &delegation.User{},
				&delegation.RuleContext{Connection: test.connection})
			if test.allowed {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantDenied(t, err, "this way of signing in is not allowed here")
		})
	}
	t.Run("the list is copied", func(t *testing.T) {
		own := []string{"corp"}
		rule := delegation.AllowConnections(own...)
		own[0] = "evil"
		wantDenied(t, rule(t.Context(), &delegation.User{}, &delegation.RuleContext{
			Connection: "evil",
		}), "this way of signing in is not allowed here")
	})
}

func TestAllowEmailDomains(t *testing.T) {
	good := []string{"good.com", "Example.ORG"}
	tests := []struct {
		name    string
		domains []string
		email   any
		allowed bool
	}{
		{"listed", good, "a@good.com", true},
		{"upper case in the address", good, "A@GOOD.COM", true},
		{"upper case in the list", good, "a@example.org", true},
		{"another domain", good, "a@bad.com", false},
		{"two at signs, the last counts", good, "evil@good.com@bad.com", false},
		{"two at signs, the good one last", good, `"evil@bad.com"@good.com`, true},
		{"a subdomain", good, "a@sub.good.com", false},
		{"a parent domain", []string{"sub.good.com"}, "a@good.com", false},
		{"a domain that ends alike", good, "a@evilgood.com", false},
		{"a domain that begins alike", good, "a@good.com.evil.net", false},
		{"a final dot", good, "a@good.com.", false},
		{"a blank behind", good, "a@good.com ", false},
		{"a line end behind", good, "a@good.com\n", false},
		{"no at sign", good, "good.com", false},
		{"no local part", good, "@good.com", false},
		{"no domain", good, "a@", false},
		{"no domain, and an empty one listed", []string{""}, "a@", false},
		{"the Kelvin sign, which folds to k", []string{"kelvin.com"}, "a@\u212Aelvin.com", false},
		{"the long s, which folds to s", []string{"sub.com"}, "a@\u017Fub.com", false},
		{"the Kelvin sign listed", []string{"\u212Aelvin.com"}, "a@\u212Aelvin.com", false},
		{"a wildcard is no wildcard", []string{"*", "*.com", ".*"}, "a@good.com", false},
		{"nothing listed", nil, "a@good.com", false},
		{"empty", good, "", false},
		{"a list", good, []any{"a@good.com"}, false},
		{"null", good, nil, false},
	}
	const reason = "this email domain is not allowed here"
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := apply(delegation.AllowEmailDomains(test.domains...),
				map[string]any{"email": test.email, "email_verified": true})
			if !test.allowed {
				wantDenied(t, err, reason)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("not verified", func(t *testing.T) {
		for _, verified := range []any{nil, false, "true", json.Number("1")} {
			_, err := apply(delegation.AllowEmailDomains("good.com"),
				map[string]any{"email": "a@good.com", "email_verified": verified})
			wantDenied(t, err, reason)
		}
	})
	t.Run("the list is copied", func(t *testing.T) {
		own := []string{"good.com"}
		rule := delegation.AllowEmailDomains(own...)
		own[0] = "evil.com"
		_, err := apply(rule, map[string]any{"email": "a@evil.com", "email_verified": true})
		wantDenied(t, err, reason)
	})
}

func TestTagsFromClaims(t *testing.T) {
	tests := []struct {
		name  string
		value any
		want  string
		ok    bool
	}{
		{"text", "red", "red", true},
		{"empty text", "", "", true},
		{"a number", json.Number("12.50"), "12.50", true},
		{"a boolean", true, "true", true},
		{"false", false, "false", true},
		{"an int, as a rule may set it", 7, "7", true},
		{"a float, as a rule may set it", 1e21, "1000000000000000000000", true},
		{"null", nil, "", false},
		{"a list", []any{"red"}, "", false},
		{"an empty list", []any{}, "", false},
		{"an object", map[string]any{"a": "red"}, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rule := delegation.TagsFromClaims(map[string]string{"Color": "app_metadata.color"})
			got, err := apply(rule,
				map[string]any{"app_metadata": map[string]any{"color": test.value}})
			if !test.ok {
				wantDenied(t, err, "the profile lacks app_metadata.color")
				return
			}
			if err != nil || !maps.Equal(got.Tags, map[string]string{"Color": test.want}) {
				t.Errorf("got %v, %v", got.Tags, err)
			}
		})
	}
	t.Run("absent", func(t *testing.T) {
		_, err := apply(delegation.TagsFromClaims(map[string]string{"Color": "color"}), nil)
		wantDenied(t, err, "the profile lacks color")
	})
	t.Run("the target's other tags stay, and the map is copied", func(t *testing.T) {
		own := map[string]string{"Color": "color"}
		rule := delegation.TagsFromClaims(own)
		own["Admin"] = "admin"
		rc := &delegation.RuleContext{AWS: delegation.AWS{
			Tags: map[string]string{"Color": "blue", "Team": "a"},
		}}
		user := &delegation.User{Properties: map[string]any{"color": "red", "admin": "yes"}}
		err := rule(t.Context(), user, rc)
		if err != nil || !maps.Equal(rc.AWS.Tags, map[string]string{"Color": "red", "Team": "a"}) {
			t.Errorf("got %v, %v", rc.AWS.Tags, err)
		}
	})
	t.Run("of several that lack, always the same is named", func(t *testing.T) {
		for range 20 {
			_, err := apply(
				delegation.TagsFromClaims(map[string]string{"b": "pb", "a": "pa", "c": "pc"}), nil)
			wantDenied(t, err, "the profile lacks pa")
		}
	})
}

func TestSourceIdentityFromClaim(t *testing.T) {
	for name, value := range map[string]any{
		"absent": nil, "empty": "", "a number": json.Number("7"), "a list": []any{"al"},
		"a boolean": true,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := apply(delegation.SourceIdentityFromClaim("nickname"),
				map[string]any{"nickname": value})
			wantDenied(t, err, "the profile lacks nickname")
		})
	}
	got, err := apply(delegation.SourceIdentityFromClaim("a.nickname"),
		map[string]any{"a": map[string]any{"nickname": "al"}})
	if err != nil || got.SourceIdentity != "al" {
		t.Errorf("got %q, %v", got.SourceIdentity, err)
	}
}

const folderPolicy = `{
	"Version": "2012-10-17",
	"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/{{ app_metadata.folder }}/*"}]
}`

func TestSessionPolicyFromTemplate(t *testing.T) {
	rule := delegation.Must(delegation.SessionPolicyFromTemplate(folderPolicy))
	allowed := map[string]any{
		"letters": "alice", "an email": "al.ice+x@example.com", "a user id": "auth0|5",
		"another alphabet": "Zoë", "a blank": "a b",
		"a number": json.Number("42"), "a boolean": true, "the rest": "_.@|+=,:-",
	}
	for name, value := range allowed {
		t.Run("allowed: "+name, func(t *testing.T) {
			got, err := apply(rule, map[string]any{"app_metadata": map[string]any{"folder": value}})
			want := fmt.Sprintf(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::photos/%v/*"}]}`, value)
			if err != nil || got.Policy != want {
				t.Errorf("got %s, %v", got.Policy, err)
			}
		})
	}
	denied := map[string]any{
		"every folder": "*", "a wildcard": "a*", "one character": "?",
		"a policy variable": "${aws:username}", "a dollar": "$", "another folder": "bob/x",
		"a parent": "../bob", "a slash": "/", "a quote": `x","Resource":"*`, "one quote": `"`,
		"a backslash": `\`, "an escape": `\u002a`,
		"a line end": "a\nb", "a line end behind": "a\n", "a tab": "a\tb", "NUL": "a\x00",
		"braces": "{{user_id}}", "a brace": "}", "an open brace": "{", "no-break space": "a\u00A0b",
		"invalid UTF-8":             "a\xff",
		"the replacement character": "\uFFFD", "an accent of its own": "e\u0301",
		"a mark for directions": "a\u202Eb",
		"empty":                 "", "null": nil, "a list": []any{"alice"},
		"an object":   map[string]any{"a": "b"},
		"parentheses": "(a)", "less": "<", "and": "&", "percent": "%2F", "semicolon": ";",
		"tilde": "~", "hash": "#", "apostrophe": "'",
	}
	for name, value := range denied {
		t.Run("denied: "+name, func(t *testing.T) {
			got, err := apply(rule, map[string]any{"app_metadata": map[string]any{"folder": value}})
			wantDenied(t, err, "the profile lacks a usable app_metadata.folder")
			if got.Policy != "" {
				t.Errorf("a policy was left: %s", got.Policy)
			}
		})
	}
	t.Run("denied: absent", func(t *testing.T) {
		_, err := apply(rule, nil)
		wantDenied(t, err, "the profile lacks a usable app_metadata.folder")
	})
	t.Run("one good property does not excuse a bad one", func(t *testing.T) {
		rule := delegation.Must(delegation.SessionPolicyFromTemplate(
			`{"a":"{{bad}}","b":"{{good}}"}`))
		got, err := apply(rule, map[string]any{"bad": "*", "good": "x"})
		wantDenied(t, err, "the profile lacks a usable bad")
		if got.Policy != "" {
			t.Errorf("a policy was left: %s", got.Policy)
		}
	})
	t.Run("values are not templates, and text around them stays", func(t *testing.T) {
		rule := delegation.Must(delegation.SessionPolicyFromTemplate(
			`{"{{x}}":"<{{x}}-{{x}}>","${aws:username}":"{x}"}`))
		got, err := apply(rule, map[string]any{"x": "v"})
		if want := `{"v":"<v-v>","${aws:username}":"{x}"}`; err != nil || got.Policy != want {
			t.Errorf("got %s, %v", got.Policy, err)
		}
	})
	t.Run("a template without properties", func(t *testing.T) {
		got, err := apply(delegation.Must(delegation.SessionPolicyFromTemplate(`{ "a" : 1 }`)), nil)
		if err != nil || got.Policy != `{"a":1}` {
			t.Errorf("got %s, %v", got.Policy, err)
		}
	})
}

func TestSessionPolicyFromTemplate_RefusesBadTemplates(t *testing.T) {
	for name, template := range map[string]string{
		"empty": "", "no JSON": "{", "a list": "[]", "a text": `"x"`,
		"a property outside a string": `{"a":{{x}}}`, "two objects": "{}{}",
		"a member twice": `{"a":1,"a":2}`, "invalid UTF-8": "{\"a\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			rule, err := delegation.SessionPolicyFromTemplate(template)
			wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if rule != nil {
				t.Error("there is a rule nevertheless")
			}
		})
	}
}

// FuzzPolicyTemplate holds that a value which gets into a policy stands there as one JSON string,
// unaltered, and with nothing that a policy reads as more than a name.
func FuzzPolicyTemplate(f *testing.F) {
	for _, seed := range []string{
		"alice", "*", `"`, "${aws:username}", "a/b", "a\nb", "Zoë", "\xff", "{{x}}", "\\",
		"a b", "\u2028",
	} {
		f.Add(seed)
	}
	rule := delegation.Must(delegation.SessionPolicyFromTemplate(
		`{"Resource":"photos/{{x}}/","Other":["{{x}}"],"Fixed":"f"}`))
	f.Fuzz(func(t *testing.T, value string) {
		got, err := apply(rule, map[string]any{"x": value})
		if err != nil {
			wantDenied(t, err, "the profile lacks a usable x")
			return
		}
		if strings.ContainsAny(value, "*?$/\\\"{}<>\t\r\n\x00") || value == "" {
			t.Fatalf("%q got into a policy", value)
		}
		var policy map[string]any
		if err := json.Unmarshal([]byte(got.Policy), &policy); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"Resource": "photos/" + value + "/", "Other": []any{value}, "Fixed": "f",
		}
		if !reflect.DeepEqual(policy, want) {
			t.Fatalf("got %v, want %v", policy, want)
		}
	})
}

// trace is a rule that notes its name.
func trace(into *[]string, name string, then error) delegation.RuleFunc {
	return func(context.Context, *delegation.User, *delegation.RuleContext) error {
		*into = append(*into, name)
		return then
	}
}

func TestRules_RunInOrder(t *testing.T) {
	w := newWorld(t)
	var ran []string
	w.config.Rules = []delegation.RuleFunc{
		trace(&ran, "first", nil), trace(&ran, "second", nil), trace(&ran, "third", nil),
	}
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first", "second", "third"}; !slices.Equal(ran, want) {
		t.Errorf("got %v, want %v", ran, want)
	}
}

func TestRules_TheFirstErrorEndsTheExchange(t *testing.T) {
	w := newWorld(t)
	var ran []string
	w.config.Rules = []delegation.RuleFunc{
		trace(&ran, "first", nil), trace(&ran, "second", delegation.Deny("enough")),
		trace(&ran, "third", nil),
	}
	credentials, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	want := []string{"first", "second"}
	if !slices.Equal(ran, want) || credentials != nil || len(w.sent) > 0 {
		t.Errorf("ran %v, sent %d", ran, len(w.sent))
	}
}

func TestRules_SeeWhatEarlierOnesChanged(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{
		func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
			user.Set("group", "ops")
			rc.AWS.Region = "us-west-2"
			return nil
		},
		func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
			if user.Text("group") != "ops" || rc.AWS.Region != "us-west-2" {
				return errors.New("the first rule's changes are lost")
			}
			return nil
		},
	}
	credentials, err := w.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if credentials.Region != "us-west-2" {
		t.Errorf("got the region %s", credentials.Region)
	}
}

func TestRules_GetTheContext(t *testing.T) {
	w := newWorld(t)
	settings := delegation.AWS{
		Principal: principal, Role: role, Region: "eu-central-1",
		Mappings:          delegation.Mappings{samlattr.Name: "name"},
		Tags:              map[string]string{"a": "b"},
		PolicyARNs:        []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
		TransitiveTagKeys: []string{"a"}, SourceIdentity: "source",
	}
	w.target(func(target *delegation.Target) { target.AWS = settings })
	type key struct{}
	w.config.Rules = []delegation.RuleFunc{func(
		ctx context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		want := &delegation.RuleContext{
			ClientID: app, Issuer: w.url, TokenKind: delegation.TokenKindID, Target: app,
			Protocol: "delegation", Connection: "auth0", Rule: "delegation_test.TestRules_GetTheContext", AWS: settings,
			Request: delegation.Request{
				IP:         "192.0.2.1",
				UserAgent:  "curl",
				Hostname:   "example.com",
				Parameters: map[string]any{"x": "y"},
			},
		}
		got := delegation.WithoutSignIn(rc)
		if ctx.Value(key{}) != "mine" || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", rc, want)
		}
		return nil
	}}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	request := delegation.Request{
		IP:         "192.0.2.1",
		UserAgent:  "curl",
		Hostname:   "example.com",
		Parameters: map[string]any{"x": "y"},
	}
	_, err := w.delegator(t).Exchange(ctx, w.token(nil), app, delegation.WithRequest(request))
	if err != nil {
		t.Fatal(err)
	}
}

// TestRules_LeaveValues: what a rule leaves is there for the next one, and gone with the exchange.
func TestRules_LeaveValues(t *testing.T) {
	w := newWorld(t)
	type key struct{}
	var seen []any
	look := func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
		seen = append(seen, rc.Values[key{}])
		if rc.Values == nil {
			rc.Values = map[any]any{key{}: "left"}
		}
		return nil
	}
	w.config.Rules = []delegation.RuleFunc{look, look}
	d := w.delegator(t)
	for range 2 {
		if _, err := d.Exchange(t.Context(), w.token(nil), app); err != nil {
			t.Fatal(err)
		}
	}
	if want := []any{nil, "left", nil, "left"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}

func TestRules_Cancelled(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprintf("limit %s", limit), func(t *testing.T) { testCancelled(t, limit) })
	}
}

func testCancelled(t *testing.T, limit time.Duration) {
	t.Run("by the first rule", func(t *testing.T) {
		w := newWorld(t)
		w.config.RuleTimeout = limit
		var ran []string
		ctx, cancel := context.WithCancel(t.Context())
		w.config.Rules = []delegation.RuleFunc{
			func(context.Context, *delegation.User, *delegation.RuleContext) error {
				cancel()
				return nil
			},
			trace(&ran, "second", nil),
		}
		_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageRules, delegation.CodeCanceled)
		if !errors.Is(err, context.Canceled) || len(ran) > 0 || len(w.sent) > 0 {
			t.Errorf("got %v; then ran %v", err, ran)
		}
	})
	t.Run("by the last rule", func(t *testing.T) {
		w := newWorld(t)
		w.config.RuleTimeout = limit
		ctx, cancel := context.WithCancel(t.Context())
		w.config.Rules = []delegation.RuleFunc{
			func(context.Context, *delegation.User, *delegation.RuleContext) error {
				cancel()
				return nil
			},
		}
		_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageRules, delegation.CodeCanceled)
	})
	t.Run("a rule passes the cancellation on", func(t *testing.T) {
		w := newWorld(t)
		w.config.RuleTimeout = limit
		ctx, cancel := context.WithCancel(t.Context())
		w.config.Rules = []delegation.RuleFunc{func(
			ctx context.Context, _ *delegation.User, _ *delegation.RuleContext,
		) error {
			cancel()
			<-ctx.Done()
			return fmt.Errorf("asking the database: %w", ctx.Err())
		}}
		_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageRules, delegation.CodeCanceled)
	})
	t.Run("a rule's own time-out is the rule's failure", func(t *testing.T) {
		w := newWorld(t)
		w.config.RuleTimeout = limit
		w.config.Rules = []delegation.RuleFunc{trace(new([]string), "", context.DeadlineExceeded)}
		_, err := w.exchange(t, nil)
		wantError(t, err, delegation.StageRules, delegation.CodeRuleFailed)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not wrap the rule's error", err)
		}
	})
	t.Run("a denial stands, cancelled or not", func(t *testing.T) {
		w := newWorld(t)
		w.config.RuleTimeout = limit
		ctx, cancel := context.WithCancel(t.Context())
		w.config.Rules = []delegation.RuleFunc{func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) error {
			cancel()
			return delegation.Deny("no")
		}}
		_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
		wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	})
}

func panicsWithValue(context.Context, *delegation.User, *delegation.RuleContext) error {
	panic("a value")
}
func panicsWithError(context.Context, *delegation.User, *delegation.RuleContext) error {
	panic(errors.New("an error"))
}
func panicsWithDenial(context.Context, *delegation.User, *delegation.RuleContext) error {
	panic(delegation.Deny("not a denial"))
}
func panicsWithNil(context.Context, *delegation.User, *delegation.RuleContext) error { panic(nil) }
func dereferencesNil(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
	var other *delegation.User
	user.Set("x", other.Text("user_id"))
	return nil
}

func TestRules_PanicBecomesAnError(t *testing.T) {
	for name, rule := range map[string]delegation.RuleFunc{
		"panicsWithValue": panicsWithValue, "panicsWithError": panicsWithError,
		"panicsWithDenial": panicsWithDenial,
		"panicsWithNil":    panicsWithNil, "dereferencesNil": dereferencesNil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{delegation.AllowConnections("auth0"), rule}
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageRules, delegation.CodeRulePanicked)
			if !strings.Contains(e.Error(), "delegation_test."+name) ||
				e.Public() != "access denied" {
				t.Errorf("the error does not name the rule, or says too much: %v; %s",
					e, e.Public())
			}
			if len(w.events) != 1 || w.events[0].Rule != "delegation_test."+name ||
				w.events[0].Code != delegation.CodeRulePanicked {
				t.Errorf("the event does not name the rule: %+v", w.events)
			}
		})
	}
}

func TestRules_Failures(t *testing.T) {
	own := errors.New("the database is down")
	tests := []struct {
		name   string
		err    error
		code   delegation.Code
		public string
		wraps  error
	}{
		{"a denial", delegation.Deny("only staff"), delegation.CodeDenied, "only staff", nil},
		{"a wrapped denial", fmt.Errorf("group check: %w", delegation.Deny("only staff")),
			delegation.CodeDenied, "only staff", nil},
		{"a joined denial", errors.Join(own, delegation.Deny("only staff")), delegation.CodeDenied,
			"only staff", own},
		{"another error", own, delegation.CodeRuleFailed, "access denied", own},
		{"an error of this package", delegation.CodeTokenExpired, delegation.CodeRuleFailed,
			"access denied", delegation.CodeTokenExpired},
		{"an error that says panic", delegation.CodeRulePanicked, delegation.CodeRuleFailed,
			"access denied", delegation.CodeRulePanicked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{
				delegation.AllowConnections("auth0"), trace(new([]string), "", test.err),
			}
			_, err := w.exchange(t, nil)
			e := wantError(t, err, delegation.StageRules, test.code)
			if e.Public() != test.public || !errors.Is(err, test.err) ||
				test.wraps != nil && !errors.Is(err, test.wraps) {
				t.Errorf("got %v, public %q", err, e.Public())
			}
			if !strings.Contains(err.Error(), "rule 2 (delegation_test.") {
				t.Errorf("the error does not name the rule: %v", err)
			}
			if e.Retryable {
				t.Error("a rule's refusal is not for retrying")
			}
		})
	}
}

func TestRules_EventNamesTheRuleThatDecided(t *testing.T) {
	choose := func(arn string) delegation.RuleFunc {
		return delegation.Must(delegation.RoleByClaim("sub",
			delegation.RoleMatch{Pattern: ".*", Role: arn}))
	}
	tests := []struct {
		name  string
		rules []delegation.RuleFunc
		want  string
	}{
		{"no rules", nil, ""},
		{"none changed the role",
			[]delegation.RuleFunc{delegation.AllowConnections("auth0"), choose(role)}, ""},
		{"the last that changed it",
			[]delegation.RuleFunc{choose(admin), delegation.AllowConnections("auth0")},
			"delegation.RoleByClaim"},
		{"the one that refused",
			[]delegation.RuleFunc{choose(admin), delegation.RequireVerifiedEmail()}, "delegation."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = test.rules
			_, _ = w.exchange(t, nil)
			got := w.events[0].Rule
			if got != test.want &&
				!(strings.HasSuffix(test.want, ".") && strings.HasPrefix(got, test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestRules_ReadyMadeHaveNames holds that an operator who reads an error or event can tell which of
// the ready-made rules refused.
func TestRules_ReadyMadeHaveNames(t *testing.T) {
	for name, rule := range map[string]delegation.RuleFunc{
		"delegation.RequireVerifiedEmail": delegation.RequireVerifiedEmail(),
		"delegation.AllowConnections":     delegation.AllowConnections(),
		"delegation.AllowEmailDomains":    delegation.AllowEmailDomains(),
		"delegation.RoleByClaim":          delegation.Must(delegation.RoleByClaim("x")),
		"delegation.TagsFromClaims": delegation.TagsFromClaims(map[string]string{
			"a": "absent",
		}),
		"delegation.TagsFrom": delegation.Must(delegation.TagsFrom(map[string]delegation.ClaimText{
			"a": {From: "absent"},
		})),
		"delegation.SourceIdentityFrom": delegation.Must(delegation.SourceIdentityFrom(
			delegation.ClaimText{From: "absent"})),
		"delegation.NamesFrom": delegation.Must(delegation.NamesFrom(delegation.NameTemplates{
			NameID: "{{absent}}",
		})),
		"delegation.SourceIdentityFromClaim":   delegation.SourceIdentityFromClaim("absent"),
		"delegation.SessionPolicyFromTemplate": delegation.Must(delegation.SessionPolicyFromTemplate(`{"a":"{{absent}}"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{rule}
			_, err := w.exchange(t, nil)
			wantError(t, err, delegation.StageRules, delegation.CodeDenied)
			if w.events[0].Rule != name {
				t.Errorf("got %q", w.events[0].Rule)
			}
		})
	}
}

// vandal changes everything that a rule is given, at every depth.
func vandal(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
	smash(reflect.ValueOf(user.Properties))
	smash(reflect.ValueOf(rc.Request.Parameters))
	smash(reflect.ValueOf(rc.AWS.Mappings))
	smash(reflect.ValueOf(rc.AWS.Tags))
	smash(reflect.ValueOf(rc.AWS.PolicyARNs))
	smash(reflect.ValueOf(rc.AWS.TransitiveTagKeys))
	smash(reflect.ValueOf(rc.AWS.DroppableTags))
	smash(reflect.ValueOf(rc.AWS.FailoverRegions))
	rc.AWS = delegation.AWS{Principal: principal, Role: role, Region: "eu-central-1"}
	*user = delegation.User{}
	return nil
}

// smash writes to every element of a map or slice, and to what is inside.
func smash(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		smash(v.Elem())
	case reflect.Map:
		for _, key := range v.MapKeys() {
			smash(v.MapIndex(key))
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			smash(v.Index(i))
			v.Index(i).SetZero()
		}
	}
}

// TestRules_CannotChangeTheSubject: a rule may change all that it sees of the user, and ${saml:sub}
// stays the token's sub unless it sets AWS.NameID.
func TestRules_CannotChangeTheSubject(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, _ *delegation.RuleContext,
	) error {
		user.Set("sub", "root")
		user.Set("user_id", "root")
		return nil
	}}
	credentials, err := w.exchange(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := nameIDOf(w.last())
	if got != alice || credentials.Subject != alice || w.events[0].Subject != alice {
		t.Errorf("the NameID is %q, the event says %q", got, w.events[0].Subject)
	}
}

// source is a TargetSource of a function.
type source func(ctx context.Context, name string) (*delegation.Target, error)

func (s source) Target(ctx context.Context, name string) (*delegation.Target, error) {
	return s(ctx, name)
}

func sharedTarget() *delegation.Target {
	return &delegation.Target{
		Audiences: []string{app}, AllowedRoles: []string{role},
		AWS: delegation.AWS{
			Principal: principal, Role: role, Region: "eu-central-1",
			Mappings:          delegation.Mappings{samlattr.Name: "name"},
			Tags:              map[string]string{"a": "b"},
			PolicyARNs:        []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			TransitiveTagKeys: []string{"a"},
			DroppableTags:     []string{"a"}, FailoverRegions: []string{"eu-west-1"},
		},
	}
}

func sharedProfile() map[string]any {
	return map[string]any{
		"groups": []any{"staff", map[string]any{"deep": []any{"x"}}},
		"app_metadata": map[string]any{
			"roles": []any{"r"}, "quota": map[string]any{"gb": json.Number("1")},
		},
		"strings":  []string{"s"},
		"labels":   map[string]string{"team": "a"},
		"accounts": []map[string]any{{"id": "1"}},
		"numbers":  []int{1},
		"lists":    map[string][]string{"x": {"y"}},
	}
}

// TestRules_MayChangeWhatTheyGet runs 64 exchanges at once whose rules destroy all they can reach,
// while target, profile and request are shared. The race detector and the comparison at the end
// both watch.
func TestRules_MayChangeWhatTheyGet(t *testing.T) {
	t.Parallel()
	shared := map[string]func() any{
		"target of a source": func() any { return sharedTarget() },
		"target of a map":    func() any { return delegation.Targets{app: *sharedTarget()} },
		"profile":            func() any { return sharedProfile() },
		"request": func() any {
			return delegation.Request{Parameters: map[string]any{"x": "y", "list": []any{"z"}}}
		},
	}
	for name, fresh := range shared {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{vandal}
			value, options := fresh(), []delegation.ExchangeOption(nil)
			switch v := value.(type) {
			case *delegation.Target:
				w.config.Targets = source(func(context.Context, string) (*delegation.Target,
					error) {
					return v, nil
				})
			case delegation.Targets:
				w.config.Targets = v
			case map[string]any:
				w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
					return v, nil
				}
			case delegation.Request:
				options = append(options, delegation.WithRequest(v))
			}
			d, token := w.delegator(t), w.token(map[string]any{"name": "Alice"})
			var wait sync.WaitGroup
			for range 64 {
				wait.Go(func() {
					_, err := d.Exchange(context.Background(), token, app, options...)
					if err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if !reflect.DeepEqual(value, fresh()) {
				t.Errorf("rules changed what others share: %+v", value)
			}
		})
	}
}

func TestRules_ConcurrentExchangesDoNotMix(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) { target.Tags = map[string]string{"who": "nobody"} })
	w.config.Rules = []delegation.RuleFunc{delegation.TagsFromClaims(map[string]string{
		"who": "nickname",
	})}
	d := w.delegator(t)
	var wait sync.WaitGroup
	for i := range 64 {
		who := fmt.Sprintf("user%d", i)
		token := w.token(map[string]any{"sub": who, "nickname": who})
		wait.Go(func() {
			credentials, err := d.Exchange(context.Background(), token, app)
			if err != nil || credentials.Subject != who {
				t.Errorf("%s: got %+v, %v", who, credentials, err)
			}
		})
	}
	wait.Wait()
	for _, in := range w.sent {
		who := responseOf(in).FindElement("//saml:NameID").Text()
		got := attributesOf(in)[delegation.AttributePrincipalTag+"who"]
		if !slices.Equal(got, []string{who}) {
			t.Errorf("%s has the tag %v", who, got)
		}
	}
}

func TestRequest_DecidesNothingByItself(t *testing.T) {
	baseline := func(
		options ...delegation.ExchangeOption,
	) (*sts.AssumeRoleWithSAMLInput, map[string][]string) {
		w := newWorld(t)
		_, err := w.delegator(t).Exchange(t.Context(), w.token(nil), app, options...)
		if err != nil {
			t.Fatal(err)
		}
		return w.last(), attributesOf(w.last())
	}
	plain, attributes := baseline()
	in, got := baseline(delegation.WithRequest(delegation.Request{
		IP: "10.0.0.1", UserAgent: "x", Hostname: "evil.example.com",
		Parameters: map[string]any{
			"role": admin, "principal": otherProvider, "region": "us-east-1",
			"awsrole": admin + "," + otherProvider, "rolesessionname": "root",
			"duration": 43200, "policy": `{}`, "target": "other", "client_id": "other",
			"sub": "root", "user_id": "root", "mappings": map[string]any{"x": "sub"},
		},
	}))
	if *in.RoleArn != *plain.RoleArn || *in.PrincipalArn != *plain.PrincipalArn ||
		*in.DurationSeconds != *plain.DurationSeconds || in.Policy != nil {
		t.Errorf("a request parameter got through: %s %s %d", *in.RoleArn, *in.PrincipalArn,
			*in.DurationSeconds)
	}
	if !reflect.DeepEqual(got, attributes) {
		t.Errorf("a request parameter got through: %v, want %v", got, attributes)
	}
}

func TestProfile(t *testing.T) {
	tests := []struct {
		name    string
		claims  map[string]any
		profile map[string]any
		want    map[string]any
	}{
		{"it adds what the token lacks", nil,
			map[string]any{"groups": []any{"staff"}, "app_metadata": map[string]any{"plan": "pro"}},
			map[string]any{"groups": []any{"staff"}, "app_metadata.plan": "pro", "user_id": alice}},
		{"verified claims win", map[string]any{"groups": []any{"few"}},
			map[string]any{"groups": []any{"many"}}, map[string]any{"groups": []any{"few"}}},
		{"a claim that is null wins too", map[string]any{"groups": json.RawMessage("null")},
			map[string]any{"groups": []any{"many"}}, map[string]any{"groups": nil}},
		{"no merging within a claim", map[string]any{"app_metadata": map[string]any{"a": "b"}},
			map[string]any{"app_metadata": map[string]any{"plan": "pro"}},
			map[string]any{"app_metadata.plan": nil, "app_metadata.a": "b"}},
		{"it cannot change who the user is", nil, map[string]any{"user_id": "root", "sub": "root",
			"iss": "https://evil.example.com", "aud": "x", "exp": 1},
			map[string]any{"user_id": alice, "sub": alice, "aud": app}},
		{"the profile's identities replace those derived from the sub", nil,
			map[string]any{"identities": []any{map[string]any{"connection": "corp"}}},
			map[string]any{"identities.0.connection": "corp"}},
		{"the token's identities win",
			map[string]any{"identities": []any{map[string]any{"connection": "token"}}},
			map[string]any{"identities": []any{map[string]any{"connection": "corp"}}},
			map[string]any{"identities.0.connection": "token"}},
		{"nothing", nil, nil, map[string]any{"user_id": alice}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Profile = func(
				_ context.Context, user *delegation.User,
			) (map[string]any, error) {
				if user.Text("user_id") != alice {
					t.Errorf("the loader was asked for %q", user.Text("user_id"))
				}
				return test.profile, nil
			}
			w.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, user *delegation.User, rc *delegation.RuleContext,
			) error {
				for path, want := range test.want {
					if got, _ := user.Value(path); !reflect.DeepEqual(got, want) {
						t.Errorf("%s: got %#v, want %#v", path, got, want)
					}
				}
				if rc.Connection != user.Text("identities.0.connection") {
					t.Errorf("connection: got %q", rc.Connection)
				}
				return nil
			}}
			if _, err := w.exchange(t, test.claims); err != nil {
				t.Fatal(err)
			}
			subject := responseOf(w.last()).FindElement("//saml:NameID").Text()
			if subject != alice {
				t.Errorf("the NameID is %q", subject)
			}
		})
	}
}

// TestProfile_VerifiedBelongsToItsEmail: a profile that says "verified" of one address must not
// vouch for another one that the token carries without saying so, nor the token for an address of
// the profile.
func TestProfile_VerifiedBelongsToItsEmail(t *testing.T) {
	tests := []struct {
		name    string
		claims  map[string]any
		profile map[string]any
		allowed bool
	}{
		{"both from the token", map[string]any{"email": "boss@good.com", "email_verified": true},
			map[string]any{"email": "mallory@bad.com", "email_verified": false}, true},
		{"both from the profile", nil,
			map[string]any{"email": "boss@good.com", "email_verified": true}, true},
		{"the token's address, the profile's mark", map[string]any{"email": "boss@good.com"},
			map[string]any{"email": "mallory@bad.com", "email_verified": true}, false},
		{"the token's address, the profile's mark alone", map[string]any{"email": "boss@good.com"},
			map[string]any{"email_verified": true}, false},
		{"the token's mark, the profile's address", map[string]any{"email_verified": true},
			map[string]any{"email": "boss@good.com"}, false},
		{"the token's mark, and the profile has both", map[string]any{"email_verified": false},
			map[string]any{"email": "boss@good.com", "email_verified": true}, false},
		{"the token's address is null", map[string]any{"email": json.RawMessage("null")},
			map[string]any{"email": "boss@good.com", "email_verified": true}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.config.Rules = []delegation.RuleFunc{delegation.AllowEmailDomains("good.com")}
			w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return test.profile, nil
			}
			before := maps.Clone(test.profile)
			_, err := w.exchange(t, test.claims)
			if test.allowed {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantError(t, err, delegation.StageRules, delegation.CodeDenied)
			}
			if !maps.Equal(test.profile, before) {
				t.Errorf("the profile was changed: %v", test.profile)
			}
		})
	}
}

func TestProfile_Failures(t *testing.T) {
	own := errors.New("the database is down")
	tests := []struct {
		name   string
		load   func(cancel func()) (map[string]any, error)
		code   delegation.Code
		wraps  error
		saying string
	}{
		{"an error", func(func()) (map[string]any, error) {
			return map[string]any{"groups": "x"}, own
		}, delegation.CodeProfileFailed, own, "the database is down"},
		{"a denial is no rule's", func(func()) (map[string]any, error) {
			return nil, delegation.Deny("x")
		}, delegation.CodeProfileFailed, nil, "profile"},
		{"a panic", func(func()) (map[string]any, error) { panic("a value") },
			delegation.CodeProfileFailed, nil, "a value"},
		{"cancelled", func(cancel func()) (map[string]any, error) {
			cancel()
			return nil, nil
		}, delegation.CodeCanceled, context.Canceled, "canceled"},
		{"cancelled with an error", func(cancel func()) (map[string]any, error) {
			cancel()
			return nil, own
		}, delegation.CodeCanceled, context.Canceled, "canceled"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			var ran []string
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
				return test.load(cancel)
			}
			w.config.Rules = []delegation.RuleFunc{trace(&ran, "rule", nil)}
			_, err := w.delegator(t).Exchange(ctx, w.token(nil), app)
			e := wantError(t, err, delegation.StageRules, test.code)
			if test.wraps != nil && !errors.Is(err, test.wraps) ||
				!strings.Contains(err.Error(), test.saying) || len(ran) > 0 {
				t.Errorf("got %v, ran %v", err, ran)
			}
			if strings.Contains(e.Public(), "database") || strings.Contains(e.Public(), "value") ||
				e.Public() == "x" {
				t.Errorf("Public says too much: %s", e.Public())
			}
		})
	}
}

// TestRules_MapsAreNeverNil: a rule of the operator's own can set a tag and a mapping of a target
// that has none, and what it writes stays in its exchange.
func TestRules_MapsAreNeverNil(t *testing.T) {
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{
			func(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
				if len(rc.AWS.Tags) > 0 || len(rc.AWS.Mappings) > 0 {
					t.Errorf("%v and %v are left from another exchange",
						rc.AWS.Tags, rc.AWS.Mappings)
				}
				rc.AWS.Tags["team"] = user.Text("team")
				rc.AWS.Mappings[delegation.AttributePrincipalTag+"office"] = "office"
				return nil
			},
		}
	})
	for i, office := range []string{"Berlin", "Lyon"} {
		idToken := d.Token(map[string]any{"team": "press", "office": office})
		if _, err := d.Exchange(t.Context(), idToken, delegationtest.Target); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"team": "press", "office": office}
		if got := d.STS.Calls()[i].PrincipalTags; !maps.Equal(got, want) {
			t.Errorf("AWS saw the tags %v, want %v", got, want)
		}
	}
}
