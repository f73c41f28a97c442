package iampolicy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

const (
	account = "123456789012"
	role    = "arn:aws:iam::123456789012:role/app/photo-user"
	session = "arn:aws:sts::123456789012:assumed-role/photo-user/jane"
)

// asked is a request of a session.
func asked(action, resource string, c iampolicy.Context) iampolicy.Request {
	return iampolicy.Request{
		Principal: iampolicy.Principal{ARN: session, Role: role},
		Action:    action,
		Resource:  resource,
		Context:   c,
	}
}

// policyOf is a policy of one statement for all actions and resources.
func policyOf(t testing.TB, effect, rest string) *iampolicy.Policy {
	t.Helper()
	if !strings.Contains(rest, `"Action"`) && !strings.Contains(rest, `"NotAction"`) {
		rest += `, "Action": "*"`
	}
	if !strings.Contains(rest, `Resource"`) {
		rest += `, "Resource": "*"`
	}
	return mustParse(t, `{"Version": "2012-10-17", "Statement": {"Effect": "`+effect+`"`+rest+`}}`)
}

// conditional is a policy that allows everything under a condition.
func conditional(t testing.TB, effect, condition string) iampolicy.Set {
	t.Helper()
	return iampolicy.Set{
		Identity: []*iampolicy.Policy{policyOf(t, effect, `, "Condition": `+condition)},
	}
}

// TestDecideNothing: what is not said is denied.
func TestDecideNothing(t *testing.T) {
	request := asked("s3:GetObject", "arn:aws:s3:::b/k", nil)
	decision, err := iampolicy.Set{}.Decide(request)
	if err != nil || decision.Effect != iampolicy.DeniedImplicitly || decision.Allowed() {
		t.Errorf("the zero Set: got %v, %v", decision, err)
	}
	if (iampolicy.Decision{}).Allowed() || (iampolicy.Decision{}).String() !=
		"denied: no identity policy allows it" {
		t.Errorf("the zero Decision: got %v", iampolicy.Decision{})
	}
	for name, set := range map[string]iampolicy.Set{
		"nil":         {Identity: []*iampolicy.Policy{nil}},
		"zero policy": {Identity: []*iampolicy.Policy{{}}},
		"nil of a session": {
			Identity: []*iampolicy.Policy{policyOf(t, "Allow", "")},
			Session:  []*iampolicy.Policy{nil},
		},
		"identity policy of a resource": {
			Resource: []*iampolicy.Policy{policyOf(t, "Allow", "")},
		},
		"resource policy of an identity": {
			Identity: []*iampolicy.Policy{policyOf(t, "Allow", `, "Principal": "*"`)},
		},
	} {
		decision, err := set.Decide(request)
		var refusal *iampolicy.Error
		if decision.Allowed() || !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, %v", name, decision, err)
		}
	}
}

// TestDecideRefusesRequests: a request that cannot be one is an error, and denied.
func TestDecideRefusesRequests(t *testing.T) {
	set := iampolicy.Set{Identity: []*iampolicy.Policy{policyOf(t, "Allow", "")}}
	good := asked("s3:GetObject", "arn:aws:s3:::b/k", nil)
	for name, change := range map[string]func(*iampolicy.Request){
		"no action":       func(r *iampolicy.Request) { r.Action = "" },
		"no service":      func(r *iampolicy.Request) { r.Action = "GetObject" },
		"pattern":         func(r *iampolicy.Request) { r.Action = "s3:Get*" },
		"long action":     func(r *iampolicy.Request) { r.Action += strings.Repeat("x", 5000) },
		"no resource":     func(r *iampolicy.Request) { r.Resource = "" },
		"resource":        func(r *iampolicy.Request) { r.Resource = "b/k" },
		"long resource":   func(r *iampolicy.Request) { r.Resource += strings.Repeat("x", 5000) },
		"not UTF-8":       func(r *iampolicy.Request) { r.Resource += "\xff" },
		"role as caller":  func(r *iampolicy.Request) { r.Principal.ARN = role },
		"another role":    func(r *iampolicy.Request) { r.Principal.Role = role + "x" },
		"role of a user":  func(r *iampolicy.Request) { r.Principal.ARN = "arn:aws:iam::1:user/x" },
		"role is no role": func(r *iampolicy.Request) { r.Principal.Role = "photo-user" },
		"no ARN":          func(r *iampolicy.Request) { r.Principal.ARN = "x" },
		"two principals":  func(r *iampolicy.Request) { r.Principal.Service = "ec2.amazonaws.com" },
		"two spellings": func(r *iampolicy.Request) {
			r.Context = iampolicy.Context{"aws:userid": {"x"}, "aws:UserID": {"x"}}
		},
		"long value": func(r *iampolicy.Request) {
			r.Context = iampolicy.Context{"aws:userid": {strings.Repeat("x", 100_001)}}
		},
		"value not UTF-8": func(r *iampolicy.Request) {
			r.Context = iampolicy.Context{"aws:userid": {"\xff"}}
		},
	} {
		request := good
		change(&request)
		decision, err := set.Decide(request)
		var refusal *iampolicy.Error
		if decision.Allowed() || !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, %v", name, decision, err)
		}
	}
	if decision, err := set.Decide(good); err != nil || !decision.Allowed() {
		t.Errorf("got %v, %v", decision, err)
	}
}

// TestDecideRefusesValues: an operator that cannot read a value of the request is an error, which
// quotes nothing of it.
func TestDecideRefusesValues(t *testing.T) {
	for condition, c := range map[string]iampolicy.Context{
		`{"NumericEquals": {"s3:max-keys": "1"}}`:   {"s3:max-keys": {"secret"}},
		`{"DateLessThan": {"aws:x": "2026-11-29"}}`: {"aws:x": {"secret"}},
		`{"Bool": {"aws:SecureTransport": "true"}}`: {"aws:SecureTransport": {"secret"}},
		`{"IpAddress": {"aws:SourceIp": "::1"}}`:    {"aws:SourceIp": {"secret"}},
		`{"StringEquals": {"aws:x": "y"}}`:          {"aws:x": {"secret", "y"}},
		`{"StringNotEquals": {"aws:x": "y"}}`:       {"aws:x": {"secret", "y"}},
		`{"StringEquals": {"aws:x": "${aws:y}"}}`:   {"aws:x": {"y"}, "aws:y": {"y", "secret"}},
	} {
		for _, effect := range []string{"Allow", "Deny"} {
			decision, err := conditional(t, effect, condition).Decide(
				asked("s3:GetObject", "arn:aws:s3:::b/k", c))
			if decision.Allowed() || err == nil || strings.Contains(err.Error(), "secret") ||
				!strings.HasPrefix(err.Error(),
					"iampolicy: identity policy 1: statement 1: the Condition: ") {
				t.Errorf("%s %s: got %v, %v", effect, condition, decision, err)
			}
		}
	}
}

// TestDecideSays: a decision names what decided.
func TestDecideSays(t *testing.T) {
	own := mustParse(t, `{"Version": "2012-10-17", "Statement": [
		{"Sid": "Own", "Effect": "Allow", "Action": "s3:GetObject",
		 "Resource": "arn:aws:s3:::b/${saml:sub}/*"},
		{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b",
		 "Condition": {"StringLike": {"S3:prefix": "${saml:sub}/*"}}},
		{"Sid": "NoLogs", "Effect": "Deny", "Action": "s3:*",
		 "Resource": "arn:aws:s3:::b/*/logs"}]}`)
	nothing := policyOf(t, "Allow", `, "Action": "sqs:*"`)
	all := policyOf(t, "Allow", "")
	jane := iampolicy.Context{"saml:sub": {"jane"}}
	one := []*iampolicy.Policy{own}
	for _, row := range []struct {
		set     iampolicy.Set
		request iampolicy.Request
		want    string
	}{
		{
			iampolicy.Set{Identity: one}, asked("s3:GetObject", "arn:aws:s3:::b/jane/k", jane),
			"allowed by statement 1 (Own) of identity policy 1",
		},
		{
			iampolicy.Set{Identity: []*iampolicy.Policy{all, own}},
			asked("s3:GetObject", "arn:aws:s3:::b/jane/logs", jane),
			"denied explicitly by statement 3 (NoLogs) of identity policy 2",
		},
		{
			iampolicy.Set{Identity: one}, asked("s3:ListBucket", "arn:aws:s3:::b", jane),
			"denied: no identity policy allows it; statement 2 of identity policy 1 would, but " +
				"for its Condition on S3:prefix",
		},
		{
			iampolicy.Set{Identity: one, Session: []*iampolicy.Policy{nothing}},
			asked("s3:GetObject", "arn:aws:s3:::b/jane/k", jane),
			"denied: no session policy allows it",
		},
		{
			iampolicy.Set{Identity: one, Boundary: []*iampolicy.Policy{nothing}},
			asked("s3:GetObject", "arn:aws:s3:::b/jane/k", jane),
			"denied: no boundary policy allows it",
		},
		{
			iampolicy.Set{Identity: one, Session: []*iampolicy.Policy{nothing, all}},
			asked("s3:GetObject", "arn:aws:s3:::b/jane/k", jane),
			"allowed by statement 1 (Own) of identity policy 1",
		},
		{
			iampolicy.Set{}, iampolicy.Request{Action: "s3:GetObject", Resource: "*"},
			"denied: no resource policy allows it",
		},
	} {
		decision, err := row.set.Decide(row.request)
		if err != nil || decision.String() != row.want {
			t.Errorf("got %q, %v, want %q", decision, err, row.want)
		}
	}
}

// TestConditions tries operators on values that match, differ and are missing. The rows of AWS's
// own documents are in TestDocumented.
func TestConditions(t *testing.T) {
	for _, row := range []struct {
		condition string
		values    []string // of the key aws:x; nil: it is missing
		holds     bool
	}{
		{`{"StringEqualsIgnoreCase": {"aws:x": "RED"}}`, []string{"red"}, true},
		{`{"StringEqualsIgnoreCase": {"aws:x": "R*"}}`, []string{"red"}, false},
		{`{"StringNotEqualsIgnoreCase": {"aws:x": ["RED", "blue"]}}`, []string{"red"}, false},
		{`{"StringNotEqualsIgnoreCase": {"aws:x": "RED"}}`, nil, true},
		{`{"StringNotLike": {"aws:x": ["r*", "b*"]}}`, []string{"green"}, true},
		{`{"StringNotLike": {"aws:x": ["r*", "g*"]}}`, []string{"green"}, false},
		{`{"StringLike": {"aws:x": "a:*:c"}}`, []string{"a:b:b:c"}, true},
		{`{"StringLike": {"aws:x": "?"}}`, []string{""}, false},
		{`{"StringLike": {"aws:x": "?"}}`, []string{"é"}, true},
		{`{"NumericEquals": {"aws:x": "1.50"}}`, []string{"1.5"}, true},
		{`{"NumericEquals": {"aws:x": 15}}`, []string{"015"}, true},
		{`{"NumericNotEquals": {"aws:x": ["1", "2"]}}`, []string{"3"}, true},
		{`{"NumericNotEquals": {"aws:x": ["1", "2"]}}`, []string{"2"}, false},
		{`{"NumericLessThan": {"aws:x": "0"}}`, []string{"-0.5"}, true},
		{`{"NumericLessThan": {"aws:x": "0"}}`, []string{"0"}, false},
		{`{"NumericGreaterThanEquals": {"aws:x": "9007199254740993"}}`,
			[]string{"9007199254740992"}, false},
		{`{"DateEquals": {"aws:x": "2026-11-29"}}`, []string{"2026-11-29T01:00:00+01:00"}, true},
		{`{"DateNotEquals": {"aws:x": "2026-11-29"}}`, []string{"2026-11-29T00:00:00Z"}, false},
		{`{"DateGreaterThanEquals": {"aws:x": "2026-11"}}`, []string{"2026-11-01T00:00:00Z"}, true},
		{`{"DateLessThan": {"aws:x": "2026-11-29T12:00:00.5Z"}}`,
			[]string{"2026-11-29T12:00:00Z"}, true},
		{`{"Bool": {"aws:x": "TRUE"}}`, []string{"true"}, true},
		{`{"Bool": {"aws:x": true}}`, nil, false},
		{`{"BoolIfExists": {"aws:x": true}}`, nil, true},
		{`{"BoolIfExists": {"aws:x": true}}`, []string{"false"}, false},
		{`{"IpAddress": {"aws:x": "203.0.113.0/24"}}`, []string{"::ffff:203.0.113.9"}, true},
		{`{"IpAddress": {"aws:x": "203.0.113.9/24"}}`, []string{"203.0.113.1"}, true},
		{`{"NotIpAddress": {"aws:x": "203.0.113.0/24"}}`, nil, true},
		{`{"ArnEquals": {"aws:x": "arn:aws:iam::*:role/*"}}`,
			[]string{"arn:aws:iam::1:role/a:b"}, true},
		{`{"ArnEquals": {"aws:x": "arn:aws:iam::1:role/?"}}`, []string{"x"}, false},
		{`{"ArnNotEquals": {"aws:x": "arn:aws:iam::1:role/?"}}`, []string{"x"}, true},
		{`{"ArnNotLike": {"aws:x": "arn:aws:iam::1:role/a"}}`,
			[]string{"arn:aws:iam::1:role/a"}, false},
		{`{"ArnLike": {"aws:x": "arn:aws:iam::1:role/${aws:y}"}}`,
			[]string{"arn:aws:iam::1:role/why"}, true},
		{`{"ArnLike": {"aws:x": "${aws:y}"}}`, []string{"why"}, false},
		{`{"Null": {"aws:x": "true"}}`, nil, true},
		{`{"Null": {"aws:x": "true"}}`, []string{""}, false},
		{`{"Null": {"aws:x": "false"}}`, []string{"a", "b"}, true},
		{`{"StringEqualsIfExists": {"aws:x": "a"}}`, []string{"b"}, false},
		{`{"StringEquals": {"aws:x": "a", "aws:y": "why"}}`, []string{"a"}, true},
		{`{"StringEquals": {"aws:x": "a", "aws:y": "no"}}`, []string{"a"}, false},
		{`{"StringEquals": {"aws:x": "${aws:z}"}}`, []string{"${aws:z}"}, false},
		{`{"StringEquals": {"aws:x": ["${aws:z}", "a"]}}`, []string{"a"}, true},
		{`{"StringNotEquals": {"aws:x": ["${aws:z}", "b"]}}`, []string{"a"}, false},
		{`{"StringLike": {"aws:x": "${aws:star}"}}`, []string{"anything"}, false},
		{`{"StringLike": {"aws:x": "${aws:star}"}}`, []string{"*"}, true},
		{`{"StringEquals": {"aws:x": "${aws:empty}"}}`, []string{""}, true},
		{`{"StringEquals": {"aws:x": "${aws:empty, 'd'}"}}`, []string{"d"}, false},
		{`{"StringEquals": {"aws:x": "${aws:z, ''}"}}`, []string{""}, true},
		{`{"StringLike": {"aws:x": "${aws:z, 'x{*}y'}"}}`, []string{"x{*}y"}, true},
		{`{"StringEquals": {"aws:x": "$${aws:y}$"}}`, []string{"$why$"}, true},
		{`{"ForAllValues:StringLike": {"aws:x": "a*"}}`, []string{"a", "ab"}, true},
		{`{"ForAllValues:StringLike": {"aws:x": "a*"}}`, []string{"a", "b"}, false},
		{`{"ForAllValues:StringLike": {"aws:x": "a*"}}`, nil, true},
		{`{"ForAllValues:StringLike": {"aws:x": "a*"}}`, []string{""}, true},
		{`{"ForAnyValue:StringLike": {"aws:x": "*"}}`, nil, false},
		{`{"ForAnyValue:StringLike": {"aws:x": "*"}}`, []string{""}, false},
		{`{"ForAnyValue:StringLike": {"aws:x": "*"}}`, []string{"", "a"}, true},
		{`{"ForAnyValue:StringLikeIfExists": {"aws:x": "*"}}`, nil, true},
		{`{"ForAnyValue:StringNotEquals": {"aws:x": "a"}}`, []string{"a", "b"}, true},
		{`{"ForAnyValue:StringNotEquals": {"aws:x": ["a", "b"]}}`, []string{"a", "b"}, false},
		{`{"ForAllValues:StringNotEquals": {"aws:x": "a"}}`, []string{"b", "c"}, true},
		{`{"ForAllValues:NumericLessThan": {"aws:x": "5"}}`, []string{"1", "4"}, true},
	} {
		c := iampolicy.Context{
			"aws:X": row.values, "aws:y": {"why"}, "aws:star": {"*"}, "aws:empty": {""},
		}
		decision, err := conditional(t, "Allow", row.condition).Decide(
			asked("s3:GetObject", "arn:aws:s3:::b/k", c))
		if err != nil || decision.Allowed() != row.holds {
			t.Errorf("%s with %q: got %s, %v", row.condition, row.values, decision, err)
		}
	}
}

// TestResourceParts: in the five parts before the resource a wildcard stays in its part, unless it
// is a * at the part's end. In the resource it takes colons as well.
func TestResourceParts(t *testing.T) {
	for _, row := range []struct {
		pattern, resource string
		matches           bool
	}{
		{"arn:aws:sqs:us-*x:123456789012:q", "arn:aws:sqs:us-ax:123456789012:q", true},
		{"arn:aws:sqs:us-*x:123456789012:q", "arn:aws:sqs:us-a:x:123456789012:q", false},
		{"arn:aws:sqs:us?east:123456789012:q", "arn:aws:sqs:us-east:123456789012:q", true},
		{"arn:aws:sqs:us?east:123456789012:q", "arn:aws:sqs:us:east:123456789012:q", false},
		{"arn:aws:sqs:us-*:q", "arn:aws:sqs:us-east-1:123456789012:q", true},
		{"arn:aws:sqs:*:123456789012:q", "arn:aws:sqs:us-east-1:1:123456789012:q", true},
		{"arn:aws:s3:::b/a?c", "arn:aws:s3:::b/a:c", true},
		{"arn:aws:s3:::b/a*c", "arn:aws:s3:::b/a:b:c", true},
		{"arn:*:s3:::b/k", "arn:aws-cn:s3:::b/k", true},
		{"arn:aws:s3:::b/K", "arn:aws:s3:::b/k", false},
		{"*", "*", true},
		{"arn:aws:s3:::*", "*", false},
	} {
		set := iampolicy.Set{Identity: []*iampolicy.Policy{
			policyOf(t, "Allow", `, "Resource": "`+row.pattern+`"`),
		}}
		decision, err := set.Decide(asked("s3:GetObject", row.resource, nil))
		if err != nil || decision.Allowed() != row.matches {
			t.Errorf("%s and %s: got %s, %v", row.pattern, row.resource, decision, err)
		}
	}
}

// TestUnknownVariables: a value that is not there never allows more, and never denies less.
func TestUnknownVariables(t *testing.T) {
	for _, row := range []struct {
		effect, rest string
		want         iampolicy.Effect
	}{
		{"Allow", `, "Resource": "arn:aws:s3:::b/${aws:z}"`, iampolicy.DeniedImplicitly},
		{"Allow", `, "Resource": ["arn:aws:s3:::b/${aws:z}", "*"]`, iampolicy.Allowed},
		{"Allow", `, "NotResource": "arn:aws:s3:::b/${aws:z}"`, iampolicy.DeniedImplicitly},
		{"Deny", `, "NotResource": "arn:aws:s3:::b/${aws:z}"`, iampolicy.DeniedExplicitly},
		{"Deny", `, "Condition": {"StringNotEquals": {"aws:x": "${aws:z}"}}`,
			iampolicy.DeniedExplicitly},
		{"Allow", `, "Condition": {"StringNotEquals": {"aws:x": "${aws:z}"}}`,
			iampolicy.DeniedImplicitly},
		{"Allow", `, "Condition": {"ArnNotLike": {"aws:x": "${aws:z}"}}`,
			iampolicy.DeniedImplicitly},
	} {
		set := iampolicy.Set{Identity: []*iampolicy.Policy{policyOf(t, row.effect, row.rest)}}
		decision, err := set.Decide(
			asked("s3:GetObject", "arn:aws:s3:::b/k", iampolicy.Context{"aws:x": {"x"}}))
		if err != nil || decision.Effect != row.want {
			t.Errorf("%s%s: got %s, %v", row.effect, row.rest, decision, err)
		}
	}
}

// TestFederatedPrincipals: an Allow for everyone lets in no provider, and a Deny does count.
func TestFederatedPrincipals(t *testing.T) {
	const provider = "arn:aws:iam::123456789012:saml-provider/idp"
	request := iampolicy.Request{
		Principal: iampolicy.Principal{Federated: provider},
		Action:    "sts:AssumeRoleWithSAML",
		Resource:  role,
	}
	everyone := policyOf(t, "Allow", `, "Principal": "*"`)
	named := policyOf(t, "Allow", `, "Principal": {"Federated": "`+provider+`"}`)
	denied := policyOf(t, "Deny", `, "Principal": {"AWS": "*"}`)
	for i, row := range []struct {
		policies []*iampolicy.Policy
		want     iampolicy.Effect
	}{
		{[]*iampolicy.Policy{everyone}, iampolicy.DeniedImplicitly},
		{[]*iampolicy.Policy{named}, iampolicy.Allowed},
		{[]*iampolicy.Policy{named, denied}, iampolicy.DeniedExplicitly},
	} {
		decision, err := iampolicy.Set{Resource: row.policies}.Decide(request)
		if err != nil || decision.Effect != row.want {
			t.Errorf("row %d: got %s, %v", i, decision, err)
		}
	}
}

// sessionIn is a session of the account in a partition.
func sessionIn(partition string) iampolicy.Principal {
	return iampolicy.Principal{
		ARN:  strings.Replace(session, "arn:aws:", "arn:"+partition+":", 1),
		Role: strings.Replace(role, "arn:aws:", "arn:"+partition+":", 1),
	}
}

// TestAccountPrincipals: an account with its partition names no session of another partition.
func TestAccountPrincipals(t *testing.T) {
	const root = ":iam::" + account + ":root"
	for _, row := range []struct {
		name, partition string // of the Principal, and of the session
		named           bool
	}{
		{account, "aws", true},
		{account, "aws-cn", true},
		{"arn:aws" + root, "aws", true},
		{"arn:aws" + root, "aws-cn", false},
		{"arn:aws-cn" + root, "aws", false},
		{"arn:aws-cn" + root, "aws-cn", true},
		{"arn:aws:iam::999999999999:root", "aws", false},
	} {
		principal := `, "Principal": {"AWS": "` + row.name + `"}`
		allow := policyOf(t, "Allow", principal)
		everyone := policyOf(t, "Allow", `, "Principal": "*"`)
		deny := policyOf(t, "Deny", principal)
		byAllow := iampolicy.DeniedImplicitly
		byDeny := iampolicy.Allowed
		if row.named {
			byAllow = iampolicy.Allowed
			byDeny = iampolicy.DeniedExplicitly
		}
		for _, one := range []struct {
			resource []*iampolicy.Policy
			want     iampolicy.Effect
		}{
			{[]*iampolicy.Policy{allow}, byAllow},
			{[]*iampolicy.Policy{everyone, deny}, byDeny},
		} {
			set := iampolicy.Set{
				Identity: []*iampolicy.Policy{policyOf(t, "Allow", "")},
				Resource: one.resource,
			}
			decision, err := set.Decide(iampolicy.Request{
				Principal: sessionIn(row.partition),
				Action:    "sqs:SendMessage",
				Resource:  "arn:" + row.partition + ":sqs:us-east-1:888888888888:q",
			})
			if err != nil || decision.Effect != one.want {
				t.Errorf("%s and a session in %s, %s: got %s, %v", row.name, row.partition,
					one.resource[len(one.resource)-1], decision, err)
			}
		}
	}
}

// TestAccountsOfPartitions: the same account ID in another partition is another account, whose
// resource policy must allow a request too.
func TestAccountsOfPartitions(t *testing.T) {
	set := iampolicy.Set{Identity: []*iampolicy.Policy{policyOf(t, "Allow", "")}}
	for _, row := range []struct {
		resource, account string // the key aws:ResourceAccount; empty: it is missing
		want              iampolicy.Effect
	}{
		{"arn:aws:sqs:us-east-1:123456789012:q", "", iampolicy.Allowed},
		{"arn:aws-cn:sqs:cn-north-1:123456789012:q", "", iampolicy.DeniedImplicitly},
		{"arn:aws:s3:::b/k", account, iampolicy.Allowed},
		{"arn:aws-cn:s3:::b/k", account, iampolicy.DeniedImplicitly},
		{"*", account, iampolicy.Allowed},
	} {
		c := iampolicy.Context{}
		if row.account != "" {
			c["aws:ResourceAccount"] = []string{row.account}
		}
		decision, err := set.Decide(asked("x:Get", row.resource, c))
		if err != nil || decision.Effect != row.want {
			t.Errorf("%s of %q: got %s, %v", row.resource, row.account, decision, err)
		}
	}
}

// TestAccountInARN: the account of the resource's ARN is that of the resource. The key
// aws:ResourceAccount does not change it, neither for the decision nor in a Condition.
func TestAccountInARN(t *testing.T) {
	const (
		own   = "arn:aws:sqs:us-east-1:123456789012:q"
		other = "arn:aws:sqs:us-east-1:999999999999:q"
	)
	for _, row := range []struct {
		resource, key, value string
		want                 iampolicy.Effect
	}{
		{own, "aws:ResourceAccount", account, iampolicy.Allowed},
		{own, "aws:ResourceAccount", "999999999999", iampolicy.Allowed},
		{other, "aws:ResourceAccount", "999999999999", iampolicy.DeniedImplicitly},
		{other, "aws:ResourceAccount", account, iampolicy.DeniedImplicitly},
		{other, "AWS:resourceaccount", account, iampolicy.DeniedImplicitly},
		{"arn:aws:s3:::b/k", "AWS:resourceaccount", "999999999999", iampolicy.DeniedImplicitly},
	} {
		set := iampolicy.Set{Identity: []*iampolicy.Policy{policyOf(t, "Allow", "")}}
		request := asked("x:Get", row.resource, iampolicy.Context{row.key: {row.value}})
		decision, err := set.Decide(request)
		if err != nil || decision.Effect != row.want {
			t.Errorf("%+v: got %s, %v", row, decision, err)
		}
		set = conditional(t, "Allow", `{"StringEquals": {"aws:ResourceAccount": "`+account+`"}}`)
		set.Resource = []*iampolicy.Policy{
			policyOf(t, "Allow", `, "Principal": {"AWS": "`+account+`"}`),
		}
		decision, err = set.Decide(request)
		if err != nil || decision.Effect != row.want {
			t.Errorf("%+v in a Condition: got %s, %v", row, decision, err)
		}
		if request.Context[row.key][0] != row.value {
			t.Errorf("%+v: the caller's context was changed", row)
		}
	}
}

// TestResourceMustAllow: the trust policy of a role and the policy of a KMS key must allow a
// request, also in one account. Then they are resource policies as all others are.
func TestResourceMustAllow(t *testing.T) {
	const (
		neighbour = "arn:aws:iam::123456789012:role/neighbour"
		key       = "arn:aws:kms:us-east-1:123456789012:key/k"
		user      = "arn:aws:iam::123456789012:user/jane"
	)
	principal := func(principal string) []*iampolicy.Policy {
		return []*iampolicy.Policy{policyOf(t, "Allow", `, "Principal": `+principal)}
	}
	byAdmin := principal(`{"AWS": "arn:aws:iam::123456789012:role/admin"}`)
	byRole := principal(`{"AWS": "` + role + `"}`)
	bySession := principal(`{"AWS": "` + session + `"}`)
	byAccount := principal(`{"AWS": "` + account + `"}`)
	byService := principal(`{"Service": "ec2.amazonaws.com"}`)
	byCondition := principal(`{"AWS": "` + role + `"}, "Condition": {
		"StringEquals": {"sts:ExternalId": "photos"}}`)
	ownAllow := []*iampolicy.Policy{policyOf(t, "Allow", "")}
	elsewhere := []*iampolicy.Policy{policyOf(t, "Allow", `, "Action": "sqs:*"`)}
	const (
		byIdentity = "allowed by statement 1 of identity policy 1"
		byResource = "allowed by statement 1 of resource policy 1"
		noIdentity = "denied: no identity policy allows it"
		noResource = "denied: no resource policy allows it"
	)
	for i, row := range []struct {
		action, on         string
		identity, resource []*iampolicy.Policy
		want               string
	}{
		{"sts:AssumeRole", neighbour, ownAllow, nil, noResource},
		{"sts:AssumeRole", neighbour, ownAllow, byAdmin, noResource},
		{"sts:AssumeRole", neighbour, ownAllow, byService, noResource},
		{"sts:AssumeRole", neighbour, ownAllow, byCondition, noResource +
			"; statement 1 of resource policy 1 would, but for its Condition on sts:ExternalId"},
		{"sts:AssumeRole", neighbour, ownAllow, byAccount, byIdentity},
		{"sts:AssumeRole", neighbour, nil, byAccount, noIdentity},
		{"sts:AssumeRole", neighbour, nil, byRole, byResource},
		{"sts:AssumeRole", neighbour, elsewhere, bySession, byResource},
		{"STS:assumerole", neighbour, ownAllow, byAdmin, noResource},
		{"sts:AssumeRole", "*", ownAllow, nil, noResource},
		{"sts:TagSession", neighbour, ownAllow, byAdmin, noResource},
		{"sts:SetSourceIdentity", neighbour, ownAllow, byAdmin, noResource},
		{"sts:SetContext", neighbour, ownAllow, nil, noResource},
		{"sts:TagSession", neighbour, ownAllow, byAccount, byIdentity},
		// No trust policy is asked for these.
		{"sts:TagSession", user, ownAllow, nil, byIdentity},
		{"sts:GetCallerIdentity", "*", ownAllow, nil, byIdentity},
		{"iam:PassRole", neighbour, ownAllow, nil, byIdentity},

		{"kms:Decrypt", key, ownAllow, byAdmin, noResource},
		{"KMS:Decrypt", key, ownAllow, byAdmin, noResource},
		{"kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:alias/k", ownAllow, byAdmin,
			noResource},
		{"kms:Decrypt", key, ownAllow, byAccount, byIdentity},
		{"kms:Decrypt", key, nil, byAccount, noIdentity},
		{"kms:Decrypt", key, nil, byRole, byResource},
		// Without a key policy in the Set, the key has the default one.
		{"kms:Decrypt", key, ownAllow, nil, byIdentity},
		{"kms:ListKeys", "*", ownAllow, nil, byIdentity},
		// The policies of other resources need not allow what the caller's do.
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:q", ownAllow, byAdmin, byIdentity},
		{"s3:GetObject", "arn:aws:s3:::b/key/k", ownAllow, byAdmin, byIdentity},
	} {
		set := iampolicy.Set{Identity: row.identity, Resource: row.resource}
		decision, err := set.Decide(asked(row.action, row.on, nil))
		if err != nil || decision.String() != row.want {
			t.Errorf("row %d, %s on %s: got %q, %v, want %q", i, row.action, row.on, decision, err,
				row.want)
		}
	}
}

// TestDecideTogether: policies are used from many goroutines.
func TestDecideTogether(t *testing.T) {
	set := conditional(t, "Allow", `{"StringLike": {"saml:sub": "${aws:userid}*"}}`)
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			for range 100 {
				name := fmt.Sprint("user", i)
				decision, err := set.Decide(asked("s3:GetObject", "arn:aws:s3:::b/k",
					iampolicy.Context{"saml:sub": {name + "x"}, "aws:userid": {name}}))
				if err != nil || !decision.Allowed() {
					t.Errorf("got %s, %v", decision, err)
				}
			}
		})
	}
	wait.Wait()
}

// TestLike: the whole text must match.
func TestLike(t *testing.T) {
	for _, row := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "x", false}, {"*", "", true}, {"*", "a:b/c", true}, {"?", "", false},
		{"a*c", "abcbc", true}, {"a*c", "abcb", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"*a*b*", "xxaxxbxx", true}, {"*a*b*", "xxbxxaxx", false}, {"**", "x", true},
		{"[a]", "a", false}, {"[a]", "[a]", true}, {"é?", "éß", true}, {"a", "A", false},
	} {
		if got := iampolicy.Like(row.pattern, row.text); got != row.want {
			t.Errorf("Like(%q, %q) is %v", row.pattern, row.text, got)
		}
	}
}

// TestBounds: long patterns for long values end with a decision or an error. The steps of a
// decision are counted before they are taken, so that the error costs nothing.
func TestBounds(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	const tooMuch = "too many and too long patterns"
	for _, row := range []struct {
		name, pattern string
		values        int
		want          string // of the error
	}{
		{"stars", strings.Repeat("*a", 10) + "b", 1, ""},
		{"questions", "*" + strings.Repeat("?", 10) + "b", 1, ""},
		{"many stars", strings.Repeat("*a", 2000) + "b", 1, tooMuch},
		{"many questions", "*" + strings.Repeat("?", 2000) + "b", 1, tooMuch},
		{"few values", "b" + strings.Repeat("*a", 150), 2, ""},
		{"many values", "b" + strings.Repeat("*a", 150), 25, tooMuch},
		{"variables", strings.Repeat("${aws:x}", 500), 1, "is longer than"},
	} {
		list := `["` + strings.Repeat(row.pattern+`", "`, row.values-1) + row.pattern + `"]`
		decision, err := conditional(t, "Allow", `{"StringLike": {"aws:x": `+list+`}}`).Decide(
			asked("s3:GetObject", "arn:aws:s3:::b/k", iampolicy.Context{"aws:x": {long}}))
		if decision.Allowed() || (err != nil) != (row.want != "") ||
			err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %s, %v, want %q", row.name, decision, err, row.want)
		}
	}
	// Each value with a variable takes steps, even if it is compared with an empty text.
	few := `"b` + strings.Repeat("*a", 150) + `"`
	many := strings.Repeat(`"${aws:x}", `, 99) + `"${aws:x}"`
	_, err := conditional(t, "Allow", `{"ForAnyValue:StringNotLike": {"aws:x": [`+few+`, `+few+`]},
		"StringEquals": {"aws:e": [`+many+`]}}`).Decide(asked("s3:GetObject", "arn:aws:s3:::b/k",
		iampolicy.Context{"aws:x": {long}, "aws:e": {""}}))
	if err == nil || !strings.Contains(err.Error(), tooMuch) {
		t.Errorf("variables and an empty text: got %v", err)
	}
	set := iampolicy.Set{Identity: []*iampolicy.Policy{
		policyOf(t, "Allow", `, "Resource": "arn:aws:s3:::b/`+strings.Repeat("*a", 500)+`"`),
	}}
	key := "arn:aws:s3:::b/" + strings.Repeat("a", 1000)
	decision, err := set.Decide(asked("s3:GetObject", key, nil))
	if err != nil || !decision.Allowed() {
		t.Errorf("got %s, %v", decision, err)
	}
}

// TestRequest_ResourceAccount: the account in an ARN wins over the key, and the key over a word.
func TestRequest_ResourceAccount(t *testing.T) {
	const key = "AWS:resourceAccount"
	for _, row := range []struct {
		resource string
		context  iampolicy.Context
		want     string
	}{
		{"arn:aws:sqs:eu-central-1:111111111111:q", nil, "111111111111"},
		{"arn:aws:sqs:eu-central-1:111111111111:q", iampolicy.Context{key: {"222222222222"}},
			"111111111111"},
		{"arn:aws:s3:::b", iampolicy.Context{key: {"222222222222"}}, "222222222222"},
		{"arn:aws:iam::aws:policy/p", iampolicy.Context{key: {"222222222222"}}, "222222222222"},
		{"arn:aws:iam::aws:policy/p", nil, "aws"},
		{"arn:aws:s3:::b", iampolicy.Context{key: {"222222222222", "333333333333"}}, ""},
		{"arn:aws:s3:::b", nil, ""},
		{"*", nil, ""},
		{"", nil, ""},
	} {
		got := iampolicy.Request{Resource: row.resource, Context: row.context}.ResourceAccount()
		if got != row.want {
			t.Errorf("%s %v: got %q, want %q", row.resource, row.context, got, row.want)
		}
	}
}
