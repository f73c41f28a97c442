package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestRevoke_NameID: where settings choose the NameID, the sub ends no session, and a note names
// the settings and says where the NameID is to be found.
func TestRevoke_NameID(t *testing.T) {
	const (
		where = ": --subject must be the NameID. delegation explain and CloudTrail " +
			"(userIdentity.userName of AssumeRoleWithSAML) show the NameID"
		encoded = where + ", but encoded. To use the encoded NameID, set --role, --principal " +
			"and --entity-id instead of --target"
	)
	for name, c := range map[string]struct {
		target, rule, flag string
		note               string // empty: there is none
	}{
		"the sub": {},
		"the target's template": {
			target: `, name_id: "{{user_id}}"`,
			note:   "name_id of the target chooses the NameID" + where + "\n",
		},
		"a mapping": {
			target: `, name_id_from_mapping: true, mappings: ` +
				`{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": email}`,
			note: "name_id_from_mapping of the target chooses the NameID" + where + "\n",
		},
		"a rule": {
			rule: `name_id: "{{email}}"`,
			note: "rules[1].name_id chooses the NameID" + where + "\n",
		},
		"a rule for another target": {rule: `{name_id: "{{email}}", targets: [other]}`},
		"JavaScript": {
			rule: "javascript: {folder: rules}",
			note: "rules[1].javascript may choose the NameID" + where + "\n",
		},
		"several issuers": {
			target: ", name_id_tells_issuers_apart: true",
			rule:   `name_id: "{{email}}"`,
			note: "rules[1].name_id chooses the NameID, and name_id_tells_issuers_apart of the " +
				"target says that the NameID is not the sub" + where + "\n",
		},
		"an encoding": {
			target: `, name_id_encoding: escaped, name_id: "{{email}}"`,
			note:   "name_id of the target chooses the NameID" + encoded + "\n",
		},
		"an encoded sub": {target: ", name_id_encoding: escaped"},
		"everybody":      {target: `, name_id: "{{user_id}}"`, flag: "--everybody"},
	} {
		var rules []string
		if c.rule != "" {
			rules = append(rules, c.rule)
		}
		file := settingsFile(t, c.target, rules...)
		flag := c.flag
		if flag == "" {
			flag = "--subject=alice"
		}
		notes := notesOf(t, "revoke", "-c", file, "-t", "photo-app", flag)
		if !strings.Contains(notes, c.note) ||
			c.note == "" && strings.Contains(notes, "--subject must be") {
			t.Errorf("%s: it notes %s", name, notes)
		}
	}
}

// TestRevoke_EncodedNameID: the NameID as AWS shows it ends the sessions, as the note says.
func TestRevoke_EncodedNameID(t *testing.T) {
	file := settingsFile(t, ", name_id_encoding: escaped")
	before := "--before=2020-01-01T00:00:00Z"
	bySub, _ := said(t, "revoke", "-c", file, "-t", "photo-app", before, "--subject=Alice_1")
	byNameID, _ := said(t, "revoke", before, "--subject=_41lice_5f1", "--role", ownRole,
		"--principal", ownProvider, "--entity-id=urn:tenant.example.com")
	if bySub != byNameID || !strings.Contains(bySub, `"_41lice_5f1"`) {
		t.Errorf("got %s and %s", bySub, byNameID)
	}
}

// TestRevoke_OtherProviders: sessions of a role belong to the SAML provider that the configuration
// names for it, so the policy has the name qualifier of that one. Each SAML provider of the
// target's roles has a policy of its own.
func TestRevoke_OtherProviders(t *testing.T) {
	const (
		second     = "arn:aws:iam::123456789012:saml-provider/second"
		secondRole = "arn:aws:iam::123456789012:role/second"
	)
	rows := "role_by_claim: {claim: groups, roles: [" +
		fmt.Sprintf("{match: a, role: %q, principal: %q}, ", secondRole, second) +
		fmt.Sprintf("{match: b, role: %q, region: us-east-1}]}", ownRole)
	offered := fmt.Sprintf(", roles: [{role: %q}, {role: %q, principal: %q}]", ownRole,
		partnerRole, partnerProvider)
	claimed := `, roles_from_claim: {claim: groups, principal: ` +
		`"arn:aws:iam::{account}:saml-provider/partner"}, ` +
		`allowed_accounts: ["222222222222"]`
	revoke := func(file string, flags ...string) []string {
		return append([]string{"revoke", "-c", file, "-t", "photo-app", "--subject=alice"},
			flags...)
	}
	byFlags := func(role, principal string) string {
		text, _ := said(t, "revoke", "--commands", "--subject=alice", "--role", role,
			"--principal", principal, "--entity-id=urn:tenant.example.com",
			"--before=2020-01-01T00:00:00Z")
		return text
	}
	for name, c := range map[string]struct {
		target, rule string
		flags        []string
		want         string
	}{
		"all roles": {"", rows, nil, byFlags(ownRole, ownProvider) + byFlags(secondRole, second)},
		"one of the account": {"", rows, []string{"--role", secondRole},
			byFlags(secondRole, second)},
		"an offered role of another account": {offered, "", []string{"--role", partnerRole},
			byFlags(partnerRole, partnerProvider)},
		"a role of a token": {claimed, "", []string{"--role", partnerRole},
			byFlags(partnerRole, partnerProvider)},
		"its own principal": {"", rows, []string{"--role", secondRole, "--principal", second},
			byFlags(secondRole, second)},
		"two providers of a role": {
			"", strings.Replace(rows, secondRole, ownRole, 1), nil,
			byFlags(ownRole, ownProvider) + byFlags(ownRole, second),
		},
		"a provider that JavaScript rules choose": {"", "javascript: {folder: rules}",
			[]string{"--principal", second}, byFlags(ownRole, second)},
	} {
		var rules []string
		if c.rule != "" {
			rules = append(rules, c.rule)
		}
		file := settingsFile(t, c.target, rules...)
		got, _ := said(t, append(revoke(file, "--commands", "--before=2020-01-01T00:00:00Z"),
			c.flags...)...)
		if got != c.want {
			t.Errorf("%s: got %s\nwant %s", name, got, c.want)
		}
	}

	const older = ", or, for older sessions, name the role with --role, --principal and " +
		"--entity-id instead of --target"
	rowsFile := settingsFile(t, "", rows)
	wantPolicyRefused(t, revoke(rowsFile), "the sessions are of several SAML providers, and each "+
		"needs a policy of its own: print the commands that attach them with --commands")
	wantPolicyRefused(t, revoke(rowsFile, "--role", secondRole, "--principal", ownProvider),
		"--principal: sessions of the role "+secondRole+" are of the SAML provider "+second+
			": leave out --principal"+older)
	wantPolicyRefused(t, revoke(rowsFile, "--entity-id=urn:other"),
		`--entity-id: the target's entity ID is "urn:tenant.example.com": leave out --entity-id`+
			older)
	wantPolicyRefused(t, revoke(rowsFile, "--role", partnerRole), "--principal: the "+
		"configuration names no SAML provider of the account 222222222222 for the role "+
		partnerRole+": name it with --principal")
	wantPolicyRefused(t, revoke(rowsFile, "--role", partnerRole, "--principal", second),
		"--principal: the role "+partnerRole+" is in another account than the SAML provider "+
			second+": name the SAML provider of its account with --principal")
	chain := settingsFile(t, fmt.Sprintf(", chain: [{role_arn: %q}]", partnerRole))
	wantPolicyRefused(t, revoke(chain, "--role", partnerRole, "--principal", partnerProvider),
		"name the user with --source-identity")
	said(t, "revoke", "-c", rowsFile, "-t", "photo-app", "--everybody", "--role", partnerRole)
}

// TestRevoke_UnseenProviders: where tokens or JavaScript rules may name a SAML provider, a note
// says how to end the sessions of that one.
func TestRevoke_UnseenProviders(t *testing.T) {
	const note = " may name another SAML provider, which cannot be seen from here. The policy " +
		"does not end the sessions of that one: for these, name the role and the SAML provider " +
		"with --role and --principal\n"
	for name, c := range map[string]struct {
		target, rule, flag string
		who                string // empty: there is no note
	}{
		"the target's": {},
		"roles of tokens": {
			target: `, roles_from_claim: {claim: groups}, allowed_accounts: ["123456789012"]`,
			who:    "tokens",
		},
		"JavaScript rules": {rule: "javascript: {folder: rules}", who: "JavaScript rules"},
		"a named role": {
			rule: "javascript: {folder: rules}", flag: "--role=" + ownRole, who: "JavaScript rules",
		},
		"a named SAML provider": {
			rule: "javascript: {folder: rules}", flag: "--principal=" + ownProvider,
		},
	} {
		var rules []string
		if c.rule != "" {
			rules = append(rules, c.rule)
		}
		args := []string{"revoke", "-t", "photo-app", "--subject=alice", "-c",
			settingsFile(t, c.target, rules...)}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		notes := notesOf(t, args...)
		if c.who == "" && strings.Contains(notes, note) || c.who != "" &&
			!strings.Contains(notes, c.who+note) {
			t.Errorf("%s: it notes %s", name, notes)
		}
	}
}
