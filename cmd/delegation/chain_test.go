package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/ststest"
)

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
