package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
)

const (
	// MaxRolePolicy is how many characters that are no white space all inline policies of a role
	// may have (IAM User Guide, "IAM and AWS STS quotas").
	MaxRolePolicy = 10_240

	maxTrustPolicy  = 2_048   // characters, counted likewise; AWS raises it on request
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

// Plain takes stage, code and remedy off an error of the library: on a command line the flag or the
// key is the remedy.
func Plain(err error) error {
	if e, ok := err.(*delegation.Error); ok {
		return e.Err
	}
	return err
}

// PermissionOptions say what a role may do, in one of two ways.
type PermissionOptions struct {
	// Bucket is the name of an S3 bucket in which each user has the folder ${saml:sub}.
	Bucket string

	// Template is a file with a permission policy, JSON.
	Template string
}

// Policy returns the permission policy, or "" if there is none, and what to know about it. An error
// is a config.UsageError that names the flag.
func (p *PermissionOptions) Policy(
	region delegation.Region,
) (policy string, notes []string, err error) {
	switch {
	case p.Bucket != "" && p.Template != "":
		return "", nil, config.Usage(errors.New("--bucket and --template are two permission " +
			"policies: choose one"))
	case p.Bucket != "":
		policy, err := delegation.PermissionPolicy(region, p.Bucket)
		if err != nil {
			return "", nil, config.Usagef("--bucket: %w", Plain(err))
		}
		return policy, nil, nil
	case p.Template != "":
		return p.readTemplate()
	}
	return "", nil, nil
}

func (p *PermissionOptions) readTemplate() (policy string, notes []string, err error) {
	text, err := config.ReadBounded(p.Template, maxTemplateFile)
	if err == nil {
		policy, notes, err = PermissionTemplate(string(text))
	}
	if inside := (*fs.PathError)(nil); errors.As(err, &inside) {
		err = inside.Err // the file is named in front
	}
	if err != nil {
		return "", nil, config.Usagef("--template: %s: %w", p.Template, err)
	}
	return policy, notes, nil
}

// PermissionTemplate checks a permission policy for what IAM would refuse, and indents it.
func PermissionTemplate(text string) (policy string, notes []string, err error) {
	document, err := parseObject(text)
	if err != nil {
		return "", nil, err
	}
	if document.get("Version") != "2012-10-17" {
		return "", nil, errors.New(
			`it needs "Version": "2012-10-17": without it IAM takes ${saml:sub} for plain text`)
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
		return "", nil, fmt.Errorf("it has %d characters without white space, and IAM takes %d "+
			"in a role's inline policies", n, MaxRolePolicy)
	}
	lower := strings.ToLower(policy)
	for _, gone := range []string{"saml:aud", "saml:iss", "saml:doc"} {
		if strings.Contains(lower, gone) {
			notes = append(notes, fmt.Sprintf("the policy uses %s, which is there for the trust "+
				"policy only: afterwards it never matches", gone))
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
			return fmt.Errorf("has a %s: that is for trust policies", m.name)
		default:
			return fmt.Errorf("has %.80q, which IAM does not know", m.name)
		}
	}
	return nil
}

// checkTemplateText checks a name or a text of a template.
func checkTemplateText(text string, _ bool) error {
	if strings.Contains(text, "{{") {
		return fmt.Errorf("%.80q has a placeholder of session policies, which IAM does not fill "+
			"in: it knows ${saml:sub} and ${aws:PrincipalTag/…}", text)
	}
	return CheckCharacters(text)
}

// CheckCharacters allows those that a policy can have (IAM API Reference, PutRolePolicy).
func CheckCharacters(text string) error {
	for _, r := range text {
		if r > 0xff || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return fmt.Errorf("%.80q has the character %U: IAM's policies end at U+00FF", text, r)
		}
	}
	return nil
}

// PolicySize counts characters as IAM does: white space is free.
func PolicySize(policy string) (n int) {
	for _, r := range policy {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}
