package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Part is one of the two files of a set-up.
type Part string

// The SAML provider is created once. Each target has a role, and the role's file refers to the
// provider. A file with both would create the provider again for the second target.
const (
	ProviderPart Part = "provider"
	RolePart     Part = "role"
)

// CheckPart accepts the name of a part.
func CheckPart(text string) error {
	if part := Part(text); part != ProviderPart && part != RolePart {
		return fmt.Errorf("%.40q is neither provider nor role", text)
	}
	return nil
}

// StackName is the name of the part's CloudFormation stack. Each SAML provider and each target has
// its own stack: with a shared name, one target's stack would replace the role of the other.
func (s *Resources) StackName(part Part) string {
	if part == ProviderPart {
		return "saml-provider-" + shortName(s.ProviderName())
	}
	return "delegation-" + s.roleName()
}

// FileName is the default name of the part's file, in a folder that several targets share.
func (s *Resources) FileName(part Part, extension string) string {
	if part == ProviderPart {
		return "provider" + extension
	}
	return "role-" + s.roleName() + extension
}

// label is the name of the role's resource in Terraform. The targets of a folder share one
// namespace.
func (s *Resources) label() string {
	return "delegation_" + strings.ReplaceAll(s.roleName(), "-", "_")
}

// roleName is a short name of the target. It includes the role if that is not the target's own.
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

// shortName makes a unique name of lower-case letters, digits and single hyphens. If it has to
// change the text, the name ends with a part of the text's hash.
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
