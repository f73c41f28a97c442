package iamarn_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iamarn"
)

func TestParse(t *testing.T) {
	for _, row := range []struct {
		kind iamarn.Kind
		good bool
		arn  string
	}{
		{iamarn.Role, true, "arn:aws:iam::123456789012:role/r"},
		{iamarn.Role, true, "arn:aws-us-gov:iam::123456789012:role/with/a/path/r+=,.@-_"},
		{iamarn.Role, true, "arn:aws-iso-b:iam::123456789012:role/" + strings.Repeat("r", 64)},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/" + strings.Repeat("r", 65)},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/"},
		{iamarn.Role, false, "arn:aws:iam::12345678901:role/r"},
		{iamarn.Role, false, "arn:aws:iam::aws:role/r"},
		{iamarn.Role, false, "arn:aws:iam:eu-central-1:123456789012:role/r"},
		{iamarn.Role, false, "arn:aws:sts::123456789012:role/r"},
		{iamarn.Role, false, "arn:aws:iam::123456789012:user/r"},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/r "},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/r\n"},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/r,arn:aws:iam::123456789012:saml-provider/p:x"},
		{iamarn.Role, false, "arn:AWS:iam::123456789012:role/r"},
		{iamarn.Role, false, "arn::iam::123456789012:role/r"},
		{iamarn.Role, false, "role/r"},
		{iamarn.Role, false, ""},
		{iamarn.Role, false, "arn:aws:iam::123456789012:role/" + strings.Repeat("p", 511) + "/r"},
		{iamarn.Provider, true, "arn:aws-cn:iam::123456789012:saml-provider/p._-"},
		{iamarn.Provider, true, "arn:aws:iam::123456789012:saml-provider/" + strings.Repeat("p", 128)},
		{iamarn.Provider, false, "arn:aws:iam::123456789012:saml-provider/" + strings.Repeat("p", 129)},
		{iamarn.Provider, false, "arn:aws:iam::123456789012:saml-provider/a/b"},
		{iamarn.Provider, false, "arn:aws:iam::123456789012:oidc-provider/p"},
		{iamarn.Policy, true, "arn:aws:iam::aws:policy/ReadOnlyAccess"},
		{iamarn.Policy, true, "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"},
		{iamarn.Policy, true, "arn:aws:iam::123456789012:policy/p"},
		{iamarn.Policy, false, "arn:aws:iam::awss:policy/p"},
	} {
		got, err := row.kind.Parse(row.arn)
		if (err == nil) != row.good || row.good && got.String() != row.arn {
			t.Errorf("%q: got %v, %v", row.arn, got, err)
		}
	}
}
