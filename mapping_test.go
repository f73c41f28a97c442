package delegation_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/samlattr"
)

// attempt runs one exchange of alice's token under the target's settings as changed, and returns
// what was sent to STS. It checks that a refused exchange sent nothing.
func attempt(
	t testing.TB, claims map[string]any, change func(*delegation.Target),
) (*sts.AssumeRoleWithSAMLInput, error) {
	t.Helper()
	w := newWorld(t)
	w.target(change)
	credentials, err := w.exchange(t, claims)
	if err == nil {
		return w.last(), nil
	}
	if len(w.sent) > 0 || credentials != nil {
		t.Errorf("refused, and yet AWS was asked %d times", len(w.sent))
	}
	return nil, err
}

func nameIDOf(in *sts.AssumeRoleWithSAMLInput) string {
	return responseOf(in).FindElement("//saml:NameID").Text()
}

// always are the attributes that every exchange of the harness sends.
func always() map[string][]string {
	return map[string][]string{
		delegation.AttributeRole:            {role + "," + principal},
		delegation.AttributeRoleSessionName: {safe(alice)},
		delegation.AttributeSessionDuration: {"3600"},
	}
}

// with returns always with other attributes added or changed.
func with(pairs map[string][]string) map[string][]string {
	all := always()
	maps.Copy(all, pairs)
	return all
}

// TestMappings holds each sentence of the Mappings documentation, and of what Auth0's add-on did.
func TestMappings(t *testing.T) {
	claims := map[string]any{
		"name": "Alice", "awsGroup": []any{"staff", "member"}, "one": []any{"only"},
		"none": []any{}, "empty": "", "null": json.RawMessage("null"),
		"n": json.RawMessage("12.50"), "big": json.RawMessage("12345678901234567890"), "yes": true,
		"no": false, "mixed": []any{"a", json.RawMessage("1"), true},
		"app_metadata":          map[string]any{"plan": "pro", "roles": []any{"r1", "r2"}},
		"https://example.com/x": "whole name",
		"awsrole":               admin + "," + otherProvider, "rolesessionname": "root",
		"admin": admin, "pair": admin + "," + otherProvider,
		"reversed":      otherProvider + "," + admin,
		"rolesWithOurs": []any{admin, role},
		"pairsWithOurs": []any{admin + "," + principal, otherProvider + "," + role},
		"seconds":       json.RawMessage("7200"), "secondsText": "7200",
	}
	const group = samlattr.EduPersonAffiliation
	tests := []struct {
		name     string
		mappings delegation.Mappings
		want     map[string][]string
	}{
		{"none: role and session name are sent", nil, always()},
		{"only eduPersonAffiliation: role and session name are sent nevertheless",
			delegation.Mappings{group: "awsGroup"},
			with(map[string][]string{group: {"staff", "member"}})},
		{"a text", delegation.Mappings{group: "name"}, with(map[string][]string{group: {"Alice"}})},
		{"a dotted path", delegation.Mappings{group: "app_metadata.plan"},
			with(map[string][]string{group: {"pro"}})},
		{"a dotted path to a list", delegation.Mappings{group: "app_metadata.roles"},
			with(map[string][]string{group: {"r1", "r2"}})},
		{"a name with dots of its own", delegation.Mappings{group: "https://example.com/x"},
			with(map[string][]string{group: {"whole name"}})},
		{"a list of one", delegation.Mappings{group: "one"},
			with(map[string][]string{group: {"only"}})},
		{"an empty text is a value", delegation.Mappings{group: "empty"},
			with(map[string][]string{group: {""}})},
		{"a number, digit by digit", delegation.Mappings{group: "n"},
			with(map[string][]string{group: {"12.50"}})},
		{"a number beyond 64 bits", delegation.Mappings{group: "big"},
			with(map[string][]string{group: {"12345678901234567890"}})},
		{"booleans", delegation.Mappings{group: "yes", samlattr.Mail: "no"},
			with(map[string][]string{group: {"true"}, samlattr.Mail: {"false"}})},
		{"a mixed list", delegation.Mappings{group: "mixed"},
			with(map[string][]string{group: {"a", "1", "true"}})},
		{"absent, null and the empty list give no attribute",
			delegation.Mappings{group: "absent", samlattr.Mail: "null", samlattr.UID: "none"},
			always()},
		{"one property to several attributes",
			delegation.Mappings{group: "name", samlattr.Name: "name"},
			with(map[string][]string{group: {"Alice"}, samlattr.Name: {"Alice"}})},
		{"an attribute of the operator's own",
			delegation.Mappings{"urn:example:plan": "app_metadata.plan"},
			with(map[string][]string{"urn:example:plan": {"pro"}})},
		{"AWS's names in another case are not AWS's",
			delegation.Mappings{strings.ToLower(delegation.AttributeRole): "admin"},
			with(map[string][]string{strings.ToLower(delegation.AttributeRole): {admin}})},

		{"the printed default changes nothing", delegation.Mappings{
			delegation.AttributeNameIdentifier: "name", delegation.AttributeRole: "awsrole",
			delegation.AttributeRoleSessionName: "rolesessionname",
		}, always()},
		{"the documented extension", delegation.Mappings{
			delegation.AttributeNameIdentifier: "name", delegation.AttributeRole: "awsrole",
			delegation.AttributeRoleSessionName: "rolesessionname", group: "awsGroup",
		}, with(map[string][]string{group: {"staff", "member"}})},

		{"a role alone gets the principal", delegation.Mappings{delegation.AttributeRole: "admin"},
			with(map[string][]string{delegation.AttributeRole: {admin + "," + principal}})},
		{"a pair", delegation.Mappings{delegation.AttributeRole: "pair"},
			with(map[string][]string{delegation.AttributeRole: {admin + "," + otherProvider}})},
		{"a pair the other way round", delegation.Mappings{delegation.AttributeRole: "reversed"},
			with(map[string][]string{delegation.AttributeRole: {admin + "," + otherProvider}})},
		{"of several roles AWS.Role chooses",
			delegation.Mappings{delegation.AttributeRole: "rolesWithOurs"}, always()},
		{"of several pairs AWS.Role chooses",
			delegation.Mappings{delegation.AttributeRole: "pairsWithOurs"},
			with(map[string][]string{delegation.AttributeRole: {role + "," + otherProvider}})},
		{"the session name", delegation.Mappings{delegation.AttributeRoleSessionName: "name"},
			with(map[string][]string{delegation.AttributeRoleSessionName: {"Alice"}})},
		{"the duration from a number",
			delegation.Mappings{delegation.AttributeSessionDuration: "seconds"},
			with(map[string][]string{delegation.AttributeSessionDuration: {"7200"}})},
		{"the duration from a text",
			delegation.Mappings{delegation.AttributeSessionDuration: "secondsText"},
			with(map[string][]string{delegation.AttributeSessionDuration: {"7200"}})},
		{"an absent duration", delegation.Mappings{delegation.AttributeSessionDuration: "absent"},
			always()},
		{"a tag", delegation.Mappings{delegation.AttributePrincipalTag + "CostCenter": "n"},
			with(map[string][]string{delegation.AttributePrincipalTag + "CostCenter": {"12.50"}})},
		{"an empty tag",
			delegation.Mappings{delegation.AttributePrincipalTag + "CostCenter": "empty"},
			with(map[string][]string{delegation.AttributePrincipalTag + "CostCenter": {""}})},
		{"an absent tag",
			delegation.Mappings{delegation.AttributePrincipalTag + "CostCenter": "absent"},
			always()},
		{"transitive tags", delegation.Mappings{
			delegation.AttributePrincipalTag + "r1": "name",
			delegation.AttributePrincipalTag + "r2": "name",
			delegation.AttributeTransitiveTagKeys:   "app_metadata.roles",
		}, with(map[string][]string{
			delegation.AttributePrincipalTag + "r1": {"Alice"},
			delegation.AttributePrincipalTag + "r2": {"Alice"},
			delegation.AttributeTransitiveTagKeys:   {"r1", "r2"},
		})},
		{"the source identity", delegation.Mappings{delegation.AttributeSourceIdentity: "name"},
			with(map[string][]string{delegation.AttributeSourceIdentity: {"Alice"}})},
		{"an absent source identity",
			delegation.Mappings{delegation.AttributeSourceIdentity: "absent"}, always()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, err := attempt(t, claims,
				func(target *delegation.Target) { target.Mappings = test.mappings })
			if err != nil {
				t.Fatal(err)
			}
			if got := attributesOf(in); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			if got := nameIDOf(in); got != alice {
				t.Errorf("the NameID is %q", got)
			}
			wantRole, wantPrincipal, _ := strings.Cut(test.want[delegation.AttributeRole][0], ",")
			if *in.RoleArn != wantRole || *in.PrincipalArn != wantPrincipal {
				t.Errorf("asked for %s, %s, and asserted %s, %s", *in.RoleArn, *in.PrincipalArn,
					wantRole, wantPrincipal)
			}
		})
	}
}

func TestMappings_Refused(t *testing.T) {
	claims := map[string]any{
		"object": map[string]any{"a": "b"}, "objects": []any{map[string]any{"a": "b"}},
		"lists": []any{[]any{"a"}}, "nulls": []any{"a", json.RawMessage("null")},
		"two": []any{"a", "b"}, "none": []any{}, "roles": []any{admin, reader},
		"text": "x", "negative": json.RawMessage("-3600"), "zero": json.RawMessage("0"),
		"fraction": json.RawMessage("3600.5"), "exponent": json.RawMessage("36e2"),
		"huge": json.RawMessage("99999999999"), "yes": true, "empty": "",
		"twoSeconds": []any{"3600", "7200"},
	}
	tests := []struct {
		name      string
		attribute string
		path      string
		saying    string
	}{
		{"an object", samlattr.Mail, "object", "object"},
		{"a list of objects", samlattr.Mail, "objects", "objects"},
		{"a list of lists", samlattr.Mail, "lists", "lists"},
		{"null in a list", samlattr.Mail, "nulls", "nulls"},
		{"an object as the ignored name identifier", delegation.AttributeNameIdentifier,
			"object", "object"},
		{"several roles, and none is the decision's", delegation.AttributeRole,
			"roles", "AWS.Role"},
		{"an absent role", delegation.AttributeRole, "absent", "absent"},
		{"no role in the list", delegation.AttributeRole, "none", "none"},
		{"two session names", delegation.AttributeRoleSessionName, "two", "one value"},
		{"an absent session name", delegation.AttributeRoleSessionName, "absent", "one value"},
		{"two source identities", delegation.AttributeSourceIdentity, "two", "one value"},
		{"two values of one tag", delegation.AttributePrincipalTag + "a", "two", "one value"},
		{"two durations", delegation.AttributeSessionDuration, "twoSeconds", "twoSeconds"},
		{"a duration in words", delegation.AttributeSessionDuration, "text", "seconds"},
		{"no number in the duration", delegation.AttributeSessionDuration, "empty", "seconds"},
		{"a boolean as duration", delegation.AttributeSessionDuration, "yes", "seconds"},
		{"a negative duration", delegation.AttributeSessionDuration, "negative", "seconds"},
		{"no duration at all", delegation.AttributeSessionDuration, "zero", "seconds"},
		{"half a second", delegation.AttributeSessionDuration, "fraction", "seconds"},
		{"a duration with an exponent", delegation.AttributeSessionDuration, "exponent", "seconds"},
		{"a duration beyond 32 bits", delegation.AttributeSessionDuration, "huge", "seconds"},
		{"awsrole elsewhere", samlattr.Mail, "awsrole", "awsrole"},
		{"rolesessionname elsewhere", samlattr.Mail, "rolesessionname", "rolesessionname"},
		{"awsrole as session name", delegation.AttributeRoleSessionName, "awsrole", "awsrole"},
		{"rolesessionname as role", delegation.AttributeRole, "rolesessionname", "rolesessionname"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := attempt(t, claims, func(target *delegation.Target) {
				target.Mappings = delegation.Mappings{test.attribute: test.path}
			})
			e := wantError(t, err, delegation.StageDecision, delegation.CodeMappingInvalid)
			if !strings.Contains(e.Error(), test.saying) ||
				!strings.Contains(e.Error(), test.attribute) {
				t.Errorf("the error does not say which mapping: %v", e)
			}
		})
	}
}

// TestMappings_FieldsWin holds that a field of AWS that is set wins over a mapping.
func TestMappings_FieldsWin(t *testing.T) {
	in, err := attempt(t,
		map[string]any{"name": "Mallory", "n": json.RawMessage("43200"), "keys": []any{"b"}},
		func(target *delegation.Target) {
			target.AWS = delegation.AWS{
				Principal: principal, Role: role, Region: "eu-central-1",
				NameID: "fixed-name-id", NameIDFromMapping: true, SessionName: "fixed-session",
				SessionDuration: 900e9, SourceIdentity: "fixed-source",
				Tags: map[string]string{"a": "fixed", "b": ""}, TransitiveTagKeys: []string{"a"},
				Mappings: delegation.Mappings{
					delegation.AttributeNameIdentifier:     "name",
					delegation.AttributeRoleSessionName:    "name",
					delegation.AttributeSessionDuration:    "n",
					delegation.AttributeSourceIdentity:     "name",
					delegation.AttributePrincipalTag + "a": "name",
					delegation.AttributePrincipalTag + "b": "name",
					delegation.AttributePrincipalTag + "c": "name",
					delegation.AttributeTransitiveTagKeys:  "keys",
				},
			}
		})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		delegation.AttributeRole:               {role + "," + principal},
		delegation.AttributeRoleSessionName:    {"fixed-session"},
		delegation.AttributeSessionDuration:    {"900"},
		delegation.AttributeSourceIdentity:     {"fixed-source"},
		delegation.AttributePrincipalTag + "a": {"fixed"},
		delegation.AttributePrincipalTag + "b": {""},
		delegation.AttributePrincipalTag + "c": {"Mallory"},
		delegation.AttributeTransitiveTagKeys:  {"a"},
	}
	if got := attributesOf(in); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := nameIDOf(in); got != "fixed-name-id" || *in.DurationSeconds != 900 {
		t.Errorf("NameID %q, duration %d", got, *in.DurationSeconds)
	}
}

// TestMappings_NameID: the mapping nameidentifier → name, copied from Auth0's documentation, must
// not change who ${saml:sub} is; the override has to be explicit.
func TestMappings_NameID(t *testing.T) {
	tests := []struct {
		name   string
		opt    bool
		claim  any
		nameID string
		want   string
		code   delegation.Code
	}{
		{"the mapping alone changes nothing", false, "root", "", alice, ""},
		{"the mapping alone, and no such property", false, nil, "", alice, ""},
		{"with the opt-in it counts", true, "alice@example.com", "", "alice@example.com", ""},
		{"a number", true, 7, "", "7", ""},
		{"the field wins", true, "root", "fixed", "fixed", ""},
		{"opted in, and absent", true, nil, "", "", delegation.CodeMappingInvalid},
		{"opted in, and two values", true, []any{"a", "b"}, "", "", delegation.CodeMappingInvalid},
		{"opted in, and empty: it must not fall back to another name space", true, "", "", "",
			delegation.CodeMappingInvalid},
		{"opted in, and a wildcard", true, "al*", "", "", delegation.CodeNameIDInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in, err := attempt(t, map[string]any{"name": test.claim},
				func(target *delegation.Target) {
					target.Mappings = delegation.Mappings{
						delegation.AttributeNameIdentifier: "name",
					}
					target.NameIDFromMapping, target.NameID = test.opt, test.nameID
				})
			if test.code != "" {
				wantError(t, err, delegation.StageDecision, test.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := nameIDOf(in); got != test.want {
				t.Errorf("got %q", got)
			}
			if _, sent := attributesOf(in)[delegation.AttributeNameIdentifier]; sent {
				t.Error("the mapping was sent as an attribute")
			}
		})
	}
	t.Run("the opt-in without a mapping", func(t *testing.T) {
		in, err := attempt(t, nil,
			func(target *delegation.Target) { target.NameIDFromMapping = true })
		if err != nil || nameIDOf(in) != alice {
			t.Error(err)
		}
	})
}

// TestMappings_OfARule holds that a rule can replace the mappings whole, as Auth0's rules did,
// without losing the role.
func TestMappings_OfARule(t *testing.T) {
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{samlattr.Mail: "email"}
	})
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		user.Set("awsGroup", []string{"a", "b"})
		user.Set("awsrole", admin+","+otherProvider)
		rc.AWS.Mappings = delegation.Mappings{
			delegation.AttributeRole: "awsrole", samlattr.EduPersonAffiliation: "awsGroup",
		}
		return nil
	}}
	if _, err := w.exchange(t, map[string]any{"email": "alice@example.com"}); err != nil {
		t.Fatal(err)
	}
	want := with(map[string][]string{samlattr.EduPersonAffiliation: {"a", "b"}})
	if got := attributesOf(w.last()); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestMappings_AreNotChanged holds that what a rule puts into the context stays the rule's own,
// also where a mapping adds.
func TestMappings_AreNotChanged(t *testing.T) {
	w := newWorld(t)
	tags, keys := map[string]string{"a": "b"}, []string{"a"}
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Tags, rc.AWS.TransitiveTagKeys = tags, keys
		rc.AWS.Mappings = delegation.Mappings{delegation.AttributePrincipalTag + "c": "sub"}
		return nil
	}}
	w.config.Rules = append(w.config.Rules,
		func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
			user.Set("sub", "x")
			return nil
		})
	if _, err := w.exchange(t, nil); err != nil {
		t.Fatal(err)
	}
	if len(tags) != 1 || !slices.Equal(keys, []string{"a"}) {
		t.Errorf("the rule's own values are %v, %v", tags, keys)
	}
	got := attributesOf(w.last())[delegation.AttributePrincipalTag+"c"]
	if !slices.Equal(got, []string{"x"}) {
		t.Errorf("the mapped tag is %v", got)
	}
}

func TestMappings_OrderIsAlwaysTheSame(t *testing.T) {
	names := func() (list []string) {
		in, err := attempt(t, map[string]any{"x": "y"}, func(target *delegation.Target) {
			target.Tags = map[string]string{"b": "", "a": "", "c": ""}
			target.Mappings = delegation.Mappings{}
			for _, name := range []string{
				samlattr.Mail, samlattr.UID, samlattr.Name, samlattr.CN, "z", "urn:a",
			} {
				target.Mappings[name] = "x"
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range responseOf(in).FindElements("//saml:Attribute") {
			list = append(list, a.SelectAttrValue("Name", ""))
		}
		return list
	}
	first := names()
	for range 5 {
		if again := names(); !slices.Equal(first, again) {
			t.Fatalf("got %v, then %v", first, again)
		}
	}
}

// TestAttributeNames holds the constants against the tables of the IAM User Guide, "Configure SAML
// assertions for the authentication response".
func TestAttributeNames(t *testing.T) {
	for constant, documented := range map[string]string{
		delegation.AttributeRole:            "https://aws.amazon.com/SAML/Attributes/Role",
		delegation.AttributeRoleSessionName: "https://aws.amazon.com/SAML/Attributes/RoleSessionName",
		delegation.AttributeSessionDuration: "https://aws.amazon.com/SAML/Attributes/SessionDuration",
		delegation.AttributePrincipalTag +
			"CostCenter": "https://aws.amazon.com/SAML/Attributes/PrincipalTag:CostCenter",
		delegation.AttributeTransitiveTagKeys: "https://aws.amazon.com/SAML/Attributes/TransitiveTagKeys",
		delegation.AttributeSourceIdentity:    "https://aws.amazon.com/SAML/Attributes/SourceIdentity",
		delegation.AttributeNameIdentifier:    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
	} {
		if constant != documented {
			t.Errorf("got %q, documented %q", constant, documented)
		}
	}
	constants := 0
	for name := range exportedConstants(t) {
		if strings.HasPrefix(name, "Attribute") {
			constants++
		}
	}
	if constants != 7 {
		t.Errorf("there are %d constants Attribute…, and 7 in the table above", constants)
	}
}

// FuzzMappings holds that a value which goes into a mapping comes out of the XML unaltered, in its
// own attribute and nowhere else, or that the exchange is refused.
func FuzzMappings(f *testing.F) {
	for _, seed := range []string{
		"alice", "", "a\nb", "a\r\nb", "\r", " a ", "<&>\"'", "]]>", "<!--", "\x00", "\xff",
		"\uFFFD", "\uFFFE", "Zoë", "\U0001F600", "a\tb", "\u0085\u2028",
	} {
		f.Add("urn:example:a", seed, seed+"x")
	}
	f.Add(delegation.AttributePrincipalTag+"a", "b", "")
	f.Add(delegation.AttributeRole, role, "")
	f.Add(delegation.AttributeNameIdentifier, "root", "")
	f.Add(delegation.AttributeNameIdentifier, "0", "\xfa")
	f.Add("", "a", "b")
	w := newWorld(f)
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, user *delegation.User, rc *delegation.RuleContext,
	) error {
		user.Set("x", rc.Request.Parameters["values"])
		rc.AWS.Mappings = delegation.Mappings{rc.Request.Parameters["name"].(string): "x"}
		return nil
	}}
	d, token := w.delegator(f), w.token(nil)
	f.Fuzz(func(t *testing.T, name, first, second string) {
		w.sent = nil
		parameters := map[string]any{"name": name, "values": []any{first, second}}
		_, err := d.Exchange(t.Context(), token, app,
			delegation.WithRequest(delegation.Request{Parameters: parameters}))
		clean := utf8.ValidString(name) && utf8.ValidString(first) && utf8.ValidString(second)
		if err != nil {
			if len(w.sent) > 0 ||
				!errors.Is(err, delegation.StageDecision) && !errors.Is(err, delegation.StageSAML) {
				t.Fatalf("asked AWS %d times, then %v", len(w.sent), err)
			}
			return
		}
		in := w.last()
		got := nameIDOf(in)
		if got != alice || *in.RoleArn != role || *in.PrincipalArn != principal {
			t.Fatalf("a mapping of %q changed who the user is: %q, %s", name, got, *in.RoleArn)
		}
		want := with(map[string][]string{name: {first, second}})
		if name == delegation.AttributeNameIdentifier {
			// the mapping is ignored, so nothing of the values may be sent
			want, clean = always(), true
		}
		if strings.HasPrefix(name, "https://aws.amazon.com/SAML/Attributes/") &&
			reflect.DeepEqual(attributesOf(in), always()) {
			return // a role, which AWS.Role chose
		}
		if got := attributesOf(in); !reflect.DeepEqual(got, want) || !clean {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
