package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
)

// TestCheckRows: a note stands after the results in both forms, and is no failure.
func TestCheckRows(t *testing.T) {
	results := []delegation.CheckResult{{Name: "issuer x", Warning: "set Issuer.GatedByRules"}}
	changed := []config.Note{{At: "targets.a.audiences", What: "other"}}
	got := string(table(results, changed, term.Unpainted))
	const want = "issuer x             WARN  set gated_by_rules of the issuer\n" +
		"targets.a.audiences  NOTE  other\n"
	if got != want {
		t.Errorf("got %q", got)
	}
	text := string(must(checkJSON(results, changed)))
	if !strings.Contains(text,
		"\"name\": \"targets.a.audiences\",\n    \"state\": \"note\",\n    \"what\": \"other\"\n") {
		t.Errorf("got %s", text)
	}
	if err := failures(results); err != nil {
		t.Error(err)
	}
}

// TestCheck_ExposedKeys: a signing key that every user of the machine can read, or that others than
// its owner can write, is a warning with a command that ends it. The command leaves the group its
// right to read. A key for its owner, or for a group to read, is none.
func TestCheck_ExposedKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "signing key")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := exposed([]string{file + " is not there"}); len(got) != 0 {
		t.Errorf("a file that is not there: got %v", got)
	}
	for mode, want := range map[os.FileMode]struct {
		remedy string
		after  os.FileMode
	}{
		0o600: {"", 0o600},
		0o640: {"", 0o640},
		0o644: {"chmod o= ", 0o640},
		0o604: {"chmod o= ", 0o600},
		0o646: {"chmod o= ", 0o640},
		0o664: {"chmod g-w,o= ", 0o640},
		0o666: {"chmod g-w,o= ", 0o640},
		0o660: {"chmod go-w ", 0o640},
		0o642: {"chmod go-w ", 0o640},
	} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		got := exposed([]string{file})
		if want.remedy == "" {
			if len(got) != 0 {
				t.Errorf("mode %04o: got %v", mode, got)
			}
			continue
		}
		remedy := want.remedy + "'" + file + "'"
		if len(got) != 1 || !strings.HasSuffix(got[0].Warning, ": "+remedy) {
			t.Errorf("mode %04o: got %v", mode, got)
			continue
		}
		if out, err := exec.Command("sh", "-c", remedy).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", remedy, err, out)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want.after {
			t.Errorf("%04o after %s: got %04o", mode, remedy, info.Mode())
		}
		if left := exposed([]string{file}); len(left) != 0 {
			t.Errorf("%04o after %s: got %v", mode, remedy, left)
		}
	}
}

// TestCheckRows_FailureAndWarning: a warning is said next to a failure, in both forms. The issuer
// that nobody reaches today may still be one that strangers share.
func TestCheckRows_FailureAndWarning(t *testing.T) {
	results := []delegation.CheckResult{{
		Name:    "issuer x",
		Err:     errors.New("no answer"),
		Warning: "set Issuer.GatedByRules",
	}}
	got := string(table(results, nil, term.Unpainted))
	const rows = "issuer x  FAIL  no answer\n" +
		"issuer x  WARN  set gated_by_rules of the issuer\n"
	if got != rows {
		t.Errorf("got %q", got)
	}
	const list = `[
  {
    "name": "issuer x",
    "state": "failed",
    "what": "no answer",
    "warning": "set gated_by_rules of the issuer"
  }
]
`
	if text := string(must(checkJSON(results, nil))); text != list {
		t.Errorf("got %s", text)
	}
}

// TestSettings_Clients: the keys of issuers and targets reach the library, and a warning about
// strangers names keys.
func TestSettings_Clients(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code := run(t.Context(), []string{"keygen", "--bits", "2048", "--out", folder},
		surroundings{stdout: newOutput(), stderr: newOutput()})
	if code != 0 {
		t.Fatalf("keygen: exit code %d", code)
	}
	const configuration = `issuers:
  - url: https://gitlab.com
    jwks_file: keys.json
    algorithms: [EdDSA]
    client_audiences: [one, two]
    allow_token_marks: [typ, scp]
    required_claims: {namespace_path: [our-group]}
  - url: https://app.terraform.io
    jwks_file: keys.json
    algorithms: [EdDSA]
    gated_by_rules: true
  - url: https://token.actions.githubusercontent.com
    jwks_file: keys.json
    algorithms: [EdDSA]
identity_provider:
  entity_id: urn:example.com
  keys: [{certificate_file: signing.crt, key_file: signing.key}]
targets:
  photo-app:
    principal: arn:aws:iam::123456789012:saml-provider/delegation
    role: arn:aws:iam::123456789012:role/photo-user
    region: eu-central-1
    authorized_parties: [mobile]
    required_claims: {team: [photo, "press-.*"]}
    issuers: [https://gitlab.com, https://app.terraform.io]
    name_id_tells_issuers_apart: true
  other-app:
    region: eu-central-1
    issuers: [https://gitlab.com, https://token.actions.githubusercontent.com]
    subjects_are_one: true
    subject_as_folder: false
rules:
  - allow_connections: [x]
    targets: [photo-app]
`
	write("keys.json",
		[]byte(
			`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	write("delegation.yaml", []byte(configuration))
	loaded, from, err := config.Load(filepath.Join(folder, "delegation.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := config.NewBuilder(from, slog.New(slog.DiscardHandler))
	issuer := b.Issuer("issuers[0]", loaded.Issuers[0])
	if !slices.Equal(issuer.ClientAudiences, []string{"one", "two"}) ||
		!slices.Equal(issuer.AllowTokenMarks, []string{"typ", "scp"}) ||
		!slices.Equal(issuer.RequiredClaims["namespace_path"], []string{"our-group"}) ||
		issuer.GatedByRules {
		t.Errorf("got %+v", issuer)
	}
	if !b.Issuer("issuers[1]", loaded.Issuers[1]).GatedByRules {
		t.Error("gated_by_rules is lost")
	}
	target := b.Target("targets.photo-app", loaded.Targets["photo-app"])
	if !slices.Equal(target.AuthorizedParties, []string{"mobile"}) ||
		!slices.Equal(target.RequiredClaims["team"], []string{"photo", "press-.*"}) ||
		!target.NameIDTellsIssuersApart || target.SubjectsAreOne {
		t.Errorf("got %+v", target)
	}
	other := b.Target("targets.other-app", loaded.Targets["other-app"])
	if !other.SubjectsAreOne || !other.SubjectNamesNothing || other.SubjectAsFolder {
		t.Errorf("got %+v", other)
	}
	if target.SubjectNamesNothing || target.SubjectAsFolder {
		t.Error("the target says what subjects name, and the configuration does not")
	}

	built, err := config.Build(context.Background(), loaded, from, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	warned := map[string]string{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nobody need be asked for these warnings
	for _, result := range built.Delegator.Check(ctx) {
		if result.Warning != "" {
			warned[result.Name] = config.ByKeys(result.Warning)
		}
	}
	said := warned["issuer https://token.actions.githubusercontent.com"]
	if len(warned) != 1 || !strings.Contains(said, `out of the target "other-app": require`) ||
		!strings.Contains(said,
			"required_claims of the target, or set gated_by_rules of the issuer") {
		t.Errorf("warned: %q", warned)
	}
}

// exposed are the results about files of signing keys.
func exposed(files []string) []delegation.CheckResult {
	var secrets []service.SecretFile
	for _, file := range files {
		secrets = append(secrets, service.SecretFile{Path: file, SigningKey: true})
	}
	return exposedSecrets(secrets)
}
