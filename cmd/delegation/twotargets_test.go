package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/internal/iam"
)

// operation is one SAML provider with two targets, as its operator has it: a folder with the
// configuration, and an account in AWS whose IAM an STS follows.
type operation struct {
	*world
	t              *testing.T
	account        *iamAccount
	cloudFormation *stacks
	terraform      *terraformFolder
	keys           []string // folders with a signing key, the first signs
	also           []string // certificates that are published, too
}

// operatedTargets are the targets of an operation, each with its name as audience.
var operatedTargets = []string{"photo-app", "docs-app"}

// newOperation has nothing in AWS. The current folder is the configuration's.
func newOperation(t *testing.T, mirrors ...mirror) *operation {
	t.Helper()
	o := &operation{world: newBareWorld(t, t.TempDir()), t: t, keys: []string{"."}}
	t.Chdir(o.folder)
	o.account = newAccount("123456789012", "aws")
	o.account.mirrors = append(mirrors, strictSTS{o.aws, o.account.arn})
	o.cloudFormation = newStacks(o.account)
	o.terraform = &terraformFolder{account: o.account, folder: o.folder}
	said(t, "keygen", "--bits", "2048")
	o.configure()
	return o
}

// configure writes the configuration.
func (o *operation) configure() {
	var keys []string
	for _, folder := range o.keys {
		keys = append(keys, fmt.Sprintf("{certificate_file: %s, key_file: %s}",
			filepath.Join(folder, "signing.crt"), filepath.Join(folder, "signing.key")))
	}
	also := ""
	if len(o.also) > 0 {
		also = "  also_certificates: [" + strings.Join(o.also, ", ") + "]\n"
	}
	o.write(o.t, "delegation.yaml", fmt.Sprintf(`
issuers: [{url: %q, allow_loopback_http: true}]
identity_provider:
  entity_id: urn:tenant.example.com
  keys: [%s]
%stargets:
  photo-app:
    audiences: [photo-app]
    principal: "arn:aws:iam::123456789012:saml-provider/delegation"
    role: "arn:aws:iam::123456789012:role/delegation-user"
    region: eu-central-1
  docs-app:
    audiences: [docs-app]
    principal: "arn:aws:iam::123456789012:saml-provider/delegation"
    role: "arn:aws:iam::123456789012:role/docs/docs-user"
    region: eu-central-1
    session_duration: 2h
sts: {endpoint: %q}
cache: {size: -1}
`, o.issuerURL, strings.Join(keys, ", "), also, o.awsURL))
}

// exchange exchanges a token for a target with the configuration as it is now.
func (o *operation) exchange(target string) error {
	built, err := surroundings{stderr: os.Stderr}.configured(o.t.Context(), "delegation.yaml",
		false, nil)
	if err != nil {
		return err
	}
	token := o.token(map[string]any{"aud": target})
	_, err = built.Delegator.Exchange(o.t.Context(), token, target)
	return err
}

// works fails the test unless these targets, and no others, exchange, and nothing was deleted.
func (o *operation) works(step string, targets ...string) {
	o.t.Helper()
	for _, target := range operatedTargets {
		err := o.exchange(target)
		if want := slices.Contains(targets, target); want != (err == nil) {
			o.t.Errorf("%s: %s: %v", step, target, err)
		}
	}
	if len(o.account.lost) > 0 {
		o.t.Errorf("%s: IAM has lost %v", step, o.account.lost)
	}
}

// run runs a command of the documentation.
func (o *operation) run(line string) error {
	words := strings.Fields(line)
	switch {
	case words[0] == "delegation":
		said(o.t, words[1:]...)
		return nil
	case strings.HasPrefix(line, "aws cloudformation deploy "):
		return o.cloudFormation.deployFile(flagOf(o.t, words, "--stack-name"),
			flagOf(o.t, words, "--template-file"))
	case line == "terraform apply", line == "terraform init && terraform apply":
		return o.terraform.apply()
	}
	return fmt.Errorf("no test can run %q", line)
}

func (o *operation) mustRun(lines ...string) {
	o.t.Helper()
	for _, line := range lines {
		if err := o.run(line); err != nil {
			o.t.Fatalf("%s: %v", line, err)
		}
	}
}

// setUpCommands are the commands of a section of docs/aws-cloudformation.md or
// docs/aws-terraform.md.
func setUpCommands(t *testing.T, language, section string) []string {
	t.Helper()
	return documentedCommandsIn(t, "docs/aws-"+language+".md", section)
}

// TestTwoTargets_Documented runs the commands of both pages: the second target leaves the
// first one alone, both ways make the same in IAM, and changing either target changes no other.
func TestTwoTargets_Documented(t *testing.T) {
	accounts := map[string]*iamAccount{}
	for _, language := range []string{"cloudformation", "terraform"} {
		t.Run(language, func(t *testing.T) {
			o := newOperation(t)
			accounts[language] = o.account
			o.works("nothing is set up")
			o.mustRun(setUpCommands(t, language, "## The first target")...)
			o.works("first target", "photo-app")
			before := o.account.plan()
			calls := len(o.account.calls)
			o.mustRun(setUpCommands(t, language, "## The second target")...)
			o.works("second target", "photo-app", "docs-app")
			for name, role := range before.roles {
				if got := o.account.roles[name]; fmt.Sprint(got) != fmt.Sprint(role) {
					t.Errorf("the first target's role is now %+v", got)
				}
			}
			for _, call := range o.account.calls[calls:] {
				if strings.Contains(call, "new=true") && !strings.HasPrefix(call, "PutRole docs") {
					t.Errorf("the second target makes %s", call)
				}
			}
			if len(o.account.providers) != 1 || len(o.account.roles) != 2 {
				t.Errorf("IAM has %v and %v", o.account.providers, o.account.roles)
			}
			for _, role := range o.account.roles {
				if role.tags["DelegationTarget"] == "" || role.tags["ManagedBy"] != "delegation" {
					t.Errorf("the role has the tags %v", role.tags)
				}
			}
		})
	}
	withoutMetadata := func(a *iamAccount) *iamAccount { // whose keys differ
		a = a.plan()
		for name, p := range a.providers {
			p.metadata = ""
			a.providers[name] = p
		}
		return a
	}
	err := sameResources(withoutMetadata(accounts["cloudformation"]),
		withoutMetadata(accounts["terraform"]))
	if err != nil {
		t.Errorf("CloudFormation and Terraform differ: %v", err)
	}
}

// documentedCommandsIn is documentedCommands from a folder that is not the package's.
func documentedCommandsIn(t *testing.T, page, section string) []string {
	t.Helper()
	here := must(os.Getwd())
	if err := os.Chdir(packageFolder); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.Chdir(here) }()
	return documentedCommands(t, page, section)
}

// packageFolder is where tests begin.
var packageFolder = must(os.Getwd())

// TestTwoTargets_RepeatedProvider: a second file that makes the SAML provider again is refused, and
// the first target goes on. So this is how the tests above would find one.
func TestTwoTargets_RepeatedProvider(t *testing.T) {
	t.Run("CloudFormation", func(t *testing.T) {
		o := newOperation(t)
		o.mustRun(setUpCommands(t, "cloudformation", "## The first target")...)
		provider := string(must(os.ReadFile("provider.yaml")))
		err := o.cloudFormation.deploy("delegation-docs-app", provider, nil)
		if err == nil || !strings.Contains(err.Error(), "EntityAlreadyExists") {
			t.Errorf("the second provider: %v", err)
		}
		o.works("CloudFormation", "photo-app")
	})
	t.Run("Terraform", func(t *testing.T) {
		o := newOperation(t)
		o.mustRun(setUpCommands(t, "terraform", "## The first target")...)
		provider := must(os.ReadFile("provider.tf"))
		o.write(t, "role-docs-app.tf", string(provider))
		if err := o.run("terraform apply"); err == nil ||
			!strings.Contains(err.Error(), "Duplicate") {
			t.Errorf("the second provider: %v", err)
		}
		elsewhere := &terraformFolder{account: o.account, folder: t.TempDir()}
		for name, text := range map[string][]byte{
			"provider.tf": provider, "metadata.xml": must(os.ReadFile("metadata.xml")),
		} {
			path := filepath.Join(elsewhere.folder, name)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := elsewhere.apply(); err == nil ||
			!strings.Contains(err.Error(), "EntityAlreadyExists") {
			t.Errorf("the second provider in a folder of its own: %v", err)
		}
		o.works("Terraform", "photo-app")
	})
}

// TestTwoTargets_ExistingProvider: a role for a SAML provider that something else made needs no
// other file, and leaves the provider alone.
func TestTwoTargets_ExistingProvider(t *testing.T) {
	for _, language := range []string{"cloudformation", "terraform"} {
		t.Run(language, func(t *testing.T) {
			o := newOperation(t)
			metadata, _ := said(t, "metadata")
			made, err := o.account.putSAMLProvider("delegation", samlProvider{
				metadata: metadata, tags: map[string]string{"team": "identity"},
			}, true)
			if err != nil {
				t.Fatal(err)
			}
			o.mustRun("delegation " + language + " --target docs-app --existing-provider " +
				"--out role.tf")
			if language == "terraform" {
				err = o.terraform.apply()
			} else {
				err = o.cloudFormation.deployFile("delegation-docs-app", "role.tf")
			}
			if err != nil {
				t.Fatal(err)
			}
			o.works(language, "docs-app")
			if got := o.account.providers["delegation"]; fmt.Sprint(got) != fmt.Sprint(made) {
				t.Errorf("the provider is now %v", got)
			}
		})
	}
}

// TestTwoTargets_Guards: what was written for one account is refused in another one and in another
// partition, before anything is made.
func TestTwoTargets_Guards(t *testing.T) {
	o := newOperation(t)
	commands := slices.Concat(
		setUpCommands(t, "cloudformation", "## The first target"),
		setUpCommands(t, "terraform", "## The first target"))
	for _, line := range commands {
		if strings.HasPrefix(line, "delegation ") {
			o.mustRun(line)
		}
	}
	o.mustRun("delegation cloudformation --target docs-app --existing-provider --out e.yaml",
		"delegation terraform --target docs-app --existing-provider --out existing")
	for _, other := range []*iamAccount{
		newAccount("999999999999", "aws"), newAccount("123456789012", "aws-us-gov"),
	} {
		what := other.id + " in " + other.partition
		for _, file := range []string{"provider.yaml", "role-photo-app.yaml", "e.yaml"} {
			err := newStacks(other).deployFile("stack", file)
			if err == nil || !strings.Contains(err.Error(), "rule: This set-up is for the ") {
				t.Errorf("%s: %s: %v", what, file, err)
			}
		}
		folder := &terraformFolder{account: other, folder: o.folder}
		if err := folder.apply(); err == nil {
			t.Errorf("%s: Terraform applies", what)
		}
		// The preconditions alone, as where there is another provider block.
		for _, name := range []string{"provider.tf", "existing"} {
			text := string(must(os.ReadFile(name)))
			text = strings.Replace(text, `["123456789012"]`, `["`+other.id+`"]`, 1)
			alone := &terraformFolder{account: other, folder: t.TempDir()}
			for file, text := range map[string]string{
				"main.tf": text, "metadata.xml": string(must(os.ReadFile("metadata.xml"))),
			} {
				path := filepath.Join(alone.folder, file)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			const existing = "arn:aws:iam::123456789012:saml-provider/delegation"
			other.providers[existing] = samlProvider{} // so that the data source finds one
			err := alone.apply()
			delete(other.providers, existing)
			if err == nil || !strings.Contains(err.Error(), "This set-up is for the ") {
				t.Errorf("%s: %s: %v", what, name, err)
			}
		}
		if len(other.calls) > 0 {
			t.Errorf("%s: there was %v", what, other.calls)
		}
	}
}

// TestTwoTargets_Names: no two targets have the same stack, file or label, and neither do two roles
// of a target.
func TestTwoTargets_Names(t *testing.T) {
	seen := map[string]string{}
	names := []string{
		"photo-app", "Photo-app", "photo_app", "photo.app", "photo--app", "photo-app-",
		"-photo-app", "photo app", "a", "A", "é", "ё", "", "-", "https://api.example.com/",
		"https://api.example.com",
		strings.Repeat("x", 40), strings.Repeat("x", 41), strings.Repeat("x", 400),
		"provider", "1", "b-" + strings.Repeat("y", 39),
	}
	for _, name := range names {
		s := odd(name, "urn:a", "")
		for _, other := range []bool{false, true} {
			s.OtherRole = other
			for _, got := range namesOf(s) {
				if before, taken := seen[got]; taken {
					t.Errorf("%q is that of %q and of %q", got, before, name)
				}
				seen[got] = name
				if !validName.MatchString(got) {
					t.Errorf("%q is %q", name, got)
				}
			}
		}
	}
	if got := namesOf(odd("photo-app", "a", "")); !slices.Equal(got,
		[]string{"delegation-photo-app", "role-photo-app.tf"}) {
		t.Errorf("got %q", got)
	}
	providers := map[string]bool{}
	for _, name := range []string{"delegation", "Delegation", "delega_tion", "delega.tion"} {
		s := odd("a", "a", "")
		s.Principal = must(iam.Provider.Parse("arn:aws:iam::012345678901:saml-provider/" + name))
		providers[s.StackName(setup.ProviderPart)] = true
	}
	if len(providers) != 4 || !providers["saml-provider-delegation"] {
		t.Errorf("got %v", slices.Sorted(maps.Keys(providers)))
	}
}

// namesOf are the names of a role's stack and file.
func namesOf(s *setup.Resources) []string {
	return []string{s.StackName(setup.RolePart), s.FileName(setup.RolePart, ".tf")}
}

var validName = regexp.MustCompile(`\A[a-z][a-z0-9-]{0,90}(?:\.tf)?\z`)

// TestTwoTargets_ProviderIsKept: mistakes that would delete the SAML provider are refused, or leave
// it in IAM.
func TestTwoTargets_ProviderIsKept(t *testing.T) {
	for name, commands := range map[string]int{"CloudFormation": 4, "without a role": 3} {
		t.Run(name, func(t *testing.T) {
			o := newOperation(t)
			first := setUpCommands(t, "cloudformation", "## The first target")
			o.mustRun(first[:commands]...)
			o.mustRun("delegation cloudformation --target docs-app --existing-provider " +
				"--out e.yaml")
			err := o.cloudFormation.deployFile("saml-provider-delegation", "e.yaml")
			if commands == 3 { // no role imports from the stack yet, so its template may go
				if err != nil {
					t.Error(err)
				}
				o.works("the stack's template has no provider", "docs-app")
				return
			}
			if err == nil || !strings.Contains(err.Error(), "in use by another stack") {
				t.Errorf("the template of a role in the provider's stack: %v", err)
			}
			o.works("refused", "photo-app")
		})
	}
	t.Run("Terraform", func(t *testing.T) {
		o := newOperation(t)
		o.mustRun(setUpCommands(t, "terraform", "## The first target")...)
		text := string(must(os.ReadFile("provider.tf")))
		o.write(t, "provider.tf", strings.Replace(text, `= "delegation"`, `= "other"`, 1))
		err := o.run("terraform apply")
		if err == nil || !strings.Contains(err.Error(), "Instance cannot be destroyed") {
			t.Errorf("another name: %v", err)
		}
		o.works("refused", "photo-app")
	})
}
