package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	ownProvider     = "arn:aws:iam::123456789012:saml-provider/delegation"
	ownRole         = "arn:aws:iam::123456789012:role/photo-user"
	partnerProvider = "arn:aws:iam::222222222222:saml-provider/partner"
	partnerRole     = "arn:aws:iam::222222222222:role/other"
)

// settingsFile writes a configuration that commands without keys read: the target photo-app with
// more settings, which begin with ", " or are empty, and the rules, each a line.
func settingsFile(t testing.TB, target string, rules ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "delegation.yaml")
	text := fmt.Sprintf(`
issuers: [{url: https://tenant.example.com/}]
identity_provider: {entity_id: urn:tenant.example.com}
targets:
  photo-app: {principal: %q, role: %q, region: eu-central-1%s}
rules:
  - require_verified_email: true
`, ownProvider, ownRole, target)
	for _, rule := range rules {
		text += "  - " + rule + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// notesOf are the notes of a command.
func notesOf(t testing.TB, args ...string) string {
	t.Helper()
	_, notes := said(t, args...)
	return notes
}

// TestTrustPolicy_JavaScript: a note asks what JavaScript rules set, except for what the settings
// need anyway. To answer =false there would refuse actors, or other rules' tags.
func TestTrustPolicy_JavaScript(t *testing.T) {
	const (
		tags   = "say --tags if they set session tags, and --tags=false if not"
		source = "say --source-identity if they set a source identity, and " +
			"--source-identity=false if not"
	)
	for name, c := range map[string]struct {
		target       string
		flags        []string
		tags, source bool // asked for
	}{
		"nothing":                     {"", nil, true, true},
		"an actor in a tag":           {", actors: {place: tag}", nil, false, true},
		"one in the source identity":  {", actors: {place: source_identity}", nil, true, false},
		"one in the session's name":   {", actors: {}", nil, true, true},
		"the target's tags":           {", tags: {a: b}", nil, false, true},
		"tags that the operator says": {"", []string{"--tags"}, false, true},
		"all that there is":           {", tags: {a: b}, source_identity: x", nil, false, false},
	} {
		file := settingsFile(t, c.target, "javascript: {folder: rules}")
		notes := notesOf(t, append([]string{"trust-policy", "-c", file, "-t", "photo-app"},
			c.flags...)...)
		if strings.Contains(notes, tags) != c.tags || strings.Contains(notes, source) != c.source {
			t.Errorf("%s: it notes %s", name, notes)
		}
	}
}
