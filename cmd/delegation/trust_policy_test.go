package main

import (
	"bytes"
	"fmt"
	"io"
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
		tags   = "add --tags if they set session tags, and --tags=false if not"
		source = "add --source-identity if they set a source identity, and " +
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

// TestTrustPolicy_OtherRoles: roles with another SAML provider or region need a trust policy of
// their own. Notes name these apart from those with the same trust policy, with the flags that
// write it, and what these flags write is for the other SAML provider.
func TestTrustPolicy_OtherRoles(t *testing.T) {
	const (
		ownRole2  = "arn:aws:iam::123456789012:role/photo-admin"
		pattern   = "arn:aws:iam::123456789012:role/team/*"
		elsewhere = "arn:aws:iam::222222222222:role/team/*"
		own       = "of their own: " // before the roles
	)
	role := func(arn string) string { return fmt.Sprintf("{role: %q}", arn) }
	pair := fmt.Sprintf("{role: %q, principal: %q}", partnerRole, partnerProvider)
	partner := "users may choose roles that need a trust policy of their own: " +
		partnerRole + ". Write it with --principal " + partnerProvider
	for name, c := range map[string]struct {
		target, rule string
		same         string // in the note of cloudformation; empty: none
		note         string // of trust-policy; empty: none
		role         string // what cloudformation adds to it
	}{
		"one role": {},
		"two accounts": {
			target: ", roles: [" + role(ownRole) + ", " + role(ownRole2) + ", " + pair + "]",
			same:   "users may choose need the same trust policy: " + ownRole2 + "\n",
			note:   partner, role: ", --role " + partnerRole,
		},
		"roles of rules that cannot choose": {
			target: ", roles: [" + role(ownRole) + ", " + role(ownRole2) + "], " +
				fmt.Sprintf("allowed_roles: [%q, %q, %q]", ownRole, ownRole2, pattern),
			rule: fmt.Sprintf("role_by_claim: {claim: groups, roles: [{match: a, role: %q}]}",
				partnerRole),
			same: "users may choose need the same trust policy: " + ownRole2 + "\n",
		},
		"names of a claim": {
			target: fmt.Sprintf(", roles_from_claim: {claim: groups, principal: %q, "+
				"names: [{name: a, role: %q}, {name: b, role: %q}]}, allowed_accounts: [%q, %q]",
				"arn:aws:iam::{account}:saml-provider/delegation", ownRole2, partnerRole,
				"123456789012", "222222222222"),
			same: "may choose need the same trust policy: " + ownRole2 + "\n",
			note: own + partnerRole +
				". Write it with --principal arn:aws:iam::222222222222:saml-provider/delegation",
			role: ", --role " + partnerRole,
		},
		"roles of tokens": {
			target: `, roles_from_claim: {claim: groups}, allowed_accounts: ["123456789012"]`,
			note: "roles_from_claim takes roles from tokens, which cannot be seen from here. One " +
				"with another SAML provider needs a trust policy of its own: write it with " +
				"--principal and the ARN of the SAML provider in the role's account",
			role: ", --role for each",
		},
		"roles of tokens in many accounts": {
			target: `, roles_from_claim: {claim: groups, principal: ` +
				`"arn:aws:iam::{account}:saml-provider/delegation"}, ` +
				`allowed_accounts: ["123456789012", "222222222222"]`,
			note: "write it with --principal and the ARN of the SAML provider in the role's account",
			role: ", --role for each\n",
		},
		"a rule's role": {
			rule: "role_by_claim: {claim: groups, roles: [{match: a, role: " +
				fmt.Sprintf("%q}, {match: b, role: %q, principal: %q}]}", ownRole2, partnerRole,
					partnerProvider),
			same: "that rules may choose need the same trust policy: " + ownRole2 + "\n",
			note: strings.Replace(partner, "users", "rules", 1), role: ", --role " + partnerRole,
		},
		"a rule's region": {
			rule: "role_by_claim: {claim: groups, roles: [{match: a, role: " +
				fmt.Sprintf("%q, region: us-east-1}]}", ownRole2),
			note: own + ownRole2 + ". Write it with --region us-east-1",
			role: ", --role " + ownRole2,
		},
		"a rule's region, and one recipient": {
			target: ", saml_recipient: https://signin.aws.amazon.com/saml",
			rule: "role_by_claim: {claim: groups, roles: [{match: a, role: " +
				fmt.Sprintf("%q, region: us-east-1}]}", ownRole2),
			same: "may choose need the same trust policy: " + ownRole2 + "\n",
		},
		"patterns": {
			target: fmt.Sprintf(", allowed_roles: [%q, %q, %q]", ownRole, pattern, elsewhere),
			same:   "that rules may choose need the same trust policy: " + pattern + "\n",
			note: own + elsewhere + ". Write it with --principal and the ARN of the SAML " +
				"provider in the role's account",
			role: ", --role for each",
		},
		"any account of one": {
			target: `, allowed_roles: ["arn:aws:iam::*:role/team/*"], ` +
				`allowed_accounts: ["123456789012"]`,
			same: "need the same trust policy: arn:aws:iam::*:role/team/*\n",
		},
		"any of two accounts": {
			target: `, allowed_roles: ["arn:aws:iam::*:role/team/*"], ` +
				`allowed_accounts: ["123456789012", "222222222222"]`,
			note: own + "arn:aws:iam::*:role/team/*. Write it with --principal and the ARN",
			role: " of the SAML provider in the role's account, --role for each",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var rules []string
			if c.rule != "" {
				rules = append(rules, c.rule)
			}
			file := settingsFile(t, c.target, rules...)
			trust := notesOf(t, "trust-policy", "-c", file, "-t", "photo-app")
			if !strings.Contains(trust, c.note) || c.note == "" && trust != "" ||
				strings.Contains(trust, "same trust policy") || strings.Contains(trust, "--role") {
				t.Errorf("trust-policy notes %s", trust)
			}
			for _, command := range []string{"cloudformation", "terraform"} {
				notes := notesOf(t, command, "-c", file, "-t", "photo-app", "--bucket",
					"example-photos")
				if !strings.Contains(notes, c.same) || !strings.Contains(notes, c.note+c.role) ||
					c.same == "" && strings.Contains(notes, "same trust policy") {
					t.Errorf("%s notes %s", command, notes)
				}
			}
		})
	}
}

// TestTrustPolicy_FlagsOfOtherRoles: the flags that the notes name write the set-up of the other
// role, and so does --role alone. A refusal names the flag that is missing.
func TestTrustPolicy_FlagsOfOtherRoles(t *testing.T) {
	file := settingsFile(t, fmt.Sprintf(", roles: [{role: %q}, {role: %q, principal: %q}]",
		ownRole, partnerRole, partnerProvider))
	with := func(command string, flags ...string) []string {
		return append([]string{command, "-c", file, "-t", "photo-app"}, flags...)
	}
	const not = "the role and the SAML provider must be in the same account: "
	wantPolicyRefused(t, with("cloudformation", "--role", partnerRole, "--principal", ownProvider),
		"--role: "+not+"set --principal to "+partnerProvider)
	wantPolicyRefused(t, with("cloudformation", "--role", "arn:aws:iam::333333333333:role/x"),
		"--role: "+not+"set --principal to the ARN of the SAML provider in the account 333333333333")
	wantPolicyRefused(t, with("cloudformation", "--principal", partnerProvider),
		not+"name a role of the account 222222222222 with --role")
	policy, notes := said(t, with("trust-policy", "--principal", partnerProvider)...)
	if !strings.Contains(policy, partnerProvider) || notes != "" {
		t.Errorf("trust-policy writes %s and notes %s", policy, notes)
	}
	template, notes := said(t, with("cloudformation", "--bucket", "example-photos",
		"--principal", partnerProvider, "--role", partnerRole)...)
	if !strings.Contains(template, "other") || notes != "" {
		t.Errorf("cloudformation writes %s and notes %s", template, notes)
	}
	short, notes := said(t, with("cloudformation", "--bucket", "example-photos", "--role",
		partnerRole)...)
	if short != template || notes != "" {
		t.Errorf("with --role alone, cloudformation writes %s and notes %s", short, notes)
	}
}

// TestSetup_RoleOfAnotherProvider: with --role, cloudformation and terraform write the trust policy
// for the SAML provider and the region that the configuration names for that role. No note says the
// opposite.
func TestSetup_RoleOfAnotherProvider(t *testing.T) {
	const (
		second    = "arn:aws:iam::123456789012:saml-provider/second"
		otherRole = "arn:aws:iam::123456789012:role/other"
		thirdRole = "arn:aws:iam::123456789012:role/third"
		templated = `, roles_from_claim: {claim: groups, principal: ` +
			`"arn:aws:iam::{account}:saml-provider/partner"}, allowed_accounts: ["222222222222"]`
		ofTokens = "delegation: note: roles_from_claim takes roles from tokens, which cannot be " +
			"seen from here. One with another SAML provider needs a trust policy of its own: " +
			"write it with --principal and the ARN of the SAML provider in the role's account, " +
			"--role for each\n"
	)
	also := func(role, flags string) string {
		return "delegation: note: rules may also choose " + role + " with another SAML provider " +
			"or region. A role has one trust policy: add to it the statement that delegation " +
			"trust-policy --target photo-app writes" + flags + "\n"
	}
	rows := func(list ...string) string {
		return "role_by_claim: {claim: groups, roles: [" + strings.Join(list, ", ") + "]}"
	}
	row := func(role, more string) string {
		return fmt.Sprintf("{match: a, role: %q%s}", role, more)
	}
	for name, c := range map[string]struct {
		target, rule   string
		flags          []string
		provider, host string
		notes          string
	}{
		"provider and region": {
			rule:     rows(row(otherRole, ", region: us-east-1, principal: "+fmt.Sprintf("%q", second))),
			flags:    []string{"--role", otherRole},
			provider: second, host: "signin.aws.amazon.com",
		},
		"a flag takes precedence": {
			rule:     rows(row(otherRole, ", region: us-east-1")),
			flags:    []string{"--role", otherRole, "--region", "us-west-2"},
			provider: ownProvider, host: "us-west-2.signin.aws.amazon.com",
			notes: also(otherRole, " with --region us-east-1"),
		},
		"a role of tokens": {
			target: templated, flags: []string{"--role", partnerRole},
			provider: "arn:aws:iam::222222222222:saml-provider/partner",
			host:     "eu-central-1.signin.aws.amazon.com", notes: ofTokens,
		},
		"the target's own role in two regions": {
			rule:     rows(row(ownRole, ", region: us-east-1")),
			provider: ownProvider, host: "eu-central-1.signin.aws.amazon.com",
			notes: also(ownRole, " with --region us-east-1"),
		},
		"two regions, and a flag for one": {
			rule: rows(row(otherRole, ", region: us-east-1"),
				row(otherRole, ", region: us-west-2, principal: "+fmt.Sprintf("%q", second))),
			flags:    []string{"--role", otherRole, "--region", "us-west-2"},
			provider: second, host: "us-west-2.signin.aws.amazon.com",
			notes: also(otherRole, " with --region us-east-1"),
		},
		"another role with the same": {
			rule:     rows(row(otherRole, ", region: us-east-1"), row(thirdRole, ", region: us-east-1")),
			flags:    []string{"--role", otherRole},
			provider: ownProvider, host: "signin.aws.amazon.com",
			notes: "delegation: note: this is the set-up of " + otherRole + ". Other roles that " +
				"rules may choose need the same trust policy: " + thirdRole + "\n",
		},
	} {
		var rules []string
		if c.rule != "" {
			rules = append(rules, c.rule)
		}
		file := settingsFile(t, c.target, rules...)
		for _, command := range []string{"cloudformation", "terraform"} {
			args := []string{command, "-c", file, "-t", "photo-app", "--bucket", "example-photos",
				"--existing-provider"}
			text, notes := said(t, append(args, c.flags...)...)
			if !strings.Contains(text, c.provider+`"`) ||
				!strings.Contains(text, `"https://`+c.host+`/saml"`) {
				t.Errorf("%s: %s writes %s", name, command, text)
			}
			if notes != c.notes {
				t.Errorf("%s: %s notes %s", name, command, notes)
			}
		}
	}
}

// TestTrustPolicy_WholeFlags: the flags of a note write the trust policy without those of the
// command that printed it.
func TestTrustPolicy_WholeFlags(t *testing.T) {
	rule := "role_by_claim: {claim: groups, roles: [" +
		fmt.Sprintf("{match: a, role: %q, principal: %q}, ", partnerRole, partnerProvider) +
		fmt.Sprintf("{match: b, role: %q, principal: %q, region: us-east-1}]}", partnerRole+"2",
			partnerProvider)
	notes := notesOf(t, "trust-policy", "-c", settingsFile(t, "", rule), "-t", "photo-app",
		"--principal", partnerProvider)
	want := partnerRole + "2. Write it with --principal " + partnerProvider +
		", --region us-east-1\n"
	if !strings.Contains(notes, want) {
		t.Errorf("it notes %s", notes)
	}
}

// wantRefusal reports a command that does not refuse its flags with these words.
func wantPolicyRefused(t *testing.T, args []string, words string) {
	t.Helper()
	var errs bytes.Buffer
	code := run(t.Context(), args, surroundings{stdout: io.Discard, stderr: &errs})
	if code != 2 || !strings.Contains(errs.String(), words) {
		t.Errorf("%s: exit code %d: %s", args, code, &errs)
	}
}
