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
			"(userIdentity.userName of AssumeRoleWithSAML) show it"
		encoded = where + " encoded. To name it as they do, name the role with --role, " +
			"--principal and --entity-id instead of --target"
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

// TestRevoke_OtherProviders: a policy ends the sessions of one SAML provider, so that of the roles'
// account is required, and a note says that users can have roles with another.
func TestRevoke_OtherProviders(t *testing.T) {
	offer := func(role, principal string) string {
		return fmt.Sprintf(", roles: [{role: %q}, {role: %q, principal: %q}]", ownRole, role,
			principal)
	}
	file := settingsFile(t, offer(partnerRole, partnerProvider))
	revoke := func(flags ...string) []string {
		return append([]string{"revoke", "-c", file, "-t", "photo-app"}, flags...)
	}
	wantPolicyRefused(t, revoke("--subject=alice", "--role", partnerRole),
		"--principal: the roles are in another account than the SAML provider "+ownProvider+
			": name the SAML provider of their account with --principal")
	policy, _ := said(t, revoke("--subject=alice", "--role", partnerRole, "--principal",
		partnerProvider)...)
	if !strings.Contains(policy, "saml:namequalifier") {
		t.Errorf("it prints %s", policy)
	}
	said(t, revoke("--everybody", "--role", partnerRole)...)

	const note = "may choose roles with another SAML provider, whose sessions have another name"
	for name, c := range map[string]struct {
		target, rule string
		note         bool
	}{
		"the target's": {},
		"another of the account": {
			target: offer(ownRole+"2", "arn:aws:iam::123456789012:saml-provider/second"), note: true,
		},
		"roles of tokens": {
			target: `, roles_from_claim: {claim: groups}, allowed_accounts: ["123456789012"]`,
			note:   true,
		},
		"another region": {
			rule: "role_by_claim: {claim: groups, roles: [{match: a, region: us-east-1, role: " +
				fmt.Sprintf("%q}]}", ownRole),
		},
	} {
		var rules []string
		if c.rule != "" {
			rules = append(rules, c.rule)
		}
		file := settingsFile(t, c.target, rules...)
		notes := notesOf(t, "revoke", "-c", file, "-t", "photo-app", "--subject=alice")
		if strings.Contains(notes, note) != c.note {
			t.Errorf("%s: it notes %s", name, notes)
		}
	}
}
