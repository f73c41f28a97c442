package ststest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/ststest"
)

// statementWith returns a trust policy of one statement with a condition.
func statementWith(condition string) string {
	return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "` + providerARN + `"},
		"Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"], "Condition": ` + condition + `}]}`
}

// TestConditions tries each operator on keys that match, differ and are
// missing. The response has tags Team=blue and Unit=, transitive Team, source
// identity jane, the affiliations staff and member, and no cn.
func TestConditions(t *testing.T) {
	tests := []struct {
		condition string
		allowed   bool
	}{
		{`{"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}`, true},
		{`{"StringEquals": {"SAML:aud": ["x", "https://signin.aws.amazon.com/saml"]}}`, true},
		{`{"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/SAML"}}`, false},
		{`{"stringequals": {"saml:aud": "https://signin.aws.amazon.com/saml"}}`, true},
		{`{"StringEqualsIgnoreCase": {"saml:aud": "https://signin.aws.amazon.com/SAML"}}`, true},
		{`{"StringNotEqualsIgnoreCase": {"saml:aud": "https://signin.aws.amazon.com/SAML"}}`,
			false},
		{`{"StringEquals": {"saml:iss": "https://example.com/saml"}}`, true},
		{`{"StringEquals": {"saml:doc": "123456789012/MySAMLIdP"}}`, true},
		{`{"StringEquals": {"saml:sub": "SamlExample"}}`, true},
		{`{"StringEquals": {"saml:sub_type": "persistent"}}`, true},
		{`{"StringEquals": {"saml:namequalifier": "1uAJanUnBc2XeUkHURMht+xam2c="}}`, true},
		{`{"StringEquals": {"sts:RoleSessionName": "jane@example.com"}}`, true},
		{`{"StringEquals": {"sts:SourceIdentity": "jane"}}`, true},
		{`{"StringEquals": {"aws:RequestTag/Team": "blue"}}`, true},
		{`{"StringEquals": {"aws:requesttag/TEAM": "blue"}}`, true},
		{`{"StringEquals": {"aws:RequestTag/Team": "Blue"}}`, false},
		{`{"StringEquals": {"aws:RequestTag/Unit": ""}}`, true},
		{`{"StringEquals": {"saml:edupersonprincipalname": "jane@uni"}}`, true},
		{`{"StringEquals": {"saml:edupersonprincipalname": "other@uni"}}`, false},

		// Both keys of an operator and both operators must hold.
		{`{"StringEquals": {"saml:sub": "SamlExample", "saml:iss": "x"}}`, false},
		{`{"StringEquals": {"saml:sub": "SamlExample"}, "StringLike": {"saml:iss": "x"}}`, false},
		{`{}`, true},

		// Missing keys.
		{`{"StringEquals": {"aws:RequestTag/None": "x"}}`, false},
		{`{"StringNotEquals": {"aws:RequestTag/None": "x"}}`, true},
		{`{"StringLike": {"aws:RequestTag/None": "*"}}`, false},
		{`{"StringNotLike": {"aws:RequestTag/None": "*"}}`, true},
		{`{"StringEqualsIfExists": {"aws:RequestTag/None": "x"}}`, true},
		{`{"StringEqualsIfExists": {"aws:RequestTag/Team": "x"}}`, false},
		{`{"StringNotEqualsIfExists": {"aws:RequestTag/Team": "blue"}}`, false},
		{`{"StringNotLikeIfExists": {"aws:RequestTag/None": "*"}}`, true},
		{`{"Null": {"aws:RequestTag/None": "true"}}`, true},
		{`{"Null": {"aws:RequestTag/None": false}}`, false},
		{`{"Null": {"aws:RequestTag/Team": "true"}}`, false},
		{`{"Null": {"aws:RequestTag/Team": "false"}}`, true},
		{`{"Null": {"aws:TagKeys": "false"}}`, true},

		// Negations take none of the values.
		{`{"StringNotEquals": {"saml:sub": "x"}}`, true},
		{`{"StringNotEquals": {"saml:sub": ["x", "SamlExample"]}}`, false},
		{`{"StringNotLike": {"saml:sub": "Saml*"}}`, false},

		// Wildcards.
		{`{"StringLike": {"saml:sub": "Saml*"}}`, true},
		{`{"StringLike": {"saml:sub": "S*l?x*e"}}`, true},
		{`{"StringLike": {"saml:sub": "*Saml"}}`, false},
		{`{"StringLike": {"saml:sub": "SamlExample?"}}`, false},
		{`{"StringLike": {"saml:sub": "SamlExample**"}}`, true},
		{`{"StringLike": {"saml:sub": "saml*"}}`, false},
		{`{"StringEquals": {"saml:sub": "Saml*"}}`, false},

		// Sets. Affiliations are staff and member.
		{`{"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": ["staff", "x"]}}`, true},
		{`{"ForAnyValue:StringEquals": {"saml:eduPersonAffiliation": "member"}}`, true},
		{`{"ForAnyValue:StringEquals": {"saml:edupersonaffiliation": "x"}}`, false},
		{`{"ForAllValues:StringEquals": {"saml:edupersonaffiliation": ["staff", "member", "x"]}}`,
			true},
		{`{"ForAllValues:StringEquals": {"saml:edupersonaffiliation": ["staff"]}}`, false},
		{`{"ForAnyValue:StringNotEquals": {"saml:edupersonaffiliation": ["staff"]}}`, true},
		{`{"ForAnyValue:StringNotEquals": {"saml:edupersonaffiliation": ["staff", "member"]}}`,
			false},
		{`{"ForAllValues:StringNotEquals": {"saml:edupersonaffiliation": ["staff"]}}`, false},
		{`{"ForAllValues:StringNotLike": {"saml:edupersonaffiliation": ["x*"]}}`, true},
		{`{"ForAllValues:StringEquals": {"saml:cn": "x"}}`, true},
		{`{"ForAnyValue:StringEquals": {"saml:cn": "x"}}`, false},
		{`{"ForAnyValue:StringNotEquals": {"saml:cn": "x"}}`, false},
		{`{"ForAnyValue:StringEqualsIfExists": {"saml:cn": "x"}}`, true},
		{`{"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Unit"]}}`, true},
		{`{"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}`, false},
		{`{"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["Team"]}}`, true},
		{`{"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Unit"]}}`, false},
		{`{"ForAnyValue:StringEquals": {"saml:mail": ["jane@example.com"]}}`, true},
		{`{"ForAnyValue:StringEquals": {"saml:mail": ["second@example.com"]}}`, false},
	}
	r := good().set("PrincipalTag:Team", "blue").set("PrincipalTag:Unit", "").
		set("TransitiveTagKeys", "Team").set("SourceIdentity", "jane").
		set("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", "staff", "member").
		set("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "jane@uni", "other@uni")
	// Two attributes for one key, of which only the first counts.
	r.set("0.9.2342.19200300100.1.3", "jane@example.com")
	r.set("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
		"second@example.com")
	encoded := r.encoded()
	s := newServer(t, ststest.Config{})
	for _, tt := range tests {
		t.Run(tt.condition, func(t *testing.T) {
			mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: statementWith(tt.condition)})
			a := post(s, form(encoded))
			want := map[bool]string{true: "200  ", false: "403 AccessDenied " + noAuth}[tt.allowed]
			if fmt.Sprint(a.status, " ", a.Code, " ", a.Message) != want {
				t.Errorf("%d %s %s, want %s", a.status, a.Code, a.Message, want)
			}
		})
	}
}

func TestSubjectTypeOfConditions(t *testing.T) {
	const kerberos = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
	s := newServer(t, ststest.Config{})
	mustRole(t, s, ststest.Role{
		ARN:         roleARN,
		TrustPolicy: statementWith(`{"StringEquals": {"saml:sub_type": "` + kerberos + `"}}`),
	})
	r := good()
	r.format = kerberos
	if a := post(s, form(r.encoded())); a.status != 200 {
		t.Errorf("%d %s", a.status, a.Message)
	}
}

func TestStatements(t *testing.T) {
	allow := func(actions string) string {
		return `{"Effect": "Allow", "Principal": {"Federated": "` + providerARN +
			`"}, "Action": ` + actions + `}`
	}
	deny := strings.Replace(allow(`"sts:AssumeRoleWithSAML"`), "Allow", "Deny", 1)
	tests := []struct {
		name       string
		statements string
		change     func(r *response)
		status     int
	}{
		{"allowed", allow(`"sts:AssumeRoleWithSAML"`), nil, 200},
		{"actions have no case", allow(`"STS:assumerolewithSAML"`), nil, 200},
		{"wildcard", allow(`"sts:*"`), nil, 200},
		{"longer wildcard", allow(`["sts:AssumeRoleWith*"]`), nil, 200},
		{"another action",
			allow(`["sts:TagSession", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]`),
			nil, 403},
		{"another provider", strings.Replace(allow(`"sts:*"`), "MySAMLIdP", "other", 1), nil, 403},
		{"list of providers",
			strings.Replace(allow(`"sts:*"`), `"`+providerARN+`"`,
				`["accounts.google.com", "`+providerARN+`"]`, 1),
			nil, 200},
		{"deny after allow", allow(`"sts:*"`) + "," + deny, nil, 403},
		{"deny before allow", deny + "," + allow(`"sts:*"`), nil, 403},
		{"deny for another",
			strings.Replace(deny, "MySAMLIdP", "other", 1) + "," + allow(`"sts:*"`), nil, 200},
		{"tags not allowed", allow(`["sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"]`),
			func(r *response) { r.set("PrincipalTag:a", "b") }, 403},
		{"tags allowed", allow(`["sts:AssumeRoleWithSAML", "sts:TagSession"]`),
			func(r *response) { r.set("PrincipalTag:a", "b") }, 200},
		{"tags allowed elsewhere",
			allow(`"sts:AssumeRoleWithSAML"`) + "," + allow(`"sts:TagSession"`),
			func(r *response) { r.set("PrincipalTag:a", "b") }, 200},
		{"source identity not allowed", allow(`["sts:AssumeRoleWithSAML", "sts:TagSession"]`),
			func(r *response) { r.set("SourceIdentity", "jane") }, 403},
		{"source identity allowed", allow(`["sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"]`),
			func(r *response) { r.set("SourceIdentity", "jane") }, 200},
		{"only the extras allowed", allow(`["sts:TagSession", "sts:SetSourceIdentity"]`),
			func(r *response) { r.set("PrincipalTag:a", "b") }, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			mustRole(t, s, ststest.Role{
				ARN:         roleARN,
				TrustPolicy: `{"Version": "2012-10-17", "Statement": [` + tt.statements + `]}`,
			})
			r := good()
			if tt.change != nil {
				tt.change(r)
			}
			a := post(s, form(r.encoded()))
			if a.status != tt.status || tt.status == 403 && a.Message != noAuth {
				t.Errorf("%d %s %s, want %d", a.status, a.Code, a.Message, tt.status)
			}
		})
	}
}

func TestPutRoleRefuses(t *testing.T) {
	sub := func(old, new string) string {
		if !strings.Contains(trustAll, old) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(trustAll, old, new, 1)
	}
	tests := []struct {
		name string
		role ststest.Role
		want string
	}{
		{"ARN", ststest.Role{ARN: providerARN, TrustPolicy: trustAll}, "not the ARN of a role"},
		{"ARN of no partition",
			ststest.Role{ARN: "arn:moon:iam::123456789012:role/x", TrustPolicy: trustAll},
			"not the ARN of a role"},
		{"short maximum",
			ststest.Role{ARN: roleARN, TrustPolicy: trustAll, MaxSessionDuration: time.Hour - 1},
			"want 1h to 12h"},
		{"long maximum",
			ststest.Role{ARN: roleARN, TrustPolicy: trustAll, MaxSessionDuration: 13 * time.Hour},
			"want 1h to 12h"},
		{"odd maximum",
			ststest.Role{ARN: roleARN, TrustPolicy: trustAll, MaxSessionDuration: time.Hour + 1},
			"want 1h to 12h"},
	}
	for policy, want := range map[string]string{
		"":                            "it is empty",
		"[":                           "not JSON",
		"{} {}":                       "more than one value",
		"[]":                          "not a JSON object",
		`{"Version": "2012-10-17"}`:   "statement 1: not a JSON object",
		`{"Statement": []}`:           "no Statement",
		`{"Statement": [1]}`:          "statement 1: not a JSON object",
		sub("2012-10-17", "2020"):     "the Version is 2020",
		sub(`"Version"`, `"Effekt"`):  `"Effekt" is not supported`,
		sub(`"Effect": "Allow",`, ``): "Effect must be",
		sub(`"Allow"`, `"allow"`):     "Effect must be",
		sub(`"Allow",`, `"Allow", "Effect": "Deny",`):  `key "Effect" twice`,
		sub(`"Action"`, `"NotAction"`):                 `"NotAction" is not supported`,
		sub(`"Action"`, `"Resource": "*", "Action"`):   `"Resource" is not supported`,
		sub(`{"Federated": "`+providerARN+`"}`, `"*"`): "for everyone",
		sub(`"Federated"`, `"AWS"`):                    "belongs under Federated",
		sub(`"`+providerARN+`"`, `"*"`):                "no wildcards",
		sub(`"`+providerARN+`"`, `[]`):                 "list is empty",
		sub(`"`+providerARN+`"`, `7`):                  "want a string",
		sub(`"sts:TagSession"`,
			`"s3:GetObject"`): `Action: "s3:GetObject"`,
		sub(`"sts:TagSession"`, `"*"`): `Action: "*"`,
		sub(`"sts:TagSession"`,
			`"sts:TagSesion"`): `Action: "sts:TagSesion"`,
		statementWith(`7`): "Condition: not a JSON object",
		statementWith(
			`{"StringEquals": {}}`): "StringEquals: not a JSON object with condition keys",
		statementWith(`{"StringMatches": {"saml:sub": "x"}}`): `operator "StringMatches"`,
		statementWith(
			`{"ForSomeValues:StringEquals": {"saml:sub": "x"}}`): `operator "ForSomeValues:StringEquals"`,
		statementWith(`{"ForAnyValue:Null": {"saml:cn": "true"}}`): `operator "ForAnyValue:Null"`,
		statementWith(`{"StringEquals": {"saml:audience": "x"}}`):  `condition key "saml:audience"`,
		statementWith(
			`{"StringEquals": {"aws:SourceIp": "x"}}`): "the key is for another operator",
		statementWith(
			`{"StringEquals": {"aws:RequestTag/": "x"}}`): `condition key "aws:RequestTag/"`,
		statementWith(`{"StringEquals": {"saml:edupersonaffiliation": "x"}}`): "use ForAnyValue",
		statementWith(`{"StringEquals": {"saml:sub": {}}}`):                   "want a string",
		statementWith(`{"StringEquals": {"saml:sub": "${saml:iss}"}}`):        "policy variables",
		statementWith(`{"Null": {"saml:sub": "yes"}}`):                        "want true or false",
		statementWith(`{"Null": {"saml:sub": ["true", "false"]}}`):            "want true or false",
		statementWith(strings.Repeat("[", 100) + strings.Repeat("]", 100)):    "nested deeper",
	} {
		tests = append(tests, struct {
			name string
			role ststest.Role
			want string
		}{policy, ststest.Role{ARN: roleARN, TrustPolicy: policy}, want})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newServer(t, ststest.Config{})
			if err := s.PutRole(tt.role); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if a := post(s, form(good().encoded())); a.status != 200 {
				t.Errorf("the failed call changed the role: %s", a.Message)
			}
		})
	}
}
