package session

import (
	"fmt"
	"strings"
	"unicode"
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

// CheckTags checks session tags, whose keys come in order, and that each transitive or droppable
// key is the key of one.
func CheckTags(keys []string, tags map[string]string, transitive, droppable []string) error {
	if len(keys) > MaxTags {
		return fmt.Errorf("there are %d session tags", len(keys))
	}
	var hashes [MaxTags]uint64
	for i, key := range keys {
		if err := CheckTag(key, tags[key]); err != nil {
			return err
		}
		hashes[i] = foldedHash(key)
		for j := range i {
			if hashes[j] == hashes[i] && strings.EqualFold(keys[j], key) {
				return fmt.Errorf(
					"the tag key %q differs from another only by case, which AWS ignores: "+
						"remove one of them", key)
			}
		}
	}
	for _, list := range [][]string{transitive, droppable} {
		for _, key := range list {
			if _, ok := tags[key]; !ok {
				return fmt.Errorf(
					"the transitive or droppable tag key %.140q is not the key of a tag", key)
			}
		}
	}
	return nil
}

// foldedHash is the same for texts that differ only by case, as strings.EqualFold sees it. It is
// FNV-1a, and much faster than a comparison of each with each.
func foldedHash(text string) uint64 {
	hash := uint64(14695981039346656037)
	for _, r := range text {
		hash = (hash ^ uint64(folded(r))) * 1099511628211
	}
	return hash
}

// folded returns the first of the characters that differ from r only by case.
func folded(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z': // others of them come after ASCII: the Kelvin sign is also a k
		return r - 'a' + 'A'
	case r < utf8.RuneSelf:
		return r
	}
	for next := unicode.SimpleFold(r); ; next = unicode.SimpleFold(next) {
		if next <= r {
			return next
		}
	}
}

// CheckTag checks a session tag by itself.
func CheckTag(key, value string) error {
	n := utf8.RuneCountInString(key)
	if n < 1 || n > maxTagKey || isOfAWS(key) || !isTagText(key) {
		return fmt.Errorf("AWS does not accept the tag key %.140q", key)
	}
	if utf8.RuneCountInString(value) > MaxTagValue || !isTagText(value) {
		return fmt.Errorf("AWS does not accept the value %.80q of the tag %q", value, key)
	}
	return nil
}

// isOfAWS tells whether a key begins with aws:, in capitals or not. These are reserved.
func isOfAWS(key string) bool {
	const reserved = "aws:"
	return len(key) >= len(reserved) && strings.EqualFold(key[:len(reserved)], reserved)
}

// isTagText tells whether a text is of [\p{L}\p{Z}\p{N}_.:/=+\-@] (STS API Reference, Tag).
func isTagText(text string) bool {
	for _, r := range text {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r < utf8.RuneSelf:
			if strings.IndexByte(" _.:/=+-@", byte(r)) < 0 {
				return false
			}
		case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Z, r):
			return false
		}
	}
	return true
}

// isPolicyText tells whether a text is of [\x{09}\x{0A}\x{0D}\x{20}-\x{FF}] (STS API Reference,
// AssumeRoleWithSAML, Policy).
func isPolicyText(text string) bool {
	for _, r := range text {
		if r > 0xff || r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return false
		}
	}
	return true
}

// CheckPolicies checks an inline session policy, which may be empty, and the ARNs of managed ones,
// for the role.
func CheckPolicies(policy string, arns []string, role arn.ARN) error {
	if err := CheckPolicyTexts(policy, arns); err != nil {
		return err
	}
	for _, s := range arns {
		p, err := iam.Policy.Parse(s)
		if err != nil {
			return err
		}
		if p.Partition != role.Partition || p.AccountID != role.AccountID && p.AccountID != "aws" {
			return fmt.Errorf("the policy %s is neither of the role's account nor AWS's own", p)
		}
	}
	return nil
}

// CheckPolicyTexts checks an inline session policy and the ARNs of managed ones, for any role.
func CheckPolicyTexts(policy string, arns []string) error {
	if len(arns) > MaxPolicyARNs {
		return fmt.Errorf("there are %d policy ARNs", len(arns))
	}
	size := utf8.RuneCountInString(policy)
	for _, s := range arns {
		size += len(s)
		if _, err := iam.Policy.Parse(s); err != nil {
			return err
		}
	}
	if size > MaxPolicyText {
		return fmt.Errorf("the session policy and its ARNs have %d characters", size)
	}
	if policy == "" {
		return nil
	}
	if _, err := document.ObjectOf(policy); err != nil {
		return fmt.Errorf("the session policy is not one JSON object: %w", err)
	}
	if !isPolicyText(policy) {
		return fmt.Errorf("the session policy has characters above U+00FF or control characters")
	}
	return nil
}
