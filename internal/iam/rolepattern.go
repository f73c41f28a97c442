package iam

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

const wildcard = "*"

// A pattern of roles is the ARN of a role with wildcards. It is narrower than one of IAM, whose *
// matches slashes and colons too (IAM User Guide, "IAM JSON policy elements: Resource"):
//
//   - As the account, * stands for any account. Digits next to it are refused.
//   - In a folder or in the name, * stands for any characters but a slash and a colon. If it is
//     the whole folder or name, it stands for at least one character.
//   - At the end, after a slash, it stands for every role in the folder, and in the folders there.
//
// Partition and service have no wildcard, and no character but * is one.

// IsRolePattern tells whether a text has a wildcard.
func IsRolePattern(text string) bool { return strings.Contains(text, wildcard) }

// CheckRolePattern tells what is wrong with a pattern of roles.
func CheckRolePattern(pattern string) error {
	a, ok := split(pattern)
	if a.AccountID == wildcard {
		a.AccountID = "000000000000"
	}
	// A name with letters in place of wildcards shows whether the rest is right.
	a.Resource = strings.ReplaceAll(a.Resource, wildcard, "x")
	doubled := strings.Contains(pattern, wildcard+wildcard)
	if !ok || doubled || len(pattern) > maxARN || !Role.fits(a) {
		return fmt.Errorf("%.120q is not the ARN of a role with wildcards: * may be the account, "+
			"or a part of the name or its path", pattern)
	}
	return nil
}

// AnyAccount tells whether a pattern of roles is for every account.
func AnyAccount(pattern string) bool {
	a, _ := split(pattern)
	return a.AccountID == wildcard
}

// AnyRole tells whether a pattern of roles is for every role of its accounts.
func AnyRole(pattern string) bool {
	a, _ := split(pattern)
	return a.Resource == Role.prefix+wildcard
}

// MatchesRole tells whether a pattern, which was checked, matches the ARN of a role. An ARN without
// a wildcard matches itself alone.
func MatchesRole(pattern string, role arn.ARN) bool {
	a, ok := split(pattern)
	if !ok || a.Partition != role.Partition || a.Service != role.Service {
		return false
	}
	if a.AccountID != wildcard && a.AccountID != role.AccountID {
		return false
	}
	path, isRole := strings.CutPrefix(role.Resource, Role.prefix)
	wanted, wantsRole := strings.CutPrefix(a.Resource, Role.prefix)
	return isRole && wantsRole && matchesPath(wanted, path)
}

// matchesPath compares a name and its folders with a pattern, part by part.
func matchesPath(pattern, path string) bool {
	for {
		wanted, moreWanted, folderWanted := strings.Cut(pattern, "/")
		if wanted == wildcard && !folderWanted {
			return path != "" && !strings.Contains(path, ":")
		}
		part, more, isFolder := strings.Cut(path, "/")
		if folderWanted != isFolder || !matchesPart(wanted, part) {
			return false
		}
		if !isFolder {
			return true
		}
		pattern = moreWanted
		path = more
	}
}

// matchesPart compares one folder, or the name, with its part of a pattern.
func matchesPart(pattern, part string) bool {
	start, rest, wild := strings.Cut(pattern, wildcard)
	if !wild {
		return pattern == part
	}
	if part == "" || strings.Contains(part, ":") || !strings.HasPrefix(part, start) {
		return false
	}
	part = part[len(start):]
	// Each text between two wildcards is matched at its first occurrence, which leaves the most
	// text for the rest of the pattern.
	for {
		between, more, wild := strings.Cut(rest, wildcard)
		if !wild {
			return strings.HasSuffix(part, rest)
		}
		_, after, found := strings.Cut(part, between)
		if !found {
			return false
		}
		part = after
		rest = more
	}
}

// IsAccount tells whether a text is the ID of an account: twelve digits.
func IsAccount(text string) bool { return isAccount(text) }
