package iam_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

func TestParse(t *testing.T) {
	for _, row := range []struct {
		kind iam.Kind
		good bool
		arn  string
	}{
		{iam.Role, true, "arn:aws:iam::123456789012:role/r"},
		{iam.Role, true, "arn:aws-us-gov:iam::123456789012:role/with/a/path/r+=,.@-_"},
		{iam.Role, true, "arn:aws-iso-b:iam::123456789012:role/" + strings.Repeat("r", 64)},
		{iam.Role, false, "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 65)},
		{iam.Role, false, "arn:aws:iam::123456789012:role/"},
		{iam.Role, false, "arn:aws:iam::12345678901:role/r"},
		{iam.Role, false, "arn:aws:iam::aws:role/r"},
		{iam.Role, false, "arn:aws:iam:eu-central-1:123456789012:role/r"},
		{iam.Role, false, "arn:aws:sts::123456789012:role/r"},
		{iam.Role, false, "arn:aws:iam::123456789012:user/r"},
		{iam.Role, false, "arn:aws:iam::123456789012:role/r "},
		{iam.Role, false, "arn:aws:iam::123456789012:role/r\n"},
		{iam.Role, false,
			"arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/p:x"},
		{iam.Role, false, "arn:AWS:iam::123456789012:role/r"},
		{iam.Role, false, "arn::iam::123456789012:role/r"},
		{iam.Role, false, "role/r"},
		{iam.Role, false, ""},
		{iam.Role, false, "arn:aws:iam::123456789012:role/" + strings.Repeat("p", 511) + "/r"},
		{iam.Provider, true, "arn:aws-cn:iam::123456789012:saml-provider/p._-"},
		{iam.Provider, true, "arn:aws:iam::123456789012:saml-provider/" + strings.Repeat("p", 128)},
		{iam.Provider, false, "arn:aws:iam::123456789012:saml-provider/" +
			strings.Repeat("p", 129)},
		{iam.Provider, false, "arn:aws:iam::123456789012:saml-provider/a/b"},
		{iam.Provider, false, "arn:aws:iam::123456789012:oidc-provider/p"},
		{iam.Policy, true, "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		{iam.Policy, true, "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"},
		{iam.Policy, true, "arn:aws:iam::123456789012:policy/p"},
		{iam.Policy, false, "arn:aws:iam::awss:policy/p"},
	} {
		got, err := row.kind.Parse(row.arn)
		if (err == nil) != row.good || row.good && got.String() != row.arn {
			t.Errorf("%q: got %v, %v", row.arn, got, err)
		}
	}
}
