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
	Role     = Kind{"role", regexp.MustCompile(`\Arole/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,64}\z`)}
	Provider = Kind{"SAML provider", regexp.MustCompile(`\Asaml-provider/[\w.-]{1,128}\z`)}
	Policy   = Kind{"managed policy", regexp.MustCompile(`\Apolicy/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,128}\z`)}
)

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
	ownAccount := accountID.MatchString(a.AccountID) || k == Policy && a.AccountID == "aws"
	if err != nil || len(s) > maxARN || !partitionName.MatchString(a.Partition) || a.Service != "iam" || a.Region != "" || !ownAccount || !k.form.MatchString(a.Resource) {
		return arn.ARN{}, fmt.Errorf("%.120q is not the ARN of a %s", s, k.name)
	}
	return a, nil
}
