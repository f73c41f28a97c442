package iam_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/iam"
)

const inAccount = "arn:aws:iam::123456789012:role/"

// TestMatchesRole: a wildcard never stands for a slash or a colon, but at the end of a pattern,
// where it stands for everything in a folder.
func TestMatchesRole(t *testing.T) {
	for _, row := range []struct {
		pattern string
		match   []string
		other   []string
	}{
		{
			pattern: "team/*",
			match:   []string{"team/a", "team/press/a", "team/a/b/c"},
			other: []string{"team", "teams/a", "x/team/a", "Team/a", "team-a", "team/a:b/c",
				"team/press:x/a"},
		},
		{
			pattern: "*",
			match:   []string{"a", "team/a", "a/b/c"},
			other:   []string{"a:b/c"},
		},
		{
			pattern: "team-*",
			match:   []string{"team-", "team-a", "team-a-b"},
			other:   []string{"team", "team-a/b", "x/team-a", "ateam-a"},
		},
		{
			pattern: "*-reader",
			match:   []string{"photo-reader", "-reader"},
			other:   []string{"reader", "x/photo-reader", "photo-reader-2", "photo-readers"},
		},
		{
			pattern: "team/*-reader",
			match:   []string{"team/photo-reader"},
			other:   []string{"team/x/photo-reader", "photo-reader", "team/reader"},
		},
		{
			pattern: "*/admin",
			match:   []string{"x/admin", "team/admin"},
			other:   []string{"admin", "/admin", "x/y/admin", "x:y/admin", "x/admin2"},
		},
		{
			pattern: "a*b*c",
			match:   []string{"abc", "aXbYc", "abbcc", "abcbc"},
			other:   []string{"ab", "ac", "acb", "abcd", "aXbY/c", "xabc"},
		},
		{
			pattern: "aa*aa",
			match:   []string{"aaaa", "aaaaa", "aaXaa"},
			other:   []string{"aa", "aaa"},
		},
		{
			pattern: "a?c",
			match:   []string{"a?c"},
			other:   []string{"abc"},
		},
		{
			pattern: "photo-user",
			match:   []string{"photo-user"},
			other:   []string{"photo-user2", "x/photo-user", "Photo-user", "photo"},
		},
	} {
		for _, name := range row.match {
			if !matches(t, inAccount+row.pattern, inAccount+name) {
				t.Errorf("%s does not match %s", row.pattern, name)
			}
		}
		for _, name := range row.other {
			if matches(t, inAccount+row.pattern, inAccount+name) {
				t.Errorf("%s matches %s", row.pattern, name)
			}
		}
	}
}

// TestMatchesRole_Place: account and partition are compared whole.
func TestMatchesRole_Place(t *testing.T) {
	const any = "arn:aws:iam::*:role/team/*"
	for _, row := range []struct {
		pattern, role string
		want          bool
	}{
		{any, "arn:aws:iam::123456789012:role/team/a", true},
		{any, "arn:aws:iam::210987654321:role/team/a", true},
		{any, "arn:aws-cn:iam::123456789012:role/team/a", false},
		{any, "arn:aws:iam::123456789012:role/a", false},
		{inAccount + "*", "arn:aws:iam::210987654321:role/a", false},
		{inAccount + "*", "arn:aws-us-gov:iam::123456789012:role/a", false},
		{"arn:aws-cn:iam::123456789012:role/*", "arn:aws-cn:iam::123456789012:role/a", true},
		{"", inAccount + "a", false},
		{"*", inAccount + "a", false},
	} {
		if got := matches(t, row.pattern, row.role); got != row.want {
			t.Errorf("%q and %s: got %t", row.pattern, row.role, got)
		}
	}
	provider, err := iam.Provider.Parse("arn:aws:iam::123456789012:saml-provider/p")
	if err != nil {
		t.Fatal(err)
	}
	if iam.MatchesRole(inAccount+"*", provider) {
		t.Error("a SAML provider is no role")
	}
}

// matches splits the role by hand: some of these are no roles that IAM would make.
func matches(t *testing.T, pattern, role string) bool {
	t.Helper()
	parsed, err := iam.Role.Parse("arn:aws:iam::123456789012:role/x")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.SplitN(role, ":", 6)
	parsed.Partition = fields[1]
	parsed.AccountID = fields[4]
	parsed.Resource = fields[5]
	return iam.MatchesRole(pattern, parsed)
}

func TestCheckRolePattern(t *testing.T) {
	for pattern, good := range map[string]bool{
		inAccount + "team/*":                   true,
		inAccount + "*":                        true,
		inAccount + "*/*/admin-*":              true,
		inAccount + "photo-user":               true,
		"arn:aws:iam::*:role/team/*":           true,
		"arn:aws-us-gov:iam::*:role/*":         true, // New refuses it
		"*":                                    false,
		"arn:aws:iam::*":                       false,
		"arn:*:iam::123456789012:role/a":       false,
		"arn:aws:*::123456789012:role/a":       false,
		"arn:aws:iam:*:123456789012:role/a":    false,
		"arn:aws:iam::12345678901*:role/a":     false,
		"arn:aws:iam::**:role/a":               false,
		"arn:aws:iam::123456789012:*":          false,
		"arn:aws:iam::123456789012:role*":      false,
		"arn:aws:iam::123456789012:*/a":        false,
		"arn:aws:iam::123456789012:user/*":     false,
		"arn:aws:sts::123456789012:role/*":     false,
		inAccount + "team/**":                  false,
		inAccount + "team/":                    false,
		inAccount + "team/* ":                  false,
		inAccount + "a:*":                      false,
		inAccount + strings.Repeat("*a", 40):   false,
		inAccount + strings.Repeat("a/", 1200): false,
		"role/*":                               false,
		"":                                     false,
	} {
		if err := iam.CheckRolePattern(pattern); (err == nil) != good {
			t.Errorf("%.80q: got %v", pattern, err)
		}
	}
	for pattern, want := range map[string][3]bool{
		inAccount + "a":                {false, false, false},
		inAccount + "*":                {true, false, true},
		inAccount + "*/*":              {true, false, false},
		"arn:aws:iam::*:role/*":        {true, true, true},
		"arn:aws:iam::*:role/photo":    {true, true, false},
		"arn:aws:iam::*:role/photo/*":  {true, true, false},
		"arn:aws:iam::*:role/photo-*x": {true, true, false},
	} {
		got := [3]bool{iam.IsRolePattern(pattern), iam.AnyAccount(pattern), iam.AnyRole(pattern)}
		if got != want {
			t.Errorf("%s: got %t, want %t", pattern, got, want)
		}
	}
}
