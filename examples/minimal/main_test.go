package main

import (
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
}

// TestUnverifiedEmail is the test of docs/library.md.
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
