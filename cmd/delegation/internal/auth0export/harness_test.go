package auth0export_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/auth0export"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/setup"
	"github.com/seed055b7978/delegation/delegationtest"
)

// passing is a rule that permits everybody.
const passing = "function (user, context, callback) { callback(null, user, context); }\n"

// files is a folder: text by path.
type files map[string]string

// with returns the folder with some files replaced. An empty text takes a file away.
func (f files) with(changes files) files {
	changed := files{}
	for _, list := range []files{f, changes} {
		for name, text := range list {
			changed[name] = text
			if text == "" {
				delete(changed, name)
			}
		}
	}
	return changed
}

// write writes the folder and returns its path.
func (f files) write(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range f {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// directory is an export in the form of a folder, with two rules and a client.
func directory() files {
	return files{
		"rules/one.js":   passing,
		"rules/one.json": `{"name": "one", "script": "./one.js", "order": 1, "enabled": true}`,
		"rules/two.js":   passing,
		"rules/two.json": `{"name": "two", "script": "./two.js", "order": 2, "enabled": true}`,
		"clients/Photo.json": `{"name": "Photo", "client_id": "photo-app", "addons": {"aws": {
			"principal": "arn:aws:iam::123456789012:saml-provider/Auth0",
			"role": "arn:aws:iam::123456789012:role/reader"}}}`,
	}
}

// document is the same export in the form of one file.
func document() files {
	return files{
		"rules/one.js": passing,
		"rules/two.js": passing,
		"tenant.yaml": `
rules:
  - {name: one, script: ./rules/one.js, order: 1, enabled: true}
  - {name: two, script: ./rules/two.js, order: 2, enabled: true}
clients:
  - name: Photo
    client_id: photo-app
    addons:
      aws:
        principal: arn:aws:iam::123456789012:saml-provider/Auth0
        role: arn:aws:iam::123456789012:role/reader
`,
	}
}

// flags are what an import of one of the exports above needs.
func flags() auth0export.Options {
	return auth0export.Options{Domain: "tenant.eu.auth0.com", Region: "eu-central-1"}
}

// plan reads an export that is right, and plans its import.
func plan(t testing.TB, name string, o auth0export.Options) *auth0export.Plan {
	t.Helper()
	export, err := auth0export.Read(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := auth0export.NewPlan(export, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// written imports an export, and returns the folder that is written and the text of each file.
func written(t testing.TB, name string, o auth0export.Options) (folder string, texts files) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "out")
	certificate, key := delegationtest.SigningKeyPEM()
	list, err := plan(t, name, o).Write(t.Context(), folder, certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return folder, textsOf(t, folder, list)
}

// textsOf reads files, which must have the mode 0600, by their paths in a folder.
func textsOf(t testing.TB, folder string, list []setup.File) files {
	t.Helper()
	texts := files{}
	for _, f := range list {
		info, err := os.Stat(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %04o", f.Path, info.Mode().Perm())
		}
		text, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(folder, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.ToSlash(name)] = string(text)
	}
	return texts
}
