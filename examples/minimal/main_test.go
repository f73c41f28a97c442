package main

import (
	"context"
	"errors"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestRun runs the README's program as far as it goes without an issuer: its configuration is good,
// and nonsense is refused.
func TestRun(t *testing.T) {
	certificate, key := delegationtest.SigningKeyPEM()
	_, err := run(t.Context(), "not a token", certificate, key)
	if !errors.Is(err, delegation.CodeTokenMalformed) {
		t.Errorf("got %v", err)
	}
	_, err = run(t.Context(), "nonsense", certificate, key)
	_, withLineEnd := run(t.Context(), "nonsense\n", certificate, key)
	if err == nil || withLineEnd == nil || withLineEnd.Error() != err.Error() {
		t.Errorf("with a line end got %v, want %v", withLineEnd, err)
	}
}

// TestUnverifiedEmail is the test of docs/testing.md.
func TestUnverifiedEmail(t *testing.T) {
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{delegation.RequireVerifiedEmail()}
	})
	idToken := d.Token(map[string]any{"email": "alice@example.com", "email_verified": false})
	_, err := d.Exchange(t.Context(), idToken, delegationtest.Target)
	if !errors.Is(err, delegation.CodeDenied) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// engineersOnly is the rule of docs/rules.md.
func engineersOnly(_ context.Context, user *delegation.User, rc *delegation.RuleContext) error {
	department := user.Text("department")
	if department != "engineering" {
		return delegation.Deny("this application is for engineers")
	}
	rc.AWS.Role = "arn:aws:iam::123456789012:role/photo-user"
	rc.AWS.Tags["department"] = department
	return nil
}

// TestEngineersOnly is the test of docs/testing.md.
func TestEngineersOnly(t *testing.T) {
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{engineersOnly}
	})
	idToken := d.Token(map[string]any{"department": "engineering"})
	if _, err := d.Exchange(t.Context(), idToken, delegationtest.Target); err != nil {
		t.Fatal(err)
	}
	if got := d.STS.Calls()[0].PrincipalTags["department"]; got != "engineering" {
		t.Errorf("AWS saw the tag %q", got)
	}
}
