package iam_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

// TestCheckBucket: each rule of S3 for the names of general purpose buckets (Amazon S3 User Guide,
// "General purpose bucket naming rules") refuses what it is about, with its reason, and no more.
func TestCheckBucket(t *testing.T) {
	for name, reason := range map[string]string{
		"a..b":                   "two full stops",
		"photos...x":             "two full stops",
		"192.168.5.4":            "IP address",
		"999.999.999.999":        "IP address",
		"1.2.3.4":                "IP address",
		"xn--photos":             "begin with xn--",
		"sthree-photos":          "begin with sthree-",
		"sthree-configurator":    "begin with sthree-",
		"amzn-s3-demo-bucket":    "begin with amzn-s3-demo-",
		"photos-s3alias":         "an access point",
		"photos--ol-s3":          "Object Lambda",
		"photos.mrap":            "Multi-Region",
		"photos--usw2-az1--x-s3": "a directory bucket",
		"photos--table-s3":       "a table bucket",
		"":                       "not the name of a bucket",
		"ab":                     "not the name of a bucket",
		"Photos":                 "not the name of a bucket",
		"photos*":                "not the name of a bucket",
		"${saml:sub}":            "not the name of a bucket",
		"photos/x":               "not the name of a bucket",
		strings.Repeat("a", 64):  "not the name of a bucket",
		"arn:aws:s3:::photos":    "not the name of a bucket",
		"photos\n":               "not the name of a bucket",
	} {
		err := iam.CheckBucket(name)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: got %v, want %s", name, err, reason)
		}
		for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
			if policy, err := iam.FolderPolicy(partition, name); err == nil || policy != "" {
				t.Errorf("%q has the policy %s", name, policy)
			}
		}
	}
	for _, name := range []string{
		"abc", "my.photos-1", strings.Repeat("a", 63), "1.2.3", "1.2.3.4.5", "192.168.5.x",
		"photos.xn--x", "a-sthree-b", "sthree", "xn-photos", "my-amzn-s3-demo-bucket",
		"photos-s3alias-x", "photos-ol-s3", "photos-x-s3", "mrap", "photos.mrap.x",
		"photos-111122223333-eu-central-1-an", "s3alias", "a-b", "a.b",
	} {
		if err := iam.CheckBucket(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
