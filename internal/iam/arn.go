package iam

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Kind is the kind of resource that an ARN must name.
type Kind struct {
	name    string
	prefix  string // of the ARN's resource
	hasPath bool   // the name may be in folders, as in role/team/press/name
	maxName int
	// marks are the characters that names may have besides letters, digits and the underscore.
	marks string
}

// The kinds, with names as the IAM API Reference limits them.
var (
	Role = Kind{
		name:    "role",
		prefix:  "role/",
		hasPath: true,
		maxName: 64,
		marks:   "+=,.@-",
	}
	Provider = Kind{
		name:    "SAML provider",
		prefix:  "saml-provider/",
		maxName: 128,
		marks:   ".-",
	}
	Policy = Kind{
		name:    "managed policy",
		prefix:  "policy/",
		hasPath: true,
		maxName: 128,
		marks:   "+=,.@-",
	}
)

const (
	maxARN  = 2048 // STS API Reference, AssumeRoleWithSAML
	maxPath = 510  // IAM API Reference, Role: 512 with the slashes around it
)

// Parse parses the ARN of a resource of this kind. AWS's own managed policies have the account aws.
func (k Kind) Parse(s string) (arn.ARN, error) {
	if s == "" {
		return arn.ARN{}, fmt.Errorf("the %s is empty", k.name)
	}
	a, ok := split(s)
	if !ok || len(s) > maxARN || !k.fits(a) {
		return arn.ARN{}, fmt.Errorf("%.120q is not the ARN of a %s", s, k.name)
	}
	return a, nil
}

// split is the SDK's arn.Parse without its allocation.
func split(s string) (a arn.ARN, ok bool) {
	rest, ok := strings.CutPrefix(s, "arn:")
	if !ok {
		return arn.ARN{}, false
	}
	for _, field := range []*string{&a.Partition, &a.Service, &a.Region, &a.AccountID} {
		*field, rest, ok = strings.Cut(rest, ":")
		if !ok {
			return arn.ARN{}, false
		}
	}
	a.Resource = rest
	return a, true
}

// fits tells whether an ARN names a resource of this kind.
func (k Kind) fits(a arn.ARN) bool {
	if a.Service != "iam" || a.Region != "" || !isPartition(a.Partition) {
		return false
	}
	awsOwn := k.prefix == Policy.prefix && a.AccountID == "aws"
	if !awsOwn && !isAccount(a.AccountID) {
		return false
	}
	name, ok := strings.CutPrefix(a.Resource, k.prefix)
	if !ok {
		return false
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 && k.hasPath {
		if !isPath(name[:i]) {
			return false
		}
		name = name[i+1:]
	}
	return k.isName(name)
}

func (k Kind) isName(name string) bool {
	for i := range len(name) {
		if !isWordChar(name[i]) && strings.IndexByte(k.marks, name[i]) < 0 {
			return false
		}
	}
	return 1 <= len(name) && len(name) <= k.maxName
}

// isPath tells whether the folders of a name are what IAM takes, without the slashes around them.
func isPath(path string) bool {
	for i := range len(path) {
		if path[i] < '!' || path[i] > '~' {
			return false
		}
	}
	return len(path) <= maxPath
}

// isPartition tells whether a text has the form of a partition: aws, aws-cn, aws-us-gov.
func isPartition(text string) bool {
	word, rest, more := strings.Cut(text, "-")
	if word != "aws" {
		return false
	}
	for more {
		word, rest, more = strings.Cut(rest, "-")
		if !isLower(word) {
			return false
		}
	}
	return true
}

func isAccount(text string) bool { return len(text) == 12 && isNumber(text) }
