package iam

import (
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Kind is the kind of resource that an ARN must name.
type Kind struct {
	name string
	form *regexp.Regexp
}

// The kinds, with names as the IAM API Reference limits them.
var (
	Role     = kind("role", `role/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,64}`)
	Provider = kind("SAML provider", `saml-provider/[\w.-]{1,128}`)
	Policy   = kind("managed policy", `policy/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,128}`)
)

func kind(name, resource string) Kind {
	return Kind{name, regexp.MustCompile(`\A(?:` + resource + `)\z`)}
}

const maxARN = 2048 // STS API Reference, AssumeRoleWithSAML

var (
	partitionName = regexp.MustCompile(`\Aaws(?:-[a-z]+)*\z`)
	accountID     = regexp.MustCompile(`\A[0-9]{12}\z`)
)

// Parse parses the ARN of a resource of this kind. AWS's own managed policies have the account aws.
func (k Kind) Parse(s string) (arn.ARN, error) {
	if s == "" {
		return arn.ARN{}, fmt.Errorf("the %s is empty", k.name)
	}
	a, err := arn.Parse(s)
	if err != nil || len(s) > maxARN || !k.fits(a) {
		return arn.ARN{}, fmt.Errorf("%.120q is not the ARN of a %s", s, k.name)
	}
	return a, nil
}

// fits tells whether an ARN names a resource of this kind.
func (k Kind) fits(a arn.ARN) bool {
	if a.Service != "iam" || a.Region != "" || !partitionName.MatchString(a.Partition) {
		return false
	}
	awsOwn := k == Policy && a.AccountID == "aws"
	return (awsOwn || accountID.MatchString(a.AccountID)) && k.form.MatchString(a.Resource)
}
