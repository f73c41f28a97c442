package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// TestExchange runs the README's program as far as it goes without an issuer: its configuration is
// good, and nonsense is refused.
func TestExchange(t *testing.T) {
	certificate, key := delegationtest.SigningKeyPEM()
	folder := t.TempDir()
	certificateFile := filepath.Join(folder, "signing.crt")
	keyFile := filepath.Join(folder, "signing.key")
	if err := os.WriteFile(certificateFile, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := exchange(t.Context(), "not a token", certificateFile, keyFile)
	if !errors.Is(err, delegation.CodeTokenMalformed) {
		t.Errorf("got %v", err)
	}
}

// TestUnverifiedEmail is the test of the README.
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
