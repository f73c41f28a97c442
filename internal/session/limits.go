package session

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/document"
	"github.com/seed055b7978/delegation/internal/iam"
)

// AWS's limits of what one session carries.
const (
	MaxTags       = 50
	MaxTagValue   = 256  // characters
	MaxPolicyText = 2048 // characters of inline policy and ARNs together, in plain text
	MaxPolicyARNs = 10

	maxTagKey = 128 // characters
)

var (
	tagText    = regexp.MustCompile(`\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z`)
	policyText = regexp.MustCompile(`\A[\x{09}\x{0A}\x{0D}\x{20}-\x{FF}]+\z`)
)

// CheckTags checks session tags, and that each key beside them is the key of one.
func CheckTags(tags map[string]string, transitive, droppable []string) error {
	if len(tags) > MaxTags {
		return fmt.Errorf("there are %d session tags", len(tags))
	}
	keys := slices.Sorted(maps.Keys(tags))
	for i, key := range keys {
		if err := checkTag(key, tags[key]); err != nil {
			return err
		}
		same := func(other string) bool { return strings.EqualFold(key, other) }
		if slices.ContainsFunc(keys[:i], same) {
			return fmt.Errorf(
				"AWS takes the tag key %q and another for one: they differ only by case", key)
		}
	}
	for _, key := range slices.Concat(transitive, droppable) {
		if _, ok := tags[key]; !ok {
			return fmt.Errorf(
				"the transitive or droppable tag key %.140q is not the key of a tag", key)
		}
	}
	return nil
}

func checkTag(key, value string) error {
	n := utf8.RuneCountInString(key)
	ofAWS := strings.HasPrefix(strings.ToLower(key), "aws:")
	if n < 1 || n > maxTagKey || ofAWS || !tagText.MatchString(key) {
		return fmt.Errorf("the tag key %.140q is not one for AWS", key)
	}
	if utf8.RuneCountInString(value) > MaxTagValue || !tagText.MatchString(value) {
		return fmt.Errorf("the value %.80q of the tag %q is not one for AWS", value, key)
	}
	return nil
}

// CheckPolicies checks an inline session policy, which may be empty, and the ARNs of managed ones,
// for the role.
func CheckPolicies(policy string, arns []string, role arn.ARN) error {
	if len(arns) > MaxPolicyARNs {
		return fmt.Errorf("there are %d policy ARNs", len(arns))
	}
	size := utf8.RuneCountInString(policy)
	for _, s := range arns {
		size += len(s)
		p, err := iam.Policy.Parse(s)
		if err != nil {
			return err
		}
		if p.Partition != role.Partition || p.AccountID != role.AccountID && p.AccountID != "aws" {
			return fmt.Errorf("the policy %s is neither of the role's account nor AWS's own", p)
		}
	}
	if size > MaxPolicyText {
		return fmt.Errorf("the session policy and its ARNs have %d characters", size)
	}
	if policy == "" {
		return nil
	}
	if _, err := document.Object([]byte(policy)); err != nil {
		return fmt.Errorf("the session policy is not one JSON object: %w", err)
	}
	if !policyText.MatchString(policy) {
		return fmt.Errorf("the session policy has characters above U+00FF or control characters")
	}
	return nil
}
