package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// theModule is the folder of the Terraform module.
var theModule = filepath.Join(packageFolder, "../../deploy/terraform")

// moduleIn is the module in an account, with its variables.
func moduleIn(a *iamAccount, variables map[string]cty.Value) *terraformFolder {
	return &terraformFolder{account: a, folder: theModule, variables: variables, supplied: true}
}

// oneForm writes each policy of an account in one form: a list of one is the same as its element.
func oneForm(t *testing.T, a *iamAccount) *iamAccount {
	t.Helper()
	var simple func(any) any
	simple = func(value any) any {
		switch v := value.(type) {
		case []any:
			if len(v) == 1 {
				return simple(v[0])
			}
			for i := range v {
				v[i] = simple(v[i])
			}
		case map[string]any:
			for name := range v {
				v[name] = simple(v[name])
			}
		}
		return value
	}
	a = a.plan()
	for name, role := range a.roles {
		for _, policy := range []*string{&role.trust, &role.permissions} {
			if *policy == "" {
				continue
			}
			var document any
			if err := json.Unmarshal([]byte(*policy), &document); err != nil {
				t.Fatal(err)
			}
			*policy = string(must(json.Marshal(simple(document))))
		}
		a.roles[name] = role
	}
	return a
}

// TestModule_AgreesWithFiles: for the same targets, the Terraform module makes what the files of
// "delegation terraform" make.
func TestModule_AgreesWithFiles(t *testing.T) {
	const recipient = "https://eu-central-1.signin.aws.amazon.com/saml"
	text := cty.StringVal
	for name, row := range map[string]struct {
		settings, flags string               // of photo-app, and of its file
		role            map[string]cty.Value // of photo-app, in addition
		existing        bool
	}{
		"plain": {},
		"tags": {settings: "tags: {team: press}", role: map[string]cty.Value{
			"tags_sessions": cty.True,
		}},
		"tags and source identity": {flags: "--tags --source-identity", role: map[string]cty.Value{
			"tags_sessions": cty.True, "source_identity": cty.True,
		}},
		"a long session": {settings: "session_duration: 10h", role: map[string]cty.Value{
			"max_session_duration": cty.NumberIntVal(36_000),
		}},
		"by UUID": {settings: "saml_provider_uuid: SAMLSPEXAMPLE000000001",
			role: map[string]cty.Value{"by_provider_uuid": cty.True}},
		"existing provider": {flags: "--existing-provider", existing: true},
		"existing provider by UUID": {
			settings: "saml_provider_uuid: SAMLSPEXAMPLE000000001",
			flags:    "--existing-provider", existing: true,
			role: map[string]cty.Value{"by_provider_uuid": cty.True},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperation(t)
			config := string(must(os.ReadFile("delegation.yaml")))
			config = strings.Replace(config, "    audiences: [photo-app]\n",
				"    audiences: [photo-app]\n    "+row.settings+"\n", 1)
			o.write(t, "delegation.yaml", config)
			metadata, _ := said(t, "metadata")
			o.write(t, "metadata.xml", metadata)
			policy, _ := said(t, "permission-policy", "--target", "photo-app",
				"--bucket", "example-photos")
			inFiles := newAccount("123456789012", "aws")
			inModule := newAccount("123456789012", "aws")
			if row.existing {
				for _, a := range []*iamAccount{inFiles, inModule} {
					p := samlProvider{metadata: metadata}
					if _, err := a.putSAMLProvider("delegation", p, true); err != nil {
						t.Fatal(err)
					}
				}
			}

			o.mustRun("delegation terraform --target photo-app --bucket example-photos " +
				"--out role-photo-app.tf " + row.flags)
			roles := map[string]cty.Value{"photo-app": cty.ObjectVal(merged(row.role,
				map[string]cty.Value{
					"name": text("delegation-user"), "recipient": text(recipient),
					"policy": text(policy),
				}))}
			if !row.existing {
				o.mustRun("delegation terraform --target photo-app --part provider "+
					"--out provider.tf",
					"delegation terraform --target docs-app --out role-docs-app.tf")
				roles["docs-app"] = cty.ObjectVal(map[string]cty.Value{
					"name": text("docs-user"), "path": text("/docs/"),
					"recipient":            text(recipient),
					"max_session_duration": cty.NumberIntVal(7200),
				})
			}
			files := &terraformFolder{account: inFiles, folder: o.folder}
			if err := files.apply(); err != nil {
				t.Fatal(err)
			}
			module := moduleIn(inModule, map[string]cty.Value{
				"account_id": text("123456789012"), "entity_id": text("urn:tenant.example.com"),
				"metadata": text(metadata), "existing_provider": cty.BoolVal(row.existing),
				"roles": cty.ObjectVal(roles),
			})
			if err := module.apply(); err != nil {
				t.Fatal(err)
			}
			if len(inModule.roles) != len(roles) {
				t.Errorf("the module makes %v", inModule.roles)
			}
			if err := sameResources(oneForm(t, inFiles), oneForm(t, inModule)); err != nil {
				t.Error(err)
			}
			if !row.existing && (files.outputs["principal"] != module.outputs["principal"] ||
				module.outputs["principal"] == "" || module.outputs["saml_provider_uuid"] == "" ||
				files.outputs["saml_provider_uuid"] != module.outputs["saml_provider_uuid"]) {
				t.Errorf("the outputs are %v and %v", files.outputs, module.outputs)
			}
		})
	}
}

// merged is one map of two.
func merged(a, b map[string]cty.Value) map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, m := range []map[string]cty.Value{a, b} {
		for name, value := range m {
			all[name] = value
		}
	}
	return all
}

// readmeOfTheModule has the variables of the README's example, with files of the current folder.
func readmeOfTheModule(t *testing.T) map[string]cty.Value {
	t.Helper()
	page := string(must(os.ReadFile(filepath.Join(theModule, "README.md"))))
	_, block, _ := strings.Cut(page, "```hcl\n")
	block, _, found := strings.Cut(block, "```")
	file, problems := hclparse.NewParser().ParseHCL([]byte(block), "README.md")
	if !found || problems.HasErrors() {
		t.Fatal(problems)
	}
	module := file.Body.(*hclsyntax.Body).Blocks[0]
	context := &hcl.EvalContext{Functions: terraformFunctions, Variables: map[string]cty.Value{
		"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(".")}),
	}}
	variables := map[string]cty.Value{}
	for name, a := range module.Body.Attributes {
		v, problems := a.Expr.Value(context)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		variables[name] = v
	}
	if source := variables["source"].AsString(); !strings.HasSuffix(source, "//deploy/terraform") {
		t.Errorf("the source is %s", source)
	}
	delete(variables, "source")
	return variables
}

// TestModule_Readme: the example of the module's README sets up two targets that exchange, and a
// target that is added or removed leaves the others alone.
func TestModule_Readme(t *testing.T) {
	o := newOperation(t)
	for name, bucket := range map[string]string{"photos.json": "photos", "docs.json": "docs"} {
		policy, _ := said(t, "permission-policy", "--target", "photo-app",
			"--bucket", "example-"+bucket)
		o.write(t, name, policy)
	}
	o.mustRun("delegation metadata --out metadata.xml")
	variables := readmeOfTheModule(t)
	both := variables["roles"]
	variables["roles"] = cty.ObjectVal(map[string]cty.Value{
		"photo-app": both.GetAttr("photo-app"),
	})
	module := moduleIn(o.account, variables)
	if err := module.apply(); err != nil {
		t.Fatal(err)
	}
	o.works("one target", "photo-app")
	first := fmt.Sprint(o.account.roles["delegation-user"])
	variables["roles"] = both
	if err := module.apply(); err != nil {
		t.Fatal(err)
	}
	o.works("two targets", operatedTargets...)
	if got := fmt.Sprint(o.account.roles["delegation-user"]); got != first {
		t.Errorf("the first role was %s and is %s", first, got)
	}
	variables["roles"] = cty.ObjectVal(map[string]cty.Value{"docs-app": both.GetAttr("docs-app")})
	if err := module.apply(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.account.lost, []string{"role/delegation-user"}) {
		t.Errorf("IAM has lost %v", o.account.lost)
	}
	if err := o.exchange("docs-app"); err != nil {
		t.Error(err)
	}
	if err := o.exchange("photo-app"); err == nil {
		t.Error("the target that was removed still exchanges")
	}
}

// TestModule_Refuses: what would be wrong is refused, and nothing is made.
func TestModule_Refuses(t *testing.T) {
	o := newOperation(t)
	metadata, _ := said(t, "metadata")
	role := func(recipient string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"photo-app": cty.ObjectVal(
			map[string]cty.Value{
				"name": cty.StringVal("delegation-user"), "recipient": cty.StringVal(recipient),
			})})
	}
	for want, change := range map[string]map[string]cty.Value{
		"This set-up is for the account 999999999999.": {
			"account_id": cty.StringVal("999999999999"),
		},
		"This set-up is for the partition aws-cn.": {"partition": cty.StringVal("aws-cn")},
		"The account has 12 digits.":               {"account_id": cty.StringVal("12345678901")},
		"metadata is missing":                      {"metadata": cty.NullVal(cty.String)},
		"The entity ID is missing":                 {"entity_id": cty.StringVal("")},
		"The entity ID is missing, or has":         {"entity_id": cty.StringVal("urn:${aws:a}")},
		"A recipient has the beginning":            {"roles": role("https://${saml:sub}/")},
		"couldn't find resource":                   {"existing_provider": cty.True},
	} {
		variables := merged(map[string]cty.Value{
			"account_id": cty.StringVal("123456789012"), "metadata": cty.StringVal(metadata),
			"entity_id": cty.StringVal("urn:tenant.example.com"),
			"roles":     role("https://signin.aws.amazon.com/saml"),
		}, change)
		err := moduleIn(o.account, variables).apply()
		if err == nil || !strings.Contains(err.Error(), want) || len(o.account.calls) > 0 {
			t.Errorf("got %v and %v, want %q", err, o.account.calls, want)
		}
	}
}
