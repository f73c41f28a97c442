package ststest_test

import (
	"crypto/tls"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// TestGate_UnknownKeys: a decision that depends on a condition key that the gate does not know is
// none. A key that the action does not have is absent, and one that Access sets is what it says.
func TestGate_UnknownKeys(t *testing.T) {
	const allow = `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	const getItem = "DynamoDB_20120810.GetItem"
	leading := func(effect, operator string) string {
		return `{"Effect": "` + effect + `", "Action": "dynamodb:*", "Resource": "*",
			"Condition": {"` + operator + `": {"dynamodb:LeadingKeys": ["jane"]}}}`
	}
	tagged := func(effect, value string) string {
		return `{"Effect": "` + effect + `", "Action": "s3:*", "Resource": "*",
			"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "` + value + `"}}}`
	}
	for _, row := range []struct {
		name, statements string
		target           string // of DynamoDB; empty: GetObject
		known            iampolicy.Context
		want             string
		cause            string // a part of it
	}{
		{"only others' items", leading("Allow", "ForAllValues:StringEquals"), getItem, nil,
			"501 UnknownOperationException", "dynamodb:LeadingKeys"},
		{"others' items denied", allow + "," + leading("Deny", "ForAnyValue:StringEquals"),
			getItem, nil, "501 UnknownOperationException", "dynamodb:LeadingKeys"},
		{"known", leading("Allow", "ForAllValues:StringEquals"), getItem,
			iampolicy.Context{"dynamodb:LeadingKeys": {"bob"}}, "400 AccessDeniedException", ""},
		{"known and met", leading("Allow", "ForAllValues:StringEquals"), getItem,
			iampolicy.Context{"dynamodb:LeadingKeys": {"jane"}}, "200", ""},
		{"known to be absent", leading("Allow", "ForAllValues:StringEquals"), getItem,
			iampolicy.Context{"dynamodb:LeadingKeys": nil}, "200", ""},
		{"an action without the key", leading("Allow", "ForAllValues:StringEquals"),
			"DynamoDB_20120810.DescribeTable", nil, "200", ""},
		{"allowed anyway", leading("Allow", "StringEquals") + "," + allow, getItem, nil, "200", ""},
		{"denied anyway", strings.Replace(allow, "Allow", "Deny", 1) + "," +
			leading("Allow", "StringEquals"), getItem, nil, "400 AccessDeniedException", ""},
		{"a list of tables", leading("Allow", "ForAllValues:StringEquals"),
			"DynamoDB_20120810.ListTables", iampolicy.Context{"dynamodb:LeadingKeys": {"bob"}},
			"400 AccessDeniedException", ""},
		{"a tag of the table", strings.Replace(leading("Allow", "StringEquals"),
			"dynamodb:LeadingKeys", "aws:ResourceTag/team", 1), getItem, nil,
			"501 UnknownOperationException", "aws:ResourceTag/team"},

		{"tag", tagged("Allow", "red"), "", nil, "501 NotImplemented",
			"s3:ExistingObjectTag/team, which the gate does not know for s3:GetObject; set it in " +
				"the Context of Gate.Access"},
		{"denied tag", allow + "," + tagged("Deny", "red"), "", nil, "501 NotImplemented",
			"s3:ExistingObjectTag/team"},
		{"no such tag", allow + "," + tagged("Deny", "red"), "",
			iampolicy.Context{"s3:ExistingObjectTag/site": {"a"}}, "200", ""},
		{"denied tag in a variable", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": "arn:aws:s3:::*/${s3:ExistingObjectTag/name}"}`, "", nil,
			"501 NotImplemented", "s3:ExistingObjectTag/name"},
		{"tag in a value", allow + `, {"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"StringEquals": {"saml:sub": "${s3:ExistingObjectTag/owner}"}}}`, "",
			nil, "501 NotImplemented", "s3:ExistingObjectTag/owner"},
		{"another condition fails", allow + `, {"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "red",
				"saml:sub": "bob"}}}`, "", nil, "200", ""},
		{"another resource", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": "arn:aws:s3:::other/*",
			"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "red"}}}`, "", nil,
			"200", ""},
		{"one resource with a variable, about another", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": ["arn:aws:s3:::other/${s3:ExistingObjectTag/name}",
				"arn:aws:s3:::b/${s3:ExistingObjectTag/name, '}'}/cat.jpg"]}`, "", nil, "200", ""},
		{"one resource with a variable, denied anyway", allow + `, {"Effect": "Deny",
			"Action": "*", "Resource": ["arn:aws:s3:::*/${s3:ExistingObjectTag/name}",
				"arn:aws:s3:::*/cat.jpg"]}`, "", nil, "403 AccessDenied", ""},
		{"one resource with a variable, allowed anyway", `{"Effect": "Allow", "Action": "*",
			"Resource": ["arn:aws:s3:::*/${s3:ExistingObjectTag/name}",
				"arn:aws:s3:::*/cat.jpg"]}`, "", nil, "200", ""},
		{"one resource with a variable, and another that is not", `{"Effect": "Allow",
			"Action": "*", "Resource": ["arn:aws:s3:::*/${s3:ExistingObjectTag/name}",
				"arn:aws:s3:::*/dog.jpg"]}`, "", nil, "501 NotImplemented",
			"s3:ExistingObjectTag/name"},
		{"a default value", `{"Effect": "Allow", "Action": "*",
			"Resource": "arn:aws:s3:::*/${s3:ExistingObjectTag/name, 'x'}"}`, "", nil,
			"501 NotImplemented", "s3:ExistingObjectTag/name"},
		{"a default value that matches", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": ["arn:aws:s3:::*/${s3:ExistingObjectTag/name, 'cat.jpg'}",
				"arn:aws:s3:::other/*"]}`, "", nil, "501 NotImplemented",
			"s3:ExistingObjectTag/name"},
		{"one known variable", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": "arn:aws:s3:::*/${saml:sub}.${s3:ExistingObjectTag/name}"}`, "", nil,
			"200", ""},
		{"a variable in NotResource", allow + `, {"Effect": "Deny", "Action": "*",
			"NotResource": "arn:aws:s3:::*/${s3:ExistingObjectTag/name}"}`, "", nil,
			"501 NotImplemented", "s3:ExistingObjectTag/name"},
		{"a resource and a condition", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": ["arn:aws:s3:::*/${s3:ExistingObjectTag/name}", "arn:aws:s3:::*/cat.jpg"],
			"Condition": {"StringEquals": {"s3:ExistingObjectTag/team": "red"}}}`, "", nil,
			"501 NotImplemented", "s3:ExistingObjectTag/name, s3:ExistingObjectTag/team,"},
		{"only what matters is named", allow + `, {"Effect": "Deny", "Action": "*",
			"Resource": "arn:aws:s3:::other/*",
			"Condition": {"StringEquals": {"s3:ExistingObjectTag/a": "red"}}}, ` +
			tagged("Deny", "red") + ", " + tagged("Deny", "blue"), "", nil, "501 NotImplemented",
			"the policies depend on s3:ExistingObjectTag/team, which"},
		{"another action", allow + `, {"Effect": "Deny", "Action": "s3:PutObject",
			"Resource": "*",
			"Condition": {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "9"}}}`,
			"", nil, "200", ""},
		{"keys of other actions", allow + `, {"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"StringLike": {"s3:prefix": "*", "s3:DataAccessPointArn": "*",
				"dynamodb:LeadingKeys": "*", "aws:RequestTag/team": "*"}}}`, "", nil, "200", ""},
		{"a key that nobody knows", allow + `, {"Effect": "Deny", "Action": "*", "Resource": "*",
			"Condition": {"StringLike": {"s3:New": "*"}}}`, "", nil, "501 NotImplemented",
			"s3:New"},
	} {
		policy := `{"Version": "2012-10-17", "Statement": [` + row.statements + `]}`
		ask := func(r *ststest.SignedRequest) (all []ststest.Access, err error) {
			if r.Service == "s3" {
				all, err = ststest.S3Access(r)
			} else {
				all, err = ststest.JSONAccess(r)
			}
			for _, a := range all {
				maps.Copy(a.Context, row.known)
			}
			return all, err
		}
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{Access: ask})
		r := g.request(t, http.MethodGet, catURL, "", "s3")
		if row.target != "" {
			r = g.targeted(t, "POST", "https://dynamodb.eu-central-1.amazonaws.com/", "dynamodb",
				row.target, `{"TableName": "t"}`)
		}
		got := g.answer(r)
		if got != row.want || !strings.Contains(g.lastCause(), row.cause) {
			t.Errorf("%s: got %s, want %s: %s", row.name, got, row.want, g.lastCause())
		}
	}
}

// TestGate_ConditionalWrites: the policy of the Amazon S3 User Guide, Enforce conditional writes on
// Amazon S3 buckets, example 1, one that limits retention, and one that forbids a tag.
func TestGate_ConditionalWrites(t *testing.T) {
	const conditional = `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*",
		"Condition": {"Null": {"s3:if-none-match": "false"},
			"Bool": {"s3:ObjectCreationOperation": "true"}}}`
	const brief = `{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
		 "Condition": {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "9"}}}`
	const untagged = `{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*",
		 "Condition": {"StringLike": {"s3:RequestObjectTag/a": "*"}}}`
	until := func(date string) map[string]string {
		return map[string]string{"X-Amz-Object-Lock-Retain-Until-Date": date}
	}
	for _, row := range []struct {
		statements, query string
		header            map[string]string
		want              string
	}{
		{conditional, "", map[string]string{"If-None-Match": "*"}, "200"},
		{conditional, "", nil, "403 AccessDenied"},
		{conditional, "?uploadId=1&partNumber=1", map[string]string{"If-None-Match": "*"},
			"403 AccessDenied"},
		{untagged, "", nil, "200"},
		{untagged, "", map[string]string{"X-Amz-Tagging": "b=c"}, "200"},
		{untagged, "", map[string]string{"X-Amz-Tagging": "a=c"}, "403 AccessDenied"},
		{brief, "", until("2026-12-08T12:00:00Z"), "200"},
		{brief, "", until("2026-12-09T12:00:00Z"), "403 AccessDenied"},
		{brief, "", until("tomorrow"), "501 NotImplemented"},
	} {
		policy := `{"Version": "2012-10-17", "Statement": [` + row.statements + `]}`
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.request(t, "PUT", catURL+row.query, "", "s3")
		for name, value := range row.header {
			r.Header.Set(name, value)
		}
		g.sign(t, r, hashOf(""), "s3")
		if got := g.answer(r); got != row.want {
			t.Errorf("%s %v: got %s, want %s: %s", row.query, row.header, got, row.want,
				g.lastCause())
		}
	}
}

// TestJSONAccess_EncryptionContext: KMS has condition keys for the encryption context, and no
// others of that kind.
func TestJSONAccess_EncryptionContext(t *testing.T) {
	const policy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
		 "Condition": {"StringEquals": {"kms:EncryptionContext:user": "jane",
			"kms:CallerAccount": "123456789012"}}},
		{"Effect": "Deny", "Action": "kms:*", "Resource": "*",
		 "Condition": {"StringLike": {"kms:EncryptionContext:other": "*"}}},
		{"Effect": "Deny", "Action": "kms:*", "Resource": "*",
		 "Condition": {"StringLike": {"kms:ViaService": "*"}}}]}`
	for body, want := range map[string]string{
		`{"KeyId": "k", "EncryptionContext": {"user": "jane"}}`: "200",
		`{"KeyId": "k", "EncryptionContext": {"user": "bob"}}`:  "400 AccessDeniedException",
		`{"KeyId": "k"}`: "400 AccessDeniedException",
		`{"KeyId": "k", "EncryptionContext": {"user": "jane", "other": "a"}}`: "400 " +
			"AccessDeniedException",
	} {
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.targeted(t, "POST", "https://kms.eu-central-1.amazonaws.com/", "kms",
			"TrentService.Decrypt", body)
		if got := g.answer(r); got != want {
			t.Errorf("%s: got %s, want %s: %s", body, got, want, g.lastCause())
		}
	}
}

// TestGate_KeysOfResources: what a resource has is unknown for every action on it, and not only for
// the action that makes the resource.
func TestGate_KeysOfResources(t *testing.T) {
	for _, row := range []struct{ service, target, body, key string }{
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:KeyOrigin"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:KeySpec"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:KeyUsage"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:MultiRegion"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:MultiRegionKeyType"},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`, "kms:ResourceAliases"},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`,
			"secretsmanager:ResourceTag/team"},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`,
			"secretsmanager:resource/AllowRotationLambdaArn"},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`,
			"secretsmanager:SecretPrimaryRegion"},
	} {
		policy := `{"Version": "2012-10-17", "Statement": [
			{"Effect": "Allow", "Action": "*", "Resource": "*"},
			{"Effect": "Deny", "Action": "*", "Resource": "*",
			 "Condition": {"ForAnyValue:StringLike": {"` + row.key + `": "*"}}}]}`
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.targeted(t, "POST", "https://"+row.service+".eu-central-1.amazonaws.com/",
			row.service, row.target, row.body)
		if got := g.answer(r); got != "501 UnknownOperationException" ||
			!strings.Contains(g.lastCause(), row.key) {
			t.Errorf("%s: got %s: %s", row.key, got, g.lastCause())
		}
	}
}

// TestAccess_Context: a function of Gate.Access can add a key to what S3Access and JSONAccess
// return, whatever the service and the operation are.
func TestAccess_Context(t *testing.T) {
	const policy = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*",
		"Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}}`
	for _, row := range []struct{ service, target, body string }{
		{"s3", "", ""},
		{"dynamodb", "DynamoDB_20120810.ListTables", `{}`},
		{"dynamodb", "DynamoDB_20120810.GetItem", `{"TableName": "t"}`},
		{"secretsmanager", "secretsmanager.ListSecrets", `{}`},
		{"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`},
		{"kms", "TrentService.ListKeys", `{}`},
		{"kms", "TrentService.Decrypt", `{"KeyId": "k"}`},
		{"sqs", "AmazonSQS.ListQueues", `{}`},
		{"sqs", "AmazonSQS.CreateQueue", `{"QueueName": "q"}`},
		{"events", "AWSEvents.PutEvents", `{"Entries": [{"Source": "s"}]}`},
	} {
		ask := func(r *ststest.SignedRequest) (all []ststest.Access, err error) {
			if r.Service == "s3" {
				all, err = ststest.S3Access(r)
			} else {
				all, err = ststest.JSONAccess(r)
			}
			for _, a := range all {
				a.Context["aws:ResourceTag/team"] = []string{"red"}
			}
			return all, err
		}
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{Access: ask})
		r := g.request(t, http.MethodGet, catURL, "", "s3")
		if row.target != "" {
			r = g.targeted(t, "POST", "https://"+row.service+".eu-central-1.amazonaws.com/",
				row.service, row.target, row.body)
		}
		if got := g.answer(r); got != "200" {
			t.Errorf("%s %s: got %s: %s", row.service, row.target, got, g.lastCause())
		}
	}
}

// TestGate_PlainText: a policy of the version 2008-10-17 has no variables, so it depends on no key
// for its ${…}.
func TestGate_PlainText(t *testing.T) {
	for version, want := range map[string]string{
		`"Version": "2008-10-17",`: "200",
		``:                         "200",
		`"Version": "2012-10-17",`: "501 NotImplemented",
	} {
		for _, deny := range []string{
			`"Resource": "arn:aws:s3:::*/${s3:ExistingObjectTag/name}"`,
			`"NotResource": ["arn:aws:s3:::${s3:ExistingObjectTag/name}/*",
				"arn:aws:s3:::*/cat.jpg"]`,
			`"Resource": "*",
				"Condition": {"StringEquals": {"saml:sub": "${s3:ExistingObjectTag/owner}"}}`,
		} {
			policy := `{` + version + ` "Statement": [
				{"Effect": "Allow", "Action": "*", "Resource": "*"},
				{"Effect": "Deny", "Action": "*", ` + deny + `}]}`
			g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
			got := g.answer(g.request(t, http.MethodGet, catURL, "", "s3"))
			if got != want {
				t.Errorf("%s %s: got %s, want %s: %s", version, deny, got, want, g.lastCause())
			}
		}
	}
}

// TestGate_TLSVersion: a request to httptest counts as one over TLS 1.3. A condition on the version
// is decided by that of the connection if there is one.
func TestGate_TLSVersion(t *testing.T) {
	const policy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Effect": "Deny", "Action": "*", "Resource": "*",
		 "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
		{"Effect": "Deny", "Action": "*", "Resource": "*",
		 "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}`
	for version, want := range map[uint16]string{
		0:                "200", // no TLS
		tls.VersionTLS11: "403 AccessDenied",
		tls.VersionTLS12: "200",
	} {
		g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{})
		r := g.request(t, http.MethodGet, catURL, "", "s3")
		r.TLS = nil
		if version != 0 {
			r.TLS = &tls.ConnectionState{Version: version}
		}
		if got := g.answer(r); got != want {
			t.Errorf("TLS version %x: got %s, want %s: %s", version, got, want, g.lastCause())
		}
	}
}

// TestGate_ResourceOfSecret: of the keys secretsmanager:resource/…, one that is known says nothing
// of another.
func TestGate_ResourceOfSecret(t *testing.T) {
	const policy = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Effect": "Deny", "Action": "*", "Resource": "*",
		 "Condition": {"StringLike": {"secretsmanager:resource/AllowRotationLambdaArn": "*"}}}]}`
	ask := func(r *ststest.SignedRequest) ([]ststest.Access, error) {
		all, err := ststest.JSONAccess(r)
		for _, a := range all {
			a.Context["secretsmanager:resource/Type"] = []string{"other"}
		}
		return all, err
	}
	g := newGated(t, ststest.Role{Policies: []string{policy}}, ststest.Gate{Access: ask})
	r := g.targeted(t, "POST", "https://secretsmanager.eu-central-1.amazonaws.com/",
		"secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId": "s"}`)
	if got := g.answer(r); got != "501 UnknownOperationException" {
		t.Errorf("got %s: %s", got, g.lastCause())
	}
}
