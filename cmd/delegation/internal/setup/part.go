package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Part is one of the two files that a set-up consists of.
type Part string

// The SAML provider is made once. Each target has a role, whose file refers to the provider. A file
// that had both would make the provider again for the second target.
const (
	ProviderPart Part = "provider"
	RolePart     Part = "role"
)

// CheckPart takes the name of a part.
func CheckPart(text string) error {
	if part := Part(text); part != ProviderPart && part != RolePart {
		return fmt.Errorf("%.40q is neither provider nor role", text)
	}
	return nil
}

// StackName is that of the part's CloudFormation stack. Each SAML provider and each target has its
// own: a stack of another target's name would replace that target's role.
func (s *Resources) StackName(part Part) string {
	if part == ProviderPart {
		return "saml-provider-" + shortName(s.ProviderName())
	}
	return "delegation-" + s.roleName()
}

// FileName is the usual name of the part's file, in a folder with those of other targets.
func (s *Resources) FileName(part Part, extension string) string {
	if part == ProviderPart {
		return "provider" + extension
	}
	return "role-" + s.roleName() + extension
}

// label is the name of the role in Terraform, where all targets of a folder have theirs.
func (s *Resources) label() string {
	return "delegation_" + strings.ReplaceAll(s.roleName(), "-", "_")
}

// roleName is a short name of the target, or of the target and the role if it is not the target's.
func (s *Resources) roleName() string {
	if s.OtherRole {
		_, role := s.RolePath()
		return shortName(s.Target + " " + role)
	}
	return shortName(s.Target)
}

// maxShortName leaves room for prefixes: a stack's name has at most 128 characters (AWS
// CloudFormation API Reference, CreateStack).
const maxShortName = 40

// shortName makes a name of small letters, digits and single hyphens that is another one for each
// text: one that has to be changed ends with a part of its hash.
func shortName(text string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.TrimSuffix(b.String(), "-")
	if name == text && len(name) <= maxShortName && name != "" {
		return name
	}
	sum := sha256.Sum256([]byte(text))
	name = strings.TrimSuffix(name[:min(len(name), maxShortName)], "-")
	return strings.TrimPrefix(name+"-", "-") + hex.EncodeToString(sum[:4])
}
