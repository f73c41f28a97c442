package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/ststest"
)

// addedTo is what a second target is added with.
func addedTo(t *testing.T, file, client string) *setup.Answers {
	t.Helper()
	i := answered(filepath.Dir(file))
	i.ClientID = client
	i.Target = client
	i.Role = "second"
	i.Bucket = "example-second"
	i.AddTo = must(setup.ReadExisting(t.Context(), file, nil))
	return i
}

// firstTarget writes the files of a first target, and returns the configuration's.
func firstTarget(t *testing.T) (file string) {
	t.Helper()
	i := answered(t.TempDir())
	files := must(i.Files(keyPair()))
	if err := i.Write(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(i.Folder, setup.ConfigurationFile)
}

// snapshot has every file of a folder with its text and mode.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, entry := range must(os.ReadDir(folder)) {
		path := filepath.Join(folder, entry.Name())
		info := must(os.Stat(path))
		text := ""
		if !info.IsDir() {
			text = string(must(os.ReadFile(path)))
		}
		all[entry.Name()] = info.Mode().String() + " " + text
	}
	return all
}

// TestInitAdd_NothingHalfDone: whatever stops it, every file is as it was.
func TestInitAdd_NothingHalfDone(t *testing.T) {
	same := func(t *testing.T, before, after map[string]string) {
		t.Helper()
		for name, text := range before {
			if after[name] != text {
				t.Errorf("%s has changed", name)
			}
		}
		if len(after) != len(before) {
			t.Errorf("there are %d files, and there were %d", len(after), len(before))
		}
	}
	t.Run("the role's file is there", func(t *testing.T) {
		file := firstTarget(t)
		i := addedTo(t, file, "second")
		there := filepath.Join(i.Folder, "role-second.yaml")
		if err := os.WriteFile(there, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, i.Folder)
		_, _, err := i.Add(t.Context())
		if !errors.As(err, new(config.UsageError)) || !strings.Contains(err.Error(), there) {
			t.Errorf("got %v", err)
		}
		same(t, before, snapshot(t, i.Folder))
	})
	t.Run("interrupted", func(t *testing.T) {
		i := addedTo(t, firstTarget(t), "second")
		before := snapshot(t, i.Folder)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := i.Add(ctx); err == nil {
			t.Error("it is added")
		}
		same(t, before, snapshot(t, i.Folder))
	})
	t.Run("changed in the meantime", func(t *testing.T) {
		file := firstTarget(t)
		i := addedTo(t, file, "second")
		text := string(must(os.ReadFile(file))) + "# another change\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, i.Folder)
		_, _, err := i.Add(t.Context())
		if err == nil || !strings.Contains(err.Error(), "has changed while the command ran") {
			t.Errorf("got %v", err)
		}
		same(t, before, snapshot(t, i.Folder))
	})
	t.Run("it would not load", func(t *testing.T) {
		file := firstTarget(t)
		i := addedTo(t, file, "second")
		i.Region = "mars-north-1"
		before := snapshot(t, i.Folder)
		_, _, err := i.Add(t.Context())
		if err == nil || !strings.Contains(err.Error(), file+" is not changed") ||
			!strings.Contains(err.Error(), file+":") ||
			!strings.Contains(err.Error(), "mars-north-1") {
			t.Errorf("got %v", err)
		}
		same(t, before, snapshot(t, i.Folder))
	})
}

// TestInitAdd_ModeAndLink: the file behind a link is replaced, with its mode.
func TestInitAdd_ModeAndLink(t *testing.T) {
	file := firstTarget(t)
	link := filepath.Join(t.TempDir(), "linked.yaml")
	if err := errors.Join(os.Chmod(file, 0o640), os.Symlink(file, link)); err != nil {
		t.Skip(err)
	}
	i := addedTo(t, link, "second")
	if _, _, err := i.Add(t.Context()); err != nil {
		t.Fatal(err)
	}
	target := must(os.Readlink(link))
	info := must(os.Stat(file))
	if target != file || info.Mode().Perm() != 0o640 ||
		!strings.Contains(string(must(os.ReadFile(file))), `"second":`) {
		t.Errorf("the link is to %s, and the file has the mode %s", target, info.Mode())
	}
}

// TestInitAdd_OddNames: any name of a target goes in and comes out as it is.
func TestInitAdd_OddNames(t *testing.T) {
	file := firstTarget(t)
	for _, text := range oddTexts {
		i := addedTo(t, file, text)
		if i.CheckTargetName(text) != nil {
			continue
		}
		i.Folder = t.TempDir()
		if _, _, err := i.Add(t.Context()); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		loaded, _, err := config.Load(file, nil)
		if err != nil || loaded.Targets[text].Role != i.RoleARN() || len(loaded.Rules) != 1 {
			t.Errorf("%q: %v, %+v", text, err, loaded.Targets[text])
		}
	}
}

// TestInitAdd_Exchange: once AWS has the second role, tokens of both clients are exchanged, each
// for its own target.
func TestInitAdd_Exchange(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	file := filepath.Join(folder, setup.ConfigurationFile)
	flags := func(client, bucket string, more ...string) []string {
		return append([]string{"init", "--issuer", w.issuerURL, "--allow-loopback-http",
			"--client-id", client, "--account", "123456789012", "--bucket", bucket,
			"--region", service.DemoRegion}, more...)
	}
	said(t, flags("photo-app", "example-photos", "--out", folder)...)
	said(t, flags("maps-app", "example-maps", "--add-to", file)...)
	for target, role := range map[string]string{
		"photo-app": "delegation-user", "maps-app": "delegation-user-2",
	} {
		policy, _ := said(t, "trust-policy", "--config", file, "--target", target)
		err := w.aws.PutRole(ststest.Role{
			ARN: "arn:aws:iam::123456789012:role/" + role, TrustPolicy: policy,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	metadata, _ := said(t, "metadata", "--config", file)
	err := w.aws.PutSAMLProvider("arn:aws:iam::123456789012:saml-provider/delegation",
		[]byte(metadata))
	if err != nil {
		t.Fatal(err)
	}
	built, err := surroundings{environment: []string{
		"DELEGATION_STS_ENDPOINT=" + w.awsURL,
	}}.configured(t.Context(), file, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, client := range []string{"photo-app", "maps-app"} {
		token := w.token(map[string]any{"aud": client})
		for _, target := range []string{"photo-app", "maps-app"} {
			_, err := built.Delegator.Exchange(t.Context(), token, target)
			if (err == nil) != (client == target) {
				t.Errorf("a token of %s for %s: %v", client, target, err)
			}
		}
	}
}

// TestInitAdd_SetUp: what a second target writes can be applied where the SAML provider was made by
// another tool, or in another region or folder, and makes the same role. In the folder of the first
// target's Terraform it shares the provider's file.
func TestInitAdd_SetUp(t *testing.T) {
	const principal = "arn:aws:iam::123456789012:saml-provider/delegation"
	for _, row := range []struct {
		name      string
		first     string // what makes the SAML provider: cloudformation, terraform or the console
		terraform bool   // for the second target
		elsewhere bool   // in another region, or in another folder
		shared    bool   // the folder of the first target's Terraform
	}{
		{name: "CloudFormation", first: "cloudformation"},
		{name: "CloudFormation in another region", first: "cloudformation", elsewhere: true},
		{name: "CloudFormation after Terraform", first: "terraform"},
		{name: "CloudFormation after the console", first: "console"},
		{name: "Terraform in the same folder", first: "terraform", terraform: true, shared: true},
		{name: "Terraform in another folder", first: "terraform", terraform: true,
			elsewhere: true},
		{name: "Terraform after CloudFormation", first: "cloudformation", terraform: true},
		{name: "Terraform after the console", first: "console", terraform: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			account := newAccount("123456789012", "aws")
			i := answered(t.TempDir())
			i.Terraform = row.first == "terraform"
			files := must(i.Files(keyPair()))
			if err := i.Write(t.Context(), files); err != nil {
				t.Fatal(err)
			}
			stacks := newStacks(account)
			module := &terraformFolder{account: account, folder: i.Folder}
			var err error
			switch row.first {
			case "cloudformation":
				err = errors.Join(
					stacks.deployFile("saml-provider-delegation",
						filepath.Join(i.Folder, "provider.yaml")),
					stacks.deployFile("delegation-photo-app",
						filepath.Join(i.Folder, "role-photo-app.yaml")))
			case "terraform":
				err = module.apply()
			default:
				_, err = account.putSAMLProvider("delegation", samlProvider{}, true)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := account.providers["delegation"].arn
			second := addedTo(t, filepath.Join(i.Folder, setup.ConfigurationFile), "second")
			second.Terraform = row.terraform
			if row.elsewhere {
				second.Region = "us-west-2"
				second.Folder = t.TempDir()
				stacks = newStacks(account) // exports are those of a region
			}
			added, _, err := second.Add(t.Context())
			if err != nil || len(added) != 1 {
				t.Fatalf("%v, %d files", err, len(added))
			}
			if !row.terraform {
				err = stacks.deployFile("delegation-second", added[0].Path)
			} else {
				if !row.shared {
					module = &terraformFolder{account: account, folder: second.Folder}
				}
				err = module.apply()
			}
			trust := account.roles["second"].trust
			if err != nil || !strings.Contains(trust, `"`+principal+`"`) {
				t.Errorf("%v, the role trusts %s", err, trust)
			}
			if len(account.providers) != 1 || before != principal || len(account.lost) > 0 {
				t.Errorf("IAM has %v, and lost %v", account.providers, account.lost)
			}
		})
	}
}

// TestInitAdd_TerraformFolder: a folder whose files make another SAML provider, or have what a
// folder has once, is refused, and nothing is written.
func TestInitAdd_TerraformFolder(t *testing.T) {
	made := func(change func(*setup.Answers)) string {
		i := answered(t.TempDir())
		i.Terraform = true
		change(i)
		files := must(i.Files(keyPair()))
		for _, f := range files {
			if strings.HasSuffix(f.Path, "provider.tf") {
				return f.Text
			}
		}
		t.Fatal("no provider.tf")
		return ""
	}
	for name, row := range map[string]struct{ text, want string }{
		"the same provider, in a file of another name": {made(func(*setup.Answers) {}), ""},
		"another provider": {
			made(func(i *setup.Answers) { i.SAMLProvider = "other" }), "has Terraform files with",
		},
		"another account": {
			made(func(i *setup.Answers) { i.Account = "999999999999" }), "has Terraform files with",
		},
		"a module of others": {
			"provider \"aws\" {\n}\n", `Terraform files with provider "aws", which a folder`,
		},
		"versions of others": {
			"terraform {\n  required_providers {\n  }\n}\n", "files with required_providers, ",
		},
		"a bucket of others": {"resource \"aws_s3_bucket\" \"photos\" {\n}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			i := addedTo(t, firstTarget(t), "second")
			i.Terraform = true
			i.Folder = filepath.Join(t.TempDir(), "a [b]") // no pattern
			path := filepath.Join(i.Folder, "main.tf")
			err := errors.Join(os.Mkdir(i.Folder, 0o700),
				os.WriteFile(path, []byte(row.text), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = i.Add(t.Context())
			switch {
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want == "":
			case !errors.As(err, new(config.UsageError)), !strings.Contains(err.Error(), row.want),
				!strings.Contains(err.Error(), i.Folder), len(snapshot(t, i.Folder)) != 1:
				t.Errorf("got %v", err)
			}
		})
	}
}
