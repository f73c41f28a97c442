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
