package iampolicy_test

import (
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/iampolicy"
)

// FuzzParse: whatever a document is, Parse returns a policy or an error of ours, and a policy
// decides. What it allows, it does not allow next to a Deny of everything.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(`{"Statement": {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::${x"}}`)
	f.Add(`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "s3:*",
		"Resource": "arn:aws:s3:*:${*}", "Condition": {"ForAnyValue:StringLikeIfExists":
		{"aws:x": "${aws:x, '}'}*?"}, "DateLessThan": {"aws:y": 5}, "Null": {"aws:z": true}}}]}`)
	f.Add(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "*"}}`)
	nothing := policyOf(f, "Deny", "")
	f.Fuzz(func(t *testing.T, document string) {
		p, err := iampolicy.Parse(document)
		if err != nil {
			if p != nil || !strings.HasPrefix(err.Error(), "iampolicy: ") {
				t.Fatalf("got %v and %v", p, err)
			}
			return
		}
		request := asked("s3:GetObject", "arn:aws:s3:::b/a:b", iampolicy.Context{
			"aws:x": {"a", "*"}, "aws:y": {"2026-11-29T12:00:00Z"}, "saml:sub": {"${x}"},
		})
		set := iampolicy.Set{Identity: []*iampolicy.Policy{p}}
		if p.HasPrincipal() {
			set = iampolicy.Set{Resource: []*iampolicy.Policy{p}}
		}
		decision, err := set.Decide(request)
		if err != nil && decision.Allowed() {
			t.Fatalf("allowed with the error %v", err)
		}
		set.Session = []*iampolicy.Policy{nothing}
		if decision, _ := set.Decide(request); decision.Allowed() {
			t.Fatalf("allowed although everything is denied: %s", decision)
		}
	})
}

// FuzzLike compares with a matcher that tries everything.
func FuzzLike(f *testing.F) {
	f.Add("a*b?c*", "axxbyczz")
	f.Add("*a*a*a*b", "aaaaaaaa")
	f.Add("?*", "é")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 {
			return // the other matcher takes exponential time
		}
		want := matches([]rune(pattern), []rune(text))
		if got := iampolicy.Like(pattern, text); got != want {
			t.Errorf("Like(%q, %q) is %v", pattern, text, got)
		}
	})
}

func matches(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return matches(pattern[1:], text) || len(text) > 0 && matches(pattern, text[1:])
	case len(text) == 0:
		return false
	}
	return (pattern[0] == '?' || pattern[0] == text[0]) && matches(pattern[1:], text[1:])
}

// FuzzVariable: the value of a variable is plain text. A folder policy lets in the subject's own
// keys and no others.
func FuzzVariable(f *testing.F) {
	f.Add("jane", "jane/k")
	f.Add("*", "jane/k")
	f.Add("${saml:sub}", "x/k")
	f.Add("a:b?", "a:bc/k")
	policy := policyOf(f, "Allow", `, "Resource": "arn:aws:s3:::b/${saml:sub}/*"`)
	set := iampolicy.Set{Identity: []*iampolicy.Policy{policy}}
	f.Fuzz(func(t *testing.T, subject, key string) {
		decision, err := set.Decide(asked("s3:GetObject", "arn:aws:s3:::b/"+key,
			iampolicy.Context{"saml:sub": {subject}}))
		if err != nil {
			return
		}
		if decision.Allowed() != strings.HasPrefix(key, subject+"/") {
			t.Errorf("the subject %q and the key %q: %s", subject, key, decision)
		}
	})
}
