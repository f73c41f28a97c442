package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// TestRules holds what the program prints: one user gets a role, three are refused by different
// rules, no secret is shown.
func TestRules(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `A photo editor:
  log          level=INFO msg="auth0|alice is in the team press" rule=06-team
  rule         03-role-by-group
  role         arn:aws:iam::123456789012:role/photo-editor
  region       eu-central-1
  session      alice@example.com
  credentials  arn:aws:sts::123456789012:assumed-role/photo-editor/alice@example.com, secret [redacted]

A user of another domain:
  rule         02-email-domain
  refused      rules, denied
  reason       rule 3 (02-email-domain): denied: Access denied for evil.example.
  user is told Access denied for evil.example.

A user without a group:
  rule         03-role-by-group
  refused      rules, denied
  reason       rule 4 (03-role-by-group): denied: You are in no group with a role.
  user is told You are in no group with a role.

A user whom the directory does not know:
  rule         06-team
  refused      rules, rule_failed
  reason       rule 7 (06-team): JavaScript rule "06-team": Error: the directory does not know this user
  user is told access denied

`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}

// TestRoleByGroup tests one rule alone, without an exchange: a rule is a function.
func TestRoleByGroup(t *testing.T) {
	rules, err := compileRules(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]string{
		"photo-editors": "arn:aws:iam::123456789012:role/photo-editor",
		"audit":         "arn:aws:iam::123456789012:role/photo-auditor",
		"staff":         "denied: You are in no group with a role.",
	} {
		user := &delegation.User{Properties: map[string]any{"groups": []any{group}}}
		rc := &delegation.RuleContext{ClientID: "CLIENT_ID", Protocol: "delegation"}
		err := rules[2](context.Background(), user, rc)
		got := rc.AWS.Role
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != want || err != nil && !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", group, got, want)
		}
	}
}
