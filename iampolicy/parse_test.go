package iampolicy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

// good is a policy in which the rows of TestParseRefuses change one text.
const good = `{"Version": "2012-10-17", "Id": "x", "Statement": [{"Sid": "One", "Effect": "Allow",
	"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
	"Condition": {"StringEquals": {"aws:userid": "x"}}}]}`

// TestParseRefuses: what cannot be evaluated is refused, with the place and the remedy.
func TestParseRefuses(t *testing.T) {
	change := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q is not in the policy once", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	condition := func(block string) string {
		return change(`{"StringEquals": {"aws:userid": "x"}}`, block)
	}
	principal := func(principal string) string {
		return change(`"Sid"`, `"Principal": `+principal+`, "Sid"`)
	}
	for _, row := range []struct{ name, document, want string }{
		{"empty", "", "iampolicy: the policy is empty"},
		{"white space", " \n", "the policy is empty"},
		{"no JSON", "{", "not a policy in JSON"},
		{"a list", "[]", "not a policy in JSON"},
		{"null", "null", "not a policy in JSON"},
		{"two values", good + "{}", "not a policy in JSON"},
		{"not UTF-8", change(`"One"`, "\"\xff\""), "not a policy in JSON"},
		{"half a surrogate", change(`"One"`, `"\ud800"`), "not a policy in JSON"},
		{"element twice", change(`"Effect"`, `"Effect": "Deny", "Effect"`), "not a policy in JSON"},
		{"nested", strings.Repeat("[", 1000), "not a policy in JSON"},
		{"long", `{"Id": "` + strings.Repeat("x", 131_072) + `"}`, "want at most 131072"},
		{"another element", change(`"Id"`, `"ID"`), `"ID" is not supported`},
		{"another version", change("2012-10-17", "2020-01-01"), "the Version is 2020-01-01"},
		{"version of another type", change(`"2012-10-17"`, "2012"), "the Version is 2012"},
		{"Id of another type", change(`"x", "St`, `7, "St`), "the Id: want a string"},
		{"no statement", `{"Version": "2012-10-17"}`, "statement 1: not a JSON object"},
		{"no statements", `{"Statement": []}`, "no Statement"},
		{"statement in a list", `{"Statement": [[]]}`, "statement 1: not a JSON object"},
		{"another element of a statement", change(`"Sid"`, `"sid"`),
			`statement 1: "sid" is not supported`},
		{"Sid of another type", change(`"One"`, "1"), "the Sid: want a string"},
		{"no Effect", change(`"Effect": "Allow",`, ""), "the Effect must be Allow or Deny"},
		{"Effect in lower case", change(`"Allow"`, `"allow"`), "the Effect must be Allow or Deny"},
		{"no Action", change(`"Action": "s3:GetObject",`, ""), "neither Action nor NotAction"},
		{"both actions", change(`"Action"`, `"NotAction": "s3:*", "Action"`),
			"both Action and NotAction"},
		{"no actions", change(`"s3:GetObject"`, "[]"),
			"statement 1: the Action: the list is empty"},
		{"empty action", change(`"s3:GetObject"`, `""`), "the Action: there is an empty string"},
		{"action of another type", change(`"s3:GetObject"`, `["s3:*", 7]`),
			"the Action: want a string or a list of strings"},
		{"action without service", change(`"s3:GetObject"`, `"GetObject"`),
			"want an action such as s3:GetObject"},
		{"wildcard in the service", change(`"s3:GetObject"`, `"s*:GetObject"`), "want an action"},
		{"action without name", change(`"s3:GetObject"`, `"s3:"`), "want an action"},
		{"no Resource", change(`"Resource": "arn:aws:s3:::b/*",`, ""),
			"neither Resource nor NotResource"},
		{"both resources", change(`"Resource"`, `"NotResource": "*", "Resource"`),
			"both Resource and NotResource"},
		{"no ARN", change("arn:aws:s3:::b/*", "b/*"), "the Resource: \"b/*\": want an ARN"},
		{"short ARN", change("arn:aws:s3:::b/*", "arn:aws:s3:::"[:11]), "want an ARN"},
		{"wildcard for the service", change("arn:aws:s3:::b/*", "arn:aws:*:::b/*"),
			"no wildcard in the service"},
		{"variable for the account",
			change("arn:aws:s3:::b/*", "arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:q"),
			"after the fifth colon"},
		{"variable without an end", change("arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:userid"),
			"has no end"},
		{"variable without a key", change("arn:aws:s3:::b/*", "arn:aws:s3:::b/${userid}"),
			"is not a policy variable"},
		{"variable with another default",
			change("arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:userid,'x'}"),
			"is not a policy variable"},
		{"empty variable", change("arn:aws:s3:::b/*", "arn:aws:s3:::b/${}"),
			"is not a policy variable"},
		{"NotPrincipal", change(`"Sid"`, `"NotPrincipal": "*", "Sid"`), "ArnNotEquals"},
		{"principal of another type", principal("7"), "the Principal: want \"*\""},
		{"no principal", principal("{}"), "the Principal: want \"*\""},
		{"principals in a list", principal(`["*"]`), "the Principal: want \"*\""},
		{"canonical user", principal(`{"CanonicalUser": "79a5"}`), "the account's ID under AWS"},
		{"another kind of principal", principal(`{"Group": "x"}`), `"Group" is not supported`},
		{"no names", principal(`{"AWS": []}`), "AWS: the list is empty"},
		{"pattern of a principal", principal(`{"AWS": "arn:aws:iam::123456789012:user/*"}`),
			"accepts no wildcards"},
		{"service for all", principal(`{"Service": "*"}`), "accepts no wildcards"},
		{"ARN of a group", principal(`{"AWS": "arn:aws:iam::123456789012:group/x"}`),
			"want an account's ID"},
		{"short account", principal(`{"AWS": "12345678901"}`), "want an account's ID"},
		{"account without a partition", principal(`{"AWS": "arn::iam::123456789012:root"}`),
			"want an account's ID"},
		{"unique ID", principal(`{"AWS": "AROAEXAMPLE"}`), "want an account's ID"},
		{"condition of another type", condition("[]"), "the Condition: not a JSON object"},
		{"operator without keys", condition(`{"StringEquals": {}}`),
			"StringEquals: not a JSON object with condition keys"},
		{"unknown operator", condition(`{"StringMatches": {"aws:userid": "x"}}`),
			`operator "StringMatches" is not supported`},
		{"unknown set operator", condition(`{"ForSome:StringEquals": {"aws:userid": "x"}}`),
			"is not supported"},
		{"NullIfExists", condition(`{"NullIfExists": {"aws:userid": "true"}}`), "is not supported"},
		{"Null of all values", condition(`{"ForAllValues:Null": {"aws:userid": "true"}}`),
			"is not supported"},
		{"key without a prefix", condition(`{"StringEquals": {"userid": "x"}}`),
			"userid: not a condition key"},
		{"tag without a name", condition(`{"StringEquals": {"aws:PrincipalTag/": "x"}}`),
			"not a condition key"},
		{"pattern of keys", condition(`{"StringEquals": {"aws:PrincipalTag/*": "x"}}`),
			"not a condition key"},
		{"key in two spellings",
			condition(`{"StringEquals": {"aws:userid": "x", "AWS:userID": "y"}}`), "two spellings"},
		{"value of another type", condition(`{"StringEquals": {"aws:userid": {}}}`),
			"StringEquals: aws:userid: want a string"},
		{"no value", condition(`{"StringEquals": {"aws:userid": []}}`), "the list is empty"},
		{"null", condition(`{"StringEquals": {"aws:userid": null}}`), "want a string"},
		{"long value",
			condition(`{"StringEquals": {"aws:userid": "` + strings.Repeat("x", 4097) + `"}}`),
			"want at most 4096"},
		{"two values of Null", condition(`{"Null": {"aws:userid": ["true", "false"]}}`),
			"want true or false"},
		{"another value of Null", condition(`{"Null": {"aws:userid": "yes"}}`),
			"want true or false"},
		{"no boolean", condition(`{"Bool": {"aws:SecureTransport": "yes"}}`), "want true or false"},
		{"no number", condition(`{"NumericEquals": {"s3:max-keys": "ten"}}`),
			"want a number"},
		{"exponent", condition(`{"NumericEquals": {"s3:max-keys": "1e9"}}`), "want a number"},
		{"long number",
			condition(`{"NumericEquals": {"s3:max-keys": "` + strings.Repeat("9", 65) + `"}}`),
			"want a number"},
		{"no date", condition(`{"DateLessThan": {"aws:CurrentTime": "today"}}`), "want a date"},
		{"year or seconds", condition(`{"DateLessThan": {"aws:CurrentTime": "2020"}}`),
			"want a date"},
		{"milliseconds", condition(`{"DateLessThan": {"aws:CurrentTime": "1795953600000"}}`),
			"want a date"},
		{"wildcard of dates", condition(`{"DateLessThan": {"aws:CurrentTime": "2026-*"}}`),
			"want a date"},
		{"no base64", condition(`{"BinaryEquals": {"kms:x": "*"}}`), "want bytes in base64"},
		{"no address", condition(`{"IpAddress": {"aws:SourceIp": "203.0.113"}}`),
			"want an IP address or a range"},
		{"long prefix", condition(`{"IpAddress": {"aws:SourceIp": "203.0.113.0/33"}}`),
			"want an IP address or a range"},
		{"zone", condition(`{"IpAddress": {"aws:SourceIp": "fe80::1%eth0"}}`),
			"want an IP address or a range"},
		{"no ARN of a condition", condition(`{"ArnLike": {"aws:SourceArn": "*"}}`),
			"want an ARN, which has six parts"},
		{"variable of a number", condition(`{"NumericEquals": {"s3:max-keys": "${aws:userid}"}}`),
			"variables with operators of strings and ARNs only"},
		{"variable of a boolean", condition(`{"Bool": {"aws:SecureTransport": "${aws:userid}"}}`),
			"variables with operators of strings and ARNs only"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := iampolicy.Parse(row.document)
			var refusal *iampolicy.Error
			if p != nil || !errors.As(err, &refusal) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestParseStatements: an error names the statement that has it.
func TestParseStatements(t *testing.T) {
	statement := func(rest string) string {
		return `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"` + rest + `}`
	}
	for _, row := range []struct{ statements, want string }{
		{statement("") + "," + statement(`, "Effects": 1`), `statement 2: "Effects"`},
		{statement(`, "Sid": "A"`) + "," + statement(`, "Sid": "A"`),
			`statement 2: the Sid "A" is that of another statement`},
		{statement(`, "Principal": "*"`) + "," + statement(""),
			"statement 2: a Principal is in some statements only"},
	} {
		_, err := iampolicy.Parse(`{"Statement": [` + row.statements + `]}`)
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.statements, err, row.want)
		}
	}
}

// TestParseTakes: forms that IAM takes.
func TestParseTakes(t *testing.T) {
	for _, document := range []string{
		good,
		`{"Statement": {"Effect": "Deny", "NotAction": ["s3:*", "*"], "NotResource": "*"}}`,
		`{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
			"Resource": "arn:aws:s3:::b/${not a variable"}}`,
		`{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "S3:get*",
			"Resource": ["arn:*:s3:::b", "arn:aws:s3:*", "arn:aws-cn:s3:::b/${*}${?}${$}"],
			"Condition": {"bool": {"aws:SecureTransport": true},
				"numericlessthan": {"s3:max-keys": [1, "2.5", -3]},
				"datelessthan": {"aws:CurrentTime": ["2026-11-29", "2026-11", "2026-11-29T12:00Z",
					"2026-11-29T12:00:00.5+01:00", "1795953600", 1795953600]},
				"Null": {"aws:TokenIssueTime": false},
				"StringLike": {"aws:userid": "${aws:PrincipalTag/a b, 'x{y}z'}"}}}}`,
		`{"Statement": {"Effect": "Allow", "Principal": {"AWS": ["*", "123456789012",
			"arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/a/b",
			"arn:aws:sts::123456789012:assumed-role/b/c"],
			"Service": "ec2.amazonaws.com", "Federated": "accounts.google.com"},
			"Action": "sts:AssumeRole", "Condition": {}}}`,
	} {
		if p := mustParse(t, document); p.String() != document {
			t.Errorf("got %s, want %s", p, document)
		}
	}
}
