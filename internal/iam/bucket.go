package iam

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// The rules for names are those of the Amazon S3 User Guide, "General purpose bucket naming rules":
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html

// bucket matches a name by its characters. A match has no wildcard, no variable and no slash.
var bucket = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z`)
})

// ipAddress is the form of an IP address, whatever its numbers are.
var ipAddress = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+\z`)
})

// reservedPrefixes are prefixes that no bucket's name can have.
var reservedPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}

// reservedSuffixes end the names of things other than general purpose buckets. These have different
// ARNs, so a policy for such a name would allow nothing.
var reservedSuffixes = []struct{ suffix, of string }{
	{"-s3alias", "an access point's alias"},
	{"--ol-s3", "an Object Lambda access point's alias"},
	{".mrap", "a Multi-Region Access Point"},
	{"--x-s3", "a directory bucket"},
	{"--table-s3", "a table bucket"},
}

// CheckBucket tells why no general purpose bucket of S3 can have a name.
func CheckBucket(name string) error {
	reason := ""
	switch {
	case !bucket().MatchString(name):
		return fmt.Errorf("%.80q is not the name of a bucket", name)
	case strings.Contains(name, ".."):
		reason = "it has two full stops in a row"
	case ipAddress().MatchString(name):
		reason = "it has the form of an IP address"
	default:
		reason = reserved(name)
	}
	if reason == "" {
		return nil
	}
	return fmt.Errorf("%.80q is not the name of a general purpose bucket: %s", name, reason)
}

// reserved says what S3 reserves a name for; empty: nothing.
func reserved(name string) string {
	for _, prefix := range reservedPrefixes {
		if strings.HasPrefix(name, prefix) {
			return "S3 reserves names that begin with " + prefix
		}
	}
	for _, r := range reservedSuffixes {
		if strings.HasSuffix(name, r.suffix) {
			return "names that end with " + r.suffix + " are of " + r.of
		}
	}
	return ""
}
