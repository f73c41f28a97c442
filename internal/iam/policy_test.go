package iam_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

func TestTrustActions(t *testing.T) {
	for _, row := range []struct {
		tags, source bool
		want         string
	}{
		{false, false, "sts:AssumeRoleWithSAML"},
		{true, false, "sts:AssumeRoleWithSAML sts:TagSession"},
		{false, true, "sts:AssumeRoleWithSAML sts:SetSourceIdentity"},
		{true, true, "sts:AssumeRoleWithSAML sts:TagSession sts:SetSourceIdentity"},
	} {
		if got := strings.Join(iam.TrustActions(row.tags, row.source), " "); got != row.want {
			t.Errorf("%v: got %s", row, got)
		}
	}
}

func TestTrustPolicy(t *testing.T) {
	got, err := iam.TrustPolicy("arn:aws:iam::123456789012:saml-provider/delegation", nil,
		"https://signin.aws.amazon.com/saml", `urn:"<a>&b`)
	const want = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Federated": "arn:aws:iam::123456789012:saml-provider/delegation"
      },
      "Action": "sts:AssumeRoleWithSAML",
      "Condition": {
        "StringEquals": {
          "SAML:aud": "https://signin.aws.amazon.com/saml",
          "SAML:iss": "urn:\"<a>&b",
          "SAML:sub_type": "persistent"
        }
      }
    }
  ]
}
`
	if err != nil || got != want {
		t.Errorf("got %v\n%s", err, got)
	}
	got, err = iam.TrustPolicy("p", []string{"sts:AssumeRoleWithSAML", "sts:TagSession"}, "a", "")
	if err != nil || !strings.Contains(got, `"Action": [
        "sts:AssumeRoleWithSAML",
        "sts:TagSession"
      ]`) || strings.Contains(got, "iss") {
		t.Errorf("got %v\n%s", err, got)
	}
	for _, value := range []string{"${aws:username}", "urn:${", "a${$}b"} {
		for _, pair := range [][2]string{{value, ""}, {"a", value}} {
			if got, err := iam.TrustPolicy("p", []string{"a"}, pair[0], pair[1]); err == nil ||
				got != "" {
				t.Errorf("%q has a variable, and gives %s", pair, got)
			}
		}
	}
}

func TestTrustPolicy_WithoutARecipient(t *testing.T) {
	if got, err := iam.TrustPolicy("p", nil, "", "urn:example.com"); err == nil || got != "" {
		t.Errorf("got %s", got)
	}
}

func TestFolderPolicy_Refuses(t *testing.T) {
	for _, name := range []string{
		"", "a", "ab", strings.Repeat("a", 64), "*", "photos*", "photos?", "photos/", "photos/x",
		"${saml:sub}", "photos${x}", "Photos", "photos ", "photos\n", "-photos", "photos-",
		".photos", "photos.", "phötos", "photos_1", "arn:aws:s3:::photos", `photos"`,
	} {
		if got, err := iam.FolderPolicy("aws", name); err == nil || got != "" {
			t.Errorf("%q gives %s", name, got)
		}
	}
	if got, err := iam.FolderPolicy("", "photos"); err == nil || got != "" {
		t.Errorf("no partition gives %s", got)
	}
	for _, name := range []string{"abc", "my.photos-1", strings.Repeat("a", 63)} {
		if got, err := iam.FolderPolicy("aws-cn", name); err != nil ||
			!strings.Contains(got, `"arn:aws-cn:s3:::`+name+`/${saml:sub}/*"`) {
			t.Errorf("%q gives %v %s", name, err, got)
		}
	}
}
