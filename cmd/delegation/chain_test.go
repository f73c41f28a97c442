package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

const hubRole = "arn:aws:iam::222222222222:role/hub"

// TestDocs_RoleChaining: the configuration of docs/role-chaining.md and the policies that its
// commands print, put into an STS that evaluates them, give a user of the first account the role of
// the third. `explain` prints the same policies.
func TestDocs_RoleChaining(t *testing.T) {
	const page = "docs/role-chaining.md"
	commands := documentedCommands(t, page, "## Set up the accounts")
	targets := yamlOf(t, page)
	w := newWorld(t)
	t.Chdir(w.folder)
	metadata := must(delegationtest.Identity().Metadata())
	const front = "arn:aws:iam::111111111111:role/front"
	err := w.aws.PutSAMLProvider("arn:aws:iam::111111111111:saml-provider/delegation", metadata)
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "delegation.yaml", fmt.Sprintf("issuers: [{url: %q, allow_loopback_http: true}]\n"+
		"identity_provider: {entity_id: %s, keys: [{certificate_file: signing.crt, "+
		"key_file: signing.key}]}\nsts: {endpoint: %q}\n%s", w.issuerURL, delegationtest.EntityID,
		w.awsURL, targets))
	files := map[string]string{}
	for _, command := range commands {
		words := strings.Fields(command)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		n := len(words)
		if words[n-2] != ">" {
			t.Fatalf("nobody here knows what it does: %s", command)
		}
		files[words[n-1]], _ = said(t, words[1:n-2]...)
	}
	for arn, name := range map[string]string{
		front:                                   "front",
		"arn:aws:iam::222222222222:role/hub":    "hub",
		"arn:aws:iam::333333333333:role/reader": "reader",
	} {
		r := ststest.Role{ARN: arn, TrustPolicy: files[name+"-trust.json"]}
		if own := files[name+"-permissions.json"]; own != "" {
			r.Policies = []string{own}
		}
		if err := w.aws.PutRole(r); err != nil {
			t.Fatal(err)
		}
	}
	w.write(t, "token", w.token(map[string]any{"team": "press"}))
	out, _ := said(t, "exchange", "--target", "photo-app", "--token-file", "token")
	if !strings.Contains(out, `"AccountId":"333333333333"`) {
		t.Errorf("the exchange prints %s", out)
	}
	if !strings.Contains(files["reader-permissions.json"], "/${aws:SourceIdentity}/") {
		t.Errorf("the last role may do %s", files["reader-permissions.json"])
	}
	calls := w.aws.Calls()
	last := calls[len(calls)-1]
	if last.SourceIdentity != "alice@example.com" || last.PrincipalTags["team"] != "press" ||
		last.ExternalID != "photos-2026" {
		t.Errorf("the last call is %+v", last)
	}
	checkRevoked(t)
	explained, _ := said(t, "explain", "--target", "photo-app", "--token-file", "token")
	for _, words := range []string{
		"role 2: arn:aws:iam::222222222222:role/hub\n",
		"role 3: arn:aws:iam::333333333333:role/reader\n",
		"external ID: photos-2026\n",
	} {
		if !strings.Contains(explained, words) {
			t.Errorf("%q is not in\n%s", words, explained)
		}
	}
	squeezed := strings.Join(strings.Fields(strings.ReplaceAll(explained, "|", "")), "")
	for name, policy := range files {
		if name == "front-trust.json" || name == "reader-permissions.json" {
			continue // explain has the one in a place of its own, and does not know the other
		}
		if !strings.Contains(squeezed, strings.Join(strings.Fields(policy), "")) {
			t.Errorf("%s is not in\n%s", name, explained)
		}
	}
}

// TestChain_Actor: the tag that shows an actor gets through a chain whose roles have the policies
// that --hop prints, with the other tags and without.
func TestChain_Actor(t *testing.T) {
	for name, settings := range map[string]string{
		"the tag alone":   "actors: {place: tag}",
		"a key":           "actors: {place: tag, tag_key: agent}",
		"a tag of all":    "actors: {place: tag}, tags: {site: x}",
		"transitive tags": "actors: {place: tag}, tags: {site: x}, transitive_tag_keys: [site]",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			file := w.configFile(t, "", "role: "+service.DemoRole,
				`source_identity: "{{email}}"`, "chain: [{role_arn: "+hubRole+"}]", settings)
			hop := func(command, number string) string {
				policy, _ := said(t, command, "-c", file, "-t", "photo-app", "--hop", number)
				return policy
			}
			err := errors.Join(
				w.aws.PutRole(ststest.Role{
					ARN:         service.DemoRole,
					TrustPolicy: hop("trust-policy", "1"),
					Policies:    []string{hop("permission-policy", "1")},
				}),
				w.aws.PutRole(ststest.Role{ARN: hubRole, TrustPolicy: hop("trust-policy", "2")}),
			)
			if err != nil {
				t.Fatal(err)
			}
			token := w.write(t, "token", w.token(map[string]any{
				"act": map[string]any{"sub": "photo-agent"},
			}))
			said(t, "exchange", "-c", file, "--target", "photo-app", "--token-file", token)
			calls := w.aws.Calls()
			last := calls[len(calls)-1]
			if last.PrincipalTags["Actor"]+last.PrincipalTags["agent"] != "photo-agent" ||
				last.SourceIdentity != "alice@example.com" {
				t.Errorf("the last call is %+v", last)
			}
		})
	}
}

// TestChain_OtherFirstRoles: the policies of a chain are for the target's role, and a note names
// those that users may choose instead. They concern the first two roles.
func TestChain_OtherFirstRoles(t *testing.T) {
	const front2 = "arn:aws:iam::123456789012:role/front2"
	own := "role: " + service.DemoRole
	for name, c := range map[string]struct{ settings, words string }{
		"roles": {
			"roles: [{role: " + service.DemoRole + "}, {role: " + front2 + "}]",
			"users may choose other roles than " + service.DemoRole + ": the second " +
				"role must trust these too, and they need the same permission policy: " + front2,
		},
		"allowed roles": {
			`allowed_roles: ["` + service.DemoRole + `", "` + front2 + `"]`,
			"rules may choose other roles than " + service.DemoRole + ": the second role must " +
				"trust these too, and they need the same permission policy: " + front2,
		},
		"roles of tokens": {
			`roles_from_claim: {claim: roles}, allowed_accounts: ["123456789012"]`,
			"roles_from_claim takes roles from tokens: the second role must trust each of them",
		},
		"none": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			settings := []string{
				own, `source_identity: "{{email}}"`,
				"chain: [{role_arn: " + hubRole + "}, {role_arn: " + hubRole + "2}]",
			}
			if c.settings != "" {
				settings = append(settings, c.settings)
			}
			file := w.configFile(t, "", settings...)
			for command, number := range map[string]string{
				"trust-policy": "2", "permission-policy": "1",
			} {
				_, notes := said(t, command, "-c", file, "-t", "photo-app", "--hop", number)
				if !strings.Contains(notes, c.words) || c.words == "" && notes != "" {
					t.Errorf("%s --hop %s notes %s", command, number, notes)
				}
			}
			_, notes := said(t, "trust-policy", "-c", file, "-t", "photo-app", "--hop", "3")
			if notes != "" {
				t.Errorf("the third role's policy notes %s", notes)
			}
		})
	}
}

// checkRevoked runs the command that ends sessions: it is about the last role, and the source
// identity. TestChain_Revoked has an STS evaluate such a policy.
func checkRevoked(t *testing.T) {
	t.Helper()
	command := "revoke --target photo-app --source-identity alice@example.com"
	policy, note := said(t, strings.Fields(command)...)
	if !strings.Contains(policy, `"aws:TokenIssueTime"`) ||
		!strings.Contains(policy, `"alice@example.com"`) ||
		!strings.Contains(note, "--role-name reader ") ||
		!strings.Contains(note, "in the account 333333333333") {
		t.Errorf("%s %s", policy, note)
	}
}

// yamlOf is the one block of YAML of a page.
func yamlOf(t *testing.T, page string) string {
	t.Helper()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").
		FindAllStringSubmatch(string(must(os.ReadFile("../../"+page))), -1)
	if len(blocks) != 1 {
		t.Fatalf("%s has %d blocks of YAML", page, len(blocks))
	}
	return blocks[0][1]
}
