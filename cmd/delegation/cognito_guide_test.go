package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// TestGuide_MigratingFromCognito: with the YAML of docs/migrating-from-cognito.md next to that of
// docs/provider-cognito.md, ${saml:sub} is the identity ID of the claim, letter for letter. A user
// without one is refused, and never gets another folder. Tags are those that a pool would set.
func TestGuide_MigratingFromCognito(t *testing.T) {
	page := string(must(os.ReadFile("../../docs/migrating-from-cognito.md")))
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("the page has %d blocks of YAML", len(blocks))
	}
	folder, found := strings.CutPrefix(blocks[0][1], "targets:\n  photo-app:\n")
	tags, tagged := strings.CutPrefix(blocks[1][1], "rules:\n")
	if !found || !tagged {
		t.Fatalf("the page has\n%s\n%s", blocks[0][1], blocks[1][1])
	}
	const section = "Amazon Cognito"
	text := strings.Replace(sectionsOf(t)[section], "\nrules:\n", "\n"+folder+"rules:\n", 1) + tags

	r := recipes[slices.IndexFunc(recipes, func(r recipe) bool { return r.section == section })]
	p := r.imitation(t, r.parameters)
	d := r.delegator(t, text, []*oidctest.Provider{p})
	const identity = "eu-central-1:11111111-2222-3333-4444-555555555555"
	token := must(p.SignAs(right, map[string]any{
		"identity_id": identity, "custom:department": "press",
	}))
	explained, err := d.Explain(t.Context(), token, delegationtest.Target)
	if err != nil {
		t.Fatal(err)
	}
	if explained.NameID != identity {
		t.Errorf("${saml:sub} is %q", explained.NameID)
	}
	const tag = "https://aws.amazon.com/SAML/Attributes/PrincipalTag:"
	for key, want := range map[string]string{"department": "press", "username": "alice"} {
		if got := explained.Attributes[tag+key]; !slices.Equal(got, []string{want}) {
			t.Errorf("the tag %s is %q", key, got)
		}
	}

	_, err = d.Explain(t.Context(), must(p.SignAs(right, nil)), delegationtest.Target)
	if got := codeOf(err); got != "mapping_invalid" {
		t.Errorf("without an identity ID: got %q: %v", got, err)
	}
}
