package setup

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/internal/iam"
)

const (
	// MaxRolePolicy is the maximum size of all inline policies of a role, in characters without
	// white space (IAM User Guide, "IAM and AWS STS quotas").
	MaxRolePolicy = 10_240

	maxTrustPolicy  = 2_048   // characters, counted the same way; AWS raises it on request
	maxTemplateFile = 1 << 17 // bytes
)

// ParseRegion parses the value of --region; empty is no region.
func ParseRegion(name string) (delegation.Region, error) {
	if name == "" {
		return delegation.Region{}, nil
	}
	region, err := delegation.ParseRegion(name)
	if err != nil {
		return region, config.Usagef("--region: %w", Plain(err))
	}
	return region, nil
}

// Plain removes stage, code and remedy from an error of the library. On a command line, the remedy
// is to change the flag or the key.
func Plain(err error) error {
	if e, ok := err.(*delegation.Error); ok {
		return e.Err
	}
	return err
}

// PermissionOptions say what a role may do, in one of three ways.
type PermissionOptions struct {
	// Bucket is the name of an S3 bucket in which each user has the folder ${saml:sub}.
	Bucket string

	// BucketAccount owns the bucket; empty: the account of the role, if that is known.
	BucketAccount string

	// KMSKey is the ARN of the key that encrypts the bucket's objects; empty: the role needs none.
	KMSKey string

	// For is the name of a template for an AWS service, such as dynamodb.
	For string

	// Resource is the template's resource, or the prefix of its name.
	Resource string

	// ByTag is the key of the tag that resources and sessions share in that template.
	ByTag string

	// Template is a file with a permission policy in JSON.
	Template string
}

// Policy returns the permission policy, or "" if there is none, and notes for the operator. account
// is that of the role; "" if it is not known. An error is a config.UsageError that names the flag.
func (p *PermissionOptions) Policy(
	region delegation.Region, account string,
) (policy string, notes []string, err error) {
	if err := p.checkChoice(); err != nil {
		return "", nil, config.Usage(err)
	}
	switch {
	case p.Bucket != "":
		policy, err = p.folder(region, account)
	case p.For != "":
		policy, err = p.service(region, account)
	case p.Template != "":
		return p.readTemplate()
	}
	if err != nil {
		return "", nil, config.Usage(err)
	}
	return policy, nil, nil
}

// checkChoice reports flags that cannot be combined.
func (p *PermissionOptions) checkChoice() error {
	chosen := 0
	for _, one := range []string{p.Bucket, p.For, p.Template} {
		if one != "" {
			chosen++
		}
	}
	switch {
	case chosen > 1:
		return errors.New("--bucket, --for and --template are different permission policies: " +
			"choose one")
	case p.Bucket == "" && (p.BucketAccount != "" || p.KMSKey != ""):
		return errors.New("--bucket-account and --sse-kms need --bucket: name the bucket")
	case p.For == "" && (p.Resource != "" || p.ByTag != ""):
		return errors.New("--resource and --by-tag need --for: name the service")
	}
	return nil
}

// folder is the policy of a bucket with a folder for each user.
func (p *PermissionOptions) folder(region delegation.Region, account string) (string, error) {
	f := iam.Folder{
		Partition: region.Partition(),
		Bucket:    p.Bucket,
		Account:   cmp.Or(p.BucketAccount, account),
		Key:       p.KMSKey,
	}
	if p.BucketAccount != "" {
		if err := CheckAccount(p.BucketAccount); err != nil {
			return "", fmt.Errorf("--bucket-account: %w", err)
		}
	}
	if err := f.CheckKey(); err != nil {
		return "", fmt.Errorf("--sse-kms: %w", err)
	}
	policy, err := f.Policy()
	if err != nil {
		return "", fmt.Errorf("--bucket: %w", err)
	}
	return policy, nil
}

// service is the policy of a template for an AWS service.
func (p *PermissionOptions) service(region delegation.Region, account string) (string, error) {
	template, ok := iam.ServiceNamed(p.For)
	if !ok {
		return "", fmt.Errorf("--for: %.80q is not a service with a template: these are %s", p.For,
			strings.Join(ServiceNames(), ", "))
	}
	given := p.Resource
	other := p.ByTag
	if template.Needs == "by-tag" {
		given = p.ByTag
		other = p.Resource
	}
	if given == "" || other != "" {
		return "", fmt.Errorf("--for %s needs --%s alone: %s", template.Name, template.Needs,
			template.Means)
	}
	if account == "" {
		return "", fmt.Errorf("--for %s needs the account: name it with --account, or a target "+
			"with --target", template.Name)
	}
	at := iam.Place{Partition: region.Partition(), Region: region.String(), Account: account}
	policy, err := template.Policy(at, given)
	if err != nil {
		return "", fmt.Errorf("--%s: %w", template.Needs, err)
	}
	return policy, nil
}

// ServiceNames are the names of the templates for AWS services.
func ServiceNames() (names []string) {
	for _, template := range iam.Services() {
		names = append(names, template.Name)
	}
	return names
}

func (p *PermissionOptions) readTemplate() (policy string, notes []string, err error) {
	text, err := config.ReadBounded(p.Template, maxTemplateFile)
	if err == nil {
		policy, notes, err = PermissionTemplate(string(text))
	}
	if inside := (*fs.PathError)(nil); errors.As(err, &inside) {
		err = inside.Err // the error already names the file
	}
	if err != nil {
		return "", nil, config.Usagef("--template: %s: %w", p.Template, err)
	}
	return policy, notes, nil
}

// PermissionTemplate checks a permission policy for what IAM would refuse, and formats it.
func PermissionTemplate(text string) (policy string, notes []string, err error) {
	document, err := parseObject(text)
	if err != nil {
		return "", nil, err
	}
	if document.get("Version") != "2012-10-17" {
		return "", nil, errors.New(
			`it needs "Version": "2012-10-17": without it, IAM reads ${saml:sub} as plain text`)
	}
	statements, isList := document.get("Statement").([]any)
	if one, ok := document.get("Statement").(object); ok {
		statements, isList = []any{one}, true
	}
	if !isList || len(statements) == 0 {
		return "", nil, errors.New("it needs a Statement")
	}
	for i, one := range statements {
		if err := checkStatement(one); err != nil {
			return "", nil, fmt.Errorf("statement %d %w", i+1, err)
		}
	}
	if err := walk(document, checkTemplateText); err != nil {
		return "", nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(strings.TrimSpace(text)), "", "  "); err != nil {
		return "", nil, err
	}
	policy = b.String() + "\n"
	if n := PolicySize(policy); n > MaxRolePolicy {
		return "", nil, fmt.Errorf("it has %d characters without white space, and IAM accepts %d "+
			"in a role's inline policies", n, MaxRolePolicy)
	}
	lower := strings.ToLower(policy)
	for _, gone := range []string{"saml:aud", "saml:iss", "saml:doc"} {
		if strings.Contains(lower, gone) {
			notes = append(notes, fmt.Sprintf("the policy uses %s, which only a trust policy "+
				"can read: in this policy it never matches", gone))
		}
	}
	return policy, notes, nil
}

// checkStatement checks a statement of an identity-based policy.
func checkStatement(value any) error {
	statement, ok := value.(object)
	if !ok {
		return errors.New("is not an object")
	}
	if effect := statement.get("Effect"); effect != "Allow" && effect != "Deny" {
		return errors.New("needs the Effect Allow or Deny")
	}
	if (statement.get("Action") == nil) == (statement.get("NotAction") == nil) {
		return errors.New("needs Action or NotAction")
	}
	if (statement.get("Resource") == nil) == (statement.get("NotResource") == nil) {
		return errors.New("needs Resource or NotResource")
	}
	for _, m := range statement {
		switch m.name {
		case "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition":
		case "Principal", "NotPrincipal":
			return fmt.Errorf("has a %s, which is for trust policies only: remove it", m.name)
		default:
			return fmt.Errorf("has %.80q, which IAM does not know", m.name)
		}
	}
	return nil
}

// checkTemplateText checks a name or a value in a template.
func checkTemplateText(text string, _ bool) error {
	if strings.Contains(text, "{{") {
		return fmt.Errorf("%.80q has a placeholder of session policies, which IAM does not fill "+
			"in: it knows ${saml:sub} and ${aws:PrincipalTag/…}", text)
	}
	return CheckCharacters(text)
}

// CheckCharacters refuses characters that a policy cannot contain (IAM API Reference,
// PutRolePolicy).
func CheckCharacters(text string) error {
	for _, r := range text {
		if r > 0xff || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return fmt.Errorf("%.80q has the character %U: IAM accepts characters up to "+
				"U+00FF", text, r)
		}
	}
	return nil
}

// PolicySize counts characters as IAM does, without white space.
func PolicySize(policy string) (n int) {
	for _, r := range policy {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}
