package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/oidctest"
)

// withoutInit is the recipe that init does not write.
const withoutInit = "Auth0, HS256" // its secret is for the operator to save

// byNameOnly are the providers whose issuers say nothing about them, or are those of another too.
var byNameOnly = []string{
	"authelia", "gitlab", "gitlab-ci", "google", "google-workspace", "nextcloud", "spiffe",
}

// otherProviders are those of a table of docs/providers.md without a page, by their name, with
// what is known of their tokens.
var otherProviders = map[string]recipe{
	"HCP Terraform": otherProvider("https://app.terraform.io", "terraform_organization_name",
		"our-org", "our-org-2"),
	"Buildkite": otherProvider("https://agent.buildkite.com", "organization_slug",
		"our-org", "their-org"),
	"Codefresh": otherProvider("https://oidc.codefresh.io", "account_id",
		"628a80b693a15c0f9c13ab75", "628a80b693a15c0f9c13ab76"),
	"Pulumi Cloud": otherProvider("https://api.pulumi.com/oidc", "org", "our-org", "their-org"),
	"Vercel":       otherProvider("https://oidc.vercel.com", "owner_id", "team_1", "team_12"),
	"Nextcloud": otherProvider("https://cloud.example.com", "groups",
		[]string{"everyone", "staff"}, []string{"everyone"}),
	"Salesforce, My Domain": otherProvider("https://our.my.salesforce.com", "iss",
		"https://our.my.salesforce.com", "https://their.my.salesforce.com"),
}

// otherProvider is a provider whose tokens tell people apart by one claim.
func otherProvider(issuer, claim string, ours, theirs any) recipe {
	profile := &oidctest.Profile{
		Issuer:    issuer,
		Discovery: map[string]any{"issuer": issuer, "jwks_uri": issuer + "/keys"},
		Tokens: map[string]oidctest.Token{
			right: {Claims: map[string]any{
				"aud": "photo-app", "sub": "alice", claim: ours,
			}},
			stranger: {Like: right, Claims: claims(claim, theirs)},
			access:   {Like: right, Claims: claims("aud", "https://api.example.com")},
		},
	}
	if issuer == "https://cloud.example.com" {
		profile.DiscoveryURL = issuer + "/index.php/apps/oidc/openid-configuration"
	}
	refusal := "required_claim"
	if claim == "iss" {
		refusal = "issuer_unknown"
	}
	return recipe{custom: profile, tokens: []verdict{
		{kind: right},
		{kind: stranger, want: refusal},
		{kind: access, want: "audience_not_allowed"},
	}}
}

// TestInit_Providers: for each provider that init knows, what init writes by the command in
// docs/ is a configuration that accepts the right token and refuses a stranger's and
// the wrong kinds, with the codes that the page's own YAML gives. Nothing is edited, and nothing
// warns that strangers come in, or that a folder lies in another's. Where the issuer tells the
// provider, --provider changes nothing.
func TestInit_Providers(t *testing.T) {
	page := sectionsOf(t)
	flags := initFlagsOf(t)
	all := maps.Clone(otherProviders)
	for _, r := range recipes {
		if r.section != withoutInit {
			all[r.section] = r
		}
	}
	known := map[string]bool{}
	for name, r := range all {
		words := flags[name]
		if len(words) < 2 || words[0] != "--provider" {
			t.Errorf("%s: the page has the flags %q", name, words)
			continue
		}
		known[words[1]] = true
		t.Run(name, func(t *testing.T) {
			r.initiate(t, clientOf(page[name]), words)
		})
	}
	names := slices.Sorted(maps.Keys(known))
	want := slices.Sorted(slices.Values(setup.ProviderNames()))
	if !slices.Equal(names, want) || len(names) < 25 {
		t.Errorf("init knows\n%q\nand these have run:\n%q", want, names)
	}
	if len(flags) != len(all) {
		t.Errorf("the page has flags of %q", slices.Sorted(maps.Keys(flags)))
	}
	t.Logf("init writes %d configurations for %d providers", len(all), len(names))
}

// initiate has init write the configuration of a client, and tries the recipe's tokens on it.
func (r recipe) initiate(t *testing.T, client string, words []string) {
	p := r.imitation(t, r.parameters)
	t.Chdir(t.TempDir())
	if err := os.WriteFile(keySetFile, p.KeySet(), 0o600); err != nil {
		t.Fatal(err)
	}
	text := initiated(t, client, words...)
	providers := []*oidctest.Provider{p}
	for _, parameters := range r.others {
		providers = append(providers, r.imitation(t, parameters))
	}
	d := r.delegator(t, text, providers)
	wantNoStrangers(t, d)
	wantVerdicts(t, d, p, r.tokens)
	wantNoSlashes(t, d)
	if !strings.Contains(text, "\n    subject_as_folder: true\n") {
		t.Errorf("it does not say that folders are named after subjects:\n%s", text)
	}

	provider, more := words[1], words[2:]
	if slices.Contains(byNameOnly, provider) || strings.Contains(text, "\n    tenants:") {
		return // no issuer tells it
	}
	if !slices.Contains(more, "--issuer") {
		issuer := regexp.MustCompile(`- url: "([^"]*)"`).FindStringSubmatch(text)[1]
		more = append([]string{"--issuer", issuer}, more...)
	}
	if again := initiated(t, client, more...); again != text {
		t.Errorf("by the issuer it writes\n%s\nand by the name\n%s", again, text)
	}
}

// initFlagsOf returns the flags for init of each section of the pages docs/provider-NAME.md,
// without those that all have, and of each row of a table of docs/providers.md.
func initFlagsOf(t *testing.T) map[string][]string {
	t.Helper()
	flags := map[string][]string{}
	block := regexp.MustCompile("(?s)```sh\ndelegation init (.*?)\n```")
	for _, section := range providerSections(t) {
		found := block.FindStringSubmatch(section.body)
		if found == nil {
			continue
		}
		words := wordsOf(strings.ReplaceAll(found[1], "\\\n", ""))
		for name, value := range map[string]string{
			"--client-id": clientOf(section.yaml),
			"--account":   "123456789012",
			"--bucket":    "example-photos",
			"--region":    "eu-central-1",
		} {
			i := slices.Index(words, name)
			if i < 0 || i+1 == len(words) || words[i+1] != value {
				t.Fatalf("%s: init needs %s %s: %q", section.heading, name, value, words)
			}
			words = slices.Delete(words, i, i+2)
		}
		flags[section.heading] = words
	}
	row := regexp.MustCompile("\n\\| ([^|]*) \\| `(--provider [^`]*)` \\|")
	page := string(must(os.ReadFile(providersPage)))
	for _, found := range row.FindAllStringSubmatch(page, -1) {
		flags[found[1]] = wordsOf(found[2])
	}
	return flags
}

// wordsOf are the words of a command line, without their quotes. None has a blank in it.
func wordsOf(line string) []string {
	return strings.Fields(strings.ReplaceAll(line, `"`, ""))
}

// clientOf is the audience in a section's YAML.
func clientOf(yaml string) string {
	found := regexp.MustCompile(`audiences: \["?([^]"]*)"?\]`).FindStringSubmatch(yaml)
	if found == nil {
		return "photo-app"
	}
	return found[1]
}

// initiated is the configuration that init writes for a client.
func initiated(t *testing.T, client string, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	args := append([]string{
		"init", "--client-id", client, "--target", delegationtest.Target,
		"--account", "123456789012", "--bucket", "example-photos", "--region", "eu-central-1",
		"--out", folder,
	}, flags...)
	var out, errs bytes.Buffer
	code := run(t.Context(), args, surroundings{stdout: &out, stderr: &errs, newKey: testKey})
	if code != 0 || errs.Len() > 0 {
		t.Fatalf("delegation %q: exit code %d: %s", args, code, &errs)
	}
	return string(must(os.ReadFile(filepath.Join(folder, setup.ConfigurationFile))))
}

// testKey is a key that is made already.
func testKey(string, int, time.Time, time.Duration) (certificate, private []byte, err error) {
	certificate, private = keyPair()
	return certificate, private, nil
}

// TestInit_ProvidersCounted: the README says how many providers init knows.
func TestInit_ProvidersCounted(t *testing.T) {
	readme := string(must(os.ReadFile("../../README.md")))
	want := fmt.Sprintf("for %d [providers](docs/providers.md)", len(setup.ProviderNames()))
	if !strings.Contains(readme, want) {
		t.Errorf("README.md lacks %q", want)
	}
}
